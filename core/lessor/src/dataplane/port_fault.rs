//! A port whose wire loses, repeats and reorders, the same way for the same seed. For tests and
//! simulations, around any other port.

use super::port::{Facts, Packet, Port};

/// How often a frame meets a fault, in thousandths, in each direction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Faults {
    /// It is lost.
    pub loss: u16,
    /// It comes twice.
    pub duplication: u16,
    /// It comes behind the one after it.
    pub reordering: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Lost,
    Twice,
    Late,
    Untouched,
}

/// Chance by seed (`SplitMix64`).
#[derive(Debug)]
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn fate(&mut self, faults: Faults) -> Fate {
        let Faults {
            loss,
            duplication,
            reordering,
        } = faults;
        let drawn = self.next() % 1000;
        let lost = u64::from(loss);
        let twice = lost.saturating_add(duplication.into());
        let late = twice.saturating_add(reordering.into());
        match drawn {
            _ if drawn < lost => Fate::Lost,
            _ if drawn < twice => Fate::Twice,
            _ if drawn < late => Fate::Late,
            _ => Fate::Untouched,
        }
    }
}

/// A port with faults.
#[derive(Debug)]
pub struct FaultyPort<P: Port> {
    port: P,
    faults: Faults,
    chance: Chance,
    late_in: Option<P::Packet>,
    late_out: Option<P::Packet>,
    order: Vec<P::Packet>,
}

impl<P: Port> FaultyPort<P> {
    /// `port` with `faults`, drawn from `seed`.
    #[must_use]
    pub fn new(port: P, faults: Faults, seed: u64) -> Self {
        let chance = Chance(seed);
        Self {
            port,
            faults,
            chance,
            late_in: None,
            late_out: None,
            order: Vec::new(),
        }
    }

    /// What becomes of the packets of `burst` from `from` on. One that is late stays in `late`
    /// until another passes it, or none comes.
    fn disturb(&mut self, burst: &mut Vec<P::Packet>, from: usize, late: &mut Option<P::Packet>) {
        let mut order = core::mem::take(&mut self.order);
        order.extend(burst.drain(from..));
        if order.is_empty() {
            burst.extend(late.take());
        }
        // What is added must leave room for those still to come: a burst never grows.
        let mut left = order.len();
        for packet in order.drain(..) {
            left -= 1;
            match self.chance.fate(self.faults) {
                Fate::Lost => continue,
                Fate::Late if late.is_none() => {
                    *late = Some(packet);
                    continue;
                }
                Fate::Twice if burst.len() + 1 + left < burst.capacity() => {
                    burst.extend(self.copy(&packet));
                    burst.push(packet);
                }
                Fate::Twice | Fate::Late | Fate::Untouched => burst.push(packet),
            }
            if burst.len() + left < burst.capacity() {
                burst.extend(late.take());
            }
        }
        self.order = order;
    }

    fn copy(&mut self, packet: &P::Packet) -> Option<P::Packet> {
        let mut copy = self.port.allocate()?;
        let octets = packet.octets();
        copy.room().get_mut(..octets.len())?.copy_from_slice(octets);
        copy.set_len(octets.len()).ok()?;
        // What a device says beside the octets cannot be copied: such a frame comes once.
        let said = |packet: &P::Packet| (packet.stripped_tag(), packet.checksums());
        (said(&copy) == said(packet)).then_some(copy)
    }
}

impl<P: Port> Port for FaultyPort<P> {
    type Packet = P::Packet;

    fn facts(&self) -> Facts {
        self.port.facts()
    }

    fn receive(&mut self, burst: &mut Vec<P::Packet>) -> usize {
        let before = burst.len();
        let refused = self.port.receive(burst);
        let mut late = self.late_in.take();
        self.disturb(burst, before, &mut late);
        self.late_in = late;
        refused
    }

    fn transmit(&mut self, burst: &mut Vec<P::Packet>) -> usize {
        let offered = burst.len();
        let mut late = self.late_out.take();
        self.disturb(burst, 0, &mut late);
        self.late_out = late;
        self.port.transmit(burst);
        offered.saturating_sub(burst.len())
    }

    fn allocate(&mut self) -> Option<P::Packet> {
        self.port.allocate()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataplane::port::RxChecksum;
    use crate::dataplane::port_mem::{MemConfig, MemFrame, MemPort, MemWire};
    use dhcp_wire::ethernet::Mac;

    fn port(faults: Faults, seed: u64) -> (FaultyPort<MemPort>, MemWire) {
        let mac = Mac([2, 0, 0, 0, 0, 1]);
        let rx_checksum = RxChecksum::Verify;
        let facts = Facts {
            mac,
            udp_checksum_offload: false,
            rx_checksum,
        };
        let (port, wire) = MemPort::new(MemConfig {
            facts,
            packets: 300,
        });
        (FaultyPort::new(port, faults, seed), wire)
    }

    /// The first octets of what arrives of frames numbered from 0 to 99.
    fn arriving(faults: Faults, seed: u64) -> Vec<u8> {
        let (mut port, wire) = port(faults, seed);
        let mut arrived = Vec::new();
        let mut burst = Vec::with_capacity(32);
        for round in 0..12 {
            for number in (0..100).skip(round * 10).take(10) {
                assert!(wire.deliver(&MemFrame::from(&[number; 60][..])));
            }
            port.receive(&mut burst);
            arrived.extend(burst.drain(..).map(|packet| packet.octets()[0]));
        }
        drop(port);
        assert_eq!(wire.held(), 0);
        arrived
    }

    #[test]
    fn without_faults_all_passes_in_order() {
        assert_eq!(
            arriving(Faults::default(), 1),
            (0..100).collect::<Vec<u8>>()
        );
    }

    #[test]
    fn the_same_seed_gives_the_same_faults() {
        let faults = Faults {
            loss: 200,
            duplication: 200,
            reordering: 200,
        };
        assert_eq!(arriving(faults, 7), arriving(faults, 7));
        assert_ne!(arriving(faults, 7), arriving(faults, 8));
    }

    #[test]
    fn each_fault_does_what_it_says() {
        let only = |loss, duplication, reordering| Faults {
            loss,
            duplication,
            reordering,
        };
        assert!(arriving(only(1000, 0, 0), 1).is_empty());
        let lossy = arriving(only(300, 0, 0), 1);
        assert!((50..90).contains(&lossy.len()) && lossy.is_sorted());
        let twice = arriving(only(0, 300, 0), 1);
        assert!(twice.len() > 110 && twice.is_sorted());
        let mut shuffled = arriving(only(0, 0, 300), 1);
        assert!(!shuffled.is_sorted());
        shuffled.sort_unstable();
        assert_eq!(shuffled, (0..100).collect::<Vec<u8>>());
    }

    #[test]
    fn a_full_burst_does_not_grow() {
        let (mut port, wire) = port(
            Faults {
                duplication: 500,
                reordering: 500,
                loss: 0,
            },
            3,
        );
        let mut burst = Vec::with_capacity(8);
        for number in 0..100 {
            assert!(wire.deliver(&MemFrame::from(&[number; 60][..])));
        }
        let mut arrived = 0;
        for _ in 0..20 {
            port.receive(&mut burst);
            assert_eq!(burst.capacity(), 8);
            arrived += burst.drain(..).count();
        }
        assert!(arrived >= 100);
    }

    #[test]
    fn what_the_wire_loses_the_device_took() {
        let (mut port, wire) = port(
            Faults {
                loss: 1000,
                ..Faults::default()
            },
            1,
        );
        let mut burst: Vec<_> = (0..3).filter_map(|_| port.allocate()).collect();
        assert_eq!(port.transmit(&mut burst), 3);
        assert_eq!(
            (burst.len(), wire.take_sent().len(), wire.held()),
            (0, 0, 0)
        );
    }
}
