//! Frames that are none, and frames that are merely dirty.

use crate::frames::{Client, client};
use crate::rig::Rig;
use dhcp_wire::dhcp::MessageType;
use dhcp_wire::udp::Fill;
use lessor::dataplane::counters::Group;
use proptest::prelude::*;

const PAYLOAD: usize = 14 + 20 + 8;

fn discover() -> Client {
    client(1).discover()
}

/// The counter that one frame moves; it is exactly one, and nothing is sent.
#[track_caller]
fn fault(frame: &[u8]) -> (Group, &'static str) {
    let mut rig = Rig::new();
    rig.give(frame);
    assert!(rig.wire.take_sent().is_empty(), "answered");
    let counted = rig.counted();
    let ends = [Group::Malformed, Group::Drops, Group::Silences];
    let moved: Vec<_> = counted
        .rows()
        .iter()
        .filter(|row| ends.contains(&row.group) && row.count > 0)
        .collect();
    assert_eq!(moved.len(), 1, "{moved:?}");
    assert_eq!(moved[0].count, 1);
    (moved[0].group, moved[0].name)
}

/// A fault of the octets, as against one of their meaning.
#[track_caller]
fn malformed(frame: &[u8]) -> &'static str {
    let (group, name) = fault(frame);
    assert_eq!(group, Group::Malformed, "{name}");
    name
}

/// The frame of a DISCOVER whose payload was changed.
fn changed(change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut payload = discover().payload();
    change(&mut payload);
    discover().frame_of(&payload)
}

#[test]
fn c194_a_frame_cut_at_any_octet_is_counted_and_not_answered() {
    let frame = discover().frame();
    for len in 0..frame.len() {
        fault(&frame[..len]);
    }
}

#[test]
fn c194_a_payload_cut_at_any_octet_is_counted_or_served() {
    let payload = discover().payload();
    // Cut behind option 53 it is a whole message without END (C167).
    for len in 0..payload.len() - 1 {
        malformed(&discover().frame_of(&payload[..len]));
    }
}

#[test]
fn c194_each_fault_has_its_own_reason() {
    let reasons = [
        malformed(&changed(|p| p[0] = 2)),
        malformed(&changed(|p| p[236] = 98)),
        malformed(&changed(|p| p[2] = 17)),
        malformed(&changed(|p| p[241] = 200)),
        malformed(&changed(|p| p[240] = 12)),
        malformed(&changed(|p| {
            p.truncate(243);
            p.extend_from_slice(&[53, 1, 1, 255]);
        })),
        malformed(&changed(|p| {
            p.truncate(240);
            p.extend_from_slice(&[53, 2, 1, 1, 255]);
        })),
        malformed(&changed(|p| p[242] = 2)),
        malformed(&changed(|p| p[242] = 0)),
    ];
    let mut unlike = reasons.to_vec();
    unlike.sort_unstable();
    unlike.dedup();
    assert_eq!(unlike.len(), reasons.len(), "{reasons:?}");
}

#[test]
fn c194_hlen_17_to_255_is_refused() {
    for hlen in 17..=255 {
        malformed(&changed(|p| p[2] = hlen));
    }
}

#[test]
fn c194_wrong_lengths_and_checksums_are_refused() {
    let frame = discover().frame();
    let with = |at: usize, octet: u8| {
        let mut frame = frame.clone();
        frame[at] = octet;
        frame
    };
    let mut names = vec![
        malformed(&with(14 + 10, frame[24] ^ 1)),
        malformed(&with(14 + 20 + 6, frame[40] ^ 1)),
        malformed(&with(14 + 20 + 4, 0xff)),
        malformed(&with(14, 0x65)),
    ];
    // A fragment, its header checksum put right.
    let mut fragment = frame.clone();
    fragment[14 + 6] = 0x20;
    let sum = dhcp_wire::checksum::update(
        u16::from_be_bytes([frame[24], frame[25]]),
        u16::from_be_bytes([frame[20], frame[21]]),
        u16::from_be_bytes([0x20, frame[21]]),
    );
    fragment[24..26].copy_from_slice(&sum.to_be_bytes());
    names.push(malformed(&fragment));
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 5, "{names:?}");
}

#[track_caller]
fn served(frame: &[u8]) {
    let mut rig = Rig::new();
    rig.give(frame);
    assert_eq!(rig.reply().kind, MessageType::Offer);
}

#[test]
fn c167_a_udp_checksum_of_zero_is_served() {
    let mut query = discover();
    query.checksum = Fill::Zero;
    served(&query.frame());
}

#[test]
fn c167_a_message_of_243_octets_is_served() {
    served(&changed(|p| p.truncate(243)));
}

#[test]
fn c167_empty_and_misshapen_options_pads_and_rubbish_behind_end_are_served() {
    served(&changed(|p| {
        p.truncate(243);
        p.extend_from_slice(&[
            0, 0, 50, 0, 51, 2, 1, 1, 54, 1, 9, 55, 0, 57, 1, 5, 61, 0, 255,
        ]);
        p.extend_from_slice(&[7; 60]);
    }));
}

#[test]
fn c167_ethernet_padding_behind_the_packet_is_ignored() {
    let mut frame = discover().frame();
    frame.resize(frame.len() + 18, 0xaa);
    served(&frame);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_packet_is_sent_or_counted(
        frames in prop::collection::vec(
            (0usize..400, any::<u8>(), 0usize..400, 0u8..4),
            1..40,
        )
    ) {
        let mut rig = Rig::new();
        for (at, octet, cut, kind) in frames {
            let mut frame = match kind {
                0 => discover().frame(),
                1 => client(2).request(std::net::Ipv4Addr::new(10, 0, 0, 10)).frame(),
                2 => client(3).renew(std::net::Ipv4Addr::new(10, 0, 0, 11)).frame(),
                _ => client(4).release(std::net::Ipv4Addr::new(10, 0, 0, 12)).frame(),
            };
            if let Some(place) = frame.get_mut(at) {
                *place = octet;
            }
            if cut < PAYLOAD {
                frame.truncate(cut);
            }
            rig.give(&frame);
        }
        rig.commit();
        rig.pass(3000);
        let received = rig.count(Group::Events, "received");
        let sent = rig.count(Group::Events, "sent");
        let asked = rig.count(Group::Events, "arp_asked");
        let ends = rig.sum(Group::Malformed) + rig.sum(Group::Drops) + rig.sum(Group::Silences);
        prop_assert_eq!(received, sent - asked + ends);
        prop_assert_eq!(rig.wire.held(), 0, "a packet is leaked");
    }
}
