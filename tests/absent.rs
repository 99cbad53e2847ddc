//! What `None` is to DynamoDB: nothing, for every verb and in every condition, unless the type would read it otherwise.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use dynamo_once::testing::Embedded;
use dynamo_once::{AttributeType, Condition, ErrorKind, Item, Outcome, Store, Table};
use serde::{Deserialize, Deserializer, Serialize};

type RawItem = HashMap<String, AttributeValue>;

const NULL: AttributeValue = AttributeValue::Null(true);

struct World<T> {
    table: Table<T>,
    sdk: Client,
    _engine: Embedded,
}

impl<T: Item> World<T> {
    async fn new() -> Self {
        let engine = Embedded::start().await;
        let table = Store::new(engine.config().build()).table_named::<T>("things");
        table.create_if_missing().await.expect("the table is made");
        Self { table, sdk: engine.client(), _engine: engine }
    }

    async fn put(&self, item: RawItem) {
        self.sdk.put_item().table_name("things").set_item(Some(item)).send().await.expect("the engine takes it");
    }

    /// The stored item without its stamp.
    async fn stored(&self) -> RawItem {
        let get = self.sdk.get_item().table_name("things").key("id", text("a")).consistent_read(true);
        let mut item = get.send().await.expect("the engine answers").item.expect("is there");
        item.retain(|name, _| !name.starts_with("_w") && name != "version");
        item
    }
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn number(number: i64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

fn row(attributes: &[(&str, AttributeValue)]) -> RawItem {
    attributes
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .chain([("id".to_owned(), text("a"))])
        .collect()
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Item)]
#[serde(deny_unknown_fields)]
struct Thing {
    #[item(partition_key)]
    id: String,
    #[serde(alias = "name")]
    title: Option<String>,
    count: Option<i64>,
    lines: Option<Vec<String>>,
    #[serde(default)]
    map: HashMap<String, Option<u8>>,
}

fn empty() -> Thing {
    Thing { id: "a".into(), ..Thing::default() }
}

fn full() -> Thing {
    Thing { title: Some("tea".into()), count: Some(7), lines: Some(vec!["x".into()]), ..empty() }
}

fn map() -> AttributeValue {
    AttributeValue::M(HashMap::new())
}

#[tokio::test(start_paused = true)]
async fn none_is_stored_by_no_verb_and_taken_away_by_each() {
    let world = World::<Thing>::new().await;
    let bare = row(&[("map", map())]);
    world.table.insert(&empty()).send().await.expect("is inserted");
    assert_eq!(world.stored().await, bare, "insert");
    assert_eq!(*world.table.get("a").send().await.expect("is read").expect("is there"), empty());

    let filled = || async {
        world.table.upsert(&full()).send().await.expect("is written");
        assert_eq!(world.stored().await["count"], number(7));
        world.table.get("a").send().await.expect("is read").expect("is there")
    };
    filled().await;
    world.table.upsert(&empty()).send().await.expect("is written");
    assert_eq!(world.stored().await, bare, "upsert");

    let found = filled().await;
    world.table.save(found.with(|thing| *thing = empty())).send().await.expect("is saved");
    assert_eq!(world.stored().await, bare, "save");

    filled().await;
    world
        .table
        .modify("a", |thing| (thing.title, thing.count, thing.lines) = (None, None, None))
        .send()
        .await
        .expect("is so");
    assert_eq!(world.stored().await, bare, "modify");

    filled().await;
    let f = Thing::FIELDS;
    world.table.update("a").set(f.title, None).set(f.count, None).set(f.lines, None).send().await.expect("is updated");
    assert_eq!(world.stored().await, bare, "update");

    let found = world.table.get("a").send().await.expect("is read").expect("is there");
    let written = world.table.save(found.with(|thing| thing.count = None)).send().await.expect("is nothing");
    assert_eq!(written.outcome(), Outcome::Unchanged);
}

#[tokio::test(start_paused = true)]
async fn none_is_nothing_to_compare_with_or_add_to() {
    let world = World::<Thing>::new().await;
    let f = Thing::FIELDS;
    world.table.insert(&empty()).send().await.expect("is inserted");
    let newer = Thing { count: Some(1), ..empty() };
    world.table.upsert_newer(&newer, f.count).send().await.expect("is newer than none");
    let error = world.table.upsert_newer(&empty(), f.count).send().await.expect_err("has nothing to compare by");
    assert!(error.is_invalid() && error.to_string().contains("`count`"), "{error}");

    world.table.upsert(&empty()).send().await.expect("is written");
    world.table.update("a").add(f.count, 5).append(f.lines, vec!["x".into()].into()).send().await.expect("is updated");
    let stored = world.stored().await;
    assert_eq!((&stored["count"], &stored["lines"]), (&number(5), &AttributeValue::L(vec![text("x")])));
}

#[tokio::test(start_paused = true)]
async fn a_null_of_another_program_is_as_good_as_absent() {
    let world = World::<Thing>::new().await;
    let f = Thing::FIELDS;
    let nulls = row(&[("count", NULL), ("title", NULL), ("map", map())]);
    for (condition, expected) in [
        (f.count.not_exists(), true),
        (f.count.exists(), false),
        (f.count.eq(None), true),
        (f.count.ne(None), false),
        (f.count.is_in([None, Some(1)]), true),
        (f.count.is_in([None::<i64>]), true),
        (f.count.is_in([1]), false),
        (f.count.attribute_type(AttributeType::Null), true),
        (f.lines.not_exists(), true),
        (f.lines.attribute_type(AttributeType::Null), false),
        (f.map.exists(), true),
    ] {
        let holds = async |condition: Condition<Thing>| {
            world.put(nulls.clone()).await;
            match world.table.update("a").set(f.title, "x").when(condition).send().await {
                Ok(_) => true,
                Err(error) if error.is_condition_failed() => false,
                Err(error) => panic!("{error:?}"),
            }
        };
        let shown = format!("{condition:?}");
        assert_eq!(holds(condition.clone()).await, expected, "{shown}");
        assert_eq!(holds(!condition).await, !expected, "NOT {shown}");
    }

    world.put(nulls.clone()).await;
    let newer = Thing { count: Some(1), ..empty() };
    world.table.upsert_newer(&newer, f.count).send().await.expect("is newer than null");
    assert_eq!(world.stored().await, row(&[("count", number(1)), ("map", map())]));

    // Nothing says "where it is null, from 0" without a read.
    world.put(nulls.clone()).await;
    let error = world.table.update("a").add(f.count, 1).send().await.expect_err("nothing is added to a null");
    assert_eq!(error.kind(), ErrorKind::Rejected);
    world.table.modify("a", |thing| *thing.count.get_or_insert_default() += 1).send().await.expect("is the way");
    assert_eq!(world.stored().await["count"], number(1));

    world.put(nulls.clone()).await;
    let found = world.table.get("a").send().await.expect("is read").expect("is there");
    let unchanged = world.table.save(found.clone().with(|thing| thing.count = None)).send().await.expect("is nothing");
    assert_eq!(unchanged.outcome(), Outcome::Unchanged);
    world.table.save(found.with(|thing| thing.title = Some("x".into()))).send().await.expect("is as it was read");
    assert_eq!(world.stored().await, row(&[("count", NULL), ("title", text("x")), ("map", map())]));
}

#[tokio::test(start_paused = true)]
async fn a_keyed_insert_is_the_same_content_whether_or_not_the_type_stores_none() {
    #[derive(Serialize, Deserialize, Item)]
    struct Bare {
        #[item(partition_key)]
        id: String,
        map: HashMap<String, u8>,
    }
    #[derive(Serialize, Deserialize, Item)]
    struct Id {
        #[item(partition_key)]
        id: String,
    }
    let world = World::<Thing>::new().await;
    let store = Store::from_client(&world.sdk);
    let bare = Bare { id: "a".into(), map: HashMap::new() };
    store.table_named::<Bare>("things").insert(&bare).keyed("event").send().await.expect("is inserted");
    let replayed = world.table.insert(&empty()).keyed("event").send().await.expect("has the same content");
    assert!(replayed.is_replayed());
    // Nor whether it is stored as null.
    store.table_named::<Odd>("things").delete("a").send().await.expect("is deleted");
    let odd = Odd { id: "a".into(), ..Odd::default() };
    store.table_named::<Odd>("things").insert(&odd).keyed("event").send().await.expect("is inserted");
    assert!(world.stored().await.contains_key("five"));
    let id = Id { id: "a".into() };
    assert!(
        store.table_named::<Id>("things").insert(&id).keyed("event").send().await.expect("is the same").is_replayed()
    );
    let error = world.table.insert(&full()).keyed("event").send().await.expect_err("has other content");
    assert!(error.is_key_reused());
}

fn five() -> Option<i64> {
    Some(5)
}

fn some<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<i64>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

type Maybe<V> = Option<V>;

/// Fields whose null says something else than that they are absent, and one that does not.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Item)]
struct Odd {
    #[item(partition_key)]
    id: String,
    unit: (),
    json: serde_json::Value,
    #[serde(default = "five")]
    five: Option<i64>,
    #[serde(deserialize_with = "Option::deserialize")]
    required: Option<i64>,
    #[serde(default, deserialize_with = "some", skip_serializing_if = "Option::is_none")]
    patch: Option<Option<i64>>,
    #[serde(default, with = "serde_dynamo::string_set", skip_serializing_if = "Option::is_none")]
    tags: Option<BTreeSet<String>>,
    #[serde(flatten)]
    others: HashMap<String, Option<i64>>,
    plain: Maybe<i64>,
    #[item(version)]
    version: u64,
}

#[tokio::test(start_paused = true)]
async fn a_null_that_says_something_is_stored() {
    let world = World::<Odd>::new().await;
    let odd = Odd {
        id: "a".into(),
        patch: Some(None),
        others: [("other".to_owned(), None)].into(),
        version: 1,
        ..Odd::default()
    };
    let nulls = ["unit", "json", "five", "required", "patch", "other"].map(|name| (name, NULL));
    world.table.insert(&odd).send().await.expect("is inserted");
    assert_eq!(world.stored().await, row(&nulls));
    let found = world.table.get("a").send().await.expect("is read").expect("is there");
    assert_eq!(*found, odd);

    let f = Odd::FIELDS;
    let filled = world.table.update("a").set(f.json, serde_json::Value::from(1)).set(f.five, 1).set(f.required, 1);
    filled.set(f.patch, Some(Some(1))).set(f.plain, 1).send().await.expect("is updated");
    let emptied = world.table.update("a").set(f.json, serde_json::Value::Null).set(f.five, None).set(f.required, None);
    emptied.set(f.patch, Some(None)).set(f.plain, None).set(f.unit, ()).send().await.expect("is updated");
    assert_eq!(world.stored().await, row(&nulls));
    let found = world.table.get("a").send().await.expect("is read").expect("is there");
    assert_eq!(*found, Odd { version: 3, ..odd.clone() });

    world.table.save(found.with(|odd| odd.plain = Some(1))).send().await.expect("is saved");
    world.table.modify("a", |odd| odd.plain = None).send().await.expect("is modified");
    world.table.upsert(&odd).send().await.expect("is written");
    assert_eq!(world.stored().await, row(&nulls));
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Item)]
#[serde(default)]
struct Defaulted {
    #[item(partition_key)]
    id: String,
    five: Option<i64>,
    none: Option<i64>,
    #[serde(default)]
    own: Option<i64>,
}

impl Default for Defaulted {
    fn default() -> Self {
        Self { id: String::new(), five: Some(5), none: None, own: Some(5) }
    }
}

#[tokio::test(start_paused = true)]
async fn none_is_stored_where_the_default_of_the_struct_is_another() {
    let world = World::<Defaulted>::new().await;
    let none = Defaulted { id: "a".into(), five: None, none: None, own: None };
    world.table.insert(&none).send().await.expect("is inserted");
    assert_eq!(world.stored().await, row(&[("five", NULL)]));
    let f = Defaulted::FIELDS;
    let update = world.table.update("a").set(f.five, None).set(f.none, None).set(f.own, None);
    update.send().await.expect("is updated");
    assert_eq!(*world.table.get("a").send().await.expect("is read").expect("is there"), none);
}

/// A type that decodes no item of some contents, whatever is absent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Item)]
struct Picky {
    #[item(partition_key)]
    id: String,
    #[serde(deserialize_with = "even")]
    count: i64,
    note: Option<String>,
}

fn even<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let number = i64::deserialize(deserializer)?;
    if number % 2 == 0 { Ok(number) } else { Err(serde::de::Error::custom("is odd")) }
}

#[tokio::test(start_paused = true)]
async fn an_item_that_does_not_decode_says_nothing_about_others_of_its_type() {
    let world = World::<Picky>::new().await;
    let picky = |count| Picky { id: "a".into(), count, note: None };
    world.table.upsert(&picky(1)).send().await.expect("is written");
    assert_eq!(world.stored().await, row(&[("count", number(1)), ("note", NULL)]));
    world.table.upsert(&picky(2)).send().await.expect("is written");
    assert_eq!(world.stored().await, row(&[("count", number(2))]));
}
