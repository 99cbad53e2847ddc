//! The checker: holds what the callers were told against the items that stand.
//!
//! Nobody has seen the requests arrive, so it says only what follows from the two, and from which call was over before
//! which began.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::history::{Call, Change, History, Image, Moment, Refusal, Token, Told, Verb};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    LostWrite,
    DoubleEffect,
    RefusedThenApplied,
    FalseRefusal,
    /// What was deleted or overwritten stands.
    Undone,
    /// The item's number isn't what its trace makes of it.
    WrongNumber,
    /// A token in the trace of an item that its call didn't write.
    Stray,
    OddError,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) fault: Fault,
    pub(crate) key: String,
    pub(crate) token: Option<Token>,
}

/// All increments of all counters.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) acknowledged: i64,
    /// Unknown, or never told.
    pub(crate) open: i64,
    pub(crate) counted: i64,
}

impl Fault {
    pub(crate) const ALL: [Self; 8] = [
        Self::LostWrite,
        Self::DoubleEffect,
        Self::RefusedThenApplied,
        Self::FalseRefusal,
        Self::Undone,
        Self::WrongNumber,
        Self::Stray,
        Self::OddError,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::LostWrite => "lost acknowledged writes",
            Self::DoubleEffect => "double effects",
            Self::RefusedThenApplied => "refused or given up, and applied",
            Self::FalseRefusal => "false refusals",
            Self::Undone => "deleted or overwritten, and standing",
            Self::WrongNumber => "numbers that don't fit their trace",
            Self::Stray => "tokens on another's item",
            Self::OddError => "errors without a reason",
        }
    }
}

pub(crate) fn check(history: &History) -> Vec<Finding> {
    let mut calls: BTreeMap<&str, Vec<(Token, &Call)>> =
        history.items.keys().map(|key| (key.as_str(), Vec::new())).collect();
    for (token, call) in &history.calls {
        calls.entry(&call.plan.key).or_default().push((*token, call));
    }
    let mut findings = Vec::new();
    for (key, calls) in calls {
        let mut find = |fault, token| findings.push(Finding { fault, key: key.to_owned(), token });
        let place = Place { calls: &calls, image: history.items.get(key) };
        place.check_item(&mut find);
        place.check_calls(&mut find);
    }
    findings
}

/// A key's calls and what stands there.
struct Place<'h> {
    calls: &'h [(Token, &'h Call)],
    image: Option<&'h Image>,
}

impl Place<'_> {
    fn check_item(&self, find: &mut impl FnMut(Fault, Option<Token>)) {
        let Some(Image { number, trace }) = self.image else { return };
        let calls: HashMap<Token, &Call> = self.calls.iter().copied().collect();
        let mut seen = BTreeSet::new();
        let mut sum = Some(0);
        for (place, token) in trace.iter().enumerate() {
            if !seen.insert(*token) {
                find(Fault::DoubleEffect, Some(*token));
            }
            let Some(call) = calls.get(token) else {
                find(Fault::Stray, Some(*token));
                sum = None;
                continue;
            };
            if call.is_denied() {
                find(Fault::RefusedThenApplied, Some(*token));
            }
            if let Some(told) = call.acknowledged()
                && self.erasers().any(|eraser| eraser.acknowledged().is_some() && eraser.began > told)
            {
                find(Fault::Undone, Some(*token));
            }
            sum = match (place, call.plan.change, sum) {
                (0, Change::Put { number }, Some(_)) => Some(number),
                (1.., Change::Add { delta } | Change::AddIf { delta, .. }, Some(sum)) => Some(sum + delta),
                _ => None,
            };
        }
        if sum != Some(*number) {
            find(Fault::WrongNumber, trace.last().copied());
        }
    }

    fn check_calls(&self, find: &mut impl FnMut(Fault, Option<Token>)) {
        let trace: BTreeSet<Token> = self.image.iter().flat_map(|image| image.trace.iter().copied()).collect();
        for (token, call) in self.calls {
            if call.acknowledged().is_some()
                && call.plan.change != Change::Remove
                && !trace.contains(token)
                && !self.erasers().any(|eraser| !std::ptr::eq(eraser, *call) && eraser.over() > call.began)
            {
                find(Fault::LostWrite, Some(*token));
            }
            match call.told {
                Some((Told::Refused(refusal), at)) if !self.explains(call, refusal, at) => {
                    find(Fault::FalseRefusal, Some(*token));
                }
                Some((Told::Odd, _)) => find(Fault::OddError, Some(*token)),
                _ => {}
            }
        }
    }

    /// Whether something can have been there, or not, by which the call was refused for a reason.
    fn explains(&self, call: &Call, refusal: Refusal, told: Moment) -> bool {
        let mut others = self.calls.iter().map(|(_, other)| *other).filter(|other| !std::ptr::eq(*other, call));
        match refusal {
            Refusal::AlreadyExists => others.any(|other| makes(other) && !other.is_denied() && other.began < told),
            Refusal::Conflict => {
                others.any(|other| !other.is_denied() && other.began < told && other.over() > call.began)
            }
            Refusal::NotFound => others.filter(|other| makes(other)).all(|made| {
                let is_there = made.acknowledged().is_some_and(|acknowledged| acknowledged < call.began);
                !is_there || self.removals().any(|removal| removal.began < told && removal.over() > made.began)
            }),
            Refusal::Condition => {
                let Change::AddIf { at_least, .. } = call.plan.change else { return false };
                // No item's number grows smaller, unless it is made anew.
                let before = others.filter(|other| other.acknowledged().is_some_and(|at| at < call.began));
                let least: i64 = before.map(|other| worth(other.plan.change)).sum();
                least < at_least || self.erasers().next().is_some()
            }
        }
    }

    /// The calls that may have taken what was there before them.
    fn erasers(&self) -> impl Iterator<Item = &Call> {
        let calls = self.calls.iter().map(|(_, call)| *call).filter(|call| !call.is_denied());
        calls.filter(|call| call.plan.change == Change::Remove || call.plan.verb == Verb::Upsert)
    }

    fn removals(&self) -> impl Iterator<Item = &Call> {
        self.erasers().filter(|call| call.plan.change == Change::Remove)
    }
}

pub(crate) fn counted(history: &History) -> Counted {
    let mut counted = Counted::default();
    for call in history.calls.values().filter(|call| call.plan.key.starts_with("counter-")) {
        let worth = worth(call.plan.change);
        match call.acknowledged() {
            Some(_) => counted.acknowledged += worth,
            None if call.is_denied() => {}
            None => counted.open += worth,
        }
    }
    let counters = history.items.iter().filter(|(key, _)| key.starts_with("counter-"));
    counted.counted = counters.map(|(_, image)| image.number).sum();
    counted
}

impl Counted {
    pub(crate) fn adds_up(&self) -> bool {
        (self.acknowledged..=self.acknowledged + self.open).contains(&self.counted)
    }
}

fn makes(call: &Call) -> bool {
    matches!(call.plan.change, Change::Put { .. })
}

fn worth(change: Change) -> i64 {
    match change {
        Change::Put { number } => number,
        Change::Add { delta } | Change::AddIf { delta, .. } => delta,
        Change::Remove => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Plan;

    const PUT: (Verb, Change) = (Verb::Insert, Change::Put { number: 5 });
    const UPSERT: (Verb, Change) = (Verb::Upsert, Change::Put { number: 5 });
    const ADD: (Verb, Change) = (Verb::Update, Change::Add { delta: 1 });
    const ADD_IF: (Verb, Change) = (Verb::UpdateWhen, Change::AddIf { delta: 1, at_least: 6 });
    const REMOVE: (Verb, Change) = (Verb::Delete, Change::Remove);
    const EXISTS: Told = Told::Refused(Refusal::AlreadyExists);
    const MISSING: Told = Told::Refused(Refusal::NotFound);
    const CONFLICT: Told = Told::Refused(Refusal::Conflict);
    const UNMET: Told = Told::Refused(Refusal::Condition);

    type Made = ((Verb, Change), Moment, Option<(Told, Moment)>);

    fn token(call: u32) -> Token {
        Token { client: 0, call }
    }

    /// The faults of calls on one key, which are numbered from 0, and an item with the trace of some of them.
    fn faults(calls: &[Made], item: Option<(i64, &[u32])>) -> Vec<Fault> {
        let calls = calls.iter().zip(0..).map(|(((verb, change), began, told), number)| {
            let plan = Plan { verb: *verb, key: "key".to_owned(), change: *change };
            (token(number), Call { plan, began: *began, told: *told })
        });
        let items = item.map(|(number, trace)| {
            ("key".to_owned(), Image { number, trace: trace.iter().copied().map(token).collect() })
        });
        let history = History { calls: calls.collect(), items: items.into_iter().collect() };
        check(&history).into_iter().map(|finding| finding.fault).collect()
    }

    fn applied(at: Moment) -> Option<(Told, Moment)> {
        Some((Told::Applied, at))
    }

    #[test]
    fn what_was_told_and_stands_is_fine() {
        let calls = [(PUT, 0, applied(1)), (ADD, 2, applied(3)), (ADD, 2, None), (PUT, 4, Some((EXISTS, 5)))];
        assert_eq!(faults(&calls, Some((6, &[0, 1]))), []);
        assert_eq!(faults(&calls, Some((7, &[0, 2, 1]))), []);
    }

    #[test]
    fn a_lost_write_a_double_effect_and_a_stray_token_are_found() {
        let calls = [(PUT, 0, applied(1)), (ADD, 2, applied(3))];
        assert_eq!(faults(&calls, None), [Fault::LostWrite, Fault::LostWrite]);
        assert_eq!(faults(&calls, Some((5, &[0]))), [Fault::LostWrite]);
        assert_eq!(faults(&calls, Some((7, &[0, 1, 1]))), [Fault::DoubleEffect]);
        assert_eq!(faults(&calls, Some((7, &[0, 1]))), [Fault::WrongNumber]);
        assert_eq!(faults(&calls, Some((6, &[0, 1, 9]))), [Fault::Stray, Fault::WrongNumber]);
    }

    #[test]
    fn a_delete_takes_what_came_before_it_and_nothing_later() {
        let deleted = [(PUT, 0, applied(1)), (REMOVE, 2, applied(3))];
        assert_eq!(faults(&deleted, None), []);
        assert_eq!(faults(&deleted, Some((5, &[0]))), [Fault::Undone]);
        let again = [(PUT, 4, applied(5)), (REMOVE, 2, applied(3))];
        assert_eq!(faults(&again, None), [Fault::LostWrite]);
        let unknown = [(PUT, 4, applied(5)), (REMOVE, 2, Some((Told::Unknown, 3)))];
        assert_eq!(faults(&unknown, None), []);
        let overwritten = [(PUT, 0, applied(1)), (UPSERT, 2, applied(3))];
        assert_eq!(faults(&overwritten, Some((5, &[1]))), []);
        assert_eq!(faults(&overwritten, Some((5, &[0]))), [Fault::Undone, Fault::LostWrite]);
    }

    #[test]
    fn a_refused_call_that_stands_is_found() {
        for denial in [CONFLICT, Told::GaveUp] {
            let calls = [(PUT, 0, applied(1)), (ADD, 1, applied(6)), (ADD, 2, Some((denial, 3)))];
            assert_eq!(faults(&calls, Some((7, &[0, 1, 2]))), [Fault::RefusedThenApplied]);
        }
    }

    #[test]
    fn a_refusal_needs_a_reason() {
        assert_eq!(faults(&[(PUT, 0, Some((EXISTS, 1)))], None), [Fault::FalseRefusal]);
        let there = |told| [(PUT, 0, applied(1)), (ADD_IF, 2, Some((told, 3)))];
        for told in [MISSING, CONFLICT] {
            assert_eq!(faults(&there(told), Some((5, &[0]))), [Fault::FalseRefusal]);
        }
        assert_eq!(faults(&there(UNMET), Some((5, &[0]))), []);
        let denied = [(PUT, 0, applied(1)), (ADD, 2, Some((CONFLICT, 5))), (ADD, 3, Some((CONFLICT, 4)))];
        assert_eq!(faults(&denied, Some((5, &[0]))), [Fault::FalseRefusal, Fault::FalseRefusal]);
        let enough = [(PUT, 0, applied(1)), (ADD, 2, applied(3)), (ADD_IF, 4, Some((UNMET, 5)))];
        assert_eq!(faults(&enough, Some((6, &[0, 1]))), [Fault::FalseRefusal]);
        let removed = [(PUT, 0, applied(1)), (REMOVE, 2, None), (ADD, 3, Some((MISSING, 4)))];
        assert_eq!(faults(&removed, None), []);
    }
}
