//! What the protocol promises, and what it concedes.

use stateright::Property;

use crate::protocol::call::Outcome;
use crate::protocol::guard::{Birth, Expect};
use crate::protocol::log::{Version, WriteId};
use crate::protocol::verdict::Refusal;
use crate::search::{Clocks, Phase, SPREAD, Search, Start, State, Wants};
use crate::table::{Effect, Row};

/// What really happened to a call, whatever it believes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Facts {
    pub(crate) effects: u8,
    pub(crate) made: Option<u64>,
    /// The call's effect, or a fence of it, is in the item's log.
    pub(crate) logged: bool,
    /// It wrote an item that had no log, and so no birth to go by.
    pub(crate) adopted: bool,
    /// The greatest id that it has in a log, or had when another program overwrote it.
    pub(crate) newest: Option<WriteId>,
    /// That log vanished, which the promise concedes (3.10).
    pub(crate) conceded: bool,
    /// The item was deleted or vanished, which ends the promise of a keyed insert.
    pub(crate) deleted: bool,
    /// A bit for each call that had ended before this one began.
    pub(crate) after: u8,
}

/// What has to hold in every state.
pub(crate) fn properties() -> Vec<Property<Search>> {
    vec![
        Property::always("an effect happens at most once", |search: &Search, state: &State| {
            (0..search.calls.len()).all(|op| search.concedes(state, op) || search.effects(state, op) <= 1)
        }),
        Property::always("applied and replayed mean exactly once", |search: &Search, state: &State| {
            state.ended().all(|(op, outcome)| {
                let gone_is_success = outcome == Outcome::Applied && search.calls[op].0.expect == Wants::Deleted;
                !matches!(outcome, Outcome::Applied | Outcome::Replayed)
                    || search.concedes(state, op)
                    || search.effects(state, op) == 1
                    || (gone_is_success && search.effects(state, op) == 0)
            })
        }),
        Property::always("refused means never, also later", |search: &Search, state: &State| {
            state.ended().all(|(op, outcome)| {
                // Gone is success: what a delete found gone may have come to life by an older call since.
                !matches!(outcome, Outcome::Refused(_) | Outcome::NotApplied)
                    || outcome == Outcome::Refused(Refusal::Gone)
                    || search.concedes(state, op)
                    || state.facts[op].effects == 0
            })
        }),
        Property::always(
            "what is aborted has no effect, unless it is said to have one",
            |search: &Search, state: &State| {
                state.runs.iter().filter(|run| run.aborts).all(|run| {
                    !matches!(run.phase, Phase::Ended(Outcome::Refused(_) | Outcome::NotApplied, _))
                        || search.concedes(state, run.op)
                        || state.facts[run.op].effects == 0
                })
            },
        ),
        Property::always("versions grow, and the version told is the one made", |_: &Search, state: &State| {
            state.broken.is_none()
        }),
        Property::always("alone and answered, a call is never unknown", |search: &Search, state: &State| {
            let log_stays = search.tombstones
                && search.start == Start::Item
                && search.clocks == Clocks::Agree
                && search.foreign_puts + search.expiries == 0;
            let alone = search.calls.len() == 1 && state.runs.len() == 1;
            !(log_stays && alone)
                || state
                    .runs
                    .iter()
                    .all(|run| !(run.answered && matches!(run.phase, Phase::Ended(Outcome::Unknown, _))))
        }),
        Property::always("gone is refused to those only who wanted it gone", |search: &Search, state: &State| {
            state.ended().all(|(op, outcome)| {
                outcome != Outcome::Refused(Refusal::Gone) || search.calls[op].0.expect == Wants::Deleted
            })
        }),
    ]
}

impl Search {
    /// What an attempt that applies must find.
    pub(crate) fn look_at(&self, state: &mut State, op: usize, row: &Row, fence: bool) {
        if fence {
            return;
        }
        let (Expect::At { version, birth }, Wants::AsRead | Wants::BareVersion) =
            (self.expect(op), self.calls[op].0.expect)
        else {
            // Clocks that disagree make later births look like earlier ones, which is conceded.
            if let Some(log) = row.seen.log()
                && self.clocks == Clocks::Agree
                && let Some(born_by) = self.maker(state, log.birth)
                && state.facts[born_by].after & 1 << op != 0
            {
                state.broken = Some("a late attempt changed an item that was inserted after its call");
            }
            return;
        };
        let version_met = row.seen.version == if version == 0 { Version::Absent } else { Version::Number(version) };
        let birth_met = match birth {
            Birth::Known(birth) => row.seen.log().is_some_and(|log| log.birth == birth),
            Birth::Foreign => row.seen.log().is_none(),
            Birth::Any => true,
        };
        let born_after = row.seen.log().and_then(|log| self.maker(state, log.birth));
        let too_late = born_after.is_some_and(|maker| state.facts[maker].after & 1 << op != 0);
        if !(version_met && birth_met) || (too_late && self.clocks == Clocks::Agree) {
            state.broken = Some("a call at a version changed an item that is not the one");
        }
    }

    /// The call that made an id, but for the one that the item began with.
    pub(crate) fn maker(&self, state: &State, id: WriteId) -> Option<usize> {
        let run = (id.0 % SPREAD).checked_sub(1)?;
        Some(state.runs[usize::try_from(run).ok()?].op)
    }

    /// The item is gone, and its log with it, which concedes the promise to calls that were in it (3.10), but not to the one whose
    /// delete it was.
    pub(crate) fn erased(state: &mut State, by: Option<usize>) {
        state.last_version = 0;
        for (op, facts) in state.facts.iter_mut().enumerate() {
            facts.conceded |= facts.logged && by != Some(op);
            facts.deleted = true;
        }
    }

    /// Another program has put an item in the place of the one with the log. Where clocks agree, that still tells of the calls
    /// that were in it: it has no log, or it is adopted under an id above theirs. Only what was done to an item without a log can be
    /// repeated, if the item is put there once more as it was before.
    pub(crate) fn overwritten(&self, state: &mut State) {
        for facts in &mut state.facts {
            facts.conceded |= facts.adopted || (facts.logged && self.clocks != Clocks::Agree);
            facts.deleted = true;
        }
    }

    /// Whether the promise is conceded to a call: its log vanished or it never left one, and it doesn't write by the birth of the item
    /// that it expects.
    pub(crate) fn concedes(&self, state: &State, op: usize) -> bool {
        let names_birth = matches!(self.expect(op), Expect::At { birth: Birth::Known(_), .. });
        state.facts[op].conceded && (!names_birth || self.effect(op) == Effect::Delete)
    }

    /// How often a call's effect happened; calls with one idempotency key count as one, for as long as the item isn't
    /// deleted. After that each has its own, or that of the one that it was told of.
    pub(crate) fn effects(&self, state: &State, op: usize) -> u8 {
        let own = state.facts[op].effects;
        let Some(keyed) = self.calls[op].0.keyed else { return own };
        let same_key = |other: &usize| self.calls[*other].0.keyed.is_some_and(|other| other.key == keyed.key);
        let all = (0..self.calls.len()).filter(same_key).map(|other| state.facts[other].effects).sum();
        match (state.facts[op].deleted, own) {
            (false, _) => all,
            (true, 0) => all.min(1),
            (true, own) => own,
        }
    }
}
