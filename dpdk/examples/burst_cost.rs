//! What the calls into DPDK cost, in nanoseconds, on `net_null`, whose own work is small.
//!
//! `cargo run --release -p dpdk --example burst_cost`

#![allow(
    unsafe_code,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    reason = "a program that measures and prints, and has nobody to return an error to"
)]

use std::hint::black_box;
use std::time::Instant;

use dpdk::{
    BURST, Eal, EalConfig, Mempool, MempoolConfig, Port, PortConfig, StartedPort, free_burst, spsc,
};

const TRIES: u32 = 50;
const ROUNDS: u32 = 20_000;

/// Prints what one of `ROUNDS` calls of `round` takes, in the best of `TRIES`.
fn measure(what: &str, mut round: impl FnMut()) {
    let once = |_| {
        let start = Instant::now();
        for _ in 0..ROUNDS {
            round();
        }
        start.elapsed().as_secs_f64() * 1e9 / f64::from(ROUNDS)
    };
    let each = (0..TRIES).map(once).fold(f64::INFINITY, f64::min);
    let packet = each / BURST as f64;
    println!("{what:<34} {each:>8.1} ns  {packet:>6.2} ns a packet");
}

fn main() {
    let config = EalConfig {
        file_prefix: format!("burst-cost-{}", std::process::id()),
        no_huge: true,
        memory_mib: Some(64),
        ..EalConfig::default()
    };
    let eal = Eal::start(&config).unwrap();
    let _lcore = eal.register_thread().unwrap();
    let pool = MempoolConfig {
        name: "burst-cost".to_owned(),
        mbufs: 8191,
        cache: 256,
        data_room: 2048,
    };
    let pool = Mempool::create(eal, pool).unwrap();
    let started = Port::open(eal, "net_null0", pool, &PortConfig::default()).unwrap();
    let StartedPort { mut rx, mut tx, .. } = started;
    let (mut rx, mut tx) = (rx.remove(0), tx.remove(0));
    let mut burst = Vec::with_capacity(BURST);

    println!("{}, bursts of {BURST}", dpdk::version());
    measure("a call that reads one variable", || {
        // SAFETY: the call reads a variable of this thread.
        black_box(unsafe { dpdk_sys::dpdk_errno() });
    });
    measure("transmit of an empty burst", || {
        black_box(tx.transmit(&mut burst));
    });
    measure("allocate, free one by one", || {
        pool.alloc_burst(&mut burst, BURST).unwrap();
        burst.clear();
    });
    measure("allocate, free at once", || {
        pool.alloc_burst(&mut burst, BURST).unwrap();
        free_burst(&mut burst);
    });
    measure("receive and transmit", || {
        rx.receive(&mut burst);
        tx.transmit(&mut burst);
    });
    measure("receive, read, write and transmit", || {
        rx.receive(&mut burst);
        for mbuf in &mut burst {
            let first = mbuf.data().first().copied().unwrap_or_default();
            mbuf.data_mut()[1] = first;
            mbuf.set_len(60).unwrap();
        }
        tx.transmit(&mut burst);
    });
    let (mut producer, mut consumer) = spsc(eal, "burst-cost", 1024).unwrap();
    pool.alloc_burst(&mut burst, BURST).unwrap();
    measure("through a ring, in and out", || {
        producer.enqueue(&mut burst);
        consumer.dequeue(&mut burst);
    });
}
