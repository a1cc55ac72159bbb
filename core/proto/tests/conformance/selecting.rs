//! RFC 2131 §4.3.2, §3.1 step 4: REQUEST of a client that selects an offer.

use crate::client::{SERVER, client};
use crate::world::{Setup, ip, pool};
use dhcp_proto::record::RecordKind;
use dhcp_proto::server::{ReplyKind, Silence};
use dhcp_wire::dhcp::code;

#[test]
fn c041_the_client_that_selects_us_gets_what_it_was_offered() {
    let mut world = Setup::default().world();
    let prl = [1, 3, 6, 15];
    let offer = world.send(client(1).discover().prl(&prl)).offer();
    let ack = world.send(client(1).select(&offer).prl(&prl)).ack();
    assert_eq!(ack.yiaddr(), offer.yiaddr());
    assert_eq!(ack.server_id(), offer.server_id());
    assert_eq!(ack.codes(), offer.codes());
    for code in ack.codes() {
        let differs = code == code::MESSAGE_TYPE;
        assert_eq!(ack.option(code) != offer.option(code), differs, "{code}");
    }
    let [record] = &world.log[..] else {
        panic!("one record: {:?}", world.log)
    };
    assert_eq!(
        (record.kind, record.addr),
        (RecordKind::Active, ack.yiaddr())
    );
    assert_eq!(ack.parked.unwrap().sequence, record.sequence);
}

#[test]
fn c041_the_lease_is_the_offered_one_though_the_request_does_not_repeat_the_wish() {
    let mut world = Setup::default().world();
    let offer = world.send(client(1).discover().lease(7200)).offer();
    assert_eq!(offer.lease(), Some(7200));
    let ack = world.send(client(1).select(&offer)).ack();
    assert_eq!(ack.lease(), Some(7200));
    // The same without an offer to go by is the default.
    let renewed = world.send(client(1).renew(ack.yiaddr())).ack();
    assert_eq!(renewed.lease(), Some(3600));
}

#[test]
fn c043_a_request_for_another_server_releases_our_offer_at_once() {
    let mut world = Setup::default().world();
    let offer = world.send(client(1).discover()).offer();
    let theirs = client(1).reboot(ip("10.0.0.15")).server(ip("10.0.0.99"));
    assert_eq!(world.send(theirs).silence(), Silence::OfferWithdrawn);
    assert_eq!(world.shards[0].counts().offered, 0);
    let wish = client(2).discover().requested(offer.yiaddr());
    assert_eq!(world.send(wish).offer().yiaddr(), offer.yiaddr());
    assert!(world.log.is_empty());
}

#[test]
fn c043_a_request_for_another_server_leaves_an_active_binding_as_it_is() {
    let mut world = Setup::default().world();
    let lease = world.lease(&client(1));
    world.send(client(1).discover()).offer();
    let theirs = client(1).reboot(ip("10.0.0.15")).server(ip("10.0.0.99"));
    assert_eq!(world.send(theirs).silence(), Silence::OtherServer);
    assert_eq!(world.shards[0].counts().active, 1);
    world.send(client(1).renew(lease.yiaddr())).ack();
    let wish = client(2).discover().requested(lease.yiaddr());
    assert_ne!(world.send(wish).offer().yiaddr(), lease.yiaddr());
}

#[test]
fn c043_without_any_request_the_address_is_available_again_after_the_hold() {
    let mut world = Setup::default().world();
    let offer = world.send(client(1).discover()).offer();
    let wish = client(2).discover().requested(offer.yiaddr());
    world.pass(30);
    assert_ne!(world.send(wish.clone()).offer().yiaddr(), offer.yiaddr());
    world
        .send(client(2).reboot(ip("10.0.0.15")).server(ip("10.0.0.99")))
        .silence();
    world.pass(32);
    assert_eq!(world.send(wish).offer().yiaddr(), offer.yiaddr());
}

#[test]
fn c044_an_offered_address_that_is_no_longer_available_is_refused() {
    let mut world = Setup::default().world();
    let offer = world.send(client(1).discover()).offer();
    world.pass(62);
    let wish = client(2).discover().requested(offer.yiaddr());
    let other = world.send(wish).offer();
    assert_eq!(other.yiaddr(), offer.yiaddr());
    world.send(client(1).select(&offer)).nak();
    world.send(client(2).select(&other)).ack();
    world.send(client(1).select(&offer)).nak();
    world.send(client(2).renew(other.yiaddr())).ack();
}

#[test]
fn c044_an_address_that_was_never_to_be_had_is_refused() {
    let mut setup = Setup::default();
    setup.home_subnet().excluded = vec![(ip("10.0.0.20"), ip("10.0.0.20"))];
    let mut world = setup.world();
    for wrong in ["10.0.0.20", "10.0.0.200", "10.9.0.10", "192.0.2.1"] {
        let select = client(1).reboot(ip(wrong)).server(SERVER);
        world.send(select).nak();
    }
    assert!(world.log.is_empty());
    assert_eq!(world.shards[0].fill().0, 0);
}

#[test]
fn c045_a_repeated_request_gets_the_same_answer_and_no_second_record() {
    let mut world = Setup::default().world();
    let offer = world.send(client(1).discover()).offer();
    let ack = world.send(client(1).select(&offer)).ack();
    assert!(world.stands(&ack));
    let again = world.send(client(1).select(&offer)).ack();
    assert_eq!(again.octets, ack.octets);
    assert_eq!(again.destination, ack.destination);
    assert_eq!(world.log.len(), 1);
    // Both wait for the one record; only the newer reply is sent.
    assert_eq!(again.parked.unwrap().sequence, ack.parked.unwrap().sequence);
    assert!(world.stands(&again) && !world.stands(&ack));
    world.pass(4);
    let later = world.send(client(1).select(&offer)).ack();
    assert_eq!(later.yiaddr(), ack.yiaddr());
    assert_eq!(later.lease(), Some(3596));
    assert_eq!(world.log.len(), 1);
}

#[test]
fn c045_a_repeated_renewal_needs_no_second_record_either() {
    let mut world = Setup::default().world();
    let addr = world.lease(&client(1)).yiaddr();
    world.pass(1800);
    let renewed = world.send(client(1).renew(addr)).ack();
    assert_eq!(world.log.len(), 2);
    assert_eq!(
        world.send(client(1).renew(addr)).ack().octets,
        renewed.octets
    );
    assert_eq!(world.log.len(), 2);
}

#[test]
fn c057_a_request_with_neither_option_50_nor_ciaddr_gets_no_lease() {
    let mut world = Setup::default().world();
    let bare = client(1).request();
    assert_eq!(
        world.send(bare.clone()).silence(),
        Silence::NoRequestedAddress
    );
    // Not even while an offer stands, and with our own option 54.
    world.send(client(1).discover()).offer();
    for msg in [bare.clone(), bare.server(SERVER)] {
        assert_eq!(world.send(msg).silence(), Silence::NoRequestedAddress);
    }
    assert_eq!(world.shards[0].counts().active, 0);
    assert!(world.log.is_empty());
}

#[test]
fn c058_an_address_is_not_probed_again_when_it_is_requested() {
    let mut world = Setup::default().world();
    let offer = world.send(client(1).discover()).offer();
    // The answer is decided at once, from the binding alone.
    let ack = world.send(client(1).select(&offer)).ack();
    assert_eq!(ack.plan.kind, ReplyKind::Ack);
    let reboot = world.send(client(1).reboot(offer.yiaddr())).ack();
    assert_eq!(reboot.yiaddr(), offer.yiaddr());
}

#[test]
fn c041_an_offer_beside_a_lease_replaces_it_when_it_is_taken() {
    let mut world = Setup::default().world();
    let old = world.lease(&client(1)).yiaddr();
    world.setup.home_subnet().pools = vec![pool("10.0.0.30", "10.0.0.40")];
    world.restart();
    let offer = world.send(client(1).discover()).offer();
    assert_ne!(offer.yiaddr(), old);
    let ack = world.send(client(1).select(&offer)).ack();
    assert_eq!(ack.yiaddr(), offer.yiaddr());
    let kinds: Vec<_> = world.log.iter().map(|r| (r.kind, r.addr)).collect();
    let expected = [
        (RecordKind::Active, old),
        (RecordKind::Ended, old),
        (RecordKind::Active, offer.yiaddr()),
    ];
    assert_eq!(kinds, expected);
    assert_eq!(world.shards[0].counts().active, 1);
    world.restart();
    world.send(client(1).renew(offer.yiaddr())).ack();
}
