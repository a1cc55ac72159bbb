use super::*;
use crate::pcap::{Statistics, Writer};
use proptest::prelude::*;

const AT: u64 = 1_700_000_000_123_456_789;

/// A frame as it is read, owned.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Owned {
    at: u64,
    interface: Option<String>,
    direction: Option<Direction>,
    octets: Vec<u8>,
    original: u32,
}

fn read(octets: &[u8]) -> Result<(Vec<Owned>, Option<u64>), CaptureError> {
    let mut reader = Reader::open(octets)?;
    let mut frames = Vec::new();
    while let Some(frame) = reader.frame()? {
        frames.push(Owned {
            at: frame.at,
            interface: frame.interface.map(str::to_owned),
            direction: frame.direction,
            octets: frame.octets.to_vec(),
            original: frame.original,
        });
    }
    Ok((frames, reader.cut()))
}

fn written() -> Vec<u8> {
    let mut out = Vec::new();
    let ports = ["access".to_owned(), "core".to_owned()];
    let mut writer = Writer::begin(&mut out, "a test", &ports, 100).unwrap();
    for (number, direction, len) in [(0, Direction::Inbound, 60), (1, Direction::Outbound, 99)] {
        let octets = vec![number; len];
        writer
            .frame((number, direction), AT + u64::from(number), &octets, 200)
            .unwrap();
    }
    writer.statistics(1, &Statistics::default()).unwrap();
    writer.flush().unwrap();
    out
}

fn number(order: Order, number: u32) -> [u8; 4] {
    match order {
        Order::Little => number.to_le_bytes(),
        Order::Big => number.to_be_bytes(),
    }
}

/// A capture of the older form with one frame at second 5 and fraction 7.
fn older(order: Order, magic: u32, link_type: u32) -> Vec<u8> {
    let versions = match order {
        Order::Little => [2, 0, 4, 0],
        Order::Big => [0, 2, 0, 4],
    };
    let word = |word| number(order, word).to_vec();
    let header = [
        word(magic),
        versions.to_vec(),
        vec![0; 8],
        word(65_535),
        word(link_type),
    ];
    let record = [word(5), word(7), word(60), word(61), vec![9; 60]];
    [header.concat(), record.concat()].concat()
}

/// A block of pcapng.
fn block(order: Order, kind: u32, body: &[u8]) -> Vec<u8> {
    let len = number(order, u32::try_from(body.len() + 12).unwrap());
    [&number(order, kind)[..], &len, body, &len].concat()
}

fn big_section() -> Vec<u8> {
    let body = [
        &number(Order::Big, BYTE_ORDER)[..],
        &[0, 1, 0, 0],
        &[0xff; 8],
    ]
    .concat();
    block(Order::Big, block::SECTION, &body)
}

/// A section with one interface, with these options, and a frame at so many units.
fn big(link_type: u8, options: &[u8], units: u64) -> Vec<u8> {
    let interface = [&[0, link_type, 0, 0, 0, 0, 0, 0][..], options].concat();
    let lens = [0, 0, 0, 4, 0, 0, 0, 4];
    let frame = [&[0; 4][..], &units.to_be_bytes(), &lens, &[1, 2, 3, 4]].concat();
    [
        big_section(),
        block(Order::Big, block::INTERFACE, &interface),
        block(Order::Big, block::PACKET, &frame),
    ]
    .concat()
}

#[test]
fn what_is_written_is_read() {
    let (frames, cut) = read(&written()).unwrap();
    let frame = |number: u8, name: &str, direction, len| Owned {
        at: AT + u64::from(number),
        interface: Some(name.into()),
        direction: Some(direction),
        octets: vec![number; len],
        original: 200,
    };
    let expected = [
        frame(0, "access", Direction::Inbound, 60),
        frame(1, "core", Direction::Outbound, 99),
    ];
    assert_eq!((frames, cut), (expected.to_vec(), None));
}

#[test]
fn the_older_form_is_read_in_both_orders_and_units() {
    for order in [Order::Little, Order::Big] {
        for (magic, nanos) in [(MICROS, 7_000), (NANOS, 7)] {
            let (frames, cut) = read(&older(order, magic, 1)).unwrap();
            let expected = Owned {
                at: 5_000_000_000 + nanos,
                interface: None,
                direction: None,
                octets: vec![9; 60],
                original: 61,
            };
            assert_eq!((frames, cut), (vec![expected], None));
        }
    }
}

#[test]
fn times_are_read_in_every_resolution_and_with_an_offset() {
    let at = |options: &[u8], units| read(&big(1, options, units)).unwrap().0[0].at;
    let resolution = |resolution| [0, 9, 0, 1, resolution, 0, 0, 0];
    assert_eq!(
        at(&[], 3_000_001),
        3_000_001_000,
        "microseconds, if nothing is said"
    );
    assert_eq!(at(&resolution(9), 7), 7);
    assert_eq!(at(&resolution(12), 7_500), 7);
    assert_eq!(at(&resolution(0x8a), 1536), 1_500_000_000);
    for extreme in [127, 0xff] {
        assert_eq!(at(&resolution(extreme), 7), 0);
    }
    let offset = |seconds: i64| [&[0, 14, 0, 8][..], &seconds.to_be_bytes()].concat();
    assert_eq!(at(&offset(2), 1), 2_000_001_000);
    assert_eq!(at(&offset(-2), 3_000_000), 1_000_000_000);
    assert_eq!(at(&offset(i64::MIN), 1), 0);
    assert_eq!(at(&offset(i64::MAX), u64::MAX), u64::MAX);
}

#[test]
fn another_link_type_is_refused_by_its_name() {
    let refused = |octets: &[u8]| read(octets).unwrap_err().to_string();
    let said = refused(&older(Order::Little, MICROS, 113));
    assert!(said.contains("113, LINUX_SLL"), "{said}");
    assert!(refused(&big(101, &[], 0)).contains("101, RAW"));
    assert!(refused(&big(77, &[], 0)).contains("link type 77,"));
    // An interface of another kind without frames is nobody's concern.
    let loopback = block(Order::Big, block::INTERFACE, &[0, 0, 0, 0, 0, 0, 0, 0]);
    let (frames, _) = read(&[big(1, &[], 0), loopback].concat()).unwrap();
    assert_eq!(frames.len(), 1);
}

#[test]
fn damage_is_told_with_its_place() {
    let damaged = |octets: &[u8]| {
        let Err(CaptureError::Damaged { at, what }) = read(octets) else {
            panic!("it is not damaged");
        };
        (at, what)
    };
    let good = big(1, &[], 0);
    let frame = good.len() - 36;
    let mut length = good.clone();
    *length.last_mut().unwrap() = 40;
    assert_eq!(
        damaged(&length),
        (frame as u64, "the two lengths of a block differ")
    );
    let mut unknown = good.clone();
    unknown[frame + 11] = 1;
    let what = "a frame is of an interface that is not described";
    assert_eq!(damaged(&unknown), (frame as u64, what));
    let mut longer = good.clone();
    longer[frame + 23] = 5;
    assert_eq!(
        damaged(&longer),
        (frame as u64, "a frame is longer than its block")
    );
    let mut odd = good;
    odd[frame + 7] = 37;
    assert_eq!(
        damaged(&odd),
        (frame as u64, "the length of a block cannot be")
    );
    let mut huge = older(Order::Big, NANOS, 1);
    huge[32] = 0x7f;
    assert_eq!(damaged(&huge), (24, "a frame is longer than any can be"));
    for no_capture in [&b""[..], b"abc", b"a text, not a capture at all"] {
        assert!(matches!(read(no_capture), Err(CaptureError::NoCapture)));
    }
}

#[test]
fn a_capture_that_was_cut_anywhere_is_used_up_to_there() {
    let both = [written(), older(Order::Big, MICROS, 1)];
    for whole in &both {
        let (all, _) = read(whole).unwrap();
        let mut frames = 0;
        for len in 4..whole.len() {
            let (some, cut) = read(&whole[..len]).unwrap();
            assert_eq!(some, all[..some.len()]);
            assert!(some.len() >= frames, "more octets, no fewer frames");
            frames = some.len();
            assert!(cut.is_none_or(|cut| cut < len as u64));
        }
    }
}

proptest! {
    #[test]
    fn no_octets_do_harm(octets: Vec<u8>, which in 0..3_usize) {
        let begin: [&[u8]; 3] = [&[], &written()[..28], &older(Order::Little, NANOS, 1)[..24]];
        let _refused = read(&[begin[which], &octets].concat());
    }

    #[test]
    fn no_damage_does_harm(at in 0..400_usize, octet: u8) {
        for mut whole in [written(), older(Order::Big, MICROS, 1), big(1, &[0, 9, 0, 1, 6, 0, 0, 0], 1)] {
            if let Some(place) = whole.get_mut(at) {
                *place = octet;
            }
            let _refused = read(&whole);
        }
    }
}
