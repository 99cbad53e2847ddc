//! What makes a struct an item, and turning it into attributes and back.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, ErrorKind};
use crate::key::{Key, KeyType};
use crate::value::check_item;

/// A struct that is stored as an item.
///
/// Derived by `#[derive(Item)]`, or written by hand in a few lines:
///
/// ```
/// use dynamo_once::{Attribute, Item, Schema};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Reading {
///     sensor: String,
///     at: i64,
///     value: f64,
/// }
///
/// impl Item for Reading {
///     type Key = (String, i64);
///     const SCHEMA: Schema = Schema::new("sensor")
///         .sort_key("at")
///         .table("readings")
///         .attributes(&[Attribute::new("sensor"), Attribute::new("at"), Attribute::new("value")]);
/// }
/// ```
pub trait Item: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The type of the key: that of the partition key, or both in a tuple.
    type Key: Key;

    /// The names of the attributes that matter.
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
        Self { table: None, partition_key, sort_key: None, version: "version", shows_version: false, attributes: &[] }
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

    /// Names every top-level attribute that the struct knows, so that an upsert can remove those that are absent.
    #[must_use]
    pub const fn attributes(mut self, known: &'static [Attribute]) -> Self {
        self.attributes = known;
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

    /// The top-level attributes that the struct knows.
    #[must_use]
    pub const fn known_attributes(&self) -> &'static [Attribute] {
        self.attributes
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
    check_item(&raw, STAMP_ROOM)?;
    Ok(raw)
}

/// The item as attributes, without the version: that is the library's to write.
pub(crate) fn image<T: Item>(item: &T) -> Result<RawItem, Error> {
    let mut raw: RawItem = serde_dynamo::to_item(item).map_err(|error| {
        Error::invalid("the item doesn't serialise as a map of attributes; it has to be a struct with named fields")
            .with_source(error)
    })?;
    if T::SCHEMA.shows_version {
        raw.remove(T::SCHEMA.version);
    }
    Ok(raw)
}

/// The struct that a stored item holds. Where it holds none, the item comes back as it was.
pub(crate) fn decode<T: Item>(raw: RawItem, version: u64, stamp_prefix: &str) -> Result<T, (Error, RawItem)> {
    let schema = T::SCHEMA;
    let mut own = raw.clone();
    own.retain(|name, _| !is_reserved(name, schema.version, stamp_prefix));
    if schema.shows_version {
        own.insert(schema.version.to_owned(), AttributeValue::N(version.to_string()));
    }
    serde_dynamo::from_item(own).map_err(|error| {
        let message = "the stored item doesn't decode as this type; the source says at which attribute";
        (Error::new(ErrorKind::Decode, message).with_source(error), raw)
    })
}

/// Whether an attribute is the version, or one of those that carry the stamp.
fn is_reserved(name: &str, version: &str, stamp_prefix: &str) -> bool {
    let is_stamp = |suffix: &str| {
        matches!(suffix.as_bytes(), [b'b' | b'k' | b't'] | [b'0'..=b'7'] | [b'0'..=b'7', b'p'])
    };
    name == version || name.strip_prefix(stamp_prefix).is_some_and(is_stamp)
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
