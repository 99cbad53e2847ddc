//! The small scope, as part of `cargo test`: the protocol keeps its promise, and needs each of its rules for that.

use dynamo_once_model::{Rule, Scope, check};

fn main() {
    let whole = check(Scope::Small, None);
    println!("the protocol as it is: {whole}");
    assert!(whole.violation.is_none(), "the protocol breaks its promise");
    for rule in Rule::ALL {
        let without = check(Scope::Small, Some(rule));
        println!("without {rule:?}: broken after {} states", without.states);
        assert!(without.violation.is_some(), "the promise holds without {rule:?}, so the rule can go");
    }
}
