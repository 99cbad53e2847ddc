//! What clients are told on a bad network, and what really happened: `cargo run --release --example chaos`.
//!
//! Writers make calls on hot and cold keys while replies get lost, requests arrive late, twice, or not at all. An observer
//! between the faults and the table writes down what the table really does; at the end a checker holds that, and the
//! items that stand, against what the callers were told. `--client sdk` shows what the plain SDK makes of the same.
//!
//! Exits with 1 where a promise was broken, with 2 for arguments that can't be run, and with 3 where the run itself failed.

mod checker;
mod client;
mod entry;
mod history;
mod journal;
mod layer;
mod network;
mod once;
mod options;
mod rates;
mod report;
mod run;
mod sdk;
mod workload;

use std::process::ExitCode;

use aws_sdk_dynamodb::error::{BoxError, DisplayErrorContext};

use crate::options::Options;
use crate::report::{Report, explain};

#[tokio::main]
async fn main() -> ExitCode {
    match chaos(&Options::read()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("the run failed: {}", DisplayErrorContext(&*error));
            ExitCode::from(3)
        }
    }
}

/// Runs it and prints the report; whether every promise was kept.
async fn chaos(options: &Options) -> Result<bool, BoxError> {
    let run = run::run(options).await?;
    let findings = checker::check(&run.history);
    let report = Report::of(options, &run, &findings);
    if options.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{}", report.text());
    }
    for finding in findings.broken().take(options.explain) {
        eprint!("\n{}", explain(&run.history, finding));
    }
    Ok(report.kept())
}
