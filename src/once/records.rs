//! The records of operations, and what an owner makes of its own.

use std::sync::Arc;
use std::time::Duration;

use crate::claims::{self, Change, Claimed, OPERATION, Operation, Term};
use crate::epoch::EpochMillis;
use crate::error::{Error, ErrorKind, Limit};
use crate::op::part::Parts;
use crate::protocol::claim::Millis;
use crate::protocol::log::WriteId;
use crate::record::{Ending, Kept, Row};
use crate::table::Table;
use crate::transact::{How, Tied, Unsettled};

use super::cache::Cache;
use super::key::{self, MissingKey};
use super::large::{self, LargeAnswers};
use super::lease::{Lease, millis};
use super::{Once, OnceError};

/// A table of records, each of which says that an operation ran, and what it answered; made by
/// [`Store::records`](crate::Store::records).
#[derive(Clone, Debug)]
pub struct Records {
    pub(super) table: Table<Row>,
    pub(super) namespace: String,
    pub(super) missing_key: MissingKey,
    pub(super) lease: Lease,
    pub(super) kept: Duration,
    pub(super) large: LargeAnswers,
    pub(super) cache: Option<Cache>,
}

impl Records {
    pub(crate) fn new(table: Table<Row>) -> Self {
        Self {
            table,
            namespace: String::new(),
            missing_key: MissingKey::default(),
            lease: LEASE,
            kept: KEPT,
            large: LargeAnswers::default(),
            cache: None,
        }
    }

    /// Puts this before every key: a caller's or a tenant's name, so that none can read another's answer. Whatever it is, and whatever the key, no
    /// other namespace and key have the same record; an empty one is the same as none.
    ///
    /// The record's id is `namespace#key`. Without a namespace it is the key; where that has a `#` itself, `#key`.
    #[must_use]
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// Sets what is to happen where the key is empty; it is refused unless set. There is no key that all such operations share.
    #[must_use]
    pub fn missing_key(mut self, missing: MissingKey) -> Self {
        self.missing_key = missing;
        self
    }

    /// Sets for how long a claim holds: a second at least. Unless set, it is [kept alive](Lease::kept_alive), and holds for 30 seconds without a
    /// sign of life. A crashed run is repeated after that.
    #[must_use]
    pub fn lease(mut self, lease: impl Into<Lease>) -> Self {
        self.lease = lease.into();
        self
    }

    /// Sets for how long answers are kept; 24 hours unless set, and as long as the lease at least. After that the operation runs again.
    #[must_use]
    pub fn kept_for(mut self, kept: Duration) -> Self {
        self.kept = kept;
        self
    }

    /// Sets what becomes of answers that are too large for a record; they are compressed unless set. In either case the operation is completed, and
    /// doesn't run again.
    #[must_use]
    pub fn large_answers(mut self, large: LargeAnswers) -> Self {
        self.large = large;
        self
    }

    /// Keeps records at hand that are completed, in so many bytes of memory: answers and final failures, until they expire. Whoever repeats an
    /// operation whose record is at hand has its answer without a request. Clones share them; each call of this makes new ones, so that its place is
    /// where the records are made, not where a request is served.
    ///
    /// A completed record stays as it is, so that nothing else can be told by the table; but for a record that is deleted before it expires, which
    /// goes on to be replayed here.
    #[must_use]
    pub fn cache(mut self, bytes: usize) -> Self {
        self.cache = Some(Cache::new(bytes));
        self
    }

    /// Makes the table where there is none, with its TTL; for tests and local work.
    ///
    /// # Errors
    ///
    /// As [`Table::create_if_missing`].
    pub async fn create_if_missing(&self) -> Result<(), Error> {
        self.table.create_if_missing().await
    }

    #[cfg(test)]
    pub(crate) fn core(&self) -> &crate::table::Core {
        self.table.core()
    }

    /// An operation that is to run once for this key: an event's id, a request's idempotency key. It is text of 2048 bytes at most, the
    /// namespace included; an empty one is a [missing](Records::missing_key) one.
    pub fn once(&self, key: impl AsRef<[u8]>) -> Once {
        let key = key::text(key.as_ref());
        Once { records: self.clone(), key, payload: None, wait: Duration::ZERO, deadline: None }
    }

    /// Claims, again for as long as may be waited for another.
    pub(super) async fn claim(&self, operation: &Operation, term: Term, wait: Millis) -> Result<Claimed, Error> {
        const LOOK_AGAIN: Millis = 200;
        let core = self.table.core();
        let started = claims::now(core);
        if let Some(entry) = self.cache.as_ref().and_then(|cache| cache.get(&operation.id, started)) {
            if entry.is_of_another_than(operation.validation.as_ref()) {
                return Err(Error::of(ErrorKind::KeyReused).with_operation(OPERATION, core.name()));
            }
            return Ok(Claimed::Completed(entry));
        }
        let wait = match term {
            Term::Until(deadline) => wait.min(deadline.saturating_sub(started)),
            Term::For(_) => wait,
        };
        let mut paused = 0;
        loop {
            let claimed = claims::claim(core, operation, term).await?;
            if let (Claimed::Completed(entry), Some(cache)) = (&claimed, &self.cache) {
                cache.put(&operation.id, entry);
            }
            let Claimed::Busy(_) = claimed else { return Ok(claimed) };
            // Where the clock stands still, as in a test, the pauses count.
            let left = wait.saturating_sub(claims::now(core).saturating_sub(started).max(paused));
            if left == 0 {
                return Ok(claimed);
            }
            let pause = left.min(LOOK_AGAIN);
            core.store().caller().clock().sleep(Duration::from_millis(pause)).await;
            paused += pause;
        }
    }

    /// What is stored of an answer or a failure.
    pub(super) fn keep(&self, text: Result<String, serde_json::Error>, what: &str) -> Result<Kept, Error> {
        match text {
            Ok(text) => Ok(large::keep(text, self.large)),
            Err(error) => {
                let error = Error::invalid(format!("{what} doesn't serialise as JSON, and can't be replayed"))
                    .with_source(error);
                Err(error.with_operation(OPERATION, self.table.core().name()))
            }
        }
    }

    /// Completes the record, and writes what was staged with it; until then at most, where that is given.
    pub(super) async fn complete(
        &self,
        operation: &Operation,
        owner: WriteId,
        ending: Ending,
        staged: Parts,
        end: Option<Millis>,
    ) -> Result<EpochMillis, Error> {
        let core = self.table.core();
        let at = claims::now(core);
        let at_hand = self.cache.as_ref().map(|cache| (cache, ending.clone()));
        let complete = Change::Complete { ending, at };
        if staged.is_empty() {
            self.by(end, claims::complete(core, operation, owner, &complete)).await??;
        } else {
            let how = How::Held { owner, complete };
            let tied = Tied { records: Arc::clone(core), record: operation.clone(), how, at };
            let written = self.by(end, staged.write(core.store(), OPERATION, Some(tied))).await?;
            if let Err(Unsettled { error, is_released }) = written {
                if !is_released && !error.is_outcome_unknown() && error.kind() != ErrorKind::Superseded {
                    // Nothing of it is written, and nothing will be. Where this fails, the lease ends by itself.
                    self.release(operation, owner, end).await;
                }
                return Err(error);
            }
        }
        if let Some((cache, ending)) = at_hand {
            cache.put(&operation.id, &Arc::new(claims::completed(operation, owner, ending, at)));
        }
        Ok(EpochMillis(at))
    }

    /// Releases the record; where that fails, or takes longer than the lease would, the lease ends by itself.
    pub(super) async fn release(&self, operation: &Operation, owner: WriteId, end: Option<Millis>) {
        let core = self.table.core();
        let releasing = claims::change(core, operation, owner, &Change::Release);
        let _unreleased = claims::before(core, end.unwrap_or_else(|| self.within_a_lease()), releasing).await;
    }

    /// A time by which a lease that begins now has ended.
    pub(super) fn within_a_lease(&self) -> Millis {
        claims::now(self.table.core()).saturating_add(millis(self.lease.length()))
    }

    /// What comes of it by then; unknown where that isn't known by then.
    async fn by<F: Future>(&self, end: Option<Millis>, future: F) -> Result<F::Output, Error> {
        let Some(end) = end else { return Ok(future.await) };
        let known = claims::before(self.table.core(), end, future).await;
        known.ok_or_else(|| Error::new(ErrorKind::OutcomeUnknown, UNCOMPLETED).with_limit(Limit::Deadline))
    }

    pub(super) fn not_stored<E>(&self, error: Error) -> OnceError<E> {
        let table = error.table().filter(|table| !table.is_empty()).unwrap_or(self.table.core().name()).to_owned();
        OnceError::NotStored(error.with_operation(OPERATION, &table))
    }

    pub(super) fn of<E>(&self, error: Error) -> OnceError<E> {
        OnceError::NotRun(error.with_operation(OPERATION, self.table.core().name()))
    }
}

const UNCOMPLETED: &str = "the operation has run, and whether what it came to is stored wasn't known by the deadline";
const LEASE: Lease = Lease::kept_alive(Duration::from_secs(30));
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);
