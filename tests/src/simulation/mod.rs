//! The whole server under thousands of clients, with everything that can go wrong, by one seed.
//!
//! ```text
//!   clients ── RFC 2131 figure 5, a model of their own (client.rs, message.rs)
//!      │  ▲
//!      ▼  │   lost, doubled, late, out of order (air.rs); as relay, routed, tagged (frame.rs)
//!      │  │   strangers that answer probes (strangers.rs), floods (flood.rs)
//!   ┌──────────────────────── the product ───────────────────────────┐
//!   │ device in memory ─► 1 to 4 workers, polled in any order        │
//!   │   hand-over rings · shards · words · parked replies            │  killed, stopped, without
//!   │ journal rings ─► committer, a round at a time ─► log           │  power; other workers after
//!   │   housekeeper, a step at a time                                │
//!   └────────────────────────────────────────────────────────────────┘
//!      ▼
//!   simulated disk: fails, and keeps any part of what was not synced
//! ```
//!
//! Time is the simulation's. What must hold is asked when a reply leaves (replies.rs), of all words
//! now and then, of what each start makes of the disk, and of everything at the end (checks.rs). Who
//! believes what is the clients' matter (beliefs.rs), what is on offer (offers.rs), on disk (ledger.rs),
//! reserved (office.rs) or in use without a lease (strangers.rs) is noted apart; each has tests that
//! tell it what is wrong. What a client may expect is in judge.rs.

mod air;
mod beliefs;
mod checks;
mod client;
mod dice;
mod flood;
mod frame;
mod hostile;
mod judge;
mod layout;
mod ledger;
mod message;
mod misfortune;
mod offers;
mod office;
mod replies;
mod scenario;
mod server;
mod strangers;
mod tally;
mod trace;
mod world;

pub use hostile::hostile_frames;
pub use tally::Tally;
pub use trace::Trace;

use server::Server;
use world::World;

/// All words are looked at each so many steps.
const LOOK: u64 = 50;
/// Milliseconds of calm in which every client that can have an address gets one: each asks within
/// ten seconds, and once more a minute later.
const CALM: u64 = 150_000;

/// Milliseconds within which every client asks once more.
const PATIENCE: u64 = 90_000;

/// Plays `steps` steps of `seed` and then to the end, and panics at the first thing that must not
/// be.
#[must_use]
pub fn simulate(seed: u64, steps: u64, trace: Trace) -> Tally {
    let mut world = World::new(seed, trace);
    for step in 1..=steps {
        world.step();
        if step % LOOK == 0 {
            world.check_words();
        }
    }
    world.trace.line(
        world.clocks.now,
        format_args!("nothing goes wrong from here on"),
    );
    world.calm_down();
    let until = world.clocks.now + CALM;
    while world.clocks.now < until {
        world.step();
    }
    world.check_words();
    // An address may have come free a moment ago; the next try is within the minute.
    // With rings so small that most is refused it takes several.
    let is_cramped = world.server.as_ref().is_some_and(Server::is_cramped);
    let until = world.clocks.now + PATIENCE * if is_cramped { 4 } else { 1 };
    while let Some(client) = world.starving() {
        assert!(
            world.clocks.now < until,
            "client {client} has no address while some are free"
        );
        world.step();
    }
    world
        .trace
        .line(world.clocks.now, format_args!("all clients are gone"));
    world.switch_off();
    finish(&mut world);
    if let Some(server) = &world.server {
        world.tally.count(server.counters());
    }
    world.tally.steps = steps;
    world.tally.records = world.ledger.records();
    world.tally.cut = world.beliefs.cut;
    world.tally.stations = world.strangers.answers;
    world.tally.reservations = (world.office.made, world.office.removed);
    world.tally.spoofed = world.flood.sent();
    world.tally
}

/// Lets everything end that has an end.
fn finish(world: &mut World) {
    // Leases of a held clock last a second time.
    let longest = 1000 * u64::from(3 * world.scenario.lease + 300 + 60);
    let until = world.clocks.now + longest;
    while world.clocks.now < until && !world.is_at_rest() {
        world.pass(2000);
    }
    for _ in 0..400 {
        world.pass(100);
    }
    world.check_end();
}
