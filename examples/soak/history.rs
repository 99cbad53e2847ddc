//! What a run leaves behind: the calls, as their callers know them, and the items.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A call. Each write that a call makes puts its token into the item's trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Token {
    pub(crate) client: u32,
    pub(crate) call: u32,
}

/// Nanoseconds of the machine's clock, which its processes share.
pub(crate) type Moment = u64;

#[derive(Debug, Default)]
pub(crate) struct History {
    pub(crate) calls: BTreeMap<Token, Call>,
    /// The items that stand at the end, by their keys.
    pub(crate) items: HashMap<String, Image>,
}

#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) plan: Plan,
    pub(crate) began: Moment,
    /// `None` of a call whose caller was killed before it was told.
    pub(crate) told: Option<(Told, Moment)>,
}

/// A call to be made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) verb: Verb,
    pub(crate) key: String,
    pub(crate) change: Change,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Verb {
    Insert,
    Upsert,
    Update,
    /// Under a condition of the caller's own.
    UpdateWhen,
    Save,
    Modify,
    Delete,
    DeleteAt,
}

/// What one application of a call does to its item's number. Numbers are never negative, and no change makes one smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Change {
    /// Makes the item, or writes all of it.
    Put {
        number: i64,
    },
    Add {
        delta: i64,
    },
    /// Adds where the number is as great as this.
    AddIf {
        delta: i64,
        at_least: i64,
    },
    Remove,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Told {
    Applied,
    Replayed,
    Refused(Refusal),
    /// Nothing of it is in the table, for another reason than what stands there.
    GaveUp,
    Unknown,
    /// An error that nothing in this run gives a reason for.
    Odd,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Refusal {
    AlreadyExists,
    NotFound,
    Conflict,
    Condition,
}

/// An item, as far as this example knows it.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    pub(crate) number: i64,
    /// The tokens of the calls that wrote it, since it was last made or overwritten.
    pub(crate) trace: Vec<Token>,
}

impl Call {
    /// When it was told that its effect is in the table.
    pub(crate) fn acknowledged(&self) -> Option<Moment> {
        self.told.filter(|(told, _)| matches!(told, Told::Applied | Told::Replayed)).map(|(_, at)| at)
    }

    /// Whether it was told that its effect is not in the table, and won't be.
    pub(crate) fn is_denied(&self) -> bool {
        self.told.is_some_and(|(told, _)| matches!(told, Told::Refused(_) | Told::GaveUp | Told::Odd))
    }

    /// After this, nothing of it can reach the table. Of a call with an unknown end that is never.
    pub(crate) fn over(&self) -> Moment {
        self.told.filter(|(told, _)| *told != Told::Unknown).map_or(Moment::MAX, |(_, at)| at)
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.client, self.call)
    }
}

impl FromStr for Token {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('-').and_then(|(client, call)| Some((client.parse().ok()?, call.parse().ok()?)));
        let (client, call) = parts.ok_or_else(|| format!("\"{text}\" is no token"))?;
        Ok(Self { client, call })
    }
}
