//! What happened in a run, on both sides of the network: what each caller was told, and what each request really did.

use std::collections::BTreeMap;
use std::fmt;

/// A call, and what it leaves in the item that it writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Token(pub(crate) usize);

/// A place in the one order of everything that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(pub(crate) u64);

/// Everything that a verdict on a run is drawn from.
#[derive(Debug, Default)]
pub(crate) struct History {
    pub(crate) calls: BTreeMap<Token, Call>,
    /// The requests as they reached the table; those of one key in the order in which it executed them.
    pub(crate) deliveries: Vec<Delivery>,
    /// The items that stood at the end, by their keys.
    pub(crate) finals: BTreeMap<String, Image>,
    /// Whether deletes left tombstones, so that nothing is conceded to them.
    pub(crate) tombstones: bool,
}

/// A call, from the caller's side.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) verb: Verb,
    pub(crate) key: String,
    pub(crate) heat: Heat,
    pub(crate) change: Change,
    pub(crate) began: Moment,
    /// What the caller was told, and when. `None` of a call that never ended.
    pub(crate) told: Option<(Told, Moment)>,
    pub(crate) requests: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Verb {
    /// What the run starts from; not counted.
    Setup,
    Insert,
    /// Several writers insert one key.
    RacedInsert,
    Upsert,
    Update,
    /// Under a condition of the caller's own.
    UpdateWhen,
    Save,
    Modify,
    Delete,
    DeleteAt,
}

/// How many calls meet on a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heat {
    Hot,
    Cold,
}

/// What one application of a call does to its item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// Makes the item, or writes all of it.
    Put {
        number: i64,
    },
    /// Adds to its number, also where the client does so by a read and a write: that no change came between is its task.
    Add {
        delta: i64,
    },
    /// Adds to its number where that is as great as this.
    AddIf {
        delta: i64,
        at_least: i64,
    },
    Remove,
}

/// What a caller is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    Applied,
    Replayed,
    Refused(Refusal),
    /// Nothing of it is in the table, for another reason than what stands there.
    GaveUp,
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    AlreadyExists,
    NotFound,
    Conflict,
    Other,
}

/// A request of a call that has reached the table.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    pub(crate) token: Token,
    /// Which of the requests that the call sent this is, from 1. A number that comes twice was repeated by the network.
    pub(crate) request: usize,
    pub(crate) key: String,
    pub(crate) at: Moment,
    pub(crate) did: Did,
}

/// What the table did with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Did {
    /// It applied a write that carries the call's token, or a delete.
    Apply,
    /// It applied a write beside the call's own change, such as a fence.
    ApplyBeside,
    /// Nothing: the condition failed, or the request was rejected.
    Refuse,
}

/// An item, as far as this example knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Image {
    pub(crate) number: i64,
    /// The call that wrote it last.
    pub(crate) token: Token,
}

impl Verb {
    pub(crate) const COUNTED: [Self; 9] = [
        Self::Insert,
        Self::RacedInsert,
        Self::Upsert,
        Self::Update,
        Self::UpdateWhen,
        Self::Save,
        Self::Modify,
        Self::Delete,
        Self::DeleteAt,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Setup => "setup",
            Self::Insert => "insert",
            Self::RacedInsert => "insert, raced",
            Self::Upsert => "upsert",
            Self::Update => "update",
            Self::UpdateWhen => "update when",
            Self::Save => "save",
            Self::Modify => "modify",
            Self::Delete => "delete",
            Self::DeleteAt => "delete at",
        }
    }

    /// Whether the item must not be there before.
    pub(crate) fn needs_absence(self) -> bool {
        matches!(self, Self::Setup | Self::Insert | Self::RacedInsert)
    }
}

impl Told {
    /// That the effect is in the table.
    pub(crate) fn is_success(self) -> bool {
        matches!(self, Self::Applied | Self::Replayed)
    }

    /// That the effect is not in the table, and won't be.
    pub(crate) fn is_denial(self) -> bool {
        matches!(self, Self::Refused(_) | Self::GaveUp)
    }
}

/// As it is written into items and requests: `t17`.
impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "t{}", self.0)
    }
}

impl Token {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        text.strip_prefix('t')?.parse().ok().map(Self)
    }
}
