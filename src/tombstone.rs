//! What a delete leaves behind, where an item type asks for it.

use std::time::{Duration, SystemTime};

use aws_sdk_dynamodb::types::AttributeValue;

use crate::expr::{Changes, RawPath};
use crate::item::{RawItem, Schema};
use crate::stamp::StampNames;

/// How deletes of an item type leave tombstones; see [`Schema::tombstones`].
///
/// A delete then keeps the item's key, its version and its log, marks it as deleted, and writes the time at which DynamoDB's
/// TTL may remove it. Reads and conditions take it for absent, and an insert brings the key back to life at the next
/// version. So an attempt that arrives late finds the log, and nothing is applied twice that was deleted in between.
///
/// Attributes that the type doesn't name, those of flattened fields among them, stay on the tombstone until it is removed or comes to
/// life; then they go. Where they are so many that the update can't name them all (`Invalid`, some 200), the key stays deleted until the
/// tombstone expires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tombstones {
    ttl: &'static str,
    days: u32,
}

const DAYS: u32 = 7;

impl Tombstones {
    /// Tombstones that expire by this attribute, which has to be the TTL attribute of the table, after seven days.
    ///
    /// A table has one TTL attribute, so this is also the one of the live items, if they expire.
    #[must_use]
    pub const fn new(ttl: &'static str) -> Self {
        Self { ttl, days: DAYS }
    }

    /// Sets the days that a tombstone is kept. A [`Pending`](crate::Pending) outcome can be settled for half as long.
    ///
    /// # Panics
    ///
    /// Where there is none: a tombstone has to outlive every request that may still be on its way.
    #[must_use]
    pub const fn days(mut self, days: u32) -> Self {
        assert!(days > 0, "a tombstone is kept for a day at least");
        self.days = days;
        self
    }

    /// The TTL attribute.
    #[must_use]
    pub const fn ttl_attribute_name(&self) -> &'static str {
        self.ttl
    }

    /// How long a tombstone is kept.
    #[must_use]
    pub const fn kept_for(&self) -> Duration {
        Duration::from_secs(self.days as u64 * 24 * 60 * 60)
    }

    /// The marker, and the time to go: seconds since 1970, as DynamoDB's TTL has it.
    pub(crate) fn marks(&self, stamp: &StampNames, now: SystemTime) -> [(String, AttributeValue); 2] {
        let expires = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default() + self.kept_for();
        [
            // Whoever brings it to life knows by this which attribute has to go as well.
            (stamp.tombstone.clone(), AttributeValue::S(self.ttl.to_owned())),
            (self.ttl.to_owned(), AttributeValue::N(expires.as_secs().to_string())),
        ]
    }
}

/// What makes an item a tombstone: every attribute goes that the type knows.
pub(crate) fn burial(schema: &Schema, tombstones: &Tombstones, stamp: &StampNames, now: SystemTime) -> Changes {
    let mut changes = Changes::new();
    for (name, value) in tombstones.marks(stamp, now) {
        changes.set_raw(RawPath::from(name), value);
    }
    changes.remove_known(schema);
    schema.maintained.names().for_each(|name| changes.remove_unless_changed(name));
    changes
}

/// What brings a tombstone to life: the changes of an item written over it, and nothing stays of what it was but its key, its
/// version, its birth and its lanes.
pub(crate) fn revival(schema: &Schema, stamp: &StampNames, tombstone: &RawItem, mut changes: Changes) -> Changes {
    let mut left: Vec<_> = tombstone.keys().filter(|name| !schema.is_own(name) && !stamp.is_log(name)).collect();
    left.sort_unstable();
    for name in left {
        changes.remove_unless_changed(name.clone());
    }
    changes
}
