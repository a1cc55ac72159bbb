//! One environment a process, without huge pages and without files, and frames to send.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    dead_code,
    unreachable_pub,
    reason = "what tests share; not every test file needs all of it"
)]

use std::env;
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use dpdk::{Eal, EalConfig, Mbuf, Mempool, MempoolConfig, RxQueue};

/// What every test starts with.
pub fn config() -> EalConfig {
    EalConfig {
        file_prefix: format!("dpdk-test-{}", std::process::id()),
        no_huge: true,
        memory_mib: Some(64),
        ..EalConfig::default()
    }
}

/// The environment of this process.
pub fn eal() -> &'static Eal {
    static EAL: OnceLock<&'static Eal> = OnceLock::new();
    EAL.get_or_init(|| Eal::start(&config()).unwrap())
}

/// A name that no other test in this process has.
pub fn fresh(stem: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{stem}{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A pool of its own for each test, without caches.
pub fn pool(mbufs: u32) -> &'static Mempool {
    let config = MempoolConfig {
        name: fresh("pool"),
        mbufs,
        cache: 0,
        data_room: 2048,
    };
    Mempool::create(eal(), config).unwrap()
}

/// A frame of `len` octets, each `octet`.
pub fn frame(pool: &Mempool, octet: u8, len: usize) -> Mbuf {
    let mut mbuf = pool.alloc().expect("the pool has a buffer");
    mbuf.append(len).unwrap().fill(octet);
    mbuf
}

/// Frames of 60 octets, told apart by them.
pub fn frames(pool: &Mempool, octets: impl IntoIterator<Item = u8>) -> Vec<Mbuf> {
    octets
        .into_iter()
        .map(|octet| frame(pool, octet, 60))
        .collect()
}

/// The first octet of each frame.
pub fn firsts(burst: &[Mbuf]) -> Vec<u8> {
    burst.iter().map(|mbuf| mbuf.data()[0]).collect()
}

/// Asks `ready` again until it says yes; the time only ends a test that would hang.
pub fn until(what: &str, mut ready: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_mins(1);
    while !ready() {
        assert!(Instant::now() < end, "never: {what}");
        std::thread::yield_now();
    }
}

/// Receives until there are `count` frames.
pub fn receive(queue: &mut RxQueue, count: usize) -> Vec<Mbuf> {
    let mut burst = Vec::with_capacity(count + dpdk::BURST);
    until("the frames arrive", || {
        queue.receive(&mut burst);
        burst.len() >= count
    });
    burst
}

/// Says to a test that the network it sees is its own to change.
const OWN_NETWORK: &str = "DPDK_TEST_OWN_NETWORK";

/// Runs the ignored test `name` in a process in a network of its own, which ends with it.
pub fn in_a_network_of_its_own(name: &str) {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED {name}: a network name space needs root");
        return;
    }
    let output = Command::new("unshare")
        .arg("--net")
        .env(OWN_NETWORK, "1")
        .arg(env::current_exe().unwrap())
        .args(["--exact", name, "--ignored", "--nocapture"])
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&text)
    );
    assert!(
        String::from_utf8_lossy(&text).contains("1 passed"),
        "{name} is no test"
    );
}

/// Runs the command of that name, which sets interfaces up.
pub fn ip(arguments: &str) {
    assert!(
        env::var_os(OWN_NETWORK).is_some(),
        "run by its parent, in a network of its own"
    );
    let status = Command::new("ip")
        .args(arguments.split(' '))
        .status()
        .unwrap();
    assert!(status.success(), "ip {arguments}");
}

/// Keeps the kernel from saying anything of its own on interfaces made after this: router
/// solicitations would come among the test's frames.
pub fn quiet() {
    ip("link set lo up");
    let quiet = "/proc/sys/net/ipv6/conf/default/disable_ipv6";
    // A kernel without IPv6 has nothing to say.
    drop(std::fs::write(quiet, "1"));
}
