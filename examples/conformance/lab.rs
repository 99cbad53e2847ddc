//! What a check works with: the plain SDK client, the run's tables, and keys that are the check's own.

use std::collections::HashMap;
use std::fmt::Display;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::delete_item::builders::DeleteItemFluentBuilder;
use aws_sdk_dynamodb::operation::get_item::builders::GetItemFluentBuilder;
use aws_sdk_dynamodb::operation::put_item::builders::PutItemFluentBuilder;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;

use crate::finding::{Finding, Miss, accepted, answer, equal};

pub(crate) type Item = HashMap<String, AttributeValue>;

/// A place in the run's tables that no other check touches.
#[derive(Clone)]
pub(crate) struct Lab {
    pub(crate) client: Client,
    /// The table whose key is the string `id`.
    pub(crate) table: String,
    /// The table whose key is the string `id` and the number `nr`.
    pub(crate) sorted: String,
    id: String,
}

impl Lab {
    pub(crate) fn new(client: Client, table: String, sorted: String, check: &str) -> Self {
        Self { client, table, sorted, id: check.to_owned() }
    }

    /// The same with another key.
    pub(crate) fn beside(&self, suffix: &str) -> Self {
        Self { id: format!("{}-{suffix}", self.id), ..self.clone() }
    }

    pub(crate) fn key(&self) -> Item {
        item([("id", s(&self.id))])
    }

    /// These attributes under this key.
    pub(crate) fn with<const N: usize>(&self, attributes: [(&str, AttributeValue); N]) -> Item {
        let mut item = item(attributes);
        item.extend(self.key());
        item
    }

    pub(crate) fn put<const N: usize>(&self, attributes: [(&str, AttributeValue); N]) -> PutItemFluentBuilder {
        self.client.put_item().table_name(&self.table).set_item(Some(self.with(attributes)))
    }

    pub(crate) fn update<const N: usize>(
        &self,
        update: &str,
        values: [(&str, AttributeValue); N],
    ) -> UpdateItemFluentBuilder {
        let request = self.client.update_item().table_name(&self.table).set_key(Some(self.key()));
        request.update_expression(update).set_expression_attribute_values(given(values))
    }

    pub(crate) fn delete(&self) -> DeleteItemFluentBuilder {
        self.client.delete_item().table_name(&self.table).set_key(Some(self.key()))
    }

    /// A strongly consistent read.
    pub(crate) fn get(&self) -> GetItemFluentBuilder {
        self.client.get_item().table_name(&self.table).set_key(Some(self.key())).consistent_read(true)
    }

    pub(crate) fn query<const N: usize>(
        &self,
        condition: &str,
        values: [(&str, AttributeValue); N],
    ) -> QueryFluentBuilder {
        let request = self.client.query().table_name(&self.sorted).consistent_read(true);
        let request = request.key_condition_expression(condition).expression_attribute_values(":id", s(&self.id));
        values.into_iter().fold(request, |request, (name, value)| request.expression_attribute_values(name, value))
    }

    /// Makes this the item, whatever was there.
    pub(crate) async fn store<const N: usize>(&self, attributes: [(&str, AttributeValue); N]) -> Finding {
        accepted("an unconditional put", self.put(attributes).send().await)?;
        Ok(())
    }

    pub(crate) async fn stored(&self) -> Result<Option<Item>, Miss> {
        Ok(accepted("a get", self.get().send().await)?.item)
    }

    /// The stored item has these attributes, and its key.
    pub(crate) async fn stands<const N: usize>(&self, attributes: [(&str, AttributeValue); N]) -> Finding {
        equal("the stored item", &self.stored().await?, &Some(self.with(attributes)))
    }

    /// The condition holds for the stored item.
    pub(crate) async fn holds<const N: usize>(&self, condition: &str, values: [(&str, AttributeValue); N]) -> Finding {
        self.is_judged("holds", condition, values).await
    }

    /// The condition doesn't hold for the stored item, and is no error.
    pub(crate) async fn fails<const N: usize>(&self, condition: &str, values: [(&str, AttributeValue); N]) -> Finding {
        self.is_judged("fails", condition, values).await
    }

    /// The condition is one that the service doesn't take.
    pub(crate) async fn is_invalid<const N: usize>(
        &self,
        condition: &str,
        values: [(&str, AttributeValue); N],
    ) -> Finding {
        self.is_judged("ValidationException", condition, values).await
    }

    async fn is_judged<const N: usize>(
        &self,
        expected: &str,
        condition: &str,
        values: [(&str, AttributeValue); N],
    ) -> Finding {
        let answered = answer(self.update("REMOVE untouched", values).condition_expression(condition).send().await)?;
        let judged = match &answered {
            Ok(_) => "holds".to_owned(),
            Err((_, UpdateItemError::ConditionalCheckFailedException(_))) => "fails".to_owned(),
            Err((code, _)) => code.clone(),
        };
        if judged == expected {
            return Ok(());
        }
        // Where a condition is that long, it is its length that matters.
        let (shown, more) = condition.split_at_checked(60).map_or((condition, ""), |(start, _)| (start, ".."));
        Err(Miss::failed(format!("`{shown}{more}`: {expected}"), judged))
    }
}

pub(crate) fn item<const N: usize>(attributes: [(&str, AttributeValue); N]) -> Item {
    attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Expression attribute values; the service refuses an empty map.
pub(crate) fn given<const N: usize>(values: [(&str, AttributeValue); N]) -> Option<Item> {
    (N > 0).then(|| item(values))
}

pub(crate) fn s(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

pub(crate) fn n(number: impl Display) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

pub(crate) fn b(bytes: impl Into<Vec<u8>>) -> AttributeValue {
    AttributeValue::B(Blob::new(bytes))
}

pub(crate) fn ss<const N: usize>(texts: [&str; N]) -> AttributeValue {
    AttributeValue::Ss(texts.map(str::to_owned).into())
}

pub(crate) fn l<const N: usize>(elements: [AttributeValue; N]) -> AttributeValue {
    AttributeValue::L(elements.into())
}

pub(crate) fn m<const N: usize>(entries: [(&str, AttributeValue); N]) -> AttributeValue {
    AttributeValue::M(item(entries))
}

/// A write id: 16 bytes that end in this number.
pub(crate) fn id(number: u8) -> AttributeValue {
    b((((u128::MAX / 3) & !0xFF) | u128::from(number)).to_be_bytes())
}
