//! `dhcproto` as the oracle, and the places where it is none.

use dhcp_wire::dhcp::{Header, Message, Options, Writer, op};
use dhcproto::v4::{self, DhcpOption, OptionCode};
use dhcproto::{Decodable, Decoder, Encodable, Encoder};
use proptest::prelude::*;
use proptest::sample::select;

use crate::corpus::Raw;

type RawOption = (u8, Vec<u8>);

fn octets(len: impl Into<prop::collection::SizeRange>) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), len)
}

/// An option of a form that `dhcproto` takes for its code, of at most `long` octets.
fn typed(long: usize) -> impl Strategy<Value = RawOption> {
    let text = prop::collection::vec(b'a'..=b'z', 1..long);
    let addrs = octets(1..=long / 4).prop_flat_map(|list| octets(4 * list.len()));
    prop_oneof![
        (select(vec![1, 28, 50, 51, 54, 58, 59]), octets(4)),
        (select(vec![3, 6, 42]), addrs),
        (select(vec![26, 57]), octets(2)),
        (select(vec![12, 15, 56]), text),
        (select(vec![43, 55, 60, 61]), octets(1..long)),
        (200u8..=220, octets(0..255)),
        (Just(53), (1u8..=13).prop_map(|octet| vec![octet])),
    ]
}

/// Options with codes of their own.
fn typed_options(long: usize) -> impl Strategy<Value = Vec<RawOption>> {
    prop::collection::vec(typed(long), 0..14).prop_map(|mut options| {
        let mut codes = Vec::new();
        options.retain(|(code, _)| {
            !codes.contains(code) && {
                codes.push(*code);
                true
            }
        });
        options
    })
}

fn decode(octets: &[u8]) -> v4::Message {
    v4::Message::decode(&mut Decoder::new(octets)).unwrap()
}

fn encode(value: &impl Encodable) -> Vec<u8> {
    let mut octets = Vec::new();
    value.encode(&mut Encoder::new(&mut octets)).unwrap();
    octets
}

/// The data of an encoded option, its fragments joined.
fn data(option: &DhcpOption) -> Vec<u8> {
    let encoded = encode(option);
    let mut rest = encoded.as_slice();
    let mut data = Vec::new();
    while let [_, len, behind @ ..] = rest {
        let (fragment, behind) = behind.split_at(usize::from(*len));
        data.extend_from_slice(fragment);
        rest = behind;
    }
    data
}

fn agree(options: &Options<'_>, oracle: &v4::Message) {
    for code in 1..=254u8 {
        let theirs = oracle.opts().get(OptionCode::from(code)).map(data);
        let ours: Option<Vec<u8>> = options.get(code).map(|value| value.octets().collect());
        assert_eq!(ours, theirs, "option {code}");
    }
}

proptest! {
    #[test]
    fn options_are_read_alike(options in typed_options(255), pads in octets(14), end in any::<bool>()) {
        let mut octets = Vec::new();
        for ((code, data), pad) in options.iter().zip(pads) {
            octets.resize(octets.len() + usize::from(pad % 3), 0);
            octets.extend_from_slice(&[*code, u8::try_from(data.len()).unwrap()]);
            octets.extend_from_slice(data);
        }
        if end {
            octets.push(255);
        }
        let message = Raw::with_options(&octets).0;
        let parsed = Message::parse(&message).unwrap().options().unwrap();
        agree(&parsed, &decode(&message));
    }

    #[test]
    fn what_the_oracle_writes_is_read(
        options in typed_options(900),
        xid in any::<u32>(),
        secs in any::<u16>(),
        flags in any::<u16>(),
        addrs in any::<[u32; 4]>(),
        chaddr in octets(0..=16),
    ) {
        let [ciaddr, yiaddr, siaddr, giaddr] = addrs.map(Into::into);
        let mut oracle =
            v4::Message::new_with_id(xid, ciaddr, yiaddr, siaddr, giaddr, &chaddr);
        oracle.set_secs(secs).set_flags(v4::Flags::from(flags));
        // The oracle leaves out empty options when it writes.
        for (code, data) in options.iter().filter(|(_, data)| !data.is_empty()) {
            let mut long = Vec::new();
            for fragment in data.chunks(255) {
                long.extend_from_slice(&[*code, u8::try_from(fragment.len()).unwrap()]);
                long.extend_from_slice(fragment);
            }
            oracle
                .opts_mut()
                .insert(DhcpOption::decode(&mut Decoder::new(&long)).unwrap());
        }
        oracle.opts_mut().insert(DhcpOption::Hostname("always-one".into()));
        let octets = encode(&oracle);
        let message = Message::parse(&octets).unwrap();
        prop_assert_eq!((message.xid(), message.secs(), message.flags()), (xid, secs, flags));
        prop_assert_eq!((message.ciaddr(), message.yiaddr()), (ciaddr, yiaddr));
        prop_assert_eq!((message.siaddr(), message.giaddr()), (siaddr, giaddr));
        prop_assert_eq!(message.chaddr(), oracle.chaddr());
        agree(&message.options().unwrap(), &oracle);
    }

    #[test]
    fn the_oracle_reads_what_is_written(
        options in typed_options(900),
        xid in any::<u32>(),
        names in ("[a-z]{0,63}", "[a-z]{0,127}"),
    ) {
        let query = Raw::with_options(b"").with(4, &xid.to_be_bytes()).0;
        let header = Header::reply_to(Message::parse(&query).unwrap());
        let mut buf = vec![0xa5; 16_384];
        let limit = buf.len();
        let mut writer = Writer::new(&mut buf, limit, &header).unwrap();
        prop_assert!(writer.sname(names.0.as_bytes()) && writer.file(names.1.as_bytes()));
        for (code, data) in &options {
            writer.option(*code, data).unwrap();
        }
        let len = writer.finish(&[]).len;
        let oracle = decode(&buf[..len]);
        prop_assert_eq!((u8::from(oracle.opcode()), oracle.xid()), (op::REPLY, xid));
        prop_assert_eq!(oracle.chaddr(), [2, 0, 0, 0, 0, 1]);
        // The oracle counts the NUL to the name.
        let name = |octets: Option<&[u8]>| {
            let octets = octets.unwrap_or_default();
            octets.strip_suffix(&[0]).unwrap_or(octets).to_vec()
        };
        prop_assert_eq!(name(oracle.sname()), names.0.as_bytes());
        prop_assert_eq!(name(oracle.fname()), names.1.as_bytes());
        agree(&Message::parse(&buf[..len]).unwrap().options().unwrap(), &oracle);
        prop_assert_eq!(oracle.opts().iter().count(), options.len());
    }
}

#[test]
fn the_oracle_panics_on_hlen_above_sixteen() {
    let octets = Raw::with_options(b"\x35\x01\x01\xff").with(2, &[17]).0;
    let oracle = decode(&octets);
    let chaddr = std::panic::catch_unwind(|| oracle.chaddr().len());
    assert!(chaddr.is_err());
    assert!(Message::parse(&octets).is_err());
}

#[test]
fn the_oracle_joins_neighbours_only() {
    let octets = Raw::with_options(b"\x3c\x01a\x35\x01\x01\x3c\x01b\xff").0;
    let oracle = decode(&octets);
    assert_eq!(
        data(oracle.opts().get(OptionCode::ClassIdentifier).unwrap()),
        b"b"
    );
    let options = Message::parse(&octets).unwrap().options().unwrap();
    assert_eq!(options.get(60).unwrap(), b"ab".as_slice());
}

#[test]
fn the_oracle_reorders_option_82() {
    let agent_info = b"\x52\x08\x02\x02zz\x01\x02aa";
    let octets = Raw::with_options(&[b"\x35\x01\x01".as_slice(), agent_info, b"\xff"].concat()).0;
    let oracle = decode(&octets);
    let echoed = encode(
        oracle
            .opts()
            .get(OptionCode::RelayAgentInformation)
            .unwrap(),
    );
    assert_ne!(echoed, agent_info);
    let options = Message::parse(&octets).unwrap().options().unwrap();
    assert_eq!(options.instances(82).collect::<Vec<_>>(), [agent_info]);
}

#[test]
fn the_oracle_reads_no_overload() {
    let octets = Raw::with_options(b"\x34\x01\x01\xff")
        .with_file(b"\x3c\x01a\xff")
        .0;
    assert!(
        decode(&octets)
            .opts()
            .get(OptionCode::ClassIdentifier)
            .is_none()
    );
    let options = Message::parse(&octets).unwrap().options().unwrap();
    assert_eq!(options.get(60).unwrap(), b"a".as_slice());
}

#[test]
fn the_oracle_takes_a_wrong_cookie_and_an_overrun() {
    let wrong_cookie = Raw::with_options(b"\x35\x01\x01\xff").with(236, &[0]).0;
    assert_eq!(
        decode(&wrong_cookie).opts().msg_type(),
        Some(v4::MessageType::Discover)
    );
    assert!(Message::parse(&wrong_cookie).is_err());
    let overrun = Raw::with_options(b"\x35\x01\x01\x0c\x05x").0;
    assert_eq!(
        decode(&overrun).opts().msg_type(),
        Some(v4::MessageType::Discover)
    );
    assert!(Message::parse(&overrun).unwrap().options().is_err());
}
