//! Every message is one that a server takes, checksums and all.

use super::*;
use crate::identity::client_id;
use dhcp_wire::dhcp::Message;
use dhcp_wire::frame::{Frame, Offloads};

fn fields(number: u32) -> Fields {
    let octets = number.wrapping_mul(0x9e37_79b9).to_be_bytes();
    Fields {
        dst_mac: Mac([0xff; 6]),
        src_mac: Mac([2, 3, 4, octets[0], octets[1], octets[2]]),
        src: number.wrapping_mul(0x85eb_ca6b),
        dst: 0x0a00_0001,
        xid: number.wrapping_mul(0xc2b2_ae35),
        secs: 7,
        ciaddr: u32::MAX - number,
        giaddr: number.wrapping_add(0x0a00_0002),
        chaddr: Mac([2, 0, octets[0], octets[1], octets[2], octets[3]]),
        requested: number.wrapping_add(0xc0a8_0000),
        server_id: 0xac10_0001,
        circuit: *b"0000beef",
    }
}

const PATHS: [Path; 3] = [
    Path::Direct,
    Path::Relayed { option82: false },
    Path::Relayed { option82: true },
];

#[test]
fn every_field_arrives_and_every_checksum_is_right() {
    let mut buf = [0xee; LONGEST];
    for kind in Kind::ALL {
        for path in PATHS {
            for len in [SHORTEST, 343, 590, LONGEST] {
                let template = Template::new(kind, path, len).unwrap();
                for number in (0..2000).chain([0x00ff_ffff, u32::MAX]) {
                    let fields = fields(number);
                    assert_eq!(template.write(&fields, &mut buf), len);
                    check(kind, path, &fields, &buf[..len]);
                }
            }
        }
    }
}

fn check(kind: Kind, path: Path, fields: &Fields, frame: &[u8]) {
    let Ok(Frame::Dhcp {
        eth,
        ip,
        udp,
        payload,
    }) = frame::parse(frame, Offloads::default())
    else {
        panic!("{kind:?} {path:?} {fields:?}: no DHCP");
    };
    assert_eq!((eth.dst(), eth.src()), (fields.dst_mac, fields.src_mac));
    assert_eq!((ip.src(), ip.dst()), (fields.src.into(), fields.dst.into()));
    let relayed = path != Path::Direct;
    assert_eq!(udp.src_port(), if relayed { 67 } else { 68 });
    let message = Message::parse_request(payload).unwrap();
    assert_eq!(message.hops(), u8::from(relayed));
    assert_eq!((message.xid(), message.secs()), (fields.xid, fields.secs));
    assert_eq!(message.ciaddr(), Ipv4Addr::from(fields.ciaddr));
    assert_eq!(message.giaddr(), Ipv4Addr::from(fields.giaddr));
    assert_eq!(message.chaddr(), fields.chaddr.0);
    let options = message.options().unwrap();
    assert!(!options.faults().no_end);
    assert_eq!(options.message_type(), Ok(kind.message_type()));
    let id = options.get(code::CLIENT_ID).unwrap();
    assert_eq!(id.array(), Some(client_id(fields.chaddr)));
    let requested = kind.has_requested().then_some(fields.requested.into());
    assert_eq!(options.addr(code::REQUESTED_ADDRESS), requested);
    let server = kind.has_server_id().then_some(fields.server_id.into());
    assert_eq!(options.addr(code::SERVER_ID), server);
    let info = options.get(code::AGENT_INFO).and_then(|info| info.array());
    let expected = (path == PATHS[2]).then(|| agent_info(fields.circuit, fields.giaddr));
    assert_eq!(info, expected);
}

#[test]
fn a_frame_has_room_for_a_message_and_fits_a_packet() {
    for len in [0, SHORTEST - 1, LONGEST + 1] {
        assert!(Template::new(Kind::Discover, Path::Direct, len).is_none());
    }
    let template = Template::new(Kind::Discover, Path::Direct, SHORTEST).unwrap();
    assert_eq!(template.write(&fields(1), &mut [0; SHORTEST - 1]), 0);
}
