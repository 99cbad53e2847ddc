//! What a write that is in the table reports.

use std::fmt;
use std::marker::PhantomData;

use crate::error::{Error, ErrorKind};
use crate::format::Format;
use crate::item::{Item, RawItem};
use crate::protocol::guard::Birth;
use crate::settle::Settled;
use crate::transact;
use crate::versioned::{Etag, Versioned};

/// How a write came to be in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// This call's effect is in the table exactly once; the reply came the ordinary way.
    Applied,
    /// The same, found out from the stored stamp: the reply to an earlier attempt was lost, or the same idempotency key was
    /// written before.
    Replayed,
    /// Nothing was to be changed, and nothing was sent.
    Unchanged,
}

/// A write whose effect is in the table exactly once.
#[derive(Clone)]
pub struct Written<T> {
    outcome: Outcome,
    etag: Option<Etag>,
    version: Option<u64>,
    item: Option<(RawItem, Format)>,
    of: PhantomData<fn() -> T>,
}

impl<T: Item> Written<T> {
    pub(crate) fn new(settled: Settled, format: &Format) -> Self {
        let Settled { replayed, version, birth, item } = settled;
        // The item of a replay is as it stands, and may have been written by others since.
        let as_written = if replayed { None } else { item.as_ref().and_then(|item| format.etag(item)) };
        let version = version.or(as_written.map(|etag| etag.version()));
        Self {
            outcome: if replayed { Outcome::Replayed } else { Outcome::Applied },
            etag: version.zip(birth).map(|(version, birth)| Etag::new(version, Birth::Known(birth))),
            version,
            item: item.map(|item| (item, format.clone())),
            of: PhantomData,
        }
    }

    /// A write that was recorded, whose item doesn't come along.
    pub(crate) fn recorded(settled: transact::Settled) -> Self {
        let transact::Settled { replayed, made } = settled;
        let (version, etag) = made.first().copied().unwrap_or_default();
        let outcome = if replayed { Outcome::Replayed } else { Outcome::Applied };
        Self { outcome, etag, version, item: None, of: PhantomData }
    }

    /// A write that had nothing to change.
    pub(crate) fn unchanged(etag: Etag) -> Self {
        let version = Some(etag.version());
        Self { outcome: Outcome::Unchanged, etag: Some(etag), version, item: None, of: PhantomData }
    }

    /// An item that is gone.
    pub(crate) fn deleted(settled: Settled) -> Self {
        let outcome = if settled.replayed { Outcome::Replayed } else { Outcome::Applied };
        Self { outcome, etag: None, version: None, item: None, of: PhantomData }
    }

    /// How the write came to be in the table.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Whether the stored stamp showed that the write had been applied before.
    #[must_use]
    pub fn is_replayed(&self) -> bool {
        self.outcome == Outcome::Replayed
    }

    /// The version that this write made, where it can be told: for a write that was [`Applied`](Outcome::Applied) unless its
    /// reply broke off, and for any where what the write expected fixes it. `None` of a delete.
    #[must_use]
    pub fn version(&self) -> Option<u64> {
        self.version
    }

    /// The version that this write made, with the item's birth, for a later write at it.
    #[must_use]
    pub fn etag(&self) -> Option<Etag> {
        self.etag
    }

    /// The item that the reply brought along: of `upsert`, `update`, `save` and `modify` as this write made it, and of any
    /// replay as it stands now. `None` of an applied `insert` or `delete`, whose replies carry none, of a [recorded](crate::Recorded) write,
    /// of one whose reply broke off, and of an item that has been deleted since.
    ///
    /// # Errors
    ///
    /// [`Decode`](crate::ErrorKind::Decode) where the item is not of this type, or its version or log can't be read. The write
    /// is in the table all the same.
    pub fn item(&self) -> Result<Option<Versioned<T>>, Error> {
        match &self.item {
            Some((item, format)) => format
                .decode(item.clone())
                .map_err(|error| if error.is_malformed() { error.with_kind(ErrorKind::Decode) } else { error }),
            None => Ok(None),
        }
    }
}

impl<T> fmt::Debug for Written<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Written")
            .field("outcome", &self.outcome)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}
