//! The table of the model: one key, and what DynamoDB does to it for one attempt.

use crate::protocol::call::Attempt;
use crate::protocol::guard::Guard;
use crate::protocol::log::{History, KeyStamp, Lane, Log, Seen, Version, WriteId};
use crate::protocol::rules::LANES;

/// What a call does to the item, once its guard and its condition hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Effect {
    /// Writes this value.
    Write(u8),
    /// Deletes the item, and its log with it.
    Delete,
    /// Deletes the item, and leaves a tombstone.
    Bury,
}

/// What stands under the key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Row {
    pub(crate) seen: Seen,
    pub(crate) value: u8,
}

/// The item after an attempt whose condition holds has been applied to it.
pub(crate) fn apply(row: Option<Row>, attempt: &Attempt, effect: Effect, keyed: Option<KeyStamp>) -> Option<Row> {
    let fence = matches!(attempt.guard, Guard::Fence { .. });
    let (effect, keyed) = if attempt.guard == Guard::Bury { (Effect::Bury, None) } else { (effect, keyed) };
    let born = |version, value| Row {
        seen: Seen {
            version: Version::Number(version),
            history: History::Log(push(
                Log { birth: attempt.id, keyed, lanes: [Lane::EMPTY; LANES] },
                attempt.lane,
                attempt.id,
            )),
            tombstone: false,
        },
        value,
    };
    match (row, effect) {
        (None, Effect::Write(value)) => Some(born(1, value)),
        (None, Effect::Bury) => {
            let mut buried = born(1, 0);
            buried.seen.tombstone = true;
            Some(buried)
        }
        (None, Effect::Delete) => None,
        (Some(_), Effect::Delete) if !fence => None,
        (Some(row), effect) => {
            let counted = match row.seen.version {
                Version::Number(version) => version + 1,
                Version::Absent | Version::Unusable => 1,
            };
            let History::Log(log) = row.seen.history else {
                let Effect::Write(value) = effect else {
                    let mut buried = born(counted, 0);
                    buried.seen.tombstone = true;
                    return Some(buried);
                };
                return Some(born(counted, value));
            };
            let mut log = push(log, attempt.lane, attempt.id);
            if fence {
                return Some(Row { seen: Seen { history: History::Log(log), ..row.seen }, ..row });
            }
            if matches!(attempt.guard, Guard::Revive { .. }) {
                log.keyed = keyed;
            }
            let (value, tombstone) = match effect {
                Effect::Write(value) => (value, false),
                Effect::Delete | Effect::Bury => (0, true),
            };
            Some(Row { seen: Seen { version: Version::Number(counted), history: History::Log(log), tombstone }, value })
        }
    }
}

/// `SET _wN_older = _wN, _wN = :id`.
fn push(mut log: Log, lane: u8, id: WriteId) -> Log {
    let lane = &mut log.lanes[usize::from(lane)];
    *lane = Lane { head: id, older: lane.head };
    log
}
