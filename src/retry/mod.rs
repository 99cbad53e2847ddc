//! The bounds of one operation: how often it may try again, when, and until when.
//!
//! [`Retry`] counts, waits and refuses to wait; what is sent, and what follows from an answer, is decided above it. All
//! time passes through the SDK configuration's own clock and sleep, so that tests run on simulated time.

pub(crate) mod backoff;
pub(crate) mod budget;
pub(crate) mod classify;
pub(crate) mod policy;

use std::time::{Duration, SystemTime};

use aws_sdk_dynamodb::Config;
use aws_smithy_async::future::timeout::Timeout;
use aws_smithy_async::rt::sleep::{AsyncSleep, SharedAsyncSleep, default_async_sleep};
use aws_smithy_async::time::SharedTimeSource;

use self::backoff::Backoff;
use self::budget::Budget;
use self::policy::Bounds;
use crate::error::{Error, Limit};
use crate::trace;

pub use self::policy::RetryPolicy;

/// Why an operation has to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// No answer, or no connection.
    Transport,
    /// An answer that asks for patience.
    Throttle,
    /// An answer that says another writer was there.
    Conflict,
    /// An answer that says an earlier attempt of the same transaction is under way.
    InProgress,
}

/// What the earlier parts of an operation took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spent {
    /// When the operation began.
    pub(crate) since: SystemTime,
    pub(crate) attempts: u32,
}

/// One operation's count of attempts, pauses and time.
pub(crate) struct Retry<'a> {
    bounds: &'a Bounds,
    budget: &'a Budget,
    clock: &'a Clock,
    started: SystemTime,
    attempts: u32,
    retries: u32,
    conflicts: u32,
    /// How often a transaction of its own was waited for.
    waits: u32,
    /// What the last retry took from the budget, to be put back when it is answered.
    taken: u32,
    limit: Option<Limit>,
    transport_backoff: Option<Backoff>,
    conflict_backoff: Option<Backoff>,
}

impl<'a> Retry<'a> {
    pub(crate) fn new(bounds: &'a Bounds, budget: &'a Budget, clock: &'a Clock, spent: Spent) -> Self {
        Self {
            bounds,
            budget,
            clock,
            started: spent.since,
            attempts: spent.attempts,
            retries: 0,
            conflicts: 0,
            waits: 0,
            taken: 0,
            limit: None,
            transport_backoff: None,
            conflict_backoff: None,
        }
    }

    /// Waits before the next attempt, or says which bound forbids one. Refusing takes no time.
    pub(crate) async fn pause(&mut self, why: Why) -> Result<(), Limit> {
        let delay = self.next_delay(why).inspect_err(|limit| self.limit = Some(*limit))?;
        tracing::debug!({ trace::DELAY_MS } = delay.as_millis() as u64, ?why, "pause");
        self.clock.sleep(delay).await;
        Ok(())
    }

    /// Counts a conflict that the next request resolves by itself, so that there is nothing to wait for.
    pub(crate) fn step_aside(&mut self) -> Result<(), Limit> {
        if self.conflicts >= self.bounds.max_conflicts {
            self.limit = Some(Limit::Conflicts);
            return Err(Limit::Conflicts);
        }
        self.conflicts += 1;
        Ok(())
    }

    /// Runs a future until the deadline, where the operation has one; `None` when that came first.
    pub(crate) async fn within<F: Future>(&self, future: F) -> Option<F::Output> {
        match self.remaining() {
            None => Some(future.await),
            Some(Duration::ZERO) => None,
            Some(left) => Timeout::new(future, self.clock.sleep(left)).await.ok(),
        }
    }

    /// The time left, where the operation has a deadline.
    pub(crate) fn remaining(&self) -> Option<Duration> {
        self.bounds.operation_timeout.map(|timeout| timeout.saturating_sub(self.elapsed()))
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.clock.since(self.started)
    }

    /// What the operation took so far, for the next part of it to go on from.
    pub(crate) fn spent(&self) -> Spent {
        Spent { since: self.started, attempts: self.attempts }
    }

    /// Writes the count into an error, with the bound that was met, if any.
    pub(crate) fn report(&self, error: Error) -> Error {
        error.with_attempts(self.attempts, self.elapsed()).with_limit(self.limit)
    }

    /// One more attempt is about to be sent.
    pub(crate) fn attempt(&mut self) -> u32 {
        self.attempts += 1;
        self.attempts
    }

    /// A part of the operation is done, and the next may be tried as often.
    pub(crate) fn progressed(&mut self) {
        (self.retries, self.transport_backoff) = (0, None);
    }

    /// The service answered as it should, whatever the answer says about the item.
    pub(crate) fn answered(&mut self) {
        self.budget.put_back(std::mem::take(&mut self.taken).max(1));
    }

    fn next_delay(&mut self, why: Why) -> Result<Duration, Limit> {
        let Bounds { max_attempts, max_conflicts, initial_backoff, max_backoff, jitter_seed, .. } = *self.bounds;
        let (count, most, limit, backoff) = match why {
            Why::Transport | Why::Throttle => {
                (&mut self.retries, max_attempts - 1, Limit::Attempts, &mut self.transport_backoff)
            }
            Why::Conflict => (&mut self.conflicts, max_conflicts, Limit::Conflicts, &mut self.conflict_backoff),
            Why::InProgress => (&mut self.waits, WAITS, Limit::Attempts, &mut self.conflict_backoff),
        };
        if *count >= most {
            return Err(limit);
        }
        // What is under way takes the time that it takes, whatever the policy says.
        let delay = match why {
            Why::InProgress => IN_PROGRESS,
            _ => backoff.get_or_insert_with(|| Backoff::new(initial_backoff, max_backoff, jitter_seed)).next(),
        };
        *count += 1;
        if self.remaining().is_some_and(|left| delay >= left) {
            return Err(Limit::Deadline);
        }
        if let Some(cost) = why.cost() {
            if !self.budget.take(cost) {
                return Err(Limit::Budget);
            }
            self.taken = cost;
        }
        Ok(delay)
    }
}

impl Spent {
    pub(crate) fn nothing(now: SystemTime) -> Self {
        Self { since: now, attempts: 0 }
    }

    /// Writes it into an error that ends the operation between two parts.
    pub(crate) fn report(self, error: Error, now: SystemTime) -> Error {
        error.with_attempts(self.attempts, now.duration_since(self.since).unwrap_or_default())
    }
}

impl Why {
    /// What a retry takes from the budget, at the prices of `TokenBucket` in aws-smithy-runtime. A conflict is free: the
    /// service is well, and the bound on conflicts is enough.
    fn cost(self) -> Option<u32> {
        match self {
            Self::Transport => Some(10),
            Self::Throttle => Some(5),
            Self::Conflict | Self::InProgress => None,
        }
    }
}

/// A transaction may be under way for more than five seconds (AWS, "TransactionInProgressException").
const IN_PROGRESS: Duration = Duration::from_secs(1);
const WAITS: u32 = 6;

/// The time as the SDK configuration has it.
#[derive(Debug, Clone)]
pub(crate) struct Clock {
    sleep: SharedAsyncSleep,
    time: SharedTimeSource,
}

impl Clock {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            sleep: config
                .sleep_impl()
                .or_else(default_async_sleep)
                .expect("aws-sdk-dynamodb is built with `rt-tokio`, which brings one"),
            time: config.time_source().unwrap_or_default(),
        }
    }

    pub(crate) fn now(&self) -> SystemTime {
        self.time.now()
    }

    /// The time since then; none if the clock was set back.
    pub(crate) fn since(&self, then: SystemTime) -> Duration {
        self.now().duration_since(then).unwrap_or_default()
    }

    pub(crate) async fn sleep(&self, duration: Duration) {
        self.sleep.sleep(duration).await;
    }

    pub(crate) fn sleep_impl(&self) -> SharedAsyncSleep {
        self.sleep.clone()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use aws_sdk_dynamodb::config::BehaviorVersion;
    use aws_smithy_async::time::TimeSource;
    use tokio::time::Instant;

    use super::*;
    use crate::error::ErrorKind;

    /// A clock that goes by tokio's, which in tests stands still but for sleeps.
    #[derive(Debug)]
    pub(crate) struct SimulatedTime(Instant);

    impl SimulatedTime {
        /// Friday, 15 January 2027, 08:00:00 GMT.
        pub(crate) const START: Duration = Duration::from_secs(1_800_000_000);

        pub(crate) fn start() -> Self {
            Self(Instant::now())
        }
    }

    impl TimeSource for SimulatedTime {
        fn now(&self) -> SystemTime {
            SystemTime::UNIX_EPOCH + Self::START + self.0.elapsed()
        }
    }

    struct Store {
        bounds: Bounds,
        budget: Budget,
        clock: Clock,
    }

    impl Store {
        fn new(policy: RetryPolicy) -> Self {
            Self::at(policy, SimulatedTime::start())
        }

        fn at(policy: RetryPolicy, time: impl TimeSource + 'static) -> Self {
            let config = Config::builder().behavior_version(BehaviorVersion::latest()).time_source(time).build();
            let bounds = policy.resolve(&config);
            Self { budget: Budget::new(bounds.budget), bounds, clock: Clock::new(&config) }
        }

        fn begin(&self) -> Retry<'_> {
            Retry::new(&self.bounds, &self.budget, &self.clock, Spent::nothing(self.clock.now()))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn every_schedule_keeps_to_its_ceilings_and_ends_with_its_attempts() {
        for seed in 0..300 {
            let store = Store::new(RetryPolicy::new().jitter_seed(seed));
            let mut retry = store.begin();
            for ceiling in [25, 50, 100, 200, 400, 800, 1000] {
                let before = Instant::now();
                assert_eq!(retry.pause(Why::Transport).await, Ok(()));
                // Sleeps end on the next whole millisecond.
                assert!(before.elapsed() <= Duration::from_millis(ceiling + 1), "{seed}: {:?}", before.elapsed());
            }
            let before = Instant::now();
            assert_eq!(retry.pause(Why::Throttle).await, Err(Limit::Attempts));
            assert_eq!(before.elapsed(), Duration::ZERO);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_schedule_pauses_past_its_deadline() {
        let mut ended_by = [0, 0];
        for seed in 0..300 {
            let timeout = Duration::from_millis(10 * seed);
            let store = Store::new(RetryPolicy::new().jitter_seed(seed).operation_timeout(timeout));
            let (mut retry, start) = (store.begin(), Instant::now());
            let limit = loop {
                if let Err(limit) = retry.pause(Why::Transport).await {
                    break limit;
                }
                assert!(start.elapsed() <= timeout + Duration::from_millis(1), "{seed}");
            };
            match limit {
                Limit::Deadline => ended_by[0] += 1,
                Limit::Attempts => ended_by[1] += 1,
                other => panic!("{other:?}"),
            }
        }
        assert!(ended_by.iter().all(|n| *n > 50), "both are exercised: {ended_by:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn conflicts_have_a_bound_and_pauses_of_their_own() {
        let store = Store::new(RetryPolicy::new().max_attempts(2).max_conflicts(3).budget(10).jitter_seed(1));
        let mut retry = store.begin();
        assert_eq!(retry.pause(Why::Transport).await, Ok(()));
        for _ in 0..3 {
            assert_eq!(retry.pause(Why::Conflict).await, Ok(()), "neither attempts nor budget are touched");
        }
        assert_eq!(retry.pause(Why::Conflict).await, Err(Limit::Conflicts));
        assert_eq!(retry.pause(Why::Transport).await, Err(Limit::Attempts));
    }

    #[tokio::test(start_paused = true)]
    async fn a_step_aside_takes_no_time_and_needs_none() {
        let policy = RetryPolicy::new().max_conflicts(2).operation_timeout(Duration::from_millis(1));
        let store = Store::new(policy.initial_backoff(Duration::from_secs(60)).jitter_seed(1));
        let mut retry = store.begin();
        assert_eq!((retry.step_aside(), retry.step_aside()), (Ok(()), Ok(())));
        assert_eq!(retry.step_aside(), Err(Limit::Conflicts));
        assert_eq!(retry.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_is_not_answered_with_a_storm() {
        let store = Store::new(RetryPolicy::new().jitter_seed(1));
        let mut retries = 0;
        for _ in 0..1000 {
            let mut retry = store.begin();
            while retry.pause(Why::Transport).await.is_ok() {
                retries += 1;
            }
        }
        assert_eq!(retries, 50);
        assert_eq!(store.begin().pause(Why::Throttle).await, Err(Limit::Budget));
        // The service is back: each answer to a first attempt buys a tenth of a retry.
        for _ in 0..10 {
            store.begin().answered();
        }
        assert_eq!(store.begin().pause(Why::Transport).await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answered_retry_costs_nothing_in_the_end() {
        let store = Store::new(RetryPolicy::new().budget(10));
        for _ in 0..20 {
            let mut retry = store.begin();
            assert_eq!(retry.pause(Why::Transport).await, Ok(()));
            // Another writer's transaction is in the way, then it is done.
            assert_eq!(retry.pause(Why::Conflict).await, Ok(()));
            retry.answered();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_attempt_is_not_followed_by_another() {
        let store = Store::new(RetryPolicy::new().max_attempts(1));
        assert_eq!(store.begin().pause(Why::Transport).await, Err(Limit::Attempts));
        assert_eq!(store.begin().pause(Why::Conflict).await, Ok(()), "that is another matter");
    }

    #[tokio::test(start_paused = true)]
    async fn within_gives_a_future_the_time_that_is_left() {
        let second = Duration::from_secs(1);
        let store = Store::new(RetryPolicy::new().operation_timeout(second));
        let retry = store.begin();
        assert_eq!(retry.within(async { 7 }).await, Some(7));
        assert_eq!(retry.within(std::future::pending::<()>()).await, None);
        assert_eq!((retry.elapsed(), retry.remaining()), (second, Some(Duration::ZERO)));
        assert_eq!(retry.within(async { 7 }).await, None, "not even polled");

        let unbounded = Store::new(RetryPolicy::new());
        assert_eq!(unbounded.begin().within(unbounded.clock.sleep(second * 9999)).await, Some(()));
    }

    #[tokio::test(start_paused = true)]
    async fn an_error_tells_what_it_took() {
        let store =
            Store::new(RetryPolicy::new().max_attempts(2).initial_backoff(Duration::from_secs(1)).jitter_seed(3));
        let mut retry = store.begin();
        retry.attempt();
        retry.pause(Why::Throttle).await.expect("one is left");
        retry.attempt();
        let before = retry.report(Error::of(ErrorKind::AlreadyExists));
        assert_eq!((before.attempts(), before.limit()), (2, None));
        assert!(before.elapsed() > Duration::ZERO && before.elapsed() == retry.elapsed());
        retry.pause(Why::Throttle).await.expect_err("none is left");
        assert_eq!(retry.report(Error::of(ErrorKind::Throttled)).limit(), Some(Limit::Attempts));
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_set_back_stops_no_operation() {
        #[derive(Debug)]
        struct Backwards(Instant);
        impl TimeSource for Backwards {
            fn now(&self) -> SystemTime {
                SystemTime::UNIX_EPOCH + SimulatedTime::START - self.0.elapsed()
            }
        }
        let store = Store::at(RetryPolicy::new().operation_timeout(Duration::from_secs(1)), Backwards(Instant::now()));
        let mut retry = store.begin();
        assert_eq!(retry.pause(Why::Transport).await, Ok(()));
        assert_eq!(retry.elapsed(), Duration::ZERO);
    }
}
