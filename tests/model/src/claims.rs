//! The search of records: workers that run one operation, clocks that disagree, and a network that loses, delays and repeats.

use std::fmt;

use stateright::{Model, Property};

use crate::protocol::claim::{Claim, Demand, Hold, Millis, Record, Status, claim_failed, hold_failed};
use crate::protocol::log::WriteId;
use crate::protocol::rules::Rule;
use crate::scopes::{Finding, Scope, Searched, check_all};

/// One search: workers to each of which the operation is delivered once.
#[derive(Debug, Clone)]
struct Search {
    /// How far ahead each worker's clock is.
    clocks: Vec<Millis>,
    /// Attempts of each request.
    attempts: u8,
    /// How often, over all workers, a request doesn't simply get its answer.
    faults: u8,
    /// How far time goes.
    ticks: Millis,
    /// A record that expires is claimed again or vanishes; else none expires.
    forgets: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    record: Option<Record>,
    workers: Vec<Worker>,
    /// Requests whose workers have given them up, and that may still arrive; in order.
    late: Vec<Request>,
    now: Millis,
    faults: u8,
    newest: u128,
    /// Completions, with what was committed together with them, since the record was last forgotten.
    effects: u8,
    broken: Option<&'static str>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Worker {
    phase: Phase,
    id: WriteId,
    sent: u8,
    suspicious: bool,
    /// Its own completions.
    effects: u8,
    /// When its lease ends.
    until: Millis,
    /// When its completion is forgotten.
    kept_until: Millis,
    /// A bit for each worker that had ended before this one began.
    after: u8,
    /// The record was forgotten since it began, with what it had done.
    forgotten: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Phase {
    Idle,
    Claiming,
    Working,
    Completing,
    Releasing,
    Ended(End),
    Crashed,
}

/// What a worker is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum End {
    /// It ran the operation, and completed it.
    Done,
    /// It was completed before.
    Replayed,
    Busy,
    /// The operation failed, and can be claimed again.
    Released,
    /// It ran the operation, and another has taken it over.
    Lost,
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Request {
    worker: usize,
    id: WriteId,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Kind {
    Claim {
        now: Millis,
    },
    Complete {
        now: Millis,
    },
    /// A sign of life, which the worker doesn't wait for.
    Extend {
        until: Millis,
    },
    Release,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Action {
    Start(usize),
    Answer(usize),
    /// The request arrives twice in a row; the second answer comes back.
    AnswerTwice(usize),
    LoseReply(usize),
    /// The worker gives the attempt up; the request may arrive later, or never.
    GiveUp(usize),
    Crash(usize),
    /// It sends a sign of life, which may come late, or never.
    Beat(usize),
    /// The operation succeeds, or fails.
    Finish {
        worker: usize,
        succeeds: bool,
    },
    Arrive(usize),
    Tick,
    /// The expired record vanishes.
    Vanish,
}

const LEASE: Millis = 1;
const KEPT: Millis = 3;
/// Ids are told apart by their remainder: which worker made them.
const SPREAD: u128 = 8;

impl Search {
    fn clock(&self, state: &State, worker: usize) -> Millis {
        state.now + self.clocks[worker]
    }

    /// Whether a greater id tells a later claim.
    fn clocks_agree(&self) -> bool {
        self.clocks.iter().all(|ahead| *ahead == 0)
    }

    /// An id that the worker's clock makes, above this one.
    fn fresh(&self, state: &mut State, worker: usize, above: u128) -> WriteId {
        let floor = match self.clocks_agree() {
            true => above.max(state.newest),
            false => above.max(u128::from(self.clock(state, worker)) * SPREAD),
        };
        let id = floor / SPREAD * SPREAD + worker as u128;
        let id = if id > floor { id } else { id + SPREAD };
        state.newest = state.newest.max(id);
        WriteId(id)
    }

    fn request(&self, state: &State, worker: usize) -> Request {
        let now = self.clock(state, worker);
        let kind = match state.workers[worker].phase {
            Phase::Claiming => Kind::Claim { now },
            Phase::Completing => Kind::Complete { now: state.workers[worker].kept_until - KEPT },
            Phase::Releasing => Kind::Release,
            phase => unreachable!("{phase:?} sends nothing"),
        };
        Request { worker, id: state.workers[worker].id, kind }
    }

    /// Lets a request reach the record; the record as it stood comes back, and whether it was changed.
    fn arrive(&self, state: &mut State, request: Request) -> (bool, Option<Record>) {
        let Request { worker, id, kind } = request;
        let before = state.record;
        let demand = match kind {
            Kind::Claim { now } => Demand::Claim { now },
            Kind::Complete { .. } | Kind::Release => Demand::Hold,
            Kind::Extend { until } => Demand::Extend { until },
        };
        if !demand.is_met_by(before.as_ref(), id) {
            return (false, before);
        }
        let expires = |now: Millis| if self.forgets { now + KEPT } else { Millis::MAX };
        let (status, expires) = match (kind, before) {
            (Kind::Claim { now }, before) => {
                if let Some(record) = before {
                    self.taken_over(state, worker, record, now);
                }
                (Status::Running { until: Some(now + LEASE) }, expires(now))
            }
            (Kind::Complete { now }, _) => {
                state.effects += 1;
                state.workers[worker].effects += 1;
                (Status::Completed, expires(now))
            }
            (Kind::Release, Some(record)) => (Status::RELEASED, record.expires),
            (Kind::Extend { until }, Some(record)) => {
                if state.workers[worker].phase == Phase::Ended(End::Released) {
                    state.broken = Some("what was released is leased again");
                }
                let worker = &mut state.workers[worker];
                worker.until = worker.until.max(until);
                (Status::Running { until: Some(until) }, record.expires)
            }
            (Kind::Extend { .. } | Kind::Release, None) => unreachable!("there is nothing to change"),
        };
        state.record = Some(Record { owner: Some(id), status, expires, differs: false });
        (true, before)
    }

    fn taken_over(&self, state: &mut State, worker: usize, record: Record, now: Millis) {
        if record.expires <= now {
            Self::forget(state);
            return;
        }
        let owner = usize::try_from(record.owner.expect("is known").0 % SPREAD).expect("few workers");
        let has_ended = matches!(state.workers[worker].phase, Phase::Ended(_) | Phase::Crashed);
        let leased = |other: &Worker| matches!(other.phase, Phase::Working | Phase::Completing) && other.until > now;
        if self.clocks_agree() && state.workers.iter().any(leased) {
            state.broken = Some("a record was taken from a worker whose lease goes on");
        }
        // A lease that has run out is no lease, also for a claim that was sent before.
        state.workers.iter_mut().filter(|other| other.until <= now).for_each(|other| other.until = 0);
        if self.clocks_agree() && has_ended && state.workers[owner].after & 1 << worker != 0 {
            state.broken = Some("a worker that was over before another began has taken the record from it");
        }
    }

    /// What happened before doesn't count any more. Records are kept for much longer than requests are under way.
    fn forget(state: &mut State) {
        state.effects = 0;
        state.late.clear();
        for worker in &mut state.workers {
            worker.forgotten |= !matches!(worker.phase, Phase::Idle);
        }
    }

    fn answer(&self, state: &mut State, index: usize) {
        let request = self.request(state, index);
        let (changed, record) = self.arrive(state, request);
        let now = self.clock(state, index);
        let worker = &mut state.workers[index];
        if let (Kind::Claim { .. }, Some(Record { status: Status::Running { until: Some(until) }, .. })) =
            (request.kind, state.record)
        {
            worker.until = until;
        }
        let record = record.as_ref();
        worker.phase = match (request.kind, changed) {
            (Kind::Claim { .. }, true) => Phase::Working,
            (Kind::Complete { .. }, true) => Phase::Ended(End::Done),
            (Kind::Release, true) => Phase::Ended(End::Released),
            (Kind::Claim { now }, false) => match claim_failed(record, worker.id, now) {
                Claim::Ours => Phase::Working,
                Claim::Completed => Phase::Ended(End::Replayed),
                Claim::Busy { .. } => {
                    if record.is_some_and(|record| record.owner == Some(worker.id)) {
                        state.broken = Some("a worker is locked out by its own claim");
                    }
                    Phase::Ended(End::Busy)
                }
                Claim::Again { above } => {
                    let above = above.map_or(worker.id.0, |above| above.0);
                    let id = self.fresh(state, index, above);
                    state.workers[index].id = id;
                    self.again(state, index, End::Busy);
                    return;
                }
                Claim::Unreadable | Claim::KeyReused => unreachable!("every record is ours, of one payload"),
            },
            (Kind::Extend { .. }, _) => unreachable!("nobody waits for it"),
            (kind @ (Kind::Complete { .. } | Kind::Release), false) => {
                let wanted = match kind {
                    Kind::Complete { .. } => Status::Completed,
                    _ => Status::RELEASED,
                };
                let kept_until = if self.forgets { worker.kept_until } else { Millis::MAX };
                let done = if wanted == Status::Completed { End::Done } else { End::Released };
                Phase::Ended(match hold_failed(record, worker.id, wanted, worker.suspicious, (now, kept_until)) {
                    Hold::Done => done,
                    Hold::Lost => End::Lost,
                    Hold::Unknown => End::Unknown,
                })
            }
        };
        state.workers[index].sent = 0;
        state.workers[index].suspicious = false;
    }

    /// Goes on to the next attempt, where there is one.
    fn again(&self, state: &mut State, index: usize, end: End) {
        let worker = &mut state.workers[index];
        if worker.sent >= self.attempts {
            worker.phase = Phase::Ended(end);
        }
    }

    fn unanswered(&self, state: &mut State, index: usize) {
        state.workers[index].suspicious = true;
        self.again(state, index, End::Unknown);
    }

    /// Whether what the worker was told is bound to hold.
    fn holds(state: &State, worker: &Worker) -> bool {
        let once = worker.forgotten || state.effects == 1;
        match worker.phase {
            Phase::Ended(End::Done) => once && (worker.forgotten || worker.effects == 1),
            Phase::Ended(End::Replayed) => once && worker.effects == 0,
            Phase::Ended(End::Busy | End::Released | End::Lost) => worker.effects == 0,
            _ => true,
        }
    }
}

impl State {
    fn delay(&mut self, request: Request) {
        let place = self.late.partition_point(|other| *other < request);
        self.late.insert(place, request);
    }

    fn over(&self) -> u8 {
        let is_over = |worker: &Worker| matches!(worker.phase, Phase::Ended(_) | Phase::Crashed);
        (0..self.workers.len()).filter(|index| is_over(&self.workers[*index])).fold(0, |over, index| over | 1 << index)
    }
}

impl Model for Search {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let worker = Worker {
            phase: Phase::Idle,
            id: WriteId(0),
            sent: 0,
            suspicious: false,
            effects: 0,
            until: 0,
            kept_until: 0,
            after: 0,
            forgotten: false,
        };
        vec![State {
            record: None,
            workers: vec![worker; self.clocks.len()],
            late: Vec::new(),
            now: 1,
            faults: self.faults,
            newest: 0,
            effects: 0,
            broken: None,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for (index, worker) in state.workers.iter().enumerate() {
            match worker.phase {
                Phase::Idle => actions.push(Action::Start(index)),
                Phase::Claiming | Phase::Completing | Phase::Releasing => {
                    actions.push(Action::Answer(index));
                    if state.faults > 0 {
                        actions.extend([
                            Action::AnswerTwice(index),
                            Action::LoseReply(index),
                            Action::GiveUp(index),
                            Action::Crash(index),
                        ]);
                    }
                }
                Phase::Working => {
                    actions.extend([true, false].map(|succeeds| Action::Finish { worker: index, succeeds }));
                    if state.faults > 0 {
                        actions.extend([Action::Beat(index), Action::Crash(index)]);
                    }
                }
                Phase::Ended(_) | Phase::Crashed => {}
            }
        }
        let first = |index: &usize| *index == 0 || state.late[index - 1] != state.late[*index];
        actions.extend((0..state.late.len()).filter(first).map(Action::Arrive));
        if state.now < self.ticks {
            actions.push(Action::Tick);
        }
        if state.record.is_some_and(|record| record.expires <= state.now) {
            actions.push(Action::Vanish);
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        use Action::{Answer, AnswerTwice, Arrive, Beat, Crash, Finish, GiveUp, LoseReply, Start, Tick, Vanish};
        match action {
            Answer(worker) | AnswerTwice(worker) | LoseReply(worker) | GiveUp(worker) => {
                state.workers[worker].sent += 1;
                state.faults -= u8::from(!matches!(action, Answer(_)));
            }
            Beat(_) | Crash(_) => state.faults -= 1,
            _ => {}
        }
        match action {
            Start(worker) => {
                let id = self.fresh(&mut state, worker, 0);
                let after = state.over();
                state.workers[worker] = Worker { phase: Phase::Claiming, id, after, ..state.workers[worker].clone() };
            }
            Answer(worker) => self.answer(&mut state, worker),
            AnswerTwice(worker) => {
                let request = self.request(&state, worker);
                self.arrive(&mut state, request);
                self.answer(&mut state, worker);
            }
            LoseReply(worker) => {
                let request = self.request(&state, worker);
                self.arrive(&mut state, request);
                self.unanswered(&mut state, worker);
            }
            GiveUp(worker) => {
                state.delay(self.request(&state, worker));
                self.unanswered(&mut state, worker);
            }
            Crash(worker) => {
                if !matches!(state.workers[worker].phase, Phase::Working) {
                    state.delay(self.request(&state, worker));
                }
                state.workers[worker].phase = Phase::Crashed;
            }
            Beat(worker) => {
                let (id, until) = (state.workers[worker].id, self.clock(&state, worker) + LEASE);
                state.delay(Request { worker, id, kind: Kind::Extend { until } });
            }
            Finish { worker, succeeds } => {
                let now = self.clock(&state, worker);
                let worker = &mut state.workers[worker];
                worker.phase = if succeeds { Phase::Completing } else { Phase::Releasing };
                worker.kept_until = now + KEPT;
            }
            Arrive(index) => {
                let request = state.late.remove(index);
                self.arrive(&mut state, request);
            }
            Tick => state.now += 1,
            Vanish => {
                state.record = None;
                Self::forget(&mut state);
            }
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(
                "what is committed with the completion happens at most once",
                |_: &Self, state: &State| state.effects <= 1,
            ),
            Property::always("what a worker is told holds, also later", |_: &Self, state: &State| {
                state.workers.iter().all(|worker| Self::holds(state, worker))
            }),
            Property::always("nobody is locked out by itself, or by what is over", |_: &Self, state: &State| {
                state.broken.is_none()
            }),
        ]
    }
}

impl Searched for Search {}

/// Runs a scope of records, with one rule taken away or with all of them, and stops at a violation.
#[must_use]
pub fn check_claims(scope: Scope, without: Option<Rule>) -> Finding {
    let search = |clocks: &[Millis], attempts, faults, ticks, forgets| Search {
        clocks: clocks.to_vec(),
        attempts,
        faults,
        ticks,
        forgets,
    };
    let mut searches = vec![
        search(&[0], 3, 4, 6, true),
        search(&[0, 0], 2, 3, 3, false),
        search(&[0, 2], 2, 2, 3, false),
        search(&[0, 0], 2, 2, 5, true),
    ];
    if scope == Scope::Large {
        searches.extend([
            search(&[0, 0], 3, 3, 4, false),
            search(&[2, 0], 3, 3, 3, false),
            search(&[0, 0], 2, 3, 5, true),
            search(&[0, 0, 0], 2, 1, 3, false),
            search(&[0, 2, 1], 2, 1, 3, false),
        ]);
    }
    check_all(&searches, without)
}

impl fmt::Display for Search {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { clocks, attempts, faults, ticks, forgets } = self;
        write!(f, "clocks {clocks:?}, {attempts} attempts, {faults} faults, {ticks} ticks, forgets {forgets}")
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {:?}", self.now, self.record)?;
        for worker in &self.workers {
            write!(f, "; {:?} {:?}", worker.phase, worker.id.0)?;
        }
        write!(f, "; late {:?}\n    ", self.late)
    }
}
