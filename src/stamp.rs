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
        let found = self.find(item, version_attribute);
        Seen {
            version: version(found.version),
            tombstone: found.birth.is_some() && found.is_tombstone,
            history: found.history(),
        }
    }

    /// Goes through the item once: to look each name up takes several times as long, and a page has many items.
    fn find<'i>(&self, item: &'i RawItem, version_attribute: &str) -> Found<'i> {
        let mut found = Found::default();
        for (name, value) in item {
            if name == version_attribute {
                found.version = Some(value);
            }
            let lane = |digit: &u8| usize::from(digit - b'0');
            match name.strip_prefix(self.prefix.as_str()).map(str::as_bytes) {
                Some(b"b") => found.birth = Some(value),
                Some(b"k") => found.keyed = Some(value),
                Some(b"t") => found.is_tombstone = true,
                Some([digit @ b'0'..=b'7']) => found.lanes[lane(digit)][0] = Some(value),
                Some([digit @ b'0'..=b'7', b'p']) => found.lanes[lane(digit)][1] = Some(value),
                _ => {}
            }
        }
        found
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
}

/// The attributes of a stamp, as an item has them.
#[derive(Default)]
struct Found<'i> {
    version: Option<&'i AttributeValue>,
    birth: Option<&'i AttributeValue>,
    keyed: Option<&'i AttributeValue>,
    is_tombstone: bool,
    /// Head and older entry.
    lanes: [[Option<&'i AttributeValue>; 2]; LANES],
}

impl Found<'_> {
    fn history(&self) -> History {
        let Some(birth) = self.birth else {
            let is_stamped =
                self.keyed.is_some() || self.is_tombstone || self.lanes.as_flattened().iter().any(Option::is_some);
            return if is_stamped { History::Unreadable } else { History::Foreign };
        };
        let log = || -> Option<Log> {
            let mut lanes = [Lane::EMPTY; LANES];
            for (lane, [head, older]) in lanes.iter_mut().zip(self.lanes) {
                *lane = Lane { head: optional_id(head)?, older: optional_id(older)? };
            }
            let keyed = match self.keyed {
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
            own(Uuid::new_v7(Timestamp::from_unix(&*order, since.as_secs(), since.subsec_nanos())))
        };
        let id = if id.as_u128() > above.0 {
            id
        } else {
            let later = Duration::from_millis(u64::try_from(above.0 >> 80).ok()? + 1);
            own(Uuid::new_v7(Timestamp::from_unix(NoContext, later.as_secs(), later.subsec_nanos())))
        };
        (id.as_u128() > above.0 && id.as_bytes()[0] != LATER_FORMAT).then(|| WriteId(id.as_u128()))
    }
}

/// The id with its last 32 bits, which are random, from the operating system. It has them from there already, unless some crate turns on the
/// feature `fast-rng` of `uuid`: then the copies of a process that was frozen and restored would draw the same ones.
fn own(id: Uuid) -> Uuid {
    match getrandom::u32() {
        Ok(random) => Uuid::from_u128(id.as_u128() & !u128::from(u32::MAX) | u128::from(random)),
        Err(_) => id,
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

fn optional_id(value: Option<&AttributeValue>) -> Option<WriteId> {
    value.map_or(Some(WriteId::NIL), write_id)
}

fn key_stamp(value: &AttributeValue) -> Option<KeyStamp> {
    let bytes = bytes(value)?;
    let (key, content) = bytes.split_at(8);
    Some(KeyStamp { key: key.try_into().ok()?, content: content.try_into().ok()? })
}

#[cfg(test)]
mod tests;
