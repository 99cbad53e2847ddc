//! Operations that run once for their key.

mod answer;
mod cache;
mod context;
mod failures;
mod key;
mod large;
mod lease;
mod recorded;
mod records;

use std::fmt;
use std::future::Future;
use std::time::{Duration, SystemTime};

use futures_util::future::{Either, select};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::claims::{self, Claimed, OPERATION, Operation, Term};
use crate::epoch::EpochMillis;
use crate::error::{Error, ErrorKind};
use crate::fingerprint;
use crate::op::part::Parts;
use crate::protocol::claim::Millis;
use crate::record::{Ending, Kept};

use self::answer::replay;
pub use self::answer::{OnceError, Ran};
pub use self::context::Context;
use self::failures::{Failures, FinalStored, NoneStored};
pub(crate) use self::key::Identity;
pub use self::key::MissingKey;
pub use self::large::LargeAnswers;
pub use self::lease::Lease;
use self::lease::{Held, millis};
pub use self::recorded::{Recorded, RecordedModify};
pub use self::records::Records;

/// Runs an operation once for its key; see [`Records::once`].
///
/// # What it costs, and what happens when
///
/// A first run takes two writes: one claims the record, one completes it with the answer, and with what it [staged](Context::stage). A repetition takes one, and gives the answer
/// from the record; none where the record is [at hand](Records::cache). A lost reply to either is asked for again, and found out from the record.
/// What takes long gives signs of life: one write more for each third of its lease, 10 seconds unless set otherwise. A lease that is
/// [fixed](Lease::fixed) or ends at a [deadline](Once::until) takes none.
///
/// | | |
/// |---|---|
/// | the operation answers | the answer is stored, and replayed until the record expires |
/// | it fails | the record is released: the next delivery runs it again; what it [staged](Context::stage) is not written |
/// | a write that it staged is refused | that refusal; the record is released, and nothing is written |
/// | it fails for good, by [`run_storing_failures`](Once::run_storing_failures) | the failure is stored, and replayed as [`FailedBefore`](OnceError::FailedBefore) |
/// | the process crashes, the operation panics, or the future is dropped | the record stays claimed until its lease ends |
/// | another runs it at that moment | [`InProgress`](ErrorKind::InProgress), or [`wait`](Once::wait)s |
/// | it goes on after its lease has ended | [`Context::lost`] tells it; its answer counts where no other has taken over |
/// | the lease ran out, and another took over; or the record was deleted meanwhile | [`Superseded`](ErrorKind::Superseded): the other's answer counts |
/// | the record would expire while it runs | it doesn't before its lease ends; afterwards it is free for another, as after the lease |
/// | the [deadline](Once::until) has passed, also while the record was claimed | [`Timeout`](ErrorKind::Timeout): the operation hasn't run |
/// | the same key with another payload | [`KeyReused`](ErrorKind::KeyReused) |
/// | the key is empty | [`Invalid`](ErrorKind::Invalid), or it runs [unprotected](MissingKey::RunUnprotected) |
/// | the key is no UTF-8, or too long; the payload is no JSON; the lease is shorter than a second | [`Invalid`](ErrorKind::Invalid): nothing was sent |
/// | the record can't be claimed for certain | [`OutcomeUnknown`](ErrorKind::OutcomeUnknown): the operation hasn't run, and another delivery may have to wait for the lease to end |
/// | it ran, and its answer can't be stored | what was in the way (throttled, unreachable, no JSON); it runs again after its lease. `OutcomeUnknown` where the answer may be stored |
/// | its answer is too large to be stored | it is [compressed](LargeAnswers); where it isn't kept even so, repetitions are told [`Decode`](ErrorKind::Decode), and don't run |
/// | its stored answer isn't of this type any more, or damaged | [`Decode`](ErrorKind::Decode): it has run, and doesn't again |
/// | the record is of a later format, or of a program that means something else by it | [`Malformed`](ErrorKind::Malformed): nothing runs |
///
/// The lease is kept alive while the operation runs, as long as the process lives and the operation yields: one that blocks its thread gives no signs of
/// life, so that its lease ends, and another may run it. Leave what blocks to `tokio::task::spawn_blocking`. [`Lease`] has others.
///
/// What the operation does to others (an e-mail, a charge) can still happen twice where the process crashes before the answer is stored, unless they
/// take [`Context::key`] for a key of their own.
///
/// Capacity: a write unit for each KB of the record at each of its writes, also where a condition fails (AWS, "Read and write operations").
///
/// # Clocks
///
/// A lease, and a record's expiration, are judged by the clock of whoever would take it over. Where clocks disagree by more than a lease, two may
/// run the operation at once; one of them completes it, and the other is told [`Superseded`](ErrorKind::Superseded). Whose clock is behind waits
/// longer, by as much, before it takes over what has crashed.
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

impl Once {
    /// Sets what the operation is asked to do. The same key with another payload is refused, also where the first has failed or crashed, until
    /// the record expires. Where either has none, it isn't checked: give it always, or never.
    ///
    /// It is recognised by its JSON, whatever the order of a map's members. Elements have an order: a `HashSet`, which serialises in another one
    /// each time, is another payload each time. Take a `BTreeSet`.
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
    /// outlive it. It isn't extended, and takes no writes. What waits for another run waits no longer than that, nor does the completion of an
    /// operation that has answered by then.
    ///
    /// Where that time has passed, nothing is sent and nothing runs: [`Timeout`](ErrorKind::Timeout). No time left isn't
    /// no deadline.
    pub fn until(mut self, deadline: SystemTime) -> Self {
        self.deadline = Some(EpochMillis::from(deadline).0);
        self
    }

    /// Runs the operation, or gives the answer that it gave before.
    ///
    /// The answer is stored as JSON, and comes back to the last bit of its numbers. What JSON doesn't hold comes back as it is stored: a number
    /// that is none (`f64::NAN`), or infinite, is null, which decodes as no number, so that a repetition is told [`Decode`](ErrorKind::Decode); and a
    /// `Some` of what is null, such as `Some(())`, is `None`.
    ///
    /// # Errors
    ///
    /// [`OnceError::Failed`] with the operation's own error; else [`OnceError::NotRun`] or [`OnceError::NotStored`], as [`Once`] says.
    pub async fn run<A, E, F, Fut>(self, operation: F) -> Result<Ran<A>, OnceError<E>>
    where
        A: Serialize + DeserializeOwned,
        F: FnOnce(Context) -> Fut,
        Fut: Future<Output = Result<A, E>>,
    {
        self.run_with(NoneStored, operation).await
    }

    /// The same, for failures of which some are final: those are stored as answers are, and given again to whoever repeats the operation, which
    /// doesn't run again. The others release the record, as ever.
    ///
    /// A final failure is told as [`OnceError::Failed`] when it happens, also where it can't be stored, after which the operation runs again
    /// when its lease has ended; and as [`OnceError::FailedBefore`] from then on. That a write which was [staged](Context::stage) is refused is no
    /// failure of the operation: it is [`OnceError::NotStored`], nothing of it is stored, and a repetition runs again. What is to be final has
    /// to be found out by the operation itself. Whoever repeats the operation by [`run`](Once::run), which knows
    /// of no stored failures, is told [`Decode`](ErrorKind::Decode).
    ///
    /// ```
    /// use dynamo_once::{OnceError, Store, testing::Embedded};
    ///
    /// #[derive(Debug, serde::Serialize, serde::Deserialize)]
    /// enum Refused {
    ///     NoSuchAccount,
    ///     BankClosed,
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let engine = Embedded::start().await;
    /// # let store = Store::new(engine.config().build());
    /// let records = store.records("records");
    /// # records.create_if_missing().await?;
    /// let is_final = |refused: &Refused| matches!(refused, Refused::NoSuchAccount);
    /// let pay = async |_| Err::<(), _>(Refused::NoSuchAccount);
    /// let paid = records.once("event-1").run_storing_failures(is_final, pay).await;
    /// assert!(matches!(paid, Err(OnceError::Failed(Refused::NoSuchAccount))));
    ///
    /// // The event is delivered again. It needn't be tried again.
    /// let again = records.once("event-1").run_storing_failures(is_final, pay).await;
    /// assert!(matches!(again, Err(OnceError::FailedBefore(Refused::NoSuchAccount))));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`run`](Once::run), and [`OnceError::FailedBefore`]. A final failure that doesn't serialise as JSON is [`Invalid`](ErrorKind::Invalid).
    pub async fn run_storing_failures<A, E, F, Fut>(
        self,
        is_final: impl FnOnce(&E) -> bool,
        operation: F,
    ) -> Result<Ran<A>, OnceError<E>>
    where
        A: Serialize + DeserializeOwned,
        E: Serialize + DeserializeOwned,
        F: FnOnce(Context) -> Fut,
        Fut: Future<Output = Result<A, E>>,
    {
        self.run_with(FinalStored(is_final), operation).await
    }

    async fn run_with<A, E, P, F, Fut>(self, failures: P, operation: F) -> Result<Ran<A>, OnceError<E>>
    where
        A: Serialize + DeserializeOwned,
        P: Failures<E>,
        F: FnOnce(Context) -> Fut,
        Fut: Future<Output = Result<A, E>>,
    {
        let Prepared { records, operation: record, term, wait } = self.prepare().map_err(OnceError::NotRun)?;
        let core = records.table.core();
        let Some(record) = record else {
            let (context, _) = Context::new(core.store(), "");
            let answer = operation(context.clone()).await.map_err(OnceError::Failed)?;
            let staged = context.take();
            if !staged.is_empty() {
                let written = staged.write(core.store(), OPERATION, None).await;
                written.map_err(|unsettled| OnceError::NotStored(unsettled.error))?;
            }
            return Ok(Ran::fresh(answer, EpochMillis(claims::now(core)), false));
        };
        let (owner, until) = match records.claim(&record, term, wait).await.map_err(OnceError::NotRun)? {
            Claimed::Ours { owner, until } => (owner, until),
            Claimed::Completed(entry) => {
                let ended = replay::<A, E, P>(&entry).map_err(|error| records.of(error))?;
                return ended.map_err(OnceError::FailedBefore);
            }
            Claimed::Busy(error) => return Err(OnceError::NotRun(error)),
        };
        if until <= claims::now(core) {
            return Err(records.of(Error::new(ErrorKind::Timeout, LATE)));
        }
        let (context, is_lost) = Context::new(core.store(), &record.id);
        let running = std::pin::pin!(operation(context.clone()));
        let held = Held::new((core, &record), (owner, until), records.lease, term);
        let answer = match select(running, std::pin::pin!(held.until_lost())).await {
            Either::Left((answer, _)) => answer,
            Either::Right(((), running)) => {
                is_lost.send_replace(true);
                running.await
            }
        };
        // Whoever has outlived the deadline, or has none, takes the time that it takes.
        let end = match term {
            Term::Until(deadline) if deadline > claims::now(core) => Some(deadline),
            Term::Until(_) | Term::For(_) => None,
        };
        match answer {
            Ok(answer) => {
                let kept = records.keep(serde_json::to_string(&answer), "the answer");
                let kept = kept.map_err(OnceError::NotStored)?;
                let (is_kept, ending) = (kept != Kept::Not, Ending::Answer(kept));
                let completed = records.complete(&record, owner, ending, context.take(), end).await;
                let at = completed.map_err(|error| records.not_stored(error))?;
                Ok(Ran::fresh(answer, at, is_kept))
            }
            Err(failure) => {
                // Where either change fails, the lease ends by itself; nor is there a need of one after its end.
                match failures.store(&failure) {
                    Some(text) => {
                        let kept = records.keep(text, "the final failure").map_err(OnceError::NotStored)?;
                        let ending = Ending::Failure(kept);
                        let end = end.or_else(|| Some(records.within_a_lease()));
                        let _unstored = records.complete(&record, owner, ending, Parts::default(), end).await;
                    }
                    None if context.is_lost() => {}
                    None => records.release(&record, owner, end).await,
                }
                Err(OnceError::Failed(failure))
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
        let of = |error: Error| error.with_operation(OPERATION, core.name());
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

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Once").field("records", &self.records.table).finish_non_exhaustive()
    }
}
