//! Events that are delivered again and again, to workers that crash: `cargo run --release --example deliveries`.
//!
//! A queue delivers each key one to four times, and again until it is answered. Workers take the deliveries, run the operation
//! of a key once, and stage its effect. Meanwhile the network is as bad as in `chaos`, and workers crash or stall between any
//! two of their steps. At the end a checker holds the tables against what each delivery was told. `--client powertools` shows
//! what the records of Powertools for AWS Lambda make of the same.
//!
//! Exits with 1 where a promise was broken, with 2 for arguments that can't be run, and with 3 where the run itself failed.

mod checker;
mod fate;
mod history;
#[path = "../chaos/layer.rs"]
mod layer;
mod once;
mod options;
mod powertools;
mod queue;
#[path = "../chaos/rates.rs"]
mod rates;
mod report;
mod run;
mod tables;

use std::process::ExitCode;

use aws_sdk_dynamodb::error::{BoxError, DisplayErrorContext};

use crate::options::Options;

#[tokio::main]
async fn main() -> ExitCode {
    match deliveries(&Options::read()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("the run failed: {}", DisplayErrorContext(&*error));
            ExitCode::from(3)
        }
    }
}

/// Runs it and prints the report; whether every promise was kept.
async fn deliveries(options: &Options) -> Result<bool, BoxError> {
    let run = run::run(options.clone()).await?;
    let findings = checker::check(&run.history);
    print!("{}", report::text(options, &run, &findings));
    for finding in findings.all.iter().take(options.explain) {
        eprint!("\n{}", report::explain(&run.history, finding));
    }
    Ok(findings.all.is_empty())
}
