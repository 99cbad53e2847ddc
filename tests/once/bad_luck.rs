//! Records of others, and everything else that can go wrong.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use dynamo_once::testing::{Fault, Operation};
use dynamo_once::{Context, ErrorKind, Lease, MissingKey, OnceError};
use serde_json::json;

use crate::world::{World, crash, kind, not_run, seven, spawn, store};

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

#[tokio::test]
async fn a_run_that_panicked_is_repeated_after_its_lease() {
    let world = World::new().await;
    let run = tokio::spawn(world.records.once("a").run(async |_| -> Result<u32, String> { panic!("on purpose") }));
    assert!(run.await.expect_err("panics").is_panic());
    assert_eq!(kind(world.elsewhere().once("a").run(not_run).await), ErrorKind::InProgress);
    world.clock.advance(29_999).await;
    assert_eq!(kind(world.records.once("a").run(not_run).await), ErrorKind::InProgress, "no sign of life outlives it");
    world.clock.advance(1).await;
    assert!(!world.records.once("a").run(seven).await.expect("runs").is_replayed());
}

const MINUTES: i64 = 5 * 60_000;

#[tokio::test]
async fn where_clocks_are_minutes_apart_one_of_two_completes() {
    let world = World::new().await;
    let (ahead, _) = world.off_by(MINUTES);
    // The one ahead takes what is leased still, by its clock; the one behind loses its lease.
    let (begun, end, run) = spawn(world.records.once("a"));
    begun.await.expect("begins");
    let (taken, end_taken, run_taken) = spawn(ahead.once("a"));
    taken.await.expect("begins");
    end.send(()).expect("is waited for");
    assert_eq!(kind(run.await.expect("didn't panic")), ErrorKind::Superseded);
    end_taken.send(()).expect("is waited for");
    assert!(!run_taken.await.expect("didn't panic").expect("completes").is_replayed());

    // And the other way round: it completes before the other can.
    let (begun, end, run) = spawn(world.records.once("b"));
    begun.await.expect("begins");
    let (taken, end_taken, run_taken) = spawn(ahead.once("b"));
    taken.await.expect("begins");
    end_taken.send(()).expect("is waited for");
    run_taken.await.expect("didn't panic").expect("completes");
    end.send(()).expect("is waited for");
    assert_eq!(kind(run.await.expect("didn't panic")), ErrorKind::Superseded);
    for key in ["a", "b"] {
        let again = world.records.once(key).run(async |_| Err::<bool, _>("has run")).await.expect("has run");
        assert!(again.is_replayed());
    }
}

#[tokio::test]
async fn whose_clock_is_behind_waits_longer_and_is_locked_out_by_no_one() {
    let world = World::new().await;
    let (behind, clock) = world.off_by(-MINUTES);
    crash(world.records.once("a")).await;
    clock.advance(5 * 60_000 + 29_999).await;
    assert_eq!(kind(behind.once("a").run(not_run).await), ErrorKind::InProgress);
    clock.advance(1).await;
    assert!(!behind.once("a").run(seven).await.expect("takes over").is_replayed());

    // What was released, and what has expired, has an owner of a later time.
    let (behind, _) = world.off_by(-MINUTES);
    world.records.once("b").run(async |_| Err::<u32, _>("fails")).await.expect_err("fails");
    assert!(!behind.once("b").run(seven).await.expect("was released").is_replayed());
    assert!(world.records.once("b").run(not_run).await.expect("has run").is_replayed());
}

#[tokio::test]
async fn records_of_later_formats_are_left_alone() {
    let world = World::new().await;
    let far = 4_000_000_000_u64;
    let later = [
        json!({"id": "a", "status": "SUSPENDED", "expiration": far}),
        json!({"id": "a", "status": "INPROGRESS", "expiration": far, "in_progress_expiration": "soon"}),
        json!({"id": "a", "status": "COMPLETED", "expiration": far, "data": "7", "owner": {"host": "there"}}),
        json!({"id": "a", "expiration": far}),
    ];
    for record in later {
        world.put(record.clone()).await;
        for records in [world.records.clone(), world.records.clone().cache(100_000)] {
            let error = records.once("a").run(not_run).await;
            assert!(matches!(&error, Err(OnceError::NotRun(error)) if error.is_malformed()), "{record}: {error:?}");
        }
        let status = world.attribute("a", "status").await.and_then(|status| status.as_s().ok().cloned());
        assert_eq!(status.as_deref(), record["status"].as_str(), "it is left as it is");
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_any_more_is_told_and_runs_nothing() {
    let world = World::new().await;
    let far = 4_000_000_000_u64;
    let stored = [
        json!({"data": "\"seven\""}),
        json!({"data": "no JSON"}),
        json!({"data": {"native": true}}),
        json!({"data": null}),
        json!({}),
        json!({"failure": "no JSON"}),
        json!({"failure": {"native": true}}),
        json!({"failure": null, "data": "7"}),
    ];
    for answer in stored {
        let mut record = json!({"id": "a", "status": "COMPLETED", "expiration": far});
        record.as_object_mut().expect("is one").extend(answer.as_object().expect("is one").clone());
        world.put(record).await;
        assert_eq!(kind(world.records.once("a").run(not_run).await), ErrorKind::Decode, "{answer}");
        let storing = world.records.once("a").run_storing_failures(|_| true, not_run).await;
        assert_eq!(kind(storing), ErrorKind::Decode, "{answer}");
    }
    let damaged = AttributeValue::B(aws_sdk_dynamodb::primitives::Blob::new([0x1F, 0x8B, 7]));
    let change = world.sdk.update_item().table_name("records").key("id", AttributeValue::S("a".into()));
    let change =
        change.update_expression("SET #data = :data REMOVE failure").expression_attribute_names("#data", "data");
    change.expression_attribute_values(":data", damaged).send().await.expect("the engine takes it");
    assert_eq!(kind(world.records.once("a").run(not_run).await), ErrorKind::Decode);
}

#[tokio::test]
async fn an_answer_that_cannot_be_stored_runs_again_after_its_lease() {
    let world = World::new().await;
    let records = world.records.clone().lease(Lease::fixed(Duration::from_secs(30)));
    for (fault, kind_of) in [
        (Fault::throttled(), ErrorKind::Throttled),
        (Fault::connection_refused(), ErrorKind::Unreachable),
        (Fault::lost_request(), ErrorKind::OutcomeUnknown),
    ] {
        let key = fault.to_string();
        world.faults.on(Operation::UpdateItem).always().inject(fault);
        assert_eq!(kind(records.once(&key).run(seven).await), kind_of, "{key}");
        world.faults.stop();
        assert_eq!(kind(records.once(&key).run(not_run).await), ErrorKind::InProgress, "{key}");
        world.clock.advance(30_000).await;
        assert!(!records.once(&key).run(seven).await.expect("runs after the lease").is_replayed(), "{key}");
    }
}
