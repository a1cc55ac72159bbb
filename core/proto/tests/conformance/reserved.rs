//! Addresses that are kept for a client: in use by another, and claimed by two identities of one.

use crate::client::{Msg, client};
use crate::world::{Setup, World, ip, pool};
use dhcp_proto::address::Space;
use dhcp_proto::config::{Reservation, ReservationMoves};
use dhcp_proto::identity::{Identity, Kind};
use dhcp_proto::record::RecordKind;
use dhcp_proto::server::Silence;
use dhcp_wire::dhcp::code;
use std::net::Ipv4Addr;

/// `addr` kept for the hardware address of `client(n)`.
pub fn kept(n: u8, addr: Ipv4Addr) -> Reservation {
    let identity = Identity::new(Kind::Chaddr, &[&[1, 2, 0, 0, 0, 0, n]]).unwrap();
    Reservation::new(identity.as_slice(), addr)
}

/// The address that `msg`'s client is offered, at its second DISCOVER if the first one only made
/// another worker yield.
fn offered(world: &mut World, msg: &Msg) -> Ipv4Addr {
    match world.send(msg.clone().discover()) {
        crate::world::Answer::Reply(offer) => offer.yiaddr(),
        other => {
            assert_eq!(other.silence(), Silence::Yielding);
            world.pass(4);
            world.send(msg.clone().discover()).offer().yiaddr()
        }
    }
}

#[test]
fn c178_the_owner_of_a_reserved_address_in_use_gets_another_until_its_user_is_refused() {
    for owner in 2..10 {
        let mut setup = Setup::default();
        setup.shards = 3;
        let mut world = setup.world();
        let user = client(1);
        let addr = world.lease(&user).yiaddr();
        world.setup.home().reservations.push(kept(owner, addr));
        world.restart();
        assert_ne!(offered(&mut world, &client(owner)), addr);
        // Its user goes on until it asks; then it is refused.
        world.send(user.clone().renew(addr)).nak();
        assert_eq!(offered(&mut world, &client(owner)), addr);
        assert_ne!(offered(&mut world, &user), addr);
    }
}

#[test]
fn c178_two_identities_of_one_reservation_follow_each_other_and_never_share_it() {
    let addr = ip("10.0.0.200");
    for system in 0..8 {
        let mut setup = Setup::default();
        setup.shards = 3;
        setup.home().reservations.push(kept(1, addr));
        let mut world = setup.world();
        let firmware = client(1);
        let system = client(1).client_id(&[0, b's', system]);
        assert_eq!(world.lease(&firmware).yiaddr(), addr);
        assert_eq!(offered(&mut world, &system), addr);
        let ended = world.log.last().unwrap();
        assert_eq!((ended.kind, ended.addr), (RecordKind::Ended, addr));
        let select = system.clone().reboot(addr).server(crate::client::SERVER);
        assert_eq!(world.send(select).ack().yiaddr(), addr);
        // The firmware's lease is over.
        world.send(firmware.clone().renew(addr)).nak();
        assert_eq!(offered(&mut world, &firmware), addr);
    }
}

#[test]
fn c182_a_reservation_takes_effect_at_the_next_discover_and_not_at_a_renewal() {
    let mut world = Setup::default().world();
    let addr = world.lease(&client(1)).yiaddr();
    let reservation = kept(1, ip("10.0.0.200"));
    world.setup.home().reservations.push(reservation);
    world.restart();
    assert_eq!(world.send(client(1).renew(addr)).ack().yiaddr(), addr);
    assert_eq!(world.send(client(1).reboot(addr)).ack().yiaddr(), addr);
    assert_eq!(offered(&mut world, &client(1)), ip("10.0.0.200"));
}

#[test]
fn c182_a_renewal_of_the_old_address_is_refused_where_the_network_says_so() {
    for extend in [true, false] {
        let mut setup = Setup::default();
        setup.home().rules.reservation_moves = ReservationMoves::Nak;
        setup.home().rules.extend = extend;
        let mut world = setup.world();
        let (first, second) = (client(1), client(2));
        let (addr, other) = (world.lease(&first).yiaddr(), world.lease(&second).yiaddr());
        // Not for an address that it cannot have.
        world.add(&kept(1, other));
        assert_eq!(world.send(client(1).renew(addr)).ack().yiaddr(), addr);
        world.remove(other);
        world.add(&kept(1, ip("10.0.0.200")));
        world.send(client(1).renew(addr)).nak();
        assert_eq!(world.log.last().unwrap().kind, RecordKind::Ended);
        assert_eq!(world.lease(&first).yiaddr(), ip("10.0.0.200"));
        world.send(client(1).renew(ip("10.0.0.200"))).ack();
    }
}

#[test]
fn c178_a_reservation_added_at_run_time_waits_for_the_user_of_its_address() {
    for owner in 2..10 {
        let mut setup = Setup::default();
        setup.shards = 3;
        let mut world = setup.world();
        let user = client(1);
        let addr = world.lease(&user).yiaddr();
        world.add(&kept(owner, addr));
        assert_ne!(offered(&mut world, &client(owner)), addr);
        world.send(user.clone().renew(addr)).nak();
        assert_eq!(offered(&mut world, &client(owner)), addr);
        assert_ne!(offered(&mut world, &user), addr);
    }
}

#[test]
fn a_reservation_added_at_run_time_is_seen_by_the_next_discover_and_gone_after_its_removal() {
    for addr in ["10.0.0.15", "10.0.0.10", "10.0.0.200"].map(ip) {
        let mut world = Setup::default().world();
        world.add(&kept(1, addr));
        assert_eq!(world.lease(&client(1)).yiaddr(), addr);
        assert_ne!(offered(&mut world, &client(2).requested(addr)), addr);
        world.remove(addr);
        // Its client keeps what it has: as long as anybody may have it, or until the lease is over.
        assert_eq!(world.send(client(1).renew(addr)).ack().yiaddr(), addr);
    }
}

#[test]
fn an_address_reserved_at_run_time_is_given_to_nobody_else_and_comes_back() {
    let mut setup = Setup::default();
    setup.shards = 2;
    let mut world = setup.world();
    // Free, remembered, on offer and leased when they are reserved.
    let remembered = world.lease(&client(1)).yiaddr();
    world.send(
        client(1)
            .release()
            .ciaddr(remembered)
            .server(crate::client::SERVER),
    );
    let leased = world.lease(&client(2)).yiaddr();
    let held = offered(&mut world, &client(3));
    let free = ip("10.0.0.20");
    for (n, addr) in (100..).zip([remembered, leased, held, free]) {
        world.add(&kept(n, addr));
    }
    world.send(client(2).renew(leased)).nak();
    world.pass(120);
    let mut given = Vec::new();
    for n in 10..17 {
        given.push(world.lease(&client(n)).yiaddr());
    }
    for addr in [remembered, leased, held, free] {
        assert!(!given.contains(&addr), "{addr} of {given:?}");
    }
    let none = world.send(client(17).discover());
    assert_eq!(none.silence(), Silence::NoAddress);
    // Whoever has the reservation gets the address all the same.
    assert_eq!(world.lease(&client(103)).yiaddr(), free);
    world.send(
        client(103)
            .release()
            .ciaddr(free)
            .server(crate::client::SERVER),
    );
    for addr in [remembered, leased, held, free] {
        world.remove(addr);
    }
    let back: Vec<_> = (20..24).map(|n| world.lease(&client(n)).yiaddr()).collect();
    for addr in [remembered, leased, held, free] {
        assert!(back.contains(&addr), "{addr} of {back:?}");
    }
    let none = world.send(client(24).discover());
    assert_eq!(none.silence(), Silence::NoAddress);
}

#[test]
fn the_reservation_of_the_file_wins() {
    let (files, added) = (ip("10.0.0.200"), ip("10.0.0.201"));
    let mut setup = Setup::default();
    setup.home().reservations.push(kept(1, files));
    let mut world = setup.world();
    // Neither is let in by a server; the machine knows an order for all that.
    world.add(&kept(1, added));
    assert_eq!(world.lease(&client(1)).yiaddr(), files);
    world.add(&kept(2, files));
    assert_ne!(offered(&mut world, &client(2)), files);
    assert_eq!(world.send(client(1).renew(files)).ack().yiaddr(), files);
}

/// Option 82 of a circuit and a remote-id, of a client behind 10.9.0.1.
fn behind(n: u8, circuit: &[u8], remote: &[u8]) -> Msg {
    client(n).agent_info(&[(1, circuit), (2, remote)])
}

fn by(kind: Kind, parts: &[&[u8]], addr: &str) -> Reservation {
    Reservation::new(Identity::new(kind, parts).unwrap().as_slice(), ip(addr))
}

#[test]
fn the_station_is_asked_for_before_its_circuit_and_that_before_its_remote_id() {
    let relay = &[10, 9, 0, 1][..];
    let all = [
        by(Kind::ClientId, &[b"\0id"], "10.9.0.101"),
        by(Kind::Chaddr, &[&[1, 2, 0, 0, 0, 0, 1]], "10.9.0.102"),
        by(Kind::Circuit, &[relay, b"p7"], "10.9.0.103"),
        by(Kind::RemoteId, &[b"cpe"], "10.9.0.104"),
    ];
    for first in 0..all.len() {
        for at_run_time in [false, true] {
            let mut setup = Setup::default();
            if !at_run_time {
                setup.far().reservations.extend_from_slice(&all[first..]);
            }
            let mut world = setup.world();
            if at_run_time {
                all[first..].iter().for_each(|kept| world.add(kept));
            }
            let msg = behind(1, b"p7", b"cpe").client_id(b"\0id").discover();
            let offer = world.send(msg.far()).offer();
            assert_eq!(offer.yiaddr(), all[first].addr, "{first}");
        }
    }
}

#[test]
fn c175_a_circuit_is_kept_at_its_relay_and_a_remote_id_at_any() {
    let mut setup = Setup::default();
    setup.far().relays = None;
    let (relay, circuit, remote) = ([10, 9, 0, 1], ip("10.9.0.103"), ip("10.9.0.104"));
    setup.far().reservations = vec![
        by(Kind::Circuit, &[&relay, b"p7"], "10.9.0.103"),
        by(Kind::RemoteId, &[b"cpe"], "10.9.0.104"),
        by(Kind::RelayCircuit, &[&[3], b"bng", b"p7"], "10.9.0.105"),
    ];
    let mut world = setup.world();
    let mut offer = |msg: Msg, giaddr: &str| {
        let msg = msg.discover().relayed(ip(giaddr), crate::client::SERVER);
        world.send(msg).offer().yiaddr()
    };
    assert_eq!(offer(behind(1, b"p7", b"x"), "10.9.0.1"), circuit);
    assert_ne!(offer(behind(2, b"p7", b"x"), "10.9.0.2"), circuit);
    assert_ne!(offer(behind(3, b"p8", b"x"), "10.9.0.1"), circuit);
    assert_eq!(offer(behind(4, b"p9", b"cpe"), "10.9.0.2"), remote);
    let named = client(5).option(code::AGENT_INFO, b"\x01\x02p7\x0c\x03bng");
    assert_eq!(offer(named, "10.9.0.2"), ip("10.9.0.105"));
}

#[test]
fn c160_a_circuit_that_a_client_claims_itself_has_no_reservation() {
    let mut setup = Setup::default();
    let unspecified = [0; 4];
    let addr = ip("10.0.0.150");
    setup.home().reservations = vec![
        by(Kind::Circuit, &[&unspecified, b"p7"], "10.0.0.150"),
        by(Kind::RemoteId, &[b"cpe"], "10.0.0.151"),
    ];
    let mut world = setup.world();
    let claimed = world.send(behind(1, b"p7", b"cpe").discover()).offer();
    assert!(claimed.yiaddr() < addr);
    world.setup.links[0].trust_option82 = true;
    world.restart();
    let trusted = world.send(behind(1, b"p7", b"cpe").discover()).offer();
    assert_eq!(trusted.yiaddr(), addr);
}

#[test]
fn a_unicast_renewal_keeps_the_reservation_of_the_circuit_that_it_does_not_name() {
    let addr = ip("10.9.0.103");
    let mut setup = Setup::default();
    let relay = &[10, 9, 0, 1][..];
    setup.far().reservations = vec![by(Kind::Circuit, &[relay, b"p7"], "10.9.0.103")];
    let mut world = setup.world();
    let offer = world.send(behind(1, b"p7", b"x").discover().far()).offer();
    assert_eq!(offer.yiaddr(), addr);
    let select = behind(1, b"p7", b"x").select(&offer).far();
    assert_eq!(world.send(select).ack().yiaddr(), addr);
    for _ in 0..2 {
        world.pass(100);
        let renewal = client(1).renew(addr).routed(
            crate::client::SERVER,
            dhcp_wire::ethernet::Mac([2, 0xee, 0, 0, 0, 9]),
        );
        assert_eq!(world.send(renewal).ack().yiaddr(), addr);
        world.restart();
    }
    // Whoever shows up behind another circuit has no right to it.
    let elsewhere = behind(1, b"p8", b"x").rebind(addr).far();
    world.send(elsewhere).nak();
}

#[test]
fn c178_a_swapped_station_behind_a_circuit_takes_over_its_address() {
    let addr = ip("10.9.0.103");
    for new in 2..10 {
        let mut setup = Setup::default();
        setup.shards = 3;
        let relay = &[10, 9, 0, 1][..];
        setup.far().reservations = vec![by(Kind::Circuit, &[relay, b"p7"], "10.9.0.103")];
        let mut world = setup.world();
        let old = behind(1, b"p7", b"x").far();
        let offer = world.send(old.clone().discover()).offer();
        world.send(old.clone().select(&offer)).ack();
        assert_eq!(offered(&mut world, &behind(new, b"p7", b"x").far()), addr);
        let ended = world.log.last().unwrap();
        assert_eq!((ended.kind, ended.addr), (RecordKind::Ended, addr));
    }
}

#[test]
fn a_series_gives_the_nth_client_the_nth_address() {
    let mut setup = Setup::default();
    setup.home_subnet().pools = vec![pool("10.0.0.10", "10.0.0.99")];
    let series = Reservation {
        count: 60,
        ..kept(200, ip("10.0.0.80"))
    };
    setup.home().reservations.push(series);
    let mut world = setup.world();
    for n in [0, 1, 19, 20, 55] {
        let (nth, addr) = (200 + n, Ipv4Addr::new(10, 0, 0, 80 + n));
        assert_eq!(world.lease(&client(nth)).yiaddr(), addr);
    }
    // 10.0.0.10 to .79 are left for the others.
    for n in 0..70 {
        assert!(world.lease(&client(n)).yiaddr() < ip("10.0.0.80"));
    }
    let none = world.send(client(70).discover());
    assert_eq!(none.silence(), Silence::NoAddress);
    let stranger = client(71).requested(ip("10.0.0.139")).discover();
    assert_eq!(world.send(stranger).silence(), Silence::NoAddress);
    assert!(world.config.cell(Space(0), ip("10.0.0.139")).is_some());
}
