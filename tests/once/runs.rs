//! What runs, what is replayed, and what is told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dynamo_once::testing::{Fault, Operation};
use dynamo_once::{Context, Error, ErrorKind, OnceError, Records, Store};

use crate::world::{World, crash, kind, not_run, policy, seven, spawn};

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
    world.storm([Operation::PutItem, Operation::UpdateItem]);
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
async fn records_are_where_the_store_s_tables_are() {
    let world = World::new().await;
    let store = Store::builder(world.engine.config().build()).table_prefix("dev-").build();
    store.records("records").create_if_missing().await.expect("the table is made");
    store.records_named("records").once("a").run(seven).await.expect("runs");
    assert!(!store.records("records").once("a").run(seven).await.expect("runs").is_replayed(), "another table");
    let tables = world.sdk.list_tables().send().await.expect("the engine answers").table_names.expect("has some");
    assert_eq!(tables, ["dev-records", "records"]);
}
