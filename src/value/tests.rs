use std::sync::LazyLock;

use aws_sdk_dynamodb::types::AttributeValue;
use proptest::prelude::*;

use super::{check, check_item, number};
use crate::arbitrary::{self, config};
use crate::error::ErrorKind;
use crate::item::RawItem;
use crate::rows::{Rows, TABLE};

/// Numbers in every notation, at and beyond the limits, and what only looks like one.
fn numbers() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[-+]?[0-9]{1,20}(\\.[0-9]{0,20})?([eE][-+]?[0-9]{1,3})?",
        2 => "-?[1-9][0-9]{35,40}",
        2 => "[-+]?0*\\.?0{0,140}[1-9]{0,2}(0{0,130})?",
        2 => "-?[1-9]\\.?[0-9]{0,3}E-?1[23][0-9]",
        1 => "0(\\.0{1,3})?[eE]-?1[23][0-9]",
        1 => "-?[0-9]?[eE.+-]{0,2}[0-9]{0,2}",
        1 => "NaN|inf|-inf|infinity|0x10|1_000| 1|1 |٣|1e99999999999999999999",
        1 => any::<f64>().prop_map(|number| number.to_string()),
        1 => any::<i128>().prop_map(|number| number.to_string()),
    ]
}

proptest! {
    #![proptest_config(config(600))]

    #[test]
    fn a_number_is_refused_where_the_engine_refuses_it(text in numbers()) {
        static ROWS: LazyLock<Rows> = LazyLock::new(Rows::new);
        let put = ROWS.client.put_item().table_name(TABLE).set_item(Some(Rows::key()));
        let taken = ROWS.wait(put.item("n", AttributeValue::N(text.clone())).send());
        prop_assert_eq!(number(&text).is_ok(), taken.is_ok(), "{}: {:?}, {:?}", text, number(&text), taken.err());
    }

    #[test]
    fn what_can_be_stored_has_a_size(name in arbitrary::name(), value in arbitrary::value()) {
        let size = check(&name, &value).expect("can be stored");
        let at_least = match &value {
            AttributeValue::M(map) => map.keys().map(String::len).sum::<usize>() + 3,
            AttributeValue::S(text) => text.len(),
            _ => 0,
        };
        prop_assert!(size >= at_least);
    }
}

fn nested(depth: usize) -> AttributeValue {
    (0..depth).fold(AttributeValue::Null(true), |value, _| AttributeValue::L(vec![value]))
}

#[test]
fn a_value_is_nested_as_deep_as_the_engine_takes() {
    let rows = Rows::new();
    for depth in 29..36 {
        let put = rows.client.put_item().table_name(TABLE).set_item(Some(Rows::key()));
        let taken = rows.wait(put.item("a", nested(depth)).send());
        assert_eq!(check("a", &nested(depth)).is_ok(), taken.is_ok(), "{depth}: {taken:?}");
    }
}

#[test]
fn what_is_wrong_is_named_by_its_path() {
    let set = |value| {
        AttributeValue::M([("tags".to_owned(), AttributeValue::L(vec![AttributeValue::Bool(true), value]))].into())
    };
    for (value, says) in [
        (AttributeValue::Ss(vec![]), "`a.tags[1]` is an empty set"),
        (AttributeValue::N("NaN".to_owned()), "`a.tags[1]` is no finite number"),
        (AttributeValue::N("9".repeat(39)), "`a.tags[1]` has more than 38 significant digits"),
        (AttributeValue::Ns(vec!["1e126".to_owned()]), "`a.tags[1]` is outside of the numbers"),
        (nested(40), "nested more than 32 levels deep"),
        (
            AttributeValue::M([(String::new(), AttributeValue::Bool(true))].into()),
            "`a.tags[1]` holds an attribute without a name",
        ),
    ] {
        let error = check("a", &set(value)).expect_err(says);
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains(says), "{error}");
    }
}

#[test]
fn an_item_is_at_most_400_kb() {
    let item = |length: usize| RawItem::from([("a".to_owned(), AttributeValue::S("x".repeat(length)))]);
    assert!(check_item(&item(400 * 1024 - 1), 0).is_ok());
    assert!(check_item(&item(400 * 1024), 0).is_err());
    let error = check_item(&item(400 * 1024 - 1), 1).expect_err("no room for the stamp");
    assert!(error.to_string().contains("`a`"), "names what takes the room: {error}");
}
