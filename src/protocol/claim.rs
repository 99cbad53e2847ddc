//! An operation that runs once: the record of it, what a change of the record requires, and what is certain when that isn't met.
//!
//! Whoever runs the operation owns its record, by an id that is greater than those of all who owned it before. The owner alone can
//! complete it, extend its lease, or release it. So of two that run the operation, because a lease ran out or clocks disagree, one
//! at most completes it, and what is committed together with the completion happens once.

use super::log::WriteId;
use super::rules::{Rule, in_force};

/// Milliseconds since 1970.
pub(crate) type Millis = u64;

/// The record of an operation, as far as the protocol cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Record {
    /// Who owns it, or did so last; `None` where another program made it that knows no owners.
    pub(crate) owner: Option<WriteId>,
    pub(crate) status: Status,
    /// When it is as good as absent.
    pub(crate) expires: Millis,
    /// Whether it is of another payload than the claimant's.
    pub(crate) differs: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Status {
    /// The owner's, until its lease ends. One without an end lasts as long as the record.
    Running { until: Option<Millis> },
    /// With an answer, a failure that is final among them.
    Completed,
    /// Of a later format, or of a program that means something else by it.
    Unreadable,
}

/// What a request requires of the record. The model runs it, and tests hold the conditions against it that are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Demand {
    /// That it can be claimed, as the claimant's clock has it.
    Claim { now: Millis },
    /// That it is ours, and neither completed nor released: to complete it, or to release it.
    Hold,
    /// The same, and that its lease ends before this: to extend it. Signs of life may come late, and in any order.
    Extend { until: Millis },
}

/// What is certain when a claim has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Claim {
    /// An earlier attempt of it had gone through.
    Ours,
    /// The operation has run: its answer is in the record.
    Completed,
    /// Another runs it.
    Busy { until: Option<Millis> },
    /// The key stands for another payload, until the record expires.
    KeyReused,
    /// The record can be claimed, by an id above this one where there is one.
    Again { above: Option<WriteId> },
    /// The record can't be judged.
    Unreadable,
}

/// What is certain when a change by the owner has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Hold {
    /// An earlier attempt of it had gone through.
    Done,
    /// The record is another's, and the change isn't made and never will be.
    Lost,
    /// Neither can be told.
    Unknown,
}

impl Status {
    /// Left by its owner, for whoever comes next.
    pub(crate) const RELEASED: Self = Self::Running { until: Some(0) };

    /// What a change to it requires.
    pub(crate) fn demand(self) -> Demand {
        match self {
            Self::Running { until: Some(until) } if self != Self::RELEASED => Demand::Extend { until },
            _ => Demand::Hold,
        }
    }

    /// Whether nothing is left to change to make it so.
    fn is_as_good_as(self, wanted: Self) -> bool {
        match (self, wanted.demand()) {
            (Self::Running { until }, Demand::Extend { until: wanted }) => until.is_none_or(|until| until >= wanted),
            _ => self == wanted,
        }
    }
}

impl Record {
    fn is_over(&self, now: Millis) -> bool {
        self.expires <= now
    }

    /// Whether nobody runs the operation, and it hasn't run; this one, of this payload.
    fn is_free(&self, now: Millis) -> bool {
        let is_left = match self.status {
            Status::Running { until } => until.is_some_and(|until| until <= now),
            Status::Completed => !in_force(Rule::CompletedStays),
            Status::Unreadable => false,
        };
        (is_left && !self.differs) || self.is_over(now)
    }

    fn is_owned_by(&self, owner: WriteId) -> bool {
        self.owner == Some(owner)
    }
}

impl Demand {
    /// Whether the record meets it, of a claimant or owner with this id.
    pub(crate) fn is_met_by(self, record: Option<&Record>, owner: WriteId) -> bool {
        match (self, record) {
            (Self::Claim { .. }, None) => true,
            (Self::Claim { now }, Some(record)) => {
                record.is_free(now) && (record.owner < Some(owner) || !in_force(Rule::OwnersGrow))
            }
            (Self::Hold | Self::Extend { .. }, None) => false,
            (Self::Extend { until }, Some(record)) => {
                let ends = matches!(record.status, Status::Running { until: Some(ends) } if ends < until);
                Self::Hold.is_met_by(Some(record), owner) && (ends || !in_force(Rule::LeasesGrow))
            }
            (Self::Hold, Some(record)) => {
                let is_ours = record.is_owned_by(owner) || !in_force(Rule::OwnerOnly);
                let is_released = record.status == Status::RELEASED && in_force(Rule::ReleasedStays);
                is_ours && matches!(record.status, Status::Running { .. }) && !is_released
            }
        }
    }
}

/// Judges the record that came back with a failed claim.
pub(crate) fn claim_failed(record: Option<&Record>, owner: WriteId, now: Millis) -> Claim {
    let Some(record) = record else { return Claim::Again { above: None } };
    match record.status {
        Status::Running { .. } if record.is_owned_by(owner) && in_force(Rule::OwnClaim) => Claim::Ours,
        Status::Running { .. } | Status::Completed if record.differs && !record.is_over(now) => Claim::KeyReused,
        // It could not be claimed by then, and can be now.
        _ if (Demand::Claim { now }).is_met_by(Some(record), owner) => Claim::Again { above: None },
        _ if record.is_free(now) => Claim::Again { above: record.owner },
        Status::Completed => Claim::Completed,
        Status::Running { until } => Claim::Busy { until },
        Status::Unreadable => Claim::Unreadable,
    }
}

/// Judges the record that came back with a failed change by its owner, which wanted it to be so.
///
/// `suspicious`: an earlier attempt may have gone through unanswered. `kept_until`: when the change would have been forgotten.
pub(crate) fn hold_failed(
    record: Option<&Record>,
    owner: WriteId,
    wanted: Status,
    suspicious: bool,
    (now, kept_until): (Millis, Millis),
) -> Hold {
    if record.is_some_and(|record| record.is_owned_by(owner) && record.status.is_as_good_as(wanted)) {
        return Hold::Done;
    }
    // The condition holds on this very record, so that nothing can be made of the answer.
    if wanted.demand().is_met_by(record, owner) {
        return Hold::Unknown;
    }
    // A completed record is another's only after it has expired. A lease or a release has nothing to prove.
    let may_be_forgotten = record.is_none() || now >= kept_until;
    if suspicious && wanted == Status::Completed && may_be_forgotten && in_force(Rule::Forgotten) {
        return Hold::Unknown;
    }
    Hold::Lost
}
