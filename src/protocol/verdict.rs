//! The verdict: what is certain when an attempt has failed its condition.
//!
//! One pure function. Its rows are in the order in which they decide; the model checker runs them as they stand.

use super::call::Call;
use super::guard::{Expect, Guard};
use super::log::{History, Seen, Version, WriteId};
use super::rules::{Rule, in_force};

/// What is certain about a call after an attempt of it failed its condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Verdict {
    /// The call's effect is in the table, exactly once.
    Replayed,
    /// The effect is not in the table so far, and the call is at an end.
    Refused(Refusal),
    /// The effect is not in the table so far, and the call goes on behind another guard, or with an id above this one.
    Again { guard: Guard, above: Option<WriteId> },
    /// None of these can be told.
    Unknown,
}

/// Why a call is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Refusal {
    AlreadyExists,
    NotFound,
    /// Deleted already, which is what the call wanted.
    Gone,
    VersionConflict,
    /// The idempotency key was used with other content.
    KeyReused,
    /// The caller's own condition does not hold.
    Condition,
    /// The stored log or version can't be used, or the record.
    Unusable,

    // Of transactions that are tied to a record.
    /// Another has taken over the record.
    Superseded,
    /// The record was completed before, for the same key.
    Recorded,
    /// An operation of this key is under way.
    InProgress,
}

/// Judges the item that came back with a failed condition.
pub(crate) fn judge(call: &Call, seen: Option<&Seen>) -> Verdict {
    let suspicious = call.suspicious && in_force(Rule::Suspicion);
    let refused_or_unknown = |refusal| if suspicious { Verdict::Unknown } else { Verdict::Refused(refusal) };

    // No item, not even a tombstone: nothing is left that could tell what earlier attempts did.
    let Some(seen) = seen else {
        return match call.expect {
            Expect::Gone | Expect::Buried => Verdict::Refused(Refusal::Gone),
            Expect::Absent | Expect::Any if !suspicious => Verdict::Again { guard: call.expect.guard(), above: None },
            // As an upsert would, which finds the key absent without being told.
            Expect::Either => Verdict::Again { guard: Guard::Absent, above: None },
            _ => refused_or_unknown(Refusal::NotFound),
        };
    };
    if seen.history == History::Unreadable {
        return refused_or_unknown(Refusal::Unusable);
    }
    if let Some(log) = seen.log() {
        let lane = log.lanes[usize::from(call.lane)];
        if call.ids().any(|id| log.birth == id || lane.holds(id)) {
            return Verdict::Replayed;
        }
        if call.keyed.is_some() && call.keyed == log.keyed {
            return Verdict::Replayed;
        }
        if suspicious {
            let born_later = log.birth > call.id && in_force(Rule::BornLater);
            let reborn = call.birth.is_some_and(|birth| birth != log.birth) && in_force(Rule::Reborn);
            let lost = lane.may_have_lost(call.id) && in_force(Rule::OlderEntry);
            if born_later || reborn || lost {
                return Verdict::Unknown;
            }
        }
    } else if suspicious && in_force(Rule::LogGone) {
        return Verdict::Unknown;
    }

    // From here on it is certain that no attempt has applied so far.
    let used = seen.log().and_then(|log| log.keyed);
    if call.keyed.zip(used).is_some_and(|(ours, theirs)| ours.key == theirs.key) {
        return Verdict::Refused(Refusal::KeyReused);
    }
    match call.expect {
        Expect::Absent if !seen.tombstone => return Verdict::Refused(Refusal::AlreadyExists),
        Expect::Exists | Expect::At { .. } if seen.tombstone => return Verdict::Refused(Refusal::NotFound),
        Expect::Gone | Expect::Buried if seen.tombstone => return Verdict::Refused(Refusal::Gone),
        expect if !expect.met_by(seen) => return Verdict::Refused(Refusal::VersionConflict),
        _ => {}
    }
    let Some(mut guard) = guard_for(call.expect, seen) else {
        return Verdict::Refused(Refusal::Unusable);
    };
    // No attempt with the old id can apply any more, so a greater one may take its place.
    let newest = seen.log().map(|log| log.birth.max(log.lanes[usize::from(call.lane)].head));
    let above = newest.filter(|newest| *newest > call.id);
    // It is this item's log that keeps the old one out, so the call is bound to it: where that vanishes, it may come after all.
    if suspicious
        && let Some(log) = seen.log()
        && (above.is_some() || call.has_renewed())
        && in_force(Rule::Bound)
    {
        guard = guard.bound_to(log.birth);
    }
    if guard != call.guard || above.is_some() || !call.guard.allows(call.id, call.lane, Some(seen)) {
        return Verdict::Again { guard, above };
    }
    // The library's part of the condition holds on this very item, so it was the caller's part that failed.
    if call.conditional { Verdict::Refused(Refusal::Condition) } else { Verdict::Refused(Refusal::Unusable) }
}

/// The guard that suits an item as it stands; `None` where its version can't be counted up.
fn guard_for(expect: Expect, seen: &Seen) -> Option<Guard> {
    let version = match seen.version {
        Version::Absent => None,
        Version::Number(version) if version <= Version::LAST => Some(version),
        Version::Number(_) | Version::Unusable => return None,
    };
    match (seen.log(), expect) {
        (None, _) => Some(Guard::Adopt { version }),
        (Some(log), _) if seen.tombstone => Some(Guard::Revive { version: version?, birth: log.birth }),
        (Some(_), _) => version.filter(|version| *version > 0).map(|_| expect.guard()),
    }
}
