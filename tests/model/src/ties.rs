//! The search of transactions that are tied to a record: workers to each of which one operation is delivered, as a run that commits what
//! it staged or as a recorded write, on a network that loses, delays and repeats.
//!
//! What is conceded is conceded once the record is forgotten: it vanished, or was claimed, when it had expired. No claim arrives later
//! than a record is kept, counted from the time that it claims by; what completes or changes a record that is held may.

use std::fmt;

use stateright::{Model, Property};

use crate::protocol::call::{Attempt, Call, Outcome, Step};
use crate::protocol::claim::{Claim, Demand, Hold, Millis, Record, Status, claim_failed, hold_failed};
use crate::protocol::guard::{Birth, Expect, Guard};
use crate::protocol::log::{History, Lane, Log, Seen, Version, WriteId};
use crate::protocol::rules::Rule;
use crate::protocol::tie::Tie;
use crate::protocol::transaction::{Fence, Part, Transaction};
use crate::protocol::verdict::Refusal;
use crate::scopes::{Finding, Scope, Searched, check_all};
use crate::table::{Effect, Row, apply};

/// One search: what the operation writes, and to whom it is delivered.
#[derive(Debug, Clone)]
struct Search {
    deliveries: Vec<Delivery>,
    /// What is done to each item, by whichever worker comes first.
    script: Vec<(Verb, Start)>,
    /// How far ahead each worker's clock is.
    clocks: Vec<Millis>,
    /// What another program does to an item meanwhile, once.
    meddler: Option<(usize, Meddle)>,
    /// Whether the service recognises a completed transaction by its token, until it forgets it.
    tokens: bool,
    /// Attempts of each request, fences aside.
    attempts: u8,
    faults: u8,
    /// How far time goes.
    ticks: Millis,
    /// A record that expires is claimed again or vanishes; else none expires.
    forgets: bool,
    /// How many takers an unknown outcome finds (each finishes or aborts).
    takers: u8,
}

/// How the operation is delivered to a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Delivery {
    /// A run, which claims the record, and completes it with what it has staged.
    Run,
    /// A recorded write.
    Write,
    /// A recorded write of another payload.
    OtherWrite,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Insert,
    Upsert,
    Update,
    /// Where the item has the value that it began with.
    UpdateIfUnchanged,
    /// It leaves nothing, and nothing is all it wants.
    Delete,
    /// It leaves nothing, and wants the item as it began.
    DeleteAt,
    CheckUnchanged,
}

/// What stands under a key when a search begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    Nothing,
    Item,
    Foreign,
    Tombstone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meddle {
    Update,
    /// It deletes the item, log and all.
    Delete,
    Insert,
    /// The one after the other.
    Replace,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    record: Option<Stored>,
    rows: Vec<Option<Row>>,
    workers: Vec<Worker>,
    /// Requests that their workers have given up, and that may still arrive; in order.
    late: Vec<Request>,
    /// Transactions that the service has completed, and still knows by their tokens.
    completed: Vec<Request>,
    facts: Vec<Facts>,
    now: Millis,
    newest: u128,
    faults: u8,
    takers: u8,
    has_meddled: bool,
    /// Effects of all workers since the record was last forgotten.
    effects: u8,
    broken: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Stored {
    record: Record,
    payload: bool,
}

/// What really happened to a worker's transaction, whatever it believes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Facts {
    applied: u8,
    /// The version and the birth of each item that it made.
    made: Vec<Option<(u64, WriteId)>>,
}

/// One process: the first of a delivery, or one that takes up its unknown outcome.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Worker {
    delivery: usize,
    phase: Phase,
    /// The id that it claims by.
    id: WriteId,
    /// When it was claimed, or committed.
    at: Millis,
    /// When its fence was made.
    fence_at: Millis,
    sent: u8,
    suspicious: bool,
    answered: bool,
    /// Something other than the whole answer befell a request of it.
    disturbed: bool,
    /// Its last request that was no fence.
    last: Option<Sent>,
    /// A bit for each worker that had ended before this one began.
    after: u8,
    /// The record was forgotten since it began.
    forgotten: bool,
    /// It ended without the record's release, or may claim it yet.
    holds_on: bool,
    /// It has taken up the unknown outcome of another.
    takes_up: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Phase {
    Idle,
    Claiming,
    Working,
    Committing(Transaction),
    /// The commit was refused.
    Releasing(Outcome),
    Ended(End, Option<Transaction>),
    Crashed,
}

/// What a worker is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum End {
    Committed(Outcome),
    /// The claim found it completed.
    Replayed,
    Busy,
    KeyReused,
    /// The claim met others until there were no more attempts.
    Contended,
    /// Whether the record is claimed is unknown; the operation hasn't run.
    Unclaimed,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Request {
    delivery: usize,
    sent: Sent,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Sent {
    Claim {
        owner: WriteId,
        now: Millis,
        lease: Millis,
    },
    Release {
        owner: WriteId,
    },
    /// A sign of life, which the worker doesn't wait for.
    Extend {
        owner: WriteId,
        until: Millis,
    },
    Commit {
        attempts: Vec<Option<Attempt>>,
        owner: WriteId,
        at: Millis,
    },
}

/// What became of a request that arrived.
enum Arrived {
    /// The record as it was before.
    Done(Option<Record>),
    /// The parts whose conditions failed, and their items; and the record, where it was its condition.
    Failed(Vec<(usize, Option<Seen>)>, Option<Option<Record>>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Action {
    Start(usize),
    /// The run has staged what it writes, and commits it.
    Commit(usize),
    Answer(usize),
    /// The request arrives, and of the conditions that failed the answer tells of these only, of which the record's is the last.
    AnswerInPart(usize, u8),
    /// It arrives twice in a row; the second answer comes back.
    AnswerTwice(usize),
    LoseReply(usize),
    /// The worker gives the attempt up; the request may arrive later, or never.
    GiveUp(usize),
    /// An error that ends the call is the answer.
    Reject(usize),
    Crash(usize),
    /// It sends a sign of life, which may come late, or never.
    Beat(usize),
    Arrive(usize),
    Finish(usize),
    Abort(usize),
    Meddle,
    Tick,
    /// The service forgets the tokens of what it has completed.
    Forget,
    /// The expired record vanishes.
    Vanish,
}

const LEASE: Millis = 1;
const KEPT: Millis = 3;
const BIRTH: WriteId = WriteId(SPREAD);
/// Ids are told apart by their remainder: which process made them.
const SPREAD: u128 = 16;
const MEDDLER: usize = 15;

impl Start {
    fn row(self) -> Option<Row> {
        let lanes =
            std::array::from_fn(|lane| Lane { head: if lane == 0 { BIRTH } else { WriteId::NIL }, ..Lane::EMPTY });
        let (version, history) = match self {
            Self::Nothing => return None,
            Self::Foreign => (Version::Absent, History::Foreign),
            Self::Item | Self::Tombstone => {
                (Version::Number(1), History::Log(Log { birth: BIRTH, keyed: None, lanes }))
            }
        };
        Some(Row { seen: Seen { version, history, tombstone: self == Self::Tombstone }, value: 0 })
    }
}

impl Verb {
    fn part(self, id: WriteId) -> Part {
        let expect = match self {
            Self::Insert => Expect::Absent,
            Self::Upsert => Expect::Any,
            Self::Update | Self::UpdateIfUnchanged => Expect::Exists,
            Self::Delete => Expect::Gone,
            Self::DeleteAt => Expect::At { version: 1, birth: Birth::Known(BIRTH) },
            Self::CheckUnchanged => return Part::Check(Expect::Exists),
        };
        let call = Call::new(expect, None, 0, self == Self::UpdateIfUnchanged, id);
        match self {
            Self::Delete | Self::DeleteAt => Part::Delete(call),
            _ => Part::Write(call),
        }
    }

    /// Whether the part's own condition, the library's aside, holds.
    fn holds(self, row: Option<&Row>) -> bool {
        match self {
            Self::UpdateIfUnchanged => row.is_some_and(|row| row.value == 0),
            Self::CheckUnchanged => row.is_some_and(|row| !row.seen.tombstone && row.value == 0),
            Self::Insert | Self::Upsert | Self::Update | Self::Delete | Self::DeleteAt => true,
        }
    }

    fn effect(self, value: usize) -> Option<Effect> {
        match self {
            Self::CheckUnchanged => None,
            Self::Delete | Self::DeleteAt => Some(Effect::Delete),
            _ => Some(Effect::Write(u8::try_from(value).expect("few workers") + 1)),
        }
    }
}

impl Stored {
    /// As a worker of this payload sees it.
    fn seen_by(self, payload: bool) -> Record {
        Record { differs: self.payload != payload, ..self.record }
    }
}

impl End {
    /// Whether nothing more comes of it.
    fn is_final(self) -> bool {
        !matches!(self, Self::Committed(Outcome::Unknown) | Self::Unclaimed)
    }
}

impl Search {
    fn clock(&self, state: &State, worker: usize) -> Millis {
        state.now + self.clocks[state.workers[worker].delivery]
    }

    /// An id that the worker's clock makes, above this one.
    fn fresh(&self, state: &mut State, worker: usize, above: WriteId) -> WriteId {
        let floor = match self.clocks.iter().all(|ahead| *ahead == 0) {
            true => above.0.max(state.newest),
            false => above.0.max(u128::from(1 + self.clock(state, worker)) * SPREAD),
        };
        let id = floor / SPREAD * SPREAD + worker as u128;
        let id = if id > floor { id } else { id + SPREAD };
        state.newest = state.newest.max(id);
        WriteId(id)
    }

    fn delay(&self, state: &mut State, request: Request) {
        if self.may_arrive(state, &request) {
            let place = state.late.partition_point(|other| *other < request);
            state.late.insert(place, request);
        }
    }

    /// Whether it can still arrive: what claims doesn't come later than a record is kept.
    fn may_arrive(&self, state: &State, request: &Request) -> bool {
        let made = match request.sent {
            Sent::Claim { now, .. } => now,
            Sent::Commit { at, .. } if self.deliveries[request.delivery] != Delivery::Run => at,
            Sent::Commit { .. } | Sent::Release { .. } | Sent::Extend { .. } => return true,
        };
        state.now + self.clocks[request.delivery] < self.kept_until(made)
    }

    fn kept_until(&self, at: Millis) -> Millis {
        if self.forgets { at + KEPT } else { Millis::MAX }
    }

    fn payload(&self, delivery: usize) -> bool {
        self.deliveries[delivery] == Delivery::OtherWrite
    }

    fn record(&self, state: &State, delivery: usize) -> Option<Record> {
        state.record.map(|stored| stored.seen_by(self.payload(delivery)))
    }

    fn transaction(&self, delivery: usize, id: WriteId, tie: Tie) -> Transaction {
        debug_assert!(delivery < self.deliveries.len());
        Transaction::new(self.script.iter().map(|(verb, _)| verb.part(id)).collect()).tied(tie)
    }

    fn request(&self, worker: &Worker) -> Request {
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

    /// Lets a request reach the tables.
    fn arrive(&self, state: &mut State, request: &Request) -> Arrived {
        let delivery = request.delivery;
        let before = self.record(state, delivery);
        let (demand, owner) = match request.sent {
            Sent::Claim { owner, now, .. } => (Demand::Claim { now }, owner),
            Sent::Release { owner } => (Demand::Hold, owner),
            Sent::Extend { owner, until } => (Demand::Extend { until }, owner),
            Sent::Commit { owner, at, .. } => match self.deliveries[delivery] {
                Delivery::Run => (Demand::Hold, owner),
                Delivery::Write | Delivery::OtherWrite => (Demand::Claim { now: at }, owner),
            },
        };
        if state.completed.contains(request) {
            return Arrived::Done(None);
        }
        let is_met = demand.is_met_by(before.as_ref(), owner);
        let attempts: &[Option<Attempt>] = match &request.sent {
            Sent::Commit { attempts, .. } => attempts,
            _ => &[],
        };
        let failed: Vec<_> = attempts
            .iter()
            .enumerate()
            .filter_map(|(part, attempt)| {
                let row = state.rows[part].as_ref();
                let seen = row.map(|row| &row.seen);
                let allows = attempt.is_none_or(|attempt| attempt.guard.allows(attempt.id, attempt.lane, seen));
                (!(allows && self.script[part].0.holds(row))).then(|| (part, seen.cloned()))
            })
            .collect();
        if !(failed.is_empty() && is_met) {
            return Arrived::Failed(failed, (!is_met).then_some(before));
        }
        if let (Demand::Claim { now }, Some(record)) = (demand, before)
            && record.expires <= now
        {
            Self::forget(state);
        }
        let (status, expires) = match (&request.sent, before) {
            (Sent::Claim { now, lease, .. }, _) => (Status::Running { until: Some(*lease) }, self.kept_until(*now)),
            (Sent::Commit { at, .. }, _) => (Status::Completed, self.kept_until(*at)),
            (Sent::Release { .. }, Some(record)) => (Status::RELEASED, record.expires),
            (Sent::Extend { until, .. }, Some(record)) => (Status::Running { until: Some(*until) }, record.expires),
            (Sent::Release { .. } | Sent::Extend { .. }, None) => unreachable!("there is nothing to change"),
        };
        let record = Record { owner: Some(owner), status, expires, differs: false };
        state.record = Some(Stored { record, payload: self.payload(delivery) });
        if let Sent::Commit { attempts, .. } = &request.sent {
            self.commit(state, delivery, attempts);
            if self.tokens {
                let place = state.completed.partition_point(|other| other < request);
                state.completed.insert(place, request.clone());
            }
        }
        Arrived::Done(before)
    }

    fn commit(&self, state: &mut State, delivery: usize, attempts: &[Option<Attempt>]) {
        for (part, attempt) in attempts.iter().enumerate() {
            let (Some(attempt), Some(effect)) = (attempt, self.script[part].0.effect(delivery)) else { continue };
            state.rows[part] = apply(state.rows[part].take(), attempt, effect, None);
            state.facts[delivery].made[part] = state.rows[part].as_ref().and_then(|row| match row.seen.version {
                Version::Number(version) => Some((version, row.seen.log()?.birth)),
                Version::Absent | Version::Unusable => None,
            });
        }
        state.effects += 1;
        state.facts[delivery].applied += 1;
    }

    /// What happened before doesn't count any more.
    fn forget(state: &mut State) {
        state.effects = 0;
        for worker in &mut state.workers {
            worker.forgotten |= worker.phase != Phase::Idle;
        }
    }

    fn start(&self, state: &mut State, index: usize) {
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

    fn take_up(&self, state: &mut State, index: usize, aborts: bool) {
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
    fn answer(&self, state: &mut State, index: usize, arrived: Arrived) {
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

    fn go_on(
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

    fn set(&self, state: &mut State, index: usize, phase: Phase) {
        let worker = &mut state.workers[index];
        (worker.phase, worker.sent, worker.suspicious) = (phase, 0, false);
    }

    /// Tells the worker, and looks whether it is left out by what is over.
    fn end(&self, state: &mut State, index: usize, end: End, transaction: Option<Transaction>) {
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
    fn compare(
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

    fn unanswered(&self, state: &mut State, index: usize) {
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

    fn meddle(&self, state: &mut State) {
        let Some((item, meddle)) = self.meddler else { return };
        let id = WriteId(state.newest / SPREAD * SPREAD + SPREAD + MEDDLER as u128);
        state.newest = state.newest.max(id.0);
        state.has_meddled = true;
        let row = state.rows[item].take();
        let attempt = Attempt { id, lane: 0, guard: Guard::Open };
        state.rows[item] = match (meddle, &row) {
            (Meddle::Update, Some(_)) | (Meddle::Insert, None) => apply(row, &attempt, Effect::Write(9), None),
            (Meddle::Delete, _) => None,
            (Meddle::Replace, _) => apply(None, &attempt, Effect::Write(9), None),
            (Meddle::Update, None) | (Meddle::Insert, Some(_)) => row,
        };
    }

    /// Whether what a worker was told is bound to hold.
    fn holds(&self, state: &State, worker: &Worker) -> bool {
        let applied = state.facts[worker.delivery].applied;
        let once = worker.forgotten || state.effects == 1;
        let Phase::Ended(end, _) = worker.phase else { return true };
        match end {
            End::Committed(Outcome::Applied | Outcome::Replayed) => applied == 1 && once,
            End::Replayed => applied == 0 && once,
            End::Committed(Outcome::Refused(Refusal::Recorded)) => worker.forgotten || (applied == 0 && once),
            End::Committed(Outcome::Refused(Refusal::InProgress | Refusal::KeyReused)) => {
                worker.forgotten || applied == 0
            }
            End::Committed(Outcome::Refused(_) | Outcome::NotApplied)
            | End::Busy
            | End::KeyReused
            | End::Contended
            | End::Unclaimed => applied == 0,
            End::Committed(Outcome::Unknown) => true,
        }
    }
}

impl Worker {
    /// Whether it has ended, and left the record to others.
    fn is_let_go(&self) -> bool {
        matches!(self.phase, Phase::Ended(end, _) if end.is_final()) && !self.holds_on
    }
}

impl State {
    fn over(&self) -> u8 {
        let is_over = |worker: &Worker| matches!(worker.phase, Phase::Ended(..) | Phase::Crashed);
        (0..self.workers.len()).filter(|index| is_over(&self.workers[*index])).fold(0, |over, index| over | 1 << index)
    }
}

impl Model for Search {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let worker = |delivery| Worker {
            delivery,
            phase: Phase::Idle,
            id: WriteId::NIL,
            at: 0,
            fence_at: 0,
            sent: 0,
            suspicious: false,
            answered: true,
            disturbed: false,
            last: None,
            after: 0,
            forgotten: false,
            holds_on: false,
            takes_up: false,
        };
        vec![State {
            record: None,
            rows: self.script.iter().map(|(_, start)| start.row()).collect(),
            workers: (0..self.deliveries.len()).map(worker).collect(),
            late: Vec::new(),
            completed: Vec::new(),
            facts: vec![Facts { applied: 0, made: vec![None; self.script.len()] }; self.deliveries.len()],
            now: 1,
            newest: BIRTH.0,
            faults: self.faults,
            takers: self.takers,
            has_meddled: false,
            effects: 0,
            broken: None,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for (index, worker) in state.workers.iter().enumerate() {
            match &worker.phase {
                Phase::Idle => actions.push(Action::Start(index)),
                Phase::Claiming | Phase::Releasing(_) | Phase::Committing(_) => {
                    if !self.may_arrive(state, &self.request(worker)) {
                        actions.push(Action::Reject(index));
                        continue;
                    }
                    actions.push(Action::Answer(index));
                    if let Phase::Committing(transaction) = &worker.phase
                        && transaction.fence().is_none()
                    {
                        let most = 1 << (self.script.len() + 1);
                        actions.extend((1..most).map(|told| Action::AnswerInPart(index, told)));
                    }
                    if state.faults > 0 {
                        actions.extend([
                            Action::AnswerTwice(index),
                            Action::LoseReply(index),
                            Action::GiveUp(index),
                            Action::Crash(index),
                        ]);
                        if let Phase::Committing(_) = worker.phase {
                            actions.push(Action::Reject(index));
                        }
                    }
                }
                Phase::Working => {
                    actions.push(Action::Commit(index));
                    if state.faults > 0 {
                        actions.extend([Action::Beat(index), Action::Crash(index)]);
                    }
                }
                Phase::Ended(End::Committed(Outcome::Unknown), Some(_)) => {
                    // It can be taken up for as long as the record is kept for certain.
                    if state.takers > 0 && self.clock(state, index) < self.kept_until(worker.at) {
                        actions.extend([Action::Finish(index), Action::Abort(index)]);
                    }
                }
                Phase::Ended(..) | Phase::Crashed => {}
            }
        }
        let first = |index: &usize| *index == 0 || state.late[index - 1] != state.late[*index];
        actions.extend((0..state.late.len()).filter(first).map(Action::Arrive));
        if self.meddler.is_some() && !state.has_meddled {
            actions.push(Action::Meddle);
        }
        if state.now < self.ticks {
            actions.push(Action::Tick);
        }
        if !state.completed.is_empty() {
            actions.push(Action::Forget);
        }
        if state.record.is_some_and(|stored| stored.record.expires <= state.now) {
            actions.push(Action::Vanish);
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        use Action::{
            Abort, Answer, AnswerInPart, AnswerTwice, Arrive, Beat, Commit, Crash, Finish, Forget, GiveUp, LoseReply,
            Meddle, Reject, Start, Tick, Vanish,
        };
        let mut state = last.clone();
        match action {
            // What came too late to arrive is rejected for nothing.
            Reject(index) if !self.may_arrive(last, &self.request(&last.workers[index])) => {}
            AnswerTwice(_) | LoseReply(_) | GiveUp(_) | Reject(_) | Crash(_) | Beat(_) => state.faults -= 1,
            _ => {}
        }
        match action {
            Start(index) => self.start(&mut state, index),
            Commit(index) => {
                let at = self.clock(&state, index);
                let write = self.fresh(&mut state, index, WriteId::NIL);
                let Worker { delivery, id, .. } = state.workers[index];
                let transaction = self.transaction(delivery, write, Tie::completes(id, self.kept_until(at)));
                state.workers[index].at = at;
                state.workers[index].phase = Phase::Committing(transaction);
            }
            Beat(index) => {
                let Worker { delivery, id: owner, .. } = state.workers[index];
                let now = self.clock(&state, index);
                let sent = Sent::Extend { owner, until: now + LEASE };
                self.delay(&mut state, Request { delivery, sent });
            }
            Arrive(index) => {
                let request = state.late.remove(index);
                self.arrive(&mut state, &request);
            }
            Finish(index) | Abort(index) => {
                state.takers -= 1;
                self.take_up(&mut state, index, matches!(action, Abort(_)));
            }
            Meddle => self.meddle(&mut state),
            Tick => {
                state.now += 1;
                let mut late = std::mem::take(&mut state.late);
                late.retain(|request| self.may_arrive(&state, request));
                state.late = late;
            }
            Forget => state.completed.clear(),
            Vanish => {
                state.record = None;
                Self::forget(&mut state);
            }
            Crash(index) if state.workers[index].phase == Phase::Working => {
                state.workers[index].phase = Phase::Crashed;
            }
            Answer(index)
            | AnswerInPart(index, _)
            | AnswerTwice(index)
            | LoseReply(index)
            | GiveUp(index)
            | Reject(index)
            | Crash(index) => {
                return self.send(state, index, action);
            }
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("the operation's effect happens at most once", |_: &Self, state: &State| {
                state.effects <= 1 && state.facts.iter().all(|facts| facts.applied <= 1)
            }),
            Property::always("what a worker is told holds, also later", |search: &Self, state: &State| {
                state.workers.iter().all(|worker| search.holds(state, worker))
            }),
            Property::always("nobody is locked out, and what is told of the items is so", |_: &Self, state: &State| {
                state.broken.is_none()
            }),
            Property::always("alone and answered, no outcome is unknown", |search: &Self, state: &State| {
                let alone = search.deliveries.len() == 1 && !search.forgets;
                let is_unknown = |worker: &Worker| {
                    worker.answered && matches!(worker.phase, Phase::Ended(End::Committed(Outcome::Unknown), _))
                };
                !(alone && state.workers.iter().any(is_unknown))
            }),
        ]
    }
}

impl Search {
    /// Sends a worker's request, and lets it fare as the action says.
    fn send(&self, mut state: State, index: usize, action: Action) -> Option<State> {
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

impl Searched for Search {}

type Script = &'static [(Verb, Start)];

const SCRIPTS: [Script; 9] = [
    &[(Verb::UpdateIfUnchanged, Start::Item)],
    &[(Verb::DeleteAt, Start::Item)],
    &[(Verb::Upsert, Start::Item)],
    &[(Verb::Insert, Start::Nothing)],
    &[(Verb::Insert, Start::Tombstone)],
    &[(Verb::Upsert, Start::Foreign)],
    &[(Verb::Delete, Start::Item)],
    &[(Verb::Update, Start::Item), (Verb::UpdateIfUnchanged, Start::Item)],
    &[(Verb::Delete, Start::Item), (Verb::CheckUnchanged, Start::Item)],
];
/// What a meddler can make refuse, and what leaves nothing; for searches that grow fast.
const REFUSABLE: [Script; 2] = [SCRIPTS[0], SCRIPTS[1]];
const MEDDLES: [Option<Meddle>; 5] =
    [None, Some(Meddle::Update), Some(Meddle::Delete), Some(Meddle::Insert), Some(Meddle::Replace)];
const ALONE: [&[Delivery]; 2] = [&[Delivery::Run], &[Delivery::Write]];
const PAIRS: [&[Delivery]; 3] =
    [&[Delivery::Run, Delivery::Run], &[Delivery::Run, Delivery::Write], &[Delivery::Write, Delivery::Write]];
const TRIPLES: [&[Delivery]; 2] =
    [&[Delivery::Run, Delivery::Run, Delivery::Write], &[Delivery::Run, Delivery::Write, Delivery::Write]];

/// Runs a scope of tied transactions, with one rule taken away or with all of them, and stops at a violation.
#[must_use]
pub fn check_ties(scope: Scope, without: Option<Rule>) -> Finding {
    let mut all = small();
    if scope == Scope::Large {
        all.extend(large());
    }
    check_all(&all, without)
}

/// Two attempts and two faults of these workers on what they write, with what another does to the last item; time stands still.
fn search(deliveries: &[Delivery], script: Script, meddle: Option<Meddle>) -> Search {
    Search {
        deliveries: deliveries.to_vec(),
        script: script.to_vec(),
        clocks: vec![0; deliveries.len()],
        meddler: meddle.map(|meddle| (script.len() - 1, meddle)),
        tokens: true,
        attempts: 2,
        faults: 2,
        ticks: 1,
        forgets: false,
        takers: 0,
    }
}

fn small() -> Vec<Search> {
    let mut all = Vec::new();
    for (script, deliveries) in SCRIPTS.into_iter().flat_map(|script| ALONE.map(|deliveries| (script, deliveries))) {
        all.extend(MEDDLES.map(|meddle| Search { attempts: 3, ..search(deliveries, script, meddle) }));
        let update = search(deliveries, script, Some(Meddle::Update));
        all.push(Search { attempts: 1, takers: 1, tokens: false, ..update });
    }
    for deliveries in ALONE {
        let update = search(deliveries, SCRIPTS[0], Some(Meddle::Update));
        all.push(Search { ticks: 5, forgets: true, ..update });
    }
    for deliveries in PAIRS {
        let calm = search(deliveries, SCRIPTS[0], None);
        all.extend([[0, 2], [2, 0]].map(|clocks| Search {
            faults: 1,
            ticks: 2,
            clocks: clocks.to_vec(),
            ..calm.clone()
        }));
        all.extend(REFUSABLE.map(|script| Search {
            faults: 1,
            ticks: 2,
            ..search(deliveries, script, Some(Meddle::Update))
        }));
        all.push(calm);
        all.push(Search { faults: 1, ticks: 5, forgets: true, ..search(deliveries, SCRIPTS[2], None) });
    }
    all
}

fn large() -> Vec<Search> {
    let mut all = Vec::new();
    for (script, deliveries) in SCRIPTS.into_iter().flat_map(|script| ALONE.map(|deliveries| (script, deliveries))) {
        all.extend(MEDDLES.map(|meddle| Search { attempts: 3, faults: 3, ..search(deliveries, script, meddle) }));
        all.extend(MEDDLES.map(|meddle| Search { takers: 2, ..search(deliveries, script, meddle) }));
        all.push(Search { ticks: 5, forgets: true, takers: 1, ..search(deliveries, script, None) });
    }
    for script in SCRIPTS {
        let others = [Delivery::Write, Delivery::OtherWrite];
        all.extend(PAIRS.map(|deliveries| search(deliveries, script, Some(Meddle::Update))));
        all.push(search(&others, script, Some(Meddle::Update)));
    }
    for deliveries in PAIRS {
        all.push(Search { faults: 1, ticks: 2, takers: 1, attempts: 1, ..search(deliveries, SCRIPTS[0], None) });
        all.push(Search { ticks: 2, ..search(deliveries, SCRIPTS[0], None) });
    }
    all.extend(TRIPLES.map(|deliveries| Search { faults: 1, ..search(deliveries, SCRIPTS[0], Some(Meddle::Update)) }));
    all
}

impl fmt::Display for Search {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { deliveries, script, clocks, meddler, tokens, attempts, faults, ticks, forgets, takers } = self;
        write!(f, "{deliveries:?} of {script:?}, clocks {clocks:?}, meddler {meddler:?}, tokens {tokens}, ")?;
        write!(f, "{attempts} attempts, {faults} faults, {ticks} ticks, forgets {forgets}, {takers} takers")
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {:?}", self.now, self.record.map(|stored| stored.record))?;
        for row in &self.rows {
            let seen = row.as_ref().map(|row| &row.seen);
            let head = seen.and_then(Seen::log).map(|log| (log.birth.0, log.lanes[0].head.0));
            write!(f, "; {:?} {head:?}", seen.map(|seen| seen.version))?;
        }
        for worker in &self.workers {
            match &worker.phase {
                Phase::Committing(transaction) => {
                    write!(f, "; commits by {:?}, fence {:?}", transaction.id(), transaction.fence())?;
                }
                Phase::Ended(end, _) => write!(f, "; {end:?}")?,
                phase => write!(f, "; {phase:?} {:?}", worker.id.0)?,
            }
        }
        write!(f, "; late {:?}\n    ", self.late)
    }
}
