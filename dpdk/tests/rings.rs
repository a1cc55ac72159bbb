//! Rings that hand buffers from thread to thread.

mod support;

use dpdk::{BURST, RingError, SharedRing, spsc};
use support::{eal, firsts, frames, fresh, pool, until};

#[test]
fn what_goes_in_comes_out_in_order() {
    let pool = pool(63);
    let (mut producer, mut consumer) = spsc(eal(), &fresh("ring"), 16).unwrap();
    let mut burst = frames(pool, 0..20);
    assert_eq!(producer.enqueue(&mut burst), 15);
    assert_eq!((producer.len(), consumer.len()), (15, 15));
    assert_eq!(firsts(&burst), (15..20).collect::<Vec<u8>>());
    let mut out = Vec::with_capacity(4);
    assert_eq!(consumer.dequeue(&mut out), out.capacity());
    assert_eq!(producer.enqueue(&mut burst), 4);
    out.reserve(BURST);
    while consumer.dequeue(&mut out) > 0 {
        out.reserve(BURST);
    }
    assert!(consumer.is_empty() && producer.is_empty());
    assert_eq!(firsts(&out), (0..19).collect::<Vec<u8>>());
    drop((out, burst));
    assert_eq!(pool.available(), 63);
}

#[test]
fn a_ring_that_is_dropped_frees_what_is_inside() {
    let pool = pool(127);
    let name = fresh("ring");
    let (mut producer, consumer) = spsc(eal(), &name, 128).unwrap();
    producer.enqueue(&mut frames(pool, 0..100));
    drop(consumer);
    assert_eq!(pool.available(), 27);
    drop(producer);
    assert_eq!(pool.available(), 127);
    // The name is free again.
    spsc(eal(), &name, 128).unwrap();
}

#[test]
fn a_ring_that_cannot_be_says_why() {
    let name = fresh("ring");
    let _alive = spsc(eal(), &name, 16).unwrap();
    for size in [0, 1, 15, 48, u32::MAX] {
        let refused = spsc(eal(), "odd", size);
        assert!(matches!(refused, Err(RingError::BadSize(at)) if at == size));
    }
    let long = "x".repeat(40);
    for (name, size) in [(name.as_str(), 16), ("huge", 1 << 31), (&long, 16)] {
        let error = spsc(eal(), name, size).unwrap_err();
        assert!(matches!(error, RingError::Create { .. }), "{error}");
        assert!(error.to_string().contains(name), "{error}");
    }
    assert!(matches!(spsc(eal(), "a\0", 16), Err(RingError::BadName(_))));
}

#[test]
fn two_threads_move_every_buffer_once() {
    const ROUNDS: u32 = 20_000;
    let pool = pool(255);
    let (mut producer, mut consumer) = spsc(eal(), &fresh("ring"), 64).unwrap();
    let taker = std::thread::spawn(move || {
        let mut next = 0u32;
        let mut burst = Vec::with_capacity(BURST);
        until("all have come", || {
            if consumer.dequeue(&mut burst) == 0 {
                std::thread::yield_now();
            }
            for mbuf in burst.drain(..) {
                let number = u32::from_be_bytes(mbuf.data().try_into().unwrap());
                assert_eq!(number, next);
                next += 1;
            }
            next == ROUNDS
        });
    });
    for number in 0..ROUNDS {
        let mut one = Vec::with_capacity(1);
        until("a buffer is free", || pool.alloc_burst(&mut one, 1).is_ok());
        one[0]
            .append(4)
            .unwrap()
            .copy_from_slice(&number.to_be_bytes());
        until("there is room", || producer.enqueue(&mut one) == 1);
    }
    taker.join().unwrap();
    assert_eq!(pool.available(), 255);
}

#[test]
fn a_shared_ring_takes_any_thread() {
    const EACH: u32 = 5_000;
    let pool = pool(255);
    let ring = SharedRing::create(eal(), &fresh("ring"), 64).unwrap();
    let putters = [(); 2].map(|()| {
        let ring = ring.clone();
        std::thread::spawn(move || {
            for _ in 0..EACH {
                let mut one = Vec::with_capacity(1);
                until("a buffer is free", || pool.alloc_burst(&mut one, 1).is_ok());
                until("there is room", || ring.enqueue(&mut one) == 1);
            }
        })
    });
    let mut burst = Vec::with_capacity(BURST);
    let mut taken = 0;
    until("all have come", || {
        taken += ring.dequeue(&mut burst);
        burst.clear();
        taken == 2 * EACH as usize
    });
    for putter in putters {
        putter.join().unwrap();
    }
    assert!(ring.is_empty());
    assert_eq!(pool.available(), 255);
}
