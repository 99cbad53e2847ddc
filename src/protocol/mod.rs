//! The protocol: what a write requires of the item, and what is certain when it didn't go through.
//!
//! Pure code over plain values, without async, network or SDK types, so that the model checker in `tests/model` runs this
//! very source. It reads in this order: [`log`] is what an item carries, [`guard`] what an attempt requires of it,
//! [`verdict`] what a failed condition proves, and [`call`] the steps of one call from its first attempt to its outcome.
//! [`transaction`] is several calls that apply together. [`claim`] is the same for the record of an operation that runs once, and [`tie`]
//! for a transaction that completes such a record.
//! [`rules`] names each rule that the promise hangs on.

pub(crate) mod call;
pub(crate) mod claim;
pub(crate) mod guard;
pub(crate) mod log;
pub(crate) mod rules;
pub(crate) mod tie;
pub(crate) mod transaction;
pub(crate) mod verdict;
