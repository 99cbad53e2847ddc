//! The client that is the SDK alone, with its retries and with conditions written by hand, as most code has it.

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_dynamodb::{Client, Config};

use crate::entry::{Entry, Row as _};
use crate::history::{Change, Refusal, Token, Told, Verb};
use crate::workload::Plan;

/// How often a change starts anew after losing to another writer; as this crate's default.
const CONFLICTS: usize = 16;

#[derive(Debug, Clone)]
pub(crate) struct Sdk {
    client: Client,
    table: String,
}

/// An item as read, with the version that the next write expects.
#[derive(Debug, Clone)]
pub(crate) struct Read {
    number: i64,
    version: i64,
}

impl Sdk {
    pub(crate) fn new(config: Config, table: &str) -> Self {
        Self { client: Client::from_conf(config), table: table.to_owned() }
    }

    pub(crate) async fn read(&self, key: &str) -> Result<Option<Read>, Told> {
        let get = self.client.get_item().table_name(&self.table).key("id", text(key)).consistent_read(true);
        let answer = get.send().await.map_err(|error| failed(&error, Refusal::Other))?;
        let Some(item) = answer.item else { return Ok(None) };
        let whole = |name: &str| item.get(name).and_then(|value| value.as_n().ok()?.parse().ok());
        Ok(Some(Read { number: whole("number").unwrap_or(0), version: whole("version").unwrap_or(0) }))
    }

    /// Makes a call's writes; `found` is what was read for it.
    pub(crate) async fn write(&self, plan: &Plan, token: Token, found: Option<Read>) -> Told {
        let key = plan.key.as_str();
        match (plan.verb, plan.change, found) {
            (Verb::Upsert, Change::Put { number }, _) => self.upsert(&Entry::new(key, number, token)).await,
            (_, Change::Put { number }, _) => self.insert(&Entry::new(key, number, token)).await,
            (Verb::Save, Change::Add { delta }, Some(found)) => self.save(key, token, &found, delta).await,
            (Verb::Modify, Change::Add { delta }, _) => self.modify(key, token, delta).await,
            (_, Change::Add { delta }, _) => self.add(key, token, delta, None).await,
            (_, Change::AddIf { delta, at_least }, _) => self.add(key, token, delta, Some(at_least)).await,
            (_, Change::Remove, found) => self.delete(key, found).await,
        }
    }

    async fn insert(&self, entry: &Entry) -> Told {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .item("id", text(&entry.id))
            .item("number", whole(entry.number))
            .item("token", text(&entry.token))
            .item("version", whole(1))
            .condition_expression("attribute_not_exists(id)");
        told(put.send().await, Refusal::AlreadyExists)
    }

    async fn upsert(&self, entry: &Entry) -> Told {
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("id", text(&entry.id))
            .update_expression("SET #number = :number, #token = :token ADD version :one")
            .expression_attribute_names("#number", "number")
            .expression_attribute_names("#token", "token")
            .expression_attribute_values(":number", whole(entry.number))
            .expression_attribute_values(":token", text(&entry.token))
            .expression_attribute_values(":one", whole(1));
        told(update.send().await, Refusal::Other)
    }

    async fn add(&self, key: &str, token: Token, delta: i64, at_least: Option<i64>) -> Told {
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("id", text(key))
            .update_expression("SET #token = :token ADD #number :delta, version :one")
            .condition_expression(if at_least.is_some() { "#number >= :least" } else { "attribute_exists(id)" })
            .expression_attribute_names("#number", "number")
            .expression_attribute_names("#token", "token")
            .expression_attribute_values(":delta", whole(delta))
            .expression_attribute_values(":token", text(&token.to_string()))
            .expression_attribute_values(":one", whole(1));
        match at_least {
            None => told(update.send().await, Refusal::NotFound),
            Some(least) => {
                told(update.expression_attribute_values(":least", whole(least)).send().await, Refusal::Other)
            }
        }
    }

    async fn save(&self, key: &str, token: Token, found: &Read, delta: i64) -> Told {
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("id", text(key))
            .update_expression("SET #number = :number, #token = :token, version = :next")
            .condition_expression("version = :version")
            .expression_attribute_names("#number", "number")
            .expression_attribute_names("#token", "token")
            .expression_attribute_values(":number", whole(found.number + delta))
            .expression_attribute_values(":token", text(&token.to_string()))
            .expression_attribute_values(":version", whole(found.version))
            .expression_attribute_values(":next", whole(found.version + 1));
        told(update.send().await, Refusal::Conflict)
    }

    async fn modify(&self, key: &str, token: Token, delta: i64) -> Told {
        for _ in 0..=CONFLICTS {
            let found = match self.read(key).await {
                Ok(Some(found)) => found,
                Ok(None) => return Told::Refused(Refusal::NotFound),
                Err(told) => return told,
            };
            match self.save(key, token, &found, delta).await {
                Told::Refused(Refusal::Conflict) => {}
                told => return told,
            }
        }
        Told::GaveUp
    }

    async fn delete(&self, key: &str, at: Option<Read>) -> Told {
        let delete = self.client.delete_item().table_name(&self.table).key("id", text(key));
        match at {
            None => told(delete.condition_expression("attribute_exists(id)").send().await, Refusal::NotFound),
            Some(found) => {
                let delete = delete.condition_expression("version = :version");
                let delete = delete.expression_attribute_values(":version", whole(found.version));
                told(delete.send().await, Refusal::Conflict)
            }
        }
    }
}

fn told<T, E: ProvideErrorMetadata>(answer: Result<T, SdkError<E>>, refusal: Refusal) -> Told {
    answer.map_or_else(|error| failed(&error, refusal), |_| Told::Applied)
}

/// A failed condition is taken for what it says. Anything else that the retries left over is called unknown, which is
/// more than most code knows.
fn failed<E: ProvideErrorMetadata>(error: &SdkError<E>, refusal: Refusal) -> Told {
    match error.code() {
        Some("ConditionalCheckFailedException") => Told::Refused(refusal),
        _ => Told::Unknown,
    }
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

fn whole(value: i64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}
