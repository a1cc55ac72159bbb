use super::*;
use crate::config;
use crate::leasefile::Layout;
use crate::pcap::{Direction, Writer};
use dhcp_wire::dhcp::MessageType;
use dhcp_wire::ethernet::{Mac, Tags};
use dhcp_wire::frame::{FrameOut, headers_len, write_headers};
use dhcp_wire::udp;
use proptest::prelude::*;
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::Ipv4Addr;

const SERVER: Mac = Mac([2, 0, 0, 0, 0, 1]);
/// Unix milliseconds when each capture begins.
const BEGIN: u64 = 1_700_000_000_000;
const ADDR: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
const NOBODY: Ipv4Addr = Ipv4Addr::UNSPECIFIED;

fn settings(pool: &str, lease_time: &str) -> Settings {
    let text = format!(
        r#"
[server]
bindings = 100
[[ports]]
name = "access"
device = "net_af_packet0,iface=eth7"
addresses = ["10.77.0.1/24"]
routes = [{{ to = "10.9.0.0/16", via = "10.77.0.254" }}]
[[networks]]
name = "home"
[[networks.subnets]]
prefix = "10.77.0.0/24"
pools = ["{pool}"]
lease_time = "{lease_time}"
options = {{ routers = ["10.77.0.1"] }}
[[networks]]
name = "far"
[[networks.subnets]]
prefix = "10.9.1.0/24"
pools = ["10.9.1.10-10.9.1.20"]
"#
    );
    config::parse(&text).unwrap().0
}

fn usual() -> Settings {
    settings("10.77.0.10-10.77.0.99", "1h")
}

/// What a client says.
#[derive(Clone, Copy)]
struct Say {
    kind: MessageType,
    client: u8,
    ciaddr: Ipv4Addr,
    requested: Option<Ipv4Addr>,
    server: bool,
    giaddr: Ipv4Addr,
}

fn say(kind: MessageType, client: u8) -> Say {
    Say {
        kind,
        client,
        ciaddr: NOBODY,
        requested: None,
        server: false,
        giaddr: NOBODY,
    }
}

fn select(client: u8, addr: Ipv4Addr) -> Say {
    Say {
        requested: Some(addr),
        server: true,
        ..say(MessageType::Request, client)
    }
}

fn renew(client: u8, addr: Ipv4Addr) -> Say {
    Say {
        ciaddr: addr,
        ..say(MessageType::Request, client)
    }
}

fn relayed(say: Say) -> Say {
    Say {
        giaddr: Ipv4Addr::new(10, 9, 1, 1),
        ..say
    }
}

impl Say {
    fn payload(&self) -> Vec<u8> {
        let mut octets = vec![0; 236];
        octets[..4].copy_from_slice(&[1, 1, 6, u8::from(!self.giaddr.is_unspecified())]);
        octets[7] = self.client;
        octets[12..16].copy_from_slice(&self.ciaddr.octets());
        octets[24..28].copy_from_slice(&self.giaddr.octets());
        octets[28..34].copy_from_slice(&[2, 0, 0, 0, 1, self.client]);
        octets.extend([99, 130, 83, 99, 53, 1, self.kind as u8, 55, 2, 1, 3]);
        if let Some(addr) = self.requested {
            octets.extend([50, 4]);
            octets.extend(addr.octets());
        }
        if self.server {
            octets.extend([54, 4]);
            octets.extend(ADDR.octets());
        }
        octets.push(255);
        octets
    }

    fn frame(&self) -> Vec<u8> {
        let payload = self.payload();
        let unicast = !self.ciaddr.is_unspecified();
        let is_relayed = !self.giaddr.is_unspecified();
        let (dst, dst_mac) = if unicast || is_relayed {
            (ADDR, SERVER)
        } else {
            (Ipv4Addr::BROADCAST, Mac::BROADCAST)
        };
        let mut frame = vec![0; headers_len(Tags::default())];
        frame.extend(&payload);
        let out = FrameOut {
            dst_mac,
            src_mac: Mac([2, 0, 0, 0, 1, self.client]),
            tags: Tags::default(),
            src: if is_relayed { self.giaddr } else { self.ciaddr },
            dst,
            src_port: if is_relayed { 67 } else { 68 },
            dst_port: 67,
            ttl: 64,
            tos: 0,
            id: 0,
            payload_len: payload.len(),
            udp_checksum: udp::Fill::Computed,
        };
        write_headers(&mut frame, &out).unwrap();
        frame
    }
}

/// A frame of a capture: when, which way, and what.
type Shot = (u64, Direction, Vec<u8>);

/// What a server of `settings` and clients say to each other, a second apart.
fn film(settings: Settings, script: &[Say]) -> Vec<Shot> {
    film_at(1000, settings, script)
}

/// The same, so many milliseconds apart.
fn film_at(step: usize, settings: Settings, script: &[Say]) -> Vec<Shot> {
    let mut machine = Machine::new(settings, &[SERVER], BEGIN * 1_000_000, None).unwrap();
    let mut shots = Vec::new();
    for (at, say) in (BEGIN..).step_by(step).zip(script) {
        let nanos = at * 1_000_000 + 999;
        machine.advance(nanos);
        shots.push((nanos, Direction::Inbound, say.frame()));
        assert!(machine.give(0, &say.frame()));
        let sent = machine.take_sent().into_iter();
        shots.extend(sent.map(|frame| (nanos + 5_000, Direction::Outbound, frame)));
    }
    shots
}

fn capture(shots: &[Shot]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = Writer::begin(&mut out, "a test", &["access".into()], 65_535).unwrap();
    for (at, direction, frame) in shots {
        let len = u32::try_from(frame.len()).unwrap();
        writer.frame((0, *direction), *at, frame, len).unwrap();
    }
    out
}

fn replay(capture: &[u8], settings: Settings) -> Result<Report, ReplayError> {
    replay_with(capture, settings, None)
}

fn replay_with(
    capture: &[u8],
    settings: Settings,
    leases: Option<Leases>,
) -> Result<Report, ReplayError> {
    let task = Replay {
        file: Path::new("x.pcapng"),
        port: None,
        leases,
        ignore_checksums: false,
    };
    task.run_on(capture, settings)
}

/// Addresses that the first clients get.
fn addr(client: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, 0, 10 + client)
}

fn script() -> Vec<Say> {
    use MessageType::{Discover, Inform, Release};
    let far = Ipv4Addr::new(10, 9, 1, 10);
    vec![
        say(Discover, 0),
        select(0, addr(0)),
        say(Discover, 1),
        select(1, addr(1)),
        relayed(say(Discover, 7)),
        relayed(select(7, far)),
        renew(0, addr(0)),
        Say {
            requested: Some(Ipv4Addr::new(192, 0, 2, 1)),
            ..say(MessageType::Request, 1)
        },
        Say {
            ciaddr: addr(9),
            ..say(Inform, 9)
        },
        Say {
            ciaddr: addr(0),
            server: true,
            ..say(Release, 0)
        },
        // Time for the last reply to be no answer of after the end.
        say(Discover, 3),
        say(Discover, 4),
        say(Discover, 5),
        say(Discover, 6),
    ]
}

fn names(report: &Report) -> Vec<&str> {
    let fields = report
        .differences
        .iter()
        .flat_map(|difference| &difference.fields);
    fields.map(|field| field.field.as_str()).collect()
}

#[test]
fn what_a_server_said_comes_out_the_same() {
    let shots = film(usual(), &script());
    let replies = shots.iter().filter(|(_, direction, frame)| {
        *direction == Direction::Outbound && matches!(message::look(frame), message::Said::Reply(_))
    });
    let replies = replies.count() as u64;
    assert_eq!(replies, 13, "all but RELEASE have one");
    let report = replay(&capture(&shots), usual()).unwrap();
    assert!(report.is_same(), "{report}");
    assert_eq!(
        (report.queries, report.replies, report.same),
        (14, replies, replies)
    );
    assert_eq!(report.cut_at, None);
    assert_eq!(report.to_string().lines().count(), 1, "{report}");
}

#[test]
fn a_changed_configuration_shows_field_by_field() {
    let shots = film(usual(), &script()[..2]);
    let report = replay(&capture(&shots), settings("10.77.0.10-10.77.0.99", "2h")).unwrap();
    assert_eq!((report.same, report.different), (0, 2));
    let times = [
        "option 51 (dhcp-lease-time)",
        "option 58 (dhcp-renewal-time)",
        "option 59 (dhcp-rebinding-time)",
    ];
    assert_eq!(names(&report), [times, times].concat());
    let text = report.to_string();
    assert!(text.contains("OFFER of 10.77.0.10 differs:"), "{text}");
    assert!(text.contains("3600 s, and 7200 s in the replay"), "{text}");
    // Another pool: the client is offered another address, and refused its own.
    let shots = film(usual(), &script()[..4]);
    let report = replay(&capture(&shots), settings("10.77.0.50-10.77.0.99", "1h")).unwrap();
    assert!(
        names(&report).contains(&"yiaddr") && !report.is_same(),
        "{report}"
    );
}

#[test]
fn what_is_missing_is_told_with_what_was_counted_and_so_is_what_nobody_captured() {
    let shots = film(usual(), &script());
    let none = settings("10.77.0.10-10.77.0.10", "1h");
    let report = replay(&capture(&shots), none).unwrap();
    assert!(report.missing > 0, "{report}");
    assert!(report.to_string().contains("is missing: "), "{report}");
    let mut heard = shots;
    heard.retain(|(at, direction, _)| {
        *direction == Direction::Inbound || *at > (BEGIN + 1000) * 1_000_000
    });
    let report = replay(&capture(&heard), usual()).unwrap();
    assert_eq!(
        (report.unexpected, report.missing, report.different),
        (1, 0, 0),
        "{report}"
    );
    assert!(
        report
            .to_string()
            .contains("OFFER of 10.77.0.10 was not expected"),
        "{report}"
    );
    // What was asked last may have been answered behind the end.
    heard.pop();
    let report = replay(&capture(&heard), usual()).unwrap();
    assert_eq!(
        (report.unexpected, report.not_compared.open),
        (1, 1),
        "{report}"
    );
}

#[test]
fn a_choice_among_free_addresses_is_made_as_the_capture_shows_it() {
    // Of this capture the first clients are missing, so another address would be the first.
    let mut shots = film(usual(), &script()[..4]);
    shots.retain(|(at, ..)| *at > (BEGIN + 2000) * 1_000_000);
    let report = replay(&capture(&shots), usual()).unwrap();
    assert!(report.is_same() && report.same == 2, "{report}");
}

#[test]
fn leases_of_before_come_from_an_export() {
    let script = [
        say(MessageType::Discover, 0),
        select(0, addr(0)),
        renew(0, addr(0)),
    ];
    let mut shots = film_at(600_000, usual(), &script);
    shots.retain(|(at, ..)| *at > (BEGIN + 1_200_000) * 1_000_000);
    let renewal = capture(&shots);
    let report = replay(&renewal, usual()).unwrap();
    assert_eq!(
        (report.queries, report.same),
        (1, 0),
        "nobody has that lease: {report}"
    );
    let time = BEGIN / 1000 + 600;
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let record = dhcp_proto::record::Record {
        kind: dhcp_proto::record::RecordKind::Active,
        cause: dhcp_proto::record::Cause::Granted,
        space: 0,
        addr: addr(0),
        generation: 1,
        time,
        expiry: time + 3600,
        lease: 3600,
        origin: dhcp_proto::record::Origin::default(),
        giaddr: NOBODY,
        identity: &[2, 1, 2, 0, 0, 0, 1, 0],
        htype: 1,
        chaddr: &[2, 0, 0, 0, 1, 0],
        agent_info: &[],
    };
    let mut out =
        crate::leasefile::Writer::new(&mut file, crate::leasefile::Format::Jsonl, time).unwrap();
    out.write(&record).unwrap();
    out.finish().unwrap();
    file.flush().unwrap();
    let (leases, faults) = Leases::read(file.path(), Layout::Jsonl).unwrap();
    assert!(faults.is_empty());
    let report = replay_with(&renewal, usual(), Some(leases)).unwrap();
    assert!(report.is_same() && report.same == 1, "{report}");
}

#[test]
fn without_directions_the_servers_own_are_told_from_others_and_frames_cut_short_are_left_out() {
    let shots = film(usual(), &script()[..4]);
    let mut out = Vec::new();
    // The older form: no names, no directions.
    for word in [0xa1b2_3c4d_u32, 0x0004_0002, 0, 0, 65_535, 1] {
        out.extend(word.to_le_bytes());
    }
    let mut write = |at: u64, frame: &[u8], original: usize| {
        let (seconds, nanos) = (at / 1_000_000_000, at % 1_000_000_000);
        for word in [seconds, nanos, frame.len() as u64, original as u64] {
            out.extend(u32::try_from(word).unwrap().to_le_bytes());
        }
        out.extend(frame);
    };
    for (at, _, frame) in &shots {
        write(*at, frame, frame.len());
    }
    let (at, _, reply) = shots.last().unwrap();
    let mut foreign = reply.clone();
    foreign[6..12].copy_from_slice(&[2, 9, 9, 9, 9, 9]);
    write(at + 1, &foreign, foreign.len());
    write(at + 2, &shots[0].2[..100], 300);
    let report = replay(&out, usual()).unwrap();
    assert!(report.is_same() && report.same == 4, "{report}");
    assert_eq!(
        (report.not_compared.foreign, report.not_compared.cut_short),
        (1, 1)
    );
}

#[test]
fn a_port_is_found_by_its_name_or_its_interface_or_has_to_be_said() {
    let two = || {
        let mut text = String::new();
        for (name, host) in [("access", 1), ("other", 2)] {
            write!(
                text,
                "[[ports]]\nname = \"{name}\"\ndevice = \"net_af_packet{host},iface=eth{host}\"\n\
                 addresses = [\"10.7{host}.0.1/24\"]\n"
            )
            .unwrap();
        }
        config::parse(&text).unwrap().0
    };
    let shots = film(usual(), &script()[..1]);
    let named = |name: &str, port| {
        let mut out = Vec::new();
        let mut writer = Writer::begin(&mut out, "a test", &[name.into()], 65_535).unwrap();
        let (at, direction, frame) = &shots[0];
        let len = u32::try_from(frame.len()).unwrap();
        writer.frame((0, *direction), *at, frame, len).unwrap();
        let task = Replay {
            file: Path::new("x"),
            port,
            leases: None,
            ignore_checksums: false,
        };
        task.run_on(&out[..], two())
    };
    for (name, port) in [("access", None), ("eth2", None), ("eth9", Some("other"))] {
        assert_eq!(named(name, port).unwrap().queries, 1, "{name}");
    }
    for port in [None, Some("third")] {
        let refused = named("eth9", port).unwrap_err();
        assert!(refused.to_string().contains("access, "), "{refused}");
        assert!(matches!(refused, ReplayError::NoPort(_)));
    }
}

#[test]
fn a_capture_without_a_question_is_refused() {
    let refused = replay(&capture(&[]), usual());
    assert!(matches!(refused, Err(ReplayError::Empty(_))));
}

#[test]
fn a_capture_that_was_cut_anywhere_is_replayed_up_to_there() {
    let shots = film(usual(), &script()[..4]);
    let whole = capture(&shots);
    for len in (0..whole.len()).step_by(37) {
        match replay(&whole[..len], usual()) {
            Ok(report) => assert_eq!(
                (report.different, report.missing),
                (0, 0),
                "{len}: {report}"
            ),
            Err(ReplayError::Empty(_) | ReplayError::Capture { .. }) => {}
            Err(other) => panic!("{len}: {other}"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_damage_to_a_capture_does_harm(damage: Vec<(u16, u8)>) {
        let mut octets = capture(&film(usual(), &script()[..6]));
        for (at, octet) in damage {
            let at = usize::from(at) % octets.len();
            octets[at] = octet;
        }
        if let Ok(report) = replay(&octets, usual()) {
            prop_assert!(!report.to_string().is_empty());
        }
    }
}
