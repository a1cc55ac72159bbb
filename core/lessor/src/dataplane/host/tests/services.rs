//! Service addresses: ours by whatever link, and on the link where a prefix says so.

use super::*;

/// In no prefix of ours.
const AWAY: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 67);
/// In the prefix of the untagged link.
const ON_LINK: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 67);

fn rig() -> Rig {
    Rig::serving(vec![
        (Space(0), AWAY),
        (Space(0), ON_LINK),
        (Space(7), THEIRS),
    ])
}

#[test]
fn an_echo_to_a_service_address_is_answered_on_every_link_from_it() {
    let mut rig = rig();
    for addr in [AWAY, ON_LINK] {
        for tags in [UNTAGGED, vlan(100), qinq(200, 300)] {
            let sent = rig.exchange(echo_request(&[9; 40], tags, addr));
            assert_echo(&sent[0], &[9; 40], tags, addr);
        }
    }
    let other = Ipv4Addr::new(192, 0, 2, 68);
    assert_eq!(
        rig.reason(echo_request(&[], UNTAGGED, other)),
        "not_our_address"
    );
}

#[test]
fn arp_for_a_service_address_is_answered_where_it_is_on_link() {
    let mut rig = rig();
    let sent = rig.exchange(who_has(ON_LINK, UNTAGGED));
    let ours = Station {
        mac: OUR_MAC,
        addr: ON_LINK,
    };
    assert_eq!(
        read_arp(&sent[0]),
        (THEIR_MAC, OUR_MAC, UNTAGGED, Op::Reply, ours, THEIRS)
    );
    for frame in [who_has(ON_LINK, vlan(100)), who_has(AWAY, UNTAGGED)] {
        assert_eq!(rig.reason(frame), "arp_not_ours");
    }
}

#[test]
fn who_claims_a_service_address_on_its_link_is_contradicted() {
    let mut rig = rig();
    let sent = rig.exchange(is_at(ON_LINK, THEIR_MAC, UNTAGGED));
    let (dst, _, _, op, sender, target) = read_arp(&sent[0]);
    assert_eq!((dst, op), (Mac::BROADCAST, Op::Request));
    assert_eq!((sender.addr, target), (ON_LINK, ON_LINK));
    assert_eq!(rig.dropped(DropReason::AddressConflict), 1);
}

#[test]
fn service_addresses_are_announced_where_they_are_on_link() {
    let mut rig = rig();
    rig.host.announcer = Announcer::begin();
    let sent = rig.pass(1000);
    let announced: Vec<_> = sent
        .iter()
        .map(|frame| {
            let (_, _, tags, _, sender, target) = read_arp(frame);
            assert_eq!(sender.addr, target);
            (sender.addr, tags)
        })
        .collect();
    let expected = [
        (OURS, UNTAGGED),
        (ON_LINK, UNTAGGED),
        (ON_VLAN, vlan(100)),
        (ON_QINQ, qinq(200, 300)),
    ];
    assert_eq!(announced, expected);
}

#[test]
fn nothing_is_sent_to_a_service_address() {
    let mut rig = rig();
    assert_eq!(
        rig.reply(ON_LINK, UNTAGGED).unwrap_err(),
        DropReason::NoRoute
    );
    assert_eq!(rig.reply(AWAY, UNTAGGED).unwrap_err(), DropReason::NoRoute);
    rig.assert_no_leak();
}
