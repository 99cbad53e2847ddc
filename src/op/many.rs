//! Writing many items, each exactly once.

use std::borrow::Borrow;
use std::fmt;

use futures_util::stream::{self, Stream, StreamExt as _};

use crate::error::Error;
use crate::item::Item;
use crate::table::Table;
use crate::written::Written;

/// Inserts many items, each if no item has its key; see [`Table::insert_many`].
///
/// Each item is an [`Insert`](crate::Insert) of its own, with an outcome of its own; some of them are under way at once.
///
/// `BatchWriteItem` isn't used, since its puts take no conditions (AWS, "BatchWriteItem"): it would overwrite what is there, and after a
/// lost reply nothing could be told of any of its items. It would save round trips, which concurrency hides, and no capacity: a put
/// in a batch costs what it costs alone.
///
/// # Idempotency
///
/// Item by item as [`Insert`](crate::Insert) has it, and at its costs: one `PutItem` for each, one request more where a reply is lost.
/// With [`keyed`](InsertMany::keyed) the whole batch can be repeated after a crash, and what had been written is
/// [`Replayed`](crate::Outcome::Replayed). Of two items with the same key one is inserted; either may be.
///
/// Dropping the future, or the stream, leaves those under way as a dropped insert is left, and doesn't begin the others.
///
/// # Errors
///
/// For each item what [`Insert`](crate::Insert) answers, and [`Invalid`](crate::ErrorKind::Invalid) with a concurrency of 0.
///
/// # Examples
///
/// ```
/// # use dynamo_once::{Item, Store, testing::Embedded};
/// # #[derive(Debug, serde::Serialize, serde::Deserialize, Item)]
/// # #[item(table = "events")]
/// # struct Event { #[item(partition_key)] id: String, text: String }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let engine = Embedded::start().await;
/// # let events = Store::new(engine.config().build()).table::<Event>();
/// # events.create_if_missing().await?;
/// let batch: Vec<_> = (0..50).map(|n| Event { id: format!("event-{n}"), text: "..".into() }).collect();
/// for written in events.insert_many(&batch).keyed(|event| event.id.clone()).send().await {
///     written?;
/// }
///
/// // The batch is delivered again, to another process perhaps.
/// let again = events.insert_many(&batch).keyed(|event| event.id.clone()).send().await;
/// assert!(again.into_iter().all(|written| written.is_ok_and(|written| written.is_replayed())));
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is written until `send`"]
pub struct InsertMany<T, B = T> {
    table: Table<T>,
    items: Vec<(B, Option<Vec<u8>>)>,
    concurrency: usize,
}

/// Writes many items, each whether or not its key has one; see [`Table::upsert_many`].
///
/// Each item is an [`Upsert`](crate::Upsert) of its own, with an outcome of its own; some of them are under way at once. Why
/// `BatchWriteItem` isn't used, [`InsertMany`] says.
///
/// # Idempotency
///
/// Item by item as [`Upsert`](crate::Upsert) has it, and at its costs: one `UpdateItem` for each. Of two items with the same key both are
/// written, in either order.
///
/// Dropping the future, or the stream, leaves those under way as a dropped upsert is left, and doesn't begin the others.
///
/// # Errors
///
/// For each item what [`Upsert`](crate::Upsert) answers, and [`Invalid`](crate::ErrorKind::Invalid) with a concurrency of 0.
///
/// # Examples
///
/// ```
/// # use dynamo_once::{Item, Store, testing::Embedded};
/// # #[derive(Debug, serde::Serialize, serde::Deserialize, Item)]
/// # #[item(table = "prices")]
/// # struct Price { #[item(partition_key)] product: String, cents: u64 }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let engine = Embedded::start().await;
/// # let prices = Store::new(engine.config().build()).table::<Price>();
/// # prices.create_if_missing().await?;
/// let feed = [Price { product: "tea".into(), cents: 250 }, Price { product: String::new(), cents: 300 }];
/// let written = prices.upsert_many(&feed).concurrency(4).send().await;
/// assert!(written[0].is_ok());
/// assert!(written[1].as_ref().is_err_and(|error| error.is_invalid()), "a key can't be empty");
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is written until `send`"]
pub struct UpsertMany<T, B = T> {
    table: Table<T>,
    items: Vec<B>,
    concurrency: usize,
}

/// As many as hide the round trips of a write of some milliseconds, and few enough for one partition: 1000 writes a second.
const AT_ONCE: usize = 16;

impl<T: Item, B: Borrow<T>> InsertMany<T, B> {
    pub(crate) fn new(table: Table<T>, items: impl IntoIterator<Item = B>) -> Self {
        Self { table, items: items.into_iter().map(|item| (item, None)).collect(), concurrency: AT_ONCE }
    }

    /// Names what each insert stands for, as [`Insert::keyed`](crate::Insert::keyed) does: a key for each item, made of it or of
    /// where it came from.
    #[doc(alias = "idempotency_key")]
    pub fn keyed<K: AsRef<[u8]>>(mut self, mut key: impl FnMut(&T) -> K) -> Self {
        for (item, keyed) in &mut self.items {
            *keyed = Some(key((*item).borrow()).as_ref().to_vec());
        }
        self
    }

    /// Sets how many inserts may be under way at once; 16 unless set.
    pub fn concurrency(mut self, inserts: usize) -> Self {
        self.concurrency = inserts;
        self
    }

    /// Inserts the items, and answers with the outcome of each, in their order.
    pub async fn send(self) -> Vec<Result<Written<T>, Error>> {
        in_order(self.stream()).await
    }

    /// Inserts the items, and answers with the position and the outcome of each as soon as it is known.
    pub fn stream(self) -> impl Stream<Item = (usize, Result<Written<T>, Error>)> {
        let Self { table, items, concurrency } = self;
        at_once(concurrency, "insert", table, items, |table, (item, key)| {
            let insert = table.insert(item.borrow());
            match key {
                Some(key) => insert.keyed(key),
                None => insert,
            }
            .send()
        })
    }
}

impl<T: Item, B: Borrow<T>> UpsertMany<T, B> {
    pub(crate) fn new(table: Table<T>, items: impl IntoIterator<Item = B>) -> Self {
        Self { table, items: items.into_iter().collect(), concurrency: AT_ONCE }
    }

    /// Sets how many upserts may be under way at once; 16 unless set.
    pub fn concurrency(mut self, upserts: usize) -> Self {
        self.concurrency = upserts;
        self
    }

    /// Writes the items, and answers with the outcome of each, in their order.
    pub async fn send(self) -> Vec<Result<Written<T>, Error>> {
        in_order(self.stream()).await
    }

    /// Writes the items, and answers with the position and the outcome of each as soon as it is known.
    pub fn stream(self) -> impl Stream<Item = (usize, Result<Written<T>, Error>)> {
        let Self { table, items, concurrency } = self;
        at_once(concurrency, "upsert", table, items, |table, item| table.upsert(item.borrow()).send())
    }
}

/// Runs the writes of the items, so many at once. An item is serialised when its turn comes.
fn at_once<T: Item, I, F>(
    concurrency: usize,
    operation: &'static str,
    table: Table<T>,
    items: Vec<I>,
    write: impl Fn(&Table<T>, I) -> F,
) -> impl Stream<Item = (usize, Result<Written<T>, Error>)>
where
    F: Future<Output = Result<Written<T>, Error>>,
{
    let writes = items.into_iter().enumerate().map(move |(position, item)| {
        let write = (concurrency > 0).then(|| write(&table, item)).ok_or_else(|| {
            let error = Error::invalid("with no write under way at once nothing is written; allow for one at least");
            error.with_operation(operation, table.name())
        });
        async move {
            match write {
                Ok(write) => (position, write.await),
                Err(error) => (position, Err(error)),
            }
        }
    });
    stream::iter(writes).buffer_unordered(concurrency.max(1))
}

async fn in_order<R>(outcomes: impl Stream<Item = (usize, R)>) -> Vec<R> {
    let mut outcomes: Vec<_> = outcomes.collect().await;
    outcomes.sort_unstable_by_key(|(position, _)| *position);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

impl<T, B> fmt::Debug for InsertMany<T, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(f, "InsertMany", &self.table, self.items.len(), self.concurrency)
    }
}

impl<T, B> fmt::Debug for UpsertMany<T, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(f, "UpsertMany", &self.table, self.items.len(), self.concurrency)
    }
}

fn show<T>(f: &mut fmt::Formatter<'_>, name: &str, table: &Table<T>, items: usize, concurrency: usize) -> fmt::Result {
    f.debug_struct(name).field("table", table).field("items", &items).field("concurrency", &concurrency).finish()
}
