//! A request as the other side received it.

use std::collections::HashMap;
use std::fmt;

use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use serde_json::Value;

use super::Operation;
use super::json::item;

/// A request as the other side received it.
#[derive(Clone)]
pub struct Request {
    operation: Operation,
    body: Value,
}

impl Request {
    pub(super) fn of(request: &HttpRequest) -> Self {
        let bytes = request.body().bytes().unwrap_or_default();
        Self { operation: Operation::of(request), body: serde_json::from_slice(bytes).unwrap_or_default() }
    }

    /// The operation that was asked for.
    #[must_use]
    pub fn operation(&self) -> &Operation {
        &self.operation
    }

    /// The JSON document that was sent.
    #[must_use]
    pub fn body(&self) -> &Value {
        &self.body
    }

    /// The table, for a request that concerns one.
    #[must_use]
    pub fn table(&self) -> Option<&str> {
        self.text("TableName")
    }

    /// A member of the request that is text, as in `ConditionExpression`.
    #[must_use]
    pub fn text(&self, member: &str) -> Option<&str> {
        self.body[member].as_str()
    }

    /// A member of the request that is a map of attributes: `Item`, `Key` or `ExpressionAttributeValues`. Empty if
    /// there is none.
    #[must_use]
    pub fn attributes(&self, member: &str) -> HashMap<String, AttributeValue> {
        item(&self.body[member])
    }

    /// Names the operation and the table; the rest may be anyone's data.
    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.table() {
            Some(table) => write!(f, "{} on {table}", self.operation),
            None => write!(f, "{}", self.operation),
        }
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.describe(f)
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Request(")?;
        self.describe(f)?;
        f.write_str(")")
    }
}
