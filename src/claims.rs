//! Claiming the record of an operation, and changing it as its owner: what `protocol::claim` says, sent and judged.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::operation::put_item::builders::PutItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use aws_smithy_async::future::timeout::Timeout;

use crate::call::{Outgoing, Request};
use crate::drive::{Answer, Unanswered, until_answered};
use crate::epoch::EpochMillis;
use crate::error::{Error, ErrorKind};
use crate::item::RawItem;
use crate::protocol::claim::{Claim, Hold, Millis, Record, Status, claim_failed, hold_failed};
use crate::protocol::log::WriteId;
use crate::record::{
    COMPLETED, COMPLETED_AT, DATA, EXPIRATION, Ending, Entry, ID, IN_PROGRESS, LEASE, OWNER, STATUS, VALIDATION, WRITE,
    expiration,
};
use crate::retry::Retry;
use crate::stamped::number;
use crate::table::Core;

/// The record of one operation.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    pub(crate) id: String,
    /// The fingerprint of what it is asked to do, where that is checked.
    pub(crate) validation: Option<String>,
    /// For how long the record is kept.
    pub(crate) kept: Duration,
}

/// For how long a claim is made.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Term {
    /// From the claim on.
    For(Millis),
    Until(Millis),
}

/// What came of a claim.
#[derive(Debug)]
pub(crate) enum Claimed {
    /// The operation is the claimant's to run, who owns the record by this id until then.
    Ours { owner: WriteId, until: Millis },
    /// It has run.
    Completed(Arc<Entry>),
    /// Another runs it, which this error says.
    Busy(Error),
}

/// What the owner makes of its record.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    /// Completed, with what the operation came to.
    Complete { ending: Ending, at: Millis },
    /// Leased until then, as of now.
    Extend { until: Millis, now: Millis },
    /// Free for whoever comes next.
    Release,
}

impl Operation {
    /// Of a write that is recorded, whose fingerprint this is.
    pub(crate) fn of_write(id: String, fingerprint: &str, kept: Duration) -> Self {
        Self { id, validation: Some(format!("{WRITE}{fingerprint}")), kept }
    }

    /// Its record.
    pub(crate) fn read(&self, item: &RawItem) -> Entry {
        let mut entry = Entry::read(item);
        entry.record.differs = entry.is_of_another_than(self.validation.as_ref());
        entry
    }
}

pub(crate) const OPERATION: &str = "once";

/// Claims the record.
pub(crate) async fn claim(core: &Core, operation: &Operation, term: Term) -> Result<Claimed, Error> {
    let (store, of) = (core.store(), |error: Error| error.with_operation(OPERATION, core.name()));
    let mut retry = store.caller().begin();
    let mut above = WriteId::NIL;
    loop {
        let owner = store.write_id(above).ok_or_else(|| of(Error::new(ErrorKind::Malformed, FUTURE_OWNER)))?;
        let now = now(core);
        let until = match term {
            Term::For(lease) => now.saturating_add(lease),
            Term::Until(deadline) => deadline,
        };
        let mut outgoing = outgoing(core, claim_request(core, operation, owner, now, until));
        let item = match until_answered(store, &mut outgoing, &mut retry).await {
            Ok((Answer::Done(_), _)) => return Ok(Claimed::Ours { owner, until }),
            Ok((Answer::Failed(item), _)) => item,
            // It may hold the record, until its lease ends; the operation hasn't run.
            Err(Unanswered { error, may_be_applied: true }) => {
                return Err(retry.report(of(Error::new(ErrorKind::OutcomeUnknown, UNCLAIMED).with_source(error))));
            }
            Err(Unanswered { error, .. }) => return Err(retry.report(of(error))),
        };
        let entry = item.as_ref().map(|item| operation.read(item));
        let record = entry.as_ref().map(|entry| &entry.record);
        let now = self::now(core);
        match (claim_failed(record, owner, now), entry) {
            (Claim::Ours, _) => return Ok(Claimed::Ours { owner, until }),
            (Claim::Completed, Some(entry)) => return Ok(Claimed::Completed(Arc::new(entry))),
            (Claim::Busy { .. }, _) => {
                return Ok(Claimed::Busy(retry.report(of(Error::of(ErrorKind::InProgress)))));
            }
            (Claim::KeyReused, _) => return Err(retry.report(of(Error::of(ErrorKind::KeyReused)))),
            (Claim::Again { above: held }, _) => above = held.unwrap_or(above),
            (Claim::Unreadable | Claim::Completed, _) => {
                return Err(retry.report(of(Error::new(ErrorKind::Malformed, UNREADABLE))));
            }
        }
        if retry.step_aside().is_err() {
            return Err(retry.report(of(Error::of(ErrorKind::Contention))));
        }
    }
}

/// Completes the record, as its owner.
pub(crate) async fn complete(
    core: &Core,
    operation: &Operation,
    owner: WriteId,
    complete: &Change,
) -> Result<(), Error> {
    let mut retry = core.store().caller().begin();
    let kind = match hold(core, operation, owner, complete, &mut retry).await? {
        Hold::Done => return Ok(()),
        Hold::Lost => ErrorKind::Superseded,
        Hold::Unknown => ErrorKind::OutcomeUnknown,
    };
    Err(retry.report(Error::of(kind).with_operation(OPERATION, core.name())))
}

/// Changes the record, as its owner.
pub(crate) async fn change(core: &Core, operation: &Operation, owner: WriteId, change: &Change) -> Result<Hold, Error> {
    hold(core, operation, owner, change, &mut core.store().caller().begin()).await
}

async fn hold(
    core: &Core,
    operation: &Operation,
    owner: WriteId,
    change: &Change,
    retry: &mut Retry<'_>,
) -> Result<Hold, Error> {
    let store = core.store();
    let (wanted, kept_until) = match change {
        Change::Complete { at, .. } => (Status::Completed, expiration(*at, operation.kept, 0).saturating_mul(1000)),
        Change::Extend { until, .. } => (Status::Running { until: Some(*until) }, Millis::MAX),
        Change::Release => (Status::RELEASED, Millis::MAX),
    };
    let mut outgoing = outgoing(core, change_request(core, operation, owner, change));
    match until_answered(store, &mut outgoing, retry).await {
        Ok((Answer::Done(_), _)) => Ok(Hold::Done),
        Ok((Answer::Failed(item), was_in_doubt)) => {
            let record = item.as_ref().map(|item| operation.read(item).record);
            Ok(hold_failed(record.as_ref(), owner, wanted, was_in_doubt, (now(core), kept_until)))
        }
        Err(Unanswered { may_be_applied: true, .. }) => Ok(Hold::Unknown),
        Err(Unanswered { error, .. }) => Err(retry.report(error.with_operation(OPERATION, core.name()))),
    }
}

/// The record as its completion leaves it.
pub(crate) fn completed(operation: &Operation, owner: WriteId, ending: Ending, at: Millis) -> Entry {
    let expires = expiration(at, operation.kept, 0).saturating_mul(1000);
    Entry {
        record: Record { owner: Some(owner), status: Status::Completed, expires, differs: false },
        validation: operation.validation.clone(),
        ending,
        completed_at: Some(EpochMillis(at)),
    }
}

fn outgoing(core: &Core, request: Request) -> Outgoing {
    Outgoing::new(OPERATION, request, core.store().caller().clock(), core.meters())
}

/// What comes of it before that time; `None` where nothing does.
pub(crate) async fn before<F: Future>(core: &Core, end: Millis, future: F) -> Option<F::Output> {
    let left = Duration::from_millis(end.saturating_sub(now(core)));
    Timeout::new(future, core.store().caller().clock().sleep(left)).await.ok()
}

pub(crate) fn now(core: &Core) -> Millis {
    EpochMillis::from(core.store().now()).0
}

/// A claim of the record, leased until then.
fn claim_request(core: &Core, operation: &Operation, owner: WriteId, now: Millis, until: Millis) -> Request {
    let request = put(core, operation, owner, now, until).item(LEASE, number(until));
    request.item(STATUS, AttributeValue::S(IN_PROGRESS.to_owned())).into()
}

/// A claim of the record, completed with this answer at once.
pub(crate) fn make_request(core: &Core, operation: &Operation, owner: WriteId, now: Millis, answer: String) -> Request {
    let request =
        put(core, operation, owner, now, 0).item(DATA, AttributeValue::S(answer)).item(COMPLETED_AT, number(now));
    request.item(STATUS, AttributeValue::S(COMPLETED.to_owned())).into()
}

/// A claim of the record that nobody holds, and that no claim by a lesser id takes any more; the record before it comes back.
pub(crate) fn fence_request(core: &Core, operation: &Operation, owner: WriteId, now: Millis) -> Request {
    let request = put(core, operation, owner, now, 0).item(LEASE, number(0)).return_values(ReturnValue::AllOld);
    request.item(STATUS, AttributeValue::S(IN_PROGRESS.to_owned())).into()
}

/// [`Demand::Claim`](crate::protocol::claim::Demand::Claim), in DynamoDB's words; a record under another fingerprint is none to claim before it
/// has expired.
fn put(core: &Core, operation: &Operation, owner: WriteId, now: Millis, until: Millis) -> PutItemFluentBuilder {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let request = core
        .store()
        .client()
        .put_item()
        .table_name(core.name())
        .item(ID, text(&operation.id))
        .item(EXPIRATION, number(expiration(now, operation.kept, until)))
        .item(OWNER, owner.attribute())
        .expression_attribute_names("#id", ID)
        .expression_attribute_names("#owner", OWNER)
        .expression_attribute_names("#expiration", EXPIRATION)
        .expression_attribute_names("#status", STATUS)
        .expression_attribute_names("#lease", LEASE)
        .expression_attribute_values(":me", owner.attribute())
        .expression_attribute_values(":seconds", number(now / 1000))
        .expression_attribute_values(":now", number(now))
        .expression_attribute_values(":running", text(IN_PROGRESS))
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
    let request = request.expression_attribute_names("#validation", VALIDATION);
    let (request, same) = match &operation.validation {
        None => (
            request.expression_attribute_values(":write", text(WRITE)),
            "(attribute_not_exists(#validation) OR NOT begins_with(#validation, :write))",
        ),
        Some(validation) => {
            let request = request.item(VALIDATION, text(validation));
            let request = request.expression_attribute_values(":validation", text(validation));
            let same = match validation.starts_with(WRITE) {
                true => "#validation = :validation",
                false => "(attribute_not_exists(#validation) OR #validation = :validation)",
            };
            (request, same)
        }
    };
    let condition = format!(
        "attribute_not_exists(#id) OR ((attribute_not_exists(#owner) OR #owner < :me) AND \
         (#expiration <= :seconds OR (#status = :running AND #lease <= :now AND {same})))"
    );
    request.condition_expression(condition)
}

/// The change under its [`Demand`](crate::protocol::claim::Demand), in DynamoDB's words.
pub(crate) fn change_request(core: &Core, operation: &Operation, owner: WriteId, change: &Change) -> Request {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let request = core
        .store()
        .client()
        .update_item()
        .table_name(core.name())
        .key(ID, text(&operation.id))
        .expression_attribute_names("#owner", OWNER)
        .expression_attribute_names("#status", STATUS)
        .expression_attribute_names("#lease", LEASE)
        .expression_attribute_values(":me", owner.attribute())
        .expression_attribute_values(":running", text(IN_PROGRESS))
        .expression_attribute_values(":released", number(0))
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
    let held = "#owner = :me AND #status = :running AND #lease <> :released";
    let request = match change {
        Change::Extend { .. } => request.condition_expression(format!("{held} AND #lease < :until")),
        Change::Release | Change::Complete { .. } => request.condition_expression(held),
    };
    match change {
        Change::Release => request.update_expression("SET #lease = :released").into(),
        // TTL deletes what has expired, also while it runs.
        Change::Extend { until, now } => request
            .update_expression("SET #lease = :until, #expiration = :expiration")
            .expression_attribute_names("#expiration", EXPIRATION)
            .expression_attribute_values(":until", number(*until))
            .expression_attribute_values(":expiration", number(expiration(*now, operation.kept, *until)))
            .into(),
        Change::Complete { ending, at } => {
            let request = request
                .expression_attribute_names("#expiration", EXPIRATION)
                .expression_attribute_names("#at", COMPLETED_AT)
                .expression_attribute_values(":completed", text(COMPLETED))
                .expression_attribute_values(":expiration", number(expiration(*at, operation.kept, 0)))
                .expression_attribute_values(":at", number(*at));
            let set = "SET #status = :completed, #expiration = :expiration, #at = :at";
            match ending.attribute() {
                Some((name, value)) => request
                    .update_expression(format!("{set}, #ending = :ending REMOVE #lease"))
                    .expression_attribute_names("#ending", name)
                    .expression_attribute_values(":ending", value)
                    .into(),
                None => request.update_expression(format!("{set} REMOVE #lease")).into(),
            }
        }
    }
}

const UNREADABLE: &str = "the record is of a later format, or of a program that means something else by it; give the operation another key, \
                          or remove the record";
const UNCLAIMED: &str = "the operation hasn't run, and whether its record is claimed is unknown: another delivery may have to wait until the lease ends";
const FUTURE_OWNER: &str = "the record's owner is an id from the far future, and none can follow it; remove the record";

#[cfg(test)]
mod tests;
