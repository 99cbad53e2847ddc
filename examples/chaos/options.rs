//! The arguments.

use std::time::Duration;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, ValueEnum};
use dynamo_once::testing::{Arrival, Fault, Rates};

/// Lets many writers meet a bad network, and reports what the clients were told and what really happened.
#[derive(Debug, Parser)]
#[command(name = "chaos")]
pub(crate) struct Options {
    /// The client that writes
    #[arg(long, value_enum, default_value_t = ClientKind::DynamoOnce)]
    pub(crate) client: ClientKind,
    /// Where DynamoDB listens, with credentials and region from the environment; an engine in this process unless given
    #[arg(long, value_name = "URL")]
    pub(crate) endpoint: Option<String>,
    /// How many calls to make
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) ops: u32,
    /// How many tasks make them, one call after the other
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) writers: u16,
    /// How many clients the writers share, each with a network, lanes and retries of its own
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) processes: u16,
    /// What the workload and the faults are drawn from; how the writers' calls interleave is the machine's
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Whether deletes leave tombstones; they do unless the client is the SDK, which knows none
    #[arg(long, value_enum)]
    tombstones: Option<Switch>,
    /// Whether items are deleted and made again
    #[arg(long, value_enum, default_value_t = Switch::On)]
    pub(crate) deletes: Switch,
    /// The share of the requests that meet a fault, as in `late=0.1`; once for each fault that is to have another rate
    #[arg(long = "rate", value_name = "FAULT=SHARE", value_parser = rate)]
    rates: Vec<(Kind, f64)>,
    /// Prints the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Of how many findings the key's whole history is printed
    #[arg(long, default_value_t = 3, value_name = "COUNT")]
    pub(crate) explain: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ClientKind {
    /// This crate
    DynamoOnce,
    /// The SDK alone, with its own retries and conditions written by hand
    Sdk,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Switch {
    On,
    Off,
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

impl Options {
    /// Reads the arguments; what can't be run ends the program with status 2.
    pub(crate) fn read() -> Self {
        let options = Self::parse();
        let refuse = |reason: String| Self::command().error(ErrorKind::ValueValidation, reason).exit();
        if options.tombstones == Some(Switch::On) && options.client == ClientKind::Sdk {
            refuse("the plain SDK knows no tombstones".to_owned());
        }
        if let Some(kind) = Kind::value_variants()
            .iter()
            .find(|kind| options.rates.iter().filter(|(other, _)| other == *kind).count() > 1)
        {
            refuse(format!("the rate of {} is given twice", kind.name()));
        }
        let sum: f64 = Kind::value_variants().iter().map(|kind| options.rate(*kind)).sum();
        if sum > 1.0 + ROUNDING {
            refuse(format!("the rates sum to {sum}, which is more than 1"));
        }
        options
    }

    /// Whether deletes leave tombstones.
    pub(crate) fn tombstones(&self) -> bool {
        self.tombstones.unwrap_or(Switch::On) == Switch::On && self.client == ClientKind::DynamoOnce
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
    pub(crate) fn named_rates(&self) -> Vec<(String, f64)> {
        Kind::value_variants().iter().map(|kind| (kind.name(), self.rate(*kind))).collect()
    }

    fn rate(&self, kind: Kind) -> f64 {
        self.rates.iter().find(|(given, _)| *given == kind).map_or(kind.default_rate(), |(_, rate)| *rate)
    }
}

impl ClientKind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::DynamoOnce => "dynamo-once",
            Self::Sdk => "sdk",
        }
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
