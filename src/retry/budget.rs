//! The retries that all operations of a store share, so that an outage is not answered with a retry storm.

use std::sync::atomic::{AtomicU32, Ordering};

/// A bucket of tokens: retries take from it, answers put back. Sized and priced as the AWS SDK's standard bucket.
#[derive(Debug)]
pub(crate) struct Budget {
    tokens: AtomicU32,
    capacity: u32,
}

impl Budget {
    pub(crate) fn new(capacity: u32) -> Self {
        Self { tokens: AtomicU32::new(capacity), capacity }
    }

    /// Takes all of `cost`, or nothing and answers false.
    pub(crate) fn take(&self, cost: u32) -> bool {
        self.tokens.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |tokens| tokens.checked_sub(cost)).is_ok()
    }

    pub(crate) fn put_back(&self, tokens: u32) {
        // A full bucket is the rule: the hot path reads a shared cache line, and doesn't write it.
        if self.tokens.load(Ordering::Relaxed) < self.capacity {
            let refilled = |now: u32| Some(now.saturating_add(tokens).min(self.capacity));
            let _ = self.tokens.fetch_update(Ordering::Relaxed, Ordering::Relaxed, refilled);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_whole_costs_until_spent_and_refills_up_to_its_capacity() {
        let budget = Budget::new(12);
        assert!(budget.take(5) && budget.take(5));
        assert!(!budget.take(5));
        assert!(budget.take(2));
        budget.put_back(5);
        assert!(budget.take(5) && !budget.take(1));
        budget.put_back(u32::MAX);
        assert!(budget.take(12) && !budget.take(1));
    }
}
