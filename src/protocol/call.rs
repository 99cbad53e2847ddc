//! One call, from its first attempt to its outcome.
//!
//! A state machine without a clock or a network: whoever drives it sends [`Call::attempt`], tells it how that ended, and
//! does what the [`Step`] says. `settle.rs` drives it in production, the model checker in `tests/model`.

use serde::{Deserialize, Serialize};

use super::guard::{Expect, Guard};
use super::log::{KeyStamp, Seen, WriteId};
use super::rules::{Rule, in_force};
use super::verdict::{Refusal, Verdict, judge};

/// A call under way. One whose outcome is unknown can be written down.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Call {
    pub(crate) expect: Expect,
    pub(crate) keyed: Option<KeyStamp>,
    pub(crate) lane: u8,
    /// Whether the caller's own conditions stand beside the guard.
    pub(crate) conditional: bool,
    /// Settles an unknown outcome: only ever sends the request that it was made with.
    frozen: bool,

    /// The id that is sent; `earlier` ids can't apply any more.
    pub(crate) id: WriteId,
    earlier: Vec<WriteId>,
    pub(crate) guard: Guard,
    /// The item's birth id, once it is known.
    pub(crate) birth: Option<WriteId>,
    /// Whether an attempt may have reached the table unanswered.
    pub(crate) suspicious: bool,
    #[serde(skip)]
    fence: Option<Fence>,
}

/// A write that makes a refusal final: with a greater id on the lane, no attempt still under way can apply.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Fence {
    id: WriteId,
    birth: Option<WriteId>,
    then: Outcome,
    /// What it does where there is no item.
    absent: Absent,
    /// Whether the call is to have no effect, which a key that is absent doesn't show.
    aborts: bool,
}

/// What a fence does where there is no item, not even a tombstone, to hold its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Absent {
    /// Nothing can be told.
    Unknown,
    /// It leaves a tombstone, once it has met the absence.
    Bury,
    /// That is what it is about to do.
    Burying,
}

/// What to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Attempt {
    pub(crate) id: WriteId,
    pub(crate) lane: u8,
    pub(crate) guard: Guard,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    /// Send [`Call::attempt`], which may be another than before.
    Send,
    /// Give the call a fresh id above this one with [`Call::renew`], then send.
    Renew {
        above: WriteId,
    },
    Settled(Outcome),
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Outcome {
    Applied,
    Replayed,
    /// The effect is not in the table, and no attempt can put it there any more.
    Refused(Refusal),
    /// The same, and the reason is the error that ended the call.
    NotApplied,
    Unknown,
}

impl Call {
    pub(crate) fn new(expect: Expect, keyed: Option<KeyStamp>, lane: u8, conditional: bool, id: WriteId) -> Self {
        Self {
            expect,
            keyed,
            lane,
            conditional,
            frozen: false,
            id,
            earlier: Vec::new(),
            guard: expect.guard(),
            birth: expect.birth(),
            suspicious: false,
            fence: None,
        }
    }

    /// Takes up a call whose outcome was unknown, with the attempt that was its last and no other.
    pub(crate) fn finish(mut self, last: &Attempt) -> Self {
        self.frozen = true;
        self.suspicious = true;
        self.fence = None;
        (self.id, self.guard) = (last.id, last.guard);
        self
    }

    /// Sees to it that a call whose outcome was unknown can't apply any more, if it hasn't. Where deletes leave tombstones,
    /// so may this.
    pub(crate) fn abort(mut self, last: &Attempt, tombstones: bool) -> (Self, Step) {
        self = self.finish(last);
        let step = self.fence_or(Outcome::NotApplied, self.birth);
        if let Some(fence) = &mut self.fence {
            fence.aborts = true;
            fence.absent = if tombstones { Absent::Bury } else { Absent::Unknown };
        }
        (self, step)
    }

    /// What the next attempt sends. The same attempt as before has to be byte for byte the same request.
    pub(crate) fn attempt(&self) -> Attempt {
        match &self.fence {
            Some(fence) => {
                let guard = match fence.absent {
                    Absent::Burying => Guard::Bury,
                    Absent::Bury | Absent::Unknown => Guard::Fence { birth: fence.birth },
                };
                Attempt { id: fence.id, lane: self.lane, guard }
            }
            None => Attempt { id: self.id, lane: self.lane, guard: self.guard },
        }
    }

    /// Whether what is sent next is a fence.
    pub(crate) fn is_fencing(&self) -> bool {
        self.fence.is_some()
    }

    /// Every id under which this call's effect was sent.
    pub(crate) fn ids(&self) -> impl Iterator<Item = WriteId> {
        self.earlier.iter().copied().chain([self.id])
    }

    /// Whether it has taken a greater id than its first.
    pub(crate) fn has_renewed(&self) -> bool {
        !self.earlier.is_empty()
    }

    /// The attempt applied. A fence brings along the item as it was before.
    pub(crate) fn applied(&mut self, before: Option<&Seen>) -> Step {
        match self.fence.take() {
            None => Step::Settled(Outcome::Applied),
            Some(fence) => self.fenced(&fence, before),
        }
    }

    /// The attempt failed its condition; this is the item that stands.
    pub(crate) fn condition_failed(&mut self, seen: Option<&Seen>) -> Step {
        if let Some(fence) = self.fence.take() {
            return self.fence_failed(fence, seen);
        }
        match judge(self, seen) {
            Verdict::Replayed => Step::Settled(Outcome::Replayed),
            Verdict::Unknown => Step::Settled(Outcome::Unknown),
            Verdict::Refused(refusal) => self.end(Outcome::Refused(refusal), seen),
            // Without an item there is nothing to fence.
            Verdict::Again { .. } if self.frozen && seen.is_none() => Step::Settled(Outcome::Unknown),
            Verdict::Again { .. } if self.frozen && in_force(Rule::FrozenFinish) => self.end(Outcome::NotApplied, seen),
            Verdict::Again { guard, above } => {
                self.go_on(guard, above, seen).map_or(Step::Send, |above| Step::Renew { above })
            }
        }
    }

    /// Goes on behind another guard, as [`Verdict::Again`] has it; the id that its next one has to be greater than, where it needs one.
    pub(crate) fn go_on(&mut self, guard: Guard, above: Option<WriteId>, seen: Option<&Seen>) -> Option<WriteId> {
        // An item is adopted under an id that is new now, so that an id from before a foreign write stays below.
        let adopts = matches!(guard, Guard::Adopt { .. }) && guard != self.guard;
        self.guard = guard;
        self.birth = seen.and_then(Seen::log).map(|log| log.birth).or(self.birth);
        above.or((adopts && in_force(Rule::AdoptAfresh)).then_some(self.id))
    }

    /// Fences the item of a call that is part of a transaction, which ends like this. That its key is absent shows nothing.
    pub(crate) fn fence(&mut self, then: Outcome, birth: Option<WriteId>) -> Step {
        let step = self.fence_or(then, birth);
        if let Some(fence) = &mut self.fence {
            fence.aborts = true;
        }
        step
    }

    /// The attempt may have been applied, and there is no answer.
    pub(crate) fn unanswered(&mut self) {
        self.suspicious = true;
    }

    /// The call is to end, since an error other than a failed condition said so.
    pub(crate) fn fail(&mut self) -> Step {
        if self.fence.is_some() {
            return Step::Settled(Outcome::Unknown);
        }
        self.fence_or(Outcome::NotApplied, self.birth)
    }

    /// The call is to end, since its attempts got no answer and there are no more.
    pub(crate) fn give_up(&mut self) -> Step {
        let reached = self.suspicious && in_force(Rule::Suspicion);
        Step::Settled(if reached { Outcome::Unknown } else { Outcome::NotApplied })
    }

    /// Takes the id that a [`Step::Renew`] asked for.
    pub(crate) fn renew(&mut self, id: WriteId) {
        match &mut self.fence {
            Some(fence) => fence.id = id,
            None => self.earlier.push(std::mem::replace(&mut self.id, id)),
        }
    }

    /// The version that this call's write made, where it can be told.
    pub(crate) fn version_made(&self, seen: Option<&Seen>) -> Option<u64> {
        let born_here = seen.and_then(Seen::log).is_some_and(|log| self.ids().any(|id| log.birth == id));
        match self.guard {
            Guard::Absent | Guard::Open | Guard::Revive { .. } if born_here => Some(1),
            // An idempotency key was recognised, and who used it first may have revived a tombstone.
            Guard::Absent if seen.is_some() => None,
            // An earlier attempt, which went by no version, may have come upon an item that others had revived.
            Guard::Revive { .. } if self.suspicious && self.expect != Expect::Absent => None,
            guard => guard.makes(),
        }
    }

    /// The birth id of the item that this call's write left, where the guard fixes it.
    pub(crate) fn birth_made(&self) -> Option<WriteId> {
        match self.guard {
            Guard::Absent | Guard::Adopt { .. } => Some(self.id),
            Guard::Revive { birth, .. } => Some(birth),
            Guard::At { birth, .. } | Guard::Born { birth } => birth,
            Guard::Open | Guard::Fence { .. } | Guard::Bury => None,
        }
    }

    /// Ends the call with an outcome that says "not applied", which a suspicious call has to make sure of first.
    fn end(&mut self, outcome: Outcome, seen: Option<&Seen>) -> Step {
        match seen {
            Some(seen) => self.fence_or(outcome, seen.log().map(|log| log.birth)),
            None => Step::Settled(outcome),
        }
    }

    fn fence_or(&mut self, outcome: Outcome, birth: Option<WriteId>) -> Step {
        if !(self.suspicious && in_force(Rule::Suspicion) && in_force(Rule::Fence)) {
            return Step::Settled(outcome);
        }
        self.fence = Some(Fence { id: self.id, birth, then: outcome, absent: Absent::Unknown, aborts: false });
        Step::Renew { above: birth.map_or(self.id, |birth| birth.max(self.id)) }
    }

    /// The fence stands; the item as it was before decides.
    fn fenced(&mut self, fence: &Fence, before: Option<&Seen>) -> Step {
        if !in_force(Rule::PreImage) {
            return Step::Settled(fence.then);
        }
        if before.is_none() {
            // Nothing was there, and where deletes leave tombstones, nothing had ever been. Any other fence applies to an
            // item that is there, so that without one its reply has lost it.
            let buried = fence.absent == Absent::Burying;
            return Step::Settled(if buried { fence.then } else { Outcome::Unknown });
        }
        Step::Settled(match judge(self, before) {
            Verdict::Replayed => Outcome::Replayed,
            Verdict::Unknown => Outcome::Unknown,
            Verdict::Refused(_) | Verdict::Again { .. } => fence.then,
        })
    }

    fn fence_failed(&mut self, mut fence: Fence, seen: Option<&Seen>) -> Step {
        if seen.is_none() {
            if let Verdict::Refused(refusal) = judge(self, None)
                && !fence.aborts
            {
                return Step::Settled(Outcome::Refused(refusal));
            }
            // An item that had been seen has vanished, and its log with it.
            if fence.absent == Absent::Unknown || fence.birth.is_some() {
                return Step::Settled(Outcome::Unknown);
            }
            fence.absent = Absent::Burying;
            let above = fence.id;
            self.fence = Some(fence);
            return Step::Renew { above };
        }
        let Some(log) = seen.and_then(Seen::log) else { return Step::Settled(Outcome::Unknown) };
        if fence.absent == Absent::Burying {
            if log.birth == fence.id {
                // Its reply had been lost.
                return Step::Settled(fence.then);
            }
            fence.absent = Absent::Bury;
        }
        let lane = log.lanes[usize::from(self.lane)];
        if fence.birth.is_some_and(|birth| birth != log.birth) {
            return Step::Settled(Outcome::Unknown);
        }
        if lane.holds(fence.id) {
            // Its reply had been lost. What it pushed up is the older entry now, and is judged with it.
            return self.fenced(&fence, seen);
        }
        let above = lane.head.max(log.birth).max(fence.id);
        self.fence = Some(fence);
        Step::Renew { above }
    }
}
