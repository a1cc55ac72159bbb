//! `net_af_packet`: a kernel's interface, here the two ends of a veth in a name space of the test's
//! own. Needs root.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "functions beside the tests fail as tests do, and a skipped one says so"
)]

mod support;

use std::env;
use std::process::Command;

use dpdk::{Port, PortConfig, PortError, StartedPort};
use support::{eal, frame, fresh, pool, receive, until};

/// Runs the ignored test `name` in a process in a network of its own, which ends with it.
fn in_a_network_of_its_own(name: &str) {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED {name}: a network name space needs root");
        return;
    }
    let output = Command::new("unshare")
        .arg("--net")
        .arg(env::current_exe().unwrap())
        .args(["--exact", name, "--ignored", "--nocapture"])
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&text)
    );
    assert!(
        String::from_utf8_lossy(&text).contains("1 passed"),
        "{name} is no test"
    );
}

fn ip(arguments: &str) {
    let status = Command::new("ip")
        .args(arguments.split(' '))
        .status()
        .unwrap();
    assert!(status.success(), "ip {arguments}");
}

/// A veth whose ends are up and on which the kernel itself says nothing.
fn veth() {
    ip("link add left type veth peer name right");
    for end in ["left", "right"] {
        // No router solicitations among the test's frames.
        let quiet = format!("/proc/sys/net/ipv6/conf/{end}/disable_ipv6");
        drop(std::fs::write(quiet, "1"));
        ip(&format!("link set {end} up"));
    }
}

fn open(interface: &str, pool: &'static dpdk::Mempool) -> StartedPort {
    let name = fresh("net_af_packet");
    let device = format!("{name},iface={interface},framecnt=8192");
    Port::open(eal(), &device, pool, &PortConfig::default()).unwrap()
}

#[test]
fn frames_pass_between_the_ends_of_a_veth() {
    in_a_network_of_its_own("child_passes_frames");
}

#[test]
#[ignore = "run by frames_pass_between_the_ends_of_a_veth"]
fn child_passes_frames() {
    veth();
    let pool = pool(4095);
    let mut left = open("left", pool);
    let mut right = open("right", pool);
    assert_ne!(left.port.mac(), right.port.mac());
    assert_eq!(
        (left.port.mtu(), left.port.driver()),
        (1500, "net_af_packet")
    );
    until("the link is up", || left.port.link().unwrap().up);
    for len in [60, 342, 1514] {
        let mut burst: Vec<_> = (1..=20).map(|octet| frame(pool, octet, len)).collect();
        until("all are sent", || {
            left.tx[0].transmit(&mut burst);
            burst.is_empty()
        });
        let got = receive(&mut right.rx[0], 20);
        for (octet, mbuf) in (1..=20).zip(&got) {
            assert_eq!(mbuf.data(), vec![octet; len]);
        }
    }
    assert_eq!(right.port.statistics().unwrap().rx_packets, 60);
    for StartedPort { port, rx, tx } in [left, right] {
        drop((rx, tx));
        port.close().unwrap();
    }
    assert_eq!(pool.available(), 4095);
}

#[test]
fn an_interface_that_is_not_there_is_named() {
    in_a_network_of_its_own("child_names_the_interface");
}

#[test]
#[ignore = "run by an_interface_that_is_not_there_is_named"]
fn child_names_the_interface() {
    let device = "net_af_packet0,iface=absent";
    let error = Port::open(eal(), device, pool(63), &PortConfig::default()).unwrap_err();
    assert!(matches!(error, PortError::Probe { .. }), "{error:?}");
    assert!(error.to_string().contains("iface=absent"), "{error}");
}

#[test]
fn without_permission_the_error_says_what_is_needed() {
    in_a_network_of_its_own("child_opens_without_permission");
}

#[test]
#[ignore = "run by without_permission_the_error_says_what_is_needed"]
fn child_opens_without_permission() {
    use rustix::thread::{Uid, set_thread_res_uid};
    veth();
    let pool = pool(63);
    let nobody = Uid::from_raw(65534);
    set_thread_res_uid(nobody, nobody, nobody).unwrap();
    let device = "net_af_packet0,iface=left";
    let error = Port::open(eal(), device, pool, &PortConfig::default()).unwrap_err();
    assert!(error.to_string().contains("CAP_NET_RAW"), "{error}");
}
