//! Why a packet is refused.

use core::fmt;

/// Why octets are not what they should be: one variant a reason, one counter a variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Malformed {
    /// The frame ends within its Ethernet header or tags.
    EthernetTruncated,
    /// More than two VLAN tags.
    TooManyTags,
    /// The frame ends within its ARP packet.
    ArpTruncated,
    /// An ARP packet for other hardware than Ethernet or another protocol than IPv4.
    ArpForm,
    /// The frame ends within its IPv4 header.
    Ipv4Truncated,
    /// The version of the IP header is not 4.
    Ipv4Version,
    /// The header length is below five words or beyond the packet.
    Ipv4HeaderLength,
    /// The total length is below the header's or beyond the frame.
    Ipv4Length,
    /// The checksum of the IPv4 header is wrong.
    Ipv4Checksum,
    /// A fragment of a datagram.
    Ipv4Fragment,
    /// The packet ends within its ICMP header.
    IcmpTruncated,
    /// The ICMP checksum is wrong.
    IcmpChecksum,
    /// The packet ends within its UDP header.
    UdpTruncated,
    /// The UDP length is below the header's or beyond the packet.
    UdpLength,
    /// The UDP checksum is there, and wrong.
    UdpChecksum,
    /// The message ends within its fixed part or magic cookie.
    MessageTruncated,
    /// The message is longer than a UDP datagram can be.
    MessageOversize,
    /// The magic cookie is missing: BOOTP without options, or no DHCP at all.
    Cookie,
    /// `op` is neither BOOTREQUEST nor BOOTREPLY.
    Op,
    /// `op` is BOOTREPLY where a request is wanted.
    NotARequest,
    /// `hlen` is beyond the sixteen octets of `chaddr`.
    HardwareLength,
    /// An option reaches beyond the field that it stands in.
    OptionOverrun,
    /// Option 53 is absent.
    MessageTypeAbsent,
    /// Option 53 stands there more than once.
    MessageTypeDoubled,
    /// Option 53 has not one octet.
    MessageTypeLength,
    /// Option 53 is 0 or above 18.
    MessageTypeUnknown,
    /// Option 53 names a message that only a server sends.
    MessageTypeServerOnly,
    /// Option 53 names a message of RFC 6926 or 7724, which do not travel over UDP.
    MessageTypeNotOverUdp,
}

impl Malformed {
    /// Every reason, in the order of their numbers: `ALL[reason as usize] == reason`.
    pub const ALL: [Self; 28] = [
        Self::EthernetTruncated,
        Self::TooManyTags,
        Self::ArpTruncated,
        Self::ArpForm,
        Self::Ipv4Truncated,
        Self::Ipv4Version,
        Self::Ipv4HeaderLength,
        Self::Ipv4Length,
        Self::Ipv4Checksum,
        Self::Ipv4Fragment,
        Self::IcmpTruncated,
        Self::IcmpChecksum,
        Self::UdpTruncated,
        Self::UdpLength,
        Self::UdpChecksum,
        Self::MessageTruncated,
        Self::MessageOversize,
        Self::Cookie,
        Self::Op,
        Self::NotARequest,
        Self::HardwareLength,
        Self::OptionOverrun,
        Self::MessageTypeAbsent,
        Self::MessageTypeDoubled,
        Self::MessageTypeLength,
        Self::MessageTypeUnknown,
        Self::MessageTypeServerOnly,
        Self::MessageTypeNotOverUdp,
    ];

    /// Name of the reason's counter.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.words().0
    }

    /// Name of the counter, and the sentence for people.
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::EthernetTruncated => ("ethernet_truncated", "the Ethernet header is cut"),
            Self::TooManyTags => ("too_many_tags", "there are more than two VLAN tags"),
            Self::ArpTruncated => ("arp_truncated", "the ARP packet is cut"),
            Self::ArpForm => ("arp_form", "the ARP packet is not for IPv4 on Ethernet"),
            Self::Ipv4Truncated => ("ipv4_truncated", "the IPv4 header is cut"),
            Self::Ipv4Version => ("ipv4_version", "the IP version is not 4"),
            Self::Ipv4HeaderLength => ("ipv4_header_length", "the IPv4 header length is wrong"),
            Self::Ipv4Length => ("ipv4_length", "the IPv4 total length is wrong"),
            Self::Ipv4Checksum => ("ipv4_checksum", "the IPv4 header checksum is wrong"),
            Self::Ipv4Fragment => ("ipv4_fragment", "the packet is an IPv4 fragment"),
            Self::IcmpTruncated => ("icmp_truncated", "the ICMP header is cut"),
            Self::IcmpChecksum => ("icmp_checksum", "the ICMP checksum is wrong"),
            Self::UdpTruncated => ("udp_truncated", "the UDP header is cut"),
            Self::UdpLength => ("udp_length", "the UDP length is wrong"),
            Self::UdpChecksum => ("udp_checksum", "the UDP checksum is wrong"),
            Self::MessageTruncated => ("message_truncated", "the DHCP message is cut"),
            Self::MessageOversize => ("message_oversize", "the DHCP message is too long for UDP"),
            Self::Cookie => ("cookie", "the magic cookie is missing"),
            Self::Op => ("op", "op is neither 1 nor 2"),
            Self::NotARequest => ("not_a_request", "op is 2 in a message to a server"),
            Self::HardwareLength => ("hardware_length", "hlen is above 16"),
            Self::OptionOverrun => ("option_overrun", "an option overruns its field"),
            Self::MessageTypeAbsent => ("message_type_absent", "option 53 is absent"),
            Self::MessageTypeDoubled => ("message_type_doubled", "option 53 is there twice"),
            Self::MessageTypeLength => ("message_type_length", "option 53 has not one octet"),
            Self::MessageTypeUnknown => ("message_type_unknown", "option 53 is 0 or above 18"),
            Self::MessageTypeServerOnly => (
                "message_type_server_only",
                "option 53 names a server's message",
            ),
            Self::MessageTypeNotOverUdp => (
                "message_type_not_over_udp",
                "option 53 names a message of bulk leasequery",
            ),
        }
    }
}

const _: () = {
    let mut i = 0;
    while i < Malformed::ALL.len() {
        assert!(Malformed::ALL[i] as usize == i, "ALL is out of order");
        i += 1;
    }
    assert!(Malformed::MessageTypeNotOverUdp as usize + 1 == Malformed::ALL.len());
};

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words().1)
    }
}

impl core::error::Error for Malformed {}
