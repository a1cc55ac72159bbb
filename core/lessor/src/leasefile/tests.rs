//! Files that are written, read, cut, mutated and refused.

mod conflicts;
mod files;
mod imports;
mod kea;
mod refusals;
mod round_trip;

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use dhcp_proto::config::Spec;
use dhcp_proto::record::{Origin, RecordKind};
use tempfile::TempDir;

use super::row::Row;
use super::target::Target;
use super::{Format, Import, ImportError, Layout, Lenience, Outcome, Writer, fill};
use crate::{config, store};

/// A moment at which all of this happens.
const NOW: u64 = 1_800_000_000;

const NETWORKS: &str = r#"
[[ports]]
device = "net_null0"
addresses = ["10.0.0.1/24"]

[[networks]]
name = "home"
[[networks.subnets]]
prefix = "10.0.0.0/24"
pools = ["10.0.0.10-10.0.0.200"]
[[networks.reservations]]
hw_address = "02:00:00:00:00:99"
address = "10.0.0.99"

[[networks]]
name = "ring"
identity = "circuit"
[[networks.subnets]]
prefix = "10.1.0.0/24"
pools = ["10.1.0.10-10.1.0.200"]
"#;

/// A lease of the client `client` that ends in an hour.
fn lease(last: u8, client: u8) -> Row {
    Row {
        kind: RecordKind::Active,
        space: 0,
        addr: Ipv4Addr::new(10, 0, 0, last),
        generation: 3,
        time: NOW - 60,
        expiry: NOW + 3600,
        lease: 3660,
        origin: Origin {
            port: 1,
            outer_vid: 200,
            inner_vid: 30,
        },
        giaddr: Ipv4Addr::new(10, 9, 0, 1),
        identity: vec![2, 1, 2, 0, 0, 0, 0, client],
        htype: 1,
        chaddr: vec![2, 0, 0, 0, 0, client],
        agent_info: vec![1, 2, 0xAB, 7],
    }
}

/// The same given back.
fn released(last: u8, client: u8) -> Row {
    Row {
        kind: RecordKind::Released,
        ..lease(last, client)
    }
}

/// A place for a file and a store.
struct Scene {
    dir: TempDir,
    spec: Spec,
    lenience: Lenience,
}

impl Scene {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            spec: config::parse(NETWORKS).unwrap().0.spec,
            lenience: Lenience::default(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Puts rows into the store as a server would.
    fn fill(&self, rows: &[Row]) {
        let mut target = Target::new(None);
        target.open(&self.path("store")).unwrap();
        for row in rows {
            target.push(&row.record(row.generation)).unwrap();
        }
        target.flush().unwrap();
        target.close();
    }

    /// All rows of the store, in the order of its log.
    fn rows(&self) -> Vec<Row> {
        rows_of(&self.path("store"))
    }

    /// Imports a text of a layout.
    fn import(&self, layout: Layout, text: impl AsRef<[u8]>) -> Result<Outcome, ImportError> {
        self.run(layout, text, false)
    }

    /// Checks a text of a layout.
    fn check(&self, layout: Layout, text: impl AsRef<[u8]>) -> Outcome {
        self.run(layout, text, true).unwrap()
    }

    fn run(
        &self,
        layout: Layout,
        text: impl AsRef<[u8]>,
        dry_run: bool,
    ) -> Result<Outcome, ImportError> {
        let file = self.path("file");
        fs::write(&file, text).unwrap();
        let import = Import {
            file: &file,
            layout,
            directory: &self.path("store"),
            spec: &self.spec,
            now: NOW,
            lenience: self.lenience,
            dry_run,
        };
        import.run()
    }

    /// Imports rows that must be taken.
    fn take(&self, rows: &[Row]) -> Outcome {
        let outcome = self.import(Layout::Jsonl, text(rows, Format::Jsonl));
        let outcome = outcome.unwrap();
        assert_eq!(told(&outcome), [""; 0]);
        outcome
    }
}

/// What is wrong, without the name of the file.
fn told(outcome: &Outcome) -> Vec<String> {
    outcome.faults.iter().map(ToString::to_string).collect()
}

fn rows_of(store: &Path) -> Vec<Row> {
    let mut rows = Vec::new();
    let read = store::read(store).unwrap();
    read.for_each_newest(|_, record| {
        rows.push(Row {
            kind: record.kind,
            space: record.space,
            addr: record.addr,
            generation: record.generation,
            time: record.time,
            expiry: record.expiry,
            lease: record.lease,
            origin: record.origin,
            giaddr: record.giaddr,
            identity: record.identity.to_vec(),
            htype: record.htype,
            chaddr: record.chaddr.to_vec(),
            agent_info: record.agent_info.to_vec(),
        });
    })
    .unwrap();
    rows
}

fn layout(format: Format) -> Layout {
    match format {
        Format::Jsonl => Layout::Jsonl,
        Format::Csv => Layout::Csv,
    }
}

/// Rows as a file.
fn text(rows: &[Row], format: Format) -> String {
    let mut writer = Writer::new(Vec::new(), format, NOW).unwrap();
    for row in rows {
        writer.write(&row.record(row.generation)).unwrap();
    }
    let (count, text) = writer.finish().unwrap();
    assert_eq!(count, rows.len() as u64);
    String::from_utf8(text).unwrap()
}

/// A store as a file.
fn exported(store: &Path, format: Format) -> String {
    let writer = Writer::new(Vec::new(), format, NOW).unwrap();
    let (_, text) = fill(&store::read(store).unwrap(), writer, |_| true).unwrap();
    String::from_utf8(text).unwrap()
}
