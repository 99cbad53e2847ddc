//! What a run prints.

use std::collections::{BTreeMap, BTreeSet};

use crate::checker::{Counted, Fault, Finding, check, counted};
use crate::history::{Call, History, Told, Verb};
use crate::journal::Sent;
use crate::options::Options;
use crate::run::Run;

/// How calls ended.
#[derive(Debug, Default, Clone, Copy)]
struct Ends {
    calls: usize,
    applied: usize,
    replayed: usize,
    refused: usize,
    gave_up: usize,
    unknown: usize,
    never_told: usize,
}

/// Of how many findings the key's whole history is printed.
const EXPLAINED: usize = 5;

pub(crate) fn print_minute(run: &Run) {
    let Ends { calls, applied, replayed, refused, gave_up, unknown, never_told } = Ends::of(run.history.calls.values());
    println!(
        "minute {:>3}: {calls} calls, {applied} applied, {replayed} replayed, {refused} refused, {gave_up} gave up, \
         {unknown} unknown, {never_told} never told; {} restarts of the engine, {} clients killed; client 0 has {} MB",
        run.began.elapsed().as_secs() / 60,
        run.restarts,
        run.kills,
        run.memory.last() / 1024,
    );
}

/// Whether every promise was kept.
pub(crate) fn print(options: &Options, run: &Run) -> bool {
    let history = &run.history;
    println!(
        "\n{} minutes, {} clients at a time with {} writers each, seed {}, tombstones on",
        options.minutes, options.processes, options.writers, options.seed
    );
    let Sent { requests, faults } = run.sent();
    println!("{requests} requests, of which {faults} met a fault");
    println!("{} restarts of the engine, {} clients killed\n", run.restarts, run.kills);

    println!(
        "{:<12} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>10}",
        "verb", "calls", "applied", "replayed", "refused", "gave up", "unknown", "never told"
    );
    let verbs: BTreeSet<Verb> = history.calls.values().map(|call| call.plan.verb).collect();
    for verb in verbs {
        Ends::of(history.calls.values().filter(|call| call.plan.verb == verb)).print(name(verb));
    }
    Ends::of(history.calls.values()).print("all");

    let findings = check(history);
    let mut found: BTreeMap<Fault, usize> = Fault::ALL.iter().map(|fault| (*fault, 0)).collect();
    for finding in &findings {
        *found.entry(finding.fault).or_default() += 1;
    }
    println!("\n{} keys were written, of which {} stand", keys(history), history.items.len());
    for (fault, count) in found {
        println!("{count:>8}  {}", fault.name());
    }
    let counters = counted(history);
    let Counted { acknowledged, open, counted } = counters;
    println!("counters: {counted} counted, {acknowledged} acknowledged, {open} unknown or never told");
    println!("memory of client 0: {}", run.memory);
    for (number, memory) in &run.others_memory {
        println!("memory of client {number}, since it was started: {memory}");
    }
    println!("memory of the engine, over its restarts: {}", run.engine_memory);

    for finding in findings.iter().take(EXPLAINED) {
        explain(history, finding);
    }
    let kept = findings.is_empty() && counters.adds_up();
    println!("\n{}", if kept { "Every promise was kept." } else { "Promises were broken." });
    println!("{}", if run.memory.is_flat() { "Memory stayed flat." } else { "Memory grew." });
    kept && run.memory.is_flat()
}

impl Ends {
    fn of<'c>(calls: impl Iterator<Item = &'c Call>) -> Self {
        let mut ends = Self::default();
        for call in calls {
            ends.calls += 1;
            *match call.told.map(|(told, _)| told) {
                Some(Told::Applied) => &mut ends.applied,
                Some(Told::Replayed) => &mut ends.replayed,
                Some(Told::Refused(_)) => &mut ends.refused,
                Some(Told::GaveUp | Told::Odd) => &mut ends.gave_up,
                Some(Told::Unknown) => &mut ends.unknown,
                None => &mut ends.never_told,
            } += 1;
        }
        ends
    }

    fn print(self, name: &str) {
        let Self { calls, applied, replayed, refused, gave_up, unknown, never_told } = self;
        println!(
            "{name:<12} {calls:>8} {applied:>8} {replayed:>8} {refused:>8} {gave_up:>8} {unknown:>8} {never_told:>10}"
        );
    }
}

/// All that is known of a finding's key.
fn explain(history: &History, finding: &Finding) {
    let token = finding.token.map(|token| token.to_string()).unwrap_or_default();
    println!("\n{} on {}: {token}", finding.fault.name(), finding.key);
    let mut calls: Vec<_> = history.calls.iter().filter(|(_, call)| call.plan.key == finding.key).collect();
    calls.sort_by_key(|(_, call)| call.began);
    let first = calls.first().map_or(0, |(_, call)| call.began);
    for (token, Call { plan, began, told }) in calls {
        let micros = |at: u64| (at - first) / 1000;
        let told = told.map_or("never told".to_owned(), |(told, at)| format!("{told:?} at {}", micros(at)));
        println!("  {token:<10} {:?} {:?} from {} us: {told}", plan.verb, plan.change, micros(*began));
    }
    match history.items.get(&finding.key) {
        None => println!("  nothing stands"),
        Some(image) => {
            let trace: Vec<String> = image.trace.iter().map(ToString::to_string).collect();
            println!("  it stands at {}, written by {}", image.number, trace.join(" "));
        }
    }
}

fn keys(history: &History) -> usize {
    history.calls.values().map(|call| call.plan.key.as_str()).collect::<BTreeSet<_>>().len()
}

fn name(verb: Verb) -> &'static str {
    match verb {
        Verb::Insert => "insert",
        Verb::Upsert => "upsert",
        Verb::Update => "update",
        Verb::UpdateWhen => "update when",
        Verb::Save => "save",
        Verb::Modify => "modify",
        Verb::Delete => "delete",
        Verb::DeleteAt => "delete at",
    }
}
