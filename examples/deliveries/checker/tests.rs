use std::time::Duration;

use super::*;
use crate::history::Told::{Crashed, Failed, InProgress, Ran, Refused, Replayed, Superseded, Unknown};
use crate::history::{Execution, Step};

const KEY: Key = Key(2);
const ONE: Execution = Execution(1);
const TWO: Execution = Execution(2);

/// The history of a key, in seconds.
struct Story(History);

impl Story {
    /// A key of which the effect happened once, by execution 1.
    fn of_an_effect() -> Self {
        let stands = Stands { paid: 1, paid_by: Some(ONE), entered_by: vec![ONE], has_basket: false };
        let finals = BTreeMap::from([(KEY, stands)]);
        Self(History { counted: 1, finals, lease: Duration::from_secs(1), ..History::default() })
    }

    fn delivers(mut self, (began, ended): (f64, f64), told: Told) -> Self {
        let (began, ended) = (Duration::from_secs_f64(began), Duration::from_secs_f64(ended));
        self.0.deliveries.push(Delivery { key: KEY, before: 0, began, ended, stalled: false, told });
        self
    }

    fn leaves(mut self, change: impl FnOnce(&mut Stands)) -> Self {
        change(self.0.finals.get_mut(&KEY).expect("stands"));
        self.0.counted = self.0.finals[&KEY].paid;
        self
    }

    #[track_caller]
    fn shows(&self, faults: &[Fault]) {
        let found: Vec<Fault> = check(&self.0).all.iter().map(|finding| finding.fault).collect();
        assert_eq!(found, faults);
    }

    #[track_caller]
    fn counts(&self, new_keys: usize, locked_out: usize) {
        let findings = check(&self.0);
        assert_eq!((findings.new_keys, findings.locked_out), (new_keys, locked_out));
    }
}

#[test]
fn an_effect_that_happened_once_and_was_told_so_breaks_no_promise() {
    let story = Story::of_an_effect().delivers((0.0, 1.0), Ran(ONE)).delivers((2.0, 3.0), Replayed(ONE));
    story.shows(&[]);
    story.counts(1, 0);
}

#[test]
fn whatever_befalls_its_deliveries_an_effect_that_happened_once_breaks_no_promise() {
    let story = Story::of_an_effect()
        .delivers((0.0, 1.0), Failed)
        .delivers((1.1, 1.2), Crashed(Step::CommitUnanswered))
        .delivers((1.3, 1.4), InProgress)
        .delivers((2.5, 3.0), Unknown)
        .delivers((3.5, 3.6), InProgress)
        .delivers((4.2, 6.0), Superseded)
        .delivers((4.3, 4.4), InProgress)
        .delivers((5.5, 6.0), Ran(ONE))
        .delivers((7.0, 7.5), Crashed(Step::Answered))
        .delivers((8.0, 8.5), Unknown)
        .delivers((9.0, 9.5), Replayed(ONE));
    story.shows(&[]);
}

#[test]
fn a_double_effect_is_found() {
    let story = || Story::of_an_effect().delivers((0.0, 1.0), Ran(ONE));
    story().leaves(|stands| stands.paid = 2).shows(&[Fault::DoubleEffect]);
    story().leaves(|stands| stands.entered_by.push(TWO)).shows(&[Fault::DoubleEffect]);
    story().leaves(|stands| stands.entered_by = vec![TWO]).shows(&[Fault::DoubleEffect]);
    let mut counted = story();
    counted.0.counted = 2;
    counted.shows(&[Fault::DoubleEffect]);
}

#[test]
fn a_lost_effect_is_found() {
    let story = || Story::of_an_effect().delivers((0.0, 1.0), Ran(ONE));
    story().leaves(|stands| stands.paid = 0).shows(&[Fault::LostEffect]);
    story().leaves(|stands| stands.entered_by.clear()).shows(&[Fault::LostEffect]);
    story().leaves(|stands| stands.has_basket = true).shows(&[Fault::LostEffect]);
    let mut counted = story();
    counted.0.counted = 0;
    counted.shows(&[Fault::LostEffect]);
}

#[test]
fn a_key_that_no_ledger_has_to_have_is_not_missed_there() {
    let mut story = Story::of_an_effect().leaves(|stands| stands.entered_by.clear());
    let stands = story.0.finals.remove(&KEY).expect("stands");
    story.0.finals.insert(Key(3), stands);
    story.shows(&[]);
}

#[test]
fn a_new_key_that_is_told_of_another_run_is_locked_out() {
    let story = Story::of_an_effect().delivers((0.0, 1.0), InProgress).delivers((3.0, 4.0), Ran(ONE));
    story.shows(&[Fault::Lockout]);
    story.counts(1, 1);
}

#[test]
fn a_key_is_locked_out_where_nobody_claimed_it_or_it_was_released_or_its_lease_has_ended() {
    let released = [Failed, Superseded, Crashed(Step::ClaimUnsent), Crashed(Step::Answered)].map(|told| (told, 1.5));
    for (told, began) in released.into_iter().chain([(Crashed(Step::Claimed), 2.1), (Unknown, 2.1)]) {
        let story = Story::of_an_effect().delivers((0.0, 1.0), told).delivers((began, 2.2), InProgress);
        story.delivers((4.0, 5.0), Ran(ONE)).shows(&[Fault::Lockout]);
    }
    let story = Story::of_an_effect().delivers((0.0, 1.0), InProgress).delivers((1.1, 1.2), InProgress);
    story.delivers((4.0, 5.0), Ran(ONE)).shows(&[Fault::Lockout, Fault::Lockout]);
}

#[test]
fn a_key_is_not_locked_out_where_another_delivery_of_it_goes_on() {
    let story = Story::of_an_effect().delivers((0.0, 3.0), Ran(ONE)).delivers((1.0, 2.0), InProgress);
    story.shows(&[]);
    story.counts(0, 0);
}

#[test]
fn a_lost_answer_is_found() {
    for told in [InProgress, Superseded, Failed] {
        let story = Story::of_an_effect().delivers((0.0, 1.0), Crashed(Step::Claimed)).delivers((2.0, 2.2), Ran(ONE));
        story.delivers((1.9, 2.4), Replayed(ONE)).delivers((2.3, 2.5), told).shows(&[Fault::LostAnswer]);
    }
}

#[test]
fn a_differing_answer_is_found() {
    let story = Story::of_an_effect().delivers((0.0, 1.0), Ran(ONE)).delivers((0.5, 1.5), Ran(TWO));
    story.shows(&[Fault::DifferingAnswer]);
    let story = Story::of_an_effect().delivers((0.0, 1.0), Ran(ONE)).delivers((2.0, 3.0), Ran(TWO));
    story.shows(&[Fault::DifferingAnswer, Fault::LostAnswer]);
    Story::of_an_effect().delivers((0.0, 1.0), Ran(TWO)).shows(&[Fault::DifferingAnswer]);
}

#[test]
fn what_is_never_answered_and_what_no_run_is_told_is_found() {
    let mut story = Story::of_an_effect().delivers((0.0, 1.0), Refused(dynamo_once::ErrorKind::AlreadyExists));
    story.0.unanswered.push(KEY);
    story.shows(&[Fault::Unexplained, Fault::Unanswered]);
}
