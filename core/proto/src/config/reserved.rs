//! The reservations of a network's file: single ones in two tables, and series that are computed.

use super::{HashMap, Reservation};
use crate::identity::Kind;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::Ipv4Addr;

/// The last octets of a client that a series counts in, at most.
const COUNTED: usize = 8;
/// Octets of a hardware client before its address: kind and htype.
const HEAD: usize = 2;

impl Reservation {
    /// One address for one client.
    #[must_use]
    pub fn new(client: &[u8], addr: Ipv4Addr) -> Self {
        Self {
            client: client.into(),
            addr,
            count: 1,
        }
    }

    /// The last address; the last there is, if it would lie beyond.
    #[must_use]
    pub fn last(&self) -> Ipv4Addr {
        let behind = self.count.saturating_sub(1);
        self.addr.to_bits().saturating_add(behind).into()
    }

    /// The last client; the first, if they cannot be counted.
    #[must_use]
    pub fn last_client(&self) -> Box<[u8]> {
        let behind = u64::from(self.count.saturating_sub(1));
        let mut last = self.client.clone();
        if let Some((fixed, first)) = number(&self.client) {
            let octets = last.len() - fixed.len();
            let number = first.saturating_add(behind).to_be_bytes();
            if let (Some(to), Some(from)) = (
                last.get_mut(fixed.len()..),
                number.get(number.len() - octets..),
            ) {
                to.copy_from_slice(from);
            }
        }
        last
    }

    /// Whether every client of the series has an identity: hardware addresses are counted in
    /// their last eight octets, which must not run over; nothing else is counted.
    #[must_use]
    pub fn is_countable(&self) -> bool {
        let behind = u64::from(self.count.saturating_sub(1));
        behind == 0
            || number(&self.client).is_some_and(|(_, first)| {
                let octets = self.client.len().saturating_sub(HEAD).min(COUNTED);
                let most = u64::MAX.checked_shr(64 - 8 * u32::try_from(octets).unwrap_or(0));
                first
                    .checked_add(behind)
                    .is_some_and(|last| last <= most.unwrap_or(0))
            })
    }

    /// Whether a client of the one is a client of the other as well.
    #[must_use]
    pub fn shares_client(&self, other: &Self) -> bool {
        nth_of(&self.client, self.count, &other.client).is_some()
            || nth_of(&other.client, other.count, &self.client).is_some()
    }
}

/// What does not count of a hardware client, and the number that its last octets are.
fn number(client: &[u8]) -> Option<(&[u8], u64)> {
    let (kind, _) = client.split_first()?;
    let octets = client.len().checked_sub(HEAD)?.min(COUNTED);
    if *kind != Kind::Chaddr as u8 || octets == 0 {
        return None;
    }
    let (fixed, counted) = client.split_at_checked(client.len() - octets)?;
    let number = counted
        .iter()
        .fold(0, |n, octet| n << 8 | u64::from(*octet));
    Some((fixed, number))
}

/// Which of `count` clients from `first` on is `client`.
fn nth_of(first: &[u8], count: u32, client: &[u8]) -> Option<u32> {
    if first == client {
        return Some(0);
    }
    if count <= 1 || first.len() != client.len() {
        return None;
    }
    let ((head, from), (same, at)) = (number(first)?, number(client)?);
    let nth = u32::try_from(at.checked_sub(from)?).ok()?;
    (head == same && nth < count).then_some(nth)
}

/// Who an address is reserved for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner<'c> {
    first: &'c [u8],
    nth: u32,
}

impl<'c> Owner<'c> {
    /// Exactly this client.
    pub(super) fn one(client: &'c [u8]) -> Self {
        Self {
            first: client,
            nth: 0,
        }
    }

    /// The kind of its identity, as a number.
    #[must_use]
    pub fn kind(&self) -> u8 {
        self.first.first().copied().unwrap_or(0)
    }

    /// Whether it is `client`, an identity with its kind octet.
    #[must_use]
    pub fn is(&self, client: &[u8]) -> bool {
        if self.nth == 0 {
            return self.first == client;
        }
        nth_of(self.first, self.nth + 1, client) == Some(self.nth)
    }
}

/// Which kinds of identities have a reservation: what is not asked for need not be made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Kinds(u8);

impl Kinds {
    /// The kind of `client` alone.
    #[must_use]
    pub(super) fn of(client: &[u8]) -> Self {
        Self(
            client
                .first()
                .and_then(|kind| 1_u8.checked_shl((*kind).into()))
                .unwrap_or(0),
        )
    }

    /// Both.
    #[must_use]
    pub(super) fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether `kind` is among them.
    #[must_use]
    pub fn has(self, kind: Kind) -> bool {
        self.0 >> kind as u8 & 1 == 1
    }
}

/// The reservations of one network, by address and by client.
#[derive(Debug, Default)]
pub struct Reserved {
    by_client: HashMap<Box<[u8]>, Ipv4Addr>,
    by_addr: HashMap<Ipv4Addr, Box<[u8]>>,
    /// By first address; they overlap neither in addresses nor in clients.
    series: Vec<Reservation>,
    /// Places in `series`, by first client.
    series_by_client: Vec<u32>,
    kinds: Kinds,
    clients: Few,
    addrs: Few,
}

/// A set that is soon asked whether something is not in it: most clients of most networks have no
/// reservation, and nothing beyond this needs to be looked at for them.
#[derive(Debug, Clone, Copy, Default)]
struct Few(u64);

impl Few {
    fn bit(number: u64) -> u64 {
        const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
        1 << (number.wrapping_mul(GOLDEN) >> 58)
    }

    /// The bit of a client: its last eight octets differ from client to client.
    fn client(client: &[u8]) -> u64 {
        let octets = client
            .last_chunk::<8>()
            .map_or(0, |last| u64::from_le_bytes(*last));
        Self::bit(octets)
    }

    fn addr(addr: Ipv4Addr) -> u64 {
        Self::bit(addr.to_bits().into())
    }

    fn add(&mut self, bit: u64) {
        self.0 |= bit;
    }

    fn add_all(&mut self) {
        self.0 = u64::MAX;
    }

    fn may_have(self, bit: u64) -> bool {
        self.0 & bit != 0
    }
}

impl Reserved {
    /// Where two are of one address or of one client the first wins.
    #[must_use]
    pub fn new(reservations: Vec<Reservation>) -> Self {
        let mut all = Self::default();
        for reservation in reservations {
            all.kinds = all.kinds.and(Kinds::of(&reservation.client));
            let Reservation {
                client,
                addr,
                count,
            } = reservation;
            if count > 1 {
                all.clients.add_all();
                all.addrs.add_all();
                all.series.push(Reservation {
                    client,
                    addr,
                    count,
                });
                continue;
            }
            all.clients.add(Few::client(&client));
            all.addrs.add(Few::addr(addr));
            all.by_addr.entry(addr).or_insert_with(|| client.clone());
            all.by_client.entry(client).or_insert(addr);
        }
        all.series.sort_by_key(|series| series.addr);
        all.series_by_client = (0..).take(all.series.len()).collect();
        let series = &all.series;
        let first = |place: &u32| {
            series
                .get(*place as usize)
                .map(|s| (s.client.len(), &s.client))
        };
        all.series_by_client.sort_by_key(first);
        all
    }

    /// The address kept for `client`.
    #[must_use]
    pub fn addr_for(&self, client: &[u8]) -> Option<Ipv4Addr> {
        if !self.clients.may_have(Few::client(client)) {
            return None;
        }
        if let Some(addr) = self.by_client.get(client) {
            return Some(*addr);
        }
        let behind = self.series_by_client.partition_point(|place| {
            self.series
                .get(*place as usize)
                .is_some_and(|s| (s.client.len(), &*s.client) <= (client.len(), client))
        });
        let place = self.series_by_client.get(behind.checked_sub(1)?)?;
        let series = self.series.get(*place as usize)?;
        let nth = nth_of(&series.client, series.count, client)?;
        Some(series.addr.to_bits().checked_add(nth)?.into())
    }

    /// Who `addr` is kept for.
    #[must_use]
    pub fn owner(&self, addr: Ipv4Addr) -> Option<Owner<'_>> {
        if !self.addrs.may_have(Few::addr(addr)) {
            return None;
        }
        if let Some(client) = self.by_addr.get(&addr) {
            return Some(Owner::one(client));
        }
        let behind = self.series.partition_point(|series| series.addr <= addr);
        let series = self.series.get(behind.checked_sub(1)?)?;
        let nth = addr.to_bits() - series.addr.to_bits();
        (nth < series.count).then_some(Owner {
            first: &series.client,
            nth,
        })
    }

    /// All of them in no order: the first client, the first address, and how many.
    pub fn each(&self) -> impl Iterator<Item = (&[u8], Ipv4Addr, u32)> {
        let single = self
            .by_addr
            .iter()
            .map(|(addr, client)| (&**client, *addr, 1));
        let series = self.series.iter().map(|s| (&*s.client, s.addr, s.count));
        single.chain(series)
    }

    /// The kinds of its clients.
    #[must_use]
    pub fn kinds(&self) -> Kinds {
        self.kinds
    }

    /// How many addresses are reserved.
    #[must_use]
    pub fn count(&self) -> u64 {
        let series: u64 = self.series.iter().map(|s| u64::from(s.count)).sum();
        self.by_addr.len() as u64 + series
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hardware(octets: &[u8]) -> Vec<u8> {
        [&[Kind::Chaddr as u8, 1], octets].concat()
    }

    fn series(octets: &[u8], addr: [u8; 4], count: u32) -> Reservation {
        Reservation {
            client: hardware(octets).into(),
            addr: addr.into(),
            count,
        }
    }

    #[test]
    fn the_nth_client_of_a_series_has_the_nth_address_and_back() {
        let first = [2, 0, 0, 0, 0, 0xfe];
        let reserved = Reserved::new(alloc::vec![
            series(&first, [10, 0, 0, 250], 1000),
            series(&[2, 0, 0, 1, 0, 0], [10, 1, 0, 0], 2),
            series(&[2, 0, 0, 0, 0], [10, 2, 0, 0], 9),
        ]);
        for (octets, addr) in [
            (first, [10, 0, 0, 250]),
            ([2, 0, 0, 0, 0, 0xff], [10, 0, 0, 251]),
            ([2, 0, 0, 0, 1, 0], [10, 0, 0, 252]),
            ([2, 0, 0, 0, 4, 0xe5], [10, 0, 4, 225]),
            ([2, 0, 0, 1, 0, 1], [10, 1, 0, 1]),
        ] {
            let client = hardware(&octets);
            assert_eq!(reserved.addr_for(&client), Some(addr.into()));
            let owner = reserved.owner(addr.into()).unwrap();
            assert!(
                owner.is(&client) && !owner.is(&hardware(&[9; 6])),
                "{addr:?}"
            );
        }
        for octets in [
            [2, 0, 0, 0, 0, 0xfd],
            [2, 0, 0, 0, 4, 0xe6],
            [3, 0, 0, 0, 1, 0],
        ] {
            assert_eq!(reserved.addr_for(&hardware(&octets)), None);
        }
        assert_eq!(
            reserved.addr_for(&hardware(&[2, 0, 0, 0, 8])),
            Some([10, 2, 0, 8].into())
        );
        assert_eq!(
            reserved.addr_for(&[Kind::Chaddr as u8, 6, 2, 0, 0, 0, 1, 0]),
            None
        );
        assert_eq!(reserved.owner([10, 0, 4, 226].into()), None);
        assert_eq!(reserved.owner([10, 0, 0, 249].into()), None);
        assert_eq!(reserved.count(), 1011);
    }

    #[test]
    fn a_series_ends_with_the_last_hardware_address() {
        let most = [0xff; 6];
        assert!(series(&most, [10, 0, 0, 1], 1).is_countable());
        assert!(!series(&most, [10, 0, 0, 1], 2).is_countable());
        assert!(series(&[0xff; 5], [10, 0, 0, 1], 1).is_countable());
        // Sixteen octets are counted in the last eight.
        let long: Vec<u8> = [[0xff; 8], [0xff; 8]].concat();
        assert!(!series(&long, [10, 0, 0, 1], 2).is_countable());
        let id = Reservation {
            client: [Kind::ClientId as u8, 1, 2].into(),
            addr: [10, 0, 0, 1].into(),
            count: 2,
        };
        assert!(!id.is_countable());
        assert!(!series(&[], [10, 0, 0, 1], 2).is_countable());
    }

    #[test]
    fn clients_are_shared_where_series_meet() {
        let five = series(&[2, 0, 0, 0, 0, 5], [10, 0, 0, 1], 5);
        let shares =
            |last, count| five.shares_client(&series(&[2, 0, 0, 0, 0, last], [9; 4], count));
        assert!(shares(5, 1) && shares(9, 1) && shares(9, 7) && shares(1, 5) && shares(0, 100));
        assert!(!shares(4, 1) && !shares(10, 3) && !shares(1, 4));
    }
}
