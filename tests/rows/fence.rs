//! The fence: what makes the refusal of a suspicious call final.

use dynamo_once::ErrorKind::{
    AlreadyExists, ConditionFailed, KeyReused, NotFound, OutcomeUnknown, Rejected, VersionConflict,
};
use dynamo_once::Outcome::Replayed;
use dynamo_once::testing::Reply;
use dynamo_once::{ErrorKind, RetryPolicy};

use crate::account::{Account, Verb};
use crate::peer::{BIRTH, HOUR, NIL, Play, Raw, Sent, Stored, id, number, stored};
use crate::refused::{altered, key_stamp};

/// Every refusal by the item that stands: the verb, the item, and the error.
fn refusals() -> Vec<(Verb, Raw, ErrorKind)> {
    let other_version = || stored().and("version", number(4));
    let tombstone = || stored().and("_wt", number(1));
    vec![
        (Verb::Insert, stored(), AlreadyExists),
        (Verb::Keyed, stored(), AlreadyExists),
        (Verb::Keyed, stored().and("_wk", id(7)), AlreadyExists),
        (Verb::UpsertNewer, stored().and("balance", number(20)), ConditionFailed),
        (Verb::UpdateWhen, stored().and("balance", number(5)), ConditionFailed),
        (Verb::UpdateAt, other_version(), VersionConflict),
        (Verb::UpdateAtVersion, other_version(), VersionConflict),
        (Verb::Save, other_version(), VersionConflict),
        (Verb::DeleteAt, other_version(), VersionConflict),
        (Verb::Update, tombstone(), NotFound),
        (Verb::UpdateAt, tombstone(), NotFound),
        (Verb::Save, tombstone(), NotFound),
        (Verb::DeleteAt, tombstone(), NotFound),
    ]
}

#[tokio::test(start_paused = true)]
async fn refusal_after_a_lost_reply_costs_one_fence() {
    for (verb, item, refusal) in refusals() {
        let before = item.clone().and("balance", number(77));
        let ended = Play::of(verb).lost().stands(|_| item).fence_finds(|_| before).ends(Err(refusal)).await;
        let [first, again, fence] = &ended.sent[..] else { panic!("three requests") };
        assert_eq!(first, again, "{verb}");
        assert!(fence.id > first.id && fence.lane == first.lane, "{verb}: a greater id on the same lane");
        assert_eq!(fence.body["ReturnValues"], "ALL_OLD", "{verb}");
        let (update, condition) = (fence.body["UpdateExpression"].to_string(), fence.condition());
        assert_eq!(update.matches(" = ").count(), 2, "{verb}: nothing but the lane is written: {update}");
        assert_eq!(condition.matches(" = ").count(), 1, "{verb}: the birth is the one seen: {condition}");
        assert!(fence.body["ExpressionAttributeValues"].to_string().contains(&base64(BIRTH)), "{verb}");
        let refused = ended.error();
        assert_eq!(refused.raw_current().expect("comes with it")["balance"], number(77), "{verb}: as it stands last");
        assert_eq!(refused.attempts(), 3, "{verb}");
    }
}

fn base64(birth: u128) -> String {
    aws_smithy_types::base64::encode(birth.to_be_bytes())
}

#[tokio::test(start_paused = true)]
async fn refusal_without_suspicion_costs_none() {
    for (verb, item, refusal) in refusals() {
        Play::of(verb).reply(Reply::throttled()).stands(|_| item).ends(Err(refusal)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn reused_key_after_a_lost_reply_costs_a_fence_too() {
    let reused = |sent: &[Sent]| stored().and("_wk", altered(key_stamp(sent), 15));
    Play::of(Verb::Keyed).lost().stands(reused).fence_finds(reused).ends(Err(KeyReused)).await;
}

#[tokio::test(start_paused = true)]
async fn reused_key_on_an_item_that_proves_nothing_is_no_refusal() {
    let later = |sent: &[Sent]| stored().born(sent[0].id + 1).and("_wk", altered(key_stamp(sent), 15));
    Play::of(Verb::Keyed).lost().stands(later).ends(Err(OutcomeUnknown)).await;
    let overrun = |sent: &[Sent]| {
        let reused = stored().and("_wk", altered(key_stamp(sent), 15));
        reused.lane(sent[0].lane, sent[0].id + 2, sent[0].id + 1)
    };
    Play::of(Verb::Keyed).lost().stands(overrun).ends(Err(OutcomeUnknown)).await;
}

#[tokio::test(start_paused = true)]
async fn write_that_arrives_before_the_fence_is_found_by_it() {
    for (verb, item, _) in refusals().into_iter().filter(|(verb, ..)| !verb.deletes()) {
        let ours = |sent: &[Sent]| stored().lane(sent[0].lane, sent[0].id, NIL);
        let written = Play::of(verb).lost().stands(|_| item).fence_finds(ours).ends(Ok(Replayed)).await.result;
        assert!(written.expect("is replayed").item().expect("is an account").is_some(), "{verb}");
    }
}

#[tokio::test(start_paused = true)]
async fn fence_that_finds_the_lane_overrun_leaves_the_outcome_unknown() {
    for (verb, item, _) in refusals() {
        let overrun = |sent: &[Sent]| stored().lane(sent[0].lane, sent[0].id + 2, sent[0].id + 1);
        Play::of(verb).lost().stands(|_| item).fence_finds(overrun).ends(Err(OutcomeUnknown)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn fence_without_an_item_leaves_the_outcome_unknown() {
    for (verb, item, _) in refusals() {
        let play = Play::of(verb).lost().stands(|_| item).fence(|_| Reply::condition_failed(None));
        play.ends(Err(OutcomeUnknown)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn fence_on_a_reborn_item_leaves_the_outcome_unknown() {
    for (verb, item, _) in refusals() {
        let reborn = |_: &[Sent]| stored().born(BIRTH + HOUR);
        Play::of(verb).lost().stands(|_| item).fence_fails(reborn).ends(Err(OutcomeUnknown)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn fence_on_an_item_whose_log_is_gone_leaves_the_outcome_unknown() {
    for (verb, item, _) in refusals() {
        let bare = |_: &[Sent]| crate::peer::foreign();
        Play::of(verb).lost().stands(|_| item).fence_fails(bare).ends(Err(OutcomeUnknown)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn fence_whose_reply_is_lost_is_sent_again_as_it_was() {
    for (verb, item, refusal) in refusals() {
        let fenced = {
            let item = item.clone();
            |sent: &[Sent]| item.lane(sent[2].lane, sent[2].id, NIL)
        };
        let play = Play::of(verb).lost().stands(|_| item).fence(|_| Reply::broken_connection()).fence_fails(fenced);
        let ended = play.ends(Err(refusal)).await;
        assert_eq!(ended.sent[2], ended.sent[3], "{verb}");
    }
}

#[tokio::test(start_paused = true)]
async fn fence_whose_reply_is_lost_still_tells_what_it_found() {
    for (verb, item, _) in refusals().into_iter().filter(|(verb, ..)| !verb.deletes()) {
        let ours = |sent: &[Sent]| stored().lane(sent[0].lane, sent[2].id, sent[0].id);
        let play = Play::of(verb).lost().stands(|_| item).fence(|_| Reply::broken_connection()).fence_fails(ours);
        play.ends(Ok(Replayed)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn fence_that_was_overrun_after_its_reply_was_lost_leaves_the_outcome_unknown() {
    for (verb, item, _) in refusals() {
        // Ours may have been in the lane before the fence came, and has been pushed out since.
        let overrun = |sent: &[Sent]| stored().lane(sent[0].lane, sent[2].id + 1, sent[2].id);
        let play = Play::of(verb).lost().stands(|_| item).fence(|_| Reply::broken_connection()).fence_fails(overrun);
        play.ends(Err(OutcomeUnknown)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn fence_behind_the_lane_is_sent_again_with_a_greater_id() {
    for (verb, item, refusal) in refusals() {
        let ahead = {
            let item = item.clone();
            |sent: &[Sent]| item.lane(sent[2].lane, sent[2].id + HOUR, NIL)
        };
        let before = {
            let item = item.clone();
            |sent: &[Sent]| item.lane(sent[2].lane, sent[2].id + HOUR, NIL)
        };
        let play = Play::of(verb).lost().stands(|_| item).fence_fails(ahead).fence_finds(before);
        let ended = play.ends(Err(refusal)).await;
        assert!(ended.sent[3].id > ended.sent[2].id + HOUR, "{verb}");
    }
}

#[tokio::test(start_paused = true)]
async fn fence_that_is_always_behind_the_lane_gives_up_as_unknown() {
    for (verb, item, _) in refusals() {
        let ahead = |sent: &[Sent]| {
            let last = &sent[sent.len() - 1];
            stored().lane(last.lane, last.id + 1, NIL)
        };
        let play = Play::of(verb).policy(RetryPolicy::new().max_conflicts(2)).lost().stands(|_| item);
        play.fence_fails(ahead).fence_fails(ahead).fence_fails(ahead).ends(Err(OutcomeUnknown)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn throttled_fence_is_sent_again() {
    for (verb, item, refusal) in refusals() {
        let before = item.clone();
        let play = Play::of(verb).lost().stands(|_| item).fence(|_| Reply::throttled());
        let ended = play.fence_finds(|_| before).ends(Err(refusal)).await;
        assert_eq!(ended.sent[2], ended.sent[3], "{verb}");
    }
}

#[tokio::test(start_paused = true)]
async fn fence_that_cannot_be_had_leaves_the_outcome_unknown() {
    let obstacles = [
        Reply::throttled(),
        Reply::connection_refused(),
        Reply::broken_connection(),
        Reply::error("AccessDeniedException"),
        Reply::error("ValidationException"),
        Reply::error("ResourceNotFoundException"),
    ];
    for (verb, item, _) in refusals() {
        for obstacle in &obstacles {
            let (item, obstacle) = (item.clone(), obstacle.clone());
            let play = Play::of(verb).policy(RetryPolicy::new().max_attempts(2)).lost().stands(|_| item);
            let unknown = play.fence(|_| obstacle).ends(Err(OutcomeUnknown)).await.error();
            assert!(std::error::Error::source(&unknown).is_some(), "{verb}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn fence_whose_answer_breaks_off_proves_nothing() {
    // It stands, but the item as it was before is not known. (For a delete too, whose success is that there is none.)
    let broken = || Reply::ok(serde_json::json!({ "Attributes": {} })).truncated();
    for (verb, item, _) in refusals() {
        let play = Play::of(verb).lost().stands(|_| item).fence(move |_| broken());
        play.ends(Err(OutcomeUnknown)).await;
    }
    let play = Play::of(Verb::Delete).lost().reply(Reply::error("ValidationException")).fence(move |_| broken());
    play.ends(Err(OutcomeUnknown)).await;
    let play = Play::of(Verb::Update).lost().reply(Reply::error("ValidationException")).fence_finds(|_| stored());
    play.ends(Err(Rejected)).await;
}

#[tokio::test(start_paused = true)]
async fn modify_after_a_lost_reply_fences_the_conflict_and_goes_on() {
    let conflict = |_: &[Sent]| stored().and("version", number(4)).and("balance", number(40));
    let newest = |_: &[Sent]| stored().and("version", number(5)).and("balance", number(50));
    let play = Play::of(Verb::Modify).lost().stands(conflict).fence_finds(newest).applied();
    let ended = play.ends(Ok(dynamo_once::Outcome::Applied)).await;
    assert!(
        ended.sent[3].body.to_string().contains(r#"{"N":"51"}"#),
        "the change is made on the item as it stands last"
    );
}

#[tokio::test(start_paused = true)]
async fn modify_whose_lost_write_arrives_before_the_fence_changes_nothing_twice() {
    let conflict = |_: &[Sent]| stored().and("version", number(2));
    let ours = |sent: &[Sent]| stored().and("version", number(4)).lane(sent[0].lane, sent[0].id, NIL);
    let written = Play::of(Verb::Modify).lost().stands(conflict).fence_finds(ours).ends(Ok(Replayed)).await.result;
    assert_eq!(written.expect("is replayed").version(), Some(4));
}

#[tokio::test(start_paused = true)]
async fn refused_insert_carries_the_item_as_its_type() {
    let play = Play::of(Verb::Insert).lost().stands(|_| stored()).fence_finds(|_| stored());
    let refused = play.ends(Err(AlreadyExists)).await.error();
    assert_eq!(refused.current::<Account>().expect("is an account").expect("as it stands").balance, 15);
}
