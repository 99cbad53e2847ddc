//! The arguments, and those by which the processes of a run are started.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// Lets processes write for minutes or hours while they and the engine are killed, and checks what they were told
#[derive(Debug, Parser)]
#[command(name = "soak")]
pub(crate) struct Options {
    /// How long to write
    #[arg(long, default_value_t = 20.0, value_parser = minutes)]
    pub(crate) minutes: f64,
    /// How many client processes there are at a time; the first is never killed, so that its memory can be measured
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) processes: u32,
    /// How many tasks of each process make calls, one after the other
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) writers: u32,
    /// What the workload, the faults and the moments of the kills are drawn from; how the calls interleave is the machine's
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    #[command(subcommand)]
    pub(crate) part: Option<Part>,
}

/// A process that the run starts.
#[derive(Debug, Subcommand)]
pub(crate) enum Part {
    #[command(hide = true)]
    Engine { port: u16, file: PathBuf },
    #[command(hide = true)]
    Client { number: u32, endpoint: String, journal: PathBuf },
}

fn minutes(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(minutes) if minutes > 0.0 && minutes < 1e6 => Ok(minutes),
        _ => Err("it has to be a number of minutes above 0".to_owned()),
    }
}
