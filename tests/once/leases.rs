//! Who may run an operation, and for how long.

use std::future::Future;
use std::task::Waker;
use std::time::Duration;

use dynamo_once::testing::{Arrival, Embedded, Fault, Operation};
use dynamo_once::{Context, ErrorKind, Lease, Meter, Once, OnceError, Store};
use serde_json::json;
use tokio::sync::oneshot;

use crate::world::{World, crash, kind, not_run, seven, spawn};

#[tokio::test]
async fn a_crashed_run_is_repeated_after_its_lease_and_not_before() {
    let world = World::new().await;
    crash(world.records.clone().lease(Duration::from_secs(10)).once("a")).await;
    world.clock.advance(9_999).await;
    assert_eq!(kind(world.elsewhere().once("a").run(not_run).await), ErrorKind::InProgress);
    world.clock.advance(1).await;
    assert!(!world.elsewhere().once("a").run(seven).await.expect("runs").is_replayed());
}

#[tokio::test]
async fn a_lease_is_kept_alive_while_the_operation_runs() {
    let world = World::new().await;
    let (begun, end, run) = spawn(world.records.clone().lease(Duration::from_secs(30)).once("a"));
    begun.await.expect("begins");
    for beats in 1..=6 {
        world.clock.advance(10_000).await;
        while world.faults.received(Operation::UpdateItem) < beats {
            tokio::task::yield_now().await;
        }
        assert_eq!(kind(world.elsewhere().once("a").run(not_run).await), ErrorKind::InProgress);
    }
    end.send(()).expect("is waited for");
    assert!(!run.await.expect("didn't panic").expect("ran").into_answer(), "it kept its lease");
}

#[tokio::test]
async fn who_lost_its_lease_neither_overwrites_nor_releases_what_others_made() {
    for succeeds in [true, false] {
        let world = World::new().await;
        let (begins, begun) = oneshot::channel();
        let (end, ends) = oneshot::channel();
        let run = tokio::spawn(world.records.once("a").run(async move |_: Context| {
            begins.send(()).expect("is waited for");
            ends.await.expect("is told to end");
            if succeeds { Ok(8) } else { Err("failed") }
        }));
        begun.await.expect("begins");
        let taken = world.off_by(30_000).0.once("a").run(seven).await.expect("takes over, by its own clock");
        assert!(!taken.is_replayed());
        end.send(()).expect("is waited for");
        match (run.await.expect("didn't panic"), succeeds) {
            (Err(OnceError::NotStored(error)), true) => assert_eq!(error.kind(), ErrorKind::Superseded),
            (Err(OnceError::Failed("failed")), false) => {}
            (other, _) => panic!("{other:?}"),
        }
        let answer = world.elsewhere().once("a").run(not_run).await.expect("has run");
        assert_eq!(*answer.answer(), 7, "the successor's answer stands");
    }
}

#[tokio::test]
async fn an_operation_learns_that_its_lease_is_lost() {
    let world = World::new().await;
    let (begins, begun) = oneshot::channel();
    let run = tokio::spawn(world.records.once("a").run(async move |context: Context| {
        let was_lost = context.is_lost();
        begins.send(()).expect("is waited for");
        for _ in 0..100_000 {
            if context.is_lost() {
                return Err((was_lost, true));
            }
            tokio::task::yield_now().await;
        }
        Err::<u32, _>((was_lost, false))
    }));
    begun.await.expect("begins");
    world.put(json!({"id": "a", "status": "COMPLETED", "expiration": 4_000_000_000_u64, "data": "1"})).await;
    world.clock.advance(10_000).await;
    let told = run.await.expect("didn't panic");
    assert!(matches!(told, Err(OnceError::Failed((false, true)))), "{told:?}");
    assert_eq!(*world.records.once("a").run(not_run).await.expect("has run").answer(), 1, "it isn't released");
}

#[tokio::test]
async fn a_sign_of_life_that_comes_late_leases_nothing_that_was_released() {
    let world = World::new().await;
    let (begun, end, run) = {
        let (begins, begun) = oneshot::channel();
        let (end, ends) = oneshot::channel();
        let run = tokio::spawn(world.records.once("a").run(async move |_: Context| {
            begins.send(()).expect("is waited for");
            ends.await.expect("is told to end");
            Err::<u32, _>("failed")
        }));
        (begun, end, run)
    };
    begun.await.expect("begins");
    world.faults.on(Operation::UpdateItem).inject(Fault::late(Arrival::OnCommand));
    world.clock.advance(10_000).await;
    while world.faults.received(Operation::UpdateItem) < 1 {
        tokio::task::yield_now().await;
    }
    end.send(()).expect("is waited for");
    assert!(matches!(run.await.expect("didn't panic"), Err(OnceError::Failed("failed"))));
    world.faults.deliver_late().await;
    assert!(!world.elsewhere().once("a").run(seven).await.expect("was released").is_replayed());
}

/// A third process, for which the operation is in progress.
async fn is_held(world: &World) {
    assert_eq!(kind(world.elsewhere().once("a").run(not_run).await), ErrorKind::InProgress);
}

async fn is_taken_over(world: &World) {
    assert!(!world.elsewhere().once("a").run(seven).await.expect("runs").is_replayed());
}

/// The lease takes no sign of life, and ends after so many seconds.
async fn ends_unextended(world: &World, once: Once, seconds: u64) {
    let (begun, end, run) = spawn(once);
    begun.await.expect("begins");
    for _ in 1..seconds {
        world.clock.advance(1_000).await;
    }
    world.clock.advance(999).await;
    is_held(world).await;
    world.clock.advance(1).await;
    assert_eq!(world.requests(), 1, "the claim");
    is_taken_over(world).await;
    end.send(()).expect("is waited for");
    assert_eq!(kind(run.await.expect("didn't panic")), ErrorKind::Superseded);
}

#[tokio::test]
async fn a_fixed_lease_takes_no_writes_and_ends_as_was_said() {
    let world = World::new().await;
    let once = world.records.clone().lease(Lease::fixed(Duration::from_secs(10))).once("a");
    ends_unextended(&world, once, 10).await;
}

#[tokio::test]
async fn an_operation_that_outlives_its_lease_completes_where_no_other_took_over() {
    let world = World::new().await;
    let (begun, end, run) = spawn(world.records.clone().lease(Lease::fixed(Duration::from_secs(10))).once("a"));
    begun.await.expect("begins");
    world.clock.advance(60_000).await;
    end.send(()).expect("is waited for");
    let ran = run.await.expect("didn't panic").expect("its answer counts");
    assert!(!ran.is_replayed() && ran.into_answer(), "it was told that its lease had run out");
    let replayed = world.elsewhere().once("a").run(async |_| Err::<bool, _>("has run")).await.expect("has run");
    assert!(replayed.is_replayed());
}

#[tokio::test]
async fn a_lease_is_kept_alive_up_to_its_ceiling() {
    let world = World::new().await;
    let lease = Lease::kept_alive(Duration::from_secs(30)).at_most(Duration::from_secs(45));
    let (begun, end, run) = spawn(world.records.clone().lease(lease).once("a"));
    begun.await.expect("begins");
    for beats in 1..=2 {
        world.clock.advance(10_000).await;
        while world.requests() < 1 + beats {
            tokio::task::yield_now().await;
        }
        is_held(&world).await;
    }
    for _ in 0..24 {
        world.clock.advance(1_000).await;
    }
    world.clock.advance(999).await;
    is_held(&world).await;
    world.clock.advance(1).await;
    assert_eq!(world.requests(), 3, "a claim and two signs of life, the second of which reaches the ceiling");
    is_taken_over(&world).await;
    end.send(()).expect("is waited for");
    assert_eq!(kind(run.await.expect("didn't panic")), ErrorKind::Superseded);
    assert_eq!(
        kind(world.records.clone().lease(lease.at_most(Duration::ZERO)).once("b").run(not_run).await),
        ErrorKind::Invalid
    );
}

#[tokio::test]
async fn a_lease_ends_at_the_deadline_and_is_not_extended() {
    let world = World::new().await;
    ends_unextended(&world, world.records.once("a").until(world.clock.after(45_000)), 45).await;
}

#[tokio::test]
async fn after_the_deadline_nothing_is_sent_and_nothing_runs() {
    let world = World::new().await;
    for left in [0, 1] {
        let once = world.records.once("a").until(world.clock.after(left));
        world.clock.advance(1).await;
        assert_eq!(kind(once.run(not_run).await), ErrorKind::Timeout);
    }
    let long_ago = world.records.once("a").until(std::time::SystemTime::UNIX_EPOCH - Duration::from_secs(1));
    assert_eq!(kind(long_ago.run(not_run).await), ErrorKind::Timeout);
    assert_eq!(world.requests(), 0);

    // It passes while the claim is under way.
    world.faults.on(Operation::PutItem).inject(Fault::slow_reply(Duration::from_millis(1_500)));
    let late = tokio::spawn(world.records.once("a").until(world.clock.after(1_000)).run(not_run));
    while !late.is_finished() {
        world.clock.advance(100).await;
    }
    assert_eq!(kind(late.await.expect("didn't panic")), ErrorKind::Timeout);
    is_taken_over(&world).await;
}

#[tokio::test]
async fn another_run_is_waited_for_until_the_deadline_at_most() {
    let world = World::new().await;
    let (begun, _end, _run) = spawn(world.records.once("a"));
    begun.await.expect("begins");
    let begins = world.clock.after(0);
    let once = world.elsewhere().once("a").wait(Duration::from_secs(3600)).until(world.clock.after(1_000));
    let waiting = tokio::spawn(once.run(not_run));
    while !waiting.is_finished() {
        world.clock.advance(50).await;
    }
    assert_eq!(kind(waiting.await.expect("didn't panic")), ErrorKind::InProgress);
    let waited = world.clock.after(0).duration_since(begins).expect("time goes on");
    assert!(waited >= Duration::from_secs(1), "{waited:?}");
}

#[tokio::test]
async fn what_waits_for_the_loss_of_its_lease_is_woken_by_it() {
    let world = World::new().await;
    let (begins, begun) = oneshot::channel();
    let (tells, mut told) = oneshot::channel();
    let until_lost = async move |context: Context| {
        begins.send(()).expect("is waited for");
        tokio::spawn(context.lost()).await.expect("didn't panic");
        tells.send(context.is_lost()).expect("is waited for");
        Err::<u32, _>("lost")
    };
    let run = tokio::spawn(world.records.once("a").run(until_lost));
    begun.await.expect("begins");
    assert!(!world.off_by(30_000).0.once("a").run(seven).await.expect("takes over, by its own clock").is_replayed());
    assert!(told.try_recv().is_err(), "nothing has told it yet");
    world.clock.advance(10_000).await;
    assert!(matches!(run.await.expect("didn't panic"), Err(OnceError::Failed("lost"))), "the first sign of life tells");
    assert!(told.await.expect("was told"));
}

#[tokio::test]
async fn a_lease_whose_signs_of_life_get_lost_is_lost_when_it_runs_out() {
    let world = World::new().await;
    let kept_alive = Lease::kept_alive(Duration::from_secs(30));
    for (fault, lease, seconds) in [
        (Fault::lost_request(), kept_alive, 30),
        (Fault::hang(), kept_alive, 30),
        (Fault::hang(), Lease::fixed(Duration::from_secs(40)), 40),
    ] {
        let (begins, begun) = oneshot::channel();
        let (tells, mut told) = oneshot::channel();
        let until_lost = async move |context: Context| {
            begins.send(()).expect("is waited for");
            context.lost().await;
            tells.send(()).expect("is waited for");
            Ok::<_, String>(())
        };
        let key = format!("{fault} {lease:?}");
        world.faults.on(Operation::UpdateItem).always().inject(fault);
        let began = world.clock.after(0);
        let run = tokio::spawn(world.records.clone().lease(lease).once(key).run(until_lost));
        begun.await.expect("begins");
        while told.try_recv().is_err() {
            world.clock.advance(500).await;
        }
        let lasted = world.clock.after(0).duration_since(began).expect("time goes on").as_secs();
        assert!((seconds..seconds + 5).contains(&lasted), "{lasted} for {seconds}");
        world.faults.stop();
        run.abort();
    }
}

#[tokio::test]
async fn who_ended_in_good_order_has_lost_nothing() {
    let world = World::new().await;
    let (gives, given) = oneshot::channel();
    let gives = async move |context: Context| {
        gives.send(context).expect("is waited for");
        Ok::<_, String>(())
    };
    world.records.once("a").run(gives).await.expect("runs");
    let context = given.await.expect("was given");
    world.clock.advance(60_000).await;
    let (lost, mut nobody) = (std::pin::pin!(context.lost()), std::task::Context::from_waker(Waker::noop()));
    assert!(lost.poll(&mut nobody).is_pending() && !context.is_lost());
}

#[tokio::test]
async fn a_record_does_not_expire_while_its_operation_runs() {
    let world = World::new().await;
    let records = world.records.clone().lease(Duration::from_secs(30)).kept_for(Duration::from_secs(30));
    let (begun, end, run) = spawn(records.once("a"));
    begun.await.expect("begins");
    for beats in 1..=9 {
        world.clock.advance(10_000).await;
        while world.requests() < 1 + beats {
            tokio::task::yield_now().await;
        }
        is_held(&world).await;
    }
    end.send(()).expect("is waited for");
    assert!(!run.await.expect("didn't panic").expect("ran").into_answer(), "it kept its lease");
    world.clock.advance(29_000).await;
    let replayed = world.elsewhere().once("a").run(async |_| Err::<bool, _>("has run")).await.expect("has run");
    assert!(replayed.is_replayed());
    world.clock.advance(1_000).await;
    is_taken_over(&world).await;

    // A deadline may lie further ahead than records are kept.
    crash(records.once("a long one").until(world.clock.after(600_000))).await;
    world.clock.advance(599_999).await;
    assert_eq!(kind(world.elsewhere().once("a long one").run(not_run).await), ErrorKind::InProgress);
    world.clock.advance(1).await;
    world.elsewhere().once("a long one").run(seven).await.expect("runs");
}

#[tokio::test]
async fn who_outlives_its_record_is_superseded() {
    let world = World::new().await;
    let lease = Lease::fixed(Duration::from_secs(10));
    let records = world.records.clone().lease(lease).kept_for(Duration::from_secs(20));
    for deleted_by in ["nobody yet", "TTL"] {
        let (begun, end, run) = spawn(records.once("a"));
        begun.await.expect("begins");
        world.clock.advance(30_000).await;
        match deleted_by {
            "TTL" => world.delete("a").await,
            _ => is_taken_over(&world).await,
        }
        end.send(()).expect("is waited for");
        assert_eq!(kind(run.await.expect("didn't panic")), ErrorKind::Superseded, "{deleted_by}");
        world.delete("a").await;
    }
}

#[tokio::test]
async fn a_lease_that_has_run_out_is_not_released() {
    let world = World::new().await;
    let records = world.records.clone().lease(Lease::fixed(Duration::from_secs(10)));
    let run = tokio::spawn(records.once("a").run(async |context: Context| {
        context.lost().await;
        Err::<u32, _>("cut short")
    }));
    while world.requests() < 1 {
        tokio::task::yield_now().await;
    }
    world.faults.on(Operation::UpdateItem).always().inject(Fault::hang());
    world.clock.advance(10_000).await;
    let failed = run.await.expect("didn't panic");
    assert!(matches!(failed, Err(OnceError::Failed("cut short"))), "{failed:?}");
    assert_eq!(world.faults.received(Operation::UpdateItem), 0, "it ends by itself");
}

#[tokio::test]
async fn nothing_is_waited_for_beyond_the_deadline() {
    for succeeds in [true, false] {
        let world = World::new().await;
        world.faults.on(Operation::UpdateItem).always().inject(Fault::hang());
        let once = world.records.once("a").until(world.clock.after(3_000));
        let run = tokio::spawn(once.run(async move |_: Context| if succeeds { Ok(7) } else { Err("failed") }));
        while world.faults.received(Operation::UpdateItem) < 1 {
            tokio::task::yield_now().await;
        }
        world.clock.advance(3_000).await;
        match run.await.expect("didn't panic") {
            Err(OnceError::NotStored(error)) if succeeds => assert!(error.is_outcome_unknown(), "{error:?}"),
            Err(OnceError::Failed("failed")) if !succeeds => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn another_run_is_waited_for_no_longer_where_the_clock_stands_still() {
    let engine = Embedded::start().await;
    let meter = Meter::new();
    let records = Store::builder(engine.config().build()).meter(&meter).build().records("records");
    records.create_if_missing().await.expect("the table is made");
    crash(records.once("a")).await;
    let waiting = records.once("a").wait(Duration::from_secs(2)).run(not_run).await;
    assert_eq!(kind(waiting), ErrorKind::InProgress);
    assert!(meter.of("once").requests < 20, "{}", meter.of("once").requests);
}

#[tokio::test]
async fn errors_of_the_record_say_how_many_requests_were_sent() {
    let world = World::new().await;
    let attempts = |ran: Result<dynamo_once::Ran<u32>, OnceError<String>>| match ran {
        Err(OnceError::NotRun(error) | OnceError::NotStored(error)) => (error.kind(), error.attempts()),
        other => panic!("{other:?}"),
    };
    crash(world.records.once("a")).await;
    assert_eq!(attempts(world.elsewhere().once("a").run(not_run).await), (ErrorKind::InProgress, 1));
    let (later, _) = world.off_by(30_000);
    let overtaken = world.records.once("b").run(async |_: Context| {
        later.once("b").run(seven).await.expect("takes over, by its own clock");
        Ok::<u32, String>(8)
    });
    assert_eq!(attempts(overtaken.await), (ErrorKind::Superseded, 1));
}
