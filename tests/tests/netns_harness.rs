//! The harness itself: each real client, driven against Debian's dnsmasq. What fails here is the
//! fault of a driver, not of Lessor.

#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "what fails ends the test with its message"
)]

use std::net::Ipv4Addr;

use lessor_tests::agent::{Acquire, Agent, Answer, Query, Request, Subscriber};
use lessor_tests::clients::{Client, Dhclient, Dhcpcd, Driver, Event, INTERFACE, Networkd, Udhcpc};
use lessor_tests::dnsmasq::{Dnsmasq, Range};
use lessor_tests::lab::{Lab, Namespace};
use lessor_tests::{may_make_namespaces, wait};

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);

struct Setup {
    // Dropped first: their processes end before the namespaces go.
    dnsmasq: Dnsmasq,
    client: Namespace,
    lab: Lab,
}

fn setup() -> Setup {
    let lab = Lab::new();
    let link = lab.link("link");
    let server = lab.namespace("server");
    let client = lab.namespace("client");
    link.plug(&server, "eth0");
    link.plug(&client, INTERFACE);
    server.ip("addr add 10.77.0.1/24 dev eth0");
    let range = Range {
        first: Ipv4Addr::new(10, 77, 0, 10),
        last: Ipv4Addr::new(10, 77, 0, 250),
        lease_time: 120,
        t1_t2: Some((5, 10)),
    };
    let dnsmasq = Dnsmasq::start(&lab, &server, range);
    Setup {
        dnsmasq,
        client,
        lab,
    }
}

/// Obtains, renews and releases.
fn lives(driver: impl Driver + 'static) {
    if !may_make_namespaces() {
        return;
    }
    // systemd 252 leaves option 54 out of its RELEASE, and dnsmasq does not take that for one.
    let driver_names_the_server = driver.name() != "networkd";
    let setup = setup();
    let mut client = Client::start(&setup.lab, &setup.client, driver);
    client.wait_for(Event::Bound);
    let address = client.address();
    assert!(setup.dnsmasq.holds(address));
    client.wait_for(Event::Renewed);
    client.release();
    if driver_names_the_server {
        wait::until_true("dnsmasq hears the RELEASE", || {
            !setup.dnsmasq.holds(address)
        });
    }
}

/// Asks in vain at T1, and is answered at T2.
fn rebinds(driver: impl Driver + 'static, asked: Event) {
    if !may_make_namespaces() {
        return;
    }
    let mut setup = setup();
    let mut client = Client::start(&setup.lab, &setup.client, driver);
    client.wait_for(Event::Bound);
    let address = client.address();
    setup.dnsmasq.kill();
    client.wait_for(Event::Unicast);
    if asked == Event::Broadcast {
        client.wait_for(Event::Broadcast);
    }
    setup.dnsmasq.restart();
    client.wait_for(Event::Rebound);
    assert_eq!(client.address(), address);
}

fn reboots(driver: impl Driver + 'static) {
    if !may_make_namespaces() {
        return;
    }
    let setup = setup();
    let mut client = Client::start(&setup.lab, &setup.client, driver);
    client.wait_for(Event::Bound);
    let address = client.address();
    client.wait_for(Event::Renewed);
    client.restart();
    client.wait_for(Event::Rebooted);
    assert_eq!(client.address(), address);
}

#[test]
fn udhcpc_is_driven_through_its_life() {
    // It renews after half of dnsmasq's shortest lease: a minute.
    lives(Udhcpc::default());
}

#[test]
fn dhclient_is_driven_through_its_life() {
    lives(Dhclient);
}

#[test]
fn dhcpcd_is_driven_through_its_life() {
    lives(Dhcpcd::default());
}

#[test]
fn networkd_is_driven_through_its_life() {
    lives(Networkd::default());
}

#[test]
fn dhclient_is_driven_to_its_t2() {
    rebinds(Dhclient, Event::Broadcast);
}

#[test]
fn dhcpcd_is_driven_to_its_t2() {
    rebinds(Dhcpcd::default(), Event::Broadcast);
}

#[test]
fn networkd_is_driven_to_its_t2() {
    // Its next REQUEST after the one of T1 is that of T2 or comes a minute later.
    rebinds(Networkd::default(), Event::Unicast);
}

#[test]
fn dhclient_is_driven_through_a_reboot() {
    reboots(Dhclient);
}

#[test]
fn dhcpcd_is_driven_through_a_reboot() {
    reboots(Dhcpcd::default());
}

#[test]
fn networkd_is_driven_through_a_reboot() {
    let driver = Networkd {
        keeps_configuration: true,
    };
    reboots(driver);
}

#[test]
fn the_agent_is_many_clients_on_the_link_and_behind_a_relay() {
    if !may_make_namespaces() {
        return;
    }
    let setup = setup();
    let mut direct = Agent::direct(&setup.client, INTERFACE);
    let offers = direct.collect_offers(Subscriber(1), 1);
    assert_eq!(offers[0].server, SERVER);
    let mut acquire = Acquire::new(100, 50);
    direct.converse(&mut acquire, 50);
    assert_eq!(acquire.held.len(), 50);
    drop(direct);

    setup.client.ip("addr add 10.77.0.2/24 dev eth0");
    let mut relay = Agent::relay(&setup.client, Ipv4Addr::new(10, 77, 0, 2), SERVER);
    for (subscriber, address) in acquire.held {
        let reply = relay.ask(Query::new(subscriber, Request::Rebind(address)));
        assert_eq!((reply.answer, reply.address), (Answer::Ack, address));
        relay.tell(&Query::new(subscriber, Request::Release(address, SERVER)));
        wait::until_true("dnsmasq hears the RELEASE", || {
            !setup.dnsmasq.holds(address)
        });
    }
}
