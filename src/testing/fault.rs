//! The faults: what becomes of a request on its way, and what its caller gets to see.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use super::Reply;

/// What goes wrong with one request.
///
/// A fault has two sides: how often and when the request reaches the table, and what the caller sees instead of the
/// table's answer. The constructors name the usual combinations; [`applied`](Self::applied) and
/// [`hanging`](Self::hanging) vary them.
#[derive(Clone)]
pub struct Fault {
    name: Cow<'static, str>,
    pub(super) delivery: Delivery,
    pub(super) view: View,
}

/// How often and when the request reaches the table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Delivery {
    Never,
    Once,
    Twice,
    /// Not now: when the arrival says.
    Late(Arrival),
    /// Once now, and a copy once so many further requests have reached the table.
    AndCopyAfter(usize),
}

/// What the caller gets to see.
#[derive(Debug, Clone)]
pub(super) enum View {
    Answer,
    DelayedAnswer(Duration),
    TruncatedAnswer,
    Instead(Reply),
}

/// When a late request reaches the table.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Arrival {
    /// When the test calls [`Faults::deliver_late`](super::Faults::deliver_late).
    OnCommand,
    /// Right after the next request of the same operation has been executed, and before that one's caller hears of it.
    AfterNext,
    /// After a while, in the client's own time: with tokio's paused clock, as soon as every task waits.
    After(Duration),
}

impl Fault {
    /// No connection comes about: the request is certainly not sent, and the client can know it.
    #[must_use]
    pub fn connection_refused() -> Self {
        Self::new("connection refused", Delivery::Never, View::Instead(Reply::connection_refused()))
    }

    /// The connection breaks after the request was sent and before it reached the table. Looks like
    /// [`lost_reply`](Self::lost_reply).
    #[must_use]
    pub fn lost_request() -> Self {
        Self::new("lost request", Delivery::Never, View::Instead(Reply::broken_connection()))
    }

    /// The table executes the request, then the connection breaks before the reply is read.
    #[must_use]
    pub fn lost_reply() -> Self {
        Self::new("lost reply", Delivery::Once, View::Instead(Reply::broken_connection()))
    }

    /// The request never reaches the table, and no reply ever comes: the caller's timeout has to end it.
    /// `hang().applied()` is the same with the request executed.
    #[must_use]
    pub fn hang() -> Self {
        Self::new("hang", Delivery::Never, View::Instead(Reply::hang()))
    }

    /// The connection breaks, and the request reaches the table later, when the caller has sent it again or given up.
    /// `late(..).hanging()` lets the caller run into its timeout instead.
    #[must_use]
    pub fn late(arrival: Arrival) -> Self {
        Self::new("late", Delivery::Late(arrival), View::Instead(Reply::broken_connection()))
    }

    /// The table executes the request twice, as after a retry by a proxy; the caller gets the second answer.
    #[must_use]
    pub fn duplicate() -> Self {
        Self::new("duplicate", Delivery::Twice, View::Answer)
    }

    /// The table executes the request and the caller gets the answer; a copy is executed once `requests` further ones
    /// have been.
    #[must_use]
    pub fn duplicate_after(requests: usize) -> Self {
        Self::new("late duplicate", Delivery::AndCopyAfter(requests), View::Answer)
    }

    /// Status 500 before the request is executed; `internal_error().applied()` after.
    #[must_use]
    pub fn internal_error() -> Self {
        Self::new("500", Delivery::Never, View::Instead(Reply::internal_error()))
    }

    /// Status 503 before the request is executed; `unavailable().applied()` after.
    #[must_use]
    pub fn unavailable() -> Self {
        Self::new("503", Delivery::Never, View::Instead(Reply::unavailable()))
    }

    /// `ProvisionedThroughputExceededException`; the request is not executed.
    #[must_use]
    pub fn throughput_exceeded() -> Self {
        Self::new("throughput exceeded", Delivery::Never, View::Instead(Reply::throughput_exceeded()))
    }

    /// `ThrottlingException`; the request is not executed.
    #[must_use]
    pub fn throttled() -> Self {
        Self::new("throttled", Delivery::Never, View::Instead(Reply::throttled()))
    }

    /// The table executes the request; its answer keeps its status and loses half of its body.
    #[must_use]
    pub fn truncated_reply() -> Self {
        Self::new("truncated reply", Delivery::Once, View::TruncatedAnswer)
    }

    /// `TransactionConflictException`; the request is not executed.
    #[must_use]
    pub fn transaction_conflict() -> Self {
        Self::new("transaction conflict", Delivery::Never, View::Instead(Reply::transaction_conflict()))
    }

    /// `TransactionInProgressException`; this request is not executed.
    #[must_use]
    pub fn transaction_in_progress() -> Self {
        Self::new("transaction in progress", Delivery::Never, View::Instead(Reply::transaction_in_progress()))
    }

    /// The table executes the request at once; its answer takes `delay` to come back.
    #[must_use]
    pub fn slow_reply(delay: Duration) -> Self {
        Self::new("slow reply", Delivery::Once, View::DelayedAnswer(delay))
    }

    /// Any other reply in place of the table's; the request is not executed.
    #[must_use]
    pub fn reply(reply: Reply) -> Self {
        Self::new("reply", Delivery::Never, View::Instead(reply))
    }

    /// The same for the caller, but the table has executed the request, once and before.
    #[must_use]
    pub fn applied(mut self) -> Self {
        if self.delivery != Delivery::Once {
            self.delivery = Delivery::Once;
            self.name += ", applied";
        }
        self
    }

    /// The same for the table, but the caller gets no reply and no broken connection: it waits until its timeout.
    #[must_use]
    pub fn hanging(mut self) -> Self {
        self.view = View::Instead(Reply::hang());
        self.name += ", hanging";
        self
    }

    fn new(name: &'static str, delivery: Delivery, view: View) -> Self {
        Self { name: name.into(), delivery, view }
    }
}

/// The name of the fault, as the log shows it: `lost reply`, `500, applied`.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name)
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fault({self})")
    }
}
