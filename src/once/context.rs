//! What an operation knows of its run.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::claims::OPERATION;
use crate::op::part::{Part, Parts};
use crate::store::Store;

/// What an operation knows of its run, and by which it writes.
#[derive(Clone)]
pub struct Context {
    key: Arc<str>,
    is_lost: watch::Receiver<bool>,
    store: Store,
    staged: Arc<Mutex<Parts>>,
}

impl Context {
    /// Of a run under this key, and what tells it that its lease is lost.
    pub(super) fn new(store: &Store, key: &str) -> (Self, watch::Sender<bool>) {
        let (sender, is_lost) = watch::channel(false);
        (Self { key: key.into(), is_lost, store: store.clone(), staged: Arc::default() }, sender)
    }

    /// Stages a write: it is made when the operation has answered, in one transaction with all that are staged and with the completion
    /// of the record. So it happens once, whatever crashes, is lost, or runs twice; and not at all where the operation fails.
    ///
    /// What is staged is written by nobody else than the run that completes the record, and stays unseen until then; what is staged after the
    /// operation has answered, by a task that it left behind, isn't written. At most 99
    /// writes, and one for an item; the transaction takes the place of the completion's request, at two write capacity units for each
    /// KB. Where a part is refused, nothing is written, the record is released, and [`Once::run`](crate::Once::run) says which part it was
    /// ([`Error::part`](crate::Error::part), in the order of staging); the next delivery runs the operation again. A write that can't be
    /// part of a transaction, such as a [`keyed`](crate::Insert::keyed) insert, is said then, too.
    ///
    /// ```
    /// # use dynamo_once::{Context, Item, Store, testing::Embedded};
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
    /// # accounts.insert(&Account { id: "ann".into(), balance: 15 }).send().await?;
    /// let withdraw = async |run: Context| {
    ///     let f = Account::FIELDS;
    ///     run.stage(accounts.update("ann").add(f.balance, -10).when(f.balance.ge(10)));
    ///     Ok::<_, std::io::Error>(10)
    /// };
    /// for _delivery in 0..3 {
    ///     records.once("withdrawal-77").run(withdraw).await?;
    /// }
    /// assert_eq!(accounts.get("ann").send().await?.expect("is there").balance, 5);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "transact_write_items")]
    pub fn stage(&self, part: impl Part) {
        self.staged.lock().unwrap_or_else(PoisonError::into_inner).add(&self.store, OPERATION, part);
    }

    /// How many writes are staged so far.
    #[must_use]
    pub fn staged(&self) -> usize {
        self.staged.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Of no run: for tests.
    #[cfg(any(feature = "test-util", feature = "embedded"))]
    pub(crate) fn of(store: &Store, key: &str) -> Self {
        Self::new(store, key).0
    }

    /// What was staged so far.
    pub(super) fn take(&self) -> Parts {
        std::mem::take(&mut *self.staged.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The key that the operation runs under, namespace included: to be handed on to services that take an idempotency key. A
    /// [recorded write](crate::Recorded) under this very key in the same table of records is refused as [`KeyReused`](crate::ErrorKind::KeyReused), for
    /// the key is the run's: [stage](Context::stage) the write. Empty where
    /// it [runs unprotected](crate::MissingKey::RunUnprotected).
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Whether the lease is lost, or has run out, so that another may run the operation by now. Where one does, this one's answer won't
    /// count.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        *self.is_lost.borrow()
    }

    /// Waits until the lease is lost, or has run out; for ever where that doesn't happen. What was begun can be cut short then, as by
    /// `tokio::select!`: the operation itself isn't stopped.
    pub fn lost(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut is_lost = self.is_lost.clone();
        async move {
            // The run has ended, and the lease with it, in good order.
            if is_lost.wait_for(|is_lost| *is_lost).await.is_err() {
                std::future::pending().await
            }
        }
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("is_lost", &self.is_lost()).finish_non_exhaustive()
    }
}
