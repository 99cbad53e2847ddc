//! A table on an engine in this process, for property tests that ask a real engine for its opinion.

use std::sync::{Mutex, MutexGuard, PoisonError};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};

use crate::item::{Item, RawItem, Schema};
use crate::store::Store;
use crate::table::Table;
use crate::testing::Embedded;

pub(crate) const TABLE: &str = "rows";

/// Whatever has an `id`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    id: String,
}

impl Item for Row {
    type Key = String;
    const SCHEMA: Schema = Schema::new("id").table(TABLE);
}

pub(crate) struct Rows {
    turn: Mutex<()>,
    runtime: tokio::runtime::Runtime,
    pub(crate) client: Client,
    pub(crate) table: Table<Row>,
}

impl Rows {
    pub(crate) fn new() -> Self {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be made");
        let (client, table) = runtime.block_on(async {
            let engine = Embedded::start().await;
            let table = Store::new(engine.config().build()).table::<Row>();
            table.create_if_missing().await.expect("the table is made");
            (engine.client(), table)
        });
        Self { turn: Mutex::new(()), runtime, client, table }
    }

    /// There is one row, and tests that share it take turns.
    pub(crate) fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn wait<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    pub(crate) fn key() -> RawItem {
        [("id".to_owned(), AttributeValue::S("row".to_owned()))].into()
    }

    /// Stores this item under the one key, or leaves nothing there.
    pub(crate) fn store(&self, item: Option<RawItem>) {
        self.wait(async {
            match item {
                Some(mut item) => {
                    item.extend(Self::key());
                    let put = self.client.put_item().table_name(TABLE).set_item(Some(item));
                    put.send().await.expect("the engine takes the item");
                }
                None => {
                    let delete = self.client.delete_item().table_name(TABLE).set_key(Some(Self::key()));
                    delete.send().await.expect("the engine deletes");
                }
            }
        });
    }

    /// What is stored under the one key, without the key.
    pub(crate) fn stored(&self) -> Option<RawItem> {
        let get = self.client.get_item().table_name(TABLE).set_key(Some(Self::key())).consistent_read(true);
        let mut item = self.wait(get.send()).expect("the engine answers").item?;
        item.remove("id");
        Some(item)
    }
}
