//! The key of an item whose key attributes are put together of its fields.

use std::fmt;
use std::marker::PhantomData;

use aws_sdk_dynamodb::types::AttributeValue;

use crate::error::Error;
use crate::item::Item;
use crate::key::{IntoKey, Key, KeyType};

/// The key of an item type whose key is put together by templates; made by the type's own function `key`.
///
/// ```
/// use dynamo_once::{Item, ItemKey};
///
/// #[derive(serde::Serialize, serde::Deserialize, Item)]
/// #[item(partition_key = "USER#{user_id}", sort_key = "ORDER#{order_id:010}")]
/// struct Order {
///     user_id: String,
///     order_id: u64,
/// }
///
/// let key: ItemKey<Order> = Order::key("ann", 7); // USER#ann, ORDER#0000000007
/// ```
///
/// What can't be a part of a key, such as an empty string, is told by `send`.
pub struct ItemKey<T> {
    /// The values of the fields, by the names of their attributes.
    parts: Vec<(&'static str, AttributeValue)>,
    of: PhantomData<fn() -> T>,
}

impl<T> ItemKey<T> {
    /// The key that these fields make, by the names of their attributes.
    #[doc(hidden)]
    #[must_use]
    pub fn of<const N: usize>(parts: [(&'static str, AttributeValue); N]) -> Self {
        Self { parts: parts.into(), of: PhantomData }
    }
}

impl<T: Item> Key for ItemKey<T> {
    const TYPES: &'static [KeyType] = T::SCHEMA.key_types();

    /// Its attributes; none where a part can't be one.
    fn to_attributes(&self) -> Vec<AttributeValue> {
        self.rendered().unwrap_or_default()
    }

    fn rendered(&self) -> Result<Vec<AttributeValue>, Error> {
        let parts = &self.parts;
        T::SCHEMA
            .key_names()
            .enumerate()
            .map(|(position, name)| T::SCHEMA.key_attribute(position, name, parts))
            .collect()
    }

    fn parts(&self) -> &[(&'static str, AttributeValue)] {
        &self.parts
    }
}

impl<T> IntoKey<ItemKey<T>> for ItemKey<T> {
    fn into_key(self) -> ItemKey<T> {
        self
    }
}

impl<T> IntoKey<ItemKey<T>> for &ItemKey<T> {
    fn into_key(self) -> ItemKey<T> {
        self.clone()
    }
}

impl<T> Clone for ItemKey<T> {
    fn clone(&self) -> Self {
        Self { parts: self.parts.clone(), of: PhantomData }
    }
}

impl<T> PartialEq for ItemKey<T> {
    fn eq(&self, other: &Self) -> bool {
        self.parts == other.parts
    }
}

impl<T> fmt::Debug for ItemKey<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.parts.iter().map(|(name, _)| name);
        f.debug_struct("ItemKey").field("parts", &names.collect::<Vec<_>>()).finish_non_exhaustive()
    }
}
