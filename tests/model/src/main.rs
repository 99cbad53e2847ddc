//! Runs a scope of the model: `cargo run --release -p dynamo-once-model -- --large`.

use std::process::ExitCode;

use dynamo_once_model::{Rule, Scope, check, check_claims, check_ties, check_transactions};

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
    let claims = check_claims(scope, None);
    println!("the records as they are: {claims}");
    sound &= claims.violation.is_none();
    let transactions = check_transactions(scope, None);
    println!("the transactions as they are: {transactions}");
    sound &= transactions.violation.is_none();
    let ties = check_ties(scope, None);
    println!("the ties as they are: {ties}");
    sound &= ties.violation.is_none();
    let writes = Rule::OF_WRITES.into_iter().map(|rule| (rule, check(Scope::Small, Some(rule))));
    let records = Rule::OF_RECORDS.into_iter().map(|rule| (rule, check_claims(Scope::Small, Some(rule))));
    let transactions = Rule::OF_TRANSACTIONS.into_iter();
    let transactions = transactions.map(|rule| (rule, check_transactions(Scope::Small, Some(rule))));
    let ties = Rule::OF_TIES.into_iter().map(|rule| (rule, check_ties(Scope::Small, Some(rule))));
    for (rule, without) in writes.chain(records).chain(transactions).chain(ties) {
        println!("without {rule:?}: {without}");
        sound &= without.violation.is_some();
    }
    if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
