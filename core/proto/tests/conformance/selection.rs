//! RFC 3527 and RFC 3011: networks that a relay or a client selects.

use crate::client::{Msg, RELAY, SERVER, client};
use crate::world::{Setup, World, ip, link, net, pool, subnet};
use dhcp_proto::server::{NextHop, Silence};
use dhcp_wire::dhcp::code;
use std::net::Ipv4Addr;

/// The relay's own address, in no network.
const CORE: Ipv4Addr = Ipv4Addr::new(172, 16, 0, 9);
const FAR: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 0);

fn world() -> World {
    setup().world()
}

/// "far" is a shared network of two subnets.
fn setup() -> Setup {
    let mut setup = Setup::default();
    let second = subnet("10.9.1.0/24", "10.9.1.10", "10.9.1.20");
    setup.far().subnets.push(second);
    setup
}

fn selecting() -> Setup {
    let mut setup = setup();
    setup.links[0].subnet_selection = true;
    setup
}

impl Msg {
    /// Option 82 with a link selection.
    fn on_link(self, addr: Ipv4Addr) -> Self {
        let [a, b, c, d] = addr.octets();
        self.option(code::AGENT_INFO, &[1, 1, 7, 5, 4, a, b, c, d])
    }

    fn in_subnet(self, addr: Ipv4Addr) -> Self {
        self.addr(code::SUBNET_SELECTION, addr)
    }
}

#[test]
fn c112_link_selection_decides_and_giaddr_is_only_the_way_back() {
    let mut world = world();
    for giaddr in [CORE, ip("10.0.0.77")] {
        let by = |msg: Msg| msg.on_link(FAR).relayed(giaddr, SERVER);
        let offer = world.send(by(client(1).discover())).offer();
        let ack = world.send(by(client(1).select(&offer))).ack();
        assert_eq!(ack.yiaddr().octets()[..3], [10, 9, 0]);
        assert_eq!(ack.option(code::ROUTERS), Some(vec![10, 9, 0, 1]));
        assert_eq!(ack.message().giaddr(), giaddr);
        assert_eq!((ack.destination.addr, ack.destination.port), (giaddr, 67));
        assert_eq!(ack.destination.next_hop, NextHop::Routed);
        let echoed = ack.option(code::AGENT_INFO).unwrap();
        assert_eq!(echoed, [1, 1, 7, 5, 4, 10, 9, 0, 0]);
        world.send(by(client(1).rebind(ack.yiaddr()))).ack();
    }
}

#[test]
fn c112_any_address_of_a_subnet_selects_it() {
    let mut world = world();
    for (n, selected, net) in [
        (1, "10.9.1.0", 1),
        (2, "10.9.1.255", 1),
        (3, "10.9.0.77", 0),
    ] {
        let discover = client(n).discover().on_link(ip(selected));
        let offer = world.send(discover.relayed(CORE, SERVER)).offer();
        assert_eq!(offer.yiaddr().octets()[..3], [10, 9, net]);
    }
}

#[test]
fn c112_the_other_subnets_of_the_link_are_as_good() {
    let mut setup = setup();
    setup.far().subnets[0].pools = vec![pool("10.9.0.10", "10.9.0.10")];
    let mut world = setup.world();
    let mut from = |n| {
        let discover = client(n).discover().on_link(FAR);
        world.send(discover.relayed(CORE, SERVER)).offer().yiaddr()
    };
    assert_eq!([from(1), from(2)], [ip("10.9.0.10"), ip("10.9.1.10")]);
}

#[test]
fn c113_an_address_outside_of_the_link_is_not_offered() {
    let mut world = world();
    let on_far = |msg: Msg| msg.on_link(FAR).relayed(ip("10.0.0.77"), SERVER);
    let wish = client(1).discover().requested(ip("10.0.0.15"));
    let offer = world.send(on_far(wish)).offer();
    assert_eq!(offer.yiaddr().octets()[..3], [10, 9, 0]);
    world.send(on_far(client(2).reboot(ip("10.0.0.15")))).nak();
    let home = world.lease(&client(3)).yiaddr();
    world.send(on_far(client(3).rebind(home))).nak();
}

#[test]
fn c113_an_unknown_link_is_not_answered() {
    let mut world = world();
    for msg in [client(1).discover(), client(1).reboot(ip("10.9.0.15"))] {
        let msg = msg.on_link(ip("10.77.0.1")).relayed(RELAY, SERVER);
        assert_eq!(world.send(msg).silence(), Silence::UnknownLinkSelection);
    }
}

#[test]
fn c113_a_link_selection_of_another_length_says_nothing() {
    let mut world = world();
    let discover = client(1)
        .discover()
        .option(code::AGENT_INFO, &[5, 3, 10, 0, 0]);
    let offer = world.send(discover.far()).offer();
    assert_eq!(offer.yiaddr().octets()[..3], [10, 9, 0]);
}

#[test]
fn c112_only_relays_of_the_selected_network_may_select_it() {
    let mut setup = setup();
    setup.far().relays = Some(vec![CORE]);
    let mut world = setup.world();
    let by = |relay| client(1).discover().on_link(FAR).relayed(relay, SERVER);
    let silence = world.send(by(ip("10.0.0.77"))).silence();
    assert_eq!(silence, Silence::RelayNotAllowed);
    world.send(by(CORE)).offer();
}

#[test]
fn c160_a_link_that_a_client_selects_itself_is_hearsay() {
    let mut world = world();
    let discover = client(1).discover().on_link(FAR);
    let offer = world.send(discover.clone()).offer();
    assert_eq!(offer.yiaddr().octets()[..3], [10, 0, 0]);
    world.setup.links[0].trust_option82 = true;
    world.restart();
    let offer = world.send(discover).offer();
    assert_eq!(offer.yiaddr().octets()[..3], [10, 9, 0]);
}

#[test]
fn c114_link_selection_wins_over_subnet_selection() {
    let mut world = selecting().world();
    let discover = client(1).discover().in_subnet(ip("10.0.0.0")).on_link(FAR);
    let offer = world.send(discover.relayed(CORE, SERVER)).offer();
    assert_eq!(offer.yiaddr().octets()[..3], [10, 9, 0]);
    assert_eq!(
        offer.option(code::SUBNET_SELECTION),
        Some(vec![10, 0, 0, 0])
    );
}

#[test]
fn c115_subnet_selection_is_off_by_default_and_not_echoed() {
    let mut world = world();
    let offer = world.send(client(1).discover().in_subnet(FAR)).offer();
    assert_eq!(offer.yiaddr().octets()[..3], [10, 0, 0]);
    assert_eq!(offer.option(code::SUBNET_SELECTION), None);
    let unknown = client(2).discover().in_subnet(ip("10.77.0.0"));
    world.send(unknown).offer();
}

#[test]
fn c115_subnet_selection_decides_and_is_echoed_unchanged() {
    let mut setup = selecting();
    setup.links.push(link(1, (0, 0), &["10.0.0.2/24"]));
    let mut world = setup.world();
    let select = |msg: Msg| msg.in_subnet(ip("10.9.1.5")).prl(&[118, 3]);
    let offer = world.send(select(client(1).discover())).offer();
    let ack = world.send(select(client(1).select(&offer))).ack();
    for reply in [&offer, &ack] {
        assert_eq!(reply.yiaddr().octets()[..3], [10, 9, 1]);
        assert_eq!(
            reply.option(code::SUBNET_SELECTION),
            Some(vec![10, 9, 1, 5])
        );
        let codes = reply.codes().into_iter();
        assert_eq!(codes.filter(|code| *code == 118).collect::<Vec<_>>(), [118]);
    }
    // Another port, where it is off.
    let mut elsewhere = select(client(2).discover());
    elsewhere.port = 1;
    let offer = world.send(elsewhere).offer();
    assert_eq!(offer.yiaddr().octets()[..3], [10, 0, 0]);
}

#[test]
fn c115_a_relayed_message_selects_too_and_is_answered_by_its_relay() {
    let mut world = selecting().world();
    let discover = client(1).discover().in_subnet(FAR);
    let offer = world.send(discover.relayed(CORE, SERVER)).offer();
    assert_eq!(offer.yiaddr().octets()[..3], [10, 9, 0]);
    assert_eq!(offer.destination.addr, CORE);
}

#[test]
fn c115_an_unknown_subnet_is_not_answered_and_a_misshapen_one_is_none() {
    let mut world = selecting().world();
    let unknown = client(1).discover().in_subnet(ip("10.77.0.0"));
    assert_eq!(
        world.send(unknown).silence(),
        Silence::UnknownSubnetSelection
    );
    let misshapen = client(1)
        .discover()
        .option(code::SUBNET_SELECTION, &[10, 9, 0]);
    let offer = world.send(misshapen).offer();
    assert_eq!(offer.yiaddr().octets()[..3], [10, 0, 0]);
    assert_eq!(offer.option(code::SUBNET_SELECTION), None);
}

#[test]
fn c115_a_nak_does_not_carry_it_and_an_inform_is_of_its_own_address() {
    let mut world = selecting().world();
    let nak = client(1).reboot(ip("10.0.0.15")).in_subnet(FAR);
    assert_eq!(world.send(nak).nak().option(code::SUBNET_SELECTION), None);
    let inform = client(1).inform().ciaddr(ip("10.0.0.50")).in_subnet(FAR);
    let ack = world.send(inform).ack();
    assert_eq!(ack.option(code::ROUTERS), Some(vec![10, 0, 0, 1]));
}

/// A unicast renewal is of the network of its address, whatever it selects.
#[test]
fn c143_ciaddr_decides_where_a_unicast_selects_another_network() {
    let mut world = selecting().world();
    let home = world.lease(&client(1)).yiaddr();
    let ack = world.send(client(1).renew(home).in_subnet(FAR)).ack();
    assert_eq!(ack.yiaddr(), home);
}

/// Three networks: what is selected is never what merely lies beside it.
#[test]
fn c112_each_network_is_selected_by_its_own_addresses() {
    let mut setup = setup();
    let third = subnet("10.9.2.0/24", "10.9.2.10", "10.9.2.20");
    setup.networks.push(net("third", vec![third]));
    let mut world = setup.world();
    for (n, third_octet) in [(1, 0), (2, 1), (3, 2)] {
        let selected = Ipv4Addr::new(10, 9, third_octet, 1);
        let discover = client(n).discover().on_link(selected);
        let offer = world.send(discover.relayed(CORE, SERVER)).offer();
        assert_eq!(offer.yiaddr().octets()[2], third_octet);
    }
}
