use super::*;
use crate::history::Did::{Apply, ApplyBeside, Refuse};
use crate::history::Told::{Applied, GaveUp, Refused, Replayed, Unknown};
use crate::history::Verb::{Delete, DeleteAt, Insert, RacedInsert, Save, Setup, Update, UpdateWhen, Upsert};

/// Writes a history down as it goes; each step is the next moment.
#[derive(Default)]
struct Story {
    history: History,
    moment: u64,
}

const KEY: &str = "k";
const ADD: Change = Change::Add { delta: 1 };

impl Story {
    /// A key that holds 0, by call 0.
    fn counter() -> Self {
        Self::default().begins(0, Setup, Change::Put { number: 0 }).delivers(0, 1, Apply).tells(0, Applied)
    }

    fn begins(mut self, token: usize, verb: Verb, change: Change) -> Self {
        let began = self.next();
        let call = Call { verb, key: KEY.into(), heat: Heat::Cold, change, began, told: None, requests: 1 };
        self.history.calls.insert(Token(token), call);
        self
    }

    fn delivers(mut self, token: usize, request: usize, did: Did) -> Self {
        let at = self.next();
        self.history.deliveries.push(Delivery { token: Token(token), request, key: KEY.into(), at, did });
        self
    }

    fn tells(mut self, token: usize, told: Told) -> Self {
        let when = self.next();
        self.history.calls.get_mut(&Token(token)).expect("has begun").told = Some((told, when));
        self
    }

    /// A call that is applied and told so.
    fn does(self, token: usize, verb: Verb, change: Change) -> Self {
        self.begins(token, verb, change).delivers(token, 1, Apply).tells(token, Applied)
    }

    fn leaves(mut self, number: i64, token: usize) -> Self {
        self.history.finals.insert(KEY.into(), Image { number, token: Token(token) });
        self
    }

    fn next(&mut self) -> Moment {
        self.moment += 1;
        Moment(self.moment)
    }

    fn findings(&self) -> Vec<(Fault, usize)> {
        check(&self.history).all.iter().map(|finding| (finding.fault, finding.token.0)).collect()
    }

    #[track_caller]
    fn shows(self, expected: &[(Fault, usize)]) {
        assert_eq!(self.findings(), expected);
    }
}

const fn put(number: i64) -> Change {
    Change::Put { number }
}

#[test]
fn a_history_in_order_shows_nothing() {
    Story::default()
        .does(1, Insert, put(5))
        .does(2, Update, ADD)
        .begins(3, Save, Change::Add { delta: 7 })
        .delivers(3, 1, Apply)
        .delivers(3, 2, Refuse)
        .tells(3, Replayed)
        .does(4, Upsert, put(1))
        .begins(5, Insert, put(9))
        .delivers(5, 1, Refuse)
        .delivers(5, 2, ApplyBeside)
        .tells(5, Refused(Refusal::AlreadyExists))
        .leaves(1, 4)
        .shows(&[]);
    Story::default().does(1, Insert, put(5)).does(2, Delete, Change::Remove).shows(&[]);
}

#[test]
fn a_refusal_of_what_was_applied_is_false() {
    Story::default()
        .begins(1, Insert, put(5))
        .delivers(1, 1, Apply)
        .delivers(1, 2, Refuse)
        .tells(1, Refused(Refusal::AlreadyExists))
        .leaves(5, 1)
        .shows(&[(Fault::FalseRefusal, 1)]);
    for told in [Refused(Refusal::Conflict), Refused(Refusal::Other), GaveUp] {
        let saved = Story::counter().begins(1, Save, ADD).delivers(1, 1, Apply).delivers(1, 2, Refuse).tells(1, told);
        saved.leaves(1, 1).shows(&[(Fault::FalseRefusal, 1)]);
    }
}

#[test]
fn a_refusal_without_a_ground_at_any_time_of_the_call_is_false() {
    Story::default()
        .begins(1, Insert, put(5))
        .delivers(1, 1, Refuse)
        .tells(1, Refused(Refusal::AlreadyExists))
        .shows(&[(Fault::FalseRefusal, 1)]);
    Story::counter()
        .begins(1, Update, ADD)
        .tells(1, Refused(Refusal::NotFound))
        .leaves(0, 0)
        .shows(&[(Fault::FalseRefusal, 1)]);
    // What was so for a moment of it is ground enough.
    Story::counter()
        .begins(1, Insert, put(5))
        .does(2, Delete, Change::Remove)
        .tells(1, Refused(Refusal::AlreadyExists))
        .shows(&[]);
}

#[test]
fn a_refusal_of_what_is_applied_later_is_told_apart() {
    Story::counter()
        .begins(1, Update, ADD)
        .tells(1, GaveUp)
        .delivers(1, 1, Apply)
        .leaves(1, 1)
        .shows(&[(Fault::RefusedThenApplied, 1)]);
}

#[test]
fn an_unknown_outcome_may_be_either_and_later_too() {
    Story::counter().begins(1, Update, ADD).tells(1, Unknown).leaves(0, 0).shows(&[]);
    Story::counter().begins(1, Update, ADD).delivers(1, 1, Apply).tells(1, Unknown).leaves(1, 1).shows(&[]);
    Story::counter().begins(1, Update, ADD).tells(1, Unknown).delivers(1, 1, Apply).leaves(1, 1).shows(&[]);
    Story::counter().begins(1, Update, ADD).delivers(1, 1, Apply).leaves(1, 1).shows(&[]);
}

#[test]
fn what_is_applied_twice_is_a_double_effect_whatever_the_caller_was_told() {
    for told in [Applied, Replayed, Unknown] {
        let counted = Story::counter().begins(1, Update, ADD).delivers(1, 1, Apply).delivers(1, 2, Apply);
        counted.tells(1, told).leaves(2, 1).shows(&[(Fault::DoubleEffect, 1)]);
    }
    let late = Story::counter().does(1, Upsert, put(5)).does(2, Upsert, put(6)).delivers(1, 1, Apply);
    late.leaves(5, 1).shows(&[(Fault::DoubleEffect, 1)]);
    // Three times are two too many.
    let thrice = Story::counter().does(1, Update, ADD).delivers(1, 2, Apply).delivers(1, 3, Apply);
    thrice.leaves(3, 1).shows(&[(Fault::DoubleEffect, 1), (Fault::DoubleEffect, 1)]);
}

#[test]
fn a_delete_that_removes_two_items_is_a_double_effect() {
    Story::counter()
        .does(1, Delete, Change::Remove)
        .does(2, Insert, put(5))
        .delivers(1, 2, Apply)
        .shows(&[(Fault::DoubleEffect, 1)]);
    // One that finds nothing the second time isn't.
    Story::counter().does(1, Delete, Change::Remove).delivers(1, 2, Apply).shows(&[]);
}

#[test]
fn what_is_acknowledged_and_never_applied_is_lost() {
    for told in [Applied, Replayed] {
        let lost = Story::counter().begins(1, Update, ADD).delivers(1, 1, Refuse).tells(1, told);
        lost.leaves(0, 0).shows(&[(Fault::LostWrite, 1)]);
    }
    // A fence isn't the change.
    let fenced = Story::counter().begins(1, Update, ADD).delivers(1, 1, ApplyBeside).tells(1, Applied);
    fenced.leaves(0, 0).shows(&[(Fault::LostWrite, 1)]);
    // Nor does it count that it was applied afterwards.
    let early = Story::counter().begins(1, Update, ADD).tells(1, Applied).delivers(1, 1, Apply);
    early.leaves(1, 1).shows(&[(Fault::LostWrite, 1)]);
}

#[test]
fn a_delete_needs_no_effect_where_nothing_is_there() {
    Story::default().begins(1, Delete, Change::Remove).delivers(1, 1, Apply).tells(1, Applied).shows(&[]);
    let by_another = Story::counter().begins(1, Delete, Change::Remove).does(2, Delete, Change::Remove);
    by_another.tells(1, Applied).shows(&[]);
    let lost = Story::counter().begins(1, Delete, Change::Remove).tells(1, Applied);
    lost.leaves(0, 0).shows(&[(Fault::LostWrite, 1)]);
    let at = Story::default().begins(1, DeleteAt, Change::Remove).tells(1, Applied);
    at.shows(&[(Fault::LostWrite, 1)]);
}

#[test]
fn an_acknowledged_write_that_the_item_does_not_show_is_lost() {
    Story::counter().does(1, Upsert, put(5)).leaves(0, 0).shows(&[(Fault::LostWrite, 1)]);
    Story::default().does(1, Insert, put(5)).shows(&[(Fault::LostWrite, 1)]);
    Story::counter().does(1, Delete, Change::Remove).leaves(0, 0).shows(&[(Fault::LostWrite, 1)]);
    // The first of two was overwritten by the second, which had not seen it.
    Story::counter().does(1, Update, ADD).does(2, Update, ADD).leaves(1, 2).shows(&[(Fault::LostWrite, 2)]);
    let unsure = Story::counter().does(1, Save, ADD).begins(2, Save, ADD).delivers(2, 1, Apply).tells(2, Unknown);
    unsure.leaves(1, 2).shows(&[(Fault::LostWrite, 2)]);
    // A later write explains that an earlier one is gone.
    Story::counter().does(1, Update, ADD).does(2, Upsert, put(9)).leaves(9, 2).shows(&[]);
}

#[test]
fn an_item_with_more_than_the_requests_say_is_a_double_effect() {
    Story::counter().does(1, Save, ADD).leaves(2, 1).shows(&[(Fault::DoubleEffect, 1)]);
}

#[test]
fn a_state_that_nothing_explains_is_found() {
    Story::default().leaves(1, 7).shows(&[(Fault::Unexplained, 7)]);
    let unsure = Story::counter().begins(1, Upsert, put(5)).delivers(1, 1, Apply).tells(1, Unknown);
    unsure.leaves(3, 0).shows(&[(Fault::Unexplained, 1)]);
    Story::default().delivers(3, 1, Apply).shows(&[(Fault::Unexplained, 3)]);
    Story::counter().does(1, RacedInsert, put(5)).leaves(5, 1).shows(&[(Fault::Unexplained, 1)]);
    Story::default().does(1, Update, ADD).leaves(1, 1).shows(&[(Fault::Unexplained, 1)]);
    let if_it_has_1 = Change::AddIf { delta: -1, at_least: 1 };
    Story::counter().does(1, UpdateWhen, if_it_has_1).leaves(-1, 1).shows(&[(Fault::Unexplained, 1)]);
    Story::counter().does(1, Update, ADD).does(2, UpdateWhen, if_it_has_1).leaves(0, 2).shows(&[]);
}

#[test]
fn the_order_of_deliveries_is_that_of_their_moments() {
    let mut story = Story::default().does(1, Insert, put(5)).does(2, Upsert, put(6)).leaves(6, 2);
    story.history.deliveries.reverse();
    story.shows(&[]);
}

#[test]
fn an_insert_applied_again_is_conceded_after_another_calls_delete_only() {
    for verb in [Insert, Upsert] {
        let deleted = Story::default().does(1, verb, put(5)).does(2, Delete, Change::Remove).delivers(1, 1, Apply);
        deleted.leaves(5, 1).shows(&[(Fault::Conceded, 1)]);
    }
    // A delete that was before both, or came after, or found nothing, concedes nothing.
    let before = Story::counter().does(1, Delete, Change::Remove).does(2, Upsert, put(5)).delivers(2, 2, Apply);
    before.leaves(5, 2).shows(&[(Fault::DoubleEffect, 2)]);
    let after = Story::counter().does(1, Upsert, put(5)).delivers(1, 2, Apply).does(2, Delete, Change::Remove);
    after.shows(&[(Fault::DoubleEffect, 1)]);
    // Nor does one concede what is no insert or upsert, unless an older insert has made the item since.
    let older = Story::counter().begins(3, Insert, put(0)).does(1, Update, ADD).does(2, Delete, Change::Remove);
    let older = older.delivers(3, 1, Apply).tells(3, Applied).delivers(1, 2, Apply).leaves(1, 1);
    older.shows(&[(Fault::Conceded, 1)]);
    let update = Story::counter()
        .does(1, Update, ADD)
        .does(2, Delete, Change::Remove)
        .does(3, Insert, put(0))
        .delivers(1, 2, Apply)
        .leaves(1, 1);
    update.shows(&[(Fault::DoubleEffect, 1)]);
    // Each further time needs a delete of its own.
    let thrice = Story::default()
        .does(1, Insert, put(5))
        .does(2, Delete, Change::Remove)
        .delivers(1, 2, Apply)
        .does(3, Upsert, put(6))
        .delivers(1, 3, Apply)
        .leaves(5, 1);
    assert_eq!(thrice.findings().iter().filter(|(fault, _)| *fault == Fault::Conceded).count(), 1);
    assert!(thrice.findings().contains(&(Fault::DoubleEffect, 1)));
}

#[test]
fn a_refusal_of_an_insert_is_conceded_after_a_delete_only() {
    let refused = || Story::counter().begins(1, Insert, put(5)).tells(1, Refused(Refusal::AlreadyExists));
    let deleted = |story: Story| story.does(2, Delete, Change::Remove).delivers(1, 1, Apply).leaves(5, 1);
    deleted(refused()).shows(&[(Fault::Conceded, 1)]);
    let update = Story::counter().begins(1, Update, ADD).tells(1, GaveUp).does(2, Delete, Change::Remove);
    let update = update.does(3, Insert, put(0)).delivers(1, 1, Apply).leaves(1, 1);
    update.shows(&[(Fault::RefusedThenApplied, 1)]);
}

#[test]
fn nothing_is_conceded_where_deletes_leave_tombstones() {
    let kept = |mut story: Story| {
        story.history.tombstones = true;
        story
    };
    let again = Story::default().does(1, Upsert, put(5)).does(2, Delete, Change::Remove).delivers(1, 1, Apply);
    kept(again.leaves(5, 1)).shows(&[(Fault::DoubleEffect, 1)]);
    let late = Story::counter().begins(1, Insert, put(5)).tells(1, Refused(Refusal::AlreadyExists));
    let late = late.does(2, Delete, Change::Remove).delivers(1, 1, Apply);
    kept(late.leaves(5, 1)).shows(&[(Fault::RefusedThenApplied, 1)]);
    let deleted = Story::counter().begins(1, DeleteAt, Change::Remove).delivers(1, 1, Apply).delivers(1, 1, Refuse);
    kept(deleted.tells(1, Refused(Refusal::NotFound))).shows(&[(Fault::FalseRefusal, 1)]);
}

#[test]
fn a_delete_at_an_etag_that_the_network_repeated_may_be_told_not_found() {
    let told_not_found = |verb, second_request| {
        Story::counter()
            .begins(1, verb, Change::Remove)
            .delivers(1, 1, Apply)
            .delivers(1, second_request, Refuse)
            .tells(1, Refused(Refusal::NotFound))
    };
    told_not_found(DeleteAt, 1).shows(&[(Fault::Conceded, 1)]);
    // The client itself sent it again: it had to know.
    told_not_found(DeleteAt, 2).shows(&[(Fault::FalseRefusal, 1)]);
    told_not_found(Delete, 1).shows(&[(Fault::FalseRefusal, 1)]);
}

#[test]
fn a_counter_is_held_against_what_its_callers_believe() {
    let story = Story::counter()
        .does(1, Update, ADD)
        .begins(2, Update, ADD)
        .delivers(2, 1, Apply)
        .delivers(2, 2, Apply)
        .tells(2, Applied)
        .begins(3, Update, ADD)
        .tells(3, Unknown)
        .leaves(3, 2);
    let counters = check(&story.history).counters;
    let [counter] = &counters[..] else { panic!("{counters:?}") };
    assert_eq!((counter.acknowledged, counter.unknown, counter.counted), (2, 1, 3));
    assert!(!counter.is_off(), "the unknown one may be what makes it 3");
    let counter = Counter { unknown: 0, ..counter.clone() };
    assert!(counter.is_off());
    assert!((counter.excess() - 0.5).abs() < 1e-9);
    assert!(Counter { counted: 1, ..counter }.is_off(), "one too few");

    let counters = |story: Story| check(&story.history).counters.len();
    assert_eq!(counters(Story::counter().does(1, Update, ADD).does(2, Save, ADD)), 0, "a save may be refused");
    assert_eq!(counters(Story::counter().does(1, Update, Change::Add { delta: 2 })), 0);
}

#[test]
fn double_effects_and_late_ones_say_how_deletes_have_to_do_with_them() {
    let why = |mut story: Story| {
        story.history.tombstones = true;
        check(&story.history).broken().next().expect("broken").why
    };
    assert_eq!(why(Story::counter().does(1, Update, ADD).delivers(1, 2, Apply)), "applied twice to one item");
    let remade_by = |older: bool| {
        let story = Story::counter();
        let story = if older { story.begins(3, Insert, put(7)) } else { story };
        let story = story.does(1, Update, ADD).does(2, Delete, Change::Remove);
        let story = if older { story } else { story.begins(3, Insert, put(7)) };
        why(story.delivers(3, 1, Apply).tells(3, Applied).delivers(1, 2, Apply))
    };
    assert!(remade_by(true).ends_with("an older call has made since"), "{}", remade_by(true));
    assert!(remade_by(false).ends_with("a younger call has made since"), "{}", remade_by(false));

    let update = Story::counter().begins(1, Update, ADD).tells(1, GaveUp).delivers(1, 1, Apply);
    assert!(why(update.leaves(1, 1)).ends_with("it was later"));
}
