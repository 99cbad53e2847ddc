use std::collections::BTreeMap;
use std::fmt::Debug;

use proptest::prelude::*;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::*;
use crate::arbitrary::{config, value};

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Kind {
    A,
    B(u8),
    C { d: Option<String> },
}

#[derive(Debug, PartialEq, Deserialize)]
struct Inner {
    a: Option<i16>,
    #[serde(default)]
    b: Vec<Inner>,
    c: Option<Kind>,
    #[serde(flatten)]
    rest: BTreeMap<String, serde_json::Value>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Newtype(String);

#[derive(Debug, PartialEq, Deserialize)]
struct Pair(i64, Option<f64>);

#[derive(Debug, PartialEq, Deserialize)]
struct Unit;

/// That the value reads as `D`, or doesn't, as `serde_dynamo` has it.
fn reads_alike<D: DeserializeOwned + Debug + PartialEq>(value: &AttributeValue) {
    let own = D::deserialize(StoredValue::Attribute(value));
    let plain = serde_dynamo::from_attribute_value::<_, D>(value.clone());
    assert_eq!(own.ok(), plain.ok(), "{value:?}");
}

fn reads_alike_as_anything(value: &AttributeValue) {
    reads_alike::<serde_json::Value>(value);
    reads_alike::<Option<String>>(value);
    reads_alike::<Option<Vec<Option<i32>>>>(value);
    reads_alike::<(u8, String)>(value);
    reads_alike::<BTreeMap<String, f32>>(value);
    reads_alike::<BTreeMap<i32, serde_json::Value>>(value);
    reads_alike::<BTreeMap<bool, serde_json::Value>>(value);
    reads_alike::<BTreeMap<Newtype2, Kind>>(value);
    reads_alike::<Kind>(value);
    reads_alike::<Inner>(value);
    reads_alike::<Newtype>(value);
    reads_alike::<Pair>(value);
    reads_alike::<Unit>(value);
    reads_alike::<()>(value);
    reads_alike::<char>(value);
    reads_alike::<bool>(value);
    reads_alike::<u128>(value);
    reads_alike::<i8>(value);
    reads_alike::<serde_bytes::ByteBuf>(value);
    assert!(IgnoredAny::deserialize(StoredValue::Attribute(value)).is_ok());
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
struct Newtype2(String);

#[test]
fn values_read_as_serde_dynamo_reads_them() {
    let map = |name: &str, value| AttributeValue::M([(name.to_owned(), value)].into());
    let (number, text) = (|n: &str| AttributeValue::N(n.to_owned()), |s: &str| AttributeValue::S(s.to_owned()));
    for value in [
        number("7"),
        number("-7"),
        number("1e3"),
        number("300"),
        number("18446744073709551615"),
        text("a"),
        text("x"),
        text(""),
        AttributeValue::Bool(true),
        AttributeValue::Null(true),
        AttributeValue::L(vec![number("1"), text("b"), number("2")]),
        AttributeValue::L(vec![number("1"), AttributeValue::Null(true)]),
        map("b", number("9")),
        map("c", map("d", text("e"))),
        map("a", number("5")),
        map("12", number("5")),
        map("true", number("5")),
        map("b", AttributeValue::L(vec![map("c", text("a")), map("other", number("1"))])),
    ] {
        reads_alike_as_anything(&value);
    }
}

proptest! {
    #![proptest_config(config(512))]

    #[test]
    fn whatever_is_stored_reads_as_serde_dynamo_reads_it(value in value()) {
        reads_alike_as_anything(&value);
    }
}
