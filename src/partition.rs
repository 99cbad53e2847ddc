//! Partitions: the items that share a partition key, in a table or in an index of it.

use std::fmt;
use std::marker::PhantomData;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;

use crate::error::Error;
use crate::index::{Index, IndexKey};
use crate::item::{Item, value_of};
use crate::key::{self, IntoKey, KeyAttribute, KeyType};
use crate::template::Template;

/// The items of type `T` that share a partition key, in the table or in one of its indexes; their sort keys are an `S`.
///
/// The value of a table's partition key stands for one; `#[derive(Item)]` makes functions for those of indexes and key templates.
/// Queried by [`Table::query`](crate::Table::query).
pub struct Partition<T, S> {
    /// The index; `None` for the table itself.
    pub(crate) index: Option<&'static str>,
    /// Whether reads of it can be strong: those of global indexes can't.
    pub(crate) is_strong: bool,
    /// The attribute that is its partition key, and the value.
    pub(crate) key: (&'static str, AttributeValue),
    /// The attribute that is its sort key, where there is one.
    pub(crate) sort: Option<&'static str>,
    /// How the parts of a sort key are put together, where it is a template's; its literal start is what all sort keys of `T` begin with.
    pub(crate) template: Option<&'static Template>,
    /// Why there is no such partition, kept for `send`: a part of the key that can't be one.
    pub(crate) error: Option<Error>,
    of: PhantomData<fn() -> (T, S)>,
}

/// A value that stands for a [`Partition`]: of a table whose key is a tuple, the value of its partition key.
#[diagnostic::on_unimplemented(
    message = "`{Self}` names no partition of `{T}`",
    label = "not the partition key of a `{T}`, nor a `Partition` of it",
    note = "give the partition key's value, or what the item's derived functions for its key templates and indexes return: `{T}::keys(..)`",
    note = "an item type without a sort key has one item for a partition key: `get` it"
)]
pub trait IntoPartition<T: Item> {
    /// The type of the sort keys.
    type Sort;

    /// The partition.
    fn into_partition(self) -> Partition<T, Self::Sort>;
}

/// A type of sort keys: of one part, or of several that a template puts together.
pub trait SortKey {
    /// The parts, in order.
    fn parts(&self) -> Vec<AttributeValue>;
}

/// What sort keys of type `S` can begin with: of a string or bytes their own beginning, of several parts the first of them.
///
/// Of the parts that are given all but the last are whole values, and where it isn't the sort key's last, so is that one: lines
/// of order 1 are none of order 10.
#[diagnostic::on_unimplemented(
    message = "no sort key of type `{S}` begins with a `{Self}`",
    note = "a string begins with a string, bytes with bytes, and a sort key of several parts with a tuple of its first parts: `(part,)`"
)]
pub trait Leading<S> {
    /// The parts, in order.
    fn parts(self) -> Vec<AttributeValue>;
}

/// A bound of a range of sort keys of type `S`: a whole one, or of several parts the first of them, which stand for all that begin
/// with them.
#[diagnostic::on_unimplemented(
    message = "a `{Self}` is no bound of sort keys of type `{S}`",
    label = "this is a `{Self}`, the sort keys are `{S}`",
    note = "a template's sort key takes a tuple of its parts, or of the first of them: `(part,)`, also for a single one; a marked field \
            takes the bare value"
)]
pub trait Bound<S> {
    /// The parts, in order.
    fn parts(self) -> Vec<AttributeValue>;
}

impl<T, S> Partition<T, S> {
    /// Those of the table, whose key is the tuple.
    #[doc(hidden)]
    #[must_use]
    pub fn of_table<P: KeyAttribute>(partition_key: &P) -> Self
    where
        T: Item<Key = (P, S)>,
    {
        let name = T::SCHEMA.partition_key_name();
        let key = checked(name, P::TYPE, Ok(partition_key.to_attribute()));
        Self::new(None, name, key, T::SCHEMA.sort_key_name(), None)
    }

    /// Those of the table whose partition key these fields make, by the names of their attributes.
    #[doc(hidden)]
    #[must_use]
    pub fn of_key<const N: usize>(parts: [(&'static str, AttributeValue); N]) -> Self
    where
        T: Item,
    {
        let schema = T::SCHEMA;
        let (name, key_type) = (schema.partition_key_name(), schema.key_types().first().copied());
        let key = checked(name, key_type.unwrap_or(KeyType::String), schema.key_attribute(0, name, &parts));
        Self::new(None, name, key, schema.sort_key_name(), schema.sort_template())
    }

    /// Those of the index whose partition key these fields make, by the names of their attributes.
    #[doc(hidden)]
    #[must_use]
    pub fn of_index<const N: usize>(index: &'static str, parts: [(&'static str, AttributeValue); N]) -> Self
    where
        T: Item,
    {
        let Some(index) = T::SCHEMA.declared_indexes().iter().find(|declared| declared.name() == index) else {
            let unknown = Err(Error::invalid(format!("the item type declares no index `{index}`")));
            return Self::new(None, T::SCHEMA.partition_key_name(), unknown, None, None);
        };
        let IndexKey { name, key_type, template } = index.partition_key();
        let key = checked(name, key_type, value_of(name, template, &parts));
        let sort = index.sort_key();
        Self::new(Some(index), name, key, sort.map(|sort| sort.name), sort.and_then(|sort| sort.template))
    }

    fn new(
        index: Option<&'static Index>,
        name: &'static str,
        key: Result<AttributeValue, Error>,
        sort: Option<&'static str>,
        template: Option<&'static Template>,
    ) -> Self {
        let (key, error) = match key {
            Ok(key) => (key, None),
            Err(error) => (AttributeValue::Null(true), Some(error)),
        };
        Self {
            index: index.map(Index::name),
            is_strong: index.is_none_or(Index::is_local),
            key: (name, key),
            sort,
            template,
            error,
            of: PhantomData,
        }
    }
}

impl<T: Item, S> IntoPartition<T> for Partition<T, S> {
    type Sort = S;

    fn into_partition(self) -> Self {
        self
    }
}

macro_rules! into_partition {
    ($($value:ty => $key:ty;)*) => {$(
        #[diagnostic::do_not_recommend]
        impl<T: Item<Key = ($key, S)>, S> IntoPartition<T> for $value {
            type Sort = S;

            fn into_partition(self) -> Partition<T, S> {
                Partition::of_table(&IntoKey::<$key>::into_key(self))
            }
        }
    )*};
}

into_partition! {
    String => String; &String => String; &str => String;
    Vec<u8> => Vec<u8>; &Vec<u8> => Vec<u8>; &[u8] => Vec<u8>;
    i8 => i8; i16 => i16; i32 => i32; i64 => i64; isize => isize;
    u8 => u8; u16 => u16; u32 => u32; u64 => u64; usize => usize;
}
#[cfg(feature = "uuid")]
into_partition! { uuid::Uuid => uuid::Uuid; }

impl<K: KeyAttribute> SortKey for K {
    fn parts(&self) -> Vec<AttributeValue> {
        vec![self.to_attribute()]
    }
}

/// The sort key of a template without fields: all items have the same.
impl SortKey for () {
    fn parts(&self) -> Vec<AttributeValue> {
        Vec::new()
    }
}

#[diagnostic::do_not_recommend]
impl<S: KeyAttribute, I: IntoKey<S>> Bound<S> for I {
    fn parts(self) -> Vec<AttributeValue> {
        vec![self.into_key().to_attribute()]
    }
}

impl Leading<String> for String {
    fn parts(self) -> Vec<AttributeValue> {
        vec![AttributeValue::S(self)]
    }
}

impl Leading<String> for &String {
    fn parts(self) -> Vec<AttributeValue> {
        Leading::<String>::parts(self.as_str())
    }
}

impl Leading<String> for &str {
    fn parts(self) -> Vec<AttributeValue> {
        vec![AttributeValue::S(self.to_owned())]
    }
}

impl Leading<Vec<u8>> for Vec<u8> {
    fn parts(self) -> Vec<AttributeValue> {
        vec![AttributeValue::B(Blob::new(self))]
    }
}

impl Leading<Vec<u8>> for &Vec<u8> {
    fn parts(self) -> Vec<AttributeValue> {
        Leading::<Vec<u8>>::parts(self.as_slice())
    }
}

impl Leading<Vec<u8>> for &[u8] {
    fn parts(self) -> Vec<AttributeValue> {
        vec![AttributeValue::B(Blob::new(self))]
    }
}

macro_rules! sort_key_of_parts {
    ($($part:ident)*) => {
        impl<$($part: KeyAttribute),*> SortKey for ($($part,)*) {
            #[expect(non_snake_case, reason = "the parts are named as their types are")]
            fn parts(&self) -> Vec<AttributeValue> {
                let ($($part,)*) = self;
                vec![$($part.to_attribute()),*]
            }
        }

        impl<$($part: KeyAttribute),*> Bound<($($part,)*)> for &($($part,)*) {
            fn parts(self) -> Vec<AttributeValue> {
                SortKey::parts(self)
            }
        }
    };
}

sort_key_of_parts! { A }
sort_key_of_parts! { A B }
sort_key_of_parts! { A B C }
sort_key_of_parts! { A B C D }

macro_rules! leading_parts {
    ($($part:ident $given:ident)*; $($rest:ident)*) => {
        impl<$($part: KeyAttribute, $given: IntoKey<$part>,)* $($rest),*> Leading<($($part,)* $($rest,)*)> for ($($given,)*) {
            #[expect(non_snake_case, reason = "the parts are named as their types are")]
            fn parts(self) -> Vec<AttributeValue> {
                let ($($given,)*) = self;
                vec![$(IntoKey::<$part>::into_key($given).to_attribute()),*]
            }
        }

        impl<$($part: KeyAttribute, $given: IntoKey<$part>,)* $($rest),*> Bound<($($part,)* $($rest,)*)> for ($($given,)*) {
            fn parts(self) -> Vec<AttributeValue> {
                Leading::<($($part,)* $($rest,)*)>::parts(self)
            }
        }
    };
}

leading_parts! { A IA; }
leading_parts! { A IA; B }
leading_parts! { A IA B IB; }
leading_parts! { A IA; B C }
leading_parts! { A IA B IB; C }
leading_parts! { A IA B IB C IC; }
leading_parts! { A IA; B C D }
leading_parts! { A IA B IB; C D }
leading_parts! { A IA B IB C IC; D }
leading_parts! { A IA B IB C IC D ID; }

/// The value of a partition key, if it can be one.
fn checked(name: &str, key_type: KeyType, value: Result<AttributeValue, Error>) -> Result<AttributeValue, Error> {
    let value = value?;
    key::check(name, &value, key_type, 0)?;
    Ok(value)
}

impl<T, S> fmt::Debug for Partition<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Partition").field("index", &self.index).field("attribute", &self.key.0).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
