//! Who a client is, from its number alone: hardware address, transactions, circuit.

use dhcp_wire::ethernet::Mac;

use crate::scramble::Scramble;

/// Most clients: a transaction has 24 bits for the client and 8 for the exchange.
pub const MOST_CLIENTS: u32 = 1 << 24;

/// First octet of clients' addresses: locally administered.
const CLIENT: u8 = 0x02;
/// First octets of relays' addresses; their IP address follows.
const RELAY: [u8; 2] = [0x06, 0x52];

/// How clients get their hardware addresses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Macs {
    /// Forty bits that look like chance.
    #[default]
    Random,
    /// One after the other.
    Sequential,
}

/// What gives clients their names.
#[derive(Debug, Clone, Copy)]
pub struct Identities {
    macs: Option<Scramble>,
    xids: Scramble,
}

/// A transaction, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transaction {
    /// Number of the client; it need not exist.
    pub client: u32,
    /// Which of the client's exchanges, modulo 256.
    pub exchange: u8,
}

impl Identities {
    /// Those that `seed` names.
    #[must_use]
    pub fn new(macs: Macs, seed: u64) -> Self {
        Self {
            macs: match macs {
                Macs::Random => Some(Scramble::new(40, seed)),
                Macs::Sequential => None,
            },
            xids: Scramble::new(32, seed),
        }
    }

    /// Hardware address of a client; each has its own.
    #[inline]
    #[must_use]
    pub fn mac(&self, client: u32) -> Mac {
        let number = u64::from(client);
        let number = self.macs.map_or(number, |macs| macs.forth(number));
        let mut octets = [CLIENT; 6];
        octets[1..].copy_from_slice(&number.to_be_bytes()[3..]);
        Mac(octets)
    }

    /// The `xid` of a transaction.
    #[inline]
    #[must_use]
    pub fn xid(&self, transaction: Transaction) -> u32 {
        let Transaction { client, exchange } = transaction;
        let plain = u64::from(exchange) << 24 | u64::from(client % MOST_CLIENTS);
        low(self.xids.forth(plain))
    }

    /// The transaction that has this `xid`.
    #[inline]
    #[must_use]
    pub fn transaction(&self, xid: u32) -> Transaction {
        let plain = low(self.xids.back(xid.into()));
        let [exchange, ..] = plain.to_be_bytes();
        Transaction {
            client: plain % MOST_CLIENTS,
            exchange,
        }
    }
}

/// The client identifier of option 61 of whoever has `mac`: RFC 2132 §9.14.
#[inline]
#[must_use]
pub fn client_id(mac: Mac) -> [u8; 7] {
    let mut id = [1; 7];
    id[1..].copy_from_slice(&mac.0);
    id
}

/// The circuit-id of a client's line: its number in hexadecimal.
#[inline]
#[must_use]
pub fn circuit_id(client: u32) -> [u8; 8] {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    let digit = |at: u32| DIGITS[(client >> (28 - 4 * at) & 0xf) as usize];
    [0, 1, 2, 3, 4, 5, 6, 7].map(digit)
}

/// Hardware address of the relay with this IP address; no client has it.
#[inline]
#[must_use]
pub const fn relay_mac(addr: u32) -> Mac {
    let [a, b, c, d] = addr.to_be_bytes();
    Mac([RELAY[0], RELAY[1], a, b, c, d])
}

/// The lower half of a number.
#[inline]
#[must_use]
pub const fn low(number: u64) -> u32 {
    let [_, _, _, _, a, b, c, d] = number.to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_client_has_a_hardware_address_of_its_own() {
        for macs in [Macs::Random, Macs::Sequential] {
            let identities = Identities::new(macs, 5);
            let distinct: BTreeSet<Mac> = (0..100_000).map(|n| identities.mac(n)).collect();
            assert_eq!(distinct.len(), 100_000);
            assert!(distinct.iter().all(|mac| !mac.is_multicast()));
        }
        let sequential = Identities::new(Macs::Sequential, 5);
        assert_eq!(sequential.mac(0x0001_0203), Mac([2, 0, 0, 1, 2, 3]));
    }

    #[test]
    fn a_transaction_names_client_and_exchange() {
        let identities = Identities::new(Macs::Random, 5);
        for client in [0, 1, 77, 9_999_999, MOST_CLIENTS - 1] {
            for exchange in [0, 1, 255] {
                let transaction = Transaction { client, exchange };
                let xid = identities.xid(transaction);
                assert_eq!(identities.transaction(xid), transaction);
            }
        }
    }

    #[test]
    fn a_circuit_is_the_number_in_hexadecimal() {
        assert_eq!(circuit_id(0x00ab_cdef), *b"00abcdef");
    }
}
