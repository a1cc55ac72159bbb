//! The configuration of the servers under test.

use std::fmt::Write;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, process, thread};

/// What the tests vary: a server of one port with one network.
#[derive(Clone, Debug)]
pub struct Config {
    /// Workers. One runs on a core of its own; several take whatever there is.
    pub workers: u16,
    /// The port's address with its prefix length.
    pub address: String,
    /// The subnet of the clients.
    pub subnet: String,
    /// The pool in it.
    pub pool: String,
    /// Option 3 of the subnet.
    pub router: Ipv4Addr,
    /// Static routes: prefix and next hop.
    pub routes: Vec<(String, Ipv4Addr)>,
    /// The term of a lease.
    pub lease_time: String,
    /// How long an offered address is kept for the client that was offered it.
    pub offer_hold: String,
    /// How addresses are probed before they are offered.
    pub probe: String,
    /// What becomes of the server when its store fails.
    pub on_store_failure: String,
    /// T1 and T2.
    pub t1_t2: Option<(String, String)>,
    /// The folder of the leases; one beside the configuration if none is named.
    pub store: Option<PathBuf>,
    /// The size of a segment of the store, if it is not the usual one.
    pub segment_size: Option<String>,
    /// Further sections.
    pub more: String,
}

impl Config {
    /// A server at 10.77.0.1 with a pool of its own link.
    #[must_use]
    pub fn new(pool: &str) -> Self {
        Self {
            workers: 1,
            address: "10.77.0.1/24".into(),
            subnet: "10.77.0.0/24".into(),
            pool: pool.into(),
            router: Ipv4Addr::new(10, 77, 0, 1),
            routes: Vec::new(),
            lease_time: "1h".into(),
            offer_hold: "60s".into(),
            probe: "off".into(),
            on_store_failure: "retry".into(),
            t1_t2: None,
            store: None,
            segment_size: None,
            more: String::new(),
        }
    }

    /// Terms short enough to wait for, the lease itself long enough for a slow machine.
    #[must_use]
    pub fn with_terms(mut self, lease_time: &str, t1: &str, t2: &str) -> Self {
        self.lease_time = lease_time.into();
        self.t1_t2 = Some((t1.into(), t2.into()));
        self
    }

    /// The file, for a server whose store and socket are in `dir` and whose port is `interface`.
    #[must_use]
    pub fn text(&self, dir: &Path, interface: &str) -> String {
        let store = self.store.clone().unwrap_or_else(|| dir.join("store"));
        let dir = dir.display();
        format!(
            r#"
[server]
workers = {workers}
{cores}
max_parked = 1024
mbufs = 4096
control = "{dir}/control.sock"

[store]
engine = "log"
directory = "{store}"
on_store_failure = "{on_store_failure}"
{segment_size}

[eal]
no_huge = true
memory = "128MiB"
in_memory = true

{more}
[[ports]]
name = "access"
device = "net_af_packet0,iface={interface},qdisc_bypass=1,framesz=2048,blocksz=65536,framecnt=4096"
addresses = ["{address}"]
routes = [{routes}]
rx_checksum = "verify"

[defaults]
lease_time = "{lease_time}"
offer_hold = "{offer_hold}"
probe = "{probe}"
{terms}
[[networks]]
name = "home"

[[networks.subnets]]
prefix = "{subnet}"
pools = ["{pool}"]
options = {{ routers = ["{router}"], domain-name-servers = ["{router}"] }}
"#,
            more = self.more,
            workers = self.workers,
            cores = self.cores_text(),
            store = store.display(),
            segment_size = self.segment_size_text(),
            address = self.address,
            routes = self.routes_text(),
            lease_time = self.lease_time,
            offer_hold = self.offer_hold,
            probe = self.probe,
            on_store_failure = self.on_store_failure,
            terms = self.terms_text(),
            subnet = self.subnet,
            pool = self.pool,
            router = self.router,
        )
    }

    fn cores_text(&self) -> String {
        if self.workers > 1 {
            return String::new();
        }
        format!("cores = [{}]", next_core())
    }

    fn routes_text(&self) -> String {
        let routes = self
            .routes
            .iter()
            .map(|(to, via)| format!("{{ to = \"{to}\", via = \"{via}\" }}"));
        routes.collect::<Vec<_>>().join(", ")
    }

    fn segment_size_text(&self) -> String {
        let size = self.segment_size.as_ref();
        size.map_or_else(String::new, |size| format!("segment_size = \"{size}\""))
    }

    fn terms_text(&self) -> String {
        let mut text = String::new();
        if let Some((t1, t2)) = &self.t1_t2 {
            let _ = write!(text, "t1 = \"{t1}\"\nt2 = \"{t2}\"\n");
        }
        text
    }
}

/// The servers of tests that run at the same time poll on different cores, as far as there are:
/// nextest numbers the tests that it runs side by side.
fn next_core() -> u32 {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let cores = thread::available_parallelism().map_or(1, |n| u32::try_from(n.get()).unwrap_or(1));
    let slot = env::var("NEXTEST_TEST_GROUP_SLOT").ok();
    let slot = slot.and_then(|slot| slot.parse().ok());
    let slot: u32 = slot.unwrap_or_else(process::id);
    (slot + COUNT.fetch_add(1, Ordering::Relaxed)) % cores
}
