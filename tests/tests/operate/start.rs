//! What keeps a server from starting is said once, with what to do, and leaves nothing behind.

use std::fs;
use std::os::unix::fs::chown;

use lessor_tests::may_make_namespaces;

use crate::site::Site;

const NOBODY: u32 = 65_534;
const AS_NOBODY: [&str; 3] = ["--reuid=65534", "--regid=65534", "--clear-groups"];

#[test]
fn all_faults_of_a_file_are_named_and_nothing_starts() {
    let site = Site::new()
        .but("workers = 1", "wrokers = 1")
        .but("10.77.0.1/24", "10.77.0.300/24")
        .but("10.77.0.10-10.77.0.99", "10.78.0.10-10.78.0.99");
    let ended = site.refused();
    let file = site.path("lessor.toml").display().to_string();
    ended.complains(
        78,
        &[
            &format!("{file}:2:1: server.wrokers: unknown key, did you mean `workers`?"),
            &format!("{file}:20:14: ports[0].addresses[0]: "),
            &format!("{file}:27:10: networks[0].subnets[0].pools[0]: "),
            "nothing was started",
        ],
    );
    for line in ended.stderr.lines() {
        assert!(line.contains("event=config.invalid"), "{line}");
    }
    assert!(!site.path("store").exists() && !site.path("control.sock").exists());
}

#[test]
fn a_missing_file_is_an_event_too() {
    let site = Site::new();
    fs::remove_file(site.path("lessor.toml")).unwrap();
    let ended = site.refused();
    ended.complains(66, &["cannot read ", "No such file", "event=server.failed"]);
}

/// The start fails, naming port and device, and the same place works with a device that is there.
fn fails_with(device: &str, says: &str) {
    let site = Site::new().but("net_ring0", device);
    let ended = site.refused();
    ended.complains(69, &["\"access\"", device, says, "event=server.failed"]);
    let said = ended.stderr.matches("event=server.failed").count();
    assert_eq!(said, 1, "{ended:?}");
    assert!(!site.path("control.sock").exists());
    site.change(device, "net_ring0");
    drop(site.serve());
}

#[test]
fn a_device_without_a_driver_is_named() {
    fails_with("net_nosuch0", "no such device");
}

#[test]
fn an_interface_that_is_not_there_is_named() {
    fails_with("net_af_packet0,iface=nosuch0", "nosuch0");
}

#[test]
fn too_few_huge_pages_are_reserved_by_a_command_that_is_told() {
    let site = Site::new().but("no_huge = true", "no_huge = false\nmemory = \"1024GiB\"");
    let ended = site.refused();
    ended.complains(
        71,
        &["1048576 MiB of huge pages", "sysctl -w vm.nr_hugepages="],
    );
    assert!(!site.path("control.sock").exists());
}

#[test]
fn packet_buffers_beyond_the_huge_pages_are_told_the_same_way() {
    // 2 TiB of packets, without `eal.memory`.
    let site = Site::new()
        .but("no_huge = true", "no_huge = false")
        .but("mbufs = 2048", "mbufs = 67_108_864");
    let ended = site.refused();
    ended.complains(
        71,
        &["67108864 packet buffers", "sysctl -w vm.nr_hugepages="],
    );
}

#[test]
fn a_user_who_may_not_write_the_store_ends_in_77() {
    if !may_make_namespaces() {
        return;
    }
    let site = Site::new();
    let ended = site.refused_as(site.run_by("setpriv", &AS_NOBODY));
    ended.complains(77, &["store directory", "Permission denied"]);
}

#[test]
fn a_user_who_may_not_open_the_device_ends_in_77() {
    if !may_make_namespaces() {
        return;
    }
    let site = Site::new().but("net_ring0", "net_af_packet0,iface=lo");
    fs::create_dir(site.path("store")).unwrap();
    chown(site.path("store"), Some(NOBODY), Some(NOBODY)).unwrap();
    let mut command = site.run_by("setpriv", &AS_NOBODY);
    command.env("RUNTIME_DIRECTORY", site.path("store"));
    site.refused_as(command)
        .complains(77, &["CAP_NET_RAW", "event=server.failed"]);
}

#[test]
fn a_control_socket_that_cannot_be_made_ends_the_start() {
    let site = Site::new();
    fs::write(site.path("control.sock"), "a file").unwrap();
    let ended = site.refused();
    ended.complains(73, &["this is no socket; remove it"]);
    assert_eq!(fs::read(site.path("control.sock")).unwrap(), b"a file");
}
