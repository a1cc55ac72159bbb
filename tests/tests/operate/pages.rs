//! `lessor leases list`: filters, pages in the order of the addresses, and counts.

use serde_json::Value;

use crate::site::{Ended, Site};

fn list(site: &Site, arguments: &[&str]) -> Ended {
    site.lessor(&[&["leases", "list"], arguments].concat())
}

/// The addresses of a list's rows.
#[track_caller]
fn addresses(site: &Site, arguments: &[&str]) -> Vec<String> {
    let ended = list(site, &[arguments, &["--json"]].concat());
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let address = |line: &str| {
        let row: Value = serde_json::from_str(line).unwrap();
        row["address"].as_str().unwrap().to_owned()
    };
    ended.stdout.lines().map(address).collect()
}

fn hosts(hosts: impl IntoIterator<Item = u8>) -> Vec<String> {
    let hosts = hosts.into_iter();
    hosts.map(|host| format!("10.77.0.{host}")).collect()
}

/// A store of 10.77.0.10 to 10.77.0.29, of which every other one has ended.
fn site() -> Site {
    let site = Site::new();
    let ends = |n: u64| {
        if n.is_multiple_of(2) {
            u64::MAX
        } else {
            1_700_000_000 + n
        }
    };
    site.fill_store_with((0..20).map(|n| (1_690_000_000, ends(n))));
    site
}

#[test]
fn pages_follow_each_other_in_the_order_of_the_addresses() {
    let site = site();
    let all = addresses(&site, &[]);
    assert_eq!(all, hosts(10..30));
    let mut paged = Vec::new();
    let mut last = "0.0.0.0".to_owned();
    loop {
        let page = addresses(&site, &["--limit", "7", "--after", &last]);
        assert!(page.len() <= 7);
        let Some(end) = page.last() else { break };
        last.clone_from(end);
        paged.extend(page);
    }
    assert_eq!(paged, all);
    assert_eq!(
        addresses(&site, &["--after", "10.77.0.27"]),
        hosts([28, 29])
    );
    assert_eq!(addresses(&site, &["--after", "10.77.0.5@1"]), hosts([]));
    // The same beside a server.
    let _server = site.serve();
    assert_eq!(addresses(&site, &["--limit", "3"]), hosts(10..13));
    let table = list(&site, &["--limit", "2"]).stdout;
    let rows: Vec<_> = table
        .lines()
        .map(|row| row.split_once(' ').unwrap().0)
        .collect();
    assert_eq!(rows, ["ADDRESS", "10.77.0.10", "10.77.0.11"]);
}

#[test]
fn a_filter_leaves_what_all_of_it_says() {
    let site = site();
    for (filter, expected) in [
        (&["--state", "expired", "--limit", "2"][..], hosts([11, 13])),
        (
            &["--state", "expired", "--state", "active", "--limit", "2"],
            hosts([10, 11]),
        ),
        (&["--subnet", "10.77.0.12/30"], hosts(12..16)),
        (&["--network", "home", "--limit", "1"], hosts([10])),
        (&["--hw-address", "03"], hosts([13])),
        (
            &["--hw-address", "03:03:03", "--state", "active"],
            hosts([]),
        ),
        (&["--client-id", "01:01:01:01:01:01"], hosts([11])),
        (&["--expires-before", "1700000004"], hosts([11, 13])),
        (
            &["--expires-before", "2023-11-14T22:13:24Z"],
            hosts([11, 13]),
        ),
        (
            &["--expires-after", "1700000017"],
            hosts([10, 12, 14, 16, 18, 20, 22, 24, 26, 27, 28, 29]),
        ),
        (&["--expires-after", "1h", "--limit", "1"], hosts([10])),
        (&["--relay", "10.9.0.1"], hosts([])),
        (&["--circuit-id", "port 7"], hosts([])),
        (&["--remote-id", "01:02"], hosts([])),
        (&["--vlan", "100"], hosts([])),
        (&["--space", "1"], hosts([])),
        (&["--space", "0", "--after", "10.77.0.28"], hosts([29])),
    ] {
        assert_eq!(addresses(&site, filter), expected, "{filter:?}");
        let filter: Vec<_> = filter
            .split(|word| *word == "--limit")
            .next()
            .unwrap()
            .into();
        let counted = list(&site, &[&filter[..], &["--count"]].concat());
        let count: usize = counted.stdout.trim().parse().unwrap();
        assert!(count >= expected.len(), "{filter:?}");
        let json = list(&site, &[&filter[..], &["--count", "--json"]].concat());
        let json: Value = serde_json::from_str(&json.stdout).unwrap();
        assert_eq!(json["leases"], count);
    }
    assert_eq!(list(&site, &["--count"]).stdout, "20\n");
    assert_eq!(
        list(&site, &["--count", "--state", "active"]).stdout,
        "10\n"
    );
    // An export goes by the same filters.
    let export = site.lessor(&["leases", "export", "--hw-address", "03"]);
    assert_eq!(export.stderr, "1 lease written\n");
}

#[test]
fn a_filter_that_says_nothing_is_refused() {
    let site = site();
    for wrong in [
        &["--limit", "0"][..],
        &["--limit", "x"],
        &["--after", "10.77.0"],
        &["--after", "10.77.0.1@x"],
        &["--subnet", "10.77.0.5/24"],
        &["--hw-address", "0g"],
        &["--hw-address", ""],
        &["--circuit-id", ""],
        &["--client-id", "x"],
        &["--expires-before", "tomorrow"],
        &["--expires-before", "2026-02-30T00:00:00Z"],
        &["--vlan", "4095"],
        &["--network", "nowhere"],
        &["--count", "--limit", "1"],
    ] {
        let ended = list(&site, wrong);
        assert_eq!(ended.code, Some(64), "{wrong:?}: {ended:?}");
        assert!(ended.stdout.is_empty(), "{ended:?}");
    }
}
