//! The store that an import writes, in batches.

use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use dhcp_proto::record::Record;

use super::import::ImportError;
use crate::store::commit::MAX_BATCH;
use crate::store::encode::{self, MAX_RECORD};
use crate::store::{Batch, Log, LogOptions, Lsn, Store as _, StoreError};

/// How long a failing store is tried again.
const PATIENCE: Duration = Duration::from_secs(5);

/// The store that is written; none in a dry run.
pub(super) struct Target {
    log: Option<Log>,
    batch: Batch,
    octets: [u8; MAX_RECORD],
    durable: u64,
}

impl Target {
    pub(super) fn new(log: Option<Log>) -> Self {
        let next = log.as_ref().map_or(Lsn(1), Log::next_lsn);
        Self {
            log,
            batch: Batch::new(next),
            octets: [0; MAX_RECORD],
            durable: 0,
        }
    }

    /// Records that are durable.
    pub(super) fn durable(&self) -> u64 {
        self.durable
    }

    /// Makes the store if there is none.
    pub(super) fn open(&mut self, directory: &Path) -> Result<(), StoreError> {
        if self.log.is_none() {
            let (_, log) = Log::open(directory, LogOptions::default())?;
            self.batch.reset(log.next_lsn());
            self.log = Some(log);
        }
        Ok(())
    }

    pub(super) fn push(&mut self, record: &Record<'_>) -> Result<(), ImportError> {
        // No row is too long: its parts were measured when it was read.
        if let Ok(length) = encode::encode(record, &mut self.octets) {
            let record = self.octets.get(..length).unwrap_or_default();
            self.batch.push(record, &[]);
        }
        if self.batch.count() as usize >= MAX_BATCH {
            self.flush()?;
        }
        Ok(())
    }

    /// Makes durable what was pushed.
    pub(super) fn flush(&mut self) -> Result<(), ImportError> {
        let Some(log) = &mut self.log else {
            self.batch.reset(self.batch.first());
            return Ok(());
        };
        let count = self.batch.count();
        if count == 0 {
            return Ok(());
        }
        let next = self.batch.next();
        log.submit(std::mem::replace(&mut self.batch, Batch::new(next)));
        let until = Instant::now() + PATIENCE;
        while log.completed().is_none() {
            if Instant::now() >= until {
                let kind = io::ErrorKind::TimedOut;
                let source = log.trouble().map_or(kind.into(), |error| {
                    io::Error::new(error.kind(), error.to_string())
                });
                let written = self.durable;
                return Err(ImportError::NotWritten { written, source });
            }
            thread::sleep(Duration::from_millis(1));
        }
        self.durable += u64::from(count);
        Ok(())
    }

    /// Marks the end, so that damage to it is not taken for a torn tail.
    pub(super) fn close(&mut self) {
        if let Some(Err(error)) = self.log.as_mut().map(Log::close) {
            tracing::debug!(%error, "the store has no mark of its end");
        }
    }
}
