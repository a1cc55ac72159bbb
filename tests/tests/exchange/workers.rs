//! Several workers: each client is its owner's, whoever receives its messages.
//!
//! `WORKERS_SEED=n` plays other rounds.

use crate::frames::{Client, client, numbered};
use crate::rig::spec;
use crate::rounds::{Crowd, Said};
use crate::team::{Dice, Size, Team};
use dhcp_proto::config::{Reservation, Spec};
use dhcp_proto::identity::IdentityMode;
use dhcp_wire::dhcp::MessageType;
use dhcp_wire::ethernet::Tag;
use lessor::dataplane::counters::Group;
use lessor::dataplane::port_mem::MemFrame;
use std::net::Ipv4Addr;

/// Clients whose owner is not the worker of queue 0.
fn foreign(team: &Team) -> Vec<Client> {
    let all = (0..=u8::MAX).map(client);
    all.filter(|client| team.owner_of(client) != 0).collect()
}

fn pool_of(count: u8) -> Spec {
    let mut spec = spec();
    let home = &mut spec.networks[0];
    home.subnets.truncate(1);
    home.subnets[0].pools[0].last = Ipv4Addr::new(10, 0, 0, 9 + count);
    spec
}

/// Every message that a server answers or heeds, each given to a worker that is not the client's.
fn lives_elsewhere(size: Size) {
    let mut team = Team::new(size, spec());
    for client in foreign(&team).into_iter().take(20) {
        let owner = team.owner_of(&client);
        // A worker without a queue sends by one that has one.
        let queue = owner % size.queues;
        let (by, offer) = team.ask(0, &client.clone().discover());
        assert_eq!((by, offer.kind), (queue, MessageType::Offer));
        let addr = offer.yiaddr;
        for request in [
            client.clone().request(addr),
            client.clone().renew(addr),
            client.clone().reboot(addr),
        ] {
            let (by, ack) = team.ask(0, &request);
            assert_eq!((by, ack.kind, ack.yiaddr), (queue, MessageType::Ack, addr));
            team.is_bound_by(addr, owner);
        }
        // Whoever receives an INFORM answers it: it is about no binding.
        let (by, ack) = team.ask(0, &client.clone().inform(addr));
        assert_eq!((by, ack.kind), (0, MessageType::Ack));
        let wrong = Ipv4Addr::new(10, 0, 0, 222);
        let (by, nak) = team.ask(0, &client.clone().reboot(wrong));
        assert_eq!((by, nak.kind), (queue, MessageType::Nak));
        team.tell(0, &client.clone().release(addr));
        let (_, offer) = team.ask(0, &client.clone().discover());
        assert_eq!(offer.yiaddr, addr, "it is remembered");
        team.ask(0, &client.clone().request(addr));
        team.tell(0, &client.clone().decline(addr));
        let (_, offer) = team.ask(0, &client.clone().discover());
        assert_ne!(offer.yiaddr, addr, "it is set aside");
    }
    let silences = |name| team.count(Group::Silences, name);
    assert_eq!((silences("released"), silences("declined")), (20, 20));
    assert_eq!(team.count(Group::MessagesIn, "inform"), 20);
    assert_eq!(team.count(Group::MessagesIn, "discover"), 60, "each once");
    assert_eq!(team.count_of(0, Group::Events, "handed_over"), 20 * 10);
    assert_eq!(team.count_of(0, Group::Events, "taken_over"), 0);
    team.is_sound();
}

#[test]
fn every_message_that_another_worker_receives_is_answered_by_the_owner() {
    lives_elsewhere(Size::of(2));
    lives_elsewhere(Size::of(4));
}

#[test]
fn workers_without_a_queue_serve_their_clients_through_those_that_have_one() {
    for (workers, queues) in [(2, 1), (4, 1), (4, 3)] {
        let size = Size {
            queues,
            ..Size::of(workers)
        };
        lives_elsewhere(size);
    }
}

#[test]
fn c166_a_tag_that_the_device_took_off_is_known_to_the_owner() {
    let mut team = Team::new(Size::of(2), spec());
    let client = foreign(&team).remove(0);
    let tci = 100;
    let frame = MemFrame {
        stripped: Some(Tag { tpid: 0x8100, tci }),
        ..client.discover().frame()[..].into()
    };
    assert!(team.wire.deliver_to(0, &frame));
    team.settle();
    let (by, offer) = team.reply();
    assert_eq!((by, offer.vids), (1, (Some(tci), None)));
    assert_eq!(offer.yiaddr.octets()[..3], [10, 1, 0]);
}

/// A home whose clients are known by their circuit, which the wire itself may say.
fn circuits() -> Spec {
    let mut spec = spec();
    spec.links[0].trust_option82 = true;
    spec.networks[0].identity = IdentityMode::Circuit;
    spec
}

#[test]
fn c157_a_renewal_without_its_circuit_goes_to_the_worker_that_has_ciaddr() {
    for workers in [2, 4] {
        let mut team = Team::new(Size::of(workers), circuits());
        let mut owners = [0; 4];
        for n in 0..32 {
            let client = client(n);
            let circuit = [b'c', n];
            let queue = team.dice.roll(workers.into());
            let discover = client.clone().discover().on_circuit(&circuit);
            let (owner, offer) = team.ask(queue, &discover);
            let addr = offer.yiaddr;
            let request = client.clone().request(addr).on_circuit(&circuit);
            assert_eq!(team.ask(queue, &request).0, owner);
            owners[owner] += 1;
            for queue in 0..usize::from(workers) {
                let (by, ack) = team.ask(queue, &client.clone().renew(addr));
                assert_eq!((by, ack.kind, ack.yiaddr), (owner, MessageType::Ack, addr));
            }
            let queue = team.dice.roll(workers.into());
            let released = team.count(Group::Silences, "released");
            let release = client.clone().release(addr);
            team.tell(queue, &release);
            assert_eq!(team.count(Group::Silences, "released"), released + 1);
        }
        assert!(owners[..usize::from(workers)].iter().all(|n| *n > 0));
        team.is_sound();
    }
}

/// Two identities of one hardware address that has a reservation, owned by two workers; the first
/// is the client without option 61.
fn double(team: &Team) -> (Client, Vec<u8>) {
    let one = client(7);
    let ids = (0..=u8::MAX).map(|n| vec![0, b'x', n]);
    let mut others = ids.filter(|id| {
        let identity = [&[1], &id[..]].concat();
        team.owner(&identity) != team.owner_of(&one)
    });
    let other = others.next().unwrap();
    (one, other)
}

const KEPT: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 5);

fn with_reservation() -> Spec {
    let mut spec = spec();
    let client = [&[2, 1][..], &client(7).mac.0].concat();
    let reservation = Reservation::new(&client, KEPT);
    spec.networks[0].reservations.push(reservation);
    spec
}

#[test]
fn a_reserved_address_is_yielded_to_the_other_identity_on_another_worker() {
    for workers in [2, 4] {
        let mut team = Team::new(Size::of(workers), with_reservation());
        let (one, id) = double(&team);
        let two = || one.clone().named(&id);
        let owner = team.owner_of(&one);
        let (_, offer) = team.ask(0, &one.clone().discover());
        assert_eq!(offer.yiaddr, KEPT);
        team.ask(0, &one.clone().request(KEPT));
        team.is_bound_by(KEPT, owner);

        team.give(0, &two().discover().frame());
        team.settle();
        assert!(team.replies().is_empty(), "it stays silent");
        assert_eq!(team.commit(), 1, "the end of the binding is written");
        assert_eq!(team.count(Group::Silences, "yielding"), 1);
        assert_eq!(team.count(Group::Events, "yield_asked"), 1);
        assert_eq!(team.count_of(owner, Group::Events, "yielded"), 1);

        let (_, offer) = team.ask(0, &two().discover());
        assert_eq!((offer.kind, offer.yiaddr), (MessageType::Offer, KEPT));
        let (_, ack) = team.ask(0, &two().request(KEPT));
        assert_eq!((ack.kind, ack.yiaddr), (MessageType::Ack, KEPT));
        team.is_bound_by(KEPT, team.owner(&[&[1], &id[..]].concat()));
        // The first one has lost it.
        let (_, nak) = team.ask(0, &one.clone().renew(KEPT));
        assert_eq!(nak.kind, MessageType::Nak);
        team.is_sound();
    }
}

#[test]
fn a_question_that_found_no_room_is_put_again() {
    let size = Size {
        places: 2,
        ..Size::of(2)
    };
    let mut team = Team::new(size, with_reservation());
    let (one, id) = double(&team);
    let two = || one.clone().named(&id);
    let (owner, asker) = (team.owner_of(&one), 1 - team.owner_of(&one));
    team.ask(0, &one.clone().discover());
    team.ask(0, &one.clone().request(KEPT));
    // The ring to the owner is full of others, whom it owns as well.
    let others = (100..=u8::MAX).map(client);
    let others: Vec<_> = others.filter(|c| team.owner_of(c) == owner).collect();
    for client in &others[..2] {
        team.give(asker, &client.clone().discover().frame());
    }
    team.poll(asker);
    team.give(asker, &two().discover().frame());
    team.poll(asker);
    assert_eq!(team.count(Group::Events, "yield_lost"), 1);
    team.settle();
    assert_eq!(team.replies().len(), 2);
    team.tell(asker, &two().discover());
    assert_eq!(team.count(Group::Events, "yielded"), 1);
    assert_eq!(team.ask(asker, &two().discover()).1.yiaddr, KEPT);
    team.is_sound();
}

#[test]
fn a_worker_whose_journal_has_no_room_yields_when_it_has() {
    let mut team = Team::new(Size::of(2), with_reservation());
    let (one, id) = double(&team);
    let two = || one.clone().named(&id);
    let owner = team.owner_of(&one);
    team.ask(0, &one.clone().discover());
    team.ask(0, &one.clone().request(KEPT));
    team.fail(owner, true);
    for asked in 1..=3 {
        team.tell(0, &two().discover());
        assert_eq!(team.count(Group::Silences, "yielding"), asked);
        assert_eq!(team.count(Group::Events, "yield_put_off"), asked);
    }
    team.is_bound_by(KEPT, owner);
    team.fail(owner, false);
    team.tell(0, &two().discover());
    assert_eq!(team.count_of(owner, Group::Events, "yielded"), 1);
    assert_eq!(team.ask(0, &two().discover()).1.yiaddr, KEPT);
    team.is_sound();
}

#[test]
fn a_full_ring_between_workers_drops_and_counts() {
    let size = Size {
        places: 8,
        ..Size::of(2)
    };
    let mut team = Team::new(size, spec());
    let clients: Vec<_> = foreign(&team).into_iter().take(20).collect();
    for client in &clients {
        team.give(0, &client.clone().discover().frame());
    }
    team.poll(0);
    // DISCOVERs leave room for what is worth more.
    assert_eq!(team.count_of(0, Group::Events, "handed_over"), 5);
    assert_eq!(team.count_of(0, Group::Drops, "shed_discover"), 15);
    team.settle();
    assert_eq!(team.replies().len(), 5);
    team.is_sound();
}

#[test]
fn one_address_and_1000_clients_in_one_burst_on_two_workers() {
    let size = Size {
        places: 1024,
        packets: 1200,
        ..Size::of(2)
    };
    let mut team = Team::new(size, pool_of(1));
    let ask = |team: &mut Team, but: Option<u32>| {
        for n in (0..1000).filter(|n| Some(u32::from(*n)) != but) {
            let queue = team.dice.roll(2);
            team.give(queue, &numbered(n).discover().frame());
        }
        for _ in 0..20 {
            team.settle();
        }
        let (_, offer) = team.reply();
        assert_eq!(offer.kind, MessageType::Offer, "one has it");
        offer
    };
    let first = ask(&mut team, None);
    let holder = numbered(u16::try_from(first.xid).unwrap());
    let (_, ack) = team.ask(1, &holder.clone().request(first.yiaddr));
    assert_eq!(ack.kind, MessageType::Ack);
    team.tell(0, &holder.release(first.yiaddr));
    let second = ask(&mut team, Some(first.xid));
    assert_eq!(second.yiaddr, first.yiaddr);
    assert_ne!(second.xid, first.xid);
    let holder = numbered(u16::try_from(second.xid).unwrap());
    assert_eq!(
        team.ask(0, &holder.request(second.yiaddr)).1.kind,
        MessageType::Ack
    );
    assert_eq!(team.count(Group::Silences, "no_address"), 999 + 998);
    team.is_sound();
}

const STEPS: u32 = 1500;

/// Messages, polls and commits in an order that a seed decides.
fn play(seed: u64) {
    let mut dice = Dice(seed);
    let workers = 2 + u8::try_from(dice.roll(3)).unwrap();
    let size = Size {
        queues: 1 + dice.roll(workers.into()),
        places: [2, 8, 64][dice.roll(3)],
        ..Size::of(workers)
    };
    let mut crowd = Crowd::new(Team::new(size, pool_of(16)), dice);
    for _ in 0..STEPS {
        let Crowd { team, dice, .. } = &mut crowd;
        match dice.roll(10) {
            0..4 => crowd.speak(|roll, client, addr| match roll {
                0..3 => Said::Keeps(client.renew(addr)),
                3..5 => Said::Keeps(client.reboot(addr)),
                5 => Said::Keeps(client.discover()),
                6 => Said::Leaves(client.release(addr)),
                _ => Said::Leaves(client.decline(addr)),
            }),
            4..8 => team.poll(dice.roll(workers.into())),
            8 => {
                team.commit_of(dice.roll(workers.into()));
            }
            _ => team.pass(500),
        }
        crowd.hear();
    }
    crowd.settle_up();
    crowd.team.is_sound();
}

#[test]
fn no_address_has_two_holders_in_whatever_order_the_workers_poll() {
    let seed: u64 = std::env::var("WORKERS_SEED").map_or(1, |seed| seed.parse().expect("a number"));
    for round in 0..40 {
        eprintln!("WORKERS_SEED={seed}, round {round}");
        play(seed.wrapping_mul(1000).wrapping_add(round));
    }
}
