//! The journal: where a run's history is written down while it happens.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::history::{Call, Delivery, History, Image, Moment, Token, Told};
use crate::workload::Plan;

/// Collects the history of a run. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Journal {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    clock: AtomicU64,
    tokens: AtomicUsize,
    calls: Mutex<BTreeMap<Token, Call>>,
    deliveries: Mutex<Vec<Delivery>>,
    /// One request at a time for each key, so that the order of the answers is the order in which the table executed them.
    turns: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
    in_flight: AtomicUsize,
    landed: Notify,
    /// Requests of which the table itself didn't say what became of them.
    unclear: AtomicUsize,
}

/// A call under way, as the requests that it sends know it.
#[derive(Debug)]
pub(crate) struct UnderWay {
    pub(crate) token: Token,
    requests: AtomicUsize,
}

/// A request on its way to the table or back.
pub(crate) struct InFlight(Arc<Shared>);

tokio::task_local! {
    /// The call that this task is making.
    static UNDER_WAY: Arc<UnderWay>;
}

impl Journal {
    /// Runs a call, and writes down when it began, what it was told, and how many requests it sent.
    pub(crate) async fn call<F: Future<Output = Told>>(&self, plan: &Plan, run: impl FnOnce(Token) -> F) {
        let token = Token(self.shared.tokens.fetch_add(1, Ordering::Relaxed));
        let call = Call {
            verb: plan.verb,
            key: plan.key.clone(),
            heat: plan.heat,
            change: plan.change,
            began: self.now(),
            told: None,
            requests: 0,
        };
        lock(&self.shared.calls).insert(token, call);
        let under_way = Arc::new(UnderWay { token, requests: AtomicUsize::new(0) });
        let told = UNDER_WAY.scope(Arc::clone(&under_way), run(token)).await;
        let when = self.now();
        if let Some(call) = lock(&self.shared.calls).get_mut(&token) {
            call.told = Some((told, when));
            call.requests = under_way.requests.load(Ordering::Relaxed);
        }
    }

    /// The next moment. Each comes once.
    pub(crate) fn now(&self) -> Moment {
        Moment(self.shared.clock.fetch_add(1, Ordering::SeqCst))
    }

    /// Waits for the key's other requests to be over.
    pub(crate) async fn turn(&self, key: &str) -> tokio::sync::OwnedMutexGuard<()> {
        let turn = Arc::clone(lock(&self.shared.turns).entry(key.to_owned()).or_default());
        turn.lock_owned().await
    }

    pub(crate) fn delivered(&self, delivery: Delivery) {
        lock(&self.shared.deliveries).push(delivery);
    }

    pub(crate) fn unclear(&self) {
        self.shared.unclear.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn take_off(&self) -> InFlight {
        self.shared.in_flight.fetch_add(1, Ordering::SeqCst);
        InFlight(Arc::clone(&self.shared))
    }

    /// Waits until no request is in flight.
    pub(crate) async fn settled(&self) {
        loop {
            let landed = self.shared.landed.notified();
            if self.shared.in_flight.load(Ordering::SeqCst) == 0 {
                return;
            }
            landed.await;
        }
    }

    /// Ends the journal: the history with the items that stand, or why it is no history.
    pub(crate) fn close(&self, finals: BTreeMap<String, Image>, tombstones: bool) -> Result<History, String> {
        match self.shared.unclear.load(Ordering::Relaxed) {
            0 => Ok(History {
                calls: std::mem::take(&mut *lock(&self.shared.calls)),
                deliveries: std::mem::take(&mut *lock(&self.shared.deliveries)),
                finals,
                tombstones,
            }),
            unclear => Err(format!(
                "the table itself left {unclear} requests unanswered, or failed on them; nothing can be told of such a run"
            )),
        }
    }
}

impl UnderWay {
    /// The call that this task is making, if it is making one.
    pub(crate) fn here() -> Option<Arc<Self>> {
        UNDER_WAY.try_with(Arc::clone).ok()
    }

    /// Counts a request, from 1.
    pub(crate) fn next_request(&self) -> usize {
        self.requests.fetch_add(1, Ordering::Relaxed) + 1
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::SeqCst);
        self.0.landed.notify_waiters();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
