//! Options read: joined, dirty, malformed, echoed.

use std::net::Ipv4Addr;

use dhcp_wire::Malformed;
use dhcp_wire::dhcp::agent::{self, SubOptions};
use dhcp_wire::dhcp::{Message, MessageType, Options, code};
use proptest::prelude::*;

use crate::corpus::Raw;

fn options_of(message: &Raw) -> Options<'_> {
    Message::parse(&message.0).unwrap().options().unwrap()
}

fn refusal(options: &[u8]) -> Option<Malformed> {
    let message = Raw::with_options(options);
    Message::parse(&message.0).unwrap().options().err()
}

fn joined(options: &Options<'_>, code: u8) -> Option<Vec<u8>> {
    options.get(code).map(|value| value.octets().collect())
}

#[test]
fn c076_pad_and_end_have_no_length() {
    let message = Raw::with_options(b"\0\0\x0c\x01x\0\x0f\x01y\0\xff\x0c\x01z");
    let options = options_of(&message);
    assert_eq!(joined(&options, code::HOST_NAME).unwrap(), b"x");
    assert_eq!(joined(&options, code::DOMAIN_NAME).unwrap(), b"y");
    assert_eq!(joined(&options, code::PAD), None);
    assert_eq!(joined(&options, code::END), None);
    assert_eq!(options.instances(code::PAD).count(), 0);
}

#[test]
fn c082_option_53_stands_once_with_one_octet() {
    for (octets, expected) in [
        (
            b"\x0c\x01x\xff".as_slice(),
            Err(Malformed::MessageTypeAbsent),
        ),
        (
            b"\x35\x01\x01\x35\x01\x01\xff",
            Err(Malformed::MessageTypeDoubled),
        ),
        (
            b"\x35\x01\x01\x0c\x01x\x35\x01\x03\xff",
            Err(Malformed::MessageTypeDoubled),
        ),
        (
            b"\x35\x00\x35\x01\x01\xff",
            Err(Malformed::MessageTypeDoubled),
        ),
        (b"\x35\x00\xff", Err(Malformed::MessageTypeLength)),
        (b"\x35\x02\x01\x01\xff", Err(Malformed::MessageTypeLength)),
        (b"\x35\x01\x01\xff\x35\x01\x01", Ok(MessageType::Discover)),
    ] {
        let message = Raw::with_options(octets);
        assert_eq!(
            options_of(&message).message_type(),
            expected,
            "{octets:02x?}"
        );
    }
}

#[test]
fn c104_fragments_are_joined_next_to_one_another_or_not() {
    let message = Raw::with_options(b"\x0c\x02ab\x0c\x02cd\x0f\x01y\x0c\0\x0c\x01e\xff");
    let options = options_of(&message);
    let value = options.get(code::HOST_NAME).unwrap();
    assert_eq!(value, b"abcde".as_slice());
    assert_eq!((value.len(), value.is_empty()), (5, false));
    let fragments: Vec<_> = value.fragments().collect();
    assert_eq!(fragments, [b"ab".as_slice(), b"cd", b"", b"e"]);
    let mut into = [0; 8];
    assert_eq!(value.copy_to(&mut into), Some(5));
    assert_eq!(&into, b"abcde\0\0\0");
    assert_eq!(value.copy_to(&mut into[..4]), None);
    assert_eq!(value.array(), Some(*b"abcde"));
}

#[test]
fn c106_a_fragment_is_never_a_value() {
    let message =
        Raw::with_options(b"\x32\x04\x0a\0\0\x09\x0f\x01y\x32\x01\x01\x3d\0\x3d\x01\x02\xff");
    let options = options_of(&message);
    assert_eq!(
        options.get(code::REQUESTED_ADDRESS).unwrap().contiguous(),
        None
    );
    assert_eq!(options.addr(code::REQUESTED_ADDRESS), None);
    assert_eq!(options.get(code::CLIENT_ID).unwrap().contiguous(), None);
}

#[test]
fn c107_a_split_may_fall_inside_an_address_or_a_sub_option() {
    let message =
        Raw::with_options(b"\x32\x03\x0a\0\0\x52\x03\x01\x04a\x32\x01\x09\x52\x03bcd\xff");
    let options = options_of(&message);
    assert_eq!(
        options.addr(code::REQUESTED_ADDRESS),
        Some(Ipv4Addr::new(10, 0, 0, 9))
    );
    let agent_info = joined(&options, code::AGENT_INFO).unwrap();
    assert_eq!(
        SubOptions::new(&agent_info).first(agent::CIRCUIT_ID),
        Some(b"abcd".as_slice())
    );
}

#[test]
fn c154_an_option_of_another_length_is_as_absent() {
    for len in 0..=9u8 {
        let mut octets = vec![50, len];
        octets.extend_from_slice(&[7; 9][..usize::from(len)]);
        let message = Raw::with_options(&octets);
        let options = options_of(&message);
        assert_eq!(options.u8(50), (len == 1).then_some(7));
        assert_eq!(options.u16(50), (len == 2).then_some(0x0707));
        assert_eq!(options.u32(50), (len == 4).then_some(0x0707_0707));
        assert_eq!(
            options.addr(50),
            (len == 4).then_some(Ipv4Addr::new(7, 7, 7, 7))
        );
        assert!(options.contains(50) && !options.contains(51));
    }
}

#[test]
fn c167_faults_that_harm_nobody_are_told() {
    for (octets, no_end, overload) in [
        (b"\x35\x01\x01\xff".as_slice(), false, false),
        (b"\x35\x01\x01", true, false),
        (b"\x35\x01\x01\0\0", true, false),
        (b"", true, false),
        (b"\x34\x01\x04\xff", false, true),
        (b"\x34\x01\x03\xff", true, false),
    ] {
        let message = Raw::with_options(octets);
        let faults = options_of(&message).faults();
        assert_eq!(
            (faults.no_end, faults.overload),
            (no_end, overload),
            "{octets:02x?}"
        );
    }
}

#[test]
fn c167_what_stands_behind_end_is_not_looked_at() {
    let message = Raw::with_options(b"\x35\x01\x01\xff\x3d\xff\x01\x35\x01\x03");
    let options = options_of(&message);
    assert_eq!(options.message_type(), Ok(MessageType::Discover));
    assert!(!options.contains(code::CLIENT_ID));
}

#[test]
fn c194_an_option_that_overruns_its_field_is_refused() {
    for octets in [
        b"\x35".as_slice(),
        b"\x35\x01",
        b"\x35\x01\x01\x3d\x07\x01\x02\0\0\0\0",
        b"\x35\x01\x01\x0c\xff",
        b"\xfe",
    ] {
        assert_eq!(
            refusal(octets),
            Some(Malformed::OptionOverrun),
            "{octets:02x?}"
        );
    }
}

#[test]
fn c084_the_prl_keeps_its_order_and_its_repetitions() {
    let message = Raw::with_options(b"\x37\x03\x01\x03\x01\x0c\x01x\x37\x02\xff\0\xff");
    let options = options_of(&message);
    assert_eq!(options.prl().collect::<Vec<_>>(), [1, 3, 1, 255, 0]);
    let none = Raw::with_options(b"\x35\x01\x01\xff");
    assert_eq!(options_of(&none).prl().count(), 0);
}

#[test]
fn c088_instances_of_option_82_come_byte_for_byte() {
    let instances = [
        b"\x52\x04\x01\x02ab".as_slice(),
        b"\x52\0",
        b"\x52\x03\x01\x09x",
        b"\x52\x06\x02\x01z\x02\x01z",
    ];
    for count in 0..=instances.len() {
        let mut octets = b"\x35\x01\x01".to_vec();
        for (i, instance) in instances[..count].iter().enumerate() {
            octets.extend_from_slice(instance);
            octets.extend_from_slice(&[200, 1, u8::try_from(i).unwrap(), 0]);
        }
        octets.push(255);
        let message = Raw::with_options(&octets);
        let options = options_of(&message);
        assert_eq!(
            options.instances(82).collect::<Vec<_>>(),
            &instances[..count]
        );
        let expected = instances[..count].concat();
        let mut copy = [0; 40];
        assert_eq!(options.copy_instances(82, &mut copy), Some(expected.len()));
        assert_eq!(copy[..expected.len()], expected);
        if count > 0 {
            assert_eq!(
                options.copy_instances(82, &mut copy[..expected.len() - 1]),
                None
            );
        }
    }
}

#[test]
fn c176_the_first_sub_option_counts_and_the_walk_ends_before_the_malformed_one() {
    let value = b"\x01\x02ab\x63\0\x02\0\0\x01p\xff\x01e\x01\x01c\x02\x05xyz";
    let sub_options = SubOptions::new(value);
    assert_eq!(sub_options.first(agent::CIRCUIT_ID), Some(b"ab".as_slice()));
    assert_eq!(sub_options.first(agent::REMOTE_ID), Some(b"".as_slice()));
    assert_eq!(sub_options.first(agent::RELAY_ID), None);
    assert_eq!(sub_options.first(0), Some(b"p".as_slice()));
    assert_eq!(sub_options.first(255), Some(b"e".as_slice()));
    assert_eq!(sub_options.clone().count(), 6);
    assert!(!sub_options.is_well_formed());
    assert!(SubOptions::new(&value[..17]).is_well_formed());
    assert!(!SubOptions::new(b"\x01").is_well_formed());
    assert!(SubOptions::new(b"").is_well_formed());
}

#[test]
fn more_options_than_the_index_holds_are_found() {
    for extra in [30, 31, 32, 33, 34, 100, 400] {
        let mut octets = b"\x0c\x01a".to_vec();
        octets.extend((0..extra).flat_map(|_| [200, 1, 7]));
        octets.extend_from_slice(b"\x35\x01\x01\x0c\x01b\x52\x03\x01\x01c\xff");
        let message = Raw::with_options(&octets);
        let options = options_of(&message);
        assert_eq!(options.message_type(), Ok(MessageType::Discover), "{extra}");
        assert_eq!(joined(&options, 12).unwrap(), b"ab");
        assert_eq!(joined(&options, 200).unwrap().len(), extra);
        assert_eq!(joined(&options, 61), None);
        let agent_info = options.get(82).unwrap();
        assert_eq!(agent_info.contiguous(), Some(b"\x01\x01c".as_slice()));
        assert_eq!(
            options.instances(82).collect::<Vec<_>>(),
            [b"\x52\x03\x01\x01c"]
        );
        assert_eq!(options.instances(12).count(), 2);
    }
}

proptest! {
    /// Any options in any order, with PAD between: what is asked for is the concatenation.
    #[test]
    fn c104_a_value_is_all_its_instances_in_order(
        instances in prop::collection::vec(
            (1u8..=8, prop::collection::vec(any::<u8>(), 0..12), 0usize..3),
            0..60,
        ),
        end in any::<bool>(),
    ) {
        let mut octets = Vec::new();
        for (code, data, pad) in &instances {
            octets.extend_from_slice(&[*code, u8::try_from(data.len()).unwrap()]);
            octets.extend_from_slice(data);
            octets.resize(octets.len() + pad, 0);
        }
        if end {
            octets.extend_from_slice(&[255, 1, 200]);
        }
        let message = Raw::with_options(&octets);
        let options = options_of(&message);
        for code in 0..=9u8 {
            let mine = || instances.iter().filter(|(found, ..)| *found == code);
            let expected = mine().map(|(_, data, _)| data.as_slice()).collect::<Vec<_>>();
            let value = options.get(code);
            prop_assert_eq!(value.is_some(), !expected.is_empty());
            if let Some(value) = value {
                prop_assert!(value == expected.concat().as_slice());
                prop_assert_eq!(value.fragments().collect::<Vec<_>>(), expected.clone());
                prop_assert_eq!(value.contiguous().is_some(), expected.len() == 1);
            }
            let raw = options.instances(code).map(|raw| &raw[2..]);
            prop_assert_eq!(raw.collect::<Vec<_>>(), expected);
        }
    }
}
