//! The workload: which call comes next, on which key.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::history::{Change, Heat, Verb};
use crate::options::{Options, Switch};

/// A call to be made.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) verb: Verb,
    pub(crate) key: String,
    pub(crate) heat: Heat,
    pub(crate) change: Change,
}

/// One writer's part of the workload; the same seed and number give the same part.
#[derive(Debug)]
pub(crate) struct Writer {
    number: usize,
    made: usize,
    scale: Scale,
    deletes: Switch,
    random: fastrand::Rng,
    races: Arc<AtomicUsize>,
}

/// How many keys of each sort there are.
#[derive(Debug, Clone, Copy)]
struct Scale {
    writers: usize,
    /// Keys of each sort on which calls rarely meet.
    cold: usize,
}

/// Few enough that calls of all writers meet on them all the time.
const HOT: usize = 4;
/// Calls on a cold key, on an average.
const CALLS_ON_A_COLD_KEY: usize = 10;

/// What numbers are set to lies below it.
const HEIGHT: i64 = 1_000_000;

/// The keys that are there from the start: those of `reborn` items come and go.
const SORTS: [&str; 2] = ["counter", "item"];

/// The whole workload: the plans that make the items it starts from, and the writers.
pub(crate) fn workload(options: &Options) -> (Vec<Plan>, Vec<Writer>) {
    let (calls, writers) = (options.ops as usize, options.writers.into());
    let scale = Scale { writers, cold: (calls / CALLS_ON_A_COLD_KEY / 4).max(1) };
    let setup = SORTS.iter().flat_map(|sort| {
        let keys = [(Heat::Hot, HOT), (Heat::Cold, scale.cold)];
        keys.into_iter().flat_map(|(heat, count)| (0..count).map(move |index| (heat, index))).map(|(heat, index)| {
            Plan { verb: Verb::Setup, key: key(sort, heat, index), heat, change: Change::Put { number: 0 } }
        })
    });
    let races = Arc::new(AtomicUsize::new(0));
    let writer = |number| Writer {
        number,
        made: 0,
        scale,
        deletes: options.deletes,
        random: fastrand::Rng::with_seed(options.seed.wrapping_mul(1_000_003).wrapping_add(number as u64)),
        races: Arc::clone(&races),
    };
    (setup.collect(), (0..writers).map(writer).collect())
}

impl Writer {
    pub(crate) fn next(&mut self) -> Plan {
        self.made += 1;
        match self.random.usize(0..100) {
            0..36 => {
                let key = format!("new-{}-{}", self.number, self.made);
                Plan { verb: Verb::Insert, key, heat: Heat::Cold, change: self.whole() }
            }
            36..41 => {
                // So many inserts in a row, of whichever writers, are for one key.
                let race = self.races.fetch_add(1, Ordering::Relaxed) / self.scale.writers.clamp(2, 4);
                Plan { verb: Verb::RacedInsert, key: format!("race-{race}"), heat: Heat::Hot, change: self.whole() }
            }
            41..55 => self.on("counter", 50, Verb::Update, Change::Add { delta: 1 }),
            55..59 => {
                // Upserts give items numbers up to the same height, so that it holds now and then.
                let at_least = self.random.i64(0..HEIGHT);
                self.on("item", 60, Verb::UpdateWhen, Change::AddIf { delta: -1, at_least })
            }
            59..74 => self.on_some("item", 25, Verb::Save),
            74..82 => self.on_some("item", 60, Verb::Modify),
            82..86 => self.on_some("item", 40, Verb::Upsert),
            86.. if self.deletes == Switch::Off => self.on_some("item", 25, Verb::Save),
            86..90 => self.on_some("reborn", 35, Verb::Insert),
            90..92 => self.on_some("reborn", 35, Verb::Upsert),
            92..94 => self.on_some("reborn", 35, Verb::Update),
            94..97 => self.on_some("reborn", 35, Verb::Delete),
            _ => self.on_some("reborn", 35, Verb::DeleteAt),
        }
    }

    fn on_some(&mut self, sort: &str, hot_percent: usize, verb: Verb) -> Plan {
        let change = match verb {
            Verb::Delete | Verb::DeleteAt => Change::Remove,
            Verb::Insert | Verb::Upsert => self.whole(),
            _ => Change::Add { delta: self.random.i64(1..10) },
        };
        self.on(sort, hot_percent, verb, change)
    }

    fn on(&mut self, sort: &str, hot_percent: usize, verb: Verb, change: Change) -> Plan {
        let (heat, count) =
            if self.random.usize(0..100) < hot_percent { (Heat::Hot, HOT) } else { (Heat::Cold, self.scale.cold) };
        let index = self.random.usize(0..count);
        Plan { verb, key: key(sort, heat, index), heat, change }
    }

    fn whole(&mut self) -> Change {
        Change::Put { number: self.random.i64(0..HEIGHT) }
    }
}

impl Plan {
    /// The insert to make where what the plan would change or delete isn't there.
    pub(crate) fn instead(&self) -> Self {
        Self { verb: Verb::Insert, change: Change::Put { number: 0 }, ..self.clone() }
    }
}

fn key(sort: &str, heat: Heat, index: usize) -> String {
    let heat = match heat {
        Heat::Hot => "hot",
        Heat::Cold => "cold",
    };
    format!("{sort}-{heat}-{index}")
}
