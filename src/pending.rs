//! Writes whose outcome is unknown, taken up later: finished, or aborted.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use crate::error::Error;
use crate::item::Item;
use crate::settle::Suspended;
use crate::written::Written;

pub use self::token::PendingToken;

mod token;

/// A write whose outcome is unknown: [`Error::pending`].
///
/// It is as it was left: its last request may be in the table, may still arrive, or never will. It can be asked about for as
/// long as the table remembers: a day, or half as long as the item type keeps its tombstones.
///
/// # Examples
///
/// ```
/// # use dynamo_once::{Aborted, Item, Store, testing::{Embedded, Fault, Faults, Operation}};
/// # #[derive(Debug, serde::Serialize, serde::Deserialize, Item)]
/// # #[item(table = "accounts")]
/// # struct Account { #[item(partition_key)] id: String, balance: i64 }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let engine = Embedded::start().await;
/// # let faults = Faults::around(engine.http_client());
/// # let config = engine.config().http_client(faults.clone()).build();
/// # let policy = dynamo_once::RetryPolicy::new().max_attempts(1);
/// # let accounts = Store::builder(config).retry(policy).build().table::<Account>();
/// # accounts.create_if_missing().await?;
/// # faults.on(Operation::PutItem).inject(Fault::lost_reply());
/// let account = Account { id: "acc-1".into(), balance: 10 };
/// let error = accounts.insert(&account).send().await.unwrap_err();
/// assert!(error.is_outcome_unknown());
///
/// // Later, when the network is well again: was it applied, or is it now?
/// let pending = error.pending().expect("an unknown outcome can be asked about");
/// let written = pending.finish::<Account>().await?;
/// assert!(written.is_replayed());
///
/// // Or: it is to have no effect, unless it has one already.
/// assert_eq!(pending.abort().await?, Aborted::Applied);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Pending {
    suspended: Arc<Suspended>,
}

/// How an abort ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Aborted {
    /// The write has not been applied, and can't be any more. Of a key that is absent this rests on its deletes leaving tombstones: an
    /// item that its TTL removed in the meantime has taken the proof along.
    Prevented,
    /// The write had been applied already. It stays.
    Applied,
}

impl Pending {
    pub(crate) fn new(suspended: Arc<Suspended>) -> Self {
        Self { suspended }
    }

    /// The verb that was called: `"insert"`, `"update"`.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        self.suspended.operation
    }

    /// Until when it can be taken up.
    #[must_use]
    pub fn expires(&self) -> SystemTime {
        self.suspended.until
    }

    /// Sends the last request again, and settles what has become of it. Nothing else is sent but a fence: where the item has
    /// changed so that the write would have to take another form, it is not applied.
    ///
    /// One request, and one more where the write is refused.
    ///
    /// # Errors
    ///
    /// What the verb answers; [`Contention`](crate::ErrorKind::Contention) where the item has changed so that the request can't
    /// apply any more; [`OutcomeUnknown`](crate::ErrorKind::OutcomeUnknown) again, with another [`Pending`];
    /// [`Invalid`](crate::ErrorKind::Invalid) where it is too late, where a token brought it here without its content, or where `T` is
    /// another type than that of the write.
    pub async fn finish<T: Item>(&self) -> Result<Written<T>, Error> {
        if !self.suspended.table.holds::<T>() {
            let error = Error::invalid("the pending write is of another item type than it is finished as");
            return Err(error.with_operation(self.suspended.operation, self.suspended.table.name()));
        }
        let settled = self.suspended.finish().await?;
        Ok(match self.suspended.operation {
            "delete" => Written::deleted(settled),
            _ => Written::new(settled, self.suspended.table.format()),
        })
    }

    /// Sees to it that the write has no effect, unless it has one already.
    ///
    /// One request, a fence, where there is an item. Where the key is absent, only a tombstone can hold the place of the fence: an item
    /// type whose deletes leave tombstones gets one, by a second request, also where the write was an update. From then on this can't be
    /// asked again: that tombstone is younger than the write, and tells nothing of it.
    ///
    /// # Errors
    ///
    /// [`OutcomeUnknown`](crate::ErrorKind::OutcomeUnknown), with another [`Pending`], where it can't be told, such as where the key
    /// is absent and tombstones aren't left; [`Invalid`](crate::ErrorKind::Invalid) where it is too late, or
    /// [`BadToken`](crate::ErrorKind::BadToken) where a token brought it here; and what else ended the retries.
    pub async fn abort(&self) -> Result<Aborted, Error> {
        Ok(if self.suspended.abort().await? { Aborted::Applied } else { Aborted::Prevented })
    }

    /// What another process needs to abort the write, or to resume it with the same content.
    #[must_use]
    pub fn token(&self) -> PendingToken {
        PendingToken::of(&self.suspended)
    }
}

impl Error {
    /// The write, where its outcome is unknown, to be finished or aborted later.
    #[must_use]
    pub fn pending(&self) -> Option<Pending> {
        let suspended = Arc::clone(self.suspended()?);
        suspended.downcast().ok().map(Pending::new)
    }
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending")
            .field("operation", &self.suspended.operation)
            .field("table", &self.suspended.table.name())
            .field("write_id", &self.suspended.last.id.uuid())
            .finish_non_exhaustive()
    }
}
