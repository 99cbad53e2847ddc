//! The kinds of paths.

use std::borrow::Cow;
use std::fmt;

use crate::expr::path::RawPath;

/// What kind of path a [`Path`](crate::Path) is: [`Field`], [`KeyField`] or [`Nested`].
pub trait PathKind: Place {}

/// A kind of path that an update can change: any but that of a key attribute.
#[diagnostic::on_unimplemented(
    message = "a key attribute can't be changed, or compared by `upsert_newer`: an item keeps its key",
    label = "this is the path of a key attribute",
    note = "to give an item another key, insert it under the new one and delete it under the old one"
)]
pub trait Changeable: PathKind {}

/// The kind of a path to a top-level attribute.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Field(pub(super) &'static str);

/// The kind of a path to an attribute of the key, which conditions can name, and no change can.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyField(pub(super) &'static str);

/// The kind of a path within an attribute: to a field of a nested struct, an element of a list, or an entry of a map.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Nested {
    pub(super) path: RawPath,
    /// The first on the way that may be stored under another name, and that name.
    pub(super) aliased: Option<(RawPath, &'static str)>,
    /// Why DynamoDB takes no such path.
    pub(super) fault: Option<&'static str>,
}

/// Where a path leads. Nobody else can implement it, since nobody else can name it.
#[expect(unnameable_types, reason = "what keeps the trait of the kinds sealed")]
pub trait Place: Clone + fmt::Debug {
    #[doc(hidden)]
    fn nested(self) -> Nested;

    /// As messages name it.
    #[doc(hidden)]
    fn shown(&self) -> Cow<'static, str>;
}

impl PathKind for Field {}
impl PathKind for KeyField {}
impl PathKind for Nested {}
impl Changeable for Field {}
impl Changeable for Nested {}

impl Place for Field {
    fn nested(self) -> Nested {
        Nested { path: RawPath::from(self.0), aliased: None, fault: None }
    }

    fn shown(&self) -> Cow<'static, str> {
        Cow::Borrowed(self.0)
    }
}

impl Place for KeyField {
    fn nested(self) -> Nested {
        Field(self.0).nested()
    }

    fn shown(&self) -> Cow<'static, str> {
        Cow::Borrowed(self.0)
    }
}

impl Place for Nested {
    fn nested(self) -> Nested {
        self
    }

    fn shown(&self) -> Cow<'static, str> {
        Cow::Owned(self.path.to_string())
    }
}

impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.0, f)
    }
}

impl fmt::Debug for KeyField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.0, f)
    }
}

impl fmt::Debug for Nested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.path.to_string(), f)
    }
}
