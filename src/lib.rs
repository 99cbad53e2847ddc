//! Writes to DynamoDB that happen exactly once.

mod error;
#[cfg(feature = "test-util")]
pub mod testing;

pub use error::{Error, ErrorKind};
