//! The difference between an item as it was read and as it is to be.

use aws_sdk_dynamodb::types::AttributeValue;

use crate::expr::path::Segment;
use crate::expr::update::Action;
use crate::expr::{Changes, RawPath};
use crate::item::RawItem;

/// What has to change in `before` to make it `after`. Maps that are `stored` are descended into; what isn't there has no paths
/// within it, and is set whole, as lists and sets are.
///
/// An item serialises otherwise than it is stored where a default stands in for what is absent, or where an attribute was read
/// under a serde alias.
pub(crate) fn diff(stored: &RawItem, before: &RawItem, after: &RawItem) -> Changes {
    let mut changes = Changes::new();
    level(&mut changes, &|name| RawPath::from(name.to_owned()), [stored, before, after]);
    changes
}

fn level(changes: &mut Changes, path: &dyn Fn(&str) -> RawPath, [stored, before, after]: [&RawItem; 3]) {
    use AttributeValue::M;
    for (name, new) in sorted(after) {
        match (stored.get(name), before.get(name), new) {
            (_, Some(old), new) if same(old, new) => {}
            (Some(M(stored)), Some(M(old)), M(new)) => {
                let parent = path(name);
                level(changes, &|name| parent.child(name.to_owned()), [stored, old, new]);
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

/// What an item will be like after changes that set and remove, as those of a difference.
pub(crate) fn apply(changes: &Changes, item: &RawItem) -> RawItem {
    let mut item = item.clone();
    for change in changes.iter() {
        let names = change.path.segments().iter().filter_map(|segment| match segment {
            Segment::Name(name) => Some(name.as_ref()),
            Segment::Index(_) => None,
        });
        let names: Vec<&str> = names.collect();
        let Some((last, parents)) = names.split_last() else { continue };
        let parent = parents.iter().try_fold(&mut item, |item, name| match item.get_mut(*name) {
            Some(AttributeValue::M(map)) => Some(map),
            _ => None,
        });
        match (parent, &change.action) {
            (Some(parent), Action::Set(value)) => drop(parent.insert((*last).to_owned(), value.clone())),
            (Some(parent), Action::Remove) => drop(parent.remove(*last)),
            _ => {}
        }
    }
    item
}

/// In the order of their names, so that the same difference always renders the same.
fn sorted(item: &RawItem) -> Vec<(&String, &AttributeValue)> {
    let mut attributes: Vec<_> = item.iter().collect();
    attributes.sort_unstable_by_key(|(name, _)| *name);
    attributes
}

/// Whether two values are one: sets whatever their order, also within lists and maps.
pub(crate) fn same(one: &AttributeValue, other: &AttributeValue) -> bool {
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
