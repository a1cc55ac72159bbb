use super::super::entry::What;
use super::*;
use crate::store::Lsn;
use dhcp_proto::record::{Cause, Origin, Record, RecordKind};
use proptest::prelude::*;
use std::sync::atomic::Ordering;

fn record<'a>(identity: &'a [u8], agent_info: &'a [u8]) -> Record<'a> {
    Record {
        kind: RecordKind::Active,
        cause: Cause::Granted,
        space: 0,
        addr: Ipv4Addr::new(10, 1, 2, 3),
        generation: 1,
        time: 1_800_000_000,
        expiry: 1_800_003_600,
        lease: 3600,
        origin: Origin {
            port: 0,
            outer_vid: 100,
            inner_vid: 7,
        },
        giaddr: Ipv4Addr::new(10, 9, 0, 1),
        identity,
        htype: 1,
        chaddr: &[2, 0, 0, 0, 0, 5],
        agent_info,
    }
}

fn entry<'a>(record: &'a Record<'a>) -> Entry<'a> {
    Entry {
        what: What::Granted,
        lsn: Lsn(7),
        record,
        port: "access",
    }
}

fn text(record: &Record<'_>) -> String {
    let mut out = Vec::new();
    message(&mut out, (16, "host"), &entry(record));
    String::from_utf8(out).unwrap()
}

/// The parameters of the structured data, read as RFC 5424 §6.3 says, and what is behind it.
fn parsed(message: &str) -> (Vec<(String, String)>, String) {
    let mut rest = message.split_once(SD_ID).unwrap().1;
    let mut all = Vec::new();
    while let Some(parameter) = rest.strip_prefix(' ') {
        let (name, value) = parameter.split_once("=\"").unwrap();
        let (mut text, mut signs) = (String::new(), value.char_indices());
        let end = loop {
            let (at, sign) = signs.next().expect("an end of the value");
            match sign {
                '\\' => text.push(signs.next().expect("what is escaped").1),
                '"' => break at,
                ']' => panic!("a bare bracket: {message}"),
                plain => text.push(plain),
            }
        };
        all.push((name.to_owned(), text));
        rest = &value[end + 1..];
    }
    (all, rest.strip_prefix("] ").unwrap().to_owned())
}

#[test]
fn a_message_is_as_rfc_5424_says() {
    let info = b"\x01\x04eth0\x02\x03r]\"";
    let record = record(&[1, 1, 2], info);
    let pid = process::id();
    assert_eq!(
        text(&record),
        format!(
            "<134>1 2027-01-15T08:00:00Z host lessor {pid} granted [lease@32473 event=\"granted\" \
             address=\"10.1.2.3\" space=\"0\" client=\"client-id 01:02\" \
             hw_address=\"02:00:00:00:00:05\" relay=\"10.9.0.1\" circuit_id=\"65746830\" \
             circuit_text=\"eth0\" remote_id=\"725d22\" remote_text=\"r\\]\\\"\" port=\"access\" \
             vlan=\"100.7\" lease_time=\"3600\" expires=\"2027-01-15T09:00:00Z\" lsn=\"7\"] \
             granted 10.1.2.3"
        )
    );
}

proptest! {
    #[test]
    fn no_client_or_relay_can_break_out_of_its_parameter(
        identity in proptest::collection::vec(any::<u8>(), 0..256),
        circuit in "[ -~]{1,60}",
        junk in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let length = u8::try_from(circuit.len()).unwrap();
        let info = [&[1, length], circuit.as_bytes()].concat();
        let known = record(&identity, &info);
        let message = text(&known);
        let (parameters, behind) = parsed(&message);
        prop_assert_eq!(behind.as_str(), "granted 10.1.2.3");
        let circuit_text = parameters.iter().find(|(name, _)| name == "circuit_text");
        prop_assert_eq!(circuit_text.map(|(_, text)| text), Some(&circuit));
        let hostile = record(&junk, &junk);
        let message = text(&hostile);
        prop_assert!(message.bytes().all(|octet| (b' '..=b'~').contains(&octet)));
        parsed(&message);
    }
}

#[test]
fn messages_arrive_by_udp_and_those_for_nobody_are_counted() {
    let collector = UdpSocket::bind("127.0.0.1:0").unwrap();
    let to = collector.local_addr().unwrap();
    let meter = Arc::new(Meter::default());
    let mut syslog = Syslog::new(Collector::Udp(to), 16, Arc::clone(&meter));
    let record = record(&[1, 1], &[]);
    assert!(syslog.send(&entry(&record)).unwrap());
    let mut room = [0; 2048];
    let length = collector.recv(&mut room).unwrap();
    assert!(room[..length].starts_with(b"<134>1 "));
    assert_eq!(meter.sent.load(Ordering::Relaxed), 1);

    drop(collector);
    // The first is refused on its way, and known to be only with the second.
    for _ in 0..3 {
        drop(syslog.send(&entry(&record)));
    }
    assert!(meter.lost_syslog.load(Ordering::Relaxed) > 0);
}

#[test]
fn a_socket_of_this_host_that_is_full_or_gone_costs_a_bounded_time() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("log");
    let meter = Arc::new(Meter::default());
    let mut syslog = Syslog::new(Collector::Unix(path.clone()), 16, Arc::clone(&meter));
    let record = record(&[1, 1], &[]);
    syslog.send(&entry(&record)).unwrap_err();
    assert!(!syslog.send(&entry(&record)).unwrap(), "it rests");
    assert_eq!(meter.lost_syslog.load(Ordering::Relaxed), 2);

    let collector = UnixDatagram::bind(&path).unwrap();
    syslog.paused_until = None;
    // Nobody reads: sooner or later the socket is full.
    let mut full = false;
    for _ in 0..100_000 {
        if syslog.send(&entry(&record)).is_err() {
            full = true;
            break;
        }
    }
    assert!(full);
    let sent = meter.sent.load(Ordering::Relaxed);
    let mut room = [0; 2048];
    for _ in 0..sent {
        collector.recv(&mut room).unwrap();
    }
    syslog.paused_until = None;
    assert!(syslog.send(&entry(&record)).unwrap());
}
