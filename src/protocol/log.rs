//! What an item carries about the writes that made it what it is.

use serde::{Deserialize, Serialize};

use super::rules::LANES;

/// The id of one write: a UUIDv7, made once per call and constant through its attempts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct WriteId(pub(crate) u128);

/// One lane of the log: the newest write id that used it, and the one before. Ids on a lane only ever grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Lane {
    pub(crate) head: WriteId,
    pub(crate) older: WriteId,
}

/// What a keyed insert leaves on its item: a digest of the table, the item's key and the idempotency key, and one of the
/// content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct KeyStamp {
    pub(crate) key: [u8; 8],
    pub(crate) content: [u8; 8],
}

/// The log of an item.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Log {
    /// The id of the write that made this item.
    pub(crate) birth: WriteId,
    pub(crate) keyed: Option<KeyStamp>,
    pub(crate) lanes: [Lane; LANES],
}

/// An item's history, as far as it can be read.
#[allow(clippy::large_enum_variant, reason = "one at a time, on the stack, for as long as a verdict takes")]
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum History {
    /// No log: another program wrote the item.
    Foreign,
    Log(Log),
    /// A log that this version of the format can't read, or an attribute of it that is no write id.
    Unreadable,
}

/// An item's version, as stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Version {
    Absent,
    Number(u64),
    /// Not a whole number from 0 up to [`Version::LAST`], or at its maximum, so that it can't be counted on.
    Unusable,
}

/// An item as an attempt or a read has seen it, as far as the protocol cares.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Seen {
    pub(crate) version: Version,
    pub(crate) history: History,
    /// Deleted, with its log left in place.
    pub(crate) tombstone: bool,
}

impl WriteId {
    /// Smaller than any id; stands where a lane has no entry.
    pub(crate) const NIL: Self = Self(0);
}

impl Lane {
    pub(crate) const EMPTY: Self = Self { head: WriteId::NIL, older: WriteId::NIL };

    pub(crate) fn holds(&self, id: WriteId) -> bool {
        self.head == id || self.older == id
    }

    /// Whether an id may have been on this lane and be pushed out of it again.
    pub(crate) fn may_have_lost(&self, id: WriteId) -> bool {
        id < self.older
    }
}

impl Version {
    /// The last version that can still be counted up; the next is `i64::MAX`, the greatest that other languages'
    /// clients can hold.
    pub(crate) const LAST: u64 = i64::MAX as u64 - 1;
}

impl Seen {
    pub(crate) fn log(&self) -> Option<&Log> {
        match &self.history {
            History::Log(log) => Some(log),
            History::Foreign | History::Unreadable => None,
        }
    }
}

impl std::fmt::Debug for WriteId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:x}", self.0)
    }
}
