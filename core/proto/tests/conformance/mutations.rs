//! Good messages, spoilt octet by octet: no panic, no reply to a cut one, nothing inconsistent.

use crate::client::{Msg, SERVER, client};
use crate::world::{Answer, Setup, World, ip};

/// Messages of each kind, good where client 1 has `10.0.0.10` and an offer is out to client 2.
fn good(world: &mut World) -> Vec<Msg> {
    let addr = world.lease(&client(1)).yiaddr();
    let offer = world.send(client(2).discover()).offer();
    let rich = |msg: Msg| {
        let msg = msg.prl(&[1, 3, 6, 15, 42]).client_id(b"\x00rich");
        msg.option(57, &[5, 220]).circuit(b"port 7").far()
    };
    vec![
        client(3).discover().requested(ip("10.0.0.15")).lease(600),
        client(2).select(&offer),
        client(1).reboot(addr),
        client(1).renew(addr),
        client(1).rebind(addr),
        client(1).decline().requested(addr).server(SERVER),
        client(1).release().ciaddr(addr).unicast(SERVER),
        client(4).inform().ciaddr(ip("10.0.0.200")),
        rich(client(5).discover()),
        rich(client(5).reboot(ip("10.9.0.12"))),
    ]
}

/// Offsets at which an option begins or the options end.
fn boundaries(octets: &[u8]) -> Vec<usize> {
    let mut at = 240;
    let mut found = vec![at];
    while octets[at] != 255 {
        at += 2 + usize::from(octets[at + 1]);
        found.push(at);
    }
    found.push(at + 1);
    found
}

#[test]
fn a_message_cut_anywhere_but_between_options_is_malformed() {
    let mut world = Setup::default().world();
    for msg in good(&mut world) {
        let octets = msg.octets();
        let whole = boundaries(&octets);
        for len in 0..octets.len() {
            let answer = world.send_octets(&msg, &octets[..len]);
            let malformed = matches!(answer, Answer::Malformed(_));
            assert!(malformed || whole.contains(&len), "{len}: {answer:?}");
        }
    }
}

#[test]
fn a_message_with_any_octet_changed_never_harms_the_server() {
    for shards in [1, 3] {
        let mut setup = Setup::default();
        setup.shards = shards;
        let mut world = setup.world();
        for msg in good(&mut world) {
            let good = msg.octets();
            for at in 0..good.len() {
                let old = good[at];
                let bits = (0..8).map(|bit| old ^ (1 << bit));
                for new in bits.chain([0, 255, old.wrapping_add(1)]) {
                    let mut octets = good.clone();
                    octets[at] = new;
                    world.send_octets(&msg, &octets);
                }
            }
            world.housekeep();
        }
        world.pass(4000);
        world.restart();
    }
}

#[test]
fn a_message_with_an_octet_left_out_or_put_in_never_harms_the_server() {
    let mut world = Setup::default().world();
    for msg in good(&mut world) {
        let good = msg.octets();
        for at in 0..good.len() {
            let mut octets = good.clone();
            octets.remove(at);
            world.send_octets(&msg, &octets);
            for new in [0, 1, 53, 82, 255] {
                let mut octets = good.clone();
                octets.insert(at, new);
                world.send_octets(&msg, &octets);
            }
        }
    }
}
