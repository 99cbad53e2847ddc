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
    /// An attempt requires that the item was born before its call.
    BirthClause,
    /// A suspicious call on a reborn item, or one whose log is gone, proves nothing.
    Reborn,
    /// A suspicious call is fenced before it is refused.
    Fence,
    /// The item as it was before the fence is judged again.
    PreImage,
    /// A call that may have applied unseen is treated with suspicion.
    Suspicion,
    /// An unknown outcome is finished by its own request only.
    FrozenFinish,
}

/// Whether a rule is in force.
pub(crate) const fn in_force(_: Rule) -> bool {
    true
}
