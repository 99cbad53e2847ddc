//! Projections: structs that hold a part of an item.

use std::marker::PhantomData;

use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::expr::Path;
use crate::item::{Item, RawItem, decode_part};
use crate::table::Core;
use crate::versioned::Versioned;

/// A struct that holds a part of an item of type `T`: what [`Query::project`](crate::Query::project) and
/// [`Scan::project`](crate::Scan::project) read.
///
/// The service reads whole items and sends a part: a projection saves transfer and memory, not read units.
///
/// Derived by `#[derive(Projection)]`, which holds each field against the item's when it is compiled, or written by hand:
///
/// ```
/// use dynamo_once::{Item, Projection, Store, testing::Embedded};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Item)]
/// #[item(table = "orders")]
/// struct Order {
///     #[item(partition_key)]
///     customer: String,
///     #[item(sort_key)]
///     number: u32,
///     total: i64,
///     lines: Vec<String>,
/// }
///
/// #[derive(Deserialize, Projection)]
/// #[projection(of = Order)]
/// struct Total {
///     number: u32,
///     total: i64,
/// }
///
/// #[derive(Deserialize)]
/// struct Lines {
///     lines: Vec<String>,
/// }
///
/// impl Projection<Order> for Lines {
///     const ATTRIBUTES: &'static [&'static str] = &["lines"];
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let engine = Embedded::start().await;
/// # let orders = Store::new(engine.config().build()).table::<Order>();
/// # orders.create_if_missing().await?;
/// let order = Order { customer: "eve".into(), number: 7, total: 100, lines: vec!["tea".into()] };
/// orders.insert(&order).send().await?;
///
/// let totals = orders.query("eve").project::<Total>().items().collect().await?;
/// assert_eq!((totals[0].number, totals[0].total, totals[0].version()), (7, 100, 1));
/// let lines = orders.query("eve").project::<Lines>().items().collect().await?;
/// assert_eq!(lines[0].lines, ["tea"]);
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no projection of `{T}`",
    note = "derive it: `#[derive(serde::Deserialize, dynamo_once::Projection)] #[projection(of = {T})]`"
)]
pub trait Projection<T: Item>: DeserializeOwned {
    /// The names of the attributes that it is read from.
    ///
    /// One that is required and isn't named here is missing in every item, which is then
    /// [`Decode`](crate::ErrorKind::Decode) with the attribute's name.
    const ATTRIBUTES: &'static [&'static str];
}

/// The part of a stored item; `None` where it has expired, or is a tombstone.
pub(crate) fn decode<T: Item, P: Projection<T>>(core: &Core, raw: RawItem) -> Result<Option<Versioned<P>>, Error> {
    let format = core.format();
    if core.is_expired(&raw) || format.read(&raw).tombstone {
        return Ok(None);
    }
    let part = match format.etag(&raw) {
        Some(etag) => decode_part(&raw, P::ATTRIBUTES).map(|part| Versioned::projected(part, etag)),
        None => Err(format.unusable(&raw)),
    };
    part.map(Some).map_err(|error| error.with_current(raw, format.clone()))
}

/// A field of a projection, which has the type of the item's.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "the field is a `{V}` in the item and a `{Self}` in the projection",
    label = "has another type in the item",
    note = "a projection's field has the type of the item's field with the same name"
)]
pub trait SameField<V> {}

impl<V> SameField<V> for V {}

/// Fails to compile where a projection's field has another type than the item's.
#[doc(hidden)]
pub const fn assert_same<T, V, P, F: SameField<V>>(_: &Path<T, V, P>, _: PhantomData<F>) {}

/// Fails to compile where a projection's field isn't read from all the names that the item's attribute may be stored under.
#[doc(hidden)]
#[track_caller]
pub const fn assert_projected(name: &str, mut aliases: &[&str], read: &[&str]) {
    assert!(
        is_among(name, read),
        "the item stores the field under another name: give it the same `#[serde(rename = \"..\")]`"
    );
    while let [alias, rest @ ..] = aliases {
        assert!(
            is_among(alias, read),
            "the item reads the field from other names too: give it the same `#[serde(alias = \"..\")]`"
        );
        aliases = rest;
    }
}

const fn is_among(name: &str, mut names: &[&str]) -> bool {
    while let [first, rest @ ..] = names {
        if is_same(name.as_bytes(), first.as_bytes()) {
            return true;
        }
        names = rest;
    }
    false
}

const fn is_same(mut one: &[u8], mut other: &[u8]) -> bool {
    while let ([first, one_left @ ..], [second, other_left @ ..]) = (one, other) {
        if *first != *second {
            return false;
        }
        (one, other) = (one_left, other_left);
    }
    one.is_empty() && other.is_empty()
}
