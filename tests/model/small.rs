//! The small scope, as part of `cargo test`: the protocol keeps its promise, and needs each of its rules for that.

use dynamo_once_model::{Rule, Scope, check, check_claims, check_ties, check_transactions};

fn main() {
    let whole = check(Scope::Small, None);
    println!("the protocol as it is: {whole}");
    assert!(whole.violation.is_none(), "the protocol breaks its promise");
    let claims = check_claims(Scope::Small, None);
    println!("the records as they are: {claims}");
    assert!(claims.violation.is_none(), "an operation can run twice, or is locked out");
    let transactions = check_transactions(Scope::Small, None);
    println!("the transactions as they are: {transactions}");
    assert!(transactions.violation.is_none(), "a transaction breaks its promise");
    let ties = check_ties(Scope::Small, None);
    println!("the ties as they are: {ties}");
    assert!(ties.violation.is_none(), "a transaction breaks the promise of its record");
    let writes = Rule::OF_WRITES.into_iter().map(|rule| (rule, check(Scope::Small, Some(rule))));
    let records = Rule::OF_RECORDS.into_iter().map(|rule| (rule, check_claims(Scope::Small, Some(rule))));
    let transactions = Rule::OF_TRANSACTIONS.into_iter();
    let transactions = transactions.map(|rule| (rule, check_transactions(Scope::Small, Some(rule))));
    let ties = Rule::OF_TIES.into_iter().map(|rule| (rule, check_ties(Scope::Small, Some(rule))));
    for (rule, without) in writes.chain(records).chain(transactions).chain(ties) {
        println!("without {rule:?}: broken after {} states", without.states);
        assert!(without.violation.is_some(), "the promise holds without {rule:?}, so the rule can go");
    }
}
