//! Which network and which client a message is of: from the configuration alone, so that any
//! worker can tell whose it is.

use super::agent::{AgentInfo, Directions};
use super::query::{Arrival, Client, Path, Query, client_identity, hardware_identity};
use super::silence::Silence;
use crate::circuit;
use crate::config::{Config, Gate, Link, LinkIndex, Network, OnMove, Place};
use crate::identity::{HashKey, Identity, IdentityMode};
use core::net::Ipv4Addr;
use dhcp_wire::dhcp::{Message, MessageType, Options, code};

/// Says whose message this is, or why it is nobody's.
///
/// `message` and `options` are of `arrival.payload`.
///
/// # Errors
///
/// The reason why it is not answered.
#[inline]
pub fn admit<'a>(
    config: &Config,
    key: &HashKey,
    arrival: Arrival<'a>,
    message: Message<'a>,
    options: Options<'a>,
) -> Result<Query<'a>, Silence> {
    let kind = client_message(options.message_type())?;
    let (index, link) = link_of(config, &arrival).ok_or(Silence::NoLink)?;
    let unicast = config.is_ours(link.space, arrival.ip_dst);
    if !unicast && !is_broadcast(link, arrival.ip_dst) {
        return Err(Silence::NotForUs);
    }
    // C160: option 82 of a client on the wire itself is hearsay unless the port is trusted.
    let trusted = !message.giaddr().is_unspecified() || link.trust_option82;
    let info = AgentInfo::of(&options, trusted);
    let directions = info.and_then(|info| info.read(|info| Some(Directions::of(&info))));
    let directions = directions.unwrap_or_default();
    let subnet_selection = subnet_selection(link, &options);
    let asked = Asked {
        config,
        link,
        index,
        kind,
        unicast,
        directions,
        subnet_selection,
        message: &message,
    };
    let (path, place) = asked.place()?;
    let network = config.network(place.network).ok_or(Silence::NoNetwork)?;
    let gate = config.gate(place.network).ok_or(Silence::NoNetwork)?;
    if path == Path::Relayed && !gate.admits(network, message.giaddr()) {
        return Err(Silence::RelayNotAllowed);
    }
    if kind == MessageType::Discover && waited(&message) < gate.min_secs {
        return Err(Silence::TooSoon);
    }
    let seen = Seen {
        gate,
        network,
        message: &message,
        options: &options,
        kind,
        trusted,
    };
    let client = if kind == MessageType::Inform {
        Client::Anyone
    } else {
        seen.client(key).ok_or(Silence::NoIdentity)?
    };
    let (network, subnet) = (place.network, place.subnet);
    let link = index;
    Ok(Query {
        message,
        options,
        kind,
        path,
        unicast,
        link,
        network,
        subnet,
        client,
        trusted,
        directions,
        subnet_selection,
        arrival,
    })
}

fn link_of<'c>(config: &'c Config, arrival: &Arrival<'_>) -> Option<(LinkIndex, &'c Link)> {
    let vids = (arrival.origin.outer_vid, arrival.origin.inner_vid);
    let index = config.link_of(arrival.origin.port, vids)?;
    Some((index, config.link(index)?))
}

/// Option 118, where it counts (C115).
fn subnet_selection(link: &Link, options: &Options<'_>) -> Option<Ipv4Addr> {
    let selected = || options.addr(code::SUBNET_SELECTION);
    link.subnet_selection.then(selected)?
}

/// The types that a server answers; the others are dropped (C82).
fn client_message<E>(kind: Result<MessageType, E>) -> Result<MessageType, Silence> {
    use MessageType as T;
    match kind.map_err(|_| Silence::MessageType)? {
        kind @ (T::Discover | T::Request | T::Decline | T::Release | T::Inform) => Ok(kind),
        T::Offer
        | T::Ack
        | T::Nak
        | T::ForceRenew
        | T::LeaseQuery
        | T::LeaseUnassigned
        | T::LeaseUnknown
        | T::LeaseActive => Err(Silence::MessageType),
    }
}

fn is_broadcast(link: &Link, addr: Ipv4Addr) -> bool {
    addr.is_broadcast()
        || link
            .addresses
            .iter()
            .any(|a| a.prefix.len() < 31 && a.prefix.last() == addr)
}

/// How long the client says that it has tried (C187). Some write secs with the octets swapped:
/// nobody tries for whole multiples of 256 s, and only these.
pub(super) fn waited(message: &Message<'_>) -> u16 {
    match message.secs().to_be_bytes() {
        [swapped, 0] => u16::from(swapped),
        _ => message.secs(),
    }
}

/// What the choice of the network looks at.
struct Asked<'q> {
    config: &'q Config,
    link: &'q Link,
    index: LinkIndex,
    kind: MessageType,
    unicast: bool,
    directions: Directions,
    /// Option 118, where it counts (C115).
    subnet_selection: Option<Ipv4Addr>,
    message: &'q Message<'q>,
}

impl Asked<'_> {
    /// Path, network and subnet, RFC 2131 §4.3.1 and §4.3.5, C143, C164.
    fn place(&self) -> Result<(Path, Place), Silence> {
        let giaddr = self.message.giaddr();
        let path = if giaddr.is_unspecified() {
            self.path()
        } else {
            Path::Relayed
        };
        if path == Path::Relayed && self.config.is_ours(self.link.space, giaddr) {
            return Err(Silence::OwnGiaddr);
        }
        let by_ciaddr = || self.config.place_of(self.link.space, self.message.ciaddr());
        // C67, C70: the network of an INFORM is that of the address it informs of.
        if self.kind == MessageType::Inform && !self.message.ciaddr().is_unspecified() {
            return by_ciaddr()
                .map(|place| (path, place))
                .ok_or(Silence::ForeignCiaddr);
        }
        match path {
            // C121: by unicast to its relay the client is RENEWING, and as without a relay "the
            // DHCP server will trust the value in 'ciaddr'", RFC 2131 §4.3.2.
            Path::Relayed if self.directions.unicast == Some(true) && self.has_addr() => {
                Ok((path, by_ciaddr().ok_or(Silence::ForeignCiaddr)?))
            }
            Path::Relayed => {
                let of_relay = || self.config.place_of(self.link.space, giaddr);
                let place = self
                    .selected()
                    .unwrap_or_else(|| of_relay().ok_or(Silence::UnknownGiaddr));
                Ok((path, place?))
            }
            Path::Routed => Ok((path, by_ciaddr().ok_or(Silence::ForeignCiaddr)?)),
            Path::Direct => {
                // A unicast names its network by ciaddr (C152).
                if self.unicast && self.has_addr() {
                    return Ok((path, by_ciaddr().ok_or(Silence::ForeignCiaddr)?));
                }
                let of_link = || self.config.place_of_link(self.index);
                let place = self
                    .selected()
                    .unwrap_or_else(|| of_link().ok_or(Silence::NoNetwork));
                Ok((path, place?))
            }
        }
    }

    /// The network and subnet that a relay or a client selects in place of its own: RFC 3527 §3,
    /// which goes before RFC 3011 (C112, C114). What is selected and not known is not answered
    /// (C113).
    fn selected(&self) -> Option<Result<Place, Silence>> {
        let space = self.link.space;
        let place = |addr, unknown| self.config.place_of(space, addr).ok_or(unknown);
        if let Some(link) = self.directions.link {
            return Some(place(link, Silence::UnknownLinkSelection));
        }
        let subnet = self.subnet_selection?;
        Some(place(subnet, Silence::UnknownSubnetSelection))
    }

    /// Whether the client says that it has an address; one that DISCOVERs has none (C156).
    fn has_addr(&self) -> bool {
        !self.message.ciaddr().is_unspecified() && self.kind != MessageType::Discover
    }

    /// Direct or routed; giaddr is 0.
    fn path(&self) -> Path {
        let away = self.has_addr() && !self.link.is_attached(self.message.ciaddr());
        // Only a unicast can have crossed a router (C143); a broadcast is of this link.
        if self.unicast && away {
            Path::Routed
        } else {
            Path::Direct
        }
    }
}

/// What the identity is made of.
struct Seen<'q> {
    gate: &'q Gate,
    /// Looked at where its gate does not say all, so that it need not be in the cache yet.
    network: &'q Network,
    message: &'q Message<'q>,
    options: &'q Options<'q>,
    kind: MessageType,
    trusted: bool,
}

impl Seen<'_> {
    fn client(&self, key: &HashKey) -> Option<Client> {
        let identity = match self.gate.identity {
            IdentityMode::ClientId => self.client_id().or_else(|| self.hardware()),
            IdentityMode::Chaddr => self.hardware().or_else(|| self.client_id()),
            IdentityMode::Circuit | IdentityMode::CircuitChaddr => self.circuit(),
        };
        if self.gate.on_move == OnMove::Separate && !self.is_by_circuit() {
            return self.on_circuit(&identity?, key);
        }
        if let Some(identity) = identity {
            let hash = key.hash(identity.as_slice());
            return Some(Client::Known(identity, hash));
        }
        let ciaddr = self.message.ciaddr();
        (self.is_by_circuit() && !ciaddr.is_unspecified()).then_some(Client::HolderOf(ciaddr))
    }

    fn is_by_circuit(&self) -> bool {
        match self.gate.identity {
            IdentityMode::Circuit | IdentityMode::CircuitChaddr => true,
            IdentityMode::ClientId | IdentityMode::Chaddr => false,
        }
    }

    /// The client of a network where it is another one on each circuit (C173). Without a circuit it
    /// is whoever holds ciaddr, and else a client on none.
    fn on_circuit(&self, client: &Identity, key: &HashKey) -> Option<Client> {
        let ciaddr = self.message.ciaddr();
        let identity = match self.its_circuit() {
            Some(circuit) => circuit::client_on(&circuit, client)?,
            None if ciaddr.is_unspecified() || self.kind == MessageType::Discover => *client,
            None => return Some(Client::HolderOf(ciaddr)),
        };
        let hash = key.hash(identity.as_slice());
        Some(Client::Known(identity, hash))
    }

    fn its_circuit(&self) -> Option<Identity> {
        let giaddr = self.message.giaddr();
        let info = AgentInfo::of(self.options, self.trusted)?;
        info.read(|info| circuit::circuit(giaddr, &info))
    }

    /// Option 61, RFC 2131 §4.2, RFC 6842; not if it is too short (C87) or says nothing (C158).
    fn client_id(&self) -> Option<Identity> {
        let identity = client_identity(self.options)?;
        let (_kind, id) = identity.as_slice().split_first()?;
        let (_, rest) = id.split_first()?;
        let says_nothing = rest.is_empty()
            || rest.iter().all(|octet| *octet == 0)
            || rest.iter().all(|octet| *octet == 0xff);
        let is_ignored = || {
            let mut ignored = self.network.ignored_client_ids.iter();
            self.gate.ignores && ignored.any(|i| i.as_ref() == id)
        };
        if says_nothing || is_ignored() {
            return None;
        }
        Some(identity)
    }

    /// htype and chaddr, unless the address is missing or all zero (C159).
    fn hardware(&self) -> Option<Identity> {
        let chaddr = self.message.chaddr();
        let usable = chaddr.iter().any(|octet| *octet != 0);
        usable.then(|| hardware_identity(self.message))?
    }

    /// The circuit, or the station on it.
    fn circuit(&self) -> Option<Identity> {
        let circuit = self.its_circuit()?;
        match self.gate.identity {
            IdentityMode::CircuitChaddr => {
                circuit::client_on(&circuit, &hardware_identity(self.message)?)
            }
            IdentityMode::Circuit | IdentityMode::ClientId | IdentityMode::Chaddr => Some(circuit),
        }
    }
}
