use super::*;
use crate::dataplane::counters::{Counters, DropReason};
use crate::dataplane::port::{Facts, RxChecksum};
use crate::dataplane::port_mem::{MemConfig, MemFrame, MemPacket, MemPort, MemWire};
use crate::dataplane::ports::Ports;
use dhcp_wire::ethernet::{Mac, ethertype};

const CLIENT: Mac = Mac([2, 0, 0, 0, 0, 9]);
const EVERYTHING: Wanted = Wanted {
    client: None,
    port: None,
    snaplen: 65_535,
};

/// Two ports of one worker, and who may capture what passes them.
struct Bench {
    captures: Arc<Captures>,
    ports: Ports<MemPort>,
    wires: [MemWire; 2],
    counters: Counters,
    burst: Vec<MemPacket>,
}

impl Bench {
    fn new() -> Self {
        let facts = Facts {
            mac: Mac([2, 0, 0, 0, 0, 1]),
            udp_checksum_offload: false,
            rx_checksum: RxChecksum::Verify,
        };
        let device = || MemPort::new(MemConfig { facts, packets: 64 });
        let ((one, wire), (two, other)) = (device(), device());
        let captures = Captures::new(2);
        let mut ports = Ports::new([one, two]);
        ports.attach(captures.outlet());
        Self {
            captures,
            ports,
            wires: [wire, other],
            counters: Counters::new(),
            burst: Vec::with_capacity(BURST),
        }
    }

    fn begin(&mut self, wanted: Wanted) -> Capture {
        let capture = self.captures.begin(wanted).unwrap();
        self.ports.turn();
        capture
    }

    fn receive(&mut self, port: u8, frames: &[MemFrame]) {
        for frame in frames {
            assert!(self.wires[usize::from(port)].deliver(frame));
        }
        self.ports.receive(port, &mut self.burst, &self.counters);
        assert_eq!(self.burst.len(), frames.len());
    }

    /// Sends what was received, with its first octet changed.
    fn answer(&mut self, port: u8) {
        for mut packet in self.burst.drain(..) {
            packet.room()[0] = 0xee;
            self.ports.send(port, packet, &self.counters);
        }
        self.ports.flush(&self.counters);
    }

    /// Ends the capture as control does, while the worker looks after it now and then.
    fn end(&mut self, mut capture: Capture) -> (Vec<(Head, Vec<u8>)>, Vec<u64>) {
        std::thread::scope(|scope| {
            let ended = scope.spawn(|| capture.end());
            while !ended.is_finished() {
                self.ports.turn();
                std::thread::yield_now();
            }
        });
        let mut octets = Vec::new();
        assert!(!capture.drain(&mut octets, usize::MAX));
        (records(&octets), capture.lost())
    }
}

fn records(mut octets: &[u8]) -> Vec<(Head, Vec<u8>)> {
    let mut records = Vec::new();
    while let Some((head, rest)) = octets.split_first_chunk::<HEADER>() {
        let head = Head::read(head).unwrap();
        let (frame, rest) = rest.split_at(head.captured as usize);
        records.push((head, frame.to_vec()));
        octets = rest;
    }
    records
}

fn frame(first: u8, len: usize) -> MemFrame {
    let mut octets = vec![7; len];
    octets[0] = first;
    MemFrame::from(&octets[..])
}

#[test]
fn frames_are_seen_as_they_came_and_as_they_went_of_both_ports() {
    let mut bench = Bench::new();
    bench.receive(0, &[frame(1, 60)]);
    bench.answer(0);
    let before = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let capture = bench.begin(EVERYTHING);
    bench.receive(0, &[frame(2, 60), frame(3, 61)]);
    bench.answer(1);
    let (records, lost) = bench.end(capture);
    let seen: Vec<_> = records
        .iter()
        .map(|(head, frame)| (head.kind, head.port, frame[0], frame.len()))
        .collect();
    let expected = [
        (Kind::Received, 0, 2, 60),
        (Kind::Received, 0, 3, 61),
        (Kind::Sent, 1, 0xee, 60),
        (Kind::Sent, 1, 0xee, 61),
    ];
    assert_eq!((seen, lost), (expected.to_vec(), vec![0, 0]));
    let times: Vec<_> = records.iter().map(|(head, _)| head.at).collect();
    assert!(times.is_sorted() && u128::from(times[0]) >= before.as_nanos());
    bench.receive(0, &[frame(4, 60)]);
    assert!(
        bench.ports.facts(0).is_some(),
        "and nobody looks on any more"
    );
}

#[test]
fn a_tag_that_the_device_took_off_is_put_back_and_a_long_frame_is_cut() {
    let mut bench = Bench::new();
    let capture = bench.begin(Wanted {
        snaplen: 20,
        ..EVERYTHING
    });
    let tag = Tag {
        tpid: ethertype::QINQ,
        tci: 0x2064,
    };
    let mut tagged = frame(1, 60);
    tagged.octets[12..14].copy_from_slice(&[8, 0]);
    tagged.stripped = Some(tag);
    bench.receive(0, &[tagged]);
    // The reply has its tags in its octets; what the device said of the query is no concern.
    bench.answer(0);
    let (records, _) = bench.end(capture);
    let (head, octets) = &records[0];
    assert_eq!((head.captured, head.original), (20, 64));
    assert_eq!(octets[12..], [0x88, 0xa8, 0x20, 0x64, 8, 0, 7, 7]);
    let (head, octets) = &records[1];
    assert_eq!((head.captured, head.original), (20, 60));
    assert_eq!(octets[12..14], [8, 0]);
}

#[test]
fn what_a_device_does_not_take_is_not_captured() {
    let mut bench = Bench::new();
    let capture = bench.begin(EVERYTHING);
    bench.receive(0, &[frame(1, 60), frame(2, 61), frame(3, 62)]);
    bench.wires[1].take_at_most(2);
    bench.answer(1);
    assert_eq!(bench.counters.dropped(DropReason::TxFull), 1);
    let (records, _) = bench.end(capture);
    let sent = records.iter().filter(|(head, _)| head.kind == Kind::Sent);
    let sent: Vec<_> = sent.map(|(head, _)| head.original).collect();
    assert_eq!(sent, [60, 61]);
}

#[test]
fn only_what_is_wanted_is_captured() {
    let mut bench = Bench::new();
    let capture = bench.begin(Wanted {
        client: Some(CLIENT),
        port: Some(1),
        ..EVERYTHING
    });
    let mut of_client = frame(1, 60);
    of_client.octets[6..12].copy_from_slice(&CLIENT.0);
    for port in [0, 1] {
        bench.receive(port, &[frame(1, 60), of_client.clone()]);
        bench.answer(port);
    }
    let (records, _) = bench.end(capture);
    let seen: Vec<_> = records
        .iter()
        .map(|(head, _)| (head.kind, head.port))
        .collect();
    assert_eq!(seen, [(Kind::Received, 1), (Kind::Sent, 1)]);
}

#[test]
fn a_full_ring_loses_frames_and_counts_them_and_what_is_in_it_is_whole() {
    let mut bench = Bench::new();
    let capture = bench.begin(EVERYTHING);
    let all = RING / (HEADER + 1500) + 100;
    for _ in 0..all {
        bench.receive(1, &[frame(1, 1500)]);
        bench.burst.clear();
    }
    bench.receive(0, &[frame(1, 1500)]);
    bench.answer(0);
    let (records, lost) = bench.end(capture);
    assert_eq!(records.len(), RING / (HEADER + 1500));
    assert!(records.iter().all(|(_, frame)| frame[1..] == [7; 1499]));
    assert_eq!(lost, [2, all as u64 - records.len() as u64]);
}

#[test]
fn one_capture_runs_at_a_time_and_the_next_when_the_workers_are_back() {
    let mut bench = Bench::new();
    let capture = bench.begin(EVERYTHING);
    assert_eq!(
        bench.captures.begin(EVERYTHING).err(),
        Some(NotBegun::Running)
    );
    // A worker that hangs holds nobody up, and keeps the next capture from beginning.
    drop(capture);
    let hung = bench.captures.begin(EVERYTHING).err();
    assert_eq!(hung, Some(NotBegun::Hangs(0)));
    bench.ports.turn();
    let capture = bench.begin(EVERYTHING);
    bench.receive(0, &[frame(1, 60)]);
    let (records, _) = bench.end(capture);
    assert_eq!(records.len(), 1);
    // One that has ended is waited for no more.
    let capture = bench.begin(EVERYTHING);
    drop(bench.ports);
    assert!(capture.is_abandoned());
    drop(capture);
    assert!(bench.captures.begin(EVERYTHING).is_ok());
}
