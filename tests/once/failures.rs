//! Failures that are final, and those that aren't.

use std::time::Duration;

use dynamo_once::testing::{Fault, Operation};
use dynamo_once::{Context, ErrorKind, Lease, Once, OnceError, Ran};
use serde::{Deserialize, Serialize};

use crate::world::{World, kind, seven};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Refused {
    NoSuchAccount { id: u32 },
    BankClosed,
}

const NO_ACCOUNT: Refused = Refused::NoSuchAccount { id: 7 };

async fn run(once: Once, result: Result<u32, Refused>) -> Result<Ran<u32>, OnceError<Refused>> {
    let is_final = |refused: &Refused| *refused != Refused::BankClosed;
    once.run_storing_failures(is_final, async |_| result).await
}

#[tokio::test]
async fn a_final_failure_is_told_and_replayed_and_others_run_again() {
    let world = World::new().await;
    let once = || world.records.once("a").payload(&1);
    for _ in 0..2 {
        let closed = run(once(), Err(Refused::BankClosed)).await;
        assert!(matches!(closed, Err(OnceError::Failed(Refused::BankClosed))), "{closed:?}");
    }
    let before = world.requests();
    let refused = run(once(), Err(NO_ACCOUNT)).await;
    assert!(matches!(&refused, Err(OnceError::Failed(failure)) if *failure == NO_ACCOUNT), "{refused:?}");
    assert_eq!(world.requests() - before, 2, "a claim, and a completion with the failure");
    for records in [world.records.clone(), world.elsewhere()] {
        let again = run(records.once("a").payload(&1), Ok(7)).await;
        assert!(matches!(&again, Err(OnceError::FailedBefore(failure)) if *failure == NO_ACCOUNT), "{again:?}");
    }
    assert_eq!(world.requests() - before, 3, "a replay is one request");
    assert_eq!(kind(run(world.records.once("a").payload(&2), Ok(7)).await), ErrorKind::KeyReused);
    assert_eq!(kind(once().run(seven).await), ErrorKind::Decode, "plain runs know of no stored failures");

    world.clock.advance(24 * 3_600_000).await;
    assert!(!run(once(), Ok(7)).await.expect("the record has expired").is_replayed());
    assert!(run(once(), Err(NO_ACCOUNT)).await.expect("has run").is_replayed());
}

#[tokio::test]
async fn failures_come_back_as_they_were() {
    let World { records, .. } = World::new().await;
    for (key, failure) in
        [("empty", String::new()), ("text", "a \"quoted\" Ünicode text".to_owned()), ("large", "x".repeat(450_000))]
    {
        let fails = async |_: Context| Err::<(), _>(failure.clone());
        let failed = records.once(key).run_storing_failures(|_| true, fails).await;
        assert!(matches!(failed, Err(OnceError::Failed(told)) if told == failure));
        let again = records.once(key).run_storing_failures(|_| true, async |_| Ok::<(), String>(())).await;
        assert!(matches!(again, Err(OnceError::FailedBefore(told)) if told == failure));
    }
    let unit = records.once("unit").run_storing_failures(|()| true, async |_| Err::<u32, _>(())).await;
    assert!(matches!(unit, Err(OnceError::Failed(()))));
    let again = records.once("unit").run_storing_failures(|()| true, async |_| Ok::<u32, ()>(7)).await;
    assert!(matches!(again, Err(OnceError::FailedBefore(()))));
    let other = records.once("unit").run_storing_failures(|_| true, async |_| Ok::<u32, Refused>(7)).await;
    assert_eq!(kind(other), ErrorKind::Decode, "the failure was another type's");
}

#[tokio::test]
async fn a_final_failure_that_cannot_be_stored_is_told_all_the_same() {
    let world = World::new().await;
    let records = world.records.clone().lease(Lease::fixed(Duration::from_secs(30)));
    world.faults.on(Operation::UpdateItem).always().inject(Fault::lost_request());
    let refused = run(records.once("a"), Err(NO_ACCOUNT)).await;
    assert!(matches!(&refused, Err(OnceError::Failed(failure)) if *failure == NO_ACCOUNT), "{refused:?}");
    world.faults.stop();
    assert_eq!(kind(run(records.once("a"), Ok(7)).await), ErrorKind::InProgress, "it stays claimed");
    world.clock.advance(30_000).await;
    assert!(!run(records.once("a"), Ok(7)).await.expect("runs after the lease").is_replayed());

    // Another has taken over: its answer stands.
    let taken = async |_: Context| {
        world.off_by(30_000).0.once("b").run(seven).await.expect("takes over, by its own clock");
        Err::<u32, _>(NO_ACCOUNT)
    };
    let refused = records.once("b").run_storing_failures(|_| true, taken).await;
    assert!(matches!(&refused, Err(OnceError::Failed(failure)) if *failure == NO_ACCOUNT), "{refused:?}");
    assert_eq!(*run(records.once("b"), Err(NO_ACCOUNT)).await.expect("has run").answer(), 7);
}

#[tokio::test]
async fn a_lost_reply_to_a_failure_that_is_stored_is_found_out() {
    let world = World::new().await;
    world.faults.on(Operation::UpdateItem).inject(Fault::lost_reply());
    let refused = run(world.records.once("a"), Err(NO_ACCOUNT)).await;
    assert!(matches!(refused, Err(OnceError::Failed(NO_ACCOUNT))), "{refused:?}");
    assert_eq!(world.requests(), 3);
    assert!(matches!(run(world.elsewhere().once("a"), Ok(7)).await, Err(OnceError::FailedBefore(NO_ACCOUNT))));
}

#[tokio::test]
async fn what_does_not_serialise_is_told() {
    let World { records, .. } = World::new().await;
    // JSON has texts alone for the keys of maps.
    type Odd = std::collections::BTreeMap<(u8, u8), u8>;
    let odd = || Odd::from([((1, 2), 3)]);
    let failed = records.once("a").run_storing_failures(|_| true, async |_| Err::<u32, _>(odd())).await;
    assert_eq!(kind(failed), ErrorKind::Invalid);
    assert_eq!(kind(records.once("b").run(async |_| Ok::<_, String>(odd())).await), ErrorKind::Invalid);
}
