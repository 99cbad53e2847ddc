//! What happened in a run: what each delivery was told, and what the tables hold in the end.

use std::collections::BTreeMap;
use std::time::Duration;

use dynamo_once::ErrorKind;

/// Everything that a verdict on a run is drawn from.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// In the order in which they began.
    pub(crate) deliveries: Vec<Delivery>,
    /// The keys of messages that were delivered very often, and never answered.
    pub(crate) unanswered: Vec<Key>,
    /// For how long a worker that no longer is may hold a record.
    pub(crate) lease: Duration,
    /// What the shared counters have counted.
    pub(crate) counted: i64,
    /// What stands for each key, whether it was delivered or not.
    pub(crate) finals: BTreeMap<Key, Stands>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key(pub(crate) u32);

/// An execution of a key's operation. It is the operation's answer, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Execution(pub(crate) u64);

/// One delivery of a message. Times are those since the run began.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    pub(crate) key: Key,
    /// How often the message had been delivered before.
    pub(crate) before: usize,
    pub(crate) began: Duration,
    pub(crate) ended: Duration,
    pub(crate) stalled: bool,
    pub(crate) told: Told,
}

/// What a delivery ends in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    Ran(Execution),
    Replayed(Execution),
    /// By the operation itself.
    Failed,
    InProgress,
    Superseded,
    Unknown,
    /// The record wasn't reached, or not for certain; the operation hasn't run, or its answer isn't stored.
    GaveUp,
    /// For a reason that no run has.
    Refused(ErrorKind),
    /// The worker crashed at this step.
    Crashed(Step),
}

/// Where a worker can crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    ClaimUnsent,
    /// It has been sent, and its reply isn't seen.
    ClaimUnanswered,
    /// The record is claimed, and the operation hasn't begun.
    Claimed,
    Operating,
    CommitUnsent,
    CommitUnanswered,
    /// The answer is there, and the queue isn't told.
    Answered,
}

/// What stands for a key in the end.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stands {
    /// How often its order was paid, and by whom the last time.
    pub(crate) paid: i64,
    pub(crate) paid_by: Option<Execution>,
    /// Who entered it in the ledger.
    pub(crate) entered_by: Vec<Execution>,
    /// Whether its basket, which it begins with, is still there.
    pub(crate) has_basket: bool,
}

impl Key {
    /// An insert guards the transaction that it is part of from being made twice. So that half of the keys do without.
    pub(crate) fn is_entered(self) -> bool {
        self.0.is_multiple_of(2)
    }
}

impl Told {
    pub(crate) fn answer(self) -> Option<Execution> {
        match self {
            Self::Ran(answer) | Self::Replayed(answer) => Some(answer),
            _ => None,
        }
    }
}

impl Step {
    pub(crate) const ALL: [Self; 7] = [
        Self::ClaimUnsent,
        Self::ClaimUnanswered,
        Self::Claimed,
        Self::Operating,
        Self::CommitUnsent,
        Self::CommitUnanswered,
        Self::Answered,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ClaimUnsent => "claim unsent",
            Self::ClaimUnanswered => "claim unanswered",
            Self::Claimed => "claimed",
            Self::Operating => "operating",
            Self::CommitUnsent => "commit unsent",
            Self::CommitUnanswered => "commit unanswered",
            Self::Answered => "answered",
        }
    }
}
