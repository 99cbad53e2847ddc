//! Each kind of fault, for an insert and for an update: how the call ends, what was sent, and what is in the table.

use std::time::Duration;

use dynamo_once::ErrorKind::{Contention, OutcomeUnknown, Throttled, Unreachable};
use dynamo_once::Outcome::{Applied, Replayed};
use dynamo_once::testing::{Arrival, Fault, Operation, Reply};
use dynamo_once::{Outcome, RetryPolicy};

use crate::account::{End, Verb};
use crate::world::{World, ok, sleep};

/// Every fault that one re-send heals: with how the call ends, and how many requests it takes.
fn healing() -> Vec<(Fault, Outcome, usize)> {
    let second = Duration::from_secs(1);
    vec![
        (Fault::connection_refused(), Applied, 2),
        (Fault::lost_request(), Applied, 2),
        (Fault::lost_reply(), Replayed, 2),
        (Fault::hang(), Applied, 2),
        (Fault::hang().applied(), Replayed, 2),
        (Fault::late(Arrival::OnCommand), Applied, 2),
        (Fault::late(Arrival::AfterNext), Applied, 2),
        (Fault::late(Arrival::After(second)), Applied, 2),
        (Fault::late(Arrival::After(second)).hanging(), Replayed, 2),
        // The caller sees the second execution only, which failed its condition.
        (Fault::duplicate(), Replayed, 1),
        (Fault::duplicate_after(1), Applied, 1),
        (Fault::internal_error(), Applied, 2),
        (Fault::internal_error().applied(), Replayed, 2),
        (Fault::unavailable(), Applied, 2),
        (Fault::unavailable().applied(), Replayed, 2),
        (Fault::throughput_exceeded(), Applied, 2),
        (Fault::throttled(), Applied, 2),
        (Fault::truncated_reply(), Applied, 1),
        (Fault::transaction_conflict(), Applied, 2),
        (Fault::slow_reply(second), Applied, 1),
        // Longer than an attempt may take.
        (Fault::slow_reply(second * 60), Replayed, 2),
        (Fault::reply(Reply::raw(502, "<html>bad gateway</html>")), Applied, 2),
        (Fault::reply(Reply::raw(429, "")).applied(), Replayed, 2),
    ]
}

fn once(verb: Verb) -> Option<(i64, u64)> {
    match verb {
        Verb::Insert | Verb::Keyed => Some((20, 1)),
        Verb::Update | Verb::UpdateWhen | Verb::Modify => Some((11, 2)),
        Verb::Delete => None,
        _ => Some((20, 2)),
    }
}

const VERBS: [Verb; 9] = [
    Verb::Insert,
    Verb::Keyed,
    Verb::Update,
    Verb::UpdateWhen,
    Verb::Upsert,
    Verb::UpsertNewer,
    Verb::Save,
    Verb::Modify,
    Verb::Delete,
];

async fn world_for(verb: Verb) -> World {
    if verb.inserts() { World::new().await } else { World::with_item().await }
}

#[tokio::test(start_paused = true)]
async fn every_fault_that_a_resend_heals_leaves_one_effect() {
    for verb in VERBS {
        for (fault, outcome, requests) in healing() {
            let world = world_for(verb).await;
            world.faults.on(verb.operation()).inject(fault.clone());
            let written = ok(verb.call(&world.accounts).await, &world.faults);
            let expected = if verb.deletes() { Applied } else { outcome };
            assert_eq!(written.outcome(), expected, "{verb}, {fault}\n{}", world.faults.log());
            assert_eq!(world.faults.received(verb.operation()), requests, "{verb}, {fault}\n{}", world.faults.log());
            assert_eq!(world.state().await, once(verb), "{verb}, {fault}\n{}", world.faults.log());

            // What is still on its way changes nothing any more.
            sleep(Duration::from_secs(2)).await;
            world.faults.deliver_late().await;
            assert_eq!(world.state().await, once(verb), "{verb}, {fault}, late\n{}", world.faults.log());
            assert_eq!(world.faults.held_back(), 0);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn any_two_faults_in_a_row_leave_one_effect() {
    let others = [
        Fault::lost_reply(),
        Fault::internal_error(),
        Fault::duplicate(),
        Fault::late(Arrival::OnCommand),
        Fault::throttled(),
    ];
    for verb in [Verb::Insert, Verb::Update] {
        for (fault, ..) in healing() {
            for other in &others {
                let world = world_for(verb).await;
                world.faults.on(verb.operation()).inject(fault.clone());
                world.faults.on(verb.operation()).inject(other.clone());
                ok(verb.call(&world.accounts).await, &world.faults);
                sleep(Duration::from_secs(2)).await;
                world.faults.deliver_late().await;
                assert_eq!(world.state().await, once(verb), "{verb}, {fault}, {other}\n{}", world.faults.log());
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn fault_that_does_not_end_is_reported_for_what_it_proves() {
    let unknown = OutcomeUnknown;
    let lasting = [
        (Fault::connection_refused(), Unreachable),
        (Fault::lost_request(), unknown),
        (Fault::hang(), unknown),
        (Fault::late(Arrival::OnCommand), unknown),
        (Fault::internal_error(), unknown),
        (Fault::unavailable(), unknown),
        (Fault::throughput_exceeded(), Throttled),
        (Fault::throttled(), Throttled),
        (Fault::transaction_conflict(), Contention),
    ];
    for verb in VERBS.into_iter().filter(|verb| !verb.reads()) {
        for (fault, kind) in lasting.clone() {
            let world = world_for(verb).await;
            let before = world.state().await;
            world.faults.on(verb.operation()).always().inject(fault.clone());
            let accounts = world.another(RetryPolicy::new().max_attempts(3).max_conflicts(2));
            let error = verb.call(&accounts).await.unwrap_err();
            assert_eq!(error.kind(), kind, "{verb}, {fault}\n{}", world.faults.log());
            assert_eq!(world.sent().len(), 3, "{verb}, {fault}\n{}", world.faults.log());
            assert!(error.limit().is_some(), "{verb}, {fault}");
            assert_eq!(world.state().await, before, "{verb}, {fault}");
            // Whatever "unknown" comes to, it comes to it once.
            let late = world.faults.deliver_late().await;
            let after = world.state().await;
            assert_eq!(after, if late > 0 { once(verb) } else { before }, "{verb}, {fault}\n{}", world.faults.log());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn applied_write_that_is_never_answered_is_unknown_and_there_once() {
    let lasting = [Fault::lost_reply(), Fault::hang().applied(), Fault::internal_error().applied()];
    for verb in VERBS {
        for fault in lasting.clone() {
            let world = world_for(verb).await;
            world.faults.on(verb.operation()).always().inject(fault.clone());
            let accounts = world.another(RetryPolicy::new().max_attempts(3));
            let error = verb.call(&accounts).await.unwrap_err();
            assert!(error.is_outcome_unknown(), "{verb}, {fault}: {error:?}");
            assert_eq!(world.state().await, once(verb), "{verb}, {fault}\n{}", world.faults.log());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn transaction_in_progress_ends_a_write_that_is_none() {
    for verb in VERBS {
        let world = world_for(verb).await;
        world.faults.on(verb.operation()).inject(Fault::transaction_in_progress());
        let before = world.state().await;
        let end: End = verb.call(&world.accounts).await.map(|written| written.outcome()).map_err(|error| error.kind());
        assert_eq!(end, Err(dynamo_once::ErrorKind::Rejected), "{verb}");
        assert_eq!(world.state().await, before, "{verb}");
    }
}

#[tokio::test(start_paused = true)]
async fn condition_that_comes_true_before_a_lost_attempt_arrives_is_found_by_the_fence() {
    let f = crate::account::Account::FIELDS;
    // Each process has a home lane, drawn at random.
    let mut seen = [false; 2];
    while seen != [true; 2] {
        let world = World::with_item().await;
        world.faults.on(Operation::UpdateItem).inject(Fault::late(Arrival::OnCommand));
        // The answer to the second attempt takes its time: "not enough".
        world.faults.on(Operation::UpdateItem).inject(Fault::slow_reply(Duration::from_secs(2)));
        let withdraw = world.accounts.update("a").add(f.balance, -20).when(f.balance.ge(20)).send();
        let meanwhile = async {
            world.time_passes().await;
            ok(world.others.update("a").add(f.balance, 90).send().await, &world.faults);
            assert_eq!(world.faults.deliver_late().await, 1);
        };
        let others_lane = world.lanes().await[0];
        let (withdrawn, ()) = tokio::join!(withdraw, meanwhile);
        let same_lane = world.sent()[0].lane == others_lane;
        seen[usize::from(same_lane)] = true;
        if same_lane {
            // The other's greater id has shut the first attempt out.
            assert!(withdrawn.unwrap_err().is_condition_failed(), "{}", world.faults.log());
            assert_eq!(world.state().await, Some((100, 2)));
        } else {
            assert_eq!(ok(withdrawn, &world.faults).outcome(), Replayed, "{}", world.faults.log());
            assert_eq!(world.state().await, Some((80, 3)));
        }
        assert_eq!(world.sent().len(), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn refusal_behind_a_fence_stays_true_whatever_arrives_later() {
    let world = World::with_item().await;
    let f = crate::account::Account::FIELDS;
    world.faults.on(Operation::UpdateItem).inject(Fault::late(Arrival::OnCommand));
    let withdraw = world.accounts.update("a").add(f.balance, -20).when(f.balance.ge(20)).send();
    let refused = withdraw.await.unwrap_err();
    assert!(refused.is_condition_failed(), "{refused:?}");
    world.time_passes().await;
    ok(world.others.update("a").add(f.balance, 90).send().await, &world.faults);
    assert_eq!(world.faults.deliver_late().await, 1);
    assert_eq!(world.state().await, Some((100, 2)), "a fence counts no version\n{}", world.faults.log());
}
