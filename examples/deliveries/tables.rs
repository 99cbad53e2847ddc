//! What the operation of a key changes: a counter that many keys share, its order, the ledger, and its basket.

use aws_sdk_dynamodb::error::BoxError;
use dynamo_once::{Error, Item, Store, Table};
use serde::{Deserialize, Serialize};

use crate::history::{Execution, History, Key, Stands};

#[derive(Debug, Clone, Serialize, Deserialize, Item)]
#[item(table = "counters")]
pub(crate) struct Counter {
    #[item(partition_key)]
    pub(crate) id: u32,
    pub(crate) counted: i64,
}

#[derive(Debug, Clone, Serialize, Deserialize, Item)]
#[item(table = "orders")]
pub(crate) struct Order {
    #[item(partition_key)]
    pub(crate) key: u32,
    pub(crate) paid: i64,
    pub(crate) paid_by: Option<u64>,
}

/// An execution has one of its own, so that nothing but the record keeps another from entering the key, too.
#[derive(Debug, Clone, Serialize, Deserialize, Item)]
#[item(table = "ledger")]
pub(crate) struct Entry {
    #[item(partition_key)]
    pub(crate) key: u32,
    #[item(sort_key)]
    pub(crate) execution: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize, Item)]
#[item(table = "baskets")]
pub(crate) struct Basket {
    #[item(partition_key)]
    pub(crate) key: u32,
}

#[derive(Debug, Clone)]
pub(crate) struct Tables {
    pub(crate) counters: Table<Counter>,
    pub(crate) orders: Table<Order>,
    pub(crate) ledger: Table<Entry>,
    pub(crate) baskets: Table<Basket>,
}

/// So many that keys share each with many others, and workers meet on them.
pub(crate) const COUNTERS: u32 = 4;

impl Tables {
    pub(crate) fn of(store: &Store) -> Self {
        Self { counters: store.table(), orders: store.table(), ledger: store.table(), baskets: store.table() }
    }

    /// Makes the tables, and what they begin with.
    pub(crate) async fn fill(&self, keys: u32) -> Result<(), BoxError> {
        self.counters.create_if_missing().await?;
        self.orders.create_if_missing().await?;
        self.ledger.create_if_missing().await?;
        self.baskets.create_if_missing().await?;
        let counters = (0..COUNTERS).map(|id| Counter { id, counted: 0 });
        written(self.counters.insert_many(counters).send().await)?;
        let orders = (0..keys).map(|key| Order { key, paid: 0, paid_by: None });
        written(self.orders.insert_many(orders).send().await)?;
        written(self.baskets.insert_many((0..keys).map(|key| Basket { key })).send().await)
    }

    /// Reads what stands in the end.
    pub(crate) async fn read(&self, history: &mut History) -> Result<(), BoxError> {
        for counter in self.counters.scan().items().collect().await? {
            history.counted += counter.counted;
        }
        for order in self.orders.scan().items().collect().await? {
            let stands = Stands { paid: order.paid, paid_by: order.paid_by.map(Execution), ..Stands::default() };
            history.finals.insert(Key(order.key), stands);
        }
        for entry in self.ledger.scan().items().collect().await? {
            history.finals.entry(Key(entry.key)).or_default().entered_by.push(Execution(entry.execution));
        }
        for basket in self.baskets.scan().items().collect().await? {
            history.finals.entry(Key(basket.key)).or_default().has_basket = true;
        }
        Ok(())
    }
}

fn written<T>(all: Vec<Result<T, Error>>) -> Result<(), BoxError> {
    for written in all {
        written?;
    }
    Ok(())
}
