//! A transaction that is tied to the record of an operation: it completes the record together with its effects, or does neither.
//!
//! So the record alone tells whether the transaction has been applied, and one change of the record keeps it out for good: the items
//! need not be asked, deletes among them, which leave nothing that could tell.

use super::call::{Outcome, Step};
use super::claim::{Claim, Hold, Millis, Record, Status, claim_failed, hold_failed};
use super::log::WriteId;
use super::rules::{Rule, in_force};
use super::verdict::Refusal;

/// How a transaction is tied to a record.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Tie {
    how: How,
    /// When the record may be gone that the transaction completes.
    kept_until: Millis,
    fence: Option<Fence>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum How {
    /// It completes the record that this owner holds: writes staged in a run.
    Completes { owner: WriteId },
    /// It claims the record and completes it in one: a recorded write. Its ids, of which the last is sent; an earlier one may come late, and
    /// complete the record in its place.
    Makes { ids: Vec<WriteId> },
}

/// A change of the record that makes a refusal final: the record is released, or claimed by a greater id and left.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Fence {
    owner: WriteId,
    then: Outcome,
}

/// What a record says that has failed the transaction's condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Says {
    /// The transaction has been applied.
    Applied,
    /// It hasn't been, and never will be.
    Refuses(Refusal),
    /// It hasn't been so far, and may go on by an id above this one.
    Again { above: WriteId },
    /// Nothing is certain.
    Nothing,
}

/// A record as it stands, and the time at which it was looked at.
pub(crate) type Stands<'r> = (Option<&'r Record>, Millis);

impl Tie {
    /// A transaction that completes the record, which this owner holds.
    pub(crate) fn completes(owner: WriteId, kept_until: Millis) -> Self {
        Self { how: How::Completes { owner }, kept_until, fence: None }
    }

    /// A transaction that makes the record, completed, by its own id.
    pub(crate) fn makes(id: WriteId, kept_until: Millis) -> Self {
        Self { how: How::Makes { ids: vec![id] }, kept_until, fence: None }
    }

    /// By which id the record is owned once the transaction has been applied.
    pub(crate) fn owner(&self) -> WriteId {
        match &self.how {
            How::Completes { owner } => *owner,
            How::Makes { ids } => ids.last().copied().unwrap_or(WriteId::NIL),
        }
    }

    /// The id by which the record is to be fenced, where that is what is sent next.
    pub(crate) fn fence(&self) -> Option<WriteId> {
        self.fence.as_ref().map(|fence| fence.owner)
    }

    /// Takes a greater id.
    pub(crate) fn renew(&mut self, id: WriteId) {
        match (&mut self.fence, &mut self.how) {
            (Some(fence), _) => fence.owner = id,
            (None, How::Makes { ids }) => ids.push(id),
            (None, How::Completes { .. }) => {}
        }
    }

    /// Forgets of a fence, to send the transaction's own request again.
    pub(crate) fn lift(&mut self) {
        self.fence = None;
    }

    /// Keeps the transaction out, for it to end like this.
    pub(crate) fn keep_out(&mut self, then: Outcome) -> Step {
        let owner = self.owner();
        self.fence = Some(Fence { owner, then });
        match self.how {
            How::Completes { .. } => Step::Send,
            How::Makes { .. } => Step::Renew { above: owner },
        }
    }

    /// Judges the record that failed the transaction's condition.
    pub(crate) fn judge(&self, (record, now): Stands<'_>, suspicious: bool) -> Says {
        if self.has_completed(record) {
            return Says::Applied;
        }
        let id = self.owner();
        let How::Makes { .. } = self.how else {
            return match hold_failed(record, id, Status::Completed, suspicious, (now, self.kept_until)) {
                Hold::Done => Says::Applied,
                Hold::Lost => Says::Refuses(Refusal::Superseded),
                Hold::Unknown => Says::Nothing,
            };
        };
        if suspicious && self.may_be_forgotten(now) {
            return Says::Nothing;
        }
        // No attempt takes a record from a greater id.
        let is_out = record.and_then(|record| record.owner) > Some(id) || !in_force(Rule::OutOfReach);
        match claim_failed(record, id, now) {
            Claim::Completed => Says::Refuses(Refusal::Recorded),
            Claim::KeyReused => Says::Refuses(Refusal::KeyReused),
            Claim::Again { above } => {
                let above = above.filter(|_| in_force(Rule::AboveOwner));
                Says::Again { above: above.map_or(id, |above| above.max(id)) }
            }
            Claim::Busy { .. } if is_out || !suspicious => Says::Refuses(Refusal::InProgress),
            Claim::Unreadable if is_out || !suspicious => Says::Refuses(Refusal::Unusable),
            Claim::Busy { .. } | Claim::Unreadable | Claim::Ours => Says::Nothing,
        }
    }

    /// The fence stands, in the place of this record.
    pub(crate) fn fenced(&mut self, (before, now): Stands<'_>) -> Step {
        let Some(fence) = self.fence.take() else { return Step::Settled(Outcome::Unknown) };
        Step::Settled(if self.has_completed(before) {
            // It had expired since.
            Outcome::Replayed
        } else if self.may_be_forgotten(now) {
            Outcome::Unknown
        } else {
            fence.then
        })
    }

    /// The fence failed its condition; this is the record that stands.
    pub(crate) fn fence_failed(&mut self, (record, now): Stands<'_>) -> Step {
        let Some(fence) = self.fence.take() else { return Step::Settled(Outcome::Unknown) };
        let owner = record.and_then(|record| record.owner);
        let outcome = match self.judge((record, now), true) {
            Says::Applied => Outcome::Replayed,
            // Its reply had been lost.
            _ if owner == Some(fence.owner) && !self.may_be_forgotten(now) => fence.then,
            Says::Refuses(Refusal::Recorded) => Outcome::Refused(Refusal::Recorded),
            Says::Refuses(_) => fence.then,
            Says::Again { above } => {
                let above = above.max(fence.owner);
                self.fence = Some(fence);
                return Step::Renew { above };
            }
            Says::Nothing => Outcome::Unknown,
        };
        Step::Settled(outcome)
    }

    fn has_completed(&self, record: Option<&Record>) -> bool {
        let Some(Record { owner: Some(owner), status: Status::Completed, .. }) = record else { return false };
        match &self.how {
            How::Completes { owner: ours } => ours == owner,
            How::Makes { ids } if in_force(Rule::OwnIds) => ids.contains(owner),
            How::Makes { ids } => ids.last() == Some(owner),
        }
    }

    fn may_be_forgotten(&self, now: Millis) -> bool {
        now >= self.kept_until && in_force(Rule::Forgotten)
    }
}
