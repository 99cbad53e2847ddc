//! Reading the items of a partition.

use std::fmt;
use std::marker::PhantomData;

use crate::error::Error;
use crate::expr::Condition;
use crate::item::Item;
use crate::key::IntoKey;
use crate::op::get::Consistency;
use crate::op::items::{Items, Page};
use crate::op::selection::{Selection, Shape, selecting};
use crate::op::sort::{Bounds, SortKeys};
use crate::op::source::Source;
use crate::partition::{Bound, Leading, Partition, SortKey};
use crate::projection::{self, Projection};
use crate::start_token::StartToken;
use crate::table::Table;

/// Reads the items that share a partition key; see [`Table::query`].
///
/// In the order of their sort keys, which are `S`; one condition on the sort key narrows them down. They come one by one
/// ([`items`](Query::items)), as a page ([`page`](Query::page)), or counted ([`count`](Query::count)). Tombstones are left out, and so are
/// items of other types that live in the same partition.
///
/// # Ranges
///
/// A marked field takes the bare value, `ge(10)`, and a template's sort key a tuple of its parts, also where it has one only: `ge((10,))`. For
/// a range the first of them will do, and stand for all sort keys that begin with them: of `"{due:010}#{project}"`, `between((10,), (20,))`
/// takes all from 10 through 20.
///
/// The sort keys of a template are texts, and have the order of texts. So a range over a number without a width, which would have "10"
/// before "9", is refused: give the template one, `{number:010}`, or query by an index on the field itself. Texts have the order that
/// they are stored in, with punctuation of the template's encoded: a `#` sorts as the `%23` that it is there, and `a b#` before `a#`.
///
/// # Idempotency
///
/// A query changes nothing, so that a lost reply is asked for again until the retry policy ends it. One request for each page, which is 1 MB
/// unless [`limit`](Query::limit) or [`page_size`](Query::page_size) make it less: as many as the plain SDK sends. What is read is paid for,
/// at one read capacity unit for 4 KB of items together (half of that where it is eventual), with what a filter takes out, and whatever
/// the projection leaves out.
///
/// # Errors
///
/// [`Invalid`](crate::ErrorKind::Invalid), before anything is sent, for a limit or a page size of 0; a filter that names a key attribute of
/// what is queried; a second condition on the sort key; bounds of which the first is the greater; a range over a template's number without a
/// width; strong reads of a global index. [`BadToken`](crate::ErrorKind::BadToken), likewise, for a start token of another query or scan. Those of a decode, and those that end the retries, are said at [`Items`].
///
/// # Examples
///
/// ```
/// # use dynamo_once::{Item, Store, testing::Embedded};
/// #[derive(serde::Serialize, serde::Deserialize, Item)]
/// #[item(table = "orders")]
/// struct Order {
///     #[item(partition_key)]
///     customer: String,
///     #[item(sort_key)]
///     number: u32,
///     total: i64,
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let engine = Embedded::start().await;
/// # let orders = Store::new(engine.config().build()).table::<Order>();
/// # orders.create_if_missing().await?;
/// for number in 1..=30 {
///     orders.insert(&Order { customer: "eve".into(), number, total: 10 * i64::from(number) }).send().await?;
/// }
/// let f = Order::FIELDS;
/// let mut large = orders.query("eve").ge(10).filter(f.total.gt(250)).descending().items();
/// while let Some(order) = large.next().await {
///     println!("{}", order?.number);
/// }
/// assert_eq!(orders.query("eve").count().await?, 30);
///
/// // A page, and the next one, as a web page's link carries it.
/// let page = orders.query("eve").limit(20).page().await?;
/// let link = page.next_token().expect("there is more").to_string();
/// let rest = orders.query("eve").limit(20).start_after(link.parse()?).page().await?;
/// assert_eq!((rest.items()[0].number, rest.items().len()), (21, 10));
/// assert!(rest.next_token().is_none());
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is read until `items`, `page` or `count`"]
pub struct Query<T: Item, S, R = T> {
    selection: Selection<T, R>,
    sort: PhantomData<fn() -> S>,
}

impl<T: Item, S> Query<T, S> {
    pub(crate) fn new(table: Table<T>, partition: Partition<T, S>) -> Self {
        let source = Source::Query {
            index: partition.index,
            is_strong: partition.is_strong,
            key: partition.key,
            sort: partition.sort.map(|name| SortKeys { name, template: partition.template }),
            bounds: Bounds::All,
            is_descending: false,
            fault: partition.error,
        };
        Self { selection: Selection::new(table, source), sort: PhantomData }
    }
}

impl<T: Item, S, R> Query<T, S, R> {
    /// Takes the items whose sort key is this one.
    pub fn eq(self, value: impl IntoKey<S>) -> Self
    where
        S: SortKey,
    {
        self.bounded(Bounds::Eq(value.into_key().parts()))
    }

    /// Takes the items whose sort key is less than this; of a template, than all that begin with these parts. [Ranges](Query#ranges) take
    /// numbers with a width only.
    pub fn lt(self, value: impl Bound<S>) -> Self {
        self.bounded(Bounds::Lt(value.parts()))
    }

    /// Takes the items whose sort key is at most this; of a template, up to all that begin with these parts. [Ranges](Query#ranges) take
    /// numbers with a width only.
    pub fn le(self, value: impl Bound<S>) -> Self {
        self.bounded(Bounds::Le(value.parts()))
    }

    /// Takes the items whose sort key is greater than this; of a template, than all that begin with these parts. [Ranges](Query#ranges)
    /// take numbers with a width only.
    pub fn gt(self, value: impl Bound<S>) -> Self {
        self.bounded(Bounds::Gt(value.parts()))
    }

    /// Takes the items whose sort key is at least this; of a template, from those on that begin with these parts.
    /// [Ranges](Query#ranges) take numbers with a width only.
    pub fn ge(self, value: impl Bound<S>) -> Self {
        self.bounded(Bounds::Ge(value.parts()))
    }

    /// Takes the items whose sort key lies between these, both included; of a template, all that begin with these parts.
    /// [Ranges](Query#ranges) take numbers with a width only.
    pub fn between(self, low: impl Bound<S>, high: impl Bound<S>) -> Self {
        self.bounded(Bounds::Between(low.parts(), high.parts()))
    }

    /// Takes the items whose sort key begins with this: a string or bytes with their beginning, one of several parts with the first of
    /// them, in a tuple.
    pub fn begins_with(self, start: impl Leading<S>) -> Self {
        self.bounded(Bounds::BeginsWith(start.parts()))
    }

    /// Reads backwards: the greatest sort key first.
    #[doc(alias = "scan_index_forward")]
    pub fn descending(mut self) -> Self {
        if let Source::Query { is_descending, .. } = &mut self.selection.source {
            *is_descending = true;
        }
        self
    }

    /// Reads a part of each item: the attributes of the projection, and those by which the library knows its place and version.
    #[doc(alias = "projection_expression")]
    pub fn project<P: Projection<T>>(self) -> Query<T, S, P> {
        let shape = Shape { attributes: Some(P::ATTRIBUTES), decode: projection::decode::<T, P> };
        Query { selection: self.selection.shaped(shape), sort: PhantomData }
    }

    fn bounded(mut self, asked: Bounds) -> Self {
        if let Source::Query { bounds, fault, .. } = &mut self.selection.source {
            match bounds {
                Bounds::All => *bounds = asked,
                _ => {
                    *fault = Some(Error::invalid(
                        "a query takes one condition on the sort key; two bounds are one `between`",
                    ))
                }
            }
        }
        self
    }
}

selecting!(Query<T, S>, "query");

impl<T: Item, S, R> fmt::Debug for Query<T, S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.selection.fmt(f)
    }
}

#[cfg(test)]
mod tests;
