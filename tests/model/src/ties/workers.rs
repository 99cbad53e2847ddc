//! The workers of the search of ties: what they send, and what they make of the answers.

use super::{Action, Arrived, Delivery, End, LEASE, Phase, Request, SPREAD, Search, Sent, State, Worker};
use crate::protocol::call::{Outcome, Step};
use crate::protocol::claim::{Claim, Hold, Millis, Status, claim_failed, hold_failed};
use crate::protocol::log::{Seen, WriteId};
use crate::protocol::tie::Tie;
use crate::protocol::transaction::{Fence, Transaction};
use crate::protocol::verdict::Refusal;
use crate::table::Effect;

impl End {
    /// Whether nothing more comes of it.
    pub(super) fn is_final(self) -> bool {
        !matches!(self, Self::Committed(Outcome::Unknown) | Self::Unclaimed)
    }
}

impl Worker {
    /// Whether it has ended, and left the record to others.
    pub(super) fn is_let_go(&self) -> bool {
        matches!(self.phase, Phase::Ended(end, _) if end.is_final()) && !self.holds_on
    }
}

impl State {
    pub(super) fn over(&self) -> u8 {
        let is_over = |worker: &Worker| matches!(worker.phase, Phase::Ended(..) | Phase::Crashed);
        (0..self.workers.len()).filter(|index| is_over(&self.workers[*index])).fold(0, |over, index| over | 1 << index)
    }
}

impl Search {
    pub(super) fn clock(&self, state: &State, worker: usize) -> Millis {
        state.now + self.clocks[state.workers[worker].delivery]
    }

    /// An id that the worker's clock makes, above this one.
    pub(super) fn fresh(&self, state: &mut State, worker: usize, above: WriteId) -> WriteId {
        let floor = match self.clocks.iter().all(|ahead| *ahead == 0) {
            true => above.0.max(state.newest),
            false => above.0.max(u128::from(1 + self.clock(state, worker)) * SPREAD),
        };
        let id = floor / SPREAD * SPREAD + worker as u128;
        let id = if id > floor { id } else { id + SPREAD };
        state.newest = state.newest.max(id);
        WriteId(id)
    }

    pub(super) fn transaction(&self, delivery: usize, id: WriteId, tie: Tie) -> Transaction {
        debug_assert!(delivery < self.deliveries.len());
        Transaction::new(self.script.iter().map(|(verb, _)| verb.part(id)).collect()).tied(tie)
    }

    pub(super) fn request(&self, worker: &Worker) -> Request {
        let owner = worker.id;
        let sent = match &worker.phase {
            Phase::Claiming => Sent::Claim { owner, now: worker.at, lease: worker.at + LEASE },
            Phase::Releasing(_) => Sent::Release { owner },
            Phase::Committing(transaction) => match (transaction.fence(), self.deliveries[worker.delivery]) {
                (Some(Fence::Record(owner)), Delivery::Run) => Sent::Release { owner },
                (Some(Fence::Record(owner)), _) => Sent::Claim { owner, now: worker.fence_at, lease: 0 },
                (Some(Fence::Part(..)), _) => unreachable!("the record alone is fenced"),
                (None, _) => match &worker.last {
                    Some(last) if worker.takes_up => last.clone(),
                    _ => Sent::Commit {
                        attempts: transaction.attempts(),
                        owner: transaction.owner().expect("it is tied to the record"),
                        at: worker.at,
                    },
                },
            },
            phase => unreachable!("{phase:?} sends nothing"),
        };
        Request { delivery: worker.delivery, sent }
    }

    pub(super) fn start(&self, state: &mut State, index: usize) {
        let id = self.fresh(state, index, WriteId::NIL);
        let (at, after) = (self.clock(state, index), state.over());
        let delivery = state.workers[index].delivery;
        let phase = match self.deliveries[delivery] {
            Delivery::Run => Phase::Claiming,
            Delivery::Write | Delivery::OtherWrite => {
                Phase::Committing(self.transaction(delivery, id, Tie::makes(id, self.kept_until(at))))
            }
        };
        let worker = &mut state.workers[index];
        (worker.id, worker.at, worker.after, worker.phase) = (id, at, after, phase);
    }

    pub(super) fn take_up(&self, state: &mut State, index: usize, aborts: bool) {
        let after = state.over();
        let worker = &state.workers[index];
        let (Phase::Ended(_, Some(transaction)), Some(last)) = (&worker.phase, &worker.last) else { return };
        let Sent::Commit { attempts, .. } = last else { return };
        let (transaction, step) = match aborts {
            true => transaction.clone().abort(attempts),
            false => (transaction.clone().finish(attempts), Step::Send),
        };
        let taker = Worker { sent: 0, answered: true, after, takes_up: true, ..worker.clone() };
        state.workers.push(taker);
        let taker = state.workers.len() - 1;
        self.go_on(state, taker, transaction, step, &[]);
    }

    /// Takes in the answer to a worker's request.
    pub(super) fn answer(&self, state: &mut State, index: usize, arrived: Arrived) {
        let now = self.clock(state, index);
        let worker = &mut state.workers[index];
        let (id, is_suspicious) = (worker.id, worker.suspicious);
        worker.answered = true;
        match (worker.phase.clone(), arrived) {
            (Phase::Claiming, Arrived::Done(_)) => self.set(state, index, Phase::Working),
            (Phase::Claiming, Arrived::Failed(_, record)) => {
                let record = record.expect("a claim has no other condition");
                match claim_failed(record.as_ref(), id, now) {
                    Claim::Ours => self.set(state, index, Phase::Working),
                    Claim::Completed => self.end(state, index, End::Replayed, None),
                    Claim::Busy { .. } => self.end(state, index, End::Busy, None),
                    Claim::KeyReused => self.end(state, index, End::KeyReused, None),
                    Claim::Again { above } => {
                        let id = self.fresh(state, index, above.unwrap_or(id));
                        (state.workers[index].id, state.workers[index].at) = (id, now);
                        if state.workers[index].sent >= self.attempts {
                            self.end(state, index, End::Contended, None);
                        }
                    }
                    Claim::Unreadable => unreachable!("every record is ours"),
                }
            }
            (Phase::Releasing(outcome), Arrived::Done(_)) => self.end(state, index, End::Committed(outcome), None),
            (Phase::Releasing(outcome), Arrived::Failed(_, record)) => {
                let record = record.expect("a release has no other condition");
                let hold = hold_failed(record.as_ref(), id, Status::RELEASED, is_suspicious, (now, Millis::MAX));
                worker.holds_on = hold == Hold::Unknown;
                self.end(state, index, End::Committed(outcome), None);
            }
            (Phase::Committing(mut transaction), arrived) => {
                let (step, failed) = match (arrived, transaction.fence()) {
                    (Arrived::Done(_), None) => (transaction.applied(None), Vec::new()),
                    (Arrived::Done(before), Some(_)) => {
                        // A release brings nothing along.
                        let before = before.filter(|_| self.deliveries[worker.delivery] != Delivery::Run);
                        (transaction.record_fenced((before.as_ref(), now)), Vec::new())
                    }
                    (Arrived::Failed(_, record), Some(_)) => {
                        let record = record.expect("a fence has no other condition");
                        (transaction.record_fence_failed((record.as_ref(), now)), Vec::new())
                    }
                    (Arrived::Failed(failed, record), None) => {
                        let record = record.as_ref().map(|record| (record.as_ref(), now));
                        (transaction.cancelled(&failed, record), failed)
                    }
                };
                self.go_on(state, index, transaction, step, &failed);
            }
            (phase, _) => unreachable!("{phase:?} gets no answer"),
        }
    }

    pub(super) fn go_on(
        &self,
        state: &mut State,
        index: usize,
        mut transaction: Transaction,
        step: Step,
        failed: &[(usize, Option<Seen>)],
    ) {
        let sent = state.workers[index].sent;
        let goes_on = !matches!(step, Step::Settled(_));
        let is_fencing = transaction.fence().is_some();
        let step = match step {
            step if goes_on && is_fencing && sent < self.attempts + 2 => step,
            // The bound on conflicts: a call that may not go on fails, which may take a fence.
            _ if goes_on && sent >= self.attempts && !is_fencing => transaction.fail(),
            _ if goes_on && sent >= self.attempts => transaction.give_up(),
            step => step,
        };
        if let Step::Renew { above } = step {
            let id = self.fresh(state, index, above);
            transaction.renew(id);
        }
        let now = self.clock(state, index);
        if transaction.fence().is_some() {
            state.workers[index].fence_at = now;
        } else if goes_on && self.deliveries[state.workers[index].delivery] != Delivery::Run {
            // Another attempt, which claims the record as it is by now.
            state.workers[index].at = now;
        }
        match step {
            Step::Send | Step::Renew { .. } => state.workers[index].phase = Phase::Committing(transaction),
            Step::Settled(outcome) => {
                self.compare(state, index, &transaction, outcome, failed);
                let is_run = self.deliveries[state.workers[index].delivery] == Delivery::Run;
                let refuses = matches!(outcome, Outcome::Refused(_) | Outcome::NotApplied);
                let releases = is_run && !state.workers[index].takes_up;
                if releases && refuses && outcome != Outcome::Refused(Refusal::Superseded) {
                    self.set(state, index, Phase::Releasing(outcome));
                } else {
                    self.end(state, index, End::Committed(outcome), Some(transaction));
                }
            }
        }
    }

    pub(super) fn set(&self, state: &mut State, index: usize, phase: Phase) {
        let worker = &mut state.workers[index];
        (worker.phase, worker.sent, worker.suspicious) = (phase, 0, false);
    }

    /// Tells the worker, and looks whether it is left out by what is over.
    pub(super) fn end(&self, state: &mut State, index: usize, end: End, transaction: Option<Transaction>) {
        let ended = &mut state.workers[index];
        // Its claim may come late, and leaves the record when the lease ends.
        ended.holds_on |= ended.phase == Phase::Claiming && ended.suspicious;
        let is_in_the_way = matches!(end, End::Busy | End::Committed(Outcome::Refused(Refusal::InProgress)));
        let owner = state.record.and_then(|stored| stored.record.owner).map(|owner| (owner.0 % SPREAD) as usize);
        let worker = &state.workers[index];
        if let Some(owner) = owner.filter(|_| is_in_the_way) {
            let is_over = worker.after & 1 << owner != 0 && state.workers[owner].is_let_go();
            if owner == index || is_over {
                state.broken = Some("a worker is locked out by itself, or by what is over");
            }
        }
        let others = state.workers.iter().enumerate().filter(|(other, _)| *other != index);
        let is_alone = others
            .clone()
            .all(|(other, at)| at.phase == Phase::Idle || (worker.after & 1 << other != 0 && at.is_let_go()));
        let is_left_out = matches!(end, End::Contended | End::Committed(Outcome::NotApplied));
        if is_left_out && is_alone && !worker.disturbed && self.attempts > 1 && !state.has_meddled {
            state.broken = Some("a worker that is alone and undisturbed gets nothing done");
        }
        let transaction = transaction.filter(|_| end == End::Committed(Outcome::Unknown) && self.takers > 0);
        self.set(state, index, Phase::Ended(end, transaction));
    }

    /// Holds the versions and births that are told against those that were made.
    pub(super) fn compare(
        &self,
        state: &mut State,
        index: usize,
        transaction: &Transaction,
        outcome: Outcome,
        failed: &[(usize, Option<Seen>)],
    ) {
        let (Outcome::Applied | Outcome::Replayed) = outcome else { return };
        let delivery = state.workers[index].delivery;
        for (part, (verb, _)) in self.script.iter().enumerate() {
            let Some(Effect::Write(_)) = verb.effect(delivery) else { continue };
            let seen = failed.iter().find(|(other, _)| *other == part).and_then(|(_, seen)| seen.as_ref());
            let told = match outcome {
                Outcome::Applied => transaction.parts()[part].call().map(|call| (call, None)),
                _ => transaction.made_by(part, seen),
            };
            let Some((call, seen)) = told else { continue };
            let version = call.version_made(seen);
            let birth = seen.and_then(Seen::log).map(|log| log.birth).or_else(|| call.birth_made());
            let made = state.facts[delivery].made[part];
            if version.is_some() && version != made.map(|(version, _)| version) {
                state.broken = Some("the version told is not the one made");
            }
            if version.is_some() && birth.is_some() && birth != made.map(|(_, birth)| birth) {
                state.broken = Some("the birth told is not that of the item made");
            }
        }
    }

    pub(super) fn unanswered(&self, state: &mut State, index: usize) {
        let worker = &mut state.workers[index];
        (worker.answered, worker.suspicious) = (false, true);
        let is_over = worker.sent >= self.attempts;
        match worker.phase.clone() {
            Phase::Committing(mut transaction) => {
                transaction.unanswered();
                if is_over && !(transaction.fence().is_some() && worker.sent < self.attempts + 2) {
                    let step = transaction.give_up();
                    self.go_on(state, index, transaction, step, &[]);
                } else {
                    worker.phase = Phase::Committing(transaction);
                }
            }
            Phase::Claiming if is_over => self.end(state, index, End::Unclaimed, None),
            Phase::Releasing(outcome) if is_over => {
                worker.holds_on = true;
                self.end(state, index, End::Committed(outcome), None);
            }
            _ => {}
        }
    }

    /// Sends a worker's request, and lets it fare as the action says.
    pub(super) fn send(&self, mut state: State, index: usize, action: Action) -> Option<State> {
        use Action::{Answer, AnswerInPart, AnswerTwice, Crash, GiveUp, LoseReply, Reject};
        let request = self.request(&state.workers[index]);
        let worker = &mut state.workers[index];
        worker.sent += 1;
        worker.disturbed |= !matches!(action, Answer(_));
        if let Sent::Commit { .. } = request.sent {
            worker.last = Some(request.sent.clone());
        }
        match action {
            Answer(_) | AnswerTwice(_) | AnswerInPart(..) => {
                if let AnswerTwice(_) = action {
                    self.arrive(&mut state, &request);
                }
                let mut arrived = self.arrive(&mut state, &request);
                if let AnswerInPart(_, told) = action {
                    let Arrived::Failed(failed, record) = &mut arrived else { return None };
                    let of_record = 1 << self.script.len();
                    let all = failed.iter().fold(0, |all, (part, _)| all | 1 << part);
                    let all: u8 = if record.is_some() { all | of_record } else { all };
                    if all & told != told || all == told {
                        return None;
                    }
                    failed.retain(|(part, _)| told & 1 << part != 0);
                    record.take_if(|_| told & of_record == 0);
                }
                self.answer(&mut state, index, arrived);
            }
            LoseReply(_) => {
                self.arrive(&mut state, &request);
                self.unanswered(&mut state, index);
            }
            GiveUp(_) => {
                self.delay(&mut state, request);
                self.unanswered(&mut state, index);
            }
            Reject(_) => {
                state.workers[index].answered = false;
                let Phase::Committing(mut transaction) = state.workers[index].phase.clone() else {
                    self.end(&mut state, index, End::Unclaimed, None);
                    return Some(state);
                };
                let step = transaction.fail();
                self.go_on(&mut state, index, transaction, step, &[]);
            }
            Crash(_) => {
                self.delay(&mut state, request);
                state.workers[index].phase = Phase::Crashed;
            }
            _ => return None,
        }
        Some(state)
    }
}
