//! Reading all items of a table.

use std::fmt;

use crate::error::Error;
use crate::expr::Condition;
use crate::item::Item;
use crate::op::get::Consistency;
use crate::op::items::{Items, Page};
use crate::op::selection::{Selection, Shape, selecting};
use crate::op::source::Source;
use crate::projection::{self, Projection};
use crate::start_token::StartToken;
use crate::table::Table;

/// Reads all items of a table; see [`Table::scan`].
///
/// In no order that means anything. They come one by one ([`items`](Scan::items)), as a page ([`page`](Scan::page)), or counted
/// ([`count`](Scan::count)). Tombstones are left out. However large the table is, one page is in memory at a time.
///
/// # Idempotency
///
/// A scan changes nothing, so that a lost reply is asked for again until the retry policy ends it. One request for each page, which is 1 MB
/// unless [`limit`](Scan::limit) or [`page_size`](Scan::page_size) make it less: as many as the plain SDK sends. What is read is paid for, at
/// one read capacity unit for 4 KB of items together (half of that where it is [eventual](Consistency::Eventual)), with what a filter takes
/// out.
///
/// # Errors
///
/// [`Invalid`](crate::ErrorKind::Invalid), before anything is sent, for a limit or a page size of 0; 0 segments, or more than a million; a
/// start token for a parallel scan. [`BadToken`](crate::ErrorKind::BadToken), likewise, for one of another scan or query. Those of a decode, and those that end the retries, are said at [`Items`].
///
/// # Examples
///
/// ```
/// # use dynamo_once::{Item, Store, testing::Embedded};
/// # #[derive(serde::Serialize, serde::Deserialize, Item)]
/// # #[item(table = "accounts")]
/// # struct Account { #[item(partition_key)] id: String, balance: i64 }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let engine = Embedded::start().await;
/// # let accounts = Store::new(engine.config().build()).table::<Account>();
/// # accounts.create_if_missing().await?;
/// # for (id, balance) in [("acc-1", 10), ("acc-2", -5), ("acc-3", 0)] {
/// #     accounts.insert(&Account { id: id.into(), balance }).send().await?;
/// # }
/// let mut overdrawn = accounts.scan().filter(Account::FIELDS.balance.lt(0)).items();
/// while let Some(account) = overdrawn.next().await {
///     println!("{}", account?.id);
/// }
///
/// // Four segments side by side.
/// let all = accounts.scan().segments(4).items().collect().await?;
/// assert_eq!(all.len(), 3);
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is read until `items`, `page` or `count`"]
pub struct Scan<T: Item, R = T> {
    selection: Selection<T, R>,
}

impl<T: Item> Scan<T> {
    pub(crate) fn new(table: Table<T>) -> Self {
        Self { selection: Selection::new(table, Source::Scan { segments: 1 }) }
    }
}

impl<T: Item, R> Scan<T, R> {
    /// Scans so many segments of the table side by side, 1 to a million. Each has a request under way, or a page in memory; what comes
    /// first is handed out first. Such a scan has no place to go on from.
    #[doc(alias = "total_segments")]
    #[doc(alias = "parallel")]
    pub fn segments(mut self, segments: u32) -> Self {
        self.selection.source = Source::Scan { segments };
        self
    }

    /// Reads a part of each item: the attributes of the projection, and those by which the library knows its place and version.
    #[doc(alias = "projection_expression")]
    pub fn project<P: Projection<T>>(self) -> Scan<T, P> {
        let shape = Shape { attributes: Some(P::ATTRIBUTES), decode: projection::decode::<T, P> };
        Scan { selection: self.selection.shaped(shape) }
    }
}

selecting!(Scan<T>, "scan");

impl<T: Item, R> fmt::Debug for Scan<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.selection.fmt(f)
    }
}
