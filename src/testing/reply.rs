//! What a caller gets for a request: an answer as DynamoDB words it, or a connection that fails.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use serde_json::{Value, json};

use super::json::item_to_json;
use super::wire::{self, Patience};

/// What a caller gets for a request, in place of the table's own answer.
///
/// # Examples
///
/// ```
/// use dynamo_once::testing::Reply;
/// use serde_json::json;
///
/// let applied = Reply::ok(json!({ "Attributes": { "balance": { "N": "40" } } }));
/// assert_eq!(applied.to_string(), "200");
/// assert_eq!(Reply::throttled().to_string(), "400 ThrottlingException");
/// assert_eq!(Reply::broken_connection().to_string(), "connection broken");
/// ```
#[derive(Clone)]
pub struct Reply {
    kind: Kind,
    delay: Option<Duration>,
}

#[derive(Clone)]
enum Kind {
    Answer { status: u16, body: Bytes, cut: bool },
    Refused,
    Broken,
    Hang,
}

impl Reply {
    /// Success, with the JSON document that DynamoDB would answer. For a write without return values that is `{}`.
    #[must_use]
    pub fn ok(body: Value) -> Self {
        Self::raw(200, body.to_string())
    }

    /// `ConditionalCheckFailedException`, with the item as it stands if the request asked for it (`ALL_OLD`) and there
    /// is one.
    #[must_use]
    pub fn condition_failed(item: Option<HashMap<String, AttributeValue>>) -> Self {
        let mut body = error_body("ConditionalCheckFailedException", "The conditional request failed");
        if let Some(item) = item {
            body["Item"] = item_to_json(&item);
        }
        Self::raw(400, body.to_string())
    }

    /// `ProvisionedThroughputExceededException`: the table's or the partition's capacity is used up.
    #[must_use]
    pub fn throughput_exceeded() -> Self {
        Self::error("ProvisionedThroughputExceededException").message(
            "The level of configured provisioned throughput for the table was exceeded. Consider increasing your \
             provisioning level with the UpdateTable API.",
        )
    }

    /// `ThrottlingException`: more requests than the account may send.
    #[must_use]
    pub fn throttled() -> Self {
        Self::error("ThrottlingException").message("Rate of requests exceeds the allowed throughput.")
    }

    /// `TransactionConflictException`: a transaction is writing the item. The request was not executed.
    #[must_use]
    pub fn transaction_conflict() -> Self {
        Self::error("TransactionConflictException").message("Transaction is ongoing for the item")
    }

    /// `TransactionInProgressException`: the transaction with this token is still running.
    #[must_use]
    pub fn transaction_in_progress() -> Self {
        Self::error("TransactionInProgressException")
            .message("The transaction with the given request token is already in progress")
    }

    /// `InternalServerError`, status 500. It does not say whether the request was executed.
    #[must_use]
    pub fn internal_error() -> Self {
        Self::error("InternalServerError").message("Internal server error").status(500)
    }

    /// `ServiceUnavailable`, status 503. It does not say whether the request was executed.
    #[must_use]
    pub fn unavailable() -> Self {
        Self::error("ServiceUnavailable").message("The service is currently unavailable").status(503)
    }

    /// Any other error, by its code, as in `ValidationException`. Its status is 400 unless [`status`](Self::status)
    /// says otherwise.
    #[must_use]
    pub fn error(code: &str) -> Self {
        Self::raw(400, error_body(code, code).to_string())
    }

    /// An answer with any status and body.
    #[must_use]
    pub fn raw(status: u16, body: impl Into<String>) -> Self {
        Self { kind: Kind::Answer { status, body: Bytes::from(body.into()), cut: false }, delay: None }
    }

    /// No connection comes about, as if nothing listened there: the request was certainly not sent.
    #[must_use]
    pub fn connection_refused() -> Self {
        Self { kind: Kind::Refused, delay: None }
    }

    /// The request is sent, and then the connection breaks without an answer.
    #[must_use]
    pub fn broken_connection() -> Self {
        Self { kind: Kind::Broken, delay: None }
    }

    /// The request is sent, and nothing ever comes back: the caller's own timeout has to end it.
    ///
    /// A client without a read, attempt or operation timeout (the SDK's default) waits for ever.
    #[must_use]
    pub fn hang() -> Self {
        Self { kind: Kind::Hang, delay: None }
    }

    /// Gives the error a message.
    #[must_use]
    pub fn message(mut self, message: &str) -> Self {
        if let Kind::Answer { body, .. } = &mut self.kind
            && let Ok(mut parsed) = serde_json::from_slice::<Value>(body)
            && let Some(members) = parsed.as_object_mut()
        {
            members.insert("message".to_owned(), message.into());
            *body = parsed.to_string().into();
        }
        self
    }

    /// Gives the answer an HTTP status.
    #[must_use]
    pub fn status(mut self, code: u16) -> Self {
        if let Kind::Answer { status, .. } = &mut self.kind {
            *status = code;
        }
        self
    }

    /// Cuts the answer's body in half: the status says how it went, the document can't be read.
    #[must_use]
    pub fn truncated(mut self) -> Self {
        if let Kind::Answer { cut, .. } = &mut self.kind {
            *cut = true;
        }
        self
    }

    /// Lets the caller wait for `delay` first, in the client's own time: with tokio's paused clock, no time at all.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = Some(delay);
        self
    }

    /// Lets the caller see this reply.
    pub(super) async fn play(self, patience: &Patience) -> Result<HttpResponse, ConnectorError> {
        if let Some(delay) = self.delay {
            patience.pause(delay).await?;
        }
        match self.kind {
            Kind::Answer { status, body, cut } => response(status, if cut { wire::first_half(&body) } else { body }),
            Kind::Refused => Err(wire::refused().await),
            Kind::Broken => Err(wire::broken()),
            Kind::Hang => Err(patience.hang().await),
        }
    }
}

/// What the caller sees, in a few words: `400 ThrottlingException`, `connection broken`. Never the body.
impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Answer { status, body, cut } => {
                let body = if *cut { wire::first_half(body) } else { body.clone() };
                f.write_str(&summary(*status, &body))
            }
            Kind::Refused => f.write_str("connection refused"),
            Kind::Broken => f.write_str("connection broken"),
            Kind::Hang => f.write_str("no reply"),
        }
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reply({self})")
    }
}

/// The status and what can be told of the body: `200`, `200 truncated`, `400 ConditionalCheckFailedException`.
pub(super) fn summary(status: u16, body: &[u8]) -> String {
    let code = || {
        let document: Value = serde_json::from_slice(body).ok()?;
        Some(document["__type"].as_str()?.rsplit('#').next()?.to_owned())
    };
    let readable = || serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok();
    match status {
        200..=299 if readable() => status.to_string(),
        200..=299 => format!("{status} truncated"),
        _ => code().map_or_else(|| status.to_string(), |code| format!("{status} {code}")),
    }
}

fn error_body(code: &str, message: &str) -> Value {
    // The SDK looks at what follows the '#'. The prefixes are the service's: those errors come from its front end.
    let namespace = match code {
        "ThrottlingException" => "com.amazon.coral.availability",
        "ValidationException" => "com.amazon.coral.validate",
        "SerializationException" | "ServiceUnavailable" => "com.amazon.coral.service",
        _ => "com.amazonaws.dynamodb.v20120810",
    };
    json!({ "__type": format!("{namespace}#{code}"), "message": message })
}

fn response(status: u16, body: Bytes) -> Result<HttpResponse, ConnectorError> {
    let status = StatusCode::try_from(status).map_err(|error| ConnectorError::user(error.into()))?;
    let mut response = HttpResponse::new(status, SdkBody::from(body));
    response.headers_mut().insert("content-type", "application/x-amz-json-1.0");
    response.headers_mut().insert("x-amzn-requestid", format!("INJECTED{:044}", fastrand::u64(..)));
    Ok(response)
}
