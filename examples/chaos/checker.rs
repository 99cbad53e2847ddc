//! The checker: what a history shows to be wrong, whatever the client believes.
//!
//! It replays what the table applied, key by key, and holds what the callers were told against it. A pure function over
//! a [`History`], so that its tests can write down every violation there is and see it found.

use std::collections::{BTreeMap, BTreeSet};

use crate::history::{Call, Change, Delivery, Did, Heat, History, Image, Moment, Refusal, Token, Told, Verb};

/// What is wrong with a history.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) all: Vec<Finding>,
    pub(crate) counters: Vec<Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) fault: Fault,
    /// The call that it concerns.
    pub(crate) token: Token,
    pub(crate) key: String,
    pub(crate) why: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Fault {
    /// Told that it is not in the table, when it was; or refused for what never was so.
    FalseRefusal,
    /// Told that it is not in the table, and then it was.
    RefusedThenApplied,
    DoubleEffect,
    /// Told that it is in the table, and it wasn't or isn't.
    LostWrite,
    /// What the history itself doesn't explain. There is no promise behind it but that of a table, or of this example.
    Unexplained,
    /// A double effect, or a refusal that was false or didn't last, that hard deletes concede (`README.md`, "Where the promise ends").
    Conceded,
}

/// A key of which the calls only ever add 1.
#[derive(Debug, Clone)]
pub(crate) struct Counter {
    pub(crate) key: String,
    pub(crate) heat: Heat,
    pub(crate) acknowledged: i64,
    /// Increments whose callers don't know.
    pub(crate) unknown: i64,
    pub(crate) counted: i64,
}

impl Fault {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::FalseRefusal => "false refusal",
            Self::RefusedThenApplied => "refused, applied",
            Self::DoubleEffect => "double effect",
            Self::LostWrite => "lost write",
            Self::Unexplained => "unexplained",
            Self::Conceded => "conceded",
        }
    }
}

/// Judges a history.
pub(crate) fn check(history: &History) -> Findings {
    let mut findings = Findings::default();
    let mut keys: BTreeMap<&str, Key<'_>> = BTreeMap::new();
    for (token, call) in &history.calls {
        keys.entry(&call.key).or_default().calls.push((*token, call));
    }
    for delivery in &history.deliveries {
        keys.entry(&delivery.key).or_default().deliveries.push(delivery);
    }
    for key in history.finals.keys() {
        keys.entry(key).or_default();
    }
    for (name, mut key) in keys {
        key.deliveries.sort_by_key(|delivery| delivery.at);
        let replay = Replay::of(name, &key, &mut findings);
        for (token, call) in &key.calls {
            for (fault, why) in judge(*token, call, &key, &replay, !history.tombstones) {
                findings.add(fault, *token, name, why);
            }
        }
        if let Some((fault, token, why)) = compare(history, &replay, history.finals.get(name)) {
            findings.add(fault, token, name, why);
        }
        findings.counters.extend(Counter::of(name, &key, history.finals.get(name)));
    }
    findings
}

/// What concerns one key.
#[derive(Default)]
struct Key<'h> {
    calls: Vec<(Token, &'h Call)>,
    deliveries: Vec<&'h Delivery>,
}

/// What the applied requests of a key did, one after the other.
#[derive(Default)]
struct Replay {
    effects: Vec<Effect>,
    /// When the item came and went; it isn't there at first.
    presence: Vec<(Moment, bool)>,
    stands: Option<Image>,
}

/// A change that was made to the item.
struct Effect {
    token: Token,
    /// When its call did.
    began: Moment,
    at: Moment,
    removed: bool,
}

impl Replay {
    fn of(name: &str, key: &Key<'_>, findings: &mut Findings) -> Self {
        let calls: BTreeMap<Token, &Call> = key.calls.iter().copied().collect();
        let mut replay = Self::default();
        for delivery in key.deliveries.iter().filter(|delivery| delivery.did == Did::Apply) {
            let Some(call) = calls.get(&delivery.token) else {
                findings.add(Fault::Unexplained, delivery.token, name, "applied, and no call of this key");
                continue;
            };
            if let Some(why) = replay.apply(delivery, call) {
                findings.add(Fault::Unexplained, delivery.token, name, why);
            }
        }
        replay
    }

    /// Makes the change of a request, and says what is odd about it.
    fn apply(&mut self, delivery: &Delivery, call: &Call) -> Option<&'static str> {
        let Delivery { token, at, .. } = *delivery;
        let before = self.stands;
        let mut odd = None;
        self.stands = match (call.change, before) {
            (Change::Put { number }, before) => {
                if before.is_some() && call.verb.needs_absence() {
                    odd = Some("an insert was applied over an item");
                }
                Some(Image { number, token })
            }
            (Change::Add { delta }, Some(image)) => Some(Image { number: image.number + delta, token }),
            (Change::AddIf { delta, at_least }, Some(image)) => {
                if image.number < at_least {
                    odd = Some("a change was applied against its condition");
                }
                Some(Image { number: image.number + delta, token })
            }
            (Change::Add { delta } | Change::AddIf { delta, .. }, None) => {
                odd = Some("a change was applied to no item");
                Some(Image { number: delta, token })
            }
            (Change::Remove, _) => None,
        };
        if before.is_some() || self.stands.is_some() {
            self.effects.push(Effect { token, began: call.began, at, removed: self.stands.is_none() });
        }
        if before.is_some() != self.stands.is_some() {
            self.presence.push((at, self.stands.is_some()));
        }
        odd
    }

    /// Whether the item was there, or not there, at some moment of a stretch of time.
    fn was(&self, present: bool, from: Moment, to: Moment) -> bool {
        let before = self.presence.iter().rev().find(|(at, _)| *at <= from).is_some_and(|(_, present)| *present);
        before == present || self.presence.iter().any(|(at, then)| from < *at && *at <= to && *then == present)
    }
}

/// What is wrong with one call. Where deletes take the log along, some of it is conceded.
fn judge(token: Token, call: &Call, key: &Key<'_>, replay: &Replay, concedes: bool) -> Vec<(Fault, &'static str)> {
    let conceded = |fault: Fault| if concedes { Fault::Conceded } else { fault };
    let mut wrong = Vec::new();
    let mine: Vec<usize> =
        replay.effects.iter().enumerate().filter(|(_, effect)| effect.token == token).map(|(index, _)| index).collect();
    for pair in mine.windows(2) {
        wrong.push(applied_again(call, replay, pair[0], pair[1], conceded));
    }
    let Some((told, when)) = call.told else { return wrong };
    let mut applied = mine.iter().map(|index| replay.effects[*index].at);
    let in_time = applied.clone().any(|at| at < when);
    if told.is_success() && !in_time && !gone_is_success(call, when, replay) {
        wrong.push((Fault::LostWrite, "told that it is applied, and it was not"));
    }
    if told.is_denial() {
        if in_time {
            wrong.push(match told {
                Told::Refused(Refusal::NotFound) if call.verb == Verb::DeleteAt && repeated_unseen(token, key) => (
                    conceded(Fault::FalseRefusal),
                    "a delete at an etag, which the network repeated, was told that nothing is there",
                ),
                _ => (Fault::FalseRefusal, "told that it is not applied, and it was"),
            });
        }
        if let Some(late) = applied.find(|at| *at > when) {
            let deleted = replay.was(true, call.began, when) && replay.was(false, when, late);
            wrong.push(if deleted && matches!(call.change, Change::Put { .. }) {
                // A refusal of an insert is final for as long as the item lives.
                (
                    conceded(Fault::RefusedThenApplied),
                    "told that it is not applied, and it was once the item was deleted",
                )
            } else {
                (Fault::RefusedThenApplied, "told that it is not applied, and it was later")
            });
        }
    }
    let grounds = match told {
        Told::Refused(Refusal::AlreadyExists) => Some(true),
        Told::Refused(Refusal::NotFound) => Some(false),
        _ => None,
    };
    if grounds.is_some_and(|present| !replay.was(present, call.began, when)) {
        wrong.push((Fault::FalseRefusal, "refused for what was not so at any time of the call"));
    }
    wrong
}

/// What it is that a call's change was made by one effect and by another. Conceded is what a delete in between has made possible: its
/// own insert again, or an older one, whose item no attempt can tell from the one that it knew.
fn applied_again(
    call: &Call,
    replay: &Replay,
    first: usize,
    again: usize,
    conceded: impl Fn(Fault) -> Fault,
) -> (Fault, &'static str) {
    let between = &replay.effects[first + 1..again];
    let makes_items = matches!(call.change, Change::Put { .. });
    if makes_items && between.iter().any(|effect| effect.removed) {
        return (conceded(Fault::DoubleEffect), "applied again after another call's delete of its item");
    }
    let removed = replay.effects[first..again].iter().rposition(|effect| effect.removed);
    let maker = removed.and_then(|removed| replay.effects[first..again].get(removed + 1));
    match maker {
        Some(maker) if maker.began < call.began => (
            conceded(Fault::DoubleEffect),
            "applied twice, the second time to an item that an older call has made since",
        ),
        Some(_) => {
            (Fault::DoubleEffect, "applied twice, the second time to an item that a younger call has made since")
        }
        None => (Fault::DoubleEffect, "applied twice to one item"),
    }
}

/// A delete is as good as done where there is nothing to delete.
fn gone_is_success(call: &Call, when: Moment, replay: &Replay) -> bool {
    call.verb == Verb::Delete && replay.was(false, call.began, when)
}

/// Whether a request of the call was applied, and then reached the table again without having been sent again.
fn repeated_unseen(token: Token, key: &Key<'_>) -> bool {
    let mut applied = BTreeSet::new();
    key.deliveries.iter().filter(|delivery| delivery.token == token).any(|delivery| match delivery.did {
        Did::Apply => {
            applied.insert(delivery.request);
            false
        }
        _ => applied.contains(&delivery.request),
    })
}

/// What is wrong with the item that stands at the end.
fn compare(history: &History, replay: &Replay, stands: Option<&Image>) -> Option<(Fault, Token, &'static str)> {
    let last = replay.effects.last().map(|effect| effect.token);
    let acknowledged = |token: &Token| {
        let told = history.calls.get(token).and_then(|call| call.told);
        told.is_some_and(|(told, _)| told.is_success())
    };
    let Some(last) = last else {
        return stands.map(|image| (Fault::Unexplained, image.token, "an item stands that no request has written"));
    };
    match (replay.stands, stands) {
        (expected, found) if expected.as_ref() == found => None,
        (Some(expected), Some(found)) if expected.token == found.token && found.number > expected.number => {
            Some((Fault::DoubleEffect, last, "more was added than the requests say"))
        }
        _ if acknowledged(&last) => Some((Fault::LostWrite, last, "acknowledged, and the item doesn't show it")),
        (Some(expected), Some(found)) if expected.token == found.token => {
            Some((Fault::LostWrite, last, "less was added than the requests say"))
        }
        _ => Some((Fault::Unexplained, last, "the item isn't as the applied requests leave it")),
    }
}

impl Counter {
    fn of(name: &str, key: &Key<'_>, stands: Option<&Image>) -> Option<Self> {
        let (setup, calls): (Vec<_>, Vec<_>) = key.calls.iter().partition(|(_, call)| call.verb == Verb::Setup);
        let [(_, Call { change: Change::Put { number: start }, .. })] = setup[..] else { return None };
        let counts = |(_, call): &(Token, &Call)| call.verb == Verb::Update && call.change == Change::Add { delta: 1 };
        let heat = calls.first()?.1.heat;
        if !calls.iter().all(counts) {
            return None;
        }
        let told = |wanted: fn(Option<Told>) -> bool| {
            calls.iter().filter(|(_, call)| wanted(call.told.map(|(told, _)| told))).count() as i64
        };
        Some(Self {
            key: name.to_owned(),
            heat,
            acknowledged: told(|told| told.is_some_and(Told::is_success)),
            unknown: told(|told| told.is_none_or(|told| told == Told::Unknown)),
            counted: stands.map_or(0, |image| image.number) - start,
        })
    }

    /// Whether it counts something else than its callers believe. This is a check on the others: it asks no observer.
    fn is_off(&self) -> bool {
        !(self.acknowledged..=self.acknowledged + self.unknown).contains(&self.counted)
    }

    /// What was counted beyond all that its callers can account for, as a share of that.
    pub(crate) fn excess(&self) -> f64 {
        let most = self.acknowledged + self.unknown;
        (self.counted - most).max(0) as f64 / most.max(1) as f64
    }
}

impl Findings {
    /// Whether every promise was kept, as far as can be told.
    pub(crate) fn kept(&self) -> bool {
        self.broken().next().is_none() && !self.counters.iter().any(Counter::is_off)
    }

    pub(crate) fn count(&self, fault: Fault) -> usize {
        self.all.iter().filter(|finding| finding.fault == fault).count()
    }

    /// Those that break a promise.
    pub(crate) fn broken(&self) -> impl Iterator<Item = &Finding> {
        self.all.iter().filter(|finding| finding.fault != Fault::Conceded)
    }

    fn add(&mut self, fault: Fault, token: Token, key: &str, why: &'static str) {
        self.all.push(Finding { fault, token, key: key.to_owned(), why });
    }
}

#[cfg(test)]
mod tests;
