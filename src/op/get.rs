//! Reading one item.

use std::fmt;

use crate::error::Error;
use crate::item::Item;
use crate::key::key_attributes;
use crate::retry::Spent;
use crate::settle;
use crate::table::Table;
use crate::versioned::Versioned;

/// How fresh a read has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Consistency {
    /// The read sees every write that was answered before it began. One read capacity unit for each 4 KB.
    #[default]
    Strong,
    /// The read may miss writes of the last second or so. Half a read capacity unit for each 4 KB.
    Eventual,
}

/// Reads one item; see [`Table::get`].
///
/// Reads are strongly consistent unless [`consistency`](Get::consistency) says otherwise.
///
/// # Idempotency
///
/// A read changes nothing, so that a lost reply is asked for again until the retry policy ends it. One request of one read
/// capacity unit for each 4 KB of the item (half of that where it is eventual), and as much for each retry.
///
/// # Errors
///
/// `send` answers [`Decode`](crate::ErrorKind::Decode) where the stored item is not of this type and
/// [`Malformed`](crate::ErrorKind::Malformed) where its version or log can't be read, both with the raw item
/// ([`Error::raw_current`]); [`Invalid`](crate::ErrorKind::Invalid) for an empty or oversized key; and what ended the
/// retries, where no answer came.
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
/// assert!(accounts.get("acc-1").send().await?.is_none());
///
/// accounts.insert(&Account { id: "acc-1".into(), balance: 10 }).send().await?;
/// let found = accounts.get("acc-1").send().await?.expect("was inserted");
/// assert_eq!((found.balance, found.version()), (10, 1));
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is read until `send`"]
pub struct Get<T: Item> {
    table: Table<T>,
    key: T::Key,
    consistency: Consistency,
}

impl<T: Item> Get<T> {
    pub(crate) fn new(table: Table<T>, key: T::Key) -> Self {
        Self { table, key, consistency: Consistency::Strong }
    }

    /// Sets how fresh the read has to be.
    pub fn consistency(mut self, consistency: Consistency) -> Self {
        self.consistency = consistency;
        self
    }

    /// Reads the item; `None` where there is none.
    ///
    /// # Errors
    ///
    /// See [`Get`].
    pub async fn send(self) -> Result<Option<Versioned<T>>, Error> {
        Ok(self.read("get").await?.0)
    }

    /// Reads the item, as a part of that operation, and says what it took.
    pub(crate) async fn read(self, operation: &'static str) -> Result<(Option<Versioned<T>>, Spent), Error> {
        let core = self.table.core();
        let of = |error: Error| error.with_operation(operation, core.name());
        let key = key_attributes::<T>(&self.key).map_err(of)?;
        let request = core
            .store()
            .client()
            .get_item()
            .table_name(core.name())
            .set_key(Some(key))
            .consistent_read(self.consistency == Consistency::Strong);
        let (output, spent) = settle::read(core, operation, request).await?;
        let found = match output.into_item() {
            Some(raw) => core.found(raw).map_err(|error| spent.report(of(error), core.store().now()))?,
            None => None,
        };
        Ok((found, spent))
    }
}

impl<T: Item> fmt::Debug for Get<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Get")
            .field("table", &self.table)
            .field("consistency", &self.consistency)
            .finish_non_exhaustive()
    }
}
