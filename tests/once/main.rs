//! Operations that run once: on an engine, over a network that loses what it is told to lose.

mod answers;
mod bad_luck;
mod failures;
mod fingerprints;
mod leases;
mod recorded;
mod runs;
mod staged;
mod world;
