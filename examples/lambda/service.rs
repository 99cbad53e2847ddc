//! What Lambda does, on this machine: it starts a function's process, hands it events through the runtime API, and kills it at the deadline
//! (AWS, "Using the Lambda runtime API for custom runtimes", "Understanding the Lambda execution environment lifecycle").

use std::collections::HashMap;
use std::io;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

/// A function that can be invoked.
pub(crate) struct Function {
    api: Arc<Api>,
    command: Mutex<Command>,
    process: Mutex<Child>,
}

/// How an invocation ended.
#[derive(Debug, PartialEq)]
pub(crate) enum Invoked {
    Answered(Value),
    Failed(Value),
    /// The process was killed at the deadline, and another started in its place.
    TimedOut,
}

/// The runtime API, from which a process takes its events.
struct Api {
    events: mpsc::UnboundedSender<Invocation>,
    next: tokio::sync::Mutex<mpsc::UnboundedReceiver<Invocation>>,
    /// Who waits for the answer to a request.
    waiting: Mutex<HashMap<String, oneshot::Sender<Invoked>>>,
}

struct Invocation {
    request_id: String,
    event: Value,
    timeout: Duration,
    begins: oneshot::Sender<()>,
}

impl Function {
    /// Starts the process that the command runs.
    pub(crate) async fn start(mut command: Command) -> io::Result<Self> {
        let (events, next) = mpsc::unbounded_channel();
        let api = Arc::new(Api { events, next: next.into(), waiting: Mutex::default() });
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        command
            .env("AWS_LAMBDA_RUNTIME_API", listener.local_addr()?.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", "function")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST");
        let routes = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next_event))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(answered))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(failed))
            .with_state(Arc::clone(&api));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        let process = Mutex::new(command.spawn()?);
        Ok(Self { api, command: Mutex::new(command), process })
    }

    /// Hands the event to a process that waits for one, which has so long to answer from then on.
    pub(crate) async fn invoke(&self, request_id: &str, event: Value, timeout: Duration) -> io::Result<Invoked> {
        let (answers, answer) = oneshot::channel();
        self.api.waiting.lock().expect("nobody panicked").insert(request_id.to_owned(), answers);
        let (begins, begun) = oneshot::channel();
        let invocation = Invocation { request_id: request_id.to_owned(), event, timeout, begins };
        self.api.events.send(invocation).map_err(io::Error::other)?;
        begun.await.map_err(io::Error::other)?;
        match tokio::time::timeout(timeout, answer).await {
            Ok(answer) => answer.map_err(io::Error::other),
            Err(_) => {
                let mut process = self.process.lock().expect("nobody panicked");
                end(&mut process)?;
                *process = self.command.lock().expect("nobody panicked").spawn()?;
                Ok(Invoked::TimedOut)
            }
        }
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        // One that has ended is as good as one that is killed.
        let _ended = end(self.process.get_mut().expect("nobody panicked"));
    }
}

fn end(process: &mut Child) -> io::Result<()> {
    process.kill()?;
    process.wait().map(|_status| ())
}

#[expect(clippy::disallowed_methods, reason = "Lambda and the function's process have no other clock in common")]
async fn next_event(State(api): State<Arc<Api>>) -> ([(&'static str, String); 3], String) {
    let Invocation { request_id, event, timeout, begins } =
        api.next.lock().await.recv().await.expect("the API lives as long as its server");
    let deadline = (SystemTime::now() + timeout).duration_since(SystemTime::UNIX_EPOCH).expect("is after 1970");
    // Whoever doesn't wait for it any more doesn't wait for the answer either.
    let _waits = begins.send(());
    let headers = [
        ("lambda-runtime-aws-request-id", request_id),
        ("lambda-runtime-deadline-ms", deadline.as_millis().to_string()),
        (
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:eu-central-1:123456789012:function:function".to_owned(),
        ),
    ];
    (headers, event.to_string())
}

async fn answered(State(api): State<Arc<Api>>, Path(request_id): Path<String>, body: Bytes) -> StatusCode {
    api.end(&request_id, &body, Invoked::Answered)
}

async fn failed(State(api): State<Arc<Api>>, Path(request_id): Path<String>, body: Bytes) -> StatusCode {
    api.end(&request_id, &body, Invoked::Failed)
}

impl Api {
    fn end(&self, request_id: &str, body: &[u8], ended: fn(Value) -> Invoked) -> StatusCode {
        let waiting = self.waiting.lock().expect("nobody panicked").remove(request_id);
        match (waiting, serde_json::from_slice(body)) {
            (Some(waiting), Ok(body)) => match waiting.send(ended(body)) {
                Ok(()) => StatusCode::ACCEPTED,
                Err(_timed_out) => StatusCode::GONE,
            },
            _ => StatusCode::BAD_REQUEST,
        }
    }
}
