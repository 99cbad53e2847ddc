//! The search: calls, a table, and a network that loses, delays and repeats.

use std::collections::BTreeSet;
use std::fmt;

use stateright::{Model, Property};

use crate::protocol::call::{Attempt, Call, Outcome, Step};
use crate::protocol::guard::{Birth, Expect, Guard};
use crate::protocol::log::{History, KeyStamp, Lane, Log, Seen, Version, WriteId};
use crate::protocol::verdict::Refusal;
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
    Foreign,
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
    row: Option<Row>,
    runs: Vec<Run>,
    /// Requests that their callers have given up, and that may still arrive.
    late: BTreeSet<(usize, Attempt)>,
    facts: Vec<Facts>,
    newest_id: u128,
    foreign_puts: u8,
    expiries: u8,
    takers: u8,
    faults: u8,
    last_version: u64,
    broken: Option<&'static str>,
}

/// One process that works on a call: the first, or one that takes up its unknown outcome.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Run {
    op: usize,
    phase: Phase,
    sent: u8,
    /// Whether the last attempt got an answer from the table.
    answered: bool,
    /// The last attempt of the call's own, fences aside.
    last: Option<Attempt>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Phase {
    Idle,
    Running(Call),
    Ended(Outcome, Call),
    Crashed,
}

/// What really happened to a call, whatever it believes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
struct Facts {
    effects: u8,
    made: Option<u64>,
    /// The item vanished, log and all, while this call was about.
    conceded: bool,
    /// The item was deleted or vanished, which ends the promise of a keyed insert.
    deleted: bool,
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
    /// The caller gives the attempt up; the request may arrive later, or never.
    GiveUp(usize),
    /// An error that ends the call is the answer.
    Reject(usize),
    /// The process ends; its request may arrive later, or never.
    Crash(usize),
    Arrive(usize),
    Finish(usize),
    Abort(usize),
    ForeignPut,
    Expire,
}

/// Faults as often as there are attempts.
pub(crate) const UNBOUNDED: u8 = u8::MAX;

const BIRTH: WriteId = WriteId(2 * SPREAD);
/// Ids are told apart by their remainder: which process made them.
const SPREAD: u128 = 16;

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
    fn initial_row(&self) -> Option<Row> {
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
        };
        Some(Row { seen, value: 0 })
    }

    fn expect(&self, op: usize) -> Expect {
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

    fn effect(&self, op: usize) -> Effect {
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
    fn arrive(&self, state: &mut State, op: usize, attempt: &Attempt) -> (bool, Option<Row>) {
        let before = state.row.clone();
        let fence = is_fence(attempt);
        let allowed = attempt.guard.allows(attempt.id, attempt.lane, before.as_ref().map(|row| &row.seen));
        let wanted =
            fence || self.calls[op].0.only_if.is_none_or(|value| before.as_ref().is_some_and(|row| row.value == value));
        if !(allowed && wanted) {
            return (false, before);
        }
        let effect = self.effect(op);
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
            None => self.erased(state),
        }
        if effect == Effect::Bury || effect == Effect::Delete {
            for facts in &mut state.facts {
                facts.deleted = true;
            }
        }
        (true, before)
    }

    /// The log is gone. From then on the promise is conceded (3.10) to calls that were about, unless they name the birth
    /// of the item that they expect.
    fn erased(&self, state: &mut State) {
        state.last_version = 0;
        for facts in &mut state.facts {
            facts.deleted = true;
        }
        for run in &state.runs {
            let names_birth = matches!(self.expect(run.op), Expect::At { birth: Birth::Known(_), .. });
            if run.phase != Phase::Idle && !names_birth {
                state.facts[run.op].conceded = true;
            }
        }
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
                if claims && own && !state.facts[op].conceded {
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
        let (applied, before) = self.arrive(state, state.runs[run].op, &call.attempt());
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
            .map(|op| Run { op, phase: Phase::Idle, sent: 0, answered: true, last: None })
            .collect();
        vec![State {
            row: self.initial_row(),
            runs,
            late: BTreeSet::new(),
            facts: vec![Facts::default(); self.calls.len()],
            newest_id: BIRTH.0,
            foreign_puts: self.foreign_puts,
            expiries: self.expiries,
            takers: self.takers,
            faults: self.faults,
            last_version: u64::from(self.start != Start::Nothing && self.start != Start::Foreign),
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
        actions.extend((0..state.late.len()).map(Action::Arrive));
        if state.foreign_puts > 0 {
            actions.push(Action::ForeignPut);
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
                state.runs[run].phase = Phase::Running(call);
            }
            Action::Answer(run) => {
                let call = running(&mut state, run);
                self.answer(&mut state, run, call);
            }
            Action::AnswerTwice(run) => {
                let call = running(&mut state, run);
                let op = state.runs[run].op;
                self.arrive(&mut state, op, &call.attempt());
                self.answer(&mut state, run, call);
            }
            Action::LoseReply(run) => {
                let call = running(&mut state, run);
                let op = state.runs[run].op;
                self.arrive(&mut state, op, &call.attempt());
                self.unanswered(&mut state, run, call);
            }
            Action::GiveUp(run) => {
                let call = running(&mut state, run);
                state.late.insert((state.runs[run].op, call.attempt()));
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
                state.late.insert((state.runs[run].op, call.attempt()));
                state.runs[run].phase = Phase::Crashed;
            }
            Action::Arrive(index) => {
                let request = *state.late.iter().nth(index)?;
                state.late.remove(&request);
                self.arrive(&mut state, request.0, &request.1);
            }
            Action::Finish(run) => {
                state.takers -= 1;
                let Phase::Ended(_, call) = state.runs[run].phase.clone() else { return None };
                let (op, last) = (state.runs[run].op, state.runs[run].last);
                let call = call.finish(&last.expect("an unknown outcome was sent"));
                state.runs.push(Run { op, phase: Phase::Running(call), sent: 0, answered: true, last });
            }
            Action::Abort(run) => {
                state.takers -= 1;
                let Phase::Ended(_, call) = state.runs[run].phase.clone() else { return None };
                let (op, last) = (state.runs[run].op, state.runs[run].last);
                let (call, step) = call.abort(&last.expect("an unknown outcome was sent"), self.tombstones);
                state.runs.push(Run { op, phase: Phase::Idle, sent: 0, answered: true, last });
                let taker = state.runs.len() - 1;
                self.go_on(&mut state, taker, call, step, None);
            }
            Action::ForeignPut => {
                state.foreign_puts -= 1;
                self.erased(&mut state);
                state.row = Some(Row {
                    seen: Seen { version: Version::Absent, history: History::Foreign, tombstone: false },
                    value: 0,
                });
            }
            Action::Expire => {
                state.expiries -= 1;
                self.erased(&mut state);
                state.row = None;
            }
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("an effect happens at most once", |search: &Self, state: &State| {
                (0..search.calls.len()).all(|op| state.facts[op].conceded || search.effects(state, op) <= 1)
            }),
            Property::always("applied and replayed mean exactly once", |search: &Self, state: &State| {
                state.ended().all(|(op, outcome)| {
                    let gone_is_success = outcome == Outcome::Applied && search.calls[op].0.expect == Wants::Deleted;
                    !matches!(outcome, Outcome::Applied | Outcome::Replayed)
                        || state.facts[op].conceded
                        || search.effects(state, op) == 1
                        || (gone_is_success && search.effects(state, op) == 0)
                })
            }),
            Property::always("refused means never, also later", |_: &Self, state: &State| {
                state.ended().all(|(op, outcome)| {
                    // Gone is success: what a delete found gone may have come to life by an older call since.
                    !matches!(outcome, Outcome::Refused(_) | Outcome::NotApplied)
                        || outcome == Outcome::Refused(Refusal::Gone)
                        || state.facts[op].conceded
                        || state.facts[op].effects == 0
                })
            }),
            Property::always("versions grow, and the version told is the one made", |_: &Self, state: &State| {
                state.broken.is_none()
            }),
            Property::always("alone and answered, a call is never unknown", |search: &Self, state: &State| {
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
            Property::always("gone is refused to those only who wanted it gone", |search: &Self, state: &State| {
                state.ended().all(|(op, outcome)| {
                    outcome != Outcome::Refused(Refusal::Gone) || search.calls[op].0.expect == Wants::Deleted
                })
            }),
        ]
    }
}

impl Search {
    /// How often a call's effect happened; calls with one idempotency key count as one, for as long as the item isn't
    /// deleted.
    fn effects(&self, state: &State, op: usize) -> u8 {
        match self.calls[op].0.keyed {
            Some(keyed) if !state.facts[op].deleted => (0..self.calls.len())
                .filter(|other| self.calls[*other].0.keyed.is_some_and(|other| other.key == keyed.key))
                .map(|other| state.facts[other].effects)
                .sum(),
            Some(_) if state.facts[op].effects == 0 => 1,
            _ => state.facts[op].effects,
        }
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
    fn ended(&self) -> impl Iterator<Item = (usize, Outcome)> {
        self.runs.iter().filter_map(|run| match run.phase {
            Phase::Ended(outcome, _) => Some((run.op, outcome)),
            _ => None,
        })
    }
}
