//! Operations that run once for their key.

mod answer;
mod context;
mod key;
mod lease;

use std::fmt;
use std::future::Future;
use std::time::{Duration, SystemTime};

use futures_util::future::{Either, select};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::claims::{self, Change, Claimed, Operation, Term};
use crate::epoch::EpochMillis;
use crate::error::{Error, ErrorKind};
use crate::fingerprint;
use crate::protocol::claim::{Hold, Millis};
use crate::protocol::log::WriteId;
use crate::record::Row;
use crate::table::Table;

pub use self::answer::{OnceError, Ran};
pub use self::context::Context;
pub(crate) use self::key::Identity;
pub use self::key::MissingKey;
pub use self::lease::Lease;
use self::lease::{Held, millis};

/// A table of records, each of which says that an operation ran, and what it answered; made by
/// [`Store::records`](crate::Store::records).
#[derive(Clone, Debug)]
pub struct Records {
    table: Table<Row>,
    namespace: String,
    missing_key: MissingKey,
    lease: Lease,
    kept: Duration,
}

/// Runs an operation once for its key; see [`Records::once`].
///
/// # What it costs, and what happens when
///
/// A first run takes two writes: one claims the record, one completes it with the answer. A repetition takes one, and gives the answer
/// from the record. A lost reply to either is asked for again, and found out from the record.
///
/// | | |
/// |---|---|
/// | the operation answers | the answer is stored, and replayed until the record expires |
/// | it fails | the record is released: the next delivery runs it again |
/// | the process crashes, the operation panics, or the future is dropped | the record stays claimed until its lease ends |
/// | another runs it at that moment | [`InProgress`](ErrorKind::InProgress), or [`wait`](Once::wait)s |
/// | the lease ran out, and another took over | [`Superseded`](ErrorKind::Superseded): the other's answer counts |
/// | the same key with another payload | [`KeyReused`](ErrorKind::KeyReused) |
/// | the record can't be claimed for certain | [`OutcomeUnknown`](ErrorKind::OutcomeUnknown): the operation hasn't run, and another delivery may have to wait for the lease to end |
/// | it ran, and its answer can't be stored | what was in the way (throttled, unreachable, no JSON); it runs again after its lease. `OutcomeUnknown` where the answer may be stored |
///
/// The lease is kept alive while the operation runs, as long as the process lives. What the operation does to others (an e-mail, a charge)
/// can still happen twice where the process crashes before the answer is stored, unless they take [`Context::key`] for a key of
/// their own.
///
/// Capacity: a write unit for each KB of the record at each of its writes, also where a condition fails.
///
/// # Clocks
///
/// A lease is judged by the clock of whoever would take it over. Where clocks disagree by more than a lease, two may run the operation at
/// once; one of them completes it, and the other is told [`Superseded`](ErrorKind::Superseded).
///
/// # Examples
///
/// ```
/// use dynamo_once::{Store, testing::Embedded};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let engine = Embedded::start().await;
/// # let store = Store::new(engine.config().build());
/// let records = store.records("records");
/// # records.create_if_missing().await?;
/// let event = ("order-77", 2500);
/// let charge = async |run: dynamo_once::Context| {
///     // `run.key()` goes to the bank as its idempotency key.
///     Ok::<_, std::io::Error>(format!("charged under {}", run.key()))
/// };
/// let ran = records.once("event-1").payload(&event).run(charge).await?;
/// assert!(!ran.is_replayed());
///
/// // The event is delivered again, to another process perhaps.
/// let again = records.once("event-1").payload(&event).run(charge).await?;
/// assert!(again.is_replayed());
/// assert_eq!(again.answer(), ran.answer());
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing runs until `run`"]
pub struct Once {
    records: Records,
    /// `None` where it is missing.
    key: Result<Option<String>, Error>,
    payload: Option<Result<String, Error>>,
    wait: Duration,
    deadline: Option<Millis>,
}

/// An operation that can be claimed.
struct Prepared {
    records: Records,
    /// `None` where it runs unprotected.
    operation: Option<Operation>,
    term: Term,
    wait: Millis,
}

const LEASE: Lease = Lease::kept_alive(Duration::from_secs(30));
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// An item takes 400 KB; the rest is for what stands beside the answer.
const MOST_ANSWER: usize = 390 * 1024;

impl Records {
    pub(crate) fn new(table: Table<Row>) -> Self {
        Self { table, namespace: String::new(), missing_key: MissingKey::Refuse, lease: LEASE, kept: KEPT }
    }

    /// Puts this before every key: a caller's or a tenant's name, so that none can read another's answer.
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

    /// Sets for how long answers are kept; 24 hours unless set. After that the operation runs again.
    #[must_use]
    pub fn kept_for(mut self, kept: Duration) -> Self {
        self.kept = kept;
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
}

impl Once {
    /// Sets what the operation is asked to do. The same key with another payload is refused.
    pub fn payload(mut self, payload: &impl Serialize) -> Self {
        let canonical = serde_json::to_value(payload).map(|value| fingerprint::payload(&value));
        self.payload = Some(canonical.map_err(|error| {
            Error::invalid("the payload doesn't serialise as JSON, by which it is recognised").with_source(error)
        }));
        self
    }

    /// Waits so long for another run of the operation to end, in the place of [`InProgress`](ErrorKind::InProgress) at once. It looks again every
    /// 200 ms, which takes a write each time, also where that is refused.
    pub fn wait(mut self, most: Duration) -> Self {
        self.wait = most;
        self
    }

    /// Ends the lease at this time, in the place of the records' [lease](Records::lease): at the deadline of the Lambda invocation, which doesn't
    /// outlive it. It isn't extended, and takes no writes. What waits for another run waits no longer than that.
    ///
    /// Where that time has passed, nothing is sent and nothing runs: [`Timeout`](ErrorKind::Timeout). No time at all is left is never read as
    /// no deadline at all.
    pub fn until(mut self, deadline: SystemTime) -> Self {
        self.deadline = Some(EpochMillis::from(deadline).0);
        self
    }

    /// Runs the operation, or gives the answer that it gave before.
    ///
    /// # Errors
    ///
    /// [`OnceError::Failed`] with the operation's own error; else [`OnceError::Record`], as [`Once`] says.
    pub async fn run<A, E, F, Fut>(self, operation: F) -> Result<Ran<A>, OnceError<E>>
    where
        A: Serialize + DeserializeOwned,
        F: FnOnce(Context) -> Fut,
        Fut: Future<Output = Result<A, E>>,
    {
        let Prepared { records, operation: record, term, wait } = self.prepare().map_err(OnceError::Record)?;
        let core = records.table.core();
        let Some(record) = record else {
            let answer = operation(Context::new("").0).await.map_err(OnceError::Failed)?;
            return Ok(Ran::fresh(answer, EpochMillis(claims::now(core))));
        };
        let (owner, until) = match records.claim(&record, term, wait).await.map_err(OnceError::Record)? {
            Claimed::Ours { owner, until } => (owner, until),
            Claimed::Completed(entry) => return Ran::replayed(&entry).map_err(|error| records.of(error)),
            Claimed::Busy => return Err(records.of(Error::of(ErrorKind::InProgress))),
        };
        if until <= claims::now(core) {
            return Err(records.of(Error::new(ErrorKind::Timeout, LATE)));
        }
        let (context, is_lost) = Context::new(&record.id);
        let running = std::pin::pin!(operation(context));
        let held = Held::new((core, &record), (owner, until), records.lease, term);
        let answer = match select(running, std::pin::pin!(held.until_lost())).await {
            Either::Left((answer, _)) => answer,
            Either::Right(((), running)) => {
                is_lost.send_replace(true);
                running.await
            }
        };
        match answer {
            Ok(answer) => records.complete(&record, owner, answer).await.map_err(OnceError::Record),
            Err(error) => {
                // Where that fails, the lease ends by itself.
                let _unreleased = claims::change(core, &record, owner, &Change::Release).await;
                Err(OnceError::Failed(error))
            }
        }
    }

    /// What it has in common with the same operation, delivered again; `None` where that can't be told.
    pub(crate) fn identity(&self) -> Option<Identity> {
        let Self { records, key: Ok(Some(key)), payload, .. } = self else { return None };
        let payload = payload.as_ref().map(Result::as_ref).transpose().ok()?;
        let table = records.table.core().name();
        Some(Identity::new(table, &records.namespace, key, payload.map(String::as_str)))
    }

    fn prepare(self) -> Result<Prepared, Error> {
        let Self { records, key, payload, wait, deadline } = self;
        let core = records.table.core();
        let of = |error: Error| error.with_operation("once", core.name());
        if records.lease.length() < SHORTEST || records.kept < records.lease.length() {
            return Err(of(Error::invalid("a lease lasts a second at least, and a record as long as its lease")));
        }
        let id = key.and_then(|key| key::id(key, &records.namespace, records.missing_key)).map_err(of)?;
        let validation = payload.transpose().map_err(of)?;
        let term = match deadline {
            Some(deadline) if deadline <= claims::now(core) => return Err(of(Error::new(ErrorKind::Timeout, PASSED))),
            Some(deadline) => Term::Until(deadline),
            None => Term::For(millis(records.lease.length())),
        };
        let operation = id.map(|id| Operation { id, validation, kept: records.kept });
        Ok(Prepared { records, operation, term, wait: millis(wait) })
    }
}

/// A third of it is the time between two signs of life, of which each is a write.
const SHORTEST: Duration = Duration::from_secs(1);
const PASSED: &str = "the deadline has passed, and the operation hasn't run";
const LATE: &str = "the record was claimed so late that the lease has ended, and the operation hasn't run";

impl Records {
    /// Claims, again for as long as may be waited for another.
    async fn claim(&self, operation: &Operation, term: Term, wait: Millis) -> Result<Claimed, Error> {
        const LOOK_AGAIN: Millis = 200;
        let core = self.table.core();
        let started = claims::now(core);
        let wait = match term {
            Term::Until(deadline) => wait.min(deadline.saturating_sub(started)),
            Term::For(_) => wait,
        };
        loop {
            let claimed = claims::claim(core, operation, term).await?;
            let Claimed::Busy = claimed else { return Ok(claimed) };
            let left = wait.saturating_sub(claims::now(core).saturating_sub(started));
            if left == 0 {
                return Ok(claimed);
            }
            core.store().caller().clock().sleep(Duration::from_millis(left.min(LOOK_AGAIN))).await;
        }
    }

    async fn complete<A: Serialize>(&self, operation: &Operation, owner: WriteId, answer: A) -> Result<Ran<A>, Error> {
        let core = self.table.core();
        let of = |error: Error| error.with_operation("once", core.name());
        let text = serde_json::to_string(&answer).map_err(|error| {
            of(Error::invalid("the answer doesn't serialise as JSON, and can't be replayed").with_source(error))
        })?;
        let at = claims::now(core);
        let complete = Change::Complete { answer: (text.len() <= MOST_ANSWER).then_some(text), at };
        match claims::change(core, operation, owner, &complete).await? {
            Hold::Done => Ok(Ran::fresh(answer, EpochMillis(at))),
            Hold::Lost => Err(of(Error::of(ErrorKind::Superseded))),
            Hold::Unknown => Err(of(Error::of(ErrorKind::OutcomeUnknown))),
        }
    }

    fn of<E>(&self, error: Error) -> OnceError<E> {
        OnceError::Record(error.with_operation("once", self.table.core().name()))
    }
}

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Once").field("records", &self.records.table).finish_non_exhaustive()
    }
}
