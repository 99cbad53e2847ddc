//! `Scripted`: a peer without a table behind it, whose answers are written down beforehand.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Builder;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

use super::wire::Patience;
use super::{Operation, Reply, Request, config};

/// A peer without a table behind it: its answers are written down beforehand, one by one, and it keeps what it was
/// asked.
///
/// Clones share everything. It opens no socket, so it works under tokio's paused clock.
///
/// # Examples
///
/// ```
/// use aws_sdk_dynamodb::types::AttributeValue;
/// use dynamo_once::testing::{Operation, Reply, Scripted};
/// use serde_json::json;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), aws_sdk_dynamodb::Error> {
/// let peer = Scripted::new()
///     .then(Operation::PutItem, Reply::broken_connection())
///     .then(Operation::PutItem, Reply::ok(json!({})));
///
/// let id = AttributeValue::S("acc-1".into());
/// peer.client().put_item().table_name("accounts").item("id", id.clone()).send().await?;
///
/// peer.finish();
/// assert_eq!(peer.requests()[1].table(), Some("accounts"));
/// assert_eq!(peer.requests()[1].attributes("Item")["id"], id);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Scripted {
    conversation: Arc<Mutex<Conversation>>,
}

impl Scripted {
    /// A peer that expects no request.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Expects a request of this operation next, and answers so.
    #[must_use = "returns the peer, to go on"]
    pub fn then(self, operation: impl Into<Operation>, reply: Reply) -> Self {
        self.then_with(operation, move |_| reply)
    }

    /// Expects a request of this operation next, and answers what `reply` makes of it.
    ///
    /// ```
    /// # use dynamo_once::testing::{Operation, Reply, Scripted};
    /// // "It is already there": whatever was sent has been written by another attempt.
    /// let peer = Scripted::new()
    ///     .then_with(Operation::PutItem, |request| Reply::condition_failed(Some(request.attributes("Item"))));
    /// ```
    #[must_use = "returns the peer, to go on"]
    pub fn then_with(
        self,
        operation: impl Into<Operation>,
        reply: impl FnOnce(&Request) -> Reply + Send + 'static,
    ) -> Self {
        self.lock().ahead.push_back(Turn { operation: operation.into(), reply: Box::new(reply) });
        self
    }

    /// A configuration for clients of this peer: made-up credentials, the SDK's defaults otherwise.
    #[must_use]
    pub fn config(&self) -> Builder {
        config::offline(self.clone())
    }

    /// A client of this peer with the SDK's defaults.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::from_conf(self.config().build())
    }

    /// The requests so far, those that weren't expected included.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.lock().turns.iter().map(|(request, _)| request.clone()).collect()
    }

    /// How many of the expected requests haven't come yet.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.lock().ahead.len()
    }

    /// Ends the conversation: a test calls it last.
    ///
    /// # Panics
    ///
    /// If a request came that wasn't expected, or an expected one is missing; the message tells the conversation.
    #[track_caller]
    pub fn finish(&self) {
        let (complete, transcript) = {
            let conversation = self.lock();
            (conversation.ahead.is_empty() && !conversation.off_script, conversation.to_string())
        };
        assert!(complete, "the conversation did not go as written:\n{transcript}");
    }

    fn lock(&self) -> MutexGuard<'_, Conversation> {
        self.conversation.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The conversation so far, and what was expected to follow.
impl fmt::Display for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lock().fmt(f)
    }
}

impl fmt::Debug for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let conversation = self.lock();
        f.debug_struct("Scripted")
            .field("requests", &conversation.turns.len())
            .field("remaining", &conversation.ahead.len())
            .finish()
    }
}

impl HttpClient for Scripted {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(Connector { peer: self.clone(), patience: Patience::of(settings, components) })
    }
}

#[derive(Default)]
struct Conversation {
    ahead: VecDeque<Turn>,
    /// Each request with what was answered, in words.
    turns: Vec<(Request, String)>,
    off_script: bool,
}

struct Turn {
    operation: Operation,
    reply: Box<dyn FnOnce(&Request) -> Reply + Send>,
}

impl Conversation {
    /// The next turn, if the request is the expected one.
    fn turn(&mut self, request: &Request) -> Result<Turn, String> {
        match self.ahead.pop_front_if(|turn| turn.operation == *request.operation()) {
            Some(turn) => Ok(turn),
            None => {
                self.off_script = true;
                let expected = self.ahead.front().map_or("no more requests", |turn| turn.operation.name());
                Err(format!("not expected: {request} came instead of {expected}"))
            }
        }
    }
}

impl fmt::Display for Conversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (request, answer)) in (1..).zip(&self.turns) {
            writeln!(f, "#{number} {request}: {answer}")?;
        }
        for Turn { operation, .. } in &self.ahead {
            writeln!(f, "-- {operation}: did not come")?;
        }
        Ok(())
    }
}

#[derive(Debug)]
struct Connector {
    peer: Scripted,
    patience: Patience,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let request = Request::of(&request);
        let turn = self.peer.lock().turn(&request);
        // Not under the lock: the test's closure may ask the peer what it has been sent so far.
        let reply = turn.map(|turn| (turn.reply)(&request));
        let answer = reply.as_ref().map_or_else(Clone::clone, ToString::to_string);
        self.peer.lock().turns.push((request, answer));

        let patience = self.patience.clone();
        HttpConnectorFuture::new(async move {
            match reply {
                Ok(reply) => reply.play(&patience).await,
                // Not an I/O error, so that the SDK doesn't try again.
                Err(complaint) => Err(ConnectorError::user(complaint.into())),
            }
        })
    }
}
