//! Writes to DynamoDB that happen exactly once.

#[cfg_attr(not(test), expect(dead_code, reason = "the verbs are not there yet"))]
mod call;
#[cfg_attr(not(test), expect(dead_code, reason = "the verbs are not there yet"))]
mod error;
#[cfg_attr(not(test), expect(dead_code, reason = "the verbs are not there yet"))]
mod retry;
mod trace;

pub use error::{Error, ErrorKind, Limit};
pub use retry::RetryPolicy;
