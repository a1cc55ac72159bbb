//! The table of bindings: look-ups and changes in random order.
//!
//! `BINDINGS=10000000 cargo bench --bench table` adds a table of that size. Tables stand on huge
//! pages if there are enough of them.
#![forbid(unsafe_code)]
#![allow(
    missing_docs,
    clippy::expect_used,
    reason = "criterion's macros document nothing, and a bench that cannot start ends"
)]

use core::hint::black_box;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dhcp_proto::binding::{Bindings, Bucket, Page, Sizes, Slot, SlotIndex, Storage};
use dhcp_proto::identity::HashKey;
use hugemem::{prefetch_read, slice_with};

const NETWORK: u32 = 3;
const BURST: usize = 32;

/// A client: the hash of its identity, and its identity under `identity = "chaddr"`.
type Client = (u64, [u8; 8]);

/// Client `number`, with a MAC as a cable modem has it.
fn client(number: u32) -> Client {
    let [a, b, c, d] = number.to_be_bytes();
    let identity = [2, 1, 0x00, 0x1f, a, b, c, d];
    (HashKey([7; 16]).hash(&identity), identity)
}

/// All clients of a table, in an order that has nothing to do with that of their slots.
fn shuffled(count: u32) -> Vec<Client> {
    let mut clients: Vec<Client> = (0..count).map(client).collect();
    // SplitMix64, and the shuffle of Fisher and Yates.
    let mut state = 0_u64;
    for at in (1..clients.len()).rev() {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let other = (mixed ^ (mixed >> 31)) % (at as u64 + 1);
        clients.swap(at, usize::try_from(other).unwrap_or(0));
    }
    clients
}

/// A lease time with which some sixteen leases of a table end each second, at most a day.
fn lease(count: usize) -> u32 {
    u32::try_from(count / 16).map_or(86_400, |lease| lease.min(86_400))
}

fn table(count: u32) -> Bindings {
    let lease = lease(count as usize);
    let sizes = Sizes::for_capacity(count as usize, 0);
    let mut bindings = Bindings::new(Storage {
        buckets: slice_with(sizes.buckets, |_| Bucket::EMPTY)
            .expect("buckets")
            .slice,
        slots: slice_with(sizes.slots, |_| Slot::EMPTY)
            .expect("slots")
            .slice,
        pages: slice_with(sizes.pages, |_| Page::EMPTY)
            .expect("pages")
            .slice,
    });
    for number in 0..count {
        let (hash, identity) = client(number);
        let index = bindings
            .insert(hash, NETWORK, &identity)
            .expect("a free slot");
        bindings.schedule(index, 1 + number % lease);
    }
    bindings
}

/// What is done with a binding that was found: a renewal reads and writes both of its lines.
fn renew(bindings: &mut Bindings, found: Option<SlotIndex>) {
    let slot = found.and_then(|index| bindings.slot_mut(index));
    let slot = slot.expect("every client has a binding");
    slot.started = slot.started.wrapping_add(1);
    slot.set_sequence(slot.sequence().wrapping_add(1));
}

fn prefetch(bindings: &Bindings, burst: &[Client]) {
    for (hash, _) in burst {
        if let Some(bucket) = bindings.bucket(*hash, NETWORK) {
            prefetch_read(bucket);
        }
    }
    for (hash, _) in burst {
        if let Some(slot) = bindings.probe(*hash, NETWORK) {
            prefetch_read(slot);
            prefetch_read(slot.end());
        }
    }
}

fn look_ups(criterion: &mut Criterion, bindings: &mut Bindings, clients: &[Client]) {
    let mut group = criterion.benchmark_group(format!("table/{}", clients.len()));
    group.throughput(Throughput::Elements(BURST as u64));
    let mut bursts = clients.chunks_exact(BURST).cycle();
    group.bench_function("renew, one by one", |bencher| {
        bencher.iter(|| {
            for (hash, identity) in bursts.next().unwrap_or_default() {
                let found = bindings.find(*hash, NETWORK, black_box(identity));
                renew(bindings, found);
            }
        });
    });
    group.bench_function("renew, three passes", |bencher| {
        bencher.iter(|| {
            let burst = bursts.next().unwrap_or_default();
            prefetch(bindings, burst);
            for (hash, identity) in burst {
                let found = bindings.find(*hash, NETWORK, black_box(identity));
                renew(bindings, found);
            }
        });
    });
    group.bench_function("unknown client, three passes", |bencher| {
        bencher.iter(|| {
            let burst = bursts.next().unwrap_or_default();
            prefetch(bindings, burst);
            for (hash, identity) in burst {
                black_box(bindings.find(!*hash, NETWORK, black_box(identity)));
            }
        });
    });
    group.finish();
}

fn changes(criterion: &mut Criterion, bindings: &mut Bindings, clients: &[Client]) {
    let lease = lease(clients.len());
    let mut group = criterion.benchmark_group(format!("table/{}", clients.len()));
    group.throughput(Throughput::Elements(BURST as u64));
    let mut bursts = clients.chunks_exact(BURST).cycle();
    group.bench_function("remove, insert, schedule", |bencher| {
        bencher.iter(|| {
            for (hash, identity) in bursts.next().unwrap_or_default() {
                if let Some(index) = bindings.find(*hash, NETWORK, identity) {
                    bindings.remove(index);
                }
                let entered = bindings.insert(*hash, NETWORK, identity);
                bindings.schedule(entered.expect("a slot was freed"), 1 + lease / 2);
            }
        });
    });
    let mut now = 0;
    group.bench_function("timer fires, is armed anew", |bencher| {
        bencher.iter(|| {
            let mut fired = 0;
            while fired < BURST {
                let mut budget = 2 * BURST;
                while let Some(index) = bindings.due(now, &mut budget) {
                    bindings.schedule(index, now + lease);
                    fired += 1;
                }
                now += u32::from(budget > 0);
            }
        });
    });
    group.finish();
}

fn tables(criterion: &mut Criterion) {
    let more = std::env::var("BINDINGS")
        .ok()
        .and_then(|count| count.parse().ok());
    for count in [1_000, 1_000_000].into_iter().chain(more) {
        let mut bindings = table(count);
        let clients = shuffled(count);
        look_ups(criterion, &mut bindings, &clients);
        changes(criterion, &mut bindings, &clients);
    }
}

criterion_group!(benches, tables);
criterion_main!(benches);
