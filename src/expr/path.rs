//! Paths to attributes, typed and raw.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;

use crate::error::Error;
use crate::expr::value;

/// The path to an attribute of the item type `T`, whose field is a `V`.
///
/// `#[derive(Item)]` makes one for each field but the one that shows the version, in `T::FIELDS`. Conditions are built from it
/// (`f.balance.ge(10)`); updates name it (`.add(f.balance, 10)`). An [`Item`](crate::Item) written by hand makes its own by
/// [`Path::new`].
pub struct Path<T, V> {
    name: &'static str,
    aliases: &'static [&'static str],
    is_optional: bool,
    encode: fn(&V) -> Result<AttributeValue, Error>,
    of: PhantomData<fn() -> T>,
}

/// A path as it is rendered: names and indexes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct RawPath(Vec<Segment>);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Segment {
    Name(Cow<'static, str>),
    #[cfg_attr(not(test), expect(dead_code, reason = "typed paths into lists are yet to come"))]
    Index(usize),
}

impl<T, V> Path<T, V> {
    /// The attribute with this name, whose values are stored as they serialise. For items written by hand: the name and the type
    /// have to be those that the item's own `Serialize` stores, which nothing checks.
    ///
    /// [`Item`](crate::Item) has an example.
    #[must_use]
    pub const fn new(name: &'static str) -> Self
    where
        V: Serialize,
    {
        Self { name, aliases: &[], is_optional: false, encode: value::encode::<V>, of: PhantomData }
    }

    /// The attribute with this name, whose values serialise by a function of the field's own.
    #[doc(hidden)]
    #[must_use]
    pub const fn with_encoder(name: &'static str, encode: fn(&V) -> Result<AttributeValue, Error>) -> Self {
        Self { name, aliases: &[], is_optional: false, encode, of: PhantomData }
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

    /// The attribute's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) const fn alias_names(&self) -> &'static [&'static str] {
        self.aliases
    }

    pub(crate) fn is_optional(&self) -> bool {
        self.is_optional
    }

    pub(crate) fn encode(&self, value: &V) -> Result<AttributeValue, Error> {
        value::encode_for(self.name, value, self.encode)
    }

    pub(crate) fn raw(&self) -> RawPath {
        RawPath::from(self.name)
    }
}

impl RawPath {
    pub(crate) fn segments(&self) -> &[Segment] {
        &self.0
    }

    /// The name of the top-level attribute.
    pub(crate) fn top(&self) -> &str {
        match &self.0[..] {
            [Segment::Name(name), ..] => name,
            _ => "",
        }
    }

    /// Whether this is a path within an attribute.
    pub(crate) fn is_nested(&self) -> bool {
        self.0.len() > 1
    }

    pub(crate) fn child(&self, name: String) -> Self {
        let mut segments = self.0.clone();
        segments.push(Segment::Name(name.into()));
        Self(segments)
    }

    #[cfg(test)]
    pub(crate) fn index(mut self, index: usize) -> Self {
        self.0.push(Segment::Index(index));
        self
    }

    /// Whether one of the two paths is, or lies within, the other, so that one update can't name both.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(one, other)| one == other)
    }
}

impl<N: Into<Cow<'static, str>>> From<N> for RawPath {
    fn from(name: N) -> Self {
        Self(vec![Segment::Name(name.into())])
    }
}

impl fmt::Display for RawPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Name(name) if position == 0 => f.write_str(name)?,
                Segment::Name(name) => write!(f, ".{name}")?,
                Segment::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

impl<T, V> Clone for Path<T, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, V> Copy for Path<T, V> {}

impl<T, V> fmt::Debug for Path<T, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Path").field(&self.name).finish()
    }
}
