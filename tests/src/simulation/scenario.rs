//! What a seed decides before anything happens: subnets, clients, and how bad the wires are.

use super::client::{Client, Nature};
use super::dice::Dice;
use super::layout::{Layout, Layouts};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::Ipv4Addr;

/// The server's address, and the router that all relays are behind.
pub(super) const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
pub(super) const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 0, 255, 254);
/// How long an offer waits for a probe, milliseconds.
pub(super) const PROBE_WAIT: u64 = 2000;
/// Where each client has a VLAN of its own within this one, and the server's address there.
const OUTER_VLAN: u16 = 200;
const TAGGED_NET: u8 = 64;
const TAGGED_SERVER: Ipv4Addr = Ipv4Addr::new(10, TAGGED_NET, 0, 1);

/// Where clients are.
#[derive(Debug, Clone)]
pub(super) struct Home {
    name: &'static str,
    /// The relay's giaddr; none where clients are on the server's link.
    pub(super) relay: Option<Ipv4Addr>,
    pub(super) adds_circuit: bool,
    /// Its clients are known by their circuit.
    pub(super) by_circuit: bool,
    /// Each of its clients is in a VLAN of its own.
    tagged: bool,
    /// Second octet of its addresses.
    net: u8,
    /// Its subnets by number; messages come from the first.
    pub(super) subnets: Vec<usize>,
    clients: u32,
}

impl Home {
    /// The server's own link.
    pub(super) fn on_link() -> Self {
        Self {
            name: "link",
            relay: None,
            adds_circuit: false,
            by_circuit: false,
            tagged: false,
            net: 0,
            subnets: Vec::new(),
            clients: 0,
        }
    }

    /// Behind a relay that says its clients' circuits.
    pub(super) fn behind(relay: Ipv4Addr) -> Self {
        Self {
            name: "far",
            relay: Some(relay),
            adds_circuit: true,
            by_circuit: true,
            ..Self::on_link()
        }
    }

    /// Outer and inner VLAN of a client.
    pub(super) fn vlans(&self, client: u32) -> Option<[u16; 2]> {
        let inner = u16::try_from(client % 4094).expect("a VLAN") + 1;
        self.tagged.then_some([OUTER_VLAN, inner])
    }

    /// Whether each of its clients is in a VLAN of its own.
    pub(super) fn is_tagged(&self) -> bool {
        self.tagged
    }

    /// The subnet that its clients' messages come from.
    pub(super) fn first_subnet(&self) -> usize {
        self.subnets[0]
    }

    /// Whether its network may become one with another: both are behind relays, and tell their
    /// clients apart alike, which only a restart may change.
    fn is_joinable(&self) -> bool {
        self.relay.is_some() && !self.by_circuit
    }
}

/// A subnet and its pool.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subnet {
    pub(super) home: usize,
    prefix: Ipv4Addr,
    length: u32,
    first: Ipv4Addr,
    count: u32,
    probe: &'static str,
}

impl Subnet {
    pub(super) fn addresses(&self) -> impl Iterator<Item = Ipv4Addr> + use<> {
        let first = self.first.to_bits();
        (first..first + self.count).map(Ipv4Addr::from_bits)
    }

    /// Addresses of its pool.
    pub(super) fn len(&self) -> usize {
        self.count as usize
    }

    fn contains(&self, addr: Ipv4Addr) -> bool {
        (addr.to_bits() ^ self.prefix.to_bits()).leading_zeros() >= self.length
    }

    /// Whether its new addresses are asked for before they are offered.
    pub(super) fn is_probed(&self) -> bool {
        self.probe != "off"
    }
}

/// How frames fare, in thousandths and milliseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weather {
    pub(super) loss: u64,
    pub(super) twice: u64,
    pub(super) delay: u64,
}

impl Weather {
    pub(super) const FINE: Self = Self {
        loss: 0,
        twice: 0,
        delay: 20,
    };
}

#[derive(Debug)]
pub(super) struct Scenario {
    pub(super) homes: Vec<Home>,
    pub(super) subnets: Vec<Subnet>,
    pub(super) layouts: Layouts,
    pub(super) weather: Weather,
    pub(super) lease: u32,
    grace: u32,
    hold: u32,
    pub(super) probation: u32,
    /// Milliseconds that a step takes on average.
    pub(super) pace: u64,
    /// Addresses that the file reserves, each with its device.
    pub(super) reserved: BTreeMap<Ipv4Addr, u32>,
}

/// Name, second octet of the addresses, and how many subnets.
const HOMES: [(&str, u8, usize); 5] = [
    ("direct", 0, 1),
    ("relayed", 16, 1),
    ("circuits", 32, 1),
    ("tagged", TAGGED_NET, 1),
    ("shared", 48, 2),
];

impl Scenario {
    pub(super) fn new(dice: &mut Dice) -> (Self, Vec<Client>) {
        // Some seeds have few clients and many cycles, others thousands.
        let count = dice.pick(&[40, 120, 300, 800, 2500]);
        let mut left = u32::try_from(dice.between(count / 2, count)).expect("few");
        let (mut homes, mut subnets) = (Vec::new(), Vec::new());
        for (at, (name, net, parts)) in HOMES.into_iter().enumerate() {
            let clients = if at == HOMES.len() - 1 {
                left
            } else {
                left / 3
            };
            left -= clients;
            let mut home = Home::new((name, net), clients, dice);
            let size = clients * dice.pick(&[5, 9, 10, 12, 15]) / 10 + 1;
            for part in 0..parts {
                home.subnets.push(subnets.len());
                subnets.push(Subnet::new((at, &home), (part, parts), size, dice));
            }
            homes.push(home);
        }
        let lease = u32::try_from((count / 5).clamp(60, 600)).expect("short");
        let weather = Weather {
            loss: dice.pick(&[0, 20, 100, 250]),
            twice: dice.pick(&[0, 20, 100]),
            delay: dice.pick(&[5, 100, 1500, 4000]),
        };
        let groups = homes.iter().map(|home| (home.name, home.subnets.clone()));
        let mut scenario = Self {
            layouts: Layouts::new(Layout::new(groups)),
            homes,
            subnets,
            weather,
            lease,
            grace: dice.pick(&[0, 2, 30]),
            hold: dice.pick(&[5, 20, 60]),
            probation: dice.pick(&[30, 300]),
            pace: dice.pick(&[100, 250, 400]),
            reserved: BTreeMap::new(),
        };
        let clients = scenario.clients(dice);
        (scenario, clients)
    }

    /// The subnet that has an address, in a pool or not.
    pub(super) fn subnet_of(&self, addr: Ipv4Addr) -> Option<usize> {
        self.subnets.iter().position(|subnet| subnet.contains(addr))
    }

    /// The pools' addresses that clients of `home` can get.
    pub(super) fn within_reach(&self, home: usize) -> impl Iterator<Item = Ipv4Addr> {
        let network = self.layouts.now.of(self.homes[home].first_subnet());
        let subnets = network.subnets.iter();
        subnets.flat_map(|subnet| self.subnets[*subnet].addresses())
    }

    /// Another file, whose networks are others.
    pub(super) fn regrouped(&self, dice: &mut Dice) -> Layout {
        let mut layout = self.layouts.now.clone();
        layout.change(
            |subnet| self.homes[self.subnets[subnet].home].is_joinable(),
            dice,
        );
        layout
    }

    fn clients(&mut self, dice: &mut Dice) -> Vec<Client> {
        let mut clients: Vec<Client> = Vec::new();
        for home in 0..self.homes.len() {
            for _ in 0..self.homes[home].clients {
                let number = u32::try_from(clients.len()).expect("few");
                let mut nature = Nature {
                    number,
                    device: number,
                    mac: mac(number),
                    client_id: None,
                    home,
                    broadcast: dice.one_in(3),
                    wish: dice.one_in(4).then_some(self.lease / 2),
                };
                if dice.one_in(3) {
                    nature.client_id = Some([&[0xff], &number.to_be_bytes()[..]].concat());
                }
                let by_circuit = self.homes[home].by_circuit;
                let twin = clients.last().filter(|twin| twin.nature.home == home);
                if let Some(twin) = twin.filter(|_| !by_circuit && dice.one_in(20)) {
                    // The same device under another name, as a loader and its system are.
                    (nature.device, nature.mac) = (twin.nature.device, twin.nature.mac);
                    nature.client_id = Some([&[0], &number.to_be_bytes()[..]].concat());
                }
                if !by_circuit && dice.one_in(15) {
                    self.reserve(home, &nature);
                }
                let wakes = dice.roll(u64::from(self.lease) * 500);
                clients.push(Client::new(nature, 0, wakes));
            }
        }
        clients
    }

    /// Keeps an address for a device, in a pool or behind the pools.
    fn reserve(&mut self, home: usize, nature: &Nature) {
        let subnet = &self.subnets[self.homes[home].first_subnet()];
        let addr = subnet.first.to_bits() + (nature.number % (subnet.count + 3));
        let addr = Ipv4Addr::from_bits(addr);
        let has_one = self
            .reserved
            .values()
            .any(|device| *device == nature.device);
        if !has_one && !self.reserved.contains_key(&addr) {
            self.reserved.insert(addr, nature.device);
        }
    }

    /// The configuration file, with the networks of `layout`.
    pub(super) fn toml(&self, layout: &Layout) -> String {
        let mut text = format!(
            "[[ports]]\ndevice = \"net_null0\"\naddresses = [\"{SERVER}/16\", \
             {{ address = \"{TAGGED_SERVER}/16\", vlan = [{OUTER_VLAN}, \"1-4094\"] }}]\n\
             gateway = \"{GATEWAY}\"\n[defaults]\nlease_time = {lease}\nmin_lease_time = 10\n\
             max_lease_time = {lease}\ngrace = {}\noffer_hold = {}\nprobation = {}\n\
             probe_wait = \"{PROBE_WAIT}ms\"\n",
            self.grace,
            self.hold,
            self.probation,
            lease = self.lease,
        );
        for group in &layout.groups {
            self.write_network(&mut text, &group.name, &group.subnets)
                .expect("a string takes it");
        }
        text
    }

    fn write_network(&self, text: &mut String, name: &str, subnets: &[usize]) -> std::fmt::Result {
        let by_circuit = self.homes[self.subnets[subnets[0]].home].by_circuit;
        let identity = if by_circuit { "circuit" } else { "client-id" };
        writeln!(
            text,
            "[[networks]]\nname = \"{name}\"\nidentity = \"{identity}\""
        )?;
        for subnet in subnets.iter().map(|at| &self.subnets[*at]) {
            let Subnet {
                prefix,
                length,
                first,
                count,
                probe,
                ..
            } = subnet;
            let last = Ipv4Addr::from_bits(first.to_bits() + count - 1);
            writeln!(
                text,
                "[[networks.subnets]]\nprefix = \"{prefix}/{length}\"\n\
                 pools = [\"{first}-{last}\"]\nprobe = \"{probe}\""
            )?;
        }
        for (addr, device) in &self.reserved {
            if self
                .subnet_of(*addr)
                .is_some_and(|at| subnets.contains(&at))
            {
                let mac = written(mac(*device));
                writeln!(
                    text,
                    "[[networks.reservations]]\nhw_address = \"{mac}\"\naddress = \"{addr}\""
                )?;
            }
        }
        Ok(())
    }
}

impl Home {
    fn new((name, net): (&'static str, u8), clients: u32, dice: &mut Dice) -> Self {
        let by_circuit = net == 32;
        let tagged = net == TAGGED_NET;
        Self {
            name,
            relay: (net > 0 && !tagged).then_some(Ipv4Addr::new(10, net, 0, 1)),
            adds_circuit: by_circuit || dice.one_in(2),
            by_circuit,
            tagged,
            net,
            subnets: Vec::new(),
            clients,
        }
    }
}

impl Subnet {
    /// Subnet `part` of `parts` that `home` has, with addresses for its share of `size`.
    fn new(
        (at, home): (usize, &Home),
        (part, parts): (usize, usize),
        size: u32,
        dice: &mut Dice,
    ) -> Self {
        let (net, third) = (home.net, u8::try_from(part * 16).expect("few"));
        let probes = match home.relay {
            None => ["off", "arp", "auto"],
            Some(_) => ["off", "icmp", "auto"],
        };
        Self {
            home: at,
            prefix: Ipv4Addr::new(10, net, third, 0),
            length: if parts == 1 { 16 } else { 20 },
            first: Ipv4Addr::new(10, net, third + u8::from(parts == 1), 10),
            count: size.div_ceil(u32::try_from(parts).expect("few")),
            probe: dice.pick(&probes),
        }
    }
}

/// The hardware address of a device.
pub(super) fn mac(device: u32) -> [u8; 6] {
    let [a, b, c, d] = device.to_be_bytes();
    [0x02, 0x51, a, b, c, d]
}

/// A hardware address as files have it.
pub(super) fn written(mac: [u8; 6]) -> String {
    mac.map(|octet| format!("{octet:02x}")).join(":")
}
