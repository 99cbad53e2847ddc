//! The expressions that dynamo-once sends with each write, with every clause they have (`src/op/stamped.rs`).

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::ReturnValue;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure::AllOld;

use super::theme;
use crate::finding::{Finding, accepted, condition_fails, equal};
use crate::lab::{Lab, b, id, n, s};

theme! { "The stamp's expressions"
    upsert_in_one_request_makes_the_item: UPDATES,
    upsert_in_one_request_keeps_the_birth_and_the_older_entry: UPDATES,
    upsert_that_arrives_late_is_refused: OPERATORS,
    upsert_of_another_lane_leaves_the_first_alone: UPDATES,
    upsert_of_an_unstamped_item_is_refused_and_brings_it: UPDATE_ITEM,
    unstamped_item_is_adopted_once: UPDATES,
    fence_brings_the_item_as_it_was_before: UPDATE_ITEM,
}

const OPEN: &str = "attribute_not_exists(#key) OR (#birth < :id AND (attribute_not_exists(#head) OR #head < :id) \
                    AND #version BETWEEN :one AND :last)";
const STAMP: &str = "SET #older = if_not_exists(#head, :nil), #head = :id, #version = if_not_exists(#version, :zero) + :one, \
                     #birth = if_not_exists(#birth, :id), #field = :field";

fn upsert(lab: &Lab, lane: &str, write_id: u8, field: &str) -> UpdateItemFluentBuilder {
    let values = [
        (":id", id(write_id)),
        (":nil", nil()),
        (":zero", n(0)),
        (":one", n(1)),
        (":last", n(i64::MAX - 1)),
        (":field", s(field)),
    ];
    let names = [("#key", "id"), ("#birth", "_wb"), ("#version", "version"), ("#field", "field")];
    let request = lab.update(STAMP, values).condition_expression(OPEN).return_values_on_condition_check_failure(AllOld);
    let request = request.expression_attribute_names("#head", lane);
    let request = request.expression_attribute_names("#older", format!("{lane}p"));
    names
        .into_iter()
        .fold(request, |request, (placeholder, name)| request.expression_attribute_names(placeholder, name))
}

fn nil() -> aws_sdk_dynamodb::types::AttributeValue {
    b([0; 16])
}

async fn upsert_in_one_request_makes_the_item(lab: Lab) -> Finding {
    accepted("an upsert of an absent key", upsert(&lab, "_w0", 5, "first").send().await)?;
    lab.stands([("_wb", id(5)), ("_w0", id(5)), ("_w0p", nil()), ("version", n(1)), ("field", s("first"))]).await
}

async fn upsert_in_one_request_keeps_the_birth_and_the_older_entry(lab: Lab) -> Finding {
    accepted("an upsert", upsert(&lab, "_w0", 5, "first").send().await)?;
    accepted("an upsert with a greater id", upsert(&lab, "_w0", 6, "second").send().await)?;
    lab.stands([("_wb", id(5)), ("_w0", id(6)), ("_w0p", id(5)), ("version", n(2)), ("field", s("second"))]).await
}

async fn upsert_that_arrives_late_is_refused(lab: Lab) -> Finding {
    for write_id in [5, 7] {
        accepted("an upsert", upsert(&lab, "_w0", write_id, "applied").send().await)?;
    }
    let stored = lab.stored().await?;
    for (write_id, what) in
        [(7, "the same id again"), (6, "an id between the lane's"), (5, "the birth id"), (4, "an older one")]
    {
        let item = condition_fails(what, upsert(&lab, "_w0", write_id, "late").send().await)?;
        equal(&format!("the item, after {what}"), &item, &stored)?;
    }
    equal("the stored item", &lab.stored().await?, &stored)
}

async fn upsert_of_another_lane_leaves_the_first_alone(lab: Lab) -> Finding {
    accepted("an upsert", upsert(&lab, "_w0", 5, "first").send().await)?;
    accepted("an upsert on another lane", upsert(&lab, "_w7", 6, "second").send().await)?;
    let stamp = [("_w0", id(5)), ("_w0p", nil()), ("_w7", id(6)), ("_w7p", nil())];
    let [head, older, other_head, other_older] = stamp;
    lab.stands([("_wb", id(5)), head, older, other_head, other_older, ("version", n(2)), ("field", s("second"))]).await
}

async fn upsert_of_an_unstamped_item_is_refused_and_brings_it(lab: Lab) -> Finding {
    for foreign in [("field", s("another program's")), ("version", n(3)), ("_wb", s("no binary"))] {
        lab.store([foreign.clone()]).await?;
        let item = condition_fails("an upsert", upsert(&lab, "_w0", 5, "ours").send().await)?;
        equal("the item of the refusal", &item, &Some(lab.with([foreign])))?;
    }
    Ok(())
}

async fn unstamped_item_is_adopted_once(lab: Lab) -> Finding {
    lab.store([("version", n(3))]).await?;
    let adopt = |write_id| {
        let update = "SET #older = if_not_exists(#head, :nil), #head = :id, #version = if_not_exists(#version, :zero) + :one, #birth = :id";
        let values = [(":id", id(write_id)), (":nil", nil()), (":zero", n(0)), (":one", n(1)), (":seen", n(3))];
        let request = lab.update(update, values);
        let request =
            request.condition_expression("attribute_exists(id) AND attribute_not_exists(#birth) AND #version = :seen");
        let names = [("#head", "_w0"), ("#older", "_w0p"), ("#birth", "_wb"), ("#version", "version")];
        names.into_iter().fold(request, |request, (key, name)| request.expression_attribute_names(key, name)).send()
    };
    accepted("an adoption", adopt(5).await)?;
    condition_fails("a second adoption", adopt(6).await)?;
    lab.stands([("_wb", id(5)), ("_w0", id(5)), ("_w0p", nil()), ("version", n(4))]).await
}

async fn fence_brings_the_item_as_it_was_before(lab: Lab) -> Finding {
    accepted("an upsert", upsert(&lab, "_w0", 5, "first").send().await)?;
    let before = lab.stored().await?;
    let fence = lab.update(
        "SET #older = if_not_exists(#head, :nil), #head = :id",
        [(":id", id(9)), (":nil", nil()), (":birth", id(5))],
    );
    let fence = fence.condition_expression("#birth = :birth AND (attribute_not_exists(#head) OR #head < :id)");
    let names = [("#head", "_w0"), ("#older", "_w0p"), ("#birth", "_wb")];
    let fence = names.into_iter().fold(fence, |fence, (key, name)| fence.expression_attribute_names(key, name));
    let fenced = accepted("a fence", fence.return_values(ReturnValue::AllOld).send().await)?;
    equal("the fence's item", &fenced.attributes, &before)?;
    condition_fails("an attempt below the fence", upsert(&lab, "_w0", 8, "late").send().await)?;
    lab.stands([("_wb", id(5)), ("_w0", id(9)), ("_w0p", id(5)), ("version", n(1)), ("field", s("first"))]).await
}
