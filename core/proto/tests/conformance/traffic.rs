//! What is answered at all, and how much fits into an answer.

use crate::client::{Msg, RELAY, SERVER, client};
use crate::world::{Net, Reply, Setup, World, ip, link, net, pool, subnet};
use dhcp_proto::server::Silence;
use dhcp_proto::time::Instant;
use dhcp_wire::Malformed;
use dhcp_wire::dhcp::code;
use dhcp_wire::ethernet::Mac;
use std::time::Duration;

/// Options of 40 octets that the crowded world has.
const MANY: std::ops::Range<u8> = 200..220;

fn crowded() -> Setup {
    let mut setup = Setup::default();
    let options = MANY.map(|code| (code, vec![code; 40], false));
    setup.home_subnet().options.extend(options);
    setup
}

fn holds(reply: &Reply, code: u8) -> bool {
    reply.message().options().unwrap().contains(code)
}

#[test]
fn c162_room_is_reserved_and_what_does_not_fit_falls_from_the_end_of_the_prl() {
    let mut world = crowded().world();
    let prl: Vec<u8> = MANY.rev().collect();
    let msg = client(1).client_id(&[7; 60]).circuit(&[8; 60]).prl(&prl);
    let offer = world.send(msg.discover()).offer();
    for code in [53, 54, 51, 58, 59, 1, 61, 82] {
        assert!(holds(&offer, code), "{code}");
    }
    let there: Vec<bool> = prl.iter().map(|code| holds(&offer, *code)).collect();
    let fitted = there.iter().filter(|there| **there).count();
    assert!(there[..fitted].iter().all(|there| *there), "{there:?}");
    assert!(fitted > 0 && fitted < prl.len());
    assert_eq!(usize::from(offer.written.dropped), prl.len() - fitted);
    assert!(!offer.written.agent_info_dropped);
}

#[test]
fn c163_overload_only_when_the_options_field_is_full() {
    let few = Setup::default().world().send(client(1).discover()).offer();
    assert!(!holds(&few, code::OVERLOAD));
    let full = crowded().world().send(client(1).discover()).offer();
    assert_eq!(full.option(code::OVERLOAD), Some(vec![3]));
}

#[test]
fn c163_a_field_with_boot_data_is_never_overloaded() {
    for (file, name, overload) in [
        (&b"boot"[..], &b""[..], Some(vec![2])),
        (b"", b"host", Some(vec![1])),
        (b"boot", b"host", None),
    ] {
        let mut setup = crowded();
        setup.home_subnet().boot.boot_file = file.into();
        setup.home_subnet().boot.server_name = name.into();
        let offer = setup.world().send(client(1).discover()).offer();
        assert_eq!(offer.option(code::OVERLOAD), overload);
        assert!(file.is_empty() || offer.message().file().starts_with(file));
        assert!(name.is_empty() || offer.message().sname().starts_with(name));
    }
}

#[test]
fn c164_what_is_of_no_network_is_not_answered() {
    let mut setup = Setup::default();
    setup.links.push(link(1, (0, 0), &["192.168.0.1/24"]));
    let mut world = setup.world();
    let discover = || client(1).discover();
    let relayed = discover().relayed(ip("172.16.0.1"), SERVER);
    let mut port = discover();
    port.port = 9;
    let mut vlan = discover();
    vlan.vids = (9, 0);
    let mut inner = discover();
    inner.vids = (0, 9);
    let mut empty = discover();
    empty.port = 1;
    for (msg, reason) in [
        (relayed, Silence::UnknownGiaddr),
        (port, Silence::NoLink),
        (vlan, Silence::NoLink),
        (inner, Silence::NoLink),
        (empty, Silence::NoNetwork),
        (discover().relayed(SERVER, SERVER), Silence::OwnGiaddr),
    ] {
        assert_eq!(world.send(msg).silence(), reason);
    }
    assert_eq!(world.shards[0].fill().0, 0);
}

#[test]
fn c164_a_relay_that_is_not_listed_is_not_answered() {
    let mut setup = Setup::default();
    setup.far().relays = Some(vec![RELAY]);
    let mut world = setup.world();
    world.send(client(1).discover().far()).offer();
    let other = client(1).discover().relayed(ip("10.9.0.2"), SERVER);
    assert_eq!(world.send(other).silence(), Silence::RelayNotAllowed);
}

#[test]
fn c165_broadcasts_and_our_addresses_are_answered_and_others_are_not() {
    let mut world = Setup::default().world();
    let to = |addr| {
        let mut msg = client(1).discover();
        msg.ip_dst = ip(addr);
        msg
    };
    for addr in ["10.0.0.1", "255.255.255.255", "10.0.0.255"] {
        world.send(to(addr)).offer();
    }
    for addr in [
        "10.0.0.77",
        "10.9.0.255",
        "10.0.0.0",
        "224.0.0.1",
        "0.0.0.0",
    ] {
        assert_eq!(world.send(to(addr)).silence(), Silence::NotForUs, "{addr}");
    }
}

#[test]
fn c165_the_ethernet_source_need_not_be_chaddr() {
    let mut world = Setup::default().world();
    let mut msg = client(1).discover();
    msg.l2_src = Mac([2, 0, 0, 0, 0, 99]);
    let first = world.send(msg).offer().yiaddr();
    assert_eq!(world.send(client(1).discover()).offer().yiaddr(), first);
}

/// Network "home" and, on VLANs 7 and 7.8, networks of their own.
fn vlans() -> Setup {
    let lan = |name, third: u8| -> Net {
        let (of, first) = (format!("10.0.{third}.0/24"), format!("10.0.{third}.10"));
        let last = format!("10.0.{third}.20");
        net(name, vec![subnet(&of, &first, &last)])
    };
    let mut setup = Setup::default();
    setup.links.push(link(0, (7, 0), &["10.0.7.1/24"]));
    setup.links.push(link(0, (7, 8), &["10.0.8.1/24"]));
    setup.networks.push(lan("seven", 7));
    setup.networks.push(lan("eight", 8));
    setup
}

#[test]
fn c166_each_vlan_of_a_port_has_its_own_network() {
    let mut world = vlans().world();
    for (vids, third) in [((0, 0), 0), ((7, 0), 7), ((7, 8), 8)] {
        let mut msg = client(1);
        msg.vids = vids;
        let ack = world.lease(&msg);
        assert_eq!(ack.yiaddr().octets()[2], third);
        assert_eq!(ack.server_id().octets(), [10, 0, third, 1]);
        let origin = world.log.last().unwrap().origin;
        assert_eq!((origin.outer_vid, origin.inner_vid), vids);
    }
}

#[test]
fn c167_a_message_that_is_merely_unclean_is_answered() {
    let mut world = Setup::default().world();
    let clean = world.send(client(1).discover()).offer();
    let msg = client(1).discover();
    let octets = msg.octets();
    assert_eq!(octets.len(), 244);
    let mut padded = octets.clone();
    padded.splice(240..240, [0; 9]);
    let mut trailing = octets.clone();
    trailing.extend_from_slice(&[53, 1, 3, 50, 200]);
    for dirty in [&octets[..243], &padded, &trailing] {
        let offer = world.send_octets(&msg, dirty).offer();
        assert_eq!(offer.octets, clean.octets);
    }
}

#[test]
fn c167_an_option_of_a_wrong_length_is_as_absent() {
    let mut world = Setup::default().world();
    let clean = world.send(client(1).discover()).offer();
    for code in [50, 51, 52, 54, 55, 57, 58, 59, 116, 118] {
        for wrong in [&[][..], &[0; 3], &[0; 5]] {
            if code == 55 && !wrong.is_empty() {
                continue;
            }
            let msg = client(1).discover().option(code, wrong);
            let offer = world.send(msg).offer();
            assert_eq!(offer.octets, clean.octets, "{code}");
        }
    }
}

fn with_unsorted_options() -> Setup {
    let mut setup = Setup::default();
    setup.home_subnet().options = vec![
        (120, vec![9], false),
        (code::NTP_SERVERS, vec![10, 0, 0, 123], false),
        (code::BROADCAST_ADDRESS, vec![10, 0, 0, 255], true),
        (code::DOMAIN_NAME, b"example.net".to_vec(), false),
        (code::DNS_SERVERS, vec![10, 0, 0, 53], false),
        (code::ROUTERS, vec![10, 0, 0, 1], false),
        (119, vec![8], true),
    ];
    setup
}

#[test]
fn c168_without_a_prl_all_options_are_sent_in_their_order() {
    for msg in [client(1), client(1).prl(&[])] {
        let offer = with_unsorted_options().world().send(msg.discover()).offer();
        let lead = [53, 54, 51, 58, 59, 1];
        assert_eq!(offer.codes()[..6], lead);
        assert_eq!(offer.codes()[6..11], [3, 6, 15, 28, 42]);
        let mut rest = offer.codes()[11..].to_vec();
        rest.sort_unstable();
        assert_eq!(rest, [119, 120]);
    }
}

#[test]
fn c168_with_a_prl_its_options_and_those_sent_always() {
    let msg = client(1).prl(&[6, 99]).discover();
    let offer = with_unsorted_options().world().send(msg).offer();
    assert_eq!(offer.codes(), [53, 54, 51, 58, 59, 1, 6, 28, 119]);
}

#[test]
fn c169_no_option_stands_twice_whatever_the_prl_names() {
    let mut world = Setup::default().world();
    let prl: Vec<u8> = (0..=255).chain(0..=255).rev().collect();
    let msg = || client(1).prl(&prl).client_id(b"\x00id").circuit(b"7");
    let offer = world.send(msg().discover()).offer();
    let ack = world.send(msg().select(&offer)).ack();
    for reply in [offer, ack] {
        let mut codes = reply.codes();
        codes.sort_unstable();
        let expected = [1, 3, 6, 15, 42, 51, 53, 54, 58, 59, 61, 82];
        assert_eq!(codes, expected);
    }
}

#[test]
fn c171_an_expired_address_is_kept_from_others_until_the_grace_is_over() {
    let mut setup = Setup::default();
    setup.home_subnet().pools = vec![pool("10.0.0.10", "10.0.0.10")];
    let mut world = setup.world();
    let addr = world.lease(&client(1)).yiaddr();
    let other = |world: &mut World| world.send(client(2).discover());
    world.pass(3605);
    assert_eq!(other(&mut world).silence(), Silence::NoAddress);
    let ack = world.send(client(1).renew(addr)).ack();
    assert_eq!(ack.lease(), Some(3600));
    world.pass(3600 + 29);
    assert_eq!(other(&mut world).silence(), Silence::NoAddress);
    world.pass(4);
    assert_eq!(other(&mut world).offer().yiaddr(), addr);
}

#[test]
fn c171_a_lease_without_grace_is_its_clients_to_its_last_moment() {
    let mut setup = Setup::default();
    setup.home().rules.grace = Duration::ZERO;
    setup.home_subnet().pools = vec![pool("10.0.0.10", "10.0.0.10")];
    let mut world = setup.world();
    // The wall clock is 157 ms behind, which is a second in whole ones.
    world.wall = -1;
    world.restart();
    world.now = Instant(world.now.0 + 900);
    let addr = world.lease(&client(1)).yiaddr();
    world.pass(3599);
    // Half a second before the end that the client knows.
    world.now = Instant(world.now.0 + 500);
    world.housekeep();
    let other = world.send(client(2).discover()).silence();
    assert_eq!(other, Silence::NoAddress);
    // A start begins at the wall clock.
    (world.now, world.wall) = (Instant(world.now.0 - 157), 0);
    world.restart();
    world.housekeep();
    let other = world.send(client(2).discover()).silence();
    assert_eq!(other, Silence::NoAddress);
    world.pass(3);
    assert_eq!(world.send(client(2).discover()).offer().yiaddr(), addr);
}

/// `msg` with one octet of its payload set.
fn patched(msg: &Msg, at: usize, octet: u8) -> Vec<u8> {
    let mut octets = msg.octets();
    octets[at] = octet;
    octets
}

#[test]
fn c194_malformed_messages_change_nothing_and_are_not_answered() {
    let mut world = Setup::default().world();
    let offer = world.send(client(1).discover()).offer();
    let msg = client(1).select(&offer);
    let end = msg.octets().len() - 1;
    for (octets, reason) in [
        (patched(&msg, 0, 0), Malformed::Op),
        (patched(&msg, 0, 2), Malformed::NotARequest),
        (patched(&msg, 0, 3), Malformed::Op),
        (patched(&msg, 2, 17), Malformed::HardwareLength),
        (patched(&msg, 2, 255), Malformed::HardwareLength),
        (patched(&msg, 236, 98), Malformed::Cookie),
        (patched(&msg, end, 12), Malformed::OptionOverrun),
        (patched(&msg, 241, 200), Malformed::OptionOverrun),
    ] {
        assert_eq!(world.send_octets(&msg, &octets).malformed(), reason);
    }
    assert!(world.log.is_empty());
    world.send(msg).ack();
}
