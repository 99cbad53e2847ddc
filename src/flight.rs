//! Watching an attempt on its way through the SDK.

use std::cell::RefCell;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use aws_runtime::invocation_id::InvocationIdInterceptor;
use aws_runtime::request_info::RequestInfoInterceptor;
use aws_runtime::user_agent::UserAgentInterceptor;
use aws_sdk_dynamodb::config::interceptors::{
    BeforeSerializationInterceptorContextRef, BeforeTransmitInterceptorContextMut, BeforeTransmitInterceptorContextRef,
};
use aws_sdk_dynamodb::config::{Config, ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use aws_smithy_runtime_api::client::interceptors::{disable_interceptor, dyn_dispatch_hint};
use aws_smithy_types::body::SdkBody;

use crate::retry::classify::Progress;
use crate::user_agent::UserAgent;

/// How far an attempt came on its way through the SDK, and what its body was.
#[derive(Debug, Clone, Default)]
pub(crate) struct Flight(Arc<FlightState>);

/// The interceptor of a client whose attempts are watched. It is to be the last.
#[derive(Debug)]
pub(crate) struct Watch {
    /// `None` where the SDK makes it for each request.
    user_agent: Option<UserAgent>,
}

/// An attempt under watch.
pub(crate) struct Watched<T> {
    flight: Flight,
    attempt: Pin<Box<dyn Future<Output = T> + Send>>,
}

#[derive(Debug, Default)]
struct FlightState {
    progress: AtomicU8,
    body: OnceLock<SdkBody>,
    /// Whether an attempt ends as soon as its body is there.
    grounded: AtomicBool,
}

thread_local! {
    /// The flight whose attempt is being polled on this thread.
    static WATCHED: RefCell<Option<Flight>> = const { RefCell::new(None) };
}

impl Flight {
    /// Runs an attempt of a client that has [`Watch`].
    ///
    /// The SDK would take an interceptor for one request too, by `customize`, at the price of a set of plugins that is put
    /// together anew for each: eight allocations and some 3 us (`benches/insert.rs`).
    pub(crate) fn watch<T>(&self, attempt: impl Future<Output = T> + Send + 'static) -> Watched<T> {
        Watched { flight: self.clone(), attempt: Box::pin(attempt) }
    }

    pub(crate) fn progress(&self) -> Progress {
        Progress::from(self.0.progress.load(Ordering::Acquire))
    }

    fn advance(&self, progress: Progress) {
        self.0.progress.store(progress as u8, Ordering::Release);
    }

    fn advance_watched(progress: Progress) {
        WATCHED.with_borrow(|watched| watched.iter().for_each(|flight| flight.advance(progress)));
    }

    pub(crate) fn reset(&self) {
        self.advance(Progress::Preparing);
    }

    pub(crate) fn has_body(&self) -> bool {
        self.0.body.get().is_some()
    }

    /// The body, once it is there.
    pub(crate) fn body(&self) -> Option<&[u8]> {
        self.0.body.get().and_then(SdkBody::bytes)
    }

    /// Whose body is this one, from the first attempt on.
    pub(crate) fn with_body(body: &[u8]) -> Self {
        let flight = Self::default();
        let _ = flight.0.body.set(SdkBody::from(body));
        flight
    }

    /// Lets attempts depart, or end as soon as their body is there.
    pub(crate) fn ground(&self, grounded: bool) {
        self.0.grounded.store(grounded, Ordering::Release);
    }
}

impl<T> Future for Watched<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let _landing = Landing(WATCHED.replace(Some(self.flight.clone())));
        self.attempt.as_mut().poll(context)
    }
}

/// Puts back what was watched before, also where a poll panics.
struct Landing(Option<Flight>);

impl Drop for Landing {
    fn drop(&mut self) {
        WATCHED.set(self.0.take());
    }
}

impl Watch {
    /// For a client of this configuration, whose interceptors, if there are any, may do with the user agent as they like.
    pub(crate) fn new(config: &Config) -> Self {
        Self { user_agent: config.interceptors().next().is_none().then(UserAgent::default) }
    }
}

#[dyn_dispatch_hint]
impl Intercept for Watch {
    fn name(&self) -> &'static str {
        "Watch"
    }

    /// Takes out two headers that would be wrong: to the SDK each attempt is the first of one, of an invocation of its own. The
    /// service has no use for them, and right ones would cost what these do, some 3 % of an insert (`benches/insert.rs`).
    fn read_before_execution(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        const CAUSE: &str = "the SDK sees single attempts, not the call that they belong to";
        let state = bag.interceptor_state();
        state.store_put(disable_interceptor::<InvocationIdInterceptor>(CAUSE));
        state.store_put(disable_interceptor::<RequestInfoInterceptor>(CAUSE));
        if self.user_agent.as_ref().is_some_and(UserAgent::is_shared) {
            state.store_put(disable_interceptor::<UserAgentInterceptor>("an earlier request's is copied"));
        }
        Ok(())
    }

    /// The SDK's own retries start over from here, and so do ours: what other interceptors do per attempt, they do again.
    fn modify_before_retry_loop(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        let Some(Flight(watched)) = WATCHED.with_borrow(Clone::clone) else { return Ok(()) };
        match watched.body.get().map(|body| body.try_clone().ok_or("a body of bytes can be cloned")) {
            Some(body) => {
                *request.body_mut() = body?;
                let length = request.body().content_length().unwrap_or_default();
                request.headers_mut().insert("content-length", length.to_string());
            }
            None => {
                if let Some(body) = request.body().try_clone() {
                    let _ = watched.body.set(body);
                }
                if watched.grounded.load(Ordering::Acquire) {
                    return Err("the request is serialised, and not to be sent yet".into());
                }
            }
        }
        Ok(())
    }

    fn read_before_attempt(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        Flight::advance_watched(Progress::Identifying);
        Ok(())
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(user_agent) = &self.user_agent {
            user_agent.complete(context.request_mut().headers_mut());
        }
        Ok(())
    }

    fn read_before_signing(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        Flight::advance_watched(Progress::Signing);
        Ok(())
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        components: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // Without a client the SDK fails right after this, with an error like any other.
        if components.http_client().is_some() {
            Flight::advance_watched(Progress::Departed);
        }
        Ok(())
    }
}
