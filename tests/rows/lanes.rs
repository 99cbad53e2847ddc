//! Which lanes the calls of one process take, as the requests show.

use std::collections::BTreeSet;
use std::time::Duration;

use dynamo_once::RetryPolicy;
use dynamo_once::testing::{Fault, Operation};
use tokio::task::JoinSet;

use crate::account::{Account, account};
use crate::world::{World, ok, sleep};

const SECOND: Duration = Duration::from_secs(1);

fn lanes_sent(world: &World) -> Vec<usize> {
    world.sent().iter().map(|sent| sent.lane).collect()
}

/// So many calls at a time, each of which adds 1.
fn concurrent_updates(world: &World, calls: usize) -> JoinSet<Result<u64, dynamo_once::Error>> {
    let mut set = JoinSet::new();
    for _ in 0..calls {
        let accounts = world.accounts.clone();
        set.spawn(async move {
            let written = accounts.update("a").add(Account::FIELDS.balance, 1).send().await?;
            Ok(written.version().expect("is applied"))
        });
    }
    set
}

#[tokio::test(start_paused = true)]
async fn eight_calls_share_an_item_and_the_ninth_waits() {
    let world = World::with_item().await;
    world.faults.on(Operation::UpdateItem).times(8).inject(Fault::slow_reply(2 * SECOND));
    let calls = concurrent_updates(&world, 9);
    sleep(SECOND).await;
    let lanes = lanes_sent(&world);
    assert_eq!((lanes.len(), lanes.iter().collect::<BTreeSet<_>>().len()), (8, 8), "{lanes:?}");

    let mut versions: Vec<_> = calls.join_all().await.into_iter().map(|result| ok(result, &world.faults)).collect();
    versions.sort_unstable();
    assert_eq!(versions, Vec::from_iter(2..=10));
    assert_eq!(world.sent().len(), 9);
    assert_eq!(lanes_sent(&world)[8], lanes[0], "the lane that was free first");
    assert_eq!(world.state().await, Some((19, 10)));
}

#[tokio::test(start_paused = true)]
async fn many_calls_take_turns_without_a_conflict() {
    let world = World::with_item().await;
    let results = concurrent_updates(&world, 60).join_all().await;
    let versions: BTreeSet<_> = results.into_iter().map(|result| ok(result, &world.faults)).collect();
    assert_eq!(versions, (2..=61).collect());
    assert_eq!((world.sent().len(), world.state().await), (60, Some((70, 61))));
}

#[tokio::test(start_paused = true)]
async fn many_calls_with_every_first_reply_lost_are_all_recognised() {
    let world = World::with_item().await;
    let seen = std::sync::Mutex::new(std::collections::HashSet::new());
    let first = move |request: &dynamo_once::testing::Request| {
        seen.lock().expect("no test panics here").insert(request.body().to_string())
    };
    world.faults.on(Operation::UpdateItem).when(first).always().inject(Fault::lost_reply());
    let mut set = JoinSet::new();
    for _ in 0..60 {
        let accounts = world.accounts.clone();
        set.spawn(async move { accounts.update("a").add(Account::FIELDS.balance, 1).send().await });
    }
    for result in set.join_all().await {
        assert!(ok(result, &world.faults).is_replayed());
    }
    assert_eq!((world.sent().len(), world.state().await), (120, Some((70, 61))));
}

#[tokio::test(start_paused = true)]
async fn lone_writer_stays_on_one_lane() {
    let world = World::new().await;
    ok(world.accounts.insert(&account(1)).send().await, &world.faults);
    for _ in 0..5 {
        ok(world.accounts.update("a").add(Account::FIELDS.balance, 1).send().await, &world.faults);
    }
    ok(world.accounts.upsert(&account(9)).send().await, &world.faults);
    ok(world.accounts.modify("a", |account| account.balance += 1).send().await, &world.faults);
    let stored = world.stored().await.expect("is there");
    let stamp: BTreeSet<_> = stored.keys().filter(|name| name.starts_with("_w")).cloned().collect();
    let [home] = world.lanes().await[..] else { panic!("one lane: {stamp:?}") };
    assert_eq!(stamp, BTreeSet::from(["_wb".to_owned(), format!("_w{home}"), format!("_w{home}p")]));
    assert_eq!(world.state().await, Some((10, 8)));
}

#[tokio::test(start_paused = true)]
async fn process_prefers_the_same_lane_on_every_item() {
    let world = World::new().await;
    for id in ["a", "b", "c"] {
        ok(world.accounts.insert(&Account { id: id.into(), balance: 1 }).send().await, &world.faults);
    }
    assert_eq!(lanes_sent(&world).into_iter().collect::<BTreeSet<_>>().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn calls_that_meet_only_proofs_leave_their_lane_at_once() {
    let world = World::with_item().await;
    let f = Account::FIELDS;
    world.faults.on(Operation::UpdateItem).nth(2).inject(Fault::lost_reply());
    world.faults.on(Operation::UpdateItem).nth(4).inject(Fault::throttled());
    for _ in 0..3 {
        ok(world.accounts.update("a").add(f.balance, 1).send().await, &world.faults);
    }
    assert!(world.accounts.update("a").add(f.balance, 1).when(f.balance.lt(0)).send().await.is_err());
    ok(world.accounts.update("a").add(f.balance, 1).send().await, &world.faults);
    let lanes = lanes_sent(&world);
    assert!(lanes.iter().all(|lane| *lane == lanes[0]), "applied, replayed and refused: {lanes:?}");
}

#[tokio::test(start_paused = true)]
async fn lane_of_an_unknown_outcome_rests_until_its_attempts_cannot_arrive() {
    let world = World::with_item().await;
    let accounts = world.another(RetryPolicy::new().max_attempts(1));
    let add = || accounts.update("a").add(Account::FIELDS.balance, 1).send();
    world.faults.on(Operation::UpdateItem).inject(Fault::late(dynamo_once::testing::Arrival::OnCommand));
    assert!(add().await.unwrap_err().is_outcome_unknown());
    ok(add().await, &world.faults);
    let [unknown, next] = lanes_sent(&world)[..] else { panic!("two requests") };
    assert_ne!(unknown, next, "its own late arrival must not be pushed out unseen");
    world.faults.deliver_late().await;
    assert_eq!(world.state().await, Some((12, 3)), "and so it still holds when it arrives");

    sleep(SECOND * 301).await;
    ok(add().await, &world.faults);
    assert_eq!(lanes_sent(&world)[2], unknown);
}

#[tokio::test(start_paused = true)]
async fn lanes_at_rest_are_used_before_anyone_waits() {
    let world = World::with_item().await;
    let accounts = world.another(RetryPolicy::new().max_attempts(1));
    world.faults.on(Operation::UpdateItem).times(20).inject(Fault::lost_request());
    for _ in 0..20 {
        let unknown = accounts.update("a").add(Account::FIELDS.balance, 1).send().await.unwrap_err();
        assert!(unknown.is_outcome_unknown());
    }
    let lanes = lanes_sent(&world);
    assert_eq!(lanes[..8].iter().collect::<BTreeSet<_>>().len(), 8, "{lanes:?}");
    assert_eq!(lanes[8..16], lanes[..8], "then the one that has rested longest");
    ok(accounts.update("a").add(Account::FIELDS.balance, 1).send().await, &world.faults);
    assert_eq!(world.state().await, Some((11, 2)));
}

#[tokio::test(start_paused = true)]
async fn waiting_for_a_lane_ends_with_the_time_there_is() {
    let world = World::with_item().await;
    let accounts = world.another(RetryPolicy::new().operation_timeout(SECOND));
    world.faults.on(Operation::UpdateItem).times(8).inject(Fault::slow_reply(SECOND * 3).hanging());
    let mut set = JoinSet::new();
    for _ in 0..8 {
        let accounts = accounts.clone();
        set.spawn(async move { accounts.update("a").add(Account::FIELDS.balance, 1).send().await });
    }
    tokio::task::yield_now().await;
    let started = tokio::time::Instant::now();
    let timeout = accounts.update("a").add(Account::FIELDS.balance, 1).send().await.unwrap_err();
    assert!(timeout.is_timeout() && started.elapsed() <= SECOND * 2, "{timeout:?}");
    assert_eq!((timeout.attempts(), world.sent().len()), (0, 8));
    set.join_all().await;
    ok(accounts.update("a").add(Account::FIELDS.balance, 1).send().await, &world.faults);
}

#[tokio::test(start_paused = true)]
async fn calls_on_other_items_do_not_wait() {
    let world = World::with_item().await;
    world.faults.on(Operation::UpdateItem).times(8).inject(Fault::hang().applied());
    let calls = concurrent_updates(&world, 9);
    sleep(SECOND).await;
    assert_eq!(world.sent().len(), 8);
    ok(world.accounts.insert(&Account { id: "b".into(), balance: 1 }).send().await, &world.faults);
    drop(calls);
}
