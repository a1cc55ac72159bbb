//! Which messages of a burst are taken on while there is more work than capacity.

use dhcp_proto::config::Config;
use dhcp_proto::record::{Journal, fill_of};
use dhcp_proto::server::{self, Client, Query};
use dhcp_proto::shard::Shard;
use dhcp_proto::time::Instant;
use dhcp_wire::dhcp::MessageType;

use super::arrival::Arrival;
use super::counters::DropReason;
use super::overload;
pub use super::overload::Load;
use super::parked::ParkedReplies;
use super::ports::BURST;

/// Which messages of a burst are taken on.
#[derive(Debug)]
pub struct Gate<'w> {
    load: &'w mut Load,
    /// Replies that are parked, those of this burst included.
    pub used: usize,
    /// How many there may be.
    most: usize,
    /// How full the journal is, in 1/64.
    journal: u8,
    /// Whether anything may be refused at all.
    pub is_narrow: bool,
    now: u32,
}

impl<'w> Gate<'w> {
    /// The gate for a burst of a worker with this load, and this way to the disk.
    #[inline]
    pub fn new<K>(
        load: &'w mut Load,
        (parked, journal): (&ParkedReplies<K>, &impl Journal),
        now: Instant,
    ) -> Self {
        let (used, most) = (parked.len(), parked.most());
        let journal = journal.fill();
        let after = fill_of(used + BURST, most);
        let is_narrow = load.is_high() || overload::is_disk_high(journal.max(after));
        Self {
            load,
            used,
            most,
            journal,
            is_narrow,
            now: now.secs(),
        }
    }

    /// Whether a message is taken on.
    ///
    /// # Errors
    ///
    /// What it is counted as if it is not.
    pub fn admit(
        &mut self,
        query: &Query<'_>,
        config: &Config,
        shard: &Shard,
    ) -> Result<(), DropReason> {
        let rank = server::rank(query, config, shard, self.now);
        let disk = fill_of(self.used, self.most).max(self.journal);
        let is_full = query.kind == MessageType::Request && self.used >= self.most;
        if self.load.refuses(rank) || is_full || overload::disk_refuses(disk, rank) {
            return Err(overload::shed(rank));
        }
        Ok(())
    }
}

/// Drops the messages of a burst whose client has sent a newer one of the same kind in it, each
/// after `dropped` was told of it.
#[cold]
pub fn drop_copies<'q>(
    queries: &mut [Option<(Query<'q>, Arrival)>; BURST],
    mut dropped: impl FnMut(&Query<'q>),
) {
    for at in 0..BURST {
        let (older, newer) = queries.split_at_mut(at + 1);
        let Some(place) = older.last_mut() else {
            continue;
        };
        let is_copy = |query: &Query<'_>| {
            let newer = newer.iter().flatten();
            newer.clone().any(|(newer, _)| is_copy_of(query, newer))
        };
        if let Some((query, _)) = place
            && is_copy(query)
        {
            dropped(query);
            *place = None;
        }
    }
}

/// Whether two messages say the same thing of the same client.
fn is_copy_of(one: &Query<'_>, other: &Query<'_>) -> bool {
    match (&one.client, &other.client) {
        (Client::Known(one_identity, one_hash), Client::Known(other_identity, other_hash)) => {
            one_hash == other_hash
                && one.kind == other.kind
                && one.network == other.network
                && one_identity == other_identity
        }
        _ => false,
    }
}
