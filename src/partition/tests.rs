use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};

use super::{IntoPartition, Leading, Partition, SortKey};
use crate::item::Item;

#[derive(Serialize, Deserialize, dynamo_once_derive::Item)]
#[item(partition_key = "USER#{user}", sort_key = "ORDER#{order:04}#LINE#{line}")]
#[item(index(name = "by-status", partition_key = status, sort_key = "{day}#{order:04}"))]
#[item(index(name = "by-day", local, sort_key = day))]
struct Line {
    user: String,
    order: u32,
    line: String,
    status: Option<String>,
    day: String,
}

#[derive(Serialize, Deserialize, dynamo_once_derive::Item)]
struct Reading {
    #[item(partition_key)]
    sensor: String,
    #[item(sort_key)]
    at: i64,
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn sort_text<T, S>(partition: &Partition<T, S>, parts: &[AttributeValue]) -> String {
    partition.template.expect("is put together").render(parts).expect("renders")
}

#[test]
fn a_partition_of_a_template_knows_what_its_sort_keys_begin_with() {
    let lines = Line::keys("ann#");
    assert!(lines.error.is_none() && lines.is_strong && lines.index.is_none());
    assert_eq!((lines.key.clone(), lines.sort), (("pk", text("USER#ann%23")), Some("sk")));
    assert_eq!(lines.template.expect("is put together").start(), "ORDER#");
    assert_eq!(sort_text(&lines, &SortKey::parts(&(7_u32, "a#".to_owned()))), "ORDER#0007#LINE#a%23");
    // Lines of order 7 are none of order 70.
    assert_eq!(sort_text(&lines, &Leading::<(u32, String)>::parts((7,))), "ORDER#0007#LINE#");
}

#[test]
fn a_partition_of_an_index_is_named_by_the_index() {
    let lines = Line::by_status("open#");
    assert!(lines.error.is_none() && !lines.is_strong);
    // A field's own attribute is as it is.
    assert_eq!((lines.index, lines.key.clone()), (Some("by-status"), ("status", text("open#"))));
    assert_eq!((lines.sort, sort_text(&lines, &[text("mon")])), (Some("by-status-sk"), "mon#".to_owned()));

    let lines = Line::by_day("ann");
    assert!(lines.error.is_none() && lines.is_strong, "reads of a local index can be strong");
    assert_eq!((lines.index, lines.key.clone()), (Some("by-day"), ("pk", text("USER#ann"))));
    assert_eq!((lines.sort, lines.template.is_none()), (Some("day"), true));
}

#[test]
fn a_partition_of_a_plain_key_is_named_by_its_value() {
    let readings: Partition<Reading, i64> = "s-1".into_partition();
    assert!(readings.error.is_none() && readings.is_strong && readings.template.is_none());
    assert_eq!((readings.key.clone(), readings.sort), (("sensor", text("s-1")), Some("at")));
}

#[test]
fn a_partition_that_can_not_be_is_told_by_send() {
    let long = "u".repeat(2049);
    let readings: Partition<Reading, i64> = long.as_str().into_partition();
    for (error, says) in [
        (Line::keys("").error, "`user`"),
        (Line::keys(&long).error, "`pk`"),
        (Line::by_status("").error, "`status`"),
        (Line::by_status(&long).error, "2048"),
        (Line::by_day("").error, "`user`"),
        (readings.error, "`sensor`"),
    ] {
        let error = error.expect("is kept");
        assert!(error.is_invalid() && error.to_string().contains(says), "{error}");
    }
}

#[test]
fn a_schema_tells_its_own_items_by_their_keys() {
    let item = |pk: &str, sk: &str| [("pk".to_owned(), text(pk)), ("sk".to_owned(), text(sk))].into();
    assert!(Line::SCHEMA.is_of(&item("USER#ann", "ORDER#0007#LINE#a")));
    for (pk, sk) in [("USER#ann", "ORDER#0007"), ("SHOP#ann", "ORDER#0007#LINE#a"), ("USER#ann", "")] {
        assert!(!Line::SCHEMA.is_of(&item(pk, sk)), "{pk} {sk}");
    }
    assert!(!Line::SCHEMA.is_of(&[("pk".to_owned(), text("USER#ann"))].into()), "has no sort key");
    assert!(Reading::SCHEMA.is_of(&item("USER#ann", "x")), "without templates every item is one");
}
