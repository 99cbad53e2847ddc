//! What meters count: every request that goes out, under the verb that it is for, and what the service reports of it.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use dynamo_once::testing::{Embedded, Fault, Faults, Operation, Reply, Request};
use dynamo_once::{Consistency, Consumed, Item, Meter, Outcome, RetryPolicy, Store, Table};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Item)]
#[item(table = "accounts")]
struct Account {
    #[item(partition_key)]
    id: String,
    balance: i64,
    note: String,
}

/// The same, with tombstones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Item)]
#[item(table = "accounts", tombstones(ttl = "expires_at"))]
struct Buried {
    #[item(partition_key)]
    id: String,
    balance: i64,
    note: String,
}

fn account(balance: i64) -> Account {
    Account { id: "a".into(), balance, note: String::new() }
}

/// An item of so many bytes, and some for its stamp.
fn large(bytes: usize) -> Account {
    Account { note: "x".repeat(bytes), ..account(10) }
}

struct World {
    faults: Faults,
    engine: Embedded,
    meter: Meter,
    accounts: Table<Account>,
}

impl World {
    async fn new() -> Self {
        let engine = Embedded::start().await;
        let (faults, meter) = (Faults::around(engine.http_client()), Meter::new());
        let store = Store::builder(engine.config().http_client(faults.clone()).build());
        let policy = RetryPolicy::new().initial_backoff(Duration::ZERO).jitter_seed(1);
        let accounts = store.retry(policy).meter(&meter).build().table::<Account>();
        accounts.create_if_missing().await.expect("the engine makes a table");
        Self { faults, engine, meter, accounts }
    }

    async fn with_item() -> Self {
        let world = Self::new().await;
        world.calm().insert(&account(10)).send().await.expect("nothing is there");
        world
    }

    /// Another process, which counts nothing.
    fn calm(&self) -> Table<Account> {
        Store::new(self.engine.config().build()).table()
    }

    /// One that gives up at once.
    fn impatient(&self, meter: Option<&Meter>) -> Table<Account> {
        let config = self.engine.config().http_client(self.faults.clone()).build();
        let table = Store::builder(config).retry(RetryPolicy::new().max_attempts(1)).build().table::<Account>();
        meter.map_or(table.clone(), |meter| table.metered(meter))
    }

    /// Requests, read units, write units, and requests without a report.
    fn counted(&self, operation: &str) -> [f64; 4] {
        all(self.meter.of(operation))
    }
}

fn all(consumed: Consumed) -> [f64; 4] {
    [consumed.requests as f64, consumed.read_units, consumed.write_units, consumed.unreported as f64]
}

#[tokio::test]
async fn a_verb_costs_what_the_service_reports() {
    let world = World::new().await;
    let (accounts, f) = (&world.accounts, Account::FIELDS);
    accounts.insert(&large(1500)).send().await.expect("is inserted");
    assert_eq!(world.counted("insert"), [1.0, 0.0, 2.0, 0.0], "a unit for each KB");
    accounts.upsert(&large(5000)).send().await.expect("is written");
    assert_eq!(world.counted("upsert"), [1.0, 0.0, 5.0, 0.0]);
    let found = accounts.get("a").send().await.expect("is read").expect("is there");
    assert_eq!(world.counted("get"), [1.0, 2.0, 0.0, 0.0], "a unit for each 4 KB");
    accounts.get("a").consistency(Consistency::Eventual).send().await.expect("is read");
    assert_eq!(world.counted("get"), [2.0, 3.0, 0.0, 0.0], "and half of it");
    let unchanged = accounts.save(found.clone().with(|_| {})).send().await.expect("is nothing");
    assert_eq!((unchanged.outcome(), world.counted("save")), (Outcome::Unchanged, [0.0; 4]));
    accounts.save(found.with(|account| account.note.clear())).send().await.expect("is saved");
    assert_eq!(world.counted("save"), [1.0, 0.0, 5.0, 0.0], "the greater of before and after");
    accounts.update("a").add(f.balance, 1).send().await.expect("is updated");
    assert_eq!(world.counted("update"), [1.0, 0.0, 1.0, 0.0]);
    accounts.modify("a", |account| account.balance += 1).send().await.expect("is modified");
    assert_eq!(world.counted("modify"), [2.0, 1.0, 1.0, 0.0], "a read and a write");
    accounts.delete("a").send().await.expect("is deleted");
    accounts.delete("a").send().await.expect("is gone");
    assert_eq!(world.counted("delete"), [2.0, 0.0, 2.0, 0.0], "one where there is none, too");
    accounts.update("a").add(f.balance, 1).or_insert(&account(1)).send().await.expect("is inserted");
    assert_eq!(world.counted("update"), [3.0, 0.0, 2.0, 1.0], "the update found nothing");

    let operations: Vec<_> = world.meter.by_operation().into_iter().map(|(operation, _)| operation).collect();
    assert_eq!(operations, ["delete", "get", "insert", "modify", "save", "update", "upsert"]);
    let mut sum = [0.0; 4];
    for (_, consumed) in world.meter.by_operation() {
        sum.iter_mut().zip(all(consumed)).for_each(|(sum, one)| *sum += one);
    }
    assert_eq!(all(world.meter.total()), sum);
}

#[tokio::test]
async fn retries_are_counted_and_what_is_lost_is_not_reported() {
    let world = World::with_item().await;
    let add = || world.accounts.update("a").add(Account::FIELDS.balance, 1).send();
    world.faults.on(Operation::UpdateItem).times(2).inject(Fault::throttled());
    add().await.expect("is updated");
    assert_eq!(world.counted("update"), [3.0, 0.0, 1.0, 2.0]);
    world.faults.on(Operation::UpdateItem).inject(Fault::lost_reply());
    assert!(add().await.expect("is updated").is_replayed());
    assert_eq!(world.counted("update"), [5.0, 0.0, 1.0, 4.0], "the first lost its report, the second was refused");
    world.faults.on(Operation::GetItem).inject(Fault::internal_error());
    world.accounts.get("a").send().await.expect("is read");
    assert_eq!(world.counted("get"), [2.0, 1.0, 0.0, 1.0]);
}

#[tokio::test]
async fn refusals_are_counted_and_fences_are_their_verbs() {
    let world = World::with_item().await;
    let insert = || world.accounts.insert(&account(1)).send();
    assert!(insert().await.expect_err("is there").is_already_exists());
    assert_eq!(world.counted("insert"), [1.0, 0.0, 0.0, 1.0], "its units aren't reported");
    world.faults.on(Operation::PutItem).inject(Fault::lost_request());
    assert!(insert().await.expect_err("is there").is_already_exists());
    assert_eq!(world.counted("insert"), [4.0, 0.0, 1.0, 3.0], "two more, and the fence, which is a write");
    assert_eq!(world.meter.by_operation().len(), 1);
}

#[tokio::test]
async fn conflicts_and_adoption_are_counted() {
    let world = World::new().await;
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let put = world.engine.client().put_item().table_name("accounts").item("id", text("a")).item("note", text(""));
    put.item("balance", AttributeValue::N("1".into())).send().await.expect("the engine takes it");
    world.accounts.update("a").add(Account::FIELDS.balance, 1).send().await.expect("is adopted");
    assert_eq!(world.counted("update"), [2.0, 0.0, 1.0, 1.0]);

    let found = world.accounts.get("a").send().await.expect("is read").expect("is there");
    world.calm().update("a").add(Account::FIELDS.balance, 1).send().await.expect("is updated");
    let conflict = world.accounts.save(found.with(|account| account.balance = 0)).send().await.expect_err("is older");
    assert!(conflict.is_version_conflict());
    assert_eq!(world.counted("save"), [1.0, 0.0, 0.0, 1.0]);

    // A conflict with an item that has gone by the time of the next write, which conflicts with the one that stands.
    let stored = world.engine.client().get_item().table_name("accounts").key("id", text("a"));
    let mut other: HashMap<_, _> = stored.send().await.expect("the engine answers").item.expect("is there");
    other.insert("version".to_owned(), AttributeValue::N("9".into()));
    world.faults.on(Operation::UpdateItem).inject(Fault::reply(Reply::condition_failed(Some(other))));
    world.accounts.modify("a", |account| account.balance += 1).send().await.expect("is modified");
    assert_eq!(world.counted("modify"), [4.0, 1.0, 1.0, 2.0], "a read, two conflicts, a write");
}

#[tokio::test]
async fn tombstones_cost_updates() {
    let world = World::new().await;
    let meter = Meter::new();
    let buried = Store::new(world.engine.config().build()).table::<Buried>().metered(&meter);
    let item = Buried { id: "a".into(), balance: 1, note: String::new() };
    buried.insert(&item).send().await.expect("is inserted");
    buried.delete("a").send().await.expect("is deleted");
    assert_eq!(all(meter.of("delete")), [1.0, 0.0, 1.0, 0.0]);
    buried.insert(&item).send().await.expect("comes to life");
    assert_eq!(all(meter.of("insert")), [3.0, 0.0, 2.0, 1.0], "one request more, for the tombstone");
}

#[tokio::test]
async fn the_meters_of_a_store_and_of_its_tables_count_side_by_side() {
    let world = World::with_item().await;
    let (one, both) = (Meter::new(), Meter::new());
    let reads = world.accounts.metered(&one);
    let twice = reads.metered(&both);
    world.accounts.get("a").send().await.expect("is read");
    reads.get("a").send().await.expect("is read");
    twice.get("a").send().await.expect("is read");
    assert_eq!(world.meter.total().requests, 3);
    assert_eq!((one.total().requests, both.clone().total().requests), (2, 1));
    assert_eq!((one.total().read_units, both.of("get").read_units), (2.0, 1.0));
    assert_eq!(all(both.of("insert")), [0.0; 4]);
}

#[tokio::test]
async fn nothing_is_asked_for_without_a_meter_and_everything_with_one() {
    for is_metered in [true, false] {
        let world = World::with_item().await;
        let meter = Meter::new();
        let accounts = world.impatient(is_metered.then_some(&meter));
        // A rule that looks at each request, and holds for none.
        let asked = move |request: &Request| {
            assert_eq!(request.text("ReturnConsumedCapacity"), is_metered.then_some("TOTAL"), "{request}");
            false
        };
        world.faults.on_any().when(asked).always().inject(Fault::throttled());
        accounts.get("a").send().await.expect("is read");
        accounts.get_many(["a"]).send().await.expect("is read");
        accounts.upsert(&account(1)).send().await.expect("is written");
        accounts.delete("a").send().await.expect("is deleted");
        accounts.insert(&account(1)).send().await.expect("is inserted");
        assert_eq!(meter.total().requests, if is_metered { 5 } else { 0 });
        assert_eq!(meter.total().unreported, 0);
    }
}

#[tokio::test]
async fn a_pending_call_goes_on_whether_or_not_either_process_is_metered() {
    for (first, second) in [(true, false), (false, true), (true, true), (false, false)] {
        for lost in [Fault::lost_request(), Fault::lost_reply()] {
            let world = World::with_item().await;
            let (here, there) = (Meter::new(), Meter::new());
            let accounts = world.impatient(first.then_some(&here));
            world.faults.on(Operation::UpdateItem).inject(lost);
            let add = |table: &Table<Account>| table.update("a").add(Account::FIELDS.balance, 5);
            let unknown = add(&accounts).send().await.expect_err("is lost");
            let token = unknown.pending().expect("is pending").token();
            let another = world.impatient(second.then_some(&there));
            add(&another).resume(&token).send().await.expect("goes on");
            assert_eq!(world.calm().get("a").send().await.expect("is read").expect("is there").balance, 15);
            let counted = (here.of("update").requests, there.of("update").requests);
            assert_eq!(counted, (u64::from(first), u64::from(second)));
            unknown.pending().expect("is pending").finish::<Account>().await.expect("had been applied");
            assert_eq!(here.of("update").requests, 2 * u64::from(first), "it counts where it began");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_nobody_waits_for_is_counted() {
    let world = World::with_item().await;
    world.faults.on(Operation::UpdateItem).inject(Fault::slow_reply(Duration::from_secs(1)));
    let add = world.accounts.update("a").add(Account::FIELDS.balance, 1).send();
    tokio::time::timeout(Duration::from_millis(10), add).await.expect_err("is dropped");
    assert_eq!(world.counted("update"), [1.0, 0.0, 0.0, 1.0]);
}

#[tokio::test]
async fn a_meter_shows_a_line_for_each_verb() {
    let world = World::with_item().await;
    world.accounts.get("a").send().await.expect("is read");
    world.accounts.insert(&account(1)).send().await.expect_err("is there");
    let shown = world.meter.to_string();
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>().join(" ");
    let lines: Vec<_> = shown.lines().map(words).collect();
    let header = "operation requests read units write units unreported";
    assert_eq!(lines, [header, "get 1 1.0 0.0 0", "insert 1 0.0 0.0 1", "all 2 1.0 0.0 1"]);
}
