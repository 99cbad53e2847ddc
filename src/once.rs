//! Operations that run once for their key.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::{Either, select};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::claims::{self, Change, Claimed, Operation};
use crate::epoch::EpochMillis;
use crate::error::{Error, ErrorKind};
use crate::fingerprint;
use crate::protocol::claim::{Hold, Millis};
use crate::protocol::log::WriteId;
use crate::record::{Entry, Row};
use crate::table::Table;

/// A table of records, each of which says that an operation ran, and what it answered; made by
/// [`Store::records`](crate::Store::records).
#[derive(Clone, Debug)]
pub struct Records {
    table: Table<Row>,
    namespace: String,
    lease: Duration,
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
    key: String,
    payload: Option<Result<String, Error>>,
    wait: Duration,
}

/// Equal for two deliveries of one operation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Identity {
    table: String,
    namespace: String,
    key: String,
    /// Its fingerprint.
    payload: Option<String>,
}

/// What an operation knows of its run.
#[derive(Clone, Debug)]
pub struct Context {
    key: Arc<str>,
    is_lost: Arc<AtomicBool>,
}

/// The answer of an operation that has run once.
#[derive(Clone, Debug)]
pub struct Ran<A> {
    answer: A,
    is_replayed: bool,
    completed_at: Option<EpochMillis>,
}

/// Why there is no answer.
#[derive(Debug)]
#[non_exhaustive]
pub enum OnceError<E> {
    /// The operation ran and failed, with this. It may run again.
    Failed(E),
    /// The record didn't let it run, or didn't take its answer.
    Record(Error),
}

const LEASE: Duration = Duration::from_secs(30);
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// An item takes 400 KB; the rest is for what stands beside the answer.
const MOST_ANSWER: usize = 390 * 1024;

impl Records {
    pub(crate) fn new(table: Table<Row>) -> Self {
        Self { table, namespace: String::new(), lease: LEASE, kept: KEPT }
    }

    /// Puts this before every key: a caller's or a tenant's name, so that none can read another's answer.
    #[must_use]
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// Sets for how long a claim holds without a sign of life; 30 seconds unless set, and one at least. A crashed run is repeated after that.
    /// A sign of life is a write, after each third of it.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
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

    /// An operation that is to run once for this key: an event's id, a request's idempotency key.
    pub fn once(&self, key: impl Into<String>) -> Once {
        Once { records: self.clone(), key: key.into(), payload: None, wait: Duration::ZERO }
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
        let (records, record, wait) = self.prepare().map_err(OnceError::Record)?;
        let (owner, until) = match records.claim(&record, wait).await.map_err(OnceError::Record)? {
            Claimed::Ours { owner, until } => (owner, until),
            Claimed::Completed(entry) => return replay(&entry).map_err(|error| records.of(error)),
            Claimed::Busy => return Err(records.of(Error::of(ErrorKind::InProgress))),
        };
        let is_lost = Arc::new(AtomicBool::new(false));
        let context = Context { key: record.id.as_str().into(), is_lost: Arc::clone(&is_lost) };
        let running = std::pin::pin!(operation(context));
        let beating = std::pin::pin!(records.keep_alive(&record, owner, until, &is_lost));
        let answer = match select(running, beating).await {
            Either::Left((answer, _)) => answer,
            Either::Right(((), running)) => running.await,
        };
        match answer {
            Ok(answer) => records.complete(&record, owner, answer).await.map_err(OnceError::Record),
            Err(error) => {
                // Where that fails, the lease ends by itself.
                let _unreleased = claims::change(records.table.core(), &record, owner, &Change::Release).await;
                Err(OnceError::Failed(error))
            }
        }
    }

    /// What it has in common with the same operation, delivered again; `None` where that can't be told.
    pub(crate) fn identity(&self) -> Option<Identity> {
        let payload = match &self.payload {
            Some(Ok(fingerprint)) => Some(fingerprint.clone()),
            Some(Err(_)) => return None,
            None => None,
        };
        let table = self.records.table.core().name().to_owned();
        let identity = Identity { table, namespace: self.records.namespace.clone(), key: self.key.clone(), payload };
        (!self.key.is_empty()).then_some(identity)
    }

    fn prepare(self) -> Result<(Records, Operation, Duration), Error> {
        let Self { records, key, payload, wait } = self;
        let of = |error: Error| error.with_operation("once", records.table.core().name());
        if key.is_empty() {
            return Err(of(Error::invalid(EMPTY)));
        }
        let id = if records.namespace.is_empty() { key } else { format!("{}#{key}", records.namespace) };
        if id.len() > MOST_KEY {
            return Err(of(Error::invalid(format!(
                "the key has {} bytes with its namespace; DynamoDB takes {MOST_KEY}: give a digest of it",
                id.len()
            ))));
        }
        if records.lease < SHORTEST || records.kept < records.lease {
            return Err(of(Error::invalid("a lease lasts a second at least, and a record as long as its lease")));
        }
        let validation = payload.transpose().map_err(of)?;
        let operation = Operation { id, validation, kept: records.kept };
        Ok((records, operation, wait))
    }
}

/// A third of it is the time between two signs of life, of which each is a write.
const SHORTEST: Duration = Duration::from_secs(1);
const MOST_KEY: usize = 2048;
const EMPTY: &str = "the key is empty; give the id of the event or request, or run the operation without protection";

impl Records {
    /// Claims, again for as long as may be waited for another.
    async fn claim(&self, operation: &Operation, wait: Duration) -> Result<Claimed, Error> {
        const LOOK_AGAIN: Duration = Duration::from_millis(200);
        let (core, started) = (self.table.core(), claims::now(self.table.core()));
        let wait = Millis::try_from(wait.as_millis()).unwrap_or(Millis::MAX);
        loop {
            let claimed = claims::claim(core, operation, self.lease).await?;
            let Claimed::Busy = claimed else { return Ok(claimed) };
            let left = wait.saturating_sub(claims::now(core).saturating_sub(started));
            if left == 0 {
                return Ok(claimed);
            }
            core.store().caller().clock().sleep(LOOK_AGAIN.min(Duration::from_millis(left))).await;
        }
    }

    /// Extends the lease for as long as it is polled, and ends when it is lost.
    async fn keep_alive(&self, operation: &Operation, owner: WriteId, mut until: Millis, is_lost: &AtomicBool) {
        let core = self.table.core();
        let lease = Millis::try_from(self.lease.as_millis()).unwrap_or(Millis::MAX);
        loop {
            core.store().caller().clock().sleep(self.lease / 3).await;
            let next = claims::now(core).saturating_add(lease);
            match claims::change(core, operation, owner, &Change::Extend { until: next }).await {
                Ok(Hold::Done) => until = next,
                Ok(Hold::Lost) => break,
                // It may come through the next time.
                Ok(Hold::Unknown) | Err(_) if claims::now(core) < until => {}
                Ok(Hold::Unknown) | Err(_) => break,
            }
        }
        is_lost.store(true, Ordering::Release);
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
            Hold::Done => Ok(Ran { answer, is_replayed: false, completed_at: Some(EpochMillis(at)) }),
            Hold::Lost => Err(of(Error::of(ErrorKind::Superseded))),
            Hold::Unknown => Err(of(Error::of(ErrorKind::OutcomeUnknown))),
        }
    }

    fn of<E>(&self, error: Error) -> OnceError<E> {
        OnceError::Record(error.with_operation("once", self.table.core().name()))
    }
}

fn replay<A: DeserializeOwned>(entry: &Entry) -> Result<Ran<A>, Error> {
    let Some(answer) = &entry.answer else {
        return Err(Error::new(ErrorKind::Decode, "the operation has run, and its answer was too large to be kept"));
    };
    let answer = serde_json::from_str(answer).map_err(|error| {
        Error::new(ErrorKind::Decode, "the operation has run, and its stored answer isn't of this type")
            .with_source(error)
    })?;
    Ok(Ran { answer, is_replayed: true, completed_at: entry.completed_at })
}

impl Context {
    /// The key that the operation runs under, namespace included: to be handed on to services that take an idempotency key.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Whether the lease is lost, so that another may run the operation by now, and this one's answer won't count.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.is_lost.load(Ordering::Acquire)
    }
}

impl<A> Ran<A> {
    /// The answer.
    #[must_use]
    pub fn answer(&self) -> &A {
        &self.answer
    }

    /// The answer itself.
    #[must_use]
    pub fn into_answer(self) -> A {
        self.answer
    }

    /// Whether the operation had run before, and this is the answer that it gave then.
    #[must_use]
    pub fn is_replayed(&self) -> bool {
        self.is_replayed
    }

    /// When the answer was given; `None` where another program's record doesn't say.
    #[must_use]
    pub fn completed_at(&self) -> Option<EpochMillis> {
        self.completed_at
    }
}

impl<E: fmt::Display> fmt::Display for OnceError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => write!(f, "the operation failed: {error}"),
            Self::Record(error) => error.fmt(f),
        }
    }
}

impl<E: std::error::Error + 'static> std::error::Error for OnceError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Failed(error) => Some(error),
            Self::Record(error) => error.source(),
        }
    }
}

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Once").field("records", &self.records.table).finish_non_exhaustive()
    }
}
