//! How frames come in: VLANs, one by one and by the range, and addresses on no port.

use super::*;
use dhcp_proto::address::Space;
use dhcp_proto::config::Vlans;

#[test]
fn an_address_may_be_on_ranges_of_vlans() {
    let (text, _) = broken("vlan = [200, 30]", "vlan = [\"200-299\", \"1-4094\"]");
    let text = text.replace("routes = [{ to", "# routes = [{ to");
    let text = text.replace("vlan = 100 ", "vlan = \"100 - 199\" ");
    let (settings, _) = parse(&text).unwrap();
    let vlans: Vec<_> = settings.spec.links.iter().map(|l| l.vlans).collect();
    let expected = [
        ((0, 0), (0, 0)),
        ((100, 199), (0, 0)),
        ((200, 299), (1, 4094)),
    ];
    assert_eq!(vlans, expected.map(|(outer, inner)| Vlans { outer, inner }));
}

#[test]
fn a_range_of_vlans_has_two_ends_between_1_and_4094() {
    for wrong in [
        "200-100",
        "0-9",
        "4000-4095",
        "1-",
        "-1",
        "a",
        "",
        "1-2-3",
        "+1",
    ] {
        let new = format!("vlan = \"{wrong}\"");
        refuses(
            "vlan = 100",
            &new,
            "is not a VLAN from 1 to 4094 or a rising range",
        );
    }
    refuses(
        "vlan = 100",
        "vlan = [\"1-2\", 0]",
        "must be from 1 to 4094",
    );
    refuses("vlan = 100", "vlan = [\"1-2\", true]", "must be an integer");
}

#[test]
fn a_vlan_of_a_port_belongs_to_one_link() {
    let second =
        |vlan: &str| format!("vlan = 100 }},\n{{ address = \"10.81.0.1/24\", vlan = {vlan} }},");
    let overlaps = |vlan: &str| {
        let (text, line) = broken("vlan = 100 },", &second(vlan));
        let place = format!(
            ":{}:1: ports[0].addresses[2]: overlaps the VLANs on line {line}",
            line + 1
        );
        assert_eq!(faults(&text), [place], "{vlan}");
    };
    overlaps("\"100-199\"");
    overlaps("\"1-4094\"");
    for apart in [
        "\"101-199\"",
        "[100, \"1-4094\"]",
        "[\"200-299\", \"31-39\"]",
    ] {
        let (text, _) = broken("vlan = 100 },", &second(apart));
        parse(&text).map_err(|report| report.lines("")).unwrap();
    }
}

#[test]
fn a_next_hop_is_in_one_vlan() {
    let (text, line) = broken("vlan = 100 },", "vlan = \"100-101\" },");
    let [fault] = &faults(&text)[..] else {
        panic!("one fault")
    };
    let place = format!(":{}:", line + 4);
    let says = "ports[0].routes[0].via: 10.78.0.2 is on a range of VLANs";
    assert!(fault.starts_with(&place) && fault.contains(says), "{fault}");
}

/// The good file with these service addresses on its first line.
fn with_services(list: &str) -> String {
    format!("service_addresses = {list}\n{GOOD}")
}

#[test]
fn a_service_address_is_the_appliance_s_on_no_port() {
    let list = "[\"192.0.2.67\", \"192.0.2.68/32\", { address = \"192.0.2.67\", space = 3 }]";
    let (settings, report) = parse(&with_services(list)).unwrap();
    let expected = [(0, 67), (0, 68), (3, 67)];
    let expected = expected.map(|(space, last)| (Space(space), Ipv4Addr::new(192, 0, 2, last)));
    assert_eq!(settings.spec.service_addresses, expected);
    let lines = report.lines("");
    assert!(
        lines.len() == 1 && lines[0].contains("service_addresses[2]: no port is in space 3"),
        "{lines:#?}"
    );
}

#[test]
fn faults_of_service_addresses_are_refused() {
    for (list, says) in [
        ("7", "must be a list, not integer"),
        ("[7]", "[0]: must be a string, not integer"),
        ("[\"192.0.2.0/24\"]", "[0]: is not an IPv4 address"),
        ("[\"224.0.0.1\"]", "[0]: 224.0.0.1 is no address of a host"),
        (
            "[\"192.0.2.1\", \"192.0.2.1\"]",
            "[1]: the same address stands on line 1",
        ),
        (
            "[\"10.78.0.1\"]",
            "[0]: 10.78.0.1 is an address of a port already",
        ),
        (
            "[\"10.77.0.255\"]",
            "[0]: 10.77.0.255 is the network or broadcast address of",
        ),
        (
            "[\"10.77.0.222\"]",
            "address: 10.77.0.222 is the appliance's own address",
        ),
        (
            "[\"10.77.0.254\"]",
            "gateway: 10.77.0.254 is the appliance's own address",
        ),
        ("[{ adress = \"192.0.2.1\" }]", "did you mean `address`?"),
        (
            "[{ address = \"192.0.2.1\", space = 65536 }]",
            "must be from 0 to 65535",
        ),
    ] {
        let found = faults(&with_services(list));
        assert!(
            found.iter().any(|fault| fault.contains(says)),
            "{says}: {found:#?}"
        );
    }
}

#[test]
fn a_service_address_in_a_pool_is_kept_back_with_a_warning() {
    let (settings, report) = parse(&with_services("[\"10.77.0.70\"]")).unwrap();
    let lines = report.lines("");
    assert!(
        lines.len() == 1 && lines[0].contains("holds 10.77.0.70, an address of the appliance"),
        "{lines:#?}"
    );
    let addr = Ipv4Addr::new(10, 77, 0, 70);
    let subnet = &settings.spec.networks[0].subnets[0];
    assert!(
        subnet
            .excluded
            .iter()
            .any(|(first, last)| *first <= addr && addr <= *last)
    );
}

#[test]
fn option_54_may_be_a_service_address() {
    let text = with_services("[\"192.0.2.67\"]");
    let with = |id: &str| text.replace("relays = ", &format!("server_id = \"{id}\"\nrelays = "));
    assert_eq!(warnings(&with("192.0.2.67")), Vec::<String>::new());
    assert_eq!(warnings(&with("192.0.2.68")).len(), 1);
}
