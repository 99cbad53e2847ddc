//! Which searches make up a scope, and running them.

use std::fmt::{self, Debug};
use std::hash::Hash;
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use stateright::{Checker, Model};

use crate::protocol::log::KeyStamp;
use crate::protocol::rules::{Rule, take_away};
use crate::search::{Clocks, Does, Search, Start, UNBOUNDED, Verb, Wants};

/// How much is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scope {
    /// Pairs of calls; seconds.
    Small,
    /// Pairs with more attempts, takers of unknown outcomes, and triples; minutes.
    Large,
}

/// What a scope showed.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Finding {
    /// How many searches ran.
    pub searches: usize,
    /// How many distinct states they visited.
    pub states: usize,
    /// The first broken property, with the path to it.
    pub violation: Option<String>,
}

const KEY: KeyStamp = KeyStamp { key: [1; 8], content: [1; 8] };
const OTHER_CONTENT: KeyStamp = KeyStamp { key: [1; 8], content: [2; 8] };

const fn verb(name: &'static str, expect: Wants, effect: Does, keyed: Option<KeyStamp>, only_if: Option<u8>) -> Verb {
    Verb { name, expect, effect, keyed, only_if }
}

const INSERT: Verb = verb("insert", Wants::Absent, Does::Write, None, None);
const KEYED: Verb = verb("insert keyed", Wants::Absent, Does::Write, Some(KEY), None);
const KEYED_OTHER: Verb = verb("insert keyed, other content", Wants::Absent, Does::Write, Some(OTHER_CONTENT), None);
const UPSERT: Verb = verb("upsert", Wants::Any, Does::Write, None, None);
const UPDATE: Verb = verb("update", Wants::Exists, Does::Write, None, None);
const UPDATE_IF: Verb = verb("update if", Wants::Exists, Does::Write, None, Some(1));
const UPDATE_IF_0: Verb = verb("update if unchanged", Wants::Exists, Does::Write, None, Some(0));
const SAVE: Verb = verb("save", Wants::AsRead, Does::Write, None, None);
const UPDATE_AT: Verb = verb("update at a bare version", Wants::BareVersion, Does::Write, None, None);
const DELETE: Verb = verb("delete", Wants::Deleted, Does::Delete, None, None);
const DELETE_AT: Verb = verb("delete at", Wants::AsRead, Does::Delete, None, None);

const UPDATE_OR_INSERT: Verb = verb("update or insert", Wants::Either, Does::Write, None, None);

const VERBS: [Verb; 12] = [
    INSERT,
    KEYED,
    KEYED_OTHER,
    UPSERT,
    UPDATE_OR_INSERT,
    UPDATE,
    UPDATE_IF,
    UPDATE_IF_0,
    SAVE,
    UPDATE_AT,
    DELETE,
    DELETE_AT,
];
/// One of each kind, for searches that grow fast.
const CORE: [Verb; 4] = [INSERT, UPSERT, UPDATE_IF, DELETE];
/// Those that a vanished or overwritten log concerns: by the birth, by the version, by nothing.
const LOGLESS: [Verb; 5] = [INSERT, UPSERT, UPDATE, SAVE, UPDATE_AT];
const STARTS: [Start; 5] = [Start::Nothing, Start::Item, Start::Foreign, Start::ForeignVersion, Start::Tombstone];

/// Runs a scope of writes, with one rule taken away or with all of them, and stops at a violation.
#[must_use]
pub fn check(scope: Scope, without: Option<Rule>) -> Finding {
    check_all(&searches(scope), without)
}

/// What can be searched, and said what was found.
pub(crate) trait Searched:
    Model<
        State: Clone + PartialEq + Hash + Debug + fmt::Display + Send + Sync,
        Action: Clone + PartialEq + Hash + Debug + Send + Sync,
    > + Clone
    + fmt::Display
    + Send
    + Sync
    + 'static
{
}

impl Searched for Search {}

/// Runs searches until one finds a violation.
pub(crate) fn check_all<S: Searched>(searches: &[S], without: Option<Rule>) -> Finding {
    take_away(without);
    let next = AtomicUsize::new(0);
    let finding = Mutex::new(Finding::default());
    // Most searches are small, so that they run side by side rather than each on many threads.
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, NonZero::get) {
            scope.spawn(|| {
                while let Some(search) = searches.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let (states, violation) = run(search);
                    let mut finding = finding.lock().unwrap_or_else(PoisonError::into_inner);
                    finding.searches += 1;
                    finding.states += states;
                    if violation.is_some() {
                        finding.violation = violation;
                        next.store(searches.len(), Ordering::Relaxed);
                    }
                }
            });
        }
    });
    take_away(None);
    finding.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// How many states a search visits, and the path to what it finds broken.
fn run<S: Searched>(search: &S) -> (usize, Option<String>) {
    let checker = search.clone().checker().threads(1).spawn_bfs().join();
    let violation = checker.discoveries().into_iter().next().map(|(property, path)| {
        let steps: Vec<_> = path.into_vec().iter().map(|(state, action)| format!("\n  {state}{action:?}")).collect();
        format!("{search}\n  broken: {property}{}", steps.concat())
    });
    (checker.unique_state_count(), violation)
}

/// What a call of a scope meets besides other calls.
#[derive(Debug, Clone, Copy)]
struct Weather {
    attempts: u8,
    foreign_puts: u8,
    expiries: u8,
    takers: u8,
    faults: u8,
}

const CALM: Weather = Weather { attempts: 2, foreign_puts: 0, expiries: 0, takers: 0, faults: UNBOUNDED };
const PATIENT: Weather = Weather { attempts: 3, ..CALM };
const TAKEN_UP: Weather = Weather { takers: 2, ..CALM };
/// A tombstone expires, or a live item, while its unknown outcome waits to be taken up.
const FORGOTTEN: Weather = Weather { takers: 1, expiries: 1, ..CALM };
const FOREIGN: Weather = Weather { foreign_puts: 1, ..CALM };
const EXPIRING: Weather = Weather { expiries: 1, ..CALM };

/// For searches of three calls.
const TWO_FAULTS: Weather = Weather { faults: 2, ..PATIENT };

const SKEWED: [Clocks; 2] = [Clocks::Ranks([1, 3, 0]), Clocks::Ranks([3, 1, 0])];

fn searches(scope: Scope) -> Vec<Search> {
    let singles: Vec<_> = VERBS.iter().map(|&verb| vec![(verb, 0)]).collect();
    let mut all = Vec::new();
    let alone = |most: u8| {
        let weathers =
            [PATIENT, TAKEN_UP, FORGOTTEN, FOREIGN, EXPIRING].map(|weather| Weather { faults: most, ..weather });
        weathers
            .into_iter()
            .flat_map(|weather| with(&singles, weather, &[Clocks::Agree, SKEWED[0]]))
            .collect::<Vec<_>>()
    };
    match scope {
        Scope::Small => {
            for weather in [FOREIGN, EXPIRING] {
                all.extend(with(&pairs(&LOGLESS, [0, 1]), Weather { faults: 2, ..weather }, &[Clocks::Agree]));
            }
            let vanishing = Weather { attempts: 3, faults: 2, ..EXPIRING };
            all.extend(with(&pairs(&[UPSERT, UPDATE], [0, 0]), vanishing, &[Clocks::Agree]));
            let taken_up = Weather { takers: 1, faults: 2, ..CALM };
            all.extend(with(&pairs(&[INSERT, UPDATE_OR_INSERT, DELETE, SAVE], [0, 0]), taken_up, &[Clocks::Agree]));
            all.extend(alone(3));
            all.extend(with(&pairs(&VERBS, [0, 0]), CALM, &[Clocks::Agree, SKEWED[0]]));
        }
        Scope::Large => {
            all.extend(alone(5));
            all.extend(with(&singles, Weather { attempts: 3, faults: 3, ..TAKEN_UP }, &[Clocks::Agree]));
            all.extend(with(&pairs(&VERBS, [0, 0]), Weather { takers: 1, faults: 3, ..CALM }, &[Clocks::Agree]));
            for lanes in [[0, 0], [0, 1]] {
                let patient = Weather { faults: 4, ..PATIENT };
                all.extend(with(&pairs(&VERBS, lanes), patient, &[Clocks::Agree, SKEWED[0], SKEWED[1]]));
                for weather in [FOREIGN, EXPIRING].map(|weather| Weather { faults: 3, ..weather }) {
                    all.extend(with(&pairs(&VERBS, lanes), weather, &[Clocks::Agree, SKEWED[1]]));
                }
            }
            all.extend(with(&triples(&CORE), TWO_FAULTS, &[Clocks::Agree]));
        }
    }
    all
}

fn pairs(verbs: &[Verb], lanes: [u8; 2]) -> Vec<Vec<(Verb, u8)>> {
    let mut pairs = Vec::new();
    for (index, &first) in verbs.iter().enumerate() {
        pairs.extend(verbs[index..].iter().map(|&second| vec![(first, lanes[0]), (second, lanes[1])]));
    }
    pairs
}

fn triples(verbs: &[Verb]) -> Vec<Vec<(Verb, u8)>> {
    let mut triples = Vec::new();
    for (index, &first) in verbs.iter().enumerate() {
        for rest in pairs(&verbs[index..], [0, 0]) {
            triples.push([vec![(first, 0)], rest].concat());
        }
    }
    triples
}

fn with(scripts: &[Vec<(Verb, u8)>], weather: Weather, clocks: &[Clocks]) -> Vec<Search> {
    let Weather { attempts, foreign_puts, expiries, takers, faults } = weather;
    let mut all = Vec::new();
    for calls in scripts {
        for start in STARTS {
            for &clocks in clocks {
                for tombstones in [true, false] {
                    // A version of another program's matters to calls alone, and where that program goes on.
                    let tells = start != Start::ForeignVersion || foreign_puts > 0 || calls.len() == 1;
                    if tells && (start != Start::Tombstone || tombstones) {
                        let calls = calls.clone();
                        all.push(Search {
                            calls,
                            start,
                            clocks,
                            tombstones,
                            attempts,
                            foreign_puts,
                            expiries,
                            takers,
                            faults,
                        });
                    }
                }
            }
        }
    }
    all
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} searches, {} states, ", self.searches, self.states)?;
        match &self.violation {
            None => write!(f, "no violation"),
            Some(violation) => write!(f, "{violation}"),
        }
    }
}

impl fmt::Display for Search {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (verb, lane) in &self.calls {
            write!(f, "{} on lane {lane}, ", verb.name)?;
        }
        write!(f, "from {:?}, {:?}, tombstones {}", self.start, self.clocks, self.tombstones)?;
        write!(
            f,
            ", {} attempts, {} foreign, {} expiries, {} takers",
            self.attempts, self.foreign_puts, self.expiries, self.takers
        )
    }
}
