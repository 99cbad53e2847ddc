//! What a connection does besides carrying a reply: it is refused, it breaks, it hangs.

use std::error::Error;
use std::future::{self, Ready};
use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

use aws_sdk_dynamodb::config::SharedAsyncSleep;
use aws_smithy_async::rt::sleep::AsyncSleep;
use aws_smithy_runtime_api::client::http::HttpConnectorSettings;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use bytes::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tower_service::Service;

/// How a client waits: through the SDK's own sleep, so that simulated time works, and no longer than its read timeout.
#[derive(Debug, Clone)]
pub(super) struct Patience {
    sleep: Option<SharedAsyncSleep>,
    read_timeout: Option<Duration>,
}

impl Patience {
    pub(super) fn of(settings: &HttpConnectorSettings, components: &RuntimeComponents) -> Self {
        Self { sleep: components.sleep_impl(), read_timeout: settings.read_timeout() }
    }

    /// Answers nothing. Ends with the read timeout if the client has one, else never: then an attempt timeout ends it.
    pub(super) async fn hang(&self) -> ConnectorError {
        match (&self.sleep, self.read_timeout) {
            (Some(sleep), Some(timeout)) => {
                sleep.sleep(timeout).await;
                ConnectorError::timeout("no reply within the read timeout (injected)".into())
            }
            _ => future::pending().await,
        }
    }

    /// Waits for `duration`.
    pub(super) async fn pause(&self, duration: Duration) -> Result<(), ConnectorError> {
        let sleep = self.sleep.as_ref().ok_or_else(|| ConnectorError::user("a delay needs a sleep_impl".into()))?;
        sleep.sleep(duration).await;
        Ok(())
    }
}

/// The connection broke off after the request, or a part of it, was sent.
pub(super) fn broken() -> ConnectorError {
    ConnectorError::io(io::Error::new(io::ErrorKind::ConnectionReset, "connection reset (injected)").into())
}

/// No connection came about, so nothing was sent.
///
/// This is the very error that the SDK's own connector gives for a refused connection: a `hyper_util` error whose
/// `is_connect()` is true. It can only be had from a `hyper_util` client, so one is asked to connect through a
/// connector that refuses, without a socket.
pub(super) async fn refused() -> ConnectorError {
    let client = Client::builder(TokioExecutor::new()).build(Refusing);
    let mut request = http::Request::new(SdkBody::empty());
    *request.uri_mut() = http::Uri::from_static("http://refused.invalid");
    match client.request(request).await {
        Err(error) => ConnectorError::io(error.into()),
        Ok(_) => ConnectorError::io(io::Error::from(io::ErrorKind::ConnectionRefused).into()),
    }
}

/// Reads the whole reply, so that it can be looked at, cut and replayed.
pub(super) async fn buffered(mut response: HttpResponse) -> Result<(HttpResponse, Bytes), ConnectorError> {
    let body = ByteStream::new(response.take_body()).collect().await;
    let bytes = body.map_err(|error| ConnectorError::io(error.into()))?.into_bytes();
    *response.body_mut() = SdkBody::from(bytes.clone());
    Ok((response, bytes))
}

/// What a caller sees of an error, in a few words.
pub(super) fn describe(error: &ConnectorError) -> String {
    if error.is_timeout() {
        "timeout".to_owned()
    } else if is_connect(error) {
        "connection refused".to_owned()
    } else if error.is_io() {
        "connection broken".to_owned()
    } else {
        error.source().map_or_else(|| error.to_string(), ToString::to_string)
    }
}

fn is_connect(error: &ConnectorError) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.downcast_ref::<hyper_util::client::legacy::Error>().is_some_and(|error| error.is_connect()) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// The first half of a body: no JSON document is whole without its last byte.
pub(super) fn first_half(bytes: &Bytes) -> Bytes {
    bytes.slice(..bytes.len() / 2)
}

#[derive(Clone)]
struct Refusing;

impl Service<http::Uri> for Refusing {
    type Response = TokioIo<tokio::net::TcpStream>;
    type Error = io::Error;
    type Future = Ready<io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: http::Uri) -> Self::Future {
        future::ready(Err(io::Error::new(io::ErrorKind::ConnectionRefused, "connection refused (injected)")))
    }
}
