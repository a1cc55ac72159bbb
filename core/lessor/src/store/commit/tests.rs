use super::*;
use crate::store::log::{Log, LogOptions};
use crate::store::medium::memory::{Faults, MemoryMedium};
use crate::store::ring::{JournalRing, ring};
use crate::store::{NullStore, TroubleKind};
use core::net::Ipv4Addr;
use dhcp_proto::record::{Cause, Journal as _, Origin, Record, RecordKind};
use dhcp_proto::restart::Noted;
use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;

fn record(addr: u32, generation: u64, identity: &[u8]) -> Record<'_> {
    Record {
        kind: RecordKind::Active,
        cause: Cause::Unsaid,
        space: 0,
        addr: Ipv4Addr::from_bits(addr),
        generation,
        time: 5,
        expiry: 6,
        lease: 1,
        origin: Origin::default(),
        giaddr: Ipv4Addr::UNSPECIFIED,
        identity,
        htype: 1,
        chaddr: &[],
        agent_info: &[],
    }
}

fn options() -> CommitOptions {
    CommitOptions {
        clock: Box::new(|| 1_900_000_000),
        hold: None,
        patience: Duration::from_millis(20),
        grace: Duration::ZERO,
        tap: None,
    }
}

fn log_on(medium: &MemoryMedium) -> Log<MemoryMedium> {
    Log::open_on(medium.clone(), LogOptions::default())
        .unwrap()
        .1
}

fn wait_for(condition: impl Fn() -> bool) {
    while !condition() {
        thread::sleep(Duration::from_micros(100));
    }
}

fn append(ring: &mut JournalRing, record: &Record<'_>) -> u64 {
    wait_for(|| ring.has_room());
    ring.append(record)
}

/// Generation by address.
fn found(medium: &MemoryMedium) -> BTreeMap<u32, u64> {
    let disk = medium.after_power_cut(|| false);
    let (recovered, _) = Log::open_on(disk, LogOptions::default()).unwrap();
    let mut found = BTreeMap::new();
    recovered
        .for_each_newest(|_, record| {
            found.insert(record.addr.to_bits(), record.generation);
        })
        .unwrap();
    found
}

#[test]
fn records_of_two_rings_reach_one_log_and_each_ring_its_own_watermark() {
    let medium = MemoryMedium::default();
    let ((mut one, drain_one), (mut two, drain_two)) = (ring(64), ring(64));
    let drains = vec![drain_one, drain_two];
    let committer = Committer::start(log_on(&medium), drains, options()).unwrap();
    let other = thread::spawn(move || {
        for addr in 0..3000 {
            append(&mut two, &record(10_000 + addr, 2, &[2; 200]));
        }
        wait_for(|| two.durable() == 3000);
        two
    });
    for addr in 0..1000 {
        append(&mut one, &record(addr, 1, &[1; 8]));
    }
    wait_for(|| one.durable() == 1000);
    // The power goes now, and both are there.
    let two = other.join().unwrap();
    assert_eq!(two.durable(), two.appended());
    let found = found(&medium);
    assert_eq!(found.len(), 4000);
    assert_eq!((found[&999], found[&12_999]), (1, 2));
    let stats = committer.stats();
    assert!(stats.records >= 4000, "those and the time");
    assert_eq!(stats.trouble_since, None);
    assert_eq!(committer.stop(), Some(Stopped { unwritten: 0 }));
}

#[test]
fn a_stop_makes_durable_what_is_in_the_rings() {
    for _ in 0..20 {
        let medium = MemoryMedium::default();
        let (mut one, drain) = ring(20_000);
        let committer = Committer::start(log_on(&medium), vec![drain], options()).unwrap();
        for addr in 0..10_000 {
            append(&mut one, &record(addr, 1, &[1; 8]));
        }
        assert_eq!(committer.stop(), Some(Stopped { unwritten: 0 }));
        assert_eq!(one.durable(), 10_000);
        assert_eq!(found(&medium).len(), 10_000);
    }
}

#[test]
fn the_time_is_recorded_at_once() {
    let medium = MemoryMedium::default();
    let committer = Committer::start(log_on(&medium), vec![], options()).unwrap();
    assert_eq!(committer.stop(), Some(Stopped { unwritten: 0 }));
    let (recovered, _) = Log::open_on(medium.after_kill(), LogOptions::default()).unwrap();
    assert_eq!(recovered.summary().newest_time, 1_900_000_000);
    assert_eq!(recovered.summary().addresses, 0);
}

#[test]
fn in_trouble_nothing_is_taken_on_and_nothing_is_lost_and_service_resumes() {
    let medium = MemoryMedium::default();
    let (mut one, drain) = ring(256);
    let committer = Committer::start(log_on(&medium), vec![drain], options()).unwrap();
    append(&mut one, &record(1, 1, &[1]));
    wait_for(|| one.durable() == 1);
    medium.fail(Faults {
        syncs: usize::MAX,
        creates: usize::MAX,
        ..Faults::default()
    });
    append(&mut one, &record(2, 1, &[1]));
    wait_for(|| !one.has_room());
    wait_for(|| committer.trouble().is_some());
    let since = committer.stats().trouble_since;
    let trouble = committer.trouble().unwrap();
    assert_eq!(
        (trouble.kind, Some(trouble.since)),
        (TroubleKind::Failed, since)
    );
    assert!(trouble.began().ends_with('Z') && !trouble.reason.is_empty());
    assert_eq!(one.durable(), 1);
    assert_eq!(found(&medium).len(), 1);
    medium.fail(Faults::default());
    wait_for(|| one.durable() == 2);
    append(&mut one, &record(3, 1, &[1]));
    wait_for(|| one.durable() == 3);
    assert_eq!(committer.stats().troubles, 1);
    assert_eq!(found(&medium).len(), 3);
    assert_eq!(committer.stop(), Some(Stopped { unwritten: 0 }));
}

#[test]
fn a_stop_in_trouble_ends_and_says_what_was_not_written() {
    let medium = MemoryMedium::default();
    let log = log_on(&medium);
    medium.fail(Faults {
        writes: usize::MAX,
        ..Faults::default()
    });
    let (mut one, drain) = ring(256);
    one.append(&record(1, 1, &[1]));
    let committer = Committer::start(log, vec![drain], options()).unwrap();
    let stopped = committer.stop().unwrap();
    assert_eq!(stopped.unwritten, 1);
    assert_eq!(one.durable(), 0);
}

#[test]
fn without_an_engine_the_watermark_follows_at_once() {
    let (mut one, drain) = ring(256);
    let committer = Committer::start(NullStore::new(), vec![drain], options()).unwrap();
    for addr in 0..1000 {
        append(&mut one, &record(addr, 1, &[1]));
    }
    wait_for(|| one.durable() == 1000);
    assert_eq!(committer.stop(), Some(Stopped { unwritten: 0 }));
}

const NOW: u64 = 1_900_000_000;

fn held(seconds: u64) -> CommitOptions {
    CommitOptions {
        hold: Some(Hold {
            trusted: 1_800_000_000,
            until: NOW + seconds,
        }),
        ..options()
    }
}

/// The time that counts on a disk whose power is cut now, and the hold that it says.
fn noted(medium: &MemoryMedium) -> (u64, Option<Hold>) {
    let disk = medium.after_power_cut(|| false);
    let (recovered, _) = Log::open_on(disk, LogOptions::default()).unwrap();
    let summary = recovered.summary();
    let hold = summary.time_record;
    let hold = hold.and_then(|record| Noted::hold_of(record.expiry, record.lease));
    (summary.newest_time, hold)
}

#[test]
fn c195_the_records_of_the_time_say_that_the_clock_is_held() {
    let medium = MemoryMedium::default();
    let committer = Committer::start(log_on(&medium), vec![], held(3600)).unwrap();
    wait_for(|| committer.stats().commits == 1);
    let (time, hold) = noted(&medium);
    let hold = hold.unwrap();
    assert_eq!((time, hold.trusted), (NOW, 1_800_000_000));
    assert!((NOW + 3590..=NOW + 3600).contains(&hold.until), "{hold:?}");
    assert!(matches!(committer.clock_hold(), ClockHold::Held(_)));
}

#[test]
fn c195_an_accepted_clock_is_not_held_after_a_power_cut() {
    let medium = MemoryMedium::default();
    let committer = Committer::start(log_on(&medium), vec![], held(3600)).unwrap();
    committer.accept_clock(Duration::from_secs(10)).unwrap();
    assert_eq!(noted(&medium), (NOW, None));
    assert_eq!(committer.clock_hold(), ClockHold::Accepted);
    // Again, as by another operator.
    committer.accept_clock(Duration::from_secs(10)).unwrap();
    assert_eq!(committer.clock_hold(), ClockHold::Accepted);
}

#[test]
fn c195_a_clock_that_the_disk_does_not_take_as_accepted_is_held_on() {
    let medium = MemoryMedium::default();
    let committer = Committer::start(log_on(&medium), vec![], held(3600)).unwrap();
    wait_for(|| committer.stats().commits == 1);
    medium.fail(Faults {
        writes: usize::MAX,
        ..Faults::default()
    });
    let refused = committer.accept_clock(Duration::from_millis(50));
    assert_eq!(refused, Err(NotDurable));
    assert!(matches!(committer.clock_hold(), ClockHold::Held(_)));
    medium.fail(Faults::default());
    committer.accept_clock(Duration::from_secs(10)).unwrap();
    assert_eq!(noted(&medium).1, None);
}

#[test]
fn c195_a_hold_that_is_over_is_over() {
    let medium = MemoryMedium::default();
    let committer = Committer::start(log_on(&medium), vec![], held(0)).unwrap();
    assert_eq!(committer.clock_hold(), ClockHold::Over);
    wait_for(|| committer.stats().commits == 1);
    assert_eq!(noted(&medium), (NOW, None));
    let committer = Committer::start(NullStore::new(), vec![], options()).unwrap();
    assert_eq!(committer.clock_hold(), ClockHold::Never);
}

#[test]
fn c195_of_two_times_the_later_record_counts_and_not_the_later_time() {
    let medium = MemoryMedium::default();
    let clock = Arc::new(AtomicU64::new(NOW + 1000));
    let wall = Arc::clone(&clock);
    let options = CommitOptions {
        clock: Box::new(move || wall.load(Ordering::Relaxed)),
        ..options()
    };
    let committer = Committer::start(log_on(&medium), vec![], options).unwrap();
    wait_for(|| committer.stats().commits == 1);
    assert_eq!(noted(&medium).0, NOW + 1000);
    // The clock is set right.
    clock.store(NOW, Ordering::Relaxed);
    committer.accept_clock(Duration::from_secs(10)).unwrap();
    assert_eq!(noted(&medium).0, NOW);
}
mod several;
