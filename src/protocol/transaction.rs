//! A transaction: parts on several items, whose effects are all in the table or none of them is.
//!
//! It is a [`Call`] for each item that it writes, all with one id, and the same [`judge`] judges each item that comes back. What one
//! item's log proves holds for the whole of it, so that it takes one item to tell a transaction that has been applied from one that
//! hasn't, and one fence to keep it out for good.

use super::call::{Attempt, Call, Outcome, Step};
use super::guard::{Expect, Guard};
use super::log::{Seen, WriteId};
use super::rules::{Rule, in_force};
use super::tie::{Says, Stands, Tie};
use super::verdict::{Refusal, Verdict, judge};

/// A transaction under way.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Transaction {
    parts: Vec<Part>,
    suspicious: bool,
    /// Settles an unknown outcome: only ever sends the request that it was made with.
    frozen: bool,
    /// It has gone on otherwise than an attempt that may have been applied, or may be yet.
    turned: bool,
    /// Why parts refuse, by their positions.
    refusals: Vec<(usize, Refusal)>,
    /// The part whose item is fenced.
    fenced: Option<usize>,
    /// The record that it completes, where it does.
    tie: Option<Tie>,
}

/// What is sent in the place of a transaction, to keep it out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fence {
    /// For the item of this part.
    Part(usize, Attempt),
    /// For the record, by this id.
    Record(WriteId),
}

/// What a transaction does to one item.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Part {
    /// A write that leaves its id in the item's log.
    Write(Call),
    /// A delete that leaves nothing behind, and so nothing that could tell of it.
    Delete(Call),
    /// A condition, and no effect.
    Check(Expect),
}

impl Part {
    pub(crate) fn call(&self) -> Option<&Call> {
        match self {
            Self::Write(call) | Self::Delete(call) => Some(call),
            Self::Check(_) => None,
        }
    }

    fn call_mut(&mut self) -> Option<&mut Call> {
        match self {
            Self::Write(call) | Self::Delete(call) => Some(call),
            Self::Check(_) => None,
        }
    }

    /// Judges an item as if it were certain that nothing has been applied so far.
    fn judge_certain(&self, seen: Option<&Seen>) -> Verdict {
        let call = match self {
            Self::Check(expect) => return Verdict::Refused(unmet(*expect, seen)),
            Self::Write(call) | Self::Delete(call) => call,
        };
        let mut certain = call.clone();
        certain.suspicious = false;
        judge(&certain, seen)
    }
}

impl Transaction {
    /// A transaction of these parts, whose calls all have the same id.
    pub(crate) fn new(parts: Vec<Part>) -> Self {
        Self { parts, suspicious: false, frozen: false, turned: false, refusals: Vec::new(), fenced: None, tie: None }
    }

    /// The same, tied to a record.
    pub(crate) fn tied(mut self, tie: Tie) -> Self {
        self.tie = Some(tie);
        self
    }

    /// Takes up a transaction whose outcome was unknown, with the attempts that were its last and no others.
    pub(crate) fn finish(mut self, last: &[Option<Attempt>]) -> Self {
        (self.frozen, self.suspicious, self.fenced) = (true, true, None);
        self.refusals.clear();
        self.tie.iter_mut().for_each(Tie::lift);
        for (part, last) in self.parts.iter_mut().zip(last) {
            if let (Some(call), Some(last)) = (part.call_mut(), last) {
                *call = call.clone().finish(last);
            }
        }
        self
    }

    /// Sees to it that a transaction whose outcome was unknown can't apply any more, if it hasn't.
    pub(crate) fn abort(mut self, last: &[Option<Attempt>]) -> (Self, Step) {
        self = self.finish(last);
        let step = self.end(Outcome::NotApplied, None, &[]);
        (self, step)
    }

    pub(crate) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Why parts refuse, by their positions.
    pub(crate) fn refusals(&self) -> &[(usize, Refusal)] {
        &self.refusals
    }

    /// The id that is sent.
    pub(crate) fn id(&self) -> Option<WriteId> {
        self.parts.iter().find_map(Part::call).map(|call| call.id)
    }

    /// What the next attempt sends for each part; nothing of its own for a check.
    pub(crate) fn attempts(&self) -> Vec<Option<Attempt>> {
        self.parts.iter().map(|part| part.call().map(Call::attempt)).collect()
    }

    /// By which id the record is owned once the transaction has been applied, where it is tied to one.
    pub(crate) fn owner(&self) -> Option<WriteId> {
        self.tie.as_ref().map(Tie::owner)
    }

    /// The fence to send in the place of the whole.
    pub(crate) fn fence(&self) -> Option<Fence> {
        if let Some(owner) = self.tie.as_ref().and_then(Tie::fence) {
            return Some(Fence::Record(owner));
        }
        let index = self.fenced?;
        Some(Fence::Part(index, self.parts[index].call()?.attempt()))
    }

    /// The call of a part, where it tells what a write has made that was found applied, and the item, where that shows it. Another's item
    /// may have taken the place of what was made, and an earlier attempt, which may be the one that applied, may have gone by another
    /// guard or id, of which nothing but the item could tell.
    pub(crate) fn made_by<'s>(&self, index: usize, seen: Option<&'s Seen>) -> Option<(&Call, Option<&'s Seen>)> {
        let call = self.parts.get(index)?.call()?;
        let shown = seen.filter(|seen| judge(call, Some(seen)) == Verdict::Replayed);
        (shown.is_some() || !(self.turned && in_force(Rule::Turned))).then_some((call, shown))
    }

    /// The attempt applied. A fence brings along its item as it was before.
    pub(crate) fn applied(&mut self, before: Option<&Seen>) -> Step {
        match self.fencing() {
            None => Step::Settled(Outcome::Applied),
            Some(call) => call.applied(before),
        }
    }

    /// The fence failed its condition; this is the item that stands.
    pub(crate) fn fence_failed(&mut self, seen: Option<&Seen>) -> Step {
        match self.fencing() {
            None => Step::Settled(Outcome::Unknown),
            Some(call) => call.condition_failed(seen),
        }
    }

    /// The fence of the record stands, in the place of this one.
    pub(crate) fn record_fenced(&mut self, before: Stands<'_>) -> Step {
        self.tie.as_mut().map_or(Step::Settled(Outcome::Unknown), |tie| tie.fenced(before))
    }

    /// The fence of the record failed its condition; this is the record that stands.
    pub(crate) fn record_fence_failed(&mut self, record: Stands<'_>) -> Step {
        self.tie.as_mut().map_or(Step::Settled(Outcome::Unknown), |tie| tie.fence_failed(record))
    }

    /// The attempt was cancelled: the conditions of these parts failed, for these items, and that of the record, where it says which
    /// stands. Of the others nothing is known.
    pub(crate) fn cancelled(&mut self, failed: &[(usize, Option<Seen>)], record: Option<Stands<'_>>) -> Step {
        let judged: Vec<_> = failed
            .iter()
            .filter_map(|(index, seen)| {
                let seen = seen.as_ref();
                Some((*index, judge(self.parts.get(*index)?.call()?, seen), seen))
            })
            .collect();
        if judged.iter().any(|(_, verdict, _)| *verdict == Verdict::Replayed) {
            return Step::Settled(Outcome::Replayed);
        }
        let in_doubt = self.is_in_doubt();
        let says = self.tie.as_ref().zip(record).map(|(tie, record)| tie.judge(record, in_doubt));
        let above = match says {
            Some(Says::Applied) => return Step::Settled(Outcome::Replayed),
            Some(Says::Refuses(refusal)) => {
                self.refusals.clear();
                return Step::Settled(Outcome::Refused(refusal));
            }
            Some(Says::Nothing) => return Step::Settled(Outcome::Unknown),
            Some(Says::Again { above }) => Some(above),
            None => None,
        };
        // One item that shows "not applied so far" shows it of all. What leaves nothing behind shows nothing by it.
        let proof = judged.iter().find_map(|(index, verdict, seen)| {
            let proves = matches!(verdict, Verdict::Refused(_) | Verdict::Again { .. });
            let log = seen.and_then(Seen::log)?;
            (proves && matches!(self.parts[*index], Part::Write(_))).then_some((*index, log.birth))
        });
        // What each part would do, if that is certain.
        let certain: Vec<_> = failed
            .iter()
            .filter_map(|(index, seen)| {
                Some((*index, self.parts.get(*index)?.judge_certain(seen.as_ref()), seen.as_ref()))
            })
            .collect();
        self.refusals = certain
            .iter()
            .filter_map(|(index, verdict, _)| match verdict {
                Verdict::Refused(refusal) => Some((*index, *refusal)),
                _ => None,
            })
            .collect();
        if let Some((_, refusal)) = self.refusals.first() {
            return self.end(Outcome::Refused(*refusal), proof, failed);
        }
        // Of the attempts of one that is tied to a record, one at most completes it, whatever the items are by then.
        let (going_on, is_proved) = if self.tie.is_none() && in_force(Rule::ProofToGoOn) {
            (judged, proof.is_some() || !in_doubt)
        } else {
            (certain, true)
        };
        let all_go_on = going_on.iter().all(|(_, verdict, _)| matches!(verdict, Verdict::Again { .. }));
        if self.frozen && in_force(Rule::FrozenFinish) || !(all_go_on && is_proved) {
            return self.end(Outcome::NotApplied, proof, failed);
        }
        let mut renews = above;
        for (index, verdict, seen) in going_on {
            if let (Verdict::Again { guard, above }, Some(call)) = (verdict, self.parts[index].call_mut()) {
                self.turned |= in_doubt && guard != call.guard;
                renews = renews.max(call.go_on(guard, above, seen));
            }
        }
        self.turned |= in_doubt && renews.is_some();
        renews.map_or(Step::Send, |above| Step::Renew { above })
    }

    /// The attempt may have been applied, and there is no answer.
    pub(crate) fn unanswered(&mut self) {
        self.suspicious = true;
        self.calls().for_each(Call::unanswered);
    }

    /// The transaction is to end, since an error other than a failed condition said so.
    pub(crate) fn fail(&mut self) -> Step {
        match self.fence() {
            Some(_) => Step::Settled(Outcome::Unknown),
            None => self.end(Outcome::NotApplied, None, &[]),
        }
    }

    /// The transaction is to end, since its attempts got no answer and there are no more.
    pub(crate) fn give_up(&mut self) -> Step {
        Step::Settled(if self.is_in_doubt() { Outcome::Unknown } else { Outcome::NotApplied })
    }

    /// Takes the id that a [`Step::Renew`] asked for.
    pub(crate) fn renew(&mut self, id: WriteId) {
        let is_fencing_record = matches!(self.fence(), Some(Fence::Record(_)));
        self.tie.iter_mut().for_each(|tie| tie.renew(id));
        match self.fencing() {
            Some(call) => call.renew(id),
            None if is_fencing_record => {}
            None => self.calls().for_each(|call| call.renew(id)),
        }
    }

    /// Ends the transaction with an outcome that says "not applied", which one in doubt has to make sure of first: by the item that
    /// has proved it so far, or by one that is to be there, which proves it or its contrary as it was before the fence. One that has
    /// shown that it proves nothing isn't asked again. One that is tied to a record does so by that.
    fn end(&mut self, outcome: Outcome, proof: Option<(usize, WriteId)>, failed: &[(usize, Option<Seen>)]) -> Step {
        if !(self.is_in_doubt() && in_force(Rule::Fence)) {
            return Step::Settled(outcome);
        }
        if let Some(tie) = &mut self.tie {
            return tie.keep_out(outcome);
        }
        let index = proof.map(|(index, _)| index).or_else(|| self.fencible(failed));
        let Some((index, call)) = index.and_then(|index| Some((index, self.parts[index].call_mut()?))) else {
            return Step::Settled(if in_force(Rule::Traceless) { Outcome::Unknown } else { outcome });
        };
        let birth = proof.map(|(_, birth)| birth).or(call.birth);
        let step = call.fence(outcome, birth);
        self.fenced = Some(index);
        step
    }

    /// The part whose item can best be fenced: one that it expects to be there, and to have a log.
    fn fencible(&self, failed: &[(usize, Option<Seen>)]) -> Option<usize> {
        let writes = || {
            self.parts.iter().enumerate().filter_map(|(index, part)| match part {
                Part::Write(call) if failed.iter().all(|(other, _)| *other != index) => Some((index, call)),
                _ => None,
            })
        };
        let has_log = |call: &Call| {
            matches!(call.expect, Expect::Exists | Expect::At { .. }) && !matches!(call.guard, Guard::Adopt { .. })
        };
        writes().find(|(_, call)| has_log(call)).or_else(|| writes().next()).map(|(index, _)| index)
    }

    /// Whether it may have had an effect unseen.
    fn is_in_doubt(&self) -> bool {
        self.suspicious && (self.id().is_some() || self.tie.is_some()) && in_force(Rule::Suspicion)
    }

    fn fencing(&mut self) -> Option<&mut Call> {
        self.parts[self.fenced?].call_mut()
    }

    fn calls(&mut self) -> impl Iterator<Item = &mut Call> {
        self.parts.iter_mut().filter_map(Part::call_mut)
    }
}

/// Why a check that expects this refuses an item.
fn unmet(expect: Expect, seen: Option<&Seen>) -> Refusal {
    match (expect, seen.filter(|seen| !seen.tombstone)) {
        (Expect::Absent, _) => Refusal::AlreadyExists,
        (_, None) => Refusal::NotFound,
        (expect, Some(seen)) if !expect.met_by(seen) => Refusal::VersionConflict,
        (_, Some(_)) => Refusal::Condition,
    }
}
