//! Knobs, options and boot data: read in `[defaults]`, over these in a network, over these in a
//! subnet.

use std::net::Ipv4Addr;
use std::ops::RangeInclusive;
use std::time::Duration;

use dhcp_proto::config::{
    Boot, InformReply, LeaseTimes, Mark, OnMove, OptionEntry, OptionSet, ProbeBy, ProbeRules,
    ReservationMoves, RoutedNak, Rules,
};
use dhcp_proto::identity::IdentityMode;
use dhcp_proto::time::INFINITE;

use super::fault::Reason;
use super::options::{self, Options};
use super::table::Table;
use super::value::Value;
use super::{rates, text};

const SECOND: Duration = Duration::from_secs(1);
const YEAR: Duration = Duration::from_hours(365 * 24);

/// What a scope inherits and hands on.
#[derive(Debug, Clone, Default)]
pub(super) struct Knobs {
    pub(super) identity: IdentityMode,
    pub(super) ignored_client_ids: Vec<Box<[u8]>>,
    pub(super) relays: Option<Vec<Ipv4Addr>>,
    pub(super) rules: Rules,
    lease: Lease,
    pub(super) options: Options,
    always: Vec<u8>,
    pub(super) boot: Boot,
    pub(super) server_id: Option<Ipv4Addr>,
    pub(super) probe: ProbeRules,
}

/// Lease times; those not given follow the ones that are.
#[derive(Debug, Clone, Default)]
struct Lease {
    min: Option<u32>,
    default: Option<u32>,
    max: Option<u32>,
    t1: Option<Mark>,
    t2: Option<Mark>,
    fuzz: Option<u16>,
}

impl Lease {
    /// A bound that is not given makes room for the lease that is.
    fn times(&self) -> LeaseTimes {
        let unset = LeaseTimes::default();
        let (least, most) = (self.min.unwrap_or(0), self.max.unwrap_or(u32::MAX));
        let default = self.default.unwrap_or(unset.default.max(least).min(most));
        LeaseTimes {
            min: self.min.unwrap_or(unset.min.min(default)),
            default,
            max: self.max.unwrap_or(unset.max.max(default)),
            t1: self.t1.unwrap_or(unset.t1),
            t2: self.t2.unwrap_or(unset.t2),
            fuzz: self.fuzz.unwrap_or(unset.fuzz),
        }
    }
}

impl Knobs {
    /// Reads what `[defaults]` may have.
    pub(super) fn read(&mut self, table: &mut Table<'_>) {
        self.read_network(table);
        self.read_subnet(table);
    }

    /// Reads what a network may have and a subnet may not.
    pub(super) fn read_network(&mut self, table: &mut Table<'_>) {
        let modes = [
            ("client-id", IdentityMode::ClientId),
            ("chaddr", IdentityMode::Chaddr),
            ("circuit", IdentityMode::Circuit),
            ("circuit+chaddr", IdentityMode::CircuitChaddr),
        ];
        table.set("identity", &mut self.identity, |v| v.one_of(&modes));
        if let Some(ids) = table.value("ignored_client_ids")
            && let Some(ids) = ids.all(|v| text::client_id(v.text()?))
        {
            self.ignored_client_ids = ids.into_iter().map(|(_, id)| id).collect();
        }
        if let Some(relays) = table.value("relays")
            && let Some(relays) = relays.all(|v| text::host(v.text()?))
        {
            self.relays = Some(relays.into_iter().map(|(_, relay)| relay).collect());
        }
        let rules = &mut self.rules;
        table.set(
            "nak_wrong_network",
            &mut rules.nak_wrong_network,
            Value::flag,
        );
        table.set("nak_unknown", &mut rules.nak_unknown, Value::flag);
        table.set("adopt", &mut rules.adopt, Value::flag);
        table.set(
            "discover_keeps_expiry",
            &mut rules.discover_keeps_expiry,
            Value::flag,
        );
        table.set("extend", &mut rules.extend, Value::flag);
        table.set("strict_table5", &mut rules.strict_table5, Value::flag);
        table.set("strict_source", &mut rules.strict_source, Value::flag);
        table.set(
            "release_from_elsewhere",
            &mut rules.release_from_elsewhere,
            Value::flag,
        );
        table.set("echo_hops", &mut rules.echo_hops, Value::flag);
        let replies = [
            ("ciaddr", InformReply::Ciaddr),
            ("giaddr", InformReply::Giaddr),
        ];
        table.set("inform_reply", &mut rules.inform_reply, |v| {
            v.one_of(&replies)
        });
        let naks = [
            ("unicast", RoutedNak::Unicast),
            ("silent", RoutedNak::Silent),
        ];
        table.set("nak_routed", &mut rules.nak_routed, |v| v.one_of(&naks));
        Self::read_moves(rules, table);
        Self::read_periods(rules, table);
    }

    fn read_moves(rules: &mut Rules, table: &mut Table<'_>) {
        table.set("on_move", &mut rules.on_move, |v| {
            v.one_of(&[
                ("follow", OnMove::Follow),
                ("deny", OnMove::Deny),
                ("separate", OnMove::Separate),
            ])
        });
        rates::read(&mut rules.rates, table);
        let takes_effect = [
            ("discover", ReservationMoves::Discover),
            ("nak", ReservationMoves::Nak),
        ];
        table.set("reservation_moves", &mut rules.reservation_moves, |v| {
            v.one_of(&takes_effect)
        });
    }

    fn read_periods(rules: &mut Rules, table: &mut Table<'_>) {
        let between = |from, to| move |v: &Value<'_>| v.duration(from..=to);
        table.set(
            "offer_hold",
            &mut rules.offer_hold,
            between(2 * SECOND, 3600 * SECOND),
        );
        table.set("min_secs", &mut rules.min_secs, |v| {
            let seconds = whole_seconds(v, 0..=u32::from(u16::MAX))?;
            Ok(u16::try_from(seconds).unwrap_or(u16::MAX))
        });
        table.set("cache_threshold", &mut rules.cache_threshold, |v| {
            v.per_mille(0..=900)
        });
        table.set("affinity", &mut rules.affinity, lease_time);
        table.set(
            "grace",
            &mut rules.grace,
            between(Duration::ZERO, 86_400 * SECOND),
        );
        table.set("probation", &mut rules.probation, between(SECOND, YEAR));
        table.set("max_declines", &mut rules.max_declines, |v| {
            v.number(1..=255)
        });
        table.set("max_reply", &mut rules.max_reply, |v| {
            v.number(576..=u16::MAX)
        });
    }

    /// Reads what a subnet may have, and networks and `[defaults]` for their subnets.
    pub(super) fn read_subnet(&mut self, table: &mut Table<'_>) {
        self.read_lease(table);
        if let Some(given) = table.value("options")
            && let Some(given) = given.accept(given.table())
        {
            options::read(given, &mut self.options);
        }
        if let Some(codes) = table.value("always_send").and_then(|v| options::codes(&v)) {
            self.always = codes;
        }
        let address = |v: &Value<'_>| text::host(v.text()?);
        table.set("next_server", &mut self.boot.next_server, address);
        table.set("server_name", &mut self.boot.server_name, |v| field(v, 63));
        table.set("boot_file", &mut self.boot.boot_file, |v| field(v, 127));
        if let Some(id) = table.read("server_id", address) {
            self.server_id = Some(id);
        }
        read_probe(&mut self.probe, table);
    }

    fn read_lease(&mut self, table: &mut Table<'_>) {
        let lease = &mut self.lease;
        let [min, default, max, t1, t2] =
            ["min_lease_time", "lease_time", "max_lease_time", "t1", "t2"]
                .map(|key| table.value(key));
        let time = |v: &Option<Value<'_>>| v.as_ref().and_then(|v| v.accept(lease_time(v)));
        let mark = |v: &Option<Value<'_>>| v.as_ref().and_then(|v| v.accept(mark(v)));
        lease.min = time(&min).or(lease.min);
        lease.default = time(&default).or(lease.default);
        lease.max = time(&max).or(lease.max);
        lease.t1 = mark(&t1).or(lease.t1);
        lease.t2 = mark(&t2).or(lease.t2);
        lease.fuzz = table
            .read("renewal_fuzz", |v| v.per_mille(0..=500))
            .or(lease.fuzz);
        // A fault stands at what is given here; inherited times have been checked where they are.
        let times = lease.times();
        let bounds = [
            (above_min(&times), [&min, &default]),
            (below_max(&times), [&max, &default]),
        ];
        for (result, places) in bounds {
            if let Some(value) = places.into_iter().flatten().next() {
                value.accept(result);
            }
        }
        if let Some(value) = [&t1, &t2, &default].into_iter().flatten().next() {
            value.accept(in_order(&times));
        }
    }

    /// The lease times that follow.
    pub(super) fn lease_times(&self) -> LeaseTimes {
        self.lease.times()
    }

    /// The options that follow.
    pub(super) fn option_set(&self) -> OptionSet {
        let entries = self.options.iter().map(|(code, data)| OptionEntry {
            code: *code,
            data: data.clone(),
            always: self.always.contains(code),
        });
        OptionSet::new(entries.collect())
    }
}

fn read_probe(probe: &mut ProbeRules, table: &mut Table<'_>) {
    let ways = [
        ("off", ProbeBy::Off),
        ("icmp", ProbeBy::Icmp),
        ("arp", ProbeBy::Arp),
        ("auto", ProbeBy::Auto),
    ];
    table.set("probe", &mut probe.by, |v| v.one_of(&ways));
    // A client repeats its DISCOVER after 4 s, RFC 2131 §4.1.
    let bounds = Duration::from_millis(10)..=2 * SECOND;
    table.set("probe_wait", &mut probe.wait, |v| {
        let wait = v.duration(bounds)?;
        Ok(u16::try_from(wait.as_millis()).unwrap_or(u16::MAX))
    });
    let reserved = &mut probe.reservations;
    table.set("probe_reservations", reserved, Value::flag);
}

/// Whole seconds, as an integer or as a duration.
pub(super) fn seconds(value: &Value<'_>) -> Result<u32, Reason> {
    whole_seconds(value, 0..=u32::MAX)
}

fn whole_seconds(value: &Value<'_>, bounds: RangeInclusive<u32>) -> Result<u32, Reason> {
    let time = |seconds: &u32| Duration::from_secs(u64::from(*seconds));
    let time = value.duration(time(bounds.start())..=time(bounds.end()))?;
    let wrong = Reason::Malformed("a number of whole seconds");
    u32::try_from(time.as_secs())
        .ok()
        .filter(|_| time.subsec_nanos() == 0)
        .ok_or(wrong)
}

/// Seconds of a lease, or "infinite" (RFC 2131 §3.3).
fn lease_time(value: &Value<'_>) -> Result<u32, Reason> {
    if value.text() == Ok("infinite") {
        return Ok(INFINITE);
    }
    whole_seconds(value, 1..=INFINITE - 1)
}

/// A share such as 0.5, or a time such as "30m".
fn mark(value: &Value<'_>) -> Result<Mark, Reason> {
    if value.is_integer() || value.is_text() {
        return whole_seconds(value, 1..=INFINITE - 1).map(Mark::Seconds);
    }
    value.per_mille(1..=999).map(Mark::PerMille)
}

/// The characters of `sname` or `file`, which end with a NUL.
fn field(value: &Value<'_>, most: usize) -> Result<Box<[u8]>, Reason> {
    let text = value.text()?;
    if text.contains('\0') {
        return Err(Reason::Malformed("a text without NUL characters"));
    }
    let (found, wanted) = (
        text.len(),
        if most == 63 {
            "63 at most"
        } else {
            "127 at most"
        },
    );
    if found > most {
        Err(Reason::Length { found, wanted })
    } else {
        Ok(text.as_bytes().into())
    }
}

fn above_min(times: &LeaseTimes) -> Result<(), Reason> {
    let LeaseTimes { min, default, .. } = *times;
    let why = Reason::Order("min_lease_time", min, "lease_time", default);
    if min > default { Err(why) } else { Ok(()) }
}

fn below_max(times: &LeaseTimes) -> Result<(), Reason> {
    let LeaseTimes { default, max, .. } = *times;
    let why = Reason::Order("lease_time", default, "max_lease_time", max);
    if default > max { Err(why) } else { Ok(()) }
}

fn in_order(times: &LeaseTimes) -> Result<(), Reason> {
    let lease = times.default;
    let (t1, t2) = (times.t1.of(lease), times.t2.of(lease));
    // Neither is sent with a lease under 4 s nor with an endless one (C75).
    let is_sent = lease >= 4 && lease != INFINITE;
    if is_sent && (t1 >= t2 || t2 >= lease) {
        return Err(Reason::RenewalOrder { t1, t2, lease });
    }
    Ok(())
}
