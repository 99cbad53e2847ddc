//! The embedded engine's front door: from an HTTP request of the SDK to a call of the engine, without a socket.
//!
//! The engine has an HTTP server of its own, but its router is private, and a socket rules out simulated time. What
//! that server does on top of this is to check the JSON's types and to word some validation errors as the service does;
//! a test in `tests/faults.rs` compares the statuses and codes of both ways.

use std::future::poll_fn;
use std::task::Poll;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use dynoxide::{Database, DynoxideError};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Operation;

/// An HTTP client that hands each request to the engine in this process.
#[derive(Clone)]
pub(super) struct Direct {
    database: Database,
}

impl Direct {
    pub(super) fn new(database: Database) -> Self {
        Self { database }
    }

    fn execute(&self, request: &HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let body = request.body().bytes().and_then(|bytes| std::str::from_utf8(bytes).ok());
        let body = body.ok_or_else(|| ConnectorError::user("the request's body is no text in memory".into()))?;
        let (status, body) = match dispatch(&self.database, &Operation::of(request), body) {
            Ok(body) => (200, body),
            Err(error) => (error.status_code(), error.to_json()),
        };
        let status = StatusCode::try_from(status).map_err(|error| ConnectorError::other(error.into(), None))?;
        let mut response = HttpResponse::new(status, SdkBody::from(body));
        response.headers_mut().insert("content-type", "application/x-amz-json-1.0");
        response.headers_mut().insert("x-amzn-requestid", format!("EMBEDDED{:044}", fastrand::u64(..)));
        Ok(response)
    }
}

impl HttpClient for Direct {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Direct {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let engine = self.clone();
        HttpConnectorFuture::new(async move {
            // Other tasks run while a request travels, and while its reply does. Without this, tasks on one thread
            // would never come between a read and the write that follows it.
            step_aside().await;
            let response = engine.execute(&request);
            step_aside().await;
            response
        })
    }
}

impl std::fmt::Debug for Direct {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Direct")
    }
}

/// Lets every other task have a turn, under any runtime.
async fn step_aside() {
    let mut waited = false;
    poll_fn(|context| {
        if std::mem::replace(&mut waited, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

fn dispatch(db: &Database, operation: &Operation, body: &str) -> Result<String, DynoxideError> {
    match operation.name() {
        "BatchExecuteStatement" => run(body, |request| db.batch_execute_statement(request)),
        "BatchGetItem" => run(body, |request| db.batch_get_item(request)),
        "BatchWriteItem" => run(body, |request| db.batch_write_item(request)),
        "CreateTable" => run(body, |request| db.create_table(request)),
        "DeleteItem" => run(body, |request| db.delete_item(request)),
        "DeleteTable" => run(body, |request| db.delete_table(request)),
        "DescribeTable" => run(body, |request| db.describe_table(request)),
        "DescribeTimeToLive" => run(body, |request| db.describe_time_to_live(request)),
        "ExecuteStatement" => run(body, |request| db.execute_statement(request)),
        "ExecuteTransaction" => run(body, |request| db.execute_transaction(request)),
        "GetItem" => run(body, |request| db.get_item(request)),
        "ListTables" => run(body, |request| db.list_tables(request)),
        "PutItem" => run(body, |request| db.put_item(request)),
        "Query" => run(body, |request| db.query(request)),
        "Scan" => run(body, |request| db.scan(request)),
        "TransactGetItems" => run(body, |request| db.transact_get_items(request)),
        "TransactWriteItems" => run(body, |request| db.transact_write_items(request)),
        "UpdateItem" => run(body, |request| db.update_item(request)),
        "UpdateTable" => run(body, |request| db.update_table(request)),
        "UpdateTimeToLive" => run(body, |request| db.update_time_to_live(request)),
        name => Err(DynoxideError::ValidationException(format!("the embedded engine does not offer {name}"))),
    }
}

fn run<Q: DeserializeOwned, A: Serialize>(
    body: &str,
    operation: impl FnOnce(Q) -> Result<A, DynoxideError>,
) -> Result<String, DynoxideError> {
    let request = serde_json::from_str(body).map_err(|error| malformed(&error.to_string()))?;
    let answer = operation(request)?;
    serde_json::to_string(&answer).map_err(|error| DynoxideError::InternalServerError(error.to_string()))
}

/// A request that the engine can't read. It marks in the message which error that is ("VALIDATION:..",
/// "SERIALIZATION:.."), and serde_json adds a position.
fn malformed(message: &str) -> DynoxideError {
    let message = message.rsplit_once(" at line ").map_or(message, |(message, _)| message);
    match message.split_once(':') {
        Some(("SERIALIZATION" | "SERIALIZATION_AS_READ", text)) => {
            DynoxideError::SerializationException(text.to_owned())
        }
        Some(("VALIDATION" | "VALIDATION_REQUEST" | "VALIDATION_AS_READ", text)) => {
            DynoxideError::ValidationException(text.to_owned())
        }
        _ => DynoxideError::ValidationException(message.to_owned()),
    }
}
