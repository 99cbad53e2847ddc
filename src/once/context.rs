//! What an operation knows of its run.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use tokio::sync::watch;

/// What an operation knows of its run.
#[derive(Clone)]
pub struct Context {
    key: Arc<str>,
    is_lost: watch::Receiver<bool>,
}

impl Context {
    /// Of a run under this key, and what tells it that its lease is lost.
    pub(super) fn new(key: &str) -> (Self, watch::Sender<bool>) {
        let (sender, is_lost) = watch::channel(false);
        (Self { key: key.into(), is_lost }, sender)
    }

    /// The key that the operation runs under, namespace included: to be handed on to services that take an idempotency key. Empty where
    /// it [runs unprotected](crate::MissingKey::RunUnprotected).
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Whether the lease is lost, or has run out, so that another may run the operation by now. Where one does, this one's answer won't
    /// count.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        *self.is_lost.borrow()
    }

    /// Waits until the lease is lost, or has run out; for ever where that doesn't happen. What was begun can be cut short then, as by
    /// `tokio::select!`: the operation itself isn't stopped.
    pub fn lost(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut is_lost = self.is_lost.clone();
        async move {
            // The run has ended, and the lease with it, in good order.
            if is_lost.wait_for(|is_lost| *is_lost).await.is_err() {
                std::future::pending().await
            }
        }
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("is_lost", &self.is_lost()).finish_non_exhaustive()
    }
}
