//! What is counted: each reason and each event has one name, and one counter a worker.

dhcp_proto::reasons! {
    /// Why a packet ended here, besides [`Malformed`](dhcp_wire::Malformed) and the silences of the server.
    DropReason:

    /// The frame lies in more than one buffer, or in one that is not to be written to.
    RxRefused => "rx_refused",
    /// The frame is for another station, or for a multicast group.
    NotOurMac => "not_our_mac",
    /// The port has no link with the frame's VLAN tags.
    NoLink => "no_link",
    /// The packet is neither for an address of ours nor for a broadcast (C165).
    NotOurAddress => "not_our_address",
    /// The ethertype is neither IPv4 nor ARP.
    OtherEthertype => "other_ethertype",
    /// The packet carries neither UDP nor ICMP.
    OtherProtocol => "other_protocol",
    /// The datagram is not for port 67.
    OtherUdpPort => "other_udp_port",
    /// The ICMP message is not an echo request that is to be answered: of another type, to a
    /// broadcast, or with IP options.
    OtherIcmp => "other_icmp",
    /// The source of an echo request cannot be answered: no host's address, or our own.
    EchoSource => "echo_source",
    /// More echo requests in one second than are answered.
    EchoLimit => "echo_limit",
    /// The sender of an ARP packet is no station: its hardware address is zero, a group's or ours.
    ArpSender => "arp_sender",
    /// ARP about addresses that we neither own nor talk to.
    ArpNotOurs => "arp_not_ours",
    /// Another station says that it has an address of ours (RFC 5227 §2.4).
    AddressConflict => "address_conflict",
    /// No route leads to the receiver of a reply.
    NoRoute => "no_route",
    /// The table of next hops is full of those that do not answer.
    NeighborsFull => "neighbors_full",
    /// The next hop did not answer ARP while the packet waited.
    Unresolved => "unresolved_next_hop",
    /// A younger packet took the place of this one in waiting for a next hop.
    WaitingFull => "waiting_full",
    /// The pool has no buffer for a packet of our own.
    NoMbuf => "no_mbuf",
    /// A frame does not fit its buffer.
    NoRoom => "no_room",
    /// The link or the port that a reply was to leave on is gone.
    LinkGone => "link_gone",
    /// The device had no place for the packet.
    TxFull => "tx_full",
    /// The device cannot send such a packet.
    TxRefused => "tx_refused",
    /// The ring to the worker that owns the client is full.
    HandOverFull => "hand_over_full",
    /// The ring to the worker whose queue a packet leaves by is full.
    CarryFull => "carry_full",
    /// The policy said so.
    Refused => "refused_by_policy",
    /// More work than capacity: a DISCOVER or INFORM.
    ShedDiscover => "shed_discover",
    /// More work than capacity, or no place among the parked replies: a REQUEST of a client without
    /// a lease, a RELEASE, a DECLINE.
    ShedRequest => "shed_request",
    /// More work than capacity, or no place among the parked replies: a renewal.
    ShedRenewal => "shed_renewal",
    /// More work than capacity: a newer copy came with it, or it waited so long that the client
    /// has sent one.
    ShedStale => "shed_stale",
    /// The disk did not confirm the record in time.
    AckTimeout => "ack_timeout",
    /// A parked reply whose binding says something else by now.
    Superseded => "superseded",
    /// A parked reply whose record was fenced off by another appliance.
    Fenced => "fenced",
    /// An echo that answers no probe: forged, damaged, or too late.
    ProbeMismatch => "probe_mismatch",
    /// A DISCOVER that waited for a probe when its client repeated it: the newer one is answered.
    ProbeRepeated => "probe_repeated",
    /// A DISCOVER for which one address after the other was found in use.
    ProbeGivenUp => "probe_given_up",
}

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
