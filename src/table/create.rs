//! Making the table, for tests and local work.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::client::Waiters;
use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::create_table::builders::CreateTableFluentBuilder;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, CreateGlobalSecondaryIndexAction, GlobalSecondaryIndex,
    GlobalSecondaryIndexUpdate, IndexStatus, KeySchemaElement, KeyType, LocalSecondaryIndex, Projection,
    ProjectionType, ScalarAttributeType, TableDescription, TimeToLiveSpecification, TimeToLiveStatus,
};

use super::Table;
use crate::error::{Error, ErrorKind, of_request};
use crate::index::Index;
use crate::item::Item;
use crate::stamped::built;

/// How long a new table, and each new index of one, may take to become active.
const UNTIL_ACTIVE: Duration = Duration::from_secs(120);
/// Between two looks at an index that is being made.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

impl<T: Item> Table<T> {
    /// Creates the table with on-demand billing where it doesn't exist, and waits until it is active. Where items expire, or
    /// deletes leave tombstones, its TTL is turned on.
    ///
    /// The item type's indexes are made too, with all attributes in them. A table that is there may have others besides, as when items
    /// of several types share it; global indexes that it lacks are added, one after the other.
    ///
    /// For tests and local work; a production table wants its infrastructure as code.
    ///
    /// # Errors
    ///
    /// [`Invalid`](ErrorKind::Invalid) where there is a table of this name whose key is another, by its attributes or their
    /// types, one with an index of the same name and another key, or one without a local index, which no table gets later;
    /// [`Timeout`](ErrorKind::Timeout) where the table, or an index of it, isn't active within two minutes; and what `CreateTable`,
    /// `UpdateTable` and `DescribeTable` answer.
    pub async fn create_if_missing(&self) -> Result<(), Error> {
        let failed = |error: Error| error.with_operation("create_if_missing", &self.core.name);
        self.core.check_names().map_err(failed)?;
        let client = self.core.store.sdk();
        let schema = &self.core.schema;
        let types = <T::Key as crate::key::Key>::TYPES;
        let wanted: KeyAttributes<'_> =
            schema.key_names().zip(types.iter().copied().map(ScalarAttributeType::from)).collect();
        let request = client.create_table().table_name(&self.core.name).billing_mode(BillingMode::PayPerRequest);
        let request = described(request, &wanted, schema.declared_indexes()).map_err(failed)?;
        match request.send().await {
            Err(error) if error.code() != Some("ResourceInUseException") => {
                return Err(failed(refused("the table could not be created", error)));
            }
            _ => {}
        }
        let waiter = client.wait_until_table_exists().table_name(&self.core.name);
        let active = waiter.wait(UNTIL_ACTIVE).await.map_err(|error| {
            failed(Error::new(ErrorKind::Timeout, "the table did not become active").with_source(error))
        })?;
        let table = active.as_result().ok().and_then(|described| described.table());
        let found = table.map(|table| key_attributes(table, table.key_schema())).unwrap_or_default();
        if found != wanted {
            return Err(failed(Error::invalid(format!(
                "the table is there, and its key is {}, where that of the item type is {}; name another table, or delete this \
                 one",
                Key(&found),
                Key(&wanted)
            ))));
        }
        for index in schema.declared_indexes() {
            let has = table.map_or(Found::Missing, |table| find(table, index)).check(index).map_err(failed)?;
            if has == Has::Nothing {
                self.add(&client, index).await.map_err(failed)?;
            }
        }
        match schema.ttl_attribute() {
            Some(ttl) => self.expire_by(&client, ttl).await.map_err(failed),
            None => Ok(()),
        }
    }

    /// Adds a global index to the table, and waits until it is active: a table makes one at a time.
    async fn add(&self, client: &Client, index: &Index) -> Result<(), Error> {
        let action = CreateGlobalSecondaryIndexAction::builder()
            .index_name(index.name())
            .set_key_schema(Some(key_schema(&attributes(index))?))
            .projection(Projection::builder().projection_type(ProjectionType::All).build());
        let update = GlobalSecondaryIndexUpdate::builder().create(built(action.build())?).build();
        let request = client.update_table().table_name(&self.core.name).global_secondary_index_updates(update);
        let request = request.set_attribute_definitions(Some(definitions(&attributes(index))?));
        request.send().await.map_err(|error| {
            let what = format!("the index `{}`, which the table lacks, could not be added", index.name());
            refused(&what, error)
        })?;
        let clock = self.core.store.caller().clock();
        for _ in 0..UNTIL_ACTIVE.as_secs() / LOOK_AGAIN.as_secs() {
            let table = client
                .describe_table()
                .table_name(&self.core.name)
                .send()
                .await
                .map_err(|error| refused("the table could not be described", error))?;
            let is_active = table.table().is_some_and(|table| {
                table.global_secondary_indexes().iter().any(|found| {
                    found.index_name() == Some(index.name()) && found.index_status() == Some(&IndexStatus::Active)
                })
            });
            if is_active {
                return Ok(());
            }
            clock.sleep(LOOK_AGAIN).await;
        }
        let late = format!("the index `{}` did not become active; it may still, so try again later", index.name());
        Err(Error::new(ErrorKind::Timeout, late))
    }

    /// Sees to it that the table's TTL goes by this attribute.
    async fn expire_by(&self, client: &Client, attribute: &str) -> Result<(), Error> {
        let described = client.describe_time_to_live().table_name(&self.core.name).send().await;
        let described = described.map_err(|error| refused("the table's TTL could not be read", error))?;
        let ttl = described.time_to_live_description;
        let status = ttl.as_ref().and_then(|ttl| ttl.time_to_live_status());
        if let Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling) = status {
            let current = ttl.as_ref().and_then(|ttl| ttl.attribute_name()).unwrap_or_default();
            return if current == attribute {
                Ok(())
            } else {
                Err(Error::invalid(format!(
                    "the table's TTL goes by the attribute `{current}`, and the type's items or tombstones expire by `{attribute}`: a table \
                     has one TTL attribute, so name that one"
                )))
            };
        }
        let specification = TimeToLiveSpecification::builder().enabled(true).attribute_name(attribute).build();
        let request = client.update_time_to_live().table_name(&self.core.name);
        let request = request.time_to_live_specification(built(specification)?);
        request.send().await.map_err(|error| refused("the table's TTL could not be set", error))?;
        Ok(())
    }
}

/// The failure of a request that holds no item, so that the service's own words can be told.
fn refused<E>(what: &str, error: SdkError<E, HttpResponse>) -> Error
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    let message = match error.message() {
        Some(reason) => format!("{what}: {reason}"),
        None => what.to_owned(),
    };
    of_request(ErrorKind::Rejected, error).with_message(message)
}

/// The attributes of a key, in order, and their types.
type KeyAttributes<'n> = Vec<(&'n str, ScalarAttributeType)>;

/// What a table has in the place of an index.
enum Found<'t> {
    Missing,
    Global(KeyAttributes<'t>),
    Local(KeyAttributes<'t>),
}

/// Whether a table has an index.
#[derive(PartialEq, Eq)]
enum Has {
    It,
    Nothing,
}

impl Found<'_> {
    /// Fails where the table has another index of the name, or can't get this one.
    fn check(&self, index: &Index) -> Result<Has, Error> {
        let (wanted, name) = (attributes(index), index.name());
        let (found, is_local) = match self {
            Self::Missing if index.is_local() => {
                return Err(Error::invalid(format!(
                    "the table is there without the local index `{name}`, whose key is {}; a table gets those when it is made, so name \
                     another table, or delete this one",
                    Key(&wanted)
                )));
            }
            Self::Missing => return Ok(Has::Nothing),
            Self::Global(found) => (found, false),
            Self::Local(found) => (found, true),
        };
        if *found == wanted && is_local == index.is_local() {
            return Ok(Has::It);
        }
        let kind = |is_local| if is_local { "local" } else { "global" };
        Err(Error::invalid(format!(
            "the table has a {} index `{name}`, whose key is {}, where that of the item type is {}, and the index {}; give the index \
             another name, or delete the other",
            kind(is_local),
            Key(found),
            Key(&wanted),
            kind(index.is_local())
        )))
    }
}

/// A request for a table with this key and these indexes.
fn described(
    mut request: CreateTableFluentBuilder,
    key: &KeyAttributes<'_>,
    indexes: &[Index],
) -> Result<CreateTableFluentBuilder, Error> {
    let mut defined = key.clone();
    for index in indexes {
        let keys = attributes(index);
        let projection = Projection::builder().projection_type(ProjectionType::All).build();
        let schema = Some(key_schema(&keys)?);
        request = if index.is_local() {
            let local = LocalSecondaryIndex::builder().index_name(index.name());
            request.local_secondary_indexes(built(local.set_key_schema(schema).projection(projection).build())?)
        } else {
            let global = GlobalSecondaryIndex::builder().index_name(index.name());
            request.global_secondary_indexes(built(global.set_key_schema(schema).projection(projection).build())?)
        };
        defined.extend(
            keys.into_iter().filter(|(name, _)| defined.iter().all(|(other, _)| other != name)).collect::<Vec<_>>(),
        );
    }
    Ok(request.set_key_schema(Some(key_schema(key)?)).set_attribute_definitions(Some(definitions(&defined)?)))
}

fn definitions(attributes: &KeyAttributes<'_>) -> Result<Vec<AttributeDefinition>, Error> {
    let define = |(name, of): &(&str, ScalarAttributeType)| {
        built(AttributeDefinition::builder().attribute_name(*name).attribute_type(of.clone()).build())
    };
    attributes.iter().map(define).collect()
}

fn key_schema(attributes: &KeyAttributes<'_>) -> Result<Vec<KeySchemaElement>, Error> {
    let elements = attributes.iter().zip([KeyType::Hash, KeyType::Range]).map(|((name, _), key_type)| {
        built(KeySchemaElement::builder().attribute_name(*name).key_type(key_type).build())
    });
    elements.collect()
}

fn attributes(index: &Index) -> KeyAttributes<'static> {
    index.keys().map(|key| (key.name, ScalarAttributeType::from(key.key_type))).collect()
}

/// What the table has under the index's name.
fn find<'t>(table: &'t TableDescription, index: &Index) -> Found<'t> {
    let (global, local) = (table.global_secondary_indexes(), table.local_secondary_indexes());
    if let Some(found) = global.iter().find(|found| found.index_name() == Some(index.name())) {
        return Found::Global(key_attributes(table, found.key_schema()));
    }
    match local.iter().find(|found| found.index_name() == Some(index.name())) {
        Some(found) => Found::Local(key_attributes(table, found.key_schema())),
        None => Found::Missing,
    }
}

/// The attributes of a key of this table, and their types.
fn key_attributes<'t>(table: &'t TableDescription, key: &'t [KeySchemaElement]) -> KeyAttributes<'t> {
    let type_of = |name: &str| {
        let definition = table.attribute_definitions().iter().find(|definition| definition.attribute_name() == name);
        definition.map(|definition| definition.attribute_type().clone())
    };
    let mut elements: Vec<_> = key.iter().collect();
    elements.sort_by_key(|element| *element.key_type() != KeyType::Hash);
    let names = elements.into_iter().map(KeySchemaElement::attribute_name);
    names.filter_map(|name| Some((name, type_of(name)?))).collect()
}

/// A key in a sentence: `sensor` (S) and `at` (N).
struct Key<'k>(&'k [(&'k str, ScalarAttributeType)]);

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, (name, attribute_type)) in self.0.iter().enumerate() {
            let and = if position == 0 { "" } else { " and " };
            write!(f, "{and}`{name}` ({attribute_type})")?;
        }
        Ok(())
    }
}
