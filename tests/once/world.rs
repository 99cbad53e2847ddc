//! An engine, and processes around it whose time stands still until a test moves it.

use std::time::{Duration, SystemTime};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_async::rt::sleep::{AsyncSleep, Sleep};
use aws_smithy_async::time::TimeSource;
use dynamo_once::testing::{Arrival, Embedded, Fault, Faults, Operation, Rates};
use dynamo_once::{Context, ErrorKind, Meter, Once, OnceError, Ran, Records, RetryPolicy, Store};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

/// Time that stands still until a test moves it. Pauses between attempts don't wait for that.
#[derive(Debug, Clone)]
pub(crate) struct Clock(watch::Sender<u64>);

impl Clock {
    /// Moves on, and lets whoever waited for that do what there is to do.
    pub(crate) async fn advance(&self, millis: u64) {
        self.0.send_modify(|now| *now += millis);
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }

    /// The time after so many milliseconds.
    pub(crate) fn after(&self, millis: u64) -> SystemTime {
        self.now() + Duration::from_millis(millis)
    }
}

impl TimeSource for Clock {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(1_800_000_000_000 + *self.0.borrow())
    }
}

impl AsyncSleep for Clock {
    fn sleep(&self, duration: Duration) -> Sleep {
        const PAUSE: Duration = Duration::from_millis(5);
        let mut time = self.0.subscribe();
        let until = *time.borrow() + duration.as_millis() as u64;
        Sleep::new(async move {
            if duration > PAUSE {
                time.wait_for(|now| *now >= until).await.expect("time doesn't end");
            }
        })
    }
}

pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) store: Store,
    pub(crate) records: Records,
    pub(crate) faults: Faults,
    pub(crate) meter: Meter,
    pub(crate) sdk: Client,
    pub(crate) engine: Embedded,
}

impl World {
    pub(crate) async fn new() -> Self {
        let engine = Embedded::start().await;
        let (faults, meter) = (Faults::around(engine.http_client()), Meter::new());
        let clock = Clock(watch::Sender::new(3_600_000));
        let store = store(&engine, &clock, &faults, &meter);
        let world =
            Self { records: store.records("records"), store, clock, sdk: engine.client(), faults, meter, engine };
        world.records.create_if_missing().await.expect("the table is made");
        world
    }

    /// Another process.
    pub(crate) fn elsewhere(&self) -> Records {
        self.at(&self.clock)
    }

    /// From now on a quarter of these requests meets a fault.
    pub(crate) fn storm(&self, on: [Operation; 2]) {
        let rates = Rates::new()
            .with(Fault::lost_reply(), 0.10)
            .with(Fault::internal_error().applied(), 0.05)
            .with(Fault::duplicate(), 0.03)
            .with(Fault::throttled(), 0.05)
            .with(Fault::late(Arrival::AfterNext), 0.04);
        self.faults.seeded(7, on.into_iter().fold(rates, Rates::on)).expect("are rates");
    }

    /// The store of another process.
    pub(crate) fn other_store(&self) -> Store {
        store(&self.engine, &self.clock, &Faults::around(self.engine.http_client()), &Meter::new())
    }

    /// Another process, whose clock is so far ahead, or behind, and stands still.
    pub(crate) fn off_by(&self, millis: i64) -> (Records, Clock) {
        let clock = Clock(watch::Sender::new(self.clock.0.borrow().checked_add_signed(millis).expect("is a time")));
        (self.at(&clock), clock)
    }

    pub(crate) fn at(&self, clock: &Clock) -> Records {
        store(&self.engine, clock, &Faults::around(self.engine.http_client()), &Meter::new()).records("records")
    }

    pub(crate) fn requests(&self) -> u64 {
        self.meter.of("once").requests
    }

    /// Another program sets the balance of an account, and leaves its stamp as it is.
    pub(crate) async fn set_balance(&self, id: &str, balance: i64) {
        let update = self.sdk.update_item().table_name("accounts").key("id", AttributeValue::S(id.into()));
        let update = update.update_expression("SET balance = :balance");
        let update = update.expression_attribute_values(":balance", AttributeValue::N(balance.to_string()));
        update.send().await.expect("the engine takes it");
    }

    /// What the record holds.
    pub(crate) async fn attribute(&self, id: &str, name: &str) -> Option<AttributeValue> {
        let get = self.sdk.get_item().table_name("records").key("id", AttributeValue::S(id.into()));
        let mut item = get.send().await.expect("the engine answers").item.expect("is there");
        item.remove(name)
    }

    pub(crate) async fn delete(&self, id: &str) {
        let delete = self.sdk.delete_item().table_name("records").key("id", AttributeValue::S(id.into()));
        delete.send().await.expect("the engine deletes");
    }

    pub(crate) async fn put(&self, attributes: serde_json::Value) {
        let item = serde_dynamo::to_item(attributes).expect("is a map");
        self.sdk.put_item().table_name("records").set_item(Some(item)).send().await.expect("the engine takes it");
    }
}

pub(crate) fn store(engine: &Embedded, clock: &Clock, faults: &Faults, meter: &Meter) -> Store {
    let config = engine.config().time_source(clock.clone()).sleep_impl(clock.clone());
    Store::builder(config.http_client(faults.clone()).build()).retry(policy()).meter(meter).build()
}

pub(crate) fn policy() -> RetryPolicy {
    let policy = RetryPolicy::new().max_attempts(20).initial_backoff(Duration::from_millis(1)).jitter_seed(7);
    policy.max_backoff(Duration::from_millis(5)).budget(1_000_000)
}

pub(crate) async fn seven(_: Context) -> Result<u32, String> {
    Ok(7)
}

/// A run that ends in the middle, as by a crash.
pub(crate) async fn crash(once: Once) {
    let (begins, begun) = oneshot::channel();
    let run = once.run(async |_| {
        begins.send(()).expect("is waited for");
        std::future::pending::<Result<u32, String>>().await
    });
    tokio::select! {
        _ = run => panic!("it doesn't end"),
        begun = begun => begun.expect("begins"),
    }
}

/// What a run is told: whether it lost its lease, if it ended well.
pub(crate) type Told = Result<Ran<bool>, OnceError<String>>;

/// A run that goes on until it is told to end.
pub(crate) fn spawn(once: Once) -> (oneshot::Receiver<()>, oneshot::Sender<()>, JoinHandle<Told>) {
    let (begins, begun) = oneshot::channel();
    let (end, ends) = oneshot::channel();
    let run = tokio::spawn(once.run(async |context: Context| {
        begins.send(()).expect("is waited for");
        ends.await.expect("is told to end");
        Ok(context.is_lost())
    }));
    (begun, end, run)
}

pub(crate) async fn not_run(_: Context) -> Result<u32, String> {
    panic!("it has run before")
}

#[track_caller]
pub(crate) fn kind<A: std::fmt::Debug, E: std::fmt::Debug>(result: Result<Ran<A>, OnceError<E>>) -> ErrorKind {
    match result {
        Err(OnceError::NotRun(error) | OnceError::NotStored(error)) => error.kind(),
        other => panic!("{other:?}"),
    }
}
