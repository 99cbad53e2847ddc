//! How one table's items carry what the library stores on them, and reading it back.

use std::sync::Arc;

use crate::error::{Error, ErrorKind};
use crate::item::{Item, RawItem, decode};
use crate::protocol::guard::Birth;
use crate::protocol::log::{History, Seen, Version};
use crate::stamp::StampNames;
use crate::versioned::{Etag, Versioned};

/// The names of the attributes that are the library's on the items of a table.
#[derive(Debug, Clone)]
pub(crate) struct Format {
    pub(crate) stamp: Arc<StampNames>,
    pub(crate) version: &'static str,
}

impl Format {
    pub(crate) fn read(&self, item: &RawItem) -> Seen {
        self.stamp.read(item, self.version)
    }

    /// The item as its type; `None` for a tombstone.
    pub(crate) fn decode<T: Item>(&self, raw: RawItem) -> Result<Option<Versioned<T>>, Error> {
        let seen = self.read(&raw);
        if seen.tombstone {
            return Ok(None);
        }
        let Some(etag) = etag(&seen) else {
            return Err(self.unusable(&raw).with_current(raw, self.clone()));
        };
        if !T::SCHEMA.is_of(&raw) {
            let error = Error::new(ErrorKind::OtherType, OTHER_TYPE);
            return Err(error.with_current(raw, self.clone()));
        }
        let decoded = decode::<T>(&raw, etag.version(), &self.stamp.prefix);
        match decoded.and_then(|value| T::SCHEMA.check_key_is_of_fields(&raw).map(|()| value)) {
            Ok(value) => Ok(Some(Versioned::new(value, etag, raw))),
            Err(error) => Err(error.with_current(raw, self.clone())),
        }
    }

    /// The item's version and birth; `None` where they can't be used.
    pub(crate) fn etag(&self, item: &RawItem) -> Option<Etag> {
        etag(&self.read(item))
    }

    /// Says which attribute makes an item's log or version unusable.
    pub(crate) fn unusable(&self, item: &RawItem) -> Error {
        let attribute = self.stamp.unusable(item, self.version).unwrap_or(&self.stamp.birth);
        let advice = if attribute == self.version {
            "has to be a whole number from 0 to 9223372036854775806 for a write to count it up; repair it, or name another version attribute"
        } else {
            "is part of a log that this version of the library can't read; upgrade it, or remove the attributes of the log"
        };
        Error::new(ErrorKind::Malformed, format!("the stored attribute `{attribute}` {advice}"))
    }
}

const OTHER_TYPE: &str = "the stored item is of another type: its key isn't one that this type's templates make; read it as the type whose \
                          key it has";

fn etag(seen: &Seen) -> Option<Etag> {
    let version = match seen.version {
        Version::Absent => 0,
        Version::Number(version) => version,
        Version::Unusable => return None,
    };
    match &seen.history {
        History::Log(log) => Some(Etag::new(version, Birth::Known(log.birth))),
        History::Foreign => Some(Etag::new(version, Birth::Foreign)),
        History::Unreadable => None,
    }
}
