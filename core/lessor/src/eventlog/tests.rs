use super::entry::{Entry, What};
use super::*;
use crate::store::{Batch, CommitOptions, Committer, Lsn, NullStore, ring};
use dhcp_proto::record::{Cause, Journal as _, Origin, Record, RecordKind};
use proptest::prelude::*;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::Value;
use std::fs::{self, OpenOptions};
use std::net::Ipv4Addr;
use std::path::Path;

fn record(kind: RecordKind, cause: Cause, last: u8) -> Record<'static> {
    Record {
        kind,
        cause,
        space: 3,
        addr: Ipv4Addr::new(10, 1, 2, last),
        generation: 1,
        time: 1_800_000_000,
        expiry: 1_800_003_600,
        lease: 3600,
        origin: Origin {
            port: 1,
            outer_vid: 100,
            inner_vid: 0,
        },
        giaddr: Ipv4Addr::UNSPECIFIED,
        identity: &[2, 1, 2, 0, 0, 0, 0, 5],
        htype: 1,
        chaddr: &[2, 0, 0, 0, 0, 5],
        agent_info: &[1, 2, b'p', b'7', 2, 1, 0xff],
    }
}

fn line(what: What, record: &Record<'_>) -> String {
    let mut line = Vec::new();
    let entry = Entry {
        what,
        lsn: Lsn(9),
        record,
        port: "ac\"cess",
    };
    entry.json(&mut line);
    String::from_utf8(line).unwrap()
}

#[test]
fn a_line_says_who_had_what_where_and_until_when() {
    let granted = record(RecordKind::Active, Cause::Granted, 3);
    assert_eq!(
        line(What::Granted, &granted),
        "{\"time\":\"2027-01-15T08:00:00Z\",\"event\":\"granted\",\"address\":\"10.1.2.3\",\
         \"space\":3,\"client\":\"hw 02:00:00:00:00:05\",\"hw_address\":\"02:00:00:00:00:05\",\
         \"circuit_id\":\"7037\",\"circuit_text\":\"p7\",\"remote_id\":\"ff\",\
         \"port\":\"ac\\\"cess\",\"vlan\":[100],\"lease_time\":3600,\
         \"expires\":\"2027-01-15T09:00:00Z\",\"lsn\":9}\n"
    );
    let endless = Record {
        expiry: u64::MAX,
        lease: u32::MAX,
        ..granted
    };
    assert!(line(What::Granted, &endless).contains("\"lease_time\":4294967295,\"expires\":null"));
    assert!(!line(What::Released, &granted).contains("expires"));
}

#[test]
fn each_record_has_its_event() {
    use RecordKind as Kind;
    for (kind, cause, name) in [
        (Kind::Active, Cause::Granted, "granted"),
        (Kind::Active, Cause::Renewed, "renewed"),
        (Kind::Active, Cause::Moved, "moved"),
        (Kind::Active, Cause::Unsaid, "active"),
        (Kind::Released, Cause::Unsaid, "released"),
        (Kind::Ended, Cause::Unsaid, "ended"),
        (Kind::Ended, Cause::Conflict, "conflict"),
        (Kind::Ended, Cause::Operator, "ended-by-operator"),
        (Kind::Declined, Cause::Unsaid, "declined"),
        (Kind::SetAside, Cause::Unsaid, "set-aside"),
        (Kind::ProbationEnded, Cause::Unsaid, "probation-ended"),
        (Kind::ReservationAdded, Cause::Unsaid, "reservation-added"),
        (
            Kind::ReservationRemoved,
            Cause::Unsaid,
            "reservation-removed",
        ),
    ] {
        assert_eq!(What::of(kind, cause).map(What::name), Some(name));
    }
    assert_eq!(What::of(Kind::Time, Cause::Unsaid), None);
}

proptest! {
    #[test]
    fn whatever_clients_and_relays_send_a_line_is_one_line_of_json_that_says_the_same(
        identity in proptest::collection::vec(any::<u8>(), 0..256),
        chaddr in proptest::collection::vec(any::<u8>(), 0..17),
        circuit in prop_oneof!["[ -~]{1,100}", "\\PC{0,20}"],
        junk in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let length = u8::try_from(circuit.len()).unwrap();
        let info = [&[1, length], circuit.as_bytes()].concat();
        let known = record(RecordKind::Active, Cause::Granted, 1);
        let known = Record { identity: &identity, chaddr: &chaddr, agent_info: &info, ..known };
        let text = line(What::Granted, &known);
        prop_assert_eq!(text.find('\n'), Some(text.len() - 1));
        let read: Value = serde_json::from_str(&text).unwrap();
        let hex = crate::words::Hex(circuit.as_bytes()).to_string();
        prop_assert_eq!(read["circuit_id"].as_str(), Some(hex.as_str()));
        let plain = circuit.bytes().all(|octet| (b' '..=b'~').contains(&octet));
        let shown = (plain && !circuit.is_empty()).then_some(circuit.as_str());
        prop_assert_eq!(read["circuit_text"].as_str(), shown);

        let hostile = Record { agent_info: &junk, ..known };
        let text = line(What::Granted, &hostile);
        prop_assert!(text.trim_end().bytes().all(|octet| (b' '..=b'~').contains(&octet)));
        serde_json::from_str::<Value>(&text).unwrap();
    }
}

fn options(path: &Path) -> Options {
    Options {
        file: Some(path.to_owned()),
        ..Options::default()
    }
}

/// The events and the last octets of the addresses that a file tells of, in order.
fn told(path: &Path) -> Vec<(String, u64)> {
    let text = fs::read_to_string(path).unwrap();
    let told = text.lines().map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        let last = line["address"].as_str().unwrap().rsplit('.').next();
        let event = line["event"].as_str().unwrap().to_owned();
        (event, last.unwrap().parse().unwrap())
    });
    told.collect()
}

fn row(meter: &Meter, name: &str) -> u64 {
    let mut rows = meter.rows().into_iter();
    rows.find(|(row, _)| *row == name).unwrap().1
}

#[test]
fn what_became_durable_and_what_ran_out_is_in_the_file_when_the_log_has_ended() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("leases.jsonl");
    let (log, taps) = EventLog::start(&options(&path), vec!["access".into()], 1).unwrap();
    let (mut worker, drain) = ring(1024);
    for tap in taps.workers {
        worker.tell_expiries(tap);
    }
    let commit = CommitOptions {
        tap: Some(taps.store),
        ..CommitOptions::default()
    };
    let committer = Committer::start(NullStore::new(), vec![drain], commit).unwrap();
    worker.append(&record(RecordKind::Active, Cause::Granted, 1));
    worker.append(&record(RecordKind::Released, Cause::Unsaid, 2));
    let last = worker.append(&record(RecordKind::Active, Cause::Renewed, 3));
    while worker.durable() < last {
        thread::yield_now();
    }
    worker.expired(&record(RecordKind::Active, Cause::Unsaid, 4));
    assert!(committer.stop().is_some());
    let meter = log.meter();
    drop(log);
    let mut told = told(&path);
    told.sort();
    let of = |event: &str, last| (event.to_owned(), last);
    assert_eq!(
        told,
        [
            of("expired", 4),
            of("granted", 1),
            of("released", 2),
            of("renewed", 3)
        ]
    );
    assert_eq!(row(&meter, "written"), 4);
    assert_eq!(meter.lost(), 0);
}

#[test]
fn an_end_comes_before_the_next_beginning() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("leases.jsonl");
    let (log, mut taps) = EventLog::start(&options(&path), Vec::new(), 1).unwrap();
    let mut batch = Batch::new(Lsn(1));
    let mut octets = [0; crate::store::encode::MAX_RECORD];
    let granted = record(RecordKind::Active, Cause::Granted, 1);
    let length = crate::store::encode::encode(&granted, &mut octets).unwrap();
    batch.push(&octets[..length], &[]);
    for _ in 0..200 {
        taps.workers[0].offer(&octets[..length], 1);
        taps.store.offer(batch.records(), 1);
    }
    drop(log);
    let told = told(&path);
    assert_eq!(told.len(), 400);
    // However the thread was interrupted: at no time more has begun than has ended.
    let mut open = 0_i32;
    for (event, _) in told {
        open += if event == "expired" { -1 } else { 1 };
        assert!(open <= 0);
    }
}

/// A file behind which nobody reads, as on a disk that hangs.
#[test]
fn a_disk_that_hangs_costs_lines_and_holds_up_nobody() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("pipe");
    mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    let hold = OpenOptions::new()
        .read(true)
        .write(true)
        .open(&path)
        .unwrap();
    let (log, mut taps) = EventLog::start(&options(&path), Vec::new(), 0).unwrap();
    let meter = log.meter();
    let mut octets = [0; crate::store::encode::MAX_RECORD];
    let granted = record(RecordKind::Active, Cause::Granted, 1);
    let length = crate::store::encode::encode(&granted, &mut octets).unwrap();
    let batch: Vec<u8> = octets[..length].repeat(4096);
    let began = Instant::now();
    let mut offered = 0;
    while row(&meter, "lost_queue") == 0 {
        taps.store.offer(&batch, 4096);
        offered += 4096;
        assert!(began.elapsed() < Duration::from_mins(1), "a full ring");
    }
    assert!(offered > 4096);
    // It is read at last, so that the thread can end.
    let reader = thread::spawn(move || {
        let mut hold = hold;
        let mut all = 0;
        let mut room = vec![0; 1 << 20];
        while let Ok(more) = io::Read::read(&mut hold, &mut room) {
            all += room[..more]
                .iter()
                .map(|octet| u64::from(*octet == b'\n'))
                .sum::<u64>();
            if room[..more].windows(4).any(|end| end == b"end\n") {
                break;
            }
        }
        all
    });
    drop(log);
    io::Write::write_all(
        &mut OpenOptions::new().write(true).open(&path).unwrap(),
        b"end\n",
    )
    .unwrap();
    let read = reader.join().unwrap() - 1;
    assert_eq!(read, row(&meter, "written"));
    assert_eq!(read + meter.lost(), offered);
}

#[test]
fn a_disk_that_hangs_does_not_hold_up_the_end() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("pipe");
    mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    // Somebody has the pipe open and never reads.
    let _hold = OpenOptions::new()
        .read(true)
        .write(true)
        .open(&path)
        .unwrap();
    let (log, mut taps) = EventLog::start(&options(&path), Vec::new(), 0).unwrap();
    let mut octets = [0; crate::store::encode::MAX_RECORD];
    let granted = record(RecordKind::Active, Cause::Granted, 1);
    let length = crate::store::encode::encode(&granted, &mut octets).unwrap();
    taps.store.offer(&octets[..length].repeat(4096), 4096);
    let meter = log.meter();
    drop(log);
    assert!(row(&meter, "written") < 4096);
}

#[test]
fn a_place_that_cannot_be_written_is_said_at_the_start() {
    let path = Path::new("/proc/nowhere/leases.jsonl");
    let error = EventLog::start(&options(path), Vec::new(), 1).unwrap_err();
    assert!(matches!(error, OpenError::File(..)), "{error}");
}
