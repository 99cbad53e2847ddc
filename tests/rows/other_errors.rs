//! Errors other than a failed condition. One ends a call for good; what it proves depends on the attempts before it.

use std::time::Duration;

use dynamo_once::ErrorKind::{
    AccessDenied, Contention, Credentials, OutcomeUnknown, Rejected, TableNotFound, Throttled, Unreachable,
};
use dynamo_once::Outcome::{Applied, Replayed};
use dynamo_once::testing::Reply;
use dynamo_once::{ErrorKind, Limit, RetryPolicy};

use crate::account::Verb;
use crate::peer::{BIRTH, NIL, Play, Sent, Stored, foreign, stored};

fn final_errors() -> Vec<(Reply, ErrorKind)> {
    vec![
        (Reply::error("ValidationException"), Rejected),
        (Reply::error("ItemCollectionSizeLimitExceededException"), Rejected),
        (Reply::error("AccessDeniedException"), AccessDenied),
        (Reply::error("ExpiredTokenException"), Credentials),
        (Reply::error("UnrecognizedClientException"), Credentials),
        (Reply::error("ResourceNotFoundException"), TableNotFound),
    ]
}

#[tokio::test(start_paused = true)]
async fn error_that_ends_a_call_without_doubt_is_reported_as_it_is() {
    for verb in Verb::ALL {
        for (reply, kind) in final_errors() {
            let error = Play::of(verb).reply(reply).ends(Err(kind)).await.error();
            assert!(error.code().is_some() && error.attempts() == 1 + verb.reads_first(), "{verb}: {error:?}");
            assert!(error.write_id().is_some() && error.limit().is_none(), "{verb}: {error:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn error_that_ends_a_suspicious_call_is_reported_once_a_fence_stands() {
    for verb in Verb::ALL {
        for (reply, kind) in final_errors() {
            let ended = Play::of(verb).lost().reply(reply).fence_finds(|_| stored()).ends(Err(kind)).await;
            let [first, _, fence] = &ended.sent[..] else { panic!("three requests") };
            assert!(fence.id > first.id && fence.lane == first.lane, "{verb}");
            assert_eq!(fence.condition().contains(" = "), verb.at_birth(), "{verb}: the birth, where it is known");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn fence_after_another_error_finds_a_write_that_was_applied() {
    for verb in Verb::ALL.into_iter().filter(|verb| !verb.deletes()) {
        let ours = |sent: &[Sent]| stored().lane(sent[0].lane, sent[0].id, NIL);
        let play = Play::of(verb).lost().reply(Reply::error("AccessDeniedException")).fence_finds(ours);
        play.ends(Ok(Replayed)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn error_that_ends_a_suspicious_call_without_an_item_leaves_the_outcome_unknown() {
    for verb in Verb::ALL {
        let play = Play::of(verb).lost().reply(Reply::error("ValidationException"));
        let play = play.fence(|_| Reply::condition_failed(None));
        if verb == Verb::Delete {
            play.ends(Ok(Applied)).await;
            continue;
        }
        let unknown = play.ends(Err(OutcomeUnknown)).await.error();
        assert!(std::error::Error::source(&unknown).is_some(), "{verb}: says why it ended");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_fence_meets_on_its_way_is_not_why_the_call_ended() {
    for verb in Verb::ALL {
        let rejected = || Play::of(verb).lost().reply(Reply::error("ValidationException"));
        let play = rejected().fence(|_| Reply::throttled()).fence(|_| Reply::broken_connection());
        let error = play.fence_finds(|_| stored()).ends(Err(Rejected)).await.error();
        assert_eq!(error.code(), Some("ValidationException"), "{verb}");

        let play = rejected().fence(|_| Reply::error("AccessDeniedException"));
        let unknown = play.ends(Err(OutcomeUnknown)).await.error();
        let source = std::error::Error::source(&unknown).and_then(|source| source.downcast_ref::<dynamo_once::Error>());
        assert_eq!(source.expect("says why").kind(), AccessDenied, "{verb}: a fence needs to be allowed to");
    }
}

#[tokio::test(start_paused = true)]
async fn fence_after_another_error_proves_nothing_by_an_item_that_is_not_the_one() {
    for verb in Verb::ALL {
        let play = || Play::of(verb).lost().reply(Reply::error("ValidationException"));
        play().fence_fails(|_| foreign()).ends(Err(OutcomeUnknown)).await;
        play().fence_finds(|sent| stored().born(sent[0].id + 1)).ends(Err(OutcomeUnknown)).await;
        let overrun = |sent: &[Sent]| stored().lane(sent[0].lane, sent[0].id + 2, sent[0].id + 1);
        play().fence_finds(overrun).ends(Err(OutcomeUnknown)).await;
        if verb.at_birth() {
            play().fence_fails(|_| stored().born(BIRTH - 1)).ends(Err(OutcomeUnknown)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn throttling_up_to_the_last_attempt_is_reported_as_such() {
    for verb in Verb::ALL {
        let throttled = (0..8).fold(Play::of(verb), |play, _| play.reply(Reply::throttled()));
        let error = throttled.ends(Err(Throttled)).await.error();
        assert_eq!((error.attempts(), error.limit()), (8 + verb.reads_first(), Some(Limit::Attempts)), "{verb}");
    }
}

#[tokio::test(start_paused = true)]
async fn throttling_until_the_budget_is_spent_is_reported_as_such() {
    let play = Play::of(Verb::Update).policy(RetryPolicy::new().budget(12));
    let error = play.reply(Reply::throttled()).reply(Reply::throttled()).reply(Reply::throughput_exceeded());
    assert_eq!(error.ends(Err(Throttled)).await.error().limit(), Some(Limit::Budget));
}

#[tokio::test(start_paused = true)]
async fn throttling_that_ends_a_suspicious_call_is_fenced() {
    for verb in Verb::ALL {
        let play = || {
            let play = Play::of(verb).policy(RetryPolicy::new().max_attempts(3));
            play.lost().reply(Reply::throttled()).reply(Reply::throttled())
        };
        let error = play().fence_finds(|_| stored()).ends(Err(Throttled)).await.error();
        assert_eq!((error.attempts(), error.limit()), (4 + verb.reads_first(), Some(Limit::Attempts)), "{verb}");
        play().fence(|_| Reply::throttled()).ends(Err(OutcomeUnknown)).await;
    }
    let spent = Play::of(Verb::Insert).policy(RetryPolicy::new().budget(10)).lost().reply(Reply::throttled());
    let error = spent.fence_finds(|_| stored()).ends(Err(Throttled)).await.error();
    assert_eq!(error.limit(), Some(Limit::Budget));
}

#[tokio::test(start_paused = true)]
async fn connection_that_never_comes_about_is_reported_as_such() {
    for verb in Verb::ALL {
        let play = Play::of(verb).policy(RetryPolicy::new().max_attempts(2));
        let refused = play.reply(Reply::connection_refused()).reply(Reply::connection_refused());
        refused.ends(Err(Unreachable)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn transaction_in_the_way_is_waited_for_and_counts_as_a_conflict() {
    let conflict = Reply::transaction_conflict;
    for verb in Verb::ALL {
        Play::of(verb).reply(conflict()).reply(conflict()).applied().ends(Ok(Applied)).await;
        let play = Play::of(verb).policy(RetryPolicy::new().max_conflicts(1));
        let error = play.reply(conflict()).reply(conflict()).ends(Err(Contention)).await.error();
        assert_eq!(error.limit(), Some(Limit::Conflicts), "{verb}");
    }
}

#[tokio::test(start_paused = true)]
async fn deadline_leaves_a_suspicious_call_unknown_and_another_not_applied() {
    let policy = || RetryPolicy::new().operation_timeout(Duration::from_secs(1));
    let slowly = |reply: Reply| reply.after(Duration::from_millis(990));
    for verb in Verb::ALL {
        let hanging = Play::of(verb).policy(policy()).reply(Reply::hang());
        let unknown = hanging.ends(Err(OutcomeUnknown)).await.error();
        assert_eq!(unknown.limit(), Some(Limit::Deadline), "{verb}");

        let throttled = Play::of(verb).policy(policy().initial_backoff(Duration::from_secs(60)).jitter_seed(1));
        let error = throttled.reply(slowly(Reply::throttled())).ends(Err(Throttled)).await.error();
        assert_eq!(error.limit(), Some(Limit::Deadline), "{verb}");
    }
}

#[tokio::test(start_paused = true)]
async fn deadline_that_leaves_no_time_for_the_fence_leaves_the_outcome_unknown() {
    let policy = RetryPolicy::new().operation_timeout(Duration::from_secs(1)).initial_backoff(Duration::from_millis(1));
    let play = Play::of(Verb::Insert).policy(policy).lost();
    let late = play.stands(|_| stored()).fence(|_| Reply::hang()).ends(Err(OutcomeUnknown)).await.error();
    assert_eq!(late.limit(), Some(Limit::Deadline));
}
