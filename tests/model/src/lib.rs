//! An exhaustive check of dynamo-once's protocol.
//!
//! It compiles the library's own `src/protocol`, with `rules` in the place of the file that says which rules hold, and
//! searches every order in which two and three calls, a lossy network, and other programs can meet on one item.

// The library's source as it stands; the search uses what it needs of it.
#[path = "../../../src/protocol"]
mod protocol {
    #![expect(dead_code, reason = "the search doesn't use all of the library's code")]
    pub(crate) mod call;
    pub(crate) mod claim;
    pub(crate) mod guard;
    pub(crate) mod log;
    #[path = "../../tests/model/src/rules.rs"]
    pub(crate) mod rules;
    pub(crate) mod tie;
    pub(crate) mod transaction;
    pub(crate) mod verdict;
}
mod claims;
mod promise;
mod scopes;
mod search;
mod table;
mod ties;
mod transactions;

pub use claims::check_claims;
pub use protocol::rules::Rule;
pub use scopes::{Finding, Scope, check};
pub use ties::check_ties;
pub use transactions::check_transactions;
