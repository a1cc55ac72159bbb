//! Who runs against whom: Lessor, the yardstick and the peers, one after the other, and again.

use std::net::Ipv4Addr;
use std::time::Duration;

use crate::bed::{Bed, Running, Site, Way};
use crate::book::Book;
use crate::failure::{Because as _, Failure, Outcome, caught};
use crate::load::{self, Load, Mode, Pace, Pool, Told};
use crate::meter::Meter;
use crate::peers;
use crate::rows::{Unit, row};
use crate::server::{self, Settings};
use crate::testpmd;

/// How thoroughly.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    pub(crate) rounds: usize,
    pub(crate) warm_up: Duration,
    pub(crate) length: Duration,
}

/// When clients of Lessor renew, in rows of renewals, and how long they stay away at least: more than
/// half of that, and than the second in which the server tells the age of a lease, so that each is
/// written. As many have to be there that somebody always may come.
const T1: Duration = Duration::from_secs(1);
const REST: Duration = Duration::from_millis(1050);

/// The first address that is handed out.
const FIRST: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 0);

/// One that is run in its turn, and the rows that it has figures for.
pub(crate) struct Contender {
    pub(crate) rows: &'static [&'static str],
    who: Who,
}

enum Who {
    /// testpmd against itself.
    Yardstick(Way),
    /// The generator against frames that come back as they are.
    Generator(Way),
    Lessor(&'static Entrant, Mode),
    Peer(&'static Peer, Mode),
}

const fn contender(rows: &'static [&'static str], who: Who) -> Contender {
    Contender { rows, who }
}

/// All of them, in the order of their turns.
pub(crate) const CONTENDERS: &[Contender] = &[
    contender(&["memif/macswap"], Who::Yardstick(Way::Memif)),
    contender(&["memif/generator"], Who::Generator(Way::Memif)),
    contender(&["memif/none/messages"], Who::Lessor(&NONE, Mode::Dora)),
    contender(&["memif/none/discover"], Who::Lessor(&NONE, Mode::Discover)),
    contender(&["memif/none/renew"], Who::Lessor(&NONE, Mode::Renew)),
    contender(
        &["memif/log/dora", "memif/log/messages", "cpu/dora/memif"],
        Who::Lessor(&MEMIF, Mode::Dora),
    ),
    contender(&["memif/log/renew"], Who::Lessor(&MEMIF, Mode::Renew)),
    contender(&["veth/macswap"], Who::Yardstick(Way::Veth)),
    contender(&["veth/generator"], Who::Generator(Way::Veth)),
    contender(
        &["veth/log/dora", "veth/log/messages", "cpu/dora/veth"],
        Who::Lessor(&VETH, Mode::Dora),
    ),
    contender(
        &["veth/kea/dora", "cpu/dora/kea"],
        Who::Peer(&KEA, Mode::Dora),
    ),
    contender(&["veth/log/renew"], Who::Lessor(&VETH, Mode::Renew)),
    contender(&["veth/kea/renew"], Who::Peer(&KEA, Mode::Renew)),
    contender(&["veth/dhcpd/dora"], Who::Peer(&DHCPD, Mode::Dora)),
    contender(&["veth/dhcpd/renew"], Who::Peer(&DHCPD, Mode::Renew)),
    contender(&["veth/dnsmasq/dora"], Who::Peer(&DNSMASQ, Mode::Dora)),
];

/// A turn of one of them.
pub(crate) fn turn(contender: &Contender, site: &Site, effort: &Effort, book: &mut Book) {
    let outcome = caught(|| contender.who.run(site, effort));
    for row in contender.rows {
        let value = match &outcome {
            Ok(seen) => seen.value(row).because("nothing was measured"),
            Err(failure) => Err(failure.clone()),
        };
        if let Ok(seen) = &outcome
            && seen.unwritten >= 0.01
        {
            let share = 100.0 * seen.unwritten;
            book.note(
                row,
                &format!("{share:.0} % answered with the time left, not written"),
            );
        }
        match value {
            Ok(value) => book.add(row, value),
            Err(failure) => book.fail(row, &failure.to_string()),
        }
    }
}

/// What came of a turn.
#[derive(Clone, Copy, Debug)]
struct Seen {
    replies: f64,
    exchanges: f64,
    /// Cores that the server kept busy.
    cores: Option<f64>,
    /// Share of the renewals that the server answered with the time left and did not write.
    unwritten: f64,
}

impl Seen {
    /// The value of a row, which its unit names.
    fn value(&self, name: &str) -> Option<f64> {
        match row(name)?.unit {
            Unit::Frames | Unit::Messages => Some(self.replies),
            Unit::Dora | Unit::Renewals => Some(self.exchanges),
            Unit::Microseconds => Some(1e6 * self.cores? / self.exchanges),
            Unit::Nanoseconds | Unit::Milliseconds | Unit::Seconds | Unit::Octets => None,
        }
    }
}

impl Who {
    fn run(&self, site: &Site, effort: &Effort) -> Outcome<Seen> {
        match self {
            Self::Yardstick(way) => yardstick(site, effort, *way),
            Self::Generator(way) => generator(site, effort, *way),
            Self::Lessor(entrant, mode) => lessor(site, effort, entrant, *mode),
            Self::Peer(entrant, mode) => peer(site, effort, entrant, *mode),
        }
    }
}

/// How a server is loaded where it does best.
#[derive(Clone, Copy, Debug)]
struct Crowd {
    /// Clients that renew; they obtain their leases first.
    renewing: u32,
    /// Clients that are new to it, more than it can serve in the time.
    fresh: u32,
    /// Exchanges on their way.
    window: u32,
    /// How long a client that renews stays away.
    rest: Duration,
}

/// Lessor on one way with one engine.
struct Entrant {
    way: Way,
    engine: &'static str,
    crowd: Crowd,
}

const NONE: Entrant = Entrant {
    way: Way::Memif,
    engine: "none",
    crowd: Crowd {
        renewing: 1_000_000,
        fresh: 4_000_000,
        window: 256,
        rest: REST,
    },
};

const MEMIF: Entrant = Entrant {
    engine: "log",
    crowd: Crowd {
        window: 2048,
        ..NONE.crowd
    },
    ..NONE
};

const VETH: Entrant = Entrant {
    way: Way::Veth,
    engine: "log",
    crowd: Crowd {
        renewing: 200_000,
        fresh: 1_000_000,
        window: 512,
        rest: REST,
    },
};

/// Another server.
struct Peer {
    start: for<'a> fn(&Bed<'a>, Pool) -> Outcome<Running>,
    crowd: Crowd,
}

const KEA: Peer = Peer {
    start: peers::kea,
    crowd: Crowd {
        renewing: 20_000,
        fresh: 500_000,
        window: 32,
        rest: Duration::ZERO,
    },
};

const DHCPD: Peer = Peer {
    start: peers::dhcpd,
    crowd: Crowd {
        // At some two hundred a second.
        renewing: 500,
        fresh: 100_000,
        window: 32,
        rest: Duration::ZERO,
    },
};

const DNSMASQ: Peer = Peer {
    start: peers::dnsmasq,
    ..DHCPD
};

fn yardstick(site: &Site, effort: &Effort, way: Way) -> Outcome<Seen> {
    let bed = Bed::new(site, way)?;
    let swap = testpmd::macswap(&bed)?;
    let replies = testpmd::flowgen(&bed, effort.length)?;
    swap.stop(site)?;
    Ok(Seen {
        replies,
        exchanges: replies,
        cores: None,
        unwritten: 0.0,
    })
}

fn generator(site: &Site, effort: &Effort, way: Way) -> Outcome<Seen> {
    let bed = Bed::new(site, way)?;
    let swap = testpmd::macswap(&bed)?;
    let load = Load {
        mode: Mode::Macswap,
        clients: 1_000_000,
        pool: Pool::of(FIRST, 1),
        pace: Pace::Window(1024),
        rest: Duration::ZERO,
        warm_up: effort.warm_up,
        length: effort.length,
    };
    let told = load::run(&bed, &load, None)?;
    swap.stop(site)?;
    Ok(Seen::of(&told, None))
}

impl Seen {
    fn of(told: &Told, cores: Option<f64>) -> Self {
        Self {
            replies: told.replies_per_s,
            exchanges: told.exchanges_per_s,
            cores,
            unwritten: told.time_left as f64 / told.exchanges.max(1) as f64,
        }
    }
}

/// A load of an entrant.
fn load_of(effort: &Effort, crowd: Crowd, mode: Mode) -> Load {
    let clients = if mode == Mode::Renew {
        crowd.renewing
    } else {
        crowd.fresh
    };
    Load {
        mode,
        clients,
        // Some servers find the last addresses with pains.
        pool: Pool::of(FIRST, clients * 5 / 4),
        pace: Pace::Window(crowd.window),
        rest: crowd.rest,
        warm_up: effort.warm_up,
        length: effort.length,
    }
}

fn lessor(site: &Site, effort: &Effort, entrant: &Entrant, mode: Mode) -> Outcome<Seen> {
    let bed = Bed::new(site, entrant.way)?;
    let load = load_of(effort, entrant.crowd, mode);
    let settings = Settings {
        engine: entrant.engine,
        store: bed.store(),
        pool: load.pool,
        bindings: load.clients * 5 / 4,
        agent_info_octets: 0,
        t1: (mode == Mode::Renew).then_some(T1),
    };
    let running = server::start(&bed, &settings)?;
    let outcome = measured(&bed, &running, &load)?;
    running.stop(site)?;
    Ok(outcome)
}

fn peer(site: &Site, effort: &Effort, peer: &Peer, mode: Mode) -> Outcome<Seen> {
    let bed = Bed::new(site, Way::Veth)?;
    let load = load_of(effort, peer.crowd, mode);
    let running = (peer.start)(&bed, load.pool)?;
    let outcome = measured(&bed, &running, &load)?;
    // Not asked to end: some rewrite all of their leases first.
    running.kill();
    Ok(outcome)
}

fn measured(bed: &Bed<'_>, running: &Running, load: &Load) -> Outcome<Seen> {
    let mut meter = Meter::new(running.id());
    let told = load::run(bed, load, Some(&mut meter))?;
    if told.exchanges_per_s <= 0.0 {
        return Err(Failure::new("nobody was answered"));
    }
    Ok(Seen::of(&told, meter.cores(load.length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_contender_fills_rows_that_there_are() {
        let seen = Seen {
            replies: 2e6,
            exchanges: 1e6,
            cores: Some(1.5),
            unwritten: 0.0,
        };
        for name in CONTENDERS.iter().flat_map(|contender| contender.rows) {
            assert!(seen.value(name).is_some(), "{name}");
        }
        assert_eq!(seen.value("memif/log/dora"), Some(1e6));
        assert_eq!(seen.value("memif/log/messages"), Some(2e6));
        assert_eq!(seen.value("cpu/dora/memif"), Some(1.5));
    }

    #[test]
    fn a_contender_that_fails_is_in_the_book_with_all_of_its_rows() {
        let contender = contender(
            &["veth/log/dora", "cpu/dora/veth"],
            Who::Lessor(&VETH, Mode::Dora),
        );
        let site = Site {
            stores: "/nonexistent".into(),
            programs: "/nonexistent".into(),
            decide_bench: None,
            stopped: std::sync::Arc::new(true.into()),
        };
        let effort = Effort {
            rounds: 1,
            warm_up: Duration::ZERO,
            length: Duration::ZERO,
        };
        let mut book = Book::default();
        turn(&contender, &site, &effort, &mut book);
        for row in contender.rows {
            assert_eq!(book.failure(row).as_deref(), Some("interrupted"));
        }
    }
}
