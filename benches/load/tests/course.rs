//! The course of a run: leases first, pace, end, repetitions, and the way to the server.

#![allow(
    clippy::unwrap_used,
    reason = "functions beside the tests fail as tests do"
)]

mod support;

use dhcp_wire::Checksum;
use dhcp_wire::arp::{self, Op, Station};
use dhcp_wire::dhcp::{Message, MessageType};
use dhcp_wire::ethernet::{self, Mac, Tags};
use dhcp_wire::frame::{self, Frame, Offloads};
use lessor_load::clients::Nanos;
use lessor_load::plan::{End, Mode, Pace, Plan, Timing};
use lessor_load::run::{Failure, Run, Stage};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use support::{
    LEASE, MILLI, SERVER, SERVER_MAC, Server, behind_relays, kinds, plan, play, sound, timing,
};

const CHECKED: (Checksum, Checksum) = (Checksum::Verify, Checksum::Verify);

/// The hardware addresses that DISCOVERs name, in their order.
fn discovering(frames: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let chaddr = |frame: &Vec<u8>| {
        let Ok(Frame::Dhcp { payload, .. }) = frame::parse(frame, Offloads::default()) else {
            return None;
        };
        Some(Message::parse(payload).unwrap().chaddr().to_vec())
    };
    frames.iter().filter_map(chaddr).collect()
}

fn polled(plan: &Plan, timing: Timing, times: &[Nanos]) -> (Run, Vec<Vec<u8>>) {
    let mut run = Run::new(plan, timing).unwrap();
    let mut wire = Vec::new();
    for &now in times {
        run.poll(now, &mut wire);
    }
    (run, wire)
}

#[test]
fn the_same_seed_puts_the_same_clients_on_the_wire_in_the_same_order() {
    let frames = |seed| {
        let plan = Plan {
            seed,
            ..plan(Mode::Discover)
        };
        let mut timing = timing(1000);
        timing.pace = Pace::Window(100);
        polled(&plan, timing, &[0; 8]).1
    };
    assert_eq!(frames(1), frames(1));
    let clients = discovering(&frames(1));
    assert_eq!(clients.len(), 100);
    assert_eq!(clients.iter().collect::<BTreeSet<_>>().len(), 100);
    assert_ne!(clients, discovering(&frames(2)));
}

#[test]
fn leases_come_first_and_are_not_measured() {
    let mut server = Server::new(sound);
    let run = play(&plan(Mode::Renew), timing(250), &mut server);
    assert_eq!(run.leases().0, 100);
    let (counts, _) = run.measured();
    assert_eq!((counts.acks, counts.offers, counts.sent), (250, 0, 250));
    assert_eq!(run.engine().latencies().ack.len(), 250);
    assert_eq!(run.engine().latencies().offer.len(), 0);
    assert_eq!(server.queries[&(MessageType::Discover as u8)], 100);
    assert_eq!(server.queries[&(MessageType::Request as u8)], 350);
}

#[test]
fn times_are_those_of_the_exchange() {
    let run = play(&plan(Mode::Dora), timing(100), &mut Server::new(sound));
    let latencies = run.engine().latencies();
    // A message and its answer take a millisecond on this wire.
    for (histogram, millis) in [
        (&latencies.offer, 1),
        (&latencies.ack, 1),
        (&latencies.dora, 2),
    ] {
        assert_eq!(histogram.len(), 100);
        assert!(histogram.max().abs_diff(millis * MILLI) < MILLI / 100);
    }
}

#[test]
fn a_window_is_never_exceeded_and_a_rate_is_kept() {
    let (run, wire) = polled(&plan(Mode::Discover), timing(1000), &[0; 50]);
    assert_eq!((run.engine().under_way(), wire.len()), (10, 10));
    let mut timing = timing(1000);
    timing.pace = Pace::Rate(20_000);
    let times: Vec<Nanos> = (0..200).map(|tenth| tenth * MILLI / 10).collect();
    let (_, wire) = polled(
        &Plan {
            clients: 1000,
            ..plan(Mode::Discover)
        },
        timing,
        &times,
    );
    // The clock of the pace starts with what is measured, two polls into the run.
    assert!(wire.len().abs_diff(396) <= 2, "{}", wire.len());
}

#[test]
fn a_message_without_answer_is_sent_after_4_8_and_16_seconds_and_then_given_up() {
    let mut plan = plan(Mode::Discover);
    (plan.clients, plan.retry.tries) = (1000, 4);
    let mut timing = timing(1000);
    timing.pace = Pace::Window(1000);
    let mut run = Run::new(&plan, timing).unwrap();
    let mut wire = Vec::new();
    let mut sent = Vec::new();
    for now in (0..70_000).map(|milli| milli * MILLI) {
        run.poll(now, &mut wire);
        sent.extend(wire.drain(..).map(|_| now / MILLI));
        if run.stage() == Stage::Drain {
            break;
        }
    }
    assert_eq!(sent.len(), 4000);
    // With a second more or less each time.
    for (times, from, to) in [
        (1, 0, 100),
        (2, 3000, 5200),
        (3, 10_000, 14_300),
        (4, 25_000, 31_400),
    ] {
        let found = sent.iter().filter(|&&at| from <= at && at <= to).count();
        assert_eq!(found, 1000, "the {times}. time");
    }
    let spread = sent
        .iter()
        .filter(|&&at| (3000..3500).contains(&at))
        .count();
    assert!(
        (150..350).contains(&spread),
        "{spread} in the first of four quarters"
    );
    let counts = run.engine().counts();
    assert_eq!((counts.timeouts, counts.retransmissions), (1000, 3000));
    assert_eq!(run.engine().under_way(), 0);
}

#[test]
fn a_lease_that_has_ended_is_not_renewed_but_obtained_anew() {
    let mut plan = plan(Mode::Renew);
    (plan.clients, plan.expect.lease_time) = (10, Some(1));
    let mut server = Server::new(|answer| answer.lease_time = Some(1));
    let mut timing = timing(20);
    (timing.warmup, timing.pace) = (0, Pace::Rate(1));
    let run = play(&plan, timing, &mut server);
    assert_eq!(kinds(&run), []);
    assert_eq!((run.measured().0.offers, run.measured().0.acks), (20, 20));
}

#[test]
fn a_renewal_may_be_told_what_is_left_and_that_is_counted() {
    let left = |answer: &mut support::Answer| {
        if !answer.header.ciaddr.is_unspecified() {
            answer.lease_time = Some(LEASE - 1);
        }
    };
    let run = play(&plan(Mode::Renew), timing(100), &mut Server::new(left));
    assert_eq!(kinds(&run), []);
    assert_eq!(run.measured().0.time_left, 100);
    let less = |answer: &mut support::Answer| {
        if !answer.header.ciaddr.is_unspecified() {
            answer.lease_time = Some(LEASE - 60);
        }
    };
    let mut timing = timing(0);
    timing.end = End::After(100 * MILLI);
    let run = play(&plan(Mode::Renew), timing, &mut Server::new(less));
    assert_eq!(kinds(&run), [lessor_load::violation::Violation::LeaseTime]);
}

#[test]
fn a_client_rests_between_its_exchanges() {
    let mut plan = plan(Mode::Renew);
    plan.rest = 2000 * MILLI;
    let run = play(&plan, timing(250), &mut Server::new(sound));
    // Three rounds, each two seconds after the one before, the first of them so long after that
    // in which leases were obtained; what is measured begins with it.
    assert!(
        run.measured().1.abs_diff(4000 * MILLI) < 100 * MILLI,
        "{:?}",
        run.measured()
    );
    assert!(run.measured().0.resting > 1000);
}

#[test]
fn a_relay_asks_for_the_server_and_answers_for_itself() {
    let plan = behind_relays(plan(Mode::Discover), false);
    let (mut run, wire) = polled(&plan, timing(10), &[0, MILLI]);
    let Ok(Frame::Arp { arp, .. }) = frame::parse(&wire[0], Offloads::default()) else {
        panic!("no ARP");
    };
    assert_eq!((arp.op(), arp.tpa(), wire.len()), (Op::Request, SERVER, 1));
    let mut server = Server::new(sound);
    let mut wire = Vec::new();
    for reply in server.answer(&polled(&plan, timing(10), &[0]).1[0]) {
        run.receive(&reply, CHECKED, 2 * MILLI, &mut wire);
    }
    for _ in 0..3 {
        run.poll(3 * MILLI, &mut wire);
    }
    let eth = ethernet::Ethernet::parse(&wire[0]).unwrap();
    assert_eq!(eth.dst(), SERVER_MAC);
    for (number, known) in [(0, true), (6, true), (7, false)] {
        let asked = Ipv4Addr::from(0x0a00_0002 + number);
        wire.clear();
        run.receive(&question(asked), CHECKED, 4 * MILLI, &mut wire);
        assert_eq!(wire.len(), usize::from(known));
        if let Some(reply) = wire.first() {
            let Ok(Frame::Arp { arp, .. }) = frame::parse(reply, Offloads::default()) else {
                panic!("no ARP");
            };
            assert_eq!(
                (arp.op(), arp.spa(), arp.tha()),
                (Op::Reply, asked, SERVER_MAC)
            );
        }
    }
}

/// The server's question for an address.
fn question(asked: Ipv4Addr) -> Vec<u8> {
    let mut frame = vec![0; 60];
    let us = Station {
        mac: SERVER_MAC,
        addr: SERVER,
    };
    let tags = Tags::default();
    ethernet::write(&mut frame, Mac::BROADCAST, SERVER_MAC, &tags, 0x0806).unwrap();
    arp::write_request(&mut frame[14..], us, asked).unwrap();
    frame
}

#[test]
fn a_client_answers_arp_for_what_it_has_leased_and_no_probe_otherwise() {
    let run = play(&plan(Mode::Dora), timing(100), &mut Server::new(sound));
    let leased: Vec<u32> = (support::FIRST..support::FIRST + 300).collect();
    let mut run = run;
    let mut answered = 0;
    for addr in leased {
        let mut wire: Vec<Vec<u8>> = Vec::new();
        run.receive(&question(addr.into()), CHECKED, 1000 * MILLI, &mut wire);
        answered += wire.len();
        // Long after the lease.
        wire.clear();
        let later = u64::from(LEASE + 10) * 1000 * MILLI;
        run.receive(&question(addr.into()), CHECKED, later, &mut wire);
        assert_eq!(wire.len(), 0);
    }
    assert_eq!(answered, 100);
}

#[test]
fn a_run_without_a_server_ends_and_says_why() {
    let silent = |plan: Plan| {
        let mut plan = plan;
        plan.retry.first = MILLI;
        let mut run = Run::new(&plan, timing(10)).unwrap();
        let mut wire = Vec::new();
        let mut now = 0;
        while run.stage() != Stage::Over {
            now += MILLI;
            run.poll(now, &mut wire);
        }
        run.failure()
    };
    let relayed = behind_relays(plan(Mode::Discover), false);
    assert_eq!(silent(relayed), Some(Failure::NoWay));
    assert_eq!(silent(plan(Mode::Renew)), Some(Failure::NoLeases));
    assert_eq!(silent(plan(Mode::Discover)), None);
}

#[test]
fn frames_that_are_swapped_back_are_echoes_and_damaged_ones_are_not() {
    let mut run = Run::new(
        &plan(Mode::Macswap),
        Timing {
            end: End::Exchanges(100),
            ..timing(0)
        },
    )
    .unwrap();
    let mut wire: Vec<Vec<u8>> = Vec::new();
    let mut now = 0;
    let mut damaged = 0;
    while run.stage() != Stage::Over {
        run.poll(now, &mut wire);
        now += MILLI;
        for mut frame in std::mem::take(&mut wire) {
            let (dst, src) = frame[..12].split_at_mut(6);
            dst.swap_with_slice(src);
            if damaged < 3 {
                // In the padding, which only the checksum covers.
                damaged += 1;
                let last = frame.len() - 1;
                frame[last] ^= 0x55;
            }
            run.receive(&frame, CHECKED, now, &mut wire);
        }
    }
    assert_eq!(run.engine().violations().total(), 3);
    assert_eq!(run.measured().0.exchanges, 100);
}

#[test]
fn a_run_that_is_stopped_keeps_what_it_measured() {
    let mut timing = timing(0);
    timing.end = End::After(u64::MAX);
    let (mut run, _) = polled(&plan(Mode::Discover), timing, &[0, 1, MILLI]);
    run.stop(5 * MILLI);
    assert_eq!(run.stage(), Stage::Drain);
    assert!(run.measured().1 > 4 * MILLI);
}
