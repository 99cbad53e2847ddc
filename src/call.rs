//! One attempt: the only place that sends.
//!
//! A [`Caller`] owns a copy of the SDK's client that never retries by itself. What it sends is [`Outgoing`], which may be
//! sent again and then goes out byte for byte as before; what comes back is a [`Reply`], which says what is known about the
//! table and nothing more. Whether to go on, and what it means for the operation, is decided above.

use std::fmt;

use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{SharedInterceptor, StalledStreamProtectionConfig};
use aws_sdk_dynamodb::{Client, Config};
use uuid::Uuid;

use crate::error::{Error, ErrorKind};
use crate::fingerprint::{self, Fingerprint};
use crate::flight::{Flight, Watch, Watched};
use crate::item::RawItem;
use crate::meter::Meters;
use crate::retry::budget::Budget;
use crate::retry::classify::{Progress, cut_off};
use crate::retry::policy::Bounds;
use crate::retry::{Clock, Retry, RetryPolicy, Spent, Why};
use crate::trace;

mod request;

use self::request::Kind;
pub(crate) use self::request::{Answer, Output, Page, Request};

/// Sends attempts, for all operations of a store.
pub(crate) struct Caller {
    client: Client,
    bounds: Bounds,
    budget: Budget,
    clock: Clock,
}

/// What one attempt says about the table.
#[derive(Debug)]
pub(crate) enum Reply {
    /// Applied, or read.
    Done { output: Output },
    /// Not applied, since the condition failed for the item as it stands; `None` where there is none.
    ConditionFailed { item: Option<RawItem> },
    /// A transaction that was not applied, since these parts' conditions failed for their items as they stand. Of the other parts it says
    /// nothing; of these last ones, not even whether their conditions held, for the reasons by these codes: they were throttled, say.
    Cancelled { failed: Vec<(usize, Option<RawItem>)>, withheld: Vec<(usize, String)> },
    /// An earlier attempt of the transaction is under way. Sending the same again is the way to find out, after a pause.
    InProgress { error: Error },
    /// Certainly not applied: not sent, or refused before execution. `again` is the pause to make before sending it again, if
    /// that can help.
    NotApplied { error: Error, again: Option<Why> },
    /// It may have been applied, now or later. Sending the same again is the way to find out.
    Unanswered { error: Error },
}

/// A request that can be sent many times, each time the same bytes.
///
/// The SDK consumes what it sends. Rather than clone a whole item for a re-send that hardly ever comes, the first attempt's
/// serialised body is kept, at the cost of a reference count, and a re-send is a request without content into which that
/// body is put.
pub(crate) struct Outgoing {
    operation: &'static str,
    write_id: Option<Uuid>,
    kind: Kind,
    table: Option<String>,
    /// What the first attempt sends. It is put in a box at once, since the SDK's futures have some 6 KB, which each layer
    /// above would reserve, and copy on its way down.
    first: Option<Watched<Reply>>,
    flight: Flight,
    meters: Meters,
}

/// What a request sent, to be sent by another call.
#[derive(Clone)]
pub(crate) struct Frozen {
    kind: Kind,
    table: Option<String>,
    body: Vec<u8>,
}

impl Caller {
    /// Takes everything from the given configuration but the retries and the operation's timeout, which are the caller's now.
    pub(crate) fn new(config: &Config, policy: &RetryPolicy) -> Self {
        let bounds = policy.resolve(config);
        let clock = Clock::new(config);
        let timeouts = config
            .timeout_config()
            .map_or_else(TimeoutConfig::builder, TimeoutConfig::to_builder)
            .operation_attempt_timeout(bounds.attempt_timeout)
            .disable_operation_timeout()
            .build();
        let mut single = config
            .to_builder()
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts)
            .sleep_impl(clock.sleep_impl());
        if config.stalled_stream_protection().is_none() {
            // Each attempt has its timeout, which ends what that protection is there to end, and costs less.
            single.set_stalled_stream_protection(Some(StalledStreamProtectionConfig::disabled()));
        }
        // That nobody can turn it off spares the look whether somebody has, at each of its hooks.
        single.push_interceptor(SharedInterceptor::permanent(Watch::new(config)));
        let single = single.build();
        Self { client: Client::from_conf(single), budget: Budget::new(bounds.budget), bounds, clock }
    }

    /// The client to build requests with. Its requests are to be sent through [`send`](Self::send).
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The count for one operation, which starts now.
    pub(crate) fn begin(&self) -> Retry<'_> {
        self.begin_after(Spent::nothing(self.clock().now()))
    }

    /// The count for a part of an operation, whose time it shares.
    pub(crate) fn begin_after(&self, spent: Spent) -> Retry<'_> {
        Retry::new(&self.bounds, &self.budget, self.clock(), spent)
    }

    /// Sends one attempt and waits for its reply, up to the attempt's timeout and the operation's deadline.
    ///
    /// Safe to drop at any point; the attempt may then arrive or not.
    pub(crate) async fn send(&self, outgoing: &mut Outgoing, retry: &mut Retry<'_>) -> Reply {
        if retry.remaining().is_some_and(|left| left.is_zero()) {
            return cut_off(Progress::Preparing);
        }
        let Some(sending) = outgoing.next(self) else {
            let error = Error::new(ErrorKind::Invalid, "the request was never serialised, and can't be sent again");
            return Reply::NotApplied { error, again: None };
        };
        let attempt = retry.attempt();
        let flight = &outgoing.flight;
        outgoing.meters.sent(outgoing.operation);
        let reply = match retry.within(sending).await {
            Some(reply) => reply,
            None => cut_off(flight.progress()),
        };
        if matches!(reply, Reply::Done { .. } | Reply::ConditionFailed { .. } | Reply::Cancelled { .. }) {
            retry.answered();
        }
        if let Some(units) = reply.units() {
            outgoing.meters.reported(outgoing.operation, units);
        }
        tracing::debug!(
            { trace::ATTEMPT } = attempt,
            { trace::OPERATION } = outgoing.operation,
            { trace::OUTCOME } = %reply,
            { trace::WRITE_ID } = outgoing.write_id.map(tracing::field::display),
            "attempt"
        );
        reply
    }

    /// Serialises a request without sending it, for [`Outgoing::freeze`].
    pub(crate) async fn serialise(&self, outgoing: &mut Outgoing) {
        outgoing.flight.ground(true);
        if let Some(attempt) = outgoing.next(self) {
            attempt.await;
        }
        outgoing.flight.ground(false);
    }
}

impl Outgoing {
    pub(crate) fn new(operation: &'static str, request: impl Into<Request>, clock: &Clock, meters: &Meters) -> Self {
        let (request, flight) = (request.into(), Flight::default());
        let request = if meters.is_empty() { request } else { request.measured() };
        let (kind, table) = request.shell();
        let first = Some(request.dispatch(&flight, clock));
        Self { operation, write_id: None, kind, table, first, flight, meters: meters.clone() }
    }

    /// Names the write in the events of its attempts.
    pub(crate) fn write_id(mut self, id: impl Into<Uuid>) -> Self {
        self.write_id = Some(id.into());
        self
    }

    /// What it sent; `None` where it has never been serialised.
    pub(crate) fn freeze(&self) -> Option<Frozen> {
        let body = self.flight.body()?.to_vec();
        Some(Frozen { kind: self.kind, table: self.table.clone(), body })
    }

    /// A request that sends the same.
    pub(crate) fn thaw(operation: &'static str, frozen: &Frozen, meters: &Meters) -> Self {
        let (kind, table, flight) = (frozen.kind, frozen.table.clone(), Flight::with_body(&frozen.body));
        Self { operation, write_id: None, kind, table, first: None, flight, meters: meters.clone() }
    }

    /// The attempt to wait for now. `None` where there is no content left to send.
    fn next(&mut self, caller: &Caller) -> Option<Watched<Reply>> {
        self.flight.reset();
        let again =
            || self.kind.without_content(&caller.client, self.table.clone()).dispatch(&self.flight, &caller.clock);
        self.first.take().or_else(|| self.flight.has_body().then(again))
    }
}

impl Frozen {
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        fingerprint::body(&self.body)
    }
}

/// Never shows contents.
impl fmt::Debug for Frozen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frozen").field("bytes", &self.body.len()).finish_non_exhaustive()
    }
}

impl Reply {
    /// The capacity units that the service says it took: read units, and write units.
    fn units(&self) -> Option<[f64; 2]> {
        match self {
            Self::Done { output } => output.units,
            _ => None,
        }
    }
}

/// For events: the outcome, and the kind of failure, never contents.
impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done { .. } => f.write_str("done"),
            Self::ConditionFailed { .. } => f.write_str("condition failed"),
            Self::Cancelled { failed, .. } => write!(f, "conditions failed: {}", failed.len()),
            Self::InProgress { error } => write!(f, "in progress: {error}"),
            Self::NotApplied { error, .. } => write!(f, "not applied: {error}"),
            Self::Unanswered { error } => write!(f, "unanswered: {error}"),
        }
    }
}

#[cfg(test)]
mod tests;
