//! `Faults`: an HTTP client that passes requests on to another one, and lets some of them fail.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_sdk_dynamodb::error::BoxError;
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::{RuntimeComponents, RuntimeComponentsBuilder};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::ConfigBag;
use tokio::runtime::Handle;

use super::fault::{Delivery, View};
use super::reply::summary;
use super::schedule::Schedule;
use super::script::{Rule, Script};
use super::wire::{self, Patience};
use super::{Arrival, Fault, InvalidRates, Log, On, Operation, Rates};

/// An HTTP client that passes requests on to another one, and lets some of them fail.
///
/// Give it to a client's configuration in place of the HTTP client that it wraps. Clones share everything. See the
/// [module](super) for an example.
///
/// A request's fault is decided when the client sends it: by the script ([`on`](Self::on)), else by the schedule
/// ([`seeded`](Self::seeded)), else there is none.
#[derive(Debug, Clone)]
pub struct Faults {
    shared: Arc<Shared>,
}

impl Faults {
    /// Wraps an HTTP client: `Embedded::http_client`, or the one that reaches your
    /// table.
    #[must_use]
    pub fn around(inner: impl HttpClient + 'static) -> Self {
        Self { shared: Arc::new(Shared { inner: SharedHttpClient::new(inner), state: Mutex::default() }) }
    }

    /// Starts a line of the script: which requests of this operation meet a fault.
    ///
    /// ```
    /// # use dynamo_once::testing::{Fault, Faults, Operation, Scripted};
    /// # let faults = Faults::around(Scripted::new());
    /// faults.on(Operation::PutItem).nth(2).inject(Fault::lost_reply());
    /// faults.on(Operation::GetItem).times(3).inject(Fault::throttled());
    /// faults.on(Operation::DeleteItem).when(|request| request.table() == Some("accounts")).inject(Fault::unavailable());
    /// ```
    pub fn on(&self, operation: impl Into<Operation>) -> On<'_> {
        On::new(self, Some(operation.into()))
    }

    /// Starts a line of the script for requests of every operation.
    pub fn on_any(&self) -> On<'_> {
        On::new(self, None)
    }

    /// Lets faults happen at random, at the given rates. The same seed and the same requests give the same faults.
    ///
    /// # Errors
    ///
    /// A rate outside 0 to 1, or rates that sum to more than 1. Nothing is changed then.
    pub fn seeded(&self, seed: u64, rates: Rates) -> Result<(), InvalidRates> {
        self.shared.lock().schedule = Some(Schedule::new(seed, rates)?);
        Ok(())
    }

    /// Ends the script and the schedule. Requests that are held back for a late arrival stay so.
    pub fn stop(&self) {
        let mut state = self.shared.lock();
        state.script = Script::default();
        state.schedule = None;
    }

    /// Delivers every request that is held back, in the order in which they were sent, and tells how many there were.
    pub async fn deliver_late(&self) -> usize {
        self.shared.release(|_| true).await
    }

    /// How many requests, or copies of requests, are held back for a late arrival, or are just arriving.
    #[must_use]
    pub fn held_back(&self) -> usize {
        let state = self.shared.lock();
        state.held.len() + state.arriving
    }

    /// How many requests of this operation the client has sent, re-sends included.
    #[must_use]
    pub fn received(&self, operation: impl Into<Operation>) -> usize {
        let operation = operation.into();
        self.shared.lock().log.entries().iter().filter(|entry| *entry.operation() == operation).count()
    }

    /// How often the table has answered requests of this operation. A lost request doesn't count, a duplicate counts
    /// twice.
    #[must_use]
    pub fn reached(&self, operation: impl Into<Operation>) -> usize {
        let operation = operation.into();
        let state = self.shared.lock();
        let entries = state.log.entries().iter().filter(|entry| *entry.operation() == operation);
        entries.map(|entry| entry.answers().len()).sum()
    }

    /// How many requests met a fault.
    #[must_use]
    pub fn injected(&self) -> usize {
        self.shared.lock().log.entries().iter().filter(|entry| entry.fault().is_some()).count()
    }

    /// What became of each request so far. Print it when a test fails.
    #[must_use]
    pub fn log(&self) -> Log {
        self.shared.lock().log.clone()
    }

    pub(super) fn add(&self, rule: Rule) {
        self.shared.lock().script.add(rule);
    }
}

impl HttpClient for Faults {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(Connector {
            shared: Arc::clone(&self.shared),
            inner: self.shared.inner.http_connector(settings, components),
            patience: Patience::of(settings, components),
        })
    }

    fn validate_base_client_config(
        &self,
        components: &RuntimeComponentsBuilder,
        bag: &ConfigBag,
    ) -> Result<(), BoxError> {
        HttpClient::validate_base_client_config(&self.shared.inner, components, bag)
    }

    fn validate_final_config(&self, components: &RuntimeComponents, bag: &ConfigBag) -> Result<(), BoxError> {
        HttpClient::validate_final_config(&self.shared.inner, components, bag)
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.shared.inner.connector_metadata()
    }
}

/// What all clones of a [`Faults`] share.
struct Shared {
    inner: SharedHttpClient,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    script: Script,
    schedule: Option<Schedule>,
    log: Log,
    held: Vec<Held>,
    /// How many are no longer held, and not yet answered.
    arriving: usize,
}

/// A request, or a copy of one, that will reach the table later.
struct Held {
    number: usize,
    operation: Operation,
    request: HttpRequest,
    connector: SharedHttpConnector,
    release: Release,
}

enum Release {
    /// By command or by a timer.
    Called,
    AfterNext,
    /// After so many more requests have reached the table.
    AfterRequests(usize),
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // No code that can panic half-way through a change runs under the lock, so a poisoned state is a whole one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the table execute request `number`.
    async fn deliver(
        &self,
        number: usize,
        connector: &SharedHttpConnector,
        request: HttpRequest,
    ) -> Result<HttpResponse, ConnectorError> {
        let (response, body) = wire::buffered(connector.call(request).await?).await?;
        self.lock().log.answered(number, &summary(response.status().as_u16(), &body));
        Ok(response)
    }

    /// Delivers what is held back and due, and tells how much that was.
    async fn release(&self, mut due: impl FnMut(&mut Held) -> bool) -> usize {
        let due: Vec<Held> = {
            let mut state = self.lock();
            let due: Vec<Held> = state.held.extract_if(.., |held| due(held)).collect();
            state.arriving += due.len();
            due
        };
        let mut arriving = Arriving { shared: self, left: due.len() };
        let count = due.len();
        for Held { number, request, connector, .. } in due {
            // Nobody waits for this answer; the log has it.
            let _unread = self.deliver(number, &connector, request).await;
            arriving.one();
        }
        count
    }

    /// Delivers what waited for request `number`, which has just been executed.
    async fn release_after(&self, number: usize, operation: &Operation) {
        self.release(|held| match &mut held.release {
            Release::Called => false,
            Release::AfterNext => held.operation == *operation,
            Release::AfterRequests(left) => {
                if held.number != number {
                    *left = left.saturating_sub(1);
                }
                *left == 0
            }
        })
        .await;
    }
}

/// Requests that are just arriving: until they are answered, or whoever delivers them is dropped.
struct Arriving<'s> {
    shared: &'s Shared,
    left: usize,
}

impl Arriving<'_> {
    fn one(&mut self) {
        self.left -= 1;
        self.shared.lock().arriving -= 1;
    }
}

impl Drop for Arriving<'_> {
    fn drop(&mut self) {
        self.shared.lock().arriving -= self.left;
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("inner", &self.inner).finish_non_exhaustive()
    }
}

#[derive(Debug, Clone)]
struct Connector {
    shared: Arc<Shared>,
    inner: SharedHttpConnector,
    patience: Patience,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let operation = Operation::of(&request);
        let (number, fault) = {
            let mut state = self.shared.lock();
            let State { script, schedule, log, .. } = &mut *state;
            let fault = script.fault(&operation, &request);
            let fault = fault.or_else(|| schedule.as_mut().and_then(|schedule| schedule.fault(&operation)));
            (log.admit(operation.clone(), fault.clone()), fault)
        };
        let exchange = Exchange { connector: self.clone(), number, operation };
        let caller = Caller { shared: Arc::clone(&self.shared), number, outcome: None };
        HttpConnectorFuture::new(async move { caller.sees(exchange.play(request, fault).await).await })
    }
}

/// One request on its way.
struct Exchange {
    connector: Connector,
    number: usize,
    operation: Operation,
}

impl Exchange {
    async fn play(self, request: HttpRequest, fault: Option<Fault>) -> Result<HttpResponse, ConnectorError> {
        let Some(Fault { delivery, view, .. }) = fault else {
            return self.execute(request).await;
        };
        let answer = self.send(request, delivery).await?;
        match (view, answer) {
            (View::Instead(reply), _) => reply.play(&self.connector.patience).await,
            (View::Answer, Some(answer)) => answer,
            (View::DelayedAnswer(delay), Some(answer)) => {
                self.connector.patience.pause(delay).await?;
                answer
            }
            (View::TruncatedAnswer, Some(answer)) => {
                let (mut response, body) = wire::buffered(answer?).await?;
                *response.body_mut() = SdkBody::from(wire::first_half(&body));
                Ok(response)
            }
            (_, None) => Err(wire::broken()),
        }
    }

    /// Sends the request as the fault says. Gives the table's last answer if it has been asked by now; the outer error
    /// is for a request that can't be treated so.
    async fn send(
        &self,
        request: HttpRequest,
        delivery: Delivery,
    ) -> Result<Option<Result<HttpResponse, ConnectorError>>, ConnectorError> {
        match delivery {
            Delivery::Never => Ok(None),
            Delivery::Once => Ok(Some(self.execute(request).await)),
            Delivery::Twice => {
                let copy = copy(&request)?;
                // The caller gets the second answer, whatever became of the first.
                let _unread = self.execute(request).await;
                Ok(Some(self.execute(copy).await))
            }
            Delivery::AndCopyAfter(requests) => {
                self.hold(copy(&request)?, Release::AfterRequests(requests));
                Ok(Some(self.execute(request).await))
            }
            Delivery::Late(arrival) => {
                self.send_late(request, arrival)?;
                Ok(None)
            }
        }
    }

    async fn execute(&self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let Connector { shared, inner, .. } = &self.connector;
        let answer = shared.deliver(self.number, inner, request).await;
        if answer.is_ok() {
            shared.release_after(self.number, &self.operation).await;
        }
        answer
    }

    fn send_late(&self, request: HttpRequest, arrival: Arrival) -> Result<(), ConnectorError> {
        match arrival {
            Arrival::OnCommand => self.hold(request, Release::Called),
            Arrival::AfterNext => self.hold(request, Release::AfterNext),
            Arrival::After(delay) => {
                let runtime = Handle::try_current().map_err(|error| ConnectorError::user(error.into()))?;
                self.hold(request, Release::Called);
                let (Connector { shared, patience, .. }, number) = (self.connector.clone(), self.number);
                runtime.spawn(async move {
                    if patience.pause(delay).await.is_ok() {
                        shared.release(|held| held.number == number).await;
                    }
                });
            }
        }
        Ok(())
    }

    fn hold(&self, request: HttpRequest, release: Release) {
        let (number, operation, connector) = (self.number, self.operation.clone(), self.connector.inner.clone());
        self.connector.shared.lock().held.push(Held { number, operation, request, connector, release });
    }
}

fn copy(request: &HttpRequest) -> Result<HttpRequest, ConnectorError> {
    request.try_clone().ok_or_else(|| ConnectorError::user("a streaming request can't be duplicated".into()))
}

/// Notes what the caller saw; that it gave up, if it no longer waits for the reply.
struct Caller {
    shared: Arc<Shared>,
    number: usize,
    outcome: Option<String>,
}

impl Caller {
    async fn sees(mut self, reply: Result<HttpResponse, ConnectorError>) -> Result<HttpResponse, ConnectorError> {
        let (outcome, reply) = match reply {
            Ok(response) => match wire::buffered(response).await {
                Ok((response, body)) => (summary(response.status().as_u16(), &body), Ok(response)),
                Err(error) => (wire::describe(&error), Err(error)),
            },
            Err(error) => (wire::describe(&error), Err(error)),
        };
        self.outcome = Some(outcome);
        reply
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        let outcome = self.outcome.take().unwrap_or_else(|| "gave up".to_owned());
        self.shared.lock().log.concluded(self.number, outcome);
    }
}
