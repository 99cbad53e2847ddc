//! Reading and writing many items: how many requests it takes, what comes back for each, and what a bad network changes.

use std::collections::HashSet;
use std::time::{Duration, SystemTime};

use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_async::time::TimeSource;
use dynamo_once::testing::{Embedded, Fault, Faults, Operation, Reply, Request, Scripted};
use dynamo_once::{Consistency, Error, ErrorKind, Item, Limit, Meter, Outcome, RetryPolicy, Store, Table};
use futures_util::StreamExt as _;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::Instant;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Item)]
#[item(table = "accounts")]
struct Account {
    #[item(partition_key)]
    id: String,
    balance: i64,
}

/// Its key has numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Item)]
#[item(table = "readings")]
struct Reading {
    #[item(partition_key)]
    sensor: i64,
    #[item(sort_key)]
    at: u64,
}

fn account(number: i64) -> Account {
    Account { id: name(number), balance: number }
}

fn accounts(numbers: std::ops::Range<i64>) -> Vec<Account> {
    numbers.map(account).collect()
}

fn name(number: i64) -> String {
    format!("acc-{number}")
}

fn names(numbers: std::ops::Range<i64>) -> Vec<String> {
    numbers.map(name).collect()
}

/// A clock that goes by tokio's, which stands still but for sleeps.
#[derive(Debug, Clone)]
struct SimulatedTime(Instant);

impl TimeSource for SimulatedTime {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000) + self.0.elapsed()
    }
}

struct World {
    engine: Embedded,
    faults: Faults,
    accounts: Table<Account>,
}

impl World {
    async fn new() -> Self {
        let engine = Embedded::start().await;
        let faults = Faults::around(engine.http_client());
        let config = engine.config().http_client(faults.clone()).build();
        let policy = RetryPolicy::new().jitter_seed(1).budget(100_000);
        let accounts = Store::builder(config).retry(policy).build().table::<Account>();
        accounts.create_if_missing().await.expect("the engine makes a table");
        Self { engine, faults, accounts }
    }

    async fn holding(items: Vec<Account>) -> Self {
        let world = Self::new().await;
        for written in world.accounts.insert_many(items).send().await {
            written.expect("the table is empty");
        }
        world
    }

    /// The balances that are stored, with their versions.
    async fn stored(&self) -> Vec<(i64, String)> {
        let scan = self.engine.client().scan().table_name("accounts").send().await.expect("the engine answers");
        let number = |value: &AttributeValue| value.as_n().expect("is a number").clone();
        let of = |item: &std::collections::HashMap<String, AttributeValue>| {
            (number(&item["balance"]).parse().expect("is whole"), number(&item["version"]))
        };
        let mut all: Vec<_> = scan.items().iter().map(of).collect();
        all.sort_unstable();
        all
    }
}

/// A table whose answers are written down.
fn on<T: Item>(peer: &Scripted, policy: RetryPolicy) -> Table<T> {
    Store::builder(peer.config().build()).retry(policy.jitter_seed(1)).build().table::<T>()
}

/// The keys that a `BatchGetItem` asks for.
fn asked(request: &Request) -> Vec<Value> {
    request.body()["RequestItems"]["accounts"]["Keys"].as_array().expect("has keys").clone()
}

/// Answers the first keys with an item of each, and leaves the others unprocessed.
fn answers(request: &Request, most: usize) -> Reply {
    let keys = asked(request);
    let (processed, left) = keys.split_at(most.min(keys.len()));
    let items: Vec<_> = processed.iter().map(|key| json!({ "id": key["id"], "balance": { "N": "7" } })).collect();
    let unprocessed = if left.is_empty() { json!({}) } else { json!({ "accounts": { "Keys": left } }) };
    Reply::ok(json!({ "Responses": { "accounts": items }, "UnprocessedKeys": unprocessed }))
}

/// The numbers of the accounts that each request asked for.
fn conversation(peer: &Scripted) -> Vec<Vec<i64>> {
    let number = |key: &Value| key["id"]["S"].as_str().expect("is text")["acc-".len()..].parse().expect("is a number");
    peer.requests().iter().map(|request| asked(request).iter().map(number).collect()).collect()
}

#[tokio::test]
async fn get_many_answers_each_key_in_its_place() {
    let world = World::holding(accounts(0..120)).await;
    // Backwards, some that aren't there, and each of some three times.
    let mut keys: Vec<_> = names(0..150).into_iter().rev().collect();
    keys.extend(names(115..125));
    keys.extend(names(115..125));
    let found = world.accounts.get_many(&keys).send().await.expect("is read");
    assert_eq!(found.len(), keys.len());
    for (key, found) in keys.iter().zip(found) {
        let number: i64 = key["acc-".len()..].parse().expect("is a number");
        let found = found.expect("decodes");
        assert_eq!(found.as_ref().map(|found| (found.balance, found.version())), (number < 120).then_some((number, 1)));
    }
    assert_eq!(world.faults.received(Operation::BatchGetItem), 2, "150 keys, each once");
}

#[tokio::test]
async fn get_many_of_no_key_asks_nothing_and_takes_keys_in_every_form() {
    let world = World::holding(accounts(0..2)).await;
    assert!(world.accounts.get_many(Vec::<String>::new()).send().await.expect("is nothing").is_empty());
    assert_eq!(world.faults.received(Operation::BatchGetItem), 0);
    assert_eq!(world.accounts.get_many(["acc-0", "acc-1"]).send().await.expect("is read").len(), 2);
    assert_eq!(world.accounts.get_many(names(0..2)).send().await.expect("is read").len(), 2);
}

#[tokio::test]
async fn get_many_checks_every_key_before_it_asks() {
    let world = World::new().await;
    let mut keys = names(0..150);
    keys.push(String::new());
    let error = world.accounts.get_many(&keys).send().await.expect_err("a key is empty");
    assert_eq!((error.kind(), error.operation(), error.table()), (ErrorKind::Invalid, "get_many", Some("accounts")));
    let error = world.accounts.get_many(names(0..1)).concurrency(0).send().await.expect_err("nothing may be sent");
    assert!(error.is_invalid());
    assert_eq!(world.faults.received(Operation::BatchGetItem), 0);
}

#[tokio::test]
async fn get_many_loses_nothing_to_an_item_that_does_not_decode() {
    let world = World::holding(accounts(0..3)).await;
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let put = world.engine.client().put_item().table_name("accounts").item("id", text("acc-1"));
    put.item("balance", text("much")).send().await.expect("the engine takes it");
    let keys = ["acc-0", "acc-1", "acc-2", "acc-1"];
    let mut found = world.accounts.get_many(keys).send().await.expect("is read");
    for bad in [3, 1] {
        let error = found.remove(bad).expect_err("isn't an account");
        assert_eq!((error.kind(), error.operation()), (ErrorKind::Decode, "get_many"));
        assert_eq!(error.raw_current().expect("comes along")["balance"], text("much"));
    }
    let balances: Vec<_> = found.into_iter().map(|found| found.expect("decodes").expect("is there").balance).collect();
    assert_eq!(balances, [0, 2]);
}

#[tokio::test]
async fn get_many_is_as_consistent_as_it_is_asked_to_be() {
    let peer = Scripted::new()
        .then_with(Operation::BatchGetItem, |request| answers(request, 100))
        .then_with(Operation::BatchGetItem, |request| answers(request, 100));
    let accounts = on::<Account>(&peer, RetryPolicy::new());
    accounts.get_many(["acc-1"]).send().await.expect("is read");
    accounts.get_many(["acc-1"]).consistency(Consistency::Eventual).send().await.expect("is read");
    let strong = |request: &Request| request.body()["RequestItems"]["accounts"]["ConsistentRead"].as_bool();
    assert_eq!(peer.requests().iter().map(strong).collect::<Vec<_>>(), [Some(true), Some(false)]);
}

#[tokio::test(start_paused = true)]
async fn unprocessed_keys_go_out_again_with_the_next_ones() {
    let peer = Scripted::new()
        .then_with(Operation::BatchGetItem, |request| answers(request, 40))
        .then_with(Operation::BatchGetItem, |request| answers(request, 90))
        .then_with(Operation::BatchGetItem, |request| answers(request, 100));
    let found = on::<Account>(&peer, RetryPolicy::new()).get_many(names(0..150)).send().await.expect("is read");
    assert!(found.into_iter().all(|found| found.is_ok_and(|found| found.is_some_and(|found| found.balance == 7))));
    let asked: Vec<Vec<i64>> = vec![(0..100).collect(), (40..140).collect(), (130..150).collect()];
    assert_eq!(conversation(&peer), asked);
    peer.finish();
}

#[tokio::test(start_paused = true)]
async fn unprocessed_keys_are_asked_for_as_often_as_the_policy_allows_without_progress() {
    let mut peer = Scripted::new();
    for processed in [0, 0, 1, 0, 0] {
        peer = peer.then_with(Operation::BatchGetItem, move |request| answers(request, processed));
    }
    let start = Instant::now();
    let accounts = on::<Account>(&peer, RetryPolicy::new().max_attempts(3));
    let error = accounts.get_many(names(0..8)).send().await.expect_err("seven keys are never processed");
    assert_eq!((error.kind(), error.limit(), error.attempts()), (ErrorKind::Throttled, Some(Limit::Attempts), 5));
    assert!(error.to_string().starts_with("get_many from accounts: the service left 7 keys unprocessed"), "{error}");
    assert!(start.elapsed() > Duration::from_millis(1), "there are pauses");
    assert_eq!(conversation(&peer).iter().map(Vec::len).collect::<Vec<_>>(), [8, 8, 8, 7, 7]);
    peer.finish();
}

#[tokio::test(start_paused = true)]
async fn progress_goes_on_for_as_long_as_it_takes() {
    let mut peer = Scripted::new();
    for _ in 0..50 {
        peer = peer.then_with(Operation::BatchGetItem, |request| answers(request, 2));
    }
    let accounts = on::<Account>(&peer, RetryPolicy::new().max_attempts(2));
    assert_eq!(accounts.get_many(names(0..100)).send().await.expect("is read").len(), 100);
    peer.finish();
}

#[tokio::test(start_paused = true)]
async fn get_many_keeps_to_the_deadline() {
    let peer = Scripted::new()
        .then_with(Operation::BatchGetItem, |request| answers(request, 0).after(Duration::from_secs(1)))
        .then_with(Operation::BatchGetItem, |request| answers(request, 0).after(Duration::from_secs(1)));
    let policy = RetryPolicy::new().operation_timeout(Duration::from_millis(2001)).jitter_seed(1);
    let config = peer.config().time_source(SimulatedTime(Instant::now())).build();
    let accounts = Store::builder(config).retry(policy).build().table::<Account>();
    let error = accounts.get_many(["acc-1"]).send().await.expect_err("the time is over");
    assert!(error.limit() == Some(Limit::Deadline) || error.is_timeout(), "{error:?}");
    assert_eq!(error.elapsed().as_secs(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_is_asked_for_again() {
    let world = World::holding(accounts(0..5)).await;
    world.faults.on(Operation::BatchGetItem).times(3).inject(Fault::lost_reply());
    assert_eq!(world.accounts.get_many(names(0..5)).send().await.expect("is read").len(), 5);
    assert_eq!(world.faults.received(Operation::BatchGetItem), 4);

    world.faults.on(Operation::BatchGetItem).always().inject(Fault::throttled());
    let error = world.accounts.get_many(names(0..500)).concurrency(2).send().await.expect_err("never answers");
    assert_eq!((error.kind(), error.limit()), (ErrorKind::Throttled, Some(Limit::Attempts)));
    assert!(error.attempts() >= 8, "those of both requests that ended count: {error}");
}

#[tokio::test]
async fn numbers_in_keys_are_told_by_their_value() {
    let reading = |sensor: &str, at: &str| json!({ "sensor": { "N": sensor }, "at": { "N": at } });
    let items = [reading("1E0", "20"), reading("-2.50e+2", "3.0"), reading("0", "0E0")];
    let reply = Reply::ok(json!({ "Responses": { "readings": items } }));
    let peer = Scripted::new().then(Operation::BatchGetItem, reply);
    let keys = [(-250, 3), (0, 0), (1, 20), (20, 1)];
    let found = on::<Reading>(&peer, RetryPolicy::new()).get_many(keys).send().await.expect("is read");
    let is_there: Vec<_> = found.iter().map(|found| matches!(found, Err(_) | Ok(Some(_)))).collect();
    assert_eq!(is_there, [true, true, true, false]);
}

#[tokio::test]
async fn an_item_that_was_not_asked_for_is_no_answer() {
    let other = json!({ "id": { "S": "acc-2" }, "balance": { "N": "7" } });
    let peer =
        Scripted::new().then(Operation::BatchGetItem, Reply::ok(json!({ "Responses": { "accounts": [other] } })));
    let error = on::<Account>(&peer, RetryPolicy::new()).get_many(["acc-1"]).send().await.expect_err("is another's");
    assert_eq!(error.kind(), ErrorKind::Service);
}

#[tokio::test(start_paused = true)]
async fn reads_are_under_way_at_once_as_many_as_are_asked_for() {
    let world = World::holding(accounts(0..10)).await;
    world.faults.on(Operation::BatchGetItem).always().inject(Fault::slow_reply(Duration::from_secs(1)));
    for (concurrency, seconds) in [(1, 5), (2, 3), (5, 1), (99, 1)] {
        let start = Instant::now();
        let found = world.accounts.get_many(names(0..500)).concurrency(concurrency).send().await.expect("is read");
        assert_eq!(found.iter().flatten().flatten().count(), 10);
        assert_eq!(start.elapsed().as_secs(), seconds, "{concurrency} at once");
    }
}

#[tokio::test(start_paused = true)]
async fn insert_many_has_an_outcome_for_each_item_in_their_order() {
    let world = World::holding(accounts(3..5)).await;
    let mut items = accounts(0..40);
    items[7].id = String::new();
    let written = world.accounts.insert_many(&items).send().await;
    assert_eq!(written.len(), 40);
    for (number, written) in written.into_iter().enumerate() {
        match (number, written) {
            (3 | 4, Err(error)) => assert!(error.is_already_exists() && error.operation() == "insert", "{error:?}"),
            (7, Err(error)) => assert!(error.is_invalid(), "{error:?}"),
            (_, written) => assert_eq!(written.expect("is inserted").outcome(), Outcome::Applied),
        }
    }
    let expected: Vec<_> = (0..40).filter(|number| *number != 7).map(|number| (number, "1".to_owned())).collect();
    assert_eq!(world.stored().await, expected);
}

#[tokio::test(start_paused = true)]
async fn every_write_of_a_batch_happens_once_when_every_first_reply_is_lost() {
    let world = World::new().await;
    for operation in [Operation::PutItem, Operation::UpdateItem] {
        let seen = std::sync::Mutex::new(HashSet::new());
        let is_first =
            move |request: &Request| seen.lock().expect("no test panics here").insert(request.body().to_string());
        world.faults.on(operation).when(is_first).always().inject(Fault::lost_reply());
    }
    let inserted = world.accounts.insert_many(accounts(0..60)).send().await;
    assert!(inserted.into_iter().all(|written| written.is_ok_and(|written| written.is_replayed())));
    assert_eq!(world.stored().await, (0..60).map(|number| (number, "1".to_owned())).collect::<Vec<_>>());
    let upserted = world.accounts.upsert_many(accounts(30..90)).send().await;
    assert!(upserted.into_iter().all(|written| written.is_ok_and(|written| written.is_replayed())));
    let version = |number| if (30..60).contains(&number) { "2" } else { "1" };
    assert_eq!(world.stored().await, (0..90).map(|number| (number, version(number).to_owned())).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn writes_are_under_way_at_once_as_many_as_are_asked_for() {
    let world = World::new().await;
    world.faults.on_any().always().inject(Fault::slow_reply(Duration::from_secs(1)));
    let all = &world.accounts;
    let start = Instant::now();
    all.insert_many(accounts(0..64)).send().await;
    assert_eq!(start.elapsed().as_secs(), 4, "16 at once");
    let start = Instant::now();
    all.insert_many(accounts(64..128)).concurrency(32).send().await;
    assert_eq!(start.elapsed().as_secs(), 2);
    let start = Instant::now();
    all.upsert_many(accounts(0..64)).concurrency(1).send().await;
    assert_eq!(start.elapsed().as_secs(), 64);
    let start = Instant::now();
    all.upsert_many(accounts(0..64)).concurrency(1000).send().await;
    assert_eq!(start.elapsed().as_secs(), 1);
}

#[tokio::test(start_paused = true)]
async fn with_nothing_under_way_at_once_every_write_is_invalid() {
    let world = World::new().await;
    let sent = world.faults.log().to_string();
    let all = [
        world.accounts.insert_many(accounts(0..2)).concurrency(0).send().await,
        world.accounts.upsert_many(accounts(0..2)).concurrency(0).send().await,
    ];
    for (written, operation) in all.into_iter().zip(["insert", "upsert"]) {
        let invalid = |written: &Result<_, Error>| {
            written.as_ref().is_err_and(|error| error.is_invalid() && error.operation() == operation)
        };
        assert!(written.len() == 2 && written.iter().all(invalid));
    }
    assert_eq!(world.faults.log().to_string(), sent, "nothing was sent");
}

#[tokio::test(start_paused = true)]
async fn items_with_one_key_meet_as_calls_of_their_own_would() {
    let world = World::new().await;
    let same: Vec<_> = (0..20).map(|balance| Account { id: "a".into(), balance }).collect();
    let inserted = world.accounts.insert_many(&same).send().await;
    let (applied, refused): (Vec<_>, Vec<_>) = inserted.into_iter().partition(Result::is_ok);
    assert_eq!(applied.len(), 1);
    assert!(refused.iter().all(|written| written.as_ref().is_err_and(Error::is_already_exists)));

    let upserted = world.accounts.upsert_many(&same).send().await;
    let versions: HashSet<_> = upserted.into_iter().map(|written| written.expect("is written").version()).collect();
    assert_eq!(versions, (2..22).map(Some).collect::<HashSet<_>>(), "each is a write of its own");
}

#[tokio::test(start_paused = true)]
async fn a_keyed_batch_is_replayed_when_another_process_repeats_it() {
    let world = World::new().await;
    let batch = accounts(0..30);
    let event = |account: &Account| format!("event of {}", account.id);
    for written in world.accounts.insert_many(&batch[..20]).keyed(event).send().await {
        assert_eq!(written.expect("is inserted").outcome(), Outcome::Applied);
    }
    let another = Store::from_client(&world.engine.client()).table::<Account>();
    let mut again = batch.clone();
    again[1].balance = -1;
    for (number, written) in another.insert_many(again).keyed(event).send().await.into_iter().enumerate() {
        match (number, written) {
            (1, written) => assert!(written.expect_err("has other content").is_key_reused()),
            (0..20, written) => assert!(written.expect("is the same").is_replayed()),
            (_, written) => assert_eq!(written.expect("is inserted").outcome(), Outcome::Applied),
        }
    }
    assert_eq!(world.stored().await, (0..30).map(|number| (number, "1".to_owned())).collect::<Vec<_>>());
    let written = another.insert_many(&batch[..1]).keyed(|_| "").send().await;
    assert!(written[0].as_ref().is_err_and(Error::is_invalid), "an empty key is none");
}

#[tokio::test(start_paused = true)]
async fn a_stream_answers_as_soon_as_each_is_known() {
    let world = World::new().await;
    let first = |request: &Request| request.body()["Item"]["id"]["S"] == "acc-0";
    world.faults.on(Operation::PutItem).when(first).inject(Fault::slow_reply(Duration::from_secs(9)));
    // On another thread, perhaps: the stream owns what it needs, and can be sent.
    let stream = world.accounts.insert_many(accounts(0..40)).concurrency(4).stream();
    let outcomes: Vec<_> = tokio::spawn(stream.collect()).await.expect("doesn't panic");
    let positions: Vec<usize> = outcomes
        .iter()
        .map(|(position, written)| {
            assert!(written.is_ok());
            *position
        })
        .collect();
    assert_eq!(positions.last(), Some(&0), "the slow one holds up none of the others");
    assert_eq!(positions.into_iter().collect::<HashSet<_>>(), (0..40).collect());
}

#[tokio::test(start_paused = true)]
async fn what_a_batch_consumes_is_counted_under_its_verbs() {
    let world = World::new().await;
    let meter = Meter::new();
    let accounts = world.accounts.metered(&meter);
    accounts.insert_many(self::accounts(0..5)).send().await;
    accounts.upsert_many(self::accounts(0..3)).send().await;
    accounts.get_many(names(0..10)).send().await.expect("is read");
    accounts.get_many(names(0..10)).consistency(Consistency::Eventual).send().await.expect("is read");
    assert_eq!((meter.of("insert").requests, meter.of("insert").write_units), (5, 5.0));
    assert_eq!((meter.of("upsert").requests, meter.of("upsert").write_units), (3, 3.0));
    let read = meter.of("get_many");
    assert_eq!((read.requests, read.read_units, read.unreported), (2, 15.0, 0), "10, and half as much");
}
