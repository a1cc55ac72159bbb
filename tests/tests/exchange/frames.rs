//! Frames as a client or a relay puts them on the wire.

use dhcp_wire::ethernet::{Mac, Tags};
use dhcp_wire::frame::{FrameOut, headers_len, write_headers};
use dhcp_wire::udp::Fill;
use std::net::Ipv4Addr;

pub const UNSPECIFIED: Ipv4Addr = Ipv4Addr::UNSPECIFIED;
pub const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
pub const SERVER_MAC: Mac = Mac([2, 0xee, 0, 0, 0, 1]);

/// A DHCP message on its way.
#[derive(Debug, Clone)]
pub struct Client {
    pub mac: Mac,
    pub xid: u32,
    pub secs: u16,
    pub ciaddr: Ipv4Addr,
    pub giaddr: Ipv4Addr,
    pub options: Vec<u8>,
    pub tags: Tags,
    pub src: Ipv4Addr,
    pub dst: Ipv4Addr,
    pub dst_mac: Mac,
    pub src_port: u16,
    pub checksum: Fill,
}

pub fn client(n: u8) -> Client {
    Client {
        mac: Mac([2, 0, 0, 0, 0, n]),
        xid: u32::from(n),
        secs: 0,
        ciaddr: UNSPECIFIED,
        giaddr: UNSPECIFIED,
        options: Vec::new(),
        tags: Tags::default(),
        src: UNSPECIFIED,
        dst: Ipv4Addr::BROADCAST,
        dst_mac: Mac::BROADCAST,
        src_port: 68,
        checksum: Fill::Computed,
    }
}

/// As [`client`], of as many as there may be.
pub fn numbered(n: u16) -> Client {
    let [high, low] = n.to_be_bytes();
    Client {
        mac: Mac([2, 0, 0, 1, high, low]),
        xid: u32::from(n),
        ..client(0)
    }
}

impl Client {
    fn with(mut self, code: u8, data: &[u8]) -> Self {
        self.options
            .extend_from_slice(&[code, u8::try_from(data.len()).unwrap()]);
        self.options.extend_from_slice(data);
        self
    }

    pub fn discover(self) -> Self {
        self.with(53, &[1])
    }

    pub fn discover_for(self, addr: Ipv4Addr) -> Self {
        self.discover().with(50, &addr.octets())
    }

    pub fn request(self, addr: Ipv4Addr) -> Self {
        self.with(53, &[3])
            .with(50, &addr.octets())
            .with(54, &SERVER.octets())
    }

    pub fn renew(mut self, addr: Ipv4Addr) -> Self {
        (self.ciaddr, self.src, self.dst, self.dst_mac) = (addr, addr, SERVER, SERVER_MAC);
        self.with(53, &[3])
    }

    pub fn release(mut self, addr: Ipv4Addr) -> Self {
        (self.ciaddr, self.src, self.dst, self.dst_mac) = (addr, addr, SERVER, SERVER_MAC);
        self.with(53, &[7]).with(54, &SERVER.octets())
    }

    /// INIT-REBOOT.
    pub fn reboot(self, addr: Ipv4Addr) -> Self {
        self.with(53, &[3]).with(50, &addr.octets())
    }

    pub fn decline(self, addr: Ipv4Addr) -> Self {
        self.with(53, &[4])
            .with(50, &addr.octets())
            .with(54, &SERVER.octets())
    }

    pub fn inform(mut self, addr: Ipv4Addr) -> Self {
        (self.ciaddr, self.src) = (addr, addr);
        self.with(53, &[8])
    }

    pub fn named(self, client_id: &[u8]) -> Self {
        self.with(61, client_id)
    }

    /// Option 82 with a circuit of this name.
    pub fn on_circuit(self, circuit: &[u8]) -> Self {
        let mut info = vec![1, u8::try_from(circuit.len()).unwrap()];
        info.extend_from_slice(circuit);
        self.with(82, &info)
    }

    /// Option 82 of a relay that listens where it sends from, at `port` (RFC 8357).
    pub fn listening_at(mut self, port: u16) -> Self {
        self.src_port = port;
        self.with(82, &[1, 1, b'p', 19, 0])
    }

    pub fn relayed(mut self, giaddr: Ipv4Addr) -> Self {
        (self.giaddr, self.src, self.dst, self.dst_mac) = (giaddr, giaddr, SERVER, SERVER_MAC);
        self
    }

    /// The DHCP payload with END and without padding.
    pub fn payload(&self) -> Vec<u8> {
        let mut o = vec![1, 1, 6, 0];
        o.extend_from_slice(&self.xid.to_be_bytes());
        o.extend_from_slice(&self.secs.to_be_bytes());
        o.extend_from_slice(&[0; 2]);
        for addr in [self.ciaddr, UNSPECIFIED, UNSPECIFIED, self.giaddr] {
            o.extend_from_slice(&addr.octets());
        }
        o.extend_from_slice(&self.mac.0);
        o.resize(236, 0);
        o.extend_from_slice(&[99, 130, 83, 99]);
        o.extend_from_slice(&self.options);
        o.push(255);
        o
    }

    pub fn frame(&self) -> Vec<u8> {
        self.frame_of(&self.payload())
    }

    /// The frame of another payload.
    pub fn frame_of(&self, payload: &[u8]) -> Vec<u8> {
        let at = headers_len(self.tags);
        let mut frame = vec![0; at + payload.len()];
        frame[at..].copy_from_slice(payload);
        let out = FrameOut {
            dst_mac: self.dst_mac,
            src_mac: self.mac,
            tags: self.tags,
            src: self.src,
            dst: self.dst,
            src_port: self.src_port,
            dst_port: 67,
            ttl: 64,
            tos: 0,
            id: 0,
            payload_len: payload.len(),
            udp_checksum: self.checksum,
        };
        write_headers(&mut frame, &out).unwrap();
        frame
    }
}
