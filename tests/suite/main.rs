//! One behaviour suite, many networks, any engine.
//!
//! Each behaviour runs on a network without faults, on one that loses the first reply of every write, and in two storms, with
//! the same assertions. The engine is the embedded one, or the one at `AWS_ENDPOINT_URL` (`localstack/test.sh` sets it).

#![expect(clippy::unwrap_used, reason = "a test that gets no error where one is due may say so by a panic")]

mod behaviours;
mod world;

macro_rules! on_every_network {
    ($($behaviour:ident)*) => {
        mod plain { $(#[test] fn $behaviour() {
            crate::world::run(crate::world::Weather::Plain, crate::behaviours::$behaviour);
        })* }
        mod every_first_reply_lost { $(#[test] fn $behaviour() {
            crate::world::run(crate::world::Weather::EveryFirstReplyLost, crate::behaviours::$behaviour);
        })* }
        mod storm_1 { $(#[test] fn $behaviour() {
            crate::world::run(crate::world::Weather::Storm(1), crate::behaviours::$behaviour);
        })* }
        mod storm_2 { $(#[test] fn $behaviour() {
            crate::world::run(crate::world::Weather::Storm(2), crate::behaviours::$behaviour);
        })* }
    };
}

on_every_network! {
    insert_writes_once_and_then_refuses
    keyed_insert_is_recognised_by_another_store
    keyed_insert_with_other_content_is_refused
    contended_insert_has_one_winner
    upsert_creates_and_replaces_and_keeps_unknown_attributes
    upsert_newer_refuses_what_is_older
    counter_counts_each_call_once
    update_refuses_where_its_condition_does_not_hold
    update_of_lists_and_sets
    update_without_an_item_creates_none
    update_at_an_etag_conflicts_after_another_write
    save_writes_only_what_changed
    save_conflicts_after_another_write
    modify_race_loses_no_change
    modify_declined_changes_nothing
    delete_is_success_also_where_nothing_is
    delete_at_an_etag_conflicts_after_another_write
    a_reborn_item_is_another_item
    foreign_item_is_adopted_and_keeps_its_version
    modify_of_maps_that_are_stored_otherwise
    save_of_a_foreign_item_conflicts_where_it_is_not_as_read
    insert_does_not_overwrite_a_foreign_item
    sort_keys_and_binary_keys
    stored_nonsense_is_refused_and_left_alone
}
