//! Conditional writes: when they are applied, and what comes back when they aren't.

use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure::AllOld;

use super::theme;
use crate::finding::{Finding, accepted, condition_fails, equal};
use crate::lab::{Lab, item, m, n, s};

theme! { "Conditional writes"
    put_is_applied_where_the_key_is_absent: CONDITIONS,
    put_is_refused_where_the_key_is_taken: CONDITIONS,
    refused_put_brings_the_item: PUT_ITEM,
    refused_update_brings_the_item: UPDATE_ITEM,
    refused_delete_brings_the_item: DELETE_ITEM,
    refusal_of_an_absent_key_brings_no_item: UPDATE_ITEM,
    refusal_brings_no_item_unasked: PUT_ITEM,
    failed_condition_changes_nothing: CONDITIONS,
    condition_is_judged_before_the_faults_of_the_update: UPDATE_ITEM,
    update_creates_the_item_where_its_condition_allows_it: UPDATE_ITEM,
    update_of_an_absent_key_needs_no_condition: UPDATE_ITEM,
    delete_of_an_absent_key_is_applied_where_its_condition_allows_it: DELETE_ITEM,
    delete_applies_only_where_its_condition_holds: DELETE_ITEM,
}

async fn put_is_applied_where_the_key_is_absent(lab: Lab) -> Finding {
    let put = lab.put([("a", n(1))]).condition_expression("attribute_not_exists(id)");
    accepted("a put on an absent key", put.send().await)?;
    lab.stands([("a", n(1))]).await
}

async fn put_is_refused_where_the_key_is_taken(lab: Lab) -> Finding {
    lab.store([("a", n(1))]).await?;
    let put = lab.put([("a", n(2))]).condition_expression("attribute_not_exists(id)");
    condition_fails("a put on a key that is taken", put.send().await)?;
    lab.stands([("a", n(1))]).await
}

async fn refused_put_brings_the_item(lab: Lab) -> Finding {
    lab.store([("a", n(1)), ("m", m([("x", s("y"))]))]).await?;
    let put = lab.put([]).condition_expression("attribute_not_exists(id)");
    let item = condition_fails("a put", put.return_values_on_condition_check_failure(AllOld).send().await)?;
    equal("the item of the refusal", &item, &Some(lab.with([("a", n(1)), ("m", m([("x", s("y"))]))])))
}

async fn refused_update_brings_the_item(lab: Lab) -> Finding {
    lab.store([("a", n(1)), ("z", s("all"))]).await?;
    let update = lab.update("SET a = :two", [(":two", n(2))]).condition_expression("a = :two");
    let item = condition_fails("an update", update.return_values_on_condition_check_failure(AllOld).send().await)?;
    equal("the item of the refusal", &item, &Some(lab.with([("a", n(1)), ("z", s("all"))])))
}

async fn refused_delete_brings_the_item(lab: Lab) -> Finding {
    lab.store([("a", n(1))]).await?;
    let delete = lab.delete().condition_expression("attribute_not_exists(a)");
    let item = condition_fails("a delete", delete.return_values_on_condition_check_failure(AllOld).send().await)?;
    equal("the item of the refusal", &item, &Some(lab.with([("a", n(1))])))
}

async fn refusal_of_an_absent_key_brings_no_item(lab: Lab) -> Finding {
    const THERE: &str = "attribute_exists(id)";
    let put = lab.put([]).condition_expression(THERE).return_values_on_condition_check_failure(AllOld);
    equal("the item of a put's refusal", &condition_fails("a put", put.send().await)?, &None)?;
    let update = lab.update("SET a = :one", [(":one", n(1))]).condition_expression(THERE);
    let update = update.return_values_on_condition_check_failure(AllOld);
    equal("the item of an update's refusal", &condition_fails("an update", update.send().await)?, &None)?;
    let delete = lab.delete().condition_expression(THERE).return_values_on_condition_check_failure(AllOld);
    equal("the item of a delete's refusal", &condition_fails("a delete", delete.send().await)?, &None)?;
    equal("the stored item", &lab.stored().await?, &None)
}

async fn refusal_brings_no_item_unasked(lab: Lab) -> Finding {
    lab.store([]).await?;
    let put = lab.put([]).condition_expression("attribute_not_exists(id)");
    equal("the item of the refusal", &condition_fails("a put", put.send().await)?, &None)
}

async fn failed_condition_changes_nothing(lab: Lab) -> Finding {
    lab.store([("a", n(1)), ("gone", s("not yet"))]).await?;
    let update = lab.update("SET a = :two, c = :two REMOVE gone ADD d :two", [(":two", n(2))]);
    condition_fails("an update", update.condition_expression("a > :two").send().await)?;
    condition_fails("a delete", lab.delete().condition_expression("attribute_exists(b)").send().await)?;
    lab.stands([("a", n(1)), ("gone", s("not yet"))]).await
}

async fn condition_is_judged_before_the_faults_of_the_update(lab: Lab) -> Finding {
    lab.store([("prose", s("no number"))]).await?;
    for update in ["SET absent.below = :one", "ADD prose :one", "SET another = absent + :one"] {
        let refused = lab.update(update, [(":one", n(1))]).condition_expression("attribute_exists(b)");
        condition_fails(&format!("`{update}` behind a condition that fails"), refused.send().await)?;
    }
    Ok(())
}

async fn update_creates_the_item_where_its_condition_allows_it(lab: Lab) -> Finding {
    let update = lab.update("SET a = :one", [(":one", n(1))]);
    accepted("an update", update.condition_expression("attribute_not_exists(id) OR a < :one").send().await)?;
    lab.stands([("a", n(1))]).await
}

async fn update_of_an_absent_key_needs_no_condition(lab: Lab) -> Finding {
    accepted("an update", lab.update("SET a = :one", [(":one", n(1))]).send().await)?;
    lab.stands([("a", n(1))]).await?;
    let removing = lab.beside("removing");
    accepted("an update that only removes", removing.update("REMOVE a", []).send().await)?;
    removing.stands([]).await
}

async fn delete_of_an_absent_key_is_applied_where_its_condition_allows_it(lab: Lab) -> Finding {
    accepted("an unconditional delete", lab.delete().send().await)?;
    let delete = lab.delete().condition_expression("attribute_not_exists(id) OR a < :one");
    let delete = delete.expression_attribute_values(":one", n(1));
    accepted("a delete of an absent key", delete.send().await)?;
    equal("the stored item", &lab.stored().await?, &None)
}

async fn delete_applies_only_where_its_condition_holds(lab: Lab) -> Finding {
    lab.store([("a", n(1))]).await?;
    let below = |bound| {
        let delete = lab.delete().condition_expression("attribute_not_exists(id) OR a < :bound");
        delete.set_expression_attribute_values(Some(item([(":bound", n(bound))])))
    };
    condition_fails("a delete of a = 1 below 1", below(1).send().await)?;
    lab.stands([("a", n(1))]).await?;
    accepted("a delete of a = 1 below 2", below(2).send().await)?;
    equal("the stored item", &lab.stored().await?, &None)
}
