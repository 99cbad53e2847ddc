//! Writes to DynamoDB that happen exactly once.

mod call;
mod error;
mod expr;
mod fingerprint;
mod format;
mod item;
mod key;
mod lanes;
mod op;
mod protocol;
mod retry;
mod settle;
mod stamp;
mod store;
mod table;
#[cfg(any(feature = "test-util", feature = "embedded"))]
pub mod testing;
mod trace;
mod value;
mod versioned;
mod written;

#[cfg(feature = "derive")]
pub use dynamo_once_derive::{Item, KeyAttribute};
pub use error::{Error, ErrorKind, Limit};
pub use expr::{AttributeType, Condition, Contains, Delta, Elements, IntoValue, Ordered, Path, Prefix, Size};
pub use item::{Attribute, Item, Schema};
pub use key::{IntoKey, Key, KeyAttribute, KeyType};
pub use op::delete::Delete;
pub use op::get::{Consistency, Get};
pub use op::insert::Insert;
pub use op::modify::{Decision, Modify};
pub use op::save::Save;
pub use op::update::Update;
pub use op::upsert::Upsert;
pub use retry::RetryPolicy;
pub use store::{Store, StoreBuilder};
pub use table::Table;
pub use versioned::{Changed, Etag, Versioned};
pub use written::{Outcome, Written};

/// What the derive macros name. Not part of the API.
#[doc(hidden)]
pub mod __private {
    pub use aws_sdk_dynamodb::types::AttributeValue;
    pub use serde;

    pub use crate::expr::encode;
    pub use crate::key::assert_key;
}

#[cfg(test)]
extern crate self as dynamo_once;
