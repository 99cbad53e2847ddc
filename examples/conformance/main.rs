//! The semantics of DynamoDB that dynamo-once rests on, checked one by one with the plain SDK client:
//! `cargo run --example conformance`.
//!
//! It runs on an engine in this process, with `AWS_ENDPOINT_URL` set or `--endpoint URL` there, and with `--aws` on the service
//! itself, with the credentials and the region of the environment. It makes two tables (`dynamo-once-conformance-` and a random
//! number), paid by the request, and deletes them whatever the checks find; an interrupted run leaves them behind. `--list`
//! prints the checks and the pages that document them.

mod checks;
mod deviations;
mod engine;
mod finding;
mod lab;
mod pages;
mod tables;

use std::io::Write;
use std::process::ExitCode;

use checks::{Check, THEMES};
use deviations::DEVIATIONS;
use engine::{Engine, Target};
use finding::Miss;
use tables::Tables;

/// As `println!`, but where nobody reads any more (`| head`), the run goes on and its tables are deleted.
macro_rules! say {
    ($($arguments:tt)*) => {{
        let _nobody_reads = writeln!(std::io::stdout(), $($arguments)*);
    }};
}

const USAGE: &str = "\
cargo run --example conformance -- [--endpoint URL] [--aws] [--only TEXT] [--list]

  --endpoint URL   check what answers there, instead of an engine in this process; also AWS_ENDPOINT_URL
  --aws            check Amazon DynamoDB, with the default chain of credentials; a few hundred requests, some of 400 KB
  --only TEXT      only the checks and themes whose name has this text
  --list           print the checks, and the pages that document them";

struct Options {
    target: Target,
    only: Option<String>,
    list: bool,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut endpoint, mut aws, mut only, mut list) = (None, false, None, false);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{argument} wants a value"));
            match argument.as_str() {
                "--endpoint" => endpoint = Some(value()?),
                "--only" => only = Some(value()?),
                "--aws" => aws = true,
                "--list" => list = true,
                "--help" => return Err("what DynamoDB has to do for dynamo-once".to_owned()),
                other => return Err(format!("{other} is unknown")),
            }
        }
        let ambient =
            ["AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL"].iter().find_map(|name| std::env::var(name).ok());
        let target = match (aws, endpoint, ambient) {
            (true, None, Some(ambient)) => {
                return Err(format!(
                    "--aws, and the environment says {ambient}: unset it, or say --endpoint to mean it"
                ));
            }
            (true, endpoint, _) => Target::Aws(endpoint),
            (false, Some(endpoint), _) | (false, None, Some(endpoint)) => Target::Endpoint(endpoint),
            (false, None, None) => Target::Embedded,
        };
        Ok(Self { target, only, list })
    }

    fn chooses(&self, theme: &str, check: &Check) -> bool {
        let has = |only: &String| theme.contains(only.as_str()) || check.name.contains(&only.replace(' ', "_"));
        self.only.as_ref().is_none_or(has)
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("{error}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    if options.list {
        list(&options);
        return ExitCode::SUCCESS;
    }
    let (client, engine) = options.target.connect().await;
    say!("Checking {engine}{}", options.target.place());
    let tables = match Tables::create(client).await {
        Ok(tables) => tables,
        Err(error) => {
            eprintln!("the tables could not be made: {error}");
            return ExitCode::FAILURE;
        }
    };
    let tally = run(&options, engine, &tables).await;
    let left = tables.delete().await;
    tally.print();
    for error in &left {
        say!("left behind: {error}");
    }
    if tally.failed == 0 && tally.run() > 0 && left.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn list(options: &Options) {
    for theme in THEMES {
        for check in theme.checks.iter().filter(|check| options.chooses(theme.title, check)) {
            say!("{}: {}\n    {}, {}", theme.title, spoken(check.name), check.page.title, check.page.address());
        }
    }
    for deviation in DEVIATIONS {
        let engines: Vec<_> = deviation.engines.iter().map(Engine::to_string).collect();
        say!("Deviation of {}: {}: {}", engines.join(" and "), spoken(deviation.check), deviation.instead);
    }
}

async fn run(options: &Options, engine: Engine, tables: &Tables) -> Tally {
    let mut tally = Tally::default();
    for theme in THEMES {
        let mut chosen = theme.checks.iter().filter(|check| options.chooses(theme.title, check)).peekable();
        if chosen.peek().is_some() {
            say!("\n{}", theme.title);
        }
        for check in chosen {
            // A task of its own, so that a panic is this check's failure, and the tables are deleted all the same.
            let finding = tokio::spawn((check.run)(tables.lab(check.name))).await;
            let finding = finding.unwrap_or_else(|panicked| Err(Miss::failed("a finding", panicked.to_string())));
            tally.count(engine, check, finding);
        }
    }
    tally
}

#[derive(Default)]
struct Tally {
    ok: u32,
    failed: u32,
    deviating: u32,
    skipped: u32,
}

impl Tally {
    fn count(&mut self, engine: Engine, check: &Check, finding: Result<(), Miss>) {
        let name = spoken(check.name);
        match (finding, deviations::known(engine, check.name)) {
            (Ok(()), None) => {
                self.ok += 1;
                say!("  ok        {name}");
            }
            (Ok(()), Some(_)) => {
                self.ok += 1;
                say!("  ok        {name} (known to deviate, and doesn't: strike it from the list)");
            }
            (Err(Miss::Failed { got, .. }), Some(known)) if got == known.instead => {
                self.deviating += 1;
                say!("  deviates  {name}: {got}; harmless: {}", known.harmless);
            }
            (Err(Miss::Failed { expected, got }), _) => {
                self.failed += 1;
                say!("  FAILED    {name}: expected {expected}, got {got}");
                say!("            see {}, {}", check.page.title, check.page.address());
            }
            (Err(Miss::Skipped(why)), _) => {
                self.skipped += 1;
                say!("  skipped   {name}: {why}");
            }
        }
    }

    fn run(&self) -> u32 {
        self.ok + self.failed + self.deviating + self.skipped
    }

    fn print(&self) {
        let Self { ok, failed, deviating, skipped } = self;
        say!("\nOf {} checks: {ok} ok, {failed} failed, {deviating} deviate, {skipped} skipped", self.run());
    }
}

fn spoken(name: &str) -> String {
    name.replace('_', " ")
}
