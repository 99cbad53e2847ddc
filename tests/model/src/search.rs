//! The search: calls, a table, and a network that loses, delays and repeats.

use std::fmt;

use stateright::{Model, Property};

use crate::promise::{self, Facts};
use crate::protocol::call::{Attempt, Call, Outcome, Step};
use crate::protocol::guard::{Birth, Expect, Guard};
use crate::protocol::log::{History, KeyStamp, Lane, Log, Seen, Version, WriteId};
use crate::table::{Effect, Row, apply};

/// What a call of a script does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Verb {
    pub(crate) name: &'static str,
    pub(crate) expect: Wants,
    pub(crate) effect: Does,
    pub(crate) keyed: Option<KeyStamp>,
    /// The caller's own condition: the item has this value.
    pub(crate) only_if: Option<u8>,
}

/// [`Expect`], before the item is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Wants {
    Absent,
    Exists,
    Any,
    /// An update where there is an item, an insert where there is none.
    Either,
    Deleted,
    /// The version and birth that the item had when the search began.
    AsRead,
    /// That version alone.
    BareVersion,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Does {
    Write,
    Delete,
}

/// What stands under the key when a search begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Start {
    Nothing,
    Item,
    /// An item of another program's, without a version.
    Foreign,
    /// The same, with one: another program counts it up.
    ForeignVersion,
    Tombstone,
}

/// How the ids of the calls are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Clocks {
    /// A call's ids are greater than every id made before.
    Agree,
    /// They are not: each call's clock stands at its own rank, the item's own birth at 2.
    Ranks([u128; 3]),
}

/// One search.
#[derive(Debug, Clone)]
pub(crate) struct Search {
    pub(crate) calls: Vec<(Verb, u8)>,
    pub(crate) start: Start,
    pub(crate) clocks: Clocks,
    pub(crate) tombstones: bool,
    /// Attempts of a call, its fence included.
    pub(crate) attempts: u8,
    /// How often a program that knows nothing of the log overwrites the item.
    pub(crate) foreign_puts: u8,
    /// How often the item and its log vanish (TTL).
    pub(crate) expiries: u8,
    /// How many takers an unknown outcome finds (each finishes or aborts).
    pub(crate) takers: u8,
    /// How often, over all calls, an attempt doesn't simply get its answer.
    pub(crate) faults: u8,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub(crate) row: Option<Row>,
    pub(crate) runs: Vec<Run>,
    /// Requests that their callers have given up, and that may still arrive.
    /// In order, as often as each may arrive.
    pub(crate) late: Vec<Request>,
    pub(crate) facts: Vec<Facts>,
    pub(crate) newest_id: u128,
    pub(crate) foreign_puts: u8,
    pub(crate) expiries: u8,
    pub(crate) takers: u8,
    pub(crate) faults: u8,
    pub(crate) last_version: u64,
    pub(crate) broken: Option<&'static str>,
}

/// A request, of a call that last heard of the item when other programs had put it so often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Request {
    pub(crate) op: usize,
    pub(crate) attempt: Attempt,
    pub(crate) puts: u8,
}

/// One process that works on a call: the first, or one that takes up its unknown outcome.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Run {
    pub(crate) op: usize,
    pub(crate) phase: Phase,
    pub(crate) sent: u8,
    /// Whether the last attempt got an answer from the table.
    pub(crate) answered: bool,
    /// How often other programs had put the item when this process last heard of it.
    pub(crate) puts: u8,
    /// Whether it is to see to it that the call has no effect.
    pub(crate) aborts: bool,
    /// The last attempt of the call's own, fences aside.
    pub(crate) last: Option<Attempt>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Phase {
    Idle,
    Running(Call),
    Ended(Outcome, Call),
    Crashed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    Start(usize),
    /// The request arrives, and its answer too.
    Answer(usize),
    /// It arrives twice in a row; the second answer comes back.
    AnswerTwice(usize),
    /// It arrives, and the answer is lost.
    LoseReply(usize),
    /// The caller gives the attempt up; the request may arrive later, or never. If it does after a re-send, the network has as
    /// good as repeated it.
    GiveUp(usize),
    /// An error that ends the call is the answer.
    Reject(usize),
    /// The process ends; its request may arrive later, or never.
    Crash(usize),
    Arrive(usize),
    Finish(usize),
    Abort(usize),
    /// Another program's put, with no version or with the next.
    ForeignPut {
        versioned: bool,
    },
    Expire,
}

/// Faults as often as there are attempts.
pub(crate) const UNBOUNDED: u8 = u8::MAX;

const BIRTH: WriteId = WriteId(2 * SPREAD);
/// Ids are told apart by their remainder: which process made them.
pub(crate) const SPREAD: u128 = 16;

impl Action {
    fn is_fault(self) -> bool {
        use Action::{AnswerTwice, Crash, GiveUp, LoseReply, Reject};
        matches!(self, AnswerTwice(_) | Crash(_) | GiveUp(_) | LoseReply(_) | Reject(_))
    }
}

/// Whether an attempt is none of the call's effect.
fn is_fence(attempt: &Attempt) -> bool {
    matches!(attempt.guard, Guard::Fence { .. } | Guard::Bury)
}

impl Search {
    pub(crate) fn initial_row(&self) -> Option<Row> {
        let log = Log {
            birth: BIRTH,
            keyed: None,
            lanes: std::array::from_fn(
                |lane| if lane == 0 { Lane { head: BIRTH, ..Lane::EMPTY } } else { Lane::EMPTY },
            ),
        };
        let seen = match self.start {
            Start::Nothing => return None,
            Start::Item => Seen { version: Version::Number(1), history: History::Log(log), tombstone: false },
            Start::Tombstone => Seen { version: Version::Number(1), history: History::Log(log), tombstone: true },
            Start::Foreign => Seen { version: Version::Absent, history: History::Foreign, tombstone: false },
            Start::ForeignVersion => Seen { version: Version::Number(1), history: History::Foreign, tombstone: false },
        };
        Some(Row { seen, value: 0 })
    }

    pub(crate) fn expect(&self, op: usize) -> Expect {
        let row = self.initial_row();
        let seen = row.as_ref().map(|row| &row.seen);
        let version = match seen.map(|seen| seen.version) {
            Some(Version::Number(version)) => version,
            _ => 0,
        };
        match self.calls[op].0.expect {
            Wants::Absent => Expect::Absent,
            Wants::Exists => Expect::Exists,
            Wants::Any => Expect::Any,
            Wants::Either => Expect::Either,
            Wants::Deleted if self.tombstones => Expect::Buried,
            Wants::Deleted => Expect::Gone,
            Wants::BareVersion => Expect::At { version, birth: Birth::Any },
            Wants::AsRead => Expect::At {
                version,
                birth: seen.and_then(Seen::log).map_or(Birth::Foreign, |log| Birth::Known(log.birth)),
            },
        }
    }

    pub(crate) fn effect(&self, op: usize) -> Effect {
        match self.calls[op].0.effect {
            Does::Write => Effect::Write(u8::try_from(op).expect("few calls") + 1),
            Does::Delete if self.tombstones => Effect::Bury,
            Does::Delete => Effect::Delete,
        }
    }

    fn fresh(&self, state: &mut State, run: usize, above: WriteId) -> WriteId {
        let floor = match self.clocks {
            Clocks::Agree => above.0.max(state.newest_id),
            Clocks::Ranks(ranks) => above.0.max(ranks[state.runs[run].op] * SPREAD),
        };
        let base = floor / SPREAD * SPREAD + run as u128 + 1;
        let id = if base > floor { base } else { base + SPREAD };
        if self.clocks == Clocks::Agree {
            state.newest_id = id;
        }
        WriteId(id)
    }

    /// Lets a request reach the table; the item as it was comes back, and whether it was changed.
    fn arrive(&self, state: &mut State, request: &Request) -> (bool, Option<Row>) {
        let Request { op, attempt, puts } = request;
        let op = *op;
        let before = state.row.clone();
        let fence = is_fence(attempt);
        let allowed = attempt.guard.allows(attempt.id, attempt.lane, before.as_ref().map(|row| &row.seen));
        let wanted =
            fence || self.calls[op].0.only_if.is_none_or(|value| before.as_ref().is_some_and(|row| row.value == value));
        if !(allowed && wanted) {
            return (false, before);
        }
        if let Some(row) = &before {
            self.look_at(state, op, row, fence);
            if row.seen.tombstone && !fence && !matches!(attempt.guard, Guard::Revive { .. }) {
                state.broken = Some("a tombstone was written as if it were an item");
            }
        }
        let effect = self.effect(op);
        state.facts[op].logged |= effect != Effect::Delete || fence;
        state.facts[op].newest = state.facts[op].newest.max(Some(attempt.id));
        if matches!(attempt.guard, Guard::Adopt { .. }) {
            state.facts[op].adopted = true;
            if *puts < self.foreign_puts - state.foreign_puts {
                // What it adopts was put there after it had looked: its id may be below those that the put has erased.
                for other in &mut state.facts {
                    other.conceded |= other.newest.is_some_and(|newest| newest > attempt.id);
                }
            }
        }
        state.row = apply(before.clone(), attempt, effect, self.calls[op].0.keyed);
        if let Some(row) = &state.row
            && fence
            && before.is_none()
        {
            let Version::Number(version) = row.seen.version else { unreachable!("a tombstone has a version") };
            state.last_version = version;
        }
        if fence || (state.row.is_none() && before.is_none()) {
            return (true, before);
        }
        if before.is_none() {
            // A hard delete leaves no log, and may be told of the item that was made since instead.
            for other in 0..state.facts.len() {
                state.facts[other].conceded |= self.effect(other) == Effect::Delete && state.facts[other].effects > 0;
            }
        }
        let facts = &mut state.facts[op];
        facts.effects += 1;
        match &state.row {
            Some(row) => {
                let Version::Number(version) = row.seen.version else { unreachable!("a write leaves a version") };
                facts.made = Some(version);
                if version <= state.last_version {
                    state.broken = Some("a version was given twice");
                }
                state.last_version = version;
            }
            None => Self::erased(state, Some(op)),
        }
        if effect == Effect::Bury || effect == Effect::Delete {
            for facts in &mut state.facts {
                facts.deleted = true;
            }
        }
        (true, before)
    }

    fn go_on(&self, state: &mut State, run: usize, mut call: Call, step: Step, seen: Option<&Seen>) {
        let op = state.runs[run].op;
        let out_of_attempts = state.runs[run].sent >= self.attempts;
        let step = match step {
            Step::Send | Step::Renew { .. } if out_of_attempts && state.runs[run].sent < self.attempts + 2 => {
                // The bound on conflicts: as `settle` does, a call that may not go on fails, which may take a fence.
                if is_fence(&call.attempt()) { step } else { call.fail() }
            }
            Step::Send | Step::Renew { .. } if out_of_attempts => call.give_up(),
            step => step,
        };
        match step {
            Step::Send => state.runs[run].phase = Phase::Running(call),
            Step::Renew { above } => {
                let id = self.fresh(state, run, above);
                call.renew(id);
                state.runs[run].phase = Phase::Running(call);
            }
            Step::Settled(outcome) => {
                let claims = matches!(outcome, Outcome::Applied | Outcome::Replayed);
                let own = state.facts[op].effects > 0;
                if claims && own && !self.concedes(state, op) {
                    let told = call.version_made(seen);
                    if told.is_some() && state.facts[op].made.is_some() && told != state.facts[op].made {
                        state.broken = Some("the version told is not the one made");
                    }
                }
                state.runs[run].phase = Phase::Ended(outcome, call);
            }
        }
    }

    fn answer(&self, state: &mut State, run: usize, mut call: Call) {
        state.runs[run].answered = true;
        let (applied, before) = self.arrive(state, &state.request(run, &call));
        state.runs[run].puts = self.foreign_puts - state.foreign_puts;
        let seen = before.as_ref().map(|row| &row.seen);
        let step = if applied { call.applied(seen) } else { call.condition_failed(seen) };
        self.go_on(state, run, call, step, seen);
    }

    fn unanswered(&self, state: &mut State, run: usize, mut call: Call) {
        call.unanswered();
        state.runs[run].answered = false;
        if state.runs[run].sent >= self.attempts {
            let step = call.give_up();
            self.go_on(state, run, call, step, None);
        } else {
            state.runs[run].phase = Phase::Running(call);
        }
    }
}

impl Model for Search {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let runs = (0..self.calls.len())
            .map(|op| Run { op, phase: Phase::Idle, sent: 0, answered: true, puts: 0, aborts: false, last: None })
            .collect();
        vec![State {
            row: self.initial_row(),
            runs,
            late: Vec::new(),
            facts: vec![Facts::default(); self.calls.len()],
            newest_id: BIRTH.0,
            foreign_puts: self.foreign_puts,
            expiries: self.expiries,
            takers: self.takers,
            faults: self.faults,
            last_version: u64::from(!matches!(self.start, Start::Nothing | Start::Foreign)),
            broken: None,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for (index, run) in state.runs.iter().enumerate() {
            // Conceded: a `delete(..).at(..)` without tombstones that the network repeats unseen reads "not found".
            let leaves_a_trace = self.effect(run.op) != Effect::Delete || self.calls[run.op].0.expect == Wants::Deleted;
            let faulty = state.faults > 0;
            if matches!(run.phase, Phase::Running(_)) && leaves_a_trace && faulty {
                actions.push(Action::AnswerTwice(index));
            }
            match &run.phase {
                Phase::Idle => actions.push(Action::Start(index)),
                Phase::Running(_) => {
                    actions.push(Action::Answer(index));
                    if faulty {
                        actions.extend([
                            Action::LoseReply(index),
                            Action::GiveUp(index),
                            Action::Reject(index),
                            Action::Crash(index),
                        ]);
                    }
                }
                Phase::Ended(Outcome::Unknown, _) if state.takers > 0 => {
                    actions.extend([Action::Finish(index), Action::Abort(index)]);
                }
                Phase::Ended(..) | Phase::Crashed => {}
            }
        }
        // Of equal requests one is as good as another.
        let first = |index: &usize| *index == 0 || state.late[index - 1] != state.late[*index];
        actions.extend((0..state.late.len()).filter(first).map(Action::Arrive));
        if state.foreign_puts > 0 {
            actions.extend([Action::ForeignPut { versioned: false }, Action::ForeignPut { versioned: true }]);
        }
        if state.expiries > 0 && state.row.is_some() {
            actions.push(Action::Expire);
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        if self.faults < UNBOUNDED && action.is_fault() {
            state.faults -= 1;
        }
        let running = |state: &mut State, run: usize| {
            state.runs[run].sent += 1;
            match &state.runs[run].phase {
                Phase::Running(call) => {
                    let (call, attempt) = (call.clone(), call.attempt());
                    if !is_fence(&attempt) {
                        state.runs[run].last = Some(attempt);
                    }
                    call
                }
                phase => unreachable!("{phase:?} takes no answers"),
            }
        };
        match action {
            Action::Start(run) => {
                let expect = self.expect(run);
                let id = self.fresh(&mut state, run, expect.birth().unwrap_or(WriteId::NIL));
                let (verb, lane) = self.calls[run];
                let call = Call::new(expect, verb.keyed, lane, verb.only_if.is_some(), id);
                state.facts[run].after = state.over();
                state.runs[run].phase = Phase::Running(call);
            }
            Action::Answer(run) => {
                let call = running(&mut state, run);
                self.answer(&mut state, run, call);
            }
            Action::AnswerTwice(run) => {
                let call = running(&mut state, run);
                let request = state.request(run, &call);
                self.arrive(&mut state, &request);
                self.answer(&mut state, run, call);
            }
            Action::LoseReply(run) => {
                let call = running(&mut state, run);
                let request = state.request(run, &call);
                self.arrive(&mut state, &request);
                self.unanswered(&mut state, run, call);
            }
            Action::GiveUp(run) => {
                let call = running(&mut state, run);
                state.delay(state.request(run, &call));
                self.unanswered(&mut state, run, call);
            }
            Action::Reject(run) => {
                let mut call = running(&mut state, run);
                state.runs[run].answered = false;
                let step = call.fail();
                self.go_on(&mut state, run, call, step, None);
            }
            Action::Crash(run) => {
                let call = running(&mut state, run);
                state.delay(state.request(run, &call));
                state.runs[run].phase = Phase::Crashed;
            }
            Action::Arrive(index) => {
                let request = state.late.remove(index);
                self.arrive(&mut state, &request);
            }
            Action::Finish(run) => {
                state.takers -= 1;
                let Phase::Ended(_, call) = state.runs[run].phase.clone() else { return None };
                let (op, last) = (state.runs[run].op, state.runs[run].last);
                let call = call.finish(&last.expect("an unknown outcome was sent"));
                state.runs.push(Run {
                    op,
                    phase: Phase::Running(call),
                    sent: 0,
                    answered: true,
                    puts: 0,
                    aborts: false,
                    last,
                });
            }
            Action::Abort(run) => {
                state.takers -= 1;
                let Phase::Ended(_, call) = state.runs[run].phase.clone() else { return None };
                let (op, last) = (state.runs[run].op, state.runs[run].last);
                let (call, step) = call.abort(&last.expect("an unknown outcome was sent"), self.tombstones);
                state.runs.push(Run { op, phase: Phase::Idle, sent: 0, answered: true, puts: 0, aborts: true, last });
                let taker = state.runs.len() - 1;
                self.go_on(&mut state, taker, call, step, None);
            }
            Action::ForeignPut { versioned } => {
                state.foreign_puts -= 1;
                let next = match state.row.as_ref().map(|row| row.seen.version) {
                    Some(Version::Number(version)) => version + 1,
                    _ => 1,
                };
                self.overwritten(&mut state);
                let version = if versioned { Version::Number(next) } else { Version::Absent };
                state.last_version = if versioned { next } else { 0 };
                state.row = Some(Row { seen: Seen { version, history: History::Foreign, tombstone: false }, value: 0 });
            }
            Action::Expire => {
                state.expiries -= 1;
                Self::erased(&mut state, None);
                state.row = None;
            }
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        promise::properties()
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.row {
            None => write!(f, "absent")?,
            Some(Row { seen, value }) => {
                write!(f, "{}value {value}, {:?}", if seen.tombstone { "tombstone, " } else { "" }, seen.version)?;
                if let Some(log) = seen.log() {
                    write!(f, ", birth {:?}", log.birth)?;
                    for lane in &log.lanes {
                        write!(f, " [{:?} {:?}]", lane.head, lane.older)?;
                    }
                }
            }
        }
        for run in &self.runs {
            match &run.phase {
                Phase::Idle => write!(f, "; idle")?,
                Phase::Running(call) => write!(f, "; {:?}", call.attempt())?,
                Phase::Ended(outcome, _) => write!(f, "; {outcome:?}")?,
                Phase::Crashed => write!(f, "; crashed")?,
            }
        }
        write!(f, "; late {:?}\n    ", self.late)
    }
}

impl State {
    /// A bit for each call that nobody works on any more.
    pub(crate) fn over(&self) -> u8 {
        let is_over =
            |op| self.runs.iter().all(|run| run.op != op || matches!(run.phase, Phase::Ended(..) | Phase::Crashed));
        (0..self.facts.len()).filter(|op| is_over(*op)).fold(0, |over, op| over | 1 << op)
    }

    /// A request that may arrive later, or never.
    fn delay(&mut self, request: Request) {
        let place = self.late.partition_point(|other| *other < request);
        self.late.insert(place, request);
    }

    fn request(&self, run: usize, call: &Call) -> Request {
        let Run { op, puts, .. } = self.runs[run];
        Request { op, attempt: call.attempt(), puts }
    }

    pub(crate) fn ended(&self) -> impl Iterator<Item = (usize, Outcome)> {
        self.runs.iter().filter_map(|run| match run.phase {
            Phase::Ended(outcome, _) => Some((run.op, outcome)),
            _ => None,
        })
    }
}
