use std::string::ToString;

use super::*;

const DST: Mac = Mac([2, 0, 0, 0, 0, 1]);
const SRC: Mac = Mac([2, 0, 0, 0, 0, 2]);

const fn tag(tpid: u16, tci: u16) -> Tag {
    Tag { tpid, tci }
}

#[test]
fn a_mac_is_read_as_it_is_shown() {
    let mac = Mac([0x02, 0x00, 0x5e, 0x10, 0x00, 0xff]);
    assert_eq!(mac.to_string(), "02:00:5e:10:00:ff");
    assert_eq!(mac.to_string().parse(), Ok(mac));
    assert_eq!("2-0-5E-10-0-FF".parse(), Ok(mac));
    for wrong in [
        "",
        "02:00:5e:10:00",
        "02:00:5e:10:00:ff:00",
        "02:00:5e:10:00:+f",
        "0:0:0:0:0:100",
    ] {
        assert_eq!(wrong.parse::<Mac>(), Err(NotAMac), "{wrong}");
    }
}

#[test]
fn tells_kinds_of_addresses_apart() {
    assert!(Mac::BROADCAST.is_broadcast() && Mac::BROADCAST.is_multicast());
    assert!(Mac([1, 0, 0x5e, 0, 0, 1]).is_multicast() && !SRC.is_multicast());
    assert!(Mac::default().is_zero() && !SRC.is_zero());
}

#[test]
fn what_is_written_is_read() {
    for (outer, inner) in [
        (None, None),
        (Some(tag(ethertype::VLAN, 0x6064)), None),
        (
            Some(tag(ethertype::QINQ, 100)),
            Some(tag(ethertype::VLAN, 200)),
        ),
        (
            Some(tag(ethertype::QINQ_OLD, 100)),
            Some(tag(ethertype::VLAN, 200)),
        ),
    ] {
        let tags = Tags { outer, inner };
        let mut buf = [0xa5; 30];
        let len = write(&mut buf, DST, SRC, &tags, ethertype::IPV4).unwrap();
        assert_eq!(len, header_len(tags));
        let frame = Ethernet::parse(&buf).unwrap();
        assert_eq!((frame.dst(), frame.src(), frame.tags()), (DST, SRC, tags));
        assert_eq!(
            (frame.ethertype(), frame.header_len()),
            (ethertype::IPV4, len)
        );
        assert_eq!(frame.payload(), &buf[len..]);
        for cut in 0..len {
            let cut_frame = Ethernet::parse(&buf[..cut]);
            assert_eq!(cut_frame.err(), Some(Malformed::EthernetTruncated), "{cut}");
            let room = &mut [0; 30][..cut];
            assert_eq!(write(room, DST, SRC, &tags, ethertype::IPV4), None, "{cut}");
        }
    }
}

#[test]
fn refuses_a_third_tag_in_the_frame_or_stripped() {
    let mut frame = [0; 40];
    for at in [12, 16, 20] {
        frame[at..at + 2].copy_from_slice(&ethertype::VLAN.to_be_bytes());
    }
    assert_eq!(Ethernet::parse(&frame).err(), Some(Malformed::TooManyTags));
    frame[20..22].copy_from_slice(&ethertype::ARP.to_be_bytes());
    let parsed = Ethernet::parse(&frame).unwrap();
    let stripped = parsed.with_stripped(Some(tag(ethertype::QINQ, 7)));
    assert_eq!(stripped.err(), Some(Malformed::TooManyTags));
}

#[test]
fn a_stripped_tag_is_the_outer_one() {
    let mut buf = [0; 60];
    let own = Tags {
        outer: Some(tag(ethertype::VLAN, 200)),
        inner: None,
    };
    write(&mut buf, DST, SRC, &own, ethertype::ARP).unwrap();
    let frame = Ethernet::parse(&buf).unwrap();
    let whole = frame
        .with_stripped(Some(tag(ethertype::QINQ, 100)))
        .unwrap();
    assert_eq!(whole.tags().vids(), (Some(100), Some(200)));
    assert_eq!(whole.header_len(), frame.header_len());
    assert_eq!(frame.with_stripped(None).unwrap().tags(), own);
}

#[test]
fn c166_vid_zero_counts_as_untagged() {
    let vlan = Some(tag(ethertype::VLAN, 5));
    let priority = Some(tag(ethertype::VLAN, 0xe000));
    assert_eq!(priority.map(Tag::pcp), Some(7));
    for (outer, inner, vids) in [
        (None, None, (None, None)),
        (priority, None, (None, None)),
        (priority, priority, (None, None)),
        (priority, vlan, (Some(5), None)),
        (vlan, priority, (Some(5), None)),
        (vlan, vlan, (Some(5), Some(5))),
    ] {
        let tags = Tags { outer, inner };
        assert_eq!(tags.vids(), vids);
        assert_eq!(tags.without_priority().vids(), vids);
        assert_eq!(
            header_len(tags.without_priority()),
            14 + 4 * vids.0.iter().chain(&vids.1).count()
        );
    }
}
