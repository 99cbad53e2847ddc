use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use proptest::collection::{hash_map, vec};
use proptest::prelude::*;
use proptest::sample::select;
use serde::{Deserialize, Serialize};

use super::RawItem;
use crate::arbitrary::{self, config, with_sets_sorted};
use crate::error::{Error, ErrorKind};
use crate::protocol::log::WriteId;
use crate::rows::{Rows, TABLE};
use crate::table::Table;

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
}
