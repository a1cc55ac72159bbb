//! A server that answers wrongly in one way is caught, and named for it; one that answers rightly
//! is not.

#![allow(
    clippy::unwrap_used,
    reason = "functions beside the tests fail as tests do"
)]

mod support;

use dhcp_wire::dhcp::{MessageType, code};
use dhcp_wire::ethernet::Mac;
use lessor_load::plan::{Mode, Plan};
use lessor_load::violation::Violation;
use support::{
    Answer, FIRST, Fault, LAST, LEASE, MILLI, OTHER_SERVER, Server, behind_relays, kinds, plan,
    play, sound, timing,
};

/// What clients make of a server with this fault: some seconds of their time suffice.
fn caught(mode: Mode, fault: Fault) -> Vec<Violation> {
    caught_by(&plan(mode), fault)
}

fn caught_by(plan: &Plan, fault: Fault) -> Vec<Violation> {
    let mut timing = timing(500);
    timing.end = lessor_load::plan::End::After(500 * MILLI);
    kinds(&play(plan, timing, &mut Server::new(fault)))
}

#[test]
fn a_sound_server_passes_in_every_mode_on_every_path() {
    for mode in [
        Mode::Discover,
        Mode::Dora,
        Mode::Renew,
        Mode::Reboot,
        Mode::Release,
        Mode::Mixed,
    ] {
        for plan in [
            plan(mode),
            behind_relays(plan(mode), false),
            behind_relays(plan(mode), true),
        ] {
            let run = play(&plan, timing(1000), &mut Server::new(sound));
            assert_eq!(kinds(&run), [], "{:?}", run.engine().violations().samples());
            let (counts, _) = run.measured();
            assert_eq!(
                (counts.exchanges, counts.timeouts, counts.naks),
                (1000, 0, 0),
                "{mode:?}"
            );
            assert_eq!(counts.retransmissions, 0);
        }
    }
}

#[test]
fn a_wrong_xid_is_caught() {
    let fault = |answer: &mut Answer| answer.header.xid ^= 0x0040_0000;
    assert_eq!(caught(Mode::Discover, fault), [Violation::Xid]);
}

#[test]
fn a_wrong_chaddr_is_caught() {
    let fault = |answer: &mut Answer| answer.header.chaddr[5] ^= 1;
    assert_eq!(caught(Mode::Discover, fault), [Violation::Chaddr]);
    let fault = |answer: &mut Answer| answer.header.hlen = 7;
    assert_eq!(caught(Mode::Discover, fault), [Violation::Chaddr]);
}

#[test]
fn a_foreign_server_id_in_an_ack_is_caught() {
    let fault = |answer: &mut Answer| {
        if answer.kind == MessageType::Ack {
            answer.server_id = Some(OTHER_SERVER);
        }
    };
    assert_eq!(caught(Mode::Dora, fault), [Violation::ServerId]);
    let fault = |answer: &mut Answer| answer.server_id = None;
    assert_eq!(caught(Mode::Discover, fault), [Violation::ServerId]);
}

#[test]
fn an_address_out_of_range_is_caught() {
    let below = |answer: &mut Answer| answer.header.yiaddr = (FIRST - 1).into();
    let above = |answer: &mut Answer| answer.header.yiaddr = (LAST + 1).into();
    let none = |answer: &mut Answer| answer.header.yiaddr = 0.into();
    for fault in [below, above, none] {
        assert_eq!(
            caught_by(&behind_relays(plan(Mode::Dora), false), fault),
            [Violation::AddressRange]
        );
    }
}

#[test]
fn an_address_of_another_live_client_is_caught() {
    // Everybody is told the same address: the first may have it.
    let fault = |answer: &mut Answer| {
        answer.header.yiaddr = (FIRST + 77).into();
        answer.dst = (FIRST + 77).into();
    };
    assert_eq!(caught(Mode::Dora, fault), [Violation::AddressTaken]);
}

#[test]
fn an_address_given_back_may_be_anothers() {
    let plan = Plan {
        clients: 2,
        ..plan(Mode::Release)
    };
    // What one gives back is given to the other before it asks again.
    let mut timing = timing(50);
    timing.pace = lessor_load::plan::Pace::Window(1);
    let mut server = Server::new(sound);
    let run = play(&plan, timing, &mut server);
    assert_eq!(kinds(&run), []);
    assert!(server.holders.values().any(|holders| holders.len() == 2));
    assert_eq!(run.measured().0.releases, 50);
}

#[test]
fn a_missing_or_incorrect_lease_time_is_caught() {
    let none = |answer: &mut Answer| answer.lease_time = None;
    let short = |answer: &mut Answer| answer.lease_time = Some(LEASE - 1);
    let zero = |answer: &mut Answer| answer.lease_time = Some(0);
    for fault in [none, short, zero] {
        assert_eq!(caught(Mode::Discover, fault), [Violation::LeaseTime]);
    }
    // Where no time is expected, any will do but none.
    let mut free = plan(Mode::Discover);
    free.expect.lease_time = None;
    assert_eq!(caught_by(&free, short), []);
    assert_eq!(caught_by(&free, zero), [Violation::LeaseTime]);
}

#[test]
fn a_repetition_may_be_answered_with_what_is_left_of_the_lease() {
    // Ten REQUESTs are answered, and the answers lost: those sent 4 s later find less.
    let left = |answer: &mut Answer| {
        if answer.kind == MessageType::Ack {
            answer.lease_time = Some(LEASE - 4);
        }
    };
    let mut server = Server::new(left);
    server.deaf_to_requests = 10;
    let run = play(&plan(Mode::Dora), timing(10), &mut server);
    assert_eq!(kinds(&run), []);
    // Those that are answered at once have no less.
    assert_eq!(caught(Mode::Dora, left), [Violation::LeaseTime]);
}

#[test]
fn a_nak_that_nobody_earned_is_caught() {
    let fault = |answer: &mut Answer| {
        if answer.kind == MessageType::Ack {
            answer.kind = MessageType::Nak;
            answer.header.yiaddr = 0.into();
            answer.lease_time = None;
        }
    };
    assert_eq!(caught(Mode::Dora, fault), [Violation::Nak]);
}

#[test]
fn an_offer_where_an_ack_is_due_is_caught() {
    let fault = |answer: &mut Answer| answer.kind = MessageType::Offer;
    assert_eq!(caught(Mode::Dora, fault), [Violation::MessageType]);
    let fault = |answer: &mut Answer| answer.kind = MessageType::Ack;
    assert_eq!(caught(Mode::Dora, fault), [Violation::MessageType]);
}

#[test]
fn an_address_changed_between_offer_and_ack_is_caught() {
    let fault = |answer: &mut Answer| {
        if answer.kind == MessageType::Ack {
            answer.header.yiaddr = (u32::from(answer.header.yiaddr) + 1000).into();
            answer.dst = answer.header.yiaddr;
        }
    };
    assert_eq!(caught(Mode::Dora, fault), [Violation::AddressChanged]);
}

#[test]
fn a_frame_that_is_cut_or_damaged_is_caught() {
    let damages: [fn(&mut Vec<u8>); 6] = [
        |frame| frame.truncate(300),
        // A checksum of UDP, of IP.
        |frame| frame[60] ^= 1,
        |frame| frame[22] ^= 1,
        // Without a checksum, the magic cookie and an option beyond the end.
        |frame| {
            frame[40..42].fill(0);
            frame[278] ^= 1;
        },
        |frame| {
            frame[40..42].fill(0);
            frame[283] = 255;
        },
        // No message type.
        |frame| {
            frame[40..42].fill(0);
            frame[282..285].fill(code::PAD);
        },
    ];
    for damage in damages {
        let mut server = Server::new(sound);
        let run = {
            let mut run = lessor_load::run::Run::new(&plan(Mode::Discover), timing(10)).unwrap();
            let mut wire: Vec<Vec<u8>> = Vec::new();
            run.poll(0, &mut wire);
            run.poll(0, &mut wire);
            run.poll(0, &mut wire);
            for query in std::mem::take(&mut wire) {
                let mut reply = server.answer(&query).remove(0);
                damage(&mut reply);
                let checked = (dhcp_wire::Checksum::Verify, dhcp_wire::Checksum::Verify);
                run.receive(&reply, checked, MILLI, &mut wire);
            }
            run
        };
        assert_eq!(kinds(&run), [Violation::Malformed]);
        assert_eq!(run.engine().violations().total(), 10);
        assert_eq!(run.engine().counts().replies, 0);
    }
}

#[test]
fn a_duplicate_is_caught_but_not_the_answer_to_a_repetition() {
    let fault = |answer: &mut Answer| answer.copies = 2;
    assert_eq!(caught(Mode::Discover, fault), [Violation::Duplicate]);
    // Ten DISCOVERs are slow, and sent again: the server answers both copies.
    let mut server = Server::new(sound);
    (server.deaf, server.answers_both) = (10, true);
    let run = play(&plan(Mode::Dora), timing(100), &mut server);
    assert_eq!(kinds(&run), []);
    assert_eq!(run.measured().0.late, 10);
    assert_eq!(run.measured().0.retransmissions, 10);
}

#[test]
fn a_foreign_client_id_is_caught_and_none_is_not() {
    let fault = |answer: &mut Answer| answer.client_id = Some(vec![1, 2, 3]);
    assert_eq!(caught(Mode::Discover, fault), [Violation::ClientId]);
    let fault = |answer: &mut Answer| answer.client_id = None;
    assert_eq!(caught(Mode::Discover, fault), []);
}

#[test]
fn a_reply_to_the_wrong_station_is_caught() {
    let mac = |answer: &mut Answer| answer.dst_mac = Mac([2, 9, 9, 9, 9, 9]);
    let addr = |answer: &mut Answer| answer.dst = OTHER_SERVER;
    let port = |answer: &mut Answer| answer.dst_port = 135 - answer.dst_port;
    let giaddr = |answer: &mut Answer| answer.header.giaddr = OTHER_SERVER;
    for fault in [mac, addr, port, giaddr] {
        assert_eq!(caught(Mode::Discover, fault), [Violation::Addressing]);
        let relayed = behind_relays(plan(Mode::Discover), true);
        assert_eq!(caught_by(&relayed, fault), [Violation::Addressing]);
    }
    let to_all = |answer: &mut Answer| {
        answer.dst_mac = Mac::BROADCAST;
        answer.dst = std::net::Ipv4Addr::BROADCAST;
    };
    assert_eq!(caught(Mode::Discover, to_all), []);
}

#[test]
fn agent_information_that_is_not_echoed_is_caught() {
    let plan = behind_relays(plan(Mode::Discover), true);
    let none = |answer: &mut Answer| answer.agent_info.clear();
    let other = |answer: &mut Answer| answer.agent_info[5] ^= 1;
    for fault in [none, other] {
        assert_eq!(caught_by(&plan, fault), [Violation::AgentInfo]);
    }
}

#[test]
fn a_report_says_what_was_found_and_what_was_wanted() {
    let fault = |answer: &mut Answer| answer.lease_time = Some(LEASE / 2);
    let run = play(&plan(Mode::Discover), timing(10), &mut Server::new(fault));
    let sample = run.engine().violations().samples()[0].to_string();
    for part in [
        "lease_time: client 02:",
        "Offer",
        "lease 1800",
        "wanted a lease of 3600 s",
    ] {
        assert!(sample.contains(part), "{sample}");
    }
}
