//! Batches of records, each of which runs once.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use aws_lambda_events::event::sqs::SqsBatchResponse;
use dynamo_once::testing::Embedded;
use dynamo_once::{
    Batch, BatchError, BatchItemFailure, BatchResponse, Context, ErrorKind, Meter, Once, OnceError, Records, Store,
};
use serde_json::json;

/// A message: its id, its group, and what it says.
type Message = (&'static str, &'static str, &'static str);

struct World {
    _engine: Embedded,
    records: Records,
    meter: Meter,
    /// The messages whose operation has begun.
    ran: Arc<Mutex<Vec<&'static str>>>,
}

impl World {
    async fn new() -> Self {
        let (engine, meter) = (Embedded::start().await, Meter::new());
        let records = Store::builder(engine.config().build()).meter(&meter).build().records("records");
        records.create_if_missing().await.expect("the table is made");
        Self { _engine: engine, records, meter, ran: Arc::default() }
    }

    /// Each message under its text, so that two that say the same are the same operation.
    fn once(&self) -> impl Fn(&Message) -> Once + use<> {
        let records = self.records.clone();
        move |(_, _, says)| records.once(*says)
    }

    async fn run(&self, batch: Batch<Message>) -> BatchResponse<String> {
        let operation = async |(id, _, says): Message, _: Context| {
            self.ran.lock().expect("nobody panicked").push(id);
            if says.starts_with("bad") { Err(says.to_owned()) } else { Ok(()) }
        };
        batch.run(self.once(), operation).await
    }

    /// The same, where it is final if a message is bad for good.
    async fn run_storing_failures(&self, batch: Batch<Message>) -> BatchResponse<String> {
        let operation = async |(id, _, says): Message, _: Context| {
            self.ran.lock().expect("nobody panicked").push(id);
            if says.starts_with("bad") { Err(says.to_owned()) } else { Ok(()) }
        };
        let is_final = |says: &String| says.ends_with("for good");
        batch.run_storing_failures(is_final, self.once(), operation).await
    }

    /// What has run since this was asked last.
    fn ran(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.ran.lock().expect("nobody panicked"))
    }

    fn requests(&self) -> u64 {
        self.meter.of("once").requests
    }
}

fn batch(messages: &[Message]) -> Batch<Message> {
    Batch::new(messages.to_vec(), |(id, ..)| (*id).to_owned())
}

fn failed<E>(response: &BatchResponse<E>) -> Vec<&str> {
    response.failures().iter().map(|failure| failure.identifier()).collect()
}

fn reasons(response: &BatchResponse<String>) -> Vec<(&str, String)> {
    told(response.failures())
}

/// Why each failure is one, in short.
fn told(failures: &[BatchItemFailure<String>]) -> Vec<(&str, String)> {
    let reason = |error: &BatchError<String>| match error {
        BatchError::Once(OnceError::NotRun(error)) => format!("{:?}", error.kind()),
        error => error.to_string(),
    };
    failures.iter().map(|failure| (failure.identifier(), reason(failure.error()))).collect()
}

const AFTER_A_FAILURE: &str = "the operation wasn't run, since one that comes before it has failed";

#[tokio::test]
async fn what_failed_is_delivered_again_and_nothing_else() {
    let world = World::new().await;
    let messages = [("1", "", "a"), ("2", "", "bad"), ("3", "", "c")];
    let response = world.run(batch(&messages)).await;
    let answer: SqsBatchResponse =
        serde_json::from_value(serde_json::to_value(&response).expect("is JSON")).expect("is one");
    assert_eq!(answer.batch_item_failures[0].item_identifier, "2");
    assert_eq!(
        serde_json::to_value(&response).expect("is JSON"),
        json!({"batchItemFailures": [{"itemIdentifier": "2"}]})
    );
    assert_eq!(reasons(&response), [("2", "the operation failed: bad".to_owned())]);
    assert_eq!((world.ran(), world.requests()), (vec!["1", "2", "3"], 6));

    // The source delivers the whole batch again, since the answer was lost.
    let again = world.run(batch(&messages)).await;
    assert_eq!((failed(&again), world.ran()), (vec!["2"], vec!["2"]));
    assert_eq!(world.requests(), 6 + 2 + 2, "a replay is one request");

    let response = world.run(batch(&[("1", "", "a")])).await;
    assert!(response.is_complete());
    assert_eq!(serde_json::to_value(&response).expect("is JSON"), json!({"batchItemFailures": []}));
}

#[tokio::test]
async fn so_many_are_under_way_at_once_and_no_more() {
    let world = World::new().await;
    for (wanted, at_once) in [(0, 1), (1, 1), (3, 3), (100, 12)] {
        let (active, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let messages: Vec<_> = (0..12).collect();
        let operation = async |_: i32, _: Context| {
            most.fetch_max(active.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            for _ in 0..1000 {
                tokio::task::yield_now().await;
            }
            active.fetch_sub(1, Ordering::SeqCst);
            Ok::<_, String>(())
        };
        let once = |message: &i32| world.records.once(format!("{wanted}-{message}"));
        let response = Batch::new(messages, i32::to_string).concurrency(wanted).run(once, operation).await;
        assert!(response.is_complete(), "{response:?}");
        assert_eq!(most.into_inner(), at_once, "of {wanted} wanted");
    }
}

#[tokio::test]
async fn a_group_stops_at_its_first_failure_and_the_others_go_on() {
    let world = World::new().await;
    let messages = [
        ("1", "x", "a"),
        ("2", "y", "b"),
        ("3", "x", "bad c"),
        ("4", "y", "d"),
        ("5", "x", "e"),
        ("6", "z", "bad f"),
        ("7", "x", "a"),
        ("8", "y", "g"),
    ];
    let response = world.run(batch(&messages).in_order_by(|(_, group, _)| *group)).await;
    let not_run = || AFTER_A_FAILURE.to_owned();
    assert_eq!(
        reasons(&response),
        [
            ("3", "the operation failed: bad c".to_owned()),
            ("5", not_run()),
            ("6", "the operation failed: bad f".to_owned()),
            ("7", not_run()),
        ]
    );
    let mut ran: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for id in world.ran() {
        let (_, group, _) = messages.iter().find(|(other, ..)| *other == id).expect("is one of them");
        ran.entry(group).or_default().push(id);
    }
    assert_eq!(ran, BTreeMap::from([("x", vec!["1", "3"]), ("y", vec!["2", "4", "8"]), ("z", vec!["6"])]));
}

#[tokio::test]
async fn in_order_the_first_failure_is_the_last_that_runs() {
    let world = World::new().await;
    let messages = [("1", "", "a"), ("2", "", "b"), ("3", "", "bad"), ("4", "", "d"), ("5", "", "e")];
    let response = world.run(batch(&messages).in_order().concurrency(5)).await;
    assert_eq!((failed(&response), world.ran()), (vec!["3", "4", "5"], vec!["1", "2", "3"]));
    assert!(matches!(response.failures()[1].error(), BatchError::NotRun));
}

#[tokio::test]
async fn what_failed_for_good_is_done_and_told_and_holds_nothing_up() {
    let world = World::new().await;
    let messages = [("1", "x", "a"), ("2", "x", "bad for good"), ("3", "y", "bad"), ("4", "x", "c"), ("5", "y", "d")];
    let by_group = || batch(&messages).in_order_by(|(_, group, _)| *group);
    let response = world.run_storing_failures(by_group()).await;
    assert_eq!(reasons(&response), [("3", "the operation failed: bad".to_owned()), ("5", AFTER_A_FAILURE.to_owned())]);
    assert_eq!(told(response.final_failures()), [("2", "the operation failed: bad for good".to_owned())]);
    let mut ran = world.ran();
    ran.sort_unstable();
    assert_eq!(ran, ["1", "2", "3", "4"]);

    // The handler may have crashed before it could tell anyone.
    let again = world.run_storing_failures(by_group()).await;
    assert_eq!((failed(&again), world.ran()), (vec!["3", "5"], vec!["3"]));
    assert_eq!(told(again.final_failures()), [("2", "the operation has failed before: bad for good".to_owned())]);

    let shard = batch(&[("2", "", "bad for good"), ("6", "", "also bad"), ("7", "", "bad, and for good")]).in_order();
    let before = world.requests();
    let response = world.run_storing_failures(shard).await;
    assert!(response.is_complete());
    assert_eq!(serde_json::to_value(&response).expect("is JSON"), json!({"batchItemFailures": []}));
    let finals: Vec<_> = response.final_failures().iter().map(BatchItemFailure::identifier).collect();
    assert_eq!((finals, world.ran()), (vec!["2", "7"], vec!["6", "7"]));
    assert_eq!(world.requests() - before, 1 + 2 + 2, "a replay is one request");

    let plain = world.run(batch(&[("2", "", "bad for good")])).await;
    assert_eq!(reasons(&plain), [("2", "Decode".to_owned())], "plain batches know of no stored failures");
    assert!(plain.final_failures().is_empty());
}

#[tokio::test]
async fn of_two_that_are_the_same_operation_each_is_told_that_it_failed_for_good() {
    let orders: [fn(Batch<Message>) -> Batch<Message>; 2] = [|batch| batch, Batch::in_order];
    for order in orders {
        let world = World::new().await;
        let messages = [("1", "", "bad for good"), ("2", "", "a"), ("3", "", "bad for good"), ("4", "", "a")];
        let response = world.run_storing_failures(order(batch(&messages))).await;
        assert!(response.is_complete(), "{response:?}");
        let failed = |text: &str| text.to_owned() + ": bad for good";
        let wanted = [("1", failed("the operation failed")), ("3", failed("the operation has failed before"))];
        assert_eq!(told(response.final_failures()), wanted);
        assert_eq!((world.ran(), world.requests()), (vec!["1", "2"], 2 + 2 + 1));
    }
}

#[tokio::test]
async fn of_two_that_are_the_same_operation_in_two_groups_one_may_have_to_come_again() {
    let world = World::new().await;
    let messages = [("1", "x", "a"), ("2", "y", "a")];
    let by_group = || batch(&messages).in_order_by(|(_, group, _)| *group);
    let ran = AtomicUsize::new(0);
    let operation = async |_: Message, _: Context| {
        ran.fetch_add(1, Ordering::SeqCst);
        // Until the other has been refused.
        while world.requests() < 2 {
            tokio::task::yield_now().await;
        }
        Ok::<_, String>(())
    };
    let response = by_group().run(world.once(), operation).await;
    let [(_, reason)] = &reasons(&response)[..] else { panic!("{response:?}") };
    assert_eq!(reason, "InProgress");
    assert!(by_group().run(world.once(), operation).await.is_complete());
    assert_eq!(ran.into_inner(), 1);
}

#[tokio::test]
async fn of_two_that_are_the_same_operation_one_runs_and_the_other_shares_its_fate() {
    let orders: [fn(Batch<Message>) -> Batch<Message>; 3] =
        [|batch| batch, Batch::in_order, |batch| batch.in_order_by(|(_, group, _)| *group)];
    for order in orders {
        let world = World::new().await;
        let messages = [("1", "", "a"), ("2", "", "a"), ("3", "", "b"), ("4", "", "a")];
        let response = world.run(order(batch(&messages))).await;
        assert!(response.is_complete(), "{response:?}");
        assert_eq!((world.ran(), world.requests()), (vec!["1", "3"], 4));

        let messages = [("5", "", "bad"), ("6", "", "bad")];
        let response = world.run(order(batch(&messages))).await;
        assert_eq!((failed(&response), world.ran()), (vec!["5", "6"], vec!["5"]));
    }
}

#[tokio::test]
async fn the_same_key_is_the_same_operation_only_with_the_same_payload() {
    let world = World::new().await;
    let once = |(_, _, says): &Message| world.records.once("key").payload(says);
    let operation = async |_: Message, _: Context| Ok::<_, String>(());
    let response = batch(&[("1", "", "a"), ("2", "", "b"), ("3", "", "a")]).concurrency(1).run(once, operation).await;
    assert_eq!(reasons(&response), [("2", "KeyReused".to_owned())]);

    // What has no key is nothing's repetition.
    let response = batch(&[("1", "", ""), ("2", "", "")]).run(world.once(), operation).await;
    assert_eq!(reasons(&response), [("1", "Invalid".to_owned()), ("2", "Invalid".to_owned())]);

    // Another tenant's, or of another table, it is another operation.
    let tenants = |(_, tenant, says): &Message| world.records.clone().namespace(*tenant).once(*says);
    let ran = AtomicUsize::new(0);
    let counted = async |_: Message, _: Context| {
        ran.fetch_add(1, Ordering::SeqCst);
        Ok::<_, String>(())
    };
    let response = batch(&[("1", "ann", "c"), ("2", "bob", "c")]).run(tenants, counted).await;
    assert!(response.is_complete(), "{response:?}");
    assert_eq!(ran.into_inner(), 2);
}

#[tokio::test]
async fn a_panic_is_the_failure_of_its_record() {
    let world = World::new().await;
    let once = |(_, _, says): &Message| match *says {
        "no key" => panic!("it can't be read"),
        says => world.records.once(says),
    };
    let operation = async |(_, _, says): Message, _: Context| match says {
        "at once" => panic!("before anything is awaited"),
        "later" => {
            tokio::task::yield_now().await;
            panic!("in the middle")
        }
        _ => Ok::<_, String>(()),
    };
    let messages = [("1", "", "at once"), ("2", "", "later"), ("3", "", "no key"), ("4", "", "a")];
    let response = batch(&messages).run(once, operation).await;
    let panicked = || "the operation panicked".to_owned();
    assert_eq!(reasons(&response), [("1", panicked()), ("2", panicked()), ("3", panicked())]);

    let again = world.run(batch(&[("1", "", "at once"), ("2", "", "later"), ("4", "", "a")])).await;
    let in_progress = || format!("{:?}", ErrorKind::InProgress);
    assert_eq!(reasons(&again), [("1", in_progress()), ("2", in_progress())], "until its lease ends");
}

#[tokio::test]
async fn what_another_works_on_is_a_failure_so_that_it_comes_again() {
    let world = World::new().await;
    let (begins, begun) = tokio::sync::oneshot::channel();
    let (end, ends) = tokio::sync::oneshot::channel::<()>();
    let elsewhere = tokio::spawn(world.records.once("a").run(async |_| {
        begins.send(()).expect("is waited for");
        ends.await.map_err(|error| error.to_string())
    }));
    begun.await.expect("begins");
    let messages = [("1", "", "a"), ("2", "", "b")];
    let response = world.run(batch(&messages)).await;
    assert_eq!((reasons(&response), world.ran()), (vec![("1", "InProgress".to_owned())], vec!["2"]));

    end.send(()).expect("is waited for");
    elsewhere.await.expect("didn't panic").expect("ran");
    assert!(world.run(batch(&messages)).await.is_complete());
}

#[tokio::test]
async fn what_another_program_has_done_is_done_whatever_it_answered() {
    let world = World::new().await;
    let answer = async |_| Ok::<_, String>(json!({"total": 7}));
    world.records.once("a").run(answer).await.expect("runs");
    let response = world.run(batch(&[("1", "", "a"), ("2", "", "b")])).await;
    assert!(response.is_complete(), "{response:?}");
    assert_eq!(world.ran(), ["2"]);
    let answer = async |_| Err::<Option<u8>, _>("has run");
    assert!(world.records.once("b").run(answer).await.expect("has run").answer().is_none());
}

#[tokio::test]
async fn a_batch_runs_in_a_task_of_its_own() {
    let world = World::new().await;
    let operation = |_, _| std::future::ready(Err::<(), _>("bad".to_owned()));
    let run = batch(&[("1", "", "bad")]).run_storing_failures(|_| true, world.once(), operation);
    assert!(tokio::spawn(run).await.expect("didn't panic").is_complete());

    let run = batch(&[("1", "", "a")]).run(world.once(), |_, _| std::future::ready(Ok::<_, String>(())));
    assert!(tokio::spawn(run).await.expect("didn't panic").is_complete());
}
