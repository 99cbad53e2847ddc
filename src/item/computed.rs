//! Attributes that key templates put together of others.

use std::borrow::Cow;

use aws_sdk_dynamodb::types::AttributeValue;

use super::{RawItem, Schema};
use crate::error::{Error, ErrorKind};
use crate::template::Template;

impl Schema {
    /// The key attributes that templates put together.
    pub(crate) fn computed_keys(&self) -> impl Iterator<Item = (&'static str, &'static Template)> {
        self.key_names().zip(self.key_templates).filter_map(|(name, template)| Some((name, template?)))
    }

    /// The attributes that templates put together for indexes.
    pub(crate) fn computed_for_indexes(&self) -> impl Iterator<Item = (&'static str, &'static Template)> {
        self.indexes.iter().flat_map(|index| index.computed())
    }

    /// The attribute of the key at this position, of the values of the fields.
    pub(crate) fn key_attribute(
        &self,
        position: usize,
        name: &str,
        parts: &[(&'static str, AttributeValue)],
    ) -> Result<AttributeValue, Error> {
        value_of(name, self.key_templates[position.min(1)], parts)
    }

    /// Whether an attribute is one that a template puts together.
    pub(crate) fn is_computed(&self, name: &str) -> bool {
        self.computed_keys().chain(self.computed_for_indexes()).any(|(computed, _)| computed == name)
    }

    /// Whether an attribute is of the key, or one of those that its templates take.
    pub(crate) fn is_part_of_key(&self, name: &str) -> bool {
        self.key_names()
            .chain(self.computed_keys().flat_map(|(_, template)| template.attributes()))
            .any(|part| part == name)
    }

    /// Whether a stored item's key is one that the templates make: the items of other types that share the table have others.
    pub(crate) fn is_of(&self, item: &RawItem) -> bool {
        self.computed_keys()
            .all(|(name, template)| matches!(item.get(name), Some(AttributeValue::S(text)) if template.matches(text)))
    }

    /// Fails where a stored item's fields make another key than it has: written back, it would be another item.
    pub(crate) fn check_key_is_of_fields(&self, item: &RawItem) -> Result<(), Error> {
        for (name, template) in self.computed_keys() {
            let made = template.render_of(|part| self.stored(item, part)).ok().flatten();
            if !matches!((item.get(name), made), (Some(AttributeValue::S(stored)), Some(made)) if *stored == made) {
                return Err(Error::new(
                    ErrorKind::Decode,
                    format!(
                        "the stored item's fields make another key than its `{name}`; the program that wrote it has another template, so \
                         repair the item, or the template"
                    ),
                ));
            }
        }
        Ok(())
    }

    /// A stored attribute, under whichever of its names.
    fn stored<'i>(&self, item: &'i RawItem, name: &str) -> Option<&'i AttributeValue> {
        let known = self.attributes.iter().find(|attribute| attribute.name() == name);
        let aliases = known.map_or(&[][..], |attribute| attribute.alias_names());
        std::iter::once(name).chain(aliases.iter().copied()).find_map(|name| item.get(name))
    }

    /// The item without what is put together for indexes: what it says, whatever indexes its type has in later versions of a program.
    pub(crate) fn without_indexes<'i>(&self, item: &'i RawItem) -> Cow<'i, RawItem> {
        if self.computed_for_indexes().next().is_none() {
            return Cow::Borrowed(item);
        }
        let mut own = item.clone();
        self.computed_for_indexes().for_each(|(name, _)| drop(own.remove(name)));
        Cow::Owned(own)
    }

    /// Adds the attributes to a serialised item. An index that takes a field which is absent goes without the item.
    pub(super) fn compute(&self, item: &mut RawItem) -> Result<(), Error> {
        let keys = self.computed_keys().map(|computed| (computed, true));
        for ((name, template), is_key) in keys.chain(self.computed_for_indexes().map(|computed| (computed, false))) {
            let made = template.render_of(|part| item.get(part))?;
            if made.is_none() && is_key {
                let missing = template.attributes().find(|part| item.get(*part).is_none_or(AttributeValue::is_null));
                return Err(Error::invalid(format!(
                    "the item serialises without `{}`, which is a part of its key; the field has to be serialised under that name",
                    missing.unwrap_or_default()
                )));
            }
            if item.contains_key(name) {
                return Err(Error::invalid(format!(
                    "the item has an attribute `{name}` of its own, where a key is put; rename it, or the key's attribute \
                     (`partition_key_attribute`, `sort_key_attribute`)"
                )));
            }
            item.extend(made.map(|text| (name.to_owned(), AttributeValue::S(text))));
        }
        Ok(())
    }
}

/// A key attribute, of the values of the fields by the names of their attributes: that of its own field, or what a template makes.
pub(crate) fn value_of(
    name: &str,
    template: Option<&Template>,
    parts: &[(&'static str, AttributeValue)],
) -> Result<AttributeValue, Error> {
    let part = |name: &str| parts.iter().find(|(part, _)| *part == name).map(|(_, value)| value);
    let value = match template {
        Some(template) => template.render_of(part)?.map(AttributeValue::S),
        None => part(name).cloned(),
    };
    value.ok_or_else(|| {
        Error::invalid(format!("the key has no value for `{name}`; make it by the item type's own function"))
    })
}
