//! The rules that the promise hangs on, by name.
//!
//! Here each is in force, always, and the compiler removes the question. The model checker puts its own file in the place
//! of this one, takes the rules away one by one, and has to find a broken promise each time.

/// How many lanes an item's log has. The model uses fewer.
pub(crate) const LANES: usize = 8;

/// A rule of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// An attempt requires that its id is greater than the newest on its lane.
    LaneOrder,
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

/// Whether a rule is in force.
pub(crate) const fn in_force(_: Rule) -> bool {
    true
}
