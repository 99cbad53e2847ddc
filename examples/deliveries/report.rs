//! The report: a table of what the deliveries were told, and those behind what is wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::checker::{Fault, Finding, Findings};
use crate::history::{Delivery, History, Key, Step, Told};
use crate::options::Options;
use crate::run::Run;

pub(crate) fn text(options: &Options, run: &Run, findings: &Findings) -> String {
    let Run { history, messages, executions, requests, faults, took } = run;
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{}: {} keys in {messages} messages to {} workers in {:.1} s, seed {}",
        options.client.name(),
        options.keys,
        options.workers,
        took.as_secs_f64(),
        options.seed
    );
    let rates =
        options.given.named().iter().map(|(name, rate)| format!("{name} {}", percent(*rate))).collect::<Vec<_>>();
    let _ = writeln!(text, "{faults} of {requests} requests met a fault: {}", rates.join(", "));
    let stalls = history.deliveries.iter().filter(|delivery| delivery.stalled).count();
    let crashed = |step| history.deliveries.iter().filter(|delivery| delivery.told == Told::Crashed(step)).count();
    let crashes: Vec<String> = Step::ALL.iter().map(|step| format!("{} {}", step.name(), crashed(*step))).collect();
    let _ = writeln!(text, "crashes: {}; stalls {stalls}\n", crashes.join(", "));

    let mut seen = BTreeSet::new();
    let (first, others): (Vec<_>, Vec<_>) = history.deliveries.iter().partition(|delivery| seen.insert(delivery.key));
    let (copies, again): (Vec<_>, Vec<_>) = others.into_iter().partition(|delivery| delivery.before == 0);
    let all = history.deliveries.iter().collect();
    let rows = [("first", first), ("copies", copies), ("again", again), ("all", all)];
    text.push_str(&table(&rows.map(|(name, deliveries)| row(name, &deliveries))));

    let Findings { new_keys, locked_out, .. } = findings;
    let share = percent(*locked_out as f64 / (*new_keys).max(1) as f64);
    let _ = writeln!(text, "\nnew keys locked out by themselves: {locked_out} of {new_keys}, {share}");
    let stands = || history.finals.values();
    let _ = writeln!(
        text,
        "effects of {executions} executions for {} keys: {} orders paid {} times, {} entered {} times, {} baskets gone; counted {}",
        options.keys,
        stands().filter(|stands| stands.paid > 0).count(),
        stands().map(|stands| stands.paid).sum::<i64>(),
        stands().filter(|stands| !stands.entered_by.is_empty()).count(),
        stands().map(|stands| stands.entered_by.len()).sum::<usize>(),
        stands().filter(|stands| !stands.has_basket).count(),
        history.counted,
    );
    let mut found: BTreeMap<(Fault, &str), Vec<Option<Key>>> = BTreeMap::new();
    for finding in &findings.all {
        found.entry((finding.fault, finding.why)).or_default().push(finding.key);
    }
    if !found.is_empty() {
        text.push_str("\nfound:\n");
    }
    for ((fault, what), keys) in found {
        let of = keys.iter().collect::<BTreeSet<_>>().len();
        let _ = writeln!(text, "{:>6}  {}, of {of} keys: {what}", keys.len(), fault.name());
    }
    let verdict = if findings.all.is_empty() { "Every promise was kept." } else { "Promises were broken." };
    let _ = writeln!(text, "\n{verdict}");
    text
}

/// The deliveries of the key of a finding.
pub(crate) fn explain(history: &History, finding: &Finding) -> String {
    let Some(key) = finding.key else { return format!("{}: {}\n", finding.fault.name(), finding.why) };
    let mut text = format!("{} of key {}: {}\n", finding.fault.name(), key.0, finding.why);
    for delivery in history.deliveries.iter().filter(|delivery| delivery.key == key) {
        let Delivery { began, ended, told, before, stalled, .. } = delivery;
        let stalled = if *stalled { ", having stalled" } else { "" };
        let _ = writeln!(text, "  {began:>12.4?} to {ended:>12.4?}  delivery {}  {told:?}{stalled}", before + 1);
    }
    let _ = writeln!(text, "  {:?}", history.finals.get(&key));
    text
}

const HEADS: [&str; 10] =
    ["", "deliveries", "ran", "replayed", "failed", "in progress", "superseded", "unknown", "gave up", "crashed"];

fn row(name: &str, deliveries: &[&Delivery]) -> Vec<String> {
    let mut counts = [0; 9];
    for delivery in deliveries {
        counts[0] += 1;
        let column = match delivery.told {
            Told::Ran(_) => 1,
            Told::Replayed(_) => 2,
            Told::Failed => 3,
            Told::InProgress => 4,
            Told::Superseded => 5,
            Told::Unknown => 6,
            Told::GaveUp | Told::Refused(_) => 7,
            Told::Crashed(_) => 8,
        };
        counts[column] += 1;
    }
    std::iter::once(name.to_owned()).chain(counts.iter().map(ToString::to_string)).collect()
}

fn table(rows: &[Vec<String>]) -> String {
    let heads = HEADS.iter().map(|head| (*head).to_owned()).collect();
    let lines: Vec<Vec<String>> = std::iter::once(heads).chain(rows.iter().cloned()).collect();
    let mut text = String::new();
    for line in &lines {
        let mut row = format!("{:<6}", line[0]);
        for (cell, head) in line.iter().zip(HEADS).skip(1) {
            let _ = write!(row, "  {cell:>0$}", head.len().max(7));
        }
        text.push_str(row.trim_end());
        text.push('\n');
    }
    text
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}
