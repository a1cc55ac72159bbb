//! Buffers that no device should hand over, and that receive does not let through.

use super::*;
use crate::{BURST, Port, PortConfig, RxDropped, StartedPort, unit};

#[test]
fn a_buffer_whose_lengths_disagree_is_not_received() {
    let pool = unit::pool("malformed");
    let opened = Port::open(unit::eal(), "net_ring90", pool, &PortConfig::default()).unwrap();
    let StartedPort { mut rx, mut tx, .. } = opened;
    let frame = || {
        let mut mbuf = pool.alloc().unwrap();
        mbuf.append(100).unwrap().fill(1);
        mbuf
    };
    let beyond_the_buffer = frame();
    // SAFETY: no data is read through the length before the buffer is freed.
    unsafe { field::DATA_LEN.write(beyond_the_buffer.0, 3000) };
    // SAFETY: as above.
    unsafe { field::PKT_LEN.write(beyond_the_buffer.0, 3000) };
    let beyond_its_segment = frame();
    // SAFETY: as above.
    unsafe { field::PKT_LEN.write(beyond_its_segment.0, 101) };
    let mut burst = vec![
        frame(),
        beyond_the_buffer,
        frame(),
        beyond_its_segment,
        frame(),
    ];
    assert_eq!(tx[0].transmit(&mut burst), 5);
    let mut got = Vec::with_capacity(BURST);
    assert_eq!(rx[0].receive(&mut got), 3);
    assert!(got.iter().all(|mbuf| mbuf.data() == [1; 100]));
    let counted = RxDropped {
        malformed: 2,
        ..RxDropped::default()
    };
    assert_eq!(rx[0].dropped(), counted);
    drop(got);
    assert_eq!(pool.available(), pool.config().mbufs);
}
