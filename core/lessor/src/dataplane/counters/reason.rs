//! What is counted: each reason and each event has one name, and one counter a worker.

/// Why a packet ended here, besides [`Malformed`](dhcp_wire::Malformed) and the silences of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum DropReason {
    /// The frame lies in more than one buffer, or in one that is not to be written to.
    RxRefused,
    /// The frame is for another station, or for a multicast group.
    NotOurMac,
    /// The port has no link with the frame's VLAN tags.
    NoLink,
    /// The packet is neither for an address of ours nor for a broadcast (C165).
    NotOurAddress,
    /// The ethertype is neither IPv4 nor ARP.
    OtherEthertype,
    /// The packet carries neither UDP nor ICMP.
    OtherProtocol,
    /// The datagram is not for port 67.
    OtherUdpPort,
    /// The ICMP message is not an echo request that is to be answered: of another type, to a
    /// broadcast, or with IP options.
    OtherIcmp,
    /// The source of an echo request cannot be answered: no host's address, or our own.
    EchoSource,
    /// More echo requests in one second than are answered.
    EchoLimit,
    /// The sender of an ARP packet is no station: its hardware address is zero, a group's or ours.
    ArpSender,
    /// ARP about addresses that we neither own nor talk to.
    ArpNotOurs,
    /// Another station says that it has an address of ours (RFC 5227 §2.4).
    AddressConflict,
    /// No route leads to the receiver of a reply.
    NoRoute,
    /// The table of next hops is full of those that do not answer.
    NeighborsFull,
    /// The next hop did not answer ARP while the packet waited.
    Unresolved,
    /// A younger packet took the place of this one in waiting for a next hop.
    WaitingFull,
    /// The pool has no buffer for a packet of our own.
    NoMbuf,
    /// A frame does not fit its buffer.
    NoRoom,
    /// The link or the port that a reply was to leave on is gone.
    LinkGone,
    /// The device had no place for the packet.
    TxFull,
    /// The device cannot send such a packet.
    TxRefused,
    /// The ring to the worker that owns the client is full.
    HandOverFull,
    /// The ring to the worker whose queue a packet leaves by is full.
    CarryFull,
    /// The policy said so.
    Refused,
    /// More work than capacity: a DISCOVER or INFORM.
    ShedDiscover,
    /// More work than capacity, or no place among the parked replies: a REQUEST of a client without
    /// a lease, a RELEASE, a DECLINE.
    ShedRequest,
    /// More work than capacity, or no place among the parked replies: a renewal.
    ShedRenewal,
    /// More work than capacity: a newer copy came with it, or it waited so long that the client
    /// has sent one.
    ShedStale,
    /// The disk did not confirm the record in time.
    AckTimeout,
    /// A parked reply whose binding says something else by now.
    Superseded,
    /// A parked reply whose record was fenced off by another appliance.
    Fenced,
    /// An echo that answers no probe: forged, damaged, or too late.
    ProbeMismatch,
    /// A DISCOVER that waited for a probe when its client repeated it: the newer one is answered.
    ProbeRepeated,
    /// A DISCOVER for which one address after the other was found in use.
    ProbeGivenUp,
}

impl DropReason {
    /// Every reason, in the order of their numbers.
    pub const ALL: [Self; 35] = [
        Self::RxRefused,
        Self::NotOurMac,
        Self::NoLink,
        Self::NotOurAddress,
        Self::OtherEthertype,
        Self::OtherProtocol,
        Self::OtherUdpPort,
        Self::OtherIcmp,
        Self::EchoSource,
        Self::EchoLimit,
        Self::ArpSender,
        Self::ArpNotOurs,
        Self::AddressConflict,
        Self::NoRoute,
        Self::NeighborsFull,
        Self::Unresolved,
        Self::WaitingFull,
        Self::NoMbuf,
        Self::NoRoom,
        Self::LinkGone,
        Self::TxFull,
        Self::TxRefused,
        Self::HandOverFull,
        Self::CarryFull,
        Self::Refused,
        Self::ShedDiscover,
        Self::ShedRequest,
        Self::ShedRenewal,
        Self::ShedStale,
        Self::AckTimeout,
        Self::Superseded,
        Self::Fenced,
        Self::ProbeMismatch,
        Self::ProbeRepeated,
        Self::ProbeGivenUp,
    ];

    /// Name of the counter.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RxRefused => "rx_refused",
            Self::NotOurMac => "not_our_mac",
            Self::NoLink => "no_link",
            Self::NotOurAddress => "not_our_address",
            Self::OtherEthertype => "other_ethertype",
            Self::OtherProtocol => "other_protocol",
            Self::OtherUdpPort => "other_udp_port",
            Self::OtherIcmp => "other_icmp",
            Self::EchoSource => "echo_source",
            Self::EchoLimit => "echo_limit",
            Self::ArpSender => "arp_sender",
            Self::ArpNotOurs => "arp_not_ours",
            Self::AddressConflict => "address_conflict",
            Self::NoRoute => "no_route",
            Self::NeighborsFull => "neighbors_full",
            Self::Unresolved => "unresolved_next_hop",
            Self::WaitingFull => "waiting_full",
            Self::NoMbuf => "no_mbuf",
            Self::NoRoom => "no_room",
            Self::LinkGone => "link_gone",
            Self::TxFull => "tx_full",
            Self::TxRefused => "tx_refused",
            Self::HandOverFull => "hand_over_full",
            Self::CarryFull => "carry_full",
            Self::Refused => "refused_by_policy",
            Self::ShedDiscover => "shed_discover",
            Self::ShedRequest => "shed_request",
            Self::ShedRenewal => "shed_renewal",
            Self::ShedStale => "shed_stale",
            Self::AckTimeout => "ack_timeout",
            Self::Superseded => "superseded",
            Self::Fenced => "fenced",
            Self::ProbeMismatch => "probe_mismatch",
            Self::ProbeRepeated => "probe_repeated",
            Self::ProbeGivenUp => "probe_given_up",
        }
    }
}

const _: () = {
    let mut i = 0;
    while i < DropReason::ALL.len() {
        assert!(DropReason::ALL[i] as usize == i, "ALL is out of order");
        i += 1;
    }
    assert!(DropReason::ProbeGivenUp as usize + 1 == DropReason::ALL.len());
};

/// What a worker did that is not a drop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Event {
    /// Frames that the devices gave.
    Received,
    /// Frames that the devices took.
    Sent,
    /// ARP requests for our addresses, answered.
    ArpAnswered,
    /// ARP packets that told the hardware address of a next hop.
    ArpLearnt,
    /// ARP requests of ours.
    ArpAsked,
    /// Announcements of our addresses (RFC 5227 §2.3).
    ArpAnnounced,
    /// Echo requests, answered.
    EchoAnswered,
    /// Replies that had to wait for their next hop.
    Waited,
    /// Messages handed to the worker that owns the client.
    HandedOver,
    /// Messages that another worker received and handed over.
    TakenOver,
    /// Packets of workers without a queue of their own, sent for them.
    Carried,
    /// Questions to other workers for an address that a client has reserved.
    YieldAsked,
    /// Such questions that found no room: they are asked again.
    YieldLost,
    /// Bindings ended because another worker asked.
    Yielded,
    /// Such questions that wait for room in the journal: they are asked again.
    YieldPutOff,
    /// Such questions that changed nothing: the binding was another by then, or stays.
    YieldRefused,
    /// Replies parked until their record is on disk.
    Parked,
    /// Options that a reply had no room for.
    OptionsDropped,
    /// Relay agent information that a reply had no room to give back.
    AgentInfoDropped,
    /// Notices to the operator that found no room.
    NoticeLost,
    /// Packets of probes: ARP and echo requests.
    ProbesSent,
    /// Probes that nobody answered: the address was offered.
    ProbeFree,
    /// Probes that were answered: the address was set aside.
    ProbeBusy,
    /// Probes that could not be made: no way there, no next hop, no buffer. The address was offered
    /// all the same.
    ProbeSkipped,
    /// Probes that found no room in the table (`max_probes`). Likewise.
    ProbeTableFull,
    /// Packets that answered a probe of this worker.
    ProbeAnswered,
    /// Packets that may answer a probe of another worker, passed on to it.
    ProbeAnswerHanded,
    /// Such packets that found no room.
    ProbeAnswerLost,
    /// Questions to other workers for an address that they have set aside.
    AsideSought,
}

impl Event {
    /// Every event, in the order of their numbers.
    pub const ALL: [Self; 29] = [
        Self::Received,
        Self::Sent,
        Self::ArpAnswered,
        Self::ArpLearnt,
        Self::ArpAsked,
        Self::ArpAnnounced,
        Self::EchoAnswered,
        Self::Waited,
        Self::HandedOver,
        Self::TakenOver,
        Self::Carried,
        Self::YieldAsked,
        Self::YieldLost,
        Self::Yielded,
        Self::YieldPutOff,
        Self::YieldRefused,
        Self::Parked,
        Self::OptionsDropped,
        Self::AgentInfoDropped,
        Self::NoticeLost,
        Self::ProbesSent,
        Self::ProbeFree,
        Self::ProbeBusy,
        Self::ProbeSkipped,
        Self::ProbeTableFull,
        Self::ProbeAnswered,
        Self::ProbeAnswerHanded,
        Self::ProbeAnswerLost,
        Self::AsideSought,
    ];

    /// Name of the counter.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Sent => "sent",
            Self::ArpAnswered => "arp_answered",
            Self::ArpLearnt => "arp_learnt",
            Self::ArpAsked => "arp_asked",
            Self::ArpAnnounced => "arp_announced",
            Self::EchoAnswered => "echo_answered",
            Self::Waited => "waited_for_next_hop",
            Self::HandedOver => "handed_over",
            Self::TakenOver => "taken_over",
            Self::Carried => "carried",
            Self::YieldAsked => "yield_asked",
            Self::YieldLost => "yield_lost",
            Self::Yielded => "yielded",
            Self::YieldPutOff => "yield_put_off",
            Self::YieldRefused => "yield_refused",
            Self::Parked => "parked",
            Self::OptionsDropped => "options_dropped",
            Self::AgentInfoDropped => "agent_info_dropped",
            Self::NoticeLost => "notice_lost",
            Self::ProbesSent => "probes_sent",
            Self::ProbeFree => "probe_free",
            Self::ProbeBusy => "probe_busy",
            Self::ProbeSkipped => "probe_skipped",
            Self::ProbeTableFull => "probe_table_full",
            Self::ProbeAnswered => "probe_answered",
            Self::ProbeAnswerHanded => "probe_answer_handed",
            Self::ProbeAnswerLost => "probe_answer_lost",
            Self::AsideSought => "aside_sought",
        }
    }
}

const _: () = {
    let mut i = 0;
    while i < Event::ALL.len() {
        assert!(Event::ALL[i] as usize == i, "ALL is out of order");
        i += 1;
    }
    assert!(Event::AsideSought as usize + 1 == Event::ALL.len());
};
