//! The one table of options: code, name, type. Names are those of Kea and ISC dhcpd where these
//! have one, else of the RFC that defines the option.

use crate::config::nearest::nearest;

/// How the value of an option is written in the file, and with it how it goes on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) enum Kind {
    /// One IPv4 address.
    Address,
    /// One or more.
    Addresses,
    /// None or more (RFC 2132 §8.13).
    AnyAddresses,
    /// Pairs of addresses, "a b".
    Pairs,
    /// Routes of RFC 3442, "prefix router".
    Routes,
    /// One octet.
    U8,
    /// Two.
    U16,
    /// A list of these.
    U16s,
    /// Four.
    U32,
    /// Four, signed.
    I32,
    /// A time in four octets.
    Seconds,
    /// One octet, 0 or 1.
    Bool,
    /// Characters, without a NUL.
    Text,
    /// A domain name, RFC 1035 §3.1.
    Domain,
    /// Domain names one behind the other, RFC 3397.
    Domains,
    /// Options inside of the option, RFC 2132 §8.4.
    Suboptions,
    /// The same by enterprise number, RFC 3925 §4.
    Vendors,
    /// Octets whose form is not checked.
    Octets,
    /// Not to be configured, and why.
    Made(&'static str),
}

/// An option.
#[derive(Debug, Clone, Copy)]
pub(in crate::config) struct Definition {
    pub(in crate::config) code: u8,
    pub(in crate::config) name: &'static str,
    pub(in crate::config) kind: Kind,
}

const fn define(code: u8, name: &'static str, kind: Kind) -> Definition {
    Definition { code, name, kind }
}

/// All options that have a name, by code.
#[rustfmt::skip]
pub(in crate::config) const DEFINITIONS: [Definition; 149] = [
    define(1, "subnet-mask", Kind::Made("it follows from the subnet's prefix")),
    define(2, "time-offset", Kind::I32),
    define(3, "routers", Kind::Addresses),
    define(4, "time-servers", Kind::Addresses),
    define(5, "name-servers", Kind::Addresses),
    define(6, "domain-name-servers", Kind::Addresses),
    define(7, "log-servers", Kind::Addresses),
    define(8, "cookie-servers", Kind::Addresses),
    define(9, "lpr-servers", Kind::Addresses),
    define(10, "impress-servers", Kind::Addresses),
    define(11, "resource-location-servers", Kind::Addresses),
    define(12, "host-name", Kind::Text),
    define(13, "boot-size", Kind::U16),
    define(14, "merit-dump", Kind::Text),
    define(15, "domain-name", Kind::Text),
    define(16, "swap-server", Kind::Address),
    define(17, "root-path", Kind::Text),
    define(18, "extensions-path", Kind::Text),
    define(19, "ip-forwarding", Kind::Bool),
    define(20, "non-local-source-routing", Kind::Bool),
    define(21, "policy-filter", Kind::Pairs),
    define(22, "max-dgram-reassembly", Kind::U16),
    define(23, "default-ip-ttl", Kind::U8),
    define(24, "path-mtu-aging-timeout", Kind::Seconds),
    define(25, "path-mtu-plateau-table", Kind::U16s),
    define(26, "interface-mtu", Kind::U16),
    define(27, "all-subnets-local", Kind::Bool),
    define(28, "broadcast-address", Kind::Address),
    define(29, "perform-mask-discovery", Kind::Bool),
    define(30, "mask-supplier", Kind::Bool),
    define(31, "router-discovery", Kind::Bool),
    define(32, "router-solicitation-address", Kind::Address),
    define(33, "static-routes", Kind::Pairs),
    define(34, "trailer-encapsulation", Kind::Bool),
    define(35, "arp-cache-timeout", Kind::Seconds),
    define(36, "ieee802-3-encapsulation", Kind::Bool),
    define(37, "default-tcp-ttl", Kind::U8),
    define(38, "tcp-keepalive-interval", Kind::Seconds),
    define(39, "tcp-keepalive-garbage", Kind::Bool),
    define(40, "nis-domain", Kind::Text),
    define(41, "nis-servers", Kind::Addresses),
    define(42, "ntp-servers", Kind::Addresses),
    define(43, "vendor-encapsulated-options", Kind::Suboptions),
    define(44, "netbios-name-servers", Kind::Addresses),
    define(45, "netbios-dd-server", Kind::Addresses),
    define(46, "netbios-node-type", Kind::U8),
    define(47, "netbios-scope", Kind::Text),
    define(48, "font-servers", Kind::Addresses),
    define(49, "x-display-manager", Kind::Addresses),
    define(50, "dhcp-requested-address", Kind::Made("only clients send it")),
    define(51, "dhcp-lease-time", Kind::Made("`lease_time` sets it")),
    define(52, "dhcp-option-overload", Kind::Made("it follows from the room in the reply")),
    define(53, "dhcp-message-type", Kind::Made("it follows from the query")),
    define(54, "dhcp-server-identifier", Kind::Made("`server_id` sets it")),
    define(55, "dhcp-parameter-request-list", Kind::Made("only clients send it; see `always_send`")),
    define(56, "dhcp-message", Kind::Made("only a NAK carries it")),
    define(57, "dhcp-max-message-size", Kind::Made("only clients send it; see `max_reply`")),
    define(58, "dhcp-renewal-time", Kind::Made("`t1` sets it")),
    define(59, "dhcp-rebinding-time", Kind::Made("`t2` sets it")),
    define(60, "vendor-class-identifier", Kind::Text),
    define(61, "dhcp-client-identifier", Kind::Made("it is the client's own, echoed (RFC 6842)")),
    define(62, "nwip-domain-name", Kind::Text),
    define(63, "nwip-suboptions", Kind::Suboptions),
    define(64, "nisplus-domain-name", Kind::Text),
    define(65, "nisplus-servers", Kind::Addresses),
    define(66, "tftp-server-name", Kind::Text),
    define(67, "boot-file-name", Kind::Text),
    define(68, "mobile-ip-home-agent", Kind::AnyAddresses),
    define(69, "smtp-server", Kind::Addresses),
    define(70, "pop-server", Kind::Addresses),
    define(71, "nntp-server", Kind::Addresses),
    define(72, "www-server", Kind::Addresses),
    define(73, "finger-server", Kind::Addresses),
    define(74, "irc-server", Kind::Addresses),
    define(75, "streettalk-server", Kind::Addresses),
    define(76, "streettalk-directory-assistance-server", Kind::Addresses),
    define(77, "user-class", Kind::Made("only clients send it")),
    define(78, "slp-directory-agent", Kind::Octets),
    define(79, "slp-service-scope", Kind::Octets),
    define(80, "rapid-commit", Kind::Made("this server answers in four messages")),
    define(81, "fqdn", Kind::Made("it depends on the client")),
    define(82, "dhcp-agent-options", Kind::Made("it is the relay's own, echoed (RFC 3046)")),
    define(83, "isns", Kind::Octets),
    define(85, "nds-servers", Kind::Addresses),
    define(86, "nds-tree-name", Kind::Text),
    define(87, "nds-context", Kind::Text),
    define(88, "bcms-controller-names", Kind::Domains),
    define(89, "bcms-controller-address", Kind::Addresses),
    define(90, "authenticate", Kind::Made("it depends on the message")),
    define(91, "client-last-transaction-time", Kind::Made("only leasequery carries it")),
    define(92, "associated-ip", Kind::Made("only leasequery carries it")),
    define(93, "client-system", Kind::Made("only clients send it")),
    define(94, "client-ndi", Kind::Made("only clients send it")),
    define(97, "uuid-guid", Kind::Made("only clients send it")),
    define(98, "uap-servers", Kind::Text),
    define(99, "geoconf-civic", Kind::Octets),
    define(100, "pcode", Kind::Text),
    define(101, "tcode", Kind::Text),
    define(108, "v6-only-preferred", Kind::Seconds),
    define(112, "netinfo-server-address", Kind::Addresses),
    define(113, "netinfo-server-tag", Kind::Text),
    define(114, "v4-captive-portal", Kind::Text),
    define(116, "auto-config", Kind::Made("it answers a client's own (RFC 2563)")),
    define(117, "name-service-search", Kind::U16s),
    define(118, "subnet-selection", Kind::Made("it is the client's own, echoed (RFC 3011)")),
    define(119, "domain-search", Kind::Domains),
    define(120, "sip-servers", Kind::Octets),
    define(121, "classless-static-route", Kind::Routes),
    define(122, "cablelabs-client-configuration", Kind::Suboptions),
    define(123, "geoconf", Kind::Octets),
    define(124, "vivco-suboptions", Kind::Octets),
    define(125, "vivso-suboptions", Kind::Vendors),
    define(128, "etherboot-signature", Kind::Octets),
    define(132, "ieee802-1q-vlan-id", Kind::U16),
    define(133, "ieee802-1d-priority", Kind::U8),
    define(136, "pana-agent", Kind::Addresses),
    define(137, "v4-lost", Kind::Domain),
    define(138, "capwap-ac-v4", Kind::Addresses),
    define(139, "v4-mos-addresses", Kind::Octets),
    define(140, "v4-mos-domains", Kind::Octets),
    define(141, "sip-ua-cs-domains", Kind::Domains),
    define(142, "v4-andsf", Kind::Addresses),
    define(145, "forcerenew-nonce-capable", Kind::Made("this server sends no FORCERENEW")),
    define(146, "rdnss-selection", Kind::Octets),
    define(147, "dots-ri", Kind::Domain),
    define(148, "dots-address", Kind::Addresses),
    define(150, "tftp-server-address", Kind::Addresses),
    define(151, "status-code", Kind::Made("only leasequery carries it")),
    define(152, "base-time", Kind::Made("only leasequery carries it")),
    define(153, "start-time-of-state", Kind::Made("only leasequery carries it")),
    define(154, "query-start-time", Kind::Made("only leasequery carries it")),
    define(155, "query-end-time", Kind::Made("only leasequery carries it")),
    define(156, "dhcp-state", Kind::Made("only leasequery carries it")),
    define(157, "data-source", Kind::Made("only leasequery carries it")),
    define(158, "v4-pcp-server", Kind::Octets),
    define(159, "v4-portparams", Kind::Octets),
    define(160, "v4-captive-portal-old", Kind::Text),
    define(161, "mud-url", Kind::Made("only clients send it")),
    define(162, "v4-dnr", Kind::Octets),
    define(208, "pxelinux-magic", Kind::Octets),
    define(209, "pxelinux-config-file", Kind::Text),
    define(210, "pxelinux-path-prefix", Kind::Text),
    define(211, "pxelinux-reboot-time", Kind::Seconds),
    define(212, "option-6rd", Kind::Octets),
    define(213, "v4-access-domain", Kind::Domain),
    define(220, "subnet-allocation", Kind::Octets),
    define(221, "virtual-subnet-selection", Kind::Made("it is the relay's own")),
    define(249, "ms-classless-static-route", Kind::Routes),
    define(252, "wpad-url", Kind::Text),
];

/// The option of a name or a number; 1 to 254 without a name are octets or text. With an unknown
/// name comes the nearest known one.
pub(in crate::config) fn find(name: &str) -> Result<Definition, Option<&'static str>> {
    if let Some(found) = DEFINITIONS.iter().find(|d| d.name == name) {
        return Ok(*found);
    }
    match name.parse() {
        Ok(code @ 1..=254u8) => Ok(by_code(code)),
        Ok(0 | 255) | Err(_) => Err(nearest(name, DEFINITIONS.iter().map(|d| d.name))),
    }
}

/// The option of a code.
pub(in crate::config) fn by_code(code: u8) -> Definition {
    let known = DEFINITIONS.iter().find(|d| d.code == code).copied();
    known.unwrap_or(define(code, "", Kind::Octets))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_rise_and_no_name_stands_twice() {
        assert!(DEFINITIONS.is_sorted_by(|a, b| a.code < b.code));
        let mut names: Vec<_> = DEFINITIONS.iter().map(|d| d.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), DEFINITIONS.len());
    }

    #[test]
    fn a_name_and_its_number_find_the_same() {
        for definition in DEFINITIONS {
            assert_eq!(find(definition.name).unwrap().code, definition.code);
            assert_eq!(
                find(&definition.code.to_string()).unwrap().name,
                definition.name
            );
        }
        assert_eq!(find("224").unwrap().code, 224);
        for wrong in ["0", "255", "256", "-1", "+3x", ""] {
            assert!(find(wrong).is_err(), "{wrong}");
        }
        assert_eq!(find("router").unwrap_err(), Some("routers"));
    }

    #[test]
    fn c169_what_the_server_makes_itself_is_not_configured() {
        for code in [1, 61, 82].into_iter().chain(50..=59) {
            assert!(matches!(by_code(code).kind, Kind::Made(_)), "{code}");
        }
    }
}
