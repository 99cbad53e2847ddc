//! The search of transactions: two items, a transaction over both beside another writer, and a network that loses, delays and
//! repeats.

use std::fmt;

use stateright::{Model, Property};

use crate::protocol::call::{Attempt, Call, Outcome, Step};
use crate::protocol::guard::{Expect, Guard};
use crate::protocol::log::{History, Lane, Log, Seen, Version, WriteId};
use crate::protocol::rules::Rule;
use crate::protocol::transaction::{Fence, Part, Transaction};
use crate::scopes::{Finding, Scope, Searched, check_all};
use crate::table::{Effect, Row, apply};

/// One search. A script of one part is a write by itself, any other a transaction.
#[derive(Debug, Clone)]
struct Search {
    scripts: Vec<Vec<(usize, Verb)>>,
    lanes: Vec<u8>,
    starts: [Start; ITEMS],
    tombstones: bool,
    /// Whether the service recognises a completed transaction by its token, until it forgets it.
    tokens: bool,
    /// Attempts of a call, its fence aside.
    attempts: u8,
    faults: u8,
    /// How many takers an unknown outcome finds (each finishes or aborts).
    takers: u8,
    /// How often an item and its log vanish (TTL).
    expiries: u8,
}

/// What is done to one item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Insert,
    Upsert,
    Update,
    /// Where the item has the value that it began with.
    UpdateIfUnchanged,
    Delete,
    CheckUnchanged,
    CheckAbsent,
}

/// What stands under a key when a search begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    Nothing,
    Item,
    Foreign,
    Tombstone,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    rows: [Option<Row>; ITEMS],
    runs: Vec<Run>,
    /// Requests that their callers have given up, and that may still arrive; in order.
    late: Vec<Request>,
    /// Transactions that the service has completed, and still knows by their tokens.
    completed: Vec<Request>,
    facts: Vec<Facts>,
    newest_id: u128,
    faults: u8,
    takers: u8,
    expiries: u8,
}

/// What really happened to a script, whatever its runs believe.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Facts {
    applied: u8,
    /// The items that have its effect or its fence in their logs.
    logged: [bool; ITEMS],
    /// The items whose logs had it, and vanished.
    vanished: [bool; ITEMS],
    /// Its greatest id.
    newest: WriteId,
    /// The logs that had it have vanished, and none was left, or an item that is older by its id stands in the place of one, which the promise concedes (3.10).
    conceded: bool,
    made: [Option<u64>; ITEMS],
    broken: Option<&'static str>,
}

/// One process that works on a script: the first, or one that takes up its unknown outcome.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Run {
    script: usize,
    phase: Phase,
    sent: u8,
    answered: bool,
    /// The last attempts that were its own, fences aside.
    last: Vec<Option<Attempt>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Phase {
    Idle,
    Running(Machine),
    Ended(Outcome, Machine),
    Crashed,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Machine {
    One(Call),
    Many(Transaction),
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Request {
    script: usize,
    sent: Sent,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Sent {
    All(Vec<Option<Attempt>>),
    /// For the item of this part alone.
    One(usize, Attempt),
}

/// What became of a request that arrived.
enum Arrived {
    /// The item of a request for one, as it was before.
    Applied(Option<Row>),
    /// The parts whose conditions failed, and their items.
    Failed(Vec<(usize, Option<Row>)>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Action {
    Start(usize),
    Answer(usize),
    /// The request arrives, and of the conditions that failed the answer tells of this one only.
    AnswerInPart(usize, usize),
    /// It arrives twice in a row; the second answer comes back.
    AnswerTwice(usize),
    LoseReply(usize),
    /// The caller gives the attempt up; the request may arrive later, or never.
    GiveUp(usize),
    /// An error that ends the call is the answer.
    Reject(usize),
    Crash(usize),
    Arrive(usize),
    Finish(usize),
    Abort(usize),
    /// The service forgets the tokens of what it has completed.
    Forget,
    Expire(usize),
}

const ITEMS: usize = 2;
const BIRTH: WriteId = WriteId(SPREAD);
/// Ids are told apart by their remainder: which process made them.
const SPREAD: u128 = 16;

impl Action {
    fn is_fault(self) -> bool {
        use Action::{AnswerTwice, Crash, GiveUp, LoseReply, Reject};
        matches!(self, AnswerTwice(_) | Crash(_) | GiveUp(_) | LoseReply(_) | Reject(_))
    }
}

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
    /// Whether the part's own condition, the library's aside, holds.
    fn holds(self, row: Option<&Row>) -> bool {
        let live = row.filter(|row| !row.seen.tombstone);
        match self {
            Self::UpdateIfUnchanged => row.is_some_and(|row| row.value == 0),
            Self::CheckUnchanged => live.is_some_and(|row| row.value == 0),
            Self::CheckAbsent => live.is_none(),
            Self::Insert | Self::Upsert | Self::Update | Self::Delete => true,
        }
    }
}

impl Machine {
    fn request(&self, script: usize) -> Request {
        let sent = match self {
            Self::One(call) => Sent::One(0, call.attempt()),
            Self::Many(transaction) => match transaction.fence() {
                Some(Fence::Part(part, attempt)) => Sent::One(part, attempt),
                Some(Fence::Record(_)) => unreachable!("it is tied to no record"),
                None => Sent::All(transaction.attempts()),
            },
        };
        Request { script, sent }
    }

    fn answer(&mut self, arrived: &Arrived) -> Step {
        let seen = |row: &Option<Row>| row.as_ref().map(|row| row.seen.clone());
        match (self, arrived) {
            (Self::One(call), Arrived::Applied(before)) => call.applied(seen(before).as_ref()),
            (Self::One(call), Arrived::Failed(failed)) => call.condition_failed(seen(&failed[0].1).as_ref()),
            (Self::Many(transaction), Arrived::Applied(before)) => transaction.applied(seen(before).as_ref()),
            (Self::Many(transaction), Arrived::Failed(failed)) => match transaction.fence() {
                Some(_) => transaction.fence_failed(seen(&failed[0].1).as_ref()),
                None => {
                    let failed: Vec<_> = failed.iter().map(|(part, row)| (*part, seen(row))).collect();
                    transaction.cancelled(&failed, None)
                }
            },
        }
    }

    fn is_fencing(&self) -> bool {
        match self {
            Self::One(call) => call.is_fencing(),
            Self::Many(transaction) => transaction.fence().is_some(),
        }
    }

    fn unanswered(&mut self) {
        match self {
            Self::One(call) => call.unanswered(),
            Self::Many(transaction) => transaction.unanswered(),
        }
    }

    fn fail(&mut self) -> Step {
        match self {
            Self::One(call) => call.fail(),
            Self::Many(transaction) => transaction.fail(),
        }
    }

    fn give_up(&mut self) -> Step {
        match self {
            Self::One(call) => call.give_up(),
            Self::Many(transaction) => transaction.give_up(),
        }
    }

    fn renew(&mut self, id: WriteId) {
        match self {
            Self::One(call) => call.renew(id),
            Self::Many(transaction) => transaction.renew(id),
        }
    }
}

impl Search {
    fn is_transaction(&self, script: usize) -> bool {
        self.scripts[script].len() > 1
    }

    fn machine(&self, script: usize, id: WriteId) -> Machine {
        let lane = self.lanes[script];
        let call = |verb: Verb, in_transaction: bool| {
            let expect = match verb {
                Verb::Insert => Expect::Absent,
                Verb::Upsert => Expect::Any,
                Verb::Update | Verb::UpdateIfUnchanged => Expect::Exists,
                Verb::Delete if !self.tombstones => Expect::Gone,
                // It leaves a tombstone in any case, as an upsert leaves an item.
                Verb::Delete if in_transaction => Expect::Any,
                Verb::Delete => Expect::Buried,
                Verb::CheckUnchanged | Verb::CheckAbsent => unreachable!("a check is no write"),
            };
            Call::new(expect, None, lane, verb == Verb::UpdateIfUnchanged, id)
        };
        let part = |(_, verb): &(usize, Verb)| match verb {
            Verb::CheckUnchanged => Part::Check(Expect::Exists),
            Verb::CheckAbsent => Part::Check(Expect::Absent),
            Verb::Delete if !self.tombstones => Part::Delete(call(*verb, true)),
            _ => Part::Write(call(*verb, true)),
        };
        if self.is_transaction(script) {
            Machine::Many(Transaction::new(self.scripts[script].iter().map(part).collect()))
        } else {
            Machine::One(call(self.scripts[script][0].1, false))
        }
    }

    fn effect(&self, script: usize, part: usize) -> Option<Effect> {
        match self.scripts[script][part].1 {
            Verb::CheckUnchanged | Verb::CheckAbsent => None,
            Verb::Delete if self.tombstones => Some(Effect::Bury),
            Verb::Delete => Some(Effect::Delete),
            _ => Some(Effect::Write(u8::try_from(script).expect("few scripts") + 1)),
        }
    }

    fn fresh(state: &mut State, run: usize, above: WriteId) -> WriteId {
        let floor = above.0.max(state.newest_id);
        state.newest_id = floor / SPREAD * SPREAD + SPREAD + run as u128;
        let script = state.runs[run].script;
        state.facts[script].newest = WriteId(state.newest_id);
        WriteId(state.newest_id)
    }

    /// Lets a request reach the table.
    fn arrive(&self, state: &mut State, request: &Request) -> Arrived {
        let script = request.script;
        let attempts: Vec<(usize, Option<Attempt>)> = match &request.sent {
            Sent::All(attempts) => attempts.iter().copied().enumerate().collect(),
            Sent::One(part, attempt) => vec![(*part, Some(*attempt))],
        };
        if state.completed.contains(request) {
            return Arrived::Applied(None);
        }
        let failed: Vec<_> = attempts
            .iter()
            .filter_map(|&(part, attempt)| {
                let (item, verb) = self.scripts[script][part];
                let row = &state.rows[item];
                let seen = row.as_ref().map(|row| &row.seen);
                let holds = match attempt {
                    None => verb.holds(row.as_ref()),
                    Some(attempt) => {
                        attempt.guard.allows(attempt.id, attempt.lane, seen)
                            && (is_fence(&attempt) || verb.holds(row.as_ref()))
                    }
                };
                (!holds).then(|| (part, row.clone()))
            })
            .collect();
        if !failed.is_empty() {
            return Arrived::Failed(failed);
        }
        let mut before = None;
        let mut has_effect = false;
        for (part, attempt) in attempts {
            let (Some(attempt), Some(effect)) = (attempt, self.effect(script, part)) else { continue };
            let item = self.scripts[script][part].0;
            before = state.rows[item].take();
            state.rows[item] = apply(before.clone(), &attempt, effect, None);
            let facts = &mut state.facts[script];
            facts.logged[item] |= state.rows[item].is_some();
            if let (Some(row), false) = (&state.rows[item], is_fence(&attempt)) {
                let Version::Number(version) = row.seen.version else { unreachable!("a write leaves a version") };
                facts.made[item] = Some(version);
            }
            has_effect |= !is_fence(&attempt) && (before.is_some() || state.rows[item].is_some());
            match (&before, &state.rows[item]) {
                (Some(_), None) => Self::erase(state, item),
                (None, Some(_)) => self.born(state, item, attempt.id),
                _ => {}
            }
        }
        state.facts[script].applied += u8::from(has_effect);
        if self.tokens && matches!(request.sent, Sent::All(_)) {
            let place = state.completed.partition_point(|other| other < request);
            state.completed.insert(place, request.clone());
        }
        Arrived::Applied(before.filter(|_| matches!(request.sent, Sent::One(..))))
    }

    /// An item is gone, and its log with it.
    fn erase(state: &mut State, item: usize) {
        state.rows[item] = None;
        for facts in &mut state.facts {
            let was_logged = std::mem::replace(&mut facts.logged[item], false);
            facts.vanished[item] |= was_logged;
            facts.conceded |= was_logged && !facts.logged.contains(&true);
        }
    }

    /// An item is made. Where an older call made it, it tells nothing of those whose log had vanished there, and of those that have
    /// deleted what was there (3.10).
    fn born(&self, state: &mut State, item: usize, by: WriteId) {
        for (script, facts) in state.facts.iter_mut().enumerate() {
            let deletes = self.only_deletes(script) && self.scripts[script].iter().any(|(other, _)| *other == item);
            let forgets = facts.vanished[item] || (deletes && facts.applied > 0);
            facts.conceded |= forgets && by < facts.newest;
        }
    }

    fn go_on(&self, state: &mut State, run: usize, mut machine: Machine, step: Step, arrived: Option<&Arrived>) {
        let sent = state.runs[run].sent;
        let goes_on = !matches!(step, Step::Settled(_));
        let step = match step {
            step if goes_on && machine.is_fencing() && sent < self.attempts + 2 => step,
            // The bound on conflicts: a call that may not go on fails, which may take a fence.
            _ if goes_on && sent >= self.attempts && !machine.is_fencing() => machine.fail(),
            _ if goes_on && sent >= self.attempts => machine.give_up(),
            step => step,
        };
        if let Step::Renew { above } = step {
            machine.renew(Self::fresh(state, run, above));
        }
        state.runs[run].phase = match step {
            Step::Send | Step::Renew { .. } => Phase::Running(machine),
            Step::Settled(outcome) => {
                self.compare_versions(state, run, &machine, outcome, arrived);
                Phase::Ended(outcome, machine)
            }
        };
    }

    /// Holds the versions that are told against those that were made.
    fn compare_versions(
        &self,
        state: &mut State,
        run: usize,
        machine: &Machine,
        outcome: Outcome,
        arrived: Option<&Arrived>,
    ) {
        let script = state.runs[run].script;
        let (Machine::Many(transaction), Outcome::Applied | Outcome::Replayed) = (machine, outcome) else { return };
        let failed: &[_] = match arrived {
            Some(Arrived::Failed(failed)) => failed,
            _ => &[],
        };
        for part in 0..transaction.parts().len() {
            let seen = failed.iter().find(|(other, _)| *other == part).and_then(|(_, row)| Some(&row.as_ref()?.seen));
            let told = match outcome {
                Outcome::Applied => transaction.parts()[part].call().and_then(|call| call.version_made(None)),
                _ => transaction.made_by(part, seen).and_then(|(call, seen)| call.version_made(seen)),
            };
            let made = state.facts[script].made[self.scripts[script][part].0];
            let leaves_an_item = matches!(self.effect(script, part), Some(Effect::Write(_)));
            if leaves_an_item && told.is_some() && told != made && !state.facts[script].conceded {
                state.facts[script].broken = Some("the version told is not the one made");
            }
        }
    }

    fn unanswered(&self, state: &mut State, run: usize, mut machine: Machine) {
        machine.unanswered();
        state.runs[run].answered = false;
        if state.runs[run].sent >= self.attempts {
            let step = machine.give_up();
            self.go_on(state, run, machine, step, None);
        } else {
            state.runs[run].phase = Phase::Running(machine);
        }
    }

    /// Whether a property holds of all outcomes of transactions.
    fn outcomes(&self, state: &State, holds: impl Fn(usize, Outcome, u8) -> bool) -> bool {
        state.runs.iter().all(|run| match run.phase {
            Phase::Ended(outcome, _) if self.is_transaction(run.script) => {
                state.facts[run.script].conceded || holds(run.script, outcome, state.facts[run.script].applied)
            }
            _ => true,
        })
    }

    /// Whether a transaction does nothing but delete, so that it may find all of it done.
    fn only_deletes(&self, script: usize) -> bool {
        (0..self.scripts[script].len()).all(|part| matches!(self.effect(script, part), None | Some(Effect::Delete)))
    }
}

fn is_fence(attempt: &Attempt) -> bool {
    matches!(attempt.guard, Guard::Fence { .. })
}

impl State {
    fn delay(&mut self, request: Request) {
        let place = self.late.partition_point(|other| *other < request);
        self.late.insert(place, request);
    }
}

impl Model for Search {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let runs = (0..self.scripts.len())
            .map(|script| Run { script, phase: Phase::Idle, sent: 0, answered: true, last: Vec::new() })
            .collect();
        let facts = Facts {
            applied: 0,
            logged: [false; ITEMS],
            vanished: [false; ITEMS],
            newest: WriteId::NIL,
            conceded: false,
            made: [None; ITEMS],
            broken: None,
        };
        vec![State {
            rows: self.starts.map(Start::row),
            runs,
            late: Vec::new(),
            completed: Vec::new(),
            facts: vec![facts; self.scripts.len()],
            newest_id: BIRTH.0,
            faults: self.faults,
            takers: self.takers,
            expiries: self.expiries,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for (index, run) in state.runs.iter().enumerate() {
            match &run.phase {
                Phase::Idle => actions.push(Action::Start(index)),
                Phase::Running(machine) => {
                    actions.push(Action::Answer(index));
                    if self.is_transaction(run.script) && !machine.is_fencing() {
                        actions
                            .extend((0..self.scripts[run.script].len()).map(|part| Action::AnswerInPart(index, part)));
                    }
                    if state.faults > 0 {
                        actions.extend([
                            Action::AnswerTwice(index),
                            Action::LoseReply(index),
                            Action::GiveUp(index),
                            Action::Reject(index),
                            Action::Crash(index),
                        ]);
                    }
                }
                Phase::Ended(Outcome::Unknown, _) if state.takers > 0 && self.is_transaction(run.script) => {
                    actions.extend([Action::Finish(index), Action::Abort(index)]);
                }
                Phase::Ended(..) | Phase::Crashed => {}
            }
        }
        let first = |index: &usize| *index == 0 || state.late[index - 1] != state.late[*index];
        actions.extend((0..state.late.len()).filter(first).map(Action::Arrive));
        if !state.completed.is_empty() {
            actions.push(Action::Forget);
        }
        if state.expiries > 0 {
            actions.extend((0..ITEMS).filter(|item| state.rows[*item].is_some()).map(Action::Expire));
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        use Action::{
            Abort, Answer, AnswerInPart, AnswerTwice, Arrive, Crash, Expire, Finish, Forget, GiveUp, LoseReply, Reject,
            Start,
        };
        let mut state = last.clone();
        state.faults -= u8::from(action.is_fault());
        match action {
            Start(run) => {
                let id = Self::fresh(&mut state, run, WriteId::NIL);
                state.runs[run].phase = Phase::Running(self.machine(run, id));
                return Some(state);
            }
            Arrive(index) => {
                let request = state.late.remove(index);
                self.arrive(&mut state, &request);
                return Some(state);
            }
            Forget => {
                state.completed.clear();
                return Some(state);
            }
            Expire(item) => {
                state.expiries -= 1;
                Self::erase(&mut state, item);
                return Some(state);
            }
            Finish(run) | Abort(run) => {
                state.takers -= 1;
                let Run { script, phase: Phase::Ended(_, Machine::Many(transaction)), last, .. } = &last.runs[run]
                else {
                    return None;
                };
                state.runs.push(Run {
                    script: *script,
                    phase: Phase::Idle,
                    sent: 0,
                    answered: true,
                    last: last.clone(),
                });
                let (taken_up, step) = match action {
                    Finish(_) => (transaction.clone().finish(last), Step::Send),
                    _ => transaction.clone().abort(last),
                };
                let taker = state.runs.len() - 1;
                self.go_on(&mut state, taker, Machine::Many(taken_up), step, None);
                return Some(state);
            }
            Answer(_) | AnswerInPart(..) | AnswerTwice(_) | LoseReply(_) | GiveUp(_) | Reject(_) | Crash(_) => {}
        }
        let (Answer(run)
        | AnswerInPart(run, _)
        | AnswerTwice(run)
        | LoseReply(run)
        | GiveUp(run)
        | Reject(run)
        | Crash(run)) = action
        else {
            return None;
        };
        let Phase::Running(mut machine) = state.runs[run].phase.clone() else { return None };
        let request = machine.request(state.runs[run].script);
        state.runs[run].sent += 1;
        if let Sent::All(attempts) = &request.sent {
            state.runs[run].last = attempts.clone();
        }
        match action {
            AnswerTwice(_) => {
                self.arrive(&mut state, &request);
            }
            GiveUp(_) => state.delay(request.clone()),
            _ => {}
        }
        match action {
            Answer(_) | AnswerTwice(_) | AnswerInPart(..) => {
                state.runs[run].answered = true;
                let mut arrived = self.arrive(&mut state, &request);
                if let AnswerInPart(_, part) = action {
                    let Arrived::Failed(failed) = &mut arrived else { return None };
                    if failed.len() < 2 {
                        return None;
                    }
                    failed.retain(|(other, _)| *other == part);
                }
                let step = machine.answer(&arrived);
                self.go_on(&mut state, run, machine, step, Some(&arrived));
            }
            LoseReply(_) => {
                self.arrive(&mut state, &request);
                self.unanswered(&mut state, run, machine);
            }
            GiveUp(_) => self.unanswered(&mut state, run, machine),
            Reject(_) => {
                state.runs[run].answered = false;
                let step = machine.fail();
                self.go_on(&mut state, run, machine, step, None);
            }
            _ => {
                state.delay(request);
                state.runs[run].phase = Phase::Crashed;
            }
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("a transaction is applied at most once", |search: &Self, state: &State| {
                (0..search.scripts.len())
                    .filter(|script| search.is_transaction(*script))
                    .all(|script| state.facts[script].conceded || state.facts[script].applied <= 1)
            }),
            Property::always("applied and replayed mean exactly once", |search: &Self, state: &State| {
                search.outcomes(state, |script, outcome, applied| {
                    !matches!(outcome, Outcome::Applied | Outcome::Replayed)
                        || applied == 1
                        || (applied == 0 && search.only_deletes(script))
                })
            }),
            Property::always("refused means never, also later", |search: &Self, state: &State| {
                search.outcomes(state, |_, outcome, applied| {
                    !matches!(outcome, Outcome::Refused(_) | Outcome::NotApplied) || applied == 0
                })
            }),
            Property::always("the version told is the one made", |_: &Self, state: &State| {
                state.facts.iter().all(|facts| facts.broken.is_none())
            }),
            Property::always(
                "alone and answered, a transaction that updates is never unknown",
                |search: &Self, state: &State| {
                    let alone = search.scripts.len() == 1 && state.runs.len() == 1 && search.expiries == 0;
                    let has_logs = search.starts == [self::Start::Item; ITEMS];
                    let updates = |(_, verb): &(usize, Verb)| matches!(verb, Verb::Update | Verb::UpdateIfUnchanged);
                    let stays = has_logs && search.scripts[0].iter().any(updates);
                    let is_unknown = |run: &Run| run.answered && matches!(run.phase, Phase::Ended(Outcome::Unknown, _));
                    !(alone && stays && state.runs.iter().any(is_unknown))
                },
            ),
        ]
    }
}

impl Searched for Search {}

const TRANSACTIONS: [[(usize, Verb); 2]; 8] = [
    [(0, Verb::Update), (1, Verb::Update)],
    [(0, Verb::Insert), (1, Verb::Update)],
    [(0, Verb::Upsert), (1, Verb::CheckUnchanged)],
    [(0, Verb::Delete), (1, Verb::Insert)],
    [(0, Verb::UpdateIfUnchanged), (1, Verb::Delete)],
    [(0, Verb::Update), (1, Verb::CheckAbsent)],
    [(0, Verb::Upsert), (1, Verb::Upsert)],
    [(0, Verb::Delete), (1, Verb::CheckUnchanged)],
];
/// Writes of one item each that come between.
const OTHERS: [(usize, Verb); 6] =
    [(0, Verb::Update), (1, Verb::Update), (0, Verb::Insert), (1, Verb::Insert), (0, Verb::Delete), (1, Verb::Delete)];
const STARTS: [Start; 4] = [Start::Item, Start::Nothing, Start::Tombstone, Start::Foreign];

/// Runs a scope of transactions, with one rule taken away or with all of them, and stops at a violation.
#[must_use]
pub fn check_transactions(scope: Scope, without: Option<Rule>) -> Finding {
    check_all(&searches(scope), without)
}

fn searches(scope: Scope) -> Vec<Search> {
    let mut all = Vec::new();
    let is_large = scope == Scope::Large;
    let calm = Search {
        scripts: Vec::new(),
        lanes: Vec::new(),
        starts: [Start::Item; ITEMS],
        tombstones: true,
        tokens: true,
        attempts: 2,
        faults: 2,
        takers: 0,
        expiries: 0,
    };
    for transaction in TRANSACTIONS {
        let alone = vec![transaction.to_vec()];
        let beside = OTHERS.iter().map(|other| vec![transaction.to_vec(), vec![*other]]);
        let pairs = TRANSACTIONS.iter().map(|other| vec![transaction.to_vec(), other.to_vec()]);
        let usual = starts(&transaction, false);
        for starts in starts(&transaction, is_large) {
            for (tombstones, tokens) in [(true, true), (false, true), (true, false)] {
                let calm = Search { starts, tombstones, tokens, ..calm.clone() };
                if starts.contains(&Start::Tombstone) && !tombstones {
                    continue;
                }
                let with = |scripts: &[Vec<(usize, Verb)>]| Search {
                    lanes: vec![0; scripts.len()],
                    scripts: scripts.to_vec(),
                    ..calm.clone()
                };
                all.push(Search { attempts: 3, faults: 3, ..with(&alone) });
                all.push(Search { expiries: 1, takers: 1, ..with(&alone) });
                let deep = is_large && usual.contains(&starts);
                for scripts in beside.clone() {
                    all.push(with(&scripts));
                    if !tombstones {
                        all.push(Search { expiries: 1, faults: 1, ..with(&scripts) });
                    }
                    if deep && tokens {
                        all.push(Search { attempts: 3, ..with(&scripts) });
                        all.push(Search { takers: 1, faults: 1, ..with(&scripts) });
                    }
                }
                if deep && tokens {
                    all.extend(pairs.clone().map(|scripts| Search { lanes: vec![0, 1], faults: 1, ..with(&scripts) }));
                    all.extend(pairs.clone().map(|scripts| Search { faults: 1, ..with(&scripts) }));
                }
            }
        }
    }
    all
}

/// What a transaction's items may be when it begins; in a small search, those that concern it most.
fn starts(transaction: &[(usize, Verb); ITEMS], every: bool) -> Vec<[Start; ITEMS]> {
    let usual = |verb| match verb {
        Verb::Insert | Verb::CheckAbsent => Start::Nothing,
        _ => Start::Item,
    };
    let usual = transaction.map(|(_, verb)| usual(verb));
    if !every {
        return vec![usual, [Start::Item, Start::Item], [usual[0], Start::Tombstone], [Start::Foreign, usual[1]]];
    }
    STARTS.iter().flat_map(|first| STARTS.iter().map(|second| [*first, *second])).collect()
}

impl fmt::Display for Search {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scripts, lanes, starts, tombstones, tokens, attempts, faults, takers, expiries } = self;
        write!(f, "{scripts:?} on lanes {lanes:?} from {starts:?}, tombstones {tombstones}, tokens {tokens}, ")?;
        write!(f, "{attempts} attempts, {faults} faults, {takers} takers, {expiries} expiries")
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for row in &self.rows {
            match row {
                None => write!(f, "absent; ")?,
                Some(Row { seen, value }) => {
                    write!(f, "value {value}, {:?}, tombstone {}, ", seen.version, seen.tombstone)?;
                    let heads = seen.log().map(|log| log.lanes.iter().map(|lane| lane.head.0).collect::<Vec<_>>());
                    write!(f, "birth {:?} {heads:?}; ", seen.log().map(|log| log.birth.0))?;
                }
            }
        }
        for run in &self.runs {
            match &run.phase {
                Phase::Running(machine) => write!(f, "{:?}; ", machine.request(run.script).sent)?,
                Phase::Ended(outcome, _) => write!(f, "{outcome:?}; ")?,
                Phase::Idle | Phase::Crashed => write!(f, "idle or crashed; ")?,
            }
        }
        write!(f, "late {:?}\n    ", self.late)
    }
}
