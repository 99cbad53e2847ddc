//! Transactions, on an engine in this process and against a scripted peer: what they do to the tables, and what they say of it.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use dynamo_once::testing::{Arrival, Embedded, Fault, Faults, Operation, Reply, Scripted};
use dynamo_once::{Aborted, ErrorKind, Item, Outcome, RetryPolicy, Store, Table, Transact, Versioned};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Item)]
#[item(table = "accounts")]
struct Account {
    #[item(partition_key)]
    id: String,
    balance: i64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Item)]
#[item(table = "orders", tombstones(ttl = "expires"))]
struct Order {
    #[item(partition_key)]
    id: String,
    cents: u64,
}

struct World {
    store: Store,
    faults: Faults,
    /// Another program's.
    client: aws_sdk_dynamodb::Client,
    accounts: Table<Account>,
    orders: Table<Order>,
}

fn account(id: &str, balance: i64) -> Account {
    Account { id: id.to_owned(), balance }
}

fn order(id: &str, cents: u64) -> Order {
    Order { id: id.to_owned(), cents }
}

impl World {
    async fn new() -> Self {
        let engine = Embedded::start().await;
        let faults = Faults::around(engine.http_client());
        let config = engine.config().http_client(faults.clone()).build();
        let policy = RetryPolicy::new().initial_backoff(Duration::ZERO).max_backoff(Duration::ZERO);
        let store = Store::builder(config).retry(policy).build();
        let (accounts, orders) = (store.table::<Account>(), store.table::<Order>());
        accounts.create_if_missing().await.expect("the table is made");
        orders.create_if_missing().await.expect("the table is made");
        for id in ["ann", "bob"] {
            accounts.insert(&account(id, 100)).send().await.expect("is inserted");
        }
        Self { store, faults, client: engine.client(), accounts, orders }
    }

    fn pay(&self, amount: i64) -> Transact {
        let f = Account::FIELDS;
        self.store
            .transact()
            .with(self.accounts.update("ann").add(f.balance, -amount).when(f.balance.ge(amount)))
            .with(self.accounts.update("bob").add(f.balance, amount))
    }

    fn transaction_meets(&self, fault: Fault) {
        self.faults.on(Operation::TransactWriteItems).inject(fault);
    }

    async fn balances(&self) -> [i64; 2] {
        let balance = async |id| self.accounts.get(id).send().await.expect("is read").expect("is there").balance;
        [balance("ann").await, balance("bob").await]
    }
}

#[tokio::test]
async fn money_is_moved_whole_and_stamped_on_both_sides() {
    let world = World::new().await;
    let moved = world.pay(30).send().await.expect("is applied");
    assert_eq!(moved.outcome(), Outcome::Applied);
    assert_eq!(world.balances().await, [70, 130]);
    let ann = world.accounts.get("ann").send().await.expect("is read").expect("is there");
    assert_eq!(ann.version(), 2);
}

#[tokio::test]
async fn lost_replies_move_money_once() {
    for fault in [Fault::lost_reply(), Fault::internal_error().applied(), Fault::lost_request()] {
        let world = World::new().await;
        world.transaction_meets(fault);
        world.pay(30).send().await.expect("is applied or replayed");
        assert_eq!(world.balances().await, [70, 130]);
    }
}

#[tokio::test]
async fn many_lost_replies_count_every_payment_once() {
    let world = World::new().await;
    for round in 0..20 {
        if round % 3 == 0 {
            world.transaction_meets(Fault::lost_reply());
        }
        world.pay(1).send().await.expect("is applied or replayed");
    }
    assert_eq!(world.balances().await, [80, 120]);
}

#[tokio::test]
async fn refusal_names_the_part_and_brings_its_item() {
    let world = World::new().await;
    let refused = world.pay(101).send().await.expect_err("ann has too little");
    assert_eq!((refused.kind(), refused.part()), (ErrorKind::ConditionFailed, Some(0)));
    assert_eq!(refused.refusals().collect::<Vec<_>>(), [(0, ErrorKind::ConditionFailed)]);
    assert_eq!(refused.current_of::<Account>(0).expect("decodes").expect("came along").balance, 100);
    assert!(refused.current_of::<Account>(1).expect("nothing to decode").is_none());
    assert_eq!(world.balances().await, [100, 100]);
}

#[tokio::test]
async fn refusal_after_a_lost_request_is_fenced_by_a_single_write() {
    let world = World::new().await;
    world.transaction_meets(Fault::lost_request());
    let refused = world.pay(101).send().await.expect_err("ann has too little");
    assert!(refused.is_condition_failed(), "{refused}");
    assert_eq!(refused.attempts(), 3, "the lost one, its re-send, and the fence");
    // What was lost on its way is dead: its id is below the fence's.
    let bob = world.accounts.get("bob").send().await.expect("is read").expect("is there");
    assert_eq!((bob.balance, bob.version()), (100, 1));
}

#[tokio::test]
async fn late_attempt_applies_nothing_after_a_refusal() {
    let world = World::new().await;
    world.transaction_meets(Fault::late(Arrival::OnCommand));
    let refused = world.pay(101).send().await.expect_err("ann has too little");
    assert!(refused.is_condition_failed(), "{refused}");
    // Another program makes ann rich, and leaves her log as it was.
    let update = world.client.update_item().table_name("accounts").key("id", AttributeValue::S("ann".to_owned()));
    let update = update.update_expression("SET balance = :rich");
    update.expression_attribute_values(":rich", AttributeValue::N("1100".to_owned())).send().await.expect("is rich");
    world.faults.deliver_late().await;
    assert_eq!(world.balances().await, [1100, 100]);
}

#[tokio::test]
async fn every_verb_can_be_a_part() {
    let world = World::new().await;
    world.orders.insert(&order("old", 5)).send().await.expect("is inserted");
    let ann = world.accounts.get("ann").send().await.expect("is read").expect("is there");
    let transacted = world
        .store
        .transact()
        .with(world.orders.insert(&order("new", 7)))
        .with(world.orders.delete("old"))
        .with(world.accounts.save(ann.with(|ann| ann.balance = 93)))
        .with(world.accounts.upsert(&account("eve", 1)))
        .with(world.accounts.check("bob").when(Account::FIELDS.balance.ge(100)))
        .with(world.accounts.check("nobody").absent())
        .send()
        .await
        .expect("is applied");
    assert_eq!((transacted.version(0), transacted.version(1), transacted.version(2)), (Some(1), None, Some(2)));
    let stored = |found: Option<Versioned<Order>>| found.map(Versioned::into_inner);
    assert_eq!(stored(world.orders.get("new").send().await.expect("is read")), Some(order("new", 7)));
    assert_eq!(stored(world.orders.get("old").send().await.expect("is read")), None);
    let saved = world.accounts.get("ann").send().await.expect("is read").expect("is there");
    assert_eq!((saved.balance, Some(saved.etag())), (93, transacted.etag(2)));
    assert_eq!(world.accounts.get("eve").send().await.expect("is read").expect("is there").balance, 1);
}

#[tokio::test]
async fn tombstones_come_to_life_and_absent_items_are_buried() {
    let world = World::new().await;
    world.orders.insert(&order("a", 5)).send().await.expect("is inserted");
    world.orders.delete("a").send().await.expect("is deleted");
    let both = world.store.transact().with(world.orders.insert(&order("a", 9))).with(world.orders.delete("b"));
    let transacted = both.send().await.expect("is applied");
    assert_eq!(transacted.version(0), Some(3));
    assert_eq!(world.orders.get("a").send().await.expect("is read").expect("is there").cents, 9);
    assert!(world.orders.get("b").send().await.expect("is read").is_none());
    world.store.transact().with(world.orders.delete("b")).send().await.expect("is buried once more");
}

#[tokio::test]
async fn items_of_other_programs_are_adopted_together() {
    let world = World::new().await;
    for id in ["ann", "bob"] {
        let put = world.client.put_item().table_name("accounts").item("id", AttributeValue::S(id.to_owned()));
        put.item("balance", AttributeValue::N("100".to_owned())).send().await.expect("is put");
    }
    world.pay(30).send().await.expect("is applied");
    assert_eq!(world.faults.received(Operation::TransactWriteItems), 2, "one shows what stands, the other adopts it");
    assert_eq!(world.balances().await, [70, 130]);
    world.transaction_meets(Fault::lost_reply());
    world.pay(30).send().await.expect("is applied or replayed");
    assert_eq!(world.balances().await, [40, 160]);
}

#[tokio::test]
async fn refusal_tells_of_every_part_that_refuses() {
    let world = World::new().await;
    let refused = world
        .store
        .transact()
        .with(world.accounts.insert(&account("ann", 0)))
        .with(world.accounts.check("eve"))
        .send()
        .await
        .expect_err("ann is there, and eve isn't");
    assert!(refused.is_already_exists(), "{refused}");
    let kinds: Vec<_> = refused.refusals().collect();
    assert!(kinds.contains(&(0, ErrorKind::AlreadyExists)) && kinds.contains(&(1, ErrorKind::NotFound)), "{kinds:?}");
}

#[tokio::test]
async fn what_makes_no_transaction_is_refused_before_it_is_sent() {
    let world = World::new().await;
    let sent = world.faults.log().entries().len();
    let transact = || world.store.transact();
    let none = transact().send().await.expect_err("it is empty");
    let twice = transact().with(world.accounts.delete("ann")).with(world.accounts.check("ann"));
    let twice = twice.send().await.expect_err("it has one item twice");
    assert_eq!(twice.part(), Some(1));
    let many = (0..101).fold(transact(), |all, id| all.with(world.accounts.delete(format!("{id}"))));
    let many = many.send().await.expect_err("it has too many parts");
    let keyed = transact().with(world.accounts.insert(&account("eve", 0)).keyed("event-1"));
    let keyed = keyed.send().await.expect_err("a keyed insert is no part");
    let other = World::new().await;
    let foreign = transact().with(other.accounts.delete("ann")).send().await.expect_err("it is of another store");
    let large = "x".repeat(300_000);
    let big = (0..15).fold(transact(), |all, id| all.with(world.accounts.insert(&account(&format!("{id}{large}"), 0))));
    let big = big.send().await.expect_err("it has more than 4 MB");
    for error in [none, twice, many, keyed, foreign, big] {
        assert!(error.is_invalid(), "{error}");
        assert_eq!(error.attempts(), 0, "{error}");
    }
    assert_eq!(world.faults.log().entries().len(), sent);
}

/// An account's item as the service sends it, with this much of a log.
fn stored(id: &str, balance: i64) -> Value {
    let old = aws_smithy_types::base64::encode([0_u8; 15].iter().copied().chain([7]).collect::<Vec<_>>());
    json!({ "id": { "S": id }, "balance": { "N": balance.to_string() }, "version": { "N": "1" },
            "_wb": { "B": old }, "_w0": { "B": old } })
}

fn cancelled(reasons: Value) -> Reply {
    let body = json!({ "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "message": "Transaction cancelled", "CancellationReasons": reasons });
    Reply::raw(400, body.to_string())
}

fn of(peer: &Scripted) -> (Store, Table<Account>) {
    let store = Store::builder(peer.config().build()).retry(RetryPolicy::new().jitter_seed(1)).build();
    let accounts = store.table();
    (store, accounts)
}

fn pay(store: &Store, accounts: &Table<Account>) -> Transact {
    let f = Account::FIELDS;
    store
        .transact()
        .with(accounts.update("ann").add(f.balance, -1).when(f.balance.ge(1)))
        .with(accounts.update("bob").add(f.balance, 1))
}

#[tokio::test(start_paused = true)]
async fn conflict_is_waited_for_under_the_same_token() {
    let peer = Scripted::new()
        .then(Operation::TransactWriteItems, cancelled(json!([{ "Code": "None" }, { "Code": "TransactionConflict" }])))
        .then(Operation::TransactWriteItems, cancelled(json!([{ "Code": "ThrottlingError" }, { "Code": "None" }])))
        .then(Operation::TransactWriteItems, Reply::ok(json!({})));
    let (store, accounts) = of(&peer);
    let applied = pay(&store, &accounts).send().await.expect("is applied");
    assert_eq!(applied.outcome(), Outcome::Applied);
    peer.finish();
    let bodies: Vec<_> = peer.requests().iter().map(|request| request.body().clone()).collect();
    assert!(bodies.iter().all(|body| *body == bodies[0]), "the same bytes, and so the same token");
}

#[tokio::test(start_paused = true)]
async fn transaction_in_progress_is_waited_out() {
    let in_progress = Reply::transaction_in_progress;
    let mut peer = Scripted::new().then(Operation::TransactWriteItems, Reply::broken_connection());
    for _ in 0..6 {
        peer = peer.then(Operation::TransactWriteItems, in_progress());
    }
    let peer = peer.then(Operation::TransactWriteItems, Reply::ok(json!({})));
    let (store, accounts) = of(&peer);
    let start = tokio::time::Instant::now();
    pay(&store, &accounts).send().await.expect("is applied");
    assert!(start.elapsed() > Duration::from_secs(5), "{:?}", start.elapsed());
    peer.finish();
}

#[tokio::test(start_paused = true)]
async fn transaction_in_progress_for_too_long_is_unknown() {
    let peer = (0..7)
        .fold(Scripted::new(), |peer, _| peer.then(Operation::TransactWriteItems, Reply::transaction_in_progress()));
    let (store, accounts) = of(&peer);
    let unknown = pay(&store, &accounts).send().await.expect_err("nothing answers");
    assert!(unknown.is_outcome_unknown(), "{unknown}");
    peer.finish();
}

#[tokio::test(start_paused = true)]
async fn expired_token_is_made_up_for_by_one_stamp() {
    let peer = Scripted::new()
        .then(Operation::TransactWriteItems, Reply::broken_connection())
        // The token has expired. Of ann nothing is said, and bob carries the id that was sent.
        .then_with(Operation::TransactWriteItems, |request| {
            let update = &request.body()["TransactItems"][1]["Update"];
            let mut bob = stored("bob", 1);
            let id = update["ExpressionAttributeValues"].as_object().into_iter().flatten();
            let id = id.map(|(_, value)| value.clone()).filter(|value| value["B"].is_string());
            let newest = id.max_by_key(|value| value["B"].as_str().map(str::to_owned)).expect("the id is sent");
            let lane = update["ExpressionAttributeNames"].as_object().into_iter().flatten();
            let lane = lane.filter_map(|(_, name)| name.as_str()).find(|name| name.len() == 3 && *name != "_wb");
            bob[lane.expect("the lane is named")] = newest;
            cancelled(json!([{ "Code": "None" }, { "Code": "ConditionalCheckFailed", "Item": bob }]))
        });
    let (store, accounts) = of(&peer);
    let replayed = pay(&store, &accounts).send().await.expect("is replayed");
    assert!(replayed.is_replayed());
    peer.finish();
}

#[tokio::test(start_paused = true)]
async fn suspicious_refusal_is_fenced_on_the_item_that_proves_it() {
    let peer = Scripted::new()
        .then(Operation::TransactWriteItems, Reply::broken_connection())
        .then(
            Operation::TransactWriteItems,
            cancelled(json!([{ "Code": "ConditionalCheckFailed", "Item": stored("ann", 0) }, { "Code": "None" }])),
        )
        .then(Operation::UpdateItem, Reply::ok(json!({ "Attributes": stored("ann", 0) })));
    let (store, accounts) = of(&peer);
    let refused = pay(&store, &accounts).send().await.expect_err("ann has nothing");
    assert!(refused.is_condition_failed(), "{refused}");
    assert_eq!(refused.part(), Some(0));
    peer.finish();
    assert_eq!(peer.requests()[2].body()["Key"]["id"]["S"], "ann");
}

#[tokio::test(start_paused = true)]
async fn suspicious_deletes_that_leave_nothing_are_never_refused() {
    let failed = json!([{ "Code": "None" }, { "Code": "ConditionalCheckFailed", "Item": stored("bob", 0) }]);
    let peer = Scripted::new()
        .then(Operation::TransactWriteItems, Reply::broken_connection())
        .then(Operation::TransactWriteItems, cancelled(failed));
    let (store, accounts) = of(&peer);
    let f = Account::FIELDS;
    let transact = store.transact().with(accounts.delete("ann")).with(accounts.check("bob").when(f.balance.ge(1)));
    let unknown = transact.send().await.expect_err("nothing can be told");
    assert!(unknown.is_outcome_unknown(), "{unknown}");
    peer.finish();
}

#[tokio::test(start_paused = true)]
async fn invalid_part_rejects_the_whole() {
    let peer = Scripted::new().then(
        Operation::TransactWriteItems,
        cancelled(json!([{ "Code": "ValidationError", "Message": "an operand is no number" }, { "Code": "None" }])),
    );
    let (store, accounts) = of(&peer);
    let rejected = pay(&store, &accounts).send().await.expect_err("it is rejected");
    assert_eq!((rejected.kind(), rejected.code()), (ErrorKind::Rejected, Some("ValidationError")));
    peer.finish();
}

#[tokio::test]
async fn items_of_several_tables_are_read_at_one_moment() {
    let world = World::new().await;
    world.orders.insert(&order("a", 5)).send().await.expect("is inserted");
    world.orders.insert(&order("b", 5)).send().await.expect("is inserted");
    world.orders.delete("b").send().await.expect("is deleted");
    let (accounts, orders) = (&world.accounts, &world.orders);
    let read = world.store.transact_get().get(accounts, "ann").get(orders, "a").get(orders, "b").get(accounts, "eve");
    let found = read.send().await.expect("is read");
    assert_eq!(found.item(accounts, 0).expect("decodes").expect("is there").balance, 100);
    assert_eq!(found.item(orders, 1).expect("decodes").expect("is there").cents, 5);
    assert!(found.item(orders, 2).expect("is a tombstone").is_none());
    assert!(found.item(accounts, 3).expect("is absent").is_none());
    assert!(found.item(orders, 0).expect_err("is an account").is_invalid());
    assert!(found.item(accounts, 9).expect_err("was not asked for").is_invalid());
}

#[tokio::test(start_paused = true)]
async fn read_that_writes_are_in_the_way_of_is_repeated() {
    let peer = Scripted::new()
        .then(Operation::TransactGetItems, cancelled(json!([{ "Code": "TransactionConflict" }])))
        .then(Operation::TransactGetItems, Reply::broken_connection())
        .then(Operation::TransactGetItems, Reply::ok(json!({ "Responses": [{ "Item": stored("ann", 7) }] })));
    let (store, accounts) = of(&peer);
    let found = store.transact_get().get(&accounts, "ann").send().await.expect("is read");
    assert_eq!(found.item(&accounts, 0).expect("decodes").expect("is there").balance, 7);
    peer.finish();
}

#[tokio::test]
async fn unknown_transaction_is_finished_or_aborted_later() {
    for (fault, applied) in [(Fault::lost_reply(), true), (Fault::lost_request(), false)] {
        let world = World::new().await;
        let unknown = async || {
            for _ in 0..8 {
                world.transaction_meets(Fault::lost_request());
            }
            world.pay(30).send().await.expect_err("nothing answers")
        };
        world.transaction_meets(fault);
        let error = unknown().await;
        assert!(error.is_outcome_unknown() && error.pending().is_none(), "{error}");
        let pending = error.pending_transaction().expect("can be asked about");
        world.faults.stop();
        let expected = if applied { Aborted::Applied } else { Aborted::Prevented };
        assert_eq!(pending.abort().await.expect("is fenced"), expected);
        let finished = pending.finish().await;
        if applied {
            assert!(finished.expect("is applied").outcome() != Outcome::Unchanged);
            assert_eq!(world.balances().await, [70, 130]);
        } else {
            assert_eq!(finished.expect_err("was aborted").kind(), ErrorKind::Contention);
            assert_eq!(world.balances().await, [100, 100]);
        }
    }
}
