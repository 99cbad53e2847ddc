//! The client process: a store of its own behind a bad network, and tasks that write.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_sdk_dynamodb::Config;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Builder, Credentials, Region};
use aws_sdk_dynamodb::error::BoxError;
use dynamo_once::{Error, ErrorKind, Outcome, RetryPolicy, Store, Table, Written};
use tokio::task::JoinSet;
use tokio::time::interval;

use crate::child::parent_gone;
use crate::history::{Change, Plan, Refusal, Token, Told, Verb};
use crate::journal::{Journal, now};
use crate::network::Network;
use crate::options::Options;
use crate::row::Row;
use crate::workload::Writer;

/// After this an attempt counts as unanswered.
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(500);
/// Retries are taken from a budget, which an outage uses up; here there are many.
const BUDGET: u32 = 1_000_000;

/// The configuration of a client without faults.
pub(crate) fn config(endpoint: &str) -> Builder {
    Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::new("soak", "soak", None, None, "soak"))
        .endpoint_url(endpoint)
        .http_client(aws_smithy_http_client::Builder::new().build_http())
}

/// Writes until the parent asks for an end, and ends when everything sent has been answered.
pub(crate) async fn write(options: &Options, number: u32, endpoint: &str, journal: &Path) -> Result<(), BoxError> {
    let http = aws_smithy_http_client::Builder::new().build_http();
    let network = Network::around(http, options.seed.wrapping_add(number.into()))?;
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT_TIMEOUT).build();
    let config = config(endpoint).http_client(network.clone()).timeout_config(timeouts).build();
    let store = Store::builder(config).retry(RetryPolicy::new().budget(BUDGET)).build();
    let client = Arc::new(Client {
        rows: store.table(),
        journal: Journal::create(journal, number)?,
        ended: AtomicBool::new(false),
    });

    let mut tasks = JoinSet::new();
    for writer in 0..options.writers {
        let mut writer = Writer::new(options.seed, number, writer);
        let client = Arc::clone(&client);
        tasks.spawn(async move {
            while !client.ended.load(Ordering::Relaxed) {
                client.make(&writer.next(now())).await?;
            }
            Ok::<(), BoxError>(())
        });
    }
    let mut second = interval(Duration::from_secs(1));
    let gone = parent_gone();
    tokio::pin!(gone);
    loop {
        tokio::select! {
            _ = second.tick() => client.journal.sent(network.sent())?,
            () = &mut gone, if !client.ended.load(Ordering::Relaxed) => client.ended.store(true, Ordering::Relaxed),
            task = tasks.join_next() => match task {
                Some(task) => task??,
                None => break,
            },
        }
    }
    network.arrived().await;
    client.journal.sent(network.sent())
}

struct Client {
    rows: Table<Row>,
    journal: Journal,
    ended: AtomicBool,
}

impl Client {
    /// Makes a call, and the item if it wasn't there.
    async fn make(&self, plan: &Plan) -> Result<(), BoxError> {
        if self.call(plan).await? == Told::Refused(Refusal::NotFound) {
            self.call(&plan.instead()).await?;
        }
        Ok(())
    }

    async fn call(&self, plan: &Plan) -> Result<Told, BoxError> {
        self.journal
            .call(plan, |token| async move {
                match self.write(plan, token).await {
                    Ok(Some(written)) if written.outcome() == Outcome::Replayed => Told::Replayed,
                    Ok(Some(_)) => Told::Applied,
                    Ok(None) => Told::Refused(Refusal::NotFound),
                    Err(error) => told(token, &error),
                }
            })
            .await
    }

    /// `None` where the item that it has to read first isn't there.
    async fn write(&self, plan: &Plan, token: Token) -> Result<Option<Written<Row>>, Error> {
        let (rows, key, f) = (&self.rows, plan.key.as_str(), Row::FIELDS);
        let change = |delta: i64| move |row: &mut Row| row.add(delta, token);
        let update = |delta: i64| rows.update(key).add(f.number, delta).append(f.trace, vec![token.to_string()]);
        let found = match plan.verb {
            Verb::Save | Verb::DeleteAt => match rows.get(key).send().await? {
                None => return Ok(None),
                found => found,
            },
            _ => None,
        };
        let written = match (plan.verb, plan.change, found) {
            (Verb::Upsert, Change::Put { number }, _) => rows.upsert(&Row::new(key, number, token)).send().await,
            (_, Change::Put { number }, _) => rows.insert(&Row::new(key, number, token)).send().await,
            (_, Change::Add { delta }, Some(found)) => rows.save(found.with(change(delta))).send().await,
            (Verb::Modify, Change::Add { delta }, None) => rows.modify(key, change(delta)).send().await,
            (_, Change::Add { delta }, None) => update(delta).send().await,
            (_, Change::AddIf { delta, at_least }, _) => update(delta).when(f.number.ge(at_least)).send().await,
            (_, Change::Remove, Some(found)) => rows.delete(key).at(found.etag()).send().await,
            (_, Change::Remove, None) => rows.delete(key).send().await,
        };
        written.map(Some)
    }
}

fn told(token: Token, error: &Error) -> Told {
    match error.kind() {
        ErrorKind::OutcomeUnknown => Told::Unknown,
        ErrorKind::AlreadyExists => Told::Refused(Refusal::AlreadyExists),
        ErrorKind::NotFound => Told::Refused(Refusal::NotFound),
        ErrorKind::VersionConflict => Told::Refused(Refusal::Conflict),
        ErrorKind::ConditionFailed => Told::Refused(Refusal::Condition),
        ErrorKind::Contention
        | ErrorKind::Throttled
        | ErrorKind::Timeout
        | ErrorKind::Unreachable
        | ErrorKind::Service => Told::GaveUp,
        _ => {
            eprintln!("{token}: {error:?}");
            Told::Odd
        }
    }
}
