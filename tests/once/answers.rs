//! Answers that are too large for a record, and those that are at hand already.

use aws_sdk_dynamodb::types::AttributeValue;
use dynamo_once::{Context, ErrorKind, LargeAnswers};

use crate::world::{World, kind, not_run};

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
    let again = unkept.once("failed").run_storing_failures(|_| true, async |_| Ok::<u32, String>(7)).await;
    assert_eq!(kind(again), ErrorKind::Decode);
    assert_eq!(kind(unkept.once("failed").run(not_run).await), ErrorKind::Decode);
}
