//! RFC 2131 §4.1, §4.2, §2: what a message may look like, whose it is, and what silence leaves.

use crate::client::{SERVER, client};
use crate::world::{Reply, Setup, World, ip};
use dhcp_proto::identity::IdentityMode;
use dhcp_proto::server::Silence;
use dhcp_wire::dhcp::code;

/// The options of a field, which has to end with END and nothing but PAD behind it.
fn options_of(field: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut options = Vec::new();
    let mut rest = field;
    loop {
        match rest {
            [code::END, pads @ ..] => {
                assert!(pads.iter().all(|pad| *pad == code::PAD), "{pads:?}");
                return options;
            }
            [code, len, tail @ ..] if *code != code::PAD => {
                let (data, behind) = tail.split_at(usize::from(*len));
                options.push((*code, data.to_vec()));
                rest = behind;
            }
            other => panic!("neither an option nor END: {other:?}"),
        }
    }
}

/// The options field, file and sname as far as option 52 says that they hold options.
fn fields(reply: &Reply) -> Vec<Vec<(u8, Vec<u8>)>> {
    let mut fields = vec![options_of(&reply.octets[240..])];
    let overload = fields[0].iter().find(|(code, _)| *code == code::OVERLOAD);
    let which = overload.map_or(0, |(_, data)| data[0]);
    if which & 1 != 0 {
        fields.push(options_of(&reply.octets[108..236]));
    }
    if which & 2 != 0 {
        fields.push(options_of(&reply.octets[44..108]));
    }
    fields
}

/// A world whose options do not fit into the options field of a small reply.
fn crowded(len: usize, count: u8) -> World {
    let mut setup = Setup::default();
    let more = (0..count).map(|i| (200 + i, vec![i; len], true));
    setup.home_subnet().options.extend(more);
    setup.world()
}

#[test]
fn c006_a_reply_ends_with_end_and_pads() {
    let mut world = Setup::default().world();
    let offer = world.send(client(1).discover()).offer();
    let ack = world.send(client(1).select(&offer)).ack();
    let nak = world.send(client(1).reboot(ip("10.9.0.10"))).nak();
    for reply in [offer, ack, nak] {
        assert!(!options_of(&reply.octets[240..]).is_empty());
    }
}

#[test]
fn c007_overloaded_fields_hold_options_from_their_first_octet_and_their_own_end() {
    let mut world = crowded(58, 6);
    let offer = world.send(client(1).discover()).offer();
    let fields = fields(&offer);
    let overload = offer.option(code::OVERLOAD).expect("overload");
    assert!(matches!(overload[..], [1..=3]), "{overload:?}");
    assert!(fields.len() > 1);
    assert!(fields.iter().all(|options| !options.is_empty()));
    let sent = fields.iter().flatten().filter(|(code, _)| *code >= 200);
    assert_eq!((sent.count(), offer.written.dropped), (6, 0));
}

#[test]
fn c008_options_are_read_in_the_order_options_file_sname() {
    let mut world = Setup::default().world();
    let msg = client(1)
        .discover()
        .option(code::OVERLOAD, &[3])
        .prl(&[code::NTP_SERVERS]);
    let mut octets = msg.octets();
    // The parts of a split option are joined in the order in which they are read.
    octets[108..112].copy_from_slice(&[code::PARAMETER_REQUEST_LIST, 1, code::DNS_SERVERS, 255]);
    octets[44..48].copy_from_slice(&[code::PARAMETER_REQUEST_LIST, 1, code::ROUTERS, 255]);
    let offer = world.send_octets(&msg, &octets).offer();
    let asked = [code::NTP_SERVERS, code::DNS_SERVERS, code::ROUTERS];
    let codes = offer.codes();
    let sent: Vec<_> = codes.into_iter().filter(|c| asked.contains(c)).collect();
    assert_eq!(sent, asked);
}

#[test]
fn c009_an_option_lies_whole_inside_one_field() {
    for len in [30, 58, 61, 100, 120] {
        let mut world = crowded(len, 4);
        let offer = world.send(client(1).discover()).offer();
        for (code, data) in fields(&offer).into_iter().flatten() {
            let whole = code < 200 || data == vec![code - 200; len];
            assert!(whole, "{code}: {} of {len} octets", data.len());
        }
    }
}

#[test]
fn c009_an_option_that_overruns_its_field_is_not_continued_in_the_next() {
    let mut world = Setup::default().world();
    let msg = client(1).discover().option(code::OVERLOAD, &[3]);
    let mut octets = msg.octets();
    octets[108..236].fill(0);
    // 50 with its length, its value at the beginning of sname.
    octets[234..236].copy_from_slice(&[code::REQUESTED_ADDRESS, 4]);
    octets[44..49].copy_from_slice(&[10, 0, 0, 17, 255]);
    world.send_octets(&msg, &octets).malformed();
}

#[test]
fn c012_the_xid_is_copied_unchanged() {
    let mut world = Setup::default().world();
    let xid = |reply: &Reply| reply.message().xid();
    let offer = world.send(client(1).discover().xid(0x8000_0001)).offer();
    assert_eq!(xid(&offer), 0x8000_0001);
    let ack = world.send(client(1).select(&offer).xid(0)).ack();
    assert_eq!(xid(&ack), 0);
    let nak = world.send(client(1).reboot(ip("10.9.0.10")).xid(u32::MAX));
    assert_eq!(xid(&nak.nak()), u32::MAX);
}

#[test]
fn c013_a_message_without_the_magic_cookie_is_not_dhcp() {
    let mut world = Setup::default().world();
    let msg = client(1).discover();
    let mut octets = msg.octets();
    octets[239] = 0;
    world.send_octets(&msg, &octets).malformed();
    assert_eq!(world.shards[0].fill().0, 0);
}

#[test]
fn c014_a_message_of_243_octets_is_answered_with_at_least_300() {
    let mut world = Setup::default().world();
    let mut msg = client(1).discover();
    msg.end = false;
    assert_eq!(msg.octets().len(), 243);
    let offer = world.send(msg).offer();
    assert!(offer.octets.len() >= 300, "{}", offer.octets.len());
    let nak = world.send(client(1).reboot(ip("10.9.0.10"))).nak();
    assert_eq!(nak.octets.len(), 300);
}

#[test]
fn c014_a_message_of_a_whole_mtu_is_answered() {
    let mut world = Setup::default().world();
    let msg = client(1).discover();
    let mut octets = msg.octets();
    octets.resize(1472, 0);
    world.send_octets(&msg, &octets).offer();
}

#[test]
fn c015_option_61_identifies_the_client_and_otherwise_htype_and_chaddr() {
    let mut world = Setup::default().world();
    let plain = world.lease(&client(1)).yiaddr();
    let named = world.lease(&client(1).client_id(b"\0one")).yiaddr();
    let other = world.lease(&client(1).client_id(b"\0two")).yiaddr();
    assert!(plain != named && named != other && plain != other);
    let elsewhere = client(2).client_id(b"\0one").discover();
    assert_eq!(world.send(elsewhere).offer().yiaddr(), named);
    let mut other_type = client(1);
    other_type.htype = 6;
    assert_ne!(world.send(other_type.discover()).offer().yiaddr(), plain);
}

#[test]
fn c015_a_network_may_go_by_chaddr_alone() {
    let mut setup = Setup::default();
    setup.home().identity = IdentityMode::Chaddr;
    let mut world = setup.world();
    let plain = world.lease(&client(1)).yiaddr();
    let named = client(1).client_id(b"\0one").discover();
    assert_eq!(world.send(named).offer().yiaddr(), plain);
}

#[test]
fn c016_silence_for_policy_leaves_no_state() {
    let mut setup = Setup::default();
    setup.far().relays = Some(vec![ip("10.9.0.2")]);
    let mut world = setup.world();
    for msg in [client(1).discover(), client(1).reboot(ip("10.9.0.10"))] {
        assert_eq!(world.send(msg.far()).silence(), Silence::RelayNotAllowed);
    }
    assert_eq!(world.shards[0].fill().0, 0);
    assert_eq!(world.shards[0].counts().offered, 0);
    assert!(world.log.is_empty());
    let allowed = client(1).discover().relayed(ip("10.9.0.2"), SERVER);
    world.send(allowed).offer();
}

#[test]
fn c016_silence_for_a_full_journal_changes_nothing() {
    let mut world = Setup::default().world();
    let offer = world.send(client(1).discover()).offer();
    world.room = false;
    let select = client(1).select(&offer);
    assert_eq!(world.send(select.clone()).silence(), Silence::JournalFull);
    assert_eq!(world.shards[0].counts().offered, 1);
    assert_eq!(world.shards[0].counts().active, 0);
    world.room = true;
    assert_eq!(world.send(select).ack().yiaddr(), offer.yiaddr());
    assert_eq!(world.log.len(), 1);
}
