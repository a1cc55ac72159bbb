//! What a seed decides before anything happens: networks, clients, and how bad the wires are.

use super::client::{Client, Nature};
use super::dice::Dice;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::Ipv4Addr;

/// The server's address, and the router that all relays are behind.
pub(super) const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
pub(super) const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 0, 255, 254);

/// A network and where its clients are.
#[derive(Debug, Clone)]
pub(super) struct Home {
    pub(super) name: &'static str,
    /// The relay's giaddr; none where clients are on the server's link.
    pub(super) relay: Option<Ipv4Addr>,
    pub(super) adds_circuit: bool,
    /// Its clients are known by their circuit.
    pub(super) by_circuit: bool,
    /// Second octet of its addresses, and how many /24 of them are subnets of their own; 0 is one
    /// subnet.
    net: u8,
    subnets: u8,
    /// First address and number of addresses of each pool.
    pub(super) pools: Vec<(Ipv4Addr, u32)>,
    clients: u32,
    /// How often its network has got another name.
    renames: u32,
}

impl Home {
    /// Its network has another name from now on.
    pub(super) fn rename(&mut self) {
        self.renames += 1;
    }

    pub(super) fn addresses(&self) -> impl Iterator<Item = Ipv4Addr> {
        let pools = self.pools.iter();
        pools.flat_map(|(first, count)| {
            let first = first.to_bits();
            (first..first + count).map(Ipv4Addr::from_bits)
        })
    }

    /// The server's own link.
    pub(super) fn on_link() -> Self {
        Self {
            name: "link",
            relay: None,
            adds_circuit: false,
            by_circuit: false,
            net: 0,
            subnets: 0,
            pools: Vec::new(),
            clients: 0,
            renames: 0,
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

    pub(super) fn contains(&self, addr: Ipv4Addr) -> bool {
        let [a, b, ..] = addr.octets();
        (a, b) == (10, self.net)
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
    pub(super) weather: Weather,
    pub(super) lease: u32,
    pub(super) grace: u32,
    pub(super) hold: u32,
    pub(super) probation: u32,
    /// Milliseconds that a step takes on average.
    pub(super) pace: u64,
    /// Reserved addresses, each with its device.
    pub(super) reserved: BTreeMap<Ipv4Addr, u32>,
    reservations: String,
}

impl Scenario {
    pub(super) fn new(dice: &mut Dice) -> (Self, Vec<Client>) {
        // Some seeds have few clients and many cycles, others thousands.
        let count = dice.pick(&[40, 120, 300, 800, 2500]);
        let mut left = u32::try_from(dice.between(count / 2, count)).expect("few");
        let mut homes = Vec::new();
        let kinds: [(&'static str, u8, u8); 4] = [
            ("direct", 1, 0),
            ("relayed", 16, 0),
            ("circuits", 32, 0),
            ("shared", 48, 2),
        ];
        for (name, net, subnets) in kinds {
            let clients = if net == 48 { left } else { left / 3 };
            left -= clients;
            let size = clients * dice.pick(&[5, 9, 10, 12, 15]) / 10 + 1;
            homes.push(Home::new((name, net, subnets), clients, size, dice));
        }
        let lease = u32::try_from((count / 5).clamp(60, 600)).expect("short");
        let weather = Weather {
            loss: dice.pick(&[0, 20, 100, 250]),
            twice: dice.pick(&[0, 20, 100]),
            delay: dice.pick(&[5, 100, 1500, 4000]),
        };
        let mut scenario = Self {
            homes,
            weather,
            lease,
            grace: dice.pick(&[0, 2, 30]),
            hold: dice.pick(&[5, 20, 60]),
            probation: dice.pick(&[30, 300]),
            pace: dice.pick(&[100, 250, 400]),
            reserved: BTreeMap::new(),
            reservations: String::new(),
        };
        let clients = scenario.clients(dice);
        (scenario, clients)
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
        let (first, count) = self.homes[home].pools[0];
        let addr = first.to_bits() + (nature.number % (count + 3));
        let addr = Ipv4Addr::from_bits(addr);
        let has_one = self
            .reserved
            .values()
            .any(|device| *device == nature.device);
        if has_one || self.reserved.contains_key(&addr) {
            return;
        }
        self.reserved.insert(addr, nature.device);
        let mac = nature.mac.map(|octet| format!("{octet:02x}")).join(":");
        let network = self.homes[home].name;
        writeln!(self.reservations, "{network} {mac} {addr}").expect("a string");
    }

    /// The configuration file.
    pub(super) fn toml(&self) -> String {
        let mut text = format!(
            "[[ports]]\ndevice = \"net_null0\"\naddresses = [\"{SERVER}/16\"]\n\
             gateway = \"{GATEWAY}\"\n[defaults]\nlease_time = {lease}\nmin_lease_time = 10\n\
             max_lease_time = {lease}\ngrace = {}\noffer_hold = {}\nprobation = {}\n",
            self.grace,
            self.hold,
            self.probation,
            lease = self.lease,
        );
        for home in &self.homes {
            home.write(&mut text, &self.reservations);
        }
        text
    }
}

impl Home {
    fn new(
        (name, net, subnets): (&'static str, u8, u8),
        clients: u32,
        size: u32,
        dice: &mut Dice,
    ) -> Self {
        let by_circuit = net == 32;
        let net = if net == 1 { 0 } else { net };
        let pools = match subnets {
            0 => vec![(Ipv4Addr::new(10, net, 1, 0), size)],
            subnets => (0..subnets)
                .map(|third| (Ipv4Addr::new(10, net, third * 16, 10), size.div_ceil(2)))
                .collect(),
        };
        Self {
            name,
            relay: (net > 0).then_some(Ipv4Addr::new(10, net, 0, 1)),
            adds_circuit: by_circuit || dice.one_in(2),
            by_circuit,
            net,
            subnets,
            pools,
            clients,
            renames: 0,
        }
    }

    fn write(&self, text: &mut String, reservations: &str) {
        let Self {
            name, net, renames, ..
        } = self;
        let identity = if self.by_circuit {
            "circuit"
        } else {
            "client-id"
        };
        write!(
            text,
            "[[networks]]\nname = \"{name}-{renames}\"\nidentity = \"{identity}\"\n"
        )
        .expect("text");
        for (at, (first, count)) in self.pools.iter().enumerate() {
            let last = Ipv4Addr::from_bits(first.to_bits() + count - 1);
            let prefix = match self.subnets {
                0 => format!("10.{net}.0.0/16"),
                _ => format!("10.{net}.{}.0/20", at * 16),
            };
            write!(
                text,
                "[[networks.subnets]]\nprefix = \"{prefix}\"\npools = [\"{first}-{last}\"]\n"
            )
            .expect("text");
        }
        for line in reservations.lines() {
            let mut words = line.split(' ');
            let (network, mac, addr) = (words.next(), words.next(), words.next());
            if let (Some(mac), Some(addr)) = (mac, addr)
                && network == Some(name)
            {
                write!(
                    text,
                    "[[networks.reservations]]\nhw_address = \"{mac}\"\naddress = \"{addr}\"\n"
                )
                .expect("text");
            }
        }
    }
}

fn mac(number: u32) -> [u8; 6] {
    let [a, b, c, d] = number.to_be_bytes();
    [0x02, 0x51, a, b, c, d]
}
