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
mod trace;
mod value;
mod versioned;
mod written;

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
