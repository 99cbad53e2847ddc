//! What the verbs answer, for users' own doubles of what they put around a table.
//!
//! Code that calls a table directly is tested best against [`Embedded`](super::Embedded) and [`Faults`](super::Faults), which
//! don't pretend. Code behind a trait of yours, whose double stands in the place of the table, needs answers to give: each kind
//! of error, an item as it was read, a write as it was reported.
//!
//! ```
//! use dynamo_once::{ErrorKind, Item, Outcome, testing::mock};
//!
//! #[derive(Debug, serde::Serialize, serde::Deserialize, Item)]
//! struct Account {
//!     #[item(partition_key)]
//!     id: String,
//!     balance: i64,
//! }
//! let account = || Account { id: "acc-1".into(), balance: 10 };
//!
//! let refused = mock::refused(ErrorKind::AlreadyExists, &account(), 3)?;
//! assert!(refused.is_already_exists());
//! assert_eq!(refused.current::<Account>()?.expect("as it stands").version(), 3);
//!
//! assert!(mock::error(ErrorKind::OutcomeUnknown).is_outcome_unknown());
//! assert_eq!(mock::versioned(account(), 7)?.version(), 7);
//! assert_eq!(mock::written::<Account>(Outcome::Replayed, 2).version(), Some(2));
//! # Ok::<(), dynamo_once::Error>(())
//! ```
//!
//! An operation that [runs once](crate::Once) can be called by itself, too:
//!
//! ```
//! use dynamo_once::{Context, Item, Store, testing::{Scripted, mock}};
//!
//! # #[derive(Debug, serde::Serialize, serde::Deserialize, Item)]
//! # #[item(table = "accounts")]
//! # struct Account { #[item(partition_key)] id: String, balance: i64 }
//! async fn close(run: Context, store: Store) -> Result<String, std::io::Error> {
//!     run.stage(store.table::<Account>().delete("acc-1"));
//!     Ok(format!("closed under {}", run.key()))
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let store = Store::new(Scripted::new().config().build()); // nothing is sent
//! let run = mock::context(&store, "request-1");
//! assert_eq!(close(run.clone(), store).await?, "closed under request-1");
//! assert_eq!(run.staged(), 1);
//! assert!(mock::ran("answer", true).is_replayed());
//! # Ok(())
//! # }
//! ```

use std::sync::Arc;

use crate::error::{Error, ErrorKind};
use crate::format::Format;
use crate::item::{Item, RawItem, encode, shown};
use crate::once::{Context, Ran};
use crate::protocol::log::WriteId;
use crate::settle::Settled;
use crate::stamp::{STAMP_PREFIX, StampNames};
use crate::stamped::number;
use crate::store::Store;
use crate::versioned::Versioned;
use crate::written::{Outcome, Written};

/// An error of this kind, that says nothing else.
#[must_use]
pub fn error(kind: ErrorKind) -> Error {
    Error::of(kind)
}

/// An error of this kind about an item that stands at this version: [`Error::current`] gives it.
///
/// # Errors
///
/// [`Invalid`](ErrorKind::Invalid) where the item is one that can't be stored.
pub fn refused<T: Item>(kind: ErrorKind, current: &T, version: u64) -> Result<Error, Error> {
    Ok(Error::of(kind).with_current(stored(current, version)?, format::<T>()))
}

/// An item as it is read at this version.
///
/// # Errors
///
/// [`Invalid`](ErrorKind::Invalid) where the item is one that can't be stored, and [`Decode`](ErrorKind::Decode) where it couldn't be
/// read back.
pub fn versioned<T: Item>(item: T, version: u64) -> Result<Versioned<T>, Error> {
    let found = format::<T>().decode(stored(&item, version)?)?;
    found.ok_or_else(|| Error::invalid("the item is a tombstone"))
}

/// A write as a verb reports it, which made this version; without the item.
#[must_use]
pub fn written<T: Item>(outcome: Outcome, version: u64) -> Written<T> {
    let replayed = outcome == Outcome::Replayed;
    let written = Settled { replayed, version: Some(version), birth: Some(BIRTH), item: None };
    let written = Written::new(written, &format::<T>());
    match (outcome, written.etag()) {
        (Outcome::Unchanged, Some(etag)) => Written::unchanged(etag),
        _ => written,
    }
}

/// What an operation is given that runs once under this key, to be called by itself: nothing is stored of it, and what it stages isn't
/// written, but [counted](Context::staged). Its lease is never lost.
#[must_use]
pub fn context(store: &Store, key: &str) -> Context {
    Context::of(store, key)
}

/// An answer as a run gives it, just now or from a record.
#[must_use]
pub fn ran<A>(answer: A, is_replayed: bool) -> Ran<A> {
    Ran::mock(answer, is_replayed)
}

/// The first moment of 2024.
const BIRTH: WriteId = WriteId(0x018c_c251_f400_7000_8000_0000_0000_0000);

fn format<T: Item>() -> Format {
    Format { stamp: Arc::new(StampNames::new(STAMP_PREFIX)), version: T::SCHEMA.version_attribute_name() }
}

fn stored<T: Item>(item: &T, version: u64) -> Result<RawItem, Error> {
    encode(item, STAMP_PREFIX)?;
    let mut raw = shown(item)?;
    let format = format::<T>();
    raw.insert(format.version.to_owned(), number(version));
    raw.insert(format.stamp.birth.clone(), BIRTH.attribute());
    Ok(raw)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::Row;

    #[test]
    fn every_kind_of_error_can_be_made() {
        use ErrorKind::{
            AccessDenied, AlreadyExists, BadToken, ConditionFailed, Contention, Credentials, Declined, Decode, Invalid,
            KeyReused, Malformed, NotFound, OutcomeUnknown, Rejected, Service, TableNotFound, Throttled, Timeout,
            Unreachable, VersionConflict,
        };
        for kind in [
            AccessDenied,
            AlreadyExists,
            BadToken,
            ConditionFailed,
            Contention,
            Credentials,
            Declined,
            Decode,
            Invalid,
            KeyReused,
            Malformed,
            NotFound,
            OutcomeUnknown,
            Rejected,
            Service,
            TableNotFound,
            Throttled,
            Timeout,
            Unreachable,
            VersionConflict,
        ] {
            assert_eq!((error(kind).kind(), error(kind).attempts()), (kind, 0));
        }
    }

    #[test]
    fn an_outcome_is_reported_as_it_was_given() {
        for outcome in [Outcome::Applied, Outcome::Replayed, Outcome::Unchanged] {
            let written = written::<Row>(outcome, 4);
            assert_eq!((written.outcome(), written.version()), (outcome, Some(4)));
        }
    }
}
