//! Steps from an attribute to what lies within it.

use std::collections::{BTreeMap, HashMap, VecDeque};

use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;

use crate::expr::path::kind::{Nested, PathKind};
use crate::expr::path::{Encoding, Path, RawPath};
use crate::expr::value::{self, IntoValue};

/// A struct that is stored as a map within an attribute, so that paths lead to its fields.
///
/// Derived by `#[derive(Document)]`, which honours serde's attributes as `#[derive(Item)]` does. For a newtype of one, name what
/// it wraps:
///
/// ```
/// use dynamo_once::Document;
///
/// #[derive(serde::Serialize, serde::Deserialize, Document)]
/// struct Address {
///     city: String,
/// }
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Home(Address);
///
/// impl Document for Home {
///     type Struct = Address;
///     type Fields = <Address as Document>::Fields;
///     const FIELDS: Self::Fields = Address::FIELDS;
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "no path leads to the fields of a `{Self}`",
    label = "`{Self}` is no document",
    note = "derive `Document` for a struct that is stored as a map; `at` leads to the elements of a list, and `key` to the \
            entries of a map"
)]
pub trait Document {
    /// The struct whose fields these are: the type itself, or the one that it wraps.
    type Struct;

    /// The typed paths of the fields.
    type Fields;

    /// The typed paths of the fields.
    const FIELDS: Self::Fields;
}

/// A field that is stored as a list, whose elements have numbers.
#[diagnostic::on_unimplemented(
    message = "values of type `{Self}` have no elements by number: only lists do",
    label = "`{Self}` is no list",
    note = "`field` leads to the fields of a nested struct, and `key` to the entries of a map"
)]
pub trait List {
    /// What the list holds.
    type Element: Serialize;
}

/// A field that is stored as a map, whose keys are no fields of a struct.
#[diagnostic::on_unimplemented(
    message = "values of type `{Self}` have no entries by key: only maps do",
    label = "`{Self}` is no map",
    note = "`field` leads to the fields of a nested struct, and `at` to the elements of a list"
)]
pub trait Map {
    /// What leads to an entry.
    type Key: Serialize;

    /// What an entry holds.
    type Value: Serialize;
}

/// DynamoDB takes no path of more names and indexes (AWS, "Service quotas for DynamoDB": nested attribute depth).
const MAX_STEPS: usize = 32;

const TOO_DEEP: &str = "leads more than 32 levels deep, which DynamoDB doesn't take; flatten what is stored";
const NAMELESS: &str = "names an entry with an empty key, which DynamoDB doesn't take; leave such entries out";
const NO_TEXT: &str = "names an entry whose key isn't stored as text, as the keys of maps are";

impl<T, V, P: PathKind> Path<T, V, P> {
    /// The path to a field of the nested struct, as in `f.address.field(|a| a.city)`.
    ///
    /// ```
    /// # use dynamo_once::{Item, Store, testing::Embedded};
    /// # use std::collections::HashMap;
    /// use dynamo_once::Document;
    ///
    /// #[derive(serde::Serialize, serde::Deserialize, Item)]
    /// #[item(table = "carts")]
    /// struct Cart {
    ///     #[item(partition_key)]
    ///     id: String,
    ///     lines: Vec<Line>,
    ///     limits: HashMap<String, u64>,
    /// }
    ///
    /// #[derive(serde::Serialize, serde::Deserialize, Document)]
    /// struct Line {
    ///     product: String,
    ///     quantity: u32,
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let engine = Embedded::start().await;
    /// # let carts = Store::new(engine.config().build()).table::<Cart>();
    /// # carts.create_if_missing().await?;
    /// # let lines = vec![Line { product: "tea".into(), quantity: 1 }];
    /// # carts.insert(&Cart { id: "c-1".into(), lines, limits: HashMap::from([("eur".into(), 100)]) }).send().await?;
    /// let f = Cart::FIELDS;
    /// let quantity = f.lines.at(0).field(|line| line.quantity);
    /// let update = carts.update("c-1").add(quantity.clone(), 1).set(f.limits.key("usd"), 90);
    /// update.when(quantity.lt(10) & f.limits.key("eur").ge(50)).send().await?;
    ///
    /// let found = carts.get("c-1").send().await?.expect("is there");
    /// assert_eq!((found.lines[0].quantity, found.limits["usd"]), (2, 90));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn field<W, K: PathKind>(self, step: impl FnOnce(V::Fields) -> Path<V::Struct, W, K>) -> Path<T, W, Nested>
    where
        V: Document,
    {
        let step = step(V::FIELDS);
        let below = step.place.nested();
        self.step(below, step.encoding).with_aliases(step.aliases, step.is_optional)
    }

    /// The path to an element of the list, counted from 0.
    ///
    /// An element that isn't there is absent to conditions; set, it is appended, whatever its number. Removed, those behind it
    /// move up.
    #[must_use]
    pub fn at<E>(self, index: usize) -> Path<T, E, Nested>
    where
        V: List<Element = E>,
        E: Serialize,
    {
        let below = Nested { path: RawPath::from_index(index), aliased: None, fault: None };
        self.step(below, Encoding::new())
    }

    /// The path to an entry of the map.
    #[must_use]
    pub fn key<K, E>(self, key: impl IntoValue<K>) -> Path<T, E, Nested>
    where
        V: Map<Key = K, Value = E>,
        K: Serialize,
        E: Serialize,
    {
        let (key, fault) = match stored_key(&key.into_value()) {
            Some(key) if key.is_empty() => (key, Some(NAMELESS)),
            Some(key) => (key, None),
            None => (String::new(), Some(NO_TEXT)),
        };
        self.step(Nested { path: RawPath::from(key), aliased: None, fault }, Encoding::new())
    }

    fn step<W>(self, below: Nested, encoding: Encoding<W>) -> Path<T, W, Nested> {
        let encoding = if self.encoding.is_plain() { encoding } else { Encoding::Unknown };
        let parent = self.place.nested();
        let own = self.aliases.first().map(|alias| (parent.path.clone(), *alias));
        let further = below.aliased.map(|(path, alias)| (path.below(parent.path.clone()), alias));
        let path = below.path.below(parent.path);
        let too_deep = (path.segments().len() > MAX_STEPS).then_some(TOO_DEEP);
        Path::new_at(
            Nested {
                path,
                aliased: parent.aliased.or(own).or(further),
                fault: parent.fault.or(below.fault).or(too_deep),
            },
            encoding,
        )
    }
}

/// The key as `serde_dynamo` writes those of a map, if it is one that it writes.
fn stored_key<K: Serialize>(key: &K) -> Option<String> {
    match value::encode(key) {
        Ok(AttributeValue::S(text) | AttributeValue::N(text)) => Some(text),
        Ok(AttributeValue::Bool(flag)) => Some(flag.to_string()),
        _ => None,
    }
}

impl<V: Document> Document for Option<V> {
    type Struct = V::Struct;
    type Fields = V::Fields;
    const FIELDS: Self::Fields = V::FIELDS;
}

impl<V: Document> Document for Box<V> {
    type Struct = V::Struct;
    type Fields = V::Fields;
    const FIELDS: Self::Fields = V::FIELDS;
}

impl<E: Serialize> List for Vec<E> {
    type Element = E;
}

impl<E: Serialize> List for VecDeque<E> {
    type Element = E;
}

impl<E: Serialize, const N: usize> List for [E; N] {
    type Element = E;
}

impl<V: List> List for Option<V> {
    type Element = V::Element;
}

impl<V: List> List for Box<V> {
    type Element = V::Element;
}

impl<K: Serialize, E: Serialize, S> Map for HashMap<K, E, S> {
    type Key = K;
    type Value = E;
}

impl<K: Serialize, E: Serialize> Map for BTreeMap<K, E> {
    type Key = K;
    type Value = E;
}

impl<V: Map> Map for Option<V> {
    type Key = V::Key;
    type Value = V::Value;
}

impl<V: Map> Map for Box<V> {
    type Key = V::Key;
    type Value = V::Value;
}
