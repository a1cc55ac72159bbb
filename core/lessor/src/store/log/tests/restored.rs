//! What a start makes of a store: real shards, as many as it likes.

use super::*;
use dhcp_proto::address::{Directory, Space, Worker};
use dhcp_proto::binding::{BindingState, Bindings, Sizes, Storage};
use dhcp_proto::config::{
    Boot, Config, LeaseTimes, NetworkKey, NetworkSpec, OptionSet, PoolSpec, Prefix, ProbeRules,
    Rules, Spec, SubnetSpec,
};
use dhcp_proto::identity::{HashKey, IdentityMode, shard_of};
use dhcp_proto::restart::Reading;
use dhcp_proto::shard::Shard;

/// The first address of the pool.
pub(super) const FIRST: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 0);
const KEY: HashKey = HashKey([7; 16]);

fn config(addresses: u32) -> Config {
    let last = Ipv4Addr::from_bits(FIRST.to_bits() + addresses - 1);
    let subnet = SubnetSpec {
        prefix: Prefix::new(FIRST, 16).unwrap(),
        pools: vec![PoolSpec { first: FIRST, last }],
        excluded: Vec::new(),
        lease: LeaseTimes::default(),
        options: OptionSet::default(),
        boot: Boot::default(),
        server_id: None,
        probe: ProbeRules::default(),
    };
    let network = NetworkSpec {
        name: "home".into(),
        key: NetworkKey(0),
        space: Space(0),
        identity: IdentityMode::ClientId,
        rules: Rules::default(),
        ignored_client_ids: Vec::new(),
        relays: None,
        subnets: vec![subnet],
        reservations: Vec::new(),
    };
    let spec = Spec {
        networks: vec![network],
        ..Spec::default()
    };
    let mut directory = Directory::builder(None);
    directory.name_range(Space(0), FIRST, last);
    Config::new(spec, directory.build())
}

/// Starts `workers` shards on what was recovered, which is `known`: each address has the owner
/// that its newest record names, in one shard, and no client has two but of leases that it was told
/// of.
pub(super) fn check(
    recovered: &Recovered<MemoryMedium>,
    known: &Known,
    (workers, addresses, now): (u16, u32, u64),
    why: &str,
) {
    let config = config(addresses);
    let room = usize::try_from(addresses).unwrap();
    let shard = |me| {
        let bindings = Bindings::new(Storage::leaked(Sizes::for_capacity(room, 0)));
        Shard::new((Worker(me), workers), KEY, bindings, &config).unwrap()
    };
    let all = 0..u8::try_from(workers).unwrap();
    let mut shards: Vec<_> = all.map(shard).collect();
    let reading = Reading::at(u32::try_from(now).unwrap());
    let read = recovered.for_each_newest(|_, record| {
        let shard = usize::from(shard_of(KEY.hash(record.identity), workers));
        shards[shard].restore(&config, record, &reading);
    });
    read.unwrap();
    // A client keeps every lease that it was told of, or else the newest memory.
    let mut own: BTreeMap<u8, (bool, Lsn, u32)> = BTreeMap::new();
    let is_leased = |told: &Told| told.kind == RecordKind::Active && told.expiry > now;
    for (addr, (told, lsn)) in known {
        let best = own.entry(told.client).or_default();
        *best = (*best).max((is_leased(told), *lsn, *addr));
    }
    for (addr, (told, _)) in known {
        let at = Ipv4Addr::from_bits(*addr);
        let views: Vec<_> = shards
            .iter()
            .filter_map(|shard| shard.view(&config, Space(0), at))
            .collect();
        let expected = is_leased(told) || own[&told.client].2 == *addr;
        assert_eq!(views.len(), usize::from(expected), "{why}: {at} {told:?}");
        let Some(view) = views.first() else { continue };
        assert_eq!(view.identity(), [told.client; 20], "{why}: {at}");
        if told.kind == RecordKind::Active {
            assert_eq!(view.state, BindingState::Active, "{why}: {at}");
            assert_eq!(view.until, told.expiry, "{why}: {at}");
        } else {
            assert_eq!(view.state, BindingState::Released, "{why}: {at}");
        }
    }
}
