//! Writes that are staged in a run: they are made together with its completion, or not at all.

use std::sync::{Arc, Mutex};

use dynamo_once::testing::{Arrival, Fault, Operation, Reply, Scripted};
use dynamo_once::{Context, ErrorKind, Item, OnceError, RetryPolicy, Store, Table};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::world::{World, kind, not_run, seven};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Item)]
#[item(table = "accounts")]
struct Account {
    #[item(partition_key)]
    id: String,
    balance: i64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Item)]
#[item(table = "entries", tombstones(ttl = "expires"))]
struct Entry {
    #[item(partition_key)]
    id: String,
    cents: i64,
}

struct Bank {
    accounts: Table<Account>,
    entries: Table<Entry>,
}

impl Bank {
    async fn new(world: &World) -> Self {
        let (accounts, entries) = (world.store.table::<Account>(), world.store.table::<Entry>());
        accounts.create_if_missing().await.expect("the table is made");
        entries.create_if_missing().await.expect("the table is made");
        accounts.insert(&Account { id: "ann".into(), balance: 100 }).send().await.expect("is inserted");
        Self { accounts, entries }
    }

    async fn balance(&self) -> i64 {
        self.accounts.get("ann").send().await.expect("is read").expect("is there").balance
    }

    /// Takes ten from the account, where there are ten, and enters that under the run's key.
    fn stage(&self, run: &Context) {
        let f = Account::FIELDS;
        run.stage(self.accounts.update("ann").add(f.balance, -10).when(f.balance.ge(10)));
        run.stage(self.entries.insert(&Entry { id: run.key().into(), cents: -10 }));
    }

    async fn withdraw(&self, run: Context) -> Result<u32, String> {
        self.stage(&run);
        Ok(7)
    }
}

#[tokio::test]
async fn staged_writes_are_made_once_in_the_place_of_the_completion() {
    let world = World::new().await;
    let bank = Bank::new(&world).await;
    let ran = world.records.once("a").run(|run| bank.withdraw(run)).await.expect("runs");
    assert_eq!((*ran.answer(), ran.is_replayed(), world.requests()), (7, false, 2));
    assert_eq!(world.faults.received(Operation::UpdateItem), 0, "the transaction completes the record");
    assert_eq!(bank.balance().await, 90);
    assert!(world.records.once("a").run(not_run).await.expect("has run").is_replayed());
    assert_eq!((bank.balance().await, world.requests()), (90, 3));
    let entry = bank.entries.get("a").send().await.expect("is read");
    assert_eq!(entry.expect("was entered").cents, -10);
}

#[tokio::test]
async fn what_a_failed_operation_staged_is_not_written() {
    let world = World::new().await;
    let bank = Bank::new(&world).await;
    let failing = async |run: Context| {
        bank.stage(&run);
        Err::<u32, _>("the bank is closed")
    };
    let failed = world.records.once("a").run(failing).await;
    assert!(matches!(failed, Err(OnceError::Failed("the bank is closed"))), "{failed:?}");
    assert_eq!((bank.balance().await, world.faults.received(Operation::TransactWriteItems)), (100, 0));
    world.records.once("a").run(|run| bank.withdraw(run)).await.expect("was released");
    assert_eq!(bank.balance().await, 90);
}

#[tokio::test]
async fn a_refused_write_undoes_the_others_and_releases_the_record() {
    let world = World::new().await;
    let bank = Bank::new(&world).await;
    bank.entries.insert(&Entry { id: "a".into(), cents: 0 }).send().await.expect("is inserted");
    let Err(OnceError::NotStored(refused)) = world.records.once("a").run(|run| bank.withdraw(run)).await else {
        panic!("the entry is there")
    };
    assert_eq!((refused.kind(), refused.part()), (ErrorKind::AlreadyExists, Some(1)), "{refused:?}");
    assert_eq!((bank.balance().await, world.requests()), (100, 3));
    bank.entries.delete("a").send().await.expect("is deleted");
    let again = world.elsewhere().once("a").run(seven).await.expect("was released");
    assert!(!again.is_replayed());
}

#[tokio::test]
async fn a_lost_reply_to_the_commit_is_found_out() {
    for fault in [Fault::lost_reply(), Fault::lost_request(), Fault::internal_error().applied(), Fault::duplicate()] {
        let world = World::new().await;
        let bank = Bank::new(&world).await;
        world.faults.on(Operation::TransactWriteItems).inject(fault.clone());
        let ran = world.records.once("a").run(|run| bank.withdraw(run)).await.expect("finds out");
        assert!(!ran.is_replayed());
        assert_eq!(bank.balance().await, 90, "{fault:?}");
        assert!(world.elsewhere().once("a").run(not_run).await.expect("has run").is_replayed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_commit_whose_token_has_expired_is_told_by_the_record() {
    for (status, wanted) in [("COMPLETED", None), ("INPROGRESS", Some(ErrorKind::Superseded))] {
        let owner: Arc<Mutex<Value>> = Arc::default();
        let claimed = Arc::clone(&owner);
        let peer = Scripted::new()
            .then_with(Operation::PutItem, move |request| {
                *claimed.lock().expect("is whole") = request.body()["Item"]["owner"].clone();
                Reply::ok(json!({}))
            })
            .then(Operation::TransactWriteItems, Reply::broken_connection())
            .then_with(Operation::TransactWriteItems, move |_| {
                // Of the deletes nothing is left to be seen. The record is the run's, or another's by now.
                let ours = owner.lock().expect("is whole").clone();
                let owner = if wanted.is_none() { ours } else { json!({"B": "/////////////////////w=="}) };
                let record = json!({"id": {"S": "a"}, "status": {"S": status}, "owner": owner,
                    "in_progress_expiration": {"N": "4000000000000"}, "expiration": {"N": "4000000000"}});
                let reasons = json!([{"Code": "None"}, {"Code": "ConditionalCheckFailed", "Item": record}]);
                let body = json!({"__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
                    "message": "Transaction cancelled", "CancellationReasons": reasons});
                Reply::raw(400, body.to_string())
            });
        let store = Store::builder(peer.config().build()).retry(RetryPolicy::new().jitter_seed(1)).build();
        let accounts = store.table::<Account>();
        let ran = store.records("records").once("a").run(async |run: Context| {
            run.stage(accounts.delete("ann"));
            Ok::<_, String>(7)
        });
        match (ran.await, wanted) {
            (Ok(ran), None) => assert!(!ran.is_replayed()),
            (Err(OnceError::NotStored(error)), Some(wanted)) => assert_eq!(error.kind(), wanted, "{error:?}"),
            (other, _) => panic!("{other:?}"),
        }
        peer.finish();
    }
}

#[tokio::test]
async fn a_run_that_was_taken_over_writes_nothing_of_what_it_staged() {
    let world = World::new().await;
    let bank = Bank::new(&world).await;
    let (later, _) = world.off_by(30_000);
    let overtaken = async |run: Context| {
        bank.stage(&run);
        later.once("a").run(seven).await.expect("takes over, by its own clock");
        Ok::<_, String>(8)
    };
    assert_eq!(kind(world.records.once("a").run(overtaken).await), ErrorKind::Superseded);
    assert_eq!(bank.balance().await, 100);
    assert_eq!(*world.elsewhere().once("a").run(not_run).await.expect("has run").answer(), 7);
}

#[tokio::test]
async fn a_commit_that_comes_late_changes_nothing_after_a_refusal() {
    let world = World::new().await;
    let bank = Bank::new(&world).await;
    world.faults.on(Operation::TransactWriteItems).inject(Fault::late(Arrival::OnCommand));
    let ran = world.records.once("a").run(async |run: Context| {
        bank.stage(&run);
        // By the time of the second attempt there is too little.
        world.set_balance("ann", 5).await;
        Ok::<_, String>(7)
    });
    let Err(OnceError::NotStored(refused)) = ran.await else { panic!("there is too little") };
    assert_eq!((refused.kind(), refused.part()), (ErrorKind::ConditionFailed, Some(0)), "{refused:?}");
    assert_eq!(world.requests(), 4, "a claim, two attempts, and the fence, which releases the record");
    world.set_balance("ann", 50).await;
    world.faults.deliver_late().await;
    assert_eq!(bank.balance().await, 50, "it was kept out");
    world.elsewhere().once("a").run(seven).await.expect("was released");
}

#[tokio::test]
async fn a_commit_that_comes_late_changes_nothing_once_another_has_run() {
    let world = World::new().await;
    let bank = Bank::new(&world).await;
    world.faults.on(Operation::TransactWriteItems).always().inject(Fault::late(Arrival::OnCommand));
    let unknown = world.records.once("a").run(|run| bank.withdraw(run)).await;
    assert_eq!(kind(unknown), ErrorKind::OutcomeUnknown);
    world.clock.advance(30_000).await;
    world.elsewhere().once("a").run(seven).await.expect("takes over after the lease");
    world.faults.deliver_late().await;
    assert_eq!(bank.balance().await, 100);
}

#[tokio::test]
async fn an_unknown_commit_is_finished_or_aborted_later() {
    for aborts in [false, true] {
        let world = World::new().await;
        let bank = Bank::new(&world).await;
        world.faults.on(Operation::TransactWriteItems).times(20).inject(Fault::lost_request());
        let Err(OnceError::NotStored(unknown)) = world.records.once("a").run(|run| bank.withdraw(run)).await else {
            panic!("no attempt arrives")
        };
        assert!(unknown.is_outcome_unknown(), "{unknown:?}");
        let pending = unknown.pending_transaction().expect("can be taken up");
        if aborts {
            assert_eq!(pending.abort().await.expect("is kept out"), dynamo_once::Aborted::Prevented);
            assert_eq!(bank.balance().await, 100);
            world.elsewhere().once("a").run(seven).await.expect("the abort released it");
        } else {
            pending.finish().await.expect("is written");
            assert_eq!(bank.balance().await, 90);
            assert!(world.elsewhere().once("a").run(not_run).await.expect("has run").is_replayed());
        }
    }
}

#[tokio::test]
async fn what_cannot_be_staged_is_said_and_nothing_is_written() {
    let world = World::new().await;
    let bank = Bank::new(&world).await;
    let twice = async |run: Context| {
        bank.stage(&run);
        bank.stage(&run);
        Ok::<u32, String>(7)
    };
    let elsewhere = Store::from_client(&world.sdk).table::<Account>();
    let foreign = async |run: Context| {
        run.stage(elsewhere.delete("ann"));
        Ok::<u32, String>(7)
    };
    assert_eq!(kind(world.records.once("a").run(twice).await), ErrorKind::Invalid);
    assert_eq!(kind(world.records.once("a").run(foreign).await), ErrorKind::Invalid);
    let many = async |run: Context| {
        for id in 0..100 {
            run.stage(bank.accounts.delete(id.to_string()));
        }
        Ok::<u32, String>(7)
    };
    assert_eq!(kind(world.records.once("a").run(many).await), ErrorKind::Invalid, "the record is the 101st");
    assert_eq!(bank.balance().await, 100);
    world.records.once("a").run(seven).await.expect("was released");
}

#[tokio::test]
async fn an_unprotected_run_writes_what_it_staged_too() {
    let world = World::new().await;
    let bank = Bank::new(&world).await;
    let records = world.records.clone().missing_key(dynamo_once::MissingKey::RunUnprotected);
    let unprotected = records.once("").run(async |run: Context| {
        run.stage(bank.accounts.update("ann").add(Account::FIELDS.balance, -10));
        Ok::<_, String>(7)
    });
    unprotected.await.expect("runs");
    assert_eq!(bank.balance().await, 90);
}
