//! Handlers of Lambda functions, each in a process of its own that takes its events from a runtime API.

#[path = "../examples/lambda/service.rs"]
mod service;

use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{self, Poll};
use std::time::Duration;

use aws_lambda_events::event::sqs::{SqsEvent, SqsMessage};
use dynamo_once::testing::Embedded;
use dynamo_once::{Batch, BatchResponse, Context, Delivery, Item, Once, OnceLayer, Records, Store, Table};
use lambda_runtime::tower::{Layer, Service, ServiceExt as _};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Barrier;

use crate::service::{Function, Invoked};

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Order {
    id: String,
    does: Does,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
enum Does {
    Answer,
    Fail,
    /// Hangs after its write, unless an earlier run had made that.
    Hang,
    /// Waits until three others run too.
    Meet,
}

/// What the operation of an order or a message has done.
#[derive(Debug, Serialize, Deserialize, Item)]
#[item(table = "marks")]
struct Mark {
    #[item(partition_key)]
    id: String,
    count: u32,
}

/// The function's process: this test in another process, and nothing otherwise.
#[test]
fn function() {
    let Ok(name) = std::env::var("FUNCTION") else { return };
    let runtime = tokio::runtime::Runtime::new().expect("is made");
    runtime.block_on(serve(&name)).expect("it is killed before it ends");
}

async fn serve(name: &str) -> Result<(), Error> {
    let store = Store::new(&aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await);
    let records = store.records("records");
    if name == "messages" {
        let handler = service_fn(move |event| messages(store.clone(), records.clone(), event));
        return lambda_runtime::run_concurrent(handler).await;
    }
    let once = OnceLayer::new(move |event: &LambdaEvent<Order>| {
        records.once(&event.payload.id).payload(&event.payload).until(event.context.deadline())
    });
    lambda_runtime::run_concurrent(once.layer(service_fn(move |delivery| order(store.clone(), delivery)))).await
}

/// Answers with how many orders have run in this process.
async fn order(store: Store, delivery: Delivery<LambdaEvent<Order>>) -> Result<Value, Error> {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    static MEETING: LazyLock<Barrier> = LazyLock::new(|| Barrier::new(4));
    let Delivery { event: LambdaEvent { payload: order, .. }, context, .. } = delivery;
    let run = RUNS.fetch_add(1, Ordering::SeqCst) + 1;
    let mark = Mark { id: order.id.clone(), count: 1 };
    let written = store.table::<Mark>().insert(&mark).keyed(context.key()).send().await?;
    match order.does {
        Does::Fail => return Err("it can't be done".into()),
        Does::Hang if !written.is_replayed() => std::future::pending().await,
        Does::Meet => {
            MEETING.wait().await;
        }
        Does::Answer | Does::Hang => {}
    }
    Ok(json!({"run": run}))
}

async fn messages(
    store: Store,
    records: Records,
    LambdaEvent { payload, context }: LambdaEvent<SqsEvent>,
) -> Result<BatchResponse<Error>, Error> {
    let batch = Batch::new(payload.records, |message| message.message_id.clone().unwrap_or_default());
    let once = |message: &SqsMessage| -> Once {
        records.once(message.message_id.as_deref().unwrap_or_default()).payload(&message.body).until(context.deadline())
    };
    let marks = store.table::<Mark>();
    let operation = async |message: SqsMessage, _: Context| {
        let body = message.body.unwrap_or_default();
        let add = marks.update(body.as_str()).add(Mark::FIELDS.count, 1);
        add.or_insert(&Mark { id: body.clone(), count: 1 }).send().await?;
        match body.as_str() {
            "bad" => Err("it can't be done".into()),
            "worse" => panic!("it can't be done at all"),
            _ => Ok(()),
        }
    };
    Ok(batch.in_order_by(|message| message.attributes.get("MessageGroupId").cloned()).run(once, operation).await)
}

/// A service that has to be ready, and whose clones aren't.
#[derive(Default)]
struct Ready(bool);

impl Clone for Ready {
    fn clone(&self) -> Self {
        Self(false)
    }
}

impl Service<Delivery<u32>> for Ready {
    type Response = u32;
    type Error = Error;
    type Future = std::future::Ready<Result<u32, Error>>;

    fn poll_ready(&mut self, _: &mut task::Context<'_>) -> Poll<Result<(), Error>> {
        self.0 = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, delivery: Delivery<u32>) -> Self::Future {
        assert!(std::mem::take(&mut self.0), "it isn't ready");
        std::future::ready(Ok(delivery.event))
    }
}

#[tokio::test]
async fn the_service_that_was_ready_is_the_one_that_is_called() {
    let World { engine, .. } = World::new().await;
    let records = Store::new(engine.config().build()).records("records");
    let mut service = OnceLayer::new(move |event: &u32| records.once(event.to_string())).layer(Ready::default());
    for event in [1, 2] {
        let answer = service.ready().await.expect("gets ready").call(event).await;
        assert_eq!(answer.expect("runs"), event);
    }
    // One that was asked to run before another has ended.
    let third = service.ready().await.expect("gets ready").call(3);
    let fourth = service.ready().await.expect("gets ready").call(4);
    assert_eq!((fourth.await.expect("runs"), third.await.expect("runs")), (4, 3));
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Refused {
    NoSuchAccount { id: u32 },
    BankClosed,
    Record(String),
}

impl From<dynamo_once::Error> for Refused {
    fn from(error: dynamo_once::Error) -> Self {
        Self::Record(format!("{:?}", error.kind()))
    }
}

#[tokio::test]
async fn a_final_failure_is_answered_from_its_record_as_the_handlers_own() {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    let World { engine, .. } = World::new().await;
    let records = Store::new(engine.config().build()).records("records");
    let pay = async |Delivery { event: id, .. }: Delivery<u32>| {
        RUNS.fetch_add(1, Ordering::SeqCst);
        match id {
            7 => Err(Refused::NoSuchAccount { id }),
            8 => Err(Refused::BankClosed),
            id => Ok(id),
        }
    };
    let runs = || RUNS.swap(0, Ordering::SeqCst);
    let plain = OnceLayer::new(move |id: &u32| records.once(id.to_string()));
    let storing = plain.clone().storing_failures(|refused: &Refused| matches!(refused, Refused::NoSuchAccount { .. }));
    for is_first in [true, false] {
        let refused = storing.layer(service_fn(pay)).oneshot(7).await;
        assert_eq!((refused, runs()), (Err(Refused::NoSuchAccount { id: 7 }), usize::from(is_first)));
        let closed = storing.layer(service_fn(pay)).oneshot(8).await;
        assert_eq!((closed, runs()), (Err(Refused::BankClosed), 1), "it isn't final");
        let paid = storing.layer(service_fn(pay)).oneshot(9).await;
        assert_eq!((paid, runs()), (Ok(9), usize::from(is_first)));
    }
    let unread = plain.layer(service_fn(pay)).oneshot(7).await;
    assert_eq!((unread, runs()), (Err(Refused::Record("Decode".to_owned())), 0), "it knows of no stored failures");
}

#[tokio::test]
async fn an_event_is_not_shown_in_logs() {
    let World { engine, .. } = World::new().await;
    let records = Store::new(engine.config().build()).records("records");
    let once = OnceLayer::new(move |_: &&str| records.once("a"));
    let show = async |delivery: Delivery<&'static str>| Ok::<_, Error>(format!("{delivery:?}"));
    let shown = once.layer(service_fn(show)).oneshot("secret").await.expect("runs");
    assert_eq!(shown, "Delivery { context: Context { is_lost: false, .. }, .. }");
}

struct World {
    engine: Embedded,
    marks: Table<Mark>,
}

impl World {
    async fn new() -> Self {
        let engine = Embedded::start().await;
        let store = Store::new(engine.config().build());
        store.records("records").create_if_missing().await.expect("the table is made");
        let marks = store.table();
        marks.create_if_missing().await.expect("the table is made");
        Self { engine, marks }
    }

    /// A process of the function.
    async fn start(&self, name: &str, concurrency: usize) -> Function {
        let mut command = Command::new(std::env::current_exe().expect("is a file"));
        command.args(["--exact", "function", "--nocapture"]).stdout(Stdio::null());
        command.env("FUNCTION", name).env("AWS_LAMBDA_MAX_CONCURRENCY", concurrency.to_string());
        command.env("AWS_ENDPOINT_URL", self.engine.endpoint()).env("AWS_REGION", "eu-central-1");
        command.env("AWS_ACCESS_KEY_ID", "none").env("AWS_SECRET_ACCESS_KEY", "none");
        Function::start(command).await.expect("starts")
    }

    /// How often the operation of an order or a message has written.
    async fn count(&self, id: &str) -> u32 {
        self.marks.get(id).send().await.expect("the engine answers").map_or(0, |mark| mark.count)
    }
}

const TIMEOUT: Duration = Duration::from_secs(60);

async fn invoke(function: &Function, id: &str, does: Does, timeout: Duration) -> Invoked {
    let event = json!(Order { id: id.to_owned(), does });
    function.invoke(&format!("request-{id}"), event, timeout).await.expect("the runtime API works")
}

fn answer(run: usize) -> Invoked {
    Invoked::Answered(json!({"run": run}))
}

#[track_caller]
fn message(invoked: &Invoked) -> &str {
    let Invoked::Failed(error) = invoked else { panic!("it didn't fail: {invoked:?}") };
    error["errorMessage"].as_str().expect("is text")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_delivered_again_is_answered_from_its_record() {
    let world = World::new().await;
    let function = world.start("orders", 1).await;
    for _ in 0..3 {
        assert_eq!(invoke(&function, "a", Does::Answer, TIMEOUT).await, answer(1));
    }
    assert_eq!(invoke(&function, "b", Does::Answer, TIMEOUT).await, answer(2), "no other run was between");
    let elsewhere = world.start("orders", 1).await;
    assert_eq!(invoke(&elsewhere, "b", Does::Answer, TIMEOUT).await, answer(2), "it would have been its first");

    // Another event under the same key.
    let reused = invoke(&function, "a", Does::Fail, TIMEOUT).await;
    assert_eq!(message(&reused), "once in records: idempotency key reused with other content");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_failed_runs_again_and_its_error_is_its_own() {
    let world = World::new().await;
    let function = world.start("orders", 1).await;
    for _ in 0..2 {
        let failed = invoke(&function, "a", Does::Fail, TIMEOUT).await;
        assert_eq!(message(&failed), "it can't be done");
    }
    assert_eq!(invoke(&function, "b", Does::Answer, TIMEOUT).await, answer(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_killed_in_the_middle_runs_again_after_its_deadline_and_not_before() {
    let world = World::new().await;
    let (function, elsewhere) = (world.start("orders", 1).await, world.start("orders", 1).await);
    assert_eq!(invoke(&elsewhere, "warm", Does::Answer, TIMEOUT).await, answer(1));
    let (killed, early) = tokio::join!(invoke(&function, "a", Does::Hang, Duration::from_secs(3)), async {
        while world.count("a").await == 0 {
            tokio::task::yield_now().await;
        }
        invoke(&elsewhere, "a", Does::Hang, TIMEOUT).await
    });
    assert_eq!(killed, Invoked::TimedOut);
    assert_eq!(message(&early), "once in records: in progress elsewhere");
    assert_eq!(invoke(&elsewhere, "a", Does::Hang, TIMEOUT).await, answer(2));
    assert_eq!(invoke(&function, "a", Does::Hang, TIMEOUT).await, answer(2));
    assert_eq!(world.count("a").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn invocations_run_side_by_side() {
    let world = World::new().await;
    let function = world.start("orders", 4).await;
    let all = |does, timeout| {
        let function = &function;
        async move {
            let [a, b, c, d] = ["a", "b", "c", "d"].map(|id| invoke(function, id, does, timeout));
            <[Invoked; 4]>::from(tokio::join!(a, b, c, d))
        }
    };
    let answers = all(Does::Meet, TIMEOUT).await;
    for run in 1..=4 {
        assert!(answers.contains(&answer(run)), "{answers:?}");
    }
    assert_eq!(all(Does::Meet, TIMEOUT).await, answers, "the same answers again");
}

fn delivered(messages: &[(&str, &str, &str)]) -> Value {
    let message = |(id, group, body): &(&str, &str, &str)| {
        json!({
            "messageId": id,
            "receiptHandle": "handle",
            "body": body,
            "attributes": {"ApproximateReceiveCount": "1", "MessageGroupId": group},
            "messageAttributes": {},
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:eu-central-1:123456789012:orders.fifo",
            "awsRegion": "eu-central-1"
        })
    };
    json!({"Records": messages.iter().map(message).collect::<Vec<_>>()})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_delivers_again_what_failed_and_what_waits_behind_it() {
    let world = World::new().await;
    let function = world.start("messages", 1).await;
    let invoke = async |messages: &[(&str, &str, &str)]| match function
        .invoke("request", delivered(messages), TIMEOUT)
        .await
        .expect("the runtime API works")
    {
        Invoked::Answered(answer) => answer,
        other => panic!("{other:?}"),
    };
    let failed = |ids: &[&str]| {
        let failures: Vec<_> = ids.iter().map(|id| json!({"itemIdentifier": id})).collect();
        json!({"batchItemFailures": failures})
    };

    let one_bad = [("1", "x", "good"), ("2", "y", "bad"), ("3", "z", "better")];
    assert_eq!(invoke(&one_bad).await, failed(&["2"]));
    assert_eq!(invoke(&one_bad).await, failed(&["2"]), "the answer was lost, say");
    assert_eq!((world.count("good").await, world.count("better").await, world.count("bad").await), (1, 1, 2));

    let groups = [("4", "x", "worse"), ("5", "y", "fine"), ("6", "x", "later"), ("1", "x", "good")];
    assert_eq!(invoke(&groups).await, failed(&["4", "6", "1"]));
    assert_eq!((world.count("worse").await, world.count("fine").await, world.count("later").await), (1, 1, 0));
    assert_eq!(invoke(&[("5", "y", "fine"), ("7", "y", "last")]).await, failed(&[]));
    assert_eq!((world.count("fine").await, world.count("last").await), (1, 1));
}
