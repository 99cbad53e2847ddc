//! Secondary indexes, as an item type declares them.

use crate::error::Error;
use crate::item::RawItem;
use crate::key::{self, KeyType};
use crate::template::Template;

/// A secondary index.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub struct Index {
    name: &'static str,
    partition: IndexKey,
    sort: Option<IndexKey>,
    is_local: bool,
}

/// A key attribute of an index: of a field, or put together by a template.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub struct IndexKey {
    pub(crate) name: &'static str,
    pub(crate) key_type: KeyType,
    pub(crate) template: Option<&'static Template>,
}

impl Index {
    /// The global index with this partition key.
    #[must_use]
    pub const fn global(name: &'static str, partition: IndexKey) -> Self {
        Self { name, partition, sort: None, is_local: false }
    }

    /// The local index, whose partition key is the table's.
    #[must_use]
    pub const fn local(name: &'static str, partition: IndexKey) -> Self {
        Self { name, partition, sort: None, is_local: true }
    }

    /// Sets the sort key.
    #[must_use]
    pub const fn sort(mut self, sort: IndexKey) -> Self {
        self.sort = Some(sort);
        self
    }

    pub(crate) const fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) const fn is_local(&self) -> bool {
        self.is_local
    }

    pub(crate) const fn partition_key(&self) -> IndexKey {
        self.partition
    }

    pub(crate) const fn sort_key(&self) -> Option<IndexKey> {
        self.sort
    }

    /// Its key attributes, in order.
    pub(crate) fn keys(&self) -> impl Iterator<Item = IndexKey> {
        std::iter::once(self.partition).chain(self.sort)
    }

    /// The attributes that are put together for it alone.
    pub(crate) fn computed(&self) -> impl Iterator<Item = (&'static str, &'static Template)> {
        // The partition key of a local one is the table's own.
        self.keys().skip(usize::from(self.is_local)).filter_map(|key| Some((key.name, key.template?)))
    }

    /// Checks an item's key attributes for it; an item without them isn't in the index.
    pub(crate) fn check(&self, item: &RawItem) -> Result<(), Error> {
        for (position, IndexKey { name, key_type, .. }) in self.keys().enumerate() {
            match item.get(name) {
                Some(value) if value.is_null() => {
                    return Err(Error::invalid(format!(
                        "`{name}` is a key of the index `{}`, and stored as null, which no key can be; leave `None` out \
                         (`skip_serializing_if`)",
                        self.name
                    )));
                }
                Some(value) => key::check(name, value, key_type, position)?,
                None => {}
            }
        }
        Ok(())
    }
}

impl IndexKey {
    /// The attribute of a field.
    #[must_use]
    pub const fn field(name: &'static str, key_type: KeyType) -> Self {
        Self { name, key_type, template: None }
    }

    /// The attribute that a template puts together.
    #[must_use]
    pub const fn template(name: &'static str, template: &'static Template) -> Self {
        Self { name, key_type: KeyType::String, template: Some(template) }
    }
}
