//! A server whose store is on a disk of its own, and clients that load it.

use std::net::Ipv4Addr;
use std::thread;
use std::time::Duration;

use lessor_tests::agent::{Agent, Subscriber};
use lessor_tests::config::Config;
use lessor_tests::disk::{Disk, Plan};
use lessor_tests::holders::{Held, Load, Traffic, WINDOW};
use lessor_tests::lab::Lab;
use lessor_tests::lessor::Lessor;
use lessor_tests::wait;

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
const GIADDR: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);
/// The address of the clients that only want an OFFER.
const OTHER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 3);
/// Octets of a segment.
pub(crate) const SEGMENT: u64 = 1 << 20;

/// A laboratory with all of it.
pub(crate) struct Site {
    pub(crate) server: Lessor,
    pub(crate) disk: Disk,
    pub(crate) held: Held,
    agent: Agent,
    other: Agent,
    /// Who comes next, and who only wants an OFFER next.
    next: u32,
    next_asking: u32,
    /// Of how many queries one is a newcomer's.
    coming: u32,
    _lab: Lab,
}

/// What may be done to a server under load.
pub(crate) struct Under<'a> {
    pub(crate) server: &'a mut Lessor,
    pub(crate) disk: &'a Disk,
    pub(crate) traffic: &'a Traffic,
}

/// Ends the load whatever happens.
struct Ends<'a>(&'a Traffic);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Site {
    /// With `clients` leases.
    pub(crate) fn new(plan: Plan, clients: usize) -> Self {
        let lab = Lab::new();
        let link = lab.link("link");
        let relay = lab.namespace("relay");
        let server = lab.namespace_with_mounts("server");
        link.plug(&relay, "eth0");
        link.plug(&server, "eth0");
        relay.ip(&format!("addr add {GIADDR}/16 dev eth0"));
        relay.ip(&format!("addr add {OTHER}/16 dev eth0"));
        let disk = Disk::new(&lab, &server, plan);
        let config = Config {
            address: format!("{SERVER}/16"),
            subnet: "10.77.0.0/16".into(),
            store: Some(disk.path().join("store")),
            segment_size: Some(format!("{}MiB", SEGMENT >> 20)),
            ..Config::new("10.77.1.0-10.77.250.255")
        };
        let mut site = Self {
            server: Lessor::start(&lab, &server, &config),
            disk,
            held: Held::default(),
            agent: Agent::relay(&relay, GIADDR, SERVER).with_moving_clients(),
            other: Agent::relay(&relay, OTHER, SERVER),
            next: 0,
            next_asking: 1 << 24,
            coming: 1,
            _lab: lab,
        };
        site.load(clients, |under| {
            under.acks(u64::try_from(clients).expect("a number of clients"));
        });
        site.coming = 8;
        site
    }

    /// Loads the server while `work` lasts: one query of eight is a newcomer's, up to `newcomers`.
    pub(crate) fn load<T: Send>(
        &mut self,
        newcomers: usize,
        work: impl FnOnce(&mut Under<'_>) -> T + Send,
    ) -> T {
        let traffic = Traffic::default();
        let end = self.next + u32::try_from(newcomers).expect("a number of clients");
        let mut load = Load::new(&mut self.held, self.next..end, SERVER, &traffic);
        load.coming = self.coming;
        let (server, disk) = (&mut self.server, &self.disk);
        let agent = &mut self.agent;
        let done = thread::scope(|scope| {
            let worker = scope.spawn(|| {
                let _ends = Ends(&traffic);
                work(&mut Under {
                    server,
                    disk,
                    traffic: &traffic,
                })
            });
            agent.converse(&mut load, WINDOW);
            worker.join().expect("the work beside the load")
        });
        self.next = load.newcomers.start;
        done
    }

    /// The server answers DISCOVERs.
    pub(crate) fn offers(&mut self) {
        for _ in 0..3 {
            self.next_asking += 1;
            let offers = self.other.collect_offers(Subscriber(self.next_asking), 1);
            assert_eq!(offers.len(), 1);
        }
    }

    /// After SIGKILL the store has every lease of which a client was told.
    pub(crate) fn kill(&mut self) {
        self.server.kill();
        self.server.verify_store();
        self.held.verify(&self.server);
    }

    /// Starts the server again: it knows all leases, and serves.
    pub(crate) fn restart(&mut self) {
        self.server.restart();
        self.held.verify(&self.server);
        self.held.reboot(&mut self.agent, 500, 0);
        self.load(1000, |under| under.acks(1000));
    }

    /// What the test has seen, for its reader.
    pub(crate) fn report(&self, what: &str) {
        eprintln!(
            "{what}: {} holders, {} merges, {} failures, {} recoveries",
            self.held.count(),
            self.server.events("store.merged").len(),
            self.server.events("store.failed").len(),
            self.server.events("store.recovered").len(),
        );
    }
}

impl Under<'_> {
    /// Waits for so many more ACKs.
    pub(crate) fn acks(&mut self, count: u64) {
        let wanted = self.traffic.acks() + count;
        // As long as some come they may take their time.
        while self.traffic.acks() < wanted {
            let before = self.traffic.acks();
            wait::until_true("another ACK", || self.traffic.acks() > before);
        }
    }

    /// Whether the store fails at the moment.
    pub(crate) fn is_failing(&self) -> bool {
        self.server.events("store.failed").len() > self.server.events("store.recovered").len()
    }

    /// Waits until the store fails, and until all that was acknowledged before has arrived.
    pub(crate) fn alarm(&mut self) {
        wait::until_true("the alarm", || self.is_failing());
        thread::sleep(Duration::from_secs(1));
    }

    /// No ACK arrives, for long enough that clients ask again twice.
    pub(crate) fn silence(&mut self) {
        let before = self.traffic.acks();
        thread::sleep(Duration::from_secs(5));
        assert_eq!(self.traffic.acks(), before, "ACKs without a store");
    }
}

/// The last line that the server logged of an event.
pub(crate) fn line(server: &Lessor, event: &str) -> String {
    let last = server.events(event).pop();
    last.unwrap_or_else(|| panic!("no {event} in the log"))
}

/// The highest number of a segment in the store.
pub(crate) fn newest_segment(disk: &Disk) -> u64 {
    let names = disk.sh("ls \"$1/store\"");
    let number = |name: &str| {
        let (_, number) = name.strip_suffix(".log")?.rsplit_once('-')?;
        number.parse().ok()
    };
    names.lines().filter_map(number).max().expect("a segment")
}
