//! The report: a table by verb, and the history behind what is wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::Serialize;

use crate::checker::{Counter, Fault, Finding, Findings};
use crate::history::{Call, Did, Heat, History, Moment, Token, Told, Verb};
use crate::options::Options;
use crate::run::Run;

#[derive(Debug, Serialize)]
pub(crate) struct Report {
    client: &'static str,
    ops: u32,
    writers: u16,
    processes: u16,
    seed: u64,
    tombstones: bool,
    rates: Vec<(String, f64)>,
    seconds: f64,
    faults: usize,
    verbs: Vec<Row>,
    all: Row,
    cold_calls: usize,
    unknown_on_cold_keys: usize,
    counters: Counters,
    unexplained: usize,
    found: Vec<Found>,
    /// Whether every promise was kept.
    kept: bool,
}

/// What was found, in words, and how often.
#[derive(Debug, Serialize)]
struct Found {
    fault: &'static str,
    what: &'static str,
    count: usize,
}

#[derive(Debug, Default, Serialize)]
struct Row {
    verb: &'static str,
    calls: usize,
    applied: usize,
    replayed: usize,
    refused: usize,
    gave_up: usize,
    unknown: usize,
    requests: usize,
    /// Calls whose change was made.
    committed: usize,
    false_refusals: usize,
    double_effects: usize,
    lost_writes: usize,
    refused_then_applied: usize,
    conceded: usize,
}

#[derive(Debug, Serialize)]
struct Counters {
    keys: usize,
    acknowledged: i64,
    unknown: i64,
    counted: i64,
    /// The one that is too high by most.
    highest: Option<(String, f64)>,
}

impl Report {
    pub(crate) fn of(options: &Options, run: &Run, findings: &Findings) -> Self {
        let history = &run.history;
        let changed: BTreeSet<Token> = history
            .deliveries
            .iter()
            .filter(|delivery| delivery.did == Did::Apply)
            .map(|delivery| delivery.token)
            .collect();
        let row = |name, wanted: &dyn Fn(Verb) -> bool| Row::of(name, wanted, history, &changed, findings);
        let cold: Vec<&Call> =
            history.calls.values().filter(|call| call.verb != Verb::Setup && call.heat == Heat::Cold).collect();
        Self {
            client: options.client.name(),
            ops: options.ops,
            writers: options.writers,
            processes: options.processes,
            seed: options.seed,
            tombstones: options.tombstones(),
            rates: options.given.named(),
            seconds: run.took.as_secs_f64(),
            faults: run.faults,
            verbs: Verb::COUNTED.iter().map(|verb| row(verb.name(), &|other| other == *verb)).collect(),
            all: row("all", &|verb| verb != Verb::Setup),
            cold_calls: cold.len(),
            unknown_on_cold_keys: cold.iter().filter(|call| is_unknown(call)).count(),
            counters: Counters::of(&findings.counters),
            unexplained: findings.count(Fault::Unexplained),
            found: Found::of(findings),
            kept: findings.kept(),
        }
    }

    pub(crate) fn kept(&self) -> bool {
        self.kept
    }

    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        let tombstones = if self.tombstones { "on" } else { "off" };
        let rates =
            self.rates.iter().map(|(name, rate)| format!("{name} {}", percent(*rate))).collect::<Vec<_>>().join(", ");
        let _ = writeln!(
            text,
            "{}: {} calls by {} writers of {} in {:.1} s, seed {}, tombstones {tombstones}",
            self.client,
            self.ops,
            self.writers,
            plural(self.processes.into(), "client"),
            self.seconds,
            self.seed,
        );
        let _ = writeln!(text, "{} of {} requests met a fault: {rates}\n", self.faults, self.all.requests);
        text.push_str(&table(self.verbs.iter().chain([&self.all])));
        let share = |part: usize, whole: usize| percent(part as f64 / whole.max(1) as f64);
        let _ = writeln!(
            text,
            "\nunknown on cold keys: {} of {} calls, {}",
            self.unknown_on_cold_keys,
            self.cold_calls,
            share(self.unknown_on_cold_keys, self.cold_calls)
        );
        let _ = writeln!(text, "false refusals: {} of all calls", share(self.all.false_refusals, self.all.calls));
        let Counters { keys, acknowledged, unknown, counted, highest } = &self.counters;
        let most = acknowledged + unknown;
        let _ = write!(
            text,
            "counters: {keys}, which counted {counted} for {acknowledged} acknowledged increments and {unknown} unknown: {} too high",
            percent((counted - most).max(0) as f64 / most.max(1) as f64)
        );
        let _ = match highest {
            Some((key, excess)) => writeln!(text, ", {key} by {}", percent(*excess)),
            None => writeln!(text),
        };
        if !self.found.is_empty() {
            text.push_str("\nfound:\n");
        }
        for Found { fault, what, count } in &self.found {
            let _ = writeln!(text, "{count:>6}  {fault}: {what}");
        }
        let verdict = if self.kept { "Every promise was kept." } else { "Promises were broken." };
        let _ = writeln!(text, "\n{verdict}");
        text
    }
}

impl Row {
    fn of(
        verb: &'static str,
        wanted: &dyn Fn(Verb) -> bool,
        history: &History,
        changed: &BTreeSet<Token>,
        findings: &Findings,
    ) -> Self {
        let mut row = Self { verb, ..Self::default() };
        for (token, call) in history.calls.iter().filter(|(_, call)| wanted(call.verb)) {
            row.calls += 1;
            row.requests += call.requests;
            row.committed += usize::from(changed.contains(token));
            *match call.told.map(|(told, _)| told) {
                Some(Told::Applied) => &mut row.applied,
                Some(Told::Replayed) => &mut row.replayed,
                Some(Told::Refused(_)) => &mut row.refused,
                Some(Told::GaveUp) => &mut row.gave_up,
                Some(Told::Unknown) | None => &mut row.unknown,
            } += 1;
        }
        let verb_of = |finding: &Finding| Some(history.calls.get(&finding.token)?.verb);
        for finding in findings.all.iter().filter(|finding| verb_of(finding).is_some_and(wanted)) {
            match finding.fault {
                Fault::FalseRefusal => row.false_refusals += 1,
                Fault::DoubleEffect => row.double_effects += 1,
                Fault::LostWrite => row.lost_writes += 1,
                Fault::RefusedThenApplied => row.refused_then_applied += 1,
                Fault::Conceded => row.conceded += 1,
                Fault::Unexplained => {}
            }
        }
        row
    }

    fn cells(&self) -> Vec<String> {
        let ratio = match self.committed {
            0 => "-".to_owned(),
            committed => format!("{:.2}", self.requests as f64 / committed as f64),
        };
        let counts = [self.calls, self.applied, self.replayed, self.refused, self.gave_up, self.unknown, self.requests];
        let findings =
            [self.false_refusals, self.double_effects, self.lost_writes, self.refused_then_applied, self.conceded];
        let cells =
            counts.iter().map(ToString::to_string).chain([ratio]).chain(findings.iter().map(ToString::to_string));
        std::iter::once(self.verb.to_owned()).chain(cells).collect()
    }
}

const HEADS: [[&str; 14]; 2] = [
    ["", "", "", "", "", "gave", "", "", "requests", "false", "double", "lost", "refused,", ""],
    [
        "verb",
        "calls",
        "applied",
        "replayed",
        "refused",
        "up",
        "unknown",
        "requests",
        "/committed",
        "refusals",
        "effects",
        "writes",
        "applied",
        "conceded",
    ],
];

fn table<'r>(rows: impl Iterator<Item = &'r Row>) -> String {
    let heads = HEADS.iter().map(|head| head.iter().map(|cell| (*cell).to_owned()).collect());
    let lines: Vec<Vec<String>> = heads.chain(rows.map(Row::cells)).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].len()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..HEADS[0].len()).map(width).collect();
    let mut text = String::new();
    for line in &lines {
        let mut row = format!("{:<1$}", line[0], widths[0]);
        for (cell, width) in line.iter().zip(&widths).skip(1) {
            let _ = write!(row, "  {cell:>width$}");
        }
        text.push_str(row.trim_end());
        text.push('\n');
    }
    text
}

impl Counters {
    fn of(counters: &[Counter]) -> Self {
        let sum = |of: fn(&Counter) -> i64| counters.iter().map(of).sum();
        // Of a cold one, a single increment is a large share.
        let hot = counters.iter().filter(|counter| counter.heat == Heat::Hot && counter.excess() > 0.0);
        let highest = hot.max_by(|a, b| a.excess().total_cmp(&b.excess()));
        Self {
            keys: counters.len(),
            acknowledged: sum(|counter| counter.acknowledged),
            unknown: sum(|counter| counter.unknown),
            counted: sum(|counter| counter.counted),
            highest: highest.map(|counter| (counter.key.clone(), counter.excess())),
        }
    }
}

/// What happened on the key of a finding, from the first to the last that concerns its call.
pub(crate) fn explain(history: &History, finding: &Finding) -> String {
    let mut events: Vec<(Moment, Token, String)> = Vec::new();
    for (token, call) in history.calls.iter().filter(|(_, call)| call.key == finding.key) {
        events.push((call.began, *token, format!("{} begins: {:?}", call.verb.name(), call.change)));
        if let Some((told, when)) = call.told {
            events.push((when, *token, format!("is told: {told:?}")));
        }
    }
    for delivery in history.deliveries.iter().filter(|delivery| delivery.key == finding.key) {
        let did = match delivery.did {
            Did::Apply => "is applied",
            Did::ApplyBeside => "is applied, beside the change (a fence)",
            Did::Refuse => "is not applied",
        };
        events.push((delivery.at, delivery.token, format!("its request {} {did}", delivery.request)));
    }
    events.sort_by_key(|(at, _, _)| *at);
    let first = events.iter().position(|(_, token, _)| *token == finding.token).unwrap_or(0);
    let last = events.iter().rposition(|(_, token, _)| *token == finding.token).map_or(0, |last| last + 1);
    let mut text = format!("{} of {} on {}: {}\n", finding.fault.name(), finding.token, finding.key, finding.why);
    // Two more, to show what stood there before.
    for (Moment(at), token, what) in events[first.saturating_sub(2)..last].iter().take(LINES) {
        let _ = writeln!(text, "  {at:>8}  {:<7} {what}", token.to_string());
    }
    text
}

impl Found {
    fn of(findings: &Findings) -> Vec<Self> {
        let mut counts: BTreeMap<(Fault, &'static str), usize> = BTreeMap::new();
        for finding in &findings.all {
            *counts.entry((finding.fault, finding.why)).or_default() += 1;
        }
        counts.into_iter().map(|((fault, what), count)| Self { fault: fault.name(), what, count }).collect()
    }
}

/// A hot key's history may be long.
const LINES: usize = 100;

fn is_unknown(call: &Call) -> bool {
    call.told.is_none_or(|(told, _)| told == Told::Unknown)
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn plural(count: usize, noun: &str) -> String {
    if count == 1 { format!("{count} {noun}") } else { format!("{count} {noun}s") }
}
