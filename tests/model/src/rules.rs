//! Stands in the place of the library's `protocol/rules.rs`: the same names, fewer lanes, and each rule can be taken away.

use std::sync::atomic::{AtomicU8, Ordering};

/// Two lanes are enough for calls that share one and calls that don't.
pub(crate) const LANES: usize = 2;

/// A rule of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
#[non_exhaustive]
pub enum Rule {
    /// An attempt requires that its id is greater than the newest on its lane.
    LaneOrder = 1,
    /// A suspicious id below the older entry of a full lane may have been pushed out of it.
    OlderEntry,
    /// An attempt that knows no birth requires that the item was born before its call.
    BornBefore,
    /// An attempt that knows the birth requires it.
    OfBirth,
    /// An item without a log is adopted at the version as seen.
    AdoptAsSeen,
    /// An item without a log is adopted under a fresh id.
    AdoptAfresh,
    /// A suspicious call on an item that was born after it proves nothing.
    BornLater,
    /// A suspicious call on an item of another birth than the one it knows proves nothing.
    Reborn,
    /// A suspicious call on an item without a log proves nothing.
    LogGone,
    /// A suspicious call that takes a greater id is bound to the item that keeps its lesser ones out.
    Bound,
    /// A suspicious call is fenced before it is refused.
    Fence,
    /// The item as it was before the fence is judged again.
    PreImage,
    /// A call that may have applied unseen is treated with suspicion.
    Suspicion,
    /// An unknown outcome is finished by its own request only.
    FrozenFinish,

    // Of transactions.
    /// A suspicious transaction goes on only where each item that stands in its way shows that it hasn't been applied.
    ProofToGoOn,
    /// A suspicious transaction that leaves nothing behind is never refused.
    Traceless,

    // Of records of operations that run once.
    /// The owner alone changes a record.
    OwnerOnly,
    /// A claim's own record, made by an attempt whose reply was lost, is recognised.
    OwnClaim,
    /// A record is taken over by a greater id only.
    OwnersGrow,
    /// A completed record isn't taken over before it expires.
    CompletedStays,
    /// A record that its owner has released isn't leased again by a sign of life that comes late.
    ReleasedStays,
    /// A lease is only ever made longer.
    LeasesGrow,
    /// Whether a completion went through can't be told once it may have been forgotten.
    Forgotten,

    // Of transactions that are tied to a record.
    /// A recorded write recognises the record that any of its ids has completed.
    OwnIds,
    /// A suspicious recorded write is refused by a record under way only where its owner's id is greater, so that no attempt takes it.
    OutOfReach,
    /// A recorded write that goes on does so by an id above the record's owner.
    AboveOwner,
    /// What a transaction has made that went on in doubt is told only by an item that shows it.
    Turned,
}

impl Rule {
    /// Every rule of writes.
    pub const OF_WRITES: [Self; 14] = [
        Self::LaneOrder,
        Self::OlderEntry,
        Self::BornBefore,
        Self::OfBirth,
        Self::AdoptAsSeen,
        Self::AdoptAfresh,
        Self::BornLater,
        Self::Reborn,
        Self::LogGone,
        Self::Bound,
        Self::Fence,
        Self::PreImage,
        Self::Suspicion,
        Self::FrozenFinish,
    ];

    /// The rules of transactions, and those of writes that they rest on by themselves.
    pub const OF_TRANSACTIONS: [Self; 7] = [
        Self::LaneOrder,
        Self::BornLater,
        Self::Fence,
        Self::PreImage,
        Self::Suspicion,
        Self::ProofToGoOn,
        Self::Traceless,
    ];

    /// Every rule of records.
    pub const OF_RECORDS: [Self; 7] = [
        Self::OwnerOnly,
        Self::OwnClaim,
        Self::OwnersGrow,
        Self::CompletedStays,
        Self::ReleasedStays,
        Self::LeasesGrow,
        Self::Forgotten,
    ];

    /// The rules of transactions that are tied to a record, and those of the others that they rest on by themselves.
    pub const OF_TIES: [Self; 11] = [
        Self::Fence,
        Self::Suspicion,
        Self::OwnerOnly,
        Self::OwnersGrow,
        Self::CompletedStays,
        Self::ReleasedStays,
        Self::Forgotten,
        Self::OwnIds,
        Self::OutOfReach,
        Self::AboveOwner,
        Self::Turned,
    ];
}

static TAKEN_AWAY: AtomicU8 = AtomicU8::new(0);

/// Takes one rule away from every search in this process, or none.
pub(crate) fn take_away(rule: Option<Rule>) {
    TAKEN_AWAY.store(rule.map_or(0, |rule| rule as u8), Ordering::SeqCst);
}

pub(crate) fn in_force(rule: Rule) -> bool {
    TAKEN_AWAY.load(Ordering::Relaxed) != rule as u8
}
