//! A run: a queue, workers behind bad networks, and the history that they leave.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_dynamodb::config::SharedHttpClient;
use aws_sdk_dynamodb::config::retry::{RetryConfig, RetryPartition};
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::error::BoxError;
use dynamo_once::Store;
use dynamo_once::testing::{Embedded, Faults, Operation};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::fate::{Fate, fateful};
use crate::history::{Delivery, History, Key, Told};
use crate::once::Once;
use crate::options::{ClientKind, Options};
use crate::powertools::Powertools;
use crate::queue::{Message, Queue};
use crate::rates::ATTEMPT_TIMEOUT;
use crate::tables::Tables;

/// As short as one can be, so that what has crashed comes again soon.
pub(crate) const LEASE: Duration = Duration::from_secs(1);

/// As botocore, on which Powertools for Python builds, retries DynamoDB's operations (`_retry.json`).
const PAUSE: Duration = Duration::from_millis(50);
const ATTEMPTS: u32 = 10;

/// What a run leaves behind.
pub(crate) struct Run {
    pub(crate) history: History,
    pub(crate) messages: usize,
    pub(crate) executions: u64,
    pub(crate) requests: usize,
    /// How many of them met a fault.
    pub(crate) faults: usize,
    pub(crate) took: Duration,
}

/// What a worker is to do for a delivery.
pub(crate) struct Job {
    pub(crate) key: Key,
    /// Whether the operation fails in the end.
    pub(crate) fails: bool,
    executions: Arc<AtomicU64>,
}

/// What all workers share.
struct Shared {
    options: Options,
    engine: Embedded,
    queue: Queue,
    executions: Arc<AtomicU64>,
    deliveries: Mutex<Vec<Delivery>>,
    began: Instant,
}

/// A place in which one process runs after the other, each until it crashes.
struct Worker {
    shared: Arc<Shared>,
    network: Faults,
    partition: RetryPartition,
    random: fastrand::Rng,
}

enum Client {
    Once(Box<Once>),
    Powertools(Powertools),
}

pub(crate) async fn run(options: Options) -> Result<Run, BoxError> {
    let engine = Embedded::start().await;
    let store = Store::new(engine.config().build());
    let tables = Tables::of(&store);
    tables.fill(options.keys).await?;
    store.records("records").create_if_missing().await?;

    let queue = Queue::of(options.keys, options.seed);
    let (messages, began) = (queue.len(), Instant::now());
    let (executions, deliveries) = (Arc::default(), Mutex::default());
    let shared = Arc::new(Shared { options, engine, queue, executions, deliveries, began });
    let progress = progress(messages as u64);
    let mut networks = Vec::new();
    let mut workers = JoinSet::new();
    for number in 0..u64::from(shared.options.workers) {
        let seed = shared.options.seed.wrapping_mul(1_000_003).wrapping_add(number);
        let network = Faults::around(shared.engine.http_client());
        network.seeded(seed, shared.options.given.rates())?;
        networks.push(network.clone());
        let partition = RetryPartition::new(format!("deliveries-{number}"));
        let random = fastrand::Rng::with_seed(seed);
        let worker = Worker { shared: Arc::clone(&shared), network, partition, random };
        workers.spawn(worker.work(progress.clone()));
    }
    while let Some(ended) = workers.join_next().await {
        ended?;
    }
    progress.finish_and_clear();
    arrived(&networks).await;

    let (took, executions) = (began.elapsed(), shared.executions.load(Ordering::Relaxed));
    let shared = Arc::into_inner(shared).ok_or("a worker is still there")?;
    let mut deliveries = shared.deliveries.into_inner().unwrap_or_else(PoisonError::into_inner);
    deliveries.sort_by_key(|delivery| delivery.began);
    let unanswered = shared.queue.into_unanswered();
    let mut history = History { deliveries, unanswered, lease: LEASE, ..History::default() };
    tables.read(&mut history).await?;
    let sent = [Operation::PutItem, Operation::UpdateItem, Operation::DeleteItem, Operation::TransactWriteItems];
    let requests = networks.iter().map(|network| sent.iter().map(|of| network.received(of.clone())).sum::<usize>());
    let faults = networks.iter().map(Faults::injected).sum();
    Ok(Run { history, messages, executions, requests: requests.sum(), faults, took })
}

impl Worker {
    async fn work(mut self, progress: ProgressBar) {
        let shared = Arc::clone(&self.shared);
        let mut process = self.process();
        while let Some(message) = shared.queue.next().await {
            let delivery = self.deliver(&process, &message).await;
            let told = delivery.told;
            shared.deliveries.lock().unwrap_or_else(PoisonError::into_inner).push(delivery);
            if matches!(told, Told::Crashed(_)) {
                process = self.process();
            }
            if told.answer().is_some() {
                shared.queue.answered();
                progress.inc(1);
            } else {
                shared.queue.not_answered(message);
            }
        }
    }

    async fn deliver(&mut self, process: &Client, message: &Message) -> Delivery {
        let Shared { options, executions, began: start, .. } = &*self.shared;
        let fate = Fate::draw(options, &mut self.random, LEASE);
        let fails = self.random.f64() < options.failures;
        let job = Job { key: message.key, fails, executions: Arc::clone(executions) };
        let began = start.elapsed();
        let (told, stalled) = fate.of(process.handle(&job)).await;
        Delivery { key: message.key, before: message.before, began, ended: start.elapsed(), stalled, told }
    }

    /// Starts a process, which knows nothing of the one before it.
    fn process(&self) -> Client {
        let Shared { options, engine, .. } = &*self.shared;
        let network = fateful(SharedHttpClient::new(self.network.clone()), options.client.completes_by());
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT_TIMEOUT).build();
        let config = engine.config().http_client(network).timeout_config(timeouts);
        let config = config.retry_partition(self.partition.clone());
        match options.client {
            ClientKind::DynamoOnce => Client::Once(Box::new(Once::new(config.build()))),
            ClientKind::Powertools => {
                let retries = RetryConfig::standard().with_initial_backoff(PAUSE).with_max_attempts(ATTEMPTS);
                Client::Powertools(Powertools::new(config.retry_config(retries).build()))
            }
        }
    }
}

impl Client {
    async fn handle(&self, job: &Job) -> Told {
        match self {
            Self::Once(once) => once.handle(job).await,
            Self::Powertools(powertools) => powertools.handle(job).await,
        }
    }
}

impl Job {
    /// The key as the records have it.
    pub(crate) fn name(&self) -> String {
        format!("key-{}", self.key.0)
    }

    /// Begins an execution of the operation.
    pub(crate) fn execute(&self) -> u64 {
        self.executions.fetch_add(1, Ordering::Relaxed)
    }
}

/// Ends the faults, and waits until every request that was held back has reached the table.
async fn arrived(networks: &[Faults]) {
    for network in networks {
        network.stop();
        while network.held_back() > 0 {
            network.deliver_late().await;
            tokio::task::yield_now().await;
        }
    }
}

/// On a terminal only.
fn progress(messages: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} messages, {eta} left");
    ProgressBar::new(messages).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
