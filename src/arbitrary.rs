//! Arbitrary stored things, for property tests. Every run sees the same ones, unless `PROPTEST_CASES` asks for more.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use proptest::collection::{btree_set, hash_map, vec};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::RngSeed;

use crate::item::RawItem;

/// So many of the same cases in every run; or as many as `PROPTEST_CASES` says, which are others each time unless
/// `PROPTEST_RNG_SEED` says which.
pub(crate) fn config(cases: u32) -> ProptestConfig {
    let asked = ProptestConfig::default();
    if std::env::var_os("PROPTEST_CASES").is_some() {
        // What a strategy's filter rejects is counted over the whole run, so many cases want no bound.
        return ProptestConfig { failure_persistence: None, max_local_rejects: u32::MAX, ..asked };
    }
    ProptestConfig { cases, rng_seed: RngSeed::Fixed(2), failure_persistence: None, ..asked }
}

/// Attribute names, those first that an expression can't hold as they are.
pub(crate) fn name() -> BoxedStrategy<String> {
    const ODD: [&str; 14] = [
        "name",
        "size",
        "STATUS",
        "AND",
        "_w",
        "_private",
        "a.b",
        "a[0]",
        "#n0",
        ":v0",
        "with space",
        "0",
        "große",
        "漢字",
    ];
    prop_oneof![select(&ODD[..]).prop_map(str::to_owned), "[a-c]{1,2}", "\\PC{1,6}"].boxed()
}

/// Values of all types, nested a few levels deep.
pub(crate) fn value() -> BoxedStrategy<AttributeValue> {
    let leaf = prop_oneof![
        "\\PC{0,4}".prop_map(AttributeValue::S),
        number().prop_map(AttributeValue::N),
        vec(any::<u8>(), 0..4).prop_map(|bytes| AttributeValue::B(Blob::new(bytes))),
        any::<bool>().prop_map(AttributeValue::Bool),
        Just(AttributeValue::Null(true)),
        btree_set("[a-d]{1,2}", 1..4).prop_map(|set| AttributeValue::Ss(Vec::from_iter(set))),
        btree_set(number(), 1..4).prop_map(|set| AttributeValue::Ns(Vec::from_iter(set))),
        btree_set(vec(any::<u8>(), 1..3), 1..4).prop_map(|set| AttributeValue::Bs(blobs(set))),
    ];
    leaf.prop_recursive(3, 12, 3, |value| {
        prop_oneof![
            vec(value.clone(), 0..3).prop_map(AttributeValue::L),
            hash_map(name(), value, 0..4).prop_map(AttributeValue::M),
        ]
    })
    .boxed()
}

pub(crate) fn item() -> BoxedStrategy<RawItem> {
    hash_map(name(), value(), 0..5).boxed()
}

/// Two items that have much in common.
pub(crate) fn items() -> BoxedStrategy<(RawItem, RawItem)> {
    let edited = (item(), hash_map(name(), value(), 0..3), any::<u64>());
    edited
        .prop_map(|(before, other, seed)| {
            let mut after = before.clone();
            edit(&mut after, &other, &mut fastrand::Rng::with_seed(seed));
            (before, after)
        })
        .boxed()
}

/// Keeps, replaces and removes attributes at every level.
fn edit(item: &mut RawItem, other: &RawItem, random: &mut fastrand::Rng) {
    let mut names: Vec<_> = item.keys().cloned().collect();
    names.sort_unstable();
    for name in names {
        match (random.u8(0..6), item.get_mut(&name)) {
            (0, _) => drop(item.remove(&name)),
            (1, Some(value)) => *value = AttributeValue::S("edited".to_owned()),
            (_, Some(AttributeValue::M(map))) => edit(map, other, random),
            (_, Some(AttributeValue::Ss(set) | AttributeValue::Ns(set))) => set.reverse(),
            _ => {}
        }
    }
    let mut others: Vec<_> = other.iter().collect();
    others.sort_unstable_by_key(|(name, _)| *name);
    for (name, value) in others {
        if random.bool() {
            item.insert(name.clone(), value.clone());
        }
    }
}

/// The same, with every set's elements in the opposite order.
pub(crate) fn with_sets_reversed(item: &RawItem) -> RawItem {
    item.iter().map(|(name, value)| (name.clone(), reversed(value))).collect::<HashMap<_, _>>()
}

fn reversed(value: &AttributeValue) -> AttributeValue {
    match value {
        AttributeValue::Ss(set) => AttributeValue::Ss(set.iter().rev().cloned().collect()),
        AttributeValue::Ns(set) => AttributeValue::Ns(set.iter().rev().cloned().collect()),
        AttributeValue::Bs(set) => AttributeValue::Bs(set.iter().rev().cloned().collect()),
        AttributeValue::L(list) => AttributeValue::L(list.iter().map(reversed).collect()),
        AttributeValue::M(map) => AttributeValue::M(with_sets_reversed(map)),
        other => other.clone(),
    }
}

/// Sets in one order, so that items can be compared.
pub(crate) fn with_sets_sorted(item: &RawItem) -> RawItem {
    fn sorted(value: &AttributeValue) -> AttributeValue {
        match value {
            AttributeValue::Ss(set) => AttributeValue::Ss(Vec::from_iter(set.iter().cloned().collect::<BTreeSet<_>>())),
            AttributeValue::Ns(set) => AttributeValue::Ns(Vec::from_iter(set.iter().cloned().collect::<BTreeSet<_>>())),
            AttributeValue::Bs(set) => {
                AttributeValue::Bs(blobs(set.iter().map(|blob| blob.as_ref().to_vec()).collect()))
            }
            AttributeValue::L(list) => AttributeValue::L(list.iter().map(sorted).collect()),
            AttributeValue::M(map) => AttributeValue::M(with_sets_sorted(map)),
            other => other.clone(),
        }
    }
    item.iter().map(|(name, value)| (name.clone(), sorted(value))).collect()
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![any::<i64>(), -9..10_i64].prop_map(|number| number.to_string())
}

fn blobs(set: BTreeSet<Vec<u8>>) -> Vec<Blob> {
    set.into_iter().map(Blob::new).collect()
}
