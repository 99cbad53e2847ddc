//! What is traced: a span for each operation, an event for each attempt and pause, and one for the verdict. Never a key or a
//! value of an item.

use tracing::{Level, Span};

pub(crate) const TABLE: &str = "table";
pub(crate) const OPERATION: &str = "operation";
pub(crate) const ATTEMPT: &str = "attempt";
pub(crate) const DELAY_MS: &str = "delay_ms";
pub(crate) const OUTCOME: &str = "outcome";
pub(crate) const VERDICT: &str = "verdict";
pub(crate) const WRITE_ID: &str = "write_id";

/// The span of one operation; none where nobody listens, which even the `log` feature of `tracing` then leaves alone.
pub(crate) fn operation(operation: &'static str, table: &str) -> Span {
    if !tracing::level_enabled!(Level::DEBUG) {
        return Span::none();
    }
    tracing::debug_span!("dynamo_once", { OPERATION } = operation, { TABLE } = table)
}
