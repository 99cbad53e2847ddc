//! A table of one type of item, and the verbs on it.

use std::any::TypeId;
use std::borrow::Borrow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::sync::Arc;

use aws_sdk_dynamodb::types::AttributeValue;

use crate::error::Error;
use crate::expr::{Changeable, Ordered, Path};
use crate::format::Format;
use crate::item::{Item, RawItem, Schema};
use crate::key::IntoKey;
use crate::meter::{Meter, Meters};
use crate::op::check::Check;
use crate::op::delete::Delete;
use crate::op::get::Get;
use crate::op::get_many::GetMany;
use crate::op::insert::Insert;
use crate::op::many::{InsertMany, UpsertMany};
use crate::op::modify::{Decision, Modify};
use crate::op::query::Query;
use crate::op::save::Save;
use crate::op::scan::Scan;
use crate::op::update::Update;
use crate::op::upsert::Upsert;
use crate::partition::IntoPartition;
use crate::store::Store;
use crate::versioned::{Changed, Versioned};

mod create;

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

impl<T: Item> Table<T> {
    pub(crate) fn new(store: Store, name: String, schema: Schema, format: Format) -> Self {
        let clash = schema.clash(&format.stamp.prefix);
        let meters = store.meters().clone();
        Self {
            core: Arc::new(Core { store, name, schema, format, meters, of: TypeId::of::<T>(), clash }),
            of: PhantomData,
        }
    }

    /// The same table, whose calls are counted by this meter too. A transaction, which may be of many tables, is counted by the meters of the
    /// store.
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

    /// Reads the items with these keys, 100 in a request. See [`GetMany`].
    #[doc(alias = "batch_get_item")]
    #[doc(alias = "batch_get")]
    pub fn get_many(&self, keys: impl IntoIterator<Item = impl IntoKey<T::Key>>) -> GetMany<T> {
        GetMany::new(self.clone(), keys.into_iter().map(IntoKey::into_key).collect())
    }

    /// Reads the items of a partition, in the order of their sort keys. See [`Query`].
    #[doc(alias = "paginate")]
    pub fn query<P: IntoPartition<T>>(&self, partition: P) -> Query<T, P::Sort> {
        Query::new(self.clone(), partition.into_partition())
    }

    /// Reads all items of the table. See [`Scan`].
    #[doc(alias = "paginate")]
    pub fn scan(&self) -> Scan<T> {
        Scan::new(self.clone())
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

    /// Inserts each of the items if no item has its key, some at once. See [`InsertMany`].
    #[doc(alias = "batch_write_item")]
    #[doc(alias = "batch_put")]
    pub fn insert_many<B: Borrow<T>>(&self, items: impl IntoIterator<Item = B>) -> InsertMany<T, B> {
        InsertMany::new(self.clone(), items)
    }

    /// Writes the item, whether or not its key has one. See [`Upsert`].
    #[doc(alias = "put")]
    #[doc(alias = "put_item")]
    #[doc(alias = "replace")]
    pub fn upsert(&self, item: &T) -> Upsert<T> {
        Upsert::new(self.clone(), item)
    }

    /// Writes each of the items, whether or not its key has one, some at once. See [`UpsertMany`].
    #[doc(alias = "batch_write_item")]
    #[doc(alias = "batch_put")]
    pub fn upsert_many<B: Borrow<T>>(&self, items: impl IntoIterator<Item = B>) -> UpsertMany<T, B> {
        UpsertMany::new(self.clone(), items)
    }

    /// Writes the item unless the stored one's field is as great or greater: for feeds with an order of their own, such as
    /// a revision or the time of an event. See [`Upsert`].
    #[doc(alias = "put_if_newer")]
    pub fn upsert_newer<V: Ordered>(&self, item: &T, by: Path<T, V, impl Changeable>) -> Upsert<T> {
        Upsert::new(self.clone(), item).newer(&by)
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

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.core
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

    /// The item that a read has found: `None` where it has expired, or is a tombstone.
    pub(crate) fn found<T: Item>(&self, item: RawItem) -> Result<Option<Versioned<T>>, Error> {
        if self.is_expired(&item) { Ok(None) } else { self.format.decode(item) }
    }

    /// Whether a stored item of a type that expires has done so.
    pub(crate) fn is_expired(&self, item: &RawItem) -> bool {
        self.schema.expiry().is_some_and(|expiry| expiry.has_passed(item, self.store.now().into()))
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
