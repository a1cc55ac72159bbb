//! `net_ring`: a device whose transmit queue is its own receive queue, so that it is known where
//! every buffer is.

mod support;

use dpdk::{BURST, Port, PortConfig, PortError, RxDropped, StartedPort};
use support::{eal, firsts, frame, frames, fresh, pool, receive};

#[test]
fn what_is_sent_is_received_in_order() {
    let pool = pool(255);
    let started = Port::open(eal(), &fresh("net_ring"), pool, &PortConfig::default()).unwrap();
    let StartedPort {
        port,
        mut rx,
        mut tx,
    } = started;
    let mut burst = frames(pool, 0..40);
    assert_eq!(tx[0].transmit(&mut burst), 40);
    assert!(burst.is_empty());
    let mut got = Vec::with_capacity(64);
    assert_eq!(rx[0].receive(&mut got), BURST);
    assert_eq!(rx[0].receive(&mut got), 8);
    assert_eq!(rx[0].receive(&mut got), 0);
    assert_eq!(firsts(&got), (0..40).collect::<Vec<u8>>());
    assert!(got.iter().all(|mbuf| mbuf.len() == 60));
    let counted = port.statistics().unwrap();
    assert_eq!((counted.rx_packets, counted.tx_packets), (40, 40));
}

#[test]
fn each_buffer_is_sent_or_left_and_freed_once() {
    let pool = pool(4095);
    let started = Port::open(eal(), &fresh("net_ring"), pool, &PortConfig::default()).unwrap();
    let StartedPort {
        port,
        mut rx,
        mut tx,
    } = started;
    // More than the device's ring holds, so that it takes a part and leaves a part.
    let mut burst: Vec<_> = (0..2000u16)
        .map(|n| {
            let mut mbuf = frame(pool, 0, 60);
            mbuf.data_mut()[..2].copy_from_slice(&n.to_be_bytes());
            mbuf
        })
        .collect();
    let taken = tx[0].transmit(&mut burst);
    assert!((1..2000).contains(&taken), "{taken}");
    assert_eq!(taken + burst.len(), 2000);
    assert_eq!(pool.available(), 4095 - 2000);
    let got = receive(&mut rx[0], taken);
    let numbers: Vec<u16> = got
        .iter()
        .chain(&burst)
        .map(|mbuf| u16::from_be_bytes([mbuf.data()[0], mbuf.data()[1]]))
        .collect();
    assert_eq!(numbers, (0..2000).collect::<Vec<u16>>());
    drop(got);
    assert_eq!(pool.available(), 4095 - u32::try_from(burst.len()).unwrap());
    drop(burst);
    assert_eq!(pool.available(), 4095);
    drop((rx, tx));
    port.close().unwrap();
    assert_eq!(pool.available(), 4095);
}

#[test]
fn a_device_that_takes_two_of_three_leaves_the_third() {
    let pool = pool(4095);
    let started = Port::open(eal(), &fresh("net_ring"), pool, &PortConfig::default()).unwrap();
    let StartedPort { mut rx, mut tx, .. } = started;
    let mut fill = frames(pool, std::iter::repeat_n(9, 2000));
    let room = tx[0].transmit(&mut fill);
    drop(fill);
    let mut two = Vec::with_capacity(2);
    rx[0].receive(&mut two);
    assert_eq!(two.len(), 2);
    let mut three = frames(pool, [1, 2, 3]);
    assert_eq!(tx[0].transmit(&mut three), 2);
    assert_eq!(firsts(&three), [3]);
    assert_eq!(tx[0].transmit(&mut three), 0);
    assert_eq!(firsts(&three), [3]);
    let got = receive(&mut rx[0], room);
    assert_eq!(firsts(&got[room - 2..]), [1, 2]);
    drop((two, three, got));
    assert_eq!(pool.available(), 4095);
}

#[test]
fn a_full_vector_receives_nothing_and_loses_nothing() {
    let pool = pool(63);
    let started = Port::open(eal(), &fresh("net_ring"), pool, &PortConfig::default()).unwrap();
    let StartedPort { mut rx, mut tx, .. } = started;
    tx[0].transmit(&mut frames(pool, 0..3));
    let mut full = Vec::new();
    assert_eq!(rx[0].receive(&mut full), 0);
    assert_eq!(full.capacity(), 0);
    assert_eq!(firsts(&receive(&mut rx[0], 3)), [0, 1, 2]);
}

#[test]
fn a_port_is_closed_with_its_last_queue_and_opens_again() {
    let pool = pool(63);
    let name = fresh("net_ring");
    for _ in 0..3 {
        let started = Port::open(eal(), &name, pool, &PortConfig::default()).unwrap();
        let StartedPort { port, rx, tx } = started;
        let twice = Port::open(eal(), &name, pool, &PortConfig::default());
        assert!(matches!(twice, Err(PortError::AlreadyOpen(device)) if device == name));
        assert!(matches!(port.close(), Err(PortError::QueuesInUse(device)) if device == name));
        drop(rx);
        let twice = Port::open(eal(), &name, pool, &PortConfig::default());
        assert!(matches!(twice, Err(PortError::AlreadyOpen(_))));
        drop(tx);
    }
    let started = Port::open(eal(), &name, pool, &PortConfig::default()).unwrap();
    drop((started.rx, started.tx));
    started.port.close().unwrap();
}

#[test]
fn a_buffer_that_another_still_reads_is_not_received() {
    let pool = pool(63);
    let started = Port::open(eal(), &fresh("net_ring"), pool, &PortConfig::default()).unwrap();
    let StartedPort { mut rx, mut tx, .. } = started;
    let kept = frame(pool, 6, 100).share();
    let mut burst = vec![kept.try_clone().unwrap(), frame(pool, 7, 100).share()];
    assert_eq!(tx[0].transmit_shared(&mut burst), 2);
    let got = receive(&mut rx[0], 1);
    assert_eq!(firsts(&got), [7]);
    let counted = RxDropped {
        shared: 1,
        ..RxDropped::default()
    };
    assert_eq!(rx[0].dropped(), counted);
    assert_eq!((kept.holders(), kept.data()), (1, &[6; 100][..]));
    drop((kept, got));
    assert_eq!(pool.available(), 63);
}
