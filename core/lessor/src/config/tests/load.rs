//! What keeps floods within bounds.

use super::*;
use dhcp_proto::limit::Rate;
use std::time::Duration;

#[test]
fn c164_the_relays_of_the_defaults_hold_where_a_network_names_none() {
    let (text, line) = broken("[defaults]", "[defaults]\nrelays = [\"10.9.0.8\"]");
    let (settings, _) = parse(&text).unwrap();
    let relays = settings.spec.networks.iter().map(|n| n.relays.clone());
    let relay = |last| Some(vec![Ipv4Addr::new(10, 9, 0, last)]);
    assert_eq!(relays.collect::<Vec<_>>(), [relay(1), relay(8)]);
    let faults = faults(&text.replace("10.9.0.8", "10.9"));
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(
        faults[0].starts_with(&format!(":{}:", line + 1)),
        "{faults:?}"
    );
}

#[test]
fn the_share_of_offers_is_a_share() {
    assert_eq!(good().server.max_offers, 250);
    let (text, _) = broken("bindings = 1000", "bindings = 1000\nmax_offers = 0.1");
    assert_eq!(parse(&text).unwrap().0.server.max_offers, 100);
    for wrong in ["0.0", "1.5", "\"10 %\""] {
        let (text, _) = broken("bindings = 1000", &format!("max_offers = {wrong}"));
        assert_eq!(faults(&text).len(), 1, "{wrong}");
    }
}

/// The rates of the office when `[defaults]` says this.
fn rates_of(knobs: &str) -> Result<dhcp_proto::limit::Rates, Vec<String>> {
    let (text, _) = broken("[defaults]", &format!("[defaults]\n{knobs}"));
    let settings = parse(&text).map_err(|_| faults(&text))?.0;
    Ok(settings.spec.networks[1].rules.rates)
}

#[test]
fn rates_are_read_with_their_units_and_bursts() {
    let rate = |count, seconds, burst| Rate::new(count, Duration::from_secs(seconds), burst);
    assert_eq!(rates_of("").unwrap(), dhcp_proto::limit::Rates::default());
    for (text, expected) in [
        ("\"2/s\"", rate(2, 1, 10)),
        ("\"500/s\"", rate(500, 1, 500)),
        ("\"90/m\"", rate(90, 60, 10)),
        ("{ rate = \"7/h\", burst = 3 }", rate(7, 3600, 3)),
        ("\"off\"", None),
    ] {
        assert!(expected.is_some() || text.contains("off"));
        let rates = rates_of(&format!("discovers_per_client = {text}")).unwrap();
        assert_eq!(rates.identity, expected, "{text}");
        assert_eq!((rates.circuit, rates.relay), (None, None));
    }
    let both = "discovers_per_circuit = \"3/s\"\ndiscovers_per_relay = \"4/s\"";
    let rates = rates_of(both).unwrap();
    assert_eq!(
        (rates.circuit, rates.relay),
        (rate(3, 1, 10), rate(4, 1, 10))
    );
}

#[test]
fn a_rate_that_is_none_is_refused() {
    for wrong in [
        "10",
        "\"10\"",
        "\"10/d\"",
        "\"+1/s\"",
        "\"0/s\"",
        "\"1000001/s\"",
        "\"\"",
        "\"/s\"",
        "\"99999999999/s\"",
        "{ burst = 3 }",
        "{ rate = \"1/s\", burst = 0 }",
        "{ rate = \"1/h\", burst = 100 }",
        "{ rate = \"1/s\", bursts = 9 }",
    ] {
        let faults = rates_of(&format!("discovers_per_relay = {wrong}")).unwrap_err();
        assert_eq!(faults.len(), 1, "{wrong}: {faults:?}");
        assert!(faults[0].contains("discovers_per_relay"), "{faults:?}");
    }
}
