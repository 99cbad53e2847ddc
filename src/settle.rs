//! A write on its way through the loop, from its first attempt to a proved outcome.

use std::sync::Arc;
use std::time::SystemTime;

use tracing::Instrument as _;

use crate::call::{Frozen, Outgoing, Output, Reply, Request};
use crate::drive::{Answer, Course, Driven, Unanswered, until_answered};
use crate::epoch::EpochMillis;
use crate::error::{Error, ErrorKind, Limit};
use crate::fingerprint::Fingerprint;
use crate::item::RawItem;
use crate::lanes::Lease;
use crate::protocol::call::{Attempt, Call, Outcome, Step};
use crate::protocol::guard::{Expect, Guard};
use crate::protocol::log::{KeyStamp, Version, WriteId};
use crate::protocol::verdict::Refusal;
use crate::retry::{Retry, Spent};
use crate::stamped;
use crate::store::Store;
use crate::table::Core;
use crate::trace;
use crate::versioned::Etag;

/// What a verb asks of the loop.
#[derive(Debug)]
pub(crate) struct Write<'t> {
    pub(crate) table: &'t Arc<Core>,
    pub(crate) operation: &'static str,
    /// The item's key attributes.
    pub(crate) key: RawItem,
    pub(crate) expect: Expect,
    pub(crate) keyed: Option<KeyStamp>,
    /// Whether the verb's requests carry conditions of the caller's.
    pub(crate) conditional: bool,
    /// When the call began, which is what it writes as the time in all its attempts.
    pub(crate) began: EpochMillis,
    /// What the operation took so far, where this write is not its first part.
    pub(crate) earlier: Option<Spent>,
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
    /// Runs the write. `request` renders an attempt of the verb's own, given the item that stands, where the attempt answers to
    /// one; the fences are ours.
    ///
    /// Dropping the future loses nothing: an attempt under way may still apply, once, and its lane rests until it can't.
    pub(crate) async fn settle<R>(self, request: R) -> Result<Settled, Error>
    where
        R: FnMut(&Attempt, Option<&RawItem>) -> Result<Request, Error>,
    {
        let (store, of) = (self.table.store(), |error: Error| error.with_operation(self.operation, self.table.name()));
        self.table.check_names().map_err(of)?;
        if let Expect::At { version, .. } = self.expect
            && version > Version::LAST
        {
            let error = Error::invalid("the etag's version is beyond the last that a write can count up");
            return Err(of(error));
        }
        let caller = store.caller();
        let retry = self.earlier.map_or_else(|| caller.begin(), |earlier| caller.begin_after(earlier));
        let Some(lease) = retry.within(store.lanes().lease(self.table.hash(&self.key), store.now())).await else {
            let error = Error::new(ErrorKind::Timeout, "earlier calls on the item took all the time there was");
            return Err(retry.report(of(error)).with_limit(Limit::Deadline));
        };
        let Some(id) = store.write_id(self.expect.birth().unwrap_or(WriteId::NIL)) else {
            let message = format!(
                "the etag's birth id is from the far future, and no write id can follow it; if the stored attribute `{}` is \
                 the same, remove the attributes of the log",
                self.table.format().stamp.birth
            );
            return Err(of(Error::new(ErrorKind::Malformed, message)));
        };
        let (operation, table) = (self.operation, self.table.name());
        let call = Call::new(self.expect, self.keyed, lease.lane(), self.conditional, id);
        let course = Course::new(store, retry);
        let run = Run::new(self, call, request).on(lease);
        run.settle(course, Step::Send).instrument(trace::operation(operation, table)).await
    }

    pub(crate) fn no_later_id(attribute: &str) -> Error {
        let message = format!(
            "the stored attribute `{attribute}` holds a write id from the far future, and none can follow it; remove the \
             attributes of the log"
        );
        Error::new(ErrorKind::Malformed, message)
    }
}

/// A write whose outcome is unknown, as it was left.
#[derive(Debug, Clone)]
pub(crate) struct Suspended {
    pub(crate) table: Arc<Core>,
    pub(crate) operation: &'static str,
    pub(crate) key: RawItem,
    pub(crate) call: Call,
    /// The last attempt that was the write's own.
    pub(crate) last: Attempt,
    pub(crate) content: Content,
    /// When the call began.
    pub(crate) began: EpochMillis,
    /// When it is too late to take it up: the log may have forgotten it.
    pub(crate) until: SystemTime,
}

/// What a suspended write's last attempt sent.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    Here(Frozen),
    /// Another process has it, and this is its fingerprint.
    Elsewhere(Fingerprint),
}

impl Suspended {
    /// Sends the last request again, and no other.
    pub(crate) async fn finish(&self) -> Result<Settled, Error> {
        let Content::Here(frozen) = &self.content else {
            return Err(self.of(Error::invalid(
                "the token doesn't hold what the call was to write: resume the call with the same content, or abort it",
            )));
        };
        let settled = self.send(Outgoing::thaw(self.operation, frozen, self.table.meters())).await;
        // As the verb says it.
        let etag = match self.call.expect {
            Expect::At { version, birth } => Some(Etag::new(version, birth)),
            _ => None,
        };
        settled.map_err(|error| {
            let saves = matches!(self.operation, "save" | "modify");
            let error =
                if saves { error.of_kind(ErrorKind::ConditionFailed, ErrorKind::VersionConflict) } else { error };
            error.at(etag)
        })
    }

    /// Sends the last request again, which is rendered anew of the same content.
    pub(crate) async fn resume<R>(&self, write: &Write<'_>, mut request: R) -> Result<Settled, Error>
    where
        R: FnMut(&Attempt, Option<&RawItem>) -> Result<Request, Error>,
    {
        let Call { expect, keyed, conditional, .. } = self.call;
        if (&self.key, expect, keyed, conditional) != (&write.key, write.expect, write.keyed, write.conditional) {
            return Err(
                self.of(Error::bad_token("the token is of a call with another key, etag, condition or content"))
            );
        }
        if matches!(self.last.guard, Guard::Revive { .. }) {
            return Err(self.of(Error::invalid(
                "the call was bringing a tombstone to life, which no other process can resume; abort it",
            )));
        }
        let request = request(&self.last, None).map_err(|error| self.of(error))?;
        let caller = self.table.store().caller();
        let mut outgoing = Outgoing::new(self.operation, request, caller.clock(), self.table.meters());
        caller.serialise(&mut outgoing).await;
        match outgoing.freeze() {
            Some(frozen) if frozen.fingerprint() == self.content.fingerprint() => self.send(outgoing).await,
            _ => Err(self.of(Error::bad_token("the content is another than that of the call that is resumed"))),
        }
    }

    /// Sees to it that the write can't apply any more; whether it had been applied.
    pub(crate) async fn abort(&self) -> Result<bool, Error> {
        self.check_time()?;
        let (call, step) = self.call.clone().abort(&self.last, self.table.schema().tombstones_left().is_some());
        let span = trace::operation(self.operation, self.table.name());
        let (mut course, mut run) = (self.course(), self.run(call));
        let outcome = course.drive(&mut run, step).instrument(span).await;
        match outcome {
            Outcome::Applied | Outcome::Replayed => Ok(true),
            Outcome::NotApplied => Ok(false),
            Outcome::Refused(_) | Outcome::Unknown => {
                run.conclude(course, Outcome::Unknown).map(|_| true).map_err(|error| self.again(error))
            }
        }
    }

    async fn send(&self, outgoing: Outgoing) -> Result<Settled, Error> {
        self.check_time()?;
        let mut run = self.run(self.call.clone().finish(&self.last));
        run.own = Some((self.last, outgoing.write_id(self.last.id.uuid())));
        let settled =
            run.settle(self.course(), Step::Send).instrument(trace::operation(self.operation, self.table.name())).await;
        settled.map_err(|error| self.again(error))
    }

    fn run(&self, call: Call) -> Run<'_, impl FnMut(&Attempt, Option<&RawItem>) -> Result<Request, Error>> {
        let write = Write {
            table: &self.table,
            operation: self.operation,
            key: self.key.clone(),
            expect: call.expect,
            keyed: call.keyed,
            conditional: call.conditional,
            began: self.began,
            earlier: None,
        };
        let request =
            |_: &Attempt, _: Option<&RawItem>| Err(Error::invalid("a suspended write sends its last request only"));
        Run::new(write, call, request)
    }

    fn course(&self) -> Course<'_> {
        let store = self.table.store();
        Course::new(store, store.caller().begin())
    }

    fn check_time(&self) -> Result<(), Error> {
        if self.table.store().now() > self.until {
            let kind = match self.content {
                Content::Here(_) => ErrorKind::Invalid,
                Content::Elsewhere(_) => ErrorKind::BadToken,
            };
            let late = "it is too late to take this call up: what is stored may have forgotten it";
            return Err(self.of(Error::new(kind, late)));
        }
        Ok(())
    }

    /// An outcome that is unknown still can be taken up once more.
    fn again(&self, error: Error) -> Error {
        if error.is_outcome_unknown() { error.with_suspended(Arc::new(self.clone())) } else { error }
    }

    fn of(&self, error: Error) -> Error {
        error.with_operation(self.operation, self.table.name())
    }
}

impl Content {
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        match self {
            Self::Here(frozen) => frozen.fingerprint(),
            Self::Elsewhere(fingerprint) => *fingerprint,
        }
    }
}

/// A write under way.
struct Run<'t, R> {
    write: Write<'t>,
    call: Call,
    /// `None` of a call that is taken up: it keeps to the lane that it had.
    lease: Option<Lease>,
    request: R,
    /// The attempt of the write's own that was rendered last, so that the same attempt goes out as the same bytes.
    own: Option<(Attempt, Outgoing)>,
    /// An attempt of the write's own that was sent before that one.
    sent: Option<(Attempt, Frozen)>,
    /// The last attempt of its fences.
    fence: Option<(Attempt, Outgoing)>,
    /// The item that came with the last reply.
    item: Option<RawItem>,
}

impl<'t, R: FnMut(&Attempt, Option<&RawItem>) -> Result<Request, Error>> Run<'t, R> {
    fn new(write: Write<'t>, call: Call, request: R) -> Self {
        let (lease, own, sent, fence, item) = (None, None, None, None, None);
        Self { write, call, lease, request, own, sent, fence, item }
    }

    fn on(mut self, lease: Lease) -> Self {
        self.lease = Some(lease);
        self
    }

    async fn settle(mut self, mut course: Course<'_>, step: Step) -> Result<Settled, Error> {
        let outcome = course.drive(&mut self, step).await;
        self.conclude(course, outcome)
    }

    fn conclude(mut self, course: Course<'_>, outcome: Outcome) -> Result<Settled, Error> {
        tracing::debug!({ trace::VERDICT } = ?outcome, { trace::WRITE_ID } = %self.call.id.uuid(), "settled");
        if let Some(lease) = &mut self.lease
            && outcome != Outcome::Unknown
        {
            lease.settled();
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
        let failure = match kind {
            None => course.ended_by.or(course.failure),
            Some(_) => course.failure.or(course.ended_by),
        };
        let error = match (kind, failure) {
            (None, Some(failure)) => failure,
            (None, None) => Error::new(
                ErrorKind::Contention,
                "the item has changed since, and a call that is taken up sends nothing but what it had sent",
            ),
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
        let mut error = course.retry.report(error);
        if outcome == Outcome::Unknown
            && let Some((last, frozen)) =
                self.own.and_then(|(last, outgoing)| Some((last, outgoing.freeze()?))).or(self.sent)
        {
            let write = self.write;
            error = error.with_suspended(Arc::new(Suspended {
                until: write.table.store().now() + write.table.schema().pending_for(),
                table: Arc::clone(write.table),
                operation: write.operation,
                key: write.key,
                call: self.call,
                last,
                began: write.began,
                content: Content::Here(frozen),
            }));
        }
        Err(match self.item {
            Some(item) => error.with_current(item, format.clone()),
            None => error,
        })
    }
}

impl<R: FnMut(&Attempt, Option<&RawItem>) -> Result<Request, Error>> Driven for Run<'_, R> {
    fn outgoing(&mut self) -> Result<&mut Outgoing, Error> {
        let attempt = self.call.attempt();
        let (store, write) = (self.write.table.store(), &self.write);
        let is_fencing = self.call.is_fencing();
        let slot = if is_fencing { &mut self.fence } else { &mut self.own };
        if slot.as_ref().is_none_or(|(rendered, _)| *rendered != attempt) {
            let request = match attempt.guard {
                Guard::Fence { .. } => stamped::fence(write.table, &write.key, &attempt),
                Guard::Bury => stamped::bury(write.table, &write.key, &attempt),
                _ => (self.request)(&attempt, self.item.as_ref()),
            }?;
            let outgoing = Outgoing::new(write.operation, request, store.caller().clock(), write.table.meters());
            if let Some((earlier, outgoing)) = slot
                && !is_fencing
                && let Some(frozen) = outgoing.freeze()
            {
                self.sent = Some((*earlier, frozen));
            }
            *slot = Some((attempt, outgoing.write_id(attempt.id.uuid())));
        }
        if let Some(lease) = &mut self.lease {
            lease.in_doubt(store.now());
        }
        self.item = None;
        match slot {
            Some((_, outgoing)) => Ok(outgoing),
            None => unreachable!("it has just been rendered"),
        }
    }

    fn answered(&mut self, answer: Reply) -> Step {
        let format = self.write.table.format();
        match answer {
            Reply::ConditionFailed { item } => {
                self.item = item;
                let seen = self.item.as_ref().map(|item| format.read(item));
                self.call.condition_failed(seen.as_ref())
            }
            Reply::Done { output } => {
                self.item = output.into_item();
                let before = self.item.as_ref().map(|item| format.read(item));
                self.call.applied(before.as_ref())
            }
            Reply::Cancelled { .. }
            | Reply::NotApplied { .. }
            | Reply::Unanswered { .. }
            | Reply::InProgress { .. } => {
                unreachable!("a single write has no parts, and this is no answer of the table")
            }
        }
    }

    fn is_fencing(&self) -> bool {
        self.call.is_fencing()
    }

    fn unanswered(&mut self) {
        self.call.unanswered();
    }

    fn fail(&mut self) -> Step {
        self.call.fail()
    }

    fn give_up(&mut self) -> Step {
        self.call.give_up()
    }

    fn renew(&mut self, id: WriteId) {
        self.call.renew(id);
    }

    fn no_later_id(&self, above: WriteId) -> Error {
        let stamp = &self.write.table.format().stamp;
        let head = &stamp.lanes[usize::from(self.call.lane)].head;
        let on_lane = self.item.as_ref().is_some_and(|item| item.get(head) == Some(&above.attribute()));
        Write::no_later_id(if on_lane { head } else { &stamp.birth })
    }
}

/// Runs a read, which may be repeated freely.
pub(crate) async fn read(
    table: &Core,
    operation: &'static str,
    request: impl Into<Request>,
) -> Result<(Output, Spent), Error> {
    let mut retry = table.store().caller().begin();
    let output = read_on(table, operation, request, &mut retry).await?;
    Ok((output, retry.spent()))
}

/// The same, as a part of a read that has sent requests before.
pub(crate) async fn read_on(
    table: &Core,
    operation: &'static str,
    request: impl Into<Request>,
    retry: &mut Retry<'_>,
) -> Result<Output, Error> {
    table.check_names().map_err(|error| error.with_operation(operation, table.name()))?;
    let span = trace::operation(operation, table.name());
    let outgoing = Outgoing::new(operation, request, table.store().caller().clock(), table.meters());
    let read = read_until_answered(table.store(), outgoing, retry).instrument(span).await;
    read.map_err(|error| error.with_operation(operation, table.name()))
}

/// Runs a read of several tables.
pub(crate) async fn read_of(
    store: &Store,
    operation: &'static str,
    request: impl Into<Request>,
) -> Result<Output, Error> {
    let outgoing = Outgoing::new(operation, request, store.caller().clock(), store.meters());
    let mut retry = store.caller().begin();
    read_until_answered(store, outgoing, &mut retry).instrument(trace::operation(operation, "")).await
}

async fn read_until_answered(store: &Store, mut outgoing: Outgoing, retry: &mut Retry<'_>) -> Result<Output, Error> {
    match until_answered(store, &mut outgoing, retry).await {
        Ok((Answer::Done(output), _)) => Ok(output),
        // A read has no condition.
        Ok((Answer::Failed(_), _)) => Err(retry.report(Error::of(ErrorKind::Service))),
        Err(Unanswered { error, .. }) => Err(retry.report(error)),
    }
}

impl Refusal {
    pub(crate) fn kind(self) -> ErrorKind {
        match self {
            Self::AlreadyExists => ErrorKind::AlreadyExists,
            Self::NotFound | Self::Gone => ErrorKind::NotFound,
            Self::VersionConflict => ErrorKind::VersionConflict,
            Self::KeyReused => ErrorKind::KeyReused,
            Self::Condition => ErrorKind::ConditionFailed,
            Self::Unusable => ErrorKind::Malformed,
            Self::Superseded => ErrorKind::Superseded,
            Self::Recorded | Self::InProgress => ErrorKind::InProgress,
        }
    }
}
