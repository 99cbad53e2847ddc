//! Attributes that maintain themselves: when an item was made, when it was last written, and when it expires.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;

use crate::epoch::{EpochMillis, EpochSeconds};
use crate::expr::{Changes, RawPath};
use crate::item::{RawItem, Schema};
use crate::key::KeyAttribute as _;

/// How items of a type expire; see [`Schema::expires_after`], and `#[item(expires_after(days = 30))]` of the derive.
///
/// The attribute has to be the table's TTL attribute. The write that makes an item sets it, and so does an `upsert`, which writes the
/// whole item; other writes leave it, unless it is [`sliding`](Expiry::sliding). The struct's own value of it is never written.
///
/// # Items that have expired
///
/// DynamoDB deletes them within a few days (AWS, "Using time to live"). Until then **reads take them for absent**, by this client's
/// clock: `get`, `get_many`, `modify` (`NotFound`), queries and scans. **Writes see what is stored**: an `insert` over an expired item is
/// refused as `AlreadyExists` and brings it along, a keyed one that is repeated is `Replayed`, an `update` or a `save` is applied to it, and goes with it unless the expiry is sliding. Two
/// ways out: an `upsert` begins a new time (and keeps the time of its making, if it has one), and [`delete(..).at(&expired)`](crate::Delete::at), with the item that the refusal
/// brought along, makes place for an insert.
///
/// That DynamoDB deletes it takes the item's log along, as any hard delete: see [where the promise ends](crate::guide::where_the_promise_ends).
/// Where the type leaves tombstones, they expire by the same attribute.
///
/// # Examples
///
/// ```
/// use dynamo_once::{EpochMillis, EpochSeconds, Item, Store, testing::Embedded};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Item)]
/// #[item(table = "sessions")]
/// struct Session {
///     #[item(partition_key)]
///     id: String,
///     user: String,
///     #[item(created_at)]
///     #[serde(default)]
///     created: EpochMillis,
///     #[item(expires_after(hours = 12, sliding))]
///     expires_at: Option<EpochSeconds>,
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let engine = Embedded::start().await;
/// # let sessions = Store::new(engine.config().build()).table::<Session>();
/// # sessions.create_if_missing().await?;
/// let session = Session { id: "s-1".into(), user: "ann".into(), created: EpochMillis::default(), expires_at: None };
/// sessions.insert(&session).send().await?;
///
/// let found = sessions.get("s-1").send().await?.expect("hasn't expired yet");
/// assert_eq!(found.expires_at, Some(EpochSeconds(found.created.0 / 1000 + 12 * 60 * 60)));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expiry {
    ttl: &'static str,
    after: Duration,
    is_sliding: bool,
}

/// The attributes of a type that maintain themselves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Maintained {
    created: Option<Timestamp>,
    updated: Option<Timestamp>,
    expiry: Option<Expiry>,
}

/// An attribute that holds a time of writing.
#[derive(Debug, Clone, Copy)]
struct Timestamp {
    name: &'static str,
    unit: Unit,
}

#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unit {
    Seconds,
    Millis,
}

/// A type of field that can hold a time which maintains itself.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't hold a time of writing",
    label = "says no unit of time",
    note = "use `EpochSeconds` or `EpochMillis`, or an `Option` of one"
)]
pub trait HoldsTime {
    #[doc(hidden)]
    const UNIT: Unit;
}

impl HoldsTime for EpochSeconds {
    const UNIT: Unit = Unit::Seconds;
}

impl HoldsTime for EpochMillis {
    const UNIT: Unit = Unit::Millis;
}

impl<V: HoldsTime> HoldsTime for Option<V> {
    const UNIT: Unit = V::UNIT;
}

/// A type of field that can hold the time at which DynamoDB's TTL deletes the item.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't hold the time at which an item expires",
    label = "not in seconds",
    note = "DynamoDB's TTL goes by seconds: use `EpochSeconds`, or an `Option` of it"
)]
pub trait HoldsExpiry {}

impl HoldsExpiry for EpochSeconds {}
impl HoldsExpiry for Option<EpochSeconds> {}

/// Fails to compile where a field can't hold the time at which the item expires.
#[doc(hidden)]
pub const fn assert_holds_expiry<V: HoldsExpiry>() {}

impl Expiry {
    /// Items expire this long after the write that made them, by this attribute, which holds [`EpochSeconds`] and has to be the
    /// table's TTL attribute.
    ///
    /// # Panics
    ///
    /// Where the duration is less than a second.
    #[must_use]
    pub const fn new(ttl: &'static str, after: Duration) -> Self {
        assert!(after.as_secs() > 0, "an item lives for a second at least");
        Self { ttl, after, is_sliding: false }
    }

    /// Every write begins the time anew.
    #[must_use]
    pub const fn sliding(mut self) -> Self {
        self.is_sliding = true;
        self
    }

    /// The TTL attribute.
    #[must_use]
    pub const fn ttl_attribute_name(&self) -> &'static str {
        self.ttl
    }

    /// How long an item lives.
    #[must_use]
    pub const fn after(&self) -> Duration {
        self.after
    }

    /// Whether a stored item has expired.
    pub(crate) fn has_passed(&self, item: &RawItem, EpochSeconds(now): EpochSeconds) -> bool {
        let Some(AttributeValue::N(at)) = item.get(self.ttl) else { return false };
        // Another program may have written it in any form that a number has.
        at.parse::<f64>().is_ok_and(|at| at <= now as f64)
    }
}

impl Schema {
    /// Names the attribute in which the library writes when an item was made, as a `V` ([`EpochSeconds`] or [`EpochMillis`]). An
    /// upsert of an item that has none, such as one of another program, writes it too.
    ///
    /// The time is that of the call, by the client's clock, and the same in all its attempts. The struct's own value is never
    /// written.
    #[must_use]
    pub const fn created_at<V: HoldsTime>(mut self, name: &'static str) -> Self {
        self.maintained.created = Some(Timestamp { name, unit: V::UNIT });
        self
    }

    /// Names the attribute in which the library writes when an item was last written: when the last call began that wrote it, by any
    /// verb but `delete`. Of two calls at once it may be the earlier one's; the write of a [`modify`](crate::Table::modify) begins after its read.
    #[must_use]
    pub const fn updated_at<V: HoldsTime>(mut self, name: &'static str) -> Self {
        self.maintained.updated = Some(Timestamp { name, unit: V::UNIT });
        self
    }

    /// Lets items expire.
    #[must_use]
    pub const fn expires_after(mut self, expiry: Expiry) -> Self {
        self.maintained.expiry = Some(expiry);
        self
    }

    /// How items expire, if they do.
    #[must_use]
    pub const fn expiry(&self) -> Option<Expiry> {
        self.maintained.expiry
    }

    /// The attribute by which the table's TTL has to go, where there is one: of live items, or of tombstones.
    pub(crate) fn ttl_attribute(&self) -> Option<&'static str> {
        let tombstones = self.tombstones_left().map(|left| left.ttl_attribute_name());
        tombstones.or(self.maintained.expiry.map(|expiry| expiry.ttl))
    }

    /// Whether an attribute maintains itself.
    pub(crate) fn maintains(&self, name: &str) -> bool {
        self.maintained.names().any(|maintained| maintained == name)
    }
}

impl Maintained {
    pub(crate) const NOTHING: Self = Self { created: None, updated: None, expiry: None };

    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        let times = [self.created, self.updated].into_iter().flatten().map(|timestamp| timestamp.name);
        times.chain(self.expiry.map(|expiry| expiry.ttl))
    }

    /// Takes out what the struct says: it isn't what will be written. A key that is named by mistake is found out later.
    pub(crate) fn strip(&self, schema: &Schema, item: &mut RawItem) {
        self.names().filter(|name| !schema.is_own(name)).for_each(|name| drop(item.remove(name)));
    }

    /// The bytes that they take.
    pub(crate) fn room(&self) -> usize {
        // A number of 13 digits.
        self.names().map(|name| name.len() + 8).sum()
    }

    /// What is wrong with their names.
    pub(crate) fn clash(&self, schema: &Schema) -> Option<String> {
        let names: Vec<_> = self.names().collect();
        let taken = |name: &&str| {
            name.is_empty() || schema.is_own(name) || names.iter().filter(|other| *other == name).count() > 1
        };
        if let Some(name) = names.iter().find(|name| taken(name)) {
            return Some(format!(
                "the attribute `{name}` can't maintain itself: it is empty, a key, the version, or holds another time already; name another"
            ));
        }
        let is_aliased = |name: &&str| {
            schema.known_attributes().iter().any(|known| known.name() == *name && !known.alias_names().is_empty())
        };
        if let Some(name) = names.iter().find(|name| is_aliased(name)) {
            return Some(format!(
                "the attribute `{name}` maintains itself, under one name: leave its aliases out, beside which it would be written"
            ));
        }
        let ttl = schema.tombstones_left()?.ttl_attribute_name();
        let expires = self.expiry.is_some_and(|expiry| expiry.ttl != ttl);
        let is_time = self.expiry.is_none() && names.contains(&ttl);
        (expires || is_time).then(|| {
            format!("tombstones expire by `{ttl}`, and live items by another attribute or not at all: a table has one TTL attribute")
        })
    }
}

/// The attributes that maintain themselves, as one call writes them: with one time, in all its attempts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    maintained: Maintained,
    call: EpochMillis,
}

impl Times {
    pub(crate) fn new(schema: &Schema, call: EpochMillis) -> Self {
        Self { maintained: schema.maintained, call }
    }

    /// Puts them into an item that is made.
    pub(crate) fn make(&self, mut item: RawItem) -> RawItem {
        let times = [self.created(), self.updated(), self.expires()].into_iter().flatten();
        item.extend(times.map(|(name, value)| (name.to_owned(), value)));
        item
    }

    /// Puts them into the changes of an item that is written whole, whether or not one is there.
    pub(crate) fn write(&self, changes: &mut Changes) {
        if let Some((name, now)) = self.created() {
            changes.set_if_absent(RawPath::from(name), now);
        }
        let always = [self.updated(), self.expires()].into_iter().flatten();
        always.for_each(|(name, value)| changes.set_raw(RawPath::from(name), value));
    }

    /// Puts them into the changes of an item that is there.
    pub(crate) fn change(&self, mut changes: Changes) -> Changes {
        let renewed = self.maintained.expiry.filter(|expiry| expiry.is_sliding).and_then(|_| self.expires());
        let always = [self.updated(), renewed].into_iter().flatten();
        always.for_each(|(name, value)| changes.set_raw(RawPath::from(name), value));
        changes
    }

    fn created(&self) -> Option<(&'static str, AttributeValue)> {
        self.maintained.created.map(|created| (created.name, self.in_unit(created.unit)))
    }

    fn updated(&self) -> Option<(&'static str, AttributeValue)> {
        self.maintained.updated.map(|updated| (updated.name, self.in_unit(updated.unit)))
    }

    fn expires(&self) -> Option<(&'static str, AttributeValue)> {
        let expiry = self.maintained.expiry?;
        let EpochSeconds(now) = self.call.into();
        Some((expiry.ttl, EpochSeconds(now.saturating_add(expiry.after.as_secs())).to_attribute()))
    }

    fn in_unit(&self, unit: Unit) -> AttributeValue {
        match unit {
            Unit::Seconds => EpochSeconds::from(self.call).to_attribute(),
            Unit::Millis => self.call.to_attribute(),
        }
    }
}
