//! Lessor as it runs in the bench.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::bed::{Bed, Cores, Invocation, Running, SERVER, SERVER_CORE};
use crate::failure::{Because as _, Failure, Outcome};
use crate::load::Pool;

/// What differs between rows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings<'a> {
    /// `log` or `none`.
    pub(crate) engine: &'a str,
    /// The folder of the leases.
    pub(crate) store: &'a Path,
    pub(crate) pool: Pool,
    /// Bindings that there is room for.
    pub(crate) bindings: u32,
    /// Octets of option 82 a binding.
    pub(crate) agent_info_octets: u32,
    /// When clients renew: half of that later they are not taken for repeating themselves.
    pub(crate) t1: Option<Duration>,
}

/// Starts Lessor and waits until it serves.
pub(crate) fn start(bed: &Bed<'_>, settings: &Settings<'_>) -> Outcome<Running> {
    let mut running = begin(bed, settings)?;
    running.wait_for(bed.site, "server.ready")?;
    Ok(running)
}

/// Starts it, and does not wait.
pub(crate) fn begin(bed: &Bed<'_>, settings: &Settings<'_>) -> Outcome<Running> {
    let file = bed.dir().join("lessor.toml");
    fs::write(&file, text(bed.dir(), &bed.server_device(), settings))
        .because("its configuration")?;
    let arguments = ["run", "--config", &file.display().to_string()].map(str::to_owned);
    let program = bed.site.program("lessor");
    bed.start_server(Cores::Both, &Invocation::new(&program, arguments.into()))
}

fn text(dir: &Path, device: &str, settings: &Settings<'_>) -> String {
    let t1 = settings
        .t1
        .map_or(String::new(), |t1| format!("t1 = {}", t1.as_secs()));
    let mut text = String::new();
    let _ = write!(
        text,
        r#"[server]
workers = 1
cores = [{SERVER_CORE}]
bindings = {bindings}
max_offers = 1.0
agent_info_octets = {octets}
control = "{dir}/control.sock"

[store]
engine = "{engine}"
directory = "{store}"

[eal]
single_file_segments = true
file_prefix = "bench-lessor"

[[ports]]
name = "access"
device = "{device}"
addresses = ["{SERVER}/8"]
rx_descriptors = 4096
tx_descriptors = 4096

[[networks]]
name = "access"

[[networks.subnets]]
prefix = "10.0.0.0/8"
pools = ["{pool}"]
{t1}
options = {{ routers = ["{SERVER}"], domain-name-servers = ["{SERVER}"] }}
"#,
        pool = settings.pool,
        bindings = settings.bindings,
        octets = settings.agent_info_octets,
        dir = dir.display(),
        engine = settings.engine,
        store = settings.store.display(),
    );
    text
}

/// A figure of `lessor store stats`, by its place in the JSON.
pub(crate) fn store_stat(bed: &Bed<'_>, pointer: &str) -> Outcome<u64> {
    let mut command = Command::new(bed.site.program("lessor"));
    command.args(["store", "stats", "--json", "--config"]);
    let output = command.arg(bed.dir().join("lessor.toml")).output();
    let output = output.because("lessor store stats")?;
    let stats: Value = serde_json::from_slice(&output.stdout).map_err(|_| {
        let complaint = String::from_utf8_lossy(&output.stderr);
        Failure::new(format!("lessor store stats: {complaint}"))
    })?;
    let figure = stats.pointer(pointer).and_then(Value::as_u64);
    figure.because(&format!("no {pointer} in lessor store stats"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lessor_takes_the_configuration() {
        let settings = Settings {
            engine: "log",
            store: Path::new("/tmp/store"),
            pool: Pool::of([10, 1, 0, 0].into(), 65_537),
            bindings: 1000,
            agent_info_octets: 16,
            t1: Some(Duration::from_secs(1)),
        };
        let device = "net_memif0,role=server,id=0";
        let text = text(Path::new("/tmp"), device, &settings);
        let checked = lessor::config::parse(&text);
        assert!(checked.is_ok(), "{:?}", checked.err());
        assert!(text.contains("10.1.0.0-10.2.0.0"));
    }
}
