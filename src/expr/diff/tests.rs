use aws_sdk_dynamodb::types::AttributeValue;
use proptest::prelude::*;

use super::diff;
use crate::arbitrary::{config, item, items, with_sets_reversed, with_sets_sorted};
use crate::expr::path::Segment;
use crate::expr::update::{Action, Changes};
use crate::item::RawItem;

/// What DynamoDB does with such changes.
fn apply(changes: Changes, item: &RawItem) -> RawItem {
    let mut item = item.clone();
    for change in changes.into_iter() {
        let names = change.path.segments().iter().map(|segment| match segment {
            Segment::Name(name) => name.as_ref(),
            Segment::Index(_) => panic!("a difference names no index"),
        });
        let names: Vec<&str> = names.collect();
        let (last, parents) = names.split_last().expect("a path has a name");
        let parent = parents.iter().fold(&mut item, |item, name| match item.get_mut(*name) {
            Some(AttributeValue::M(map)) => map,
            other => panic!("{} has no map {name}: {other:?}", change.path),
        });
        match change.action {
            Action::Set(value) => drop(parent.insert((*last).to_owned(), value)),
            Action::Remove => assert!(parent.remove(*last).is_some(), "{} is removed and wasn't there", change.path),
            _ => panic!("a difference sets and removes"),
        }
    }
    item
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

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn applied_to_the_one_it_makes_the_other((before, after) in items()) {
        let changes = diff(&before, &after);
        prop_assert_eq!(
            with_sets_sorted(&apply(changes.top_level(&after), &before)),
            with_sets_sorted(&after),
            "whole attributes"
        );
        prop_assert_eq!(with_sets_sorted(&apply(changes, &before)), with_sets_sorted(&after));
    }

    #[test]
    fn applied_to_the_one_it_makes_quite_another(before in item(), after in item()) {
        prop_assert_eq!(with_sets_sorted(&apply(diff(&before, &after), &before)), with_sets_sorted(&after));
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
