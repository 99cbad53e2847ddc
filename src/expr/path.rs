//! Paths to attributes, typed and raw.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;

use crate::error::Error;
use crate::expr::value::{self, Contains};

mod kind;
mod raw;
mod step;

pub use kind::{Changeable, Field, KeyField, Nested, PathKind};
pub(crate) use raw::{RawPath, Segment};
pub use step::{Document, List, Map};

/// The path to an attribute of the item type `T`, or to what lies within one, that is a `V`.
///
/// `#[derive(Item)]` makes one for each field but the one that shows the version, in `T::FIELDS`. Conditions are built from it
/// (`f.balance.ge(10)`); updates name it (`.add(f.balance, 10)`). An [`Item`](crate::Item) written by hand makes its own by
/// [`Path::new`], and so does whoever wants to name an attribute that the struct doesn't have.
///
/// Conditions are joined by `&`, `|` and `!` (not `&&` and `||`): `f.balance.ge(10) & !f.locked.eq(true)`.
///
/// From a path to a nested struct, a list or a map others lead on: [`field`](Path::field), [`at`](Path::at) and
/// [`key`](Path::key), which can follow each other, as in `f.orders.at(0).field(|o| o.lines).at(1).field(|l| l.quantity).ge(2)`.
/// `P` says what kind of path it is: [`Field`], [`KeyField`] or [`Nested`]. The first two are `Copy`; a [`Nested`] one is cloned
/// where it is used twice.
///
/// A condition looks for an attribute under its own name. What an item has under an alias of serde's is absent to it, and so is
/// what lies within; an update that would change something within is refused.
///
/// Which types of values go with which conditions and changes, and what timestamps, decimals and newtypes need, is
/// [in the guide](crate::guide::values).
pub struct Path<T, V, P = Field> {
    place: P,
    aliases: &'static [&'static str],
    is_optional: bool,
    encoding: Encoding<V>,
    of: PhantomData<fn() -> T>,
}

/// How the values are stored.
enum Encoding<V> {
    /// As they serialise.
    Plain(fn(&V) -> Result<AttributeValue, Error>),
    /// By a function of the field's own.
    Own(fn(&V) -> Result<AttributeValue, Error>),
    /// As a function sees fit that takes the whole attribute.
    Unknown,
}

impl<T, V> Path<T, V> {
    /// The attribute with this name, whose values are stored as they serialise. For items written by hand, and for attributes
    /// that the struct doesn't have: the name and the type have to be those that are stored, which nothing checks.
    ///
    /// [`Item`](crate::Item) has an example. A dot in the name is a part of it: [`key`](Path::key) leads to what lies within.
    #[must_use]
    pub const fn new(name: &'static str) -> Self
    where
        V: Serialize,
    {
        Self::new_at(Field(name), Encoding::new())
    }

    /// The attribute with this name, whose values serialise by a function of the field's own.
    #[doc(hidden)]
    #[must_use]
    pub const fn with_encoder(name: &'static str, encode: fn(&V) -> Result<AttributeValue, Error>) -> Self {
        Self::new_at(Field(name), Encoding::Own(encode))
    }

    /// Names others under which the item's `Deserialize` reads the attribute too. Setting or removing it removes those.
    #[must_use]
    pub const fn aliases(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    /// Says that the item's `Deserialize` reads an absent attribute as `None`, so that setting `None` removes it. Without this,
    /// null is stored.
    #[must_use]
    pub const fn optional(mut self) -> Self {
        self.is_optional = true;
        self
    }

    /// Says that the attribute is one of the key, so that an update that names it doesn't compile.
    #[must_use]
    pub const fn of_key(self) -> Path<T, V, KeyField> {
        let Self { place: Field(name), aliases, is_optional, encoding, .. } = self;
        Path { place: KeyField(name), aliases, is_optional, encoding, of: PhantomData }
    }

    /// The attribute's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.place.0
    }
}

impl<T, V> Path<T, V, KeyField> {
    /// The attribute's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.place.0
    }
}

impl<T, V, P> Path<T, V, P> {
    const fn new_at(place: P, encoding: Encoding<V>) -> Self {
        Self { place, aliases: &[], is_optional: false, encoding, of: PhantomData }
    }

    fn with_aliases(self, aliases: &'static [&'static str], is_optional: bool) -> Self {
        Self { aliases, is_optional, ..self }
    }

    #[doc(hidden)]
    #[must_use]
    pub const fn alias_names(&self) -> &'static [&'static str] {
        self.aliases
    }

    pub(crate) fn is_optional(&self) -> bool {
        self.is_optional
    }
}

impl<T, V, P: PathKind> Path<T, V, P> {
    /// The path as it is rendered, if DynamoDB takes it.
    pub(crate) fn raw(&self) -> Result<RawPath, Error> {
        let Nested { path, fault, .. } = self.place.clone().nested();
        match fault {
            Some(why) => Err(Error::invalid(format!("the path `{path}` {why}"))),
            None => Ok(path),
        }
    }

    /// The first on the way to what the path names that may be stored under another name, and that name.
    pub(crate) fn aliased_parent(&self) -> Option<(RawPath, &'static str)> {
        self.place.clone().nested().aliased
    }

    /// As messages name it.
    pub(crate) fn shown(&self) -> Cow<'static, str> {
        self.place.shown()
    }

    pub(crate) fn encode(&self, value: &V) -> Result<AttributeValue, Error> {
        match self.encoding {
            Encoding::Plain(encode) | Encoding::Own(encode) => value::encode_for(&self.shown(), value, encode),
            Encoding::Unknown => Err(Error::invalid(format!(
                "`{}` lies within what a function of the user's serialises (`with`, `serialize_with`), so that nothing tells how \
                 its values are stored; name the whole, or give the values a type that serialises by itself",
                self.shown()
            ))),
        }
    }
}

impl<T, V: Contains, P: PathKind> Path<T, V, P> {
    /// What the attribute may contain, as it is stored within it.
    pub(crate) fn encode_part(&self, part: V::Part) -> Result<AttributeValue, Error> {
        let part = match self.encoding {
            Encoding::Plain(_) => part,
            Encoding::Own(_) | Encoding::Unknown => match V::with_sole(part) {
                Ok(whole) => return self.encode(&whole).map(sole),
                Err(part) => part,
            },
        };
        value::encode_for(&self.shown(), &part, value::encode)
    }
}

/// The only element of a list or a set.
fn sole(whole: AttributeValue) -> AttributeValue {
    let first = match &whole {
        AttributeValue::L(list) => list.first().cloned(),
        AttributeValue::Ss(set) => set.first().cloned().map(AttributeValue::S),
        AttributeValue::Ns(set) => set.first().cloned().map(AttributeValue::N),
        AttributeValue::Bs(set) => set.first().cloned().map(AttributeValue::B),
        _ => None,
    };
    first.unwrap_or(whole)
}

impl<V> Encoding<V> {
    const fn new() -> Self
    where
        V: Serialize,
    {
        Self::Plain(value::encode::<V>)
    }

    fn is_plain(&self) -> bool {
        matches!(self, Self::Plain(_))
    }
}

impl<V> Clone for Encoding<V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V> Copy for Encoding<V> {}

impl<T, V, P: Clone> Clone for Path<T, V, P> {
    fn clone(&self) -> Self {
        Self { place: self.place.clone(), ..*self }
    }
}

impl<T, V, P: Copy> Copy for Path<T, V, P> {}

impl<T, V, P: fmt::Debug> fmt::Debug for Path<T, V, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Path").field(&self.place).finish()
    }
}
