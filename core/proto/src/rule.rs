//! Which rule made a reply. What is not answered has a [`Silence`](crate::server::Silence) instead.

crate::reasons! {
    /// The rule that made a reply what it is. It decides nothing; it is for who asks why.
    Rule:

    /// The address of its lease (RFC 2131 §4.3.1, C30).
    Lease => "lease",
    /// The address of its lease, although another one is reserved for it: that one cannot be
    /// had now (C30).
    LeaseStill => "lease_still",
    /// What it was offered before, which still holds (C39).
    OfferStands => "offer_stands",
    /// The address reserved for it (C30).
    Reserved => "reserved",
    /// Its previous address, remembered for it (RFC 2131 §4.3.1, C31).
    Previous => "previous",
    /// The address that it asks for by option 50, which is free (RFC 2131 §4.3.1, C32).
    Requested => "requested",
    /// A new address of its network (RFC 2131 §4.3.1, C33).
    New => "new",
    /// An address that was remembered for another client: no other was free (C32).
    OfAnother => "of_another",
    /// The address of the oldest offer that nobody had answered: no other was free (C35).
    OfferCut => "offer_cut",
    /// An address out of probation: a probe found that nobody has it any more (C177).
    Probation => "probation",
    /// It takes our offer (RFC 2131 §4.3.2, C41).
    OfferTaken => "offer_taken",
    /// It goes on with its lease (RFC 2131 §4.3.2, C50, C52).
    Extended => "extended",
    /// It goes on with its lease by another relay or circuit, and the lease moves along (C173).
    Moved => "moved",
    /// It repeats a REQUEST that was granted: the same answer, without a new record (C45).
    Repeated => "repeated",
    /// It renews so early that it is told the time left, without a new record
    /// (`cache_threshold`).
    Cached => "cached",
    /// Its lease is not extended, by `extend = false` or because no pool has the address any
    /// more: it is told the time left (C53).
    RunsOut => "runs_out",
    /// Its former address, whose lease is over or was given back, and which is still free
    /// (C50, C150).
    Former => "former",
    /// No offer of ours is on record, but the address is free and may be its (C148).
    NoOffer => "no_offer",
    /// The address is reserved for it, which counts as a record of the client (C49).
    ReservedOnRecord => "reserved_on_record",
    /// A lease that this server did not know of, taken over by `adopt = true` (C152).
    Adopted => "adopted",
    /// Configuration without a lease (RFC 2131 §4.3.5, C67).
    Informed => "informed",
    /// The address is not of the network that the client is in (RFC 2131 §4.3.2, "on the wrong
    /// net", C47, C55).
    WrongNetwork => "wrong_network",
    /// The client has another address on record here (RFC 2131 §4.3.2, "notion of its IP address
    /// is incorrect", C48).
    OtherOnRecord => "other_on_record",
    /// The client has no record here, and `nak_unknown` says to tell it (C49).
    NoRecord => "no_record",
    /// Another client has the address, or it is set aside (C55, C150).
    InUse => "in_use",
    /// The address is not free, or not for this client, and no offer of it is on record (RFC
    /// 2131 §4.3.2, C44, C148).
    Unavailable => "unavailable",
    /// The address on offer is kept for another client, excluded or in no pool by now (C44).
    OfferVoid => "offer_void",
    /// The address of its lease is kept for another client, excluded, or in no pool by now
    /// (C150).
    LeaseVoid => "lease_void",
    /// Another address is reserved for it and free, and `reservation_moves = "nak"` (C182).
    ToReservation => "to_reservation",
    /// The message does not say who the client is that takes an offer.
    Nameless => "nameless",
}
