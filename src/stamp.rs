//! The stamp as it is stored: which attributes carry it, and reading it back from an item that may be anyone's.

use std::time::{Duration, SystemTime};

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use uuid::{ContextV7, NoContext, Timestamp, Uuid};

use crate::item::RawItem;
use crate::protocol::log::{History, KeyStamp, Lane, Log, Seen, Version, WriteId};
use crate::protocol::rules::LANES;

/// The names of the attributes that carry the log. The layout is fixed; the prefix is the store's.
#[derive(Debug)]
pub(crate) struct StampNames {
    pub(crate) prefix: String,
    pub(crate) birth: String,
    pub(crate) keyed: String,
    pub(crate) tombstone: String,
    pub(crate) lanes: [LaneNames; LANES],
}

#[derive(Debug)]
pub(crate) struct LaneNames {
    pub(crate) head: String,
    pub(crate) older: String,
}

/// What the attributes of the stamp begin with, unless the store says otherwise.
pub(crate) const STAMP_PREFIX: &str = "_w";

/// A birth id that begins with this byte belongs to a later format, and so does no id of this one.
const LATER_FORMAT: u8 = 0xFF;

impl StampNames {
    pub(crate) fn new(prefix: &str) -> Self {
        Self {
            prefix: prefix.to_owned(),
            birth: format!("{prefix}b"),
            keyed: format!("{prefix}k"),
            tombstone: format!("{prefix}t"),
            lanes: std::array::from_fn(|lane| LaneNames {
                head: format!("{prefix}{lane}"),
                older: format!("{prefix}{lane}p"),
            }),
        }
    }

    /// Whether an attribute is the birth id or in a lane: what stays for as long as there is an item.
    pub(crate) fn is_log(&self, name: &str) -> bool {
        name == self.birth || self.lanes.iter().any(|lane| name == lane.head || name == lane.older)
    }

    /// Reads the stamp of an item, whoever wrote it.
    pub(crate) fn read(&self, item: &RawItem, version_attribute: &str) -> Seen {
        Seen {
            version: version(item.get(version_attribute)),
            history: self.history(item),
            tombstone: item.contains_key(&self.birth) && item.contains_key(&self.tombstone),
        }
    }

    /// The attribute because of which an item's log or version can't be used.
    pub(crate) fn unusable<'n>(&'n self, item: &RawItem, version_attribute: &'n str) -> Option<&'n str> {
        if version(item.get(version_attribute)) == Version::Unusable {
            return Some(version_attribute);
        }
        let has_birth = item.contains_key(&self.birth);
        let bad_id = |name: &&String| item.get(*name).is_some_and(|value| !has_birth || write_id(value).is_none());
        let bad_key =
            item.get(&self.keyed).filter(|value| !has_birth || key_stamp(value).is_none()).map(|_| &self.keyed);
        let lanes = self.lanes.iter().flat_map(|lane| [&lane.head, &lane.older]);
        let lone_marker = (!has_birth && item.contains_key(&self.tombstone)).then_some(&self.tombstone);
        let uncounted = || (has_birth && item.get(version_attribute).is_none()).then_some(version_attribute);
        std::iter::once(&self.birth)
            .chain(lanes)
            .find(bad_id)
            .or(bad_key)
            .or(lone_marker)
            .map(String::as_str)
            .or_else(uncounted)
    }

    fn history(&self, item: &RawItem) -> History {
        let Some(birth) = item.get(&self.birth) else {
            let leftover = |lane: &LaneNames| item.contains_key(&lane.head) || item.contains_key(&lane.older);
            let others = [&self.keyed, &self.tombstone];
            let stamped = others.iter().any(|name| item.contains_key(*name)) || self.lanes.iter().any(leftover);
            return if stamped { History::Unreadable } else { History::Foreign };
        };
        let log = || -> Option<Log> {
            let mut lanes = [Lane::EMPTY; LANES];
            for (lane, names) in lanes.iter_mut().zip(&self.lanes) {
                *lane = Lane { head: optional_id(item, &names.head)?, older: optional_id(item, &names.older)? };
            }
            let keyed = match item.get(&self.keyed) {
                Some(value) => Some(key_stamp(value)?),
                None => None,
            };
            Some(Log { birth: write_id(birth)?, keyed, lanes })
        };
        log().map_or(History::Unreadable, History::Log)
    }
}

impl WriteId {
    pub(crate) fn attribute(self) -> AttributeValue {
        AttributeValue::B(Blob::new(self.0.to_be_bytes()))
    }

    /// Whether this is no id of this format.
    pub(crate) fn is_of_later_format(self) -> bool {
        self.0.to_be_bytes()[0] == LATER_FORMAT
    }

    pub(crate) fn uuid(self) -> Uuid {
        Uuid::from_u128(self.0)
    }
}

impl KeyStamp {
    pub(crate) fn attribute(self) -> AttributeValue {
        AttributeValue::B(Blob::new([self.key, self.content].concat()))
    }
}

/// Makes write ids: UUIDv7 by the store's clock, in order within the process.
#[derive(Debug, Default)]
pub(crate) struct WriteIds {
    order: std::sync::Mutex<ContextV7>,
}

impl WriteIds {
    /// An id greater than `above`: of now, or, where the clock that made `above` was ahead of ours, of a millisecond later
    /// than it. `None` where no later id is left in this format.
    pub(crate) fn next(&self, now: SystemTime, above: WriteId) -> Option<WriteId> {
        let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let id = {
            // A poisoned lock holds a counter that is as good as any.
            let order = self.order.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            Uuid::new_v7(Timestamp::from_unix(&*order, since.as_secs(), since.subsec_nanos()))
        };
        let id = if id.as_u128() > above.0 {
            id
        } else {
            let later = Duration::from_millis(u64::try_from(above.0 >> 80).ok()? + 1);
            Uuid::new_v7(Timestamp::from_unix(NoContext, later.as_secs(), later.subsec_nanos()))
        };
        (id.as_u128() > above.0 && id.as_bytes()[0] != LATER_FORMAT).then(|| WriteId(id.as_u128()))
    }
}

fn version(stored: Option<&AttributeValue>) -> Version {
    match stored {
        None => Version::Absent,
        Some(AttributeValue::N(number)) => match number.parse() {
            Ok(number) if number <= Version::LAST => Version::Number(number),
            _ => Version::Unusable,
        },
        Some(_) => Version::Unusable,
    }
}

fn bytes(value: &AttributeValue) -> Option<[u8; 16]> {
    value.as_b().ok().and_then(|blob| blob.as_ref().try_into().ok())
}

fn write_id(value: &AttributeValue) -> Option<WriteId> {
    bytes(value).filter(|bytes| bytes[0] != LATER_FORMAT).map(|bytes| WriteId(u128::from_be_bytes(bytes)))
}

fn optional_id(item: &RawItem, name: &str) -> Option<WriteId> {
    item.get(name).map_or(Some(WriteId::NIL), write_id)
}

fn key_stamp(value: &AttributeValue) -> Option<KeyStamp> {
    let bytes = bytes(value)?;
    let (key, content) = bytes.split_at(8);
    Some(KeyStamp { key: key.try_into().ok()?, content: content.try_into().ok()? })
}

#[cfg(test)]
mod tests;
