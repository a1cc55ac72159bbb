//! No octets end a worker.

use dhcp_wire::arp::Arp;
use dhcp_wire::dhcp::agent::SubOptions;
use dhcp_wire::dhcp::{Header, Message, Options, Writer};
use dhcp_wire::ethernet::{Ethernet, Mac, Tag};
use dhcp_wire::frame::{self, Offloads};
use dhcp_wire::icmp::Icmp;
use dhcp_wire::ipv4::Ipv4;
use dhcp_wire::udp::Udp;
use dhcp_wire::{Checksum, frame::Frame};
use proptest::prelude::*;

use crate::corpus::{self, DISCOVER, Raw};

/// Asks for everything that can be asked for.
fn use_options(options: &Options<'_>) {
    let _ = (
        options.message_type(),
        options.any_message_type(),
        options.faults(),
    );
    for code in 0..=255 {
        let raw: usize = options.instances(code).map(<[u8]>::len).sum();
        let value = options.get(code);
        assert_eq!(value.is_some(), raw > 0);
        let Some(value) = value else { continue };
        let octets: Vec<u8> = value.octets().collect();
        assert_eq!(value, octets.as_slice());
        assert_eq!(
            (value.len(), value.is_empty()),
            (octets.len(), octets.is_empty())
        );
        assert_eq!(raw, value.len() + 2 * value.fragments().count());
        let mut copy = vec![0; octets.len()];
        assert_eq!(value.copy_to(&mut copy), Some(octets.len()));
        assert_eq!(copy, octets);
        assert_eq!(value.array::<4>().is_some(), octets.len() == 4);
        let sub_options = SubOptions::new(&octets);
        assert!(
            sub_options
                .clone()
                .map(|(_, data)| 2 + data.len())
                .sum::<usize>()
                <= octets.len()
        );
    }
    assert_eq!(
        options.prl().count(),
        options.get(55).map_or(0, |list| list.len())
    );
}

fn use_message(octets: &[u8]) {
    let Ok(message) = Message::parse(octets) else {
        return;
    };
    assert!(message.chaddr().len() <= 16);
    let addr = Some(message.giaddr()).filter(|addr| !addr.is_unspecified());
    assert_eq!(Message::glance(octets), addr.or(Some(message.ciaddr())));
    if let Ok(options) = message.options() {
        use_options(&options);
    }
    let mut buf = [0; 400];
    let mut writer = Writer::new(&mut buf, 400, &Header::reply_to(message)).unwrap();
    let _ = writer.option(12, octets);
    let finished = writer.finish(octets);
    assert!(
        Message::parse(&buf[..finished.len])
            .unwrap()
            .options()
            .is_ok()
    );
}

fn use_frame(octets: &[u8]) {
    let stripped = Some(Tag {
        tpid: 0x88a8,
        tci: 5,
    });
    for (stripped, checksum) in [(None, Checksum::Verify), (stripped, Checksum::Trusted)] {
        let offloads = Offloads {
            stripped,
            ip: checksum,
            udp: checksum,
        };
        let seen = frame::glance(octets);
        match frame::parse(octets, offloads) {
            Ok(Frame::Dhcp { payload, .. }) => {
                assert_eq!(seen, Message::glance(payload));
                use_message(payload);
            }
            Ok(Frame::OtherUdp { udp, .. }) => assert!(udp.payload().len() < octets.len()),
            Ok(Frame::Icmp { icmp, .. }) => assert!(icmp.data().len() < octets.len()),
            Ok(Frame::Arp { .. } | Frame::OtherIp { .. } | Frame::Other { .. }) | Err(_) => {}
        }
    }
    let mut echoed = octets.to_vec();
    let _ = frame::write_echo_reply(&mut echoed, Mac::default());
    assert_eq!(echoed.len(), octets.len());
}

fn any_octets(len: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..len)
}

/// Octets of which most are small numbers, so that options and PAD and END abound.
fn option_like(len: usize) -> impl Strategy<Value = Vec<u8>> {
    let octet = prop_oneof![4 => 0u8..8, 1 => Just(255), 1 => Just(52), 1 => any::<u8>()];
    prop::collection::vec(octet, 0..len)
}

proptest! {
    #[test]
    fn no_octets_are_too_odd_for_a_view(octets in any_octets(200)) {
        use_frame(&octets);
        use_message(&octets);
        let _ = (Ethernet::parse(&octets), Arp::parse(&octets));
        let _ = Icmp::parse(&octets, Checksum::Trusted);
        if let Ok(ip) = Ipv4::parse(&octets, Checksum::Trusted) {
            let _ = Udp::parse(&ip, Checksum::Verify);
        }
    }

    #[test]
    fn no_options_are_too_odd(
        options in option_like(300),
        file in option_like(129),
        sname in option_like(65),
        overload in 0u8..5,
    ) {
        let mut all = vec![52, 1, overload];
        all.extend_from_slice(&options);
        let message = Raw::with_options(&all).with_file(&file).with_sname(&sname);
        use_message(&message.0);
    }

    #[test]
    fn no_damage_to_a_good_frame_is_too_odd(
        which in 0usize..8,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let (_, mut octets) = corpus::good().swap_remove(which);
        for (at, octet) in damage {
            let at = at.index(octets.len());
            octets[at] = octet;
        }
        use_frame(&octets);
        octets.truncate(cut.index(octets.len()));
        use_frame(&octets);
    }

    #[test]
    fn no_damage_to_a_good_message_is_too_odd(
        damage in prop::collection::vec((0usize..300, any::<u8>()), 1..6),
    ) {
        let mut octets = Raw::with_options(DISCOVER).0;
        octets.resize(300, 0);
        for (at, octet) in damage {
            octets[at] = octet;
        }
        use_message(&octets);
    }
}

#[test]
fn no_frame_of_the_corpus_is_too_odd() {
    let dirty = corpus::dirty()
        .into_iter()
        .map(|(_, message)| corpus::dhcp(&[], &message));
    let malformed = corpus::malformed().into_iter().map(|(_, frame)| frame);
    dirty.chain(malformed).for_each(|frame| use_frame(&frame));
}
