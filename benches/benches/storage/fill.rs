//! Stores of a bench: clients with a client identifier of 8 octets, a chaddr, and an option 82 of
//! 24 octets that no other has. A record has 106 octets.

use dhcp_proto::record::{Cause, Origin, Record, RecordKind};
use lessor::store::encode::{MAX_RECORD, encode};
use lessor::store::{Batch, Log, Store as _};
use lessor_benches::Client;
use std::net::Ipv4Addr;

/// Octets of every record here.
pub(crate) const RECORD: usize = 106;
/// Records of a commit where the commit is not what is measured.
pub(crate) const BATCH: usize = 4096;
/// The time in the records.
pub(crate) const TIME: u64 = 1_800_000_000;
const LEASE: u32 = 86_400;

/// The clients below `count` in an order that has nothing to do with their numbers, and is another
/// one for each `pass`.
pub(crate) fn in_disorder(count: u32, pass: u64) -> Vec<Client> {
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
pub(crate) fn with_lease<T>(client: Client, take: impl FnOnce(&Record<'_>) -> T) -> T {
    let mac = client.mac();
    let mut identity = [2, 1, 0, 0, 0, 0, 0, 0];
    identity[2..].copy_from_slice(&mac.0);
    let mut agent_info = *b"\x01\x0aport-00000\x02\x0aswitch-000";
    agent_info[7..11].copy_from_slice(&client.0.to_be_bytes());
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
        agent_info: &agent_info,
    })
}

/// Encodes the lease of `client` behind what is in `out`.
pub(crate) fn encode_lease(client: Client, out: &mut Vec<u8>) {
    let mut octets = [0; MAX_RECORD];
    let length = with_lease(client, |lease| encode(lease, &mut octets));
    let length = length.expect("a usual record");
    assert_eq!(length, RECORD);
    out.extend_from_slice(&octets[..length]);
}

/// Commits a batch.
pub(crate) fn commit(log: &mut Log, batch: Batch) -> Batch {
    log.submit(batch);
    log.completed().expect("a durable commit").into_batch()
}

/// Commits a lease of each of `clients`, and tells after each commit how many records there were.
pub(crate) fn lease_all(log: &mut Log, clients: &[Client], mut told: impl FnMut(u64)) {
    let mut octets = Vec::new();
    let mut batch = Batch::new(log.next_lsn());
    let mut records = 0;
    for some in clients.chunks(BATCH) {
        octets.clear();
        for client in some {
            encode_lease(*client, &mut octets);
        }
        batch.reset(log.next_lsn());
        for record in octets.chunks_exact(RECORD) {
            batch.push(record, &[]);
        }
        batch = commit(log, batch);
        records += some.len() as u64;
        told(records);
    }
}
