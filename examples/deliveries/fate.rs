//! What becomes of a worker in a delivery: at which step it crashes, or stalls.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::history::{Step, Told};
use crate::layer::layered;
use crate::options::Options;

/// What is to happen to a worker at one step of a delivery.
#[derive(Debug)]
pub(crate) struct Fate {
    step: Option<Step>,
    strikes: Strikes,
    has_struck: AtomicBool,
    struck: Notify,
    goes_on: Notify,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Strikes {
    Dead,
    /// For so long.
    Still(Duration),
}

tokio::task_local! {
    static FATE: Arc<Fate>;
}

/// The steps at which a worker that stands still holds a record, and hasn't sent the commit.
const HOLDS: [Step; 3] = [Step::Claimed, Step::Operating, Step::CommitUnsent];

impl Fate {
    pub(crate) fn draw(options: &Options, random: &mut fastrand::Rng, lease: Duration) -> Arc<Self> {
        let roll = random.f64();
        let (step, strikes) = if roll < options.crashes {
            (random.choice(Step::ALL), Strikes::Dead)
        } else if roll < options.crashes + options.stalls {
            (random.choice(HOLDS), Strikes::Still(lease + lease / 4))
        } else {
            (None, Strikes::Dead)
        };
        let (struck, goes_on) = (Notify::new(), Notify::new());
        Arc::new(Self { step, strikes, has_struck: AtomicBool::new(false), struck, goes_on })
    }

    /// Lets a worker handle a delivery, and tells how that ended, and whether the worker stalled meanwhile. Who has crashed isn't polled any
    /// more; nor is who stalls, not even the part of it that keeps the lease alive.
    pub(crate) async fn of(self: Arc<Self>, handles: impl Future<Output = Told>) -> (Told, bool) {
        let mut handles = std::pin::pin!(FATE.scope(Arc::clone(&self), handles));
        let told = tokio::select! {
            told = &mut handles => told,
            () = self.struck.notified() => match (self.strikes, self.step) {
                (Strikes::Dead, Some(step)) => return (Told::Crashed(step), false),
                (Strikes::Still(pause), _) => {
                    sleep_until(Instant::now() + pause).await;
                    self.goes_on.notify_one();
                    return (handles.await, true);
                }
                (Strikes::Dead, None) => handles.await,
            },
        };
        // There is nothing left to be cut short, but the word to the queue.
        let crashed = self.step.filter(|step| *step == Step::Answered && told.answer().is_some());
        (crashed.map_or(told, Told::Crashed), false)
    }

    async fn comes_to(&self, step: Step) {
        if self.step == Some(step) && !self.has_struck.swap(true, Ordering::Relaxed) {
            self.struck.notify_one();
            self.goes_on.notified().await;
        }
    }
}

/// Tells this task's fate that the worker has come to a step; doesn't return where it crashes there.
pub(crate) async fn come_to(step: Step) {
    if let Ok(fate) = FATE.try_with(Arc::clone) {
        fate.comes_to(step).await;
    }
}

/// A client whose requests are steps: a claim puts an item, and the operation `commit` completes it.
pub(crate) fn fateful(inner: impl HttpClient + 'static, commit: &'static str) -> SharedHttpClient {
    layered(inner, move |connector| Fateful { inner: connector, commit })
}

#[derive(Debug, Clone)]
struct Fateful {
    inner: SharedHttpConnector,
    commit: &'static str,
}

impl HttpConnector for Fateful {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").and_then(|target| target.rsplit('.').next());
        let steps = match target {
            Some("PutItem") => Some((Step::ClaimUnsent, Step::ClaimUnanswered)),
            Some(operation) if operation == self.commit => Some((Step::CommitUnsent, Step::CommitUnanswered)),
            _ => None,
        };
        let Some((unsent, unanswered)) = steps else { return self.inner.call(request) };
        let inner = self.inner.clone();
        HttpConnectorFuture::new(async move {
            come_to(unsent).await;
            let answer = inner.call(request).await;
            come_to(unanswered).await;
            answer
        })
    }
}
