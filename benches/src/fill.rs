//! Stores of the benches: clients with a client identifier of 8 octets, a chaddr, and, if wanted, an
//! option 82 that no other has.

use dhcp_proto::record::{Cause, Origin, Record, RecordKind};
use lessor::store::encode::{MAX_RECORD, encode};
use lessor::store::{Batch, Log, LogOptions, Store as _};
use rustix::fs::{Advice, fadvise};
use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use crate::{Client, LEASE};

/// Octets of a record with [`AgentInfo::Usual`].
pub const RECORD: usize = 106;
/// Records of a commit where the commit is not what is measured.
pub const BATCH: usize = 4096;
/// The time in the records.
pub const TIME: u64 = 1_800_000_000;

/// What a lease says of option 82.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentInfo {
    /// The client has no relay that says anything.
    None,
    /// 16 octets: a circuit-id.
    Sixteen,
    /// 24 octets: circuit-id and remote-id.
    Usual,
}

impl AgentInfo {
    /// That of a client: no other has the same.
    fn octets(self, client: Client, into: &mut [u8; 24]) -> &[u8] {
        let (text, number): (&[u8], _) = match self {
            Self::None => return &[],
            Self::Sixteen => (b"\x01\x0eaccess-00-0000", 12),
            Self::Usual => (b"\x01\x0aport-00000\x02\x0aswitch-000", 7),
        };
        into[..text.len()].copy_from_slice(text);
        into[number..number + 4].copy_from_slice(&client.0.to_be_bytes());
        &into[..text.len()]
    }
}

/// The clients below `count` in an order that has nothing to do with their numbers, and is another
/// one for each `pass`.
#[must_use]
pub fn in_disorder(count: u32, pass: u64) -> Vec<Client> {
    let mut keyed: Vec<(u64, u32)> = (0..count)
        .map(|n| (mix(pass << 32 | u64::from(n)), n))
        .collect();
    keyed.sort_unstable();
    keyed
        .into_iter()
        .map(|(_, number)| Client(number))
        .collect()
}

/// The generator `SplitMix64`.
fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// The lease of `client`, for `take`.
pub fn with_lease<T>(
    (client, agent_info): (Client, AgentInfo),
    take: impl FnOnce(&Record<'_>) -> T,
) -> T {
    let (mac, identity) = (client.mac(), client.identity());
    let mut octets = [0; 24];
    let agent_info = agent_info.octets(client, &mut octets);
    take(&Record {
        kind: RecordKind::Active,
        cause: Cause::Unsaid,
        space: 0,
        addr: client.addr(),
        generation: 7,
        time: TIME,
        // Spread over the second half of a lease.
        expiry: TIME + u64::from(LEASE / 2 + client.0 % (LEASE / 2)),
        lease: LEASE,
        origin: Origin::default(),
        giaddr: Ipv4Addr::new(10, 0, 0, 2),
        identity: &identity,
        htype: 1,
        chaddr: &mac.0,
        agent_info,
    })
}

/// Encodes the lease of `client` behind what is in `out`; says how long it is.
pub fn encode_lease(lease: (Client, AgentInfo), out: &mut Vec<u8>) -> usize {
    let mut octets = [0; MAX_RECORD];
    let length = with_lease(lease, |lease| encode(lease, &mut octets));
    let length = length.expect("a usual record");
    out.extend_from_slice(&octets[..length]);
    length
}

/// Commits a batch.
pub fn commit(log: &mut Log, batch: Batch) -> Batch {
    log.submit(batch);
    log.completed().expect("a durable commit").into_batch()
}

/// Commits a lease of each of `clients`; tells after each commit how many records there were, and
/// ends when it is told `false`.
pub fn lease_all(
    log: &mut Log,
    clients: &[Client],
    agent_info: AgentInfo,
    mut told: impl FnMut(u64) -> bool,
) {
    let mut octets = Vec::new();
    let mut batch = Batch::new(log.next_lsn());
    let mut records = 0;
    for some in clients.chunks(BATCH) {
        batch.reset(log.next_lsn());
        for client in some {
            octets.clear();
            encode_lease((*client, agent_info), &mut octets);
            batch.push(&octets, &[]);
        }
        batch = commit(log, batch);
        records += some.len() as u64;
        if !told(records) {
            break;
        }
    }
}

/// Makes a store in the empty folder `dir` that was stopped in order: a lease of each of the first
/// `bindings` clients, in random order, and a snapshot that knows all. Ends early when `go_on` is
/// false.
pub fn closed(dir: &Path, bindings: u32, agent_info: AgentInfo, go_on: &mut dyn FnMut() -> bool) {
    let (recovered, mut log) = Log::open(dir, LogOptions::default()).expect("a log");
    log.keep_house(recovered).expect("a thread");
    lease_all(&mut log, &in_disorder(bindings, 0), agent_info, |_| go_on());
    log.close().expect("a store closed in order");
}

/// Makes a store whose records nobody has merged: `times` leases of each client.
pub fn unmerged(
    dir: &Path,
    (bindings, times): (u32, u64),
    agent_info: AgentInfo,
    go_on: &mut dyn FnMut() -> bool,
) {
    let (_, mut log) = Log::open(dir, LogOptions::default()).expect("a log");
    for pass in 0..times {
        let clients = in_disorder(bindings, pass);
        lease_all(&mut log, &clients, agent_info, |_| go_on());
    }
    log.close().expect("a store closed in order");
}

/// The files of a directory, sorted.
#[must_use]
pub fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).expect("a directory");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    files
}

/// What a start reads: segments and snapshot.
#[must_use]
pub fn contents(dir: &Path) -> Vec<PathBuf> {
    let read = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name == "snapshot" || path.extension().is_some_and(|end| end == "log")
    };
    files(dir).into_iter().filter(read).collect()
}

/// Has the kernel forget the contents of all files.
pub fn chill(dir: &Path) {
    for path in contents(dir) {
        let file = File::open(path).expect("a file");
        file.sync_all().expect("sync");
        fadvise(&file, 0, None, Advice::DontNeed).expect("advice");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_as_long_as_they_are_said_to_be() {
        let length = |agent_info| encode_lease((Client(7), agent_info), &mut Vec::new());
        assert_eq!(length(AgentInfo::Usual), RECORD);
        assert_eq!(length(AgentInfo::Sixteen), RECORD - 8);
        assert_eq!(length(AgentInfo::None), RECORD - 24);
    }

    #[test]
    fn no_two_clients_have_one_option_82() {
        for kind in [AgentInfo::Sixteen, AgentInfo::Usual] {
            let of = |client| {
                let mut octets = [0; 24];
                kind.octets(Client(client), &mut octets).to_vec()
            };
            assert_ne!(of(1), of(65_537));
        }
    }
}
