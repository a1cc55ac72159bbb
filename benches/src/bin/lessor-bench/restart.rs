//! How long a restart takes to the first ACK, and how much memory a binding takes then.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use dhcp_wire::dhcp::{Header, Message, MessageType, Writer, code, op};
use lessor_benches::fill::{self, AgentInfo};
use lessor_benches::{Client, FIRST};

use crate::bed::{Bed, RELAY, Running, SERVER, Site, Way};
use crate::book::Book;
use crate::failure::{Because as _, Failure, Outcome, caught};
use crate::load::Pool;
use crate::meter;
use crate::server::{self, Settings};

/// One size.
pub(crate) struct Size {
    bindings: u32,
    /// Restart from the page cache, cold; memory plain, with option 82.
    pub(crate) rows: [&'static str; 4],
}

pub(crate) const SIZES: [Size; 2] = [
    Size {
        bindings: 1_000_000,
        rows: [
            "restart/1m",
            "restart/1m/cold",
            "memory/binding/1m",
            "memory/binding/1m/option82",
        ],
    },
    Size {
        bindings: 10_000_000,
        rows: [
            "restart/10m",
            "restart/10m/cold",
            "memory/binding/10m",
            "memory/binding/10m/option82",
        ],
    },
];

/// What 16 octets take in the server's memory: `server.agent_info_octets` means these.
const BLOCK: u32 = 21;
/// How long a server may take to its first ACK.
const PATIENCE: Duration = Duration::from_mins(3);
const SERVER_MAC: &str = "02:00:00:00:00:01";

/// Fills the rows of one size.
pub(crate) fn measure(site: &Site, of: &Size, runs: usize, book: &mut Book) {
    let [warm, cold, plain, option82] = of.rows;
    let attempt = caught(|| restarts(site, of, runs, book));
    if let Err(failure) = attempt {
        for row in [warm, cold, plain] {
            book.fail(row, &failure.to_string());
        }
    }
    let attempt = caught(|| with_option82(site, of, book));
    if let Err(failure) = attempt {
        book.fail(option82, &failure.to_string());
    }
}

fn restarts(site: &Site, of: &Size, runs: usize, book: &mut Book) -> Outcome<()> {
    let [warm, cold, plain, _] = of.rows;
    let store = Store::filled(site, of.bindings, AgentInfo::None)?;
    let empty = empty_server(site)?;
    for _ in 0..runs {
        let start = start(site, &store, of.bindings, 0)?;
        book.add(warm, start.first_ack.as_secs_f64());
        book.add(plain, each(start.memory, empty, of.bindings));
        book.note(plain, start.pages());
        fill::chill(&store.0);
        let start = self::start(site, &store, of.bindings, 0)?;
        book.add(cold, start.first_ack.as_secs_f64());
    }
    Ok(())
}

fn with_option82(site: &Site, of: &Size, book: &mut Book) -> Outcome<()> {
    let row = of.rows[3];
    let store = Store::filled(site, of.bindings, AgentInfo::Sixteen)?;
    let empty = empty_server(site)?;
    let start = start(site, &store, of.bindings, BLOCK)?;
    book.add(row, each(start.memory, empty, of.bindings));
    book.note(row, start.pages());
    Ok(())
}

/// Memory of a server without a binding to speak of.
fn empty_server(site: &Site) -> Outcome<u64> {
    let store = Store::filled(site, 1000, AgentInfo::None)?;
    Ok(start(site, &store, 1000, 0)?.memory)
}

fn each(memory: u64, empty: u64, bindings: u32) -> f64 {
    memory.saturating_sub(empty) as f64 / f64::from(bindings)
}

/// A store that is gone when this is.
struct Store(PathBuf);

impl Store {
    fn filled(site: &Site, bindings: u32, agent_info: AgentInfo) -> Outcome<Self> {
        site.go_on()?;
        let store = Self(site.stores.join(format!("restart-{bindings}")));
        drop(std::fs::remove_dir_all(&store.0));
        std::fs::create_dir_all(&store.0).because("the folder of the store")?;
        fill::closed(&store.0, bindings, agent_info, &mut || site.go_on().is_ok());
        site.go_on()?;
        Ok(store)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// What a start came to.
struct Start {
    first_ack: Duration,
    memory: u64,
    huge: u64,
}

impl Start {
    fn pages(&self) -> &'static str {
        // A tenth: DPDK's own are on huge pages in any case.
        if self.huge > self.memory / 2 {
            "on huge pages"
        } else {
            "not on huge pages"
        }
    }
}

/// Starts a server, waits for its first ACK, and ends it.
fn start(site: &Site, store: &Store, bindings: u32, agent_info_octets: u32) -> Outcome<Start> {
    let bed = Bed::new(site, Way::Veth)?;
    let client = bed.client().because("a namespace for the client")?;
    if let Some(server) = bed.server() {
        server.ip(&format!("link set eth0 address {SERVER_MAC}"));
    }
    client.ip(&format!("addr add {RELAY}/8 dev eth0"));
    // The kernel asks once a second for an address, which is longer than some starts.
    client.ip(&format!(
        "neigh replace {SERVER} lladdr {SERVER_MAC} dev eth0 nud permanent"
    ));
    let settings = Settings {
        engine: "log",
        store: &store.0,
        pool: Pool::of(FIRST.into(), bindings),
        bindings,
        agent_info_octets,
        t1: None,
    };
    let begin = Instant::now();
    let mut running = server::begin(&bed, &settings)?;
    client.inside(|| first_ack(site, &mut running, bindings))?;
    let first_ack = begin.elapsed();
    let memory = meter::memory(running.id())?;
    let huge = meter::huge(running.id());
    running.stop(site)?;
    Ok(Start {
        first_ack,
        memory,
        huge,
    })
}

/// Asks for the lease of one client after the other, as their relay, until one has it.
fn first_ack(site: &Site, running: &mut Running, bindings: u32) -> Outcome<()> {
    let socket = UdpSocket::bind((RELAY, 67)).because("the relay's socket")?;
    let pause = Some(Duration::from_millis(5));
    socket
        .set_read_timeout(pause)
        .because("the relay's socket")?;
    let server: SocketAddr = format!("{SERVER}:67")
        .parse()
        .because("the server's address")?;
    let mut octets = [0; 1500];
    let deadline = Instant::now() + PATIENCE;
    for number in (0..bindings).step_by(7).cycle() {
        let client = Client(number);
        let length = reboot(client, &mut octets).because("a message")?;
        // Refused while nobody listens.
        drop(socket.send_to(&octets[..length], server));
        if let Ok((length, _)) = socket.recv_from(&mut octets)
            && is_ack(&octets[..length], bindings)
        {
            return Ok(());
        }
        site.go_on()?;
        running.still_runs()?;
        if Instant::now() > deadline {
            return Err(Failure::new(format!("no ACK within {PATIENCE:?}")));
        }
    }
    Err(Failure::new("no client to ask for"))
}

/// The REQUEST of a client that has booted and remembers its address (RFC 2131 §3.2), as its relay
/// passes it on.
fn reboot(client: Client, octets: &mut [u8]) -> Option<usize> {
    let mut chaddr = [0; 16];
    chaddr[..6].copy_from_slice(&client.mac().0);
    let header = Header {
        op: op::REQUEST,
        htype: 1,
        hlen: 6,
        hops: 1,
        xid: client.0,
        secs: 0,
        flags: 0,
        ciaddr: Ipv4Addr::UNSPECIFIED,
        yiaddr: Ipv4Addr::UNSPECIFIED,
        siaddr: Ipv4Addr::UNSPECIFIED,
        giaddr: RELAY.parse().ok()?,
        chaddr,
    };
    let mut writer = Writer::new(octets, 548, &header)?;
    writer.option(code::MESSAGE_TYPE, &[3]).ok()?;
    writer
        .option(code::REQUESTED_ADDRESS, &client.addr().octets())
        .ok()?;
    Some(writer.finish(&[]).len)
}

/// Whether it is an ACK to one of those that were asked for: it may be late.
fn is_ack(octets: &[u8], bindings: u32) -> bool {
    let message = Message::parse(octets).ok().filter(|m| m.xid() < bindings);
    let options = message.and_then(|message| message.options().ok());
    options.is_some_and(|options| options.any_message_type() == Ok(MessageType::Ack))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_for_the_lease_that_the_store_was_filled_with() {
        let mut octets = [0; 1500];
        let client = Client(70_000);
        let length = reboot(client, &mut octets).unwrap();
        let message = Message::parse_request(&octets[..length]).unwrap();
        assert_eq!(message.giaddr().to_string(), RELAY);
        let asked = message.options().unwrap();
        let asked = asked.get(code::REQUESTED_ADDRESS).unwrap();
        assert_eq!(asked.array::<4>(), Some(client.addr().octets()));
        assert!(!is_ack(&octets[..length], 70_001), "a request is no ACK");
    }

    #[test]
    fn memory_that_the_empty_server_has_too_is_no_bindings() {
        assert!((each(1_160, 160, 10) - 100.0).abs() < 1e-9);
        assert!(each(10, 20, 1).abs() < 1e-9);
    }
}
