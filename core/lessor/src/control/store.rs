//! The store as an operator sees it.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{StoreTrouble, utc};
use crate::store::log::HouseView;
use crate::store::{Recovered, StatsView};

/// A store: what lies on disk, and what a running server does with it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct StoreStats {
    /// Its directory; none with `engine = "none"`.
    pub directory: Option<PathBuf>,
    /// Segments, the one that is written to not counted while a server runs.
    pub segments: u64,
    /// Octets of them.
    pub octets: u64,
    /// Octets of the records in them that are the newest of their addresses.
    pub live_octets: u64,
    /// Addresses with a record.
    pub addresses: u64,
    /// Reservations with a record.
    pub reservations: u64,
    /// The snapshot knows all records up to this number; 0 if there is none.
    pub snapshot_lsn: u64,
    /// What the running server does; none if the files alone were read.
    pub running: Option<Running>,
}

/// What a running server does with its store, since it started.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Running {
    /// Durable commits.
    pub commits: u64,
    /// Records in them.
    pub records: u64,
    /// Octets of those records.
    pub record_octets: u64,
    /// Half of all commits took at most about so many microseconds.
    pub commit_p50_us: u64,
    /// 99 of a hundred commits took at most about so many microseconds.
    pub commit_p99_us: u64,
    /// When the last commit was durable, Unix milliseconds; 0 if none was.
    pub last_commit_ms: u64,
    /// Merges.
    pub merges: u64,
    /// Octets that merges have written.
    pub merged_octets: u64,
    /// Octets that merges have freed.
    pub freed_octets: u64,
    /// Octets that snapshots have taken.
    pub snapshot_octets: u64,
    /// How often a merge waited for commits.
    pub yields: u64,
    /// Octets held in reserve.
    pub reserve_octets: u64,
    /// What is wrong with merges or the snapshot.
    pub upkeep_trouble: Option<String>,
    /// What is wrong with commits.
    pub trouble: Option<StoreTrouble>,
}

impl StoreStats {
    /// What the files say.
    #[must_use]
    pub fn of_files(directory: &Path, read: &Recovered) -> Self {
        let summary = read.summary();
        Self {
            directory: Some(directory.to_owned()),
            segments: summary.segments as u64,
            octets: summary.octets,
            live_octets: read.live_octets(),
            addresses: summary.addresses,
            reservations: summary.reservations,
            snapshot_lsn: summary.snapshot.0,
            running: None,
        }
    }

    /// What a running server says.
    #[must_use]
    pub fn of_server(
        directory: Option<&Path>,
        store: &StatsView,
        house: &HouseView,
        trouble: Option<StoreTrouble>,
    ) -> Self {
        let micros =
            |time: std::time::Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        Self {
            directory: directory.map(Path::to_owned),
            segments: house.segments,
            octets: house.octets,
            live_octets: house.live_octets,
            addresses: house.addresses,
            reservations: house.reservations,
            snapshot_lsn: house.snapshot_lsn,
            running: Some(Running {
                commits: store.commits,
                records: store.records,
                record_octets: store.octets,
                commit_p50_us: micros(store.latency_p50),
                commit_p99_us: micros(store.latency_p99),
                last_commit_ms: store.last_commit.unwrap_or(0),
                merges: house.merges,
                merged_octets: house.merged_octets,
                freed_octets: house.freed_octets,
                snapshot_octets: house.snapshot_octets,
                yields: house.yields,
                reserve_octets: house.reserve_octets,
                upkeep_trouble: house.trouble.clone(),
                trouble,
            }),
        }
    }

    /// Octets on disk for each that lives; 0 if none does.
    #[must_use]
    pub fn amplification(&self) -> f64 {
        ratio(self.octets, self.live_octets)
    }
}

impl Running {
    /// Octets written for each octet of records.
    #[must_use]
    pub fn write_amplification(&self) -> f64 {
        let written = self.record_octets + self.merged_octets + self.snapshot_octets;
        ratio(written, self.record_octets)
    }
}

#[allow(
    clippy::cast_precision_loss,
    reason = "a ratio for people, of octets of far less than 2^52"
)]
fn ratio(of: u64, to: u64) -> f64 {
    if to == 0 { 0.0 } else { of as f64 / to as f64 }
}

impl fmt::Display for StoreStats {
    /// A line for each fact.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = |f: &mut fmt::Formatter<'_>, name: &str, value: &dyn fmt::Display| {
            writeln!(f, "{name:<20} {value}")
        };
        match &self.directory {
            Some(directory) => line(f, "directory", &directory.display())?,
            None => return line(f, "engine", &"none: nothing is kept"),
        }
        line(f, "segments", &self.segments)?;
        line(f, "octets", &self.octets)?;
        line(f, "live octets", &self.live_octets)?;
        line(
            f,
            "octets per live one",
            &format_args!("{:.2}", self.amplification()),
        )?;
        line(f, "addresses", &self.addresses)?;
        line(f, "reservations", &self.reservations)?;
        match self.snapshot_lsn {
            0 => line(f, "snapshot", &"none")?,
            lsn => line(f, "snapshot", &format_args!("up to record {lsn}"))?,
        }
        match &self.running {
            Some(running) => running.fmt(f),
            None => line(f, "server", &"not running"),
        }
    }
}

impl fmt::Display for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = |f: &mut fmt::Formatter<'_>, name: &str, value: &dyn fmt::Display| {
            writeln!(f, "{name:<20} {value}")
        };
        line(f, "commits", &self.commits)?;
        line(f, "records", &self.records)?;
        line(
            f,
            "commit p50 / p99",
            &format_args!("{} / {} us", self.commit_p50_us, self.commit_p99_us),
        )?;
        if self.last_commit_ms > 0 {
            line(f, "last commit", &utc(self.last_commit_ms / 1000))?;
        }
        line(f, "merges", &self.merges)?;
        line(f, "merged octets", &self.merged_octets)?;
        line(f, "freed octets", &self.freed_octets)?;
        line(
            f,
            "written per record",
            &format_args!("{:.2}", self.write_amplification()),
        )?;
        line(f, "merge waits", &self.yields)?;
        line(f, "reserve octets", &self.reserve_octets)?;
        if let Some(trouble) = &self.trouble {
            line(f, "trouble", trouble)?;
        }
        if let Some(trouble) = &self.upkeep_trouble {
            line(f, "upkeep", trouble)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amplification_is_what_was_written_for_what_counts() {
        let running = Running {
            record_octets: 1000,
            merged_octets: 400,
            snapshot_octets: 100,
            ..Running::default()
        };
        assert!((running.write_amplification() - 1.5).abs() < 1e-9);
        let stats = StoreStats {
            directory: Some("/x".into()),
            octets: 300,
            live_octets: 200,
            running: Some(running),
            ..StoreStats::default()
        };
        let text = stats.to_string();
        assert!(text.contains("octets per live one  1.50"), "{text}");
        assert!(text.contains("written per record   1.50"), "{text}");
        assert!(StoreStats::default().to_string().contains("none"));
        assert!(Running::default().write_amplification().abs() < 1e-9);
    }
}
