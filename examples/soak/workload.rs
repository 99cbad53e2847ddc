//! The workload: which call comes next, on which key.

use crate::history::{Change, Moment, Plan, Verb};

/// One task's part of the workload.
#[derive(Debug)]
pub(crate) struct Writer {
    name: String,
    made: usize,
    random: fastrand::Rng,
}

/// Few enough that calls of all processes meet on them all the time.
const HOT: usize = 2;
const COLD: usize = 200;

/// After so long other keys are written, so that items stay small, and none is written for ever.
const TERM: Moment = 5_000_000_000;

impl Writer {
    pub(crate) fn new(seed: u64, client: u32, number: u32) -> Self {
        let random = fastrand::Rng::with_seed(
            seed.wrapping_mul(1_000_003).wrapping_add(u64::from(client) << 32).wrapping_add(number.into()),
        );
        Self { name: format!("{client}-{number}"), made: 0, random }
    }

    pub(crate) fn next(&mut self, now: Moment) -> Plan {
        self.made += 1;
        let term = now / TERM;
        match self.random.usize(0..100) {
            0..25 => Plan { verb: Verb::Insert, key: format!("new-{}-{}", self.name, self.made), change: self.whole() },
            25..30 => {
                let key = format!("race-{term}-{}", self.random.usize(0..20));
                Plan { verb: Verb::Insert, key, change: self.whole() }
            }
            30..45 => self.on("counter", term, 50, Verb::Update, Change::Add { delta: 1 }),
            45..50 => {
                let at_least = self.random.i64(0..2 * HEIGHT);
                self.on("item", term, 60, Verb::UpdateWhen, Change::AddIf { delta: 1, at_least })
            }
            50..62 => self.change("item", term, 25, Verb::Save),
            62..72 => self.change("item", term, 60, Verb::Modify),
            72..79 => self.change("reborn", term, 35, Verb::Insert),
            79..84 => self.change("reborn", term, 35, Verb::Upsert),
            84..90 => self.change("reborn", term, 35, Verb::Update),
            90..95 => self.change("reborn", term, 35, Verb::Delete),
            _ => self.change("reborn", term, 35, Verb::DeleteAt),
        }
    }

    fn change(&mut self, sort: &str, term: u64, hot_percent: usize, verb: Verb) -> Plan {
        let change = match verb {
            Verb::Delete | Verb::DeleteAt => Change::Remove,
            Verb::Insert | Verb::Upsert => self.whole(),
            _ => Change::Add { delta: self.random.i64(1..10) },
        };
        self.on(sort, term, hot_percent, verb, change)
    }

    fn on(&mut self, sort: &str, term: u64, hot_percent: usize, verb: Verb, change: Change) -> Plan {
        let (heat, count) = if self.random.usize(0..100) < hot_percent { ("hot", HOT) } else { ("cold", COLD) };
        Plan { verb, key: format!("{sort}-{term}-{heat}-{}", self.random.usize(0..count)), change }
    }

    fn whole(&mut self) -> Change {
        Change::Put { number: self.random.i64(0..HEIGHT) }
    }
}

impl Plan {
    /// The insert to make where what the plan would change isn't there.
    pub(crate) fn instead(&self) -> Self {
        Self { verb: Verb::Insert, key: self.key.clone(), change: Change::Put { number: 0 } }
    }
}

/// What numbers are set to lies below it.
const HEIGHT: i64 = 100;
