//! Writes to DynamoDB that happen exactly once.

mod error;

pub use error::{Error, ErrorKind};
