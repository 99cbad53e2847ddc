//! Expressions: what a condition or an update says, and how DynamoDB reads it.

mod condition;
mod diff;
mod path;
mod render;
mod update;
mod value;

pub use condition::{AttributeType, Condition, Size};
pub(crate) use condition::{Comparator, Node, Operand, has_order, is_greater};
pub(crate) use diff::{apply, diff, same};
pub(crate) use path::RawPath;
pub use path::{Changeable, Document, Field, KeyField, List, Map, Nested, Path, PathKind};
pub(crate) use render::{Names, Rendering, Values};
pub(crate) use update::{Action, Changes};
#[doc(hidden)]
pub use value::encode;
pub use value::{Contains, Delta, Elements, IntoValue, Ordered, Prefix};
