//! Stored items as structs.
//!
//! The deserializer borrows: the item stays as it is, for an error that names it and for a difference that is told later, and what it
//! hands out isn't copied first. Values that no item is full of (sets, binary, enums) and whatever doesn't fit are left to
//! `serde_dynamo`, whose reading this is.

use aws_sdk_dynamodb::types::AttributeValue;
use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{DeserializeOwned, Deserializer, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

use super::{Item, RawItem, Schema, is_reserved};
use crate::error::{Error, ErrorKind};

/// The struct that a stored item holds.
pub(crate) fn decode<T: Item>(raw: &RawItem, version: u64, stamp_prefix: &str) -> Result<T, Error> {
    let schema = T::SCHEMA;
    let shown = schema.shows_version.then_some((schema.version, version));
    read(Stored { raw, shown, names: Names::Own { schema: &T::SCHEMA, stamp_prefix } })
}

/// The struct that these attributes of a stored item hold.
pub(crate) fn decode_part<P: DeserializeOwned>(raw: &RawItem, attributes: &[&str]) -> Result<P, Error> {
    read(Stored { raw, shown: None, names: Names::Only(attributes) })
}

fn read<D: DeserializeOwned>(stored: Stored<'_>) -> Result<D, Error> {
    let error = match D::deserialize(stored) {
        Ok(item) => return Ok(item),
        Err(error) => error,
    };
    // The path is looked for only now, since keeping track of it isn't free.
    let tracked = serde_path_to_error::deserialize::<_, D>(stored);
    let path =
        tracked.err().map(|tracked| tracked.path().to_string()).filter(|path| !matches!(path.as_str(), "." | "?"));
    // What serde says of an absent field is its name alone, which is the type's and not the item's.
    let absent = error.to_string().strip_prefix("missing field `").map(|name| name.trim_end_matches('`').to_owned());
    let message = match (path, absent, &stored.names) {
        (Some(path), ..) => format!("the stored attribute `{path}` doesn't decode as this type; the source says why"),
        (None, Some(name), Names::Only(read)) if !read.contains(&name.as_str()) => {
            format!("the projection leaves out the attribute `{name}`, which its type requires; add it to `ATTRIBUTES`")
        }
        (None, Some(name), _) => format!("the stored item has no attribute `{name}`, which its type requires"),
        (None, None, _) => "the stored item doesn't decode as this type; the source says why".to_owned(),
    };
    Err(Error::new(ErrorKind::Decode, message).with_source(error))
}

/// A stored item without what is the library's, as a deserializer.
#[derive(Clone, Copy)]
struct Stored<'a> {
    raw: &'a RawItem,
    /// The version, where a field of the struct shows it.
    shown: Option<(&'static str, u64)>,
    names: Names<'a>,
}

/// The attributes that are handed out.
#[derive(Clone, Copy)]
enum Names<'a> {
    /// All but the library's, and but the keys that are put together of others.
    Own { schema: &'a Schema, stamp_prefix: &'a str },
    /// These.
    Only(&'a [&'a str]),
}

/// A value, or the version in a field of the struct.
#[derive(Clone, Copy)]
enum StoredValue<'a> {
    Attribute(&'a AttributeValue),
    Version(u64),
}

impl Names<'_> {
    fn contains(&self, name: &str) -> bool {
        match self {
            Self::Own { schema, stamp_prefix } => {
                !is_reserved(name, schema.version, stamp_prefix) && !schema.is_computed(name)
            }
            Self::Only(attributes) => attributes.contains(&name),
        }
    }
}

impl<'de> Deserializer<'de> for Stored<'_> {
    type Error = serde_dynamo::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        let own = self.raw.iter().filter(|(name, _)| self.names.contains(name));
        let own = own.map(|(name, value)| (name.as_str(), StoredValue::Attribute(value)));
        let shown = self.shown.map(|(name, version)| (name, StoredValue::Version(version)));
        MapDeserializer::new(own.chain(shown)).deserialize_any(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct seq tuple
        tuple_struct map struct enum identifier ignored_any
    }
}

impl<'a> StoredValue<'a> {
    /// What `serde_dynamo` makes of it.
    fn copied(self) -> serde_dynamo::Deserializer {
        let value = match self {
            Self::Attribute(value) => value.clone(),
            Self::Version(version) => AttributeValue::N(version.to_string()),
        };
        serde_dynamo::Deserializer::from_attribute_value(value.into())
    }

    fn text(self) -> Option<&'a str> {
        match self {
            Self::Attribute(AttributeValue::S(text)) => Some(text),
            _ => None,
        }
    }

    fn list(self) -> Option<SeqDeserializer<impl Iterator<Item = StoredValue<'a>>, serde_dynamo::Error>> {
        match self {
            Self::Attribute(AttributeValue::L(list)) => {
                Some(SeqDeserializer::new(list.iter().map(StoredValue::Attribute)))
            }
            _ => None,
        }
    }
}

/// Numbers, whose text needn't be copied to be read.
macro_rules! numbers {
    ($($method:ident $visit:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
            if let Self::Attribute(AttributeValue::N(number)) = self
                && let Ok(number) = number.parse()
            {
                return visitor.$visit(number);
            }
            self.copied().$method(visitor)
        }
    )*};
}

macro_rules! left_to_serde_dynamo {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
            self.copied().$method(visitor)
        }
    )*};
}

impl<'de> Deserializer<'de> for StoredValue<'_> {
    type Error = serde_dynamo::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        match self {
            Self::Attribute(AttributeValue::S(_)) => self.deserialize_str(visitor),
            Self::Attribute(AttributeValue::L(_)) => self.deserialize_seq(visitor),
            Self::Attribute(AttributeValue::M(_)) => self.deserialize_map(visitor),
            _ => self.copied().deserialize_any(visitor),
        }
    }

    numbers! {
        deserialize_i8 visit_i8 deserialize_i16 visit_i16 deserialize_i32 visit_i32 deserialize_i64 visit_i64
        deserialize_u8 visit_u8 deserialize_u16 visit_u16 deserialize_u32 visit_u32 deserialize_u64 visit_u64
        deserialize_f32 visit_f32 deserialize_f64 visit_f64
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        match self {
            Self::Attribute(AttributeValue::Bool(flag)) => visitor.visit_bool(*flag),
            _ => self.copied().deserialize_bool(visitor),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        match self.text() {
            Some(text) => visitor.visit_string(text.to_owned()),
            None => self.copied().deserialize_str(visitor),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        match self {
            Self::Attribute(AttributeValue::Null(true)) => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        match self.list() {
            Some(list) => visitor.visit_seq(list),
            None => self.copied().deserialize_seq(visitor),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        match self {
            Self::Attribute(AttributeValue::M(map)) => {
                let entries = map.iter().map(|(name, value)| (MapKey(name), StoredValue::Attribute(value)));
                visitor.visit_map(MapDeserializer::new(entries))
            }
            _ => self.copied().deserialize_map(visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        match self {
            Self::Attribute(AttributeValue::M(_)) => self.deserialize_map(visitor),
            _ => self.copied().deserialize_struct(name, fields, visitor),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Self::Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Self::Error> {
        self.copied().deserialize_unit_struct(name, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        match self.text() {
            Some(text) => visitor.visit_enum(text.into_deserializer()),
            None => self.copied().deserialize_enum(name, variants, visitor),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_unit()
    }

    left_to_serde_dynamo! {
        deserialize_i128 deserialize_u128 deserialize_char deserialize_bytes deserialize_byte_buf deserialize_unit
        deserialize_identifier
    }
}

impl<'a> IntoDeserializer<'_, serde_dynamo::Error> for StoredValue<'a> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// A name within a map: an identifier, mostly; else what `serde_dynamo` makes of it.
#[derive(Clone, Copy)]
struct MapKey<'a>(&'a str);

impl<'a> IntoDeserializer<'_, serde_dynamo::Error> for MapKey<'a> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// Keys that aren't text: their text is parsed, and what can't be is the error of a value that is none.
macro_rules! parsed_keys {
    ($($method:ident $visit:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
            match self.0.parse() {
                Ok(key) => visitor.$visit(key),
                Err(_) => self.as_value().$method(visitor),
            }
        }
    )*};
}

impl MapKey<'_> {
    fn as_value(self) -> serde_dynamo::Deserializer {
        serde_dynamo::Deserializer::from_attribute_value(AttributeValue::S(self.0.to_owned()).into())
    }
}

impl<'de> Deserializer<'de> for MapKey<'_> {
    type Error = serde_dynamo::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_string(self.0.to_owned())
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_str(self.0)
    }

    parsed_keys! {
        deserialize_i8 visit_i8 deserialize_i16 visit_i16 deserialize_i32 visit_i32 deserialize_i64 visit_i64
        deserialize_i128 visit_i128 deserialize_u8 visit_u8 deserialize_u16 visit_u16 deserialize_u32 visit_u32
        deserialize_u64 visit_u64 deserialize_u128 visit_u128 deserialize_bool visit_bool
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.as_value().deserialize_enum(name, variants, visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        f32 f64 char str string bytes byte_buf option unit unit_struct seq tuple tuple_struct map struct ignored_any
    }
}

#[cfg(test)]
mod tests;
