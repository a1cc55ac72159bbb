//! Arguments, and what they come to.

use core::net::Ipv4Addr;
use core::time::Duration;

use clap::{Parser, ValueEnum};
use dhcp_wire::ethernet::Mac;
use dpdk::affinity;

use super::{Exit, Stop};
use crate::device::{MBUFS, Wanted};
use crate::identity::{MOST_CLIENTS, Macs};
use crate::plan::{End, Expect, Mode, Pace, Plan, Relays, Retry, Timing};
use crate::template::{LONGEST, SHORTEST};

/// Clients by the million for a `DHCPv4` server, over a DPDK device; every reply is looked at.
///
/// Ends with 0 if all were right, with 1 if one was wrong, with 69 if nothing was answered.
#[derive(Debug, Parser)]
#[command(name = "lessor-load", version, arg_required_else_help = true)]
pub(super) struct Arguments {
    /// The device: a PCI address, or a virtual device with its arguments
    #[arg(long, value_name = "DEVICE")]
    device: String,
    /// Further arguments for DPDK, parted by spaces
    #[arg(
        long,
        value_name = "ARGUMENTS",
        default_value = "",
        allow_hyphen_values = true
    )]
    eal: String,
    /// Ordinary pages instead of huge pages, for DPDK
    #[arg(long)]
    no_huge: bool,
    /// DPDK's memory
    #[arg(short, long, value_name = "MiB")]
    memory: Option<u32>,
    /// Packet buffers
    #[arg(long, value_name = "N", default_value_t = MBUFS, value_parser = clap::value_parser!(u32).range(512..))]
    mbufs: u32,
    /// The CPU that polls [default: the last]
    #[arg(long, value_name = "CPU")]
    lcore: Option<usize>,
    /// How long the link may take to come up
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0, value_parser = seconds)]
    wait: f64,

    /// What an exchange is
    #[arg(long, value_enum)]
    mode: ModeName,
    /// How many clients
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_CLIENTS)))]
    clients: u32,
    /// Names the order of clients, their hardware addresses and transactions
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Hardware addresses of clients
    #[arg(long, value_enum, default_value_t)]
    macs: MacsName,
    /// Octets of a message's frame, without its check sequence
    #[arg(long, value_name = "OCTETS", default_value_t = SHORTEST, value_parser = frame_size)]
    frame_size: usize,

    /// So many relays between clients and server
    #[arg(long, value_name = "K", requires_all = ["relay_base", "server_ip"], value_parser = clap::value_parser!(u32).range(1..=65_536))]
    relays: Option<u32>,
    /// Address of the first relay; the others follow
    #[arg(long, value_name = "ADDRESS", requires = "relays")]
    relay_base: Option<Ipv4Addr>,
    /// Relays add option 82: circuit-id and remote-id, 16 octets, unlike for each client
    #[arg(long, requires = "relays")]
    option82: bool,
    /// The server's address, where relays send to
    #[arg(long, value_name = "ADDRESS", requires = "relays")]
    server_ip: Option<Ipv4Addr>,
    /// The server's hardware address, or "auto": relays ask for it by ARP
    #[arg(long, value_name = "MAC", default_value = "auto", value_parser = server_mac)]
    server_mac: ServerMac,

    /// Exchanges under way at a time
    #[arg(long, value_name = "W", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    window: u32,
    /// Exchanges begun each second, whatever the server does
    #[arg(long, value_name = "R", conflicts_with = "window", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    rate: Option<u64>,
    /// Time before measuring starts
    #[arg(long, value_name = "SECONDS", default_value_t = 0.0, value_parser = seconds)]
    warmup: f64,
    /// Time that is measured
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0, value_parser = seconds)]
    duration: f64,
    /// Exchanges that are measured, instead of a time
    #[arg(long, value_name = "N", conflicts_with = "duration", value_parser = clap::value_parser!(u64).range(1..))]
    exchanges: Option<u64>,
    /// Longest wait for replies at the end
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0, value_parser = seconds)]
    drain: f64,
    /// First delay before a message is sent again, doubled each time
    #[arg(long, value_name = "SECONDS", default_value_t = 4.0, value_parser = seconds)]
    retry: f64,
    /// Times that a message is sent
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=15))]
    tries: u8,
    /// Least time between two exchanges of a client with a lease: what comes too soon a server may
    /// take for a repetition, and extend nothing
    #[arg(long, value_name = "SECONDS", default_value_t = 0.0, value_parser = seconds)]
    rest: f64,

    /// First and last address that the server has to give
    #[arg(long, value_name = "A-B", value_parser = range)]
    lease_range: Option<(u32, u32)>,
    /// Seconds that each lease must have
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    lease_time: Option<u32>,
    /// Whether received checksums are looked at
    #[arg(long, value_enum, default_value_t)]
    rx_checksum: RxChecksum,

    /// Write the report as JSON to a file; with "-" to standard output, instead of the other
    #[arg(long, value_name = "FILE")]
    json: Option<String>,
    /// A line on standard error each second
    #[arg(long)]
    progress: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ModeName {
    /// DISCOVER, OFFER
    Discover,
    /// DISCOVER, OFFER, REQUEST, ACK
    Dora,
    /// REQUEST from the leased address, ACK; all clients obtain leases first
    Renew,
    /// REQUEST of a remembered address, ACK; all clients obtain leases first
    Reboot,
    /// RELEASE, then DORA; all clients obtain leases first
    Release,
    /// 13 of 20 renew, 3 reboot, 2 begin anew, 2 release; all clients obtain leases first
    Mixed,
    /// DISCOVER, and the frame itself comes back from `testpmd --forward-mode=macswap`
    Macswap,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum MacsName {
    /// Forty bits that look like chance
    #[default]
    Random,
    /// One after the other
    Sequential,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, ValueEnum)]
enum RxChecksum {
    /// All but those that the device has looked at
    #[default]
    Verify,
    /// None: for kernel senders that leave them to an offload
    Ignore,
}

#[derive(Debug, Clone, Copy)]
struct ServerMac(Option<Mac>);

/// What to do.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) plan: Plan,
    pub(super) timing: Timing,
    pub(super) wanted: Wanted,
    pub(super) trust_checksums: bool,
    pub(super) json: Option<String>,
    pub(super) progress: bool,
}

impl Arguments {
    /// What the arguments come to.
    pub(super) fn command(&self) -> Result<Command, Stop> {
        Ok(Command {
            plan: self.plan(),
            timing: self.timing(),
            wanted: self.wanted()?,
            trust_checksums: self.rx_checksum == RxChecksum::Ignore,
            json: self.json.clone(),
            progress: self.progress,
        })
    }

    fn plan(&self) -> Plan {
        let relays = (self.relays, self.relay_base, self.server_ip);
        let relays = match relays {
            (Some(count), Some(base), Some(server)) => Some(Relays {
                count,
                base: base.into(),
                option82: self.option82,
                server,
            }),
            _ => None,
        };
        Plan {
            mode: self.mode.into(),
            seed: self.seed,
            clients: self.clients,
            macs: match self.macs {
                MacsName::Random => Macs::Random,
                MacsName::Sequential => Macs::Sequential,
            },
            relays,
            server_mac: self.server_mac.0,
            expect: Expect {
                range: self.lease_range,
                lease_time: self.lease_time,
            },
            frame_size: self.frame_size,
            retry: Retry {
                first: nanos(self.retry).max(1000),
                tries: self.tries,
            },
            rest: nanos(self.rest),
        }
    }

    fn timing(&self) -> Timing {
        Timing {
            pace: self.rate.map_or(Pace::Window(self.window), Pace::Rate),
            warmup: nanos(self.warmup),
            end: match self.exchanges {
                Some(exchanges) => End::Exchanges(exchanges),
                None => End::After(nanos(self.duration)),
            },
            drain: nanos(self.drain),
        }
    }

    fn wanted(&self) -> Result<Wanted, Stop> {
        let cpus = affinity::current().map_err(|error| Stop::new(Exit::OsError, &error))?;
        let cpu = self.lcore.or_else(|| cpus.last().copied()).unwrap_or(0);
        if !cpus.contains(&cpu) {
            let why = format!("CPU {cpu} is none of this process: {cpus:?}");
            return Err(Stop::new(Exit::Usage, &why));
        }
        Ok(Wanted {
            device: self.device.clone(),
            eal: self.eal.split_whitespace().map(str::to_owned).collect(),
            no_huge: self.no_huge,
            memory: self.memory,
            mbufs: self.mbufs,
            cpu,
            wait: Duration::from_secs_f64(self.wait),
        })
    }
}

impl From<ModeName> for Mode {
    fn from(name: ModeName) -> Self {
        match name {
            ModeName::Discover => Self::Discover,
            ModeName::Dora => Self::Dora,
            ModeName::Renew => Self::Renew,
            ModeName::Reboot => Self::Reboot,
            ModeName::Release => Self::Release,
            ModeName::Mixed => Self::Mixed,
            ModeName::Macswap => Self::Macswap,
        }
    }
}

/// A time of at most a month, in seconds.
fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if (0.0..=2_592_000.0).contains(&seconds) => Ok(seconds),
        _ => Err("not a number of seconds".to_owned()),
    }
}

fn nanos(seconds: f64) -> u64 {
    let time = Duration::from_secs_f64(seconds);
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn frame_size(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(size) if (SHORTEST..=LONGEST).contains(&size) => Ok(size),
        _ => Err(format!("not a number from {SHORTEST} to {LONGEST}")),
    }
}

fn server_mac(text: &str) -> Result<ServerMac, String> {
    if text == "auto" {
        return Ok(ServerMac(None));
    }
    let mac = text.parse::<Mac>().map_err(|error| error.to_string())?;
    Ok(ServerMac(Some(mac)))
}

/// Two addresses, the second not before the first.
fn range(text: &str) -> Result<(u32, u32), String> {
    let parse = |text: &str| text.trim().parse::<Ipv4Addr>().ok().map(u32::from);
    let ends = text.split_once('-');
    let ends = ends.and_then(|(first, last)| parse(first).zip(parse(last)));
    ends.filter(|(first, last)| first <= last)
        .ok_or_else(|| "not FIRST-LAST, such as 10.0.1.0-10.0.255.255".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Arguments, clap::Error> {
        let words = line.split(' ');
        Arguments::try_parse_from(
            ["lessor-load", "--device", "net_null0"]
                .into_iter()
                .chain(words),
        )
    }

    #[test]
    fn arguments_come_to_a_plan() {
        let line = "--mode dora --clients 1000000 --relays 4 --relay-base 10.0.0.2 --option82 \
                    --server-ip 10.0.0.1 --rate 5000 --warmup 0.5 --exchanges 77 --seed 9 \
                    --lease-range 10.1.0.0-10.1.255.255 --lease-time 3600 --macs sequential \
                    --server-mac 02:00:00:00:00:09 --retry 0.004 --json -";
        let command = parse(line).unwrap().command().unwrap();
        let plan = command.plan;
        assert_eq!(
            (plan.mode, plan.clients, plan.seed),
            (Mode::Dora, 1_000_000, 9)
        );
        let relays = plan.relays.unwrap();
        assert_eq!(
            (relays.count, relays.base, relays.option82),
            (4, 0x0a00_0002, true)
        );
        assert_eq!(plan.server_mac, Some(Mac([2, 0, 0, 0, 0, 9])));
        assert_eq!(plan.expect.range, Some((0x0a01_0000, 0x0a01_ffff)));
        assert_eq!(plan.expect.lease_time, Some(3600));
        assert_eq!((plan.retry.first, plan.retry.tries), (4_000_000, 5));
        let timing = command.timing;
        assert_eq!(timing.pace, Pace::Rate(5000));
        assert_eq!(
            (timing.warmup, timing.end),
            (500_000_000, End::Exchanges(77))
        );
        assert_eq!(command.json.as_deref(), Some("-"));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in [
            "--mode doora",
            "--mode dora --clients 0",
            "--mode dora --clients 16777217",
            "--mode dora --relays 2",
            "--mode dora --option82",
            "--mode dora --window 0",
            "--mode dora --window 5 --rate 5",
            "--mode dora --duration 5 --exchanges 5",
            "--mode dora --duration -1",
            "--mode dora --duration NaN",
            "--mode dora --frame-size 341",
            "--mode dora --frame-size 1515",
            "--mode dora --lease-range 10.0.0.9-10.0.0.1",
            "--mode dora --lease-range 10.0.0.0/8",
            "--mode dora --server-mac nowhere",
            "--mode dora --tries 16",
            "--mode dora --retry",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
