//! The product's device: a queue pair of a DPDK port.

use dhcp_wire::Checksum;
use dhcp_wire::ethernet::{Mac, Tag, ethertype};
use dpdk::{Mbuf, Mempool, Offloads, RxQueue, StrippedTags, TxQueue};

use super::port::{Facts, HeaderLengths, Packet, Port, RxChecksum, TooLong};

/// One queue pair of a started port, and the pool that its buffers come from. A device with fewer
/// queues than workers leaves some without either.
#[derive(Debug)]
pub struct DpdkPort {
    rx: Option<RxQueue>,
    tx: Option<TxQueue>,
    pool: &'static Mempool,
    facts: Facts,
    refused: u64,
}

impl DpdkPort {
    /// A queue pair of `port`, on whose received UDP checksums `rx_checksum` decides.
    #[must_use]
    pub fn new(
        port: &dpdk::Port,
        (rx, tx): (Option<RxQueue>, Option<TxQueue>),
        pool: &'static Mempool,
        rx_checksum: RxChecksum,
    ) -> Self {
        let udp_checksum_offload = port.offloads().contains(Offloads::TX_UDP_CHECKSUM);
        let facts = Facts {
            mac: Mac(port.mac()),
            udp_checksum_offload,
            rx_checksum,
        };
        let refused = rx.as_ref().map_or(0, refused);
        Self {
            rx,
            tx,
            pool,
            facts,
            refused,
        }
    }
}

/// Frames that a queue received and could not give.
fn refused(rx: &RxQueue) -> u64 {
    let dropped = rx.dropped();
    dropped
        .segmented
        .wrapping_add(dropped.shared)
        .wrapping_add(dropped.malformed)
}

impl Port for DpdkPort {
    type Packet = Mbuf;

    fn facts(&self) -> Facts {
        self.facts
    }

    #[inline]
    fn receive(&mut self, burst: &mut Vec<Mbuf>) -> usize {
        let Some(rx) = &mut self.rx else {
            return 0;
        };
        let before = burst.len();
        rx.receive(burst);
        for mbuf in burst.iter_mut().skip(before) {
            restore_inner_tag(mbuf);
        }
        let refused = refused(rx);
        let new = refused.wrapping_sub(self.refused);
        self.refused = refused;
        usize::try_from(new).unwrap_or(usize::MAX)
    }

    #[inline]
    fn transmit(&mut self, burst: &mut Vec<Mbuf>) -> usize {
        self.tx.as_mut().map_or(0, |tx| tx.transmit(burst))
    }

    fn allocate(&mut self) -> Option<Mbuf> {
        self.pool.alloc()
    }
}

/// Octets of the two addresses, and of a tag.
const ADDRESSES: usize = 12;
const TAG: usize = 4;

/// Puts the inner tag back if the device took both off: a frame lacks its outer tag at most. One
/// without headroom for it stays as it is, and its link is then not found.
#[inline]
fn restore_inner_tag(mbuf: &mut Mbuf) {
    if let StrippedTags::Two { inner, .. } = mbuf.stripped_tags()
        && mbuf.len() >= ADDRESSES
        && mbuf.prepend(TAG).is_ok()
    {
        insert_tag(mbuf.data_mut(), inner);
    }
}

/// Moves the addresses of a frame to its new front, four octets before the old one, and writes a
/// tag behind them.
fn insert_tag(frame: &mut [u8], tci: u16) {
    if let Some(header) = frame.first_chunk_mut::<{ ADDRESSES + TAG }>() {
        header.copy_within(TAG.., 0);
        let [tpid, tci] = [ethertype::VLAN, tci].map(u16::to_be_bytes);
        header[ADDRESSES..].copy_from_slice(&[tpid[0], tpid[1], tci[0], tci[1]]);
    }
}

impl Packet for Mbuf {
    #[inline]
    fn octets(&self) -> &[u8] {
        self.data()
    }

    #[inline]
    fn room(&mut self) -> &mut [u8] {
        self.room_mut()
    }

    #[inline]
    fn set_len(&mut self, len: usize) -> Result<(), TooLong> {
        Mbuf::set_len(self, len).map_err(|_| TooLong)
    }

    #[inline]
    fn stripped_tag(&self) -> Option<Tag> {
        // The device keeps a tag's content, not what announced it: the usual ethertypes.
        let tag = |tpid, tci| Some(Tag { tpid, tci });
        match self.stripped_tags() {
            StrippedTags::None => None,
            StrippedTags::One(tci) => tag(ethertype::VLAN, tci),
            StrippedTags::Two { outer, .. } => tag(ethertype::QINQ, outer),
        }
    }

    #[inline]
    fn checksums(&self) -> (Checksum, Checksum) {
        let trust = |found| match found {
            dpdk::Checksum::Good => Checksum::Trusted,
            dpdk::Checksum::Bad | dpdk::Checksum::Unknown => Checksum::Verify,
        };
        (trust(self.ip_checksum()), trust(self.l4_checksum()))
    }

    #[inline]
    fn offload_udp_checksum(&mut self, headers: HeaderLengths) -> Result<(), TooLong> {
        let asked = self.request_checksums(Offloads::TX_UDP_CHECKSUM, headers.l2, headers.l3);
        asked.map_err(|_| TooLong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dhcp_wire::ethernet::{self, Ethernet, Tags};

    #[test]
    fn an_inner_tag_is_put_back_behind_the_addresses() {
        let (dst, src) = (Mac([2, 0, 0, 0, 0, 1]), Mac([2, 0, 0, 0, 0, 2]));
        let mut frame = [0xee; 4 + 60];
        let untagged = &mut frame[4..];
        ethernet::write(untagged, dst, src, &Tags::default(), ethertype::IPV4).unwrap();
        insert_tag(&mut frame, 0x6123);
        let eth = Ethernet::parse(&frame).unwrap();
        let tag = Some(Tag {
            tpid: ethertype::VLAN,
            tci: 0x6123,
        });
        assert_eq!(
            (eth.dst(), eth.src(), eth.ethertype()),
            (dst, src, ethertype::IPV4)
        );
        assert_eq!(
            eth.tags(),
            Tags {
                outer: tag,
                inner: None
            }
        );
        assert_eq!(eth.payload(), [0xee; 46]);
    }
}
