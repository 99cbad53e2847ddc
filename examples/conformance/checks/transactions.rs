//! Transactions: all or nothing, why not, and the token by which one is recognised.

use aws_sdk_dynamodb::error::{BuildError, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::{TransactWriteItemsError, TransactWriteItemsOutput};
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure::AllOld;
use aws_sdk_dynamodb::types::{AttributeValue, ConditionCheck, Delete, Put, TransactWriteItem, Update};

use super::theme;
use crate::finding::{Finding, Miss, accepted, equal, invalid, refused};
use crate::lab::{Item, Lab, given, item, n, s};

theme! { "Transactions"
    transaction_applies_all_its_actions: TRANSACT,
    transaction_with_a_failed_condition_applies_none: TRANSACT,
    reasons_stand_in_the_order_of_the_actions_and_bring_the_items: CANCELLATION,
    reasons_bring_no_item_unasked_nor_of_an_absent_key: CANCELLATION,
    condition_check_holds_or_cancels_and_writes_nothing: TRANSACT,
    conditional_delete_in_a_transaction: TRANSACT,
    update_in_a_transaction_creates_the_item: TRANSACT,
    update_that_cannot_be_applied_cancels: TRANSACT,
    token_sent_again_applies_nothing_again: TRANSACTIONS,
    token_sent_again_succeeds_though_its_conditions_fail_by_now: TRANSACTIONS,
    token_with_other_content_is_refused: TRANSACTIONS,
    token_of_a_cancelled_transaction_runs_anew: TRANSACTIONS,
    two_actions_on_one_item_are_refused: TRANSACT,
    transaction_has_100_actions: TRANSACT,
}

type Sent = Result<TransactWriteItemsOutput, SdkError<TransactWriteItemsError>>;

/// An action, or why the SDK doesn't build it.
type Action = Result<TransactWriteItem, BuildError>;

fn update<const N: usize>(
    lab: &Lab,
    update: &str,
    condition: Option<&str>,
    values: [(&str, AttributeValue); N],
) -> Action {
    let update = Update::builder().table_name(&lab.table).set_key(Some(lab.key())).update_expression(update);
    let update = update.set_condition_expression(condition.map(str::to_owned));
    let update = update.set_expression_attribute_values(given(values));
    let update = update.return_values_on_condition_check_failure(AllOld).build()?;
    Ok(TransactWriteItem::builder().update(update).build())
}

fn insert(lab: &Lab, value: i32) -> Action {
    let put = Put::builder().table_name(&lab.table).set_item(Some(lab.with([("a", n(value))])));
    let put = put.condition_expression("attribute_not_exists(id)").return_values_on_condition_check_failure(AllOld);
    Ok(TransactWriteItem::builder().put(put.build()?).build())
}

fn delete_at(lab: &Lab, value: i32) -> Action {
    let delete = Delete::builder().table_name(&lab.table).set_key(Some(lab.key())).condition_expression("a = :a");
    let delete = delete.expression_attribute_values(":a", n(value)).return_values_on_condition_check_failure(AllOld);
    Ok(TransactWriteItem::builder().delete(delete.build()?).build())
}

fn check_at(lab: &Lab, value: i32) -> Action {
    let check =
        ConditionCheck::builder().table_name(&lab.table).set_key(Some(lab.key())).condition_expression("a = :a");
    let check = check.expression_attribute_values(":a", n(value)).return_values_on_condition_check_failure(AllOld);
    Ok(TransactWriteItem::builder().condition_check(check.build()?).build())
}

async fn send(lab: &Lab, actions: impl IntoIterator<Item = Action>, token: Option<String>) -> Result<Sent, Miss> {
    let actions: Result<Vec<_>, _> = actions.into_iter().collect();
    let actions = actions.map_err(|error| Miss::failed("an action", error.to_string()))?;
    let transaction = lab.client.transact_write_items().set_transact_items(Some(actions));
    Ok(transaction.set_client_request_token(token).send().await)
}

/// A token that no other run has.
fn token() -> Option<String> {
    Some(format!("{:032x}", fastrand::u128(..)))
}

/// The transaction was cancelled: the code and the item of each reason.
fn cancelled(sent: Sent) -> Result<Vec<(String, Option<Item>)>, Miss> {
    let error = refused("the transaction", "TransactionCanceledException", sent)?;
    let TransactWriteItemsError::TransactionCanceledException(cancelled) = error else {
        return Err(Miss::failed("reasons", "none"));
    };
    let reasons = cancelled.cancellation_reasons.unwrap_or_default();
    Ok(reasons.into_iter().map(|reason| (reason.code.unwrap_or_default(), reason.item)).collect())
}

fn codes(reasons: &[(String, Option<Item>)]) -> Vec<&str> {
    reasons.iter().map(|(code, _)| code.as_str()).collect()
}

async fn transaction_applies_all_its_actions(lab: Lab) -> Finding {
    let (one, two, three, four) = (lab.beside("1"), lab.beside("2"), lab.beside("3"), lab.beside("4"));
    for there in [&two, &three, &four] {
        there.store([("a", n(1))]).await?;
    }
    let actions =
        [insert(&one, 1), update(&two, "ADD a :v", None, [(":v", n(1))]), delete_at(&three, 1), check_at(&four, 1)];
    accepted("a transaction", send(&lab, actions, None).await?)?;
    one.stands([("a", n(1))]).await?;
    two.stands([("a", n(2))]).await?;
    equal("what was deleted", &three.stored().await?, &None)?;
    four.stands([("a", n(1))]).await
}

async fn transaction_with_a_failed_condition_applies_none(lab: Lab) -> Finding {
    let (one, two) = (lab.beside("1"), lab.beside("2"));
    two.store([("a", n(1))]).await?;
    cancelled(send(&lab, [insert(&one, 1), insert(&two, 2)], None).await?)?;
    equal("the first action's item", &one.stored().await?, &None)?;
    two.stands([("a", n(1))]).await
}

async fn reasons_stand_in_the_order_of_the_actions_and_bring_the_items(lab: Lab) -> Finding {
    let (one, two, three) = (lab.beside("1"), lab.beside("2"), lab.beside("3"));
    two.store([("a", n(2))]).await?;
    three.store([("a", n(3)), ("z", s("all"))]).await?;
    let reasons = cancelled(send(&lab, [insert(&one, 1), insert(&two, 9), delete_at(&three, 9)], None).await?)?;
    let failed = || "ConditionalCheckFailed".to_owned();
    let expected = vec![
        ("None".to_owned(), None),
        (failed(), Some(two.with([("a", n(2))]))),
        (failed(), Some(three.with([("a", n(3)), ("z", s("all"))]))),
    ];
    equal("the reasons", &reasons, &expected)
}

async fn reasons_bring_no_item_unasked_nor_of_an_absent_key(lab: Lab) -> Finding {
    let (absent, there) = (lab.beside("1"), lab.beside("2"));
    there.store([]).await?;
    let unasked = Put::builder().table_name(&lab.table).set_item(Some(there.key()));
    let unasked = unasked.condition_expression("attribute_not_exists(id)").build();
    let unasked = unasked.map(|put| TransactWriteItem::builder().put(put).build());
    let reasons = cancelled(send(&lab, [check_at(&absent, 1), unasked], None).await?)?;
    let failed = || ("ConditionalCheckFailed".to_owned(), None);
    equal("the reasons", &reasons, &vec![failed(), failed()])
}

async fn condition_check_holds_or_cancels_and_writes_nothing(lab: Lab) -> Finding {
    let (checked, written) = (lab.beside("checked"), lab.beside("written"));
    checked.store([("a", n(1))]).await?;
    let reasons = cancelled(send(&lab, [check_at(&checked, 2), insert(&written, 1)], None).await?)?;
    equal("the reasons", &codes(&reasons), &vec!["ConditionalCheckFailed", "None"])?;
    accepted("a transaction", send(&lab, [check_at(&checked, 1), insert(&written, 1)], None).await?)?;
    checked.stands([("a", n(1))]).await
}

async fn conditional_delete_in_a_transaction(lab: Lab) -> Finding {
    lab.store([("a", n(1))]).await?;
    let reasons = cancelled(send(&lab, [delete_at(&lab, 2)], None).await?)?;
    let expected = vec![("ConditionalCheckFailed".to_owned(), Some(lab.with([("a", n(1))])))];
    equal("the reasons", &reasons, &expected)?;
    lab.stands([("a", n(1))]).await?;
    accepted("a transaction", send(&lab, [delete_at(&lab, 1)], None).await?)?;
    equal("what was deleted", &lab.stored().await?, &None)
}

async fn update_in_a_transaction_creates_the_item(lab: Lab) -> Finding {
    let upsert = update(&lab, "SET a = if_not_exists(a, :zero) + :one", None, [(":zero", n(0)), (":one", n(1))]);
    accepted("a transaction", send(&lab, [upsert], None).await?)?;
    lab.stands([("a", n(1))]).await
}

async fn update_that_cannot_be_applied_cancels(lab: Lab) -> Finding {
    let other = lab.beside("other");
    lab.store([("a", s("no number"))]).await?;
    let actions = [insert(&other, 1), update(&lab, "ADD a :v", None, [(":v", n(1))])];
    let reasons = cancelled(send(&lab, actions, None).await?)?;
    equal("the reasons", &codes(&reasons), &vec!["None", "ValidationError"])
}

async fn token_sent_again_applies_nothing_again(lab: Lab) -> Finding {
    let (token, count) = (token(), || update(&lab, "ADD a :v", None, [(":v", n(1))]));
    for _ in 0..3 {
        accepted("a transaction", send(&lab, [count()], token.clone()).await?)?;
    }
    lab.stands([("a", n(1))]).await
}

async fn token_sent_again_succeeds_though_its_conditions_fail_by_now(lab: Lab) -> Finding {
    let token = token();
    for _ in 0..2 {
        accepted("a transaction", send(&lab, [insert(&lab, 1)], token.clone()).await?)?;
    }
    let reasons = cancelled(send(&lab, [insert(&lab, 1)], self::token()).await?)?;
    equal("the reasons with another token", &codes(&reasons), &vec!["ConditionalCheckFailed"])
}

async fn token_with_other_content_is_refused(lab: Lab) -> Finding {
    let token = token();
    accepted("a transaction", send(&lab, [insert(&lab, 1)], token.clone()).await?)?;
    let other = send(&lab, [insert(&lab, 2)], token).await?;
    refused("the token again", "IdempotentParameterMismatchException", other)?;
    lab.stands([("a", n(1))]).await
}

async fn token_of_a_cancelled_transaction_runs_anew(lab: Lab) -> Finding {
    let token = token();
    lab.store([("a", n(1))]).await?;
    cancelled(send(&lab, [insert(&lab, 2)], token.clone()).await?)?;
    accepted("a delete", lab.delete().send().await)?;
    accepted("the token again", send(&lab, [insert(&lab, 2)], token).await?)?;
    lab.stands([("a", n(2))]).await
}

async fn two_actions_on_one_item_are_refused(lab: Lab) -> Finding {
    lab.store([("a", n(1))]).await?;
    let count = update(&lab, "ADD a :v", None, [(":v", n(1))]);
    invalid("a check and an update of one item", send(&lab, [check_at(&lab, 1), count], None).await?)?;
    lab.stands([("a", n(1))]).await
}

async fn transaction_has_100_actions(lab: Lab) -> Finding {
    let puts = |count: usize| {
        (0..count).map(|number| {
            let put =
                Put::builder().table_name(&lab.table).set_item(Some(item([("id", s(format!("action-{number}")))])));
            Ok(TransactWriteItem::builder().put(put.build()?).build())
        })
    };
    accepted("100 actions", send(&lab, puts(100), None).await?)?;
    invalid("101 actions", send(&lab, puts(101), None).await?)
}
