//! The TOML file: read once, checked as a whole, every fault reported with its place.
//!
//! ```text
//!   text ──► toml tree ──► Table, Value (table.rs) ──► Settings
//!                              │ each value at its place      │ the whole: check.rs
//!                              └──► Findings ◄────────────────┘
//!                                      └──► Report { faults, warnings }
//! ```
//!
//! A [`Settings`] is proof that the file had no fault; nothing behind it checks again. What the
//! file may say is documented in `docs/lessor.toml`, which a test compares with this code.

mod appliance;
mod check;
mod client;
mod fault;
mod findings;
mod knobs;
mod nearest;
mod networks;
mod options;
mod ports;
mod rates;
mod reservations;
mod restart;
mod services;
mod sight;
mod subnets;
mod table;
mod text;
mod value;
mod vlans;

use std::collections::BTreeSet;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use dhcp_proto::config::{NetworkKey, Spec};
use toml::de::DeTable;

pub use appliance::{Eal, Engine, OnStoreFailure, Server, Store};
pub use client::{ClientFault, ClientText};
pub use fault::{Fault, Reason, Report};
pub use ports::{Device, Port};
pub use restart::Machine;
pub use sight::{Alarms, Metrics};
pub(crate) use text::{agent_id, client_id, duration, octets, prefix};

/// The name of an option, if it has one.
pub(crate) fn option_name(code: u8) -> Option<&'static str> {
    let name = options::name(code);
    (!name.is_empty()).then_some(name)
}

use crate::dataplane::routes::StaticRoute;
use crate::eventlog;
use findings::{Findings, Spot};
use knobs::Knobs;
use networks::Networks;
use ports::Ports;
use services::Services;
use table::Table;
use value::Value;

/// What the operator configured.
#[derive(Debug, Default)]
pub struct Settings {
    /// Workers and their room.
    pub server: Server,
    /// Where bindings are kept.
    pub store: Store,
    /// DPDK's environment.
    pub eal: Eal,
    /// Where the log of leases goes.
    pub event_log: eventlog::Options,
    /// Where figures are told.
    pub metrics: Metrics,
    /// When the operator is told that addresses run low.
    pub alarms: Alarms,
    /// The ports; a [`dhcp_proto::config::Link`] names them by their position.
    pub ports: Vec<Port>,
    /// Routes and gateways of all ports.
    pub routes: Vec<StaticRoute>,
    /// Links and networks.
    pub spec: Spec,
}

/// Why a file was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It could not be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// It has faults.
    #[error("{} has {} fault(s)", path.display(), report.faults.len())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// All of them.
        report: Report,
    },
}

/// Reads the file at `path`. With the settings come warnings and no faults.
///
/// # Errors
///
/// Fails if the file cannot be read or has faults, and then names all of them.
pub fn load(path: &Path) -> Result<(Settings, Report), LoadError> {
    let unreadable = |error| LoadError::Unreadable {
        path: path.to_owned(),
        error,
    };
    let text = std::fs::read(path).map_err(unreadable)?;
    let invalid = |report| LoadError::Invalid {
        path: path.to_owned(),
        report,
    };
    let text = match str::from_utf8(&text) {
        Ok(text) => text,
        Err(wrong) => return Err(invalid(Report::not_text(&text, wrong.valid_up_to()))),
    };
    parse(text).map_err(invalid)
}

/// Reads the text of a file.
///
/// # Errors
///
/// Returns all faults, and the warnings with them.
pub fn parse(text: &str) -> Result<(Settings, Report), Report> {
    let (document, errors) = DeTable::parse_recoverable(text);
    let findings = Findings::new(text);
    for error in errors {
        let at = error.span().map_or(0, |span| span.start);
        let why = Reason::Syntax(error.message().to_owned());
        findings.fault(
            &Spot {
                at,
                path: String::new(),
            },
            why,
        );
    }
    let settings = read(document.get_ref(), &findings);
    let report = findings.report();
    if report.faults.is_empty() {
        Ok((settings, report))
    } else {
        Err(report)
    }
}

/// Reads what is not about networks; says where `[server]` stands.
fn machine(root: &mut Table<'_>, settings: &mut Settings) -> Spot {
    let mut section = |key| root.read(key, Value::table);
    let server = section("server");
    let server_at = server
        .as_ref()
        .map(|table| table.spot.clone())
        .unwrap_or_default();
    settings.server = server.map(appliance::server).unwrap_or_default();
    settings.store = section("store").map(appliance::store).unwrap_or_default();
    settings.eal = section("eal").map(appliance::eal).unwrap_or_default();
    settings.event_log = section("event_log")
        .map(sight::event_log)
        .unwrap_or_default();
    settings.metrics = section("metrics").map(sight::metrics).unwrap_or_default();
    settings.alarms = section("alarms").map(sight::alarms).unwrap_or_default();
    server_at
}

fn read<'t>(document: &'t DeTable<'t>, findings: &'t Findings<'t>) -> Settings {
    let mut root = Table::new(Spot::default(), document, findings);
    let mut settings = Settings::default();
    let server_at = machine(&mut root, &mut settings);
    let mut defaults = Knobs::default();
    if let Some(mut table) = root.read("defaults", Value::table) {
        defaults.read(&mut table);
        table.finish();
    }
    let services = Services::read(&mut root);
    let ports = root.tables("ports");
    if ports.is_empty() {
        findings.fault(&root.spot, Reason::Missing("ports"));
    }
    let Ports {
        list: ports,
        links,
        routes,
        ..
    } = Ports::read(ports, &services);
    services.check(&links, findings);
    let service_addresses = services.list;
    let addresses = links
        .iter()
        .flat_map(|l| l.addresses.iter().map(|a| (l.space.0, a.addr)));
    let services = service_addresses
        .iter()
        .map(|(space, addr)| (space.0, *addr));
    let own: BTreeSet<(u16, Ipv4Addr)> = addresses.chain(services).collect();
    let mut networks = Networks::new(&own);
    let tables = root.tables("networks").into_iter().zip(0u32..);
    let read = tables.map(|(table, key)| networks.read(table, NetworkKey(key), &defaults));
    let (places, networks): (Vec<_>, Vec<_>) = read.unzip();
    root.finish();
    (settings.ports, settings.routes) = (ports, routes);
    settings.spec = Spec {
        links,
        service_addresses,
        networks,
    };
    // What a fault keeps out would look like missing.
    if findings.is_faultless() {
        check::warn(&settings, &server_at, &places, findings);
    }
    settings
}

#[cfg(test)]
mod tests;
