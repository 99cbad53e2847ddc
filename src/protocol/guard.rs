//! What an attempt requires of the item before it may apply.

use serde::{Deserialize, Serialize};

use super::log::{History, Log, Seen, Version, WriteId};
use super::rules::{Rule, in_force};

/// What a call expects of the item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Expect {
    /// That there is none (`insert`).
    Absent,
    /// That it exists (`update`).
    Exists,
    /// Nothing (`upsert`).
    Any,
    /// Nothing: what is there is updated, and where there is nothing, an item is inserted (`update(..).or_insert(..)`).
    Either,
    /// Nothing, and its absence is what the call wants (`delete`).
    Gone,
    /// As [`Expect::Gone`], where the delete leaves a tombstone.
    Buried,
    /// This version (0 where the item has none) and this birth (`save`, `update(..).at(..)`, `delete(..).at(..)`).
    At { version: u64, birth: Birth },
}

/// What is known of the birth of the item that a call expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Birth {
    /// Nothing: the caller gave a bare version.
    Any,
    /// The item carried no log when it was read.
    Foreign,
    Known(WriteId),
}

/// The library's own part of an attempt's condition. The caller's conditions stand beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) enum Guard {
    /// The key is absent.
    Absent,
    /// The item carries a log, is no tombstone, was born before this call, or is of this birth where the call is bound to
    /// one, and its lane is in order.
    Born { birth: Option<WriteId> },
    /// The key is absent; or as [`Guard::Born`], bound to no birth.
    Open,
    /// As [`Guard::Born`], at this version.
    At { version: u64, birth: Option<WriteId> },
    /// A tombstone, at this version and of this birth, and its lane is in order.
    Revive { version: u64, birth: WriteId },
    /// The item carries no log, and has this version or none.
    Adopt { version: Option<u64> },
    /// The item carries a log of this birth (or, where none was seen, was born before), and its lane is in order.
    Fence { birth: Option<WriteId> },
    /// The key is absent. Leaves a tombstone there: the fence of a call that may not find the key absent any more.
    Bury,
}

impl Expect {
    /// The birth id expected, where there is one.
    pub(crate) fn birth(self) -> Option<WriteId> {
        match self {
            Self::At { birth: Birth::Known(birth), .. } => Some(birth),
            _ => None,
        }
    }

    /// The guard of a call's first attempt.
    pub(crate) fn guard(self) -> Guard {
        match self {
            Self::Absent => Guard::Absent,
            Self::Exists | Self::Either | Self::Buried => Guard::Born { birth: None },
            Self::Any | Self::Gone => Guard::Open,
            Self::At { version, birth: Birth::Foreign } => Guard::Adopt { version: (version > 0).then_some(version) },
            Self::At { version, .. } => Guard::At { version, birth: self.birth() },
        }
    }

    /// Whether an item, known to be untouched by the call so far, has the version and the birth that are expected.
    pub(crate) fn met_by(self, seen: &Seen) -> bool {
        let Self::At { version, birth } = self else { return true };
        let version_met = match seen.version {
            Version::Absent => version == 0,
            Version::Number(stored) => stored == version,
            Version::Unusable => false,
        };
        let birth_met = match birth {
            Birth::Any => true,
            Birth::Foreign => seen.history == History::Foreign,
            Birth::Known(birth) => seen.log().is_some_and(|log| log.birth == birth),
        };
        version_met && birth_met
    }
}

impl Guard {
    /// Whether this guard lets a write with this id, on this lane, change what stands under the key.
    ///
    /// This is what the rendered condition means; a test holds the two against each other on a real engine.
    pub(crate) fn allows(self, id: WriteId, lane: u8, seen: Option<&Seen>) -> bool {
        let Some(seen) = seen else { return matches!(self, Self::Absent | Self::Open | Self::Bury) };
        let Some(log) = seen.log() else {
            return match self {
                Self::Adopt { version } => {
                    let as_seen = seen.version == version.map_or(Version::Absent, Version::Number);
                    seen.history == History::Foreign && (as_seen || !in_force(Rule::AdoptAsSeen))
                }
                _ => false,
            };
        };
        let in_order = !in_force(Rule::LaneOrder) || log.lanes[usize::from(lane)].head < id;
        let countable = matches!(seen.version, Version::Number(1..=Version::LAST));
        in_order
            && match self {
                Self::Absent | Self::Bury | Self::Adopt { .. } => false,
                Self::Born { birth } => countable && !seen.tombstone && born(log, birth, id),
                Self::Open => countable && !seen.tombstone && born_before(log, id),
                Self::At { version, birth } => {
                    seen.version == Version::Number(version) && !seen.tombstone && born(log, birth, id)
                }
                Self::Revive { version, birth } => {
                    seen.version == Version::Number(version) && seen.tombstone && of_birth(log, birth)
                }
                Self::Fence { birth } => born(log, birth, id),
            }
    }

    /// This guard, for none but the item of this birth.
    pub(crate) fn bound_to(self, birth: WriteId) -> Self {
        match self {
            Self::Born { birth: None } | Self::Open => Self::Born { birth: Some(birth) },
            Self::At { version, birth: None } => Self::At { version, birth: Some(birth) },
            guard => guard,
        }
    }

    /// The version that a write through this guard makes, where the guard fixes it.
    pub(crate) fn makes(self) -> Option<u64> {
        match self {
            Self::Absent | Self::Bury => Some(1),
            Self::At { version, .. } | Self::Revive { version, .. } => Some(version.saturating_add(1)),
            Self::Adopt { version } => Some(version.unwrap_or(0).saturating_add(1)),
            Self::Born { .. } | Self::Open | Self::Fence { .. } => None,
        }
    }
}

fn born(log: &Log, birth: Option<WriteId>, id: WriteId) -> bool {
    birth.map_or_else(|| born_before(log, id), |birth| of_birth(log, birth))
}

fn born_before(log: &Log, id: WriteId) -> bool {
    !in_force(Rule::BornBefore) || log.birth < id
}

fn of_birth(log: &Log, birth: WriteId) -> bool {
    !in_force(Rule::OfBirth) || log.birth == birth
}
