//! What can't be written, or can't be read back: an error that names the attribute, and nothing sent or nothing changed.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use dynamo_once::testing::{Embedded, Faults, Operation};
use dynamo_once::{
    Condition, Error, ErrorKind, Etag, IntoKey, Item, Key, KeyType, Outcome, Path, Schema, Store, Table,
};
use serde::{Deserialize, Serialize, Serializer};

type RawItem = HashMap<String, AttributeValue>;

/// A table on an engine of its own, and what goes to it.
struct World<T> {
    faults: Faults,
    sdk: Client,
    table: Table<T>,
    _engine: Embedded,
}

impl<T: Item> World<T> {
    async fn new() -> Self {
        let engine = Embedded::start().await;
        let faults = Faults::around(engine.http_client());
        let table = Store::new(engine.config().http_client(faults.clone()).build()).table_named::<T>("things");
        table.create_if_missing().await.expect("the table is made");
        Self { faults, sdk: engine.client(), table, _engine: engine }
    }

    /// How many requests of the verbs' kinds have gone out.
    fn sent(&self) -> usize {
        let operations = [Operation::GetItem, Operation::PutItem, Operation::UpdateItem, Operation::DeleteItem];
        operations.into_iter().map(|operation| self.faults.received(operation)).sum()
    }

    async fn put(&self, item: RawItem) {
        self.sdk.put_item().table_name("things").set_item(Some(item)).send().await.expect("the engine takes it");
    }

    async fn stored(&self, id: &str) -> Option<RawItem> {
        let get = self.sdk.get_item().table_name("things").key("id", text(id)).consistent_read(true);
        get.send().await.expect("the engine answers").item
    }

    /// Inserts and upserts the item, and asserts that both are refused for this reason before anything is sent.
    async fn refuses(&self, item: &T, says: &[&str]) {
        let before = self.sent();
        for (operation, error) in [
            ("insert", self.table.insert(item).send().await.err()),
            ("upsert", self.table.upsert(item).send().await.err()),
        ] {
            invalid(&error.expect("is refused"), says);
            assert_eq!(self.sent(), before, "{operation} sends nothing");
        }
    }
}

#[track_caller]
fn invalid(error: &Error, says: &[&str]) {
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error:?}");
    for part in says {
        assert!(error.to_string().contains(part), "{error} doesn't say {part}");
    }
    assert_eq!((error.attempts(), error.table()), (0, Some("things")), "{error:?}");
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn number(number: impl ToString) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

/// An item type whose `Serialize` is whatever a test wants, as a hand-written one may be.
macro_rules! written_by_hand {
    ($name:ident, $key:ty, |$item:ident, $serializer:ident| $serialize:expr) => {
        #[derive(Debug, Clone, Deserialize)]
        #[allow(dead_code, reason = "not every test reads what it has written")]
        struct $name {
            id: String,
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, $serializer: S) -> Result<S::Ok, S::Error> {
                let $item = self;
                $serialize
            }
        }

        impl Item for $name {
            type Key = $key;
            const SCHEMA: Schema = Schema::new("id").table("things");
        }
    };
}

#[derive(Debug, Clone, Serialize, Deserialize, Item)]
#[item(table = "things")]
struct Thing {
    #[item(partition_key)]
    id: String,
    #[serde(default)]
    count: i64,
    #[serde(default)]
    weight: f64,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    text: String,
    #[serde(default, with = "serde_dynamo::string_set", skip_serializing_if = "Option::is_none")]
    tags: Option<BTreeSet<String>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    parts: Vec<Part>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    wide: Option<u128>,
    #[serde(default, skip_serializing_if = "HashMap::is_empty")]
    map: HashMap<String, HashMap<String, u64>>,
    #[serde(flatten)]
    others: HashMap<String, String>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Part {
    size: f32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    wide: Option<i128>,
}

fn thing(id: &str) -> Thing {
    Thing {
        id: id.to_owned(),
        count: 0,
        weight: 0.5,
        text: String::new(),
        tags: None,
        parts: vec![],
        wide: None,
        map: HashMap::new(),
        others: HashMap::new(),
    }
}

#[tokio::test(start_paused = true)]
async fn keys_that_are_empty_or_too_long_are_refused_by_every_verb() {
    let world = World::<Thing>::new().await;
    let before = world.sent();
    let found = {
        world.table.insert(&thing("a")).send().await.expect("is fine");
        world.table.get("a").send().await.expect("is fine").expect("is there")
    };
    let sent = world.sent();
    assert_eq!(sent, before + 2);
    let long = "x".repeat(2049);
    for (id, says) in [("", ["`id`", "empty"]), (&long, ["`id`", "2049 bytes"])] {
        world.refuses(&thing(id), &says).await;
        let f = Thing::FIELDS;
        let errors = [
            world.table.get(id).send().await.err(),
            world.table.update(id).add(f.count, 1).send().await.err(),
            world.table.modify(id, |thing| thing.count = 1).send().await.err(),
            world.table.delete(id).send().await.err(),
            world.table.save(found.clone().with(|thing| thing.id = id.to_owned())).send().await.err(),
        ];
        errors.iter().for_each(|error| invalid(error.as_ref().expect("is refused"), &says));
        assert_eq!(world.sent(), sent, "nothing is sent");
    }
    world.table.insert(&thing(&long[..2048])).send().await.expect("the longest key is fine");
}

#[tokio::test(start_paused = true)]
async fn an_empty_idempotency_key_is_refused() {
    let world = World::<Thing>::new().await;
    let sent = world.sent();
    for key in [b"".as_slice(), "".as_ref()] {
        let error = world.table.insert(&thing("a")).keyed(key).send().await.unwrap_err();
        invalid(&error, &["idempotency key", "empty"]);
    }
    assert_eq!(world.sent(), sent, "nothing is sent");
}

#[derive(Debug, Serialize, Deserialize, Item)]
#[item(table = "things")]
struct Sorted {
    #[item(partition_key)]
    id: String,
    #[item(sort_key)]
    #[serde(with = "serde_bytes")]
    at: Vec<u8>,
}

#[tokio::test(start_paused = true)]
async fn sort_keys_have_bounds_of_their_own() {
    let world = World::<Sorted>::new().await;
    let sorted = |length| Sorted { id: "a".into(), at: vec![7; length] };
    world.refuses(&sorted(0), &["`at`", "empty"]).await;
    world.refuses(&sorted(1025), &["`at`", "1025 bytes", "1024"]).await;
    let error = world.table.get(("a", vec![7; 1025])).send().await.unwrap_err();
    invalid(&error, &["`at`", "1025 bytes"]);
    world.table.insert(&sorted(1024)).send().await.expect("the longest key is fine");
}

written_by_hand!(Keyless, String, |item, serializer| HashMap::from([("name", &item.id)]).serialize(serializer));
written_by_hand!(WrongKey, String, |item, serializer| HashMap::from([("id", item.id.len())]).serialize(serializer));
written_by_hand!(NullKey, String, |_item, serializer| HashMap::from([("id", None::<String>)]).serialize(serializer));
written_by_hand!(ListKey, Vec<u8>, |item, serializer| HashMap::from([("id", item.id.as_bytes())])
    .serialize(serializer));
written_by_hand!(NoMap, String, |item, serializer| vec![&item.id].serialize(serializer));
written_by_hand!(OnlyText, String, |item, serializer| item.id.serialize(serializer));
written_by_hand!(Nothing, String, |_item, serializer| serializer.serialize_unit());
written_by_hand!(Failing, String, |_item, _serializer| Err(serde::ser::Error::custom("not today")));

#[tokio::test(start_paused = true)]
async fn the_serialised_item_has_its_key_of_its_type() {
    async fn refuses<T: Item>(item: T, says: &[&str]) {
        World::<T>::new().await.refuses(&item, says).await;
    }
    let id = || "a".to_owned();
    refuses(Keyless { id: id() }, &["`id`", "without its key attribute"]).await;
    refuses(WrongKey { id: id() }, &["`id`", "String"]).await;
    refuses(NullKey { id: id() }, &["`id`", "String"]).await;
    refuses(ListKey { id: id() }, &["`id`", "Binary", "serde_bytes"]).await;
}

#[tokio::test(start_paused = true)]
async fn an_item_is_a_map() {
    async fn refuses<T: Item>(item: T, says: &[&str]) {
        World::<T>::new().await.refuses(&item, says).await;
    }
    let id = || "a".to_owned();
    refuses(NoMap { id: id() }, &["map of attributes", "named fields"]).await;
    refuses(OnlyText { id: id() }, &["map of attributes", "named fields"]).await;
    refuses(Nothing { id: id() }, &["map of attributes", "named fields"]).await;
    refuses(Failing { id: id() }, &["doesn't serialise", "source"]).await;
    let error = World::<Failing>::new().await.table.insert(&Failing { id: id() }).send().await.unwrap_err();
    assert_eq!(std::error::Error::source(&error).expect("the reason").to_string(), "not today");
}

#[tokio::test(start_paused = true)]
async fn an_item_over_400_kb_is_refused() {
    let world = World::<Thing>::new().await;
    let heavy = Thing { text: "x".repeat(400 * 1024), ..thing("a") };
    world.refuses(&heavy, &["`text`", "409600"]).await;

    world.table.insert(&thing("a")).send().await.expect("is fine");
    let found = world.table.get("a").send().await.expect("is fine").expect("is there");
    let sent = world.sent();
    let error = world.table.save(found.with(|thing| thing.text = "x".repeat(400 * 1024))).send().await.unwrap_err();
    invalid(&error, &["`text`"]);
    assert_eq!(world.sent(), sent);
}

#[tokio::test(start_paused = true)]
async fn numbers_that_dynamodb_cannot_hold_are_refused() {
    let world = World::<Thing>::new().await;
    for weight in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        world.refuses(&Thing { weight, ..thing("a") }, &["`weight`", "NaN and infinity"]).await;
    }
    for weight in [1e126, -1e200, f64::MIN_POSITIVE] {
        world.refuses(&Thing { weight, ..thing("a") }, &["`weight`", "outside of the numbers"]).await;
    }
    let nested = Thing { parts: vec![Part::default(), Part { size: f32::NAN, wide: None }], ..thing("a") };
    world.refuses(&nested, &["`parts[1].size`", "NaN"]).await;
    // What serde_dynamo doesn't serialise at all.
    world.refuses(&Thing { wide: Some(u128::MAX), ..thing("a") }, &["`wide`", "64 bits"]).await;
    let nested = Thing { parts: vec![Part { size: 0.0, wide: Some(1) }], ..thing("a") };
    world.refuses(&nested, &["`parts[0].wide`", "64 bits"]).await;

    world.table.insert(&thing("a")).send().await.expect("is fine");
    let sent = world.sent();
    let f = Thing::FIELDS;
    let update = || world.table.update("a");
    for (error, says) in [
        (update().set(f.weight, f64::NAN).send().await, "`weight`"),
        (update().add(f.weight, f64::INFINITY).send().await, "`weight`"),
        (update().add(f.count, u128::MAX).send().await, "`count`"),
        (update().add(f.count, i128::MIN).send().await, "`count`"),
        (update().set(f.wide, 1_u128).send().await, "`wide`"),
        (update().append(f.parts, vec![Part { size: f32::NAN, wide: None }]).send().await, "`parts[0].size`"),
        (update().append(f.parts, vec![Part { size: 0.0, wide: Some(1) }]).send().await, "`parts"),
        (update().add(f.count, 1).when(f.weight.lt(f64::NAN)).send().await, "`weight`"),
        (update().add(f.count, 1).when(f.weight.between(0.0, f64::INFINITY)).send().await, "`weight`"),
        (update().add(f.count, 1).when(f.weight.is_in([0.0, f64::NAN])).send().await, "`weight`"),
        (update().add(f.count, 1).when(f.wide.eq(1)).send().await, "`wide`"),
    ] {
        invalid(&error.expect_err(says), &[says]);
    }
    assert_eq!(world.sent(), sent, "nothing is sent");
}

#[tokio::test(start_paused = true)]
async fn empty_sets_are_refused() {
    let world = World::<Thing>::new().await;
    let empty = Thing { tags: Some(BTreeSet::new()), ..thing("a") };
    world.refuses(&empty, &["`tags`", "empty set", "skip_serializing_if"]).await;

    let sent = world.sent();
    let f = Thing::FIELDS;
    let update = || world.table.update("a");
    for (error, advice) in [
        (update().set(f.tags, Some(BTreeSet::new())).send().await, "leave the attribute out"),
        (update().union(f.tags, Some(BTreeSet::new())).send().await, "leave the `union` out"),
        (update().difference(f.tags, Some(BTreeSet::new())).send().await, "leave the `difference` out"),
    ] {
        invalid(&error.expect_err("is refused"), &["`tags`", "empty set", advice]);
    }
    assert_eq!(world.sent(), sent, "nothing is sent");
}

#[tokio::test(start_paused = true)]
async fn attributes_of_the_library_s_own_are_refused() {
    let world = World::<Thing>::new().await;
    for name in ["version", "_wb", "_wk", "_wt", "_w0", "_w7p"] {
        let others = HashMap::from([(name.to_owned(), "mine".to_owned())]);
        world.refuses(&Thing { others, ..thing("a") }, &[&format!("`{name}`"), "reserved", "stamp_prefix"]).await;
    }
    let nameless = HashMap::from([(String::new(), "x".to_owned())]);
    world.refuses(&Thing { others: nameless, ..thing("a") }, &["without a name"]).await;
    let nameless = HashMap::from([("m".to_owned(), HashMap::from([(String::new(), 1)]))]);
    world.refuses(&Thing { map: nameless, ..thing("a") }, &["`map.m`", "without a name"]).await;

    let others: HashMap<_, _> =
        ["_w", "_w8", "_wx", "_w00", "size", "a.b", "#n0"].map(|name| (name.to_owned(), "mine".to_owned())).into();
    let odd = Thing { others: others.clone(), ..thing("a") };
    world.table.insert(&odd).send().await.expect("these names are anyone's");
    assert_eq!(world.table.get("a").send().await.expect("is fine").expect("is there").others, others);
    world.table.upsert(&odd).send().await.expect("these names are anyone's");
    assert_eq!(world.table.get("a").send().await.expect("is fine").expect("is there").others, others);
}

#[tokio::test(start_paused = true)]
async fn expressions_beyond_dynamodb_s_limits_are_refused() {
    let world = World::<Thing>::new().await;
    world.table.insert(&thing("a")).send().await.expect("is fine");
    let sent = world.sent();
    let f = Thing::FIELDS;
    let many = |count: i64| -> Condition<Thing> {
        (1..count).fold(f.count.ne(-1), |condition, number| condition.and(f.count.ne(-1 - number)))
    };
    let update = |condition| world.table.update("a").add(f.count, 1).when(condition).send();
    invalid(&update(many(150)).await.unwrap_err(), &["operators", "300"]);
    invalid(&update(many(160)).await.unwrap_err(), &["operators", "300"]);
    // However many there are, none is joined too deep for the stack.
    invalid(&update(many(200_000)).await.unwrap_err(), &["operators", "300"]);
    let odd = (0..200_001).fold(f.count.eq(0), |condition, _| !condition);
    invalid(&update(odd).await.unwrap_err(), &["operators", "300"]);
    let long = (0..9).fold(f.text.is_in((0..100).map(|number| number.to_string())), |condition, _| {
        condition.or(f.text.is_in((0..100).map(|number| number.to_string())))
    });
    invalid(&update(long).await.unwrap_err(), &["bytes", "4096"]);
    assert_eq!(world.sent(), sent, "nothing is sent");
    let error = update(f.count.is_in(0..101)).await.unwrap_err();
    invalid(&error, &["`count`", "101 values"]);
    assert_eq!(world.stored("a").await.expect("is there")["count"], number(0));
    update(many(100)).await.expect("is within the limits");
    assert_eq!(world.stored("a").await.expect("is there")["count"], number(1));

    // An upsert of too many attributes can't be written otherwise.
    let others = |count: usize| (0..count).map(|number| (format!("attribute {number}"), "x".to_owned())).collect();
    let error = world.table.upsert(&Thing { others: others(400), ..thing("a") }).send().await.unwrap_err();
    invalid(&error, &["bytes", "4096"]);
    world.table.insert(&Thing { others: others(400), ..thing("b") }).send().await.expect("an insert has no such limit");
}

#[tokio::test(start_paused = true)]
async fn a_save_of_many_differences_writes_whole_attributes() {
    let world = World::<Thing>::new().await;
    let maps = |value| -> HashMap<_, _> {
        (0..400).map(|number| (format!("entry {number}"), HashMap::from([("value".to_owned(), value)]))).collect()
    };
    world.table.insert(&Thing { map: maps(1), ..thing("a") }).send().await.expect("is fine");
    let found = world.table.get("a").send().await.expect("is fine").expect("is there");
    let sent = world.sent();
    let written = world.table.save(found.with(|thing| thing.map = maps(2))).send().await.expect("is within the limits");
    assert_eq!((written.outcome(), world.sent()), (Outcome::Applied, sent + 1));
    let found = world.table.get("a").send().await.expect("is fine").expect("is there");
    assert_eq!((found.version(), &found.map), (2, &maps(2)));

    // Too many even so: said before anything is sent.
    let sent = world.sent();
    let many =
        found.with(|thing| thing.others = (0..400).map(|number| (format!("a{number}"), "x".to_owned())).collect());
    invalid(&world.table.save(many).send().await.unwrap_err(), &["4096"]);
    assert_eq!(world.sent(), sent);
}

#[tokio::test(start_paused = true)]
async fn an_update_with_nothing_in_it_or_one_path_twice_is_refused() {
    let world = World::<Thing>::new().await;
    world.table.insert(&thing("a")).send().await.expect("is fine");
    let sent = world.sent();
    let f = Thing::FIELDS;
    let update = || world.table.update("a");
    invalid(&update().send().await.unwrap_err(), &["changes nothing"]);
    invalid(&update().when(f.count.eq(0)).at(1).send().await.unwrap_err(), &["changes nothing"]);
    for error in [
        update().set(f.count, 1).set(f.count, 2).send().await,
        update().add(f.count, 1).set(f.text, "x").add(f.count, 1).send().await,
        update().set(f.count, 1).remove(f.count).send().await,
    ] {
        invalid(&error.expect_err("is refused"), &["`count` twice"]);
    }
    // A path that the derive makes doesn't compile there.
    let error = update().set(f.count, 1).set(Path::<Thing, String>::new("id"), "b").send().await.unwrap_err();
    invalid(&error, &["`id`", "key attribute"]);
    for name in ["version", "_wb", "_w3", "_w3p", "_wk", "_wt"] {
        let error = update().set(f.count, 1).remove(Path::<Thing, i64>::new(name)).send().await.unwrap_err();
        invalid(&error, &[name, "the library's"]);
    }
    for etag in ["9223372036854775807", "18446744073709551615-unmanaged"] {
        let etag: Etag = etag.parse().expect("is an etag");
        invalid(&update().add(f.count, 1).at(etag).send().await.unwrap_err(), &["version"]);
        invalid(&world.table.delete("a").at(etag).send().await.unwrap_err(), &["version"]);
    }
    assert_eq!(world.sent(), sent);
    assert_eq!(world.stored("a").await.expect("is there")["version"], number(1));
}

/// Reads say so, and writes leave the item alone.
#[tokio::test(start_paused = true)]
async fn stored_versions_and_logs_that_cannot_be_used() {
    let world = World::<Thing>::new().await;
    world.table.insert(&thing("model")).send().await.expect("is fine");
    let model = world.stored("model").await.expect("is there");
    let bytes = |first: u8, length: usize| {
        AttributeValue::B(Blob::new(
            [first].into_iter().chain(std::iter::repeat(0xFF)).take(length).collect::<Vec<_>>(),
        ))
    };
    // Whether a write's own condition can see it in an item that has a log. A condition compares: it can't tell a fraction
    // from a whole number or count an id's bytes, and it doesn't look at other lanes than its own.
    let rows = [
        ("version", text("1"), true),
        ("version", number(-1), true),
        ("version", number("1.5"), false),
        ("version", number(i64::MAX), true),
        ("version", number("1E+40"), true),
        ("version", AttributeValue::Null(true), true),
        ("_wb", text("no id"), true),
        ("_wb", bytes(0xFF, 16), true),
        ("_wb", bytes(0x00, 15), false),
        ("_w3", number(7), false),
        ("_w3p", bytes(0xFF, 16), false),
        ("_wk", AttributeValue::Bool(true), false),
    ];
    let f = Thing::FIELDS;
    for managed in [true, false] {
        for (position, (attribute, value, visible)) in rows.iter().enumerate() {
            let id = format!("{managed} {position}");
            let mut item = model.clone();
            if !managed {
                item.retain(|name, _| !name.starts_with("_w") && name != "version");
            }
            item.insert("id".to_owned(), text(&id));
            item.insert((*attribute).to_owned(), value.clone());
            world.put(item).await;
            let before = world.stored(&id).await;

            let error = world.table.get(&id).send().await.unwrap_err();
            malformed(&error, attribute);
            assert_eq!(error.raw_current(), before.as_ref(), "the item comes along");
            malformed(&world.table.modify(&id, |thing| thing.count += 1).send().await.unwrap_err(), attribute);
            let error = world.table.insert(&thing(&id)).send().await.unwrap_err();
            assert!(error.is_malformed() || error.is_already_exists(), "{error:?}");
            assert_eq!(world.stored(&id).await, before, "{id}: {attribute}");
            if managed && !visible {
                continue;
            }
            malformed(&world.table.update(&id).add(f.count, 1).send().await.unwrap_err(), attribute);
            malformed(&world.table.upsert(&thing(&id)).send().await.unwrap_err(), attribute);
            malformed(&world.table.delete(&id).send().await.unwrap_err(), attribute);
            for at in [0, 1] {
                let error = world.table.update(&id).add(f.count, 1).at(at).send().await.unwrap_err();
                assert!(error.is_version_conflict() || error.is_malformed(), "{error:?}");
            }
            assert_eq!(world.stored(&id).await, before, "{id}: {attribute}");
        }
    }
}

/// It is a tombstone's, of an item that has a log: alone, it is no one knows what.
#[tokio::test(start_paused = true)]
async fn a_lone_tombstone_marker_is_left_alone() {
    let world = World::<Thing>::new().await;
    let item: RawItem = [("id".to_owned(), text("a")), ("_wt".to_owned(), text("mine"))].into();
    world.put(item.clone()).await;
    let f = Thing::FIELDS;
    for (verb, error) in [
        ("get", world.table.get("a").send().await.map(drop)),
        ("insert", world.table.insert(&thing("a")).send().await.map(drop)),
        ("upsert", world.table.upsert(&thing("a")).send().await.map(drop)),
        ("update", world.table.update("a").add(f.count, 1).send().await.map(drop)),
        ("modify", world.table.modify("a", |thing| thing.count = 1).send().await.map(drop)),
        ("delete", world.table.delete("a").send().await.map(drop)),
    ] {
        malformed(&error.expect_err(verb), "_wt");
        assert_eq!(world.stored("a").await.as_ref(), Some(&item), "{verb} changes nothing");
    }
}

#[track_caller]
fn malformed(error: &Error, attribute: &str) {
    assert_eq!(error.kind(), ErrorKind::Malformed, "{error:?}");
    assert!(error.to_string().contains(&format!("`{attribute}`")), "{error} doesn't name {attribute}");
}

#[tokio::test(start_paused = true)]
async fn ids_from_the_far_future_are_the_end_of_a_log() {
    let world = World::<Thing>::new().await;
    world.table.insert(&thing("a")).send().await.expect("is fine");
    let mut item = world.stored("a").await.expect("is there");
    let last = AttributeValue::B(Blob::new([[0xFE].as_slice(), &[0xFF; 15]].concat()));

    // A birth id after which none can come.
    item.insert("_wb".to_owned(), last.clone());
    world.put(item.clone()).await;
    let f = Thing::FIELDS;
    let found = world.table.get("a").send().await.expect("can be read").expect("is there");
    for (error, verb) in [
        (world.table.update("a").add(f.count, 1).send().await, "update"),
        (world.table.upsert(&thing("a")).send().await, "upsert"),
        (world.table.delete("a").send().await, "delete"),
        (world.table.save(found.with(|thing| thing.count = 1)).send().await, "save"),
    ] {
        let error = error.expect_err(verb);
        malformed(&error, "_wb");
        assert!(error.to_string().contains("far future"), "{verb}: {error}");
        assert_eq!(world.stored("a").await.as_ref(), Some(&item), "{verb} changes nothing");
    }

    // One that can be followed, if only by a few.
    let ahead = AttributeValue::B(Blob::new([0x7F; 16]));
    item.insert("_wb".to_owned(), ahead);
    world.put(item.clone()).await;
    world.table.update("a").add(f.count, 1).send().await.expect("an id above it is found");
    assert_eq!(world.stored("a").await.expect("is there")["count"], number(1));
}

#[tokio::test(start_paused = true)]
async fn a_stored_item_of_another_shape_comes_along_with_the_error() {
    let world = World::<Thing>::new().await;
    let row = |attribute: &str, value: AttributeValue| -> RawItem {
        [("id".to_owned(), text("a")), (attribute.to_owned(), value)].into()
    };
    let part = |size: AttributeValue| AttributeValue::L(vec![AttributeValue::M([("size".to_owned(), size)].into())]);
    for (item, names) in [
        (row("count", text("many")), "`count`"),
        (row("count", number("1.5")), "`count`"),
        (row("count", AttributeValue::Null(true)), "`count`"),
        (row("parts", part(text("big"))), "`parts[0].size`"),
        (row("map", AttributeValue::M([("x".to_owned(), text("y"))].into())), "`map.x`"),
    ] {
        world.put(item.clone()).await;
        for error in [
            world.table.get("a").send().await.map(drop),
            world.table.modify("a", |thing| thing.count = 1).send().await.map(drop),
            world.table.insert(&thing("a")).send().await.unwrap_err().current::<Thing>().map(drop),
        ] {
            let error = error.expect_err("doesn't decode");
            assert!(error.is_decode(), "{error:?}");
            assert!(error.to_string().contains(names), "{error} doesn't name {names}");
            assert!(std::error::Error::source(&error).is_some());
            assert_eq!(error.raw_current(), Some(&item), "the item comes along as it is stored");
        }
        assert_eq!(world.stored("a").await, Some(item), "and stays as it is");
    }
}

#[derive(Debug, Serialize, Deserialize, Item)]
struct Numbered {
    #[item(partition_key)]
    id: u64,
}

#[derive(Debug, Serialize, Deserialize, Item)]
struct Named {
    #[item(partition_key)]
    name: String,
}

#[tokio::test(start_paused = true)]
async fn a_table_that_is_there_with_another_key_is_not_created() {
    let engine = Embedded::start().await;
    let store = Store::new(engine.config().build());
    let plain = store.table_named::<Thing>("plain");
    let sorted = store.table_named::<Sorted>("sorted");
    for _ in 0..2 {
        plain.create_if_missing().await.expect("has this key");
        sorted.create_if_missing().await.expect("has this key");
    }
    let keys = |error: Result<(), Error>| {
        let error = error.expect_err("has another key");
        assert_eq!((error.kind(), error.operation()), (ErrorKind::Invalid, "create_if_missing"), "{error:?}");
        let text = error.to_string();
        let (_, keys) = text.split_once("its key is ").expect("says so");
        keys.split_once(';').expect("gives advice").0.to_owned()
    };
    let in_plain = "`id` (S), where that of the item type is";
    let error = store.table_named::<Sorted>("plain").create_if_missing().await;
    assert_eq!(keys(error), format!("{in_plain} `id` (S) and `at` (B)"));
    let error = store.table_named::<Numbered>("plain").create_if_missing().await;
    assert_eq!(keys(error), format!("{in_plain} `id` (N)"));
    let error = store.table_named::<Named>("plain").create_if_missing().await;
    assert_eq!(keys(error), format!("{in_plain} `name` (S)"));
    let error = store.table_named::<Thing>("sorted").create_if_missing().await;
    assert_eq!(keys(error), "`id` (S) and `at` (B), where that of the item type is `id` (S)");
}

#[tokio::test(start_paused = true)]
async fn a_table_that_is_not_there() {
    let engine = Embedded::start().await;
    let table = Store::new(engine.config().build()).table_named::<Thing>("elsewhere");
    for error in [
        table.insert(&thing("a")).send().await.map(drop),
        table.upsert(&thing("a")).send().await.map(drop),
        table.update("a").add(Thing::FIELDS.count, 1).send().await.map(drop),
        table.delete("a").send().await.map(drop),
        table.get("a").send().await.map(drop),
        table.modify("a", |thing| thing.count = 1).send().await.map(drop),
    ] {
        let error = error.expect_err("there is no table");
        assert_eq!(error.kind(), ErrorKind::TableNotFound, "{error:?}");
        assert_eq!((error.table(), error.attempts()), (Some("elsewhere"), 1));
        assert!(error.to_string().contains("elsewhere"), "{error}");
    }
}

/// A key type that says one thing and does another can be written by hand.
#[derive(Debug, Clone)]
struct OddKey;

impl Key for OddKey {
    const TYPES: &'static [KeyType] = &[KeyType::String];

    fn to_attributes(&self) -> Vec<AttributeValue> {
        vec![number(1)]
    }
}

impl IntoKey<OddKey> for OddKey {
    fn into_key(self) -> OddKey {
        self
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Odd {
    id: String,
}

impl Item for Odd {
    type Key = OddKey;
    const SCHEMA: Schema = Schema::new("id").table("things");
}

#[tokio::test(start_paused = true)]
async fn a_key_of_another_type_than_it_says_is_refused() {
    let world = World::<Odd>::new().await;
    let sent = world.sent();
    for error in [world.table.get(OddKey).send().await.map(drop), world.table.delete(OddKey).send().await.map(drop)] {
        invalid(&error.expect_err("is refused"), &["`id`", "String"]);
    }
    assert_eq!(world.sent(), sent);
}

/// A schema written by hand, whose version would lie on the log.
#[derive(Debug, Serialize, Deserialize)]
struct Overlaid {
    id: String,
}

impl Item for Overlaid {
    type Key = String;
    const SCHEMA: Schema = Schema::new("id").version_attribute("_w3");
}

#[derive(Debug, Serialize, Deserialize, Item)]
struct Keyed {
    #[item(partition_key)]
    wb: String,
}

/// As [`Overlaid`], on its own key.
#[derive(Debug, Serialize, Deserialize)]
struct OnItsKey {
    id: String,
}

impl Item for OnItsKey {
    type Key = String;
    const SCHEMA: Schema = Schema::new("id").version_attribute("id");
}

#[tokio::test]
async fn names_of_the_schema_that_the_stamp_needs_are_refused_by_every_verb() {
    async fn refuses<T: Item<Key = String>>(item: &T, prefix: &str, says: &str) {
        let engine = Embedded::start().await;
        let faults = Faults::around(engine.http_client());
        let config = engine.config().http_client(faults.clone()).build();
        let table = Store::builder(config).stamp_prefix(prefix).build().table_named::<T>("things");
        let refused = [
            table.create_if_missing().await.err(),
            table.get("a").send().await.err(),
            table.insert(item).send().await.err(),
            table.upsert(item).send().await.err(),
            table.modify("a", |_| {}).send().await.err(),
            table.delete("a").send().await.err(),
        ];
        for error in refused {
            invalid(&error.expect("is refused"), &[says]);
        }
        assert_eq!(faults.log().to_string(), "", "nothing is sent");
    }
    refuses(&Overlaid { id: "a".into() }, "_w", "`_w3`").await;
    refuses(&OnItsKey { id: "a".into() }, "_w", "`id`").await;
    // A name like any other, but for a store whose prefix is `w`.
    refuses(&Keyed { wb: "a".into() }, "w", "`wb`").await;
}
