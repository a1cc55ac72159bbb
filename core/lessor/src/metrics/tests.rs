use super::*;
use crate::config::ClientText;
use crate::control::{
    CaptureWanted, ClockAccepted, ClockReport, ClockState, Decision, LatencyStats, Lease,
    PoolStats, PortStats, ReleaseOutcome, ReloadReport, ReservationOutcome, ReservationPage,
    ReservationRow, Stats, StoreStats, Watch,
};
use crate::histogram::Histogram;
use proptest::prelude::*;
use std::io::{Read as _, Write as _};
use std::time::Instant;

/// A plane with figures of every kind, and names as an operator may choose them.
#[derive(Debug, Default)]
struct Plane {
    asked: AtomicUsize,
}

fn figures(name: &str) -> Stats {
    let mut stats = Stats {
        version: "7".into(),
        uptime: 12,
        workers: 1,
        ..Stats::default()
    };
    stats.add("drops", "tx_full", 3);
    stats.add("silences", "table_full", 4);
    stats.add("messages_in", "discover", 5);
    stats.add("store", "commits", 6);
    stats.pools.push(PoolStats {
        network: name.into(),
        bound: 7,
        ..PoolStats::default()
    });
    stats.ports.push(PortStats {
        name: name.into(),
        up: true,
        rx_missed: 8,
        ..PortStats::default()
    });
    let histogram = Histogram::default();
    histogram.add(Duration::from_micros(3), 9);
    let view = histogram.view();
    stats
        .latency
        .push(LatencyStats::new("durable", Some(0), &view));
    stats.latency.push(LatencyStats::new("commit", None, &view));
    stats
}

fn unknown() -> ReservationOutcome {
    ReservationOutcome::Unknown { why: String::new() }
}

impl ControlPlane for Plane {
    fn capture(&self, _: &CaptureWanted) -> Result<Watch, String> {
        Err("not here".into())
    }

    fn stats(&self) -> Stats {
        self.asked.fetch_add(1, Ordering::Relaxed);
        figures("ho\"me")
    }

    fn store(&self) -> StoreStats {
        StoreStats::default()
    }

    fn release(&self, _space: u16, _addr: Ipv4Addr, _client: Option<&str>) -> ReleaseOutcome {
        let why = String::new();
        ReleaseOutcome::Unknown { why }
    }

    fn why(&self, _client: &str, _limit: u32) -> Result<Vec<Decision>, String> {
        Ok(Vec::new())
    }

    fn add_reservation(
        &self,
        _space: u16,
        _addr: Ipv4Addr,
        _client: &ClientText,
    ) -> ReservationOutcome {
        unknown()
    }

    fn remove_reservation(&self, _space: u16, _addr: Ipv4Addr) -> ReservationOutcome {
        unknown()
    }

    fn reservations(&self, _page: &ReservationPage) -> Vec<ReservationRow> {
        Vec::new()
    }

    fn reload(&self, _force: bool) -> ReloadReport {
        ReloadReport::default()
    }

    fn lease(&self, _space: u16, _addr: Ipv4Addr) -> Option<Lease> {
        None
    }

    fn clock(&self) -> ClockReport {
        ClockReport {
            state: ClockState::Ok,
            wall: 0,
            inner: 0,
            wall_at_start: 0,
            newest_at_start: None,
            ahead_at_start: 0,
            behind: 0,
            ahead: 0,
            steps: 0,
            held: None,
        }
    }

    fn accept_clock(&self) -> Result<ClockAccepted, String> {
        Err("nothing is held".into())
    }
}

fn start() -> (Server, Arc<Plane>) {
    let plane = Arc::new(Plane::default());
    let listen = (Ipv4Addr::LOCALHOST, 0).into();
    (Server::start(listen, plane.clone()).unwrap(), plane)
}

fn ask(server: &Server, request: &str) -> String {
    try_ask(server, request).unwrap()
}

fn try_ask(server: &Server, request: &str) -> io::Result<String> {
    let mut connection = TcpStream::connect(server.addr())?;
    connection.write_all(request.as_bytes())?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    Ok(answer)
}

const GET: &str = "GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n";

#[test]
fn a_scraper_gets_every_figure_and_many_of_them_ask_the_server_once() {
    let (server, plane) = start();
    let answer = ask(&server, GET);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    let length = format!("Content-Length: {}", body.len());
    assert!(head.contains("text/plain; version=0.0.4") && head.contains(&length));
    for line in [
        "lessor_build{version=\"7\"} 1",
        "lessor_dropped_total{group=\"drops\",reason=\"tx_full\"} 3",
        "lessor_dropped_total{group=\"silences\",reason=\"table_full\"} 4",
        "lessor_messages_received_total{type=\"discover\"} 5",
        "lessor_stat{group=\"store\",name=\"commits\"} 6",
        "lessor_pool_addresses{network=\"ho\\\"me\",pool=\"0.0.0.0-0.0.0.0\",state=\"bound\"} 7",
        "lessor_port_total{port=\"ho\\\"me\",what=\"rx_missed\"} 8",
        "lessor_reply_seconds_count{worker=\"0\",kind=\"durable\"} 9",
        "lessor_commit_seconds_count{kind=\"commit\"} 9",
    ] {
        assert!(body.lines().any(|found| found == line), "{line} in\n{body}");
    }
    for _ in 0..20 {
        ask(&server, GET);
    }
    assert!(plane.asked.load(Ordering::Relaxed) < 20);
}

#[test]
fn head_other_paths_and_nonsense_have_their_answers() {
    let (server, _) = start();
    let head = ask(&server, &GET.replace("GET", "HEAD"));
    assert!(head.starts_with("HTTP/1.1 200") && head.ends_with("\r\n\r\n"));
    for (request, status) in [
        ("GET / HTTP/1.1\r\n\r\n", "404"),
        ("DELETE /metrics HTTP/1.1\r\n\r\n", "405"),
        ("\r\n\r\n\x01\x02\x03\r\n\r\n", "400"),
    ] {
        let answer = ask(&server, request);
        let start = format!("HTTP/1.1 {status} ");
        assert!(answer.starts_with(&start), "{request:?}: {answer}");
    }
}

#[test]
fn scrapers_that_say_nothing_hold_no_more_than_their_places() {
    let (server, _) = start();
    let silent: Vec<_> = (0..MOST_CONNECTIONS)
        .map(|_| TcpStream::connect(server.addr()).unwrap())
        .collect();
    // The last of them may not have been taken up yet.
    let began = Instant::now();
    loop {
        let mut connection = TcpStream::connect(server.addr()).unwrap();
        let mut answer = String::new();
        let told = connection.read_to_string(&mut answer).is_ok();
        if told && answer.starts_with("HTTP/1.1 503 ") {
            break;
        }
        assert!(began.elapsed() < Duration::from_mins(1), "{answer}");
    }
    drop(silent);
    let began = Instant::now();
    while !try_ask(&server, GET).is_ok_and(|answer| answer.starts_with("HTTP/1.1 200")) {
        assert!(
            began.elapsed() < Duration::from_mins(1),
            "places are free again"
        );
    }
}

#[test]
fn it_ends_while_a_scraper_is_silent() {
    let (server, _) = start();
    let _silent = TcpStream::connect(server.addr()).unwrap();
    drop(server);
}

/// The labels of a line, read as the text format says.
fn labels(line: &str) -> Vec<(String, String)> {
    let mut rest = line.split_once('{').unwrap().1;
    let mut all = Vec::new();
    loop {
        let (name, value) = rest.split_once("=\"").unwrap();
        let (mut text, mut signs) = (String::new(), value.char_indices());
        let end = loop {
            let (at, sign) = signs.next().expect("an end of the value");
            match sign {
                '\\' => text.push(match signs.next().expect("what is escaped").1 {
                    'n' => '\n',
                    plain => plain,
                }),
                '"' => break at,
                plain => text.push(plain),
            }
        };
        all.push((name.to_owned(), text));
        rest = &value[end + 1..];
        match rest.strip_prefix(',') {
            Some(more) => rest = more,
            None => break,
        }
    }
    assert!(rest.starts_with("} "), "{line}");
    all
}

proptest! {
    #[test]
    fn no_name_breaks_out_of_its_label(name in "[\\PC\n\\\\\"{}]{0,40}") {
        let page = page::render(figures(&name));
        let is_pool = |line: &&str| line.starts_with("lessor_pool_addresses{");
        let pools: Vec<_> = page.split('\n').filter(is_pool).collect();
        prop_assert_eq!(pools.len(), 6);
        for line in pools {
            let labels = labels(line);
            let shown: Vec<_> = labels.iter().map(|(label, _)| label.as_str()).collect();
            prop_assert_eq!(shown, ["network", "pool", "state"]);
            prop_assert_eq!(&labels[0].1, &name);
        }
    }
}
