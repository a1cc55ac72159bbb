//! What the operator configured, as the machine reads it: validated, immutable, swapped whole.
//!
//! `lessor` checks the file and fills a [`Spec`]; [`Config::new`] indexes it. Nothing here checks
//! again what the file's validation proved (pools inside their subnet and disjoint, networks of
//! one space disjoint); where it is violated the first entry wins and nothing else happens.

mod added;
mod demand;
mod gate;
mod live;
mod lookup;
mod options;
mod own;
mod places;
mod pool;
mod probe;
mod regroup;
mod reserved;
mod rules;
mod sorted;
mod vlan;

use crate::address::{Directory, Space};
use crate::identity::IdentityMode;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::hash::BuildHasherDefault;
use core::net::Ipv4Addr;
use siphasher::sip::SipHasher13;
use sorted::Sorted;

pub use added::{Added, Addition};
use demand::Demand;
pub use gate::Gate;
pub use live::Config;
use lookup::Range;
pub use lookup::{Indexed, LinkIndex, NetworkIndex, Place, SubnetIndex};
pub use options::{Configured, OptionEntry, OptionSet};
pub use places::PlaceLine;
pub use pool::{Pool, PoolSpec};
pub use probe::{ProbeBy, ProbeRules};
pub use regroup::Regroup;
pub use reserved::{Kinds, Owner, Reserved};
pub use rules::{InformReply, LeaseTimes, Mark, OnMove, ReservationMoves, RoutedNak, Rules};
pub use vlan::{Vlans, overlapping};

/// Interned name of a network; part of a binding's key, stable over reloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NetworkKey(pub u32);

/// All that was configured, in the order of the file.
#[derive(Debug, Default)]
pub struct Spec {
    /// Every (port, VLAN tags) that the appliance serves or has an address on; their tags are
    /// disjoint.
    pub links: Vec<Link>,
    /// Host addresses of the appliance that are reached by any link of their space.
    pub service_addresses: Vec<(Space, Ipv4Addr)>,
    /// The networks.
    pub networks: Vec<NetworkSpec>,
}

/// One layer-2 network the appliance is attached to, a port and its VLAN tags; or as many of them
/// as its ranges of tags have, all with the same addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Number of the port.
    pub port: u8,
    /// Its VLANs.
    pub vlans: Vlans,
    /// Address space of the link.
    pub space: Space,
    /// Our addresses on it; the first one answers broadcasts of networks it has no address in.
    pub addresses: Vec<LinkAddress>,
    /// Largest IP datagram the link carries.
    pub mtu: u16,
    /// Whether option 82 of a direct client decides anything (C160); it is echoed either way.
    pub trust_option82: bool,
    /// Whether a client may select its subnet by option 118 (C115).
    pub subnet_selection: bool,
}

/// An address of the appliance with the prefix of its link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkAddress {
    /// The address.
    pub addr: Ipv4Addr,
    /// Its prefix.
    pub prefix: Prefix,
}

/// An IPv4 prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Prefix {
    first: u32,
    len: u8,
}

impl Prefix {
    /// The prefix of `len` bits that `addr` lies in; `None` above 32 bits.
    #[must_use]
    pub fn new(addr: Ipv4Addr, len: u8) -> Option<Self> {
        (len <= 32).then(|| Self {
            first: addr.to_bits() & Self::bits(len),
            len,
        })
    }

    const fn bits(len: u8) -> u32 {
        if len == 0 { 0 } else { u32::MAX << (32 - len) }
    }

    /// Its first address.
    #[must_use]
    pub fn first(self) -> Ipv4Addr {
        self.first.into()
    }

    /// Its last address, the directed broadcast of an ordinary subnet.
    #[must_use]
    pub fn last(self) -> Ipv4Addr {
        (self.first | !Self::bits(self.len)).into()
    }

    /// Its mask.
    #[must_use]
    pub fn mask(self) -> Ipv4Addr {
        Self::bits(self.len).into()
    }

    /// Its length in bits.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "a prefix length, not a count")]
    pub fn len(self) -> u8 {
        self.len
    }

    /// Whether `addr` lies in it.
    #[must_use]
    pub fn contains(self, addr: Ipv4Addr) -> bool {
        addr.to_bits() & Self::bits(self.len) == self.first
    }
}

/// A network as configured: a shared network or a lone subnet.
#[derive(Debug)]
pub struct NetworkSpec {
    /// Name in the file.
    pub name: String,
    /// The name, interned.
    pub key: NetworkKey,
    /// Address space.
    pub space: Space,
    /// What identifies a client here.
    pub identity: IdentityMode,
    /// The knobs.
    pub rules: Rules,
    /// Client-ids that identify nobody, besides all octets after the type 00 or ff (C158).
    pub ignored_client_ids: Vec<Box<[u8]>>,
    /// Relays that may speak for it; `None` is any (C164).
    pub relays: Option<Vec<Ipv4Addr>>,
    /// Its subnets, at least one.
    pub subnets: Vec<SubnetSpec>,
    /// Its reservations.
    pub reservations: Vec<Reservation>,
}

/// A subnet as configured, with what it inherits from its network and the defaults merged in.
#[derive(Debug)]
pub struct SubnetSpec {
    /// Its prefix.
    pub prefix: Prefix,
    /// Its pools, disjoint and inside the prefix.
    pub pools: Vec<PoolSpec>,
    /// Ranges that are never assigned, first and last address.
    pub excluded: Vec<(Ipv4Addr, Ipv4Addr)>,
    /// Lease times.
    pub lease: LeaseTimes,
    /// Options for its clients; without 1, 51, 53, 54, 58 and 59, which follow from the rest.
    pub options: OptionSet,
    /// What a client boots from.
    pub boot: Boot,
    /// Option 54 where it is not to be the address that was asked (C11).
    pub server_id: Option<Ipv4Addr>,
    /// How its addresses are probed before they are offered.
    pub probe: ProbeRules,
}

/// Boot data of a subnet, in the header's own fields (C22, C163).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boot {
    /// `siaddr`.
    pub next_server: Ipv4Addr,
    /// `sname`, at most 63 octets.
    pub server_name: Box<[u8]>,
    /// `file`, at most 127 octets.
    pub boot_file: Box<[u8]>,
}

impl Default for Boot {
    fn default() -> Self {
        Self {
            next_server: Ipv4Addr::UNSPECIFIED,
            server_name: Box::default(),
            boot_file: Box::default(),
        }
    }
}

/// An address kept for one client, or a series: the nth address after it for the client whose
/// hardware address is greater by n. A series is computed, whatever its length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    /// The client: an [`crate::identity::Identity`] of kind client-id, chaddr, circuit or
    /// remote-id; of kind chaddr if there are several.
    pub client: Box<[u8]>,
    /// The address, in a pool or outside of all of them.
    pub addr: Ipv4Addr,
    /// How many clients and addresses, at least one.
    pub count: u32,
}

/// A network, indexed.
#[derive(Debug)]
pub struct Network {
    /// Name in the file.
    pub name: String,
    /// The name, interned.
    pub key: NetworkKey,
    /// Address space.
    pub space: Space,
    /// What identifies a client here.
    pub identity: IdentityMode,
    /// The knobs.
    pub rules: Rules,
    /// Client-ids that identify nobody (C158).
    pub ignored_client_ids: Vec<Box<[u8]>>,
    /// Relays that may speak for it, rising; `None` is any (C164).
    pub relays: Option<Vec<Ipv4Addr>>,
    /// Its subnets.
    pub subnets: Vec<Subnet>,
    reserved: Reserved,
    by_first: Sorted,
    /// What its subnets call the server by, each once.
    server_ids: Vec<Ipv4Addr>,
    demand: Demand,
}

/// A subnet, with its pools' hints.
#[derive(Debug)]
pub struct Subnet {
    /// Its prefix.
    pub prefix: Prefix,
    /// Its pools.
    pub pools: Vec<Pool>,
    by_first: Sorted,
    /// Ranges of its pools that are never assigned, rising.
    excluded: Vec<(Ipv4Addr, Ipv4Addr)>,
    /// Lease times.
    pub lease: LeaseTimes,
    /// Options for its clients.
    pub options: OptionSet,
    /// What a client boots from.
    pub boot: Boot,
    /// Option 54 where it is configured.
    pub server_id: Option<Ipv4Addr>,
    /// How its addresses are probed before they are offered.
    pub probe: ProbeRules,
}

impl Network {
    fn new(spec: NetworkSpec, directory: &Directory) -> Self {
        let reserved = Reserved::new(spec.reservations);
        let space = spec.space;
        let subnets = spec.subnets.into_iter();
        let subnets: Vec<_> = subnets
            .map(|s| Subnet::new(s, space, &reserved, directory))
            .collect();
        let demand = Demand::of(&subnets);
        let mut server_ids: Vec<_> = subnets.iter().filter_map(|s| s.server_id).collect();
        server_ids.sort_unstable();
        server_ids.dedup();
        let mut relays = spec.relays;
        if let Some(relays) = &mut relays {
            relays.sort_unstable();
        }
        Self {
            name: spec.name,
            key: spec.key,
            space,
            identity: spec.identity,
            rules: spec.rules,
            ignored_client_ids: spec.ignored_client_ids,
            relays,
            by_first: Sorted::new(subnets.iter().map(|s| s.prefix.first())),
            subnets,
            server_ids,
            reserved,
            demand,
        }
    }

    /// What is kept of a network that is gone: enough for its bindings to end in order.
    fn departed(network: &Self) -> Self {
        Self {
            name: network.name.clone(),
            key: network.key,
            space: network.space,
            identity: network.identity,
            rules: network.rules,
            ignored_client_ids: Vec::new(),
            relays: None,
            subnets: Vec::new(),
            by_first: Sorted::default(),
            server_ids: Vec::new(),
            reserved: Reserved::default(),
            demand: Demand::of(&[]),
        }
    }

    /// The address that the file keeps for `client`, an identity with its kind octet.
    #[must_use]
    pub fn reservation_for(&self, client: &[u8]) -> Option<Ipv4Addr> {
        self.reserved.addr_for(client)
    }

    /// Who the file keeps `addr` for.
    #[must_use]
    pub fn reserved(&self, addr: Ipv4Addr) -> Option<Owner<'_>> {
        self.reserved.owner(addr)
    }

    /// The kinds of clients that the file has reservations for.
    #[must_use]
    pub(super) fn reserved_kinds(&self) -> Kinds {
        self.reserved.kinds()
    }

    /// The file's reservations in no order: first client, first address, and how many.
    pub fn each_reservation(&self) -> impl Iterator<Item = (&[u8], Ipv4Addr, u32)> {
        self.reserved.each()
    }

    /// How many addresses the file reserves.
    #[must_use]
    pub fn reservations(&self) -> u64 {
        self.reserved.count()
    }

    /// The subnet that `addr` lies in, with its index.
    #[must_use]
    pub fn subnet_of(&self, addr: Ipv4Addr) -> Option<(SubnetIndex, &Subnet)> {
        let at = self.by_first.find(addr)?;
        let subnet = self.subnets.get(at).filter(|s| s.prefix.contains(addr))?;
        Some((SubnetIndex(u32::try_from(at).ok()?), subnet))
    }

    /// Whether a subnet calls the server by `addr`.
    #[must_use]
    pub fn is_server_id(&self, addr: Ipv4Addr) -> bool {
        self.server_ids.binary_search(&addr).is_ok()
    }
}

impl Subnet {
    fn new(spec: SubnetSpec, space: Space, reserved: &Reserved, directory: &Directory) -> Self {
        let mut excluded = sorted::merged(spec.excluded);
        excluded.retain(|(first, last)| {
            let mut pools = spec.pools.iter();
            pools.any(|pool| *first <= pool.last && pool.first <= *last)
        });
        let open =
            |addr: Ipv4Addr| !sorted::holds(&excluded, addr) && reserved.owner(addr).is_none();
        let pools = spec.pools.into_iter();
        let pools: Vec<_> = pools
            .map(|p| Pool::new(p, space, directory, open))
            .collect();
        Self {
            prefix: spec.prefix,
            by_first: Sorted::new(pools.iter().map(|pool| pool.first)),
            pools,
            lease: spec.lease,
            options: spec.options,
            boot: spec.boot,
            server_id: spec.server_id,
            probe: spec.probe,
            excluded,
        }
    }

    /// The pool that may assign `addr`, unless the address is excluded.
    #[must_use]
    pub fn pool_of(&self, addr: Ipv4Addr) -> Option<&Pool> {
        let pool = self.pools.get(self.by_first.find(addr)?)?;
        let inside = pool.first <= addr && addr <= pool.last;
        (inside && !self.is_excluded(addr)).then_some(pool)
    }

    /// Whether anything of its pools is never to be assigned.
    #[must_use]
    pub fn has_exclusions(&self) -> bool {
        !self.excluded.is_empty()
    }

    /// Whether `addr`, of a pool, is never to be assigned.
    #[must_use]
    pub fn is_excluded(&self, addr: Ipv4Addr) -> bool {
        sorted::holds(&self.excluded, addr)
    }
}

/// The operator alone says what is in it, so its hash needs no secret.
type HashMap<K, V> = hashbrown::HashMap<K, V, BuildHasherDefault<SipHasher13>>;
