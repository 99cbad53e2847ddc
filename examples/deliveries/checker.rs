//! Judges a history: whether each key's effect happened once, and each delivery was told the truth.

use std::collections::BTreeMap;

use crate::history::{Delivery, History, Key, Stands, Step, Told};

#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) all: Vec<Finding>,
    /// How many keys were new to a worker that didn't crash, and met no other.
    pub(crate) new_keys: usize,
    /// How many of these were told that another runs the operation.
    pub(crate) locked_out: usize,
}

/// A broken promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) fault: Fault,
    /// `None` where it can't be told whose it is.
    pub(crate) key: Option<Key>,
    pub(crate) why: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    DoubleEffect,
    LostEffect,
    /// Told that another runs the operation, and nobody did.
    Lockout,
    /// Answered once, and not any more.
    LostAnswer,
    DifferingAnswer,
    /// Never answered.
    Unanswered,
    /// Told what no delivery can be told.
    Unexplained,
}

impl Fault {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::DoubleEffect => "double effect",
            Self::LostEffect => "lost effect",
            Self::Lockout => "lockout",
            Self::LostAnswer => "lost answer",
            Self::DifferingAnswer => "differing answer",
            Self::Unanswered => "unanswered",
            Self::Unexplained => "unexplained",
        }
    }
}

/// Judges a history.
pub(crate) fn check(history: &History) -> Findings {
    let mut findings = Findings::default();
    let mut deliveries: BTreeMap<Key, Vec<&Delivery>> = BTreeMap::new();
    for delivery in &history.deliveries {
        deliveries.entry(delivery.key).or_default().push(delivery);
    }
    for (key, stands) in &history.finals {
        let deliveries = deliveries.remove(key).unwrap_or_default();
        let wrong = effects(*key, stands).into_iter().chain(answers(&deliveries, stands));
        let wrong =
            wrong.chain(lockouts(history, &deliveries)).chain(deliveries.iter().filter_map(|one| unheard_of(one)));
        findings.all.extend(wrong.map(|(fault, why)| Finding { fault, key: Some(*key), why }));
        if let Some(locked_out) = is_new_and_locked_out(&deliveries) {
            findings.new_keys += 1;
            findings.locked_out += usize::from(locked_out);
        }
    }
    let keys =
        deliveries.into_keys().map(|key| (Fault::Unexplained, Some(key), "delivered, and nothing stands for it"));
    let keys =
        keys.chain(history.unanswered.iter().map(|key| (Fault::Unanswered, Some(*key), "delivered again and again")));
    findings.all.extend(keys.map(|(fault, key, why)| Finding { fault, key, why }));
    findings.all.extend(counters(history));
    findings
}

type Wrong = (Fault, &'static str);

/// What is wrong with what stands for a key.
fn effects(key: Key, stands: &Stands) -> Vec<Wrong> {
    let entered = stands.entered_by.len();
    let all = [
        (stands.paid > 1, Fault::DoubleEffect, "its order was paid more than once"),
        (stands.paid < 1, Fault::LostEffect, "its order was never paid"),
        (entered > 1, Fault::DoubleEffect, "it is in the ledger more than once"),
        (entered == 0 && key.is_entered(), Fault::LostEffect, "it isn't in the ledger"),
        (entered == 1 && stands.entered_by.first().copied() != stands.paid_by, Fault::DoubleEffect, PARTS),
        (stands.has_basket, Fault::LostEffect, "its basket is still there"),
    ];
    all.into_iter().filter(|(is_so, ..)| *is_so).map(|(_, fault, why)| (fault, why)).collect()
}

/// What is wrong with the answers to a key's deliveries.
fn answers(deliveries: &[&Delivery], stands: &Stands) -> Vec<Wrong> {
    let answered = deliveries.iter().filter_map(|delivery| Some((delivery.ended, delivery.told.answer()?)));
    let Some((since, answer)) = answered.clone().min() else { return Vec::new() };
    let mut wrong = Vec::new();
    if answered.clone().any(|(_, other)| other != answer) {
        wrong.push((Fault::DifferingAnswer, "two of its deliveries were answered differently"));
    }
    if Some(answer) != stands.paid_by {
        wrong.push((Fault::DifferingAnswer, "it was answered by another run than the one that took effect"));
    }
    for delivery in deliveries.iter().filter(|delivery| delivery.began > since) {
        wrong.extend(match delivery.told {
            Told::Ran(_) | Told::Failed => {
                Some((Fault::LostAnswer, "its operation ran again after it had been answered"))
            }
            Told::InProgress | Told::Superseded => {
                Some((Fault::LostAnswer, "held by a run after it had been answered"))
            }
            _ => None,
        });
    }
    wrong
}

/// Which deliveries of a key were told that another runs the operation, where nobody can have done so.
fn lockouts(history: &History, deliveries: &[&Delivery]) -> Vec<Wrong> {
    let is_held = |from: &Delivery| {
        deliveries.iter().any(|other| {
            let overlaps = other.began < from.ended && from.began < other.ended && !std::ptr::eq(*other, from);
            // Who is gone may hold the record until the lease ends; not so who hadn't claimed it, or had completed it.
            let is_gone = match other.told {
                Told::Crashed(step) => !matches!(step, Step::ClaimUnsent | Step::Answered),
                told => matches!(told, Told::Unknown | Told::GaveUp),
            };
            overlaps || (is_gone && other.ended <= from.began && from.began <= other.ended + history.lease)
        })
    };
    let locked_out = deliveries.iter().filter(|delivery| delivery.told == Told::InProgress && !is_held(delivery));
    locked_out.map(|_| (Fault::Lockout, "told that another runs the operation, and nobody did")).collect()
}

/// Whether a key that was new was locked out by its own first delivery; `None` where the worker crashed, or met another.
fn is_new_and_locked_out(deliveries: &[&Delivery]) -> Option<bool> {
    let (first, others) = deliveries.split_first()?;
    let is_met = others.iter().any(|other| other.began <= first.ended);
    let is_alone = !is_met && !matches!(first.told, Told::Crashed(_));
    is_alone.then_some(first.told == Told::InProgress)
}

fn unheard_of(delivery: &Delivery) -> Option<Wrong> {
    let is_refused = matches!(delivery.told, Told::Refused(_));
    is_refused.then_some((Fault::Unexplained, "refused for a reason that no run has"))
}

/// The shared counters have counted each key. This is a check on the others, and shows what is no one key's.
fn counters(history: &History) -> Option<Finding> {
    let paid: i64 = history.finals.values().map(|stands| stands.paid).sum();
    let (fault, why) = match history.counted - paid {
        0 => return None,
        1.. => (Fault::DoubleEffect, "the counters have counted more than the orders"),
        _ => (Fault::LostEffect, "the counters have counted less than the orders"),
    };
    Some(Finding { fault, key: None, why })
}

const PARTS: &str = "the order was paid by one run, and entered in the ledger by another";

#[cfg(test)]
mod tests;
