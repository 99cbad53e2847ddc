//! Writes to DynamoDB that happen exactly once.
//!
//! When the reply to a conditional write is lost, every retry meets the write's own first attempt, and the caller is told
//! "already exists" or "conflict" by itself; a counter counts twice. This crate leaves a small stamp on each item, by which a
//! retry recognises its own write. Each call ends in exactly one of these:
//!
//! | outcome | means |
//! |---|---|
//! | [`Outcome::Applied`] | the effect is in the table exactly once; the reply came the ordinary way |
//! | [`Outcome::Replayed`] | the same, found out from the stored stamp |
//! | [`Outcome::Unchanged`] | there was nothing to change, and nothing was sent |
//! | refused: [`Error::is_refused`] | the effect is not in the table, and no attempt under way can put it there; the error brings the item along |
//! | not applied: another [`ErrorKind`] | gave up, and nothing of it can have reached the table |
//! | [`ErrorKind::OutcomeUnknown`] | none of these could be proved; never reported as one of them |
//!
//! A [`Store`] is made of the SDK's configuration, a [`Table`] of an [`Item`] type, and each verb ends in `.send().await`:
//!
//! ```
//! use dynamo_once::{Item, Store, testing::Embedded};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize, Item)]
//! #[item(table = "accounts")]
//! struct Account {
//!     #[item(partition_key)]
//!     id: String,
//!     balance: i64,
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let engine = Embedded::start().await; // or: aws_config::load_defaults(..)
//! let accounts = Store::new(engine.config().build()).table::<Account>();
//! # accounts.create_if_missing().await?;
//! accounts.insert(&Account { id: "acc-1".into(), balance: 100 }).send().await?;
//!
//! let f = Account::FIELDS;
//! accounts.update("acc-1").add(f.balance, -10).when(f.balance.ge(10)).send().await?;
//! accounts.modify("acc-1", |account| account.balance *= 2).send().await?;
//! assert_eq!(accounts.get("acc-1").send().await?.expect("is there").balance, 180);
//! # Ok(())
//! # }
//! ```
//!
//! # Guide
//!
//! [How we know](guide::how_we_know) that the promise is kept, and [where it ends](guide::where_the_promise_ends); [moving an existing
//! table](guide::moving_a_table); [several item types in one table](guide::single_table); [Lambda](guide::lambda); [values](guide::values)
//! and what goes with them; [permissions](guide::permissions); [testing your own code](guide::testing) against lost replies.
//!
//! # Layers
//!
//! From the bottom, and no module imports from a higher layer, but that `error` brings items along and verbs name their [`Table`]:
//! `error`, `value`, `epoch`, `template`, `key`, `index`, `item`, `item_key`, `partition`, `expr`, `maintained`, `tombstone`, `protocol`,
//! `record`, `stamp`, `fingerprint`, `format`, `versioned`, `token`, `start_token` (no async, no network); `retry` and `meter`; `flight`, `call`
//! (the only place that sends), `lanes` and `stamped` (attempts as requests); `drive` (the one loop), `settle` and `transact` (a write and a transaction on their way through it
//! to their outcome) and `claims`; `written`, `pending`, `projection` and `op`, a file for each verb, with `op::pages` and `op::items` under
//! queries and scans; `table` and `store`; `once`; `batch` and `lambda`.
//!
//! # Features
//!
//! `derive` (default), `uuid`, `lambda`, `test-util`, `embedded`; the README says what each brings.

#[cfg(test)]
mod arbitrary;
mod batch;
mod call;
mod claims;
mod drive;
mod epoch;
mod error;
mod expr;
mod fingerprint;
mod flight;
mod format;
pub mod guide;
mod index;
mod item;
mod item_key;
mod key;
#[cfg(feature = "lambda")]
mod lambda;
mod lanes;
mod maintained;
mod meter;
mod once;
mod op;
mod partition;
mod pending;
mod projection;
mod protocol;
mod record;
mod retry;
#[cfg(test)]
mod rows;
mod settle;
mod stamp;
mod stamped;
mod start_token;
mod store;
mod table;
mod template;
#[cfg(any(feature = "test-util", feature = "embedded"))]
pub mod testing;
mod token;
mod tombstone;
mod trace;
mod transact;
mod user_agent;
mod value;
mod versioned;
mod written;

pub use batch::{Batch, BatchError, BatchItemFailure, BatchResponse};
#[cfg(feature = "derive")]
pub use dynamo_once_derive::{Document, Item, KeyAttribute, Newtype, Projection};
pub use epoch::{EpochMillis, EpochSeconds};
pub use error::{Error, ErrorKind, Limit};
pub use expr::{AttributeType, Condition, Contains, Delta, Elements, IntoValue, Ordered, Prefix, Size};
pub use expr::{Changeable, Document, Field, KeyField, List, Map, Nested, Path, PathKind};
pub use item::{Attribute, Item, Schema};
pub use item_key::ItemKey;
pub use key::{IntoKey, Key, KeyAttribute, KeyType};
#[cfg(feature = "lambda")]
pub use lambda::{Delivery, OnceLayer, OnceService};
pub use maintained::{Expiry, HoldsTime};
pub use meter::{Consumed, Meter};
pub use once::{Context, LargeAnswers, Lease, MissingKey, Once, OnceError, Ran, Recorded, RecordedModify, Records};
pub use op::check::Check;
pub use op::delete::Delete;
pub use op::get::{Consistency, Get};
pub use op::get_many::GetMany;
pub use op::insert::Insert;
pub use op::items::{Items, Page};
pub use op::many::{InsertMany, UpsertMany};
pub use op::modify::{Decision, Modify};
pub use op::part::Part;
pub use op::query::Query;
pub use op::save::Save;
pub use op::scan::Scan;
pub use op::transact::{PendingTransaction, Transact, Transacted};
pub use op::transact_get::{Found, TransactGet};
pub use op::update::Update;
pub use op::upsert::Upsert;
pub use partition::{Bound, IntoPartition, Leading, Partition, SortKey};
pub use pending::{Aborted, Pending, PendingToken};
pub use projection::Projection;
pub use retry::RetryPolicy;
pub use start_token::StartToken;
pub use store::{Store, StoreBuilder};
pub use table::Table;
pub use tombstone::Tombstones;
pub use versioned::{Changed, Etag, Versioned};
pub use written::{Outcome, Written};

/// What the derive macros name. Not part of the API.
#[doc(hidden)]
pub mod __private {
    pub use aws_sdk_dynamodb::types::AttributeValue;
    pub use serde;

    pub use crate::expr::encode;
    pub use crate::index::{Index, IndexKey};
    pub use crate::item::{FieldType, NoOption, ShowsVersion, assert_version};
    pub use crate::key::{assert_key, assert_key_is_stored_as_is, assert_template_number, assert_template_part};
    pub use crate::maintained::{HoldsExpiry, Unit, assert_holds_expiry};
    pub use crate::projection::{SameField, assert_projected, assert_same};
    pub use crate::template::{Template, TemplatePart};
}

#[doc = include_str!("../README.md")]
#[cfg(doctest)]
struct Readme;

#[cfg(test)]
extern crate self as dynamo_once;
