//! A client of our own, which is many clients at once on one socket: as a relay in front of them,
//! or as clients that ask for broadcast replies.
//!
//! Its codec is the `dhcproto` crate, so that a fault in ours cannot cancel itself out.

mod flow;
mod message;

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::time::{Duration, Instant};

use crate::lab::Namespace;
use crate::process::run;
use crate::wait;

pub use flow::{Acquire, Script};
pub use message::{Answer, Query, Reply, Request, Subscriber};

const SERVER_PORT: u16 = 67;
const CLIENT_PORT: u16 = 68;

/// A client repeats a message after this time, sooner than the 4 s of RFC 2131 §4.1: the links of
/// a laboratory have no way to be slow.
const REPEAT: Duration = Duration::from_millis(700);

/// The socket of the agent's clients.
#[derive(Debug)]
pub struct Agent {
    socket: UdpSocket,
    to: SocketAddrV4,
    giaddr: Ipv4Addr,
    /// Each conversation comes by a circuit of its own.
    moving: bool,
    xid: u32,
}

impl Agent {
    /// Clients behind a relay at `giaddr`, an address of `namespace`.
    #[must_use]
    pub fn relay(namespace: &Namespace, giaddr: Ipv4Addr, server: Ipv4Addr) -> Self {
        let socket = open(namespace, giaddr, SERVER_PORT);
        Self {
            socket,
            to: SocketAddrV4::new(server, SERVER_PORT),
            giaddr,
            moving: false,
            xid: 1,
        }
    }

    /// The relay names another circuit in each conversation. So no REQUEST is taken for a repeated
    /// one, and each ACK has a record of its own in the store.
    #[must_use]
    pub fn with_moving_clients(mut self) -> Self {
        self.moving = true;
        self
    }

    /// Clients on `interface` of `namespace`, which has no address.
    #[must_use]
    pub fn direct(namespace: &Namespace, interface: &str) -> Self {
        // A socket without an address needs to be told where 255.255.255.255 is.
        let route = format!("route replace 255.255.255.255/32 dev {interface}");
        namespace.ip(&route);
        Self {
            socket: open(namespace, Ipv4Addr::UNSPECIFIED, CLIENT_PORT),
            to: SocketAddrV4::new(Ipv4Addr::BROADCAST, SERVER_PORT),
            giaddr: Ipv4Addr::UNSPECIFIED,
            moving: false,
            xid: 1,
        }
    }

    /// Sends a DISCOVER, again every few seconds, until that many servers have sent an OFFER.
    pub fn collect_offers(&mut self, subscriber: Subscriber, servers: usize) -> Vec<Reply> {
        let xid = self.next_xid();
        let query = Query::new(subscriber, Request::Discover);
        let mut offers: BTreeMap<Ipv4Addr, Reply> = BTreeMap::new();
        let mut sent: Option<Instant> = None;
        let what = format!("{servers} OFFERs to {subscriber:?}");
        wait::until_true(&what, || {
            if sent.is_none_or(|sent| sent.elapsed() > REPEAT) {
                sent = Some(Instant::now());
                self.send(&query, xid);
            }
            for reply in self.receive().filter(|r| r.xid == xid && query.takes(r)) {
                offers.insert(reply.server, reply);
            }
            offers.len() == servers
        });
        offers.into_values().collect()
    }

    /// Sends a query and repeats it until its answer arrives.
    pub fn ask(&mut self, query: Query) -> Reply {
        struct One(Option<Query>, Option<Reply>);
        impl Script for One {
            fn next_query(&mut self) -> Option<Query> {
                self.0.take()
            }
            fn on_reply(&mut self, _: &Query, reply: &Reply) -> Option<Query> {
                self.1 = Some(*reply);
                None
            }
        }
        let mut one = One(Some(query), None);
        self.converse(&mut one, 1);
        one.1.unwrap_or_else(|| panic!("no answer to {query:?}"))
    }

    /// Sends a message that has no answer: RELEASE or DECLINE.
    pub fn tell(&mut self, query: &Query) {
        let xid = self.next_xid();
        self.send(query, xid);
    }

    fn next_xid(&mut self) -> u32 {
        self.xid += 1;
        self.xid
    }

    fn send(&self, query: &Query, xid: u32) {
        let circuit = self.moving.then_some(xid);
        let octets = query.encode(xid, (self.giaddr, circuit));
        // A full socket or a neighbour not yet found is a lost datagram; the query is repeated.
        drop(self.socket.send_to(&octets, self.to));
    }

    /// The next reply, if one arrives soon.
    fn receive(&self) -> impl Iterator<Item = Reply> + use<> {
        let mut buffer = [0; 2048];
        let length = match self.socket.recv(&mut buffer) {
            Ok(length) => length,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => 0,
            // A server that is down may have an ICMP error sent for it.
            Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => 0,
            Err(e) => panic!("the agent's socket: {e}"),
        };
        let datagram = buffer.get(..length).unwrap_or_default();
        Reply::decode(datagram).into_iter()
    }
}

fn open(namespace: &Namespace, address: Ipv4Addr, port: u16) -> UdpSocket {
    // Hundreds of replies may arrive while this process has no turn.
    run(namespace
        .command("sysctl")
        .args(["-q", "net.ipv4.conf.all.rp_filter=0"]));
    let socket = namespace.inside(|| UdpSocket::bind((address, port)));
    let socket = socket.unwrap_or_else(|e| panic!("{address}:{port}: {e}"));
    socket.set_broadcast(true).expect("broadcasts are allowed");
    rustix::net::sockopt::set_socket_recv_buffer_size_force(&socket, 8 << 20)
        .expect("root may have a large receive buffer");
    socket
        .set_read_timeout(Some(Duration::from_millis(20)))
        .expect("a read timeout");
    socket
}
