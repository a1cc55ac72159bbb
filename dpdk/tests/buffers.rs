//! Pools and buffers.

mod support;

use dpdk::{Exhausted, Mempool, MempoolConfig, MempoolError, NoRoom, free_burst};
use support::{eal, frame, fresh, pool};

#[test]
fn a_pool_gives_what_it_has_and_takes_it_back() {
    let pool = pool(63);
    assert_eq!(pool.available(), 63);
    let mut all = Vec::with_capacity(100);
    pool.alloc_burst(&mut all, 60).unwrap();
    assert_eq!((all.len(), pool.available()), (60, 3));
    assert_eq!(pool.alloc_burst(&mut all, 4), Err(Exhausted));
    assert_eq!((all.len(), pool.available()), (60, 3));
    all.extend((0..3).map(|_| pool.alloc().unwrap()));
    assert!(pool.alloc().is_none());
    let mut elsewhere = all.split_off(20);
    std::thread::spawn(move || elsewhere.clear())
        .join()
        .unwrap();
    assert_eq!(pool.available(), 43);
    drop(all);
    assert_eq!(pool.available(), 63);
}

#[test]
fn a_burst_is_bounded_by_the_vector_and_by_the_count() {
    let pool = pool(63);
    let mut burst = Vec::with_capacity(8);
    let capacity = burst.capacity();
    pool.alloc_burst(&mut burst, 3).unwrap();
    assert_eq!(burst.len(), 3);
    pool.alloc_burst(&mut burst, usize::MAX).unwrap();
    assert_eq!((burst.len(), burst.capacity()), (capacity, capacity));
    pool.alloc_burst(&mut burst, 1).unwrap();
    assert_eq!(burst.len(), capacity);
}

#[test]
fn a_burst_is_freed_at_once() {
    let (one, other) = (pool(63), pool(63));
    let mut burst: Vec<_> = (0..40)
        .map(|n| frame(if n % 3 == 0 { one } else { other }, 1, 9))
        .collect();
    assert_eq!((one.available(), other.available()), (63 - 14, 63 - 26));
    free_burst(&mut burst);
    assert!(burst.is_empty());
    assert_eq!((one.available(), other.available()), (63, 63));
    free_burst(&mut burst);
}

#[test]
fn a_pool_that_cannot_be_says_why() {
    let small = MempoolConfig {
        name: fresh("twice"),
        mbufs: 7,
        cache: 0,
        data_room: 256,
    };
    Mempool::create(eal(), small.clone()).unwrap();
    let refused = |config: MempoolConfig| Mempool::create(eal(), config).unwrap_err().to_string();
    assert!(refused(small.clone()).contains("File exists"));
    let large = MempoolConfig {
        name: fresh("large"),
        mbufs: 10_000_000,
        ..small.clone()
    };
    let text = refused(large);
    assert!(
        text.contains("MiB") && text.contains("Cannot allocate memory"),
        "{text}"
    );
    for (name, data_room) in [("a\0", 256), ("b", u16::MAX)] {
        let bad = MempoolConfig {
            name: name.to_owned(),
            data_room,
            ..small.clone()
        };
        let error = Mempool::create(eal(), bad).unwrap_err();
        assert!(matches!(error, MempoolError::BadArgument(..)), "{error}");
    }
}

#[test]
fn a_pools_size_is_told_before_it_is_made() {
    let config = MempoolConfig {
        name: fresh("sized"),
        mbufs: 4095,
        cache: 0,
        data_room: 2048,
    };
    let octets = config.octets();
    assert!(
        (4095 * (2048 + 128 + 128)..4096 * 2600).contains(&octets),
        "{octets}"
    );
}

#[test]
fn a_fresh_buffer_is_empty_with_room_on_both_sides() {
    let pool = pool(63);
    let mut mbuf = pool.alloc().unwrap();
    assert!(mbuf.is_empty() && mbuf.data().is_empty() && mbuf.data_mut().is_empty());
    assert_eq!((mbuf.headroom(), mbuf.capacity()), (128, 2048));
    assert_eq!(mbuf.room_mut().len(), 2048);
}

#[test]
fn a_frame_grows_and_shrinks_at_both_ends() {
    let pool = pool(63);
    let mut mbuf = frame(pool, 5, 10);
    mbuf.prepend(4).unwrap().copy_from_slice(b"head");
    mbuf.append(4).unwrap().copy_from_slice(b"tail");
    assert_eq!(
        mbuf.data(),
        b"head\x05\x05\x05\x05\x05\x05\x05\x05\x05\x05tail"
    );
    assert_eq!((mbuf.headroom(), mbuf.capacity()), (124, 2052));
    mbuf.advance(3).unwrap();
    mbuf.trim(3).unwrap();
    assert_eq!(mbuf.data(), b"d\x05\x05\x05\x05\x05\x05\x05\x05\x05\x05t");
    assert_eq!((mbuf.headroom(), mbuf.capacity()), (127, 2049));
    mbuf.advance(12).unwrap();
    assert!(mbuf.is_empty());
}

#[test]
fn what_does_not_fit_is_refused_and_changes_nothing() {
    let pool = pool(63);
    let mut mbuf = frame(pool, 5, 10);
    let none = |asked, room| Err(NoRoom { asked, room });
    assert_eq!(mbuf.prepend(129).map(|_| ()), none(129, 128));
    assert_eq!(mbuf.append(2039).map(|_| ()), none(2039, 2038));
    assert_eq!(mbuf.append(usize::MAX).map(|_| ()), none(usize::MAX, 2038));
    assert_eq!(mbuf.prepend(usize::MAX).map(|_| ()), none(usize::MAX, 128));
    assert_eq!(mbuf.set_len(2049), none(2049, 2048));
    assert_eq!(mbuf.set_len(usize::MAX), none(usize::MAX, 2048));
    assert_eq!(mbuf.set_len(1 << 16), none(1 << 16, 2048));
    assert_eq!(mbuf.advance(11), none(11, 10));
    assert_eq!(mbuf.trim(11), none(11, 10));
    assert_eq!(
        (mbuf.data(), mbuf.headroom(), mbuf.capacity()),
        (&[5; 10][..], 128, 2048)
    );
    mbuf.set_len(2048).unwrap();
    mbuf.prepend(128).unwrap();
    assert_eq!(
        (mbuf.len(), mbuf.headroom(), mbuf.capacity()),
        (2176, 0, 2176)
    );
}

#[test]
fn a_reply_longer_than_its_query_is_written_in_place() {
    let pool = pool(63);
    let mut mbuf = frame(pool, 1, 300);
    let room = mbuf.room_mut();
    room[..600].fill(2);
    mbuf.set_len(600).unwrap();
    assert_eq!(mbuf.data(), [2; 600]);
}

#[test]
fn a_shared_buffer_is_freed_by_its_last_holder() {
    let pool = pool(63);
    let shared = frame(pool, 7, 20).share();
    let second = shared.try_clone().unwrap();
    assert_eq!((shared.holders(), pool.available()), (2, 62));
    assert_eq!((shared.data(), second.data()), (&[7; 20][..], &[7; 20][..]));
    let shared = shared.try_own().unwrap_err();
    std::thread::spawn(move || drop(second)).join().unwrap();
    assert_eq!((shared.holders(), pool.available()), (1, 62));
    let mut owned = shared.try_own().unwrap();
    owned.data_mut().fill(8);
    assert_eq!((owned.data(), pool.available()), (&[8; 20][..], 62));
    drop(owned);
    assert_eq!(pool.available(), 63);
}

#[test]
fn a_buffer_has_no_more_holders_than_can_be_counted() {
    let pool = pool(63);
    let shared = frame(pool, 7, 20).share();
    let mut holders = Vec::new();
    while let Some(clone) = shared.try_clone() {
        holders.push(clone);
    }
    assert_eq!(usize::from(shared.holders()), holders.len() + 1);
    assert!(holders.len() > 30_000);
    holders.pop();
    assert!(shared.try_clone().is_some());
    drop((holders, shared));
    assert_eq!(pool.available(), 63);
}

#[test]
fn a_registered_thread_has_a_cache_and_no_buffer_is_lost_in_it() {
    let config = MempoolConfig {
        name: fresh("cached"),
        mbufs: 1023,
        cache: 64,
        data_room: 256,
    };
    let pool = Mempool::create(eal(), config).unwrap();
    let work = move || {
        let lcore = eal().register_thread().unwrap();
        let again = eal().register_thread();
        assert_eq!(
            again.unwrap_err(),
            dpdk::LcoreError::AlreadyRegistered(lcore.id())
        );
        for _ in 0..1000 {
            let mut burst = Vec::with_capacity(32);
            pool.alloc_burst(&mut burst, 32).unwrap();
            assert_eq!(burst.len(), 32);
        }
        lcore.id()
    };
    let ids = [(); 3]
        .map(|()| std::thread::spawn(work))
        .map(|thread| thread.join().unwrap());
    assert!(
        ids.iter().all(|&id| id != 0),
        "the main lcore is no worker: {ids:?}"
    );
    assert_eq!(pool.available(), 1023);
}
