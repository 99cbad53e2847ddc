//! Which values go with which fields.

use std::collections::{BTreeSet, HashSet};

use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;

use crate::error::Error;

/// A value that a field of type `V` can hold or be compared with.
#[diagnostic::on_unimplemented(
    message = "a field of type `{V}` can't take or be compared with a `{Self}`",
    label = "this is a `{Self}`, the field is a `{V}`",
    note = "give a value of the field's own type"
)]
pub trait IntoValue<V> {
    /// The value, as the field's type.
    fn into_value(self) -> V;
}

impl<V> IntoValue<V> for V {
    fn into_value(self) -> V {
        self
    }
}

impl<V: Clone> IntoValue<V> for &V {
    fn into_value(self) -> V {
        self.clone()
    }
}

impl<V> IntoValue<Option<V>> for V {
    fn into_value(self) -> Option<V> {
        Some(self)
    }
}

impl<V: Clone> IntoValue<Option<V>> for &V {
    fn into_value(self) -> Option<V> {
        Some(self.clone())
    }
}

impl IntoValue<String> for &str {
    fn into_value(self) -> String {
        self.to_owned()
    }
}

impl IntoValue<Option<String>> for &str {
    fn into_value(self) -> Option<String> {
        Some(self.to_owned())
    }
}

/// A change of a number field of type `V`: any whole number for a whole number, so that an unsigned one can be lessened.
#[diagnostic::on_unimplemented(
    message = "a field of type `{V}` can't be added to with a `{Self}`",
    label = "this is a `{Self}`, the field is a `{V}`",
    note = "only number fields can be added to, whole numbers by whole numbers"
)]
pub trait Delta<V> {
    /// The number, as DynamoDB takes it.
    ///
    /// # Errors
    ///
    /// What is no number.
    fn into_delta(self) -> Result<AttributeValue, Error>;
}

macro_rules! whole {
    (@delta $field:ty: $($delta:ty)*) => {$(
        impl Delta<$field> for $delta {
            fn into_delta(self) -> Result<AttributeValue, Error> {
                Ok(AttributeValue::N(self.to_string()))
            }
        }
        impl Delta<Option<$field>> for $delta {
            fn into_delta(self) -> Result<AttributeValue, Error> {
                Ok(AttributeValue::N(self.to_string()))
            }
        }
    )*};
    ($($field:ty)*) => {$(
        whole!(@delta $field: i8 i16 i32 i64 i128 isize u8 u16 u32 u64 u128 usize);
    )*};
}

whole!(i8 i16 i32 i64 i128 isize u8 u16 u32 u64 u128 usize);

macro_rules! fractional {
    ($($field:ty)*) => {$(
        impl Delta<$field> for $field {
            fn into_delta(self) -> Result<AttributeValue, Error> {
                encode(&self)
            }
        }
        impl Delta<Option<$field>> for $field {
            fn into_delta(self) -> Result<AttributeValue, Error> {
                encode(&self)
            }
        }
    )*};
}

fractional!(f32 f64);

/// A field whose values have an order in DynamoDB: numbers, strings and binary. Implement it for your own newtypes.
#[diagnostic::on_unimplemented(
    message = "values of type `{Self}` have no order in DynamoDB",
    note = "numbers, strings and binary can be compared with `lt`, `le`, `gt`, `ge` and `between`; implement `Ordered` for a newtype of one"
)]
pub trait Ordered {}

macro_rules! ordered {
    ($($type:ty)*) => {$( impl Ordered for $type {} )*};
}

ordered!(i8 i16 i32 i64 i128 isize u8 u16 u32 u64 u128 usize f32 f64 String Vec<u8>);
impl<V: Ordered> Ordered for Option<V> {}

/// A field whose values begin with something: strings and binary. Implement it for your own newtypes.
#[diagnostic::on_unimplemented(message = "values of type `{Self}` have no beginning: only strings and binary do")]
pub trait Prefix {}

impl Prefix for String {}
impl Prefix for Vec<u8> {}
impl<V: Prefix> Prefix for Option<V> {}

/// A field that contains things: a string its substrings, a list or a set its elements.
#[diagnostic::on_unimplemented(message = "values of type `{Self}` contain nothing: only strings, lists and sets do")]
pub trait Contains {
    /// What such a value contains.
    type Part: Serialize;
}

impl Contains for String {
    type Part = String;
}

impl<E: Serialize> Contains for Vec<E> {
    type Part = E;
}

impl<E: Serialize, S> Contains for HashSet<E, S> {
    type Part = E;
}

impl<E: Serialize> Contains for BTreeSet<E> {
    type Part = E;
}

impl<V: Contains> Contains for Option<V> {
    type Part = V::Part;
}

/// A field that is a list or a set, which an update can append to, unite with, or take from.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither a list nor a set, so nothing can be appended or united with it"
)]
pub trait Elements {}

impl<E> Elements for Vec<E> {}
impl<E, S> Elements for HashSet<E, S> {}
impl<E> Elements for BTreeSet<E> {}
impl<V: Elements> Elements for Option<V> {}

/// A value as serde and `serde_dynamo` write it.
///
/// # Errors
///
/// What no attribute can hold.
#[doc(hidden)]
pub fn encode<V: Serialize>(value: &V) -> Result<AttributeValue, Error> {
    serde_dynamo::to_attribute_value(value)
        .map_err(|error| Error::invalid("the value can't be serialised as an attribute").with_source(error))
}

/// The same, of a value for the attribute with this name.
pub(crate) fn encode_for<V: ?Sized>(
    name: &str,
    value: &V,
    encode: impl FnOnce(&V) -> Result<AttributeValue, Error>,
) -> Result<AttributeValue, Error> {
    encode(value).map_err(|error| {
        error.with_message(format!(
            "the value for `{name}` doesn't serialise as an attribute, which the source explains; numbers have 64 bits at \
             most, and the keys of maps are text: store others as text"
        ))
    })
}
