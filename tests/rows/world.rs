//! The embedded engine behind a network that fails on command, in simulated time.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_async::time::TimeSource;
use dynamo_once::testing::{Embedded, Fault, Faults};
use dynamo_once::{Error, RetryPolicy, Store, Table};
use tokio::time::Instant;

use crate::account::{Account, account};
use crate::peer::{Raw, Sent, lane_of};

/// A clock that goes by tokio's, which stands still but for sleeps.
#[derive(Debug, Clone)]
pub(crate) struct SimulatedTime(Instant);

impl SimulatedTime {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }
}

impl TimeSource for SimulatedTime {
    fn now(&self) -> SystemTime {
        // Friday, 15 January 2027, 08:00:00 GMT.
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000) + self.0.elapsed()
    }
}

pub(crate) struct World {
    engine: Embedded,
    clock: SimulatedTime,
    pub(crate) faults: Faults,
    sent: Arc<Mutex<Vec<Sent>>>,
    /// Behind the faults.
    pub(crate) accounts: Table<Account>,
    /// Another process, whose requests meet no faults.
    pub(crate) others: Table<Account>,
}

impl World {
    /// A world whose table is empty.
    pub(crate) async fn new() -> Self {
        let engine = Embedded::start().await;
        let (clock, faults, sent) =
            (SimulatedTime::start(), Faults::around(engine.http_client()), Arc::<Mutex<Vec<Sent>>>::default());
        let store = |config: aws_sdk_dynamodb::config::Builder| {
            let config = config.time_source(clock.clone()).build();
            Store::builder(config).retry(RetryPolicy::new().jitter_seed(1)).build()
        };
        let accounts = store(engine.config().http_client(faults.clone())).table::<Account>();
        let others = store(engine.config()).table::<Account>();
        others.create_if_missing().await.expect("the engine makes a table");
        let seen = Arc::clone(&sent);
        // A rule that looks at each request, and holds for none.
        let watch = faults.on_any().when(move |request| {
            seen.lock().expect("no test panics here").push(Sent::of(request));
            false
        });
        watch.always().inject(Fault::throttled());
        Self { engine, clock, faults, sent, accounts, others }
    }

    /// A world with an item whose balance is 10.
    pub(crate) async fn with_item() -> Self {
        let world = Self::new().await;
        world.others.insert(&account(10)).send().await.expect("the table is empty");
        world.time_passes().await;
        world
    }

    /// Write ids of different processes are in no order within a millisecond.
    pub(crate) async fn time_passes(&self) {
        sleep(Duration::from_secs(1)).await;
    }

    /// Another store behind the same faults.
    pub(crate) fn another(&self, policy: RetryPolicy) -> Table<Account> {
        let config = self.engine.config().http_client(self.faults.clone()).time_source(self.clock.clone());
        Store::builder(config.build()).retry(policy).build().table()
    }

    /// The requests that were sent through the faults, lost ones included.
    pub(crate) fn sent(&self) -> Vec<Sent> {
        self.sent.lock().expect("no test panics here").clone()
    }

    pub(crate) fn forget_sent(&self) {
        self.sent.lock().expect("no test panics here").clear();
    }

    /// The item as it is stored.
    pub(crate) async fn stored(&self) -> Option<Raw> {
        let key = AttributeValue::S("a".into());
        let get = self.engine.client().get_item().table_name("accounts").key("id", key);
        get.send().await.expect("the engine answers").item
    }

    /// The stored balance and version.
    pub(crate) async fn state(&self) -> Option<(i64, u64)> {
        let number = |value: &AttributeValue| value.as_n().expect("is a number").parse::<i64>().expect("is an integer");
        self.stored().await.map(|item| (number(&item["balance"]), number(&item["version"]).unsigned_abs()))
    }

    /// Another program's write, which knows nothing of the stamp.
    pub(crate) async fn put_foreign(&self, item: Raw) {
        let put = self.engine.client().put_item().table_name("accounts").set_item(Some(item));
        put.send().await.expect("the engine takes it");
    }

    /// The lanes in the stored item's log.
    pub(crate) async fn lanes(&self) -> Vec<usize> {
        let item = self.stored().await.unwrap_or_default();
        let mut lanes: Vec<_> = item.keys().filter_map(|name| lane_of(name)).collect();
        lanes.sort_unstable();
        lanes
    }
}

/// What a test shows when a call did not end as expected.
pub(crate) fn ok<T>(result: Result<T, Error>, faults: &Faults) -> T {
    result.unwrap_or_else(|error| panic!("{error:?}\n{}", faults.log()))
}

#[expect(clippy::disallowed_methods, reason = "the time is simulated")]
pub(crate) async fn sleep(duration: Duration) {
    tokio::time::sleep(duration).await;
}
