//! Power cuts, failing syncs and full disks on the simulated disk.

use super::*;
use crate::store::medium::memory::Faults;

/// A seeded sequence of numbers.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed))
    }

    pub(super) fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides
    }

    pub(super) fn toss(&mut self) -> bool {
        self.roll(2) == 0
    }
}

/// The newest acknowledged statement about each address, and what was on its way.
#[derive(Default)]
struct Clients {
    acked: BTreeMap<u32, Told>,
    sent: BTreeMap<u32, Vec<Told>>,
    generation: u64,
}

impl Clients {
    fn ask(&mut self, dice: &mut Dice) -> Vec<Told> {
        let count = 1 + dice.roll(60);
        let mut batch = Vec::new();
        for _ in 0..count {
            self.generation += 1;
            let addr = u32::try_from(dice.roll(80)).unwrap();
            let told = active(addr, self.generation, u8::try_from(dice.roll(200)).unwrap());
            self.sent.entry(addr).or_default().push(told);
            batch.push(told);
        }
        batch
    }

    fn acked(&mut self, batch: &[Told]) {
        for told in batch {
            self.acked.insert(told.addr, *told);
        }
    }

    /// Nothing acknowledged is missing or older, nothing found was never said.
    fn check(&mut self, known: &Known, why: &str) {
        for (addr, acked) in &self.acked {
            let (found, _) = known
                .get(addr)
                .unwrap_or_else(|| panic!("{why}: {addr} lost"));
            assert!(
                found.generation >= acked.generation,
                "{why}: {addr} is older"
            );
        }
        for (addr, (found, _)) in known {
            assert!(
                self.sent[addr].contains(found),
                "{why}: {addr} was never said"
            );
        }
        // What is found is what this server tells its clients from now on.
        self.acked = known
            .iter()
            .map(|(addr, (told, _))| (*addr, *told))
            .collect();
    }
}

#[test]
fn what_was_acknowledged_survives_a_power_cut_at_any_point() {
    for seed in 1..=400 {
        let mut dice = Dice::new(seed);
        let mut disk = MemoryMedium::default();
        let mut clients = Clients::default();
        for life in 0..6 {
            let why = format!("seed {seed} life {life}");
            disk.fail(Faults {
                power_after: Some(usize::try_from(dice.roll(60)).unwrap()),
                ..Faults::default()
            });
            let options = LogOptions {
                segment_octets: 4096 * (2 + dice.roll(20)),
                ..LogOptions::default()
            };
            // Without power before the store is open, nobody is told anything.
            if let Ok((recovered, mut log)) = Log::open_on(disk.clone(), options) {
                clients.check(&known(&recovered), &why);
                for _ in 0..dice.roll(30) {
                    let batch = clients.ask(&mut dice);
                    if !commit(&mut log, &batch) {
                        break;
                    }
                    clients.acked(&batch);
                }
                if dice.toss() {
                    let _closed = log.close();
                }
            }
            disk = if dice.roll(4) == 0 {
                disk.after_kill()
            } else {
                disk.after_power_cut(|| dice.toss())
            };
        }
        clients.check(&reopened(&disk), &format!("seed {seed}"));
    }
}

#[test]
fn what_was_acknowledged_survives_failing_writes_and_syncs() {
    for seed in 1..=400 {
        let mut dice = Dice::new(seed);
        let mut disk = MemoryMedium::default();
        let mut clients = Clients::default();
        for life in 0..4 {
            let why = format!("seed {seed} life {life}");
            let (recovered, mut log) = open(&disk).unwrap();
            clients.check(&known(&recovered), &why);
            for _ in 0..dice.roll(20) {
                let one_in = |dice: &mut Dice, n| usize::from(dice.roll(n) == 0);
                disk.fail(Faults {
                    writes: one_in(&mut dice, 6),
                    syncs: one_in(&mut dice, 6),
                    dir_syncs: one_in(&mut dice, 4),
                    creates: one_in(&mut dice, 4),
                    ..Faults::default()
                });
                let batch = clients.ask(&mut dice);
                let acked = commit(&mut log, &batch) || retried(&mut log, &mut dice);
                if !acked {
                    break;
                }
                clients.acked(&batch);
            }
            disk.fail(Faults::default());
            disk = disk.after_power_cut(|| dice.toss());
        }
        clients.check(&reopened(&disk), &format!("seed {seed}"));
    }
}

/// The engine gets none to two more tries for its pending batch.
fn retried(log: &mut Log<MemoryMedium>, dice: &mut Dice) -> bool {
    for _ in 0..dice.roll(3) {
        if try_again(log) {
            return true;
        }
    }
    false
}

fn try_again(log: &mut Log<MemoryMedium>) -> bool {
    log.retry_now();
    log.completed().is_some()
}

#[test]
fn a_failed_write_is_cut_back_and_written_in_the_same_place() {
    let medium = MemoryMedium::default();
    let (_, mut log) = open(&medium).unwrap();
    assert!(commit(&mut log, &[active(1, 1, 1)]));
    medium.fail(Faults {
        writes: 1,
        ..Faults::default()
    });
    assert!(!commit(&mut log, &[active(2, 1, 2)]));
    assert!(log.trouble().is_some());
    assert!(!log.ready());
    let segment = &medium.segments()[0];
    assert_eq!(medium.content(segment).len(), 2 * 4096);
    assert!(try_again(&mut log));
    assert!(log.trouble().is_none());
    assert_eq!(medium.content(segment).len(), 3 * 4096);
    assert_eq!(medium.segments().len(), 1);
    assert_eq!(reopened(&medium).len(), 2);
}

#[test]
fn after_a_failed_sync_the_file_is_left_and_the_batch_goes_to_a_new_segment() {
    let medium = MemoryMedium::default();
    let (_, mut log) = open(&medium).unwrap();
    assert!(commit(&mut log, &[active(1, 1, 1)]));
    medium.fail(Faults {
        syncs: 1,
        ..Faults::default()
    });
    assert!(commit(&mut log, &[active(2, 1, 2)]));
    assert_eq!(medium.segments().len(), 2);
    let left = medium.content(&medium.segments()[0]);
    assert!(commit(&mut log, &[active(3, 1, 3)]));
    assert_eq!(medium.content(&medium.segments()[0]), left);
    // What the failed sync forgot is not there after a power cut, and is not missed.
    let disk = medium.after_power_cut(|| false);
    assert_eq!(disk.content(&disk.segments()[0]).len(), 2 * 4096);
    assert_eq!(reopened(&disk).len(), 3);
}

/// The page cache shows a batch that the disk never took; the next process must not build on it.
#[test]
fn a_batch_read_from_the_page_cache_alone_is_made_durable_before_it_counts() {
    let medium = MemoryMedium::default();
    let (_, mut log) = open(&medium).unwrap();
    assert!(commit(&mut log, &[active(1, 1, 1)]));
    medium.fail(Faults {
        syncs: 1,
        creates: usize::MAX,
        ..Faults::default()
    });
    assert!(!commit(&mut log, &[active(2, 1, 2)]));
    let disk = medium.after_kill();
    let (recovered, mut log) = open(&disk).unwrap();
    assert_eq!(known(&recovered).len(), 2);
    assert!(commit(&mut log, &[active(3, 1, 3)]));
    let disk = disk.after_power_cut(|| false);
    let known = reopened(&disk);
    assert_eq!(known[&2], (active(2, 1, 2), Lsn(2)));
    assert_eq!(known.len(), 3);
}

#[test]
fn a_batch_waits_for_a_full_disk_and_is_acknowledged_when_there_is_room() {
    let medium = MemoryMedium::default();
    let options = LogOptions {
        segment_octets: 2 * 4096,
        ..LogOptions::default()
    };
    let (_, mut log) = Log::open_on(medium.clone(), options).unwrap();
    assert!(commit(&mut log, &[active(1, 1, 1)]));
    medium.fail(Faults {
        creates: 3,
        ..Faults::default()
    });
    assert!(!commit(&mut log, &[active(2, 1, 2)]));
    assert!(!try_again(&mut log));
    assert!(!try_again(&mut log));
    assert!(log.trouble().is_some());
    assert!(try_again(&mut log));
    assert_eq!(reopened(&medium).len(), 2);
}
