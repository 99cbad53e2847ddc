//! The bad network of a client process.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{HttpClient, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use dynamo_once::testing::{Arrival, Fault, Faults, InvalidRates, Rates};

use crate::journal::Sent;

/// `Faults` around a real connection. They keep a log of all requests, so that new ones take over from time to time.
#[derive(Debug, Clone)]
pub(crate) struct Network {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    inner: SharedHttpClient,
    /// Draws the seeds of those that take over.
    random: fastrand::Rng,
    /// The last one is in use; the others may hold back requests that arrive late.
    faults: VecDeque<Faults>,
    requests: usize,
    /// What those met that are gone.
    met: usize,
}

/// After so many requests others take over.
const SHIFT: usize = 1000;
/// How many are kept that may hold back requests.
const KEPT: usize = 4;

impl Network {
    pub(crate) fn around(inner: impl HttpClient + 'static, seed: u64) -> Result<Self, InvalidRates> {
        let mut state = State {
            inner: SharedHttpClient::new(inner),
            random: fastrand::Rng::with_seed(seed),
            faults: VecDeque::new(),
            requests: 0,
            met: 0,
        };
        state.take_over()?;
        Ok(Self { state: Arc::new(Mutex::new(state)) })
    }

    pub(crate) fn sent(&self) -> Sent {
        let state = self.lock();
        let met: usize = state.faults.iter().map(Faults::injected).sum();
        Sent { requests: state.requests, faults: state.met + met }
    }

    /// Ends the faults, and waits until every request that was held back has been answered.
    pub(crate) async fn arrived(&self) {
        let all = self.lock().faults.clone();
        for faults in all {
            faults.stop();
            while faults.held_back() > 0 {
                faults.deliver_late().await;
                tokio::task::yield_now().await;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take_over(&mut self) -> Result<(), InvalidRates> {
        let faults = Faults::around(self.inner.clone());
        faults.seeded(self.random.u64(..), rates())?;
        self.faults.push_back(faults);
        if self.faults.len() > KEPT
            && let Some(last) = self.faults.pop_front()
        {
            self.met += last.injected();
            tokio::spawn(async move { last.deliver_late().await });
        }
        Ok(())
    }
}

impl HttpClient for Network {
    /// The SDK asks for a connector once for each request.
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let faults = {
            let mut state = self.lock();
            state.requests += 1;
            if state.requests.is_multiple_of(SHIFT) {
                state.take_over().expect("the rates were valid before");
            }
            state.faults.back().expect("one is in use").clone()
        };
        faults.http_connector(settings, components)
    }
}

/// All that a caller can lose track of; of a request that the network repeats long after its answer, no client can know.
fn rates() -> Rates {
    let late = |millis| Fault::late(Arrival::After(Duration::from_millis(millis)));
    Rates::new()
        .with(Fault::lost_reply(), 0.05)
        .with(Fault::internal_error().applied(), 0.03)
        .with(Fault::late(Arrival::AfterNext), 0.005)
        .with(late(20), 0.005)
        .with(late(600), 0.005)
        .with(late(3000), 0.005)
        .with(Fault::duplicate(), 0.01)
        .with(Fault::throttled(), 0.01)
        .with(Fault::hang(), 0.005)
        .with(Fault::hang().applied(), 0.005)
}
