//! One behaviour suite, many networks, any engine.
//!
//! Each behaviour runs on a network without faults, on one that loses the first reply of every write, and in two storms, with
//! the same assertions. The engine is the embedded one, or the one at `AWS_ENDPOINT_URL` (`localstack/test.sh` sets it).

#![expect(clippy::unwrap_used, reason = "a test that gets no error where one is due may say so by a panic")]

mod behaviours;
mod tombstones;
mod transactions;
mod world;

macro_rules! on_every_network {
    ($($module:ident::$behaviour:ident)*) => {
        mod plain { $(#[test] fn $behaviour() {
            crate::world::run(crate::world::Weather::Plain, crate::$module::$behaviour);
        })* }
        mod every_first_reply_lost { $(#[test] fn $behaviour() {
            crate::world::run(crate::world::Weather::EveryFirstReplyLost, crate::$module::$behaviour);
        })* }
        mod storm_1 { $(#[test] fn $behaviour() {
            crate::world::run(crate::world::Weather::Storm(1), crate::$module::$behaviour);
        })* }
        mod storm_2 { $(#[test] fn $behaviour() {
            crate::world::run(crate::world::Weather::Storm(2), crate::$module::$behaviour);
        })* }
    };
}

on_every_network! {
    behaviours::insert_writes_once_and_then_refuses
    behaviours::keyed_insert_is_recognised_by_another_store
    behaviours::keyed_insert_with_other_content_is_refused
    behaviours::contended_insert_has_one_winner
    behaviours::upsert_creates_and_replaces_and_keeps_unknown_attributes
    behaviours::upsert_newer_refuses_what_is_older
    behaviours::counter_counts_each_call_once
    behaviours::update_refuses_where_its_condition_does_not_hold
    behaviours::update_of_lists_and_sets
    behaviours::update_without_an_item_creates_none
    behaviours::update_at_an_etag_conflicts_after_another_write
    behaviours::save_writes_only_what_changed
    behaviours::save_conflicts_after_another_write
    behaviours::modify_race_loses_no_change
    behaviours::modify_declined_changes_nothing
    behaviours::delete_is_success_also_where_nothing_is
    behaviours::delete_at_an_etag_conflicts_after_another_write
    behaviours::a_reborn_item_is_another_item
    behaviours::foreign_item_is_adopted_and_keeps_its_version
    behaviours::modify_of_maps_that_are_stored_otherwise
    behaviours::save_of_a_foreign_item_conflicts_where_it_is_not_as_read
    behaviours::insert_does_not_overwrite_a_foreign_item
    behaviours::sort_keys_and_binary_keys
    behaviours::stored_nonsense_is_refused_and_left_alone
    tombstones::a_delete_leaves_a_tombstone_that_counts_as_absent
    tombstones::an_insert_brings_a_tombstone_to_life_at_the_next_version
    tombstones::an_upsert_brings_a_tombstone_to_life
    tombstones::a_keyed_insert_is_recognised_after_a_delete
    tombstones::a_delete_at_an_etag_is_never_in_doubt
    tombstones::a_foreign_item_is_deleted_into_a_tombstone
    tombstones::an_update_or_insert_counts_each_call_once
    tombstones::deletes_and_inserts_take_turns_without_a_loss
    transactions::a_payment_is_made_whole_and_once
    transactions::a_transaction_refused_by_one_part_does_nothing
}
