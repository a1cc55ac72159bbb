//! Whose a message is: the worker that decides about it.

use super::query::{Client, Query};
use crate::address::Worker;
use crate::config::Config;
use crate::identity::shard_of;
use crate::shard::Shard;

/// The worker that decides about `query`, asked on the worker of `shard`: the one that the
/// client's identity names, for good.
///
/// A renewal that does not carry its client's circuit belongs to the worker that the word of
/// ciaddr names. That may have changed by the time it gets there; then it goes on from there.
/// INFORM looks at no binding (C69), so whoever has it answers.
#[must_use]
#[inline]
pub fn owner(query: &Query<'_>, config: &Config, shard: &Shard) -> Worker {
    let (me, workers) = (shard.worker(), shard.workers());
    if workers <= 1 {
        return me;
    }
    match &query.client {
        Client::Known(_, hash) => u8::try_from(shard_of(*hash, workers)).map_or(me, Worker),
        Client::HolderOf(addr) => {
            let network = config.network(query.network);
            let cell = network.and_then(|network| config.cell(network.space, *addr));
            let owner = cell.map_or(me, |cell| cell.load().owner());
            // A word that nobody ever claimed names worker 0.
            if u16::from(owner.0) < workers {
                owner
            } else {
                me
            }
        }
        Client::Anyone => me,
    }
}
