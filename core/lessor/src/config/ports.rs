//! `[[ports]]`: devices, their links and routes.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use dhcp_proto::address::Space;
use dhcp_proto::config::{Link, LinkAddress, LinkIndex, Prefix, Vlans, overlapping};

use super::fault::Reason;
use super::findings::{Findings, Spot};
use super::services::Services;
use super::table::Table;
use super::value::Value;
use super::{text, vlans};
use crate::dataplane::port::RxChecksum;
use crate::dataplane::routes::StaticRoute;

/// DPDK's `RTE_MAX_ETHPORTS` as Debian builds it.
const MOST_PORTS: usize = 32;

/// A device as DPDK names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Device {
    /// A PCI address such as `0000:01:00.0`, with arguments behind a comma.
    Pci(String),
    /// A virtual device such as `net_af_packet0,iface=eth1`.
    Virtual(String),
}

impl Device {
    /// As DPDK takes it by `-a` or `--vdev`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Pci(name) | Self::Virtual(name) => name,
        }
    }

    /// Its name without arguments, by which DPDK finds the port.
    #[must_use]
    pub fn name(&self) -> &str {
        self.as_str().split(',').next().unwrap_or_default()
    }
}

/// A port; its number is its place in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// Its name in the file.
    pub name: String,
    /// Its device.
    pub device: Device,
    /// Largest IP datagram.
    pub mtu: u16,
    /// Whether received UDP checksums are looked at.
    pub rx_checksum: RxChecksum,
    /// Receives frames for any hardware address.
    pub promiscuous: bool,
    /// Receive descriptors of each queue.
    pub rx_descriptors: u16,
    /// Transmit descriptors of each queue.
    pub tx_descriptors: u16,
}

/// Ports, links and routes, in file order.
#[derive(Debug, Default)]
pub(super) struct Ports {
    pub(super) list: Vec<Port>,
    pub(super) links: Vec<Link>,
    pub(super) routes: Vec<StaticRoute>,
    services: Vec<(Space, Ipv4Addr)>,
    /// Where each link stands first.
    places: Vec<Spot>,
    known: BTreeMap<(u8, Vlans), usize>,
    names: BTreeMap<String, usize>,
    devices: BTreeMap<String, usize>,
    destinations: BTreeMap<(u16, Ipv4Addr, u8), usize>,
}

/// What addresses of a port inherit from it.
struct Common {
    port: u8,
    space: Space,
    mtu: u16,
    trust_option82: bool,
    subnet_selection: bool,
}

impl Ports {
    pub(super) fn read(tables: Vec<Table<'_>>, services: &Services) -> Self {
        let mut all = Self {
            services: services.list.clone(),
            ..Self::default()
        };
        let findings = tables.first().map(|table| table.findings);
        let found = tables.len();
        if let (Some(first), true) = (tables.first(), found > MOST_PORTS) {
            first.findings.fault(
                &first.spot,
                Reason::TooMany {
                    found,
                    most: MOST_PORTS,
                },
            );
        }
        for (table, port) in tables.into_iter().zip(0u8..) {
            all.port(table, port);
        }
        if let Some(findings) = findings {
            all.keep_apart(findings);
        }
        all
    }

    /// Notes the links that have VLANs of another one.
    fn keep_apart(&self, findings: &Findings<'_>) {
        let place = |link: LinkIndex| self.places.get(link.0 as usize);
        for (later, earlier) in overlapping(&self.links) {
            let (Some(spot), Some(other)) = (place(later), place(earlier)) else {
                continue;
            };
            let (what, line) = ("VLANs", findings.line(other.at));
            findings.fault(spot, Reason::Overlaps { what, line });
        }
    }

    fn port(&mut self, mut table: Table<'_>, port: u8) {
        let name = table.value("name");
        let name =
            name.and_then(|v| unique(&v, v.name().map(str::to_owned), &mut self.names, "name"));
        let device = table.require("device", |v| device(v).map(|device| (v.clone(), device)));
        if let Some((value, device)) = &device {
            unique(
                value,
                Ok(device.name().to_owned()),
                &mut self.devices,
                "device",
            );
        }
        let (mut mtu, mut space) = (1500, 0);
        let (mut trust_option82, mut promiscuous) = (false, false);
        let mut subnet_selection = false;
        let mut rx_checksum = RxChecksum::default();
        let (mut rx_descriptors, mut tx_descriptors) = (1024, 1024);
        table.set("mtu", &mut mtu, |v| v.number(576..=9600));
        table.set("space", &mut space, |v| v.number(0..=u16::MAX));
        table.set("trust_option82", &mut trust_option82, Value::flag);
        table.set("subnet_selection", &mut subnet_selection, Value::flag);
        table.set("promiscuous", &mut promiscuous, Value::flag);
        let ways = [
            ("verify", RxChecksum::Verify),
            ("ignore", RxChecksum::Ignore),
        ];
        table.set("rx_checksum", &mut rx_checksum, |v| v.one_of(&ways));
        table.set("rx_descriptors", &mut rx_descriptors, |v| {
            v.number(64..=32_768)
        });
        table.set("tx_descriptors", &mut tx_descriptors, |v| {
            v.number(64..=32_768)
        });
        let from = self.links.len();
        let common = Common {
            port,
            space: Space(space),
            mtu,
            trust_option82,
            subnet_selection,
        };
        let whole = self.addresses(&mut table, &common);
        self.ways(&mut table, from, whole);
        table.finish();
        let name = name.unwrap_or_else(|| format!("port{port}"));
        // Without a device there is a fault, and the rest is read for its faults alone.
        let device = device.map_or(Device::Virtual(String::new()), |(_, device)| device);
        self.list.push(Port {
            name,
            device,
            mtu,
            rx_checksum,
            promiscuous,
            rx_descriptors,
            tx_descriptors,
        });
    }

    /// Whether all of them read.
    fn addresses(&mut self, table: &mut Table<'_>, common: &Common) -> bool {
        let Some(list) = table.require("addresses", Value::list) else {
            return false;
        };
        if list.is_empty() {
            table
                .findings
                .fault(&table.spot, Reason::Missing("addresses"));
        }
        list.iter().fold(!list.is_empty(), |whole, value| {
            self.address(value, common).is_some() && whole
        })
    }

    /// "10.77.0.1/24", or a table with its VLAN tags and space.
    fn address(&mut self, value: &Value<'_>, common: &Common) -> Option<()> {
        let (mut space, mut on) = (common.space, Some((0, 0).into()));
        let address = if value.is_table() {
            let mut table = value.accept(value.table())?;
            let address = table.require("address", |v| text::interface(v.text()?));
            if let Some(tags) = table.value("vlan") {
                on = vlans::read(&tags);
            }
            table.set("space", &mut space, |v| v.number(0..=u16::MAX).map(Space));
            table.finish();
            address
        } else {
            value.accept(value.text().and_then(text::interface))
        };
        let (addr, prefix) = address?;
        let known = self.links.len();
        let link = Link {
            space,
            mtu: common.mtu,
            trust_option82: common.trust_option82,
            subnet_selection: common.subnet_selection,
            ..Link::new(common.port, on?, vec![LinkAddress { addr, prefix }])
        };
        let attached = value.accept(self.attach(link));
        if self.links.len() > known {
            self.places.push(value.spot.clone());
        }
        attached
    }

    /// Adds a link with one address, or its address to the link that has the port and tags.
    fn attach(&mut self, new: Link) -> Result<(), Reason> {
        let at = *self
            .known
            .entry((new.port, new.vlans))
            .or_insert(self.links.len());
        let Some(link) = self.links.get_mut(at) else {
            self.links.push(new);
            return Ok(());
        };
        let space = new.space;
        if link.space != space {
            return Err(Reason::TwoSpaces(link.space.0, space.0));
        }
        for address in new.addresses {
            if link.has(address.addr) {
                return Err(Reason::OwnTwice(address.addr));
            }
            link.addresses.push(address);
        }
        Ok(())
    }

    /// `gateway` and `routes` of the port whose links begin at `from`. Next hops are looked for
    /// only if the links are `whole`.
    fn ways(&mut self, table: &mut Table<'_>, from: usize, whole: bool) {
        if let Some(value) = table.value("gateway")
            && let Some(via) = value.accept(value.text().and_then(text::host))
            && let Some(all) = Prefix::new(Ipv4Addr::UNSPECIFIED, 0)
            && whole
        {
            self.route(&value, from, all, via);
        }
        for mut route in table.tables("routes") {
            let to = route.require("to", |v| text::prefix(v.text()?));
            let via = route.require("via", |v| text::host(v.text()?));
            let hop = route.value("via");
            route.finish();
            if let (Some(to), Some(via), Some(hop)) = (to, via, hop)
                && whole
            {
                self.route(&hop, from, to, via);
            }
        }
    }

    fn route(&mut self, value: &Value<'_>, from: usize, to: Prefix, via: Ipv4Addr) {
        let links = self.links.iter().enumerate().skip(from);
        let mut on = links.filter(|(_, link)| link.is_attached(via)).peekable();
        let why = on
            .peek()
            .map_or(Reason::NotOnLink(via), |_| Reason::SeveralVlans(via));
        let Some((link, Link { space, .. })) = on.find(|(_, link)| link.vlans.one().is_some())
        else {
            value.findings().fault(&value.spot, why);
            return;
        };
        let mut in_space = self.links.iter().filter(|l| l.space == *space);
        if in_space.any(|l| l.has(via)) || self.services.contains(&(*space, via)) {
            value.findings().fault(&value.spot, Reason::Own(via));
        }
        let key = (space.0, to.first(), to.len());
        unique(value, Ok(key), &mut self.destinations, "destination");
        let link = LinkIndex(u32::try_from(link).unwrap_or(u32::MAX));
        self.routes.push(StaticRoute { to, via, link });
    }
}

/// The value, unless it stands in `seen`.
pub(super) fn unique<K: Ord + Clone>(
    value: &Value<'_>,
    key: Result<K, Reason>,
    seen: &mut BTreeMap<K, usize>,
    what: &'static str,
) -> Option<K> {
    let key = value.accept(key)?;
    if let Some(at) = seen.get(&key) {
        let line = value.findings().line(*at);
        value
            .findings()
            .fault(&value.spot, Reason::Doubled { what, line });
        return None;
    }
    seen.insert(key.clone(), value.spot.at);
    Some(key)
}

fn device(value: &Value<'_>) -> Result<Device, Reason> {
    let text = value.name()?;
    let wrong = "a PCI address such as 0000:01:00.0 or a DPDK device such as \
                 net_af_packet0,iface=eth1";
    if text.contains(|c: char| c.is_control() || c.is_whitespace()) {
        return Err(Reason::Malformed(wrong));
    }
    let name = text.split(',').next().unwrap_or_default();
    if is_pci(name) {
        return Ok(Device::Pci(text.into()));
    }
    let is_driver = name.starts_with("net_") || name.starts_with("virtio_user");
    is_driver
        .then(|| Device::Virtual(text.into()))
        .ok_or(Reason::Malformed(wrong))
}

/// Domain, bus, device and function; the domain may be left out.
fn is_pci(name: &str) -> bool {
    let hex =
        |text: &str, digits| text.len() == digits && text.bytes().all(|b| b.is_ascii_hexdigit());
    let Some((rest, function)) = name.rsplit_once('.') else {
        return false;
    };
    let parts: Vec<_> = rest.split(':').collect();
    let numbers = match parts.as_slice() {
        [domain, bus, device] => hex(domain, 4) && hex(bus, 2) && hex(device, 2),
        [bus, device] => hex(bus, 2) && hex(device, 2),
        _ => false,
    };
    numbers && matches!(function.as_bytes(), [b'0'..=b'7'])
}
