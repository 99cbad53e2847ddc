//! A transaction on its way through the loop, from its first attempt to a proved outcome.

use std::sync::Arc;
use std::time::SystemTime;

use aws_sdk_dynamodb::types::{AttributeValue, Delete, Put, TransactWriteItem, Update};
use tracing::Instrument as _;

use crate::call::{Frozen, Outgoing, Reply, Request};
use crate::claims::{self, Change, Operation};
use crate::drive::{Course, Driven};
use crate::error::{Error, ErrorKind, Limit, Reason};
use crate::fingerprint::Fingerprint;
use crate::item::RawItem;
use crate::lanes::Lease;
use crate::protocol::call::{Attempt, Call, Outcome, Step};
use crate::protocol::claim::{Millis, Status};
use crate::protocol::guard::{Birth, Expect};
use crate::protocol::log::{Version, WriteId};
use crate::protocol::tie::Tie;
use crate::protocol::transaction::{self, Fence, Transaction};
use crate::protocol::verdict::Refusal;
use crate::record::{Ending, Entry, Kept, expiration};
use crate::retry::classify;
use crate::settle::Write;
use crate::stamped;
use crate::store::Store;
use crate::table::Core;
use crate::trace;
use crate::versioned::Etag;

pub(crate) const OPERATION: &str = "transact";
/// AWS, "TransactWriteItems": the most actions, and the most bytes of all items together.
pub(crate) const MOST_ACTIONS: usize = 100;
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// Renders a part for an attempt (none where the part is a check), given the item that last stood in its way.
pub(crate) type Render =
    Box<dyn FnMut(Option<&Attempt>, Option<&RawItem>) -> Result<TransactWriteItem, Error> + Send + Sync>;

/// What one part asks of the loop.
pub(crate) struct Action {
    pub(crate) table: Arc<Core>,
    pub(crate) operation: &'static str,
    pub(crate) key: RawItem,
    pub(crate) expect: Expect,
    /// Whether it carries conditions of the caller's.
    pub(crate) conditional: bool,
    /// What it writes, where a repetition has to write the same.
    pub(crate) content: Option<Fingerprint>,
    pub(crate) leaves: Leaves,
    pub(crate) at: Option<Etag>,
    pub(crate) render: Render,
}

/// What a part leaves on its item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leaves {
    Stamp,
    /// It deletes the item, log and all.
    Nothing,
    /// It is a condition only.
    AsItWas,
}

/// The record that a transaction completes together with its effects.
#[derive(Clone)]
pub(crate) struct Tied {
    pub(crate) records: Arc<Core>,
    pub(crate) record: Operation,
    pub(crate) how: How,
    /// When it is completed; where it claims the record itself, not before this.
    pub(crate) at: Millis,
}

/// How a transaction comes by the record that it completes.
#[derive(Clone)]
pub(crate) enum How {
    /// A run holds it, by this id.
    Held { owner: WriteId, complete: Change },
    /// It claims it itself, and says in it what it has written.
    Claimed,
}

/// What a part has made: the version, and the etag of its item, where they can be told.
pub(crate) type Made = (Option<u64>, Option<Etag>);

/// A transaction that is in the table.
#[derive(Debug)]
pub(crate) struct Settled {
    pub(crate) replayed: bool,
    pub(crate) made: Vec<Made>,
}

/// Why a transaction isn't in the tables, or isn't known to be.
#[derive(Debug)]
pub(crate) struct Unsettled {
    pub(crate) error: Error,
    /// Whether its record has been fenced, and is nobody's any more.
    pub(crate) is_released: bool,
}

impl From<Error> for Unsettled {
    fn from(error: Error) -> Self {
        Self { error, is_released: false }
    }
}

/// Runs a transaction of at least one part, which completes a record where it is tied to one.
pub(crate) async fn settle(
    store: &Store,
    operation: &'static str,
    actions: Vec<Action>,
    tied: Option<Tied>,
) -> Result<Settled, Unsettled> {
    let retry = store.caller().begin();
    for (index, action) in actions.iter().enumerate() {
        let of = |error: Error| action.of(operation, index, error);
        action.table.check_names().map_err(of)?;
        if matches!(action.expect, Expect::At { version, .. } if version > Version::LAST) {
            return Err(of(Error::invalid("the etag's version is beyond the last that a write can count up")).into());
        }
    }
    // In one order for all transactions of this process, so that no two wait for each other.
    let mut order: Vec<_> = (0..actions.len()).filter(|index| actions[*index].leaves != Leaves::AsItWas).collect();
    order.sort_by_key(|index| actions[*index].table.hash(&actions[*index].key));
    let mut leases: Vec<Option<Lease>> = actions.iter().map(|_| None).collect();
    for index in order {
        let item = actions[index].table.hash(&actions[index].key);
        let Some(lease) = retry.within(store.lanes().lease(item, store.now())).await else {
            let error = Error::new(ErrorKind::Timeout, "earlier calls on the item took all the time there was");
            return Err(retry.report(actions[index].of(operation, index, error)).with_limit(Limit::Deadline).into());
        };
        leases[index] = Some(lease);
    }
    let births = actions.iter().filter_map(|action| action.expect.birth());
    let Some(id) = store.write_id(births.max().unwrap_or(WriteId::NIL)) else {
        let message = "an etag's birth id is from the far future, and no write id can follow it";
        return Err(Error::new(ErrorKind::Malformed, message)
            .with_operation(operation, actions[0].table.name())
            .into());
    };
    let parts = actions.iter().zip(&leases).map(|(action, lease)| action.part(lease.as_ref(), id)).collect();
    let span = trace::operation(operation, actions[0].table.name());
    let transaction = Transaction::new(parts);
    let mut run = Run {
        store,
        operation,
        items: vec![None; actions.len()],
        actions,
        transaction: match &tied {
            Some(tied) => transaction.tied(tied.tie(id)),
            None => transaction,
        },
        tied,
        entry: None,
        leases,
        id,
        rendered: 0,
        own: None,
        fence: None,
    };
    let mut course = Course::new(store, retry);
    let outcome = course.drive(&mut run, Step::Send).instrument(span).await;
    let is_released = matches!(run.fence, Some((Fence::Record(_), _))) && outcome != Outcome::Unknown;
    run.conclude(course, outcome).map_err(|error| Unsettled { error, is_released })
}

/// A transaction whose outcome is unknown, as it was left.
pub(crate) struct Suspended {
    store: Store,
    operation: &'static str,
    actions: Vec<Action>,
    tied: Option<Tied>,
    transaction: Transaction,
    /// The last attempts that were its own, and what they sent.
    last: (Vec<Option<Attempt>>, Frozen),
    id: WriteId,
    pub(crate) until: SystemTime,
}

impl Suspended {
    /// Sends the last request again, and no other.
    pub(crate) async fn finish(&self) -> Result<Settled, Error> {
        let (attempts, frozen) = &self.last;
        let outgoing = Outgoing::thaw(self.operation, frozen, self.store.meters()).write_id(self.id.uuid());
        let mut run = self.run(self.transaction.clone().finish(attempts))?;
        run.own = Some((Own { attempts: attempts.clone(), owner: run.transaction.owner() }, outgoing));
        let mut course = Course::new(&self.store, self.store.caller().begin());
        let outcome = course.drive(&mut run, Step::Send).instrument(self.span()).await;
        run.conclude(course, outcome)
    }

    /// Sees to it that the transaction can't apply any more; whether it had been applied.
    pub(crate) async fn abort(&self) -> Result<bool, Error> {
        let (attempts, frozen) = &self.last;
        let (transaction, step) = self.transaction.clone().abort(attempts);
        let mut run = self.run(transaction)?;
        let outgoing = Outgoing::thaw(self.operation, frozen, self.store.meters());
        run.own = Some((Own { attempts: attempts.clone(), owner: run.transaction.owner() }, outgoing));
        let mut course = Course::new(&self.store, self.store.caller().begin());
        match course.drive(&mut run, step).instrument(self.span()).await {
            Outcome::Applied | Outcome::Replayed => Ok(true),
            Outcome::NotApplied => Ok(false),
            // A repetition has written it.
            Outcome::Refused(Refusal::Recorded) => Ok(true),
            Outcome::Refused(_) | Outcome::Unknown => run.conclude(course, Outcome::Unknown).map(|_| true),
        }
    }

    fn run(&self, transaction: Transaction) -> Result<Run<'_>, Error> {
        if self.store.now() > self.until {
            let error =
                Error::invalid("it is too late to take this transaction up: what is stored may have forgotten it");
            return Err(error.with_operation(self.operation, self.actions[0].table.name()));
        }
        Ok(Run {
            store: &self.store,
            operation: self.operation,
            tied: self.tied.clone(),
            entry: None,
            items: vec![None; self.actions.len()],
            leases: Vec::new(),
            actions: self.actions.iter().map(Action::suspended).collect(),
            transaction,
            id: self.id,
            rendered: 0,
            own: None,
            fence: None,
        })
    }

    fn span(&self) -> tracing::Span {
        trace::operation(self.operation, self.actions[0].table.name())
    }
}

impl Tied {
    fn tie(&self, id: WriteId) -> Tie {
        let kept_until = expiration(self.at, self.record.kept, 0).saturating_mul(1000);
        match self.how {
            How::Held { owner, .. } => Tie::completes(owner, kept_until),
            How::Claimed => Tie::makes(id, kept_until),
        }
    }

    /// Completes the record; of a write that claims it itself, with what that makes.
    fn complete(&self, owner: WriteId, made: impl FnOnce() -> Vec<Made>) -> Result<TransactWriteItem, Error> {
        part(match &self.how {
            How::Held { owner, complete } => claims::change_request(&self.records, &self.record, *owner, complete),
            How::Claimed => {
                let answer = serde_json::to_string(&made())
                    .map_err(|error| Error::invalid("what was written doesn't serialise as JSON").with_source(error))?;
                claims::make_request(&self.records, &self.record, owner, claims::now(&self.records), answer)
            }
        })
    }

    /// Keeps the transaction out.
    fn fence(&self, owner: WriteId, now: Millis) -> Request {
        match &self.how {
            How::Held { owner, .. } => claims::change_request(&self.records, &self.record, *owner, &Change::Release),
            How::Claimed => claims::fence_request(&self.records, &self.record, owner, now),
        }
    }
}

impl Action {
    /// The same, which is rendered no more.
    fn suspended(&self) -> Self {
        Self {
            table: Arc::clone(&self.table),
            key: self.key.clone(),
            render: Box::new(|_, _| Err(Error::invalid("a suspended transaction sends its last request only"))),
            ..*self
        }
    }

    fn part(&self, lease: Option<&Lease>, id: WriteId) -> transaction::Part {
        let lane = lease.map_or(0, Lease::lane);
        let call = || Call::new(self.expect, None, lane, self.conditional, id);
        match self.leaves {
            Leaves::Stamp => transaction::Part::Write(call()),
            Leaves::Nothing => transaction::Part::Delete(call()),
            Leaves::AsItWas => transaction::Part::Check(self.expect),
        }
    }

    /// An error of this part.
    pub(crate) fn of(&self, operation: &'static str, index: usize, error: Error) -> Error {
        error.with_operation(operation, self.table.name()).with_part(index)
    }
}

/// What a transaction's own request is rendered for.
#[derive(PartialEq, Eq)]
struct Own {
    attempts: Vec<Option<Attempt>>,
    /// Who owns the record by it.
    owner: Option<WriteId>,
}

/// A transaction under way.
struct Run<'t> {
    store: &'t Store,
    operation: &'static str,
    actions: Vec<Action>,
    tied: Option<Tied>,
    transaction: Transaction,
    leases: Vec<Option<Lease>>,
    id: WriteId,
    /// How often the whole was rendered: each rendering has a token of its own.
    rendered: u32,
    own: Option<(Own, Outgoing)>,
    fence: Option<(Fence, Outgoing)>,
    /// The items that last stood in the parts' way.
    items: Vec<Option<RawItem>>,
    /// The record that last did.
    entry: Option<Entry>,
}

impl Driven for Run<'_> {
    fn outgoing(&mut self) -> Result<&mut Outgoing, Error> {
        let now = self.store.now();
        self.leases.iter_mut().flatten().for_each(|lease| lease.in_doubt(now));
        if let Some(fence) = self.transaction.fence() {
            if self.fence.as_ref().is_none_or(|(rendered, _)| *rendered != fence) {
                let request = match (fence, &self.tied) {
                    (Fence::Part(index, attempt), _) => {
                        let action = &self.actions[index];
                        stamped::fence(&action.table, &action.key, &attempt)?
                    }
                    (Fence::Record(owner), Some(tied)) => tied.fence(owner, claims::now(&tied.records)),
                    (Fence::Record(_), None) => unreachable!("there is no record to fence"),
                };
                self.fence = Some((fence, self.render(request)));
            }
            return match &mut self.fence {
                Some((_, outgoing)) => Ok(outgoing),
                None => unreachable!("it has just been rendered"),
            };
        }
        let own = Own { attempts: self.transaction.attempts(), owner: self.transaction.owner() };
        if self.own.as_ref().is_none_or(|(rendered, _)| *rendered != own) {
            self.id = self.transaction.id().unwrap_or(self.id);
            let mut items = Vec::with_capacity(own.attempts.len() + 1);
            for (index, attempt) in own.attempts.iter().enumerate() {
                let action = &mut self.actions[index];
                let item = (action.render)(attempt.as_ref(), self.items[index].as_ref());
                items.push(item.map_err(|error| self.actions[index].of(self.operation, index, error))?);
            }
            if let (Some(tied), Some(owner)) = (&self.tied, own.owner) {
                items.push(tied.complete(owner, || self.made(false))?);
            }
            if items.iter().map(bytes).sum::<usize>() > MOST_BYTES {
                return Err(Error::invalid("the items of a transaction have 4 MB at most; write fewer at once"));
            }
            self.rendered += 1;
            // At most 36 characters. A re-send has the same; a transaction that goes on is another to the service.
            let token = format!("{}-{}", self.id.uuid().simple(), self.rendered % 1000);
            let request = self.store.client().transact_write_items().set_transact_items(Some(items));
            let outgoing = self.render(request.client_request_token(token).into());
            self.own = Some((own, outgoing));
        }
        match &mut self.own {
            Some((_, outgoing)) => Ok(outgoing),
            None => unreachable!("it has just been rendered"),
        }
    }

    /// Whether it was written before is the record's to say, before the items are asked, which may show that very write.
    fn undecided(&self, reply: &Reply) -> Option<Reply> {
        let Reply::Cancelled { withheld, .. } = reply else { return None };
        let of_record = withheld.iter().find(|(index, _)| *index == self.actions.len());
        of_record.filter(|_| self.claims_record()).map(|(_, code)| classify::withheld(code))
    }

    fn answered(&mut self, answer: Reply) -> Step {
        match (answer, self.transaction.fence()) {
            (Reply::Done { .. }, None) => self.transaction.applied(None),
            (Reply::Done { output }, Some(Fence::Part(index, _))) => {
                let before = output.into_item();
                let seen = before.as_ref().map(|item| self.actions[index].table.format().read(item));
                self.items[index] = before.or(self.items[index].take());
                self.transaction.applied(seen.as_ref())
            }
            (Reply::ConditionFailed { item }, Some(Fence::Part(index, _))) => {
                let seen = item.as_ref().map(|item| self.actions[index].table.format().read(item));
                self.items[index] = item;
                self.transaction.fence_failed(seen.as_ref())
            }
            (Reply::Done { output }, Some(Fence::Record(_))) => {
                let (before, now) = self.read(output.into_item().as_ref());
                let step = self.transaction.record_fenced((before.as_ref().map(|entry| &entry.record), now));
                self.entry = before;
                step
            }
            (Reply::ConditionFailed { item }, Some(Fence::Record(_))) => {
                let (entry, now) = self.read(item.as_ref());
                let step = self.transaction.record_fence_failed((entry.as_ref().map(|entry| &entry.record), now));
                self.entry = entry;
                step
            }
            (Reply::Cancelled { failed, .. }, None) => {
                let mut seen = Vec::with_capacity(failed.len());
                let mut record = None;
                for (index, item) in failed {
                    match self.actions.get(index) {
                        Some(action) => {
                            seen.push((index, item.as_ref().map(|item| action.table.format().read(item))));
                            self.items[index] = item;
                        }
                        None => record = Some(self.read(item.as_ref())),
                    }
                }
                let stands = record.as_ref().map(|(entry, now)| (entry.as_ref().map(|entry| &entry.record), *now));
                let step = self.transaction.cancelled(&seen, stands);
                self.entry = record.and_then(|(entry, _)| entry);
                step
            }
            _ => unreachable!(
                "a fence is a single write, the rest a transaction, and the others are no answers of the table"
            ),
        }
    }

    fn is_fencing(&self) -> bool {
        self.transaction.fence().is_some()
    }

    fn unanswered(&mut self) {
        // A fence that gets no answer is no reason to suspect the transaction, which is suspected already.
        self.transaction.unanswered();
    }

    fn fail(&mut self) -> Step {
        self.transaction.fail()
    }

    fn give_up(&mut self) -> Step {
        self.transaction.give_up()
    }

    fn renew(&mut self, id: WriteId) {
        self.transaction.renew(id);
    }

    fn no_later_id(&self, _: WriteId) -> Error {
        let attribute = self.actions.first().map_or("", |action| &action.table.format().stamp.birth);
        Write::no_later_id(attribute)
    }
}

impl Run<'_> {
    fn render(&self, request: Request) -> Outgoing {
        let outgoing = Outgoing::new(self.operation, request, self.store.caller().clock(), self.store.meters());
        outgoing.write_id(self.id.uuid())
    }

    /// Whether it claims the record itself, which may have been completed by an earlier call.
    fn claims_record(&self) -> bool {
        matches!(self.tied, Some(Tied { how: How::Claimed, .. }))
    }

    /// The record as it stands, and the time at which it was looked at.
    fn read(&self, record: Option<&RawItem>) -> (Option<Entry>, Millis) {
        let tied = self.tied.as_ref();
        (record.zip(tied).map(|(item, tied)| tied.record.read(item)), tied.map_or(0, |tied| claims::now(&tied.records)))
    }

    fn conclude(mut self, course: Course<'_>, outcome: Outcome) -> Result<Settled, Error> {
        tracing::debug!({ trace::VERDICT } = ?outcome, { trace::WRITE_ID } = %self.id.uuid(), "settled");
        if outcome != Outcome::Unknown {
            self.leases.iter_mut().flatten().for_each(Lease::settled);
        }
        let (failure, of_kind) = match outcome {
            Outcome::Applied => return Ok(self.settled(false)),
            Outcome::Replayed => return Ok(self.recorded().unwrap_or_else(|| self.settled(true))),
            Outcome::Refused(Refusal::Recorded) => {
                return self.recorded().ok_or_else(|| {
                    let error = Error::of(ErrorKind::KeyReused);
                    course.retry.report(error.with_operation(self.operation, self.actions[0].table.name()))
                });
            }
            Outcome::Refused(refusal) => {
                let error = self.refused(refusal);
                return Err(course.retry.report(error.with_write_id(self.id.uuid())));
            }
            Outcome::NotApplied => (course.ended_by.or(course.failure), None),
            Outcome::Unknown => (course.failure.or(course.ended_by), Some(ErrorKind::OutcomeUnknown)),
        };
        let error = match (of_kind, failure) {
            (None, Some(failure)) => failure,
            (None, None) => Error::of(ErrorKind::Contention),
            (Some(kind), Some(failure)) => Error::of(kind).with_source(failure),
            (Some(kind), None) => Error::of(kind),
        };
        let table = error.part().unwrap_or_default();
        let error = error.with_operation(self.operation, self.actions[table].table.name());
        let error = course.retry.report(error.with_write_id(self.id.uuid()));
        let last = self.own.and_then(|(own, outgoing)| Some((own.attempts, outgoing.freeze()?)));
        Err(match last.filter(|_| outcome == Outcome::Unknown) {
            Some(last) => {
                let kept = self.actions.iter().map(|action| action.table.schema().pending_for());
                let kept = kept.chain(self.tied.as_ref().map(|tied| tied.record.kept / 2)).min();
                error.with_suspended(Arc::new(Suspended {
                    until: self.store.now() + kept.unwrap_or_default(),
                    store: self.store.clone(),
                    operation: self.operation,
                    tied: self.tied,
                    actions: self.actions.iter().map(Action::suspended).collect(),
                    transaction: self.transaction,
                    last,
                    id: self.id,
                }))
            }
            None => error,
        })
    }

    /// What was written, by this call or an earlier one, as the record says that has come back.
    fn recorded(&self) -> Option<Settled> {
        let entry = self.entry.as_ref().filter(|_| self.claims_record());
        entry.and_then(|entry| recorded(entry, self.actions.len()))
    }

    fn settled(&self, replayed: bool) -> Settled {
        Settled { replayed, made: self.made(replayed) }
    }

    /// What the parts make, by the guards of the last attempt; of a replay, as their items show it.
    fn made(&self, replayed: bool) -> Vec<Made> {
        let made = self.actions.iter().zip(&self.items).enumerate().map(|(index, (action, item))| {
            let seen = item.as_ref().filter(|_| replayed).map(|item| action.table.format().read(item));
            let told = match replayed {
                true => self.transaction.made_by(index, seen.as_ref()),
                false => self.transaction.parts()[index].call().map(|call| (call, None)),
            };
            let Some((call, seen)) = told else {
                // A change that changes nothing leaves the item as it was read.
                let etag = action.at.filter(|_| matches!(action.operation, "save" | "modify"));
                let etag = etag.filter(|_| action.leaves == Leaves::AsItWas);
                return (etag.map(|etag| etag.version()), etag);
            };
            if action.operation == "delete" {
                return (None, None);
            }
            let version = call.version_made(seen);
            let birth = seen.and_then(|seen| seen.log()).map(|log| log.birth).or_else(|| call.birth_made());
            (version, version.zip(birth).map(|(version, birth)| Etag::new(version, Birth::Known(birth))))
        });
        made.collect()
    }

    /// The error of the first part that refuses, with the reasons of all.
    fn refused(&self, refusal: Refusal) -> Error {
        let reasons: Vec<_> = self
            .transaction
            .refusals()
            .iter()
            .map(|(index, refusal)| {
                let action = &self.actions[*index];
                let kind = match refusal.kind() {
                    // That an attribute isn't as it was read is a conflict too.
                    ErrorKind::ConditionFailed if matches!(action.operation, "save" | "modify") => {
                        ErrorKind::VersionConflict
                    }
                    kind => kind,
                };
                let item = self.items[*index].clone().map(|item| (item, action.table.format().clone()));
                Reason { part: *index, kind, item }
            })
            .collect();
        let Some(first) = reasons.first() else {
            // It was the record.
            let records = self.tied.as_ref().map_or("", |tied| tied.records.name());
            return Error::of(refusal.kind()).with_operation(self.operation, records);
        };
        let (action, index) = (&self.actions[first.part], first.part);
        let error = match (first.kind, &first.item) {
            (ErrorKind::Malformed, Some((item, format))) => format.unusable(item),
            (kind, _) => Error::of(kind),
        };
        let error = match &first.item {
            Some((item, format)) => error.with_current(item.clone(), format.clone()),
            None => error,
        };
        action.of(self.operation, index, error.at(action.at)).with_reasons(reasons)
    }
}

/// What was written under a key, as the record says; so many parts. `None` where it says something else.
pub(crate) fn recorded(entry: &Entry, parts: usize) -> Option<Settled> {
    let Ending::Answer(Kept::Text(text)) = &entry.ending else { return None };
    let made = serde_json::from_str::<Vec<Made>>(text).ok().filter(|made| made.len() == parts)?;
    let is_of_this = entry.record.status == Status::Completed && !entry.record.differs;
    is_of_this.then_some(Settled { replayed: true, made })
}

/// A request of a verb's own, as a part of a transaction.
pub(crate) fn part(request: Request) -> Result<TransactWriteItem, Error> {
    let item = TransactWriteItem::builder();
    Ok(match request {
        Request::Put(request) => {
            let put = request.as_input().clone().build();
            let put = put.map_err(|error| Error::invalid("the request could not be built").with_source(error))?;
            let part = Put::builder()
                .set_table_name(put.table_name)
                .set_item(put.item)
                .set_condition_expression(put.condition_expression)
                .set_expression_attribute_names(put.expression_attribute_names)
                .set_expression_attribute_values(put.expression_attribute_values)
                .set_return_values_on_condition_check_failure(put.return_values_on_condition_check_failure);
            item.put(stamped::built(part.build())?).build()
        }
        Request::Update(request) => {
            let update = stamped::built(request.as_input().clone().build())?;
            let part = Update::builder()
                .set_table_name(update.table_name)
                .set_key(update.key)
                .set_update_expression(update.update_expression)
                .set_condition_expression(update.condition_expression)
                .set_expression_attribute_names(update.expression_attribute_names)
                .set_expression_attribute_values(update.expression_attribute_values)
                .set_return_values_on_condition_check_failure(update.return_values_on_condition_check_failure);
            item.update(stamped::built(part.build())?).build()
        }
        Request::Delete(request) => {
            let delete = stamped::built(request.as_input().clone().build())?;
            let part = Delete::builder()
                .set_table_name(delete.table_name)
                .set_key(delete.key)
                .set_condition_expression(delete.condition_expression)
                .set_expression_attribute_names(delete.expression_attribute_names)
                .set_expression_attribute_values(delete.expression_attribute_values)
                .set_return_values_on_condition_check_failure(delete.return_values_on_condition_check_failure);
            item.delete(stamped::built(part.build())?).build()
        }
        _ => return Err(Error::invalid("only writes and checks can be in a transaction")),
    })
}

/// What a part brings along, which its item has at least.
fn bytes(part: &TransactWriteItem) -> usize {
    let item = part.put.as_ref().map(|put| &put.item);
    let values = part.update.as_ref().and_then(|update| update.expression_attribute_values.as_ref());
    let size = |(name, value): (&String, &AttributeValue)| name.len() + size(value);
    item.into_iter().chain(values).flatten().map(size).sum()
}

/// AWS, "DynamoDB item sizes and formats", the least of it.
fn size(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::N(number) => number.len().div_ceil(2),
        AttributeValue::B(bytes) => bytes.as_ref().len(),
        AttributeValue::Ss(texts) => texts.iter().map(String::len).sum(),
        AttributeValue::Bs(blobs) => blobs.iter().map(|bytes| bytes.as_ref().len()).sum(),
        AttributeValue::L(values) => values.iter().map(size).sum(),
        AttributeValue::M(values) => values.iter().map(|(name, value)| name.len() + size(value)).sum(),
        _ => 1,
    }
}
