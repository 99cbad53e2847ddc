//! Operations that run once: on an engine, over a network that loses what it is told to lose.

mod bad_luck;
mod leases;
mod runs;
mod world;
