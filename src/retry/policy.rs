//! How long and how often an operation tries: what the user set, else what the SDK's configuration says, else DynamoDB's
//! own measure.

use std::time::Duration;

use aws_sdk_dynamodb::Config;

/// How long and how often operations try before they give up.
///
/// Whatever is left unset comes from the SDK configuration the store is made of, so `AWS_MAX_ATTEMPTS`, `AWS_RETRY_MODE`'s
/// neighbours in a profile, `RetryConfig` and `TimeoutConfig` keep working. The SDK's own defaults (3 attempts, pauses of 1 s
/// up to 20 s, no attempt timeout) can't be told from unset, and count as that: this crate's then apply, which suit a
/// service that answers in milliseconds.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct RetryPolicy {
    max_attempts: Option<u32>,
    initial_backoff: Option<Duration>,
    max_backoff: Option<Duration>,
    attempt_timeout: Option<Duration>,
    operation_timeout: Option<Duration>,
    max_conflicts: Option<u32>,
    budget: Option<u32>,
    jitter_seed: Option<u64>,
}

impl RetryPolicy {
    /// A policy that leaves everything to the SDK configuration and the defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how often one request is sent at most; 8 by default, at least 1.
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = Some(attempts);
        self
    }

    /// Sets the ceiling of the first pause, which then doubles; 25 ms by default. Each pause is drawn between nothing and its
    /// ceiling.
    pub fn initial_backoff(mut self, pause: Duration) -> Self {
        self.initial_backoff = Some(pause);
        self
    }

    /// Sets the ceiling of every pause; 1 s by default.
    pub fn max_backoff(mut self, pause: Duration) -> Self {
        self.max_backoff = Some(pause);
        self
    }

    /// Sets the time for one attempt, after which the request is sent again; 5 s by default.
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.attempt_timeout = Some(timeout);
        self
    }

    /// Sets the time for an operation with all its attempts and pauses; unbounded by default.
    pub fn operation_timeout(mut self, timeout: Duration) -> Self {
        self.operation_timeout = Some(timeout);
        self
    }

    /// Sets how often an operation starts anew after losing to another writer; 16 by default. Conflicts don't count as
    /// attempts.
    pub fn max_conflicts(mut self, conflicts: u32) -> Self {
        self.max_conflicts = Some(conflicts);
        self
    }

    /// Sets the size of the retry budget that all operations of a store share; 500 by default. A retry takes 5, or 10 where the
    /// service gave no answer; an answer puts back what the retry took, and 1 where there was none.
    pub fn budget(mut self, tokens: u32) -> Self {
        self.budget = Some(tokens);
        self
    }

    /// Makes the pauses repeatable, for tests: every operation draws the same ones.
    pub fn jitter_seed(mut self, seed: u64) -> Self {
        self.jitter_seed = Some(seed);
        self
    }

    /// What holds for a store with this configuration.
    pub(crate) fn resolve(&self, config: &Config) -> Bounds {
        let sdk_retry = config.retry_config();
        let sdk_timeout = config.timeout_config();
        // Equal to the SDK's default is as good as unset: `aws_config` fills in every field.
        let unless = |value, default| (value != default).then_some(value);
        Bounds {
            max_attempts: self
                .max_attempts
                .or_else(|| sdk_retry.map(|c| c.max_attempts()).filter(|n| *n != SDK_MAX_ATTEMPTS))
                .unwrap_or(MAX_ATTEMPTS)
                .max(1),
            initial_backoff: self
                .initial_backoff
                .or_else(|| unless(sdk_retry?.initial_backoff(), SDK_INITIAL_BACKOFF))
                .unwrap_or(INITIAL_BACKOFF),
            max_backoff: self
                .max_backoff
                .or_else(|| unless(sdk_retry?.max_backoff(), SDK_MAX_BACKOFF))
                .unwrap_or(MAX_BACKOFF),
            attempt_timeout: self
                .attempt_timeout
                .or_else(|| sdk_timeout?.operation_attempt_timeout())
                .unwrap_or(ATTEMPT_TIMEOUT),
            operation_timeout: self.operation_timeout.or_else(|| sdk_timeout?.operation_timeout()),
            max_conflicts: self.max_conflicts.unwrap_or(MAX_CONFLICTS),
            budget: self.budget.unwrap_or(BUDGET),
            jitter_seed: self.jitter_seed,
        }
    }
}

/// A policy with nothing left open.
#[derive(Debug, Clone)]
pub(crate) struct Bounds {
    pub(crate) max_attempts: u32,
    pub(crate) initial_backoff: Duration,
    pub(crate) max_backoff: Duration,
    pub(crate) attempt_timeout: Duration,
    pub(crate) operation_timeout: Option<Duration>,
    pub(crate) max_conflicts: u32,
    pub(crate) budget: u32,
    pub(crate) jitter_seed: Option<u64>,
}

/// Eight attempts with these pauses ride out about 1.3 s, as the SDK's three with its longer ones do. The AWS SDK for Java
/// does as many for DynamoDB.
const MAX_ATTEMPTS: u32 = 8;
/// What AWS's SDKs take for DynamoDB (`AWS_NEW_RETRIES_2026`), against 1 s and 50 ms elsewhere.
const INITIAL_BACKOFF: Duration = Duration::from_millis(25);
const MAX_BACKOFF: Duration = Duration::from_secs(1);
/// Far above DynamoDB's slowest ordinary answers, far below the SDK's default, which is never.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);
const MAX_CONFLICTS: u32 = 16;
/// As `TokenBucket` in aws-smithy-runtime.
const BUDGET: u32 = 500;

/// The defaults of `RetryConfig` in aws-smithy-types.
const SDK_MAX_ATTEMPTS: u32 = 3;
const SDK_INITIAL_BACKOFF: Duration = Duration::from_secs(1);
const SDK_MAX_BACKOFF: Duration = Duration::from_secs(20);

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::config::retry::RetryConfig;
    use aws_sdk_dynamodb::config::timeout::TimeoutConfig;

    use super::*;

    fn bounds(policy: RetryPolicy, retry: Option<RetryConfig>, timeout: Option<TimeoutConfig>) -> Bounds {
        let mut config = Config::builder();
        config.set_retry_config(retry).set_timeout_config(timeout);
        policy.resolve(&config.build())
    }

    #[test]
    fn defaults_suit_dynamodb_where_the_configuration_says_nothing_of_its_own() {
        for retry in [None, Some(RetryConfig::standard())] {
            let bounds = bounds(RetryPolicy::new(), retry, None);
            assert_eq!((bounds.max_attempts, bounds.max_conflicts), (8, 16));
            assert_eq!((bounds.initial_backoff, bounds.max_backoff), (INITIAL_BACKOFF, MAX_BACKOFF));
            assert_eq!((bounds.attempt_timeout, bounds.operation_timeout), (ATTEMPT_TIMEOUT, None));
        }
    }

    #[test]
    fn the_sdk_configuration_comes_before_the_defaults() {
        let retry = RetryConfig::standard()
            .with_max_attempts(5)
            .with_initial_backoff(Duration::from_millis(3))
            .with_max_backoff(Duration::from_millis(9));
        let timeout = TimeoutConfig::builder()
            .operation_attempt_timeout(Duration::from_millis(300))
            .operation_timeout(Duration::from_secs(2))
            .build();
        let bounds = bounds(RetryPolicy::new(), Some(retry), Some(timeout));
        assert_eq!(bounds.max_attempts, 5);
        assert_eq!((bounds.initial_backoff, bounds.max_backoff), (Duration::from_millis(3), Duration::from_millis(9)));
        assert_eq!(bounds.attempt_timeout, Duration::from_millis(300));
        assert_eq!(bounds.operation_timeout, Some(Duration::from_secs(2)));
    }

    #[test]
    fn one_attempt_stays_one_attempt() {
        assert_eq!(bounds(RetryPolicy::new(), Some(RetryConfig::disabled()), None).max_attempts, 1);
        assert_eq!(bounds(RetryPolicy::new().max_attempts(0), None, None).max_attempts, 1);
    }

    #[test]
    fn the_policy_comes_before_the_sdk_configuration() {
        let policy = RetryPolicy::new()
            .max_attempts(3)
            .initial_backoff(Duration::from_millis(1))
            .max_backoff(Duration::from_millis(2))
            .attempt_timeout(Duration::from_millis(4))
            .operation_timeout(Duration::from_millis(5))
            .max_conflicts(6)
            .budget(7)
            .jitter_seed(8);
        let timeout = TimeoutConfig::builder().operation_timeout(Duration::from_secs(2)).build();
        let bounds = bounds(policy, Some(RetryConfig::standard().with_max_attempts(5)), Some(timeout));
        assert_eq!((bounds.max_attempts, bounds.max_conflicts, bounds.budget), (3, 6, 7));
        assert_eq!((bounds.initial_backoff, bounds.max_backoff), (Duration::from_millis(1), Duration::from_millis(2)));
        assert_eq!(bounds.attempt_timeout, Duration::from_millis(4));
        assert_eq!(bounds.operation_timeout, Some(Duration::from_millis(5)));
        assert_eq!(bounds.jitter_seed, Some(8));
    }
}
