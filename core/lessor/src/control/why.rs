//! Decisions as they are asked for and presented: what was said, what was answered, and why.

use std::fmt;
use std::net::Ipv4Addr;

use dhcp_proto::config::{Config, NetworkKey};
use dhcp_proto::identity::{Identity, Kind};
use dhcp_proto::time::Wall;
use serde::{Deserialize, Serialize};

use crate::config::{ClientText, octets};
use crate::dataplane::trace::{About, Entry, Fate, What};
use crate::words::{Colons, Utc};

/// Why nobody can be asked about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is neither an IPv4 address nor a hardware address such as 02:00:00:00:00:05 nor a \
     client-id; `lessor leases list` shows what clients are called"
)]
pub struct Unnamed(String);

/// What is meant by `text`: an address, a hardware address or a client-id, or a client as
/// `lessor leases list` calls it.
///
/// # Errors
///
/// It is none of these.
pub fn about(text: &str) -> Result<About, Unnamed> {
    let unnamed = || Unnamed(text.to_owned());
    if let Ok(addr) = text.parse::<Ipv4Addr>() {
        let about = (!addr.is_unspecified()).then_some(About::Address(addr));
        return about.ok_or_else(unnamed);
    }
    let words = [
        ("client-id ", Kind::ClientId),
        ("circuit ", Kind::Circuit),
        ("circuit+client ", Kind::CircuitClient),
        ("relay+circuit ", Kind::RelayCircuit),
    ];
    let named = words
        .into_iter()
        .find_map(|(word, kind)| Some((kind, text.strip_prefix(word)?)));
    if let Some((kind, id)) = named {
        let identity = octets(id).and_then(|id| Identity::new(kind, &[&id]));
        let identity = Some(identity.ok_or_else(unnamed)?);
        let chaddr = None;
        return Ok(About::Client { chaddr, identity });
    }
    let hw = text.strip_prefix("hw ");
    let chaddr = hardware(hw.unwrap_or(text));
    let identity = if hw.is_none() { client_id(text) } else { None };
    if chaddr.is_none() && identity.is_none() {
        return Err(unnamed());
    }
    Ok(About::Client { chaddr, identity })
}

fn hardware(text: &str) -> Option<([u8; 16], u8)> {
    let octets = octets(text)?;
    let mut chaddr = [0; 16];
    chaddr.get_mut(..octets.len())?.copy_from_slice(&octets);
    Some((chaddr, u8::try_from(octets.len()).ok()?))
}

fn client_id(text: &str) -> Option<Identity> {
    let client = ClientText {
        client_id: Some(text),
        ..ClientText::default()
    };
    client.identity().ok()
}

/// A decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// When, Unix milliseconds.
    pub time_ms: u64,
    /// The worker.
    pub worker: u16,
    /// The message: `discover`, `request` and so on; `none` if an operator ended the lease.
    pub message: String,
    /// The state of a client that sends a REQUEST: `selecting`, `init-reboot`, `renewing`,
    /// `rebinding`.
    pub client_state: Option<String>,
    /// Transaction, in hexadecimal.
    pub xid: String,
    /// Hardware address.
    pub hw_address: String,
    /// Relay it came through.
    pub relay: Option<Ipv4Addr>,
    /// Number of the port.
    pub port: u8,
    /// VLAN tags, outer first.
    pub vlan: Vec<u16>,
    /// The network; null if none was found.
    pub network: Option<String>,
    /// The answer: `offer`, `ack`, `nak`, `probe` (not yet), `in-use` (the probed address), `none`,
    /// `dropped`, `ended` (by an operator).
    pub answer: String,
    /// The address given, or in question.
    pub address: Option<Ipv4Addr>,
    /// Lease time told, seconds.
    pub lease_time: Option<u32>,
    /// The rule that made the decision, by a name that does not change.
    pub rule: String,
    /// The same in words, with the row and section it comes from.
    pub why: String,
    /// What became of a reply: `sent`, `waits` (for the disk), `dropped`; null if there is none.
    pub reply: Option<String>,
    /// Milliseconds that it waited for the disk; null if it did not.
    pub waited_ms: Option<u16>,
    /// Why it was dropped, by the name of the counter.
    pub dropped: Option<String>,
}

/// Answer, rule and its words.
fn what(what: What) -> (&'static str, &'static str, &'static str) {
    match what {
        What::Offer(rule) => ("offer", rule.name(), rule.text()),
        What::Ack(rule) => ("ack", rule.name(), rule.text()),
        What::Nak(rule) => ("nak", rule.name(), rule.text()),
        What::Probe(rule) => ("probe", rule.name(), rule.text()),
        What::Busy => (
            "in-use",
            "busy",
            "A station answered the probe: the address is set aside, and the next one is tried \
             (C179).",
        ),
        What::Silence(reason) => ("none", reason.name(), reason.text()),
        What::Dropped(reason) => ("dropped", reason.name(), reason.text()),
        What::Ended => (
            "ended",
            "operator",
            "An operator ended the lease (`lessor leases release`).",
        ),
    }
}

impl Decision {
    /// What `entry` of a worker says, by a wall clock that is so far ahead.
    #[must_use]
    pub fn new(worker: u16, entry: &Entry, wall: Wall, config: &Config) -> Self {
        let (answer, rule, why) = what(entry.what);
        let replies = matches!(answer, "offer" | "ack" | "nak");
        let (reply, dropped) = match entry.fate {
            Fate::Done | Fate::Durable => ("sent", None),
            Fate::Waits => ("waits", None),
            Fate::Dropped(reason) => ("dropped", Some(reason.name().to_owned())),
        };
        let waited = match entry.fate {
            Fate::Durable | Fate::Dropped(_) => Some(entry.waited),
            Fate::Done | Fate::Waits => None,
        };
        let network = config.network_by_key(NetworkKey(entry.network));
        let some = |addr: Ipv4Addr| (!addr.is_unspecified()).then_some(addr);
        let tags = [entry.outer_vid, entry.inner_vid];
        Self {
            time_ms: entry
                .at
                .0
                .saturating_add_signed(wall.ahead.saturating_mul(1000)),
            worker,
            message: entry.said.message().to_owned(),
            client_state: entry.said.state().map(str::to_owned),
            xid: format!("{:08x}", entry.xid),
            hw_address: Colons(entry.chaddr()).to_string(),
            relay: some(entry.giaddr),
            port: entry.port,
            vlan: tags.into_iter().take_while(|tag| *tag != 0).collect(),
            network: network.map(|network| network.name.clone()),
            answer: answer.to_owned(),
            address: some(entry.addr),
            lease_time: (entry.lease > 0).then_some(entry.lease),
            rule: rule.to_owned(),
            why: why.to_owned(),
            reply: replies.then(|| reply.to_owned()),
            waited_ms: waited.filter(|_| replies),
            dropped,
        }
    }
}

impl fmt::Display for Decision {
    /// One line: when, what was said, what was answered, why, and where it came from.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = Utc(self.time_ms / 1000).to_string();
        let time = time.strip_suffix('Z').unwrap_or(&time);
        write!(f, "{time}.{:03}Z  ", self.time_ms % 1000)?;
        let mut said = self.message.to_uppercase();
        if let Some(state) = &self.client_state {
            said = format!("{said} ({state})");
        }
        let answer = match self.answer.as_str() {
            "none" => "no answer".to_owned(),
            "probe" => "not yet: probing".to_owned(),
            "in-use" => "probe: in use".to_owned(),
            "dropped" => "dropped".to_owned(),
            "ended" => "lease ended".to_owned(),
            reply => reply.to_uppercase(),
        };
        let address = self.address.map(|addr| addr.to_string());
        let address = address.unwrap_or_default();
        write!(f, "{said:<21}  {answer:<16}  {address:<15}  {}", self.why)?;
        if let Some(lease) = self.lease_time {
            write!(f, " Lease {lease} s.")?;
        }
        match (self.reply.as_deref(), self.waited_ms) {
            (Some("sent"), Some(waited)) => write!(f, " Sent when durable, after {waited} ms.")?,
            (Some("waits"), _) => write!(f, " It waits for the disk.")?,
            (Some("dropped"), _) => {
                let why = self.dropped.as_deref().unwrap_or_default();
                write!(f, " Not sent: {why}.")?;
            }
            (Some(_) | None, _) => {}
        }
        self.origin(f)
    }
}

impl Decision {
    fn origin(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " [hw {}, xid {}", self.hw_address, self.xid)?;
        if let Some(network) = &self.network {
            write!(f, ", network {network}")?;
        }
        if let Some(relay) = self.relay {
            write!(f, ", relay {relay}")?;
        }
        write!(f, ", port {}", self.port)?;
        for tag in &self.vlan {
            write!(f, ", vlan {tag}")?;
        }
        write!(f, "]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::appliance::bindings;
    use crate::dataplane::counters::DropReason;
    use crate::dataplane::trace::Said;
    use crate::store::FileMedium;
    use dhcp_proto::config::Spec;
    use dhcp_proto::rule::Rule;
    use dhcp_proto::server::Silence;
    use dhcp_proto::time::Instant;

    fn shown(entry: &Entry) -> Decision {
        let config = bindings::configure::<FileMedium>(Spec::default(), None);
        Decision::new(3, entry, Wall { ahead: -40 }, &config)
    }

    fn ack(fate: Fate, waited: u16) -> Entry {
        let mut chaddr = [0; 16];
        chaddr[..6].copy_from_slice(&[2, 0, 0, 0, 0, 5]);
        Entry {
            at: Instant(1_800_000_040_007),
            xid: 0xbeef,
            chaddr,
            hlen: 6,
            addr: Ipv4Addr::new(10, 77, 0, 9),
            lease: 3600,
            outer_vid: 100,
            said: Said::Renewing,
            what: What::Ack(Rule::Extended),
            fate,
            waited,
            ..Entry::EMPTY
        }
    }

    #[test]
    fn a_client_is_named_by_address_hardware_address_or_client_id() {
        let kinds = |text: &str| match about(text) {
            Ok(About::Address(_)) => "address",
            Ok(About::Client { chaddr, identity }) => match (chaddr, identity) {
                (Some(_), Some(_)) => "both",
                (Some(_), None) => "hardware",
                (None, Some(_)) => "identity",
                (None, None) => "nobody",
            },
            Err(_) => "unnamed",
        };
        for (text, kind) in [
            ("10.77.0.9", "address"),
            ("02:00:00:00:00:05", "both"),
            ("hw 02:00:00:00:00:05", "hardware"),
            ("client-id 01:02", "identity"),
            ("circuit 0a:09:00:01:07", "identity"),
            ("modem-7", "identity"),
            (&["00"; 40].join(":"), "identity"),
            ("hw modem-7", "unnamed"),
            ("client-id modem", "unnamed"),
            ("0.0.0.0", "unnamed"),
            ("x", "unnamed"),
            (&["00"; 400].join(":"), "unnamed"),
        ] {
            assert_eq!(kinds(text), kind, "{text}");
        }
    }

    #[test]
    fn a_decision_is_one_line_with_all_that_is_known() {
        let line = shown(&ack(Fate::Durable, 12)).to_string();
        assert_eq!(
            line,
            "2027-01-15T08:00:00.007Z  REQUEST (renewing)     ACK               10.77.0.9        It \
             goes on with its lease (RFC 2131 §4.3.2, C50, C52). Lease 3600 s. Sent when durable, \
             after 12 ms. [hw 02:00:00:00:00:05, xid 0000beef, port 0, vlan 100]"
        );
        let line = |entry| shown(&entry).to_string();
        assert!(line(ack(Fate::Waits, 0)).contains(" It waits for the disk. ["));
        let late = ack(Fate::Dropped(DropReason::AckTimeout), 2000);
        assert!(line(late).contains(" Not sent: ack_timeout. ["));
        let silent = Entry {
            said: Said::Discover,
            what: What::Silence(Silence::NoAddress),
            lease: 0,
            ..ack(Fate::Done, 0)
        };
        let line = line(silent);
        assert!(line.contains("DISCOVER               no answer         10.77.0.9"));
        assert!(line.contains("No address is left (C34). ["), "{line}");
    }

    #[test]
    fn a_machine_reads_what_it_was_told() {
        for (entry, reply, waited, dropped) in [
            (ack(Fate::Done, 0), Some("sent"), None, None),
            (ack(Fate::Durable, 12), Some("sent"), Some(12), None),
            (ack(Fate::Waits, 0), Some("waits"), None, None),
            (
                ack(Fate::Dropped(DropReason::Superseded), 7),
                Some("dropped"),
                Some(7),
                Some("superseded"),
            ),
        ] {
            let decision = shown(&entry);
            assert_eq!(decision.reply.as_deref(), reply);
            assert_eq!(decision.waited_ms, waited);
            assert_eq!(decision.dropped.as_deref(), dropped);
            let text = serde_json::to_string(&decision).unwrap();
            assert_eq!(serde_json::from_str::<Decision>(&text).unwrap(), decision);
        }
        let busy = Entry {
            what: What::Busy,
            ..ack(Fate::Done, 0)
        };
        assert_eq!(shown(&busy).reply, None);
    }
}
