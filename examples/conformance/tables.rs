//! The tables of a run.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::client::Waiters;
use aws_sdk_dynamodb::error::DisplayErrorContext;
use aws_sdk_dynamodb::types::{AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType};

use crate::lab::Lab;

pub(crate) struct Tables {
    client: Client,
    simple: String,
    sorted: String,
}

impl Tables {
    /// Makes them, or leaves none behind.
    pub(crate) async fn create(client: Client) -> Result<Self, String> {
        let name = format!("dynamo-once-conformance-{:016x}", fastrand::u64(..));
        let tables = Self { client, simple: name.clone(), sorted: format!("{name}-sorted") };
        let (partition, sort) = (("id", ScalarAttributeType::S), ("nr", ScalarAttributeType::N));
        let created = async {
            create(&tables.client, &tables.simple, std::slice::from_ref(&partition)).await?;
            create(&tables.client, &tables.sorted, &[partition, sort]).await
        };
        match created.await {
            Ok(()) => Ok(tables),
            Err(error) => {
                tables.delete().await;
                Err(error)
            }
        }
    }

    /// A check's place in them.
    pub(crate) fn lab(&self, check: &str) -> Lab {
        Lab::new(self.client.clone(), self.simple.clone(), self.sorted.clone(), check)
    }

    /// Deletes them, and says which it couldn't delete, and why.
    pub(crate) async fn delete(&self) -> Vec<String> {
        let mut errors = Vec::new();
        for table in [&self.simple, &self.sorted] {
            if let Err(error) = self.client.delete_table().table_name(table).send().await {
                errors.push(format!("{table}, {}", DisplayErrorContext(error)));
            }
        }
        errors
    }
}

async fn create(client: &Client, table: &str, keys: &[(&str, ScalarAttributeType)]) -> Result<(), String> {
    let mut request = client.create_table().table_name(table).billing_mode(BillingMode::PayPerRequest);
    for ((name, scalar), part) in keys.iter().zip([KeyType::Hash, KeyType::Range]) {
        let attribute = AttributeDefinition::builder().attribute_name(*name).attribute_type(scalar.clone()).build();
        let key = KeySchemaElement::builder().attribute_name(*name).key_type(part).build();
        let (attribute, key) =
            attribute.and_then(|attribute| Ok((attribute, key?))).map_err(|error| error.to_string())?;
        request = request.attribute_definitions(attribute).key_schema(key);
    }
    request.send().await.map_err(|error| DisplayErrorContext(error).to_string())?;
    let ready = client.wait_until_table_exists().table_name(table);
    let ready = ready.wait(std::time::Duration::from_secs(120)).await;
    ready.map(drop).map_err(|error| DisplayErrorContext(error).to_string())
}
