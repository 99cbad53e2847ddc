//! The arguments.

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, ValueEnum};

use crate::rates::Given;

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
    #[command(flatten)]
    pub(crate) given: Given,
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

impl Options {
    /// Reads the arguments; what can't be run ends the program with status 2.
    pub(crate) fn read() -> Self {
        let options = Self::parse();
        let refuse = |reason: String| Self::command().error(ErrorKind::ValueValidation, reason).exit();
        if options.tombstones == Some(Switch::On) && options.client == ClientKind::Sdk {
            refuse("the plain SDK knows no tombstones".to_owned());
        }
        if let Some(reason) = options.given.reason_against() {
            refuse(reason);
        }
        options
    }

    /// Whether deletes leave tombstones.
    pub(crate) fn tombstones(&self) -> bool {
        self.tombstones.unwrap_or(Switch::On) == Switch::On && self.client == ClientKind::DynamoOnce
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
