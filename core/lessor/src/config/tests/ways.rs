//! How frames come in: VLANs, one by one and by the range.

use super::*;
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
