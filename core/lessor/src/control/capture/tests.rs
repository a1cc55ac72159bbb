use super::*;
use crate::control::Request;
use crate::dataplane::capture::{Captures, Wanted};
use crate::dataplane::counters::Counters;
use crate::dataplane::port::{Facts, RxChecksum};
use crate::dataplane::port_mem::{MemConfig, MemFrame, MemPort};
use crate::dataplane::ports::{BURST, Ports};
use dhcp_wire::ethernet::Mac;
use std::io::{BufRead as _, BufReader};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use tempfile::TempDir;

/// A worker at work: it receives frames with ascending numbers, and sends them again.
struct Worker {
    captures: Arc<Captures>,
    rounds: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Worker {
    fn start(pause: Duration) -> Self {
        let captures = Captures::new(1);
        let facts = Facts {
            mac: Mac([2, 0, 0, 0, 0, 1]),
            udp_checksum_offload: false,
            rx_checksum: RxChecksum::Verify,
        };
        let (port, wire) = MemPort::new(MemConfig { facts, packets: 4 });
        let mut ports = Ports::new([port]);
        ports.attach(captures.outlet());
        let (rounds, stop): (Arc<AtomicU64>, Arc<AtomicBool>) = Default::default();
        let (counted, stopping) = (Arc::clone(&rounds), Arc::clone(&stop));
        let work = move || {
            let (counters, mut burst) = (Counters::new(), Vec::with_capacity(BURST));
            while !stopping.load(Relaxed) {
                ports.turn();
                let mut frame = vec![0; 1000];
                let number = counted.fetch_add(1, Relaxed);
                frame[..8].copy_from_slice(&number.to_le_bytes());
                assert!(wire.deliver(&MemFrame::from(&frame[..])));
                ports.receive(0, &mut burst, &counters);
                for packet in burst.drain(..) {
                    ports.send(0, packet, &counters);
                }
                ports.flush(&counters);
                drop(wire.take_sent());
                thread::sleep(pause);
            }
        };
        Self {
            captures,
            rounds,
            stop,
            thread: Some(thread::spawn(work)),
        }
    }

    fn end(&mut self) {
        self.stop.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Worker {
    /// Whether all of the capture before has been given back.
    fn is_free(&self) -> bool {
        let all = Wanted {
            client: None,
            port: None,
            snaplen: 100,
        };
        self.captures.begin(all).is_ok()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
    }
}

/// A socket at which one capture of a worker is served, by whom it is told how that ended.
struct Site {
    path: PathBuf,
    served: thread::JoinHandle<io::Result<()>>,
    _directory: TempDir,
}

fn site(worker: &Worker) -> Site {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let captures = Arc::clone(&worker.captures);
    let serving = move || {
        let (connection, _) = listener.accept()?;
        // The server's own patience is longer.
        connection.set_write_timeout(Some(Duration::from_millis(200)))?;
        let mut line = String::new();
        BufReader::new(&connection).read_line(&mut line)?;
        let Ok(Request::Capture(wanted)) = serde_json::from_str(&line) else {
            panic!("{line}");
        };
        let all = Wanted {
            client: None,
            port: None,
            snaplen: wanted.snaplen,
        };
        let watch = Watch {
            capture: captures.begin(all).unwrap(),
            begun: CaptureBegun {
                version: "7".into(),
                ports: vec!["access".into()],
            },
        };
        serve(&connection, &wanted, Ok(watch))
    };
    Site {
        path,
        served: thread::spawn(serving),
        _directory: directory,
    }
}

const WANTED: CaptureWanted = CaptureWanted {
    client: None,
    port: None,
    snaplen: 100,
};

/// The numbers of the frames of a direction, and the sum of what was lost.
fn rest(frames: &mut Frames) -> (Vec<(Kind, u64)>, u64) {
    let mut seen = Vec::new();
    loop {
        match frames.take().unwrap() {
            Seen::Frame(head, octets) => {
                assert_eq!((head.captured, head.original), (100, 1000));
                let number = u64::from_le_bytes(*octets.first_chunk().unwrap());
                seen.push((head.kind, number));
            }
            Seen::End(sum) => return (seen, sum.lost.iter().sum()),
            Seen::Sum(_) | Seen::Nothing => {}
            Seen::Gone => panic!("no last word"),
        }
    }
}

#[test]
fn all_frames_come_in_order_until_who_asked_wants_no_more() {
    let worker = Worker::start(Duration::from_micros(100));
    let site = site(&worker);
    let (begun, mut frames) = watch(&site.path, WANTED).unwrap();
    assert_eq!(begun.ports, ["access"]);
    let until = worker.rounds.load(Relaxed) + 1000;
    while worker.rounds.load(Relaxed) < until {
        thread::sleep(Duration::from_millis(1));
    }
    frames.stop();
    let (seen, lost) = rest(&mut frames);
    assert!(seen.len() > 1000 && lost == 0, "{} and {lost}", seen.len());
    let first = seen[0].1;
    let numbers = (0..).map(|at| first + at / 2);
    let kinds = [Kind::Received, Kind::Sent].into_iter().cycle();
    assert!(seen.iter().copied().eq(kinds.zip(numbers).take(seen.len())));
    assert_eq!(frames.take().unwrap(), Seen::Gone);
    site.served.join().unwrap().unwrap();
    assert!(worker.is_free());
}

#[test]
fn who_goes_away_or_does_not_read_ends_the_capture_and_holds_up_no_worker() {
    for reads in [false, true] {
        let worker = Worker::start(Duration::ZERO);
        let site = site(&worker);
        let (_, frames) = watch(&site.path, WANTED).unwrap();
        let kept = (!reads).then_some(frames);
        assert!(site.served.join().unwrap().is_err());
        let before = worker.rounds.load(Relaxed);
        while worker.rounds.load(Relaxed) < before + 100 {
            thread::yield_now();
        }
        assert!(worker.is_free());
        drop(kept);
    }
}

#[test]
fn the_end_of_the_server_ends_the_capture_with_all_that_was_captured() {
    let mut worker = Worker::start(Duration::from_millis(1));
    let site = site(&worker);
    let (_, mut frames) = watch(&site.path, WANTED).unwrap();
    while !matches!(frames.take().unwrap(), Seen::Frame(..)) {}
    worker.end();
    let newest = worker.rounds.load(Relaxed) - 1;
    let (seen, lost) = rest(&mut frames);
    assert_eq!((seen.last(), lost), (Some(&(Kind::Sent, newest)), 0));
    site.served.join().unwrap().unwrap();
}

#[test]
fn octets_that_are_no_records_are_said_to_be_none() {
    let head = Head {
        at: 0,
        captured: 1 << 21,
        original: 0,
        port: 0,
        kind: Kind::Sum,
    };
    let mut no_sum = head;
    no_sum.captured = 1;
    let no_sum = [&no_sum.to_octets()[..], b"{"].concat();
    for octets in [&[0xff; 200][..], &head.to_octets(), &no_sum] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let octets = octets.to_vec();
        let serving = thread::spawn(move || {
            let (mut connection, _) = listener.accept().unwrap();
            let begun = b"{\"ok\":{\"version\":\"7\",\"ports\":[]}}\n";
            connection
                .write_all(&[&begun[..], &octets].concat())
                .unwrap();
            connection
        });
        let (_, mut frames) = watch(&path, WANTED).unwrap();
        let _connection = serving.join().unwrap();
        assert!(frames.take().is_err());
    }
}
