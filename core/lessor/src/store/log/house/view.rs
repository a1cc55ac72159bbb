//! What an operator may see of the upkeep of a log.

/// What an operator may see of the log's upkeep.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HouseView {
    /// Segments that take no more batches.
    pub segments: u64,
    /// Octets of them.
    pub octets: u64,
    /// Octets of the records in them that are the newest of their addresses.
    pub live_octets: u64,
    /// Addresses with a record.
    pub addresses: u64,
    /// Reservations with a record.
    pub reservations: u64,
    /// Merges since the start.
    pub merges: u64,
    /// Octets that merges have written since the start.
    pub merged_octets: u64,
    /// Octets that merges have freed since the start.
    pub freed_octets: u64,
    /// Octets that snapshots have taken since the start.
    pub snapshot_octets: u64,
    /// The snapshot knows all records up to this one; 0 if there is none.
    pub snapshot_lsn: u64,
    /// When it was written, Unix seconds.
    pub snapshot_time: u64,
    /// Octets held in reserve.
    pub reserve_octets: u64,
    /// How often a merge waited for commits.
    pub yields: u64,
    /// Why the last merge or snapshot failed, if none has succeeded since.
    pub trouble: Option<String>,
}
