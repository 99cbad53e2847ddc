//! The arguments.

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, ValueEnum};

use crate::rates::Given;

/// Delivers each key one to four times to workers that crash, over a bad network, and checks that its effect happened once.
#[derive(Debug, Clone, Parser)]
#[command(name = "deliveries")]
pub(crate) struct Options {
    /// The client by which the workers run operations once
    #[arg(long, value_enum, default_value_t = ClientKind::DynamoOnce)]
    pub(crate) client: ClientKind,
    /// How many keys to deliver
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) keys: u32,
    /// How many workers take the deliveries, one after the other, each with a store and a network of its own
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) workers: u16,
    /// The share of the deliveries in which the worker is to crash, at one step or another
    #[arg(long, default_value_t = 0.2, value_parser = share)]
    pub(crate) crashes: f64,
    /// The share of the deliveries in which the worker is to stand still until its lease has run out
    #[arg(long, default_value_t = 0.01, value_parser = share)]
    pub(crate) stalls: f64,
    /// The share of the runs in which the operation fails after it has staged its effect
    #[arg(long, default_value_t = 0.05, value_parser = share)]
    pub(crate) failures: f64,
    /// What deliveries, crashes and faults are drawn from; how the workers' steps interleave is the machine's
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    #[command(flatten)]
    pub(crate) given: Given,
    /// Of how many findings the key's deliveries are printed
    #[arg(long, default_value_t = 3, value_name = "COUNT")]
    pub(crate) explain: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ClientKind {
    /// This crate
    DynamoOnce,
    /// The records of Powertools for AWS Lambda, written with the SDK
    Powertools,
}

impl Options {
    /// Reads the arguments; what can't be run ends the program with status 2.
    pub(crate) fn read() -> Self {
        let options = Self::parse();
        if let Some(reason) = options.given.reason_against() {
            Self::command().error(ErrorKind::ValueValidation, reason).exit();
        }
        options
    }
}

impl ClientKind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::DynamoOnce => "dynamo-once",
            Self::Powertools => "powertools",
        }
    }

    /// The operation that completes a record.
    pub(crate) fn completes_by(self) -> &'static str {
        match self {
            Self::DynamoOnce => "TransactWriteItems",
            Self::Powertools => "UpdateItem",
        }
    }
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=0.5).contains(&share) => Ok(share),
        _ => Err("it has to be a share from 0 to 0.5".to_owned()),
    }
}
