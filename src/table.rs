//! A table of one type of item, and the verbs on it.

use std::any::TypeId;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::client::Waiters;
use aws_sdk_dynamodb::error::{BoxError, ProvideErrorMetadata};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType, TableDescription,
    TimeToLiveSpecification, TimeToLiveStatus,
};

use crate::error::{Error, ErrorKind, of_request};
use crate::expr::{Ordered, Path};
use crate::format::Format;
use crate::item::{Item, RawItem, Schema};
use crate::key::IntoKey;
use crate::meter::{Meter, Meters};
use crate::op::check::Check;
use crate::op::delete::Delete;
use crate::op::get::Get;
use crate::op::insert::Insert;
use crate::op::modify::{Decision, Modify};
use crate::op::save::Save;
use crate::op::update::Update;
use crate::op::upsert::Upsert;
use crate::store::Store;
use crate::versioned::Changed;

/// A table of items of one type. Cheap to clone, and made by [`Store::table`].
///
/// Each verb returns a builder that ends in `.send().await`.
pub struct Table<T> {
    core: Arc<Core>,
    of: PhantomData<fn() -> T>,
}

/// What the verbs need of a table, whatever its type.
#[derive(Debug, Clone)]
pub(crate) struct Core {
    store: Store,
    name: String,
    schema: Schema,
    format: Format,
    meters: Meters,
    /// The type of its items.
    of: TypeId,
    /// Why nothing can be written or read here: the schema's names and the stamp's are in each other's way.
    clash: Option<String>,
}

/// How long a new table may take to become active.
const UNTIL_ACTIVE: Duration = Duration::from_secs(120);

impl<T: Item> Table<T> {
    pub(crate) fn new(store: Store, name: String, schema: Schema, format: Format) -> Self {
        let clash = schema.clash(&format.stamp.prefix);
        let meters = store.meters().clone();
        Self {
            core: Arc::new(Core { store, name, schema, format, meters, of: TypeId::of::<T>(), clash }),
            of: PhantomData,
        }
    }

    /// The same table, whose calls are counted by this meter too.
    #[must_use]
    #[doc(alias = "return_consumed_capacity")]
    pub fn metered(&self, meter: &Meter) -> Self {
        let core = Core { meters: self.core.meters.with(meter), ..(*self.core).clone() };
        Self { core: Arc::new(core), of: PhantomData }
    }

    /// The table's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.core.name
    }

    /// Reads the item with this key. See [`Get`].
    pub fn get(&self, key: impl IntoKey<T::Key>) -> Get<T> {
        Get::new(self.clone(), key.into_key())
    }

    /// Inserts the item if no item has its key. See [`Insert`].
    #[doc(alias = "put")]
    #[doc(alias = "put_item")]
    #[doc(alias = "create")]
    #[doc(alias = "if_not_exists")]
    #[doc(alias = "attribute_not_exists")]
    pub fn insert(&self, item: &T) -> Insert<T> {
        Insert::new(self.clone(), item)
    }

    /// Writes the item, whether or not its key has one. See [`Upsert`].
    #[doc(alias = "put")]
    #[doc(alias = "put_item")]
    #[doc(alias = "replace")]
    pub fn upsert(&self, item: &T) -> Upsert<T> {
        Upsert::new(self.clone(), item)
    }

    /// Writes the item unless the stored one's field is as great or greater: for feeds with an order of their own, such as
    /// a revision or the time of an event. See [`Upsert`].
    #[doc(alias = "put_if_newer")]
    pub fn upsert_newer<V: Ordered>(&self, item: &T, by: Path<T, V>) -> Upsert<T> {
        Upsert::new(self.clone(), item).newer(by)
    }

    /// Changes parts of the item with this key, without reading it. See [`Update`].
    #[doc(alias = "update_item")]
    #[doc(alias = "increment")]
    #[doc(alias = "counter")]
    pub fn update(&self, key: impl IntoKey<T::Key>) -> Update<T> {
        Update::new(self.clone(), key.into_key())
    }

    /// Writes what was changed in an item, if it is still as it was read. See [`Save`].
    #[doc(alias = "compare_and_swap")]
    #[doc(alias = "put_item")]
    #[doc(alias = "optimistic_lock")]
    pub fn save(&self, item: Changed<T>) -> Save<T> {
        Save::new(self.clone(), item)
    }

    /// Reads an item, changes it, and writes what was changed, again for as long as others are faster. See [`Modify`].
    #[doc(alias = "read_modify_write")]
    #[doc(alias = "compare_and_swap")]
    pub fn modify<F, R>(&self, key: impl IntoKey<T::Key>, change: F) -> Modify<T, F>
    where
        F: FnMut(&mut T) -> R,
        R: Decision,
    {
        Modify::new(self.clone(), key.into_key(), change)
    }

    /// Deletes the item with this key, if there is one. See [`Delete`].
    #[doc(alias = "delete_item")]
    #[doc(alias = "remove")]
    pub fn delete(&self, key: impl IntoKey<T::Key>) -> Delete<T> {
        Delete::new(self.clone(), key.into_key())
    }

    /// Requires something of the item with this key in a transaction, without writing it. See [`Check`].
    #[doc(alias = "condition_check")]
    pub fn check(&self, key: impl IntoKey<T::Key>) -> Check<T> {
        Check::new(self.clone(), key.into_key())
    }

    /// Creates the table with on-demand billing where it doesn't exist, and waits until it is active. Where deletes leave
    /// tombstones, its TTL is turned on.
    ///
    /// For tests and local work; a production table wants its infrastructure as code.
    ///
    /// # Errors
    ///
    /// [`Invalid`](ErrorKind::Invalid) where there is a table of this name whose key is another, by its attributes or their
    /// types; [`Timeout`](ErrorKind::Timeout) where the table isn't active within two minutes; and what `CreateTable` and
    /// `DescribeTable` answer.
    pub async fn create_if_missing(&self) -> Result<(), Error> {
        let failed = |error: Error| error.with_operation("create_if_missing", &self.core.name);
        self.core.check_names().map_err(failed)?;
        let client = self.core.store.sdk();
        let schema = &self.core.schema;
        let types = <T::Key as crate::key::Key>::TYPES;
        let wanted: Vec<_> = schema.key_names().zip(types.iter().copied().map(ScalarAttributeType::from)).collect();
        let mut request = client.create_table().table_name(&self.core.name).billing_mode(BillingMode::PayPerRequest);
        for ((name, attribute_type), key_type) in wanted.iter().zip([KeyType::Hash, KeyType::Range]) {
            let definition =
                AttributeDefinition::builder().attribute_name(*name).attribute_type(attribute_type.clone()).build();
            let element = KeySchemaElement::builder().attribute_name(*name).key_type(key_type).build();
            request = request
                .attribute_definitions(crate::op::stamped::built(definition)?)
                .key_schema(crate::op::stamped::built(element)?);
        }
        match request.send().await {
            Err(error) if error.code() != Some("ResourceInUseException") => {
                return Err(failed(
                    of_request(ErrorKind::Rejected, error).with_message("the table could not be created"),
                ));
            }
            _ => {}
        }
        let waiter = client.wait_until_table_exists().table_name(&self.core.name);
        let active = waiter.wait(UNTIL_ACTIVE).await.map_err(|error| {
            failed(Error::new(ErrorKind::Timeout, "the table did not become active").with_source(error))
        })?;
        let table = active.as_result().ok().and_then(|described| described.table());
        let found = table.map(key_schema).unwrap_or_default();
        if found != wanted {
            return Err(failed(Error::invalid(format!(
                "the table is there, and its key is {}, where that of the item type is {}; name another table, or delete this \
                 one",
                Key(&found),
                Key(&wanted)
            ))));
        }
        match schema.tombstones_left() {
            Some(tombstones) => self.expire_by(&client, tombstones.ttl_attribute_name()).await.map_err(failed),
            None => Ok(()),
        }
    }

    /// Sees to it that the table's TTL goes by this attribute.
    async fn expire_by(&self, client: &Client, attribute: &str) -> Result<(), Error> {
        let refused = |message: &'static str| {
            move |source: BoxError| Error::new(ErrorKind::Rejected, message).with_source(source)
        };
        let described = client.describe_time_to_live().table_name(&self.core.name).send().await;
        let described = described.map_err(|error| refused("the table's TTL could not be read")(error.into()))?;
        let ttl = described.time_to_live_description;
        let status = ttl.as_ref().and_then(|ttl| ttl.time_to_live_status());
        if let Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling) = status {
            let current = ttl.as_ref().and_then(|ttl| ttl.attribute_name()).unwrap_or_default();
            return if current == attribute {
                Ok(())
            } else {
                Err(Error::invalid(format!(
                    "the table's TTL goes by the attribute `{current}`, and the type's tombstones expire by `{attribute}`: a table \
                     has one TTL attribute, so name that one"
                )))
            };
        }
        let specification = TimeToLiveSpecification::builder().enabled(true).attribute_name(attribute).build();
        let request = client.update_time_to_live().table_name(&self.core.name);
        let request = request.time_to_live_specification(crate::op::stamped::built(specification)?);
        request.send().await.map_err(|error| refused("the table's TTL could not be set")(error.into()))?;
        Ok(())
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.core
    }
}

/// The attributes of a table's key, and their types.
fn key_schema(table: &TableDescription) -> Vec<(&str, ScalarAttributeType)> {
    let type_of = |name: &str| {
        let definition = table.attribute_definitions().iter().find(|definition| definition.attribute_name() == name);
        definition.map(|definition| definition.attribute_type().clone())
    };
    let mut elements: Vec<_> = table.key_schema().iter().collect();
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

impl Core {
    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn schema(&self) -> &Schema {
        &self.schema
    }

    /// That the names of the schema and of the stamp differ, which every request rests on.
    pub(crate) fn check_names(&self) -> Result<(), Error> {
        match &self.clash {
            Some(clash) => Err(Error::invalid(clash.clone())),
            None => Ok(()),
        }
    }

    /// Whether its items are of this type.
    pub(crate) fn holds<T: Item>(&self) -> bool {
        self.of == TypeId::of::<T>()
    }

    pub(crate) fn meters(&self) -> &Meters {
        &self.meters
    }

    pub(crate) fn format(&self) -> &Format {
        &self.format
    }

    /// The key attributes of a whole item.
    pub(crate) fn key_of(&self, item: &RawItem) -> RawItem {
        let names = self.schema.key_names();
        names.filter_map(|name| item.get(name).map(|value| (name.to_owned(), value.clone()))).collect()
    }

    /// A number for the item with this key, the same in all calls on it within this process. Should two items ever share
    /// one, their calls wait for each other.
    pub(crate) fn hash(&self, item: &RawItem) -> u64 {
        let mut hasher = std::hash::DefaultHasher::new();
        self.name.hash(&mut hasher);
        for name in self.schema.key_names() {
            match item.get(name) {
                Some(AttributeValue::S(value) | AttributeValue::N(value)) => value.hash(&mut hasher),
                Some(AttributeValue::B(value)) => value.as_ref().hash(&mut hasher),
                _ => {}
            }
        }
        hasher.finish()
    }
}

impl<T> Clone for Table<T> {
    fn clone(&self) -> Self {
        Self { core: Arc::clone(&self.core), of: PhantomData }
    }
}

impl<T> fmt::Debug for Table<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").field("name", &self.core.name).finish_non_exhaustive()
    }
}
