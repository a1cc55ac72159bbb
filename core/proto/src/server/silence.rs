//! Why a message is not answered. Silence is an answer; each reason is a counter.

crate::reasons! {
    /// Why a message is not answered.
    Silence:

    /// No 53, 53 twice, of a wrong length or a type that clients do not send (C82).
    MessageType => "message_type",
    /// The IP destination is neither ours nor a broadcast (C165).
    NotForUs => "not_for_us",
    /// No link for this port and VLAN (C164).
    NoLink => "no_link",
    /// The link has no network (C164).
    NoNetwork => "no_network",
    /// giaddr is in no network (C164).
    UnknownGiaddr => "unknown_giaddr",
    /// A relay selects a link that is in no network (C113).
    UnknownLinkSelection => "unknown_link_selection",
    /// A client selects a subnet that is in no network (C115).
    UnknownSubnetSelection => "unknown_subnet_selection",
    /// giaddr is our own address (C164).
    OwnGiaddr => "own_giaddr",
    /// The relay is not among the network's `relays` (C164).
    RelayNotAllowed => "relay_not_allowed",
    /// A unicast about an address that is in no network of ours (C152).
    ForeignCiaddr => "foreign_ciaddr",
    /// Nothing identifies the client (C157, C159).
    NoIdentity => "no_identity",
    /// The message belongs to another server by its option 54 (C40, C43, C62, C65, C72).
    OtherServer => "other_server",
    /// Option 54 is ours by a relay's override only, and this server has given the client no such
    /// address: another one behind that relay may have (C172).
    OverrideUnknown => "override_unknown",
    /// The client chose another server; our offer is withdrawn (C43).
    OfferWithdrawn => "offer_withdrawn",
    /// More DISCOVERs of one client than are answered (`discovers_per_client`).
    IdentityRate => "client_rate",
    /// More DISCOVERs by one circuit than are answered (`discovers_per_circuit`).
    CircuitRate => "circuit_rate",
    /// More DISCOVERs through one relay than are answered (`discovers_per_relay`).
    RelayRate => "relay_rate",
    /// No address is left (C34).
    NoAddress => "no_address",
    /// The table of bindings is full.
    TableFull => "table_full",
    /// Offers that nobody has answered have their share of the table (`max_offers`).
    OffersFull => "offers_full",
    /// The journal has no room: nothing was changed.
    JournalFull => "journal_full",
    /// The address is another appliance's: nothing was changed.
    Fenced => "fenced",
    /// A REQUEST with neither option 50 nor ciaddr (C57).
    NoRequestedAddress => "no_requested_address",
    /// An address of another network, and `nak_wrong_network = false` (C47).
    WrongNetwork => "wrong_network",
    /// The client has no record here (C49, C152).
    UnknownClient => "unknown_client",
    /// A NAK would go to a client behind routers, and `nak_routed = "silent"` (C146).
    RoutedNak => "routed_nak",
    /// A DECLINE or RELEASE that says too little: no 50, no ciaddr, or no 54 under
    /// `strict_table5` (C62, C64, C65).
    Incomplete => "incomplete",
    /// A DECLINE or RELEASE by somebody who does not hold the address (C61, C153).
    NotHolder => "not_holder",
    /// A RELEASE from another circuit, port or VLAN than the binding's (C66).
    Elsewhere => "elsewhere",
    /// The client has a lease behind another relay or circuit, and `on_move = "deny"` (C173).
    MoveDenied => "move_denied",
    /// A DISCOVER whose client has not waited `min_secs` yet: another server is to answer (C187).
    TooSoon => "too_soon",
    /// A RELEASE whose IP source is neither 0 nor ciaddr, under `strict_source` (C66).
    SourceMismatch => "source_mismatch",
    /// A DECLINE was carried out; it has no reply (C63).
    Declined => "declined",
    /// A RELEASE was carried out; it has no reply (C63).
    Released => "released",
    /// An INFORM that says nowhere to answer to (C67).
    NoDestination => "no_destination",
    /// The address is with another worker, which was asked to yield it; the client will ask again.
    Yielding => "yielding",
    /// A REQUEST for an address that is under probe before it is offered; the client repeats it.
    Probing => "probing",
    /// A DISCOVER whose probe is over when its client has gone on.
    ProbeMoot => "probe_moot",
    /// The reply could not be written: the buffer is too small.
    NoRoomForReply => "no_room_for_reply",
}
