//! What of a file takes effect with a start alone.

use super::{Alarms, Eal, Metrics, Port, Server, Settings, Store};
use crate::eventlog;

/// What the running server was made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    server: Server,
    store: Store,
    eal: Eal,
    ports: Vec<Port>,
    event_log: eventlog::Options,
    metrics: Metrics,
    alarms: Alarms,
}

impl Machine {
    /// That of `settings`.
    #[must_use]
    pub fn of(settings: &Settings) -> Self {
        // Whoever adds a section decides here whether a reload may change it.
        let Settings {
            server,
            store,
            eal,
            ports,
            event_log,
            metrics,
            alarms,
            routes: _,
            spec: _,
        } = settings;
        Self {
            server: server.clone(),
            store: store.clone(),
            eal: eal.clone(),
            ports: ports.clone(),
            event_log: event_log.clone(),
            metrics: *metrics,
            alarms: alarms.clone(),
        }
    }

    /// The keys of what is different in `other`, as the file names them.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let mut found = server(&self.server, &other.server);
        found.extend(store(&self.store, &other.store));
        found.extend(eal(&self.eal, &other.eal));
        if self.ports.len() == other.ports.len() {
            let ports = self.ports.iter().zip(&other.ports).enumerate();
            found.extend(ports.flat_map(|(at, (old, new))| port(at, old, new)));
        } else {
            found.push("ports".into());
        }
        let sections = [
            ("event_log", self.event_log != other.event_log),
            ("metrics", self.metrics != other.metrics),
            ("alarms", self.alarms != other.alarms),
        ];
        let sections = sections.into_iter().filter(|(_, different)| *different);
        found.extend(sections.map(|(name, _)| name.to_owned()));
        found
    }
}

/// The names of those that are different.
fn different<const N: usize>(of: &str, compared: [(&str, bool); N]) -> Vec<String> {
    let named = compared.into_iter().filter(|(_, different)| *different);
    named.map(|(name, _)| format!("{of}.{name}")).collect()
}

fn server(old: &Server, new: &Server) -> Vec<String> {
    let Server {
        workers,
        cores,
        max_parked,
        mbufs,
        bindings,
        agent_info_octets,
        control,
        max_offers,
        max_probes,
        trace,
    } = old;
    different(
        "server",
        [
            ("workers", *workers != new.workers),
            ("cores", *cores != new.cores),
            ("max_parked", *max_parked != new.max_parked),
            ("mbufs", *mbufs != new.mbufs),
            ("bindings", *bindings != new.bindings),
            (
                "agent_info_octets",
                *agent_info_octets != new.agent_info_octets,
            ),
            ("control", *control != new.control),
            ("max_offers", *max_offers != new.max_offers),
            ("max_probes", *max_probes != new.max_probes),
            ("trace", *trace != new.trace),
        ],
    )
}

fn store(old: &Store, new: &Store) -> Vec<String> {
    let Store {
        engine,
        directory,
        on_failure,
        ack_timeout,
        segment_size,
    } = old;
    different(
        "store",
        [
            ("engine", *engine != new.engine),
            ("directory", *directory != new.directory),
            ("on_store_failure", *on_failure != new.on_failure),
            ("ack_timeout", *ack_timeout != new.ack_timeout),
            ("segment_size", *segment_size != new.segment_size),
        ],
    )
}

fn eal(old: &Eal, new: &Eal) -> Vec<String> {
    let Eal {
        no_huge,
        memory,
        file_prefix,
        in_memory,
        single_file_segments,
        housekeeping_cores,
        log_level,
    } = old;
    different(
        "eal",
        [
            ("no_huge", *no_huge != new.no_huge),
            ("memory", *memory != new.memory),
            ("file_prefix", *file_prefix != new.file_prefix),
            ("in_memory", *in_memory != new.in_memory),
            (
                "single_file_segments",
                *single_file_segments != new.single_file_segments,
            ),
            (
                "housekeeping_cores",
                *housekeeping_cores != new.housekeeping_cores,
            ),
            ("log_level", *log_level != new.log_level),
        ],
    )
}

fn port(at: usize, old: &Port, new: &Port) -> Vec<String> {
    let Port {
        name,
        device,
        mtu,
        rx_checksum,
        promiscuous,
        rx_descriptors,
        tx_descriptors,
    } = old;
    different(
        &format!("ports[{at}]"),
        [
            ("name", *name != new.name),
            ("device", *device != new.device),
            ("mtu", *mtu != new.mtu),
            ("rx_checksum", *rx_checksum != new.rx_checksum),
            ("promiscuous", *promiscuous != new.promiscuous),
            ("rx_descriptors", *rx_descriptors != new.rx_descriptors),
            ("tx_descriptors", *tx_descriptors != new.tx_descriptors),
        ],
    )
}

#[cfg(test)]
mod tests {
    use crate::config::parse;

    use super::*;

    fn machine(text: &str) -> Machine {
        Machine::of(&parse(text).unwrap().0)
    }

    #[test]
    fn what_needs_a_restart_is_named_and_what_does_not_is_not() {
        let running = machine(
            "[[ports]]\ndevice = \"net_null0\"\naddresses = [\"10.0.0.1/24\"]\n\
             [[networks]]\nname = \"a\"\nsubnets = [{ prefix = \"10.0.0.0/24\" }]",
        );
        let same = machine(
            "[server]\nworkers = 1\n[[ports]]\ndevice = \"net_null0\"\n\
             addresses = [\"10.0.0.2/24\", \"10.1.0.1/24\"]\n\
             [[networks]]\nname = \"b\"\nlease_time = \"7h\"\nsubnets = [{ prefix = \"10.1.0.0/24\" }]",
        );
        assert!(running.differences(&same).is_empty());
        let other = machine(
            "[server]\nworkers = 2\nbindings = 7\n[store]\nengine = \"none\"\n[eal]\nno_huge = true\n\
             [[ports]]\ndevice = \"net_null1\"\naddresses = [\"10.0.0.1/24\"]",
        );
        assert_eq!(
            running.differences(&other),
            [
                "server.workers",
                "server.bindings",
                "store.engine",
                "eal.no_huge",
                "ports[0].device"
            ]
        );
        let more = machine(
            "[[ports]]\ndevice = \"net_null0\"\naddresses = [\"10.0.0.1/24\"]\n\
             [[ports]]\ndevice = \"net_null1\"\naddresses = [\"10.2.0.1/24\"]",
        );
        assert_eq!(running.differences(&more), ["ports"]);
    }
}
