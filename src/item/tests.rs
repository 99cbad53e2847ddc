use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use proptest::collection::{hash_map, vec};
use proptest::prelude::*;
use proptest::sample::select;
use serde::{Deserialize, Serialize};

use super::{Item, RawItem};
use crate::arbitrary::{self, config, with_sets_sorted};
use crate::error::{Error, ErrorKind};
use crate::protocol::log::WriteId;
use crate::rows::{Rows, TABLE};
use crate::table::Table;
use crate::written::Outcome;

/// Fields of every kind that decodes in a way of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, dynamo_once_derive::Item)]
struct Thing {
    #[item(partition_key)]
    id: String,
    #[serde(default)]
    hits: i16,
    text: Option<String>,
    #[serde(default, alias = "mass")]
    weight: f64,
    #[serde(default, with = "serde_bytes")]
    bytes: Vec<u8>,
    #[serde(
        default,
        skip_serializing_if = "BTreeSet::is_empty",
        serialize_with = "serde_dynamo::string_set::serialize"
    )]
    tags: BTreeSet<String>,
    #[serde(default)]
    parts: Vec<Option<u8>>,
    #[serde(default)]
    by_name: BTreeMap<String, Inner>,
    state: Option<State>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Inner {
    on: bool,
    below: Option<Box<Inner>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum State {
    Open,
    Closed { by: String },
    Moved(u32, u32),
}

static ROWS: LazyLock<Rows> = LazyLock::new(Rows::new);

fn things() -> Table<Thing> {
    ROWS.table.core().store().table_named(TABLE)
}

fn number(number: impl ToString) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

fn map<const N: usize>(entries: [(&str, AttributeValue); N]) -> AttributeValue {
    AttributeValue::M(entries.map(|(name, value)| (name.to_owned(), value)).into())
}

/// What a field may be stored as, one way or another.
fn stored(field: &'static str) -> BoxedStrategy<AttributeValue> {
    let text = || "[a-z]{0,3}".prop_map(AttributeValue::S);
    let inner = any::<bool>().prop_map(|on| map([("on", AttributeValue::Bool(on))]));
    let deep = (any::<bool>(), inner.clone()).prop_map(|(on, below)| {
        map([("on", AttributeValue::Bool(on)), ("below", below), ("unknown", AttributeValue::Null(true))])
    });
    let own = match field {
        "hits" => any::<i16>().prop_map(number).boxed(),
        "text" => prop_oneof![text(), Just(AttributeValue::Null(true))].boxed(),
        "weight" | "mass" => (-999..999_i32).prop_map(|grams| number(f64::from(grams) / 8.0)).boxed(),
        "bytes" => vec(any::<u8>(), 0..5).prop_map(|bytes| AttributeValue::B(Blob::new(bytes))).boxed(),
        "tags" => proptest::collection::btree_set("[a-c]{1,2}", 1..4)
            .prop_map(|tags| AttributeValue::Ss(Vec::from_iter(tags)))
            .boxed(),
        "parts" => vec(prop_oneof![any::<u8>().prop_map(number), Just(AttributeValue::Null(true))], 0..4)
            .prop_map(AttributeValue::L)
            .boxed(),
        "by_name" => hash_map("[a-c]{1,2}", prop_oneof![inner, deep], 0..3).prop_map(AttributeValue::M).boxed(),
        _ => {
            let by = |by| map([("Closed", map([("by", AttributeValue::S(by))]))]);
            let moved = AttributeValue::L(vec![number(1), number(2)]);
            prop_oneof![
                Just(AttributeValue::S("Open".to_owned())),
                "[a-z]{0,3}".prop_map(by),
                Just(map([("Moved", moved)]))
            ]
            .boxed()
        }
    };
    prop_oneof![12 => own, 1 => arbitrary::value()].boxed()
}

/// An item that some program stored: mostly a thing, with attributes that a thing doesn't know.
fn item() -> impl Strategy<Value = RawItem> {
    const FIELDS: [&str; 9] = ["hits", "text", "weight", "mass", "bytes", "tags", "parts", "by_name", "state"];
    let field = select(&FIELDS[..]).prop_flat_map(|field| (Just(field.to_owned()), stored(field)));
    (vec(field, 0..6), arbitrary::item(), history()).prop_map(|(fields, unknown, history)| {
        let mut item = unknown;
        item.remove("id");
        item.extend(fields);
        item.extend(history);
        item
    })
}

/// A version and a log; or part of them, or nonsense.
fn history() -> impl Strategy<Value = RawItem> {
    let id = || (1..u128::MAX >> 16).prop_map(|id| WriteId(id).attribute());
    let logged = (1..9_u64, id(), id()).prop_map(|(version, birth, head)| {
        [("version".to_owned(), number(version)), ("_wb".to_owned(), birth), ("_w0".to_owned(), head)].into()
    });
    let name = select(&["version", "_wb", "_wk", "_wt", "_w0", "_w7p"][..]).prop_map(str::to_owned);
    prop_oneof![
        4 => Just(RawItem::new()),
        4 => logged,
        1 => hash_map(name, prop_oneof![id(), arbitrary::value()], 1..4),
    ]
}

#[derive(Debug, Clone, Copy)]
enum Verb {
    Insert,
    KeyedInsert,
    Upsert,
    Update,
    Modify,
    Delete,
}

fn verb() -> impl Strategy<Value = Verb> {
    select(&[Verb::Insert, Verb::KeyedInsert, Verb::Upsert, Verb::Update, Verb::Modify, Verb::Delete][..])
}

async fn run(verb: Verb, hits: i16) -> Result<Outcome, Error> {
    let (things, f) = (things(), Thing::FIELDS);
    let thing: Thing = serde_dynamo::from_item(Rows::key()).expect("all other fields have defaults");
    let thing = Thing { hits, ..thing };
    Ok(match verb {
        Verb::Insert => things.insert(&thing).send().await?.outcome(),
        Verb::KeyedInsert => things.insert(&thing).keyed("key").send().await?.outcome(),
        Verb::Upsert => things.upsert(&thing).send().await?.outcome(),
        Verb::Update => things.update("row").set(f.hits, hits).send().await?.outcome(),
        Verb::Modify => things.modify("row", |thing| thing.hits = thing.hits.wrapping_add(1)).send().await?.outcome(),
        Verb::Delete => things.delete("row").send().await?.outcome(),
    })
}

/// Whether the type or the library has an attribute of this name.
fn is_known(name: &str) -> bool {
    let mut known = Thing::SCHEMA.known_attributes().iter();
    known.any(|attribute| attribute.name() == name || attribute.alias_names().contains(&name))
        || super::is_reserved(name, "version", "_w")
}

proptest! {
    #![proptest_config(config(2000))]

    #[test]
    fn a_stored_item_decodes_or_comes_with_the_error(item in item()) {
        let mut item = item;
        item.extend(Rows::key());
        let format = things().core().format().clone();
        let seen = format.read(&item);
        let mut own = item.clone();
        own.retain(|name, _| !super::is_reserved(name, "version", "_w"));
        let told: Result<Thing, serde_dynamo::Error> = serde_dynamo::from_item(own);
        match format.decode::<Thing>(item.clone()) {
            Ok(None) => prop_assert!(seen.tombstone),
            Ok(Some(thing)) => {
                prop_assert!(!seen.tombstone);
                prop_assert_eq!(Some(thing.etag()), format.etag(&item));
                prop_assert_eq!(told.as_ref().ok(), Some(&*thing));
            }
            Err(error) => {
                prop_assert_eq!(error.raw_current(), Some(&item));
                match error.kind() {
                    ErrorKind::Malformed => prop_assert!(format.etag(&item).is_none(), "{}", error),
                    ErrorKind::Decode => prop_assert!(told.is_err() && format.etag(&item).is_some(), "{}", error),
                    _ => prop_assert!(false, "{}", error),
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(config(250))]

    #[test]
    fn what_a_save_does_not_change_stays_as_it_was_stored(item in item(), hits in any::<i16>()) {
        let _turn = ROWS.turn();
        ROWS.store(Some(item));
        let stored = ROWS.stored().expect("is there");
        let things = things();
        let changed = ROWS.wait(async {
            let Some(found) = things.get("row").send().await? else { return Ok(false) };
            let before = found.hits;
            things.save(found.with(|thing| thing.hits = hits)).send().await?;
            Ok::<_, Error>(before != hits)
        });
        let mut now = ROWS.stored().expect("is there");
        let mut expected = stored;
        match changed {
            Ok(false) => {}
            Ok(true) => {
                expected.insert("hits".to_owned(), number(hits));
                for item in [&mut expected, &mut now] {
                    item.retain(|name, _| !super::is_reserved(name, "version", "_w"));
                }
            }
            Err(error) => prop_assert!(error.is_decode() || error.is_malformed(), "{}", error),
        }
        prop_assert_eq!(with_sets_sorted(&now), with_sets_sorted(&expected));
    }

    #[test]
    fn every_verb_tells_the_truth_about_whatever_is_stored(item in item(), verb in verb(), hits in any::<i16>()) {
        let _turn = ROWS.turn();
        ROWS.store(Some(item));
        let before = ROWS.stored().expect("is there");
        let ended = ROWS.wait(run(verb, hits));
        let after = ROWS.stored();
        let is_tombstone = things().core().format().read(&before).tombstone;
        match ended {
            Err(error) => {
                prop_assert!(error.is_refused() || error.is_decode(), "no reply was lost: {:?}", error);
                prop_assert_eq!(after.as_ref(), Some(&before), "{:?}", error);
                let mut current = error.raw_current().cloned();
                if let Some(current) = &mut current {
                    current.remove("id");
                }
                prop_assert!(current.is_none() && is_tombstone || current == Some(before), "{:?}", error);
            }
            Ok(outcome) => {
                prop_assert_eq!(outcome, Outcome::Applied, "the call is new");
                let Some(after) = after else {
                    prop_assert!(matches!(verb, Verb::Delete));
                    return Ok(());
                };
                if matches!(verb, Verb::Delete) {
                    prop_assert!(is_tombstone && after == before, "is there no more, or was none");
                }
                for (name, value) in before.iter().filter(|(name, _)| !is_known(name)) {
                    prop_assert_eq!(after.get(name), Some(value), "{}", name);
                }
            }
        }
    }
}
