//! The search of transactions that are tied to a record: workers to each of which one operation is delivered, as a run that commits what
//! it staged or as a recorded write, on a network that loses, delays and repeats.
//!
//! What is conceded is conceded once the record is forgotten: it vanished, or was claimed, when it had expired. No claim arrives later
//! than a record is kept, counted from the time that it claims by; what completes or changes a record that is held may.

mod searches;
mod tables;
mod workers;

use std::fmt;

use stateright::{Model, Property};

use crate::protocol::call::{Attempt, Outcome};
use crate::protocol::claim::{Millis, Record};
use crate::protocol::log::{Seen, WriteId};
use crate::protocol::rules::Rule;
use crate::protocol::tie::Tie;
use crate::protocol::transaction::Transaction;
use crate::protocol::verdict::Refusal;
use crate::scopes::{Finding, Scope, Searched, check_all};
use crate::table::Row;

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

impl Search {
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

impl Search {}

impl Searched for Search {}

/// Runs a scope of tied transactions, with one rule taken away or with all of them, and stops at a violation.
#[must_use]
pub fn check_ties(scope: Scope, without: Option<Rule>) -> Finding {
    let mut all = searches::small();
    if scope == Scope::Large {
        all.extend(searches::large());
    }
    check_all(&all, without)
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
