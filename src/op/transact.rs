//! Writing several items together, or none of them.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use crate::error::Error;
use crate::op::part::{Part, Parts};
use crate::pending::Aborted;
use crate::store::Store;
use crate::transact::{OPERATION, Settled, Suspended};
use crate::versioned::Etag;
use crate::written::Outcome;

/// Writes several items, of any tables of the store, together or not at all; see [`Store::transact`].
///
/// # Idempotency
///
/// One `TransactWriteItems`, whose items are stamped as those of single writes are. Where its reply is lost, the same request is sent
/// again under the same client request token; after the ten minutes for which the service remembers that, any one of the stamps tells
/// [`Replayed`](crate::Outcome::Replayed). A refusal after a lost reply costs one single write more, a fence on one of the items, so that it is
/// final for as long as that item lives. A transaction of deletes and checks only leaves no stamp, unless the deletes leave tombstones, and
/// may end as [`OutcomeUnknown`](crate::ErrorKind::OutcomeUnknown) where another has to. A delete of a type with tombstones leaves one
/// also where there was no item.
///
/// Write capacity: two units for each KB of each item, checks among them, also where a condition fails; a fence as much as a single write.
///
/// # Errors
///
/// What the first part that refuses answers by itself; [`Error::part`] is its position, [`Error::refusals`] are all parts that
/// refuse, and [`Error::current_of`] is an item as it stands. [`Contention`](crate::ErrorKind::Contention) where other transactions kept
/// being in the way; [`OutcomeUnknown`](crate::ErrorKind::OutcomeUnknown) where it can't be told whether it was applied
/// ([`Error::pending_transaction`]);
/// [`Invalid`](crate::ErrorKind::Invalid), with nothing sent, for no part, more than 100, two on one item, more than 4 MB, a part of another
/// store, and a [`keyed`](crate::Insert::keyed) insert or a resumed call; and what else ended the retries.
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
/// # let accounts = store.table::<Account>();
/// # accounts.create_if_missing().await?;
/// # accounts.insert(&Account { id: "ann".into(), balance: 15 }).send().await?;
/// # accounts.insert(&Account { id: "bob".into(), balance: 0 }).send().await?;
/// let f = Account::FIELDS;
/// let pay = || {
///     store
///         .transact()
///         .with(accounts.update("ann").add(f.balance, -10).when(f.balance.ge(10)))
///         .with(accounts.update("bob").add(f.balance, 10))
/// };
/// assert_eq!(pay().send().await?.version(0), None); // an update goes by no version
/// assert_eq!(accounts.get("bob").send().await?.expect("is there").balance, 10);
///
/// let refused = pay().send().await.unwrap_err();
/// assert!(refused.is_condition_failed());
/// assert_eq!(refused.part(), Some(0));
/// assert_eq!(refused.current_of::<Account>(0)?.expect("comes with the refusal").balance, 5);
/// assert_eq!(accounts.get("bob").send().await?.expect("is there").balance, 10);
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is written until `send`"]
pub struct Transact {
    store: Store,
    parts: Parts,
}

/// A transaction whose effect is in the tables exactly once.
#[derive(Debug, Clone)]
pub struct Transacted {
    outcome: Outcome,
    made: Vec<(Option<u64>, Option<Etag>)>,
}

impl Store {
    /// Writes several items of its tables together, or none of them. See [`Transact`].
    #[doc(alias = "transact_write_items")]
    #[doc(alias = "transaction")]
    pub fn transact(&self) -> Transact {
        Transact { store: self.clone(), parts: Parts::default() }
    }
}

impl Transact {
    /// Adds a part. Parts have positions from 0 up, in the order in which they are added.
    pub fn with(mut self, part: impl Part) -> Self {
        self.parts.add(&self.store, OPERATION, part);
        self
    }

    /// Writes the parts.
    ///
    /// # Errors
    ///
    /// See [`Transact`].
    pub async fn send(self) -> Result<Transacted, Error> {
        let written = self.parts.write(&self.store, OPERATION, None).await;
        written.map(Transacted::new).map_err(|unsettled| unsettled.error)
    }

    pub(crate) fn into_parts(self) -> (Store, Parts) {
        (self.store, self.parts)
    }
}

impl Transacted {
    pub(crate) fn new(settled: Settled) -> Self {
        let Settled { replayed, made } = settled;
        Self { outcome: if replayed { Outcome::Replayed } else { Outcome::Applied }, made }
    }

    /// How the transaction came to be in the tables.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Whether a stored stamp showed that the transaction had been applied before.
    #[must_use]
    pub fn is_replayed(&self) -> bool {
        self.outcome == Outcome::Replayed
    }

    /// The version that a part has made, where what it expected fixes it: of an insert, a save, and an update at an etag. The service
    /// sends no items along with a transaction that was applied.
    #[must_use]
    pub fn version(&self, part: usize) -> Option<u64> {
        self.made.get(part)?.0
    }

    /// The version that a part has made, with its item's birth, for a later write at it.
    #[must_use]
    pub fn etag(&self, part: usize) -> Option<Etag> {
        self.made.get(part)?.1
    }
}

/// A transaction whose outcome is unknown: [`Error::pending_transaction`].
///
/// It is as it was left: its last request may be in the tables, may still arrive, or never will. It can be asked about by this process, for as
/// long as the tables remember: a day, or half as long as the item types keep their tombstones; of a recorded write, or of what a run staged, half as
/// long as the record is kept ([`Records::kept_for`](crate::Records::kept_for)) where that is shorter.
#[derive(Clone)]
pub struct PendingTransaction {
    suspended: Arc<Suspended>,
}

impl PendingTransaction {
    /// Until when it can be taken up.
    #[must_use]
    pub fn expires(&self) -> SystemTime {
        self.suspended.until
    }

    /// Sends the last request again, and settles what has become of it. Nothing else is sent but a fence.
    ///
    /// # Errors
    ///
    /// What [`Transact`] answers; [`Contention`](crate::ErrorKind::Contention) where an item has changed so that the request can't apply any
    /// more; [`Invalid`](crate::ErrorKind::Invalid) where it is too late.
    pub async fn finish(&self) -> Result<Transacted, Error> {
        self.suspended.finish().await.map(Transacted::new)
    }

    /// Sees to it that the transaction has no effect, unless it has one already: by a fence on one of its items, which leaves no tombstone.
    ///
    /// Of a [recorded](crate::Recorded) write, or of what a run staged, the fence is on the record: it is left as one that nobody holds, so that whoever
    /// repeats the write, or delivers the event again, makes a new attempt.
    ///
    /// # Errors
    ///
    /// [`OutcomeUnknown`](crate::ErrorKind::OutcomeUnknown), again pending, where that item isn't there;
    /// [`Invalid`](crate::ErrorKind::Invalid) where it is too late; and what else ended the retries.
    pub async fn abort(&self) -> Result<Aborted, Error> {
        Ok(if self.suspended.abort().await? { Aborted::Applied } else { Aborted::Prevented })
    }
}

impl Error {
    /// The transaction, where its outcome is unknown, to be finished or aborted later.
    #[must_use]
    pub fn pending_transaction(&self) -> Option<PendingTransaction> {
        let suspended = Arc::clone(self.suspended()?).downcast().ok()?;
        Some(PendingTransaction { suspended })
    }
}

impl fmt::Debug for PendingTransaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingTransaction").field("expires", &self.expires()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Transact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transact").field("parts", &self.parts).finish_non_exhaustive()
    }
}
