//! RFC 2132, RFC 3046 §2.2, RFC 3396: options of a query and of its reply, on the server's side.

use crate::client::{Msg, SERVER, client};
use crate::world::{Answer, Reply, Setup, World, ip};
use dhcp_proto::config::LeaseTimes;
use dhcp_proto::identity::IdentityMode;
use dhcp_proto::server::Silence;
use dhcp_proto::time::INFINITE;
use dhcp_wire::Malformed;
use dhcp_wire::dhcp::code;

/// Offset of `file` in a message.
const FILE: usize = 108;

#[track_caller]
fn offer(msg: Msg) -> Reply {
    Setup::default().world().send(msg.discover()).offer()
}

/// A world whose subnet has twenty options of 60 octets more, too many for one reply of 576.
fn crowded() -> World {
    let mut setup = Setup::default();
    for code in 200..220 {
        let option = (code, vec![code; 60], false);
        setup.home_subnet().options.push(option);
    }
    setup.world()
}

fn position(reply: &Reply, code: u8) -> usize {
    reply.codes().iter().position(|c| *c == code).unwrap()
}

#[test]
fn c073_a_lease_of_all_ones_is_endless_and_does_not_run_down() {
    for extend in [true, false] {
        let mut setup = Setup::default();
        let max = INFINITE;
        setup.home_subnet().lease = LeaseTimes {
            max,
            ..LeaseTimes::default()
        };
        setup.home().rules.extend = extend;
        let mut world = setup.world();
        let ack = world.lease(&client(1).lease(INFINITE));
        assert_eq!(ack.lease(), Some(INFINITE));
        assert_eq!(world.log[0].expiry, u64::MAX);
        world.pass(300_000_000);
        let renewal = client(1).renew(ack.yiaddr()).lease(INFINITE);
        assert_eq!(world.send(renewal).ack().lease(), Some(INFINITE));
        let other = client(2).discover().requested(ack.yiaddr());
        assert_ne!(world.send(other).offer().yiaddr(), ack.yiaddr());
    }
}

#[test]
fn c076_pad_and_end_have_no_length_octet() {
    let mut world = Setup::default().world();
    let msg = client(1).discover();
    let mut octets = msg.octets();
    octets.splice(240..240, [0, 0, 0]);
    octets.extend_from_slice(&[0, 0, 200, 200, 53]);
    world.send_octets(&msg, &octets).offer();
}

#[test]
fn c077_the_mask_precedes_the_routers_whatever_the_client_asks_first() {
    for msg in [client(1).prl(&[3, 6, 1]), client(1)] {
        let offer = offer(msg);
        assert!(position(&offer, 1) < position(&offer, 3));
    }
}

#[test]
fn c078_routers_and_dns_servers_are_whole_addresses() {
    let offer = offer(client(1));
    for code in [code::ROUTERS, code::DNS_SERVERS] {
        let len = offer.option(code).unwrap().len();
        assert!(len > 0 && len.is_multiple_of(4));
    }
}

#[test]
fn c079_vendor_options_are_raw_octets_and_a_clients_are_ignored() {
    let mut setup = Setup::default();
    let raw = vec![1, 200, 9];
    let option = (code::VENDOR_SPECIFIC, raw.clone(), false);
    setup.home_subnet().options.push(option);
    let mut world = setup.world();
    let plain = world.send(client(1).discover()).offer();
    assert_eq!(plain.option(code::VENDOR_SPECIFIC), Some(raw));
    for vendor in [&b"\x63\x82\x53\x63"[..], &[1, 255], &[255], &[]] {
        let msg = client(1).option(code::VENDOR_SPECIFIC, vendor);
        let offer = world.send(msg.discover()).offer();
        assert_eq!(offer.octets, plain.octets);
    }
}

#[test]
fn c080_a_lease_time_has_four_octets() {
    for wrong in [&[0, 30, 0][..], &[0, 0, 30, 0, 0], &[]] {
        let offer = offer(client(1).option(code::LEASE_TIME, wrong));
        assert_eq!(offer.lease(), Some(3600));
        assert_eq!(offer.option(code::LEASE_TIME).unwrap().len(), 4);
    }
}

#[test]
fn c081_overload_is_1_to_3_and_anything_else_is_ignored() {
    let wished = ip("10.0.0.17");
    for (overload, taken) in [
        (&[1][..], true),
        (&[3], true),
        (&[2], false),
        (&[0], false),
        (&[4], false),
        (&[255], false),
        (&[1, 1], false),
        (&[], false),
    ] {
        let msg = client(1).discover().option(code::OVERLOAD, overload);
        let mut octets = msg.octets();
        octets[FILE..FILE + 7].copy_from_slice(&[50, 4, 10, 0, 0, 17, 255]);
        let mut world = Setup::default().world();
        let offer = world.send_octets(&msg, &octets).offer();
        assert_eq!(offer.yiaddr() == wished, taken, "{overload:?}");
    }
}

#[test]
fn c082_what_no_client_sends_is_dropped() {
    let mut world = Setup::default().world();
    for kind in [0, 2, 5, 6].into_iter().chain(9..=255) {
        match world.send(client(1).kind(kind)) {
            Answer::Malformed(_) | Answer::Silence(Silence::MessageType) => {}
            other => panic!("{kind}: {other:?}"),
        }
    }
    assert_eq!(world.shards[0].fill().0, 0);
}

#[test]
fn c082_option_53_stands_once_with_one_octet() {
    let mut world = Setup::default().world();
    for (msg, reason) in [
        (client(1), Malformed::MessageTypeAbsent),
        (
            client(1).discover().discover(),
            Malformed::MessageTypeDoubled,
        ),
        (client(1).option(53, &[1, 1]), Malformed::MessageTypeLength),
        (client(1).option(53, &[]), Malformed::MessageTypeLength),
    ] {
        assert_eq!(world.send(msg).malformed(), reason);
    }
}

#[test]
fn c083_a_server_identifier_has_four_octets() {
    let mut world = Setup::default().world();
    for wrong in [&[10, 0, 0][..], &[10, 0, 0, 2, 2], &[]] {
        let with = |m: Msg| m.option(code::SERVER_ID, wrong);
        let offer = world.send(with(client(1).discover())).offer();
        assert_eq!(offer.option(code::SERVER_ID).unwrap(), SERVER.octets());
        let request = client(1).request().requested(offer.yiaddr());
        world.send(with(request)).ack();
    }
}

#[test]
fn c084_options_come_in_the_order_of_the_prl_behind_53_54_and_51() {
    let offer = offer(client(1).prl(&[42, 15, 6, 3, 1]));
    let codes = offer.codes();
    assert_eq!(codes, [53, 54, 51, 58, 59, 1, 42, 15, 6, 3]);
    let ack = Setup::default().world().lease(&client(1).prl(&[6, 15, 3]));
    assert_eq!(ack.codes(), [53, 54, 51, 58, 59, 1, 6, 15, 3]);
}

#[test]
fn c084_a_prl_may_repeat_codes_without_harm() {
    let once = offer(client(1).prl(&[6, 3, 15]));
    let often = offer(client(1).prl(&[6, 6, 3, 6, 15, 3, 15, 15]));
    assert_eq!(once.octets, often.octets);
}

#[test]
fn c085_client_ids_are_opaque_to_their_last_nul() {
    let mut world = Setup::default().world();
    let ids = [
        &b"\x00name"[..],
        b"\x00name\0",
        b"\x00name\0\0",
        b"\x00NAME",
    ];
    let mut seen = std::collections::BTreeSet::new();
    for id in ids {
        let ack = world.lease(&client(1).client_id(id).option(60, b"class\0"));
        assert_eq!(ack.option(code::CLIENT_ID).unwrap(), id);
        seen.insert(ack.yiaddr());
    }
    assert_eq!(seen.len(), ids.len());
    let offer = world
        .send(client(2).discover().option(12, b"host\0\0"))
        .offer();
    assert_eq!(offer.option(code::DOMAIN_NAME).unwrap(), b"example.net");
}

#[test]
fn c086_no_reply_is_longer_than_client_path_and_operator_allow() {
    let maximum = |max: u16| client(1).option(code::MAX_MESSAGE_SIZE, &max.to_be_bytes());
    for (msg, mtu, max_reply, most) in [
        (client(1), 1500, 1500, 576),
        (maximum(0), 1500, 1500, 576),
        (maximum(575), 1500, 1500, 576),
        (maximum(800), 1500, 1500, 800),
        (maximum(65_535), 1500, 1500, 1500),
        (maximum(1500), 1000, 1500, 1000),
        (maximum(1500), 1500, 700, 700),
        (client(1).option(57, &[5]), 1500, 1500, 576),
    ] {
        let mut world = crowded();
        world.setup.links[0].mtu = mtu;
        world.setup.home().rules.max_reply = max_reply;
        world.restart();
        let offer = world.send(msg.discover()).offer();
        let datagram = offer.octets.len() + 28;
        assert!(datagram <= most, "{datagram} of {most}");
        // Another option would have fitted, or all are there.
        assert!(most - datagram < 62 || offer.written.dropped == 0);
    }
}

#[test]
fn c087_a_client_id_under_two_octets_is_no_identity_but_echoed() {
    let mut world = Setup::default().world();
    let plain = world.lease(&client(1)).yiaddr();
    for id in [&[7][..], &[]] {
        let ack = world.lease(&client(1).client_id(id));
        assert_eq!(ack.yiaddr(), plain);
        assert_eq!(ack.option(code::CLIENT_ID).unwrap(), id);
        assert_ne!(world.lease(&client(2).client_id(id)).yiaddr(), plain);
    }
}

/// Instances of option 82: proper, doubled, unknown and malformed sub-options.
fn agent_infos() -> Vec<Vec<Vec<u8>>> {
    vec![
        vec![vec![1, 2, b'p', b'7', 2, 1, b'r']],
        vec![vec![2, 1, b'r', 1, 2, b'p', b'7'], vec![9, 0, 9, 0]],
        vec![vec![1, 1, b'x'], vec![1, 1, b'y']],
        vec![vec![1, 200, 5]],
        vec![vec![1]],
        vec![vec![], vec![1, 1, 1]],
    ]
}

fn with_instances(msg: Msg, instances: &[Vec<u8>]) -> (Msg, Vec<u8>) {
    let mut expected = Vec::new();
    let mut msg = msg;
    for data in instances {
        msg = msg.option(code::AGENT_INFO, data);
        expected.extend_from_slice(&[82, u8::try_from(data.len()).unwrap()]);
        expected.extend_from_slice(data);
    }
    (msg, expected)
}

/// Whether the options field ends with `echo` and END.
#[track_caller]
fn assert_ends_with(reply: &Reply, mut echo: Vec<u8>) {
    echo.push(255);
    let mut field = &reply.octets[240..];
    while let [head @ .., 0] = field {
        field = head;
    }
    assert!(field.ends_with(&echo), "{field:?} lacks {echo:?}");
}

#[test]
fn c088_c089_option_82_is_echoed_byte_for_byte_before_end_in_every_reply() {
    for instances in agent_infos() {
        for far in [true, false] {
            let mut world = Setup::default().world();
            let mut send = |msg: Msg| {
                let (msg, echo) = with_instances(msg, &instances);
                let msg = if far { msg.far() } else { msg };
                let Answer::Reply(reply) = world.send(msg) else {
                    panic!("no answer")
                };
                assert_ends_with(&reply, echo);
                reply
            };
            let offer = send(client(1).discover());
            send(client(1).select(&offer));
            send(client(1).reboot(ip("172.16.0.9")));
        }
    }
}

#[test]
fn c089_c090_the_echo_stays_behind_the_last_option_of_a_full_reply() {
    let mut world = crowded();
    let msg = client(1).circuit(b"a circuit").discover();
    let offer = world.send(msg).offer();
    assert!(offer.codes().contains(&code::OVERLOAD));
    assert_eq!(offer.codes().last(), Some(&code::AGENT_INFO));
    let count = |field: &[u8]| field.windows(9).filter(|w| w == b"a circuit").count();
    assert_eq!(count(&offer.octets[..240]), 0);
    assert_eq!(count(&offer.octets[240..]), 1);
}

#[test]
fn c091_a_reply_goes_out_without_option_82_that_does_not_fit() {
    let mut world = Setup::default().world();
    let mut info = vec![1, 253];
    info.extend_from_slice(&[b'x'; 253]);
    let (msg, _) = with_instances(client(1), &[info, vec![9; 60]]);
    let offer = world.send(msg.discover().far()).offer();
    assert_eq!(offer.option(code::AGENT_INFO), None);
    assert!(offer.written.agent_info_dropped);
    assert!(offer.octets.len() + 28 <= 576);
    assert_eq!(offer.option(code::ROUTERS), Some(vec![10, 9, 0, 1]));
}

#[test]
fn c092_a_unicast_with_or_without_option_82_is_answered() {
    let mut world = Setup::default().world();
    let msg = || client(1).circuit(b"port 7");
    let offer = world.send(msg().discover().far()).offer();
    let addr = world.send(msg().select(&offer).far()).ack().yiaddr();
    for msg in [msg(), client(1), client(1).circuit(b"port 8")] {
        world.pass(600);
        let sent = msg.option(57, &[5, 220]).renew(addr);
        let info = sent.options.iter().find(|(code, _)| *code == 82).cloned();
        let ack = world.send(sent).ack();
        assert_eq!(ack.option(code::AGENT_INFO), info.map(|(_, data)| data));
    }
}

#[test]
fn c093_circuits_are_compared_as_opaque_octets() {
    let mut setup = Setup::default();
    setup.far().identity = IdentityMode::Circuit;
    let mut world = setup.world();
    let ids = [
        &b"port 7"[..],
        b"PORT 7",
        b"port 7\0",
        b"port 7 ",
        b"\xff\x00",
    ];
    let mut seen = std::collections::BTreeSet::new();
    for id in ids {
        let msg = client(1).circuit(id).discover().far();
        seen.insert(world.send(msg).offer().yiaddr());
    }
    assert_eq!(seen.len(), ids.len());
}
