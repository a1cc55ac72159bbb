//! Times, sizes, addresses and octets as an operator writes them.

use std::net::Ipv4Addr;
use std::str::FromStr;
use std::time::Duration;

use dhcp_proto::config::Prefix;

use super::fault::Reason;

const MILLISECONDS: [(&str, u64); 6] = [
    ("w", 604_800_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

const OCTETS: [(&str, u64); 7] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1000),
    ("B", 1),
];

/// Splits a number from the unit behind it.
fn quantity(text: &str) -> Option<(u64, &str, &str)> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, rest) = text.split_at_checked(digits)?;
    let unit = rest
        .find(|c: char| !c.is_ascii_alphabetic())
        .unwrap_or(rest.len());
    let (unit, rest) = rest.split_at_checked(unit)?;
    Some((number.parse().ok()?, unit, rest))
}

/// "250ms", "90s", "5m", "1h30m", "7d".
pub(crate) fn duration(text: &str) -> Result<Duration, Reason> {
    let wrong = Reason::Malformed("a duration such as \"90s\", \"1h30m\" or \"7d\"");
    let mut rest = text;
    let mut total = 0u64;
    loop {
        let next = quantity(rest).and_then(|(number, unit, rest)| {
            let (_, worth) = MILLISECONDS.iter().find(|(name, _)| *name == unit)?;
            Some((total.checked_add(number.checked_mul(*worth)?)?, rest))
        });
        let Some((sum, behind)) = next else {
            return Err(wrong);
        };
        (total, rest) = (sum, behind);
        if rest.is_empty() {
            return Ok(Duration::from_millis(total));
        }
    }
}

/// "512MiB", "64kB".
pub(super) fn size(text: &str) -> Result<u64, Reason> {
    let read = quantity(text).and_then(|(number, unit, rest)| {
        let (_, worth) = OCTETS.iter().find(|(name, _)| *name == unit)?;
        rest.is_empty().then_some(number.checked_mul(*worth)?)
    });
    read.ok_or(Reason::Malformed("a size such as \"512MiB\""))
}

/// A duration in the largest unit that divides it.
pub(super) fn show_duration(time: Duration) -> String {
    let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let unit = MILLISECONDS
        .iter()
        .find(|(_, worth)| ms.is_multiple_of(*worth) && ms > 0);
    unit.map_or_else(
        || format!("{}s", ms / 1000),
        |(unit, worth)| format!("{}{unit}", ms / worth),
    )
}

/// A size in the largest binary unit that divides it.
pub(super) fn show_size(size: u64) -> String {
    let mut units = OCTETS.iter().filter(|(_, worth)| worth.is_power_of_two());
    let unit = units.find(|(_, worth)| size.is_multiple_of(*worth) && size > 0);
    unit.map_or_else(
        || format!("{size}B"),
        |(unit, worth)| format!("{}{unit}", size / worth),
    )
}

/// An IPv4 address.
pub(super) fn address(text: &str) -> Result<Ipv4Addr, Reason> {
    text.parse()
        .map_err(|_| Reason::Malformed("an IPv4 address such as 10.77.0.1"))
}

/// An IPv4 address that a host can have.
pub(super) fn host(text: &str) -> Result<Ipv4Addr, Reason> {
    let addr = address(text)?;
    if is_host(addr) {
        Ok(addr)
    } else {
        Err(Reason::NoHost(addr))
    }
}

/// Neither "this network", loopback, multicast, reserved nor broadcast (RFC 6890).
pub(super) fn is_host(addr: Ipv4Addr) -> bool {
    !matches!(addr.octets()[0], 0 | 127 | 224..)
}

/// A number of digits alone: a sign, which `parse` would take, is not taken.
pub(super) fn number<T: FromStr>(text: &str) -> Option<T> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

/// Address and prefix length.
pub(super) fn with_length(text: &str) -> Result<(Ipv4Addr, Prefix), Reason> {
    let wrong = Reason::Malformed("a prefix such as 10.77.0.0/24");
    let split = text.split_once('/').and_then(|(addr, len)| {
        let addr: Ipv4Addr = addr.parse().ok()?;
        Some((addr, Prefix::new(addr, number(len)?)?))
    });
    split.ok_or(wrong)
}

/// A prefix with no bits behind its length.
pub(crate) fn prefix(text: &str) -> Result<Prefix, Reason> {
    let (addr, prefix) = with_length(text)?;
    if prefix.first() == addr {
        Ok(prefix)
    } else {
        Err(Reason::HostBits(prefix))
    }
}

/// An address with the prefix of its link; not the network's own nor its broadcast address.
pub(super) fn interface(text: &str) -> Result<(Ipv4Addr, Prefix), Reason> {
    let (addr, prefix) = with_length(text)?;
    if !is_host(addr) {
        return Err(Reason::NoHost(addr));
    }
    if is_edge(addr, prefix) {
        return Err(Reason::EdgeAddress { addr, prefix });
    }
    Ok((addr, prefix))
}

/// Whether `addr` is network or broadcast address; prefixes of 31 and 32 bits have none, RFC 3021.
pub(super) fn is_edge(addr: Ipv4Addr, prefix: Prefix) -> bool {
    prefix.len() < 31 && (addr == prefix.first() || addr == prefix.last())
}

/// "10.77.0.10-10.77.0.200", "10.77.0.224/27" or one address: first and last.
pub(super) fn range(text: &str) -> Result<(Ipv4Addr, Ipv4Addr), Reason> {
    if text.contains('/') {
        return prefix(text).map(|prefix| (prefix.first(), prefix.last()));
    }
    let wrong = |_| Reason::Malformed("a range such as 10.77.0.10-10.77.0.200 or 10.77.0.224/27");
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let first: Ipv4Addr = first.trim().parse().map_err(wrong)?;
    let last: Ipv4Addr = last.trim().parse().map_err(wrong)?;
    if last < first {
        Err(Reason::Reversed)
    } else {
        Ok((first, last))
    }
}

/// Pairs of hexadecimal digits behind "hex:", or with colons between them.
pub(crate) fn octets(text: &str) -> Option<Box<[u8]>> {
    let plain = text.strip_prefix("hex:");
    let digits = plain.unwrap_or(text);
    if digits.contains(':') {
        return digits.split(':').map(octet).collect();
    }
    let pairs = digits
        .as_bytes()
        .chunks(2)
        .map(|pair| str::from_utf8(pair).ok().and_then(octet));
    plain.and_then(|_| pairs.collect())
}

fn octet(digits: &str) -> Option<u8> {
    let two = digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    two.then(|| u8::from_str_radix(digits, 16).ok()).flatten()
}

/// A hardware address of 1 to 16 octets.
pub(super) fn hw_address(text: &str) -> Result<Box<[u8]>, Reason> {
    let octets = octets(text).filter(|octets| (1..=16).contains(&octets.len()));
    octets.ok_or(Reason::Malformed(
        "a hardware address such as 02:00:00:00:00:05",
    ))
}

/// A client-id: octets in hexadecimal, or a text of two characters and more (RFC 2132 §9.14).
pub(crate) fn client_id(text: &str) -> Result<Box<[u8]>, Reason> {
    let wrong = "a client-id: 2 to 255 octets such as 01:02:00:00:00:00:05, or a text";
    octets_or_text(text, 2).ok_or(Reason::Malformed(wrong))
}

/// A circuit-id, remote-id or relay identifier: octets in hexadecimal, or a text.
pub(crate) fn agent_id(text: &str) -> Result<Box<[u8]>, Reason> {
    let wrong = "1 to 255 octets such as hex:0a0b0c or 0a:0b:0c, or a text";
    octets_or_text(text, 1).ok_or(Reason::Malformed(wrong))
}

/// From `least` to 255 octets, in hexadecimal or as a text.
fn octets_or_text(text: &str, least: usize) -> Option<Box<[u8]>> {
    let id = octets(text).or_else(|| (!text.starts_with("hex:")).then(|| text.as_bytes().into()));
    id.filter(|id| (least..=255).contains(&id.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_in_every_unit_and_in_sequence() {
        let seconds = |text| duration(text).map(|d| d.as_secs());
        assert_eq!(seconds("90s"), Ok(90));
        assert_eq!(seconds("1h30m"), Ok(5400));
        assert_eq!(seconds("7d"), Ok(604_800));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        for wrong in [
            "",
            "s",
            "90",
            "-1s",
            "1 s",
            "1y",
            "1h30",
            "99999999999999999999s",
            "1.5h",
        ] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_shown_reads_as_the_same() {
        for ms in [
            0,
            1,
            1000,
            90_000,
            3_600_000,
            86_400_000,
            604_800_000,
            61_001,
        ] {
            let time = Duration::from_millis(ms);
            assert_eq!(duration(&show_duration(time)), Ok(time));
        }
        for octets in [0, 1, 1024, 1000, 64 << 20, u64::MAX] {
            assert_eq!(size(&show_size(octets)), Ok(octets));
        }
    }

    #[test]
    fn sizes_read_in_binary_and_decimal_units() {
        assert_eq!(size("512MiB"), Ok(512 << 20));
        assert_eq!(size("2GB"), Ok(2_000_000_000));
        for wrong in ["", "MiB", "1", "1mib", "1MiB1", "99999999999GiB"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_prefix_with_host_bits_is_told_its_network() {
        let network = prefix("10.77.0.0/24").unwrap();
        assert_eq!(prefix("10.77.0.5/24"), Err(Reason::HostBits(network)));
        for wrong in [
            "10.77.0.0",
            "10.77.0.0/33",
            "10.77.0.0/+8",
            "10.77.0/8",
            "/8",
            "10.0.0.0/",
        ] {
            assert!(
                matches!(prefix(wrong), Err(Reason::Malformed(_))),
                "{wrong}"
            );
        }
    }

    #[test]
    fn ranges_are_two_addresses_a_prefix_or_one_address() {
        let addr = |last| Ipv4Addr::new(10, 77, 0, last);
        assert_eq!(range("10.77.0.10 - 10.77.0.20"), Ok((addr(10), addr(20))));
        assert_eq!(range("10.77.0.224/27"), Ok((addr(224), addr(255))));
        assert_eq!(range("10.77.0.9"), Ok((addr(9), addr(9))));
        assert_eq!(range("10.77.0.20-10.77.0.10"), Err(Reason::Reversed));
        assert!(range("10.77.0.1-").is_err());
    }

    #[test]
    fn octets_are_hexadecimal_pairs() {
        assert_eq!(octets("hex:0102ff"), Some([1, 2, 255].into()));
        assert_eq!(octets("01:02:FF"), Some([1, 2, 255].into()));
        assert_eq!(octets("hex:01:02"), Some([1, 2].into()));
        for wrong in [
            "0102", "hex:012", "01:2", "01::02", "hex:é0", "01:0g", "+1:02",
        ] {
            assert_eq!(octets(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_client_id_is_octets_or_text() {
        assert_eq!(client_id("01:02:03"), Ok([1, 2, 3].into()));
        assert_eq!(client_id("modem-7"), Ok(b"modem-7".as_slice().into()));
        for wrong in ["", "x", "hex:zz", "hex:01", &"x".repeat(256)] {
            assert!(client_id(wrong).is_err(), "{wrong}");
        }
    }
}
