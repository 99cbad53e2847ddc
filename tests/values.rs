//! What goes with fields of types that are the user's own, and of types that are stored as something else than they are.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use aws_sdk_dynamodb::types::AttributeValue;
use dynamo_once::testing::Embedded;
use dynamo_once::{Condition, Delta, Document, Error, Item, Newtype, Ordered, Prefix, Store, Table};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Newtype)]
struct Cents(i64);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Newtype)]
#[serde(transparent)]
struct Name {
    text: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Newtype)]
struct Steps(Vec<Cents>);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Newtype)]
struct Prices(BTreeMap<String, Cents>);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Newtype)]
struct Home(Address);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Document)]
struct Address {
    city: Name,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    New,
    InTransit,
    Done,
}

/// What a dependency's type of times is like: it serialises as text that doesn't sort as the times do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Time {
    millis: i64,
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (seconds, millis) = (self.millis / 1000, self.millis % 1000);
        let fraction = if millis == 0 { String::new() } else { format!(".{millis:03}") };
        serializer.collect_str(&format_args!("{seconds:010}{fraction}Z"))
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let (seconds, millis) = text.trim_end_matches('Z').split_once('.').unwrap_or((text.trim_end_matches('Z'), "0"));
        let parse = |text: &str| text.parse::<i64>().map_err(serde::de::Error::custom);
        Ok(Self { millis: parse(seconds)? * 1000 + parse(millis)? })
    }
}

/// And its module that stores a number.
mod as_millis {
    use super::{Deserialize, Deserializer, Serializer, Time};

    pub(super) fn serialize<S: Serializer>(time: &Time, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(time.millis)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
        Ok(Time { millis: i64::deserialize(deserializer)? })
    }
}

/// The same, of many.
mod as_all_millis {
    use super::{Deserialize, Deserializer, Serializer, Time};

    pub(super) fn serialize<S: Serializer>(times: &[Time], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(times.iter().map(|time| time.millis))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Time>, D::Error> {
        Ok(Vec::deserialize(deserializer)?.into_iter().map(|millis| Time { millis }).collect())
    }
}

/// A newtype that is stored as a number, and so sorts as the times do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Due(#[serde(with = "as_millis")] Time);

impl Ordered for Due {}

/// Milliseconds can be added to it.
impl Delta<Due> for i64 {
    fn into_delta(self) -> Result<AttributeValue, Error> {
        Delta::<i64>::into_delta(self)
    }
}

/// A binary type of one's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Digest(#[serde(with = "serde_bytes")] Vec<u8>);

impl Ordered for Digest {}
impl Prefix for Digest {}

/// A decimal that is stored as a number.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize, Newtype)]
struct Rate(f64);

mod as_text {
    use super::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(number: &i64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(number)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Item)]
#[item(table = "things")]
struct Thing {
    #[item(partition_key)]
    id: String,
    price: Cents,
    discount: Option<Cents>,
    name: Name,
    steps: Steps,
    prices: Prices,
    home: Home,
    state: State,
    by_state: HashMap<State, u32>,
    #[serde(with = "as_text")]
    count: i64,
    seen: Time,
    #[serde(with = "as_millis")]
    made: Time,
    #[serde(with = "as_all_millis")]
    visits: Vec<Time>,
    due: Due,
    rate: Rate,
    digest: Digest,
    #[serde(with = "serde_bytes")]
    bytes: Vec<u8>,
    #[serde(with = "serde_bytes")]
    hash: [u8; 2],
    #[serde(with = "serde_dynamo::binary_set", default, skip_serializing_if = "HashSet::is_empty")]
    keys: HashSet<serde_bytes::ByteBuf>,
    #[serde(with = "serde_dynamo::string_set", default, skip_serializing_if = "BTreeSet::is_empty")]
    labels: BTreeSet<Name>,
    cow: Cow<'static, str>,
    boxed: Box<str>,
    letter: char,
    pair: [i32; 2],
    nested: Box<Cents>,
}

impl std::hash::Hash for State {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self).hash(state);
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.text.cmp(&other.text)
    }
}

fn name(text: &str) -> Name {
    Name { text: text.into() }
}

fn thing() -> Thing {
    Thing {
        id: "a".into(),
        price: Cents(250),
        discount: None,
        name: name("tea"),
        steps: Steps(vec![Cents(1), Cents(2)]),
        prices: Prices(BTreeMap::from([("eur".into(), Cents(250))])),
        home: Home(Address { city: name("Bonn") }),
        state: State::InTransit,
        by_state: HashMap::from([(State::New, 1)]),
        count: 10,
        seen: Time { millis: 5000 },
        made: Time { millis: 5000 },
        visits: vec![Time { millis: 1 }, Time { millis: 2000 }],
        due: Due(Time { millis: 5000 }),
        rate: Rate(0.1),
        digest: Digest(vec![0xCA, 0xFE]),
        bytes: vec![1, 2],
        hash: [7, 8],
        keys: HashSet::from([serde_bytes::ByteBuf::from([1])]),
        labels: BTreeSet::from([name("x")]),
        cow: "cow".into(),
        boxed: "boxed".into(),
        letter: 'm',
        pair: [1, -1],
        nested: Box::new(Cents(3)),
    }
}

async fn table() -> (Embedded, Table<Thing>) {
    let engine = Embedded::start().await;
    let things = Store::new(engine.config().build()).table::<Thing>();
    things.create_if_missing().await.expect("the table is made");
    things.insert(&thing()).send().await.expect("is inserted");
    (engine, things)
}

async fn holds(things: &Table<Thing>, condition: Condition<Thing>) -> bool {
    let shown = format!("{condition:?}");
    match things.update("a").set(Thing::FIELDS.price, Cents(250)).when(condition).send().await {
        Ok(_) => true,
        Err(error) if error.is_condition_failed() => false,
        Err(error) => panic!("{shown}: {error:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn each_condition_holds_where_it_should_of_every_type() {
    let (_engine, things) = table().await;
    let f = Thing::FIELDS;
    for (condition, expected) in [
        (f.price.lt(Cents(1000)), true),
        (f.price.between(Cents(-1), Cents(249)), false),
        (f.discount.not_exists() & f.discount.eq(None), true),
        (f.discount.lt(Cents(5)), false),
        (f.name.begins_with(name("te")), true),
        (f.name.contains("ea"), true),
        (f.name.gt(name("tee")), false),
        (f.steps.contains(Cents(2)), true),
        (f.steps.at(1).ge(Cents(2)), true),
        (f.prices.key("eur").lt(Cents(1000)), true),
        (f.home.field(|home| home.city).begins_with(name("Bo")), true),
        (f.state.eq(State::InTransit), true),
        (f.state.is_in([State::New, State::Done]), false),
        (f.by_state.key(State::New).eq(1), true),
        (f.by_state.key(State::InTransit).exists(), false),
        (f.count.eq(10), true),
        (f.seen.eq(Time { millis: 5000 }), true),
        (f.made.is_in([Time { millis: 5000 }]), true),
        (f.visits.contains(Time { millis: 2000 }), true),
        (f.visits.contains(Time { millis: 2 }), false),
        (f.due.lt(Due(Time { millis: 5001 })), true),
        (f.due.gt(Due(Time { millis: 999 })), true),
        (f.rate.lt(Rate(0.25)) & f.rate.eq(Rate(0.1)), true),
        (f.digest.begins_with(Digest(vec![0xCA])), true),
        (f.digest.gt(Digest(vec![0x7F])), true),
        (f.bytes.begins_with([1]), true),
        (f.bytes.lt(b"\x01"), false),
        (f.hash.eq([7, 8]) & f.hash.ge([7, 7]), true),
        (f.keys.contains(serde_bytes::ByteBuf::from([1])), true),
        (f.labels.contains(name("x")), true),
        (f.cow.eq("cow") & f.cow.begins_with("co") & f.cow.contains("ow"), true),
        (f.boxed.eq("boxed") & f.boxed.lt("c") & f.boxed.contains("ox"), true),
        (f.letter.eq('m') & f.letter.lt('n'), true),
        (f.pair.eq([1, -1]) & f.pair.at(1).lt(0) & f.pair.contains(1), true),
        (f.nested.eq(Cents(3)) & f.nested.lt(Cents(4)), true),
    ] {
        let shown = format!("{condition:?}");
        assert_eq!(holds(&things, condition).await, expected, "{shown}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_change_makes_of_every_type_what_it_should() -> Result<(), Error> {
    let (_engine, things) = table().await;
    let f = Thing::FIELDS;
    let update = things
        .update("a")
        .add(f.price, Cents(-50))
        .add(f.discount, Cents(5))
        .set(f.name, name("milk"))
        .append(f.steps, Steps(vec![Cents(3)]))
        .add(f.prices.key("usd"), Cents(9))
        .set(f.home.field(|home| home.city), name("Ulm"))
        .set(f.state, State::Done)
        .set(f.by_state.key(State::Done), 4)
        .set(f.count, 9)
        .set(f.made, Time { millis: 1 })
        .append(f.visits, vec![Time { millis: 3 }])
        .add(f.due, 500)
        .set(f.rate, Rate(1.25))
        .set(f.digest, Digest(vec![]))
        .set(f.bytes, [9])
        .union(f.labels, BTreeSet::from([name("y")]))
        .set(f.cow, "ox")
        .set(f.boxed, "open")
        .set(f.letter, 'ß')
        .set(f.pair.at(0), 2)
        .set(f.nested, Cents(4));
    update.send().await?;
    let found = things.get("a").send().await?.expect("is there");
    let expected = Thing {
        price: Cents(200),
        discount: Some(Cents(5)),
        name: name("milk"),
        steps: Steps(vec![Cents(1), Cents(2), Cents(3)]),
        prices: Prices(BTreeMap::from([("eur".into(), Cents(250)), ("usd".into(), Cents(9))])),
        home: Home(Address { city: name("Ulm") }),
        state: State::Done,
        by_state: HashMap::from([(State::New, 1), (State::Done, 4)]),
        count: 9,
        made: Time { millis: 1 },
        visits: [1, 2000, 3].map(|millis| Time { millis }).into(),
        due: Due(Time { millis: 5500 }),
        rate: Rate(1.25),
        digest: Digest(vec![]),
        bytes: vec![9],
        labels: BTreeSet::from([name("x"), name("y")]),
        cow: "ox".into(),
        boxed: "open".into(),
        letter: 'ß',
        pair: [2, -1],
        nested: Box::new(Cents(4)),
        ..thing()
    };
    assert_eq!(*found, expected);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn numbers_that_are_stored_as_text_are_not_ordered() {
    let (_engine, things) = table().await;
    let f = Thing::FIELDS;
    for error in [
        things.update("a").set(f.price, Cents(1)).when(f.count.ge(9)).send().await.expect_err("is text"),
        things.update("a").set(f.price, Cents(1)).when(f.count.between(1, 9)).send().await.expect_err("is text"),
        things.upsert_newer(&thing(), f.count).send().await.expect_err("is text"),
    ] {
        assert!(error.is_invalid() && error.attempts() == 0, "{error:?}");
        assert!(error.to_string().contains("`count` is a number that isn't stored as one"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_function_of_the_user_s_serialises_has_no_values_within() {
    let (_engine, things) = table().await;
    let f = Thing::FIELDS;
    for error in [
        things.update("a").set(f.bytes.at(0), 1).send().await.expect_err("is binary"),
        things.update("a").set(f.price, Cents(1)).when(f.bytes.at(0).eq(1)).send().await.expect_err("is binary"),
    ] {
        assert!(error.is_invalid() && error.attempts() == 0, "{error:?}");
        assert!(error.to_string().contains("`bytes[0]` lies within what a function"), "{error}");
    }
    assert!(holds(&things, f.bytes.at(0).not_exists()).await);
}

#[tokio::test(start_paused = true)]
async fn the_newer_is_told_by_what_lies_within() -> Result<(), Error> {
    let (_engine, things) = table().await;
    let by = Thing::FIELDS.prices.key("eur");
    let stale = things.upsert_newer(&thing(), by.clone()).send().await.expect_err("is no newer");
    assert!(stale.is_condition_failed(), "{stale:?}");
    let newer = Thing { prices: Prices(BTreeMap::from([("eur".into(), Cents(251))])), ..thing() };
    things.upsert_newer(&newer, by.clone()).send().await?;
    let without = Thing { prices: Prices(BTreeMap::new()), ..thing() };
    let error = things.upsert_newer(&without, by).send().await.expect_err("has none");
    assert!(error.is_invalid() && error.to_string().contains("`prices.eur`"), "{error}");
    Ok(())
}
