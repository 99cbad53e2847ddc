//! The one loop that takes a write from its first attempt to a proved outcome.

use std::time::SystemTime;

use tracing::Instrument as _;

use crate::call::{Outgoing, Reply, Request};
use crate::error::{Error, ErrorKind, Limit};
use crate::item::RawItem;
use crate::lanes::Lease;
use crate::op::stamped;
use crate::protocol::call::{Attempt, Call, Outcome, Step};
use crate::protocol::guard::{Expect, Guard};
use crate::protocol::log::{KeyStamp, Version, WriteId};
use crate::protocol::verdict::Refusal;
use crate::retry::{Retry, Why};
use crate::table::Core;
use crate::trace;

/// What a verb asks of the loop.
#[derive(Debug)]
pub(crate) struct Write<'t> {
    pub(crate) table: &'t Core,
    pub(crate) operation: &'static str,
    /// The item's key attributes.
    pub(crate) key: RawItem,
    pub(crate) expect: Expect,
    pub(crate) keyed: Option<KeyStamp>,
    /// Whether the verb's requests carry conditions of the caller's.
    pub(crate) conditional: bool,
    /// When the operation began, where this write is not its first part.
    pub(crate) since: Option<SystemTime>,
}

/// A write that is in the table.
#[derive(Debug)]
pub(crate) struct Settled {
    pub(crate) replayed: bool,
    /// The version that the write made, where it can be told.
    pub(crate) version: Option<u64>,
    /// The birth id of the item, where it can be told.
    pub(crate) birth: Option<WriteId>,
    /// The item that the last reply brought along: as written, or, of a replay, as it stands.
    pub(crate) item: Option<RawItem>,
}

impl Write<'_> {
    /// Runs the write. `request` renders an attempt of the verb's own; the fences are ours.
    ///
    /// Dropping the future loses nothing: an attempt under way may still apply, once, and its lane rests until it can't.
    pub(crate) async fn settle<R>(self, request: R) -> Result<Settled, Error>
    where
        R: FnMut(&Attempt) -> Result<Request, Error>,
    {
        let store = self.table.store();
        if let Expect::At { version, .. } = self.expect
            && version > Version::LAST
        {
            let error = Error::invalid("the etag's version is beyond the last that a write can count up");
            return Err(error.with_operation(self.operation, self.table.name()));
        }
        let retry = store.caller().begin_at(self.since.unwrap_or_else(|| store.now()));
        let Some(lease) = retry.within(store.lanes().lease(self.table.hash(&self.key), store.now())).await else {
            let error = Error::new(ErrorKind::Timeout, "earlier calls on the item took all the time there was");
            return Err(retry
                .report(error.with_operation(self.operation, self.table.name()))
                .with_limit(Limit::Deadline));
        };
        let Some(id) = store.write_id(self.expect.birth().unwrap_or(WriteId::NIL)) else {
            return Err(self
                .no_later_id(&self.table.format().stamp.birth)
                .with_operation(self.operation, self.table.name()));
        };
        let (operation, table) = (self.operation, self.table.name());
        let call = Call::new(self.expect, self.keyed, lease.lane(), self.conditional, id);
        let run = Run { write: self, call, lease, retry, request, outgoing: None, item: None, failure: None };
        run.drive().instrument(trace::operation(operation, table)).await
    }

    fn no_later_id(&self, attribute: &str) -> Error {
        let message = format!(
            "the stored attribute `{attribute}` holds a write id from the far future, and none can follow it; remove the \
             attributes of the log"
        );
        Error::new(ErrorKind::Malformed, message)
    }
}

/// A write under way.
struct Run<'t, R> {
    write: Write<'t>,
    call: Call,
    lease: Lease,
    retry: Retry<'t>,
    request: R,
    /// The attempt that was rendered last, so that the same attempt goes out as the same bytes.
    outgoing: Option<(Attempt, Outgoing)>,
    /// The item that came with the last reply.
    item: Option<RawItem>,
    /// What the last attempt that wasn't answered by the table came to.
    failure: Option<Error>,
}

impl<R: FnMut(&Attempt) -> Result<Request, Error>> Run<'_, R> {
    async fn drive(mut self) -> Result<Settled, Error> {
        let mut step = Step::Send;
        loop {
            step = match step {
                Step::Send => self.attempt().await,
                Step::Renew { above } => match self.write.table.store().write_id(above) {
                    Some(id) => {
                        self.call.renew(id);
                        self.attempt().await
                    }
                    None => {
                        let stamp = &self.write.table.format().stamp;
                        let head = &stamp.lanes[usize::from(self.call.lane)].head;
                        let on_lane = self.item.as_ref().is_some_and(|item| item.get(head) == Some(&above.attribute()));
                        self.failure = Some(self.write.no_later_id(if on_lane { head } else { &stamp.birth }));
                        self.call.give_up()
                    }
                },
                Step::Settled(outcome) => return self.conclude(outcome),
            };
        }
    }

    /// Sends one attempt and takes in its reply.
    async fn attempt(&mut self) -> Step {
        let attempt = self.call.attempt();
        let (store, write) = (self.write.table.store(), &self.write);
        if self.outgoing.as_ref().is_none_or(|(rendered, _)| *rendered != attempt) {
            let rendered = match attempt.guard {
                Guard::Fence { .. } => stamped::fence(write.table, &write.key, &attempt),
                _ => (self.request)(&attempt),
            };
            match rendered {
                Ok(request) => {
                    let outgoing = Outgoing::new(write.operation, request, store.caller().clock());
                    self.outgoing = Some((attempt, outgoing.write_id(attempt.id.uuid())));
                }
                Err(error) => {
                    self.failure = Some(error);
                    return self.call.fail();
                }
            }
        }
        let Some((_, outgoing)) = &mut self.outgoing else { return self.call.give_up() };
        self.lease.in_doubt(store.now());
        self.item = None;
        match store.caller().send(outgoing, &mut self.retry).await {
            Reply::Done { attributes } => {
                self.item = attributes;
                let before = self.item.as_ref().map(|item| write.table.format().read(item));
                self.call.applied(before.as_ref())
            }
            Reply::ConditionFailed { item } => {
                self.item = item;
                let seen = self.item.as_ref().map(|item| write.table.format().read(item));
                let was_fencing = self.call.is_fencing();
                let step = self.call.condition_failed(seen.as_ref());
                let first_fence = self.call.is_fencing() && !was_fencing;
                if matches!(step, Step::Settled(_)) || first_fence {
                    return step;
                }
                match self.retry.step_aside() {
                    Ok(()) => step,
                    Err(_) => {
                        self.failure = Some(Error::of(ErrorKind::Contention));
                        self.call.fail()
                    }
                }
            }
            Reply::NotApplied { error, again } => {
                self.failure = Some(error);
                match again {
                    Some(why) if self.retry.pause(why).await.is_ok() => Step::Send,
                    _ => self.call.fail(),
                }
            }
            Reply::Unanswered { error } => {
                self.failure = Some(error);
                self.call.unanswered();
                match self.retry.pause(Why::Transport).await {
                    Ok(()) => Step::Send,
                    Err(_) => self.call.give_up(),
                }
            }
        }
    }

    fn conclude(mut self, outcome: Outcome) -> Result<Settled, Error> {
        tracing::debug!({ trace::VERDICT } = ?outcome, { trace::WRITE_ID } = %self.call.id.uuid(), "settled");
        if outcome != Outcome::Unknown {
            self.lease.settled();
        }
        let format = self.write.table.format();
        let seen = self.item.as_ref().map(|item| format.read(item));
        let kind = match outcome {
            Outcome::Applied | Outcome::Replayed | Outcome::Refused(Refusal::Gone) => {
                let birth = seen.as_ref().and_then(|seen| seen.log()).map(|log| log.birth);
                return Ok(Settled {
                    replayed: outcome == Outcome::Replayed,
                    version: self.call.version_made(seen.as_ref()),
                    birth: birth.or_else(|| self.call.birth_made()),
                    item: self.item,
                });
            }
            Outcome::NotApplied => None,
            Outcome::Unknown => Some(ErrorKind::OutcomeUnknown),
            Outcome::Refused(refusal) => Some(refusal.kind()),
        };
        let error = match (kind, self.failure) {
            (None, Some(failure)) => failure,
            (None, None) => Error::of(ErrorKind::Contention),
            (Some(ErrorKind::OutcomeUnknown), Some(failure)) => {
                Error::of(ErrorKind::OutcomeUnknown).with_source(failure)
            }
            (Some(ErrorKind::Malformed), _) => {
                self.item.as_ref().map_or(Error::of(ErrorKind::Malformed), |item| format.unusable(item))
            }
            (Some(kind), _) => Error::of(kind),
        };
        let error =
            error.with_operation(self.write.operation, self.write.table.name()).with_write_id(self.call.id.uuid());
        let error = self.retry.report(error);
        Err(match self.item {
            Some(item) => error.with_current(item, format.clone()),
            None => error,
        })
    }
}

/// Runs a read, which may be repeated freely.
pub(crate) async fn read(
    table: &Core,
    operation: &'static str,
    request: impl Into<Request>,
) -> Result<Option<RawItem>, Error> {
    let span = trace::operation(operation, table.name());
    read_until_answered(table, operation, Outgoing::new(operation, request, table.store().caller().clock()))
        .instrument(span)
        .await
}

async fn read_until_answered(
    table: &Core,
    operation: &'static str,
    mut outgoing: Outgoing,
) -> Result<Option<RawItem>, Error> {
    let caller = table.store().caller();
    let mut retry = caller.begin();
    loop {
        let (error, again) = match caller.send(&mut outgoing, &mut retry).await {
            Reply::Done { attributes } => return Ok(attributes),
            Reply::ConditionFailed { .. } => (Error::of(ErrorKind::Service), None),
            Reply::NotApplied { error, again } => (error, again),
            Reply::Unanswered { error } => (error, Some(Why::Transport)),
        };
        let over = match again {
            Some(why) => retry.pause(why).await.is_err(),
            None => true,
        };
        if over {
            return Err(retry.report(error.with_operation(operation, table.name())));
        }
    }
}

impl Refusal {
    fn kind(self) -> ErrorKind {
        match self {
            Self::AlreadyExists => ErrorKind::AlreadyExists,
            Self::NotFound | Self::Gone => ErrorKind::NotFound,
            Self::VersionConflict => ErrorKind::VersionConflict,
            Self::KeyReused => ErrorKind::KeyReused,
            Self::Condition => ErrorKind::ConditionFailed,
            Self::Unusable => ErrorKind::Malformed,
        }
    }
}
