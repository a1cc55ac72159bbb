//! The environment of the tests beside the code: one a process, without huge pages.

use std::sync::OnceLock;

use crate::{Eal, EalConfig, Mempool, MempoolConfig};

pub(crate) fn eal() -> &'static Eal {
    static EAL: OnceLock<&'static Eal> = OnceLock::new();
    EAL.get_or_init(|| {
        let config = EalConfig {
            file_prefix: format!("dpdk-unit-{}", std::process::id()),
            no_huge: true,
            ..EalConfig::default()
        };
        Eal::start(&config).unwrap()
    })
}

/// A pool of this name, which one test uses.
pub(crate) fn pool(name: &str) -> &'static Mempool {
    let config = MempoolConfig {
        name: name.to_owned(),
        mbufs: 63,
        cache: 0,
        data_room: 2048,
    };
    Mempool::create(eal(), config).unwrap()
}
