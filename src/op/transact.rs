//! Writing several items together, or none of them.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use crate::error::Error;
use crate::item::Item;
use crate::key::Identity;
use crate::op::check::{self, Check};
use crate::op::delete::Delete;
use crate::op::insert::Insert;
use crate::op::prepared::Prepared;
use crate::op::save::Save;
use crate::op::update::Update;
use crate::op::upsert::Upsert;
use crate::pending::Aborted;
use crate::protocol::guard::Expect;
use crate::store::Store;
use crate::transact::{self, Action, Leaves, MOST_ACTIONS, OPERATION, Settled, Suspended};
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
/// store, and a [`keyed`](Insert::keyed) insert or a resumed call; and what else ended the retries.
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
    actions: Vec<Action>,
    /// The first part that can't be in a transaction.
    invalid: Option<Error>,
}

/// A transaction whose effect is in the tables exactly once.
#[derive(Debug, Clone)]
pub struct Transacted {
    outcome: Outcome,
    made: Vec<(Option<u64>, Option<Etag>)>,
}

/// What can be part of a transaction: the builders of the verbs that write one item, and [`Check`].
pub trait Part: sealed::Sealed {}

pub(crate) mod sealed {
    use super::{Action, Error};

    /// An action that nobody else makes.
    #[allow(missing_debug_implementations, unnameable_types, reason = "part of no API")]
    pub struct Sole(pub(in crate::op::transact) Action);

    #[allow(unnameable_types, reason = "so that nobody else implements it")]
    pub trait Sealed {
        #[doc(hidden)]
        fn into_action(self) -> Result<Sole, Error>;
    }
}

use self::sealed::{Sealed, Sole};

impl Store {
    /// Writes several items of its tables together, or none of them. See [`Transact`].
    #[doc(alias = "transact_write_items")]
    #[doc(alias = "transaction")]
    pub fn transact(&self) -> Transact {
        Transact { store: self.clone(), actions: Vec::new(), invalid: None }
    }
}

impl Transact {
    /// Adds a part. Parts have positions from 0 up, in the order in which they are added.
    pub fn with(mut self, part: impl Part) -> Self {
        let position = self.actions.len();
        if self.invalid.is_some() {
            return self;
        }
        match part.into_action() {
            Ok(Sole(action)) => {
                if !action.table.store().is_same(&self.store) {
                    let error = Error::invalid("the part is of another store than the transaction");
                    self.invalid = Some(action.of(position, error));
                }
                self.actions.push(action);
            }
            Err(error) => {
                let table = error.table().map(str::to_owned).unwrap_or_default();
                self.invalid = Some(error.with_operation(OPERATION, &table).with_part(position));
            }
        }
        self
    }

    /// Writes the parts.
    ///
    /// # Errors
    ///
    /// See [`Transact`].
    pub async fn send(self) -> Result<Transacted, Error> {
        if let Some(invalid) = self.invalid {
            return Err(invalid);
        }
        let refuse = |why: &'static str| Err(Error::invalid(why).with_operation(OPERATION, ""));
        match self.actions.len() {
            0 => return refuse("the transaction has no part; add one with `with`"),
            1..=MOST_ACTIONS => {}
            _ => return refuse("a transaction has 100 parts at most; write fewer items at once"),
        }
        let mut items = HashSet::new();
        for (index, action) in self.actions.iter().enumerate() {
            if !items.insert((action.table.name(), Identity::of(action.table.schema(), &action.key))) {
                let error = Error::invalid("a transaction has one part for an item; put its changes into one");
                return Err(action.of(index, error));
            }
        }
        transact::settle(&self.store, self.actions).await.map(Transacted::new)
    }
}

impl Transacted {
    fn new(settled: Settled) -> Self {
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
/// long as the tables remember: a day, or half as long as the item types keep their tombstones.
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

/// A verb's write as an action.
fn action<R>(prepared: Prepared<R>, leaves: Leaves, at: Option<Etag>) -> Action
where
    R: FnMut(&crate::protocol::call::Attempt, Option<&crate::item::RawItem>) -> Result<crate::call::Request, Error>
        + Send
        + Sync
        + 'static,
{
    let Prepared { table, operation, key, expect, keyed: _, conditional, began: _, mut request } = prepared;
    let render = move |attempt: Option<&_>, stands: Option<&_>| match attempt {
        Some(attempt) => transact::part(request(attempt, stands)?),
        None => Err(Error::invalid("a write needs an attempt to be rendered for")),
    };
    Action { table, operation, key, expect, conditional, leaves, at, render: Box::new(render) }
}

impl<T: Item> Sealed for Insert<T> {
    fn into_action(self) -> Result<Sole, Error> {
        if self.is_of_its_own() {
            return Err(Error::invalid(
                "a keyed or resumed insert is sent by itself, and can't be part of a transaction",
            ));
        }
        Ok(Sole(action(self.repeatable().prepare()?, Leaves::Stamp, None)))
    }
}

impl<T: Item> Sealed for Upsert<T> {
    fn into_action(self) -> Result<Sole, Error> {
        if self.is_of_its_own() {
            return Err(Error::invalid("a resumed upsert is sent by itself, and can't be part of a transaction"));
        }
        Ok(Sole(action(self.prepare()?, Leaves::Stamp, None)))
    }
}

impl<T: Item> Sealed for Update<T> {
    fn into_action(self) -> Result<Sole, Error> {
        if self.is_of_its_own() {
            return Err(Error::invalid("a resumed update is sent by itself, and can't be part of a transaction"));
        }
        let at = self.etag();
        Ok(Sole(action(self.prepare()?, Leaves::Stamp, at)))
    }
}

impl<T: Item> Sealed for Save<T> {
    /// Where nothing was changed, the item still has to be as it was read.
    fn into_action(self) -> Result<Sole, Error> {
        let (table, etag, key) = (self.table().clone(), self.etag(), self.key());
        Ok(Sole(match self.prepare()? {
            Some(prepared) => action(prepared, Leaves::Stamp, Some(etag)),
            None => check::check(table.core(), key, etag.expect(), None, Some(etag)),
        }))
    }
}

impl<T: Item> Sealed for Delete<T> {
    fn into_action(self) -> Result<Sole, Error> {
        let at = self.etag();
        let mut prepared = self.prepare()?;
        let leaves = match prepared.table.schema().tombstones_left() {
            Some(_) => Leaves::Stamp,
            None => Leaves::Nothing,
        };
        if prepared.expect == Expect::Buried {
            // It leaves a tombstone in any case, so that nothing stands in the way of the others.
            prepared.expect = Expect::Any;
        }
        Ok(Sole(action(prepared, leaves, at)))
    }
}

impl<T: Item> Sealed for Check<T> {
    fn into_action(self) -> Result<Sole, Error> {
        self.into_action().map(Sole)
    }
}

impl<T: Item> Part for Insert<T> {}
impl<T: Item> Part for Upsert<T> {}
impl<T: Item> Part for Update<T> {}
impl<T: Item> Part for Save<T> {}
impl<T: Item> Part for Delete<T> {}
impl<T: Item> Part for Check<T> {}

impl fmt::Debug for Transact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transact").field("parts", &self.actions.len()).finish_non_exhaustive()
    }
}
