//! What passed, by a capture: whose each frame was, by which port, and when.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::net::Ipv4Addr;

use dhcp_wire::dhcp::MessageType;
use dhcp_wire::ethernet::{Ethernet, Mac};

use super::message::{Key, Reply, Said, look};
use crate::config::Settings;
use crate::pcap::{CaptureError, Direction, Frame, Reader};

/// What a port has whose hardware address nothing tells.
const UNKNOWN: Mac = Mac([2, 0, 0, 0, 0, 1]);

/// Why nothing can be made of a capture.
#[derive(Debug)]
pub(super) enum Wrong {
    Capture(CaptureError),
    NoPort(String),
}

impl From<CaptureError> for Wrong {
    fn from(error: CaptureError) -> Self {
        Self::Capture(error)
    }
}

/// A frame that is looked at.
#[derive(Debug)]
pub(super) enum Passed {
    /// It came to the server: its port, its octets, and what it is if it is DHCP.
    In {
        port: u8,
        octets: Vec<u8>,
        key: Option<Key>,
        kind: Option<MessageType>,
    },
    /// The server's reply.
    Out(Box<Reply>),
}

/// What was left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct LeftOut {
    /// Frames of which the capture kept only the beginning.
    pub(super) cut_short: u64,
    /// Replies of other servers.
    pub(super) foreign: u64,
    /// What else the server sent, and what is not for it.
    pub(super) other: u64,
}

/// A capture.
#[derive(Debug)]
pub(super) struct Traffic {
    passed: Vec<(u64, Passed)>,
    macs: Vec<Mac>,
    frames: u64,
    left_out: LeftOut,
    cut: Option<u64>,
}

/// A frame before it is known what it is.
struct Raw {
    at: u64,
    port: u8,
    direction: Option<Direction>,
    octets: Vec<u8>,
    said: Said,
}

impl Traffic {
    /// Reads a capture of what passed ports of `settings`; all of it passed `port` if one is named.
    pub(super) fn read(
        input: impl Read,
        port: Option<&str>,
        settings: &Settings,
    ) -> Result<Self, Wrong> {
        let places = Places::new(port, settings)?;
        let mut reader = Reader::open(input)?;
        let mut left_out = LeftOut::default();
        let (mut raws, mut frames) = (Vec::new(), 0);
        while let Some(frame) = reader.frame()? {
            frames += 1;
            if frame.octets.len() < frame.original as usize {
                left_out.cut_short += 1;
                continue;
            }
            raws.push(Raw {
                at: frame.at,
                port: places.port(&frame)?,
                direction: frame.direction,
                octets: frame.octets.to_vec(),
                said: look(frame.octets),
            });
        }
        let macs = macs(&raws, settings);
        let mut passed = Vec::with_capacity(raws.len());
        for raw in raws {
            let mac = macs.get(usize::from(raw.port)).copied().unwrap_or(UNKNOWN);
            let at = raw.at;
            passed.extend(raw.sort(mac, &mut left_out).map(|frame| (at, frame)));
        }
        // Workers and interfaces are not captured at one place.
        passed.sort_by_key(|(at, _)| *at);
        Ok(Self {
            passed,
            macs,
            frames,
            left_out,
            cut: reader.cut(),
        })
    }

    /// What is looked at, by time, Unix nanoseconds.
    pub(super) fn passed(&self) -> impl Iterator<Item = (u64, &Passed)> {
        self.passed.iter().map(|(at, passed)| (*at, passed))
    }

    /// The hardware addresses of the ports.
    pub(super) fn macs(&self) -> &[Mac] {
        &self.macs
    }

    pub(super) fn begin(&self) -> Option<u64> {
        self.passed.first().map(|(at, _)| *at)
    }

    pub(super) fn end(&self) -> u64 {
        self.passed.last().map_or(0, |(at, _)| *at)
    }

    pub(super) fn has_query(&self) -> bool {
        let mut all = self.passed.iter();
        all.any(|(_, passed)| matches!(passed, Passed::In { key: Some(_), .. }))
    }

    pub(super) fn frames(&self) -> u64 {
        self.frames
    }

    pub(super) fn left_out(&self) -> LeftOut {
        self.left_out
    }

    /// Where the file was cut off.
    pub(super) fn cut(&self) -> Option<u64> {
        self.cut
    }
}

impl Raw {
    /// Whether the port sent it.
    fn is_sent(&self, mac: Mac) -> bool {
        match self.direction {
            Some(direction) => direction == Direction::Outbound,
            None => Ethernet::parse(&self.octets).is_ok_and(|eth| eth.src() == mac),
        }
    }

    fn sort(self, mac: Mac, left_out: &mut LeftOut) -> Option<Passed> {
        let is_sent = self.is_sent(mac);
        let Self {
            port, octets, said, ..
        } = self;
        let (key, kind) = match said {
            Said::Reply(reply) if is_sent => return Some(Passed::Out(reply)),
            Said::Reply(_) => {
                left_out.foreign += 1;
                return None;
            }
            Said::Query(key, kind) => (key, kind),
            Said::Other => (None, None),
        };
        if is_sent {
            left_out.other += 1;
            return None;
        }
        Some(Passed::In {
            port,
            octets,
            key,
            kind,
        })
    }
}

/// Which port a frame passed.
struct Places {
    /// All of them, by what was said.
    all: Option<u8>,
    names: BTreeMap<String, u8>,
}

impl Places {
    fn new(port: Option<&str>, settings: &Settings) -> Result<Self, Wrong> {
        let ports = || settings.ports.iter().zip(0..=u8::MAX);
        let mut names = BTreeMap::new();
        for (port, number) in ports() {
            // What tcpdump calls it, where the device is an interface of the kernel.
            let mut device = port.device.as_str().split(',');
            let interface = device.find_map(|argument| argument.strip_prefix("iface="));
            names.extend(interface.map(|interface| (interface.to_owned(), number)));
        }
        names.extend(ports().map(|(port, number)| (port.name.clone(), number)));
        let all = match port {
            Some(name) => Some(
                ports()
                    .find(|(port, _)| port.name == name)
                    .map(|(_, n)| n)
                    .ok_or_else(|| {
                        Wrong::NoPort(format!("no port `{name}`; there are: {}", listed(settings)))
                    })?,
            ),
            None => (settings.ports.len() == 1).then_some(0),
        };
        Ok(Self { all, names })
    }

    fn port(&self, frame: &Frame<'_>) -> Result<u8, Wrong> {
        let named = || {
            frame
                .interface
                .and_then(|name| self.names.get(name).copied())
        };
        self.all.or_else(named).ok_or_else(|| {
            let known: Vec<_> = self.names.keys().map(String::as_str).collect();
            let what = match frame.interface {
                Some(name) => format!("no port has the interface `{name}` of the capture"),
                None => "the capture does not name interfaces".to_owned(),
            };
            Wrong::NoPort(format!("{what}; say --port, one of: {}", known.join(", ")))
        })
    }
}

fn listed(settings: &Settings) -> String {
    let names: Vec<_> = settings
        .ports
        .iter()
        .map(|port| port.name.as_str())
        .collect();
    names.join(", ")
}

/// What tells the hardware address of a port, the surest last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Evidence {
    /// A client's message was sent there.
    Asked,
    /// A server's reply came from there.
    Replied,
    /// One of an address of ours did.
    Ours,
    /// The capture says that a frame was sent.
    Sent,
}

/// The hardware address of each port, by most of the surest evidence.
fn macs(raws: &[Raw], settings: &Settings) -> Vec<Mac> {
    let links = settings.spec.links.iter().flat_map(|link| &link.addresses);
    let services = settings.spec.service_addresses.iter();
    let ours: Vec<Ipv4Addr> = links
        .map(|a| a.addr)
        .chain(services.map(|(_, a)| *a))
        .collect();
    let mut votes: HashMap<(u8, Evidence, Mac), u64> = HashMap::new();
    for raw in raws {
        let Ok(eth) = Ethernet::parse(&raw.octets) else {
            continue;
        };
        let (evidence, mac) = match (&raw.said, raw.direction) {
            (_, Some(Direction::Outbound)) => (Evidence::Sent, eth.src()),
            (Said::Reply(reply), None) if ours.contains(&reply.src) => {
                (Evidence::Ours, reply.src_mac)
            }
            (Said::Reply(reply), None) => (Evidence::Replied, reply.src_mac),
            (Said::Query(Some(_), _), _) if !eth.dst().is_multicast() => {
                (Evidence::Asked, eth.dst())
            }
            (Said::Query(..) | Said::Reply(_) | Said::Other, _) => continue,
        };
        *votes.entry((raw.port, evidence, mac)).or_default() += 1;
    }
    let best = |number: u8| {
        let of_port = votes.iter().filter(|((port, ..), _)| *port == number);
        let best = of_port.max_by_key(|((_, evidence, mac), votes)| (*evidence, **votes, *mac));
        best.map_or(UNKNOWN, |((_, _, mac), _)| *mac)
    };
    (0..=u8::MAX).take(settings.ports.len()).map(best).collect()
}
