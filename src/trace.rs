//! The names of the fields in this crate's spans and events. Keys and values of items are never among them.

pub(crate) const OPERATION: &str = "operation";
pub(crate) const ATTEMPT: &str = "attempt";
pub(crate) const OUTCOME: &str = "outcome";
pub(crate) const DELAY_MS: &str = "delay_ms";
pub(crate) const WRITE_ID: &str = "write_id";
