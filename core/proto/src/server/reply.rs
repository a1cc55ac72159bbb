//! The octets of a reply, RFC 2131 table 3, written where the query was.

use super::plan::{Plan, ReplyKind};
use crate::config::{Config, Configured, Network, Subnet};
use core::net::Ipv4Addr;
use dhcp_wire::dhcp::{Header, Message, MessageType, Options, Writer, code};

/// The smallest datagram every client takes, RFC 2131 §2, and what C86 counts for a client that
/// says less or nothing.
const LEAST_MAX: u16 = 576;
/// IP and UDP header, which option 57 counts too.
const IP_AND_UDP: u16 = 28;
const BROADCAST_FLAG: u16 = 0x8000;
/// Room for option 61 and for option 82, each as long as a frame can carry them.
const ECHO: usize = 1536;

const EMPTY: Header = Header {
    op: 0,
    htype: 0,
    hlen: 0,
    hops: 0,
    xid: 0,
    secs: 0,
    flags: 0,
    ciaddr: Ipv4Addr::UNSPECIFIED,
    yiaddr: Ipv4Addr::UNSPECIFIED,
    siaddr: Ipv4Addr::UNSPECIFIED,
    giaddr: Ipv4Addr::UNSPECIFIED,
    chaddr: [0; 16],
};

/// What a reply takes from its query, copied out because the reply overwrites it.
#[derive(Debug)]
pub struct Echo {
    header: Header,
    hops: u8,
    /// Largest reply in octets of DHCP message.
    limit: usize,
    prl: [u8; 256],
    prl_len: usize,
    asks: bool,
    client_id: [u8; ECHO],
    client_id_len: Option<usize>,
    agent_info: [u8; ECHO],
    agent_info_len: usize,
}

impl Default for Echo {
    fn default() -> Self {
        Self {
            header: EMPTY,
            hops: 0,
            limit: 0,
            prl: [0; 256],
            prl_len: 0,
            asks: false,
            client_id: [0; ECHO],
            client_id_len: None,
            agent_info: [0; ECHO],
            agent_info_len: 0,
        }
    }
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// Octets of DHCP message.
    pub len: usize,
    /// Options that were asked for or configured, and did not fit (C162).
    pub dropped: u16,
    /// Option 82 was to be echoed and did not fit (C91).
    pub agent_info_dropped: bool,
}

impl Echo {
    /// Takes from a query what its reply repeats. The reply has at most `most` octets, IP header
    /// included, of what the link and the configuration allow.
    pub fn take(&mut self, message: &Message<'_>, options: &Options<'_>, most: u16) {
        self.header = Header::reply_to(*message);
        self.hops = message.hops();
        let asked = options.u16(code::MAX_MESSAGE_SIZE).unwrap_or(0);
        self.limit = usize::from(asked.max(LEAST_MAX).min(most).saturating_sub(IP_AND_UDP));
        self.take_prl(options);
        let client_id = options.get(code::CLIENT_ID);
        self.client_id_len = client_id.and_then(|id| id.copy_to(&mut self.client_id));
        let copied = options.copy_instances(code::AGENT_INFO, &mut self.agent_info);
        self.agent_info_len = copied.unwrap_or(0);
    }

    /// Option 55, each code once (C169).
    fn take_prl(&mut self, options: &Options<'_>) {
        let mut seen = Codes::default();
        self.prl_len = 0;
        self.asks = options
            .get(code::PARAMETER_REQUEST_LIST)
            .is_some_and(|l| !l.is_empty());
        for code in options.prl() {
            if seen.is_new(code)
                && let Some(room) = self.prl.get_mut(self.prl_len)
            {
                *room = code;
                self.prl_len += 1;
            }
        }
    }

    fn prl(&self) -> &[u8] {
        self.prl.get(..self.prl_len).unwrap_or(&[])
    }

    fn client_id(&self) -> Option<&[u8]> {
        self.client_id.get(..self.client_id_len?)
    }

    fn agent_info(&self) -> &[u8] {
        self.agent_info.get(..self.agent_info_len).unwrap_or(&[])
    }
}

/// Option codes already in the reply.
#[derive(Debug, Default)]
struct Codes([u64; 4]);

impl Codes {
    /// Notes `code`; whether it was not there yet.
    fn is_new(&mut self, code: u8) -> bool {
        let (word, bit) = (usize::from(code >> 6), 1u64 << (code & 63));
        let Some(word) = self.0.get_mut(word) else {
            return false;
        };
        let new = *word & bit == 0;
        *word |= bit;
        new
    }
}

/// Whether a code is the server's own business and never taken from a list (C25, C27, C169).
fn is_own(code: u8) -> bool {
    matches!(
        code,
        code::PAD | 50
            ..=59 | code::CLIENT_ID | code::AGENT_INFO | code::SUBNET_SELECTION | code::END
    )
}

/// Writes the reply that `plan` describes into `buf`, from its first octet on; `None` if `buf` is
/// too small for any reply.
#[must_use]
pub fn write_reply(config: &Config, plan: &Plan, echo: &Echo, buf: &mut [u8]) -> Option<Written> {
    let (network, subnet) = config.subnet(plan.place)?;
    let reply = Reply {
        plan,
        echo,
        network,
        subnet,
    };
    let limit = echo.limit.min(buf.len());
    let mut writer = Writer::new(buf, limit, &reply.header())?;
    let agent_info = if plan.echo_agent_info {
        echo.agent_info()
    } else {
        &[]
    };
    let mut dropped = reply.mandatory(&mut writer);
    // C91, C162: option 82 goes before what was asked for, unless it does not fit even so.
    if writer.agent_info_fits(agent_info.len()) {
        writer.reserve(agent_info.len());
    }
    if plan.kind != ReplyKind::Nak {
        dropped += reply.configured(&mut writer);
    }
    let finished = writer.finish(agent_info);
    Some(Written {
        len: finished.len,
        dropped,
        agent_info_dropped: !agent_info.is_empty() && !finished.agent_info_written,
    })
}

struct Reply<'r> {
    plan: &'r Plan,
    echo: &'r Echo,
    network: &'r Network,
    subnet: &'r Subnet,
}

impl Reply<'_> {
    /// The fixed fields, RFC 2131 table 3 (C17 to C24).
    fn header(&self) -> Header {
        let query = &self.echo.header;
        let nak = self.plan.kind == ReplyKind::Nak;
        // C51: a relay has to broadcast a NAK, RFC 2131 §4.3.2.
        let to_relay = !query.giaddr.is_unspecified();
        let flags = if nak && to_relay {
            query.flags | BROADCAST_FLAG
        } else {
            query.flags
        };
        let hops = if self.network.rules.echo_hops {
            self.echo.hops
        } else {
            0
        };
        let unspecified = Ipv4Addr::UNSPECIFIED;
        Header {
            hops,
            flags,
            ciaddr: self.plan.ciaddr,
            yiaddr: self.plan.yiaddr,
            siaddr: if nak {
                unspecified
            } else {
                self.subnet.boot.next_server
            },
            ..*query
        }
    }

    /// What leads every reply and has its room first (C84, C162): 53, 54, 51, 58, 59, 1, 61.
    fn mandatory(&self, writer: &mut Writer<'_>) -> u16 {
        let plan = self.plan;
        let kind = match plan.kind {
            ReplyKind::Offer => MessageType::Offer,
            ReplyKind::Ack => MessageType::Ack,
            ReplyKind::Nak => MessageType::Nak,
        };
        let nak = plan.kind == ReplyKind::Nak;
        if !nak {
            // C163: a field with boot data is not used for options.
            writer.sname(&self.subnet.boot.server_name);
            writer.file(&self.subnet.boot.boot_file);
        }
        let mut options = Tally { writer, dropped: 0 };
        options.put(code::MESSAGE_TYPE, &[kind as u8]);
        options.put(code::SERVER_ID, &plan.server_id.octets());
        if let Some(lease) = plan.lease {
            options.put(code::LEASE_TIME, &lease.to_be_bytes());
        }
        if let Some((t1, t2)) = plan.renewal {
            options.put(code::RENEWAL_TIME, &t1.to_be_bytes());
            options.put(code::REBINDING_TIME, &t2.to_be_bytes());
        }
        if !nak {
            let mask = self.subnet.prefix.mask().octets();
            let configured = self.subnet.options.find(code::SUBNET_MASK);
            options.put(code::SUBNET_MASK, configured.map_or(&mask[..], |o| o.data));
        }
        // RFC 3011 §2: "an identical copy of the option" to who sent it (C115).
        if let (false, Some(subnet)) = (nak, plan.subnet_selection) {
            options.put(code::SUBNET_SELECTION, &subnet.octets());
        }
        // RFC 6842 §3: unaltered, in a NAK too.
        if let Some(client_id) = self.echo.client_id() {
            options.put(code::CLIENT_ID, client_id);
        }
        options.dropped
    }

    /// What the client asks for, in its order (C84), then what is sent unasked (C168).
    fn configured(&self, writer: &mut Writer<'_>) -> u16 {
        let mut sent = Codes::default();
        sent.is_new(code::SUBNET_MASK);
        let mut options = Tally { writer, dropped: 0 };
        // RFC 3442: beside the routes of option 121 neither 3 nor 33 is sent (C110), unless the
        // routes do not fit, or the operator wants them sent always.
        let asks = self.asks_for_routes();
        let mut withholds = asks;
        for code in self.echo.prl() {
            if is_own(*code) || !sent.is_new(*code) {
                continue;
            }
            let Some(option) = self.option(*code) else {
                continue;
            };
            if withholds && is_old_route(*code) && !option.always {
                continue;
            }
            let fits = options.put(*code, option.data);
            withholds &= fits || *code != code::CLASSLESS_ROUTES;
        }
        if asks && !withholds {
            self.old_routes(&mut options);
        }
        for option in self.subnet.options.iter() {
            let wanted = option.always || !self.echo.asks;
            if wanted && !is_own(option.code) && sent.is_new(option.code) {
                options.put(option.code, option.data);
            }
        }
        options.dropped
    }

    /// What was withheld for routes that did not fit.
    #[cold]
    fn old_routes(&self, options: &mut Tally<'_, '_>) {
        let asked = self.echo.prl();
        let before = asked.iter().take_while(|c| **c != code::CLASSLESS_ROUTES);
        for code in before.filter(|code| is_old_route(**code)) {
            if let Some(option) = self.option(*code).filter(|option| !option.always) {
                options.put(*code, option.data);
            }
        }
    }

    /// Whether the client asks for the routes of RFC 3442, and there are some for it.
    fn asks_for_routes(&self) -> bool {
        let asks = self.echo.prl().contains(&code::CLASSLESS_ROUTES);
        asks && self.option(code::CLASSLESS_ROUTES).is_some()
    }

    /// What is sent for a code. 249 is Microsoft's number of 121 (C183).
    fn option(&self, code: u8) -> Option<Configured<'_>> {
        let options = &self.subnet.options;
        let found = options.find(code);
        if found.is_none() && code == code::CLASSLESS_ROUTES_MICROSOFT {
            return options.find(code::CLASSLESS_ROUTES);
        }
        found
    }
}

fn is_old_route(code: u8) -> bool {
    code == code::ROUTERS || code == code::STATIC_ROUTES
}

/// Writes options and counts those without room.
struct Tally<'w, 'b> {
    writer: &'w mut Writer<'b>,
    dropped: u16,
}

impl Tally<'_, '_> {
    /// Whether it fitted.
    fn put(&mut self, code: u8, data: &[u8]) -> bool {
        let fits = self.writer.option(code, data).is_ok();
        self.dropped = self.dropped.saturating_add(u16::from(!fits));
        fits
    }
}
