use super::*;
use proptest::prelude::*;
use std::collections::{HashMap, VecDeque};
use std::vec;
use std::vec::Vec;

fn bindings(capacity: usize, pages: usize) -> Bindings {
    let sizes = Sizes::for_capacity(capacity, pages * size_of::<Page>());
    Bindings::new(Storage::leaked(sizes))
}

/// What a slot should say, beside its key.
#[derive(Debug, Clone, Default)]
struct Expected {
    index: u32,
    addr: u32,
    htype: u8,
    chaddr: Vec<u8>,
    agent_info: Vec<u8>,
}

type Key = (u32, Vec<u8>);

#[derive(Debug, Clone)]
enum Step {
    Insert,
    Remove,
    Chaddr(Vec<u8>),
    /// The last octets of the identity.
    ChaddrOfIdentity(usize),
    AgentInfo(Vec<u8>),
    Rekey(u32),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Insert),
        1 => Just(Step::Remove),
        2 => prop::collection::vec(any::<u8>(), 0..=16).prop_map(Step::Chaddr),
        1 => (0..=16_usize).prop_map(Step::ChaddrOfIdentity),
        2 => prop_oneof![
            prop::collection::vec(any::<u8>(), 0..=32),
            prop::collection::vec(any::<u8>(), 0..=513),
        ]
        .prop_map(Step::AgentInfo),
        1 => (0..4_u32).prop_map(Step::Rekey),
    ]
}

fn any_key() -> impl Strategy<Value = Key> {
    let len = prop_oneof![1..=30_usize, 0..=256_usize, Just(20), Just(21), Just(256)];
    (0..4_u32, len, 0..6_u8).prop_map(|(network, len, octet)| {
        let octets = (0..len).map(|at| octet.wrapping_add(u8::try_from(at % 251).unwrap()));
        (network, octets.collect())
    })
}

/// A hash with which many identities are in one bucket, and some have one tag.
fn poor_hash(identity: &[u8]) -> u64 {
    identity.len() as u64 % 3
}

fn assert_agrees(bindings: &Bindings, model: &HashMap<Key, Expected>) {
    assert_eq!(bindings.len(), model.len());
    for ((network, identity), expected) in model {
        let index = SlotIndex(expected.index);
        assert_eq!(
            bindings.find(poor_hash(identity), *network, identity),
            Some(index)
        );
        let slot = bindings.slot(index).unwrap();
        assert_eq!((slot.network(), slot.addr), (*network, expected.addr));
        assert_eq!(bindings.identity(index), identity);
        assert_eq!(
            (slot.htype(), bindings.chaddr(index)),
            (expected.htype, &*expected.chaddr)
        );
        assert_eq!(usize::from(slot.hlen()), expected.chaddr.len());
        assert_eq!(bindings.agent_info(index), expected.agent_info);
    }
    let mut walked = Vec::new();
    let mut at = SlotIndex::NONE;
    while let Some(index) = bindings.next_after(at) {
        walked.push(index.0);
        at = index;
    }
    let mut indices: Vec<_> = model.values().map(|expected| expected.index).collect();
    indices.sort_unstable();
    assert_eq!(walked, indices);
}

/// Keeps `chaddr` in the table, and in the model if the table did.
fn keep_chaddr(bindings: &mut Bindings, expected: &mut Expected, htype: u8, chaddr: &[u8]) {
    let index = SlotIndex(expected.index);
    if bindings.set_chaddr(index, htype, chaddr).is_ok() {
        expected.htype = htype;
        expected.chaddr = chaddr.to_vec();
    }
}

fn take_step(
    bindings: &mut Bindings,
    model: &mut HashMap<Key, Expected>,
    key: &Key,
    (turn, step): (u32, Step),
) {
    let (network, identity) = key;
    let hash = poor_hash(identity);
    let Some(expected) = model.get_mut(key) else {
        assert_eq!(bindings.find(hash, *network, identity), None);
        match bindings.insert(hash, *network, identity) {
            Ok(index) => {
                let slot = bindings.slot_mut(index).unwrap();
                assert_eq!((slot.addr, slot.until(), slot.hlen()), (0, 0, 0));
                assert_eq!(slot.state, BindingState::Available);
                slot.addr = turn;
                let expected = Expected {
                    index: index.0,
                    addr: turn,
                    ..Expected::default()
                };
                model.insert(key.clone(), expected);
            }
            Err(Full::Slots) => assert_eq!(bindings.free(), 0),
            Err(Full::Arena) => assert!(identity.len() > 20),
        }
        return;
    };
    let index = SlotIndex(expected.index);
    match step {
        Step::Insert => bindings.slot_mut(index).unwrap().addr = expected.addr,
        Step::Remove => {
            bindings.remove(index);
            bindings.remove(index);
            model.remove(key);
        }
        Step::Chaddr(chaddr) => keep_chaddr(bindings, expected, 1, &chaddr),
        Step::ChaddrOfIdentity(len) => {
            let tail = identity[identity.len().saturating_sub(len)..].to_vec();
            keep_chaddr(bindings, expected, 6, &tail);
        }
        Step::AgentInfo(octets) => match bindings.store_agent_info(index, &octets) {
            Ok(()) => expected.agent_info = octets,
            Err(ArenaFull) => assert_ne!(expected.agent_info, octets),
        },
        Step::Rekey(network) => {
            let new = (network, identity.clone());
            if !model.contains_key(&new) {
                bindings.rekey_network(index, network);
                let expected = model.remove(key).unwrap();
                model.insert(new, expected);
            }
        }
    }
}

/// Takes a binding out of the model's lists.
fn forget(lists: &mut [VecDeque<SlotIndex>], index: SlotIndex) {
    for list in lists {
        list.retain(|other| *other != index);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn a_table_agrees_with_a_map_whatever_is_done_to_it(
        capacity in 1_usize..40,
        pages in 0_usize..8,
        steps in prop::collection::vec((any_key(), any_step()), 1..250),
    ) {
        let mut bindings = bindings(capacity, pages);
        let mut model = HashMap::new();
        for (turn, (key, step)) in (0_u32..).zip(steps) {
            take_step(&mut bindings, &mut model, &key, (turn, step));
            assert_agrees(&bindings, &model);
        }
        for expected in model.into_values() {
            bindings.remove(SlotIndex(expected.index));
        }
        prop_assert_eq!(bindings.free(), capacity);
        prop_assert_eq!(bindings.arena_free(), pages * size_of::<Page>());
    }

    #[test]
    fn timers_and_lists_survive_what_happens_to_other_bindings(
        steps in prop::collection::vec((0..20_u8, 0..5_u8, 0..500_u32), 1..300),
    ) {
        let mut bindings = bindings(16, 0);
        let lists = [bindings.add_list().unwrap(), bindings.add_list().unwrap()];
        let mut model = [VecDeque::new(), VecDeque::new()];
        let mut now = 0;
        for (client, what, number) in steps {
            let found = bindings.find(u64::from(client), 1, &[client]);
            match (what, found) {
                (0, Some(index)) => {
                    bindings.remove(index);
                    forget(&mut model, index);
                }
                (1, Some(index)) => bindings.schedule(index, now + number),
                (2, Some(index)) => {
                    let list = number as usize % 2;
                    bindings.push_back(lists[list], index);
                    forget(&mut model, index);
                    model[list].push_back(index);
                }
                (3, _) => {
                    now += number;
                    let mut budget = usize::MAX;
                    while let Some(index) = bindings.due(now, &mut budget) {
                        prop_assert!(bindings.slot(index).unwrap().until() <= now);
                        forget(&mut model, index);
                        bindings.remove(index);
                    }
                }
                (_, None) => {
                    if let Ok(index) = bindings.insert(u64::from(client), 1, &[client]) {
                        bindings.schedule(index, now + 1 + number);
                    }
                }
                (_, Some(index)) => {
                    bindings.unlist(index);
                    forget(&mut model, index);
                }
            }
            for (list, expected) in lists.iter().zip(&model) {
                let mut listed = VecDeque::new();
                let mut at = bindings.front(*list);
                while let Some(index) = at {
                    prop_assert!(bindings.is_listed(index));
                    listed.push_back(index);
                    at = bindings.next_in_list(index);
                }
                prop_assert_eq!(&listed, expected);
            }
        }
    }
}

#[test]
fn a_full_table_refuses_and_changes_nothing() {
    let mut bindings = bindings(1000, 0);
    for client in 0..1000_u32 {
        let hash = u64::from(client).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        bindings.insert(hash, 0, &client.to_le_bytes()).unwrap();
    }
    assert_eq!(bindings.insert(7, 0, b"one more"), Err(Full::Slots));
    assert_eq!((bindings.len(), bindings.free()), (1000, 0));
    assert_eq!(bindings.find(7, 0, b"one more"), None);
    bindings.remove(SlotIndex(500));
    assert_eq!(bindings.insert(7, 0, b"one more"), Ok(SlotIndex(500)));
}

#[test]
fn a_table_at_capacity_takes_a_thousand_clients_of_one_hash() {
    let mut bindings = bindings(1000, 0);
    for client in 0..1000_u32 {
        bindings.insert(42, 9, &client.to_le_bytes()).unwrap();
    }
    for client in 0..1000_u32 {
        assert_eq!(
            bindings.find(42, 9, &client.to_le_bytes()),
            Some(SlotIndex(client))
        );
    }
    assert_eq!(bindings.find(42, 9, b"nobody"), None);
}

#[test]
fn an_identity_that_finds_no_block_is_refused_and_its_slot_stays_free() {
    let mut bindings = bindings(4, 0);
    assert_eq!(bindings.insert(1, 1, &[7; 21]), Err(Full::Arena));
    assert_eq!(bindings.insert(1, 1, &[7; 257]), Err(Full::Arena));
    assert_eq!((bindings.len(), bindings.slots_used()), (0, 0));
    assert_eq!(bindings.insert(1, 1, &[7; 20]), Ok(SlotIndex(0)));
}

#[test]
fn one_identity_has_a_binding_on_each_network() {
    let mut bindings = bindings(64, 0);
    for network in 0..64 {
        assert_eq!(
            bindings.insert(5, network, b"client"),
            Ok(SlotIndex(network))
        );
    }
    for network in 0..64 {
        assert_eq!(
            bindings.find(5, network, b"client"),
            Some(SlotIndex(network))
        );
    }
    assert_eq!(bindings.find(5, 64, b"client"), None);
}

#[test]
fn networks_on_which_an_identity_has_one_tag_are_not_mixed_up() {
    let mut bindings = bindings(8, 0);
    let first = Place::of(5, 0);
    let same_tag = |network: &u32| Place::of(5, *network).tag == first.tag;
    let second = (1..1 << 20).find(same_tag).unwrap();
    let index = bindings.insert(5, second, b"client").unwrap();
    assert_eq!(bindings.find(5, 0, b"client"), None);
    assert_eq!(bindings.find(5, second, b"client"), Some(index));
}

#[test]
fn the_upper_half_of_the_hash_belongs_to_the_shards() {
    let mut bindings = bindings(1, 0);
    let index = bindings
        .insert(0x1111_0000_0000_0005, 0, b"client")
        .unwrap();
    assert_eq!(
        bindings.find(0x2222_0000_0000_0005, 0, b"client"),
        Some(index)
    );
}

#[test]
fn chaddr_of_every_length_beside_identities_of_every_length() {
    for identity_len in (0..=40).chain([255, 256]) {
        let mut bindings = bindings(1, 3);
        let identity = vec![9; identity_len];
        let index = bindings.insert(0, 0, &identity).unwrap();
        for hlen in 0..=16_u8 {
            let chaddr: Vec<u8> = (0..hlen).map(|at| at + 100).collect();
            bindings.store_agent_info(index, &[hlen; 60]).unwrap();
            bindings.set_chaddr(index, hlen, &chaddr).unwrap();
            assert_eq!(bindings.chaddr(index), chaddr);
            assert_eq!(bindings.slot(index).unwrap().htype(), hlen);
            assert_eq!(bindings.identity(index), identity);
            assert_eq!(bindings.agent_info(index), [hlen; 60]);
        }
        bindings.remove(index);
        assert_eq!(bindings.arena_free(), 3 * size_of::<Page>());
    }
}

#[test]
fn chaddr_beyond_sixteen_octets_is_cut() {
    let mut bindings = bindings(1, 1);
    let index = bindings.insert(0, 0, b"c").unwrap();
    bindings.set_chaddr(index, 1, &[3; 40]).unwrap();
    assert_eq!(bindings.chaddr(index), [3; 16]);
}

#[test]
fn the_usual_client_takes_nothing_of_the_arena() {
    let mut bindings = bindings(2, 0);
    let mac = [0x02, 0, 0, 0, 0, 9];
    // chaddr as identity: kind, htype, chaddr. And option 61: kind, type, another MAC.
    for (hash, identity) in [
        (0, [2, 1, 0x02, 0, 0, 0, 0, 9]),
        (1, [1, 1, 0x02, 0, 0, 0, 0, 7]),
    ] {
        let index = bindings.insert(hash, 0, &identity).unwrap();
        bindings.set_chaddr(index, 1, &mac).unwrap();
        assert_eq!(bindings.chaddr(index), mac);
    }
}

#[test]
fn option_82_that_is_there_already_costs_nothing_even_in_a_full_arena() {
    let mut bindings = bindings(2, 1);
    let index = bindings.insert(0, 0, b"a").unwrap();
    bindings.store_agent_info(index, &[1; 512]).unwrap();
    let other = bindings.insert(1, 0, b"b").unwrap();
    assert_eq!(bindings.store_agent_info(other, &[2; 16]), Err(ArenaFull));
    assert_eq!(bindings.store_agent_info(index, &[1; 512]), Ok(()));
    assert_eq!(bindings.store_agent_info(index, &[1; 513]), Err(ArenaFull));
    assert_eq!(bindings.agent_info(index), [1; 512]);
    bindings.store_agent_info(index, &[]).unwrap();
    assert_eq!(bindings.store_agent_info(other, &[2; 16]), Ok(()));
}

#[test]
fn a_free_slot_answers_nothing_and_takes_nothing() {
    let mut bindings = bindings(2, 1);
    let list = bindings.add_list().unwrap();
    let index = bindings.insert(0, 0, b"gone").unwrap();
    bindings.remove(index);
    for index in [index, SlotIndex(1), SlotIndex(2), SlotIndex::NONE] {
        bindings.remove(index);
        bindings.schedule(index, 1);
        bindings.disarm(index, 1);
        bindings.push_back(list, index);
        bindings.unlist(index);
        bindings.rekey_network(index, 3);
        assert_eq!(bindings.store_agent_info(index, b"82"), Ok(()));
        assert_eq!(bindings.set_chaddr(index, 1, &[1; 6]), Ok(()));
        assert!(bindings.slot(index).is_none() && bindings.slot_mut(index).is_none());
        assert!(bindings.identity(index).is_empty() && bindings.chaddr(index).is_empty());
        assert!(bindings.agent_info(index).is_empty() && !bindings.is_listed(index));
    }
    let mut budget = 9;
    assert_eq!(bindings.due(u32::MAX, &mut budget), None);
    assert_eq!(
        (bindings.front(list), bindings.next_after(SlotIndex::NONE)),
        (None, None)
    );
    assert_eq!(
        (bindings.len(), bindings.arena_free()),
        (0, size_of::<Page>())
    );
}

#[test]
fn a_probe_leads_to_the_slot_that_a_look_up_finds() {
    let mut bindings = bindings(100, 0);
    for client in 0..100_u64 {
        let index = bindings
            .insert(client << 7, 3, &client.to_le_bytes())
            .unwrap();
        bindings.slot_mut(index).unwrap().addr = u32::try_from(client).unwrap();
    }
    let hits = (0..100_u64).filter(|client| {
        assert!(bindings.bucket(client << 7, 3).is_some());
        bindings
            .probe(client << 7, 3)
            .is_some_and(|slot| u64::from(slot.addr) == *client)
    });
    // Two of a hundred tags of 16 bits in one bucket would be bad luck; the hash is fixed.
    assert_eq!(hits.count(), 100);
}

#[test]
fn disarm_and_cancel_leave_no_timer() {
    let mut bindings = bindings(2, 0);
    for client in 0..2_u8 {
        let index = bindings.insert(u64::from(client), 0, &[client]).unwrap();
        bindings.schedule(index, 50);
    }
    bindings.disarm(SlotIndex(0), 70);
    bindings.cancel(SlotIndex(1));
    assert_eq!(bindings.slot(SlotIndex(0)).unwrap().until(), 70);
    assert_eq!(bindings.slot(SlotIndex(1)).unwrap().until(), 50);
    assert_eq!(bindings.due(100, &mut 9), None);
}
