//! Random faults: a seeded schedule, in which each kind of fault has a rate.

use super::{Arrival, Fault, Operation};

/// How often each fault happens, for [`Faults::seeded`](super::Faults::seeded).
///
/// # Examples
///
/// ```
/// use dynamo_once::testing::{Fault, Operation, Rates};
///
/// // One in ten writes loses its reply, one in twenty is throttled.
/// let rates = Rates::new()
///     .on(Operation::PutItem)
///     .on(Operation::UpdateItem)
///     .with(Fault::lost_reply(), 0.10)
///     .with(Fault::throttled(), 0.05);
/// ```
#[derive(Debug, Clone, Default)]
#[must_use = "rates do nothing before they are given to `Faults::seeded`"]
pub struct Rates {
    rates: Vec<(Fault, f64)>,
    operations: Vec<Operation>,
}

impl Rates {
    /// No faults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Spreads `total` evenly over every kind of fault that ends by itself; those that hang need a client with a
    /// timeout, so add them [`with`](Self::with) a rate of their own.
    pub fn spread(total: f64) -> Self {
        let faults = [
            Fault::connection_refused(),
            Fault::lost_request(),
            Fault::lost_reply(),
            Fault::truncated_reply(),
            Fault::duplicate(),
            Fault::duplicate_after(2),
            Fault::late(Arrival::AfterNext),
            Fault::internal_error(),
            Fault::internal_error().applied(),
            Fault::unavailable(),
            Fault::unavailable().applied(),
            Fault::throughput_exceeded(),
            Fault::throttled(),
            Fault::transaction_conflict(),
        ];
        let rate = total / faults.len() as f64;
        faults.into_iter().fold(Self::new(), |rates, fault| rates.with(fault, rate))
    }

    /// Lets `fault` happen to this share of the requests, from 0 to 1.
    pub fn with(mut self, fault: Fault, rate: f64) -> Self {
        self.rates.push((fault, rate));
        self
    }

    /// Only requests of this operation, and of others named so; without any, all requests.
    pub fn on(mut self, operation: Operation) -> Self {
        self.operations.push(operation);
        self
    }

    fn check(&self) -> Result<(), InvalidRates> {
        if let Some((fault, rate)) = self.rates.iter().find(|(_, rate)| !(0.0..=1.0).contains(rate)) {
            return Err(InvalidRates(format!("the rate of the fault \"{fault}\" is {rate}, not between 0 and 1")));
        }
        let sum: f64 = self.rates.iter().map(|(_, rate)| rate).sum();
        if sum > 1.0 + ROUNDING {
            return Err(InvalidRates(format!("the rates sum to {sum}, which is more than 1")));
        }
        Ok(())
    }
}

/// The error for [`Rates`] that no schedule can have: a rate outside 0 to 1, or more than 1 in all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidRates(String);

/// Rates, and the random numbers that decide for one request after the other.
#[derive(Debug)]
pub(super) struct Schedule {
    rates: Rates,
    random: fastrand::Rng,
}

impl Schedule {
    pub(super) fn new(seed: u64, rates: Rates) -> Result<Self, InvalidRates> {
        rates.check()?;
        Ok(Self { rates, random: fastrand::Rng::with_seed(seed) })
    }

    pub(super) fn fault(&mut self, operation: &Operation) -> Option<Fault> {
        if !self.rates.operations.is_empty() && !self.rates.operations.contains(operation) {
            return None;
        }
        let mut roll = self.random.f64();
        for (fault, rate) in &self.rates.rates {
            if roll < *rate {
                return Some(fault.clone());
            }
            roll -= rate;
        }
        None
    }
}

/// Rates that sum to 1 on paper may sum to a little more in binary.
const ROUNDING: f64 = 1e-9;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_outside_zero_to_one_or_over_one_in_all_are_an_error() {
        for rate in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            let rates = Rates::new().with(Fault::hang(), rate);
            assert!(Schedule::new(1, rates).is_err(), "{rate}");
        }
        let rates = Rates::new().with(Fault::hang(), 0.6).with(Fault::lost_reply(), 0.6);
        assert_eq!(Schedule::new(1, rates).unwrap_err().to_string(), "the rates sum to 1.2, which is more than 1");
        let tenths = (0..10).fold(Rates::new(), |rates, _| rates.with(Fault::hang(), 0.1));
        assert!(Schedule::new(1, tenths).is_ok());
    }

    #[test]
    fn the_same_seed_gives_the_same_faults_at_about_the_rates_asked_for() {
        let draw = |seed| {
            let rates =
                Rates::new().on(Operation::PutItem).with(Fault::lost_reply(), 0.2).with(Fault::throttled(), 0.1);
            let mut schedule = Schedule::new(seed, rates).unwrap();
            let faults = (0..10_000).map(|_| schedule.fault(&Operation::PutItem).map(|fault| fault.to_string()));
            faults.collect::<Vec<_>>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        let count = |name: &str| draw(7).iter().flatten().filter(|fault| *fault == name).count();
        assert!((1800..2200).contains(&count("lost reply")), "{}", count("lost reply"));
        assert!((850..1150).contains(&count("throttled")), "{}", count("throttled"));
    }

    #[test]
    fn operations_that_are_not_named_are_left_alone() {
        let rates = Rates::new().on(Operation::PutItem).with(Fault::lost_reply(), 1.0);
        let mut schedule = Schedule::new(1, rates).unwrap();
        assert!(schedule.fault(&Operation::GetItem).is_none());
        assert!(schedule.fault(&Operation::PutItem).is_some());
    }
}
