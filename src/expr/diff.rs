//! The difference between an item as it was read and as it is to be.

use aws_sdk_dynamodb::types::AttributeValue;

use crate::expr::{Changes, RawPath};
use crate::item::RawItem;

/// What has to change in `before` to make it `after`. Nested maps are descended into; lists and sets are set whole.
pub(crate) fn diff(before: &RawItem, after: &RawItem) -> Changes {
    let mut changes = Changes::new();
    level(&mut changes, &|name| RawPath::from(name.to_owned()), before, after);
    changes
}

fn level(changes: &mut Changes, path: &dyn Fn(&str) -> RawPath, before: &RawItem, after: &RawItem) {
    for (name, new) in sorted(after) {
        match before.get(name) {
            Some(old) if same(old, new) => {}
            Some(AttributeValue::M(old)) if new.is_m() => {
                let AttributeValue::M(new) = new else { continue };
                let parent = path(name);
                level(changes, &|name| parent.child(name.to_owned()), old, new);
            }
            _ => changes.set_raw(path(name), new.clone()),
        }
    }
    for (name, _) in sorted(before) {
        if !after.contains_key(name) {
            changes.remove_raw(path(name));
        }
    }
}

/// In the order of their names, so that the same difference always renders the same.
fn sorted(item: &RawItem) -> Vec<(&String, &AttributeValue)> {
    let mut attributes: Vec<_> = item.iter().collect();
    attributes.sort_unstable_by_key(|(name, _)| *name);
    attributes
}

/// Whether two values are one: sets whatever their order, also within lists and maps.
fn same(one: &AttributeValue, other: &AttributeValue) -> bool {
    match (one, other) {
        (AttributeValue::Ss(one), AttributeValue::Ss(other)) | (AttributeValue::Ns(one), AttributeValue::Ns(other)) => {
            one.len() == other.len() && one.iter().all(|element| other.contains(element))
        }
        (AttributeValue::Bs(one), AttributeValue::Bs(other)) => {
            one.len() == other.len() && one.iter().all(|element| other.contains(element))
        }
        (AttributeValue::L(one), AttributeValue::L(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (AttributeValue::M(one), AttributeValue::M(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, value)| other.get(name).is_some_and(|other| same(value, other)))
        }
        _ => one == other,
    }
}

#[cfg(test)]
mod tests;
