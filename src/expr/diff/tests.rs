use aws_sdk_dynamodb::types::AttributeValue;
use proptest::prelude::*;

use super::apply;
use crate::arbitrary::{config, item, items, with_sets_reversed, with_sets_sorted};
use crate::expr::update::Changes;
use crate::item::RawItem;

/// The difference of an item that serialises as it is stored.
fn diff(before: &RawItem, after: &RawItem) -> Changes {
    super::diff(before, before, after)
}

fn attribute(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

fn map(entries: &[(&str, AttributeValue)]) -> RawItem {
    entries.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

fn shown(changes: Changes) -> Vec<String> {
    changes.into_iter().map(|change| format!("{change:?}")).collect()
}

#[test]
fn nested_maps_change_at_their_own_paths() {
    let before = map(&[(
        "m",
        AttributeValue::M(map(&[("kept", attribute("a")), ("gone", attribute("b")), ("new", attribute("c"))])),
    )]);
    let after = map(&[("m", AttributeValue::M(map(&[("kept", attribute("a")), ("new", attribute("d"))])))]);
    assert_eq!(shown(diff(&before, &after)), ["SET m.new", "REMOVE m.gone"]);
    assert_eq!(shown(diff(&before, &after).top_level(&after)), ["SET m"]);
}

#[test]
fn a_map_in_the_place_of_something_else_is_set_whole() {
    let (before, after) =
        (map(&[("m", attribute("a"))]), map(&[("m", AttributeValue::M(map(&[("b", attribute("c"))])))]));
    assert_eq!(shown(diff(&before, &after)), ["SET m"]);
    assert_eq!(shown(diff(&after, &before)), ["SET m"]);
}

#[test]
fn a_map_that_is_not_stored_is_set_whole() {
    let nested =
        |value| map(&[("m", AttributeValue::M(map(&[("n", AttributeValue::M(map(&[("a", attribute(value))])))])))]);
    let (before, after) = (nested("default"), nested("b"));
    let empty = map(&[("m", AttributeValue::M(map(&[])))]);
    for (stored, changes) in [(before.clone(), "SET m.n.a"), (empty, "SET m.n"), (map(&[]), "SET m")] {
        assert_eq!(shown(super::diff(&stored, &before, &after)), [changes]);
    }
    let text = map(&[("m", attribute("of another type"))]);
    assert_eq!(shown(super::diff(&text, &before, &after)), ["SET m"]);
}

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn applied_to_the_one_it_makes_the_other((before, after) in items()) {
        let changes = diff(&before, &after);
        prop_assert_eq!(
            with_sets_sorted(&apply(&changes.top_level(&after), &before)),
            with_sets_sorted(&after),
            "whole attributes"
        );
        prop_assert_eq!(with_sets_sorted(&apply(&changes, &before)), with_sets_sorted(&after));
    }

    #[test]
    fn applied_to_the_one_it_makes_quite_another(before in item(), after in item()) {
        prop_assert_eq!(with_sets_sorted(&apply(&diff(&before, &after), &before)), with_sets_sorted(&after));
    }

    #[test]
    fn equal_items_have_none(item in item()) {
        prop_assert!(diff(&item, &item).is_empty());
        prop_assert!(diff(&item, &with_sets_reversed(&item)).is_empty(), "a set has no order");
    }

    #[test]
    fn it_names_no_path_twice_and_none_that_is_as_it_was((before, after) in items()) {
        let paths: Vec<_> = diff(&before, &after).into_iter().map(|change| change.path).collect();
        for (position, path) in paths.iter().enumerate() {
            prop_assert!(!paths[..position].iter().any(|earlier| earlier.overlaps(path)), "{} of {:?}", path, paths);
            prop_assert!(with_sets_sorted(&before).get(path.top()) != with_sets_sorted(&after).get(path.top()), "{}", path);
        }
    }

    #[test]
    fn the_same_difference_renders_the_same((before, after) in items()) {
        // A clone of a map may have another order.
        let again: (RawItem, RawItem) = (before.clone().into_iter().collect(), after.clone().into_iter().collect());
        prop_assert_eq!(shown(diff(&before, &after)), shown(diff(&again.0, &again.1)));
    }
}
