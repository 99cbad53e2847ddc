//! Which values go with which fields.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet, VecDeque};
use std::hash::{BuildHasher, Hash};
use std::num::{NonZeroI8, NonZeroI16, NonZeroI32, NonZeroI64, NonZeroU8, NonZeroU16, NonZeroU32, NonZeroU64};
use std::sync::Arc;

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

impl<V> IntoValue<Box<V>> for V {
    fn into_value(self) -> Box<V> {
        Box::new(self)
    }
}

impl<V> IntoValue<Option<Box<V>>> for V {
    fn into_value(self) -> Option<Box<V>> {
        Some(Box::new(self))
    }
}

macro_rules! into {
    ($([$($parameter:tt)*] $given:ty, $owned:ident => $($field:ty)*;)*) => {
        $(into!(@each [$($parameter)*] $given, $owned => $($field)*);)*
    };
    (@each $parameters:tt $given:ty, $owned:ident => $($field:ty)*) => {
        $(into!(@one $parameters $given, $owned => $field);)*
    };
    (@one [$($parameter:tt)*] $given:ty, $owned:ident => $field:ty) => {
        impl<$($parameter)*> IntoValue<$field> for $given {
            fn into_value(self) -> $field {
                self.$owned().into()
            }
        }
        impl<$($parameter)*> IntoValue<Option<$field>> for $given {
            fn into_value(self) -> Option<$field> {
                Some(self.$owned().into())
            }
        }
    };
}

into! {
    [] &str, to_owned => Cow<'static, str> Box<str> Arc<str>;
    [] String, into_boxed_str => Box<str> Arc<str>;
    [E: Clone] &[E], to_vec => Vec<E>;
    [E: Clone, const N: usize] &[E; N], to_vec => Vec<E>;
    [E: Clone, const N: usize] [E; N], to_vec => Vec<E>;
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

// No 128 bits: `serde_dynamo` serialises none.
whole!(i8 i16 i32 i64 isize u8 u16 u32 u64 usize);

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

/// A field whose values have an order in DynamoDB: numbers, strings and binary.
///
/// `#[derive(Newtype)]` implements it for a newtype of one. Implement it yourself for a type only if what it is stored as sorts as
/// its values do: text that tells a time or a decimal seldom does. [The guide](crate::guide::values) says more.
#[diagnostic::on_unimplemented(
    message = "values of type `{Self}` have no order in DynamoDB",
    label = "a `{Self}` is neither less nor greater than another",
    note = "numbers, strings and binary can be compared with `lt`, `le`, `gt`, `ge` and `between`; derive `Newtype` for a newtype of \
            one, or implement `Ordered` for a type that is stored as one and sorts as it"
)]
pub trait Ordered {
    /// Whether the values are numbers, which as text would have another order: "10" is less than "9".
    #[doc(hidden)]
    const IS_NUMBER: bool = false;
}

macro_rules! ordered {
    ($($type:ty)*; $is_number:literal) => {$(
        impl Ordered for $type {
            const IS_NUMBER: bool = $is_number;
        }
    )*};
}

ordered!(i8 i16 i32 i64 isize u8 u16 u32 u64 usize f32 f64; true);
ordered!(NonZeroI8 NonZeroI16 NonZeroI32 NonZeroI64 NonZeroU8 NonZeroU16 NonZeroU32 NonZeroU64; true);
ordered!(String str char Vec<u8> [u8]; false);

impl<const N: usize> Ordered for [u8; N] {}

/// A field whose values begin with something: strings and binary. `#[derive(Newtype)]` implements it for a newtype of one.
#[diagnostic::on_unimplemented(message = "values of type `{Self}` have no beginning: only strings and binary do")]
pub trait Prefix {}

impl Prefix for String {}
impl Prefix for str {}
impl Prefix for Vec<u8> {}
impl Prefix for [u8] {}

/// A field that contains things: a string its substrings, a list or a set its elements. `#[derive(Newtype)]` implements it for a
/// newtype of one.
#[diagnostic::on_unimplemented(message = "values of type `{Self}` contain nothing: only strings, lists and sets do")]
pub trait Contains {
    /// What such a value contains.
    type Part: Serialize;

    /// A value with no other part, from which it can be told how a function of the field's own stores the part. Where there is no
    /// such value, the part.
    #[doc(hidden)]
    fn with_sole(part: Self::Part) -> Result<Self, Self::Part>
    where
        Self: Sized,
    {
        Err(part)
    }
}

impl Contains for String {
    type Part = Self;
}

impl Contains for str {
    type Part = String;
}

impl<E: Serialize> Contains for Vec<E> {
    type Part = E;

    fn with_sole(part: E) -> Result<Self, E> {
        Ok(vec![part])
    }
}

impl<E: Serialize> Contains for VecDeque<E> {
    type Part = E;

    fn with_sole(part: E) -> Result<Self, E> {
        Ok([part].into())
    }
}

impl<E: Serialize, const N: usize> Contains for [E; N] {
    type Part = E;
}

impl<E: Serialize + Eq + Hash, S: BuildHasher + Default> Contains for HashSet<E, S> {
    type Part = E;

    fn with_sole(part: E) -> Result<Self, E> {
        Ok(Self::from_iter([part]))
    }
}

impl<E: Serialize + Ord> Contains for BTreeSet<E> {
    type Part = E;

    fn with_sole(part: E) -> Result<Self, E> {
        Ok([part].into())
    }
}

impl<V: Contains> Contains for Option<V> {
    type Part = V::Part;

    fn with_sole(part: V::Part) -> Result<Self, V::Part> {
        V::with_sole(part).map(Some)
    }
}

/// A field that is a list or a set, which an update can append to, unite with, or take from. `#[derive(Newtype)]` implements it for
/// a newtype of one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither a list nor a set, so nothing can be appended or united with it"
)]
pub trait Elements {}

impl<E> Elements for Vec<E> {}
impl<E> Elements for VecDeque<E> {}
impl<E, S> Elements for HashSet<E, S> {}
impl<E> Elements for BTreeSet<E> {}
impl<V: Elements> Elements for Option<V> {}

macro_rules! as_what_they_hold {
    ($([$($parameter:tt)*] $type:ty;)*) => {$(
        impl<$($parameter)* + Ordered> Ordered for $type {
            const IS_NUMBER: bool = V::IS_NUMBER;
        }
        impl<$($parameter)* + Prefix> Prefix for $type {}
    )*};
}

as_what_they_hold! {
    [V: Sized] Option<V>;
    [V: ?Sized] Box<V>;
    [V: ?Sized] Arc<V>;
    [V: ?Sized + ToOwned] Cow<'_, V>;
}

impl<V: ?Sized + Contains> Contains for Box<V> {
    type Part = V::Part;
}

impl<V: ?Sized + Contains> Contains for Arc<V> {
    type Part = V::Part;
}

impl<V: ?Sized + ToOwned + Contains> Contains for Cow<'_, V> {
    type Part = V::Part;
}

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
