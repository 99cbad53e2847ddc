//! One behaviour suite, many networks, any engine.
//!
//! Each behaviour runs on a network without faults, on one that loses the first reply of every write, and in two storms, with
//! the same assertions. The engine is the embedded one, or the one at `AWS_ENDPOINT_URL` (`localstack/test.sh` sets it).

#![expect(clippy::unwrap_used, reason = "a test that gets no error where one is due may say so by a panic")]

mod batches;
mod behaviours;
mod once;
mod queries;
mod recorded;
mod single_table;
mod times;
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
    single_table::several_types_share_a_table
    single_table::hostile_values_make_keys_of_their_own
    single_table::indexes_are_added_to_a_table_that_is_there
    single_table::indexes_keep_step_with_every_verb
    single_table::items_of_an_index_come_by_pages_and_in_order
    single_table::nested_paths_are_set_added_to_and_compared
    single_table::an_item_of_another_type_under_an_order_s_key_is_told
    queries::conditions_on_the_sort_key_take_what_they_say
    queries::filters_and_limits_hand_out_what_was_asked_for
    queries::pages_follow_each_other_without_gap_or_repeat
    queries::scans_bring_every_item_once
    queries::projections_read_a_part_with_its_version
    queries::items_that_do_not_decode_are_reported_among_the_others
    batches::get_many_answers_each_key_in_its_place
    batches::get_many_loses_nothing_to_what_does_not_decode
    batches::insert_many_is_replayed_when_it_is_delivered_again
    batches::insert_many_refuses_each_on_its_own
    batches::upsert_many_writes_each_item_once
    batches::a_meter_counts_every_request
    times::a_write_that_is_sent_again_carries_the_same_times
    times::a_keyed_insert_is_the_same_at_any_time
    times::an_expired_item_is_absent_to_reads_and_stored_to_writes
    times::a_sliding_expiry_begins_anew_with_every_write
    times::an_item_without_a_time_does_not_expire
    once::an_operation_runs_once_and_every_delivery_is_answered
    once::a_failed_operation_runs_again
    once::a_payment_is_made_once_with_its_record
    once::what_is_final_or_large_is_replayed
    recorded::every_verb_is_written_once_for_its_key
    recorded::a_transaction_is_written_once_for_its_key
    recorded::a_refusal_is_not_recorded_and_another_content_is_refused
    transactions::a_payment_is_made_whole_and_once
    transactions::a_transaction_refused_by_one_part_does_nothing
}

/// What takes a table of 10,000 items, where faults would show nothing that they don't show above.
mod large {
    #[test]
    fn ten_thousand_items_come_once_and_only_once() {
        crate::world::run(crate::world::Weather::Plain, crate::queries::ten_thousand_items_come_once_and_only_once);
    }
}
