//! Hours of bad weather: `cargo run --release --example soak -- --minutes 20 --processes 3 --seed 1`.
//!
//! Client processes write over sockets, through faults, to an engine process with its tables in a file. All the while engine
//! and clients are killed and started again. Each client writes down what it begins and what it is told; at the end a
//! checker holds these journals against the items that stand. How many bytes a client takes up is measured besides.
//!
//! Exits with 1 where a promise was broken or memory grew, with 2 for arguments that can't be run, and with 3 where the run
//! itself failed.

mod checker;
mod child;
mod client;
mod engine;
mod history;
mod journal;
mod memory;
mod network;
mod options;
mod report;
mod row;
mod run;
mod workload;

use std::process::ExitCode;

use aws_sdk_dynamodb::error::{BoxError, DisplayErrorContext};
use clap::Parser as _;

use crate::options::{Options, Part};

#[tokio::main]
async fn main() -> ExitCode {
    match soak(&Options::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("the run failed: {}", DisplayErrorContext(&*error));
            ExitCode::from(3)
        }
    }
}

/// Whether every promise was kept.
async fn soak(options: &Options) -> Result<bool, BoxError> {
    match &options.part {
        None => run::run(options).await,
        Some(Part::Engine { port, file }) => engine::serve(*port, file).await.map(|()| true),
        Some(Part::Client { number, endpoint, journal }) => {
            client::write(options, *number, endpoint, journal).await.map(|()| true)
        }
    }
}
