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
    /// What the last retry took from the budget, to be put back when it is answered.
    taken: u32,
    limit: Option<Limit>,
    transport_backoff: Option<Backoff>,
    conflict_backoff: Option<Backoff>,
}

impl<'a> Retry<'a> {
    pub(crate) fn new(bounds: &'a Bounds, budget: &'a Budget, clock: &'a Clock) -> Self {
        Self {
            bounds,
            budget,
            clock,
            started: clock.now(),
            attempts: 0,
            retries: 0,
            conflicts: 0,
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

    /// How many attempts were sent.
    pub(crate) fn attempts(&self) -> u32 {
        self.attempts
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
        };
        if *count >= most {
            return Err(limit);
        }
        let delay = backoff.get_or_insert_with(|| Backoff::new(initial_backoff, max_backoff, jitter_seed)).next();
        *count += 1;
        if self.remaining().is_some_and(|left| delay >= left) {
            return Err(Limit::Deadline);
        }
        // A conflict is an answer: the service is well, and its own bound is enough.
        let cost = why.cost();
        if !self.budget.take(cost) {
            return Err(Limit::Budget);
        }
        self.taken = cost;
        Ok(delay)
    }
}

impl Why {
    /// The prices of `TokenBucket` in aws-smithy-runtime.
    fn cost(self) -> u32 {
        match self {
            Self::Transport => 10,
            Self::Throttle => 5,
            Self::Conflict => 0,
        }
    }
}

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
