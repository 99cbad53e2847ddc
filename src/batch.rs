//! A batch of records, each of which runs once.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::Hash;
use std::panic::{AssertUnwindSafe, catch_unwind};

use futures_util::future::FutureExt as _;
use futures_util::stream::{self, StreamExt as _};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::once::{Context, Identity, Once, OnceError, Ran};

/// A batch of records as an event source delivers it (SQS, Kinesis, DynamoDB Streams), each of which is an operation that runs once.
///
/// Each record is claimed and completed by itself, as [`Once`] has it, so that the batch may be delivered again, whole or in part, in other
/// company, and while another still works on it. What has failed is in the [`BatchResponse`], and the source delivers that again.
///
/// | source | order | identifier |
/// |---|---|---|
/// | an SQS standard queue | none: as it is | the message's id |
/// | an SQS FIFO queue | [`in_order_by`](Self::in_order_by) the message group | the message's id |
/// | a shard of Kinesis or DynamoDB Streams | [`in_order`](Self::in_order) | the sequence number |
///
/// # What happens when
///
/// | | |
/// |---|---|
/// | a record's operation answers, or has run before | the record is done |
/// | it fails, or panics | a failure: [`BatchError::Once`], [`BatchError::Panicked`]. After a panic the record stays claimed until its lease ends |
/// | it fails for good, by [`run_storing_failures`](Self::run_storing_failures), now or before | the record is done, and told in [`final_failures`](BatchResponse::final_failures) |
/// | another works on the record at that moment | a failure ([`InProgress`](crate::ErrorKind::InProgress)), so that it comes again if the other crashes |
/// | a record before it, whose order counts, has failed | a failure that wasn't tried: [`BatchError::NotRun`] |
/// | two records are the same operation: the same key and payload | one of them runs, and the other shares its fate, at no request |
/// | the same, in different [groups](Self::in_order_by), which don't wait for each other | one of them runs. The other is replayed, or is a failure ([`InProgress`](crate::ErrorKind::InProgress)) where that hasn't ended |
/// | the process crashes, or the invocation's time is over | the whole batch comes again. What was done is replayed, what was claimed waits for its lease |
///
/// Where panics abort the process, a panic is a crash. One in the closures that tell a record's identifier and its group isn't that record's failure, but
/// the caller's: [`new`](Self::new), [`in_order_by`](Self::in_order_by). What can't be read is best found out in the operation.
///
/// # Examples
///
/// ```
/// use dynamo_once::{Batch, Context, Store, testing::Embedded};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let engine = Embedded::start().await;
/// # let store = Store::new(engine.config().build());
/// # let records = store.records("records");
/// # records.create_if_missing().await?;
/// let messages = [("message-1", "ship order 77"), ("message-2", "ship no order"), ("message-3", "ship order 78")];
/// let ship = async |(_, body): (&str, &str), run: Context| match body {
///     "ship no order" => Err("there is no order"),
///     _ => Ok(println!("{body}: shipped under {}", run.key())),
/// };
/// let response = Batch::new(messages, |(id, _)| id.to_string())
///     .run(|(id, body)| records.once(*id).payload(body), ship)
///     .await;
///
/// // What the handler answers, for the queue to deliver the second message again, and no other.
/// let answer = serde_json::to_value(&response)?;
/// assert_eq!(answer, serde_json::json!({"batchItemFailures": [{"itemIdentifier": "message-2"}]}));
/// assert_eq!(response.failures()[0].error().to_string(), "the operation failed: there is no order");
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing runs until `run`"]
pub struct Batch<T> {
    /// Each with its identifier.
    records: Vec<(String, T)>,
    order: Order,
    concurrency: usize,
}

/// Which records have to wait for which.
enum Order {
    /// None for none, but the same operation for itself.
    Any,
    All,
    /// Those of a group for each other; a group's number for each record.
    Groups(Vec<usize>),
}

/// What came of a [`Batch`]. It serialises as the answer by which the event source delivers again what has failed:
/// `{"batchItemFailures":[{"itemIdentifier":".."}]}`.
///
/// The event source mapping must ask for it, by `FunctionResponseTypes: [ReportBatchItemFailures]`; else the whole batch counts as done.
/// (AWS, "Handling errors for an SQS event source in Lambda". Of streams, Lambda goes back to the lowest sequence number that is named, by the
/// pages of these.)
#[derive(Debug)]
#[must_use = "it is what the handler has to answer"]
pub struct BatchResponse<E> {
    failures: Vec<BatchItemFailure<E>>,
    final_failures: Vec<BatchItemFailure<E>>,
}

/// A record that has failed.
#[derive(Debug)]
pub struct BatchItemFailure<E> {
    identifier: String,
    error: BatchError<E>,
}

/// Why a record of a batch has failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum BatchError<E> {
    /// Its operation failed, or its record didn't let it run.
    Once(OnceError<E>),
    /// It panicked; the panic hook has said how.
    Panicked,
    /// It wasn't tried, since one before it has failed.
    NotRun,
}

/// As many as AWS puts into a batch of SQS unless told otherwise ("Creating and configuring an Amazon SQS event source mapping").
const AT_ONCE: usize = 10;

impl<T> Batch<T> {
    /// A batch of these records, in the order of their delivery, each with the identifier by which its source knows it.
    ///
    /// # Panics
    ///
    /// Where the closure does, since a record without an identifier can't be told to have failed. Nothing has run, and the whole batch comes again.
    pub fn new(records: impl IntoIterator<Item = T>, identifier: impl Fn(&T) -> String) -> Self {
        let records = records.into_iter().map(|record| (identifier(&record), record)).collect();
        Self { records, order: Order::Any, concurrency: AT_ONCE }
    }

    /// Runs the records one after the other, and none after the first that fails.
    #[doc(alias = "kinesis")]
    #[doc(alias = "streams")]
    pub fn in_order(mut self) -> Self {
        self.order = Order::All;
        self
    }

    /// Runs the records of each group one after the other, and none of a group after its first that fails. The groups don't wait for each other.
    ///
    /// Of a stream, whose source goes back to the first failure, what other groups have done since is replayed.
    ///
    /// # Panics
    ///
    /// Where the closure does, since it isn't known then what waits for the record. Nothing has run, and the whole batch comes again.
    #[doc(alias = "fifo")]
    pub fn in_order_by<G: Hash + Eq>(mut self, group: impl Fn(&T) -> G) -> Self {
        let mut numbers = HashMap::new();
        let number = |(_, record): &(String, T)| {
            let next = numbers.len();
            *numbers.entry(group(record)).or_insert(next)
        };
        self.order = Order::Groups(self.records.iter().map(number).collect());
        self
    }

    /// Sets how many records, or groups of them, may be under way at once: 10 unless set, and one at least.
    pub fn concurrency(mut self, at_once: usize) -> Self {
        self.concurrency = at_once.max(1);
        self
    }

    /// Runs the operation of each record once, under what the first closure makes of the record. A failure is in the response.
    pub async fn run<E, F, Fut>(self, once: impl Fn(&T) -> Once, operation: F) -> BatchResponse<E>
    where
        F: Fn(T, Context) -> Fut,
        Fut: Future<Output = Result<(), E>>,
    {
        let operation = &operation;
        let run = async |once: Once, record| {
            let ran = once.run(|context| done(operation(record, context))).await;
            Outcome::of(ran, |_| false)
        };
        self.run_each(once, run).await
    }

    /// The same, for failures of which some are final: those are stored, as [`Once::run_storing_failures`] has it, and their records are done. They
    /// aren't delivered again, and what waits for them runs: a message that can never succeed doesn't hold up its group or its shard until
    /// the source gives up on it.
    ///
    /// So the source's own dead-letter queue doesn't get them. They are told in [`BatchResponse::final_failures`], for the handler to log them, or to
    /// send them to such a queue itself. Where it can't, it answers with an error in the place of the response: the whole batch comes again, what was done
    /// is replayed, and what failed for good is told again, as [`FailedBefore`](OnceError::FailedBefore).
    ///
    /// A final failure that can't be stored is told all the same, and counts as done. One that doesn't serialise as JSON is a failure
    /// ([`Invalid`](crate::ErrorKind::Invalid)). Of two records that are the same operation each is told, the second one at a request. The
    /// closure may be asked twice about a failure. By [`run`](Self::run), which knows of no stored failures, such a record is told
    /// [`Decode`](crate::ErrorKind::Decode) at each delivery.
    ///
    /// ```
    /// use dynamo_once::{Batch, Context, Store, testing::Embedded};
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
    /// # let records = store.records("records");
    /// # records.create_if_missing().await?;
    /// let is_final = |refused: &Refused| matches!(refused, Refused::NoSuchAccount);
    /// let pay = async |account: &str, _: Context| match account {
    ///     "nobody's" => Err(Refused::NoSuchAccount),
    ///     _ => Ok(println!("{account} is paid")),
    /// };
    /// let response = Batch::new(["ann's", "nobody's", "bob's"], |account| account.to_string())
    ///     .in_order()
    ///     .run_storing_failures(is_final, |account| records.once(account), pay)
    ///     .await;
    /// assert!(response.is_complete());
    /// assert_eq!(response.final_failures()[0].identifier(), "nobody's");
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "dead-letter")]
    #[doc(alias = "poison")]
    pub async fn run_storing_failures<E, F, Fut>(
        self,
        is_final: impl Fn(&E) -> bool,
        once: impl Fn(&T) -> Once,
        operation: F,
    ) -> BatchResponse<E>
    where
        E: Serialize + DeserializeOwned,
        F: Fn(T, Context) -> Fut,
        Fut: Future<Output = Result<(), E>>,
    {
        let (is_final, operation) = (&is_final, &operation);
        let run = async |once: Once, record| {
            let ran = once.run_storing_failures(is_final, |context| done(operation(record, context))).await;
            Outcome::of(ran, is_final)
        };
        self.run_each(once, run).await
    }

    async fn run_each<E, F, Fut>(self, once: impl Fn(&T) -> Once, run: F) -> BatchResponse<E>
    where
        F: Fn(Once, T) -> Fut,
        Fut: Future<Output = Outcome<E>>,
    {
        let Self { records, order, concurrency } = self;
        let tasks = records.into_iter().map(|(identifier, record)| {
            // Reading a record may panic as well as its operation.
            let once = catch_unwind(AssertUnwindSafe(|| once(&record))).ok();
            let identity = once.as_ref().and_then(Once::identity);
            Task { identifier, record, once, identity }
        });
        let sequences = order.sequences(tasks);
        let mut ended: Vec<_> = stream::iter(sequences)
            .map(|sequence| one_by_one(sequence, &run))
            .buffer_unordered(concurrency)
            .flat_map(stream::iter)
            .collect()
            .await;
        ended.sort_unstable_by_key(|(position, ..)| *position);
        let mut response = BatchResponse { failures: Vec::new(), final_failures: Vec::new() };
        for (_, identifier, outcome) in ended {
            match outcome {
                Outcome::Done => {}
                Outcome::Final(error) => {
                    response.final_failures.push(BatchItemFailure { identifier, error: BatchError::Once(error) });
                }
                Outcome::Failed(error) => response.failures.push(BatchItemFailure { identifier, error }),
            }
        }
        response
    }
}

impl<E> BatchResponse<E> {
    /// The records that have to be delivered again, in the order of the batch.
    #[must_use]
    pub fn failures(&self) -> &[BatchItemFailure<E>] {
        &self.failures
    }

    /// The records that have failed for good, by [`Batch::run_storing_failures`], in the order of the batch. They are done, and aren't delivered
    /// again unless the whole batch is: [`Failed`](OnceError::Failed), or [`FailedBefore`](OnceError::FailedBefore) where that was told at an
    /// earlier delivery, which the handler may not have lived to hear.
    #[must_use]
    pub fn final_failures(&self) -> &[BatchItemFailure<E>] {
        &self.final_failures
    }

    /// Whether every record is done, also where some have failed for good: none has to be delivered again.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.failures.is_empty()
    }
}

impl<E> BatchItemFailure<E> {
    /// By what its source knows the record: the message's id, or the sequence number.
    #[must_use]
    pub fn identifier(&self) -> &str {
        &self.identifier
    }

    /// Why it has failed.
    #[must_use]
    pub fn error(&self) -> &BatchError<E> {
        &self.error
    }
}

impl<E> Serialize for BatchResponse<E> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Response<'a> {
            batch_item_failures: Vec<Failure<'a>>,
        }

        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Failure<'a> {
            item_identifier: &'a str,
        }

        let failures = self.failures.iter().map(|failure| Failure { item_identifier: &failure.identifier });
        Response { batch_item_failures: failures.collect() }.serialize(serializer)
    }
}

impl<E: fmt::Display> fmt::Display for BatchError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Once(error) => error.fmt(f),
            Self::Panicked => f.write_str("the operation panicked"),
            Self::NotRun => f.write_str("the operation wasn't run, since one that comes before it has failed"),
        }
    }
}

impl<E: std::error::Error + 'static> std::error::Error for BatchError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Once(error) => error.source(),
            Self::Panicked | Self::NotRun => None,
        }
    }
}

impl<T> fmt::Debug for Batch<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { records, order: _, concurrency } = self;
        f.debug_struct("Batch")
            .field("records", &records.len())
            .field("concurrency", concurrency)
            .finish_non_exhaustive()
    }
}

/// A record that is to run.
struct Task<T> {
    identifier: String,
    record: T,
    /// `None` where the record couldn't be read.
    once: Option<Once>,
    /// `None` where it is the same operation as no other.
    identity: Option<Identity>,
}

/// The answer of a record, whatever it was where another program ran it.
#[derive(Serialize)]
struct Done;

impl<'de> Deserialize<'de> for Done {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

/// What a record's run came to.
enum Outcome<E> {
    Done,
    /// It is done too, and is told.
    Final(OnceError<E>),
    /// It has to be delivered again.
    Failed(BatchError<E>),
}

impl<E> Outcome<E> {
    fn of(ran: Result<Ran<Done>, OnceError<E>>, is_final: impl Fn(&E) -> bool) -> Self {
        match ran {
            Ok(_) => Self::Done,
            Err(error @ OnceError::FailedBefore(_)) => Self::Final(error),
            Err(OnceError::Failed(failure)) if is_final(&failure) => Self::Final(OnceError::Failed(failure)),
            Err(error) => Self::Failed(BatchError::Once(error)),
        }
    }
}

async fn done<E>(operation: impl Future<Output = Result<(), E>>) -> Result<Done, E> {
    operation.await.map(|()| Done)
}

/// Tasks that wait for each other, each with its position in the batch.
type Sequence<T> = Vec<(usize, Task<T>)>;

impl Order {
    fn sequences<T>(self, tasks: impl Iterator<Item = Task<T>>) -> Vec<Sequence<T>> {
        let mut sequences: Vec<Sequence<T>> = Vec::new();
        // Where each group and each operation is.
        let (mut groups, mut operations) = (HashMap::new(), HashMap::new());
        for (position, task) in tasks.enumerate() {
            let next = sequences.len();
            let sequence = match (&self, &task.identity) {
                (Self::All, _) => 0,
                (Self::Groups(numbers), _) => *groups.entry(numbers[position]).or_insert(next),
                (Self::Any, Some(identity)) => *operations.entry(identity.clone()).or_insert(next),
                (Self::Any, None) => next,
            };
            if sequence == next {
                sequences.push(Vec::new());
            }
            sequences[sequence].push((position, task));
        }
        sequences
    }
}

/// Runs the tasks up to the first that has to be delivered again, and answers with what became of each.
async fn one_by_one<T, E, F, Fut>(sequence: Sequence<T>, run: &F) -> Vec<(usize, String, Outcome<E>)>
where
    F: Fn(Once, T) -> Fut,
    Fut: Future<Output = Outcome<E>>,
{
    let (mut ended, mut done, mut has_failed) = (Vec::new(), HashSet::new(), false);
    for (position, task) in sequence {
        let Task { identifier, record, once, identity } = task;
        let outcome = match once {
            _ if has_failed => Outcome::Failed(BatchError::NotRun),
            _ if identity.as_ref().is_some_and(|identity| done.contains(identity)) => Outcome::Done,
            None => Outcome::Failed(BatchError::Panicked),
            Some(once) => {
                // The call may panic, too, before there is anything to await.
                let run = AssertUnwindSafe(async { run(once, record).await });
                run.catch_unwind().await.unwrap_or(Outcome::Failed(BatchError::Panicked))
            }
        };
        match &outcome {
            Outcome::Done => done.extend(identity),
            // What is the same operation runs too: it is told the stored failure.
            Outcome::Final(_) => {}
            Outcome::Failed(_) => has_failed = true,
        }
        ended.push((position, identifier, outcome));
    }
    ended
}
