//! Writes to DynamoDB that happen exactly once.

mod error;
#[cfg(any(feature = "test-util", feature = "embedded"))]
pub mod testing;

pub use error::{Error, ErrorKind};
