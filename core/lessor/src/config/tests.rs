mod load;
mod sight;
mod ways;

use super::*;
use crate::dataplane::port::RxChecksum;
use dhcp_proto::config::{OnMove, ProbeBy, ProbeRules};
use dhcp_proto::time::INFINITE;
use proptest::prelude::*;

/// A file without fault or warning, that uses most of what there is.
const GOOD: &str = r#"
[server]
workers = 2
cores = [1, 2]
max_parked = 1024
mbufs = 4096
bindings = 1000
control = "/tmp/lessor.sock"

[store]
directory = "/tmp/lessor"
on_store_failure = "stop"
ack_timeout = "500ms"

[eal]
no_huge = true
memory = "512MiB"

[defaults]
lease_time = "2h"
options = { domain-name-servers = ["10.77.0.2", "10.77.0.3"] }

[[ports]]
name = "access"
device = "net_af_packet0,iface=veth0"
addresses = [
    "10.77.0.1/24",
    { address = "10.78.0.1/24", vlan = 100 },
    { address = "10.79.0.1/24", vlan = [200, 30] },
]
gateway = "10.77.0.254"
routes = [{ to = "10.9.0.0/16", via = "10.78.0.2" }]
rx_checksum = "ignore"
trust_option82 = true

[[networks]]
name = "home"
identity = "circuit+chaddr"
relays = ["10.9.0.1"]
nak_unknown = true

[[networks.subnets]]
prefix = "10.77.0.0/24"
pools = ["10.77.0.10-10.77.0.200", "10.77.0.224/28"]
exclude = ["10.77.0.50", "10.77.0.60-10.77.0.69"]
options = { routers = ["10.77.0.1"], domain-name = "example.net", 224 = "hex:0102" }
always_send = ["domain-name", 224]

[[networks.reservations]]
hw_address = "02:00:00:00:00:05"
address = "10.77.0.222"

[[networks]]
name = "office"
lease_time = "30m"
t1 = "10m"

[[networks.subnets]]
prefix = "10.78.0.0/24"
pools = ["10.78.0.10-10.78.0.20"]
"#;

fn good() -> Settings {
    let (settings, report) = parse(GOOD).unwrap();
    assert_eq!(report, Report::default());
    settings
}

/// The faults of `text` as an operator sees them, without the file's name.
fn faults(text: &str) -> Vec<String> {
    let report = parse(text).expect_err("a file with faults");
    report
        .lines("")
        .into_iter()
        .filter(|line| !line.contains("warning"))
        .collect()
}

fn warnings(text: &str) -> Vec<String> {
    let (_, report) = parse(text)
        .map_err(|report| report.lines(""))
        .expect("a file without faults");
    report.lines("")
}

/// The good file with one piece replaced, and the line that piece begins on.
fn broken(old: &str, new: &str) -> (String, usize) {
    assert_eq!(GOOD.matches(old).count(), 1, "{old}");
    let at = GOOD.find(old).unwrap();
    (
        GOOD.replacen(old, new, 1),
        GOOD.get(..at).unwrap().matches('\n').count() + 1,
    )
}

/// Checks that replacing `old` by `new` gives exactly one fault, on that line, that says `says`.
fn refuses(old: &str, new: &str, says: &str) {
    let (text, line) = broken(old, new);
    let faults = faults(&text);
    assert_eq!(faults.len(), 1, "{faults:#?}");
    let place = format!(":{line}:");
    assert!(
        faults[0].starts_with(&place) && faults[0].contains(says),
        "{line} {says}: {faults:#?}"
    );
}

#[test]
fn probes_take_at_most_a_quarter_of_the_buffers_that_are_configured() {
    let server = |mbufs, workers| Server {
        workers,
        mbufs,
        ..Server::default()
    };
    assert_eq!(server(None, 4).probes(), 4096);
    assert_eq!(server(Some(1 << 20), 4).probes(), 4096);
    assert_eq!(server(Some(4096), 1).probes(), 1024);
    assert_eq!(server(Some(4096), 4).probes(), 256);
}

#[test]
fn what_the_file_says_is_in_the_settings() {
    let settings = good();
    assert_eq!(settings.server.workers, 2);
    assert_eq!(settings.server.cores, Some(vec![1, 2]));
    assert_eq!(settings.store.on_failure, OnStoreFailure::Stop);
    assert_eq!(
        settings.store.ack_timeout,
        std::time::Duration::from_millis(500)
    );
    assert_eq!(settings.eal.memory, Some(512 << 20));
    assert_eq!(settings.ports[0].device.name(), "net_af_packet0");
    assert_eq!(settings.ports[0].rx_checksum, RxChecksum::Ignore);
    let vids: Vec<_> = settings.spec.links.iter().map(|l| l.vlans.one()).collect();
    assert_eq!(vids, [(0, 0), (100, 0), (200, 30)].map(Some));
    assert!(
        settings
            .spec
            .links
            .iter()
            .all(|l| l.trust_option82 && l.mtu == 1500)
    );
    let routes: Vec<_> = settings
        .routes
        .iter()
        .map(|r| (r.to.len(), r.link.0))
        .collect();
    assert_eq!(routes, [(0, 0), (16, 1)]);
}

#[test]
fn subnets_inherit_from_networks_and_networks_from_defaults() {
    let settings = good();
    let [home, office] = settings.spec.networks.as_slice() else {
        panic!("two networks")
    };
    let (home_net, office_net) = (&home.subnets[0], &office.subnets[0]);
    assert_eq!(
        (home_net.lease.default, office_net.lease.default),
        (7200, 1800)
    );
    assert_eq!(office_net.lease.t1, dhcp_proto::config::Mark::Seconds(600));
    assert!(home.rules.nak_unknown && !office.rules.nak_unknown);
    let codes =
        |s: &dhcp_proto::config::SubnetSpec| s.options.iter().map(|o| o.code).collect::<Vec<_>>();
    assert_eq!(codes(home_net), [3, 6, 15, 224]);
    assert_eq!(codes(office_net), [6]);
    let always: Vec<_> = home_net
        .options
        .iter()
        .filter(|o| o.always)
        .map(|o| o.code)
        .collect();
    assert_eq!(always, [15, 224]);
    assert_eq!(
        *home_net.options.find(6).unwrap().data,
        [10, 77, 0, 2, 10, 77, 0, 3]
    );
}

#[test]
fn edges_are_excluded_and_what_is_excluded_may_be_reserved() {
    let text = GOOD
        .replace("10.77.0.222", "10.77.0.65")
        .replace("0.224/28", "0.240/28");
    let (settings, report) = parse(&text).unwrap();
    assert_eq!(report, Report::default());
    let range = |first, last| {
        (
            Ipv4Addr::new(10, 77, 0, first),
            Ipv4Addr::new(10, 77, 0, last),
        )
    };
    let excluded = &settings.spec.networks[0].subnets[0].excluded;
    let expected = [range(50, 50), range(60, 69), range(0, 0), range(255, 255)];
    assert_eq!(*excluded, expected);
}

#[test]
fn every_fault_is_reported_at_once_in_file_order_with_its_place() {
    let text = "[server]\nworkers = 300\n\n[[ports]]\nname = \"a\"\ndevice = \"eth0\"\nadresses = []\n\
                [[networks]]\nname = 7\n  [[networks.subnets]]\n  prefix = \"10.0.0.1/24\"\n  \
                pools = [\"10.0.0.9-10.0.0.3\", true]\n";
    let expected = [
        ":2:11: server.workers: must be from 1 to 256",
        ":4:1: ports[0]: `addresses` is missing",
        ":6:10: ports[0].device: is not a PCI address such as 0000:01:00.0 or a DPDK device such \
         as net_af_packet0,iface=eth1",
        ":7:1: ports[0].adresses: unknown key, did you mean `addresses`?",
        ":9:8: networks[0].name: must be a string, not integer",
        ":11:12: networks[0].subnets[0].prefix: has bits set behind its length; its network is \
         10.0.0.0/24",
        ":12:12: networks[0].subnets[0].pools[0]: the last address precedes the first",
        ":12:33: networks[0].subnets[0].pools[1]: must be a string, not boolean",
    ];
    assert_eq!(faults(text), expected);
}

#[test]
fn the_size_of_a_segment_has_bounds() {
    let after = "ack_timeout = \"500ms\"";
    let with = |size: &str| format!("{after}\nsegment_size = \"{size}\"");
    let (text, _) = broken(after, &with("8MiB"));
    let (settings, _) = parse(&text).unwrap();
    assert_eq!(settings.store.segment_size, 8 << 20);
    for size in ["512KiB", "1GiB"] {
        let (text, line) = broken(after, &with(size));
        let faults = faults(&text);
        assert!(
            faults[0].starts_with(&format!(":{}:", line + 1)),
            "{faults:?}"
        );
    }
}

#[test]
fn an_empty_file_lacks_ports() {
    assert_eq!(faults(""), [":1:1: `ports` is missing"]);
}

#[test]
fn syntax_errors_are_reported_together_and_without_what_follows_from_them() {
    let text = GOOD
        .replace("workers = 2", "workers = = 2")
        .replace("\"10.77.0.254\"", "\"10.77.0.254");
    let found = faults(&text);
    let lines: Vec<_> = found.iter().map(|f| f.split(':').nth(1).unwrap()).collect();
    assert!(lines.contains(&"3") && lines.contains(&"31"), "{found:#?}");
    assert!(!found.iter().any(|f| f.contains("missing")), "{found:#?}");
    let doubled = GOOD.replace("mbufs = 4096", "mbufs = 4096\nmbufs = 8192");
    assert!(faults(&doubled).iter().any(|f| f.contains("duplicate key")));
}

#[test]
fn faults_of_the_machine_are_refused() {
    refuses(
        "cores = [1, 2]",
        "cores = [1]",
        "names 1 cores for 2 workers",
    );
    refuses(
        "cores = [1, 2]",
        "cores = [2, 2]",
        "the same core stands on line",
    );
    refuses(
        "\"stop\"",
        "\"maybe\"",
        "must be one of \"retry\", \"stop\"",
    );
    refuses("\"500ms\"", "\"500\"", "is not a duration");
    refuses("\"512MiB\"", "\"1MiB\"", "must be from 16MiB to 4096GiB");
    refuses("\"/tmp/lessor\"", "\"lessor\"", "is not an absolute path");
    refuses(
        "no_huge = true",
        "no_huge = 1",
        "must be true or false, not integer",
    );
    refuses("[store]", "[stroe]", "unknown key, did you mean `store`?");
    refuses("\"/tmp/lessor.sock\"", "\"\"", "must not be empty");
}

#[test]
fn faults_of_ports_are_refused() {
    refuses("vlan = 100", "vlan = 4095", "must be from 1 to 4094");
    refuses("vlan = [200, 30]", "vlan = [1, 2, 3]", "one VLAN or two");
    refuses(
        "\"10.77.0.1/24\",",
        "\"10.77.0.255/24\",",
        "network or broadcast address of 10.77.0.0/24",
    );
    refuses(
        "\"10.77.0.254\"",
        "\"10.80.0.1\"",
        "10.80.0.1 is not inside the prefix of any address",
    );
    refuses(
        "via = \"10.78.0.2\"",
        "via = \"10.90.0.2\"",
        "10.90.0.2 is not inside the prefix",
    );
    refuses(
        "via = \"10.78.0.2\"",
        "via = \"10.78.0.1\"",
        "10.78.0.1 is the appliance's own",
    );
    refuses(
        "{ to = \"10.9.0.0/16\",",
        "{ to = \"0.0.0.0/0\",",
        "the same destination stands on line",
    );
    refuses(
        "{ to = \"10.9.0.0/16\",",
        "{ tp = 1, to = \"10.9.0.0/16\",",
        "did you mean `to`?",
    );
    refuses(
        "\"ignore\"",
        "\"maybe\"",
        "must be one of \"verify\", \"ignore\"",
    );
    let second = |key: &str| {
        format!(
            "{key}\n[[ports]]\nname = \"access\"\ndevice = \"net_af_packet0\"\naddresses = [\"10.99.0.1/24\"]"
        )
    };
    let (text, _) = broken("trust_option82 = true", &second("trust_option82 = true"));
    let faults = faults(&text);
    assert!(
        faults.len() == 2
            && faults[0].contains("the same name")
            && faults[1].contains("the same device"),
        "{faults:#?}"
    );
}

#[test]
fn addresses_of_one_link_are_in_one_space_and_differ() {
    refuses(
        "vlan = 100 },",
        "vlan = 100 }, { address = \"10.78.0.1/24\", vlan = 100 },",
        "already",
    );
    refuses(
        "vlan = 100 },",
        "vlan = 100 }, { address = \"10.81.0.1/24\", vlan = 100, space = 3 },",
        "in two spaces, 0 and 3",
    );
}

#[test]
fn knobs_of_moves_and_times_are_read_and_what_cannot_be_meant_is_refused() {
    let office = "t1 = \"10m\"";
    let knobs = "on_move = \"deny\"\nmin_secs = 4\ncache_threshold = 0.25\naffinity = \"7d\"";
    let (text, _) = broken(office, &format!("{office}\n{knobs}"));
    let (settings, _) = parse(&text).unwrap();
    let [home, office_rules] = [0, 1].map(|at: usize| settings.spec.networks[at].rules);
    assert_eq!(office_rules.on_move, OnMove::Deny);
    assert_eq!(
        (office_rules.min_secs, office_rules.cache_threshold),
        (4, 250)
    );
    assert_eq!((office_rules.affinity, home.affinity), (604_800, INFINITE));
    assert_eq!(home.on_move, OnMove::Follow);
    let bad = [
        (
            "on_move = \"stay\"",
            "must be one of \"follow\", \"deny\", \"separate\"",
        ),
        ("min_secs = 70000", "must be from"),
        ("min_secs = \"500ms\"", "whole seconds"),
        ("cache_threshold = 0.95", "must be from"),
        ("affinity = \"forever\"", "is not a duration"),
        ("affinty = \"1d\"", "did you mean `affinity`?"),
    ];
    for (knob, says) in bad {
        // On the line behind the name.
        let (text, line) = broken(office, &format!("{office}\n{knob}"));
        let faults = faults(&text);
        let place = format!(":{}:", line + 1);
        assert_eq!(faults.len(), 1, "{faults:#?}");
        assert!(
            faults[0].starts_with(&place) && faults[0].contains(says),
            "{says}: {faults:#?}"
        );
    }
}

#[test]
fn faults_of_networks_are_refused() {
    refuses(
        "name = \"office\"",
        "name = \"home\"",
        "the same name stands on line 37",
    );
    refuses(
        "\"circuit+chaddr\"",
        "\"mac\"",
        "must be one of \"client-id\", \"chaddr\"",
    );
    refuses(
        "prefix = \"10.78.0.0/24\"",
        "prefix = \"10.76.0.0/14\"",
        "overlaps the subnet on line 43",
    );
    refuses(
        "\"10.78.0.10-10.78.0.20\"",
        "\"10.79.0.10-10.79.0.20\"",
        "the pool is not inside its subnet",
    );
    refuses(
        "\"10.77.0.224/28\"",
        "\"10.77.0.200-10.77.0.210\"",
        "overlaps the pool on line 44",
    );
    refuses(
        "\"10.77.0.50\",",
        "\"10.70.0.50\",",
        "the exclusion is not inside its subnet",
    );
    refuses(
        "prefix = \"10.78.0.0/24\"",
        "adopt = true\nprefix = \"10.78.0.0/24\"",
        "belongs to the network",
    );
    refuses(
        "\"10.77.0.222\"",
        "\"10.70.0.1\"",
        "10.70.0.1 is in no subnet of this network",
    );
    refuses(
        "\"10.77.0.222\"",
        "\"10.77.0.1\"",
        "10.77.0.1 is the appliance's own address",
    );
    refuses(
        "\"10.77.0.222\"",
        "\"10.77.0.255\"",
        "network or broadcast address",
    );
    refuses(
        "\"02:00:00:00:00:05\"",
        "\"02-00\"",
        "is not a hardware address",
    );
}

#[test]
fn one_reservation_is_for_one_client_and_one_address() {
    let twice = "\n[[networks.reservations]]\nhw_address = \"02:00:00:00:00:05\"\naddress = \"10.77.0.222\"";
    let (text, _) = broken(
        "\naddress = \"10.77.0.222\"",
        &format!("\naddress = \"10.77.0.222\"{twice}"),
    );
    assert!(faults(&text)[0].contains("the same address stands on line"));
    let (text, _) = broken(
        "\naddress = \"10.77.0.222\"",
        &format!("\naddress = \"10.77.0.221\"{twice}"),
    );
    assert!(faults(&text)[0].contains("the same client stands on line"));
    let (text, _) = broken("hw_address = \"02:00:00:00:00:05\"\n", "");
    assert!(faults(&text)[0].contains("exactly one of hw_address, client_id"));
}

/// The good file with this reservation behind its own.
fn also(reservation: &str) -> String {
    let table = "\n[[networks.reservations]]\n";
    GOOD.replace(
        "address = \"10.77.0.222\"\n",
        &format!("address = \"10.77.0.222\"\n{table}{reservation}\n"),
    )
}

#[test]
fn a_client_may_be_a_circuit_or_a_remote_id() {
    for (reservation, client) in [
        (
            "circuit_id = \"p7\"\nrelay = \"10.9.0.1\"",
            &b"\x03\x0a\x09\0\x01p7"[..],
        ),
        ("circuit_id = \"p7\"\nrelay_id = \"bng\"", b"\x05\x03bngp7"),
        ("remote_id = \"0a:0b\"", b"\x06\x0a\x0b"),
    ] {
        let text = also(&format!("{reservation}\naddress = \"10.77.0.9\""));
        let (settings, _) = parse(&text).unwrap();
        let all = &settings.spec.networks[0].reservations;
        assert_eq!(&*all[1].client, client);
    }
    for (reservation, says) in [
        (
            "circuit_id = \"p7\"",
            ": must have exactly one of relay, relay_id",
        ),
        (
            "circuit_id = \"p7\"\nrelay = \"bng\"",
            ".relay: is not an IPv4 address",
        ),
        (
            "circuit_id = 7\nrelay = \"10.9.0.1\"",
            ".circuit_id: must be a string",
        ),
        (
            "remote_id = \"hex:0\"",
            ".remote_id: is not 1 to 255 octets",
        ),
        (
            "remote_id = \"a\"\nhw_type = 1",
            ".hw_type: `hw_type` says nothing here",
        ),
        (
            "remote_id = \"a\"\nrelay = \"10.9.0.1\"",
            ".relay: `relay` says nothing here",
        ),
    ] {
        let found = faults(&also(&format!("{reservation}\naddress = \"10.77.0.9\"")));
        let [fault] = &found[..] else {
            panic!("{found:?}")
        };
        let place = "networks[0].reservations[1]";
        assert!(fault.contains(&format!("{place}{says}")), "{fault}");
    }
}

#[test]
fn a_series_is_checked_as_a_whole() {
    let series = |hw: &str, address: &str, count: &str| {
        also(&format!(
            "hw_address = \"{hw}\"\naddress = \"{address}\"\ncount = {count}"
        ))
    };
    let good = series("02:00:00:00:01:00", "10.77.0.100", "100");
    let (settings, _) = parse(&good).unwrap();
    let last = settings.spec.networks[0].reservations.last().unwrap();
    assert_eq!(
        (last.count, last.last()),
        (100, Ipv4Addr::new(10, 77, 0, 199))
    );
    let of_client = good.replace(
        "hw_address = \"02:00:00:00:01:00\"",
        "client_id = \"02:00:00:00:01:00\"",
    );
    for (text, says) in [
        (
            series("02:00:00:00:01:00", "10.77.0.100", "0"),
            ".count: must be from 1 to",
        ),
        (
            series("02:00:00:00:01:00", "10.77.0.100", "156"),
            ".count: counts past the last address",
        ),
        (
            series("02:00:00:00:01:00", "10.77.0.100", "16777216"),
            ".count: counts past",
        ),
        (
            series("ff:ff:ff:ff:ff:f0", "10.77.0.100", "17"),
            ".count: counts past the last hardware",
        ),
        (of_client, ".count: counts past the last hardware"),
        (
            series("02:00:00:00:01:00", "10.77.0.1", "9"),
            ".address: 10.77.0.1 is the appliance's",
        ),
        (
            series("02:00:00:00:01:00", "10.77.0.200", "23"),
            ".address: overlaps the reservation on",
        ),
        (
            series("02:00:00:00:00:00", "10.77.0.100", "6"),
            ": overlaps the reservation on",
        ),
        (
            series("02:00:00:00:00:05", "10.77.0.100", "6"),
            ": overlaps the reservation on",
        ),
    ] {
        let found = faults(&text);
        let [fault] = &found[..] else {
            panic!("{found:?}")
        };
        let place = "networks[0].reservations[1]";
        assert!(fault.contains(&format!("{place}{says}")), "{fault}");
    }
}

#[test]
fn a_subnet_says_how_its_addresses_are_probed() {
    let place = "prefix = \"10.78.0.0/24\"";
    let with = |knobs: &str| format!("{knobs}\n{place}");
    let knobs = "probe = \"icmp\"\nprobe_wait = \"250ms\"\nprobe_reservations = true";
    let (settings, _) = parse(&broken(place, &with(knobs)).0).unwrap();
    let subnets = settings.spec.networks.iter().flat_map(|n| &n.subnets);
    let probes: Vec<_> = subnets.map(|subnet| subnet.probe).collect();
    let stated = ProbeRules {
        by: ProbeBy::Icmp,
        wait: 250,
        reservations: true,
    };
    assert!(probes.contains(&stated) && probes.contains(&ProbeRules::default()));
    let ways = "must be one of \"off\", \"icmp\"";
    refuses(place, &with("probe = \"ping\""), ways);
    refuses(place, &with("probe_wait = \"5s\""), "2s");
    refuses(place, &with("prob = \"icmp\""), "did you mean `probe`");
}

#[test]
fn lease_times_must_rise() {
    let refuses = |new: &str, says: &str| refuses("t1 = \"10m\"", new, says);
    refuses(
        "min_lease_time = \"3h\"",
        "min_lease_time (10800 s) is longer than lease_time (1800 s)",
    );
    refuses(
        "max_lease_time = \"1m\"",
        "lease_time (1800 s) is longer than max_lease_time (60 s)",
    );
    refuses(
        "t1 = 0.9",
        "t1 (1620 s), t2 (1575 s) and lease_time (1800 s) must rise",
    );
    refuses(
        "t1 = \"29m\"",
        "t1 (1740 s), t2 (1575 s) and lease_time (1800 s) must rise",
    );
    refuses(
        "t2 = \"30m\"",
        "t1 (900 s), t2 (1800 s) and lease_time (1800 s) must rise",
    );
    refuses("max_lease_time = \"500ms\"", "must be from 1s to");
    refuses(
        "max_lease_time = \"1500ms\"",
        "is not a number of whole seconds",
    );
    refuses("t1 = 1.5", "must be from 0.001 to 0.999");
}

#[test]
fn a_bound_that_is_not_given_follows_the_lease() {
    for (given, expected) in [
        ("lease_time = \"7d\"", (60, 604_800, 604_800)),
        ("lease_time = \"30s\"", (30, 30, 86_400)),
        (
            "lease_time = \"3h\"\nmax_lease_time = \"infinite\"",
            (60, 10_800, u32::MAX),
        ),
        ("max_lease_time = \"30m\"", (60, 1800, 1800)),
        ("min_lease_time = \"2h\"", (7200, 7200, 86_400)),
        ("lease_time = \"infinite\"", (60, u32::MAX, u32::MAX)),
    ] {
        let (text, _) = broken("lease_time = \"30m\"\nt1 = \"10m\"", given);
        let (settings, _) = parse(&text.replace("\nlease_time = \"2h\"", "")).unwrap();
        let lease = settings.spec.networks[1].subnets[0].lease;
        assert_eq!((lease.min, lease.default, lease.max), expected, "{given}");
    }
}

#[test]
fn an_own_address_or_a_router_in_a_pool_is_kept_back_with_a_warning() {
    let text = GOOD.replace("\"10.77.0.10-10.77.0.200\"", "\"10.77.0.1-10.77.0.200\"");
    let text = text.replace("routers = [\"10.77.0.1\"]", "routers = [\"10.77.0.2\"]");
    let (settings, report) = parse(&text).unwrap();
    let lines = report.lines("");
    assert!(lines.len() == 2, "{lines:#?}");
    assert!(
        lines[0].contains("holds 10.77.0.1, an address of the appliance"),
        "{lines:#?}"
    );
    assert!(
        lines[1].contains("holds 10.77.0.2, a router of its clients"),
        "{lines:#?}"
    );
    for last in [1, 2] {
        let addr = Ipv4Addr::new(10, 77, 0, last);
        assert!(
            settings.spec.networks[0].subnets[0]
                .excluded
                .contains(&(addr, addr))
        );
    }
}

#[test]
fn what_is_legal_and_rarely_meant_is_warned_of() {
    let warns = |old: &str, new: &str, says: &str| {
        let lines = warnings(&broken(old, new).0);
        assert!(
            lines.len() == 1 && lines[0].contains(says),
            "{says}: {lines:#?}"
        );
    };
    warns(
        "bindings = 1000",
        "bindings = 100",
        "the pools hold 218 addresses",
    );
    warns("pools = [\"10.78.0.10-10.78.0.20\"]", "", "assigns nothing");
    warns(
        "relays = [\"10.9.0.1\"]",
        "relays = [\"10.9.0.1\"]\nserver_id = \"10.1.1.1\"",
        "10.1.1.1 is no address of the appliance",
    );
    warns(
        "name = \"office\"",
        "name = \"office\"\nspace = 7",
        "it has no clients",
    );
    let text = GOOD.replace("gateway = \"10.77.0.254\"", "");
    let lines = warnings(&text.replace("relays = [\"10.9.0.1\"]", "relays = [\"10.10.0.1\"]"));
    assert!(
        lines.len() == 1 && lines[0].contains("leads to 10.10.0.1"),
        "{lines:#?}"
    );
    let ports = GOOD.split("[[networks]]").next().unwrap();
    assert!(warnings(ports)[0].contains("nobody is served"));
}

#[test]
fn c183_routers_and_classless_routes_without_a_default_are_warned_of() {
    let with = |routes: &str| {
        let options = format!("domain-name = \"example.net\", classless-static-route = [{routes}]");
        warnings(&broken("domain-name = \"example.net\"", &options).0)
    };
    let lines = with("\"10.1.0.0/16 10.77.0.1\"");
    assert!(
        lines.len() == 1 && lines[0].contains("no default route (RFC 3442)"),
        "{lines:#?}"
    );
    assert_eq!(
        with("\"10.1.0.0/16 10.77.0.1\", \"0.0.0.0/0 10.77.0.1\""),
        Vec::<String>::new()
    );
}

#[test]
fn a_file_that_is_not_text_is_refused_with_its_place() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("lessor.toml");
    std::fs::write(&path, b"[server]\nworkers = \xff\n").unwrap();
    let Err(LoadError::Invalid { report, .. }) = load(&path) else {
        panic!("not refused")
    };
    assert_eq!(report.lines("f"), ["f:2:11: not UTF-8 text"]);
    assert!(matches!(
        load(directory.path()),
        Err(LoadError::Unreadable { .. })
    ));
}

#[test]
fn deep_nesting_ends_in_a_fault() {
    for text in [
        "a = ".to_owned() + &"[".repeat(100_000),
        "[".repeat(100_000),
        "a.".repeat(100_000),
    ] {
        assert!(parse(&text).is_err());
    }
}

/// The documented file.
const EXAMPLE: &str = include_str!("../../../../docs/lessor.toml");

#[test]
fn each_default_of_the_documented_file_is_that_of_the_code() {
    let (example, report) = parse(EXAMPLE).unwrap();
    assert_eq!(report, Report::default());
    let is_default = |line: &&str| line.ends_with("# default");
    let without: Vec<_> = EXAMPLE.lines().filter(|line| !is_default(line)).collect();
    let (bare, _) = parse(&without.join("\n")).unwrap();
    assert_eq!(format!("{example:#?}"), format!("{bare:#?}"));
    assert!(EXAMPLE.lines().filter(is_default).count() > 40);
}

#[test]
fn the_documented_file_has_every_key() {
    let document = DeTable::parse(EXAMPLE).unwrap();
    let findings = Findings::new(EXAMPLE);
    read(document.get_ref(), &findings);
    let is_named = |path: &String| {
        let key = path.rsplit('.').next().unwrap();
        let assigned = [format!("\n{key} = "), format!(" {key} = ")];
        let header = [format!("[{key}]"), format!(".{key}]")];
        assigned
            .iter()
            .chain(&header)
            .any(|text| EXAMPLE.contains(text))
    };
    // The types of options are documented in words.
    let keys = findings
        .absent
        .take()
        .into_iter()
        .filter(|path| !path.contains(".options."));
    let unnamed: Vec<_> = keys.filter(|path| !is_named(path)).collect();
    assert!(unnamed.is_empty(), "{unnamed:#?}");
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC*") {
        drop(parse(&text));
    }

    #[test]
    fn no_piece_of_toml_panics(text in "([\\[\\]{}=\".,#\n a-z0-9/:-]|\\[\\[networks\\]\\]\n|pools = |options\\.){0,80}") {
        drop(parse(&text));
    }

    #[test]
    fn no_damage_to_a_good_file_panics(at in 0..GOOD.len(), len in 0..40usize, new in "\\PC{0,12}") {
        let mut text = GOOD.as_bytes().to_vec();
        let end = (at + len).min(text.len());
        text.splice(at..end, new.bytes());
        drop(parse(&String::from_utf8_lossy(&text)));
    }

    #[test]
    fn no_other_value_panics(line in 0..70usize, value in "(-?[0-9]{1,24}|\"[0-9./:a-z -]{0,20}\"|\\{\\}|\\[\\]|true|1e400|nan|1979-05-27)") {
        let lines = GOOD.lines().enumerate();
        let replaced = |(i, text): (usize, &str)| match text.split_once('=') {
            Some((key, _)) if i == line => format!("{key}= {value}"),
            Some(_) | None => text.to_owned(),
        };
        drop(parse(&lines.map(replaced).collect::<Vec<_>>().join("\n")));
    }
}
