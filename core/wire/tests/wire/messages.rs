//! The fixed part of messages.

use std::net::Ipv4Addr;

use dhcp_wire::Malformed;
use dhcp_wire::dhcp::{Header, Message, MessageType, Writer, op};
use proptest::prelude::*;

use crate::corpus::{DISCOVER, Raw};

#[test]
fn a_message_cut_at_any_octet_is_refused_or_lacks_only_whole_options() {
    let octets = Raw::with_options(DISCOVER).0;
    // Behind each option, where the field may end without END.
    let whole = [243, 252, 258, 262, 263];
    for cut in 0..=octets.len() {
        let message_type = Message::parse_request(&octets[..cut])
            .and_then(Message::options)
            .and_then(|options| options.message_type());
        let expected = match cut {
            0..240 => Err(Malformed::MessageTruncated),
            240 => Err(Malformed::MessageTypeAbsent),
            _ if whole.contains(&cut) => Ok(MessageType::Discover),
            _ => Err(Malformed::OptionOverrun),
        };
        assert_eq!(message_type, expected, "cut at {cut}");
    }
}

#[test]
fn c194_hlen_above_sixteen_is_refused() {
    for hlen in 0..=255 {
        let octets = Raw::with_options(DISCOVER).with(2, &[hlen]).0;
        match Message::parse(&octets) {
            Ok(message) => assert_eq!(message.chaddr().len(), usize::from(hlen)),
            Err(reason) => {
                assert_eq!(reason, Malformed::HardwareLength);
                assert!(hlen > 16);
            }
        }
    }
}

#[test]
fn c155_the_hardware_address_is_as_long_as_hlen_says() {
    let chaddr = *b"0123456789abcdef";
    for hlen in [0, 1, 6, 8, 16] {
        let octets = Raw::with_options(DISCOVER)
            .with(28, &chaddr)
            .with(2, &[hlen])
            .0;
        let message = Message::parse(&octets).unwrap();
        assert_eq!(message.chaddr(), &chaddr[..usize::from(hlen)]);
        assert_eq!(message.chaddr_field(), &chaddr);
    }
}

#[test]
fn c013_without_the_cookie_it_is_not_dhcp() {
    for at in 236..240 {
        let octets = Raw::with_options(DISCOVER).with(at, &[0]).0;
        assert_eq!(Message::parse(&octets).err(), Some(Malformed::Cookie));
    }
}

#[test]
fn c014_a_message_of_243_octets_is_taken() {
    let octets = Raw::with_options(&[53, 1, 3]).0;
    assert_eq!(octets.len(), 243);
    let options = Message::parse_request(&octets).unwrap().options().unwrap();
    assert_eq!(options.message_type(), Ok(MessageType::Request));
}

#[test]
fn a_reply_is_a_message_but_no_request() {
    let octets = Raw::with_options(&[53, 1, 2, 255]).with(0, &[2]).0;
    let message = Message::parse(&octets).unwrap();
    assert_eq!(message.op(), op::REPLY);
    assert_eq!(
        Message::parse_request(&octets).err(),
        Some(Malformed::NotARequest)
    );
    let options = message.options().unwrap();
    assert_eq!(options.any_message_type(), Ok(MessageType::Offer));
    assert_eq!(
        options.message_type(),
        Err(Malformed::MessageTypeServerOnly)
    );
}

#[test]
fn c082_message_types_are_those_that_clients_send_over_udp() {
    for octet in 0..=255 {
        let octets = Raw::with_options(&[53, 1, octet, 255]).0;
        let options = Message::parse(&octets).unwrap().options().unwrap();
        let expected = match octet {
            1 => Ok(MessageType::Discover),
            3 => Ok(MessageType::Request),
            4 => Ok(MessageType::Decline),
            7 => Ok(MessageType::Release),
            8 => Ok(MessageType::Inform),
            10 => Ok(MessageType::LeaseQuery),
            2 | 5 | 6 | 9 | 11..=13 => Err(Malformed::MessageTypeServerOnly),
            14..=18 => Err(Malformed::MessageTypeNotOverUdp),
            0 | 19.. => Err(Malformed::MessageTypeUnknown),
        };
        assert_eq!(options.message_type(), expected, "{octet}");
        if let Ok(message_type) = options.any_message_type() {
            assert_eq!(message_type as u8, octet);
        }
    }
}

#[test]
fn c012_c017_a_reply_echoes_what_table_3_says() {
    let octets = Raw::with_options(DISCOVER)
        .with(3, &[5])
        .with(8, &[0, 9, 0x80, 0x01])
        .with(12, &[10, 0, 0, 9, 10, 0, 0, 8, 10, 0, 0, 7, 192, 0, 2, 1])
        .with(28, b"0123456789abcdef")
        .0;
    let query = Message::parse(&octets).unwrap();
    assert!(query.broadcast());
    let header = Header::reply_to(query);
    assert_eq!(
        (header.op, header.htype, header.hlen, header.hops),
        (op::REPLY, 1, 6, 0)
    );
    assert_eq!(
        (header.xid, header.secs, header.flags),
        (0x1234_5678, 0, 0x8001)
    );
    assert_eq!(header.giaddr, Ipv4Addr::new(192, 0, 2, 1));
    assert_eq!(&header.chaddr, b"0123456789abcdef");
    let none = Ipv4Addr::UNSPECIFIED;
    assert_eq!(
        (header.ciaddr, header.yiaddr, header.siaddr),
        (none, none, none)
    );
}

fn any_header() -> impl Strategy<Value = Header> {
    let octets = (1u8..=2, any::<u8>(), 0u8..=16, any::<u8>());
    let addrs = any::<[u32; 4]>();
    (octets, any::<(u32, u16, u16)>(), addrs, any::<[u8; 16]>()).prop_map(
        |((op, htype, hlen, hops), (xid, secs, flags), addrs, chaddr)| {
            let [ciaddr, yiaddr, siaddr, giaddr] = addrs.map(Ipv4Addr::from);
            Header {
                op,
                htype,
                hlen,
                hops,
                xid,
                secs,
                flags,
                ciaddr,
                yiaddr,
                siaddr,
                giaddr,
                chaddr,
            }
        },
    )
}

proptest! {
    #[test]
    fn what_is_written_is_parsed(header in any_header(), names in any::<([u8; 63], [u8; 127])>()) {
        let mut buf = [0xa5; 600];
        let mut writer = Writer::new(&mut buf, 600, &header).unwrap();
        prop_assert!(writer.sname(&names.0) && writer.file(&names.1));
        let len = writer.finish(&[]).len;
        let message = Message::parse(&buf[..len]).unwrap();
        let parsed = Header {
            op: message.op(),
            htype: message.htype(),
            hlen: message.hlen(),
            hops: message.hops(),
            xid: message.xid(),
            secs: message.secs(),
            flags: message.flags(),
            ciaddr: message.ciaddr(),
            yiaddr: message.yiaddr(),
            siaddr: message.siaddr(),
            giaddr: message.giaddr(),
            chaddr: *message.chaddr_field(),
        };
        prop_assert_eq!(parsed, header);
        prop_assert_eq!(message.sname().split_last(), Some((&0, names.0.as_slice())));
        prop_assert_eq!(message.file().split_last(), Some((&0, names.1.as_slice())));
    }
}
