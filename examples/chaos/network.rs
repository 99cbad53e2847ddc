//! The two sides of the network: `Tagged` above the faults says whose a request is, `Observed` below them sees what
//! really reaches the table and what the table really does.

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use serde_json::Value;

use crate::history::{Delivery, Did, Token};
use crate::journal::{Journal, UnderWay};
use crate::layer::layered;

/// The attribute that marks a tombstone.
pub(crate) const TOMBSTONE: &str = "_wt";
/// What the mark says: the TTL attribute.
const MARK: &str = "expires_at";

/// Carries a request's call and number through the faults. It is no part of what was signed, and taken off below.
const TAG: &str = "x-chaos-request";

/// Tags each request with the call that sends it.
pub(crate) fn tagged(inner: impl HttpClient + 'static) -> SharedHttpClient {
    layered(inner, |connector| Tagged { inner: connector })
}

/// Writes down what the table does.
pub(crate) fn observed(inner: impl HttpClient + 'static, journal: &Journal) -> SharedHttpClient {
    let journal = journal.clone();
    layered(inner, move |connector| Observed { inner: connector, journal: journal.clone() })
}

#[derive(Debug, Clone)]
struct Tagged {
    inner: SharedHttpConnector,
}

#[derive(Debug, Clone)]
struct Observed {
    inner: SharedHttpConnector,
    journal: Journal,
}

impl HttpConnector for Tagged {
    fn call(&self, mut request: HttpRequest) -> HttpConnectorFuture {
        if let Some(call) = UnderWay::here() {
            request.headers_mut().insert(TAG, format!("{}.{}", call.token, call.next_request()));
        }
        self.inner.call(request)
    }
}

impl HttpConnector for Observed {
    /// On a task of its own: a table executes what has reached it, also when the caller no longer waits.
    fn call(&self, mut request: HttpRequest) -> HttpConnectorFuture {
        let tag = request.headers_mut().remove(TAG);
        let (this, in_flight) = (self.clone(), self.journal.take_off());
        let task = tokio::spawn(async move {
            let _in_flight = in_flight;
            match tag.as_deref().and_then(|tag| Write::read(tag, &request)) {
                Some(write) => this.execute(write, request).await,
                None => this.inner.call(request).await,
            }
        });
        HttpConnectorFuture::new(
            async move { task.await.unwrap_or_else(|error| Err(ConnectorError::user(error.into()))) },
        )
    }
}

impl Observed {
    async fn execute(&self, write: Write, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let _turn = self.journal.turn(&write.key).await;
        let answer = self.inner.call(request).await;
        let did = match answer.as_ref().map(|response| response.status().as_u16()) {
            Ok(200) if write.carries_change => Did::Apply,
            Ok(200) => Did::ApplyBeside,
            Ok(400..500) => Did::Refuse,
            _ => {
                self.journal.unclear();
                return answer;
            }
        };
        let Write { token, request, key, .. } = write;
        self.journal.delivered(Delivery { token, request, key, at: self.journal.now(), did });
        answer
    }
}

/// What is to be known of a request that writes.
struct Write {
    token: Token,
    request: usize,
    key: String,
    /// Whether it makes the call's own change: it carries the call's token, or it deletes, if only into a tombstone.
    carries_change: bool,
}

impl Write {
    /// `None` of a read.
    fn read(tag: &str, request: &HttpRequest) -> Option<Self> {
        let (token, number) = tag.split_once('.')?;
        let token = Token::parse(token)?;
        let body: Value = serde_json::from_slice(request.body().bytes()?).ok()?;
        let target = request.headers().get("x-amz-target")?;
        let is_ours = |value: &Value| value["S"] == token.to_string();
        let (place, carries_change) = match target.rsplit('.').next()? {
            "PutItem" => ("Item", is_ours(&body["Item"]["token"])),
            "UpdateItem" => {
                let values = body["ExpressionAttributeValues"].as_object();
                let buries = |value: &Value| value["S"] == MARK;
                ("Key", values.is_some_and(|values| values.values().any(|value| is_ours(value) || buries(value))))
            }
            "DeleteItem" => ("Key", true),
            _ => return None,
        };
        let key = body[place]["id"]["S"].as_str()?.to_owned();
        Some(Self { token, request: number.parse().ok()?, key, carries_change })
    }
}
