//! A run: a table, clients behind bad networks, writers, and the history that they leave.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_dynamodb::config::retry::RetryPartition;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{Builder, SharedHttpClient};
use aws_sdk_dynamodb::error::BoxError;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use dynamo_once::testing::{Embedded, Faults};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::client::Client;
use crate::entry::{Entry, Kept};
use crate::history::{History, Image};
use crate::journal::Journal;
use crate::network::{TOMBSTONE, observed, tagged};
use crate::once::Once;
use crate::options::Options;
use crate::rates::ATTEMPT_TIMEOUT;
use crate::workload::workload;

/// What a run leaves behind.
pub(crate) struct Run {
    pub(crate) history: History,
    /// How many requests met a fault.
    pub(crate) faults: usize,
    pub(crate) took: Duration,
}

/// An engine, and how to reach it.
struct Place {
    config: Builder,
    http: SharedHttpClient,
    table: String,
    /// Lives as long as its clients.
    _engine: Option<Embedded>,
}

pub(crate) async fn run(options: &Options) -> Result<Run, BoxError> {
    let place = Place::find(options).await;
    Once::<Kept>::new(place.config.clone().build(), &place.table).create_table().await?;
    let run = place.run(options).await;
    place.plain().delete_table().table_name(&place.table).send().await?;
    run
}

impl Place {
    async fn find(options: &Options) -> Self {
        let table = format!("chaos-{}-{}", options.seed, std::process::id());
        match &options.endpoint {
            None => {
                let engine = Embedded::start().await;
                Self { config: engine.config(), http: engine.http_client(), table, _engine: Some(engine) }
            }
            Some(url) => {
                let tls = Provider::Rustls(CryptoMode::AwsLc);
                let http = aws_smithy_http_client::Builder::new().tls_provider(tls).build_https();
                let loader = aws_config::defaults(aws_config::BehaviorVersion::latest()).endpoint_url(url);
                let loaded = loader.http_client(http.clone()).load().await;
                Self { config: Builder::from(&loaded), http, table, _engine: None }
            }
        }
    }

    /// A client that neither meets a fault nor is observed.
    fn plain(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::from_conf(self.config.clone().build())
    }

    /// A client under test that reaches the table through this network; its retry budget is its own.
    fn client(&self, options: &Options, name: &str, network: SharedHttpClient) -> Client {
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT_TIMEOUT).build();
        let partition = RetryPartition::new(format!("chaos-{name}"));
        let config = self.config.clone().http_client(tagged(network)).timeout_config(timeouts);
        Client::new(options, config.retry_partition(partition).build(), &self.table)
    }

    async fn run(&self, options: &Options) -> Result<Run, BoxError> {
        let journal = Journal::default();
        let (setup, writers) = workload(options);
        let calm = self.client(options, "setup", observed(self.http.clone(), &journal));
        for plan in &setup {
            calm.make(plan, &journal).await;
        }

        let mut networks = Vec::new();
        let mut clients = Vec::new();
        for process in 0..options.processes {
            let network = Faults::around(observed(self.http.clone(), &journal));
            network.seeded(options.seed.wrapping_add(process.into()), options.given.rates())?;
            clients.push(self.client(options, &process.to_string(), SharedHttpClient::new(network.clone())));
            networks.push(network);
        }

        let began = Instant::now();
        let progress = progress(options.ops.into());
        let mut tasks = JoinSet::new();
        for (number, mut writer) in writers.into_iter().enumerate() {
            let (client, journal, progress) =
                (clients[number % clients.len()].clone(), journal.clone(), progress.clone());
            let calls = (options.ops as usize + number) / usize::from(options.writers);
            tasks.spawn(async move {
                for _ in 0..calls {
                    client.make(&writer.next(), &journal).await;
                    progress.inc(1);
                }
            });
        }
        while let Some(ended) = tasks.join_next().await {
            ended?;
        }
        progress.finish_and_clear();
        arrived(&networks, &journal).await;
        let took = began.elapsed();
        let faults = networks.iter().map(Faults::injected).sum();
        Ok(Run { history: journal.close(self.stands().await?, options.tombstones())?, faults, took })
    }

    /// Every item that stands.
    async fn stands(&self) -> Result<BTreeMap<String, Image>, BoxError> {
        let mut items = BTreeMap::new();
        let scan = self.plain().scan().table_name(&self.table).consistent_read(true);
        let mut pages = scan.into_paginator().items().send();
        while let Some(item) = pages.next().await {
            let item = item?;
            if item.contains_key(TOMBSTONE) {
                continue;
            }
            let entry: Entry = serde_dynamo::from_item(item)?;
            let image = entry.image().ok_or("an item's token is none of this run's")?;
            items.insert(entry.id, image);
        }
        Ok(items)
    }
}

/// Ends the faults, and waits until every request that is still under way has reached the table.
async fn arrived(networks: &[Faults], journal: &Journal) {
    loop {
        for network in networks {
            network.stop();
            network.deliver_late().await;
        }
        journal.settled().await;
        if networks.iter().all(|network| network.held_back() == 0) {
            return;
        }
        tokio::task::yield_now().await;
    }
}

/// On a terminal only.
fn progress(calls: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} calls, {eta} left");
    ProgressBar::new(calls).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
