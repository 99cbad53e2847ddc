//! Writes that are recorded under an idempotency key, so that a repetition by any process is told what the first one wrote.

use std::fmt;

use crate::claims::{self, Operation};
use crate::error::{Error, ErrorKind};
use crate::fingerprint;
use crate::item::Item;
use crate::key::key_attributes;
use crate::once::{Records, SHORTEST, key};
use crate::op::delete::Delete;
use crate::op::insert::Insert;
use crate::op::modify::{Decision, Modify, apply};
use crate::op::part::{Part, Parts};
use crate::op::save::Save;
use crate::op::transact::{Transact, Transacted};
use crate::op::update::Update;
use crate::op::upsert::Upsert;
use crate::protocol::claim::{Claim, claim_failed};
use crate::protocol::log::WriteId;
use crate::retry::{Spent, Why};
use crate::store::Store;
use crate::table::Table;
use crate::transact::{self, How, Settled, Tied};
use crate::versioned::Versioned;
use crate::written::Written;

/// A write, or a transaction, that is recorded under an idempotency key: `idempotency_key` of the verbs and of
/// [`Transact`](Transact::idempotency_key) makes one.
///
/// # Idempotency
///
/// The write and a record of it, in the table of [`Records`], are one `TransactWriteItems`: both are there, or neither. Whoever repeats
/// it under the same key, in any process, is told [`Replayed`](crate::Outcome::Replayed), with the version and etag that the first one
/// told, for as long as the record is kept ([`Records::kept_for`]); also where the item has been changed or deleted since, which no
/// stamp on the item survives. A lost reply is found out from the record, so that deletes are told too.
///
/// A refusal isn't recorded: a repetition tries again. One that comes after a lost reply takes one request more, which leaves a record
/// that nobody holds, and is final for as long as that is kept.
///
/// A repetition has to write the same: the items, changes and conditions; the versions and etags that it requires aside, and the times that
/// maintain themselves. Of [`save`](crate::Table::save) and [`modify`](crate::Table::modify), whose changes come of a read, the item's key alone has to be
/// the same. Else it is [`KeyReused`](ErrorKind::KeyReused); also where a field serialises in another order each time, as a `HashSet` does, which serde
/// stores as a list. Let it be stored as a set, by `serde_dynamo::string_set`, or be a `BTreeSet`.
///
/// # Cost
///
/// One request. Two write units for each KB of each item, the record among them (AWS, "Amazon DynamoDB Transactions: How it works"),
/// where a plain write takes one; also where it is refused, and where it is replayed. The item as it was written doesn't come
/// along.
///
/// # Errors
///
/// Those of the verb; [`KeyReused`](ErrorKind::KeyReused), also where an operation [runs](Records::once) under this key, or has run;
/// [`Malformed`](ErrorKind::Malformed) for a record that another program means something else by, and
/// [`Invalid`](ErrorKind::Invalid) for a key that is empty (unless [`Records::missing_key`] lets it be written without a record), no
/// UTF-8, or too long, for records that are kept for less than a second, and for a write that is [`keyed`](Insert::keyed) or resumed.
///
/// [`OutcomeUnknown`](ErrorKind::OutcomeUnknown) is best met by the same write under the same key, from any process: it is `Replayed` where the
/// first one got there. The process that has the error can also finish or abort the first one. That is a transaction, even of a single write:
/// [`Error::pending_transaction`] has it, and [`Error::pending`] is `None`.
///
/// # Examples
///
/// ```
/// # use dynamo_once::{Item, Store, testing::Embedded};
/// # #[derive(Debug, serde::Serialize, serde::Deserialize, Item)]
/// # #[item(table = "accounts")]
/// # struct Account { #[item(partition_key)] id: String, balance: i64 }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let engine = Embedded::start().await;
/// # let store = Store::new(engine.config().build());
/// # let (accounts, records) = (store.table::<Account>(), store.records("records"));
/// # accounts.create_if_missing().await?;
/// # records.create_if_missing().await?;
/// # accounts.insert(&Account { id: "acc-1".into(), balance: 15 }).send().await?;
/// let f = Account::FIELDS;
/// let withdraw = || {
///     let update = accounts.update("acc-1").add(f.balance, -10).when(f.balance.ge(10));
///     update.idempotency_key(&records, "withdrawal-77")
/// };
/// assert!(!withdraw().send().await?.is_replayed());
/// // The request is repeated, to another process perhaps. There are only 5 left, but that isn't asked.
/// assert!(withdraw().send().await?.is_replayed());
/// assert_eq!(accounts.get("acc-1").send().await?.expect("is there").balance, 5);
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is written until `send`"]
pub struct Recorded<O> {
    records: Records,
    key: Vec<u8>,
    store: Store,
    operation: &'static str,
    parts: Parts,
    written: fn(Settled) -> O,
}

/// A [`Modify`] that is recorded under an idempotency key; see [`Modify::idempotency_key`].
#[must_use = "nothing is written until `send`"]
pub struct RecordedModify<T: Item, F> {
    records: Records,
    key: Vec<u8>,
    modify: Modify<T, F>,
}

impl<O> Recorded<O> {
    /// Writes, unless it was written before.
    ///
    /// # Errors
    ///
    /// See [`Recorded`].
    pub async fn send(self) -> Result<O, Error> {
        let Self { records, key, store, operation, parts, written } = self;
        let tied = records.tied(&store, operation, &key, &parts)?;
        parts.write(&store, operation, tied).await.map(written).map_err(|unsettled| unsettled.error)
    }
}

impl<T: Item> Recorded<Written<T>> {
    /// A write of one item.
    fn sole(records: &Records, key: &[u8], table: &Table<T>, operation: &'static str, write: impl Part) -> Self {
        let store = table.core().store().clone();
        let mut parts = Parts::default();
        parts.add(&store, operation, write);
        Self { records: records.clone(), key: key.to_vec(), store, operation, parts, written: Written::recorded }
    }
}

macro_rules! recorded {
    ($($verb:ident: $operation:literal;)*) => {$(
        impl<T: Item> $verb<T> {
            #[doc = concat!("Records the ", $operation, " under this key, so that it is recognised when another process repeats it, also after the item was changed or deleted. See [`Recorded`].")]
            pub fn idempotency_key(self, records: &Records, key: impl AsRef<[u8]>) -> Recorded<Written<T>> {
                Recorded::sole(records, key.as_ref(), &self.table().clone(), $operation, self)
            }
        }
    )*};
}

recorded! {
    Insert: "insert";
    Upsert: "upsert";
    Update: "update";
    Save: "save";
    Delete: "delete";
}

impl Transact {
    /// Records the transaction under this key, so that it is recognised when another process repeats it. The record is one of the 100
    /// parts. See [`Recorded`].
    pub fn idempotency_key(self, records: &Records, key: impl AsRef<[u8]>) -> Recorded<Transacted> {
        let (store, parts) = self.into_parts();
        let (records, key, operation) = (records.clone(), key.as_ref().to_vec(), transact::OPERATION);
        Recorded { records, key, store, operation, parts, written: Transacted::new }
    }
}

impl<T: Item, F> Modify<T, F> {
    /// Records the change under this key, so that it is made once, whoever repeats it: where it has been made, the closure isn't
    /// called. See [`Recorded`].
    ///
    /// The item and the record are read together, at two read units for each 4 KB of each.
    pub fn idempotency_key(self, records: &Records, key: impl AsRef<[u8]>) -> RecordedModify<T, F> {
        RecordedModify { records: records.clone(), key: key.as_ref().to_vec(), modify: self }
    }
}

impl<T, F, R> RecordedModify<T, F>
where
    T: Item,
    F: FnMut(&mut T) -> R,
    R: Decision,
{
    /// Runs the loop, unless the change has been made before.
    ///
    /// # Errors
    ///
    /// See [`Modify`] and [`Recorded`].
    pub async fn send(self) -> Result<Written<T>, Error> {
        let Self { records, key, modify: Modify { table, key: item_key, mut change } } = self;
        let core = table.core();
        let of = |error: Error| error.with_operation(MODIFY, core.name());
        let mut retry = core.store().caller().begin();
        // The item that came with a conflict.
        let mut current: Option<Versioned<T>> = None;
        loop {
            let is_as_recorded = current.is_none();
            let found = match current.take() {
                Some(found) => found,
                None => match records.read_with(&table, &item_key, &key).await.map_err(of)? {
                    Read::Recorded(settled) => return Ok(Written::recorded(settled)),
                    Read::Item(found) => *found,
                    Read::Nothing => return Err(of(Error::of(ErrorKind::NotFound))),
                },
            };
            let changed = match apply(found, &mut change) {
                Ok(changed) => changed,
                // Perhaps since another has made the change by now.
                Err(_) if !is_as_recorded => continue,
                Err(declined) => return Err(of(declined)),
            };
            let now = core.store().now();
            let save = Save::new(table.clone(), changed).part_of(MODIFY, Spent::nothing(now));
            let recorded = Recorded::sole(&records, &key, &table, MODIFY, save);
            let conflict = match recorded.send().await {
                Err(error) if error.is_version_conflict() => error,
                written_or_failed => return written_or_failed,
            };
            let stands = conflict.raw_current().cloned();
            current = stands.map_or(Ok(None), |item| core.found(item)).map_err(of)?;
            if let Err(limit) = retry.pause(Why::Conflict).await {
                return Err(conflict.of_kind(ErrorKind::VersionConflict, ErrorKind::Contention).with_limit(limit));
            }
        }
    }
}

const MODIFY: &str = "modify";

/// What a recorded change begins with.
enum Read<T> {
    /// It has been made.
    Recorded(Settled),
    Item(Box<Versioned<T>>),
    Nothing,
}

impl Records {
    /// The record that the parts complete; `None` where they are written without one.
    fn tied(&self, store: &Store, operation: &'static str, key: &[u8], parts: &Parts) -> Result<Option<Tied>, Error> {
        let core = self.table.core();
        let of = |error: Error| error.with_operation(operation, core.name());
        if !core.store().is_same(store) {
            return Err(of(Error::invalid("the records are of another store than the write")));
        }
        core.check_names().map_err(of)?;
        if self.kept < SHORTEST {
            return Err(of(Error::invalid("a record is kept for a second at least")));
        }
        let id = key::text(key).and_then(|key| key::id(key, &self.namespace, self.missing_key)).map_err(of)?;
        Ok(id.map(|id| Tied {
            records: std::sync::Arc::clone(core),
            record: Operation::of_write(id, &parts.fingerprint(), self.kept),
            how: How::Claimed,
            at: claims::now(core),
        }))
    }

    /// Reads an item as it stood when nothing was recorded, or else what was.
    async fn read_with<T: Item>(
        &self,
        table: &Table<T>,
        key: &T::Key,
        idempotency_key: &[u8],
    ) -> Result<Read<T>, Error> {
        let id = key::text(idempotency_key).and_then(|key| key::id(key, &self.namespace, self.missing_key))?;
        let store = table.core().store();
        let Some(id) = id else {
            let found = store.transact_get().get_key(table, key).send().await?.item(table, 0)?;
            return Ok(found.map_or(Read::Nothing, |found| Read::Item(Box::new(found))));
        };
        let found = store.transact_get().get(&self.table, id.clone()).get_key(table, key).send().await?;
        if let Some(record) = found.raw(0) {
            let key = &key_attributes::<T>(key)?;
            let write = fingerprint::Part { operation: MODIFY, table: table.core().name(), key, content: None };
            let fingerprint = fingerprint::writes(std::iter::once(write));
            let record = Operation::of_write(id, &fingerprint, self.kept).read(record);
            let key_reused = || Error::of(ErrorKind::KeyReused);
            match claim_failed(Some(&record.record), WriteId::NIL, claims::now(self.table.core())) {
                Claim::Completed => return transact::recorded(&record, 1).map(Read::Recorded).ok_or_else(key_reused),
                Claim::KeyReused => return Err(key_reused()),
                // The write finds it out.
                _ => {}
            }
        }
        Ok(found.item(table, 1)?.map_or(Read::Nothing, |found| Read::Item(Box::new(found))))
    }
}

impl<O> fmt::Debug for Recorded<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorded")
            .field("operation", &self.operation)
            .field("records", &self.records)
            .finish_non_exhaustive()
    }
}

impl<T: Item, F> fmt::Debug for RecordedModify<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordedModify").field("records", &self.records).finish_non_exhaustive()
    }
}
