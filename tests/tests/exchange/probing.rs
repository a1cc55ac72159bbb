//! Probe before offer, on the wire: what is asked, who waits, and whose answer counts.

use crate::frames::{Client, SERVER, SERVER_MAC, client};
use crate::rig::{MAX_PROBES, Rig, parse, spec};
use crate::team::{Size, Team};
use dhcp_proto::address::AddressState;
use dhcp_proto::config::{ProbeBy, Spec};
use dhcp_wire::arp::{self, Op, Station};
use dhcp_wire::dhcp::MessageType;
use dhcp_wire::ethernet::{self, Ethernet, Mac, Tags, ethertype};
use dhcp_wire::frame::{self, Frame, Offloads};
use lessor::dataplane::counters::Group;
use std::net::Ipv4Addr;

const SQUATTER: Mac = Mac([2, 0xbb, 0, 0, 0, 1]);
const WAIT: u64 = 500;

/// Home alone, its addresses probed, with so many of them.
fn probing(by: ProbeBy, count: u8) -> Spec {
    let mut spec = spec();
    let home = &mut spec.networks[0];
    home.subnets.truncate(1);
    home.subnets[0].probe.by = by;
    home.subnets[0].pools[0].last = Ipv4Addr::new(10, 0, 0, 9 + count);
    spec
}

/// What the server put on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Out {
    /// An ARP request: who is asked for, and the address of who asks.
    Arp(Ipv4Addr, Ipv4Addr),
    /// An echo request, as a frame.
    Echo(Ipv4Addr, Vec<u8>),
    /// A reply: type, yiaddr, xid.
    Dhcp(MessageType, Ipv4Addr, u32),
}

fn out(octets: &[u8]) -> Out {
    match frame::parse(octets, Offloads::default()).unwrap() {
        Frame::Arp { eth, arp } => {
            assert_eq!((arp.op(), eth.dst()), (Op::Request, Mac::BROADCAST));
            assert_eq!((arp.sha(), arp.tha()), (SERVER_MAC, Mac::default()));
            Out::Arp(arp.tpa(), arp.spa())
        }
        Frame::Icmp { ip, icmp, .. } => {
            assert!(icmp.is_echo_request());
            assert_eq!(ip.src(), SERVER);
            Out::Echo(ip.dst(), octets.to_vec())
        }
        Frame::Dhcp { .. }
        | Frame::OtherUdp { .. }
        | Frame::OtherIp { .. }
        | Frame::Other { .. } => {
            let sent = parse(octets).unwrap();
            Out::Dhcp(sent.kind, sent.yiaddr, sent.xid)
        }
    }
}

fn seen(rig: &mut Rig) -> Vec<Out> {
    rig.worker.poll(rig.now);
    let sent = rig.wire.take_sent();
    sent.iter().map(|frame| out(&frame.octets)).collect()
}

#[track_caller]
fn one(rig: &mut Rig) -> Out {
    let seen = seen(rig);
    assert_eq!(seen.len(), 1, "{seen:?}");
    seen.into_iter().next().unwrap()
}

/// The address that an ARP probe asks for.
#[track_caller]
fn asked(out: &Out) -> Ipv4Addr {
    let Out::Arp(addr, Ipv4Addr::UNSPECIFIED) = out else {
        panic!("no probe: {out:?}")
    };
    *addr
}

/// The answer of a station that has `addr` to an ARP probe.
fn answer(addr: Ipv4Addr, mac: Mac) -> Vec<u8> {
    let mut frame = vec![0; 60];
    let tags = Tags::default();
    let at = ethernet::write(&mut frame, SERVER_MAC, mac, &tags, ethertype::ARP).unwrap();
    let target = Station {
        mac: SERVER_MAC,
        addr: Ipv4Addr::UNSPECIFIED,
    };
    arp::write(&mut frame[at..], Op::Reply, Station { mac, addr }, target).unwrap();
    frame
}

/// The reply of a station to an echo request.
fn echoed(request: &[u8]) -> Vec<u8> {
    let mut frame = request.to_vec();
    frame::write_echo_reply(&mut frame, SQUATTER).unwrap();
    frame[..6].copy_from_slice(&SERVER_MAC.0);
    frame
}

fn discover(n: u8) -> Client {
    client(n).discover()
}

#[track_caller]
fn is_offer(out: &Out, addr: Ipv4Addr, xid: u32) {
    assert_eq!(*out, Out::Dhcp(MessageType::Offer, addr, xid));
}

#[test]
fn c179_arp_asks_for_a_new_address_and_the_offer_comes_when_nobody_answers() {
    let mut rig = Rig::on(probing(ProbeBy::Auto, 5));
    rig.send(&discover(1));
    let addr = asked(&one(&mut rig));
    rig.pass(WAIT - 1);
    assert_eq!(seen(&mut rig), []);
    rig.pass(1);
    is_offer(&one(&mut rig), addr, 1);
    assert_eq!(rig.count(Group::Events, "probe_free"), 1);
    // It is on offer now.
    rig.send(&discover(1));
    is_offer(&one(&mut rig), addr, 1);
    rig.send(&client(1).request(addr));
    rig.commit();
    assert!(matches!(one(&mut rig), Out::Dhcp(MessageType::Ack, a, _) if a == addr));
}

#[test]
fn c179_an_answer_sets_the_address_aside_and_the_next_is_asked_for_at_once() {
    let mut rig = Rig::on(probing(ProbeBy::Auto, 5));
    rig.send(&discover(1));
    let first = asked(&one(&mut rig));
    rig.give(&answer(first, SQUATTER));
    let second = asked(&one(&mut rig));
    assert_ne!(first, second);
    assert_eq!(rig.commit(), 1, "it is on disk");
    rig.pass(WAIT);
    is_offer(&one(&mut rig), second, 1);
    // Nobody else is offered it either.
    rig.send(&client(2).discover_for(first));
    assert_ne!(asked(&one(&mut rig)), first);
    let events = |name| rig.count(Group::Events, name);
    assert_eq!((events("probe_busy"), events("probe_answered")), (1, 1));
    assert_eq!(events("probes_sent"), 3);
}

#[test]
fn c181_the_newer_discover_of_a_client_is_answered_once() {
    let mut rig = Rig::on(probing(ProbeBy::Auto, 5));
    rig.send(&discover(1));
    let addr = asked(&one(&mut rig));
    for xid in [70, 71] {
        rig.pass(WAIT / 4);
        let repeated = Client { xid, ..discover(1) };
        rig.send(&repeated);
        assert_eq!(seen(&mut rig), [], "no second probe");
    }
    rig.pass(WAIT / 2);
    is_offer(&one(&mut rig), addr, 71);
    rig.pass(10 * WAIT);
    assert_eq!(seen(&mut rig), []);
    assert_eq!(rig.count(Group::Drops, "probe_repeated"), 2);
    assert_eq!(rig.count(Group::Events, "probes_sent"), 1);
}

#[test]
fn only_the_one_offer_waits() {
    let mut rig = Rig::on(probing(ProbeBy::Auto, 5));
    rig.send(&discover(1));
    let first = asked(&one(&mut rig));
    rig.pass(WAIT);
    is_offer(&one(&mut rig), first, 1);
    rig.send(&client(1).request(first));
    rig.commit();
    seen(&mut rig);
    rig.send(&discover(2));
    asked(&one(&mut rig));
    // A known client, a renewal, and a client of another network go ahead of it.
    rig.send(&discover(1));
    is_offer(&one(&mut rig), first, 1);
    rig.send(&client(1).renew(first));
    assert!(matches!(one(&mut rig), Out::Dhcp(MessageType::Ack, ..)));
}

#[test]
fn beyond_the_most_probes_an_address_is_offered_without_one() {
    let mut rig = Rig::on(probing(ProbeBy::Auto, 50));
    let most = u8::try_from(MAX_PROBES).unwrap();
    for n in 1..=most {
        rig.send(&discover(n));
        asked(&one(&mut rig));
    }
    rig.send(&discover(99));
    assert!(matches!(
        one(&mut rig),
        Out::Dhcp(MessageType::Offer, _, 99)
    ));
    assert_eq!(rig.count(Group::Events, "probe_table_full"), 1);
    rig.pass(WAIT);
    assert_eq!(seen(&mut rig).len(), usize::from(most), "all the offers");
    rig.send(&discover(100));
    asked(&one(&mut rig));
}

#[test]
fn a_discover_gives_up_where_every_address_is_in_use() {
    let mut rig = Rig::on(probing(ProbeBy::Arp, 100));
    rig.send(&discover(1));
    for _ in 0..16 {
        let addr = asked(&one(&mut rig));
        rig.give(&answer(addr, SQUATTER));
    }
    assert_eq!(seen(&mut rig), []);
    assert_eq!(rig.count(Group::Drops, "probe_given_up"), 1);
    // Its next one goes on where this one ended.
    rig.send(&discover(1));
    let addr = asked(&one(&mut rig));
    rig.pass(WAIT);
    is_offer(&one(&mut rig), addr, 1);
}

#[test]
fn arp_that_answers_no_probe_changes_nothing() {
    let mut rig = Rig::on(probing(ProbeBy::Auto, 5));
    rig.send(&discover(1));
    let addr = asked(&one(&mut rig));
    let mut gratuitous = answer(addr, SQUATTER);
    gratuitous[..6].copy_from_slice(&Mac::BROADCAST.0);
    gratuitous[32..38].copy_from_slice(&Mac::BROADCAST.0);
    let request = {
        let mut frame = answer(addr, SQUATTER);
        frame[21] = 1;
        frame
    };
    let other = answer(Ipv4Addr::new(10, 0, 0, 99), SQUATTER);
    for frame in [gratuitous, request, other, answer(addr, SERVER_MAC)] {
        rig.give(&frame);
        assert_eq!(seen(&mut rig), []);
    }
    rig.pass(WAIT);
    is_offer(&one(&mut rig), addr, 1);
    assert_eq!(rig.sum(Group::Drops), 4, "each is counted");
}

#[test]
fn by_icmp_on_its_own_link_the_station_counts_when_it_echoes() {
    let mut rig = Rig::on(probing(ProbeBy::Icmp, 5));
    // A router that answers ARP for others does not have the address.
    rig.send(&discover(1));
    let addr = asked(&one(&mut rig));
    rig.give(&answer(addr, SQUATTER));
    let Out::Echo(to, request) = one(&mut rig) else {
        panic!("an echo request follows")
    };
    let eth = Ethernet::parse(&request).unwrap();
    assert_eq!((to, eth.dst(), eth.src()), (addr, SQUATTER, SERVER_MAC));
    rig.give(&answer(addr, SQUATTER));
    assert_eq!(seen(&mut rig), [], "one echo is enough");
    rig.pass(WAIT);
    is_offer(&one(&mut rig), addr, 1);
    rig.give(&echoed(&request));
    assert_eq!(rig.count(Group::Drops, "probe_mismatch"), 1, "too late");

    rig.send(&discover(2));
    let addr = asked(&one(&mut rig));
    rig.give(&answer(addr, SQUATTER));
    let Out::Echo(_, request) = one(&mut rig) else {
        panic!("an echo request follows")
    };
    rig.give(&echoed(&request));
    assert_ne!(asked(&one(&mut rig)), addr);
    assert_eq!(rig.count(Group::Events, "probe_busy"), 1);
}

const RELAY: Station = Station {
    mac: Mac([2, 0x77, 0, 0, 0, 1]),
    addr: Ipv4Addr::new(10, 0, 0, 77),
};

/// A home whose relay is on the link and whose addresses are behind it.
fn behind(by: ProbeBy) -> Spec {
    let mut spec = spec();
    let home = &mut spec.networks[0];
    home.subnets[0].pools.clear();
    home.subnets[1].probe.by = by;
    spec
}

fn relayed(n: u8) -> Client {
    discover(n).relayed(RELAY.addr)
}

#[test]
fn beyond_a_relay_it_asks_by_echo_once_the_relay_is_found() {
    let mut rig = Rig::on(behind(ProbeBy::Auto));
    rig.send(&relayed(1));
    assert_eq!(one(&mut rig), Out::Arp(RELAY.addr, SERVER));
    rig.give(&answer(RELAY.addr, RELAY.mac));
    rig.pass(100);
    let Out::Echo(addr, request) = one(&mut rig) else {
        panic!("an echo request")
    };
    assert_eq!(addr.octets()[..3], [10, 0, 1]);
    assert_eq!(Ethernet::parse(&request).unwrap().dst(), RELAY.mac);
    rig.give(&echoed(&request));
    let Out::Echo(next, _) = one(&mut rig) else {
        panic!("the next address is asked for")
    };
    assert_ne!(next, addr);
    rig.pass(WAIT);
    is_offer(&one(&mut rig), next, 1);
}

#[test]
fn who_cannot_be_asked_is_offered_and_counted() {
    // By ARP it cannot ask beyond a router.
    let mut rig = Rig::on(behind(ProbeBy::Arp));
    rig.send(&relayed(1));
    assert_eq!(one(&mut rig), Out::Arp(RELAY.addr, SERVER));
    rig.give(&answer(RELAY.addr, RELAY.mac));
    assert!(matches!(one(&mut rig), Out::Dhcp(MessageType::Offer, _, 1)));
    assert_eq!(rig.count(Group::Events, "probe_skipped"), 1);
    // The relay does not answer ARP in time.
    let mut rig = Rig::on(behind(ProbeBy::Auto));
    rig.send(&relayed(1));
    rig.pass(WAIT);
    rig.give(&answer(RELAY.addr, RELAY.mac));
    let seen = seen(&mut rig);
    assert!(matches!(
        seen.last(),
        Some(Out::Dhcp(MessageType::Offer, _, 1))
    ));
    assert_eq!(rig.count(Group::Events, "probe_skipped"), 1);
    assert_eq!(rig.count(Group::Events, "probes_sent"), 0);
}

#[test]
fn a_forged_echo_sets_nothing_aside() {
    let mut rig = Rig::on(behind(ProbeBy::Icmp));
    rig.send(&relayed(1));
    rig.give(&answer(RELAY.addr, RELAY.mac));
    rig.pass(1);
    let sent = seen(&mut rig);
    let Some(Out::Echo(addr, request)) = sent.last().cloned() else {
        panic!("{sent:?}")
    };
    let true_reply = echoed(&request);
    // Any octet of what it carries, with a checksum that is right.
    for octet in 0..17 {
        let mut forged = true_reply.clone();
        forged[42 + octet] = forged[42 + octet].wrapping_add(1);
        assert!(fix_icmp(&mut forged));
        rig.give(&forged);
    }
    assert_eq!(addr.octets()[..3], [10, 0, 1]);
    assert_eq!(seen(&mut rig), []);
    assert_eq!(rig.count(Group::Drops, "probe_mismatch"), 17);
    rig.give(&true_reply);
    assert_eq!(rig.count(Group::Events, "probe_busy"), 1);
}

/// Makes the checksum of an echo right again.
fn fix_icmp(frame: &mut [u8]) -> bool {
    let len = usize::from(u16::from_be_bytes([frame[16], frame[17]]));
    let message = &mut frame[34..14 + len];
    message[2..4].fill(0);
    let sum = dhcp_wire::checksum::Sum::default().add_octets(message);
    message[2..4].copy_from_slice(&sum.checksum().to_be_bytes());
    frame::parse(frame, Offloads::default()).is_ok()
}

/// What the workers of a team sent.
fn sent_by(team: &mut Team) -> Vec<(usize, Out)> {
    let sent = team.wire.take_sent_by();
    let out = |(queue, frame): &(usize, lessor::dataplane::port_mem::MemFrame)| {
        (*queue, out(&frame.octets))
    };
    sent.iter().map(out).collect()
}

#[track_caller]
fn one_by(team: &mut Team) -> (usize, Out) {
    let sent = sent_by(team);
    assert_eq!(sent.len(), 1, "{sent:?}");
    sent.into_iter().next().unwrap()
}

/// A client of each of two workers.
fn of_each(team: &Team) -> [u8; 2] {
    let owned_by = |worker| (1..=u8::MAX).find(|n| team.owner_of(&client(*n)) == worker);
    [0, 1].map(|worker| owned_by(worker).unwrap())
}

#[test]
fn an_answer_counts_whichever_worker_hears_it() {
    for queue in [0, 1] {
        let mut team = Team::new(Size::of(2), probing(ProbeBy::Auto, 50));
        for (owner, n) in of_each(&team).into_iter().enumerate() {
            team.give(queue, &discover(n).frame());
            team.settle();
            let (by, out) = one_by(&mut team);
            let addr = asked(&out);
            assert_eq!(by, owner);
            team.give(queue, &answer(addr, SQUATTER));
            team.settle();
            let (by, out) = one_by(&mut team);
            assert_eq!(by, owner);
            assert_ne!(asked(&out), addr);
            assert_eq!(team.word(addr).state(), AddressState::SetAside);
            team.commit();
            team.pass(WAIT);
            is_offer(&one_by(&mut team).1, asked(&out), n.into());
        }
        assert_eq!(team.count(Group::Events, "probe_answer_handed"), 1);
        team.is_sound();
    }
}

#[test]
fn an_echo_counts_whichever_worker_hears_it() {
    let mut team = Team::new(Size::of(2), probing(ProbeBy::Icmp, 50));
    for (owner, n) in of_each(&team).into_iter().enumerate() {
        let other = 1 - owner;
        team.give(other, &discover(n).frame());
        team.settle();
        let addr = asked(&one_by(&mut team).1);
        team.give(other, &answer(addr, SQUATTER));
        team.settle();
        let (by, Out::Echo(_, request)) = one_by(&mut team) else {
            panic!("an echo request")
        };
        assert_eq!(by, owner);
        team.give(other, &echoed(&request));
        team.settle();
        assert_ne!(asked(&one_by(&mut team).1), addr);
        assert_eq!(team.word(addr).state(), AddressState::SetAside);
        team.commit();
        team.pass(WAIT);
        sent_by(&mut team);
    }
    assert_eq!(team.count(Group::Events, "probe_answer_handed"), 4);
    team.is_sound();
}

#[test]
fn c177_an_address_that_another_worker_set_aside_is_found_when_the_pool_is_empty() {
    let mut team = Team::new(Size::of(2), probing(ProbeBy::Auto, 1));
    let [one, two] = of_each(&team);
    team.give(0, &discover(one).frame());
    team.settle();
    let addr = asked(&one_by(&mut team).1);
    team.give(0, &answer(addr, SQUATTER));
    team.settle();
    team.commit();
    assert_eq!(team.word(addr).state(), AddressState::SetAside);
    team.pass(60_000);
    // The squatter is gone. The other worker's client has to ask twice.
    team.give(0, &discover(two).frame());
    team.settle();
    assert_eq!(asked(&one_by(&mut team).1), addr);
    team.pass(WAIT);
    assert_eq!(team.commit(), 1, "the end of the probation is written");
    assert_eq!(team.word(addr).state(), AddressState::Free);
    team.give(0, &discover(two).frame());
    team.settle();
    assert_eq!(asked(&one_by(&mut team).1), addr);
    team.pass(WAIT);
    is_offer(&one_by(&mut team).1, addr, two.into());
    assert_eq!(team.word(addr).state(), AddressState::Held);
    team.is_sound();
}

#[test]
fn c179_with_the_probe_off_nobody_asks() {
    let mut rig = Rig::new();
    rig.send(&discover(1));
    assert!(matches!(one(&mut rig), Out::Dhcp(MessageType::Offer, ..)));
    assert_eq!(rig.count(Group::Events, "probes_sent"), 0);
}
