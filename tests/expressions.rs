//! What each condition and each change does, on the engine in this process, with every kind of field.

use std::collections::{BTreeSet, HashSet};

use dynamo_once::testing::Embedded;
use dynamo_once::{AttributeType, Condition, Delta, Error, Item, Ordered, Store, Table};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
struct Cents(i64);

impl Ordered for Cents {}

impl Delta<Cents> for Cents {
    fn into_delta(self) -> Result<aws_sdk_dynamodb::types::AttributeValue, Error> {
        Delta::<i64>::into_delta(self.0)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Open,
    Closed,
}

/// Fields of every kind, under names that an expression can't hold as they are.
#[derive(Debug, Clone, Serialize, Deserialize, Item)]
#[item(table = "things")]
struct Thing {
    #[item(partition_key)]
    id: String,
    #[serde(rename = "size")]
    text: String,
    #[serde(rename = "größe.in-cm")]
    count: u64,
    weight: f64,
    price: Cents,
    #[serde(rename = "status")]
    state: State,
    #[serde(rename = "_due", default, skip_serializing_if = "Option::is_none")]
    due: Option<i64>,
    #[serde(default)]
    nickname: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    lines: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    rounds: Vec<u32>,
    #[serde(with = "serde_dynamo::string_set", default, skip_serializing_if = "HashSet::is_empty")]
    tags: HashSet<String>,
    #[serde(with = "serde_dynamo::number_set", default, skip_serializing_if = "BTreeSet::is_empty")]
    years: BTreeSet<u32>,
    #[serde(with = "serde_bytes", default)]
    digest: Vec<u8>,
    raw: Vec<u8>,
}

fn thing() -> Thing {
    Thing {
        id: "a".into(),
        text: "hello".into(),
        count: 7,
        weight: 0.5,
        price: Cents(250),
        state: State::Open,
        due: None,
        nickname: None,
        lines: vec!["tea".into(), "milk".into()],
        rounds: vec![3, 4],
        tags: ["x".to_owned(), "y".to_owned()].into(),
        years: [1999, 2024].into(),
        digest: vec![0xCA, 0xFE, 1],
        raw: vec![1, 2],
    }
}

async fn table() -> (Embedded, Table<Thing>) {
    let engine = Embedded::start().await;
    let things = Store::new(engine.config().build()).table::<Thing>();
    things.create_if_missing().await.expect("the table is made");
    things.insert(&thing()).send().await.expect("is inserted");
    (engine, things)
}

/// Whether a condition holds of [`thing`].
async fn holds(things: &Table<Thing>, condition: Condition<Thing>) -> bool {
    let shown = format!("{condition:?}");
    match things.update("a").set(Thing::FIELDS.weight, 0.5).when(condition).send().await {
        Ok(_) => true,
        Err(error) if error.is_condition_failed() => false,
        Err(error) => panic!("{shown}: {error:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn each_condition_holds_where_it_should() {
    let (_engine, things) = table().await;
    let f = Thing::FIELDS;
    let text = "hello".to_owned();
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    for (condition, expected) in [
        (f.text.eq("hello"), true),
        (f.text.eq(String::from("other")), false),
        (f.nickname.ne(&text), true),
        (f.text.ne("hello"), false),
        (f.text.gt("hell"), true),
        (f.count.ge(7), true),
        (f.count.gt(7), false),
        (f.count.le(7), true),
        (f.count.lt(10), true),
        (f.count.between(7, 7), true),
        (f.count.between(8, 10), false),
        (f.weight.between(-1.0, 0.5), true),
        (f.count.is_in([5, 7]), true),
        (f.text.is_in(["a", "b"]), false),
        (f.count.is_in((0..100).map(|number| number + 7)), true),
        (f.price.eq(Cents(250)), true),
        (f.price.lt(Cents(1000)), true),
        (f.state.eq(State::Open), true),
        (f.state.is_in([State::Closed]), false),
        (f.due.exists(), false),
        (f.due.not_exists(), true),
        (f.due.eq(5), false),
        (f.due.lt(5), false),
        (f.due.ne(Some(5)), true),
        (f.nickname.exists(), false),
        (f.nickname.not_exists(), true),
        (f.nickname.eq(None), true),
        (f.nickname.ne(None), false),
        (f.nickname.is_in([None, Some("al".to_owned())]), true),
        (f.nickname.is_in([None::<String>]), true),
        (f.text.exists(), true),
        (f.due.is_in([5, 6]), false),
        (f.nickname.eq("al"), false),
        (f.nickname.begins_with("al"), false),
        (f.nickname.attribute_type(AttributeType::Null), false),
        (f.text.begins_with("he"), true),
        (f.text.begins_with("lo"), false),
        (f.digest.begins_with(vec![0xCA, 0xFE]), true),
        (f.digest.begins_with(vec![0xFE]), false),
        (f.digest.eq(vec![0xCA, 0xFE, 1]), true),
        (f.digest.gt(vec![0x7F]), true),
        (f.raw.eq(vec![1, 2]), true),
        (f.text.contains("ell"), true),
        (f.lines.contains("tea"), true),
        (f.lines.contains("te"), false),
        (f.rounds.contains(4), true),
        (f.tags.contains("x"), true),
        (f.tags.contains("z"), false),
        (f.years.contains(1999), true),
        (f.years.contains(2000), false),
        (f.lines.eq(texts(&["tea", "milk"])), true),
        (f.tags.eq(HashSet::from_iter(texts(&["y", "x"]))), true),
        (f.text.size().eq(5), true),
        (f.lines.size().ge(3), false),
        (f.tags.size().lt(3), true),
        (f.digest.size().ne(3), false),
        (f.text.attribute_type(AttributeType::String), true),
        (f.count.attribute_type(AttributeType::Number), true),
        (f.digest.attribute_type(AttributeType::Binary), true),
        (f.raw.attribute_type(AttributeType::List), true),
        (f.tags.attribute_type(AttributeType::StringSet), true),
        (f.years.attribute_type(AttributeType::NumberSet), true),
        (f.tags.attribute_type(AttributeType::List), false),
    ] {
        let shown = format!("{condition:?}");
        assert_eq!(holds(&things, condition.clone()).await, expected, "{shown}");
        assert_eq!(holds(&things, !condition).await, !expected, "NOT {shown}");
    }
}

#[tokio::test(start_paused = true)]
async fn joined_conditions_keep_the_order_in_which_they_were_joined() {
    let (_engine, things) = table().await;
    let f = Thing::FIELDS;
    let (yes, no) = (|| f.count.eq(7), || f.count.eq(8));
    for (condition, expected) in [
        (yes().or(no()).and(no()), false),
        (yes().or(no().and(no())), true),
        (no().and(no()).or(yes()), true),
        (no().and(no().or(yes())), false),
        (no().and(no()).not(), true),
        (no().not().and(no()), false),
        (yes() | no() & no(), true),
        ((yes() | no()) & no(), false),
        (!no() & yes(), true),
        (!(no() | yes()), false),
    ] {
        let shown = format!("{condition:?}");
        assert_eq!(holds(&things, condition).await, expected, "{shown}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_change_makes_the_item_what_it_should() -> Result<(), Error> {
    let (_engine, things) = table().await;
    let f = Thing::FIELDS;
    let none = Thing { lines: vec![], tags: HashSet::new(), years: BTreeSet::new(), ..thing() };
    things.upsert(&none).send().await?;
    things
        .update("a")
        .set(f.text, "new")
        .add(f.count, -2)
        .add(f.weight, 0.25)
        .add(f.price, Cents(50))
        .set(f.state, State::Closed)
        .add(f.due, 5)
        .set(f.nickname, "al")
        .append(f.lines, vec!["to an absent one".into()])
        .append(f.rounds, vec![5])
        .union(f.tags, HashSet::from(["z".to_owned()]))
        .union(f.years, BTreeSet::from([7]))
        .set(f.digest, vec![9])
        .send()
        .await?;
    let found = things.get("a").send().await?.expect("is there");
    assert_eq!((found.text.as_str(), found.count, found.weight, found.price), ("new", 5, 0.75, Cents(300)));
    assert_eq!((found.state, found.due, found.nickname.as_deref()), (State::Closed, Some(5), Some("al")));
    assert_eq!((&found.lines[..], &found.rounds[..]), (&["to an absent one".to_owned()][..], &[3, 4, 5][..]));
    assert_eq!((&found.tags, &found.years), (&["z".to_owned()].into(), &[7].into()));
    assert_eq!(found.digest, [9]);

    let f = Thing::FIELDS;
    things
        .update("a")
        .difference(f.tags, HashSet::from(["z".to_owned()]))
        .remove(f.due)
        .set(f.nickname, None)
        .send()
        .await?;
    let found = things.get("a").send().await?.expect("is there");
    assert!(found.tags.is_empty() && found.due.is_none() && found.nickname.is_none(), "{found:?}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn operands_that_no_condition_takes_are_refused_before_sending() {
    let (_engine, things) = table().await;
    let f = Thing::FIELDS;
    for (condition, says) in [
        (f.due.lt(None), ["`_due`", "not_exists"]),
        (f.raw.ge(vec![1]), ["`raw`", "serde_bytes"]),
        (f.raw.begins_with(vec![1]), ["`raw`", "serde_bytes"]),
        (f.nickname.begins_with(None), ["`nickname`", "beginning"]),
        (f.count.between(8, 7), ["`größe.in-cm`", "lower one first"]),
        (f.weight.between(-1.0, -1.5), ["`weight`", "lower one first"]),
        (f.text.between("b", "a"), ["`size`", "lower one first"]),
        (f.count.is_in(Vec::<u64>::new()), ["`größe.in-cm`", "0 values"]),
        (f.count.is_in(0..101), ["`größe.in-cm`", "101 values"]),
        (f.tags.eq(HashSet::new()), ["`tags`", "empty set"]),
        (f.text.eq("x").and(f.weight.gt(f64::NAN)).or(f.text.eq("y")), ["`weight`", "NaN"]),
    ] {
        let error = things.update("a").set(f.weight, 1.0).when(condition).send().await.expect_err(says[0]);
        assert!(error.is_invalid() && error.attempts() == 0, "{error:?}");
        assert!(says.iter().all(|part| error.to_string().contains(part)), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn sets_that_are_stored_as_lists_cannot_be_united() {
    let (_engine, things) = table().await;
    let f = Thing::FIELDS;
    for error in [
        things.update("a").union(f.lines, vec!["x".into()]).send().await,
        things.update("a").difference(f.rounds, vec![3]).send().await,
        things.update("a").append(f.tags, HashSet::from(["z".to_owned()])).send().await,
    ] {
        let error = error.expect_err("is refused");
        assert!(error.is_invalid() && error.to_string().contains("has to be stored as"), "{error:?}");
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, Item)]
#[item(table = "renamed")]
struct Renamed {
    #[item(partition_key)]
    id: String,
    #[serde(default, alias = "hits")]
    count: i64,
    #[serde(default, alias = "rows", alias = "entries")]
    lines: Vec<String>,
    #[serde(default, alias = "labels", with = "serde_dynamo::string_set", skip_serializing_if = "HashSet::is_empty")]
    tags: HashSet<String>,
    #[serde(alias = "remark")]
    note: Option<String>,
}

#[tokio::test(start_paused = true)]
async fn what_is_stored_under_an_older_name_is_removed_and_never_added_to() -> Result<(), Error> {
    use aws_sdk_dynamodb::types::AttributeValue::{L, N, S};
    let engine = Embedded::start().await;
    let table = Store::new(engine.config().build()).table::<Renamed>();
    table.create_if_missing().await?;
    let old = [
        ("id", S("a".into())),
        ("hits", N("7".into())),
        ("entries", L(vec![S("x".into())])),
        ("remark", S("y".into())),
    ];
    let old = old.map(|(name, value)| (name.to_owned(), value)).into();
    engine.client().put_item().table_name("renamed").set_item(Some(old)).send().await.expect("the engine takes it");
    let found = table.get("a").send().await?.expect("is there");
    assert_eq!((found.count, found.lines.len(), found.note.as_deref()), (7, 1, Some("y")));

    let f = Renamed::FIELDS;
    for (name, error) in [
        ("count", table.update("a").add(f.count, 1).send().await),
        ("lines", table.update("a").append(f.lines, vec!["z".into()]).send().await),
        ("tags", table.update("a").union(f.tags, HashSet::from(["z".to_owned()])).send().await),
        ("tags", table.update("a").difference(f.tags, HashSet::from(["z".to_owned()])).send().await),
        ("count", table.upsert_newer(&found, f.count).send().await),
    ] {
        let error = error.expect_err("the stored one may have another name");
        assert!(error.is_invalid() && error.attempts() == 0, "{error:?}");
        assert!(error.to_string().contains(&format!("`{name}` may be stored")), "{error}");
    }

    let update = table.update("a").remove(f.lines).set(f.note, None).set(f.count, 8);
    update.send().await?;
    let get = engine.client().get_item().table_name("renamed").key("id", S("a".into())).consistent_read(true);
    let stored = get.send().await.expect("the engine answers").item.expect("is there");
    let mut names: Vec<_> = stored.keys().filter(|name| !name.starts_with("_w") && *name != "version").collect();
    names.sort_unstable();
    assert_eq!(names, ["count", "id"]);
    Ok(())
}
