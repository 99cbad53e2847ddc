//! Runs a scope of the model: `cargo run --release -p dynamo-once-model -- --large`.

use std::process::ExitCode;

use dynamo_once_model::{Rule, Scope, check};

fn main() -> ExitCode {
    let scope = match std::env::args().nth(1).as_deref() {
        None | Some("--small") => Scope::Small,
        Some("--large") => Scope::Large,
        Some(other) => {
            eprintln!("unknown scope {other}: --small or --large");
            return ExitCode::from(2);
        }
    };
    let whole = check(scope, None);
    println!("the protocol as it is: {whole}");
    let mut sound = whole.violation.is_none();
    for rule in Rule::ALL {
        let without = check(Scope::Small, Some(rule));
        println!("without {rule:?}: {without}");
        sound &= without.violation.is_some();
    }
    if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
