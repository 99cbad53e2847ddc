//! Updates of fields from which an index's key attributes are put together: those attributes are changed along.

use aws_sdk_dynamodb::types::AttributeValue;

use crate::error::Error;
use crate::expr::{Action, Changes, RawPath};
use crate::item::{RawItem, Schema};
use crate::template::Template;

/// What is known of an attribute after an update, which doesn't read the item.
enum After<'c> {
    Value(&'c AttributeValue),
    Absent,
    /// As it was.
    Unnamed,
    /// What an `add`, an `append` or a change within it makes of what it was.
    Added,
}

/// The changes, and those of the index attributes that follow from them.
///
/// `parts` are the values of the fields that the key is put together of, and `key` has those that are the key themselves: neither
/// changes, so that both are known.
pub(crate) fn with_index_attributes(
    schema: &Schema,
    key: &RawItem,
    parts: &[(&'static str, AttributeValue)],
    mut changes: Changes,
) -> Result<Changes, Error> {
    for (name, template) in schema.computed_for_indexes() {
        if !template.attributes().any(|attribute| changes.touches(attribute)) {
            continue;
        }
        match made(name, template, |attribute| after(attribute, &changes, key, parts))? {
            Some(text) => changes.set_raw(RawPath::from(name), text),
            None => changes.remove_raw(RawPath::from(name)),
        }
    }
    for index in schema.declared_indexes() {
        let set = changes.iter().filter_map(|change| match &change.action {
            Action::Set(value) if !change.path.is_nested() => Some((change.path.top().to_owned(), value.clone())),
            _ => None,
        });
        index.check(&set.collect())?;
    }
    Ok(changes)
}

fn after<'c>(
    attribute: &str,
    changes: &'c Changes,
    key: &'c RawItem,
    parts: &'c [(&'static str, AttributeValue)],
) -> After<'c> {
    let known =
        key.get(attribute).or_else(|| parts.iter().find(|(part, _)| *part == attribute).map(|(_, value)| value));
    if let Some(value) = known {
        return After::Value(value);
    }
    let change = changes.iter().find(|change| change.path.top() == attribute);
    match change.map(|change| &change.action) {
        Some(_) if change.is_some_and(|change| change.path.is_nested()) => After::Added,
        Some(Action::Set(value)) if value.is_null() => After::Absent,
        Some(Action::Set(value)) => After::Value(value),
        Some(Action::Remove) => After::Absent,
        Some(_) => After::Added,
        None => After::Unnamed,
    }
}

/// The text of an index attribute; `None` where one of its fields is absent, so that the index goes without the item.
fn made<'c>(
    name: &str,
    template: &Template,
    after: impl Fn(&str) -> After<'c>,
) -> Result<Option<AttributeValue>, Error> {
    let (mut values, mut unknown, mut added) = (Vec::new(), Vec::new(), None);
    for attribute in template.attributes() {
        match after(attribute) {
            After::Absent => return Ok(None),
            After::Value(value) => values.push(value),
            After::Unnamed => unknown.push(format!("`{attribute}`")),
            After::Added => added = Some(attribute),
        }
    }
    if let Some(attribute) = added {
        return Err(Error::invalid(format!(
            "the index's key `{name}` is put together of `{attribute}`, and the update only adds to it, without knowing what it will be; set \
             it, or use `modify`"
        )));
    }
    if !unknown.is_empty() {
        return Err(Error::invalid(format!(
            "the update changes a part of the index's key `{name}`, and doesn't say what {} will be, from which it is put together too; \
             `set` it in the same update, or use `modify`",
            unknown.join(" and ")
        )));
    }
    Ok(Some(AttributeValue::S(template.render(values)?)))
}
