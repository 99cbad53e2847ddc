//! Writes that are recorded under an idempotency key.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dynamo_once::testing::{Arrival, Fault, Operation, Reply, Request, Scripted};
use dynamo_once::{
    Aborted, EpochMillis, Error, ErrorKind, Item, MissingKey, OnceError, Outcome, Ran, Records, RetryPolicy, Store,
    Table, Written,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::world::{World, crash, policy, seven};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Item)]
#[item(table = "accounts")]
struct Account {
    #[item(partition_key)]
    id: String,
    balance: i64,
    #[item(updated_at)]
    #[serde(default)]
    at: Option<EpochMillis>,
}

/// A process with tables of its own.
#[derive(Clone)]
struct Process {
    store: Store,
    records: Records,
    accounts: Table<Account>,
}

impl Process {
    fn of(store: &Store) -> Self {
        Self { store: store.clone(), records: store.records("records"), accounts: store.table() }
    }

    async fn first(world: &World) -> Self {
        let process = Self::of(&world.store);
        process.accounts.create_if_missing().await.expect("the table is made");
        process
    }

    async fn has(&self, id: &str, balance: i64) {
        self.accounts.insert(&account(id, balance)).send().await.expect("is inserted");
    }

    async fn balance(&self, id: &str) -> Option<i64> {
        self.accounts.get(id).send().await.expect("is read").map(|account| account.balance)
    }

    async fn add(&self, id: &str, amount: i64, key: &str) -> Result<Written<Account>, Error> {
        let update = self.accounts.update(id).add(Account::FIELDS.balance, amount);
        update.when(Account::FIELDS.balance.ge(-amount)).idempotency_key(&self.records, key).send().await
    }
}

fn account(id: &str, balance: i64) -> Account {
    Account { id: id.into(), balance, at: None }
}

fn elsewhere(world: &World) -> Process {
    Process::of(&world.other_store())
}

fn told(written: Result<Written<Account>, Error>) -> (Outcome, Option<u64>) {
    let written = written.expect("is written");
    (written.outcome(), written.version())
}

#[tokio::test]
async fn every_verb_is_recorded_and_replayed_elsewhere() {
    let world = World::new().await;
    let (here, there) = (Process::first(&world).await, elsewhere(&world));
    let (applied, replayed) = (Outcome::Applied, Outcome::Replayed);
    let insert = async |process: &Process| {
        process.accounts.insert(&account("a", 10)).idempotency_key(&process.records, "insert").send().await
    };
    let upsert = async |process: &Process| {
        process.accounts.upsert(&account("a", 20)).idempotency_key(&process.records, "upsert").send().await
    };
    let save = async |process: &Process| {
        let found = process.accounts.get("a").send().await?.expect("is there");
        let changed = found.with(|account| account.balance += 1);
        process.accounts.save(changed).idempotency_key(&process.records, "save").send().await
    };
    let delete =
        async |process: &Process| process.accounts.delete("a").idempotency_key(&process.records, "delete").send().await;
    assert_eq!(told(insert(&here).await), (applied, Some(1)));
    assert_eq!(told(insert(&there).await), (replayed, Some(1)));
    assert_eq!(world.meter.of("insert").requests, 1, "a recorded write is one request");
    assert_eq!(told(upsert(&here).await), (applied, None));
    assert_eq!(told(here.add("a", 5, "update").await), (applied, None));
    assert_eq!(here.balance("a").await, Some(25));
    assert_eq!(told(upsert(&there).await), (replayed, None));
    assert_eq!(told(there.add("a", 5, "update").await), (replayed, None));
    assert_eq!(here.balance("a").await, Some(25));
    assert_eq!(told(save(&here).await), (applied, Some(4)));
    assert_eq!(told(save(&there).await), (replayed, Some(4)));
    assert_eq!(here.balance("a").await, Some(26));
    assert_eq!(told(delete(&here).await), (applied, None));
    assert_eq!(told(delete(&there).await), (replayed, None));
    // What was recorded stays so, after all that has become of the item.
    assert_eq!(told(insert(&there).await), (replayed, Some(1)));
    assert_eq!(told(there.add("a", 5, "update").await), (replayed, None));
    assert_eq!(here.balance("a").await, None);
}

#[tokio::test]
async fn a_delete_is_not_repeated_on_what_was_made_since() {
    let world = World::new().await;
    let (here, there) = (Process::first(&world).await, elsewhere(&world));
    here.has("a", 10).await;
    let delete = |process: &Process| process.accounts.delete("a").idempotency_key(&process.records, "k").send();
    delete(&here).await.expect("is deleted");
    here.has("a", 20).await;
    assert!(delete(&there).await.expect("has been").is_replayed());
    assert_eq!(here.balance("a").await, Some(20));
}

#[tokio::test]
async fn a_transaction_is_recorded_whole() {
    let world = World::new().await;
    let (here, there) = (Process::first(&world).await, elsewhere(&world));
    here.has("ann", 10).await;
    let pay = |process: &Process| {
        let f = Account::FIELDS;
        let pay =
            process.store.transact().with(process.accounts.update("ann").add(f.balance, -10).when(f.balance.ge(10)));
        pay.with(process.accounts.insert(&account("bob", 10))).idempotency_key(&process.records, "pay").send()
    };
    let applied = pay(&here).await.expect("is written");
    let replayed = pay(&there).await.expect("has been");
    assert_eq!((applied.is_replayed(), replayed.is_replayed()), (false, true));
    assert_eq!((applied.version(1), applied.etag(1)), (replayed.version(1), replayed.etag(1)));
    assert!(replayed.etag(1).is_some());
    assert_eq!((here.balance("ann").await, here.balance("bob").await), (Some(0), Some(10)));
    let none = here.store.transact().idempotency_key(&here.records, "none").send().await.unwrap_err();
    assert_eq!(none.kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn a_modify_is_made_once_and_its_closure_is_not_asked_again() {
    let world = World::new().await;
    let (here, there) = (Process::first(&world).await, elsewhere(&world));
    here.has("a", 10).await;
    let calls = AtomicUsize::new(0);
    let withdraw = async |process: &Process, key: &str| {
        let modify = process.accounts.modify("a", |account| {
            calls.fetch_add(1, Ordering::SeqCst);
            account.balance -= 10;
            if account.balance < 0 { Err("overdrawn".into()) } else { Ok(()) }
        });
        modify.idempotency_key(&process.records, key).send().await
    };
    assert_eq!(told(withdraw(&here, "k").await), (Outcome::Applied, Some(2)));
    assert_eq!(told(withdraw(&there, "k").await), (Outcome::Replayed, Some(2)));
    assert_eq!((calls.load(Ordering::SeqCst), here.balance("a").await), (1, Some(0)));
    assert!(withdraw(&here, "other").await.unwrap_err().is_declined());
    here.accounts.delete("a").send().await.expect("is deleted");
    assert_eq!(told(withdraw(&there, "k").await), (Outcome::Replayed, Some(2)), "also where nothing is left");
    assert_eq!(withdraw(&here, "other").await.unwrap_err().kind(), ErrorKind::NotFound);
    let absent = there.accounts.modify("b", |_| ()).idempotency_key(&there.records, "k").send().await;
    assert_eq!(absent.unwrap_err().kind(), ErrorKind::KeyReused, "of another item");
}

#[tokio::test]
async fn a_modify_that_meets_a_conflict_goes_on_and_is_made_once() {
    let world = World::new().await;
    let (here, there) = (Process::first(&world).await, elsewhere(&world));
    here.has("a", 0).await;
    let mut tasks = tokio::task::JoinSet::new();
    for delivery in 0..12 {
        let process = if delivery % 2 == 0 { here.clone() } else { there.clone() };
        tasks.spawn(async move {
            let key = format!("k-{}", delivery % 4);
            let modify = process.accounts.modify("a", |account| account.balance += 1);
            modify.idempotency_key(&process.records, key).send().await.map(|written| written.is_replayed())
        });
    }
    let mut replayed = 0;
    while let Some(done) = tasks.join_next().await {
        replayed += usize::from(done.expect("didn't panic").expect("is written"));
    }
    assert_eq!((here.balance("a").await, replayed), (Some(4), 8));
}

#[tokio::test]
async fn another_content_under_the_same_key_is_refused() {
    let world = World::new().await;
    let (here, there) = (Process::first(&world).await, elsewhere(&world));
    here.has("a", 10).await;
    here.has("b", 10).await;
    here.add("a", 5, "k").await.expect("is written");
    let refused = [there.add("a", 6, "k").await, there.add("b", 5, "k").await, {
        there.accounts.upsert(&account("a", 5)).idempotency_key(&there.records, "k").send().await
    }];
    for refused in refused {
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::KeyReused);
    }
    assert_eq!((here.balance("a").await, here.balance("b").await), (Some(15), Some(10)));
    // The time that maintains itself is no content, nor is the version that is required.
    world.clock.advance(60_000).await;
    assert!(there.add("a", 5, "k").await.expect("has been").is_replayed());
    let at = there.accounts.get("a").send().await.expect("is read").expect("is there");
    let update =
        there.accounts.update("a").add(Account::FIELDS.balance, 5).when(Account::FIELDS.balance.ge(-5)).at(&at);
    assert!(update.idempotency_key(&there.records, "k").send().await.expect("has been").is_replayed());
}

#[tokio::test]
async fn a_refusal_is_not_recorded() {
    let world = World::new().await;
    let here = Process::first(&world).await;
    here.has("a", 5).await;
    let refused = here.add("a", -10, "k").await.unwrap_err();
    assert!(refused.is_condition_failed() && refused.current::<Account>().expect("is one").is_some(), "{refused:?}");
    here.add("a", 5, "other").await.expect("is written");
    assert_eq!(told(here.add("a", -10, "k").await), (Outcome::Applied, None));
    assert_eq!(here.balance("a").await, Some(0));
}

#[tokio::test]
async fn lost_replies_are_found_out_by_the_record() {
    for fault in [Fault::lost_reply(), Fault::lost_request(), Fault::internal_error().applied(), Fault::duplicate()] {
        let world = World::new().await;
        let here = Process::first(&world).await;
        here.has("a", 10).await;
        world.faults.on(Operation::TransactWriteItems).inject(fault.clone());
        here.add("a", 5, "k").await.expect("is found out");
        assert_eq!(here.balance("a").await, Some(15), "{fault:?}");
        world.faults.on(Operation::TransactWriteItems).inject(fault.clone());
        here.accounts.delete("a").idempotency_key(&here.records, "d").send().await.expect("is found out");
        assert_eq!(here.balance("a").await, None);
    }
}

#[tokio::test]
async fn a_refusal_after_a_lost_request_is_final() {
    let world = World::new().await;
    let here = Process::first(&world).await;
    here.has("a", 5).await;
    world.faults.on(Operation::TransactWriteItems).inject(Fault::late(Arrival::OnCommand));
    let refused = here.add("a", -10, "k").await.unwrap_err();
    assert!(refused.is_condition_failed(), "{refused:?}");
    // No stamp on the item keeps it out.
    world.set_balance("a", 100).await;
    world.faults.deliver_late().await;
    assert_eq!(here.balance("a").await, Some(100), "the first attempt, which comes now, was kept out");
    assert_eq!(told(here.add("a", -10, "k").await), (Outcome::Applied, None), "and may be tried again");
}

#[tokio::test]
async fn an_expired_record_says_nothing_any_more() {
    let world = World::new().await;
    let here = Process::first(&world).await;
    here.has("a", 10).await;
    here.add("a", 5, "k").await.expect("is written");
    world.clock.advance(24 * 60 * 60 * 1000 + 1000).await;
    assert_eq!(told(here.add("a", 5, "k").await), (Outcome::Applied, None));
    assert_eq!(here.balance("a").await, Some(20));
}

#[tokio::test]
async fn a_key_stands_for_a_write_or_for_a_run_and_not_for_both() {
    let world = World::new().await;
    let here = Process::first(&world).await;
    here.has("a", 10).await;
    crash(world.records.once("k")).await;
    assert_eq!(here.add("a", 5, "k").await.unwrap_err().kind(), ErrorKind::KeyReused);
    world.clock.advance(30_000).await;
    world.records.once("k").run(seven).await.expect("runs after the lease");
    assert_eq!(here.add("a", 5, "k").await.unwrap_err().kind(), ErrorKind::KeyReused);
    here.add("a", 5, "w").await.expect("is written");
    let run = world.records.once("w").payload(&1).run(seven).await;
    assert!(matches!(&run, Err(OnceError::NotRun(error)) if error.kind() == ErrorKind::KeyReused), "{run:?}");
    // A record of another program, and one that no one can read.
    let far = 4_000_000_000_u64;
    world.put(json!({"id": "done", "status": "COMPLETED", "expiration": far, "data": "{\"paid\":true}"})).await;
    world.put(json!({"id": "odd", "status": "HALF DONE", "expiration": far})).await;
    assert_eq!(here.add("a", 5, "done").await.unwrap_err().kind(), ErrorKind::KeyReused);
    assert_eq!(here.add("a", 5, "odd").await.unwrap_err().kind(), ErrorKind::Malformed);
    assert_eq!(here.balance("a").await, Some(15));
}

#[tokio::test]
async fn bad_keys_are_refused_and_nothing_is_sent() {
    let world = World::new().await;
    let here = Process::first(&world).await;
    here.has("a", 10).await;
    let add = |key: &[u8], records: &Records| {
        here.accounts.update("a").add(Account::FIELDS.balance, 5).idempotency_key(records, key).send()
    };
    for key in [&b""[..], &[0xff, 0xfe], &[b'k'; 2049]] {
        assert_eq!(add(key, &here.records).await.unwrap_err().kind(), ErrorKind::Invalid);
    }
    let fleeting = here.records.clone().kept_for(Duration::ZERO);
    assert_eq!(add(b"k", &fleeting).await.unwrap_err().kind(), ErrorKind::Invalid, "it would be forgotten at once");
    let foreign = elsewhere(&world).records;
    assert_eq!(add(b"k", &foreign).await.unwrap_err().kind(), ErrorKind::Invalid, "of another store");
    let missing = here.store.records("nowhere");
    assert_eq!(world.faults.received(Operation::TransactWriteItems), 0);
    assert_eq!(add(b"k", &missing).await.unwrap_err().kind(), ErrorKind::TableNotFound);
    assert_eq!(here.balance("a").await, Some(10));
    let unprotected = here.records.clone().missing_key(MissingKey::RunUnprotected);
    add(b"", &unprotected).await.expect("is written without a record");
    add(b"", &unprotected).await.expect("is written without a record");
    assert_eq!(here.balance("a").await, Some(20));
}

#[tokio::test]
async fn in_a_storm_every_key_is_written_once() {
    let world = World::new().await;
    Process::first(&world).await.has("a", 0).await;
    world.storm([Operation::TransactWriteItems, Operation::PutItem]);
    let mut workers = tokio::task::JoinSet::new();
    for worker in 0..6 {
        // Here time goes on, since what comes late is waited for.
        let config = world.engine.config().http_client(world.faults.clone()).build();
        let process = Process::of(&Store::builder(config).retry(policy().max_conflicts(1000)).build());
        workers.spawn(async move {
            let mut applied = 0;
            for key in 0..60 {
                if (key + worker) % 3 == 0 {
                    continue;
                }
                let written = process.add("a", 1, &key.to_string()).await.expect("is answered");
                applied += usize::from(!written.is_replayed());
            }
            applied
        });
    }
    while let Some(done) = workers.join_next().await {
        done.expect("no delivery fails");
    }
    assert_eq!(Process::of(&world.other_store()).balance("a").await, Some(60));
}

fn cancelled(reasons: Value) -> Reply {
    let body = json!({"__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "message": "Transaction cancelled", "CancellationReasons": reasons});
    Reply::raw(400, body.to_string())
}

/// A record of the same write, which another call has completed: the one that the request would make, but for its owner.
fn completed_by_another(request: &Request) -> Value {
    let mut record = request.body()["TransactItems"][1]["Put"]["Item"].clone();
    record["owner"] = json!({"B": "AAAAAAAAAAAAAAAAAAAAAQ=="});
    record
}

fn of(peer: &Scripted) -> (Table<Account>, Records) {
    let store = Store::builder(peer.config().build()).retry(RetryPolicy::new().jitter_seed(1)).build();
    (store.table(), store.records("records"))
}

#[tokio::test(start_paused = true)]
async fn a_repetition_is_not_refused_while_the_record_is_out_of_reach() {
    let there = json!({"id": {"S": "a"}, "balance": {"N": "10"}, "version": {"N": "1"},
        "_wb": {"B": "AAAAAAAAAAAAAAAAAAAAAQ=="}, "_w0": {"B": "AAAAAAAAAAAAAAAAAAAAAQ=="}});
    for code in ["ThrottlingError", "ProvisionedThroughputExceeded", "TransactionConflict"] {
        let (item, again) = (there.clone(), there.clone());
        let failed =
            |item: Value, record: Value| cancelled(json!([{"Code": "ConditionalCheckFailed", "Item": item}, record]));
        let peer = Scripted::new().then(Operation::TransactWriteItems, failed(item, json!({"Code": code}))).then_with(
            Operation::TransactWriteItems,
            move |request| {
                failed(again, json!({"Code": "ConditionalCheckFailed", "Item": completed_by_another(request)}))
            },
        );
        let (accounts, records) = of(&peer);
        let insert = accounts.insert(&account("a", 10)).idempotency_key(&records, "k").send().await;
        assert_eq!(told(insert), (Outcome::Replayed, Some(1)), "{code}");
        peer.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_that_stays_out_of_reach_is_said_by_its_own_reason() {
    for (code, kind) in [
        ("ThrottlingError", ErrorKind::Throttled),
        ("TransactionConflict", ErrorKind::Contention),
        ("ItemCollectionSizeLimitExceeded", ErrorKind::Rejected),
    ] {
        let reasons = json!([{"Code": "ConditionalCheckFailed"}, {"Code": code}]);
        let peer = (0..20)
            .fold(Scripted::new(), |peer, _| peer.then(Operation::TransactWriteItems, cancelled(reasons.clone())));
        let (accounts, records) = of(&peer);
        let insert = accounts.insert(&account("a", 10)).idempotency_key(&records, "k").send().await;
        let error = insert.expect_err("nothing is known of the record");
        assert_eq!((error.kind(), error.code()), (kind, Some(code)), "{error:?}");
        assert_eq!(error.attempts() > 1, kind != ErrorKind::Rejected, "{error:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_in_doubt_that_a_repetition_has_overtaken_is_a_replay() {
    let record: Arc<Mutex<Value>> = Arc::default();
    let sent = Arc::clone(&record);
    let peer = Scripted::new()
        .then_with(Operation::TransactWriteItems, move |request| {
            *sent.lock().expect("is whole") = completed_by_another(request);
            Reply::broken_connection()
        })
        .then(Operation::TransactWriteItems, cancelled(json!([{"Code": "ConditionalCheckFailed"}, {"Code": "None"}])))
        .then_with(Operation::PutItem, move |_| {
            let item = record.lock().expect("is whole").clone();
            let body = json!({"__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException",
                "message": "The conditional request failed", "Item": item});
            Reply::raw(400, body.to_string())
        });
    let (accounts, records) = of(&peer);
    let update = accounts.update("a").add(Account::FIELDS.balance, 1).idempotency_key(&records, "k").send().await;
    assert_eq!(told(update), (Outcome::Replayed, None));
    peer.finish();
}

#[tokio::test]
async fn a_write_that_a_repetition_has_made_is_not_called_off() {
    let world = World::new().await;
    let (here, there) = (Process::first(&world).await, elsewhere(&world));
    here.has("a", 10).await;
    world.faults.on(Operation::TransactWriteItems).times(20).inject(Fault::lost_request());
    let unknown = here.add("a", 5, "k").await.unwrap_err();
    let pending = unknown.pending_transaction().expect("can be taken up");
    assert_eq!(told(there.add("a", 5, "k").await), (Outcome::Applied, None));
    assert_eq!(pending.abort().await.expect("the record tells"), Aborted::Applied);
    assert!(pending.finish().await.expect("the record tells").is_replayed());
    assert_eq!(here.balance("a").await, Some(15));
}

#[tokio::test]
async fn a_run_without_a_payload_is_not_taken_for_a_write_nor_a_write_for_a_run() {
    let world = World::new().await;
    let here = Process::first(&world).await;
    here.has("a", 10).await;
    let key_reused = |ran: Result<Ran<Value>, OnceError<String>>| match ran {
        Err(OnceError::NotRun(error)) => assert_eq!(error.kind(), ErrorKind::KeyReused),
        other => panic!("{other:?}"),
    };
    here.add("a", 5, "w").await.expect("is written");
    key_reused(world.records.once("w").run(async |_| Ok(json!("ran"))).await);
    // Nor where a fence has left its record.
    world.faults.on(Operation::TransactWriteItems).inject(Fault::lost_request());
    assert!(here.add("a", -100, "f").await.unwrap_err().is_condition_failed());
    key_reused(world.records.once("f").run(async |_| Ok(json!("ran"))).await);

    // An answer that reads as what a write records.
    let answer = async |_| Ok::<_, String>(vec![(Some(3_u64), None::<String>)]);
    world.records.once("r").run(answer).await.expect("runs");
    let delete = here.accounts.delete("a").idempotency_key(&here.records, "r").send().await;
    assert_eq!(delete.unwrap_err().kind(), ErrorKind::KeyReused);
    let modify = here.accounts.modify("a", |_| ()).idempotency_key(&here.records, "r").send().await;
    assert_eq!(modify.unwrap_err().kind(), ErrorKind::KeyReused);
    assert_eq!(here.balance("a").await, Some(15));
}

#[tokio::test]
async fn a_change_that_changes_nothing_is_recorded_at_the_version_as_it_was_read() {
    let world = World::new().await;
    let (here, there) = (Process::first(&world).await, elsewhere(&world));
    here.has("a", 10).await;
    let etag = here.accounts.get("a").send().await.expect("is read").expect("is there").etag();
    for (process, is_replayed) in [(&here, false), (&there, true)] {
        let modify = process.accounts.modify("a", |_| ()).idempotency_key(&process.records, "k").send().await;
        let written = modify.expect("is recorded");
        assert_eq!((written.is_replayed(), written.etag()), (is_replayed, Some(etag)));
    }
}

#[tokio::test]
async fn what_can_not_be_recorded_is_said_with_its_table() {
    let world = World::new().await;
    let here = Process::first(&world).await;
    let keyed = here.accounts.insert(&account("a", 1)).keyed("k");
    let keyed = keyed.idempotency_key(&here.records, "k").send().await.unwrap_err();
    let keyed = (keyed.kind(), keyed.table().map(str::to_owned), keyed.to_string());
    assert_eq!((keyed.0, keyed.1.as_deref()), (ErrorKind::Invalid, Some("accounts")));
    assert!(keyed.2.starts_with("insert into accounts: ") && keyed.2.contains("exclude each other"), "{}", keyed.2);

    let inserts = (0..100).map(|id| here.accounts.insert(&account(&id.to_string(), 1)));
    let many = inserts.fold(here.store.transact(), |transact, insert| transact.with(insert));
    let many = many.idempotency_key(&here.records, "k").send().await.unwrap_err().to_string();
    assert!(many.starts_with("transact in accounts: a transaction has 100 parts at most"), "{many}");
    let none = here.store.transact().idempotency_key(&here.records, "k").send().await.unwrap_err();
    assert_eq!((none.table(), none.to_string().split(':').next()), (None, Some("transact")));
    let check = here.store.transact().with(here.accounts.check("").absent()).send().await.unwrap_err().to_string();
    assert!(check.starts_with("transact in accounts: "), "{check}");
}
