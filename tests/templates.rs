//! Keys that are put together of fields, several item types in one table, and secondary indexes: on the engine, by what is stored.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use dynamo_once::testing::Embedded;
use dynamo_once::{Error, ErrorKind, Item, ItemKey, Key as _, KeyAttribute, Partition, Store, Table};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

type RawItem = HashMap<String, AttributeValue>;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Item)]
#[serde(deny_unknown_fields)]
#[item(
    table = "shop",
    partition_key = "USER#{user_id}",
    sort_key = "ORDER#{order_id:010}",
    tombstones(ttl = "expires_at"),
    index(name = "by-status", partition_key = status, sort_key = placed_at),
    index(name = "byDay", partition_key = "DAY#{day}", sort_key = "{status}#{total:06}", function = on_day)
)]
struct Order {
    user_id: String,
    order_id: u64,
    status: Option<String>,
    placed_at: i64,
    #[serde(rename = "placed_on")]
    day: Option<String>,
    total: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Item)]
#[item(table = "shop", partition_key = "USER#{id}", sort_key = "PROFILE", tombstones(ttl = "expires_at"))]
struct Profile {
    id: String,
    name: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Item)]
#[item(table = "shop", partition_key = "USER#{user_id}", sort_key = "ORDER#{order_id:010}#LINE#{line}")]
#[item(tombstones(ttl = "expires_at"))]
struct Line {
    user_id: String,
    order_id: u64,
    line: String,
    #[serde(flatten)]
    others: HashMap<String, String>,
}

fn order(user_id: &str, order_id: u64) -> Order {
    let (status, day) = (Some("open".to_owned()), Some("2026-01-31".to_owned()));
    Order { user_id: user_id.to_owned(), order_id, status, placed_at: 7, day, total: 50 }
}

fn profile(id: &str) -> Profile {
    Profile { id: id.to_owned(), name: "Ann".to_owned() }
}

fn line(user_id: &str, order_id: u64, line: &str) -> Line {
    let others = [("colour".to_owned(), "red".to_owned())].into();
    Line { user_id: user_id.to_owned(), order_id, line: line.to_owned(), others }
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

/// The shop, on an engine of its own.
struct Shop {
    sdk: Client,
    orders: Table<Order>,
    profiles: Table<Profile>,
    lines: Table<Line>,
    _engine: Embedded,
}

impl Shop {
    async fn open() -> Self {
        let engine = Embedded::start().await;
        let store = Store::new(engine.config().build());
        let (orders, profiles, lines) = (store.table(), store.table(), store.table());
        Table::<Order>::create_if_missing(&orders).await.expect("the table is made");
        Self { sdk: engine.client(), orders, profiles, lines, _engine: engine }
    }

    async fn stored(&self, pk: &str, sk: &str) -> Option<RawItem> {
        let get = self.sdk.get_item().table_name("shop").key("pk", text(pk)).key("sk", text(sk));
        get.consistent_read(true).send().await.expect("the engine answers").item
    }

    async fn order(&self, user_id: &str, order_id: u64) -> RawItem {
        let (pk, sk) = (format!("USER#{user_id}"), format!("ORDER#{order_id:010}"));
        self.stored(&pk, &sk).await.expect("is stored")
    }

    async fn put(&self, item: RawItem) {
        self.sdk.put_item().table_name("shop").set_item(Some(item)).send().await.expect("the engine takes it");
    }

    /// How many items an index has.
    async fn indexed(&self, index: &str) -> usize {
        let scan = self.sdk.scan().table_name("shop").index_name(index).send().await;
        scan.expect("the engine answers").items().len()
    }
}

fn shown(item: &RawItem, name: &str) -> Option<String> {
    item.get(name).map(|value| value.as_s().expect("is text").clone())
}

#[track_caller]
fn invalid(error: &Error, says: &[&str]) {
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error:?}");
    assert_eq!(error.attempts(), 0, "nothing was sent: {error:?}");
    for part in says {
        assert!(error.to_string().contains(part), "{error} doesn't say {part}");
    }
}

#[tokio::test]
async fn items_of_several_types_share_a_table_under_their_own_keys() {
    let shop = Shop::open().await;
    shop.orders.insert(&order("ann", 7)).send().await.expect("is new");
    shop.profiles.insert(&profile("ann")).send().await.expect("is new");
    shop.lines.insert(&line("ann", 7, "a")).send().await.expect("is new");

    let stored = shop.order("ann", 7).await;
    let user = stored.get("user_id").expect("fields are stored as well");
    assert_eq!(user, &text("ann"));

    let order_found = shop.orders.get(Order::key("ann", 7)).send().await.expect("is read").expect("is there");
    assert_eq!(*order_found, order("ann", 7));
    let found = shop.profiles.get(Profile::key("ann")).send().await.expect("is read").expect("is there");
    assert_eq!(*found, profile("ann"));
    let key = Line::key("ann", 7, "a");
    let found = shop.lines.get(&key).send().await.expect("is read").expect("is there");
    assert_eq!(*found, line("ann", 7, "a"), "a flattened map doesn't hold the computed attributes");

    shop.orders.delete(Order::key("ann", 7)).send().await.expect("is there");
    assert!(shop.orders.get(Order::key("ann", 7)).send().await.expect("is read").is_none());
    assert!(shop.profiles.get(Profile::key("ann")).send().await.expect("is read").is_some());
}

#[test]
fn functions_make_keys_and_partitions() {
    let key: ItemKey<Order> = Order::key("ann", 7);
    assert_eq!(key.to_attributes(), [text("USER#ann"), text("ORDER#0000000007")]);
    assert_eq!(key, Order::key(String::from("ann"), 7_u64));
    let shown = format!("{key:?}");
    assert!(shown.contains("user_id") && !shown.contains("ann"), "{shown}");

    let _: Partition<Order, (u64,)> = Order::keys("ann");
    let _: Partition<Profile, ()> = Profile::keys("ann");
    let _: Partition<Line, (u64, String)> = Line::keys("ann");
    let _: Partition<Order, i64> = Order::by_status("open");
    let _: Partition<Order, (String, u32)> = Order::on_day("2026-01-31");
    let shown = format!("{:?}", Order::by_status("secret"));
    assert!(shown.contains("by-status") && !shown.contains("secret"), "{shown}");
}
