//! Debian's relay, `dhcrelay`.

use std::net::Ipv4Addr;

use crate::lab::{Lab, Namespace};
use crate::process::{Process, run};

/// A running relay, which is its subscribers' router too.
#[derive(Debug)]
pub struct Dhcrelay {
    _process: Process,
}

impl Dhcrelay {
    /// Starts it in `namespace`, with an address on either interface: `down` towards the clients,
    /// `up` towards the server.
    #[must_use]
    pub fn start(
        lab: &Lab,
        namespace: &Namespace,
        (down, up): (&str, &str),
        server: Ipv4Addr,
    ) -> Self {
        run(namespace
            .command("sysctl")
            .args(["-q", "net.ipv4.ip_forward=1"]));
        let mut command = namespace.command("dhcrelay");
        command
            .args(["-4", "-d", "--no-pid", "-id", down, "-iu", up])
            .arg(server.to_string());
        let log = lab.dir().join(format!("{}.log", namespace.role()));
        let mut process = Process::start(command, &log);
        process.wait_for("Sending on   Socket");
        Self { _process: process }
    }
}
