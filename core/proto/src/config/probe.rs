//! Whether an address is probed before it is offered to a client that is new to it.

/// How a probe asks whether somebody has the address: RFC 2131 §2.2, §3.1 step 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ProbeBy {
    /// It does not ask.
    #[default]
    Off,
    /// By an ICMP echo request. On the address's own link ARP finds the station first, and its
    /// answer alone says nothing: a router may answer for others (RFC 1027).
    Icmp,
    /// By ARP, on the address's own link; beyond routers it does not ask.
    Arp,
    /// By ARP on the address's own link, by ICMP beyond routers.
    Auto,
}

/// The probe of a subnet's addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProbeRules {
    /// How it asks.
    pub by: ProbeBy,
    /// Milliseconds that it waits for an answer.
    pub wait: u16,
    /// Whether reserved addresses are probed for their owners, too (C180).
    pub reservations: bool,
}

impl Default for ProbeRules {
    fn default() -> Self {
        Self {
            by: ProbeBy::Off,
            wait: 500,
            reservations: false,
        }
    }
}
