//! How long to wait before the next attempt: exponential, with full jitter.
//!
//! The only file that names the crate `backoff`, which is unmaintained: replacing it means replacing `Backoff`.

use std::time::Duration;

use backoff::ExponentialBackoff;
use backoff::backoff::Backoff as _;

/// A growing pause, of which each step is drawn anew between nothing and its full length.
pub(crate) struct Backoff {
    steps: ExponentialBackoff,
    jitter: fastrand::Rng,
}

impl Backoff {
    pub(crate) fn new(initial: Duration, max: Duration, seed: Option<u64>) -> Self {
        let steps = ExponentialBackoff {
            current_interval: initial.min(max),
            initial_interval: initial.min(max),
            multiplier: 2.0,
            max_interval: max,
            // The crate's own jitter can't be seeded, and its bound on time would go by the system's clock, which
            // simulated time doesn't move. Both are off: jitter is below, time is the deadline's.
            randomization_factor: 0.0,
            max_elapsed_time: None,
            ..ExponentialBackoff::default()
        };
        Self { steps, jitter: seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed) }
    }

    pub(crate) fn next(&mut self) -> Duration {
        let ceiling = self.steps.next_backoff().unwrap_or(self.steps.max_interval).min(self.steps.max_interval);
        ceiling.mul_f64(self.jitter.f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: Duration = Duration::from_millis(25);
    const CAP: Duration = Duration::from_secs(1);

    #[test]
    fn pauses_double_up_to_the_cap_and_are_spread_over_their_whole_length() {
        let mut longest = [Duration::ZERO; 8];
        let mut shortest = [Duration::MAX; 8];
        for seed in 0..500 {
            let mut backoff = Backoff::new(BASE, CAP, Some(seed));
            for step in 0..8 {
                let pause = backoff.next();
                longest[step] = longest[step].max(pause);
                shortest[step] = shortest[step].min(pause);
            }
        }
        for (step, ceiling) in
            [25, 50, 100, 200, 400, 800, 1000, 1000].map(Duration::from_millis).into_iter().enumerate()
        {
            assert!(longest[step] <= ceiling && longest[step] > ceiling.mul_f64(0.95), "{step}: {longest:?}");
            assert!(shortest[step] < ceiling.mul_f64(0.05), "{step}: {shortest:?}");
        }
    }

    #[test]
    fn a_seed_repeats_its_pauses() {
        let pauses = |seed| {
            let mut backoff = Backoff::new(BASE, CAP, seed);
            [(); 5].map(|()| backoff.next())
        };
        assert_eq!(pauses(Some(7)), pauses(Some(7)));
        assert_ne!(pauses(Some(7)), pauses(Some(8)));
        assert_ne!(pauses(None), pauses(None));
    }

    #[test]
    fn a_base_above_the_cap_is_the_cap_and_zero_is_no_pause() {
        assert!(Backoff::new(CAP, BASE, Some(1)).next() <= BASE);
        assert_eq!(Backoff::new(Duration::ZERO, CAP, Some(1)).next(), Duration::ZERO);
    }
}
