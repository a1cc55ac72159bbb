//! The options of a subnet, encoded once, in one piece: a reply of one network in ten thousand finds
//! them in two or three cache lines.

use alloc::boxed::Box;
use alloc::vec::Vec;
use dhcp_wire::dhcp::code;

/// One configured option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionEntry {
    /// Its code.
    pub code: u8,
    /// Its value as it goes on the wire; beyond 255 octets it is split when it is sent.
    pub data: Box<[u8]>,
    /// Sent whether the client asked for it or not.
    pub always: bool,
}

/// The options of a subnet, each code once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OptionSet {
    /// In the order in which they are sent to a client that names none (C168): the codes, an octet
    /// each whether they are always sent, the ends of their data (four octets, big-endian), and the
    /// data of all.
    octets: Box<[u8]>,
    count: usize,
}

/// An option of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Configured<'a> {
    /// Its code.
    pub code: u8,
    /// Its value as it goes on the wire.
    pub data: &'a [u8],
    /// Sent whether the client asked for it or not.
    pub always: bool,
}

/// RFC 2131 §4.3.1 leaves the order open; these first, for clients with little room (C168).
const FIRST: [u8; 6] = [
    code::SUBNET_MASK,
    code::ROUTERS,
    code::DNS_SERVERS,
    code::DOMAIN_NAME,
    code::BROADCAST_ADDRESS,
    code::NTP_SERVERS,
];

impl OptionSet {
    /// A set of `entries`; of entries with one code the first stays.
    #[must_use]
    pub fn new(entries: Vec<OptionEntry>) -> Self {
        let rank = |code: u8| FIRST.iter().position(|c| *c == code).unwrap_or(FIRST.len());
        let mut entries = entries;
        entries.sort_by_key(|entry| (rank(entry.code), entry.code));
        entries.dedup_by_key(|entry| entry.code);
        let mut octets: Vec<u8> = entries.iter().map(|entry| entry.code).collect();
        octets.extend(entries.iter().map(|entry| u8::from(entry.always)));
        let mut end = 0_u32;
        for entry in &entries {
            end = end.saturating_add(u32::try_from(entry.data.len()).unwrap_or(u32::MAX));
            octets.extend(end.to_be_bytes());
        }
        for entry in &entries {
            octets.extend_from_slice(&entry.data);
        }
        Self {
            octets: octets.into_boxed_slice(),
            count: entries.len(),
        }
    }

    /// The option of this code.
    #[must_use]
    pub fn find(&self, code: u8) -> Option<Configured<'_>> {
        let codes = self.octets.get(..self.count)?;
        self.get(codes.iter().position(|found| *found == code)?)
    }

    /// All of them, in sending order.
    pub fn iter(&self) -> impl Iterator<Item = Configured<'_>> {
        (0..self.count).map_while(|at| self.get(at))
    }

    /// Their octets, to be fetched ahead.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        &self.octets
    }

    fn get(&self, at: usize) -> Option<Configured<'_>> {
        let (head, data) = self.octets.split_at_checked(6 * self.count)?;
        let (codes, head) = head.split_at_checked(self.count)?;
        let (always, ends) = head.split_at_checked(self.count)?;
        let ends = ends.as_chunks::<4>().0;
        let end = |at: usize| ends.get(at).map(|end| u32::from_be_bytes(*end) as usize);
        let from = at.checked_sub(1).map_or(Some(0), end)?;
        Some(Configured {
            code: *codes.get(at)?,
            data: data.get(from..end(at)?)?,
            always: *always.get(at)? != 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(code: u8, data: &[u8], always: bool) -> OptionEntry {
        OptionEntry {
            code,
            data: data.into(),
            always,
        }
    }

    #[test]
    fn what_goes_into_a_set_comes_out_in_sending_order() {
        let long = [7; 300];
        let set = OptionSet::new(alloc::vec![
            entry(200, b"", true),
            entry(121, &long, false),
            entry(code::DNS_SERVERS, &[1, 2, 3, 4], true),
            entry(code::ROUTERS, &[5, 6, 7, 8], false),
            entry(code::ROUTERS, &[9; 4], true),
        ]);
        let all: Vec<_> = set.iter().map(|o| (o.code, o.data, o.always)).collect();
        let expected = [
            (code::ROUTERS, &[5, 6, 7, 8][..], false),
            (code::DNS_SERVERS, &[1, 2, 3, 4][..], true),
            (121, &long[..], false),
            (200, &[][..], true),
        ];
        assert_eq!(all, expected);
        for (code, data, _) in expected {
            assert_eq!(set.find(code).unwrap().data, data);
        }
        assert_eq!(set.find(1), None);
        assert_eq!(OptionSet::default().iter().count(), 0);
    }
}
