//! A client that says what it is told to: DHCP payloads, octet by octet.

use dhcp_wire::dhcp::code;
use dhcp_wire::ethernet::Mac;
use std::net::Ipv4Addr;

pub const UNSPECIFIED: Ipv4Addr = Ipv4Addr::UNSPECIFIED;
/// The server, as the default setup has it.
pub const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
/// A relay of network "far".
pub const RELAY: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 1);

/// A message on its way to the server, and how it travels.
#[derive(Debug, Clone)]
pub struct Msg {
    pub op: u8,
    pub htype: u8,
    pub hlen: u8,
    pub hops: u8,
    pub xid: u32,
    pub secs: u16,
    pub flags: u16,
    pub ciaddr: Ipv4Addr,
    pub giaddr: Ipv4Addr,
    pub chaddr: [u8; 16],
    pub options: Vec<(u8, Vec<u8>)>,
    pub end: bool,
    pub port: u8,
    pub vids: (u16, u16),
    pub l2_src: Mac,
    pub ip_src: Ipv4Addr,
    pub ip_dst: Ipv4Addr,
    pub src_port: u16,
}

/// A client of hardware address 02:00:00:00:00:`n`.
pub fn client(n: u8) -> Msg {
    let mac = [2, 0, 0, 0, 0, n];
    let mut chaddr = [0; 16];
    chaddr[..6].copy_from_slice(&mac);
    Msg {
        op: 1,
        htype: 1,
        hlen: 6,
        hops: 0,
        xid: 0x1000_0000 + u32::from(n),
        secs: 0,
        flags: 0,
        ciaddr: UNSPECIFIED,
        giaddr: UNSPECIFIED,
        chaddr,
        options: Vec::new(),
        end: true,
        port: 0,
        vids: (0, 0),
        l2_src: Mac(mac),
        ip_src: UNSPECIFIED,
        ip_dst: Ipv4Addr::BROADCAST,
        src_port: 68,
    }
}

impl Msg {
    pub fn option(mut self, code: u8, data: &[u8]) -> Self {
        self.options.push((code, data.to_vec()));
        self
    }

    pub fn addr(self, code: u8, addr: Ipv4Addr) -> Self {
        self.option(code, &addr.octets())
    }

    pub fn kind(mut self, kind: u8) -> Self {
        self.options.insert(0, (code::MESSAGE_TYPE, vec![kind]));
        self
    }

    pub fn discover(self) -> Self {
        self.kind(1)
    }

    pub fn request(self) -> Self {
        self.kind(3)
    }

    pub fn decline(self) -> Self {
        self.kind(4)
    }

    pub fn release(self) -> Self {
        self.kind(7)
    }

    pub fn inform(self) -> Self {
        self.kind(8)
    }

    pub fn requested(self, addr: Ipv4Addr) -> Self {
        self.addr(code::REQUESTED_ADDRESS, addr)
    }

    pub fn server(self, addr: Ipv4Addr) -> Self {
        self.addr(code::SERVER_ID, addr)
    }

    pub fn prl(self, codes: &[u8]) -> Self {
        self.option(code::PARAMETER_REQUEST_LIST, codes)
    }

    pub fn client_id(self, octets: &[u8]) -> Self {
        self.option(code::CLIENT_ID, octets)
    }

    pub fn lease(self, seconds: u32) -> Self {
        self.option(code::LEASE_TIME, &seconds.to_be_bytes())
    }

    /// The REQUEST that takes `offer`.
    pub fn select(self, offer: &crate::world::Reply) -> Self {
        let request = self.request().requested(offer.yiaddr());
        request.server(offer.server_id())
    }

    /// The REQUEST of a client that renews `addr`, straight to [`SERVER`].
    pub fn renew(self, addr: Ipv4Addr) -> Self {
        self.request().ciaddr(addr).unicast(SERVER)
    }

    /// The REQUEST of a client that rebinds `addr`, to everybody.
    pub fn rebind(self, addr: Ipv4Addr) -> Self {
        let mut message = self.request().ciaddr(addr);
        message.ip_src = addr;
        message
    }

    /// The REQUEST of a client that reboots and believes that it has `addr`.
    pub fn reboot(self, addr: Ipv4Addr) -> Self {
        self.request().requested(addr)
    }

    /// Through [`RELAY`].
    pub fn far(self) -> Self {
        self.relayed(RELAY, SERVER)
    }

    pub fn xid(mut self, xid: u32) -> Self {
        self.xid = xid;
        self
    }

    pub fn ciaddr(mut self, addr: Ipv4Addr) -> Self {
        self.ciaddr = addr;
        self
    }

    pub fn broadcast_flag(mut self) -> Self {
        self.flags |= 0x8000;
        self
    }

    /// Sent by unicast from ciaddr to `server`, over the link itself.
    pub fn unicast(mut self, server: Ipv4Addr) -> Self {
        self.ip_src = self.ciaddr;
        self.ip_dst = server;
        self
    }

    /// Sent by unicast to `server` through the router `router`.
    pub fn routed(self, server: Ipv4Addr, router: Mac) -> Self {
        let mut message = self.unicast(server);
        message.l2_src = router;
        message
    }

    /// Through the relay `giaddr`, which sends to `server`.
    pub fn relayed(mut self, giaddr: Ipv4Addr, server: Ipv4Addr) -> Self {
        self.giaddr = giaddr;
        self.ip_src = giaddr;
        self.ip_dst = server;
        self.hops = 1;
        self.src_port = 67;
        self.l2_src = Mac([2, 0xff, 0, 0, 0, 1]);
        self
    }

    /// Option 82 with this circuit-id.
    pub fn circuit(self, id: &[u8]) -> Self {
        self.agent_info(&[(1, id)])
    }

    /// Option 82 with these sub-options.
    pub fn agent_info(self, parts: &[(u8, &[u8])]) -> Self {
        let mut data = Vec::new();
        for (code, value) in parts {
            data.extend_from_slice(&[*code, u8::try_from(value.len()).unwrap()]);
            data.extend_from_slice(value);
        }
        self.option(code::AGENT_INFO, &data)
    }

    /// The DHCP payload; options of more than 255 octets are split.
    pub fn octets(&self) -> Vec<u8> {
        let mut o = vec![self.op, self.htype, self.hlen, self.hops];
        o.extend_from_slice(&self.xid.to_be_bytes());
        o.extend_from_slice(&self.secs.to_be_bytes());
        o.extend_from_slice(&self.flags.to_be_bytes());
        for addr in [self.ciaddr, UNSPECIFIED, UNSPECIFIED, self.giaddr] {
            o.extend_from_slice(&addr.octets());
        }
        o.extend_from_slice(&self.chaddr);
        o.resize(236, 0);
        o.extend_from_slice(&[99, 130, 83, 99]);
        for (code, data) in &self.options {
            if data.is_empty() {
                o.extend_from_slice(&[*code, 0]);
            }
            for part in data.chunks(255) {
                o.extend_from_slice(&[*code, u8::try_from(part.len()).unwrap()]);
                o.extend_from_slice(part);
            }
        }
        if self.end {
            o.push(255);
        }
        o
    }
}
