use super::inquest::Heard;
use super::*;
use crate::dataplane::counters::DropReason;
use dhcp_proto::identity::{Identity, Kind};
use dhcp_proto::rule::Rule;
use dhcp_proto::server::Silence;
use std::net::Ipv4Addr;

const KEY: HashKey = HashKey([9; 16]);

fn of(places: usize) -> (Trace, Inquest) {
    trace(Vec::leak(vec![Entry::EMPTY; places]))
}

fn entry(n: u32) -> Entry {
    let [.., a, b] = n.to_be_bytes();
    let mut chaddr = [0; 16];
    chaddr[..6].copy_from_slice(&[2, 0, 0, 0, a, b]);
    Entry {
        at: Instant(n.into()),
        xid: n,
        chaddr,
        hlen: 6,
        addr: Ipv4Addr::from_bits(n % 3),
        what: What::Silence(Silence::NoAddress),
        ..Entry::EMPTY
    }
}

fn xids(heard: &[Entry]) -> Vec<u32> {
    heard.iter().map(|entry| entry.xid).collect()
}

/// What is told of a question, and in how many turns.
fn ask((trace, inquest): &mut (Trace, Inquest), about: &About, most: usize) -> (Vec<Entry>, usize) {
    assert!(inquest.put(about, most));
    let mut heard = Vec::new();
    for turn in 1.. {
        trace.attend(&KEY);
        while let Some(told) = inquest.take() {
            match told {
                Heard::Entry(entry) => heard.push(entry),
                Heard::End => return (heard, turn),
            }
        }
        assert!(turn < 10_000, "there is no end");
    }
    unreachable!()
}

fn address(n: u32) -> About {
    About::Address(Ipv4Addr::from_bits(n))
}

#[test]
fn the_last_decisions_are_told_the_newest_first() {
    let mut desk = of(10);
    assert_eq!(ask(&mut desk, &address(1), 9).0, [], "nothing was noted");
    for n in 0..4 {
        desk.0.note(entry(n));
    }
    assert_eq!(xids(&ask(&mut desk, &address(0), 9).0), [3, 0]);
    for n in 4..25 {
        desk.0.note(entry(n));
    }
    assert_eq!(xids(&ask(&mut desk, &address(0), 9).0), [24, 21, 18, 15]);
    assert_eq!(xids(&ask(&mut desk, &address(0), 2).0), [24, 21]);
    assert_eq!(ask(&mut desk, &address(7), 9).0, []);
}

#[test]
fn a_client_is_known_by_hardware_address_or_identity() {
    let mut desk = of(10);
    let identity = Identity::new(Kind::ClientId, &[b"modem"]).unwrap();
    for n in 0..3 {
        let client = KEY.hash(identity.as_slice());
        let client = if n == 1 { client } else { 0 };
        desk.0.note(Entry { client, ..entry(n) });
    }
    let mut who = |chaddr: Option<[u8; 6]>, identity| {
        let chaddr = chaddr.map(|octets| {
            let mut chaddr = [0; 16];
            chaddr[..6].copy_from_slice(&octets);
            (chaddr, 6)
        });
        let about = About::Client { chaddr, identity };
        xids(&ask(&mut desk, &about, 9).0)
    };
    assert_eq!(who(Some([2, 0, 0, 0, 0, 2]), None), [2]);
    assert_eq!(who(None, Some(identity)), [1]);
    assert_eq!(who(Some([2, 0, 0, 0, 0, 2]), Some(identity)), [2, 1]);
    assert!(who(Some([2, 0, 0, 0, 9, 9]), None).is_empty());
    assert!(who(None, None).is_empty());
}

#[test]
fn one_turn_looks_at_so_many_entries_and_no_more() {
    let places = 5 * WALKED_A_TURN;
    let mut desk = of(places);
    for n in 0..u32::try_from(places).unwrap() {
        desk.0.note(entry(n));
    }
    // The last turn finds that there is no more.
    let (none, turns) = ask(&mut desk, &address(7), 9);
    assert_eq!((none.len(), turns), (0, 6));
    // Where control does not listen nothing is lost.
    let (all, turns) = ask(&mut desk, &address(0), MOST);
    assert_eq!(all.len(), MOST);
    assert!(turns > 10, "{turns}");
    assert!(all.windows(2).all(|pair| pair[0].xid > pair[1].xid));
}

#[test]
fn a_walk_ends_where_newer_entries_have_taken_the_place_of_older_ones() {
    let (mut trace, mut inquest) = of(2 * WALKED_A_TURN);
    let noted = u32::try_from(2 * WALKED_A_TURN).unwrap();
    for n in 0..noted {
        trace.note(entry(n));
    }
    assert!(inquest.put(&address(7), 9));
    trace.attend(&KEY);
    // What is left of the walk is gone, so that there is nothing more to tell.
    for n in 0..noted {
        let addr = Ipv4Addr::from_bits(7);
        trace.note(Entry { addr, ..entry(n) });
    }
    trace.attend(&KEY);
    assert!(matches!(inquest.take(), Some(Heard::End)));
}

#[test]
fn a_newer_question_takes_the_place_of_one_that_nobody_waits_for() {
    let mut desk = of(100);
    for n in 0..100 {
        desk.0.note(entry(n));
    }
    assert!(desk.1.put(&address(1), 50));
    desk.0.attend(&KEY);
    let (heard, _) = ask(&mut desk, &address(0), 3);
    assert_eq!(xids(&heard), [99, 96, 93]);
}

#[test]
fn the_fate_of_a_reply_is_noted_with_its_decision_as_long_as_that_is_there() {
    let mut desk = of(4);
    let ack = Entry {
        what: What::Ack(Rule::Extended),
        ..entry(3)
    };
    let ticket = desk.0.note(ack);
    desk.0.settle(ticket, Fate::Durable, Instant(3 + 250));
    let (heard, _) = ask(&mut desk, &address(0), 1);
    assert_eq!((heard[0].fate, heard[0].waited), (Fate::Durable, 250));
    let dropped = Fate::Dropped(DropReason::AckTimeout);
    desk.0.settle(ticket, dropped, Instant(100_000));
    let (heard, _) = ask(&mut desk, &address(0), 1);
    assert_eq!((heard[0].fate, heard[0].waited), (dropped, u16::MAX));
    for n in 4..8 {
        desk.0.note(entry(n));
    }
    desk.0.settle(ticket, Fate::Durable, Instant(9));
    for n in 0..3 {
        let (heard, _) = ask(&mut desk, &address(n), 9);
        assert!(heard.iter().all(|entry| entry.fate == Fate::Done));
    }
}

#[test]
fn without_places_nothing_is_noted() {
    let (trace, inquest) = trace(&mut []);
    assert!(!trace.is_on());
    let mut desk = (trace, inquest);
    let ticket = desk.0.note(entry(1));
    desk.0.settle(ticket, Fate::Durable, Instant(9));
    assert_eq!(ask(&mut desk, &address(1), 9).0, []);
}
