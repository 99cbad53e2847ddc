//! The client that keeps the records of Powertools for AWS Lambda, with the SDK and its retries: what is claimed is told by a
//! condition that knows no owner, and completed or deleted without one. The effect is a transaction of its own.

use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{
    AttributeValue, Delete, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};
use aws_sdk_dynamodb::{Client, Config};

use crate::fate::come_to;
use crate::history::{Execution, Step, Told};
use crate::run::{Job, LEASE};
use crate::tables::COUNTERS;

/// As its default.
const KEPT_SECONDS: u128 = 3600;
/// How often a claim is begun anew that has met a record which is no longer in force, as in `base.py`.
const CLAIMS: usize = 3;
const CONDITION: &str = "attribute_not_exists(#id) OR #expiry < :now OR (#status = :inprogress AND \
                         attribute_exists(#in_progress_expiry) AND #in_progress_expiry < :now_in_millis)";

type Values = HashMap<String, AttributeValue>;

#[derive(Debug)]
pub(crate) struct Powertools {
    client: Client,
}

impl Powertools {
    pub(crate) fn new(config: Config) -> Self {
        Self { client: Client::from_conf(config) }
    }

    pub(crate) async fn handle(&self, job: &Job) -> Told {
        for _ in 0..CLAIMS {
            match self.claim(job).await {
                Ok(None) => return self.run(job).await,
                Ok(Some(record)) => match judge(&record) {
                    Some(told) => return told,
                    None => continue,
                },
                Err(told) => return told,
            }
        }
        Told::GaveUp
    }

    /// `None` where it is claimed, else the record that stands in the way.
    async fn claim(&self, job: &Job) -> Result<Option<Values>, Told> {
        let now = millis();
        let put = self
            .client
            .put_item()
            .table_name("records")
            .item("id", text(&job.name()))
            .item("status", text("INPROGRESS"))
            .item("expiration", number(now / 1000 + KEPT_SECONDS))
            .item("in_progress_expiration", number(now + LEASE.as_millis()))
            .condition_expression(CONDITION)
            .expression_attribute_names("#id", "id")
            .expression_attribute_names("#expiry", "expiration")
            .expression_attribute_names("#in_progress_expiry", "in_progress_expiration")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":now", number(now / 1000))
            .expression_attribute_values(":now_in_millis", number(now))
            .expression_attribute_values(":inprogress", text("INPROGRESS"))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match put.send().await {
            Ok(_) => Ok(None),
            Err(error) => match error.into_service_error() {
                PutItemError::ConditionalCheckFailedException(failed) => Ok(Some(failed.item.unwrap_or_default())),
                _ => Err(Told::Unknown),
            },
        }
    }

    async fn run(&self, job: &Job) -> Told {
        come_to(Step::Claimed).await;
        let execution = job.execute();
        let key = |name: &str| HashMap::from([(name.to_owned(), text(&job.name()))]);
        come_to(Step::Operating).await;
        if job.fails || !self.write(job, execution).await {
            let delete = self.client.delete_item().table_name("records").set_key(Some(key("id")));
            let _kept = delete.send().await;
            return Told::Failed;
        }
        let complete = self
            .client
            .update_item()
            .table_name("records")
            .set_key(Some(key("id")))
            .update_expression("SET #data = :data, #expiry = :expiry, #status = :status")
            .expression_attribute_names("#data", "data")
            .expression_attribute_names("#expiry", "expiration")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":data", text(&execution.to_string()))
            .expression_attribute_values(":expiry", number(millis() / 1000 + KEPT_SECONDS))
            .expression_attribute_values(":status", text("COMPLETED"));
        match complete.send().await {
            Ok(_) => Told::Ran(Execution(execution)),
            Err(_) => Told::Unknown,
        }
    }

    /// Makes the effect, under a token that the SDK's own retries share; whether it is made for certain.
    async fn write(&self, job: &Job, execution: u64) -> bool {
        let key = |name: &str, key: u32| (name.to_owned(), number(key.into()));
        let add = |table: &str, name: &str, of: u32, expression: &str, values: &[(&str, u128)]| {
            let values = values.iter().map(|(name, value)| ((*name).to_owned(), number(*value))).collect();
            let update = Update::builder().table_name(table).set_key(Some(Values::from([key(name, of)])));
            let update = update.update_expression(expression).set_expression_attribute_values(Some(values));
            update.build().map(|update| TransactWriteItem::builder().update(update).build())
        };
        let (of, by) = (job.key.0, u128::from(execution));
        let basket = Delete::builder().table_name("baskets").set_key(Some(Values::from([key("key", of)])));
        let entry = Values::from([key("key", of), ("execution".to_owned(), number(by))]);
        let parts = [
            add("counters", "id", of % COUNTERS, "ADD counted :one", &[(":one", 1)]),
            add("orders", "key", of, "SET paid_by = :by ADD paid :one", &[(":one", 1), (":by", by)]),
            basket.build().map(|basket| TransactWriteItem::builder().delete(basket).build()),
            Put::builder()
                .table_name("ledger")
                .set_item(Some(entry))
                .build()
                .map(|put| TransactWriteItem::builder().put(put).build()),
        ];
        let parts: Result<Vec<_>, _> = parts.into_iter().take(if job.key.is_entered() { 4 } else { 3 }).collect();
        let Ok(parts) = parts else { return false };
        let sent = self.client.transact_write_items().set_transact_items(Some(parts)).send().await;
        sent.is_ok()
    }
}

/// What a record says that stands in the way; `None` where it no longer does.
fn judge(record: &Values) -> Option<Told> {
    let field = |name: &str| record.get(name);
    let status = field("status").and_then(|status| status.as_s().ok()).map(String::as_str);
    match status {
        Some("COMPLETED") => {
            let answer = field("data").and_then(|data| data.as_s().ok()?.parse().ok());
            answer.map(|answer| Told::Replayed(Execution(answer)))
        }
        Some("INPROGRESS") => {
            let until: Option<u128> = field("in_progress_expiration").and_then(|until| until.as_n().ok()?.parse().ok());
            until.is_none_or(|until| until >= millis()).then_some(Told::InProgress)
        }
        _ => None,
    }
}

#[expect(clippy::disallowed_methods, reason = "it stands for another library, which goes by the clock of the machine")]
fn millis() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis()
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

fn number(value: u128) -> AttributeValue {
    AttributeValue::N(value.to_string())
}
