//! What makes a struct an item, and turning it into attributes and back.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::index::Index;
use crate::key::{Key, KeyType};
use crate::maintained::Maintained;
use crate::template::Template;
use crate::tombstone::Tombstones;
use crate::value::check_item;

mod computed;
mod decode;
mod nulls;

pub(crate) use self::computed::value_of;
pub(crate) use self::decode::{decode, decode_part};

/// A struct that is stored as an item.
///
/// Derived by `#[derive(Item)]`, which also [puts keys together of fields and declares indexes](crate::guide::single_table), or written by
/// hand in a few lines, with a [`Path`](crate::Path) for each field that conditions
/// and updates are to name:
///
/// ```
/// use dynamo_once::{Attribute, Item, Path, Schema, Store, testing::Embedded};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Reading {
///     sensor: String,
///     at: i64,
///     value: f64,
///     note: Option<String>,
/// }
///
/// impl Item for Reading {
///     type Key = (String, i64);
///     const SCHEMA: Schema = Schema::new("sensor").sort_key("at").table("readings").attributes(&[
///         Attribute::new("sensor"),
///         Attribute::new("at"),
///         Attribute::new("value"),
///         Attribute::new("note"),
///     ]);
/// }
///
/// impl Reading {
///     const VALUE: Path<Self, f64> = Path::new("value");
///     const NOTE: Path<Self, Option<String>> = Path::new("note").optional();
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let engine = Embedded::start().await;
/// # let readings = Store::new(engine.config().build()).table::<Reading>();
/// # readings.create_if_missing().await?;
/// let reading = Reading { sensor: "s-1".into(), at: 7, value: 20.5, note: Some("hot".into()) };
/// readings.insert(&reading).send().await?;
/// let update = readings.update(("s-1", 7)).add(Reading::VALUE, -0.5).set(Reading::NOTE, None);
/// update.when(Reading::VALUE.gt(20.0)).send().await?;
///
/// let found = readings.get(("s-1", 7)).send().await?.expect("is there");
/// assert_eq!((found.value, &found.note), (20.0, &None));
/// # Ok(())
/// # }
/// ```
pub trait Item: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The type of the key: that of the partition key, or both in a tuple; an [`ItemKey`](crate::ItemKey) where it is put together of
    /// fields.
    type Key: Key;

    /// The names of the attributes that matter.
    ///
    /// It names a sort key where [`Key`](Item::Key) is a tuple of two, and nowhere else. Where the two disagree, a program that
    /// makes a table of the type doesn't build (`cargo check` doesn't find out):
    ///
    /// ```compile_fail
    /// # use dynamo_once::{Item, Schema, Store, Table};
    /// # #[derive(serde::Serialize, serde::Deserialize)]
    /// # struct Reading { sensor: String, at: i64 }
    /// impl Item for Reading {
    ///     type Key = String; // has to be (String, i64)
    ///     const SCHEMA: Schema = Schema::new("sensor").sort_key("at").table("readings");
    /// }
    /// # fn readings(store: Store) -> Table<Reading> { store.table() }
    /// # fn main() { None.map(readings); }
    /// ```
    const SCHEMA: Schema;
}

/// The attribute names of an item type.
#[derive(Debug, Clone, Copy)]
pub struct Schema {
    table: Option<&'static str>,
    partition_key: &'static str,
    sort_key: Option<&'static str>,
    version: &'static str,
    shows_version: bool,
    attributes: &'static [Attribute],
    tombstones: Option<Tombstones>,
    /// Those of the partition key and of the sort key, where they are put together of fields.
    key_templates: [Option<&'static Template>; 2],
    /// The types of the key's attributes, where one of them has a template.
    key_types: &'static [KeyType],
    indexes: &'static [Index],
    pub(crate) maintained: Maintained,
}

/// An attribute that an item type knows.
#[derive(Debug, Clone, Copy)]
pub struct Attribute {
    name: &'static str,
    aliases: &'static [&'static str],
}

/// An item as it is stored.
pub(crate) type RawItem = HashMap<String, AttributeValue>;

impl Schema {
    /// An item type with this partition key, and its version in the attribute `version`.
    #[must_use]
    pub const fn new(partition_key: &'static str) -> Self {
        Self {
            table: None,
            partition_key,
            sort_key: None,
            version: "version",
            shows_version: false,
            attributes: &[],
            tombstones: None,
            key_templates: [None; 2],
            key_types: &[],
            indexes: &[],
            maintained: Maintained::NOTHING,
        }
    }

    /// Names the sort key.
    #[must_use]
    pub const fn sort_key(mut self, name: &'static str) -> Self {
        self.sort_key = Some(name);
        self
    }

    /// Names the table that items of this type live in.
    #[must_use]
    pub const fn table(mut self, name: &'static str) -> Self {
        self.table = Some(name);
        self
    }

    /// Names the attribute that holds the version.
    #[must_use]
    pub const fn version_attribute(mut self, name: &'static str) -> Self {
        self.version = name;
        self
    }

    /// Names the attribute that holds the version, and says that a field of the struct shows it.
    #[must_use]
    pub const fn version_field(mut self, name: &'static str) -> Self {
        self.version = name;
        self.shows_version = true;
        self
    }

    /// Names every top-level attribute that the struct knows, so that an upsert can remove those that are absent, and `None` is
    /// stored as nothing.
    #[must_use]
    pub const fn attributes(mut self, known: &'static [Attribute]) -> Self {
        self.attributes = known;
        self
    }

    /// Lets deletes leave tombstones, which close the gap that a hard delete leaves in the promise.
    ///
    /// All programs that write the table have to agree on it: a hard delete by one of them takes the log along.
    #[must_use]
    pub const fn tombstones(mut self, tombstones: Tombstones) -> Self {
        self.tombstones = Some(tombstones);
        self
    }

    /// Says how the key's attributes are put together of fields, for an item whose key is an [`ItemKey`](crate::ItemKey).
    #[doc(hidden)]
    #[must_use]
    pub const fn key_templates(mut self, templates: [Option<&'static Template>; 2], types: &'static [KeyType]) -> Self {
        (self.key_templates, self.key_types) = (templates, types);
        self
    }

    /// Declares the secondary indexes.
    #[doc(hidden)]
    #[must_use]
    pub const fn indexes(mut self, indexes: &'static [Index]) -> Self {
        self.indexes = indexes;
        self
    }

    /// The table's name, where the type declares one.
    #[must_use]
    pub const fn table_name(&self) -> Option<&'static str> {
        self.table
    }

    /// The partition key's attribute.
    #[must_use]
    pub const fn partition_key_name(&self) -> &'static str {
        self.partition_key
    }

    /// The sort key's attribute, where there is one.
    #[must_use]
    pub const fn sort_key_name(&self) -> Option<&'static str> {
        self.sort_key
    }

    /// The attribute that holds the version.
    #[must_use]
    pub const fn version_attribute_name(&self) -> &'static str {
        self.version
    }

    /// Whether a field of the struct shows the version.
    #[must_use]
    pub const fn shows_version(&self) -> bool {
        self.shows_version
    }

    /// How deletes leave tombstones, if they do.
    #[must_use]
    pub const fn tombstones_left(&self) -> Option<Tombstones> {
        self.tombstones
    }

    /// The top-level attributes that the struct knows.
    #[must_use]
    pub const fn known_attributes(&self) -> &'static [Attribute] {
        self.attributes
    }

    /// What is wrong with the names of the key and of the version, where the stamp has this prefix. An item's own attributes
    /// are looked at when they are written.
    pub(crate) fn clash(&self, stamp_prefix: &str) -> Option<String> {
        let ttl = self.tombstones.map(|tombstones| tombstones.ttl_attribute_name());
        let written = self.key_names().chain([self.version]).chain(ttl).chain(self.maintained.names());
        if let Some(name) = written.into_iter().find(|name| is_stamp(name, stamp_prefix)) {
            return Some(format!(
                "the attribute `{name}` carries a part of the stamp, whose prefix is `{stamp_prefix}`, and can't be a key, the \
                 version or the TTL besides; rename it, or choose another prefix (`StoreBuilder::stamp_prefix`)"
            ));
        }
        if let Some(ttl) = ttl.filter(|ttl| ttl.is_empty() || self.is_own(ttl)) {
            return Some(format!(
                "tombstones can't expire by the attribute `{ttl}`, which is empty, a key, or the version; name the table's TTL \
                 attribute"
            ));
        }
        if let Some(clash) = self.maintained.clash(self) {
            return Some(clash);
        }
        let doubled = self.key_names().find(|name| *name == self.version)?;
        Some(format!(
            "the key attribute `{doubled}` can't hold the version besides; name another (`#[item(version_attribute = \"..\")]`)"
        ))
    }

    pub(crate) const fn key_types(&self) -> &'static [KeyType] {
        self.key_types
    }

    /// The template of the sort key.
    pub(crate) const fn sort_template(&self) -> Option<&'static Template> {
        self.key_templates[1]
    }

    pub(crate) const fn declared_indexes(&self) -> &'static [Index] {
        self.indexes
    }

    /// How long an unknown outcome can be taken up: well before a tombstone may have gone that tells of it.
    pub(crate) fn pending_for(&self) -> Duration {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        self.tombstones.map_or(DAY, |tombstones| tombstones.kept_for() / 2)
    }

    /// Whether an attribute is a part of the key, or the version.
    pub(crate) fn is_own(&self, name: &str) -> bool {
        self.key_names().chain([self.version]).any(|own| own == name)
    }

    /// The names of the key attributes: one or two.
    pub(crate) fn key_names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.partition_key).chain(self.sort_key)
    }
}

impl Attribute {
    /// The attribute with this name.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self { name, aliases: &[] }
    }

    /// Other names under which stored items may have it.
    #[must_use]
    pub const fn aliases(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    /// The name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The other names.
    #[must_use]
    pub const fn alias_names(&self) -> &'static [&'static str] {
        self.aliases
    }
}

/// A type of field that shows the version.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't show an item's version",
    label = "not a type of versions",
    note = "use `u64`, `u32` or `i64`, or an `Option` of one"
)]
pub trait ShowsVersion {}

impl ShowsVersion for u64 {}
impl ShowsVersion for u32 {}
impl ShowsVersion for i64 {}
impl<V: ShowsVersion> ShowsVersion for Option<V> {}

/// Fails to compile where a field marked as the version can't show it.
#[doc(hidden)]
pub const fn assert_version<V: ShowsVersion>() {}

/// Tells an `Option` from other types of fields, whatever the name that the type goes by: its own constant goes before the
/// trait's.
#[doc(hidden)]
#[derive(Debug)]
pub struct FieldType<V>(std::marker::PhantomData<V>);

impl<V> FieldType<Option<V>> {
    /// This is one.
    pub const IS_OPTION: bool = true;
}

/// What all other types are.
#[doc(hidden)]
pub trait NoOption {
    /// This is none.
    const IS_OPTION: bool = false;
}

impl<V> NoOption for FieldType<V> {}

/// Room that is kept for the stamp in an item's 400 KB: a version of 20 digits, a birth id, a key's digest, and eight lanes.
const STAMP_ROOM: usize = 400;

/// The item as attributes, checked for everything that DynamoDB or the library would refuse.
pub(crate) fn encode<T: Item>(item: &T, stamp_prefix: &str) -> Result<RawItem, Error> {
    let raw = image(item)?;
    let schema = T::SCHEMA;
    for (position, (name, expected)) in schema.key_names().zip(<T::Key as Key>::TYPES).enumerate() {
        match raw.get(name) {
            Some(value) => crate::key::check(name, value, *expected, position)?,
            None => {
                return Err(Error::invalid(format!(
                    "the item serialises without its key attribute `{name}`; the field has to be serialised under that name"
                )));
            }
        }
    }
    if let Some(name) = raw.keys().find(|name| is_reserved(name, schema.version, stamp_prefix)) {
        return Err(Error::invalid(format!(
            "the attribute `{name}` is reserved for the library; rename the field, or give the library another name \
             (`#[item(version_attribute = \"..\")]`, `StoreBuilder::stamp_prefix`)"
        )));
    }
    schema.indexes.iter().try_for_each(|index| index.check(&raw))?;
    check_item(&raw, STAMP_ROOM + schema.maintained.room())?;
    Ok(raw)
}

/// The item as attributes, without the version and what maintains itself, which are the library's to write, and without the nulls that
/// stand for what is absent, but with the keys that are put together.
pub(crate) fn image<T: Item>(item: &T) -> Result<RawItem, Error> {
    let mut raw = shown(item)?;
    T::SCHEMA.maintained.strip(&T::SCHEMA, &mut raw);
    Ok(raw)
}

/// The same, with what maintains itself as the struct shows it.
pub(crate) fn shown<T: Item>(item: &T) -> Result<RawItem, Error> {
    let mut raw = serialise(item).map_err(|error| not_serialised(item).with_source(error))?;
    nulls::leave_out::<T>(&mut raw);
    T::SCHEMA.compute(&mut raw)?;
    Ok(raw)
}

fn serialise<T: Item>(item: &T) -> Result<RawItem, serde_dynamo::Error> {
    let mut raw: RawItem = serde_dynamo::to_item(item)?;
    if T::SCHEMA.shows_version {
        raw.remove(T::SCHEMA.version);
    }
    Ok(raw)
}

/// Why an item doesn't serialise.
fn not_serialised<T: Item>(item: &T) -> Error {
    let mut track = serde_path_to_error::Track::new();
    let again = item.serialize(serde_path_to_error::Serializer::new(serde_dynamo::Serializer, &mut track));
    let path = track.path().to_string();
    Error::invalid(match again {
        Err(_) => format!(
            "`{path}` doesn't serialise as an attribute, which the source explains; numbers have 64 bits at most, and the \
             keys of maps are text: store others as text"
        ),
        Ok(_) => {
            "the item doesn't serialise as a map of attributes; it has to be a struct with named fields".to_owned()
        }
    })
}

/// Whether an attribute is the version, or one of those that carry the stamp.
pub(crate) fn is_reserved(name: &str, version: &str, stamp_prefix: &str) -> bool {
    name == version || is_stamp(name, stamp_prefix)
}

/// Whether an attribute is one of those that carry the stamp.
fn is_stamp(name: &str, prefix: &str) -> bool {
    name.strip_prefix(prefix)
        .is_some_and(|suffix| matches!(suffix.as_bytes(), [b'b' | b'k' | b't'] | [b'0'..=b'7'] | [b'0'..=b'7', b'p']))
}

impl From<KeyType> for aws_sdk_dynamodb::types::ScalarAttributeType {
    fn from(key_type: KeyType) -> Self {
        match key_type {
            KeyType::String => Self::S,
            KeyType::Number => Self::N,
            KeyType::Binary => Self::B,
        }
    }
}

#[cfg(test)]
mod tests;
