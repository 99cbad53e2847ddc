//! Operations that run once: on an engine, over a network that loses what it is told to lose.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_async::rt::sleep::{AsyncSleep, Sleep};
use aws_smithy_async::time::TimeSource;
use dynamo_once::testing::{Arrival, Embedded, Fault, Faults, Operation, Rates};
use dynamo_once::{Context, Error, ErrorKind, Meter, Once, OnceError, Ran, Records, RetryPolicy, Store};
use serde_json::json;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

/// Time that stands still until a test moves it. Pauses between attempts don't wait for that.
#[derive(Debug, Clone)]
struct Clock(watch::Sender<u64>);

impl Clock {
    /// Moves on, and lets whoever waited for that do what there is to do.
    async fn advance(&self, millis: u64) {
        self.0.send_modify(|now| *now += millis);
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
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

struct World {
    clock: Clock,
    records: Records,
    faults: Faults,
    meter: Meter,
    sdk: Client,
    engine: Embedded,
}

impl World {
    async fn new() -> Self {
        let engine = Embedded::start().await;
        let (faults, meter) = (Faults::around(engine.http_client()), Meter::new());
        let clock = Clock(watch::Sender::new(0));
        let world = Self {
            records: store(&engine, &clock, &faults, &meter).records("records"),
            clock,
            sdk: engine.client(),
            faults,
            meter,
            engine,
        };
        world.records.create_if_missing().await.expect("the table is made");
        world
    }

    /// Another process.
    fn elsewhere(&self) -> Records {
        self.at(&self.clock)
    }

    /// Another process, whose clock is so far ahead.
    fn ahead(&self, millis: u64) -> Records {
        self.at(&Clock(watch::Sender::new(*self.clock.0.borrow() + millis)))
    }

    fn at(&self, clock: &Clock) -> Records {
        store(&self.engine, clock, &Faults::around(self.engine.http_client()), &Meter::new()).records("records")
    }

    fn requests(&self) -> u64 {
        self.meter.of("once").requests
    }

    async fn put(&self, attributes: serde_json::Value) {
        let item = serde_dynamo::to_item(attributes).expect("is a map");
        self.sdk.put_item().table_name("records").set_item(Some(item)).send().await.expect("the engine takes it");
    }
}

fn store(engine: &Embedded, clock: &Clock, faults: &Faults, meter: &Meter) -> Store {
    let config = engine.config().time_source(clock.clone()).sleep_impl(clock.clone());
    Store::builder(config.http_client(faults.clone()).build()).retry(policy()).meter(meter).build()
}

fn policy() -> RetryPolicy {
    let policy = RetryPolicy::new().max_attempts(20).initial_backoff(Duration::from_millis(1)).jitter_seed(7);
    policy.max_backoff(Duration::from_millis(5)).budget(1_000_000)
}

async fn seven(_: Context) -> Result<u32, String> {
    Ok(7)
}

/// A run that ends in the middle, as by a crash.
async fn crash(once: Once) {
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
type Told = Result<Ran<bool>, OnceError<String>>;

/// A run that goes on until it is told to end.
fn spawn(once: Once) -> (oneshot::Receiver<()>, oneshot::Sender<()>, JoinHandle<Told>) {
    let (begins, begun) = oneshot::channel();
    let (end, ends) = oneshot::channel();
    let run = tokio::spawn(once.run(async |context: Context| {
        begins.send(()).expect("is waited for");
        ends.await.expect("is told to end");
        Ok(context.is_lost())
    }));
    (begun, end, run)
}

async fn not_run(_: Context) -> Result<u32, String> {
    panic!("it has run before")
}

#[track_caller]
fn kind<A: std::fmt::Debug, E: std::fmt::Debug>(result: Result<Ran<A>, OnceError<E>>) -> ErrorKind {
    match result {
        Err(OnceError::Record(error)) => error.kind(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_operation_runs_once_and_its_answer_is_replayed() {
    let world = World::new().await;
    let ran = world.records.once("a").run(seven).await.expect("runs");
    assert_eq!((*ran.answer(), ran.is_replayed(), world.requests()), (7, false, 2));
    let again = world.elsewhere().once("a").run(not_run).await.expect("has run");
    assert_eq!((*again.answer(), again.is_replayed(), again.completed_at()), (7, true, ran.completed_at()));
    world.records.once("a").run(not_run).await.expect("has run");
    assert_eq!(world.requests(), 3, "a replay is one request");
    assert!(!world.records.once("b").run(seven).await.expect("is another").is_replayed());
}

#[tokio::test]
async fn answers_come_back_as_they_were() {
    async fn twice<A>(records: &Records, key: &str, answer: A)
    where
        A: serde::Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug + Clone,
    {
        let ran = records.once(key).run(async |_| Ok::<_, Error>(answer.clone())).await.expect("runs");
        let again = records.once(key).run(async |_| Err::<A, _>("has run")).await.expect("has run");
        assert!(again.is_replayed() && !ran.is_replayed());
        assert_eq!(ran.into_answer(), again.into_answer());
    }
    let World { records, .. } = World::new().await;
    twice(&records, "unit", ()).await;
    twice(&records, "none", None::<u8>).await;
    twice(&records, "empty", String::new()).await;
    twice(&records, "false", false).await;
    twice(&records, "zero", 0_u64).await;
    twice(&records, "list", Vec::<String>::new()).await;
    twice(&records, "text", "a \"quoted\" Ünicode \u{0} text".to_owned()).await;
    twice(&records, "float", 0.1 + 0.2).await;
}

#[tokio::test]
async fn a_payload_is_recognised_whatever_the_order_of_its_fields() {
    let world = World::new().await;
    let records = &world.records;
    let once = |payload: &str| {
        let payload: serde_json::Value = serde_json::from_str(payload).expect("is JSON");
        records.once("a").payload(&payload)
    };
    once(r#"{"amount": 7, "to": "eve"}"#).run(seven).await.expect("runs");
    assert!(once(r#"{"to": "eve", "amount": 7}"#).run(not_run).await.expect("has run").is_replayed());
    assert_eq!(kind(once(r#"{"to": "eve", "amount": 8}"#).run(not_run).await), ErrorKind::KeyReused);

    // Also where the first run has crashed, or goes on.
    crash(world.records.once("b").payload(&1)).await;
    assert_eq!(kind(records.once("b").payload(&2).run(not_run).await), ErrorKind::KeyReused);
    world.clock.advance(30_000).await;
    assert_eq!(kind(records.once("b").payload(&2).run(not_run).await), ErrorKind::KeyReused);
    records.once("b").payload(&1).run(seven).await.expect("runs after the lease");
}

#[tokio::test]
async fn a_failed_operation_runs_again() {
    let World { records, .. } = World::new().await;
    let failed = records.once("a").run(async |_| Err::<u32, _>("the bank is closed")).await;
    assert!(matches!(failed, Err(OnceError::Failed("the bank is closed"))), "{failed:?}");
    assert!(!records.once("a").run(seven).await.expect("runs").is_replayed());
}

#[tokio::test]
async fn one_runs_it_and_others_wait_or_are_told() {
    let world = World::new().await;
    let (begun, end, run) = spawn(world.records.once("a"));
    begun.await.expect("begins");
    let not_run = async |_: Context| Err::<bool, _>("another runs it");
    assert_eq!(kind(world.elsewhere().once("a").run(not_run).await), ErrorKind::InProgress);

    let waiting = tokio::spawn(world.elsewhere().once("a").wait(Duration::from_secs(60)).run(not_run));
    let impatient = tokio::spawn(world.elsewhere().once("a").wait(Duration::from_millis(500)).run(not_run));
    for _ in 0..8 {
        world.clock.advance(200).await;
    }
    // Whoever looked after that has waited long enough.
    while !impatient.is_finished() {
        world.clock.advance(200).await;
    }
    assert_eq!(kind(impatient.await.expect("didn't panic")), ErrorKind::InProgress);
    end.send(()).expect("is waited for");
    assert!(!run.await.expect("didn't panic").expect("ran").is_replayed());
    while !waiting.is_finished() {
        world.clock.advance(200).await;
    }
    assert!(waiting.await.expect("didn't panic").expect("has run by then").is_replayed());
}

#[tokio::test]
async fn a_crashed_run_is_repeated_after_its_lease_and_not_before() {
    let world = World::new().await;
    crash(world.records.clone().lease(Duration::from_secs(10)).once("a")).await;
    world.clock.advance(9_999).await;
    assert_eq!(kind(world.elsewhere().once("a").run(not_run).await), ErrorKind::InProgress);
    world.clock.advance(1).await;
    assert!(!world.elsewhere().once("a").run(seven).await.expect("runs").is_replayed());
}

#[tokio::test]
async fn a_lease_is_kept_alive_while_the_operation_runs() {
    let world = World::new().await;
    let (begun, end, run) = spawn(world.records.clone().lease(Duration::from_secs(30)).once("a"));
    begun.await.expect("begins");
    for beats in 1..=6 {
        world.clock.advance(10_000).await;
        while world.faults.received(Operation::UpdateItem) < beats {
            tokio::task::yield_now().await;
        }
        assert_eq!(kind(world.elsewhere().once("a").run(not_run).await), ErrorKind::InProgress);
    }
    end.send(()).expect("is waited for");
    assert!(!run.await.expect("didn't panic").expect("ran").into_answer(), "it kept its lease");
}

#[tokio::test]
async fn who_lost_its_lease_neither_overwrites_nor_releases_what_others_made() {
    for succeeds in [true, false] {
        let world = World::new().await;
        let (begins, begun) = oneshot::channel();
        let (end, ends) = oneshot::channel();
        let run = tokio::spawn(world.records.once("a").run(async move |_: Context| {
            begins.send(()).expect("is waited for");
            ends.await.expect("is told to end");
            if succeeds { Ok(8) } else { Err("failed") }
        }));
        begun.await.expect("begins");
        let taken = world.ahead(30_000).once("a").run(seven).await.expect("takes over, by its own clock");
        assert!(!taken.is_replayed());
        end.send(()).expect("is waited for");
        match (run.await.expect("didn't panic"), succeeds) {
            (Err(OnceError::Record(error)), true) => assert_eq!(error.kind(), ErrorKind::Superseded),
            (Err(OnceError::Failed("failed")), false) => {}
            (other, _) => panic!("{other:?}"),
        }
        let answer = world.elsewhere().once("a").run(not_run).await.expect("has run");
        assert_eq!(*answer.answer(), 7, "the successor's answer stands");
    }
}

#[tokio::test]
async fn an_operation_learns_that_its_lease_is_lost() {
    let world = World::new().await;
    let (begins, begun) = oneshot::channel();
    let run = tokio::spawn(world.records.once("a").run(async move |context: Context| {
        let was_lost = context.is_lost();
        begins.send(()).expect("is waited for");
        for _ in 0..100_000 {
            if context.is_lost() {
                return Err((was_lost, true));
            }
            tokio::task::yield_now().await;
        }
        Err::<u32, _>((was_lost, false))
    }));
    begun.await.expect("begins");
    world.put(json!({"id": "a", "status": "COMPLETED", "expiration": 4_000_000_000_u64, "data": "1"})).await;
    world.clock.advance(10_000).await;
    let told = run.await.expect("didn't panic");
    assert!(matches!(told, Err(OnceError::Failed((false, true)))), "{told:?}");
    assert_eq!(*world.records.once("a").run(not_run).await.expect("has run").answer(), 1, "it isn't released");
}

#[tokio::test]
async fn a_sign_of_life_that_comes_late_leases_nothing_that_was_released() {
    let world = World::new().await;
    let (begun, end, run) = {
        let (begins, begun) = oneshot::channel();
        let (end, ends) = oneshot::channel();
        let run = tokio::spawn(world.records.once("a").run(async move |_: Context| {
            begins.send(()).expect("is waited for");
            ends.await.expect("is told to end");
            Err::<u32, _>("failed")
        }));
        (begun, end, run)
    };
    begun.await.expect("begins");
    world.faults.on(Operation::UpdateItem).inject(Fault::late(Arrival::OnCommand));
    world.clock.advance(10_000).await;
    while world.faults.received(Operation::UpdateItem) < 1 {
        tokio::task::yield_now().await;
    }
    end.send(()).expect("is waited for");
    assert!(matches!(run.await.expect("didn't panic"), Err(OnceError::Failed("failed"))));
    world.faults.deliver_late().await;
    assert!(!world.elsewhere().once("a").run(seven).await.expect("was released").is_replayed());
}

#[tokio::test]
async fn lost_replies_lock_nobody_out() {
    let world = World::new().await;
    for operation in [Operation::PutItem, Operation::UpdateItem] {
        world.faults.on(operation).inject(Fault::lost_reply());
    }
    let ran = world.records.once("a").run(seven).await.expect("finds out");
    assert_eq!((*ran.answer(), ran.is_replayed(), world.requests()), (7, false, 4));
    world.faults.on(Operation::UpdateItem).inject(Fault::lost_reply());
    let failed = world.records.once("b").run(async |_| Err::<u32, _>("no")).await;
    assert!(matches!(failed, Err(OnceError::Failed("no"))));
    world.records.once("b").run(seven).await.expect("was released");
}

#[tokio::test]
async fn a_claim_that_may_have_gone_through_is_unknown_and_runs_nothing() {
    let world = World::new().await;
    world.faults.on(Operation::PutItem).always().inject(Fault::lost_request());
    assert_eq!(kind(world.records.once("a").run(not_run).await), ErrorKind::OutcomeUnknown);
    assert!(!world.elsewhere().once("a").run(seven).await.expect("it hadn't").is_replayed());
}

#[tokio::test]
async fn in_a_storm_every_key_runs_once_and_every_delivery_is_answered() {
    let world = World::new().await;
    let rates = Rates::new()
        .with(Fault::lost_reply(), 0.10)
        .with(Fault::internal_error().applied(), 0.05)
        .with(Fault::duplicate(), 0.03)
        .with(Fault::throttled(), 0.05)
        .with(Fault::late(Arrival::AfterNext), 0.04)
        .on(Operation::PutItem)
        .on(Operation::UpdateItem);
    world.faults.seeded(7, rates).expect("are rates");
    // Here time goes on, since what comes late is waited for.
    let config = world.engine.config().http_client(world.faults.clone()).build();
    let records = Store::builder(config).retry(policy()).build().records("records");
    let runs: Arc<[AtomicUsize; 300]> = Arc::new(std::array::from_fn(|_| AtomicUsize::new(0)));
    let mut workers = tokio::task::JoinSet::new();
    for worker in 0..8 {
        let (records, runs) = (records.clone(), Arc::clone(&runs));
        workers.spawn(async move {
            for key in 0..300 {
                // One to four deliveries, to different workers.
                if (key + worker) % 8 > key % 4 {
                    continue;
                }
                let run = async |_: Context| {
                    runs[key].fetch_add(1, Ordering::SeqCst);
                    Ok::<usize, String>(key)
                };
                let once = records.once(key.to_string()).wait(Duration::from_secs(60));
                let ran = once.run(run).await.expect("is answered");
                assert_eq!(*ran.answer(), key);
            }
        });
    }
    while let Some(done) = workers.join_next().await {
        done.expect("no delivery fails");
    }
    let counts: BTreeMap<usize, usize> = runs.iter().fold(BTreeMap::new(), |mut counts, runs| {
        *counts.entry(runs.load(Ordering::SeqCst)).or_default() += 1;
        counts
    });
    assert_eq!(counts, BTreeMap::from([(1, 300)]), "how many keys ran how often");
}

#[tokio::test]
async fn records_of_powertools_are_understood() {
    let world = World::new().await;
    let far = 4_000_000_000_u64;
    world.put(json!({"id": "done", "status": "COMPLETED", "expiration": far, "data": "{\"paid\":true}"})).await;
    let run = async |_: Context| Ok::<serde_json::Value, String>(json!("fresh"));
    let done = world.records.once("done").run(run).await.expect("has run");
    assert_eq!((done.answer(), done.is_replayed(), done.completed_at()), (&json!({"paid": true}), true, None));

    let running =
        json!({"id": "runs", "status": "INPROGRESS", "expiration": far, "in_progress_expiration": far * 1000});
    world.put(running).await;
    assert_eq!(kind(world.records.once("runs").run(not_run).await), ErrorKind::InProgress);
    world.put(json!({"id": "runs", "status": "INPROGRESS", "expiration": far})).await;
    assert_eq!(kind(world.records.once("runs").run(not_run).await), ErrorKind::InProgress, "no deadline is none");
    world.put(json!({"id": "left", "status": "INPROGRESS", "expiration": far, "in_progress_expiration": 1})).await;
    world.records.once("left").run(seven).await.expect("is taken over");
    world.put(json!({"id": "old", "status": "COMPLETED", "expiration": 1, "data": "1"})).await;
    assert!(!world.records.once("old").run(seven).await.expect("has expired").is_replayed());
    world.put(json!({"id": "odd", "status": "HALF DONE", "expiration": far})).await;
    assert_eq!(kind(world.records.once("odd").run(not_run).await), ErrorKind::Malformed);
}

#[tokio::test]
async fn bad_input_and_bad_luck_have_an_outcome_each() {
    let world = World::new().await;
    let records = &world.records;
    assert_eq!(kind(records.once("").run(not_run).await), ErrorKind::Invalid);
    assert_eq!(kind(records.once("k".repeat(2049)).run(not_run).await), ErrorKind::Invalid);
    let tenant = records.clone().namespace("t".repeat(2000));
    assert_eq!(kind(tenant.once("k".repeat(48)).run(not_run).await), ErrorKind::Invalid);
    let (no_lease, short) = (records.clone().lease(Duration::ZERO), records.clone().kept_for(Duration::from_secs(1)));
    assert_eq!(kind(no_lease.once("a").run(not_run).await), ErrorKind::Invalid);
    assert_eq!(kind(short.once("a").run(not_run).await), ErrorKind::Invalid, "kept for less than the lease");
    assert_eq!(world.requests(), 0, "nothing was sent");
    records.once("k".repeat(2048)).run(seven).await.expect("fits");

    // Two tenants, one key.
    let (ann, bob) = (records.clone().namespace("ann"), records.clone().namespace("bob"));
    ann.once("a").run(seven).await.expect("runs");
    assert!(!bob.once("a").run(seven).await.expect("is another").is_replayed());
    let key = async |context: Context| Ok::<_, String>(context.key().to_owned());
    assert_eq!(bob.once("key").run(key).await.expect("runs").answer(), "bob#key");

    records.once("number").run(seven).await.expect("runs");
    let text = records.once("number").run(async |_| Ok::<String, String>(String::new())).await;
    assert_eq!(kind(text), ErrorKind::Decode, "the answer was a number");

    let large = async |_: Context| Ok::<String, String>("x".repeat(450_000));
    assert_eq!(records.once("large").run(large).await.expect("runs").answer().len(), 450_000);
    assert_eq!(kind(records.once("large").run(large).await), ErrorKind::Decode, "it isn't kept, and doesn't run again");

    let missing = store(&world.engine, &world.clock, &world.faults, &world.meter).records("nowhere");
    assert_eq!(kind(missing.once("a").run(not_run).await), ErrorKind::TableNotFound);
    let stored = world.sdk.get_item().table_name("records").key("id", AttributeValue::S("number".into())).send().await;
    let stored = stored.expect("the engine answers").item.expect("is there");
    let has = |name: &str| stored.contains_key(name);
    assert!(has("status") && has("expiration") && has("data") && !has("in_progress_expiration"), "{stored:?}");
}
