//! Options in `file` and `sname`, read (RFC 2131 §4.1, RFC 2132 §9.3).

use dhcp_wire::Malformed;
use dhcp_wire::dhcp::{Message, Options, code};

use crate::corpus::Raw;

/// A message with option 12 in each field, and 52 as given.
fn message(overload: &[u8]) -> Raw {
    let mut options = b"\x35\x01\x01\x0c\x01o".to_vec();
    options.extend_from_slice(overload);
    options.push(255);
    Raw::with_options(&options)
        .with_file(b"\x0c\x01f\xff")
        .with_sname(b"\x0c\x01s\xff")
}

fn host_name(message: &Raw) -> Vec<u8> {
    let options = options_of(message);
    options.get(code::HOST_NAME).unwrap().octets().collect()
}

fn options_of(message: &Raw) -> Options<'_> {
    Message::parse(&message.0).unwrap().options().unwrap()
}

#[test]
fn c008_options_are_read_in_the_order_options_file_sname() {
    assert_eq!(host_name(&message(b"")), b"o");
    assert_eq!(host_name(&message(b"\x34\x01\x01")), b"of");
    assert_eq!(host_name(&message(b"\x34\x01\x02")), b"os");
    assert_eq!(host_name(&message(b"\x34\x01\x03")), b"ofs");
}

#[test]
fn c081_another_overload_than_one_to_three_is_ignored_and_told() {
    for overload in [
        b"\x34\x01\x00".as_slice(),
        b"\x34\x01\x04",
        b"\x34\x01\xff",
        b"\x34\x00",
        b"\x34\x02\x01\x01",
        b"\x34\x01\x01\x34\x01\x01",
    ] {
        let message = message(overload);
        assert_eq!(host_name(&message), b"o", "{overload:02x?}");
        assert!(options_of(&message).faults().overload);
    }
    for overload in [
        b"".as_slice(),
        b"\x34\x01\x01",
        b"\x34\x01\x02",
        b"\x34\x01\x03",
    ] {
        assert!(!options_of(&message(overload)).faults().overload);
    }
}

#[test]
fn an_overload_inside_file_or_sname_adds_no_field() {
    let file = Raw::with_options(b"\x34\x01\x01\xff")
        .with_file(b"\x34\x01\x02\xff")
        .with_sname(b"\x0c\x01s\xff");
    assert!(!options_of(&file).contains(code::HOST_NAME));
    let sname = Raw::with_options(b"\x34\x01\x02\xff")
        .with_sname(b"\x34\x01\x01\xff")
        .with_file(b"\x0c\x01f\xff");
    assert!(!options_of(&sname).contains(code::HOST_NAME));
}

#[test]
fn c104_fragments_are_joined_over_all_fields() {
    let message = Raw::with_options(b"\x3d\x02ab\x34\x01\x03\x3d\x01c\xff")
        .with_file(b"\0\x3d\x01d\x0c\x01x\x3d\x01e\xff")
        .with_sname(b"\x3d\x02fg\xff");
    let options = options_of(&message);
    let value = options.get(code::CLIENT_ID).unwrap();
    assert_eq!(value, b"abcdefg".as_slice());
    assert_eq!(value.fragments().count(), 5);
    assert_eq!(options.instances(code::CLIENT_ID).count(), 5);
}

#[test]
fn an_option_that_stands_only_in_file_or_sname_is_found() {
    let message = Raw::with_options(b"\x34\x01\x03\xff")
        .with_file(b"\x35\x01\x01\xff")
        .with_sname(b"\x3d\x02\x01\x02\xff");
    let options = options_of(&message);
    assert!(options.message_type().is_ok());
    let raw = options.instances(code::CLIENT_ID).collect::<Vec<_>>();
    assert_eq!(raw, [b"\x3d\x02\x01\x02"]);
}

#[test]
fn c104_the_index_may_overflow_in_any_field() {
    for in_options in [28, 31, 32, 33] {
        let mut octets = b"\x34\x01\x03".to_vec();
        octets.extend((0..in_options).flat_map(|_| [200, 0]));
        octets.push(255);
        let message = Raw::with_options(&octets)
            .with_file(b"\x0c\x01f\x0c\x01g\xff")
            .with_sname(b"\x0c\x01s\xff");
        assert_eq!(host_name(&message), b"fgs", "{in_options}");
        assert_eq!(options_of(&message).instances(code::HOST_NAME).count(), 3);
    }
}

#[test]
fn an_overload_that_the_index_has_no_room_for_counts() {
    let mut octets: Vec<u8> = (0..40).flat_map(|_| [200, 0]).collect();
    octets.extend_from_slice(b"\x34\x01\x01\xff");
    let message = Raw::with_options(&octets).with_file(b"\x0c\x01f\xff");
    assert_eq!(host_name(&message), b"f");
}

#[test]
fn c167_a_field_without_end_ends_where_it_ends() {
    let mut file = [200, 125].to_vec();
    file.resize(127, 7);
    file.push(0);
    let message = Raw::with_options(b"\x34\x01\x03\xff")
        .with_file(&file)
        .with_sname(b"\x0c\x01s\xff");
    assert_eq!(host_name(&message), b"s");
    assert!(options_of(&message).faults().no_end);
}

#[test]
fn c194_an_option_that_overruns_file_or_sname_is_refused() {
    for (overload, at) in [(1, 108 + 128), (2, 44 + 64), (3, 108 + 128), (3, 44 + 64)] {
        for option in [b"\x0c".as_slice(), b"\x0c\x01", b"\x0c\x02x"] {
            let message =
                Raw::with_options(&[52, 1, overload, 255]).with(at - option.len(), option);
            let refused = Message::parse(&message.0).unwrap().options();
            assert_eq!(refused.err(), Some(Malformed::OptionOverrun));
            let unread = message.with(242, &[0]);
            assert!(Message::parse(&unread.0).unwrap().options().is_ok());
        }
    }
}
