//! Which leases are wanted: looked at in the record, before anything is written of it.

use std::net::Ipv4Addr;
use std::time::Duration;

use clap::Args;
use dhcp_proto::config::{NetworkSpec, Prefix};
use dhcp_proto::identity::Kind;
use dhcp_proto::record::Record;
use dhcp_wire::dhcp::agent::{CIRCUIT_ID, REMOTE_ID, SubOptions};

use super::unix_now;
use crate::cli::{ConfigFile, Failure};
use crate::config;
use crate::control::State;
use crate::exit::Exit;
use crate::words::Utc;

/// Which leases: those that all of these say.
#[derive(Debug, Clone, Args)]
pub(super) struct Wanted {
    /// Only leases in this state; several may be given
    #[arg(long, value_enum, value_name = "STATE")]
    state: Vec<State>,
    /// Only leases of this network of the configuration
    #[arg(long, value_name = "NAME")]
    network: Option<String>,
    /// Only addresses of this prefix, such as 10.77.0.0/24
    #[arg(long, value_name = "PREFIX", value_parser = prefix)]
    subnet: Option<Prefix>,
    /// Only addresses of this space (VRF)
    #[arg(long, value_name = "N")]
    space: Option<u16>,
    /// Only clients behind this relay (giaddr)
    #[arg(long, value_name = "ADDRESS")]
    relay: Option<Ipv4Addr>,
    /// Only clients with this circuit-id in option 82, octets or text
    #[arg(long, value_name = "ID", value_parser = agent_id)]
    circuit_id: Option<Id>,
    /// Only clients with this remote-id in option 82, octets or text
    #[arg(long, value_name = "ID", value_parser = agent_id)]
    remote_id: Option<Id>,
    /// Only hardware addresses that begin so, such as 02:00:5e
    #[arg(long, value_name = "OCTETS", value_parser = octets)]
    hw_address: Option<Id>,
    /// Only the client with this client-id (option 61), octets or text
    #[arg(long, value_name = "ID", value_parser = client_id)]
    client_id: Option<Id>,
    /// Only clients seen in this VLAN, the outer one
    #[arg(long, value_name = "VID", value_parser = clap::value_parser!(u16).range(1..4095))]
    vlan: Option<u16>,
    /// Only leases and probations that end before this: a time such as 2026-01-31T12:00:00Z, Unix
    /// seconds, or a time from now such as 30m
    #[arg(long, value_name = "TIME", value_parser = time)]
    expires_before: Option<u64>,
    /// Only those that end at this time or later, or never
    #[arg(long, value_name = "TIME", value_parser = time)]
    expires_after: Option<u64>,
}

/// Octets of an argument.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Id(Box<[u8]>);

fn prefix(text: &str) -> Result<Prefix, String> {
    config::prefix(text).map_err(|why| why.to_string())
}

fn agent_id(text: &str) -> Result<Id, String> {
    config::agent_id(text)
        .map(Id)
        .map_err(|why| why.to_string())
}

fn client_id(text: &str) -> Result<Id, String> {
    config::client_id(text)
        .map(Id)
        .map_err(|why| why.to_string())
}

/// The beginning of a hardware address; one octet alone has no colon.
fn octets(text: &str) -> Result<Id, String> {
    let octets = config::octets(text).or_else(|| config::octets(&format!("hex:{text}")));
    let octets = octets.filter(|octets| (1..=16).contains(&octets.len()));
    octets
        .map(Id)
        .ok_or_else(|| "it is 1 to 16 octets such as 02:00:5e".into())
}

/// Unix seconds.
fn time(text: &str) -> Result<u64, String> {
    let from_now = |after: Duration| unix_now().saturating_add(after.as_secs());
    let digits = !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit());
    if digits && let Ok(seconds) = text.parse() {
        return Ok(seconds);
    }
    let time = config::duration(text).ok().map(from_now);
    time.or_else(|| Utc::parse(text)).ok_or_else(|| {
        "it is a time such as 2026-01-31T12:00:00Z, Unix seconds, or a time from now such as 30m"
            .into()
    })
}

/// What is wanted, with the configuration looked up.
pub(super) struct Filter {
    wanted: Wanted,
    within: Option<Within>,
    /// Unix seconds.
    now: u64,
}

impl Filter {
    pub(super) fn new(wanted: Wanted, file: &ConfigFile) -> Result<Self, Failure> {
        let within = wanted.network.as_deref();
        let within = within.map(|name| Within::new(file, name)).transpose()?;
        Ok(Self {
            wanted,
            within,
            now: unix_now(),
        })
    }

    /// By what time states are told, Unix seconds.
    pub(super) fn now(&self) -> u64 {
        self.now
    }

    /// Whether a record is wanted.
    pub(super) fn takes(&self, record: &Record<'_>) -> bool {
        let Wanted {
            state,
            network: _,
            subnet,
            space,
            relay,
            circuit_id: _,
            remote_id: _,
            hw_address,
            client_id: _,
            vlan,
            expires_before,
            expires_after,
        } = &self.wanted;
        let in_state = || {
            let own = State::of(record.kind, record.expiry <= self.now);
            own.is_some_and(|own| state.contains(&own))
        };
        (state.is_empty() || in_state())
            && self
                .within
                .as_ref()
                .is_none_or(|n| n.holds(record.space, record.addr))
            && subnet.is_none_or(|prefix| prefix.contains(record.addr))
            && space.is_none_or(|space| space == record.space)
            && relay.is_none_or(|relay| relay == record.giaddr)
            && vlan.is_none_or(|vid| vid == record.origin.outer_vid)
            && expires_before.is_none_or(|time| record.expiry < time)
            && expires_after.is_none_or(|time| record.expiry >= time)
            && hw_address
                .as_ref()
                .is_none_or(|Id(begin)| record.chaddr.starts_with(begin))
            && self.is_client(record)
    }

    fn is_client(&self, record: &Record<'_>) -> bool {
        let Wanted {
            circuit_id,
            remote_id,
            client_id,
            ..
        } = &self.wanted;
        let said = |code, wanted: &Option<Id>| {
            let Some(Id(wanted)) = wanted else {
                return true;
            };
            SubOptions::new(record.agent_info).first(code) == Some(wanted)
        };
        let by_id = client_id.as_ref().is_none_or(|Id(id)| {
            let own = record.identity.split_first();
            own.is_some_and(|(kind, own)| *kind == Kind::ClientId as u8 && *own == **id)
        });
        by_id && said(CIRCUIT_ID, circuit_id) && said(REMOTE_ID, remote_id)
    }
}

/// The addresses of a network.
struct Within {
    space: u16,
    prefixes: Vec<Prefix>,
}

impl Within {
    fn new(file: &ConfigFile, name: &str) -> Result<Self, Failure> {
        let (settings, _) = file.load()?;
        let network = settings
            .spec
            .networks
            .iter()
            .find(|network| network.name == name);
        let Some(NetworkSpec { space, subnets, .. }) = network else {
            let names: Vec<_> = settings
                .spec
                .networks
                .iter()
                .map(|n| n.name.as_str())
                .collect();
            let why = format!("no network `{name}`; there are: {}", names.join(", "));
            return Err(Failure::new(Exit::Usage, why));
        };
        Ok(Self {
            space: space.0,
            prefixes: subnets.iter().map(|s| s.prefix).collect(),
        })
    }

    fn holds(&self, space: u16, address: Ipv4Addr) -> bool {
        space == self.space && self.prefixes.iter().any(|p| p.contains(address))
    }
}
