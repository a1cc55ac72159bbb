//! The real clients against Lessor, each over a veth that Lessor polls through `af_packet`:
//!
//! ```text
//!   udhcpc │ dhclient │ dhcpcd │ networkd ── eth0 ── bridge ── eth0 ── Lessor
//! ```

#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "what fails ends the test with its message"
)]

use std::net::Ipv4Addr;

use lessor_tests::clients::{Client, Dhclient, Dhcpcd, Driver, Event, INTERFACE, Networkd, Udhcpc};
use lessor_tests::config::Config;
use lessor_tests::lab::{Lab, Link, Namespace};
use lessor_tests::lessor::{Lessor, State};
use lessor_tests::{may_make_namespaces, wait};

struct Setup {
    // Dropped in this order: processes, then what they run in.
    server: Lessor,
    client: Namespace,
    link: Link,
    lab: Lab,
}

fn setup(config: &Config) -> Setup {
    let lab = Lab::new();
    let link = lab.link("link");
    let server = lab.namespace("server");
    let client = lab.namespace("client");
    link.plug(&server, "eth0");
    link.plug(&client, INTERFACE);
    let server = Lessor::start(&lab, &server, config);
    Setup {
        server,
        client,
        link,
        lab,
    }
}

impl Setup {
    fn start(&self, driver: impl Driver + 'static) -> (Client, Ipv4Addr) {
        let mut client = Client::start(&self.lab, &self.client, driver);
        client.wait_for(Event::Bound);
        let address = client.address();
        assert_eq!(self.server.state(address), Some(State::Active));
        (client, address)
    }
}

fn short_terms() -> Config {
    Config::new("10.77.0.10-10.77.0.200").with_terms("300s", "4s", "10s")
}

/// Obtains a lease, renews it at T1 by unicast, and releases it.
fn lives(config: &Config, driver: impl Driver + 'static) {
    if !may_make_namespaces() {
        return;
    }
    let setup = setup(config);
    let (mut client, address) = setup.start(driver);
    client.wait_for(Event::Unicast);
    client.wait_for(Event::Renewed);
    assert_eq!(client.address(), address);
    client.release();
    wait::until_true("the server hears the RELEASE", || {
        setup.server.state(address) == Some(State::Released)
    });
}

#[test]
fn udhcpc_obtains_renews_and_releases() {
    // It renews by unicast only where half of the lease is 60 s.
    let config = Config::new("10.77.0.10-10.77.0.200").with_terms("120s", "60s", "105s");
    lives(&config, Udhcpc::default());
}

#[test]
fn dhclient_obtains_renews_and_releases() {
    lives(&short_terms(), Dhclient);
}

#[test]
fn dhcpcd_obtains_renews_and_releases() {
    lives(&short_terms(), Dhcpcd::default());
}

#[test]
fn networkd_obtains_renews_and_releases() {
    lives(&short_terms(), Networkd::default());
}

/// Obtains a lease; the server stops until the client has asked in vain, which `asked` waits for,
/// and comes back with what its store has; the client's broadcast of T2 is answered.
fn rebinds(
    config: &Config,
    asked: impl FnOnce(&mut Client, &Namespace),
    driver: impl Driver + 'static,
) {
    if !may_make_namespaces() {
        return;
    }
    let mut setup = setup(config);
    let (mut client, address) = setup.start(driver);
    setup.server.stop();
    asked(&mut client, &setup.client);
    setup.server.restart();
    client.wait_for(Event::Rebound);
    assert_eq!(client.address(), address);
    assert_eq!(setup.server.state(address), Some(State::Active));
}

#[test]
fn udhcpc_rebinds_to_a_server_that_was_restarted() {
    // Its unicasts are after a half and three quarters of the lease, its broadcasts soon after.
    let config = Config::new("10.77.0.10-10.77.0.200").with_terms("120s", "60s", "105s");
    let asked = |client: &mut Client, _: &Namespace| client.wait_for(Event::Broadcast);
    rebinds(&config, asked, Udhcpc::default());
}

#[test]
fn dhclient_rebinds_to_a_server_that_was_restarted() {
    let asked = |client: &mut Client, _: &Namespace| client.wait_for(Event::Broadcast);
    rebinds(&short_terms(), asked, Dhclient);
}

#[test]
fn dhcpcd_rebinds_to_a_server_that_was_restarted() {
    let asked = |client: &mut Client, _: &Namespace| client.wait_for(Event::Broadcast);
    rebinds(&short_terms(), asked, Dhcpcd::default());
}

#[test]
fn networkd_rebinds_to_a_server_that_was_restarted() {
    // It repeats a REQUEST after 60 s at the soonest (RFC 2131 §4.4.5): the one of T1 is lost, and
    // the next is that of T2.
    let config = Config::new("10.77.0.10-10.77.0.200").with_terms("150s", "4s", "30s");
    let asked = |client: &mut Client, namespace: &Namespace| {
        client.wait_for(Event::Unicast);
        // The kernel keeps the REQUEST while it asks for the server's hardware address, and would
        // hand it to a server that is back too soon.
        wait::until_true("the kernel gives the REQUEST up", || {
            namespace.ip("neigh show").contains("FAILED")
        });
    };
    rebinds(&config, asked, Networkd::default());
}

/// Obtains a lease, dies without a word, and asks for the same address when it comes back.
fn reboots(driver: impl Driver + 'static, again: impl FnOnce(&mut Client)) {
    if !may_make_namespaces() {
        return;
    }
    let setup = setup(&Config::new("10.77.0.10-10.77.0.200"));
    let (mut client, address) = setup.start(driver);
    again(&mut client);
    client.wait_for(Event::Rebooted);
    assert_eq!(client.address(), address);
}

#[test]
fn dhclient_reboots_into_its_lease() {
    reboots(Dhclient, Client::reboot);
}

#[test]
fn dhcpcd_reboots_into_its_lease() {
    reboots(Dhcpcd::default(), Client::reboot);
}

#[test]
fn networkd_reboots_into_its_lease() {
    // It takes the address to ask for from the interface.
    let driver = Networkd {
        keeps_configuration: true,
    };
    reboots(driver, Client::restart);
}

#[test]
fn a_restarted_udhcpc_discovers_the_same_address() {
    if !may_make_namespaces() {
        return;
    }
    let mut setup = setup(&Config::new("10.77.0.10-10.77.0.200"));
    let (mut client, address) = setup.start(Udhcpc::default());
    client.kill();
    setup.server.kill();
    setup.server.restart();
    client.reboot();
    client.wait_for(Event::Bound);
    assert_eq!(client.address(), address);
}

/// Loses its address to a neighbour that took it by hand, finds that out by ARP when it is offered
/// the address again, declines it and gets another.
fn declines(driver: impl Driver + 'static) {
    if !may_make_namespaces() {
        return;
    }
    let setup = setup(&Config::new("10.77.0.10-10.77.0.200"));
    let (mut client, address) = setup.start(driver);
    client.release();
    client.kill();
    let neighbour = setup.lab.namespace("neighbour");
    setup.link.plug(&neighbour, "eth0");
    neighbour.ip(&format!("addr add {address}/24 dev eth0"));
    client.reboot();
    client.wait_for(Event::Declined);
    client.wait_for(Event::Bound);
    assert_ne!(client.address(), address);
    assert_eq!(setup.server.state(address), Some(State::Abandoned));
}

#[test]
fn udhcpc_declines_an_address_that_is_in_use() {
    let driver = Udhcpc {
        checks_address: true,
    };
    declines(driver);
}

#[test]
fn dhcpcd_declines_an_address_that_is_in_use() {
    let driver = Dhcpcd {
        checks_address: true,
    };
    declines(driver);
}
