//! What goes wrong on the network, and how often.

use std::time::Duration;

use clap::{Args, ValueEnum};
use dynamo_once::testing::{Arrival, Fault, Rates};

/// The rates that are given; the others are as they are in every run.
#[derive(Debug, Clone, Args)]
pub(crate) struct Given {
    /// The share of the requests that meet a fault, as in `late=0.1`; once for each fault that is to have another rate
    #[arg(long = "rate", value_name = "FAULT=SHARE", value_parser = rate)]
    rates: Vec<(Kind, f64)>,
}

/// A kind of fault with a rate of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    LostReply,
    InternalError,
    Late,
    Duplicate,
    Throttle,
    Hang,
}

/// After this an attempt counts as unanswered. Only a fault takes so long.
pub(crate) const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(300);

impl Given {
    /// Why there can be no such rates.
    pub(crate) fn reason_against(&self) -> Option<String> {
        if let Some(kind) =
            Kind::value_variants().iter().find(|kind| self.rates.iter().filter(|(other, _)| other == *kind).count() > 1)
        {
            return Some(format!("the rate of {} is given twice", kind.name()));
        }
        let sum: f64 = Kind::value_variants().iter().map(|kind| self.rate(*kind)).sum();
        (sum > 1.0 + ROUNDING).then(|| format!("the rates sum to {sum}, which is more than 1"))
    }

    /// Each kind of fault in its variants.
    pub(crate) fn rates(&self) -> Rates {
        Kind::value_variants().iter().fold(Rates::new(), |rates, kind| {
            let variants = kind.variants();
            let share = self.rate(*kind) / variants.len() as f64;
            variants.into_iter().fold(rates, |rates, fault| rates.with(fault, share))
        })
    }

    /// The rates by their names, for the report.
    pub(crate) fn named(&self) -> Vec<(String, f64)> {
        Kind::value_variants().iter().map(|kind| (kind.name(), self.rate(*kind))).collect()
    }

    fn rate(&self, kind: Kind) -> f64 {
        self.rates.iter().find(|(given, _)| *given == kind).map_or(kind.default_rate(), |(_, rate)| *rate)
    }
}

impl Kind {
    fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    fn default_rate(self) -> f64 {
        match self {
            Self::LostReply => 0.05,
            Self::InternalError => 0.03,
            Self::Late => 0.02,
            Self::Duplicate | Self::Throttle | Self::Hang => 0.01,
        }
    }

    /// In equal parts. A late request arrives while its call goes on, some calls later, or long after.
    fn variants(self) -> Vec<Fault> {
        let late = |millis| Fault::late(Arrival::After(Duration::from_millis(millis)));
        match self {
            Self::LostReply => vec![Fault::lost_reply()],
            Self::InternalError => vec![Fault::internal_error().applied()],
            Self::Late => vec![Fault::late(Arrival::AfterNext), late(20), late(400), late(3000)],
            Self::Duplicate => vec![Fault::duplicate(), Fault::duplicate_after(3), Fault::duplicate_after(300)],
            Self::Throttle => vec![Fault::throttled(), Fault::throughput_exceeded()],
            Self::Hang => vec![Fault::hang(), Fault::hang().applied()],
        }
    }
}

fn rate(text: &str) -> Result<(Kind, f64), String> {
    let (name, share) = text.split_once('=').ok_or("it has to be FAULT=SHARE, as in lost-reply=0.05")?;
    let names = || Kind::value_variants().iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", ");
    let kind =
        Kind::from_str(name, false).map_err(|_| format!("there is no fault \"{name}\"; there are {}", names()))?;
    let share: f64 = share.parse().map_err(|_| format!("\"{share}\" is no number"))?;
    if !(0.0..=1.0).contains(&share) {
        return Err(format!("the rate of {name} is {share}, not between 0 and 1"));
    }
    Ok((kind, share))
}

/// Rates that sum to 1 on paper may sum to a little more in binary.
const ROUNDING: f64 = 1e-9;
