//! `net_null`: a device that makes frames of nothing and sends them nowhere.

mod support;

use dpdk::{BURST, Offloads, Port, PortConfig, PortError, StartedPort};
use support::{eal, frames, fresh, pool};

#[test]
fn receives_and_sends_without_losing_a_buffer() {
    let pool = pool(255);
    let started = Port::open(eal(), &fresh("net_null"), pool, &PortConfig::default()).unwrap();
    let StartedPort {
        port,
        mut rx,
        mut tx,
    } = started;
    let mut burst = Vec::with_capacity(BURST);
    for _ in 0..1000 {
        assert_eq!(rx[0].receive(&mut burst), BURST);
        assert!(burst.iter().all(|mbuf| mbuf.len() == 64));
        assert_eq!(pool.available(), 255 - 32);
        assert_eq!(tx[0].transmit(&mut burst), BURST);
        assert!(burst.is_empty());
    }
    assert_eq!(pool.available(), 255);
    let counted = port.statistics().unwrap();
    assert_eq!((counted.rx_packets, counted.tx_packets), (32_000, 32_000));
}

#[test]
fn an_empty_pool_is_no_frame_and_no_error() {
    let pool = pool(63);
    let started = Port::open(eal(), &fresh("net_null"), pool, &PortConfig::default()).unwrap();
    let StartedPort { mut rx, .. } = started;
    let mut all = Vec::with_capacity(63);
    pool.alloc_burst(&mut all, 60).unwrap();
    let mut burst = Vec::with_capacity(BURST);
    assert_eq!(rx[0].receive(&mut burst), 0);
    drop(all);
    assert_eq!(rx[0].receive(&mut burst), BURST);
}

#[test]
fn each_queue_is_given_out_once() {
    let config = PortConfig {
        rx_queues: 3,
        tx_queues: 2,
        ..PortConfig::default()
    };
    let started = Port::open(eal(), &fresh("net_null"), pool(255), &config).unwrap();
    let rx: Vec<u16> = started.rx.iter().map(dpdk::RxQueue::index).collect();
    let tx: Vec<u16> = started.tx.iter().map(dpdk::TxQueue::index).collect();
    assert_eq!((rx, tx), (vec![0, 1, 2], vec![0, 1]));
}

#[test]
fn queues_of_one_port_work_on_threads_of_their_own() {
    let config = PortConfig {
        rx_queues: 2,
        tx_queues: 2,
        ..PortConfig::default()
    };
    let pool = pool(255);
    let started = Port::open(eal(), &fresh("net_null"), pool, &config).unwrap();
    let pairs = started.rx.into_iter().zip(started.tx);
    let workers: Vec<_> = pairs
        .map(|(mut rx, mut tx)| {
            std::thread::spawn(move || {
                let _lcore = eal().register_thread().unwrap();
                let mut burst = Vec::with_capacity(BURST);
                for _ in 0..1000 {
                    rx.receive(&mut burst);
                    tx.transmit(&mut burst);
                }
                burst.len()
            })
        })
        .collect();
    for worker in workers {
        assert_eq!(worker.join().unwrap(), 0);
    }
    assert_eq!(pool.available(), 255);
}

#[test]
fn offloads_and_rss_are_what_the_device_has() {
    let wanted = PortConfig {
        rx_queues: 2,
        offloads: Offloads::CHECKSUMS | Offloads::RX_VLAN_STRIP | Offloads::TX_VLAN_INSERT,
        ..PortConfig::default()
    };
    let null = Port::open(eal(), &fresh("net_null"), pool(255), &wanted).unwrap();
    assert_eq!(null.port.offloads(), Offloads::NONE);
    assert!(null.port.has_rss());
    let unwanted = PortConfig {
        rss: false,
        ..wanted.clone()
    };
    let null = Port::open(eal(), &fresh("net_null"), pool(255), &unwanted).unwrap();
    assert!(!null.port.has_rss());
    let one_queue = PortConfig {
        rx_queues: 1,
        ..wanted.clone()
    };
    let null = Port::open(eal(), &fresh("net_null"), pool(255), &one_queue).unwrap();
    assert!(!null.port.has_rss());
    let ring = Port::open(eal(), &fresh("net_ring"), pool(255), &wanted).unwrap();
    assert!(!ring.port.has_rss());
    assert_eq!(ring.port.offloads(), Offloads::NONE);
}

#[test]
fn a_port_tells_what_it_is() {
    let name = fresh("net_ring");
    let config = PortConfig {
        promiscuous: true,
        ..PortConfig::default()
    };
    let StartedPort {
        port,
        mut rx,
        mut tx,
    } = Port::open(eal(), &name, pool(255), &config).unwrap();
    assert_eq!((port.device(), port.driver()), (name, "net_ring"));
    assert_eq!(port.mtu(), 1500);
    assert_ne!(port.mac(), [0xff; 6]);
    assert!(port.is_promiscuous());
    assert!(port.link().unwrap().up);
    let mut burst = frames(pool(63), 0..5);
    tx[0].transmit(&mut burst);
    rx[0].receive(&mut Vec::with_capacity(BURST));
    let xstats = port.xstats().unwrap();
    let value = |name: &str| {
        let xstat = xstats.iter().find(|xstat| xstat.name == name);
        xstat
            .unwrap_or_else(|| panic!("{name} in {xstats:?}"))
            .value
    };
    assert_eq!(value("tx_good_packets"), 5);
    assert_eq!(value("rx_good_packets"), 5);
    assert_eq!(value("rx_missed_errors"), 0);
}

#[test]
fn what_the_device_cannot_be_is_refused_by_name_and_it_is_closed_again() {
    let name = fresh("net_ring");
    let pool = pool(255);
    let many = PortConfig {
        rx_queues: 17,
        ..PortConfig::default()
    };
    let error = Port::open(eal(), &name, pool, &many).unwrap_err();
    assert!(
        matches!(error, PortError::TooManyQueues { rx: 16, tx: 16, .. }),
        "{error}"
    );
    assert!(error.to_string().contains(&name));
    let jumbo = PortConfig {
        mtu: Some(9000),
        ..PortConfig::default()
    };
    let error = Port::open(eal(), &name, pool, &jumbo).unwrap_err();
    assert!(
        matches!(
            error,
            PortError::MtuTooLarge {
                mtu: 9000,
                room: 2048,
                ..
            }
        ),
        "{error}"
    );
    let fitting = PortConfig {
        mtu: Some(1400),
        ..PortConfig::default()
    };
    let started = Port::open(eal(), &name, pool, &fitting).unwrap();
    assert_eq!(started.port.mtu(), 1400);
}

#[test]
fn a_device_that_is_none_is_refused_by_name() {
    let open = |device: &str| {
        let error = Port::open(eal(), device, pool(63), &PortConfig::default()).unwrap_err();
        assert!(error.to_string().contains(device), "{error}");
        error
    };
    let error = open("net_nothing0");
    assert!(matches!(error, PortError::NoSuchDevice { .. }), "{error:?}");
    assert!(matches!(open("no device"), PortError::BadDevice(_)));
    assert!(matches!(open("0000:ff:1f.7"), PortError::NoPci(_)));
    let error = open("net_af_packet9,iface=no-such-if");
    assert!(error.to_string().contains("no-such-if"), "{error}");
    let error = open("net_null9,nonsense=1");
    assert!(matches!(error, PortError::Probe { .. }), "{error}");
}
