//! Reading an item, changing it, and writing what was changed, until no one else was faster.

use std::fmt;

use aws_sdk_dynamodb::error::BoxError;

use crate::error::{Error, ErrorKind};
use crate::item::Item;
use crate::op::get::Get;
use crate::op::save::Save;
use crate::retry::{Spent, Why};
use crate::table::Table;
use crate::versioned::{Changed, Versioned};
use crate::written::Written;

/// Reads an item, changes it, and writes what was changed, again for as long as others are faster; see
/// [`Table::modify`].
///
/// The change may be made several times, each time on the item as it then stands, so that it should depend on nothing else
/// and do nothing else. It returns nothing, or `Result<(), BoxError>` whose error leaves the item as it is and ends the call as
/// [`Declined`](ErrorKind::Declined): `BoxError` is the boxed error into which `?` turns any other.
///
/// # Idempotency
///
/// One `GetItem` and one `UpdateItem`, then one `UpdateItem` for each conflict, since the refusal has brought the item along. A
/// lost reply is settled as in [`Save`]: the change is in the table exactly once, or the error says what is known.
///
/// Read capacity: one unit for each 4 KB of the item, once. Write capacity: one unit for each KB, for each `UpdateItem`.
///
/// # Errors
///
/// [`NotFound`](ErrorKind::NotFound) where there is no item; [`Declined`](ErrorKind::Declined) with the closure's own error as
/// [source](std::error::Error::source); [`Contention`](ErrorKind::Contention) where others were faster more often than the
/// retry policy allows; [`OutcomeUnknown`](ErrorKind::OutcomeUnknown) where it can't be told whether the write was applied; and
/// what else `get` and `save` answer.
///
/// # Examples
///
/// ```
/// # use dynamo_once::{Item, Store, testing::Embedded};
/// # #[derive(serde::Serialize, serde::Deserialize, Item)]
/// # #[item(table = "accounts")]
/// # struct Account { #[item(partition_key)] id: String, balance: i64 }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let engine = Embedded::start().await;
/// # let accounts = Store::new(engine.config().build()).table::<Account>();
/// # accounts.create_if_missing().await?;
/// # accounts.insert(&Account { id: "acc-1".into(), balance: 15 }).send().await?;
/// accounts.modify("acc-1", |account| account.balance -= 10).send().await?;
///
/// let declined = accounts
///     .modify("acc-1", |account| {
///         if account.balance < 10 {
///             return Err("not enough money".into());
///         }
///         account.balance -= 10;
///         Ok(())
///     })
///     .send()
///     .await
///     .unwrap_err();
/// assert!(declined.is_declined());
/// # Ok(())
/// # }
/// ```
///
/// An error type of one's own goes through `?` or `into`, and comes back as the source:
///
/// ```
/// # use dynamo_once::{Item, Store, testing::Embedded};
/// # #[derive(serde::Serialize, serde::Deserialize, Item)]
/// # #[item(table = "accounts")]
/// # struct Account { #[item(partition_key)] id: String, balance: i64 }
/// #[derive(Debug)]
/// struct Overdrawn {
///     by: i64,
/// }
/// # impl std::fmt::Display for Overdrawn {
/// #     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { write!(f, "overdrawn by {}", self.by) }
/// # }
/// # impl std::error::Error for Overdrawn {}
///
/// fn withdraw(account: &mut Account, amount: i64) -> Result<(), Overdrawn> {
///     account.balance -= amount;
///     if account.balance < 0 { Err(Overdrawn { by: -account.balance }) } else { Ok(()) }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let engine = Embedded::start().await;
/// # let accounts = Store::new(engine.config().build()).table::<Account>();
/// # accounts.create_if_missing().await?;
/// # accounts.insert(&Account { id: "acc-1".into(), balance: 15 }).send().await?;
/// let declined = accounts.modify("acc-1", |account| Ok(withdraw(account, 20)?)).send().await.unwrap_err();
/// let reason = std::error::Error::source(&declined).and_then(|reason| reason.downcast_ref::<Overdrawn>());
/// assert_eq!(reason.expect("is the source").by, 5);
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is written until `send`"]
pub struct Modify<T: Item, F> {
    pub(crate) table: Table<T>,
    pub(crate) key: T::Key,
    pub(crate) change: F,
}

/// What the change of a [`Modify`] may return: nothing, or `Result<(), BoxError>` to be able to decline.
///
/// One type of error only, since `Ok(())` says nothing of any other: with several to choose from, each closure would have to
/// name its own.
#[diagnostic::on_unimplemented(
    message = "the change returns `{Self}`, which says neither \"write it\" nor \"leave it\"",
    note = "return nothing, or `Result<(), BoxError>`: `Ok(change(item)?)` makes one of a `Result` with another error"
)]
pub trait Decision {
    /// Whether the changed item is to be written.
    ///
    /// # Errors
    ///
    /// The reason why it isn't.
    fn decide(self) -> Result<(), BoxError>;
}

impl Decision for () {
    fn decide(self) -> Result<(), BoxError> {
        Ok(())
    }
}

impl Decision for Result<(), BoxError> {
    fn decide(self) -> Result<(), BoxError> {
        self
    }
}

const OPERATION: &str = "modify";

impl<T, F, R> Modify<T, F>
where
    T: Item,
    F: FnMut(&mut T) -> R,
    R: Decision,
{
    pub(crate) fn new(table: Table<T>, key: T::Key, change: F) -> Self {
        Self { table, key, change }
    }

    /// Runs the loop.
    ///
    /// # Errors
    ///
    /// See [`Modify`].
    pub async fn send(self) -> Result<Written<T>, Error> {
        let Self { table, key, mut change } = self;
        let core = table.core();
        let (mut current, mut spent) = Get::new(table.clone(), key).read(OPERATION).await?;
        let mut retry = core.store().caller().begin_after(spent);
        let of =
            |error: Error, spent: Spent| spent.report(error.with_operation(OPERATION, core.name()), core.store().now());
        loop {
            let Some(found) = current else { return Err(of(Error::of(ErrorKind::NotFound), spent)) };
            let changed = apply(found, &mut change).map_err(|error| of(error, spent))?;
            let conflict = match Save::new(table.clone(), changed).part_of(OPERATION, spent).send().await {
                Err(error) if error.is_version_conflict() => error,
                written_or_failed => return written_or_failed,
            };
            spent.attempts = conflict.attempts();
            let stands = conflict.raw_current().cloned();
            current = stands.map_or(Ok(None), |item| core.found(item)).map_err(|error| of(error, spent))?;
            if let Err(limit) = retry.pause(Why::Conflict).await {
                return Err(conflict.of_kind(ErrorKind::VersionConflict, ErrorKind::Contention).with_limit(limit));
            }
        }
    }
}

/// The item as the change makes it.
pub(crate) fn apply<T: Item, R: Decision>(
    found: Versioned<T>,
    change: &mut impl FnMut(&mut T) -> R,
) -> Result<Changed<T>, Error> {
    found.try_with(|item| change(item).decide()).map_err(|reason| Error::of(ErrorKind::Declined).with_source(reason))
}

impl<T: Item, F> fmt::Debug for Modify<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Modify").field("table", &self.table).finish_non_exhaustive()
    }
}
