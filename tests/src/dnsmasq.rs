//! Debian's dnsmasq: the other server on the link, and the yardstick of this harness.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use crate::lab::{Lab, Namespace};
use crate::process::Process;

/// A dnsmasq in its namespace. Dropping it ends it.
#[derive(Debug)]
pub struct Dnsmasq {
    namespace: Namespace,
    dir: PathBuf,
    range: Range,
    process: Process,
}

/// What it hands out, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Range {
    /// The first address.
    pub first: Ipv4Addr,
    /// The last address.
    pub last: Ipv4Addr,
    /// Seconds; dnsmasq raises less than 120 to that.
    pub lease_time: u32,
    /// T1 and T2 in seconds, when not dnsmasq's own choice.
    pub t1_t2: Option<(u32, u32)>,
}

impl Dnsmasq {
    /// Starts it on `eth0` of `namespace`, which has an address there.
    #[must_use]
    pub fn start(lab: &Lab, namespace: &Namespace, range: Range) -> Self {
        let dir = lab.dir().join(namespace.role());
        fs::create_dir_all(&dir).expect("dnsmasq's folder");
        Self {
            process: launch(namespace, &dir, range),
            namespace: namespace.clone(),
            dir,
            range,
        }
    }

    /// Ends it.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again with the leases that it had.
    pub fn restart(&mut self) {
        self.process = launch(&self.namespace, &self.dir, self.range);
    }

    /// Whether its lease file names `address`.
    #[must_use]
    pub fn holds(&self, address: Ipv4Addr) -> bool {
        let text = fs::read_to_string(self.dir.join("leases")).unwrap_or_default();
        let wanted = address.to_string();
        text.lines()
            .any(|line| line.split_whitespace().nth(2) == Some(&wanted))
    }
}

fn launch(namespace: &Namespace, dir: &Path, range: Range) -> Process {
    let Range { first, last, .. } = range;
    let mut command = namespace.command("dnsmasq");
    command
        .args([
            "-k",
            "-p",
            "0",
            "--no-ping",
            "--log-dhcp",
            "--log-facility=-",
        ])
        .args(["--conf-file=/dev/null", "--pid-file=", "-u", "root"])
        .args(["--bind-interfaces", "-i", "eth0", "--dhcp-authoritative"])
        .arg(format!("--dhcp-range={first},{last},{}", range.lease_time))
        .arg(format!("--dhcp-leasefile={}/leases", dir.display()));
    if let Some((t1, t2)) = range.t1_t2 {
        command.arg(format!("--dhcp-option-force=58,{t1}"));
        command.arg(format!("--dhcp-option-force=59,{t2}"));
    }
    let mut process = Process::start(command, &dir.with_extension("log"));
    process.wait_for("DHCP, IP range");
    process
}
