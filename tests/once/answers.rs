//! Answers that are too large for a record, those that are at hand already, and what is shown of them and of failures.

use std::error::Error;
use std::fmt;
use std::num::ParseIntError;

use aws_sdk_dynamodb::types::AttributeValue;
use dynamo_once::testing::{Fault, Operation};
use dynamo_once::{Context, ErrorKind, LargeAnswers, OnceError};

use crate::world::{World, crash, kind, not_run, seven, spawn};

#[tokio::test]
async fn a_large_answer_is_compressed_and_replayed() {
    let world = World::new().await;
    let answer = "a large answer ".repeat(30_000);
    let large = async |_: Context| Ok::<_, String>(answer.clone());
    assert_eq!(*world.records.once("a").run(large).await.expect("runs").answer(), answer);
    assert_eq!(world.requests(), 2);
    let again = world.elsewhere().once("a").run(async |_| Err::<String, _>("has run")).await.expect("has run");
    assert!(again.is_replayed() && *again.answer() == answer);
    assert!(
        matches!(world.attribute("a", "data").await, Some(AttributeValue::B(bytes)) if bytes.as_ref().len() < 10_000)
    );

    // What is small stays as operators read it.
    world.records.once("b").run(async |_| Ok::<_, String>(7)).await.expect("runs");
    assert_eq!(world.attribute("b", "data").await, Some(AttributeValue::S("7".into())));
}

#[tokio::test]
async fn what_is_not_kept_is_completed_all_the_same() {
    let world = World::new().await;
    let mut random = fastrand::Rng::with_seed(7);
    let noise: String = std::iter::repeat_with(|| random.alphanumeric()).take(1_000_000).collect();
    let unkept = world.records.clone().large_answers(LargeAnswers::NotKept);
    for (key, records, answer) in [("noise", &world.records, &noise), ("unkept", &unkept, &"x".repeat(450_000))] {
        let ran = records.once(key).run(async |_| Ok::<_, String>(answer.clone())).await.expect("runs");
        assert!(!ran.is_replayed() && ran.answer() == answer);
        assert_eq!(kind(records.once(key).run(not_run).await), ErrorKind::Decode, "it doesn't run again");
        assert_eq!(world.attribute(key, "data").await, None);
    }
    // That it failed is stored, if not with what.
    let failed = unkept.once("failed").run_storing_failures(|_| true, async |_| Err::<u32, _>("x".repeat(450_000)));
    failed.await.expect_err("fails");
    assert_eq!(world.attribute("failed", "failure").await, Some(AttributeValue::Null(true)));
    let again = unkept.once("failed").run_storing_failures(|_| true, async |_| Ok::<u32, String>(7)).await;
    assert_eq!(kind(again), ErrorKind::Decode);
    assert_eq!(kind(unkept.once("failed").run(not_run).await), ErrorKind::Decode);
}

const KB: usize = 1024;

#[tokio::test]
async fn a_replay_from_the_cache_takes_no_request() {
    let world = World::new().await;
    let records = world.records.clone().cache(100 * KB);
    let ran = records.once("a").payload(&1).run(seven).await.expect("runs");
    assert_eq!(world.requests(), 2);
    // Clones share it.
    for records in [&records, &records.clone().namespace("")] {
        let again = records.once("a").payload(&1).run(not_run).await.expect("has run");
        assert_eq!((*again.answer(), again.is_replayed(), again.completed_at()), (7, true, ran.completed_at()));
    }
    assert_eq!(kind(records.once("a").payload(&2).run(not_run).await), ErrorKind::KeyReused);
    let text = records.once("a").run(async |_| Ok::<String, String>(String::new())).await;
    assert_eq!(kind(text), ErrorKind::Decode, "the answer was a number");
    assert_eq!(world.requests(), 2, "at hand");

    assert!(!records.clone().namespace("ann").once("a").run(seven).await.expect("is another").is_replayed());
    assert_eq!(kind(records.once("a").until(world.clock.after(0)).run(not_run).await), ErrorKind::Timeout);

    // What another process has run is at hand after the first replay.
    world.elsewhere().once("b").run(seven).await.expect("runs");
    let before = world.requests();
    for _ in 0..3 {
        assert!(records.once("b").run(not_run).await.expect("has run").is_replayed());
    }
    assert_eq!(world.requests() - before, 1);

    let fails = async |_: Context| Err::<u32, _>("for good".to_owned());
    records.once("c").run_storing_failures(|_| true, fails).await.expect_err("fails");
    let before = world.requests();
    let again = records.once("c").run_storing_failures(|_| true, async |_| Ok::<u32, String>(7)).await;
    assert!(matches!(again, Err(OnceError::FailedBefore(failure)) if failure == "for good"));
    assert_eq!(world.requests(), before, "final failures are at hand too");
}

#[tokio::test]
async fn nothing_is_served_from_the_cache_after_it_has_expired() {
    let world = World::new().await;
    let records = world.records.clone().cache(100 * KB);
    records.once("a").run(seven).await.expect("runs");
    world.clock.advance(24 * 3_600_000 - 1).await;
    assert!(records.once("a").run(not_run).await.expect("has run").is_replayed());
    assert_eq!(world.requests(), 2);
    world.clock.advance(1).await;
    let eight = async |_: Context| Ok::<u32, String>(8);
    assert!(!records.once("a").run(eight).await.expect("runs again").is_replayed());
    assert_eq!(*records.once("a").run(not_run).await.expect("has run").answer(), 8);
    assert_eq!(world.requests(), 4);
}

#[tokio::test]
async fn only_what_is_certainly_completed_is_at_hand() {
    let world = World::new().await;
    let records = world.records.clone().cache(100 * KB);
    records.once("failed").run(async |_| Err::<u32, _>("no")).await.expect_err("fails");
    assert!(!records.once("failed").run(seven).await.expect("runs").is_replayed());

    crash(world.elsewhere().once("runs")).await;
    assert_eq!(kind(records.once("runs").run(not_run).await), ErrorKind::InProgress);
    world.clock.advance(30_000).await;
    assert!(!records.once("runs").run(seven).await.expect("runs after the lease").is_replayed());

    let (begun, end, run) = spawn(records.once("taken"));
    begun.await.expect("begins");
    let other = async |_: Context| Ok::<_, String>(false);
    world.off_by(30_000).0.once("taken").run(other).await.expect("takes over, by its own clock");
    world.clock.advance(30_000).await;
    end.send(()).expect("is waited for");
    assert_eq!(kind(run.await.expect("didn't panic")), ErrorKind::Superseded);
    let answer = records.once("taken").run(async |_| Ok::<_, String>(true)).await.expect("has run");
    assert!(!answer.into_answer(), "the successor's answer stands");

    world.faults.on(Operation::UpdateItem).always().inject(Fault::lost_request());
    assert_eq!(kind(records.once("unknown").run(seven).await), ErrorKind::OutcomeUnknown);
    world.faults.stop();
    assert_eq!(kind(records.once("unknown").run(not_run).await), ErrorKind::InProgress);
}

#[tokio::test]
async fn no_more_is_kept_at_hand_than_was_said() {
    let world = World::new().await;
    let records = world.records.clone().cache(100 * KB);
    let ten_kb = async |_: Context| Ok::<_, String>("x".repeat(10 * KB));
    for key in 0..40 {
        records.once(key.to_string()).run(ten_kb).await.expect("runs");
    }
    let before = world.requests();
    // From the last on, so that what is taken in drops nothing that is still asked for.
    for key in (0..40).rev() {
        assert!(records.once(key.to_string()).run(ten_kb).await.expect("has run").is_replayed());
    }
    let at_hand = 40 - (world.requests() - before);
    assert!((5..=9).contains(&at_hand), "{at_hand} of 40");

    let large = async |_: Context| Ok::<_, String>("x".repeat(200 * KB));
    records.once("large").run(large).await.expect("runs");
    let before = world.requests();
    assert!(records.once("large").run(large).await.expect("has run").is_replayed());
    assert_eq!(world.requests() - before, 1, "it has no room");
    for nothing in [0, usize::MAX] {
        world.records.clone().cache(nothing).once("a").run(seven).await.expect("is answered");
    }
}

#[tokio::test]
async fn an_answer_is_not_shown_in_logs() {
    let world = World::new().await;
    let secret = async |_: Context| Ok::<_, String>("secret".to_owned());
    for replayed in [false, true] {
        let ran = world.records.once("a").run(secret).await.expect("runs");
        let shown = format!("{ran:?}");
        assert!(
            shown.starts_with(&format!("Ran {{ is_replayed: {replayed}, ")) && !shown.contains("secret"),
            "{shown}"
        );
    }
}

/// An amount that can't be read.
#[derive(Debug)]
struct Unreadable(ParseIntError);

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the amount can't be read")
    }
}

impl Error for Unreadable {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

#[tokio::test]
async fn an_error_and_its_causes_tell_each_text_once() {
    let told = |error: OnceError<Unreadable>| {
        let mut texts = vec![error.to_string()];
        texts.extend(std::iter::successors(error.source(), |&cause| cause.source()).map(ToString::to_string));
        texts
    };
    let unreadable = || Unreadable("ten".parse::<u8>().expect_err("is no number"));
    let cause = unreadable().0.to_string();
    let failed = [OnceError::Failed(unreadable()), OnceError::FailedBefore(unreadable())].map(told);
    assert_eq!(failed[0], ["the operation failed: the amount can't be read", &cause]);
    assert_eq!(failed[1], ["the operation has failed before: the amount can't be read", &cause]);

    let world = World::new().await;
    world.faults.on(Operation::UpdateItem).always().inject(Fault::lost_request());
    let not_stored = world.records.once("a").run(async |_| Ok::<_, Unreadable>(7)).await.expect_err("isn't stored");
    let texts = told(not_stored);
    assert!(
        texts[0].starts_with("the operation ran, and what it came to isn't stored: once in records: "),
        "{texts:?}"
    );
    for (text, cause) in texts.iter().zip(&texts[1..]) {
        assert!(!text.contains(cause.as_str()), "{texts:?}");
    }
}
