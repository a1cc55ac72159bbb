use super::lease::tests::RECORD;
use super::*;
use crate::dataplane::capture::{Captures, Wanted};
use crate::store::{Trouble, TroubleKind};
use dhcp_wire::ethernet::Mac;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;

/// A plane that knows one counter and one lease.
struct Plane;

impl ControlPlane for Plane {
    fn store(&self) -> StoreStats {
        StoreStats {
            segments: 3,
            ..StoreStats::default()
        }
    }

    fn stats(&self) -> Stats {
        let mut stats = Stats {
            version: "7".into(),
            workers: 2,
            ..Stats::default()
        };
        stats.add("received", "discover", 3);
        stats.add("received", "discover", 4);
        stats
    }

    fn lease(&self, space: u16, addr: Ipv4Addr) -> Option<Lease> {
        Lease::new(&RECORD, 0).filter(|lease| lease.space == space && lease.address == addr)
    }

    fn release(&self, _: u16, addr: Ipv4Addr, client: Option<&str>) -> ReleaseOutcome {
        let client = client.unwrap_or("anybody");
        let why = format!("no lease of {addr} for {client}");
        ReleaseOutcome::Unknown { why }
    }

    fn why(&self, client: &str, limit: u32) -> Result<Vec<Decision>, String> {
        Err(format!("{client}, {limit} times: nobody knows"))
    }

    fn add_reservation(&self, _: u16, _: Ipv4Addr, client: &ClientText) -> ReservationOutcome {
        ReservationOutcome::Refused {
            why: format!("not for {client}"),
        }
    }

    fn remove_reservation(&self, _: u16, addr: Ipv4Addr) -> ReservationOutcome {
        ReservationOutcome::Unknown {
            why: addr.to_string(),
        }
    }

    fn reservations(&self, _: &ReservationPage) -> Vec<ReservationRow> {
        Vec::new()
    }

    fn clock(&self) -> ClockReport {
        ClockReport {
            state: ClockState::Held,
            wall: 1_900_000_000,
            inner: 1_900_000_000,
            wall_at_start: 1_899_999_000,
            newest_at_start: Some(1_800_000_000),
            ahead_at_start: 99_999_000,
            behind: 0,
            held: Some(Held {
                since: 1_899_999_000,
                until: 1_900_002_600,
                bindings: 3,
            }),
            ahead: 0,
            steps: 0,
        }
    }

    fn accept_clock(&self) -> Result<ClockAccepted, String> {
        Err("the disk is slow".into())
    }

    fn capture(&self, wanted: &CaptureWanted) -> Result<Watch, String> {
        let captures = Captures::new(1);
        let port = wanted.port.clone().ok_or("which port?")?;
        let client = wanted.client.map(Mac);
        let snaplen = wanted.snaplen;
        let port_number = Some(0);
        // One worker that never looks.
        let _outlet = captures.outlet();
        let wanted = Wanted {
            client,
            port: port_number,
            snaplen,
        };
        let capture = captures.begin(wanted).map_err(|why| why.to_string())?;
        let begun = CaptureBegun {
            version: "7".into(),
            ports: vec![port],
        };
        Ok(Watch { capture, begun })
    }

    fn reload(&self, force: bool) -> ReloadReport {
        ReloadReport {
            file: "lessor.toml".into(),
            taken: force,
            networks: 2,
            dropped: vec![Leases {
                network: "far".into(),
                space: 0,
                leases: 3,
                examples: vec![Ipv4Addr::new(10, 9, 0, 1), Ipv4Addr::new(10, 9, 0, 2)],
            }],
            ..ReloadReport::default()
        }
    }
}

fn start(path: &Path) -> Server {
    Server::start(path, Arc::new(Plane)).unwrap()
}

fn raw(path: &Path, request: &[u8]) -> String {
    let mut connection = UnixStream::connect(path).unwrap();
    connection.write_all(request).unwrap();
    let mut line = String::new();
    BufReader::new(connection).read_line(&mut line).unwrap();
    line
}

#[test]
fn questions_are_answered() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run/control.sock");
    let _server = start(&path);
    let stats: Stats = ask(&path, &Request::Stats).unwrap();
    assert_eq!(stats, Plane.stats());
    assert_eq!(stats.counter("received", "discover"), 7);
    let lease =
        |address| ask::<Option<Lease>>(&path, &Request::Lease { address, space: 0 }).unwrap();
    assert_eq!(lease(RECORD.addr), Lease::new(&RECORD, 0));
    assert_eq!(lease(Ipv4Addr::LOCALHOST), None);
}

#[test]
fn reservations_are_asked_for_with_their_client() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("control.sock");
    let _server = start(&path);
    let client = ClientText {
        remote_id: Some("cpe".into()),
        ..ClientText::default()
    };
    let (address, space) = (Ipv4Addr::new(10, 0, 0, 5), 0);
    let add = Request::ReservationAdd {
        address,
        space,
        client,
    };
    let why = "not for remote-id cpe".to_owned();
    let answer: ReservationOutcome = ask(&path, &add).unwrap();
    assert_eq!(answer, ReservationOutcome::Refused { why });
    let remove = Request::ReservationRemove { address, space };
    let why = "10.0.0.5".to_owned();
    let answer: ReservationOutcome = ask(&path, &remove).unwrap();
    assert_eq!(answer, ReservationOutcome::Unknown { why });
    let page = Request::Reservations(ReservationPage::default());
    let rows: Vec<ReservationRow> = ask(&path, &page).unwrap();
    assert!(rows.is_empty());
    for broken in [
        r#"{"ask":"reservation-add","address":"10.0.0.5","client":{"mac":"x"}}"#,
        r#"{"ask":"reservation-add","address":"10.0.0.5"}"#,
        r#"{"ask":"reservation-remove","address":"10.0.0"}"#,
    ] {
        let answer = raw(&path, format!("{broken}\n").as_bytes());
        assert!(answer.starts_with(r#"{"error":"#), "{answer}");
    }
}

#[test]
fn a_lease_is_ended_and_a_decision_explained_for_whoever_asks_properly() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("control.sock");
    let _server = start(&path);
    let address = RECORD.addr;
    let mut release = Request::Release {
        address,
        space: 0,
        client: Some("02:01".into()),
    };
    let why = format!("no lease of {address} for 02:01");
    let answer: ReleaseOutcome = ask(&path, &release).unwrap();
    assert_eq!(answer, ReleaseOutcome::Unknown { why });
    if let Request::Release { client, .. } = &mut release {
        *client = None;
    }
    let why = format!("no lease of {address} for anybody");
    let answer: ReleaseOutcome = ask(&path, &release).unwrap();
    assert_eq!(answer, ReleaseOutcome::Unknown { why });
    let (client, limit) = ("02:00:00:00:00:05".into(), 3);
    let refused = ask::<Vec<Decision>>(&path, &Request::Why { client, limit }).unwrap_err();
    assert!(refused.to_string().contains("3 times: nobody knows"));
    for broken in [
        r#"{"ask":"why","client":"x"}"#,
        r#"{"ask":"why","client":"x","limit":-1}"#,
        r#"{"ask":"why","client":7,"limit":1}"#,
        r#"{"ask":"release","address":"10.0.0"}"#,
        r#"{"ask":"release","address":"10.0.0.1","force":true}"#,
    ] {
        let answer = raw(&path, format!("{broken}\n").as_bytes());
        assert!(answer.starts_with(r#"{"error":"#), "{answer}");
    }
}

#[test]
fn the_clock_is_shown_and_a_refusal_to_accept_it_says_why() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("control.sock");
    let _server = start(&path);
    let report: ClockReport = ask(&path, &Request::Clock).unwrap();
    assert_eq!(report, Plane.clock());
    let shown = report.to_string();
    for part in [
        "state          held\n",
        "newest record  2027-01-15T08:00:00Z at the start\n",
        "held leases    3\n",
        "`lessor clock accept`",
    ] {
        assert!(shown.contains(part), "{shown}");
    }
    let refused = ask::<ClockAccepted>(&path, &Request::ClockAccept).unwrap_err();
    assert_eq!(refused.exit(), crate::exit::Exit::Unavailable);
    assert!(refused.to_string().contains("the disk is slow"));
    assert!(raw(&path, b"{\"ask\":\"clock-accept\"}\n").starts_with("{\"error\""));
}

#[test]
fn a_reload_says_what_kept_the_file_out_or_what_it_left() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("control.sock");
    let _server = start(&path);
    let ask = |force| ask::<ReloadReport>(&path, &Request::Reload { force }).unwrap();
    assert_eq!(
        ask(false).to_string(),
        "lessor.toml: no network would have 3 leases of network \"far\" (10.9.0.1, 10.9.0.2, …); \
         `lessor reload --force` drops it all the same\n\
         lessor.toml: not taken, nothing has changed\n"
    );
    assert_eq!(
        ask(true).to_string(),
        "lessor.toml: served no more, kept to their end: 3 leases of network \"far\" (10.9.0.1, \
         10.9.0.2, …)\nlessor.toml: in force, 2 networks\n"
    );
    let report = ReloadReport {
        faults: vec![Remark {
            line: 3,
            column: 7,
            path: "networks[0].name".into(),
            message: "must not be empty".into(),
        }],
        needs_restart: vec!["server.workers".into()],
        ..Plane.reload(false)
    };
    let text = report.to_string();
    assert!(text.starts_with("lessor.toml:3:7: error: networks[0].name: must not be empty\n"));
    assert!(text.contains("lessor.toml: needs a restart: server.workers\n"));
}

#[test]
fn a_clock_that_is_right_or_behind_says_so() {
    let report = ClockReport {
        state: ClockState::Ok,
        newest_at_start: None,
        held: None,
        ..Plane.clock()
    };
    let shown = report.to_string();
    assert!(shown.contains("ok\n") && shown.contains("none"), "{shown}");
    assert!(!shown.contains("accept"), "{shown}");
    let stepped = ClockReport {
        steps: 2,
        ahead: -40,
        ..report.clone()
    };
    assert!(stepped.to_string().contains("2 times since, -40 s ahead"));
    let shown = ClockReport {
        state: ClockState::Behind,
        behind: 77,
        ..report
    };
    assert!(shown.to_string().contains("behind by      77 s"));
    for (was_held, says) in [(true, "expire now: 2"), (false, "nothing was changed")] {
        let bindings = 2;
        let shown = ClockAccepted { was_held, bindings }.to_string();
        assert!(shown.contains(says), "{shown}");
    }
}

#[test]
fn one_connection_may_ask_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("control.sock");
    let _server = start(&path);
    let connection = UnixStream::connect(&path).unwrap();
    let mut answers = BufReader::new(&connection).lines();
    for _ in 0..3 {
        (&connection).write_all(b"{\"ask\":\"stats\"}\n").unwrap();
        assert!(
            answers
                .next()
                .unwrap()
                .unwrap()
                .starts_with("{\"ok\":{\"version\":\"7\"")
        );
    }
}

#[test]
fn rubbish_gets_an_error_and_ends_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("control.sock");
    let _server = start(&path);
    let long = vec![b'['; MAX_REQUEST];
    let requests: [&[u8]; 6] = [
        b"\n",
        b"stats\n",
        b"{\"ask\":\"stop\"}\n",
        b"{\"ask\":\"lease\",\"address\":\"10.0.0\"}\n",
        b"\xff\xfe\n",
        &long,
    ];
    for request in requests {
        assert!(
            raw(&path, request).starts_with("{\"error\":"),
            "{request:?}"
        );
    }
    assert!(ask::<Stats>(&path, &Request::Stats).is_ok());
}

#[test]
fn a_socket_that_a_dead_server_left_is_replaced_and_a_live_one_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("control.sock");
    drop(UnixListener::bind(&path).unwrap());
    let server = start(&path);
    let second = Server::start(&path, Arc::new(Plane));
    assert!(matches!(second, Err(BindError::Running(_))));
    assert!(ask::<Stats>(&path, &Request::Stats).is_ok());
    drop(server);
    assert!(!path.exists());
    std::fs::write(&path, "mine").unwrap();
    assert!(matches!(
        Server::start(&path, Arc::new(Plane)),
        Err(BindError::NoSocket(_))
    ));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
}

#[test]
fn owner_and_group_alone_may_ask() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("control.sock");
    let _server = start(&path);
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
}

#[test]
fn without_a_server_the_error_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("control.sock");
    assert!(matches!(
        ask::<Stats>(&path, &Request::Stats),
        Err(AskError::NotRunning(_))
    ));
    drop(UnixListener::bind(&path).unwrap());
    assert!(matches!(
        ask::<Stats>(&path, &Request::Stats),
        Err(AskError::NotRunning(_))
    ));
}

#[test]
fn one_connection_too_many_is_closed_and_room_comes_back() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("control.sock");
    let _server = start(&path);
    // Each has been answered, so each is counted.
    let connect = || {
        let connection = UnixStream::connect(&path).unwrap();
        // The server may have closed it already.
        drop((&connection).write_all(b"{\"ask\":\"stats\"}\n"));
        let mut line = String::new();
        drop(BufReader::new(&connection).read_line(&mut line));
        (connection, line.starts_with("{\"ok\""))
    };
    let mut open = Vec::new();
    loop {
        let (connection, answered) = connect();
        if !answered {
            break;
        }
        open.push(connection);
        assert!(open.len() <= 64, "there is no limit");
    }
    assert!(open.len() >= 8);
    drop(open);
    while ask::<Stats>(&path, &Request::Stats).is_err() {
        std::thread::yield_now();
    }
}

#[test]
fn what_is_wrong_with_the_store_is_said_first_with_its_beginning() {
    let mut stats = Plane.stats();
    assert!(serde_json::to_value(&stats).unwrap()["store_trouble"].is_null());
    let trouble = Trouble {
        kind: TroubleKind::Failed,
        since: 951_782_400_123,
        reason: "No space left on device (os error 28)".into(),
        file: Some("/var/lib/lessor/segment-7".into()),
    };
    stats.store_trouble = Some(StoreTrouble::from(&trouble));
    let shown = stats.to_string();
    assert_eq!(
        shown.lines().nth(1).unwrap(),
        "store failed since 2000-02-29T00:00:00Z: /var/lib/lessor/segment-7: No space left on \
         device (os error 28)"
    );
    let json = serde_json::to_value(&stats).unwrap();
    assert_eq!(json["store_trouble"]["state"], "failed");
    assert_eq!(json["store_trouble"]["since"], "2000-02-29T00:00:00Z");
    assert_eq!(serde_json::from_value::<Stats>(json).unwrap(), stats);
}

#[test]
fn the_table_names_groups_counters_and_pools() {
    let mut stats = Plane.stats();
    let (first, last) = (Ipv4Addr::new(10, 77, 0, 10), Ipv4Addr::new(10, 77, 0, 20));
    let (free, held, bound, remembered, set_aside, excluded) = (1, 2, 3, 4, 0, 1);
    let network = "home".into();
    stats.pools.push(PoolStats {
        network,
        first,
        last,
        free,
        held,
        bound,
        remembered,
        set_aside,
        excluded,
    });
    let shown = stats.to_string();
    for part in [
        "\nreceived\n  discover",
        "home             10.77.0.10-10.77.0.20",
    ] {
        assert!(shown.contains(part), "{shown}");
    }
}
