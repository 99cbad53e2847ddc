//! Keys: which types can be one, and which values stand for one.

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;

use crate::epoch::{EpochMillis, EpochSeconds};
use crate::error::Error;
use crate::item::{Item, RawItem};

mod identity;

pub(crate) use self::identity::{Identity, is_same};

/// The types of key attributes that DynamoDB has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyType {
    /// A string, 1 to 2048 bytes in a partition key and 1 to 1024 in a sort key.
    String,
    /// A number.
    Number,
    /// Bytes, as many as of a string.
    Binary,
}

/// A type that can be a partition key or a sort key: strings, integers, bytes, times ([`EpochSeconds`], [`EpochMillis`]), and by
/// `#[derive(KeyAttribute)]` newtypes of them, and enums without data.
///
/// Written by hand it is what serde stores of the type, and [`IntoKey`] goes with it, for the type itself and a reference to it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be a key",
    label = "not a key type",
    note = "DynamoDB's keys are strings, whole numbers and bytes: use `String`, an integer, `Vec<u8>` with `serde_bytes`, \
            or a newtype of one, or an enum without data, with `#[derive(KeyAttribute)]`"
)]
pub trait KeyAttribute: Clone + Send + Sync + 'static {
    /// How such a key is stored.
    const TYPE: KeyType;

    /// The key as an attribute.
    fn to_attribute(&self) -> AttributeValue;
}

/// The key of an item: a partition key, or a partition key and a sort key.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be the key of an item",
    note = "a key is a string, a whole number or bytes, or a tuple of two of them"
)]
pub trait Key: Clone + Send + Sync + 'static {
    /// How its attributes are stored.
    const TYPES: &'static [KeyType];

    /// Its attributes, in the order of [`TYPES`](Key::TYPES).
    fn to_attributes(&self) -> Vec<AttributeValue>;

    /// The same, unless one of its parts can't be in a key.
    #[doc(hidden)]
    fn rendered(&self) -> Result<Vec<AttributeValue>, Error> {
        Ok(self.to_attributes())
    }

    /// The values that it is put together of, by the names of their attributes, where they aren't its attributes themselves.
    #[doc(hidden)]
    fn parts(&self) -> &[(&'static str, AttributeValue)] {
        &[]
    }
}

/// A value that stands for a key of type `K`: the key itself, a reference to it, `&str` for a `String`, a tuple of two.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't stand for a key of type `{K}`",
    label = "this is a `{Self}`, the key is a `{K}`",
    note = "an item with a sort key takes a tuple: (partition key, sort key)",
    note = "the key of an item `T` with key templates is made by its derived functions: `T::key(..)` for one item, `T::keys(..)` for a \
            partition"
)]
pub trait IntoKey<K> {
    /// The key.
    fn into_key(self) -> K;
}

macro_rules! scalar_key {
    ($($type:ty: $key_type:ident, $value:ident => $attribute:expr;)*) => {$(
        impl KeyAttribute for $type {
            const TYPE: KeyType = KeyType::$key_type;

            fn to_attribute(&self) -> AttributeValue {
                let $value = self;
                $attribute
            }
        }

        impl Key for $type {
            const TYPES: &'static [KeyType] = &[KeyType::$key_type];

            fn to_attributes(&self) -> Vec<AttributeValue> {
                vec![self.to_attribute()]
            }
        }

        impl IntoKey<$type> for $type {
            fn into_key(self) -> $type {
                self
            }
        }

        impl IntoKey<$type> for &$type {
            fn into_key(self) -> $type {
                self.clone()
            }
        }
    )*};
}

macro_rules! number_key {
    ($($type:ty)*) => { scalar_key! { $($type: Number, value => AttributeValue::N(value.to_string());)* } };
}

scalar_key! {
    String: String, value => AttributeValue::S(value.clone());
    Vec<u8>: Binary, value => AttributeValue::B(Blob::new(value.as_slice()));
}
#[cfg(feature = "uuid")]
scalar_key! {
    uuid::Uuid: String, value => AttributeValue::S(value.hyphenated().to_string());
}
scalar_key! {
    EpochSeconds: Number, value => AttributeValue::N(value.to_string());
    EpochMillis: Number, value => AttributeValue::N(value.to_string());
}
number_key! { i8 i16 i32 i64 isize u8 u16 u32 u64 usize }

impl IntoKey<String> for &str {
    fn into_key(self) -> String {
        self.to_owned()
    }
}

impl IntoKey<Vec<u8>> for &[u8] {
    fn into_key(self) -> Vec<u8> {
        self.to_vec()
    }
}

impl<P: KeyAttribute, S: KeyAttribute> Key for (P, S) {
    const TYPES: &'static [KeyType] = &[P::TYPE, S::TYPE];

    fn to_attributes(&self) -> Vec<AttributeValue> {
        vec![self.0.to_attribute(), self.1.to_attribute()]
    }
}

impl<P, S, IP: IntoKey<P>, IS: IntoKey<S>> IntoKey<(P, S)> for (IP, IS) {
    fn into_key(self) -> (P, S) {
        (self.0.into_key(), self.1.into_key())
    }
}

impl<P: Clone, S: Clone> IntoKey<(P, S)> for &(P, S) {
    fn into_key(self) -> (P, S) {
        self.clone()
    }
}

/// The sort keys that a template puts together of so many parts. One of two is a tuple as a whole key is, above.
macro_rules! parts_key {
    ($($part:ident $given:ident)*) => {
        impl<$($part, $given: IntoKey<$part>),*> IntoKey<($($part,)*)> for ($($given,)*) {
            #[expect(non_snake_case, reason = "the parts are named as their types are")]
            fn into_key(self) -> ($($part,)*) {
                let ($($given,)*) = self;
                ($($given.into_key(),)*)
            }
        }

        impl<$($part: Clone),*> IntoKey<($($part,)*)> for &($($part,)*) {
            fn into_key(self) -> ($($part,)*) {
                self.clone()
            }
        }
    };
}

parts_key! { A IA }
parts_key! { A IA B IB C IC }
parts_key! { A IA B IB C IC D ID }

/// Fails to compile where a field marked as a key can't be one.
#[doc(hidden)]
pub const fn assert_key<K: KeyAttribute>() {}

/// Fails to compile where a key field has a serialiser of its own, which keys given to the verbs don't go through: they would
/// name another item. Bytes need one, and it only makes them bytes.
#[doc(hidden)]
#[track_caller]
pub const fn assert_key_is_stored_as_is<K: KeyAttribute>() {
    assert!(
        matches!(K::TYPE, KeyType::Binary),
        "a key is stored as its type has it: remove the field's own serialiser, and make it a newtype whose `Serialize` and \
         `KeyAttribute` agree"
    );
}

/// Fails to compile where a field can't be a part of a key template.
#[doc(hidden)]
#[track_caller]
pub const fn assert_template_part<K: KeyAttribute>() {
    assert!(!matches!(K::TYPE, KeyType::Binary), "a template puts text and numbers together, and this is neither");
}

/// Fails to compile where a field with a width in a key template is no number.
#[doc(hidden)]
#[track_caller]
pub const fn assert_template_number<K: KeyAttribute>() {
    assert!(matches!(K::TYPE, KeyType::Number), "only numbers have a width, up to which they are filled with zeros");
}

/// AWS, "Service quotas for DynamoDB": partition key and sort key lengths.
const MAX_BYTES: [usize; 2] = [2048, 1024];

/// The attributes of a key, checked.
pub(crate) fn key_attributes<T: Item>(key: &T::Key) -> Result<RawItem, Error> {
    let mut attributes = RawItem::with_capacity(2);
    let typed = <T::Key as Key>::TYPES.iter().zip(key.rendered()?);
    for (position, (name, (expected, value))) in T::SCHEMA.key_names().zip(typed).enumerate() {
        check(name, &value, *expected, position)?;
        attributes.insert(name.to_owned(), value);
    }
    Ok(attributes)
}

/// Checks a key attribute, of a key or of a serialised item.
pub(crate) fn check(name: &str, value: &AttributeValue, expected: KeyType, position: usize) -> Result<(), Error> {
    let found = match value {
        AttributeValue::S(_) => Some(KeyType::String),
        AttributeValue::N(_) => Some(KeyType::Number),
        AttributeValue::B(_) => Some(KeyType::Binary),
        _ => None,
    };
    if found != Some(expected) {
        return Err(Error::invalid(format!(
            "the key attribute `{name}` doesn't serialise as the {expected:?} that its type promises; bytes want \
             `#[serde(with = \"serde_bytes\")]`, and a newtype has to serialise as what it wraps"
        )));
    }
    check_length(name, value, MAX_BYTES[position.min(1)])
}

fn check_length(name: &str, value: &AttributeValue, most: usize) -> Result<(), Error> {
    let length = match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::B(blob) => blob.as_ref().len(),
        _ => return Ok(()),
    };
    match length {
        0 => {
            Err(Error::invalid(format!("the key attribute `{name}` is empty; DynamoDB's keys have at least one byte")))
        }
        _ if length > most => Err(Error::invalid(format!(
            "the key attribute `{name}` has {length} bytes; DynamoDB takes {most} here: shorten it, or store a digest of it"
        ))),
        _ => Ok(()),
    }
}
