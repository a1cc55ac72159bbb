//! A new configuration beside running bindings: nothing that a client was told is broken, and
//! whatever networks an address moves between, it has one owner.

use crate::client::{Msg, RELAY, SERVER, client};
use crate::world::{Net, Reply, Setup, World, ip, net, pool, state, subnet};
use dhcp_proto::address::{AddressState, Space};
use dhcp_proto::config::NetworkKey;
use dhcp_proto::identity::IdentityMode;
use dhcp_proto::server::Silence;
use std::net::Ipv4Addr;

/// Lease, grace and a little more.
const LONG_OVER: u64 = 3700;

fn home() -> Net {
    net(
        "home",
        vec![subnet("10.0.0.0/24", "10.0.0.10", "10.0.0.20")],
    )
}

fn far() -> Net {
    net("far", vec![subnet("10.9.0.0/24", "10.9.0.10", "10.9.0.20")])
}

/// One network of both subnets.
fn joined(name: &'static str) -> Vec<Net> {
    let mut both = home();
    both.name = name;
    both.subnets.extend(far().subnets);
    vec![both]
}

fn renamed() -> Vec<Net> {
    let (mut home, mut far) = (home(), far());
    (home.name, far.name) = ("casa", "lejos");
    vec![home, far]
}

/// What a reload makes of the two networks.
fn regroupings() -> Vec<Vec<Net>> {
    vec![
        joined("home"),
        joined("far"),
        joined("all"),
        renamed(),
        vec![far(), home()],
    ]
}

#[track_caller]
fn lease_far(world: &mut World, n: u8) -> Ipv4Addr {
    let offer = world.send(client(n).discover().far()).offer();
    world.send(client(n).select(&offer).far()).ack().yiaddr()
}

/// Reloads with `networks`; then, if `settled`, lets the shards move what is to be moved.
fn reload(world: &mut World, networks: Vec<Net>, settled: bool) {
    world.setup.networks = networks;
    world.reload();
    if settled {
        world.pass(5);
    }
}

fn key_of(world: &World, name: &str) -> NetworkKey {
    let mut networks = world.config.networks().iter();
    networks.find(|network| network.name == name).unwrap().key
}

#[test]
fn a_network_keeps_its_key_by_its_name_and_new_ones_get_unused_keys() {
    let mut world = Setup::default().world();
    let (first, second) = (key_of(&world, "home"), key_of(&world, "far"));
    let extra = net("new", vec![subnet("10.5.0.0/24", "10.5.0.2", "10.5.0.9")]);
    reload(&mut world, vec![extra, far(), home()], true);
    assert_eq!(key_of(&world, "home"), first);
    assert_eq!(key_of(&world, "far"), second);
    assert_eq!(key_of(&world, "new"), NetworkKey(2));
    // A network without bindings is forgotten, and its key is free for another.
    reload(&mut world, vec![home()], true);
    reload(&mut world, vec![home()], true);
    reload(&mut world, renamed(), true);
    assert!(world.config.keys() <= 4, "{}", world.config.keys());
}

#[test]
fn an_option_and_a_lease_time_are_seen_by_the_next_message() {
    let mut world = Setup::default().world();
    let addr = world.lease(&client(1)).yiaddr();
    world.setup.home_subnet().lease.default = 7200;
    world.setup.home_subnet().options[0].1 = vec![10, 0, 0, 2];
    world.reload();
    let ack = world.send(client(1).renew(addr)).ack();
    assert_eq!((ack.yiaddr(), ack.lease()), (addr, Some(7200)));
    assert_eq!(ack.option(3), Some(vec![10, 0, 0, 2]));
}

#[test]
fn a_client_keeps_its_address_whatever_network_it_is_in_now() {
    for shards in [1, 3] {
        for networks in regroupings() {
            for settled in [false, true] {
                let mut setup = Setup::default();
                setup.shards = shards;
                let mut world = setup.world();
                let near: Vec<_> = (1..5).map(|n| world.lease(&client(n)).yiaddr()).collect();
                let away: Vec<_> = (5..9).map(|n| lease_far(&mut world, n)).collect();
                reload(&mut world, networks.clone(), settled);
                for (n, addr) in (1..).zip(near) {
                    let ways = [client(n).renew(addr), client(n).reboot(addr)];
                    for request in ways {
                        assert_eq!(world.send(request).ack().yiaddr(), addr);
                    }
                    let offer = world.send(client(n).discover()).offer();
                    assert_eq!(offer.yiaddr(), addr);
                }
                for (n, addr) in (5..).zip(away) {
                    let ways = [client(n).rebind(addr).far(), client(n).reboot(addr).far()];
                    for request in ways {
                        assert_eq!(world.send(request).ack().yiaddr(), addr);
                    }
                    let offer = world.send(client(n).discover().far()).offer();
                    assert_eq!(offer.yiaddr(), addr);
                }
            }
        }
    }
}

#[test]
fn an_offer_is_taken_after_the_reload() {
    for networks in regroupings() {
        for settled in [false, true] {
            let mut world = Setup::default().world();
            let offer = world.send(client(1).discover().far()).offer();
            reload(&mut world, networks.clone(), settled);
            let ack = world.send(client(1).select(&offer).far()).ack();
            assert_eq!(ack.yiaddr(), offer.yiaddr());
        }
    }
}

#[test]
fn an_offer_beside_a_lease_is_taken_after_the_reload() {
    for settled in [false, true] {
        let mut world = Setup::default().world();
        let old = lease_far(&mut world, 1);
        world.setup.far().subnets[0].pools = vec![pool("10.9.0.30", "10.9.0.40")];
        world.reload();
        let offer = world.send(client(1).discover().far()).offer();
        assert_ne!(offer.yiaddr(), old);
        let mut networks = joined("all");
        networks[0].subnets[1].pools = vec![pool("10.9.0.30", "10.9.0.40")];
        reload(&mut world, networks, settled);
        let ack = world.send(client(1).select(&offer).far()).ack();
        assert_eq!(ack.yiaddr(), offer.yiaddr());
        assert_eq!(state(&world, old), AddressState::Free);
    }
}

#[test]
fn what_is_remembered_or_set_aside_moves_along() {
    for networks in regroupings() {
        let mut world = Setup::default().world();
        let mine = lease_far(&mut world, 1);
        let bad = lease_far(&mut world, 2);
        world.pass(LONG_OVER);
        let busy = world.lease(&client(3)).yiaddr();
        world.send(client(3).decline().requested(busy).server(SERVER));
        assert_eq!(state(&world, busy), AddressState::SetAside);
        reload(&mut world, networks, true);
        let offer = world.send(client(1).discover().far()).offer();
        assert_eq!(offer.yiaddr(), mine);
        assert_eq!(state(&world, bad), AddressState::Remembered);
        assert_eq!(state(&world, busy), AddressState::SetAside);
        world.pass(25 * 3600);
        assert_eq!(state(&world, busy), AddressState::Free);
        let wanted = world.send(client(4).discover().requested(busy)).offer();
        assert_eq!(wanted.yiaddr(), busy, "its hint is there");
    }
}

/// Takes every address that clients from `first` on can get at home; the addresses.
fn drain(world: &mut World, first: u8) -> Vec<Ipv4Addr> {
    let mut got = Vec::new();
    for n in first.. {
        match world.send(client(n).discover()) {
            crate::world::Answer::Reply(offer) => {
                got.push(world.send(client(n).select(&offer)).ack().yiaddr());
            }
            crate::world::Answer::Silence(Silence::NoAddress) => break,
            other => panic!("{other:?}"),
        }
    }
    got.sort_unstable();
    got
}

#[test]
fn a_lease_outside_the_new_pools_is_kept_to_its_end_and_given_to_nobody() {
    let mut world = Setup::default().world();
    let addr = world.lease(&client(1)).yiaddr();
    world.pass(600);
    world.setup.home_subnet().pools = vec![pool("10.0.0.30", "10.0.0.33")];
    world.reload();
    for request in [client(1).renew(addr), client(1).reboot(addr)] {
        world.pass(60);
        let ack = world.send(request).ack();
        assert_eq!(ack.yiaddr(), addr);
        let left = ack.lease().unwrap();
        assert!(left <= 3600 - 600, "it is not extended: {left}");
    }
    assert!(!drain(&mut world, 50).contains(&addr));
    world.pass(LONG_OVER - 600);
    assert_eq!(state(&world, addr), AddressState::Remembered);
    world.send(client(1).renew(addr)).nak();
    // The pool is back, and the address with it.
    world.setup.home_subnet().pools = vec![pool("10.0.0.10", "10.0.0.20")];
    world.reload();
    assert!(drain(&mut world, 80).contains(&addr));
}

#[test]
fn its_client_is_offered_an_address_of_the_pools_when_it_asks_anew() {
    let mut world = Setup::default().world();
    let addr = world.lease(&client(1)).yiaddr();
    world.setup.home_subnet().pools = vec![pool("10.0.0.30", "10.0.0.33")];
    world.reload();
    let new = world.lease(&client(1)).yiaddr();
    assert_eq!(new, ip("10.0.0.30"));
    assert_eq!(state(&world, addr), AddressState::Free);
}

#[test]
fn leases_of_a_network_that_is_gone_run_to_their_end() {
    let mut world = Setup::default().world();
    let addr = lease_far(&mut world, 1);
    reload(&mut world, vec![home()], true);
    let unknown = world.send(client(1).rebind(addr).far()).silence();
    assert_eq!(unknown, Silence::UnknownGiaddr);
    assert_eq!(state(&world, addr), AddressState::Bound);
    // It is back before the end, and everything is as it was.
    reload(&mut world, vec![far(), home()], false);
    let ack = world.send(client(1).rebind(addr).far()).ack();
    assert_eq!(ack.yiaddr(), addr);
    reload(&mut world, vec![home()], true);
    world.pass(LONG_OVER);
    assert_eq!(state(&world, addr), AddressState::Free);
    assert!(world.shards[0].bindings().is_empty(), "nothing is left");
    reload(&mut world, vec![home()], true);
    reload(&mut world, vec![home()], true);
    assert_eq!(world.config.keys(), 1, "nor of its key");
}

#[test]
fn a_network_that_was_gone_and_comes_under_another_name_has_its_leases() {
    for settled in [false, true] {
        let mut world = Setup::default().world();
        let addr = lease_far(&mut world, 1);
        reload(&mut world, vec![home()], true);
        let mut other = far();
        other.name = "lejos";
        reload(&mut world, vec![home(), other], settled);
        let ack = world.send(client(1).rebind(addr).far()).ack();
        assert_eq!(ack.yiaddr(), addr);
    }
}

#[test]
fn of_two_leases_of_one_client_in_networks_that_are_joined_both_are_kept() {
    for settled in [false, true] {
        let mut world = Setup::default().world();
        let away = lease_far(&mut world, 1);
        let near = world.lease(&client(1)).yiaddr();
        reload(&mut world, joined("home"), settled);
        let renewed = world.send(client(1).renew(near)).ack();
        assert_eq!(renewed.yiaddr(), near);
        world.pass(5);
        for addr in [near, away] {
            assert_eq!(state(&world, addr), AddressState::Bound);
            let other = world.send(client(2).discover().requested(addr)).offer();
            assert_ne!(other.yiaddr(), addr);
        }
        world.pass(LONG_OVER);
        assert_eq!(state(&world, away), AddressState::Free);
        let offer = world.send(client(3).discover().requested(away)).offer();
        assert_eq!(offer.yiaddr(), away);
    }
}

#[test]
fn of_two_leases_of_one_client_in_networks_that_are_joined_the_newer_is_its_binding() {
    for name in ["home", "far", "all"] {
        for restart in [false, true] {
            for far_first in [false, true] {
                let mut world = Setup::default().world();
                let (mut near, mut away) = (None, None);
                for first in [true, false] {
                    world.pass(60);
                    if first == far_first {
                        away = Some(lease_far(&mut world, 1));
                    } else {
                        near = Some(world.lease(&client(1)).yiaddr());
                    }
                }
                let (near, away) = (near.unwrap(), away.unwrap());
                let (older, newer) = if far_first {
                    (away, near)
                } else {
                    (near, away)
                };
                reload(&mut world, joined(name), true);
                if restart {
                    world.restart();
                }
                assert_eq!(world.send(client(1).reboot(newer)).ack().yiaddr(), newer);
                world.send(client(1).reboot(older)).nak();
                assert_eq!(world.send(client(1).discover()).offer().yiaddr(), newer);
                assert_eq!(state(&world, older), AddressState::Bound);
            }
        }
    }
}

#[test]
fn two_leases_of_one_client_are_its_own_again_when_the_networks_are_divided() {
    let divisions: [fn() -> Vec<Net>; 2] = [|| vec![home(), far()], renamed];
    for (divided, restarts) in divisions.into_iter().zip([[false, true]; 2]) {
        for restart in restarts {
            for (settled, name, far_first) in [
                (false, "all", false),
                (true, "all", true),
                (false, "home", false),
                (true, "home", true),
                (false, "home", true),
                (true, "home", false),
                (false, "far", true),
                (true, "far", false),
                (false, "far", false),
                (true, "far", true),
            ] {
                let mut world = Setup::default().world();
                let early = far_first.then(|| lease_far(&mut world, 1));
                world.pass(2);
                let near = world.lease(&client(1)).yiaddr();
                world.pass(2);
                let away = early.unwrap_or_else(|| lease_far(&mut world, 1));
                reload(&mut world, joined(name), true);
                if restart {
                    world.restart();
                    assert_eq!(world.shards[0].counts().active, 2);
                }
                reload(&mut world, divided(), settled);
                assert_eq!(world.send(client(1).renew(near)).ack().yiaddr(), near);
                let ack = world.send(client(1).rebind(away).far()).ack();
                assert_eq!(ack.yiaddr(), away);
                // And so it is on disk.
                world.restart();
                assert_eq!(world.send(client(1).renew(near)).ack().yiaddr(), near);
                let ack = world.send(client(1).rebind(away).far()).ack();
                assert_eq!(ack.yiaddr(), away);
            }
        }
    }
}

#[test]
fn a_count_of_declines_does_not_outlive_the_probations_that_another_network_has_now() {
    let mut setup = Setup::default();
    setup.networks = joined("home");
    let mut world = setup.world();
    let bad = lease_far(&mut world, 1);
    let decline = client(1).decline().requested(bad).server(SERVER).far();
    assert_eq!(world.send(decline).silence(), Silence::Declined);
    let near = world.lease(&client(1)).yiaddr();
    reload(&mut world, vec![home(), far()], true);
    let release = client(1).release().ciaddr(near).unicast(SERVER);
    assert_eq!(world.send(release).silence(), Silence::Released);
    world.pass(25 * 3600);
    assert_eq!(state(&world, bad), AddressState::Free);
    let taken = drain(&mut world, 50).len();
    world.pass(60);
    assert_eq!(
        world.shards[0].fill().0,
        taken,
        "nothing is left of client 1"
    );
}

#[test]
fn a_lease_is_worth_more_than_a_newer_memory_or_offer_of_its_client_in_networks_that_are_joined() {
    for restart in [false, true] {
        for release in [false, true] {
            let mut world = Setup::default().world();
            let away = lease_far(&mut world, 1);
            world.pass(600);
            if release {
                let near = world.lease(&client(1)).yiaddr();
                let release = client(1).release().ciaddr(near).unicast(SERVER);
                assert_eq!(world.send(release).silence(), Silence::Released);
            } else {
                world.send(client(1).discover()).offer();
            }
            reload(&mut world, joined("home"), true);
            if restart {
                world.restart();
            }
            let ack = world.send(client(1).rebind(away).far()).ack();
            assert_eq!(ack.yiaddr(), away);
        }
    }
}

#[test]
fn a_subnet_is_split_off_into_a_network_of_its_own() {
    for settled in [false, true] {
        let mut setup = Setup::default();
        setup.networks = joined("home");
        let mut world = setup.world();
        let near = world.lease(&client(1)).yiaddr();
        let away = lease_far(&mut world, 2);
        reload(&mut world, vec![home(), far()], settled);
        assert_eq!(world.send(client(1).renew(near)).ack().yiaddr(), near);
        let ack = world.send(client(2).rebind(away).far()).ack();
        assert_eq!(ack.yiaddr(), away);
        // At home it is another network's now.
        world.send(client(2).rebind(away)).nak();
    }
}

#[test]
fn a_renewal_without_its_circuit_finds_its_binding_in_the_network_it_is_in_now() {
    let mut setup = Setup::default();
    setup.far().identity = IdentityMode::Circuit;
    let mut world = setup.world();
    let relayed = |msg: Msg| msg.circuit(b"c7").far();
    let offer = world.send(relayed(client(1).discover())).offer();
    let addr = world.send(relayed(client(1).select(&offer))).ack().yiaddr();
    let mut lejos = far();
    (lejos.name, lejos.identity) = ("lejos", IdentityMode::Circuit);
    reload(&mut world, vec![home(), lejos], false);
    let renewal = client(1).request().ciaddr(addr).unicast(SERVER);
    let ack: Reply = world
        .send(Msg {
            ip_src: RELAY,
            ..renewal
        })
        .ack();
    assert_eq!(ack.yiaddr(), addr);
    let slot = world.shards[0]
        .holder(&world.config, Space(0), addr)
        .unwrap();
    let slot = world.shards[0].bindings().slot(slot).unwrap();
    assert_eq!(slot.network(), key_of(&world, "lejos").0);
}

#[test]
fn reloads_that_overtake_each_other_lose_no_binding() {
    let mut setup = Setup::default();
    setup.shards = 3;
    let mut world = setup.world();
    let leases: Vec<_> = (1..9).map(|n| (n, lease_far(&mut world, n))).collect();
    for round in 0..40 {
        let networks = regroupings().swap_remove(round % 5);
        reload(&mut world, networks, false);
        if round % 3 == 0 {
            world.housekeep();
        }
        let (n, addr) = leases[round % 8];
        let ack = world.send(client(n).rebind(addr).far()).ack();
        assert_eq!(ack.yiaddr(), addr);
    }
    for (n, addr) in leases {
        let ack = world.send(client(n).rebind(addr).far()).ack();
        assert_eq!(ack.yiaddr(), addr);
    }
    assert!(world.config.keys() < 10, "{}", world.config.keys());
}
