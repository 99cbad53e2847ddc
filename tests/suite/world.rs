//! Where a behaviour runs: an engine, a network with or without faults, and a table of its own.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_dynamodb::Config;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};
use aws_smithy_async::time::TimeSource;
use dynamo_once::testing::{Arrival, Embedded, Fault, Faults, Operation, Rates, Request};
use dynamo_once::{Error, Item, Records, RetryPolicy, Store, Table};

/// What the network does.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Weather {
    /// Nothing.
    Plain,
    /// It loses the reply to the first attempt of every write.
    EveryFirstReplyLost,
    /// It loses, delays, repeats, throttles and fails at random, seeded.
    Storm(u64),
}

pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) faults: Faults,
    pub(crate) weather: Weather,
    /// The SDK's client, which the faults leave alone.
    pub(crate) sdk: aws_sdk_dynamodb::Client,
    config: aws_sdk_dynamodb::config::Builder,
    run: String,
    engine: Option<Embedded>,
}

impl World {
    async fn new(weather: Weather) -> Self {
        let (config, http_client, engine) = match std::env::var("AWS_ENDPOINT_URL") {
            Ok(endpoint) => {
                let http_client = aws_smithy_http_client::Builder::new().build_http();
                let config = Config::builder()
                    .behavior_version(BehaviorVersion::latest())
                    .endpoint_url(endpoint)
                    .region(Region::new("us-east-1"))
                    .credentials_provider(Credentials::new("test", "test", None, None, "suite"))
                    .http_client(http_client.clone());
                (config, http_client, None)
            }
            Err(_) => {
                let engine = Embedded::start().await;
                (engine.config(), engine.http_client(), Some(engine))
            }
        };
        let plain = config.clone().build();
        let faults = Faults::around(http_client);
        match weather {
            Weather::Plain => {}
            // A write id is new in each call, so every request that hasn't been seen is a first attempt.
            Weather::EveryFirstReplyLost => {
                let transact = Operation::TransactWriteItems;
                for operation in [Operation::PutItem, Operation::UpdateItem, Operation::DeleteItem, transact] {
                    let seen = Mutex::new(HashSet::new());
                    let is_first =
                        move |request: &Request| seen.lock().expect("whole").insert(request.body().to_string());
                    faults.on(operation).when(is_first).always().inject(Fault::lost_reply());
                }
            }
            Weather::Storm(seed) => {
                let rates = Rates::new()
                    .with(Fault::lost_reply(), 0.10)
                    .with(Fault::internal_error().applied(), 0.05)
                    .with(Fault::duplicate(), 0.03)
                    .with(Fault::throttled(), 0.05)
                    .with(Fault::connection_refused(), 0.03)
                    .with(Fault::late(Arrival::AfterNext), 0.04)
                    .on(Operation::PutItem)
                    .on(Operation::UpdateItem)
                    .on(Operation::DeleteItem)
                    .on(Operation::TransactWriteItems)
                    .on(Operation::GetItem)
                    .on(Operation::BatchGetItem)
                    .on(Operation::Query)
                    .on(Operation::Scan);
                faults.seeded(seed, rates).expect("the rates are rates");
            }
        }
        let config = config.http_client(faults.clone());
        let store = Store::builder(config.clone().build()).retry(policy()).build();
        let run = uuid::Uuid::now_v7().simple().to_string();
        Self { store, faults, weather, sdk: aws_sdk_dynamodb::Client::from_conf(plain), config, run, engine }
    }

    /// Another process on the same network, which goes by this clock.
    pub(crate) fn process_by(&self, clock: impl TimeSource + 'static) -> Store {
        Store::builder(self.config.clone().time_source(clock).build()).retry(policy()).build()
    }

    /// A configuration that reaches the engine over connections of its own, without faults.
    pub(crate) fn calm_config(&self) -> Config {
        let http_client = match &self.engine {
            Some(engine) => engine.http_client(),
            None => aws_smithy_http_client::Builder::new().build_http(),
        };
        self.config.clone().http_client(http_client).build()
    }

    /// How many of the library's requests have gone out that read or write items.
    pub(crate) fn requests(&self) -> usize {
        [
            Operation::PutItem,
            Operation::UpdateItem,
            Operation::DeleteItem,
            Operation::GetItem,
            Operation::BatchGetItem,
            Operation::Query,
            Operation::Scan,
        ]
        .into_iter()
        .map(|operation| self.faults.received(operation))
        .sum()
    }

    /// The name of a table of this run.
    pub(crate) fn table_name<T: Item>(&self) -> String {
        format!("suite-{}-{}", T::SCHEMA.table_name().expect("the suite's items name their tables"), self.run)
    }

    /// A table of this run, which exists.
    pub(crate) async fn table<T: Item>(&self) -> Result<Table<T>, Error> {
        let table = self.store.table_named::<T>(self.table_name::<T>());
        table.create_if_missing().await?;
        Ok(table)
    }

    /// A table of records of this run, which exists.
    pub(crate) async fn records(&self) -> Result<Records, Error> {
        let records = self.store.records(format!("suite-records-{}", self.run));
        records.create_if_missing().await?;
        Ok(records)
    }

    /// The outcome of a call that finds no item, not even a tombstone, can't be told once a reply was lost.
    pub(crate) fn may_be_unknown(&self, error: &Error) -> bool {
        !matches!(self.weather, Weather::Plain) && error.is_outcome_unknown()
    }

    /// Another program's write, which knows nothing of the stamp.
    pub(crate) async fn foreign_put(&self, table: &str, item: serde_json::Value) {
        let item: HashMap<String, AttributeValue> = serde_dynamo::to_item(item).expect("is a map");
        self.sdk.put_item().table_name(table).set_item(Some(item)).send().await.expect("the engine takes it");
    }

    /// Another program's writes of many items, 25 with each request.
    pub(crate) async fn foreign_puts(&self, table: &str, items: impl IntoIterator<Item = serde_json::Value>) {
        let mut requests: Vec<_> = items
            .into_iter()
            .map(|item| serde_dynamo::to_item(item).expect("is a map"))
            .map(|item| PutRequest::builder().set_item(Some(item)).build().expect("has an item"))
            .map(|put| WriteRequest::builder().put_request(put).build())
            .collect();
        while !requests.is_empty() {
            let batch = requests.split_off(requests.len().saturating_sub(25));
            let write = self.sdk.batch_write_item().request_items(table, batch).send().await;
            let unprocessed = write.expect("the engine takes the batch").unprocessed_items.unwrap_or_default();
            requests.extend(unprocessed.into_values().flatten());
        }
    }

    /// Another program's update, which adds an attribute and leaves the rest as it is.
    pub(crate) async fn add(&self, table: &str, key: &str, name: &str, value: serde_json::Value) {
        let value: AttributeValue = serde_dynamo::to_attribute_value(value).expect("is a value");
        let request = self.sdk.update_item().table_name(table).key("id", AttributeValue::S(key.to_owned()));
        let request = request.update_expression("SET #name = :value").expression_attribute_names("#name", name);
        request.expression_attribute_values(":value", value).send().await.expect("the engine takes it");
    }

    /// The item as it is stored, whatever it is.
    pub(crate) async fn stored(&self, table: &str, key: &str) -> Option<HashMap<String, AttributeValue>> {
        let key = AttributeValue::S(key.to_owned());
        let request = self.sdk.get_item().table_name(table).key("id", key).consistent_read(true);
        request.send().await.expect("the engine answers").item
    }
}

/// Patient enough for any of the networks.
fn policy() -> RetryPolicy {
    RetryPolicy::new()
        .max_attempts(20)
        .initial_backoff(Duration::from_millis(1))
        .max_backoff(Duration::from_millis(5))
        .max_conflicts(200)
        .budget(1_000_000)
        .jitter_seed(7)
}

/// Runs a behaviour and takes its tables away afterwards, whatever became of it.
pub(crate) fn run<F>(weather: Weather, behaviour: impl FnOnce(Arc<World>) -> F)
where
    F: Future<Output = Result<(), Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
{
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let world = Arc::new(World::new(weather).await);
        let result = tokio::spawn(behaviour(world.clone())).await;
        let tables = world.sdk.list_tables().send().await.expect("the engine answers").table_names.unwrap_or_default();
        for table in tables.iter().filter(|table| table.ends_with(&world.run)) {
            world.sdk.delete_table().table_name(table).send().await.expect("the table goes");
        }
        match result {
            Ok(Ok(())) => {}
            Ok(Err(error)) => panic!("{error:?}\n{}", world.faults.log()),
            Err(panicked) => {
                eprintln!("{}", world.faults.log());
                std::panic::resume_unwind(panicked.into_panic());
            }
        }
    });
}
