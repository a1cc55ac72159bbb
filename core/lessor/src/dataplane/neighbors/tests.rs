use super::*;
use std::net::Ipv4Addr;
use std::sync::atomic::AtomicBool;

use dhcp_wire::ethernet::{Tag, ethertype};
use proptest::prelude::*;

const HOP: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const MAC: Mac = Mac([2, 0, 0, 0, 0, 2]);
const NONE: Tags = Tags {
    outer: None,
    inner: None,
};

fn key(addr: impl Into<Ipv4Addr>) -> Key {
    Key::new(1, (100, 0), addr.into())
}

fn secs(seconds: u64) -> Instant {
    Instant((1000 + seconds) * 1000)
}

/// All places looked after once: what is to be asked.
fn maintain(table: &Neighbors, now: Instant) -> Vec<Mac> {
    let requests = (0..table.places()).filter_map(|at| table.maintain(at, now));
    requests.map(|request| request.dst).collect()
}

/// A table with one reachable entry, learnt at 0 s.
fn table() -> Neighbors {
    let table = Neighbors::new(64, 7);
    assert_eq!(table.resolve(key(HOP), &NONE, secs(0)), NextHop::Ask);
    assert!(table.learn(key(HOP), MAC, secs(0)));
    table
}

#[test]
fn a_key_keeps_port_vlans_and_address() {
    let key = Key::new(3, (4094, 17), HOP);
    assert_eq!((key.port(), key.vids(), key.addr()), (3, (4094, 17), HOP));
    let tags = key.usual_tags();
    assert_eq!(
        tags.outer,
        Some(Tag {
            tpid: ethertype::QINQ,
            tci: 4094
        })
    );
    assert_eq!(
        tags.inner,
        Some(Tag {
            tpid: ethertype::VLAN,
            tci: 17
        })
    );
    let tags = Key::new(0, (5, 0), HOP).usual_tags();
    assert_eq!(
        tags,
        Tags {
            outer: Some(Tag {
                tpid: ethertype::VLAN,
                tci: 5
            }),
            inner: None
        }
    );
}

#[test]
fn a_next_hop_is_asked_for_once_and_then_known() {
    let table = Neighbors::new(64, 7);
    assert_eq!(table.resolve(key(HOP), &NONE, secs(0)), NextHop::Ask);
    assert_eq!(table.resolve(key(HOP), &NONE, secs(0)), NextHop::Asked);
    assert_eq!(table.mac(key(HOP)), None);
    assert!(table.learn(key(HOP), MAC, secs(0)));
    assert_eq!(table.resolve(key(HOP), &NONE, secs(0)), NextHop::Known(MAC));
    assert_eq!(table.mac(key(HOP)), Some(MAC));
}

#[test]
fn the_same_address_on_another_link_is_another_station() {
    let table = table();
    assert_eq!(table.mac(Key::new(1, (101, 0), HOP)), None);
    assert_eq!(table.mac(Key::new(0, (100, 0), HOP)), None);
    assert_eq!(table.mac(Key::new(1, (0, 100), HOP)), None);
}

#[test]
fn nobody_is_learnt_that_is_not_asked_for() {
    let table = table();
    for last in 3..=255 {
        assert!(!table.learn(key([10, 0, 0, last]), MAC, secs(0)));
    }
    assert_eq!(table.incomplete.load(Relaxed), 0);
    assert_eq!(maintain(&table, secs(1)), []);
}

#[test]
fn no_group_and_no_zero_is_learnt() {
    let table = table();
    assert!(!table.learn(key(HOP), Mac::default(), secs(1)));
    assert!(!table.learn(key(HOP), Mac::BROADCAST, secs(1)));
    assert_eq!(table.mac(key(HOP)), Some(MAC));
}

#[test]
fn who_does_not_answer_is_asked_three_times_and_given_up() {
    let table = Neighbors::new(64, 7);
    assert_eq!(table.resolve(key(HOP), &NONE, secs(0)), NextHop::Ask);
    let asked: Vec<u64> = (0..20)
        .filter(|&at| !maintain(&table, secs(at)).is_empty())
        .collect();
    assert_eq!(asked, [1, 3]);
    assert_eq!(table.incomplete.load(Relaxed), 0);
    assert_eq!(table.resolve(key(HOP), &NONE, secs(20)), NextHop::Ask);
}

#[test]
fn a_router_is_asked_for_without_a_packet_and_never_given_up() {
    let table = Neighbors::new(64, 7);
    table.keep_routers(&[key(HOP)], secs(0));
    let asked: Vec<u64> = (0..200)
        .filter(|&at| maintain(&table, secs(at)) == [Mac::BROADCAST])
        .collect();
    assert_eq!(asked, [0, 1, 3, 7, 15, 31, 61, 91, 121, 151, 181]);
    assert!(table.learn(key(HOP), MAC, secs(200)));
    // Nobody sends to it, and it is kept up.
    assert_eq!(maintain(&table, secs(300)), [MAC]);
    assert!(table.learn(key(HOP), MAC, secs(300)));
    // The next configuration has another router.
    table.keep_routers(&[key([10, 0, 0, 9])], secs(301));
    assert_eq!(maintain(&table, secs(301)), [Mac::BROADCAST]);
    assert_eq!(table.mac(key(HOP)), Some(MAC));
    maintain(&table, secs(400));
    assert_eq!(table.mac(key(HOP)), None);
}

#[test]
fn a_stale_address_is_used_while_it_is_asked_after() {
    let table = table();
    let mut asked = Vec::new();
    for at in 1..36 {
        assert_eq!(
            table.resolve(key(HOP), &NONE, secs(at)),
            NextHop::Known(MAC)
        );
        asked.extend(maintain(&table, secs(at)).into_iter().map(|dst| (at, dst)));
    }
    let polls = [(30, MAC), (31, MAC), (32, MAC)];
    let all = [33, 34, 35].map(|at| (at, Mac::BROADCAST));
    assert_eq!(asked, [polls, all].concat());
    // Six polls unanswered: it is not where it was.
    assert_eq!(maintain(&table, secs(36)), [Mac::BROADCAST]);
    assert_eq!(table.resolve(key(HOP), &NONE, secs(36)), NextHop::Asked);
    assert_eq!(table.incomplete.load(Relaxed), 1);
}

#[test]
fn an_answer_to_a_poll_makes_it_reachable_again() {
    let table = table();
    let _ = table.resolve(key(HOP), &NONE, secs(29));
    assert_eq!(maintain(&table, secs(31)), [MAC]);
    assert!(table.learn(key(HOP), MAC, secs(31)));
    let _ = table.resolve(key(HOP), &NONE, secs(50));
    assert_eq!(maintain(&table, secs(60)), []);
    assert_eq!(maintain(&table, secs(61)), [MAC]);
}

#[test]
fn who_is_not_used_is_forgotten_without_a_poll() {
    let table = table();
    assert_eq!(maintain(&table, secs(29)), []);
    for at in 60..70 {
        assert_eq!(maintain(&table, secs(at)), []);
    }
    assert_eq!(table.mac(key(HOP)), None);
    assert_eq!(table.resolve(key(HOP), &NONE, secs(70)), NextHop::Ask);
}

#[test]
fn a_new_hardware_address_takes_the_place_of_the_old_one_at_once() {
    let table = table();
    let other = Mac([2, 0, 0, 0, 0, 3]);
    assert!(table.learn(key(HOP), other, secs(5)));
    assert_eq!(
        table.resolve(key(HOP), &NONE, secs(5)),
        NextHop::Known(other)
    );
}

#[test]
fn a_flood_of_hops_that_do_not_answer_takes_a_quarter_and_no_known_one() {
    let table = table();
    let hops = (0..10_000u32).map(|n| key(Ipv4Addr::from_bits(0x0b00_0000 + n)));
    let asked = hops
        .filter(|&hop| table.resolve(hop, &NONE, secs(1)) == NextHop::Ask)
        .count();
    assert_eq!(asked, 16);
    assert_eq!(table.mac(key(HOP)), Some(MAC));
    // A router of a new configuration has a place all the same.
    table.keep_routers(&[key([10, 0, 0, 1])], secs(2));
    assert!(table.learn(key([10, 0, 0, 1]), MAC, secs(2)));
    for at in 2..12 {
        maintain(&table, secs(at));
    }
    assert_eq!(
        table.resolve(key([10, 0, 0, 3]), &NONE, secs(12)),
        NextHop::Ask
    );
}

#[test]
fn a_request_has_the_ethertypes_that_the_link_was_seen_with() {
    let hop = Key::new(0, (100, 7), HOP);
    let seen = Tags {
        outer: Some(Tag {
            tpid: ethertype::QINQ_OLD,
            tci: 0xe064,
        }),
        inner: Some(Tag {
            tpid: ethertype::VLAN,
            tci: 7,
        }),
    };
    let table = Neighbors::new(64, 7);
    table.keep_routers(&[hop], secs(0));
    let request = |now| {
        (0..table.places())
            .find_map(|at| table.maintain(at, now))
            .unwrap()
    };
    assert_eq!(request(secs(0)).tags, hop.usual_tags());
    let _ = table.resolve(hop, &seen, secs(1));
    let tags = request(secs(2)).tags;
    assert_eq!(
        tags.outer,
        Some(Tag {
            tpid: ethertype::QINQ_OLD,
            tci: 100
        })
    );
    assert_eq!(tags.inner, seen.inner);
}

proptest! {
    /// Against a plain map, whatever the order: known are those asked for and learnt, with the
    /// address learnt last.
    #[test]
    fn agrees_with_a_map(
        steps in prop::collection::vec((0u8..3, 0u8..20, 1u8..4), 0..200),
        seed: u64,
    ) {
        let table = Neighbors::new(256, seed);
        let mut map = std::collections::HashMap::new();
        for (step, hop, mac) in steps {
            let (hop, mac) = (key([10, 0, 0, hop]), Mac([2, 0, 0, 0, 0, mac]));
            match step {
                0 => {
                    let known = map.entry(hop).or_insert(None);
                    let found = table.resolve(hop, &NONE, secs(0));
                    prop_assert_eq!(matches!(found, NextHop::Known(_)), known.is_some());
                }
                1 => {
                    let wanted = map.get_mut(&hop);
                    prop_assert_eq!(table.learn(hop, mac, secs(0)), wanted.is_some());
                    if let Some(known) = wanted {
                        *known = Some(mac);
                    }
                }
                _ => prop_assert_eq!(table.mac(hop), map.get(&hop).copied().flatten()),
            }
        }
    }
}

/// A worker read the station of one key, slept, and goes on when the place is another key's.
#[test]
fn what_is_learnt_for_the_key_before_is_not_written_to_the_key_after() {
    let table = Neighbors::new(64, 7);
    let _ = table.resolve(key(HOP), &NONE, secs(0));
    let (at, entry) = table.find(key(HOP)).unwrap();
    let read = table.station(at, entry, key(HOP)).unwrap();
    for second in 1..10 {
        maintain(&table, secs(second));
    }
    let others = (0..=255).map(|last| key([10, 0, 9, last]));
    let mut here = others.filter(|&other| table.window(other).next() == Some(at));
    let other = here.next().unwrap();
    assert_eq!(table.resolve(other, &NONE, secs(20)), NextHop::Ask);
    assert_eq!(table.find(other).map(|(place, _)| place), Some(at));
    let late = entry
        .station
        .compare_exchange(read.0, read.with(MAC).0, AcqRel, Relaxed);
    assert!(late.is_err());
    assert_eq!(table.mac(other), None);
}

/// Places change their keys all the time while others read and learn: an address of one key is
/// never seen under another.
#[test]
fn workers_never_see_the_address_of_another_hop() {
    let mac_of = |hop: u32| {
        let [a, b, c, d] = hop.to_be_bytes();
        Mac([2, 1, a, b, c, d])
    };
    let table = Neighbors::new(64, 99);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for worker in 0..3u32 {
            let (table, done) = (&table, &done);
            scope.spawn(move || {
                let mut hop = worker;
                while !done.load(Relaxed) {
                    hop = hop.wrapping_mul(1_103_515_245).wrapping_add(12_345);
                    let number = hop >> 16 & 0x3f;
                    let key = key(Ipv4Addr::from_bits(0x0a00_0000 | number));
                    match table.resolve(key, &NONE, secs(0)) {
                        NextHop::Known(mac) => assert_eq!(mac, mac_of(number)),
                        NextHop::Ask | NextHop::Asked => {
                            table.learn(key, mac_of(number), secs(0));
                        }
                        NextHop::Full => {}
                    }
                }
            });
        }
        // Everything is out of date at once, so that each round empties the table.
        for round in 1..2000 {
            maintain(&table, secs(round * 1000));
        }
        done.store(true, Relaxed);
    });
    let live = table
        .keys
        .iter()
        .zip(&table.entries)
        .filter(|(key, entry)| {
            !matches!(key.load(Relaxed), EMPTY | GONE | CLOSED)
                && Station(entry.station.load(Relaxed)).mac().is_none()
        });
    assert_eq!(table.incomplete.load(Relaxed), live.count());
}
