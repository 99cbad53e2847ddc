//! The rows for a suspicious call: an attempt may have reached the table unanswered, and the identical re-send fails its
//! condition. Here those that decide without a fence; the others are in [`fence`](crate::fence).

use dynamo_once::ErrorKind::{Malformed, OutcomeUnknown};
use dynamo_once::Outcome::{Applied, Replayed};
use dynamo_once::testing::Reply;

use crate::account::{Account, Verb};
use crate::peer::{BIRTH, HOUR, NIL, Play, Raw, Sent, Stored, foreign, id, number, stored};
use crate::refused::key_stamp;

#[tokio::test(start_paused = true)]
async fn every_verb_sends_the_identical_request_again() {
    for verb in Verb::ALL {
        let ended = Play::of(verb).lost().lost().reply(Reply::internal_error()).applied().ends(Ok(Applied)).await;
        assert!(ended.sent.iter().all(|sent| *sent == ended.sent[0]), "{verb}");
    }
}

#[tokio::test(start_paused = true)]
async fn write_retried_after_lost_reply_reports_replayed() {
    for verb in Verb::ALL.into_iter().filter(|verb| !verb.deletes()) {
        let made = if verb.inserts() { 1 } else { 4 };
        let ours = move |sent: &[Sent]| {
            let birth = if verb.inserts() { sent[0].id } else { BIRTH };
            stored().born(birth).and("version", number(made)).lane(sent[0].lane, sent[0].id, NIL)
        };
        let written = Play::of(verb).lost().stands(ours).ends(Ok(Replayed)).await.result.expect("is replayed");
        let told = written.version();
        assert_eq!(told, (verb.inserts() || verb.at_version()).then_some(made), "{verb}");
        assert!(written.item().expect("is an account").is_some(), "{verb}");
    }
}

#[tokio::test(start_paused = true)]
async fn write_followed_by_another_on_its_lane_reports_replayed() {
    for verb in Verb::ALL.into_iter().filter(|verb| !verb.deletes()) {
        let followed =
            |sent: &[Sent]| stored().and("version", number(9)).lane(sent[0].lane, sent[0].id + 1, sent[0].id);
        let written = Play::of(verb).lost().stands(followed).ends(Ok(Replayed)).await.result.expect("is replayed");
        assert_eq!(written.version(), expected_version(verb), "{verb}");
    }
}

/// The version that a replay made, told from what the verb expected and not from the item as it stands.
fn expected_version(verb: Verb) -> Option<u64> {
    match verb {
        _ if verb.inserts() => None,
        _ if verb.at_version() => Some(4),
        _ => None,
    }
}

#[tokio::test(start_paused = true)]
async fn upsert_that_made_the_item_reports_replayed_at_version_one() {
    for verb in [Verb::Upsert, Verb::UpsertNewer] {
        let ours = |sent: &[Sent]| stored().born(sent[0].id).lane(sent[0].lane, sent[0].id, NIL);
        let written = Play::of(verb).lost().stands(ours).ends(Ok(Replayed)).await.result.expect("is replayed");
        assert_eq!(written.version(), Some(1));
    }
}

#[tokio::test(start_paused = true)]
async fn keyed_insert_recognises_its_key_also_without_its_id() {
    let ours = |sent: &[Sent]| stored().and("_wk", key_stamp(sent));
    Play::of(Verb::Keyed).lost().stands(ours).ends(Ok(Replayed)).await;
    let reborn = |sent: &[Sent]| stored().born(sent[0].id + HOUR).and("_wk", key_stamp(sent));
    Play::of(Verb::Keyed).lost().stands(reborn).ends(Ok(Replayed)).await;
}

#[tokio::test(start_paused = true)]
async fn without_an_item_the_outcome_is_unknown() {
    for verb in Verb::ALL.into_iter().filter(|verb| *verb != Verb::Delete) {
        let unknown = Play::of(verb).lost().none_stands().ends(Err(OutcomeUnknown)).await.error();
        assert!(unknown.write_id().is_some() && unknown.attempts() == 2 + verb.reads_first(), "{verb}: {unknown:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn delete_without_an_item_is_done() {
    Play::of(Verb::Delete).lost().none_stands().ends(Ok(Applied)).await;
}

#[tokio::test(start_paused = true)]
async fn log_of_another_format_leaves_the_outcome_unknown() {
    let later_format = stored().born(BIRTH | 0xFF << 120);
    let leftover = foreign().and("_w3", id(BIRTH));
    for verb in Verb::ALL {
        for item in [&later_format, &leftover] {
            let item = item.clone();
            Play::of(verb).lost().stands(|_| item).ends(Err(OutcomeUnknown)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn item_without_a_log_leaves_the_outcome_unknown() {
    for verb in Verb::ALL {
        for item in [foreign(), foreign().and("version", number(3))] {
            let unknown = Play::of(verb).lost().stands(|_| item).ends(Err(OutcomeUnknown)).await.error();
            assert_eq!(unknown.current::<Account>().expect("is an account").expect("as it stands").balance, 15);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn item_born_after_the_call_leaves_the_outcome_unknown() {
    for verb in Verb::ALL {
        let reborn = |sent: &[Sent]| stored().born(sent[0].id + 1);
        Play::of(verb).lost().stands(reborn).ends(Err(OutcomeUnknown)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn item_of_another_birth_than_expected_leaves_the_outcome_unknown() {
    for verb in Verb::ALL.into_iter().filter(|verb| verb.at_birth()) {
        for birth in [BIRTH - HOUR, BIRTH + HOUR] {
            Play::of(verb).lost().stands(move |_| stored().born(birth)).ends(Err(OutcomeUnknown)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn lane_that_may_have_lost_the_id_leaves_the_outcome_unknown() {
    for verb in Verb::ALL {
        let pushed_out = |sent: &[Sent]| stored().lane(sent[0].lane, sent[0].id + 2, sent[0].id + 1);
        Play::of(verb).lost().stands(pushed_out).ends(Err(OutcomeUnknown)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn birth_learned_on_the_way_is_held_against_the_item_later() {
    // The first attempt learns the item's birth, the second is lost, and then another item stands under the key.
    for verb in [Verb::Upsert, Verb::Update] {
        let ahead = |sent: &[Sent]| stored().lane(sent[0].lane, sent[0].id + 1, NIL);
        let other = |_: &[Sent]| stored().born(BIRTH + HOUR);
        Play::of(verb).stands(ahead).lost().stands(other).ends(Err(OutcomeUnknown)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn every_kind_of_silence_makes_a_call_suspicious() {
    let silences = [
        Reply::broken_connection(),
        Reply::hang(),
        Reply::internal_error(),
        Reply::unavailable(),
        Reply::internal_error().truncated(),
        Reply::condition_failed(None).truncated(),
        Reply::error("RequestTimeout").status(408),
        Reply::raw(502, "<html>bad gateway</html>"),
        Reply::condition_failed(None).status(500),
    ];
    for silence in silences {
        Play::of(Verb::Update).reply(silence).none_stands().ends(Err(OutcomeUnknown)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_proves_that_nothing_was_executed_makes_no_call_suspicious() {
    let proofs = [
        Reply::connection_refused(),
        Reply::throttled(),
        Reply::throughput_exceeded(),
        Reply::transaction_conflict(),
        Reply::error("RequestLimitExceeded"),
    ];
    for proof in proofs {
        let refused = Play::of(Verb::Update).reply(proof).none_stands();
        refused.ends(Err(dynamo_once::ErrorKind::NotFound)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn broken_success_with_a_request_id_is_applied() {
    for verb in Verb::ALL {
        let broken = Reply::ok(serde_json::json!({ "Attributes": { "balance": { "N": "20" } } })).truncated();
        let written = Play::of(verb).reply(broken).ends(Ok(Applied)).await.result.expect("is applied");
        assert!(written.item().expect("nothing to read").is_none());
        let fixed = match verb {
            Verb::DeleteAt => None,
            _ if verb.inserts() => Some(1),
            _ if verb.at_version() => Some(4),
            _ => None,
        };
        assert_eq!(written.version(), fixed, "{verb}: told by what the write expected");
    }
}

#[tokio::test(start_paused = true)]
async fn without_an_answer_to_any_attempt_the_outcome_is_unknown() {
    for verb in Verb::ALL {
        let silent = (0..8).fold(Play::of(verb), |play, _| play.lost());
        let unknown = silent.ends(Err(OutcomeUnknown)).await.error();
        assert_eq!(
            (unknown.attempts(), unknown.limit()),
            (8 + verb.reads_first(), Some(dynamo_once::Limit::Attempts)),
            "{verb}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn version_that_cannot_be_counted_up_is_refused_behind_a_fence() {
    let nonsense: fn(&[Sent]) -> Raw = |_| stored().and("version", number(i64::MAX));
    for verb in [Verb::Upsert, Verb::Update, Verb::Delete] {
        Play::of(verb).lost().stands(nonsense).fence_finds(nonsense).ends(Err(Malformed)).await;
    }
}
