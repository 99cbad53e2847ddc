//! The verdict, row by row and verb by verb, in simulated time.
//!
//! Against a scripted peer each row is one conversation, with every request counted. Where it matters what is in the table
//! in the end, the embedded engine stands behind a network that fails on command.

mod account;
mod cancellation;
mod costs;
mod faults;
mod fence;
mod going_on;
mod lanes;
mod other_errors;
mod peer;
mod refused;
mod suspicious;
mod tombstones;
mod world;
