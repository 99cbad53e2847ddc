//! What the derive macros make: the names are held against those that serde itself writes and reads.

#![expect(non_snake_case, reason = "a field whose first letter isn't ASCII")]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Debug;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use dynamo_once::testing::Embedded;
use dynamo_once::{Attribute, IntoKey, Item, Key, KeyAttribute, KeyType, Schema, Store, Table};
use serde::{Deserialize, Serialize, Serializer};
use uuid::Uuid;

type RawItem = HashMap<String, AttributeValue>;

/// The names that serde stores the item under, and those that the type says it knows.
fn names<T: Item>(item: &T) -> (BTreeSet<String>, BTreeSet<String>) {
    let stored: RawItem = serde_dynamo::to_item(item).expect("serialises");
    let known = T::SCHEMA.known_attributes().iter().map(|attribute| attribute.name().to_owned());
    (stored.into_keys().collect(), known.collect())
}

/// The names, in order, with the others that they may be stored under.
fn known<T: Item>() -> Vec<(&'static str, &'static [&'static str])> {
    T::SCHEMA.known_attributes().iter().map(|attribute| (attribute.name(), attribute.alias_names())).collect()
}

async fn table<T: Item>(engine: &Embedded) -> Table<T> {
    let table = Store::new(engine.config().build()).table_named::<T>("things");
    table.create_if_missing().await.expect("the table is made");
    table
}

async fn stored(engine: &Embedded, name: &str, key: AttributeValue) -> RawItem {
    let get = engine.client().get_item().table_name("things").key(name, key).consistent_read(true);
    get.send().await.expect("the engine answers").item.expect("is there")
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

macro_rules! renamed_by {
    ($($rule:literal)*) => {$({
        #[derive(Default, Serialize, Deserialize, Item)]
        #[serde(rename_all = $rule)]
        struct Renamed {
            #[item(partition_key)]
            user_id: String,
            r#type: u8,
            _led_by: u8,
            twice__split_: u8,
            part_2_of_3: u8,
            x: u8,
            #[serde(rename = "asIs_Kept")]
            renamed: u8,
        }
        let (stored, known) = names(&Renamed::default());
        assert_eq!(known, stored, $rule);
        assert!(stored.contains(Renamed::FIELDS.user_id.name()), $rule);
        assert_eq!(Renamed::SCHEMA.partition_key_name(), Renamed::FIELDS.user_id.name(), $rule);
        assert_eq!(Renamed::FIELDS.renamed.name(), "asIs_Kept");
    })*};
}

#[test]
fn rules_of_renaming_are_serde_s() {
    renamed_by! {
        "lowercase" "UPPERCASE" "PascalCase" "camelCase" "snake_case" "SCREAMING_SNAKE_CASE" "kebab-case" "SCREAMING-KEBAB-CASE"
    }
}

#[derive(Default, Serialize, Deserialize, Item)]
#[serde(rename_all = "PascalCase")]
struct Foreign {
    #[item(partition_key)]
    id: String,
    über_maß: u8,
}

#[test]
fn letters_beyond_ascii_keep_their_case_as_serde_keeps_it() {
    let (stored, known) = names(&Foreign::default());
    assert_eq!(known, stored);
}

#[derive(Default, Serialize, Deserialize, Item)]
#[serde(rename_all(serialize = "camelCase", deserialize = "camelCase"), deny_unknown_fields, default)]
struct Attributed {
    #[item(partition_key)]
    #[serde(rename(serialize = "pk", deserialize = "pk"))]
    user_id: String,
    #[serde(alias = "mail", alias = "e_mail", alias = "emailAddress")]
    email_address: String,
    #[serde(rename(serialize = "now", deserialize = "before"), alias = "now")]
    moved: u8,
    #[serde(skip)]
    cached: u8,
    #[serde(skip_serializing)]
    only_read: u8,
    #[serde(skip_deserializing)]
    only_written: u8,
    #[serde(default = "Default::default", skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

#[test]
fn every_name_that_serde_reads_is_an_alias_and_no_name_is_its_own() {
    assert_eq!(
        known::<Attributed>(),
        [
            ("pk", &[] as &[&str]),
            ("emailAddress", &["mail", "e_mail"]),
            ("now", &["before"]),
            ("onlyWritten", &[]),
            ("note", &[]),
        ]
    );
    assert_eq!(Attributed::SCHEMA.partition_key_name(), "pk");
    let (stored, known) = names(&Attributed { note: Some("x".into()), ..Attributed::default() });
    assert_eq!(known, stored);
}

#[derive(Debug, PartialEq, Serialize, Deserialize, Item)]
struct Flat {
    #[item(partition_key)]
    id: String,
    #[serde(flatten)]
    others: BTreeMap<String, u8>,
}

#[tokio::test]
async fn flattened_fields_have_no_path_and_come_back_without_the_stamp() {
    assert_eq!(known::<Flat>(), [("id", &[] as &[&str])]);
    let engine = Embedded::start().await;
    let table = table::<Flat>(&engine).await;
    let flat = Flat { id: "a".into(), others: [("x".to_owned(), 1)].into() };
    table.insert(&flat).send().await.expect("is inserted");
    assert_eq!(*table.get("a").send().await.expect("is read").expect("is there"), flat);
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Item)]
#[item(table = "things")]
#[serde(deny_unknown_fields)]
struct Shown {
    #[item(partition_key)]
    id: String,
    #[item(version)]
    #[serde(rename = "rev")]
    revision: Option<u64>,
}

#[tokio::test]
async fn a_version_field_shows_the_version_and_is_stored_as_it_only() {
    assert_eq!((Shown::SCHEMA.version_attribute_name(), Shown::SCHEMA.shows_version()), ("rev", true));
    let engine = Embedded::start().await;
    let table = table::<Shown>(&engine).await;
    table.insert(&Shown { id: "a".into(), revision: Some(77) }).send().await.expect("is inserted");
    assert_eq!(stored(&engine, "id", text("a")).await["rev"], AttributeValue::N("1".into()));
    let found = table.get("a").send().await.expect("is read").expect("is there");
    assert_eq!((found.revision, found.version()), (Some(1), 1));

    let foreign = engine.client().put_item().table_name("things").item("id", text("b"));
    foreign.send().await.expect("the engine takes it");
    assert_eq!(
        table.get("b").send().await.expect("is read").expect("is there").revision,
        Some(0),
        "as no write counted"
    );
}

#[derive(Serialize, Deserialize, Item)]
#[item(version_attribute = "rev")]
struct Unshown {
    #[item(partition_key)]
    id: String,
    version: String,
}

#[tokio::test]
async fn a_version_attribute_of_another_name_leaves_the_usual_one_to_the_struct() {
    let engine = Embedded::start().await;
    let table = table::<Unshown>(&engine).await;
    table.insert(&Unshown { id: "a".into(), version: "draft".into() }).send().await.expect("is inserted");
    let item = stored(&engine, "id", text("a")).await;
    assert_eq!((&item["rev"], &item["version"]), (&AttributeValue::N("1".into()), &text("draft")));
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Item)]
#[item(table = "readings")]
struct Derived {
    #[item(partition_key)]
    sensor: String,
    #[item(sort_key)]
    at: i64,
    #[serde(rename = "v", alias = "value")]
    value: f64,
    #[item(version)]
    version: u64,
}

#[derive(Serialize, Deserialize)]
struct ByHand {
    sensor: String,
    at: i64,
    v: f64,
    version: u64,
}

impl Item for ByHand {
    type Key = (String, i64);
    const SCHEMA: Schema =
        Schema::new("sensor").sort_key("at").table("readings").version_field("version").attributes(&[
            Attribute::new("sensor"),
            Attribute::new("at"),
            Attribute::new("v").aliases(&["value"]),
            Attribute::new("version"),
        ]);
}

#[test]
fn a_schema_written_by_hand_is_the_derived_one() {
    fn key<T: Item<Key = (String, i64)>>() -> &'static [KeyType] {
        <T::Key as Key>::TYPES
    }
    assert_eq!(format!("{:?}", Derived::SCHEMA), format!("{:?}", ByHand::SCHEMA));
    assert_eq!(key::<Derived>(), key::<ByHand>());
}

/// What the field's own serialiser stores, and conditions and updates have to be stored as.
mod hours {
    use super::*;

    pub(super) fn serialize<S: Serializer>(seconds: &u32, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("{}h", seconds / 3600))
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.trim_end_matches('h').parse::<u32>().map(|hours| hours * 3600).map_err(serde::de::Error::custom)
    }
}

mod plain {
    use super::*;

    pub(super) fn write<T: Serialize, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        value.serialize(serializer)
    }
}

/// The name of a type that the macro could use itself.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Encoded(u8);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Item)]
struct Timed {
    #[item(partition_key)]
    id: String,
    #[serde(with = "hours")]
    lasts: u32,
    #[serde(serialize_with = "plain::write")]
    other: Encoded,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parent: Option<Box<Self>>,
}

#[tokio::test]
async fn values_of_conditions_and_updates_are_stored_as_the_field_is() {
    let engine = Embedded::start().await;
    let table = table::<Timed>(&engine).await;
    let timed = Timed { id: "a".into(), lasts: 7200, other: Encoded(1), parent: None };
    table.insert(&timed).send().await.expect("is inserted");
    let f = Timed::FIELDS;
    let update = table.update("a").set(f.lasts, 10_800).set(f.other, Encoded(2));
    update.when(f.lasts.eq(7200_u32).and(f.other.eq(Encoded(1)))).send().await.expect("the condition holds");
    let item = stored(&engine, "id", text("a")).await;
    assert_eq!((&item["lasts"], &item["other"]), (&text("3h"), &AttributeValue::N("2".into())));
}

#[tokio::test]
async fn a_field_of_the_item_s_own_type_has_a_path_of_that_type() {
    let engine = Embedded::start().await;
    let table = table::<Timed>(&engine).await;
    let parent = Timed { id: "p".into(), lasts: 3600, other: Encoded(1), parent: None };
    let child = Timed { id: "c".into(), parent: Some(Box::new(parent.clone())), ..parent.clone() };
    table.insert(&parent).send().await.expect("is inserted");
    table.update("p").set(Timed::FIELDS.parent, Some(Box::new(parent.clone()))).send().await.expect("is updated");
    let found = table.get("p").send().await.expect("is read").expect("is there");
    assert_eq!(found.parent, child.parent);
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, KeyAttribute)]
struct AccountId(String);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, KeyAttribute)]
#[serde(transparent)]
struct Digest {
    #[serde(with = "serde_bytes")]
    bytes: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Item)]
struct Newtyped {
    #[item(partition_key)]
    account: AccountId,
    #[item(sort_key)]
    digest: Digest,
}

macro_rules! statuses {
    ($($name:ident $(, $rule:meta)?;)*) => {$(
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, KeyAttribute)]
        $(#[$rule])?
        enum $name {
            Open,
            InTransit,
            #[serde(rename = "gone#")]
            Gone,
            HTTPÄrger,
            r#A,
        }
    )*};
}

statuses! {
    Named;
    Lower, serde(rename_all = "lowercase");
    Upper, serde(rename_all = "UPPERCASE");
    Pascal, serde(rename_all = "PascalCase");
    Camel, serde(rename_all = "camelCase");
    Snake, serde(rename_all = "snake_case");
    ScreamingSnake, serde(rename_all = "SCREAMING_SNAKE_CASE");
    Kebab, serde(rename_all(serialize = "kebab-case", deserialize = "kebab-case"));
    ScreamingKebab, serde(rename_all = "SCREAMING-KEBAB-CASE");
}

#[test]
fn an_enum_is_the_key_that_serde_stores() {
    macro_rules! check {
        ($($name:ident)*) => {$(
            for value in [$name::Open, $name::InTransit, $name::Gone, $name::HTTPÄrger, $name::A] {
                let stored = serde_dynamo::to_attribute_value::<_, AttributeValue>(&value).expect("serialises");
                assert_eq!(KeyAttribute::to_attribute(&value), stored, "{value:?} of {}", stringify!($name));
            }
            assert_eq!(<$name as KeyAttribute>::TYPE, KeyType::String);
        )*};
    }
    check!(Named Lower Upper Pascal Camel Snake ScreamingSnake Kebab ScreamingKebab);
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Item)]
#[item(index(name = "by-status", partition_key = status, sort_key = "{status}#{id}"))]
struct Parcel {
    #[item(partition_key)]
    id: String,
    status: Option<Snake>,
}

#[tokio::test]
async fn an_enum_is_the_key_of_an_index() {
    let engine = Embedded::start().await;
    let parcels = table::<Parcel>(&engine).await;
    for (id, status) in [("a", Some(Snake::InTransit)), ("b", Some(Snake::Open)), ("c", None)] {
        parcels.insert(&Parcel { id: id.into(), status }).send().await.expect("is inserted");
    }
    let found =
        parcels.query(Parcel::by_status(&Snake::InTransit)).begins_with((Snake::InTransit,)).items().collect().await;
    assert_eq!(found.expect("is read").iter().map(|parcel| parcel.id.as_str()).collect::<Vec<_>>(), ["a"]);
}

macro_rules! keyed_by {
    ($($name:ident: $type:ty $(, $with:meta)?;)*) => {$(
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Item)]
        struct $name {
            #[item(partition_key)]
            $(#[$with])?
            id: $type,
        }
    )*};
}

keyed_by! {
    ByText: String;
    ByNumber: i64;
    ByLargeNumber: u64;
    ByBytes: Vec<u8>, serde(with = "serde_bytes");
    ByUuid: Uuid;
    ByNewtype: AccountId;
}

/// An item is found again by its key, which is stored as the key type says.
async fn found_again<T>(item: T, key: impl IntoKey<T::Key> + Clone, attribute: AttributeValue)
where
    T: Item + Debug + PartialEq,
{
    let engine = Embedded::start().await;
    let table = table::<T>(&engine).await;
    table.insert(&item).send().await.expect("is inserted");
    assert_eq!(*table.get(key).send().await.expect("is read").expect("is there"), item);
    assert_eq!(stored(&engine, "id", attribute.clone()).await["id"], attribute);
}

#[tokio::test]
async fn keys_of_every_type_find_their_item() {
    found_again(ByText { id: "ä".into() }, "ä", text("ä")).await;
    found_again(ByNumber { id: -7 }, -7, AttributeValue::N("-7".into())).await;
    found_again(ByLargeNumber { id: u64::MAX }, u64::MAX, AttributeValue::N(u64::MAX.to_string())).await;
    found_again(ByBytes { id: vec![0, 255] }, vec![0, 255], AttributeValue::B(Blob::new([0, 255]))).await;
    let id = Uuid::from_u128(0x0123_4567_89AB_CDEF_0123_4567_89AB_CDEF);
    found_again(ByUuid { id }, id, text("01234567-89ab-cdef-0123-456789abcdef")).await;
    found_again(ByNewtype { id: AccountId("a".into()) }, AccountId("a".into()), text("a")).await;
}

#[tokio::test]
async fn keys_of_two_newtypes_find_their_item() {
    assert_eq!(<<Newtyped as Item>::Key as Key>::TYPES, [KeyType::String, KeyType::Binary]);
    let engine = Embedded::start().await;
    let table = table::<Newtyped>(&engine).await;
    let item = Newtyped { account: AccountId("a".into()), digest: Digest { bytes: vec![1] } };
    table.insert(&item).send().await.expect("is inserted");
    let found = table.get((&item.account, &item.digest)).send().await.expect("is read");
    assert_eq!(*found.expect("is there"), item);
    let other = (item.account.clone(), Digest { bytes: vec![2] });
    assert!(table.get(other).send().await.expect("is read").is_none());
}
