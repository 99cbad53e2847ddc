//! Records of others, and everything else that can go wrong.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use dynamo_once::{Context, ErrorKind, MissingKey};
use serde_json::json;

use crate::world::{World, kind, not_run, seven, store};

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
    assert_eq!(kind(records.clone().namespace("ann").once("").run(not_run).await), ErrorKind::Invalid);
    assert_eq!(kind(records.once([0xC3]).run(not_run).await), ErrorKind::Invalid, "no UTF-8");
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

#[tokio::test]
async fn without_a_key_an_operation_runs_unprotected_where_that_was_chosen() {
    let world = World::new().await;
    let unprotected = world.records.clone().namespace("ann").missing_key(MissingKey::RunUnprotected);
    for _ in 0..2 {
        let key = async |context: Context| Ok::<_, String>((context.key().to_owned(), context.is_lost()));
        let ran = unprotected.once("").payload(&7).run(key).await.expect("runs");
        assert_eq!((ran.is_replayed(), ran.into_answer()), (false, (String::new(), false)), "no key is shared");
    }
    assert_eq!(world.requests(), 0);
    assert_eq!(kind(unprotected.once([0xC3]).run(not_run).await), ErrorKind::Invalid, "a bad key isn't a missing one");
    let late = unprotected.once("").until(world.clock.after(0)).run(not_run);
    assert_eq!(kind(late.await), ErrorKind::Timeout);
    unprotected.once("a").run(seven).await.expect("runs");
    assert!(unprotected.once("a").run(not_run).await.expect("has run").is_replayed());
}
