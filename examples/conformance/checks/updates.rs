//! What an update expression does to an item.

use super::theme;
use crate::finding::{Finding, accepted, invalid};
use crate::lab::{Lab, b, id, l, m, n, s, ss};

theme! { "Updates"
    right_hand_sides_see_the_item_as_it_was: UPDATES,
    if_not_exists_copies_what_is_there: UPDATES,
    if_not_exists_counts_from_what_is_given: UPDATES,
    counting_an_absent_attribute_is_refused: UPDATES,
    counting_what_is_no_number_is_refused: UPDATES,
    all_four_clauses_in_one_expression: UPDATES,
    add_counts_from_zero_and_unites: UPDATES,
    delete_of_the_last_element_takes_the_set_away: UPDATES,
    add_to_another_type_is_refused: UPDATES,
    remove_of_what_is_absent_does_nothing: UPDATES,
    list_append_puts_behind_or_makes_the_list: UPDATES,
    element_beyond_the_end_is_appended: UPDATES,
    nested_paths_are_set_and_removed: UPDATES,
    path_without_its_parent_is_refused: UPDATES,
    overlapping_paths_are_refused: UPDATES,
    key_attributes_cannot_be_changed: UPDATE_ITEM,
    fault_in_one_clause_undoes_the_others: UPDATE_ITEM,
}

async fn right_hand_sides_see_the_item_as_it_was(lab: Lab) -> Finding {
    lab.store([("head", id(1)), ("x", n(1)), ("y", n(2))]).await?;
    let update = lab.update("SET older = head, head = :id, x = y, y = x, z = x + y", [(":id", id(2))]);
    accepted("an update", update.send().await)?;
    lab.stands([("head", id(2)), ("older", id(1)), ("x", n(2)), ("y", n(1)), ("z", n(3))]).await
}

async fn if_not_exists_copies_what_is_there(lab: Lab) -> Finding {
    lab.store([("head", id(1))]).await?;
    let update = "SET older = if_not_exists(head, :nil), another = if_not_exists(absent, :nil), head = if_not_exists(head, :nil)";
    accepted("an update", lab.update(update, [(":nil", b([0; 16]))]).send().await)?;
    lab.stands([("head", id(1)), ("older", id(1)), ("another", b([0; 16]))]).await
}

async fn if_not_exists_counts_from_what_is_given(lab: Lab) -> Finding {
    for expected in [1, 2, 3] {
        let update = lab.update("SET a = if_not_exists(a, :zero) + :one", [(":zero", n(0)), (":one", n(1))]);
        accepted("an update", update.send().await)?;
        lab.stands([("a", n(expected))]).await?;
    }
    let update = lab.update("SET a = if_not_exists(a, :zero) - :five", [(":zero", n(0)), (":five", n(5))]);
    accepted("an update", update.send().await)?;
    lab.stands([("a", n(-2))]).await
}

async fn counting_an_absent_attribute_is_refused(lab: Lab) -> Finding {
    lab.store([]).await?;
    invalid("`a + 1` without an a", lab.update("SET a = a + :one", [(":one", n(1))]).send().await)?;
    invalid("a copy of what is absent", lab.update("SET a = b", []).send().await)?;
    lab.stands([]).await
}

async fn counting_what_is_no_number_is_refused(lab: Lab) -> Finding {
    lab.store([("a", s("1"))]).await?;
    let update = lab.update("SET a = if_not_exists(a, :zero) + :one", [(":zero", n(0)), (":one", n(1))]);
    invalid("a text and 1", update.send().await)?;
    lab.stands([("a", s("1"))]).await
}

async fn all_four_clauses_in_one_expression(lab: Lab) -> Finding {
    lab.store([("tags", ss(["x", "y"])), ("more", ss(["x"])), ("gone", n(1)), ("hits", n(1))]).await?;
    let update = "SET a = :one REMOVE gone, absent ADD hits :one, more :y DELETE tags :y";
    let update = lab.update(update, [(":one", n(1)), (":y", ss(["y"]))]);
    accepted("an update", update.send().await)?;
    let Some(mut item) = lab.stored().await? else { return lab.stands([]).await };
    if let Some(aws_sdk_dynamodb::types::AttributeValue::Ss(more)) = item.get_mut("more") {
        more.sort_unstable();
    }
    let expected = lab.with([("a", n(1)), ("tags", ss(["x"])), ("more", ss(["x", "y"])), ("hits", n(2))]);
    crate::finding::equal("the stored item", &item, &expected)
}

async fn add_counts_from_zero_and_unites(lab: Lab) -> Finding {
    accepted("an update", lab.update("ADD a :v, b :set", [(":v", n(-5)), (":set", ss(["x"]))]).send().await)?;
    accepted("an update", lab.update("ADD a :v, b :set", [(":v", n("7.5")), (":set", ss(["x"]))]).send().await)?;
    lab.stands([("a", n("2.5")), ("b", ss(["x"]))]).await
}

async fn delete_of_the_last_element_takes_the_set_away(lab: Lab) -> Finding {
    lab.store([("a", ss(["x"]))]).await?;
    accepted("an update", lab.update("DELETE a :v, absent :v", [(":v", ss(["x", "y"]))]).send().await)?;
    lab.stands([]).await
}

async fn add_to_another_type_is_refused(lab: Lab) -> Finding {
    lab.store([("a", s("1")), ("b", ss(["x"]))]).await?;
    invalid("a number added to a text", lab.update("ADD a :v", [(":v", n(1))]).send().await)?;
    invalid("a number added to a set of texts", lab.update("ADD b :v", [(":v", n(1))]).send().await)?;
    invalid("a text added", lab.update("ADD c :v", [(":v", s("x"))]).send().await)?;
    lab.stands([("a", s("1")), ("b", ss(["x"]))]).await
}

async fn remove_of_what_is_absent_does_nothing(lab: Lab) -> Finding {
    lab.store([("m", m([])), ("l", l([n(1)]))]).await?;
    accepted("an update", lab.update("REMOVE a, m.b, l[5]", []).send().await)?;
    lab.stands([("m", m([])), ("l", l([n(1)]))]).await
}

async fn list_append_puts_behind_or_makes_the_list(lab: Lab) -> Finding {
    for expected in [l([n(1)]), l([n(1), n(1)])] {
        let update = "SET a = list_append(if_not_exists(a, :empty), :more)";
        accepted("an update", lab.update(update, [(":empty", l([])), (":more", l([n(1)]))]).send().await)?;
        lab.stands([("a", expected)]).await?;
    }
    lab.store([("a", s("no list"))]).await?;
    invalid(
        "an element behind a text",
        lab.update("SET a = list_append(a, :more)", [(":more", l([n(1)]))]).send().await,
    )
}

async fn element_beyond_the_end_is_appended(lab: Lab) -> Finding {
    lab.store([("a", l([n(1)]))]).await?;
    accepted("an update", lab.update("SET a[7] = :v", [(":v", n(2))]).send().await)?;
    lab.stands([("a", l([n(1), n(2)]))]).await
}

async fn nested_paths_are_set_and_removed(lab: Lab) -> Finding {
    lab.store([("m", m([("x", n(1)), ("y", m([("z", n(1))]))])), ("l", l([n(1), n(2), n(3)]))]).await?;
    let update = lab.update("SET m.x = :v, m.y.fresh = :v, l[0] = :v REMOVE m.y.z, l[1]", [(":v", n(9))]);
    accepted("an update", update.send().await)?;
    lab.stands([("m", m([("x", n(9)), ("y", m([("fresh", n(9))]))])), ("l", l([n(9), n(3)]))]).await
}

async fn path_without_its_parent_is_refused(lab: Lab) -> Finding {
    lab.store([("prose", s("no map"))]).await?;
    for path in ["absent.below", "prose.below", "absent[0]", "prose[0]"] {
        let update = format!("SET {path} = :v");
        invalid(&format!("`{update}`"), lab.update(&update, [(":v", n(1))]).send().await)?;
    }
    invalid("`REMOVE absent.below`", lab.update("REMOVE absent.below", []).send().await)?;
    lab.stands([("prose", s("no map"))]).await
}

async fn overlapping_paths_are_refused(lab: Lab) -> Finding {
    lab.store([("m", m([("x", n(1))]))]).await?;
    for update in ["SET a = :v, a = :v", "SET m = :v, m.x = :v", "SET m.x = :v REMOVE m", "SET a = :v ADD a :v"] {
        invalid(&format!("`{update}`"), lab.update(update, [(":v", n(1))]).send().await)?;
    }
    lab.stands([("m", m([("x", n(1))]))]).await
}

async fn key_attributes_cannot_be_changed(lab: Lab) -> Finding {
    lab.store([]).await?;
    invalid("`SET id`", lab.update("SET id = :v", [(":v", s("another"))]).send().await)?;
    invalid("`REMOVE id`", lab.update("REMOVE id", []).send().await)
}

async fn fault_in_one_clause_undoes_the_others(lab: Lab) -> Finding {
    lab.store([("prose", s("no number"))]).await?;
    invalid("an update", lab.update("SET a = :v ADD prose :v", [(":v", n(1))]).send().await)?;
    lab.stands([("prose", s("no number"))]).await
}
