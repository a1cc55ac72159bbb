//! RFC 2131 §4.3.2, §4.4.5, §3.3: REQUEST of a client that renews or rebinds, and lease times.

use crate::client::{SERVER, client};
use crate::world::{Reply, START, Setup, World, ip, pool};
use dhcp_proto::config::{LeaseTimes, Mark};
use dhcp_proto::server::{NextHop, Silence};
use dhcp_proto::time::{INFINITE, Instant};
use dhcp_wire::dhcp::code;
use std::net::Ipv4Addr;

/// Lease, grace and a little more.
const LONG_OVER: u64 = 3700;

fn with_lease(lease: LeaseTimes) -> World {
    let mut setup = Setup::default();
    setup.home_subnet().lease = lease;
    setup.world()
}

/// T1, T2 and lease time of a reply.
fn times(reply: &Reply) -> (Option<u32>, Option<u32>, Option<u32>) {
    let (t1, t2) = (code::RENEWAL_TIME, code::REBINDING_TIME);
    (reply.u32(t1), reply.u32(t2), reply.lease())
}

#[test]
fn c052_a_renewal_without_50_and_54_is_acknowledged_to_ciaddr() {
    let mut world = Setup::default().world();
    let addr = world.lease(&client(1)).yiaddr();
    world.pass(1800);
    let ack = world.send(client(1).renew(addr)).ack();
    assert_eq!((ack.yiaddr(), ack.lease()), (addr, Some(3600)));
    assert_eq!(ack.message().ciaddr(), addr);
    assert_eq!(ack.destination.addr, addr);
    assert!(matches!(ack.destination.next_hop, NextHop::Station(_)));
    assert_eq!(world.log[1].expiry, world.log[0].expiry + 1800);
}

#[test]
fn c053_a_policy_may_refuse_to_extend_and_the_ack_states_the_time_left() {
    let mut setup = Setup::default();
    setup.home().rules.extend = false;
    let mut world = setup.world();
    let addr = world.lease(&client(1)).yiaddr();
    world.pass(1800);
    for msg in [client(1).renew(addr), client(1).rebind(addr)] {
        let ack = world.send(msg).ack();
        assert_eq!((ack.yiaddr(), ack.lease()), (addr, Some(1800)));
    }
    assert_eq!(world.log.len(), 1);
}

#[test]
fn c054_a_renewal_without_option_82_works_and_the_stored_circuit_stays() {
    let mut world = Setup::default().world();
    let client = || client(1).circuit(b"port 7");
    let offer = world.send(client().discover().far()).offer();
    let ack = world.send(client().select(&offer).far()).ack();
    world.pass(1800);
    let addr = ack.yiaddr();
    let renew = crate::client::client(1).request().ciaddr(addr);
    let router = dhcp_wire::ethernet::Mac([2, 0xff, 0, 0, 0, 9]);
    let renewed = world.send(renew.routed(SERVER, router)).ack();
    assert_eq!(renewed.yiaddr(), addr);
    let [granted, extended] = &world.log[..] else {
        panic!("two records: {:?}", world.log)
    };
    assert_eq!(granted.agent_info, b"\x01\x06port 7");
    assert_eq!(extended.agent_info, granted.agent_info);
    assert_eq!(extended.giaddr, granted.giaddr);
}

#[test]
fn c055_a_rebinding_client_on_the_wrong_network_is_refused() {
    let mut world = Setup::default().world();
    let addr = world.lease(&client(1)).yiaddr();
    world.send(client(1).rebind(addr).far()).nak();
    world.send(client(1).rebind(ip("10.9.0.10"))).nak();
    world.send(client(1).rebind(ip("192.0.2.1"))).nak();
    world.send(client(1).rebind(addr)).ack();
}

#[test]
fn c055_an_address_bound_to_another_client_is_refused() {
    for shards in 1..=3 {
        let mut setup = Setup::default();
        setup.shards = shards;
        let mut world = setup.world();
        let addr = world.lease(&client(1)).yiaddr();
        for n in 2..6 {
            world.send(client(n).rebind(addr)).nak();
            world.send(client(n).renew(addr)).nak();
        }
        world.send(client(1).rebind(addr)).ack();
    }
}

#[test]
fn c055_an_unknown_client_with_a_free_address_gets_no_answer() {
    let mut world = Setup::default().world();
    for msg in [
        client(1).rebind(ip("10.0.0.15")),
        client(1).renew(ip("10.0.0.15")),
    ] {
        assert_eq!(world.send(msg).silence(), Silence::UnknownClient);
    }
    assert_eq!(world.shards[0].fill().0, 0);
}

#[test]
fn c056_an_expired_binding_that_may_be_another_servers_is_never_refused() {
    let mut world = Setup::default().world();
    let addr = world.lease(&client(1)).yiaddr();
    world.pass(LONG_OVER);
    // Remembered for client 1, free for all this server knows.
    let answer = world.send(client(2).rebind(addr));
    assert_eq!(answer.silence(), Silence::UnknownClient);
    assert_eq!(world.send(client(1).rebind(addr)).ack().yiaddr(), addr);
}

#[test]
fn c056_the_owner_of_a_lease_extends_it() {
    let mut world = Setup::default().world();
    let addr = world.lease(&client(1)).yiaddr();
    world.pass(3400);
    let ack = world.send(client(1).rebind(addr)).ack();
    assert_eq!((ack.yiaddr(), ack.lease()), (addr, Some(3600)));
    assert_eq!(world.log[1].expiry, world.log[0].expiry + 3400);
}

#[test]
fn c059_a_shorter_extension_does_not_shorten_what_the_client_holds() {
    let mut world = Setup::default().world();
    let offer = world.send(client(1).discover().lease(80_000)).offer();
    let ack = world.send(client(1).select(&offer).lease(80_000)).ack();
    assert_eq!(ack.lease(), Some(80_000));
    world.pass(1000);
    let renewed = world.send(client(1).renew(ack.yiaddr()).lease(60)).ack();
    assert_eq!(renewed.lease(), Some(60));
    assert!(world.log[1].expiry >= world.log[0].expiry);
    // The ACK may be lost: the client goes on with what it was told first.
    world.pass(3000);
    world.restart();
    let wish = client(2).discover().requested(ack.yiaddr());
    assert_ne!(world.send(wish).offer().yiaddr(), ack.yiaddr());
}

#[test]
fn c074_the_lease_at_the_server_is_never_shorter_than_the_one_told() {
    for millis in [0, 1, 500, 999] {
        let mut world = Setup::default().world();
        world.now = Instant(START * 1000 + millis);
        let lease = world.lease(&client(1));
        let told = START * 1000 + millis + u64::from(lease.lease().unwrap()) * 1000;
        assert!(world.log[0].expiry * 1000 >= told);
        // A repeated REQUEST a moment later is told no longer time than there is.
        world.now = Instant(world.now.0 + 2500);
        let select = client(1).select(&lease);
        let left = u64::from(world.send(select).ack().lease().unwrap());
        assert_eq!(world.log.len(), 1);
        assert!(world.log[0].expiry * 1000 >= world.now.0 + left * 1000);
    }
}

#[test]
fn c074_an_address_is_kept_until_the_lease_and_its_grace_are_over() {
    let mut setup = Setup::default();
    setup.home_subnet().pools = vec![pool("10.0.0.10", "10.0.0.10")];
    let mut world = setup.world();
    let addr = world.lease(&client(1)).yiaddr();
    world.pass(3630);
    let answer = world.send(client(2).discover());
    assert_eq!(answer.silence(), Silence::NoAddress);
    world.pass(3);
    assert_eq!(world.send(client(2).discover()).offer().yiaddr(), addr);
}

#[test]
fn c075_t1_and_t2_are_sent_and_sent_again_on_renewal() {
    let mut world = Setup::default().world();
    let offer = world.send(client(1).discover()).offer();
    let ack = world.send(client(1).select(&offer)).ack();
    world.pass(1800);
    let renewed = world.send(client(1).renew(ack.yiaddr())).ack();
    for reply in [offer, ack, renewed] {
        assert_eq!(times(&reply), (Some(1800), Some(3150), Some(3600)));
    }
    let odd = world.send(client(2).discover().lease(63)).offer();
    assert_eq!(times(&odd), (Some(31), Some(55), Some(63)));
}

#[test]
fn c075_t1_and_t2_are_scaled_to_the_time_left() {
    let mut setup = Setup::default();
    setup.home().rules.extend = false;
    let mut world = setup.world();
    let addr = world.lease(&client(1)).yiaddr();
    world.pass(1800);
    let ack = world.send(client(1).renew(addr)).ack();
    assert_eq!(times(&ack), (Some(900), Some(1575), Some(1800)));
}

#[test]
fn c075_the_fuzz_moves_t1_and_t2_earlier_and_not_all_clients_alike() {
    let fuzz = LeaseTimes {
        fuzz: 100,
        ..LeaseTimes::default()
    };
    let mut world = with_lease(fuzz);
    let mut seen = std::collections::BTreeSet::new();
    for n in 1..=10 {
        let discover = client(n).discover().xid(u32::from(n) * 0x0101_0101);
        let offer = world.send(discover).offer();
        let (Some(t1), Some(t2), Some(lease)) = times(&offer) else {
            panic!("no T1 and T2: {offer:?}")
        };
        assert!(t1 < t2 && t2 < lease);
        assert!((1440..=1800).contains(&t1), "{t1}");
        assert!((2790..=3150).contains(&t2), "{t2}");
        seen.insert(t1);
    }
    assert!(seen.len() > 1, "{seen:?}");
}

#[test]
fn c075_configured_marks_are_kept_in_order() {
    let odd = LeaseTimes {
        t1: Mark::Seconds(9000),
        t2: Mark::Seconds(8000),
        ..LeaseTimes::default()
    };
    let offer = with_lease(odd).send(client(1).discover()).offer();
    let (Some(t1), Some(t2), Some(lease)) = times(&offer) else {
        panic!("no T1 and T2: {offer:?}")
    };
    assert!(t1 < t2 && t2 < lease, "{t1} {t2} {lease}");
}

#[test]
fn c075_short_and_endless_leases_have_no_t1_and_t2() {
    for (default, sent) in [(3, false), (4, true), (INFINITE, false)] {
        let lease = LeaseTimes {
            min: 1,
            default,
            max: INFINITE,
            ..LeaseTimes::default()
        };
        let offer = with_lease(lease).send(client(1).discover()).offer();
        let (t1, t2, told) = times(&offer);
        assert_eq!((t1.is_some(), t2.is_some()), (sent, sent));
        assert_eq!(told, Some(default));
    }
}

#[test]
fn c056_no_worker_extends_a_lease_of_another_workers_client() {
    let mut setup = Setup::default();
    setup.shards = 3;
    let mut world = setup.world();
    let leases: Vec<(u8, Ipv4Addr)> = (1..=6)
        .map(|n| (n, world.lease(&client(n)).yiaddr()))
        .collect();
    let shards: std::collections::BTreeSet<_> = world.log.iter().map(|r| r.ring).collect();
    assert!(shards.len() > 1, "clients of one worker prove nothing");
    for (n, _) in &leases {
        for (owner, addr) in &leases {
            let answer = world.send(client(*n).rebind(*addr));
            if n == owner {
                assert_eq!(answer.ack().yiaddr(), *addr);
            } else {
                answer.nak();
            }
        }
    }
}

#[test]
fn c052_a_renewal_at_an_early_t1_extends_the_lease() {
    let mut setup = Setup::default();
    setup.home_subnet().lease.t1 = Mark::Seconds(4);
    let mut world = setup.world();
    let lease = world.lease(&client(1));
    world.pass(4);
    let renew = client(1)
        .request()
        .ciaddr(lease.yiaddr())
        .unicast(ip("10.0.0.1"));
    let ack = world.send(renew).ack();
    assert_eq!(
        ack.lease(),
        lease.lease(),
        "no repetition, so a whole lease"
    );
    assert_eq!(world.log.len(), 2);
}
