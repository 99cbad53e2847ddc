//! Nulls that needn't be stored, since the type reads them the same where they are absent.

use std::any::TypeId;
use std::collections::HashMap;
use std::sync::{LazyLock, PoisonError, RwLock};

use aws_sdk_dynamodb::types::AttributeValue;

use super::{Attribute, Item, RawItem, serialise};

/// What is known of the attributes of each type: whether their null needn't be stored. To find out takes a whole decode, and
/// the answer is the type's.
static KNOWN: LazyLock<RwLock<HashMap<(TypeId, &'static str), bool>>> = LazyLock::new(RwLock::default);

/// Takes out the nulls which the type reads the same where they are absent, as it reads the `None` of an `Option`. DynamoDB takes
/// a null for a value: it adds nothing to one, and finds it neither absent nor smaller.
///
/// Only the type's own `Deserialize` knows. A `()` has to be there, and an absent field may have a default that isn't null.
pub(super) fn leave_out<T: Item>(raw: &mut RawItem) {
    for name in T::SCHEMA.attributes.iter().map(Attribute::name) {
        let is_key = || T::SCHEMA.key_names().any(|key| key == name);
        if is_null(raw, name) && !is_key() && is_needless::<T>(raw, name) {
            raw.remove(name);
        }
    }
}

fn is_null(raw: &RawItem, name: &str) -> bool {
    raw.get(name).is_some_and(AttributeValue::is_null)
}

fn is_needless<T: Item>(raw: &RawItem, name: &'static str) -> bool {
    let attribute = (TypeId::of::<T>(), name);
    if let Some(known) = KNOWN.read().unwrap_or_else(PoisonError::into_inner).get(&attribute) {
        return *known;
    }
    let mut absent = raw.clone();
    absent.remove(name);
    let is_needless = match read::<T>(absent) {
        Some(read) => is_null(&read, name),
        // That an item doesn't decode in either form says nothing about its type.
        None if read::<T>(raw.clone()).is_none() => return false,
        None => false,
    };
    KNOWN.write().unwrap_or_else(PoisonError::into_inner).insert(attribute, is_needless);
    is_needless
}

/// What the item serialises as once it has been read.
fn read<T: Item>(mut raw: RawItem) -> Option<RawItem> {
    if T::SCHEMA.shows_version {
        raw.insert(T::SCHEMA.version.to_owned(), AttributeValue::N("0".to_owned()));
    }
    serde_dynamo::from_item(raw).and_then(|item: T| serialise(&item)).ok()
}
