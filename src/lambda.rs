//! The handler of a Lambda function, which runs once for each event.

use std::fmt;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tower_layer::Layer;
use tower_service::Service;

use crate::error::Error;
use crate::once::{Context, Once, OnceError, Ran};

/// Runs a Lambda function's handler once for each event, and answers a repetition with the answer that it gave before.
///
/// Lambda delivers an event at least once: again after an error, a timeout or a crash, and now and then without either. The layer goes around the
/// handler, as in `lambda_runtime::run(layer.layer(service_fn(handler)))`, with `run_concurrent` too. (`Runtime::layer` is another place: there a
/// layer sees neither the event nor the answer.) It is a [tower layer](https://docs.rs/tower-layer) for any service, and knows nothing of
/// the crate `lambda_runtime`; whatever has a key can be a request.
///
/// The closure makes the [`Once`] of an event, which says by what key it is known: best a key that whoever sent the event has made, an order's
/// number or an `Idempotency-Key`; else the id that its source gave it. With [`Once::payload`] an event that comes under the key of another is
/// refused. The handler gets the event with the [`Context`] of its run, in a [`Delivery`].
///
/// The guide has [a page on Lambda](crate::guide::lambda); for queues and streams, which deliver many records at once, there is
/// [`Batch`](crate::Batch).
///
/// # Errors
///
/// The service's error is the handler's own, and has to be able to hold an [`Error`](crate::Error) of the record besides: `lambda_runtime::Error`
/// can, so can `anyhow::Error`, and an own type by `From<dynamo_once::Error>`. A handler that failed runs again at the next delivery, unless it
/// failed for good ([`storing_failures`](Self::storing_failures)); when the record refuses, and what then, is said by [`Once`].
///
/// # Examples
///
/// ```no_run
/// use dynamo_once::{Delivery, OnceLayer, Store};
/// use lambda_runtime::tower::Layer;
/// use lambda_runtime::{Error, LambdaEvent, service_fn};
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Order {
///     id: String,
///     cents: u64,
/// }
///
/// async fn charge(Delivery { event, context, .. }: Delivery<LambdaEvent<Order>>) -> Result<String, Error> {
///     // `context.key()` goes to the bank as its idempotency key.
///     Ok(format!("charged {} under {}", event.payload.cents, context.key()))
/// }
///
/// #[tokio::main]
/// async fn main() -> Result<(), Error> {
///     let config = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
///     let records = Store::new(&config).records("records").namespace("charge");
///     let once = OnceLayer::new(move |event: &LambdaEvent<Order>| records.once(&event.payload.id).payload(&event.payload));
///     lambda_runtime::run(once.layer(service_fn(charge))).await
/// }
/// ```
pub struct OnceLayer<F, P = ()> {
    once: Arc<F>,
    /// Which failures are stored: none where it is `()`.
    is_final: Arc<P>,
}

/// A service whose inner one runs once for each request; made by [`OnceLayer`].
pub struct OnceService<S, F, P = ()> {
    inner: S,
    once: Arc<F>,
    is_final: Arc<P>,
}

/// An event, and its run: the request of a handler under [`OnceLayer`].
#[derive(Clone)]
#[non_exhaustive]
pub struct Delivery<R> {
    /// The event.
    pub event: R,
    /// What the handler can know of its run.
    pub context: Context,
}

impl<F> OnceLayer<F> {
    /// A layer for events of which the closure says what is to run once for them.
    ///
    /// Nothing is made for the layer or its services but this: ids are made when an event has come, so that none is shared by copies of a
    /// process that was frozen before.
    pub fn new<R>(once: F) -> Self
    where
        F: Fn(&R) -> Once,
    {
        Self { once: Arc::new(once), is_final: Arc::new(()) }
    }

    /// Stores the failures that the closure takes for final, and gives them again to whoever delivers the event again: the handler isn't called, and
    /// its error is the one that it gave before. [`Once::run_storing_failures`] says the rest.
    ///
    /// The service's error has to be `Serialize` and `DeserializeOwned` for that, which an own type can be, and `lambda_runtime::Error` isn't. To
    /// Lambda a final failure is a failure as any other: it delivers an asynchronous event again until it has tried often enough, at one request
    /// each, and then sends it to where the function's failed events go.
    ///
    /// ```no_run
    /// use dynamo_once::{Delivery, OnceLayer, Store};
    /// use lambda_runtime::tower::Layer;
    /// use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
    ///
    /// #[derive(Debug, serde::Serialize, serde::Deserialize)]
    /// enum Refused {
    ///     NoSuchAccount,
    ///     /// The record's own refusal, which isn't final.
    ///     #[serde(skip)]
    ///     Record(dynamo_once::Error),
    /// }
    ///
    /// impl From<dynamo_once::Error> for Refused {
    ///     fn from(error: dynamo_once::Error) -> Self {
    ///         Self::Record(error)
    ///     }
    /// }
    ///
    /// impl From<Refused> for Diagnostic {
    ///     fn from(refused: Refused) -> Self {
    ///         match refused {
    ///             Refused::NoSuchAccount => Self { error_type: "NoSuchAccount".into(), error_message: "there is no such account".into() },
    ///             Refused::Record(error) => Self { error_type: "Record".into(), error_message: error.to_string() },
    ///         }
    ///     }
    /// }
    ///
    /// async fn pay(_: Delivery<LambdaEvent<String>>) -> Result<String, Refused> {
    ///     Err(Refused::NoSuchAccount)
    /// }
    ///
    /// #[tokio::main]
    /// async fn main() -> Result<(), lambda_runtime::Error> {
    ///     let config = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
    ///     let records = Store::new(&config).records("records").namespace("pay");
    ///     let once = OnceLayer::new(move |event: &LambdaEvent<String>| records.once(&event.payload))
    ///         .storing_failures(|refused: &Refused| matches!(refused, Refused::NoSuchAccount));
    ///     lambda_runtime::run(once.layer(service_fn(pay))).await
    /// }
    /// ```
    pub fn storing_failures<E, P>(self, is_final: P) -> OnceLayer<F, P>
    where
        P: Fn(&E) -> bool,
    {
        OnceLayer { once: self.once, is_final: Arc::new(is_final) }
    }
}

impl<S, F, P> Layer<S> for OnceLayer<F, P> {
    type Service = OnceService<S, F, P>;

    fn layer(&self, inner: S) -> Self::Service {
        OnceService { inner, once: Arc::clone(&self.once), is_final: Arc::clone(&self.is_final) }
    }
}

impl<S, F, R> Service<R> for OnceService<S, F, ()>
where
    S: Service<Delivery<R>> + Clone + Send + 'static,
    S::Response: Serialize + DeserializeOwned + Send,
    S::Error: From<Error> + Send,
    S::Future: Send,
    F: Fn(&R) -> Once,
    R: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, event: R) -> Self::Future {
        let (once, mut inner) = ((self.once)(&event), take_ready(&mut self.inner));
        Box::pin(async move { told(once.run(|context| inner.call(Delivery { event, context })).await) })
    }
}

impl<S, F, P, R> Service<R> for OnceService<S, F, P>
where
    S: Service<Delivery<R>> + Clone + Send + 'static,
    S::Response: Serialize + DeserializeOwned + Send,
    S::Error: From<Error> + Serialize + DeserializeOwned + Send,
    S::Future: Send,
    F: Fn(&R) -> Once,
    P: Fn(&S::Error) -> bool + Send + Sync + 'static,
    R: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, event: R) -> Self::Future {
        let (once, mut inner) = ((self.once)(&event), take_ready(&mut self.inner));
        let is_final = Arc::clone(&self.is_final);
        Box::pin(async move {
            let operation = |context| inner.call(Delivery { event, context });
            told(once.run_storing_failures(|error| is_final(error), operation).await)
        })
    }
}

/// The service that is ready, whose clone stays: a clone needn't be ready.
fn take_ready<S: Clone>(service: &mut S) -> S {
    let clone = service.clone();
    mem::replace(service, clone)
}

/// The answer, or the failure as the service's own.
fn told<A, E: From<Error>>(ran: Result<Ran<A>, OnceError<E>>) -> Result<A, E> {
    match ran {
        Ok(ran) => Ok(ran.into_answer()),
        Err(OnceError::Failed(error) | OnceError::FailedBefore(error)) => Err(error),
        Err(OnceError::NotRun(error) | OnceError::NotStored(error)) => Err(error.into()),
    }
}

impl<F, P> Clone for OnceLayer<F, P> {
    fn clone(&self) -> Self {
        Self { once: Arc::clone(&self.once), is_final: Arc::clone(&self.is_final) }
    }
}

impl<S: Clone, F, P> Clone for OnceService<S, F, P> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), once: Arc::clone(&self.once), is_final: Arc::clone(&self.is_final) }
    }
}

impl<F, P> fmt::Debug for OnceLayer<F, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnceLayer").finish_non_exhaustive()
    }
}

impl<S, F, P> fmt::Debug for OnceService<S, F, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnceService").finish_non_exhaustive()
    }
}

/// Shows no event.
impl<R> fmt::Debug for Delivery<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery").field("context", &self.context).finish_non_exhaustive()
    }
}
