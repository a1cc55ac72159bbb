//! What an operator is told: stable ids for log lines and alarms.
//!
//! Each line of the log carries one of these as `event=…`; the text beside it may change, the id
//! does not. `docs/events.md` lists them with what to do, and a test compares the two.

use std::fmt;

/// Something an operator may want to know or must act upon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// The server starts; the line names version and configuration file. Nothing to do.
    ServerStarting,
    /// Bindings are read, ports are up, clients are served. Nothing to do.
    ServerReady,
    /// The server was asked to stop; parked replies are sent before it ends. Nothing to do.
    ServerStopping,
    /// The server has ended in order. Nothing to do.
    ServerStopped,
    /// The server ends because of an error, which the line names. Remove the cause, start again.
    ServerFailed,
    /// The file has a fault, at the place named; nothing was started, and a running server goes on
    /// as before. Correct the file; `lessor check` reports all faults at once.
    ConfigInvalid,
    /// The file is taken; the line names something legal that is rarely meant. Look at the place.
    ConfigWarning,
    /// The running server has taken its file again (SIGHUP, `lessor reload`). Nothing to do.
    ConfigReloaded,
    /// The file was not taken again, for the reason named; the running server goes on as before.
    /// Correct it, restart for what needs a restart, or drop networks with leases by
    /// `lessor reload --force`.
    ConfigReloadRefused,
    /// Leases that the file taken has no pool or no network for; nobody else gets their addresses
    /// before they end. Nothing to do, if that was meant.
    ConfigLeasesOutside,
    /// A line of DPDK's own log; `eal.log_level` says which are passed on. Look at it when a device
    /// does not work.
    DpdkLog,
    /// Huge pages do not suffice, ordinary pages are used: the server is slower. Reserve more,
    /// `sysctl vm.nr_hugepages=…`, and restart.
    MemoryOrdinaryPages,
    /// The store is open; the line says how many records and addresses it has. Nothing to do.
    StoreOpened,
    /// The last batch was cut off by a crash or power loss and is dropped. No client had been
    /// acknowledged from it. Nothing to do.
    StoreTornTail,
    /// The store's engine is "none": bindings end with the process. Use `engine = "log"` for
    /// anything but measurements.
    StoreNotDurable,
    /// The store cannot write, since when and for the reason named: no client is acknowledged until
    /// it can. Said again each minute, and when the reason changes. Make room on the disk or
    /// replace it; service resumes by itself.
    StoreFailed,
    /// A commit takes longer than a reply may wait (`store.ack_timeout`), since when is named: no
    /// client is acknowledged until it is done. Said again each minute. Look at the disk, and at
    /// who else uses it; service resumes by itself.
    StoreSlow,
    /// The store works again after a failure, or in time again. Nothing to do.
    StoreRecovered,
    /// A segment could not be synced; the store goes on in a new one, and nothing was acknowledged
    /// that is not durable. Look at the disk named: it reports errors.
    StoreSegmentAbandoned,
    /// A file that the store does not need any more could not be removed; it does no harm. Look at
    /// the owner and mode of the directory.
    StoreLeftover,
    /// A start reads a large store; the line says how far it has come. Nothing to do.
    StoreReading,
    /// The snapshot of the store is damaged or belongs to other segments; all segments are read instead,
    /// which takes longer and loses nothing. Nothing to do; if it happens again look at the disk.
    StoreSnapshotIgnored,
    /// Segments were merged into one that takes their place. Nothing to do.
    StoreMerged,
    /// The store cannot merge its segments or write its snapshot, for the reason named. Clients are
    /// served and nothing is lost, but the disk fills up. Remove the cause; it is tried again by itself.
    StoreUpkeepFailed,
    /// No space is held in reserve, so a full disk may have to be cleared by hand. Make room for one
    /// segment (64 MiB) on the store's file system.
    StoreNoReserve,
    /// The store could not be written when the server ended; what is lost was not acknowledged.
    /// Remove the cause that `store.failed` named before the next start.
    StoreStoppedDirty,
    /// The store has no mark of its end, and the next start reads it as after a crash. Look at the
    /// reason named.
    StoreNotClosed,
    /// The system refused the store a means to commit sooner, so replies wait a little longer. Give
    /// the process `CAP_SYS_NICE` if that matters.
    StoreLatency,
    /// The bindings of the store are in the tables; the line says how many. Nothing to do.
    BindingsRestored,
    /// The wall clock is ahead of the newest record by more than the longest lease: it jumped, or
    /// the server was down that long. Leases that are over by it are kept for one default lease. If
    /// it is right, `lessor clock accept`; if not, set it.
    ClockHeld,
    /// The wall clock is behind the newest record; leases run on from that record's time, so none
    /// lasts longer. Set the clock.
    ClockBehind,
    /// The operator has accepted the clock; leases that were kept because of it expire. Nothing to
    /// do.
    ClockAccepted,
    /// The clock was held for one default lease; leases of clients that did not come back expire.
    /// Nothing to do.
    ClockHoldOver,
    /// The wall clock was set while the server runs, by the seconds named; leases run on as they
    /// were. After a jump by more than the longest lease a restart keeps them too, for the seconds
    /// named as kept: if the clock is right, `lessor clock accept`; if not, set it.
    ClockStepped,
    /// A port is up. Nothing to do.
    PortUp,
    /// A port has no carrier. Look at cable and peer; service resumes by itself.
    PortDown,
    /// A device has fewer queues than there are workers; some receive and send by way of others.
    /// Give it more (`qpairs`), or run fewer workers.
    PortQueues,
    /// A client found its address in use and declined it; the address is set aside for the
    /// probation time. Look for a host with a fixed address in the pool, and exclude it.
    LeaseDeclined,
    /// A client has declined as many addresses as it may: its further ones stay in use. Look at
    /// that client.
    LeaseDeclinesExceeded,
    /// A client with a lease came by another relay or circuit, and its lease moved along. Nothing to
    /// do, unless clients are not expected to move.
    LeaseMoved,
    /// A client with a lease came by another relay or circuit and got no answer (`on_move =
    /// "deny"`). If it has moved for good, it is served when its lease is over.
    LeaseMoveDenied,
    /// A station answered the probe of an address that was about to be offered; the address is set
    /// aside for the probation time. Look for that host, and exclude its address.
    LeaseBusy,
    /// An operator has ended a lease, or the probation of an address (`lessor leases release`); the
    /// line names address and client, which was not told. Nothing to do.
    LeaseReleased,
    /// A network has no address left for a new client. Enlarge its pools or shorten its leases.
    PoolExhausted,
    /// So many of a network's addresses are in use that a threshold of `alarms.pool_use` is passed;
    /// its pools count together. Enlarge them or shorten the leases before none is left.
    PoolFilling,
    /// The use of a network's addresses is below that threshold again, by `alarms.hysteresis`. Nothing
    /// to do.
    PoolRelieved,
    /// Another station says that it has an address of the appliance's own, so often since this was
    /// said last; the appliance defends it. Find that station and give it another address.
    AddressConflict,
    /// The event log's file or its collector takes nothing, for the reason named; its lines wait, and
    /// those beyond a bound are lost. Said again each minute. Remove the cause; it goes on by itself.
    EventLogFailed,
    /// The event log is written again. Nothing to do.
    EventLogRecovered,
    /// So many lease events are missing in the event log or at its collector; `lessor stats` says
    /// where they were lost. Look at the disk, or at the collector.
    EventLogLost,
    /// The metrics cannot be served for the moment. If it happens again look at the reason named.
    MetricsFailed,
    /// An operator captures frames (`lessor capture`); the line names client and port if only some
    /// are wanted. Nothing to do.
    CaptureBegun,
    /// The capture has ended; the line says how many frames were lost on their way. Nothing to do.
    CaptureEnded,
    /// An operator has reserved an address while the server runs; the line names address and
    /// client. Nothing to do.
    ReservationAdded,
    /// An operator has taken such a reservation away. Nothing to do.
    ReservationRemoved,
    /// A reservation that was made at run time does not hold, for the reason named, mostly because
    /// the configuration file says otherwise, which wins. Remove the one or the other.
    ReservationOverridden,
    /// The control socket cannot be served: `lessor stats` and its like do not work, clients are
    /// served all the same. Look at the reason named.
    ControlFailed,
}

impl Event {
    /// All of them, in the order of the documentation.
    pub const ALL: [Self; 57] = [
        Self::ServerStarting,
        Self::ServerReady,
        Self::ServerStopping,
        Self::ServerStopped,
        Self::ServerFailed,
        Self::ConfigInvalid,
        Self::ConfigWarning,
        Self::ConfigReloaded,
        Self::ConfigReloadRefused,
        Self::ConfigLeasesOutside,
        Self::DpdkLog,
        Self::MemoryOrdinaryPages,
        Self::StoreOpened,
        Self::StoreTornTail,
        Self::StoreNotDurable,
        Self::StoreFailed,
        Self::StoreSlow,
        Self::StoreRecovered,
        Self::StoreSegmentAbandoned,
        Self::StoreLeftover,
        Self::StoreReading,
        Self::StoreSnapshotIgnored,
        Self::StoreMerged,
        Self::StoreUpkeepFailed,
        Self::StoreNoReserve,
        Self::StoreStoppedDirty,
        Self::StoreNotClosed,
        Self::StoreLatency,
        Self::BindingsRestored,
        Self::ClockHeld,
        Self::ClockBehind,
        Self::ClockAccepted,
        Self::ClockHoldOver,
        Self::ClockStepped,
        Self::PortUp,
        Self::PortDown,
        Self::PortQueues,
        Self::LeaseDeclined,
        Self::LeaseDeclinesExceeded,
        Self::LeaseMoved,
        Self::LeaseMoveDenied,
        Self::LeaseBusy,
        Self::LeaseReleased,
        Self::PoolExhausted,
        Self::PoolFilling,
        Self::PoolRelieved,
        Self::AddressConflict,
        Self::EventLogFailed,
        Self::EventLogRecovered,
        Self::EventLogLost,
        Self::MetricsFailed,
        Self::CaptureBegun,
        Self::CaptureEnded,
        Self::ReservationAdded,
        Self::ReservationRemoved,
        Self::ReservationOverridden,
        Self::ControlFailed,
    ];

    /// The id.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ServerStarting => "server.starting",
            Self::ServerReady => "server.ready",
            Self::ServerStopping => "server.stopping",
            Self::ServerStopped => "server.stopped",
            Self::ServerFailed => "server.failed",
            Self::ConfigInvalid => "config.invalid",
            Self::ConfigWarning => "config.warning",
            Self::ConfigReloaded => "config.reloaded",
            Self::ConfigReloadRefused => "config.reload_refused",
            Self::ConfigLeasesOutside => "config.leases_outside",
            Self::DpdkLog => "dpdk.log",
            Self::MemoryOrdinaryPages => "memory.ordinary_pages",
            Self::StoreOpened => "store.opened",
            Self::StoreTornTail => "store.torn_tail",
            Self::StoreNotDurable => "store.not_durable",
            Self::StoreFailed => "store.failed",
            Self::StoreSlow => "store.slow",
            Self::StoreRecovered => "store.recovered",
            Self::StoreSegmentAbandoned => "store.segment_abandoned",
            Self::StoreLeftover => "store.leftover",
            Self::StoreReading => "store.reading",
            Self::StoreSnapshotIgnored => "store.snapshot_ignored",
            Self::StoreMerged => "store.merged",
            Self::StoreUpkeepFailed => "store.upkeep_failed",
            Self::StoreNoReserve => "store.no_reserve",
            Self::StoreStoppedDirty => "store.stopped_dirty",
            Self::StoreNotClosed => "store.not_closed",
            Self::StoreLatency => "store.latency",
            Self::BindingsRestored => "bindings.restored",
            Self::ClockHeld => "clock.held",
            Self::ClockBehind => "clock.behind",
            Self::ClockAccepted => "clock.accepted",
            Self::ClockHoldOver => "clock.hold_over",
            Self::ClockStepped => "clock.stepped",
            Self::PortUp => "port.up",
            Self::PortDown => "port.down",
            Self::PortQueues => "port.queues",
            Self::LeaseDeclined => "lease.declined",
            Self::LeaseDeclinesExceeded => "lease.declines_exceeded",
            Self::LeaseMoved => "lease.moved",
            Self::LeaseMoveDenied => "lease.move_denied",
            Self::LeaseBusy => "lease.busy",
            Self::LeaseReleased => "lease.released",
            Self::PoolExhausted => "pool.exhausted",
            Self::PoolFilling => "pool.filling",
            Self::PoolRelieved => "pool.relieved",
            Self::AddressConflict => "address.conflict",
            Self::EventLogFailed => "event_log.failed",
            Self::EventLogRecovered => "event_log.recovered",
            Self::EventLogLost => "event_log.lost",
            Self::MetricsFailed => "metrics.failed",
            Self::CaptureBegun => "capture.begun",
            Self::CaptureEnded => "capture.ended",
            Self::ReservationAdded => "reservation.added",
            Self::ReservationRemoved => "reservation.removed",
            Self::ReservationOverridden => "reservation.overridden",
            Self::ControlFailed => "control.failed",
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = include_str!("event.rs");
    const DOCUMENT: &str = include_str!("../../../docs/events.md");

    /// The doc comment of each variant as one line, in the order of the source.
    fn paragraphs() -> Vec<String> {
        let body = SOURCE.split("pub enum Event {").nth(1).unwrap();
        let body = body.split("\n}").next().unwrap();
        let mut paragraphs = vec![String::new()];
        for line in body.lines().map(str::trim) {
            if let Some(text) = line.strip_prefix("/// ") {
                let paragraph = paragraphs.last_mut().unwrap();
                *paragraph = format!("{paragraph} {text}").trim().to_owned();
            } else if line.ends_with(',') {
                paragraphs.push(String::new());
            }
        }
        paragraphs.pop();
        paragraphs
    }

    #[test]
    fn the_document_says_of_each_event_what_the_code_says() {
        let rows: Vec<_> = DOCUMENT
            .lines()
            .filter(|line| line.starts_with("| `"))
            .collect();
        let expected = Event::ALL.iter().zip(paragraphs());
        let expected: Vec<_> = expected
            .map(|(e, text)| format!("| `{e}` | {text} |"))
            .collect();
        assert_eq!(rows, expected);
        assert_eq!(paragraphs().len(), Event::ALL.len());
    }

    /// All of the crate's code but this file.
    fn code() -> String {
        let mut folders = vec![std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src")];
        let mut code = String::new();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if !path.ends_with("event.rs") {
                    code += &std::fs::read_to_string(path).unwrap();
                }
            }
        }
        code
    }

    #[test]
    fn each_event_is_emitted_and_each_id_emitted_is_an_event() {
        let code = code();
        for event in Event::ALL {
            let by_name = format!("%Event::{event:?},");
            let by_id = format!("event = \"{event}\"");
            assert!(
                code.contains(&by_name) || code.contains(&by_id),
                "{event:?}"
            );
        }
        for id in code
            .split("event = \"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
        {
            assert!(Event::ALL.iter().any(|event| event.as_str() == id), "{id}");
        }
    }

    #[test]
    fn ids_are_unique() {
        let mut ids = Event::ALL.map(Event::as_str).to_vec();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), Event::ALL.len());
    }
}
