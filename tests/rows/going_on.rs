//! The rows after which a call goes on: adoption of an item without a log, and a greater id.

use dynamo_once::ErrorKind::{ConditionFailed, Contention, OutcomeUnknown, VersionConflict};
use dynamo_once::Outcome::{Applied, Replayed};
use dynamo_once::{Limit, RetryPolicy};

use crate::account::Verb;
use crate::peer::{BIRTH, HOUR, NIL, Play, Sent, Stored, foreign, number, stored};

const ADOPTING: [Verb; 4] = [Verb::Upsert, Verb::UpsertNewer, Verb::Update, Verb::UpdateWhen];

#[tokio::test(start_paused = true)]
async fn item_without_a_log_is_adopted_with_the_second_request() {
    for verb in ADOPTING.into_iter().chain([Verb::Delete]) {
        for (version, made) in [(None, 1), (Some(7), 8)] {
            let item = version.map_or_else(foreign, |version| foreign().and("version", number(version)));
            let ended = Play::of(verb).stands(|_| item).applied().ends(Ok(Applied)).await;
            let adopting = &ended.sent[1];
            assert!(adopting.condition().contains("attribute_exists"), "{verb}: {}", adopting.condition());
            if !verb.deletes() {
                assert!(adopting.id > ended.sent[0].id, "a new id, which no foreign write can have come after");
                assert_eq!(ended.result.expect("is applied").version(), Some(made), "{verb}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn item_without_a_log_at_the_expected_bare_version_is_adopted() {
    let item = foreign().and("version", number(3));
    Play::of(Verb::UpdateAtVersion).stands(|_| item).applied().ends(Ok(Applied)).await;
    for item in [foreign(), foreign().and("version", number(4))] {
        Play::of(Verb::UpdateAtVersion).stands(|_| item).ends(Err(VersionConflict)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn save_of_an_item_read_without_a_log_adopts_with_one_request() {
    for verb in [Verb::Save, Verb::Modify] {
        let ended = Play::of(verb).reading(foreign()).applied().ends(Ok(Applied)).await;
        assert!(ended.sent[0].condition().contains("attribute_exists"), "{verb}: {}", ended.sent[0].condition());
        assert_eq!(ended.result.expect("is applied").version(), Some(1));
    }
}

#[tokio::test(start_paused = true)]
async fn save_of_an_item_read_without_a_log_conflicts_once_it_is_changed() {
    let changed = [
        foreign().and("balance", number(16)), // by a writer who counts no versions
        foreign().and("version", number(1)),  // by one who does
        stored().and("version", number(1)),   // by one who has adopted it
        stored().and("version", number(1)).born(NIL + 1),
    ];
    for item in changed {
        let conflict = Play::of(Verb::Save).reading(foreign()).stands(|_| item).ends(Err(VersionConflict)).await;
        assert!(conflict.error().raw_current().is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn condition_that_fails_while_adopting_is_refused() {
    let poor = || foreign().and("balance", number(5));
    Play::of(Verb::UpdateWhen).stands(move |_| poor()).stands(move |_| poor()).ends(Err(ConditionFailed)).await;
    let newer = || foreign().and("balance", number(30));
    Play::of(Verb::UpsertNewer).stands(move |_| newer()).stands(move |_| newer()).ends(Err(ConditionFailed)).await;
}

#[tokio::test(start_paused = true)]
async fn adoption_retried_after_lost_reply_reports_replayed() {
    for verb in ADOPTING {
        let adopted = |sent: &[Sent]| stored().born(sent[1].id).lane(sent[1].lane, sent[1].id, NIL);
        let play = Play::of(verb).stands(|_| foreign()).lost().stands(adopted);
        let written = play.ends(Ok(Replayed)).await.result.expect("is replayed");
        assert_eq!(written.version(), Some(1));
    }
    for verb in [Verb::Save, Verb::Modify] {
        let adopted = |sent: &[Sent]| stored().born(sent[0].id).lane(sent[0].lane, sent[0].id, NIL);
        Play::of(verb).reading(foreign()).lost().stands(adopted).ends(Ok(Replayed)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn adoption_with_a_lost_reply_on_an_item_adopted_by_another_goes_by_the_birth() {
    for verb in ADOPTING {
        // Adopted by a call that began before ours: its log would show our write, so ours was not applied, and goes on.
        Play::of(verb).stands(|_| foreign()).lost().stands(|_| stored()).applied().ends(Ok(Applied)).await;
        // Adopted by one that began after ours, which may have taken the place of the item that we wrote.
        let after = |sent: &[Sent]| stored().born(sent[1].id + 1);
        Play::of(verb).stands(|_| foreign()).lost().stands(after).ends(Err(OutcomeUnknown)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn item_adopted_by_another_meanwhile_is_written_as_a_managed_one() {
    for verb in ADOPTING {
        Play::of(verb).stands(|_| foreign()).stands(|_| stored()).applied().ends(Ok(Applied)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn greater_id_on_the_lane_is_answered_with_a_greater_one() {
    for verb in Verb::ALL.into_iter().filter(|verb| !verb.inserts()) {
        let ahead = |sent: &[Sent]| stored().lane(sent[0].lane, sent[0].id + HOUR, NIL);
        let ended = Play::of(verb).stands(ahead).applied().ends(Ok(Applied)).await;
        let [first, second] = &ended.sent[..] else { panic!("two writes") };
        assert!(second.id > first.id + HOUR, "{verb}");
        assert_eq!((second.lane, &second.operation), (first.lane, &first.operation), "{verb}");
    }
}

#[tokio::test(start_paused = true)]
async fn birth_greater_than_the_id_is_answered_with_a_greater_id() {
    for verb in ADOPTING.into_iter().chain([Verb::UpdateAtVersion, Verb::Delete]) {
        let ahead = |sent: &[Sent]| stored().born(sent[0].id + HOUR);
        let ended = Play::of(verb).stands(ahead).applied().ends(Ok(Applied)).await;
        assert!(ended.sent[1].id > ended.sent[0].id + HOUR, "{verb}");
    }
}

#[tokio::test(start_paused = true)]
async fn suspicious_call_goes_on_too_where_the_lane_proves_it_absent() {
    for verb in Verb::ALL.into_iter().filter(|verb| !verb.inserts()) {
        // The lane is not full, or what left it is older than our id.
        for older in [NIL, BIRTH + 1] {
            let ahead = move |sent: &[Sent]| stored().lane(sent[0].lane, sent[0].id + 1, older);
            let ended = Play::of(verb).lost().stands(ahead).applied().ends(Ok(Applied)).await;
            assert!(ended.sent[2].id > ended.sent[0].id + 1, "{verb}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn earlier_id_of_the_call_is_still_its_own() {
    for verb in Verb::ALL.into_iter().filter(|verb| !verb.inserts() && !verb.deletes()) {
        let ahead = |sent: &[Sent]| stored().lane(sent[0].lane, sent[0].id + 1, NIL);
        let first = |sent: &[Sent]| stored().lane(sent[0].lane, sent[0].id + 1, sent[0].id);
        Play::of(verb).lost().stands(ahead).stands(first).ends(Ok(Replayed)).await;
        let second = |sent: &[Sent]| stored().lane(sent[0].lane, sent[2].id, sent[0].id + 1);
        Play::of(verb)
            .stands(ahead)
            .reply(dynamo_once::testing::Reply::throttled())
            .stands(second)
            .ends(Ok(Replayed))
            .await;
    }
}

#[tokio::test(start_paused = true)]
async fn lane_that_is_always_ahead_ends_in_contention() {
    for verb in [Verb::Upsert, Verb::Update, Verb::UpdateAt, Verb::Save, Verb::Delete] {
        let ahead = |sent: &[Sent]| {
            let last = &sent[sent.len() - 1];
            stored().lane(last.lane, last.id + 1, NIL)
        };
        let play = Play::of(verb).policy(RetryPolicy::new().max_conflicts(2));
        let contended = play.stands(ahead).stands(ahead).stands(ahead).ends(Err(Contention)).await.error();
        assert_eq!(contended.limit(), Some(Limit::Conflicts), "{verb}");
    }
}

#[tokio::test(start_paused = true)]
async fn suspicious_call_that_takes_a_greater_id_keeps_to_the_item_that_it_saw() {
    for verb in [Verb::Upsert, Verb::Update, Verb::UpdateAtVersion, Verb::Delete] {
        let ahead = |sent: &[Sent]| stored().lane(sent[0].lane, sent[0].id + 1, NIL);
        let ended = Play::of(verb).lost().stands(ahead).applied().ends(Ok(Applied)).await;
        let (again, renewed) = (&ended.sent[1], &ended.sent[2]);
        assert!(renewed.id > again.id, "{verb}");
        let values = renewed.body["ExpressionAttributeValues"].to_string();
        assert!(
            values.contains(&aws_smithy_types::base64::encode(BIRTH.to_be_bytes())),
            "{verb}: the birth seen: {values}"
        );

        // Where that item is gone, the lesser id may come after all.
        if verb != Verb::Delete {
            Play::of(verb).lost().stands(ahead).none_stands().ends(Err(OutcomeUnknown)).await;
        }
        let reborn = |_: &[Sent]| stored().born(BIRTH - 1);
        Play::of(verb).lost().stands(ahead).stands(reborn).ends(Err(OutcomeUnknown)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn modify_that_always_loses_ends_in_contention() {
    let play = Play::of(Verb::Modify).policy(RetryPolicy::new().max_conflicts(2).jitter_seed(1));
    let version = |version: u32| move |_: &[Sent]| stored().and("version", number(version));
    let contended = play.stands(version(4)).stands(version(5)).stands(version(6)).ends(Err(Contention)).await.error();
    assert_eq!((contended.limit(), contended.attempts()), (Some(Limit::Conflicts), 4), "the read is one of them");
}

#[tokio::test(start_paused = true)]
async fn id_that_none_can_follow_is_refused_in_words() {
    // The last millisecond of this format.
    let last = 0xFEFF_FFFF_FFFF_7FFF_BFFF_FFFF_FFFF_FFFF;
    let end = move |sent: &[Sent]| stored().lane(sent[0].lane, last, NIL);
    let refused = Play::of(Verb::Update).stands(end).ends(Err(dynamo_once::ErrorKind::Malformed)).await.error();
    assert!(refused.to_string().contains("far future"), "{refused}");
}
