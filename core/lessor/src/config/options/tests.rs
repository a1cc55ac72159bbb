use super::*;
use crate::config::findings::{Findings, Spot};
use toml::de::DeTable;

/// What `text`, a list of options, is encoded as.
fn encoded(text: &str) -> Result<Vec<(u8, Vec<u8>)>, String> {
    let document = DeTable::parse(text).unwrap();
    let findings = Findings::new(text);
    let mut options = Options::new();
    read(
        Table::new(Spot::default(), document.get_ref(), &findings),
        &mut options,
    );
    match findings.report().faults.first() {
        Some(fault) => Err(fault.to_string()),
        None => Ok(options
            .into_iter()
            .map(|(code, data)| (code, data.into()))
            .collect()),
    }
}

fn one(text: &str) -> (u8, Vec<u8>) {
    let mut all = encoded(text).unwrap();
    assert_eq!(all.len(), 1, "{text}");
    all.remove(0)
}

#[test]
fn each_type_is_encoded_as_its_rfc_says() {
    assert_eq!(one(r#"swap-server = "10.0.0.1""#), (16, vec![10, 0, 0, 1]));
    assert_eq!(
        one(r#"routers = ["10.0.0.1", "10.0.0.2"]"#),
        (3, vec![10, 0, 0, 1, 10, 0, 0, 2])
    );
    assert_eq!(one(r#"routers = "10.0.0.1""#), (3, vec![10, 0, 0, 1]));
    assert_eq!(
        one(r#"static-routes = ["10.1.0.1 10.0.0.1"]"#),
        (33, vec![10, 1, 0, 1, 10, 0, 0, 1])
    );
    assert_eq!(one("default-ip-ttl = 64"), (23, vec![64]));
    assert_eq!(one("interface-mtu = 1492"), (26, vec![5, 212]));
    assert_eq!(
        one("path-mtu-plateau-table = [68, 576]"),
        (25, vec![0, 68, 2, 64])
    );
    assert_eq!(one("time-offset = -3600"), (2, vec![255, 255, 241, 240]));
    assert_eq!(one(r#"v6-only-preferred = "30m""#), (108, vec![0, 0, 7, 8]));
    assert_eq!(one("ip-forwarding = true"), (19, vec![1]));
    assert_eq!(
        one(r#"domain-name = "example.net""#),
        (15, b"example.net".to_vec())
    );
    assert_eq!(one(r#"224 = "hex:0102""#), (224, vec![1, 2]));
    assert_eq!(one(r#"224 = "01:02""#), (224, vec![1, 2]));
    assert_eq!(one(r#"224 = "plain""#), (224, b"plain".to_vec()));
}

#[test]
fn c108_a_destination_has_the_octets_its_width_covers() {
    let route = |to: &str| one(&format!(r#"classless-static-route = ["{to} 10.0.0.1"]"#)).1;
    let cases: [(&str, &[u8]); 6] = [
        ("0.0.0.0/0", &[0]),
        ("10.0.0.0/8", &[8, 10]),
        ("10.128.0.0/9", &[9, 10, 128]),
        ("10.1.2.0/24", &[24, 10, 1, 2]),
        ("10.1.2.128/25", &[25, 10, 1, 2, 128]),
        ("10.1.2.3/32", &[32, 10, 1, 2, 3]),
    ];
    for (to, descriptor) in cases {
        assert_eq!(route(to), [descriptor, &[10, 0, 0, 1]].concat(), "{to}");
    }
}

#[test]
fn c109_a_route_on_the_link_keeps_its_router_of_zero() {
    let (_, octets) = one(r#"ms-classless-static-route = ["10.0.0.0/8 0.0.0.0"]"#);
    assert_eq!(octets, [8, 10, 0, 0, 0, 0]);
}

#[test]
fn domain_names_are_labels_with_lengths() {
    let (_, octets) = one(r#"domain-search = ["example.net", "a.b."]"#);
    assert_eq!(octets, b"\x07example\x03net\x00\x01a\x01b\x00");
    for wrong in ["", ".", "a..b", &"x".repeat(64), &"abc.".repeat(70)] {
        assert!(
            encoded(&format!(r#"domain-search = ["{wrong}"]"#)).is_err(),
            "{wrong}"
        );
    }
}

#[test]
fn c079_vendor_options_are_octets_or_sub_options() {
    let text = r#"vendor-encapsulated-options = { 6 = "hex:08", 2 = { ipv4 = "10.0.0.1" } }"#;
    assert_eq!(one(text), (43, vec![2, 4, 10, 0, 0, 1, 6, 1, 8]));
    assert_eq!(one(r#"43 = "hex:0601080000""#), (43, vec![6, 1, 8, 0, 0]));
    let text = r#"vivso-suboptions = { 4491 = { 1 = "hex:0203" } }"#;
    assert_eq!(one(text), (125, vec![0, 0, 17, 139, 4, 1, 2, 2, 3]));
}

#[test]
fn an_option_may_be_given_its_type() {
    assert_eq!(
        one(r#"224 = { ipv4 = ["10.0.0.1"] }"#),
        (224, vec![10, 0, 0, 1])
    );
    assert_eq!(one("224 = { u32 = 1 }"), (224, vec![0, 0, 0, 1]));
    assert_eq!(
        one(r#"224 = { text = "hex:zz" }"#),
        (224, b"hex:zz".to_vec())
    );
    assert!(
        encoded("224 = { u8 = 1, u16 = 2 }")
            .unwrap_err()
            .contains("exactly one")
    );
    assert!(
        encoded("224 = { u9 = 1 }")
            .unwrap_err()
            .contains("exactly one")
    );
}

#[test]
fn c078_octets_of_the_wrong_length_for_their_type_are_refused() {
    for (text, says) in [
        (
            r#"routers = "hex:0a0000""#,
            "has 3 octets; this option takes a multiple of 4",
        ),
        (r#"routers = "hex:""#, "has 0 octets"),
        (r#"swap-server = "hex:0a00000102""#, "this option takes 4"),
        (r#"static-routes = "hex:0a000001""#, "a multiple of 8"),
        (r#"ip-forwarding = "hex:0101""#, "takes 1"),
        (r#"interface-mtu = "hex:01""#, "takes 2"),
        (r#"224 = """#, "must not be empty"),
    ] {
        let fault = encoded(text).unwrap_err();
        assert!(fault.contains(says), "{text}: {fault}");
    }
    assert_eq!(one(r#"routers = "hex:0a000001""#), (3, vec![10, 0, 0, 1]));
}

#[test]
fn c085_a_text_with_a_nul_is_refused() {
    assert!(
        encoded("domain-name = \"a\\u0000\"")
            .unwrap_err()
            .contains("without NUL")
    );
    assert!(
        encoded("224 = \"a\\u0000\"")
            .unwrap_err()
            .contains("without NUL")
    );
}

#[test]
fn an_option_that_the_server_makes_is_refused_with_the_reason() {
    let fault = encoded("dhcp-lease-time = 7").unwrap_err();
    assert_eq!(
        fault,
        "dhcp-lease-time: is not configured as an option: `lease_time` sets it"
    );
    assert!(
        encoded("82 = \"hex:01\"")
            .unwrap_err()
            .contains("relay's own")
    );
    assert!(
        encoded("82 = { text = \"x\" }")
            .unwrap_err()
            .contains("relay's own")
    );
}

#[test]
fn an_unknown_name_is_refused_with_the_nearest_known_one() {
    let fault = encoded("domain-name-server = []").unwrap_err();
    assert!(
        fault.contains("did you mean `domain-name-servers`?"),
        "{fault}"
    );
    assert!(encoded("255 = \"hex:01\"").is_err());
}

#[test]
fn an_empty_list_takes_an_inherited_option_away() {
    let document = DeTable::parse("routers = []").unwrap();
    let findings = Findings::new("");
    let mut options = Options::from([(3, [10, 0, 0, 1].into()), (15, [97].into())]);
    read(
        Table::new(Spot::default(), document.get_ref(), &findings),
        &mut options,
    );
    assert_eq!(options.keys().copied().collect::<Vec<_>>(), [15]);
}

/// How the documentation calls a kind.
fn in_words(kind: Kind) -> String {
    let words = match kind {
        Kind::Address => "address",
        Kind::Addresses => "addresses",
        Kind::AnyAddresses => "addresses, or none",
        Kind::Pairs => "pairs of addresses, \"a b\"",
        Kind::Routes => "routes, \"prefix router\"",
        Kind::U8 => "0 to 255",
        Kind::U16 => "0 to 65535",
        Kind::U16s => "numbers, 0 to 65535",
        Kind::U32 => "0 to 4294967295",
        Kind::I32 => "-2147483648 to 2147483647",
        Kind::Seconds => "time",
        Kind::Bool => "true or false",
        Kind::Text => "text",
        Kind::Domain => "domain name",
        Kind::Domains => "domain names",
        Kind::Suboptions => "sub-options, `{ 1 = \"hex:01\" }`",
        Kind::Vendors => "sub-options by enterprise, `{ 4491 = { 1 = \"hex:01\" } }`",
        Kind::Octets => "octets or text",
        Kind::Made(why) => return format!("not configured: {why}"),
    };
    words.to_owned()
}

#[test]
fn the_documentation_lists_every_option_with_its_type() {
    let document = include_str!("../../../../../docs/configuration.md");
    let table = document.split("| code | name | value |").nth(1).unwrap();
    let table = table.split("\n## ").next().unwrap();
    let rows: Vec<_> = table.lines().filter(|line| line.contains('`')).collect();
    let row = |d: &Definition| format!("| {} | `{}` | {} |", d.code, d.name, in_words(d.kind));
    assert_eq!(rows, table::DEFINITIONS.iter().map(row).collect::<Vec<_>>());
}
