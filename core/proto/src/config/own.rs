//! The appliance's own addresses: those of its links and its service addresses.

use super::Spec;
use crate::address::Space;
use core::hash::{BuildHasherDefault, Hasher};
use core::net::Ipv4Addr;

/// A set of addresses, asked about each message once or twice.
#[derive(Debug)]
pub(super) struct Own(hashbrown::HashSet<u64, BuildHasherDefault<Fold>>);

impl Own {
    pub(super) fn new(spec: &Spec) -> Self {
        let of_links = spec.links.iter().flat_map(|link| {
            let addresses = link.addresses.iter();
            addresses.map(|own| (link.space, own.addr))
        });
        let all = of_links.chain(spec.service_addresses.iter().copied());
        Self(all.map(|(space, addr)| key(space, addr)).collect())
    }

    pub(super) fn has(&self, space: Space, addr: Ipv4Addr) -> bool {
        self.0.contains(&key(space, addr))
    }
}

fn key(space: Space, addr: Ipv4Addr) -> u64 {
    u64::from(space.0) << 32 | u64::from(addr.to_bits())
}

/// One multiplication: what is in the set is the operator's choice, so its hash needs no secret,
/// and a look-up of what is not in it never goes beyond the runs of what is.
#[derive(Debug, Default)]
struct Fold(u64);

impl Hasher for Fold {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }

    fn write(&mut self, octets: &[u8]) {
        for octet in octets {
            self.write_u64(u64::from(*octet));
        }
    }

    fn write_u64(&mut self, n: u64) {
        const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
        self.0 = (self.0 ^ n).wrapping_mul(GOLDEN);
    }
}
