//! Reading several items as they stand at one moment.

use std::fmt;

use aws_sdk_dynamodb::types::{Get as GetPart, TransactGetItem};

use crate::error::Error;
use crate::item::{Item, RawItem};
use crate::key::{IntoKey, key_attributes};
use crate::settle;
use crate::stamped;
use crate::store::Store;
use crate::table::Table;
use crate::transact::MOST_ACTIONS;
use crate::versioned::Versioned;

/// Reads several items, of any tables of the store, as they stand at one moment; see [`Store::transact_get`].
///
/// # Idempotency
///
/// A read changes nothing, so that a lost reply is asked for again, and so is a read that writes are in the way of. One request of two read
/// capacity units for each 4 KB of each item.
///
/// # Errors
///
/// [`Invalid`](crate::ErrorKind::Invalid), with nothing sent, for no key, more than 100, or a table of another store;
/// [`Contention`](crate::ErrorKind::Contention) where writes kept being in the way; and what ended the retries.
///
/// # Examples
///
/// ```
/// # use dynamo_once::{Item, Store, testing::Embedded};
/// # #[derive(Debug, serde::Serialize, serde::Deserialize, Item)]
/// # #[item(table = "accounts")]
/// # struct Account { #[item(partition_key)] id: String, balance: i64 }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let engine = Embedded::start().await;
/// # let store = Store::new(engine.config().build());
/// # let accounts = store.table::<Account>();
/// # accounts.create_if_missing().await?;
/// # accounts.insert(&Account { id: "ann".into(), balance: 15 }).send().await?;
/// let found = store.transact_get().get(&accounts, "ann").get(&accounts, "bob").send().await?;
/// assert_eq!(found.item(&accounts, 0)?.expect("is there").balance, 15);
/// assert!(found.item(&accounts, 1)?.is_none());
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is read until `send`"]
pub struct TransactGet {
    store: Store,
    parts: Vec<TransactGetItem>,
    tables: Vec<String>,
    invalid: Option<Error>,
}

/// Items as they stood at one moment.
#[derive(Clone)]
pub struct Found {
    items: Vec<Option<RawItem>>,
    tables: Vec<String>,
}

const OPERATION: &str = "transact_get";

impl Store {
    /// Reads several items of its tables as they stand at one moment. See [`TransactGet`].
    #[doc(alias = "transact_get_items")]
    pub fn transact_get(&self) -> TransactGet {
        TransactGet { store: self.clone(), parts: Vec::new(), tables: Vec::new(), invalid: None }
    }
}

impl TransactGet {
    /// Reads the item of this table with this key too. Items have positions from 0 up, in the order in which they are added.
    pub fn get<T: Item>(self, table: &Table<T>, key: impl IntoKey<T::Key>) -> Self {
        self.get_key(table, &key.into_key())
    }

    pub(crate) fn get_key<T: Item>(mut self, table: &Table<T>, key: &T::Key) -> Self {
        let core = table.core();
        let part = || {
            core.check_names()?;
            if !core.store().is_same(&self.store) {
                return Err(Error::invalid("the table is of another store than the transaction"));
            }
            let get = GetPart::builder().table_name(core.name()).set_key(Some(key_attributes::<T>(key)?));
            Ok(TransactGetItem::builder().get(stamped::built(get.build())?).build())
        };
        match part() {
            Ok(part) => self.parts.push(part),
            Err(error) => {
                let error = error.with_operation(OPERATION, core.name()).with_part(self.tables.len());
                self.invalid = self.invalid.or(Some(error));
            }
        }
        self.tables.push(core.name().to_owned());
        self
    }

    /// Reads the items.
    ///
    /// # Errors
    ///
    /// See [`TransactGet`].
    pub async fn send(self) -> Result<Found, Error> {
        let of = |error: Error| error.with_operation(OPERATION, self.tables.first().map_or("", String::as_str));
        if let Some(invalid) = self.invalid {
            return Err(invalid);
        }
        if self.parts.is_empty() || self.parts.len() > MOST_ACTIONS {
            return Err(of(Error::invalid("a transaction reads from 1 to 100 items")));
        }
        let request = self.store.client().transact_get_items().set_transact_items(Some(self.parts));
        let output = settle::read_of(&self.store, OPERATION, request).await.map_err(of)?;
        Ok(Found { items: output.into_items(), tables: self.tables })
    }
}

impl Found {
    /// The item at this position, which is of this table; `None` where there was none.
    ///
    /// # Errors
    ///
    /// [`Decode`](crate::ErrorKind::Decode) where the item is not of this type and [`Malformed`](crate::ErrorKind::Malformed) where its
    /// version or log can't be read; [`Invalid`](crate::ErrorKind::Invalid) where the item at this position is of another table.
    pub fn item<T: Item>(&self, table: &Table<T>, position: usize) -> Result<Option<Versioned<T>>, Error> {
        let core = table.core();
        let of = |error: Error| error.with_operation(OPERATION, core.name()).with_part(position);
        if self.tables.get(position).is_none_or(|name| name != core.name()) {
            return Err(of(Error::invalid("no item of this table was read at this position")));
        }
        match self.raw(position) {
            Some(item) => core.found(item.clone()).map_err(of),
            None => Ok(None),
        }
    }

    /// The item at this position, as it is stored.
    pub(crate) fn raw(&self, position: usize) -> Option<&RawItem> {
        self.items.get(position).and_then(Option::as_ref).filter(|item| !item.is_empty())
    }
}

impl fmt::Debug for TransactGet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransactGet").field("tables", &self.tables).finish_non_exhaustive()
    }
}

/// Shows no item.
impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Found").field("tables", &self.tables).finish_non_exhaustive()
    }
}
