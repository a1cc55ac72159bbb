//! What keeps floods within bounds.

use super::*;

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
