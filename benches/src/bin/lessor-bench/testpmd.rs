//! `dpdk-testpmd`: the yardstick that stands in the server's place (macswap), and the plainest
//! generator (flowgen).

use std::path::Path;
use std::time::Duration;

use crate::bed::{Bed, Cores, FRAME, GENERATOR_CORE, Invocation, Running, SERVER_CORE};
use crate::book::Spread;
use crate::failure::{Because as _, Outcome};

const PROGRAM: &str = "/usr/bin/dpdk-testpmd";

/// Starts macswap in the server's place.
pub(crate) fn macswap(bed: &Bed<'_>) -> Outcome<Running> {
    let arguments = arguments(&bed.server_device(), SERVER_CORE, "macswap");
    let mut running = bed.start_server(
        Cores::Server,
        &Invocation::new(Path::new(PROGRAM), arguments),
    )?;
    running.wait_for(bed.site, "Port statistics")?;
    Ok(running)
}

/// Frames a second that come back to flowgen from what runs in the server's place.
pub(crate) fn flowgen(bed: &Bed<'_>, length: Duration) -> Outcome<f64> {
    let mut arguments = arguments(&bed.generator_device(), GENERATOR_CORE, "flowgen");
    arguments.push(format!("--txpkts={FRAME}"));
    let mut running = bed.start_generator(&Invocation::new(Path::new(PROGRAM), arguments))?;
    // The first two are of its start.
    let wanted = 2 + usize::try_from(length.as_secs().max(1)).unwrap_or(1);
    let rates = bed.site.wait("figures of flowgen", || {
        running.still_runs()?;
        let rates = rates(&running.log());
        Ok((rates.len() >= wanted).then_some(rates))
    })?;
    running.stop(bed.site)?;
    let spread = Spread::of(&rates[2..]).because("figures of flowgen")?;
    Ok(spread.median)
}

fn arguments(device: &str, core: u32, mode: &str) -> Vec<String> {
    // Its main core only prints.
    let cores = format!("(0-1)@{core}");
    let role = if mode == "macswap" {
        "bench-swap"
    } else {
        "bench-flow"
    };
    let words = [
        "--lcores",
        &cores,
        "--main-lcore",
        "1",
        "--no-pci",
        "--in-memory",
        "--no-telemetry",
        "--single-file-segments",
        "--file-prefix",
        role,
        "-m",
        "128",
        "--vdev",
        device,
        "--",
        "--stats-period",
        "1",
        "--rxd=4096",
        "--txd=4096",
        "--total-num-mbufs=16384",
    ];
    let mut arguments: Vec<String> = words.map(str::to_owned).into();
    arguments.push(format!("--forward-mode={mode}"));
    arguments
}

/// The rates of reception that it has printed, one each second.
fn rates(log: &str) -> Vec<f64> {
    let lines = log
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Rx-pps:"));
    let first = lines.filter_map(|rest| rest.split_whitespace().next());
    first.filter_map(|rate| rate.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_testpmd_prints() {
        let log = "  Throughput (since last show)\n  Rx-pps:            0   Rx-bps:   0\n\
                   Tx-pps:      9       Tx-bps: 1\n  Rx-pps:      2370643          Rx-bps:   6410\n";
        assert_eq!(rates(log), [0.0, 2_370_643.0]);
    }
}
