//! Addresses that are kept for a client: in use by another, and claimed by two identities of one.

use crate::client::{Msg, client};
use crate::world::{Setup, World, ip};
use dhcp_proto::config::Reservation;
use dhcp_proto::identity::{Identity, Kind};
use dhcp_proto::record::RecordKind;
use dhcp_proto::server::Silence;
use std::net::Ipv4Addr;

/// `addr` kept for the hardware address of `client(n)`.
pub fn kept(n: u8, addr: Ipv4Addr) -> Reservation {
    let identity = Identity::new(Kind::Chaddr, &[&[1, 2, 0, 0, 0, 0, n]]).unwrap();
    Reservation {
        client: identity.as_slice().into(),
        addr,
    }
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
