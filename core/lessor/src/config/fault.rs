//! What is wrong with a configuration file, and where.

use std::fmt;
use std::net::Ipv4Addr;

use dhcp_proto::config::Prefix;
use serde::Serialize;

/// One fault or warning, with its place in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Path of the value, such as `networks[0].subnets[2].pools[1]`; empty for the file itself.
    pub path: String,
    /// What is wrong with it.
    pub why: Reason,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            write!(f, "{}", self.why)
        } else {
            write!(f, "{}: {}", self.path, self.why)
        }
    }
}

impl Serialize for Fault {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct as _;
        let mut fault = serializer.serialize_struct("Fault", 4)?;
        fault.serialize_field("line", &self.line)?;
        fault.serialize_field("column", &self.column)?;
        fault.serialize_field("path", &self.path)?;
        fault.serialize_field("message", &self.why.to_string())?;
        fault.end()
    }
}

/// What is wrong with a value. The second half are warnings: the file is taken all the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// Not TOML.
    #[error("{0}")]
    Syntax(String),
    /// A key that means nothing here, and the one that may have been meant.
    #[error("unknown key{}", suggestion(*.0))]
    UnknownKey(Option<&'static str>),
    /// A knob of networks, found in a subnet.
    #[error("belongs to the network or to [defaults], not to a subnet")]
    NetworkKnob,
    /// A key without which the table means nothing.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// Another type of value.
    #[error("must be {wanted}, not {found}")]
    Type {
        /// What would do.
        wanted: &'static str,
        /// What stands there.
        found: &'static str,
    },
    /// A number or a size outside of its bounds.
    #[error("must be from {0} to {1}")]
    Bounds(String, String),
    /// A text that does not read as what it stands for.
    #[error("is not {0}")]
    Malformed(&'static str),
    /// A word other than the ones that mean something.
    #[error("must be one of {0}")]
    NotOneOf(String),
    /// A list or text without content.
    #[error("must not be empty")]
    Empty,
    /// Too many of something.
    #[error("has {found} entries, at most {most} are possible")]
    TooMany {
        /// How many there are.
        found: usize,
        /// How many there may be.
        most: usize,
    },
    /// The same once more.
    #[error("the same {what} stands on line {line}")]
    Doubled {
        /// What is there twice.
        what: &'static str,
        /// Where it stands first.
        line: usize,
    },
    /// Two ranges with common addresses.
    #[error("overlaps the {what} on line {line}")]
    Overlaps {
        /// What it overlaps.
        what: &'static str,
        /// Where that stands.
        line: usize,
    },
    /// A prefix with bits set behind its length.
    #[error("has bits set behind its length; its network is {}", show(*.0))]
    HostBits(Prefix),
    /// An address that no host can have.
    #[error("{0} is no address of a host")]
    NoHost(Ipv4Addr),
    /// A network address or directed broadcast.
    #[error("{addr} is the network or broadcast address of {}", show(*.prefix))]
    EdgeAddress {
        /// The address.
        addr: Ipv4Addr,
        /// The prefix whose first or last address it is.
        prefix: Prefix,
    },
    /// A range whose end precedes its start.
    #[error("the last address precedes the first")]
    Reversed,
    /// Outside of the subnet.
    #[error("the {0} is not inside its subnet")]
    Outside(&'static str),
    /// An address outside of all the network's subnets.
    #[error("{0} is in no subnet of this network")]
    NoSubnet(Ipv4Addr),
    /// An address of the appliance given to a client.
    #[error("{0} is the appliance's own address")]
    Own(Ipv4Addr),
    /// A service address that a port has.
    #[error("{0} is an address of a port already")]
    OfPort(Ipv4Addr),
    /// An address twice on one port and VLAN.
    #[error("{0} is on this port and VLAN already")]
    OwnTwice(Ipv4Addr),
    /// A next hop on no link.
    #[error("{0} is not inside the prefix of any address of this port")]
    NotOnLink(Ipv4Addr),
    /// A next hop on a link with a range of VLANs.
    #[error("{0} is on a range of VLANs, and a next hop has to be in one")]
    SeveralVlans(Ipv4Addr),
    /// Addresses of one port and VLAN in two spaces.
    #[error("addresses of one port and VLAN are in two spaces, {0} and {1}")]
    TwoSpaces(u16, u16),
    /// A series of addresses that goes on behind its subnet.
    #[error("counts past the last address of {}", show(*.0))]
    PastSubnet(Prefix),
    /// A series of clients that cannot be counted.
    #[error("counts past the last hardware address, or counts what is none")]
    Uncountable,
    /// One of several keys, not two and not none.
    #[error("must have exactly one of {0}")]
    ExactlyOne(&'static str),
    /// A key that belongs to one that is not there.
    #[error("`{0}` says nothing here: what it belongs to is not given")]
    Alone(&'static str),
    /// Lease times out of order.
    #[error("{0} ({1} s) is longer than {2} ({3} s)")]
    Order(&'static str, u32, &'static str, u32),
    /// T1, T2 and lease out of order.
    #[error("t1 ({t1} s), t2 ({t2} s) and lease_time ({lease} s) must rise in this order")]
    RenewalOrder {
        /// T1.
        t1: u32,
        /// T2.
        t2: u32,
        /// The lease.
        lease: u32,
    },
    /// As many cores as workers.
    #[error("names {cores} cores for {workers} workers")]
    Cores {
        /// Cores named.
        cores: usize,
        /// Workers.
        workers: u16,
    },
    /// An option that is not configured as such.
    #[error("is not configured as an option: {0}")]
    MadeOption(&'static str),
    /// An option name that does not exist.
    #[error("unknown option{}; others go by their code, 1 to 254", suggestion(*.0))]
    UnknownOption(Option<&'static str>),
    /// Octets of the wrong length for an option.
    #[error("has {found} octets; this option takes {wanted}")]
    Length {
        /// How many there are.
        found: usize,
        /// How many there may be.
        wanted: &'static str,
    },
    /// A domain name that cannot be encoded.
    #[error("is no domain name: labels have 1 to 63 octets, the name at most 253")]
    DomainName,

    /// Warning: an own address inside a pool.
    #[error("holds {0}, an address of the appliance, which is not assigned")]
    HoldsOwn(Ipv4Addr),
    /// Warning: a router's address inside a pool.
    #[error("holds {0}, a router of its clients, which is not assigned")]
    HoldsRouter(Ipv4Addr),
    /// Warning: no client can come to this network.
    #[error("no port has an address in it and no relay can speak for it: it has no clients")]
    Unreachable,
    /// Warning: an address in a space without ports.
    #[error("no port is in space {0}: nobody can reach it")]
    NoPort(u16),
    /// Warning: replies to a relay have no way.
    #[error("no link, route or gateway leads to {0}")]
    NoRoute(Ipv4Addr),
    /// Warning: nothing to assign.
    #[error("has neither pools nor reservations: it assigns nothing")]
    AssignsNothing,
    /// Warning: nothing configured.
    #[error("no networks: nobody is served")]
    NoNetworks,
    /// Warning: pools larger than the table of bindings.
    #[error("the pools hold {pools} addresses; at most {bindings} clients are served at a time")]
    Capacity {
        /// Addresses in all pools.
        pools: u64,
        /// `server.bindings`.
        bindings: u32,
    },
    /// Warning: clients that take 121 have no default route (C183).
    #[error(
        "has routers and classless routes, and no route to 0.0.0.0/0 among these: clients that \
             take option 121 ignore option 3 and have no default route (RFC 3442)"
    )]
    NoDefaultRoute,
    /// Warning: option 54 that clients cannot renew at.
    #[error("{0} is no address of the appliance: renewals sent to it must be brought here")]
    ForeignServerId(Ipv4Addr),
}

impl Reason {
    /// Whether a syntax error elsewhere in the file may be the true cause.
    pub(super) fn may_follow_from_syntax(&self) -> bool {
        matches!(self, Self::Missing(_) | Self::ExactlyOne(_) | Self::Empty)
    }
}

fn suggestion(nearest: Option<&'static str>) -> String {
    nearest
        .map(|key| format!(", did you mean `{key}`?"))
        .unwrap_or_default()
}

fn show(prefix: Prefix) -> String {
    format!("{}/{}", prefix.first(), prefix.len())
}

/// All that was found in a file, in file order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// What keeps the file from being used.
    pub faults: Vec<Fault>,
    /// What the operator should look at.
    pub warnings: Vec<Fault>,
}

impl Report {
    /// The report on a file that is not UTF-8 from the octet `at` on.
    pub(super) fn not_text(octets: &[u8], at: usize) -> Self {
        let before = octets
            .get(..at)
            .and_then(|b| str::from_utf8(b).ok())
            .unwrap_or_default();
        let last = before.rsplit('\n').next().unwrap_or_default();
        let fault = Fault {
            line: before.matches('\n').count() + 1,
            column: last.chars().count() + 1,
            path: String::new(),
            why: Reason::Syntax("not UTF-8 text".into()),
        };
        Self {
            faults: vec![fault],
            warnings: Vec::new(),
        }
    }

    /// The lines for an operator, as compilers write them; `file` is its name.
    #[must_use]
    pub fn lines(&self, file: &str) -> Vec<String> {
        let faults = self.faults.iter().map(|f| (f, ""));
        let warnings = self.warnings.iter().map(|f| (f, "warning: "));
        let mut all: Vec<_> = faults.chain(warnings).collect();
        all.sort_by_key(|(f, _)| (f.line, f.column));
        let line =
            |(f, kind): &(&Fault, &str)| format!("{file}:{}:{}: {kind}{f}", f.line, f.column);
        all.iter().map(line).collect()
    }
}
