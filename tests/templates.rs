//! Keys that are put together of fields, several item types in one table, and secondary indexes: on the engine, by what is stored.

use std::collections::{BTreeSet, HashMap, HashSet};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use dynamo_once::testing::Embedded;
use dynamo_once::{
    Error, ErrorKind, IntoKey as _, IntoPartition, Item, ItemKey, Key as _, KeyAttribute, Leading, Partition, SortKey,
    Store, Table,
};
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

#[tokio::test]
async fn an_item_of_another_type_is_told_from_one_that_does_not_decode() {
    let shop = Shop::open().await;
    shop.lines.insert(&line("ann", 7, "a")).send().await.expect("is new");
    let refused = shop.lines.insert(&line("ann", 7, "a")).send().await.expect_err("is there");
    assert!(refused.current::<Line>().expect("is a line").is_some());
    let error = refused.current::<Order>().expect_err("is no order");
    assert_eq!(error.kind(), ErrorKind::OtherType, "{error:?}");
    assert!(error.raw_current().is_some(), "comes with the item");

    shop.orders.insert(&order("ann", 7)).send().await.expect("is new");
    let mut broken = shop.order("ann", 7).await;
    broken.insert("total".to_owned(), text("many"));
    shop.put(broken).await;
    let error = shop.orders.get(Order::key("ann", 7)).send().await.expect_err("doesn't decode");
    assert!(error.is_decode(), "{error:?}");
}

#[tokio::test]
async fn an_item_whose_fields_make_another_key_is_not_read() {
    let shop = Shop::open().await;
    shop.orders.insert(&order("ann", 7)).send().await.expect("is new");
    let mut other = shop.order("ann", 7).await;
    other.insert("order_id".to_owned(), AttributeValue::N("8".to_owned()));
    shop.put(other).await;
    let error = shop.orders.get(Order::key("ann", 7)).send().await.expect_err("would be saved as order 8");
    assert!(error.is_decode() && error.to_string().contains("`sk`"), "{error:?}");
    let error = shop.orders.modify(Order::key("ann", 7), |order| order.total = 1).send().await.expect_err("the same");
    assert!(error.is_decode(), "{error:?}");
}

#[tokio::test]
async fn what_can_not_be_in_a_key_is_refused_before_anything_is_sent() {
    let shop = Shop::open().await;
    invalid(&shop.orders.get(Order::key("", 7)).send().await.expect_err("is empty"), &["`user_id`", "empty"]);
    invalid(&shop.orders.insert(&order("", 7)).send().await.expect_err("is empty"), &["`user_id`", "empty"]);
    let wide = 12_345_678_901;
    invalid(
        &shop.orders.delete(Order::key("ann", wide)).send().await.expect_err("is too wide"),
        &["`order_id`", "10 digits"],
    );
    invalid(
        &shop.orders.upsert(&order("ann", wide)).send().await.expect_err("is too wide"),
        &["`order_id`", "10 digits"],
    );

    // `USER#` takes five of 2048 bytes, and each `#` in the value three.
    for (user_id, fits) in [("u".repeat(2043), true), ("u".repeat(2044), false), ("#".repeat(682), false)] {
        let inserted = shop.profiles.insert(&profile(&user_id)).send().await;
        match inserted {
            Err(error) => {
                assert!(!fits, "{error:?}");
                invalid(&error, &["`pk`", "2048"]);
                let got = shop.profiles.get(Profile::key(user_id)).send().await;
                invalid(&got.expect_err("is too long as well"), &["`pk`", "2048"]);
            }
            Ok(_) => assert!(fits),
        }
    }
    // `ORDER#`, ten digits and `#LINE#` take 22 of 1024.
    for (length, fits) in [(1002, true), (1003, false)] {
        match shop.lines.insert(&line("ann", 7, &"l".repeat(length))).send().await {
            Err(error) => {
                assert!(!fits, "{error:?}");
                invalid(&error, &["`sk`", "1024"]);
            }
            Ok(_) => assert!(fits),
        }
    }

    let mut item = order("ann", 7);
    item.status = Some(String::new());
    invalid(&shop.orders.insert(&item).send().await.expect_err("no index key is empty"), &["`status`", "empty"]);
    item.status = Some("s".repeat(2049));
    invalid(&shop.orders.insert(&item).send().await.expect_err("nor that long"), &["2049", "2048"]);
    let update = shop.orders.update(Order::key("ann", 7)).set(Order::FIELDS.status, "");
    let update = update.set(Order::FIELDS.total, 1);
    invalid(&update.send().await.expect_err("nor by an update"), &["`status`", "empty"]);
    let update = shop.orders.update(Order::key("ann", 7)).set(Order::FIELDS.status, "s".repeat(2049));
    let update = update.set(Order::FIELDS.total, 1);
    invalid(&update.send().await.expect_err("nor that long"), &["`status`", "2048"]);
    let mut item = line("ann", 7, "a");
    item.others.insert("sk".to_owned(), "ORDER#1".to_owned());
    invalid(&shop.lines.insert(&item).send().await.expect_err("the key's attribute is taken"), &["`sk`"]);
}

#[tokio::test]
async fn a_part_of_the_key_does_not_change() {
    let shop = Shop::open().await;
    shop.orders.insert(&order("ann", 7)).send().await.expect("is new");
    let key = || Order::key("ann", 7);
    let found = shop.orders.get(key()).send().await.expect("is read").expect("is there");
    let saved = shop.orders.save(found.with(|order| order.order_id = 8)).send().await;
    invalid(&saved.expect_err("an item keeps its key"), &["key"]);
    let modified = shop.orders.modify(key(), |order| order.user_id.push('x')).send().await;
    assert!(modified.expect_err("an item keeps its key").is_invalid());
    for name in ["pk", "sk", "byDay-pk", "user_id", "order_id"] {
        let path = dynamo_once::Path::<Order, String>::new(name);
        let updated = shop.orders.update(key()).set(path, "x").send().await;
        invalid(&updated.expect_err("is no update's to change"), &[name]);
    }
    let mut other = order("ann", 8);
    other.total = 1;
    let update = shop.orders.update(key()).add(Order::FIELDS.placed_at, 1).or_insert(&other);
    invalid(&update.send().await.expect_err("is of another key"), &["another key"]);
}

#[tokio::test]
async fn an_index_has_the_items_whose_fields_are_there() {
    let shop = Shop::open().await;
    let mut plain = order("ann", 1);
    (plain.status, plain.day) = (None, None);
    shop.orders.insert(&plain).send().await.expect("is new");
    assert_eq!((shop.indexed("by-status").await, shop.indexed("byDay").await), (0, 0));
    shop.orders.insert(&order("ann", 2)).send().await.expect("is new");
    assert_eq!((shop.indexed("by-status").await, shop.indexed("byDay").await), (1, 1));
    let stored = shop.order("ann", 2).await;
    assert_eq!(shown(&stored, "byDay-pk").as_deref(), Some("DAY#2026-01-31"));
    assert_eq!(shown(&stored, "byDay-sk").as_deref(), Some("open#000050"));

    shop.orders.upsert(&Order { order_id: 2, ..plain.clone() }).send().await.expect("is written");
    assert_eq!((shop.indexed("by-status").await, shop.indexed("byDay").await), (0, 0), "an upsert takes it out");
    let into = |order: &mut Order| (order.status, order.day) = (Some("paid".into()), Some("2026-02-01".into()));
    shop.orders.modify(Order::key("ann", 2), into).send().await.expect("is there");
    let stored = shop.order("ann", 2).await;
    assert_eq!(shown(&stored, "byDay-sk").as_deref(), Some("paid#000050"));
    let found = shop.orders.get(Order::key("ann", 2)).send().await.expect("is read").expect("is there");
    shop.orders.save(found.with(|order| order.total = 60)).send().await.expect("is as it was read");
    assert_eq!(shown(&shop.order("ann", 2).await, "byDay-sk").as_deref(), Some("paid#000060"));
    let found = shop.orders.get(Order::key("ann", 2)).send().await.expect("is read").expect("is there");
    shop.orders.save(found.with(|order| order.day = None)).send().await.expect("is as it was read");
    assert_eq!((shop.indexed("by-status").await, shop.indexed("byDay").await), (1, 0));
}

#[tokio::test]
async fn an_update_leaves_no_index_behind() {
    let shop = Shop::open().await;
    shop.orders.insert(&order("ann", 7)).send().await.expect("is new");
    let (f, update) = (Order::FIELDS, || shop.orders.update(Order::key("ann", 7)));

    update().set(f.status, "paid".to_owned()).set(f.total, 60).send().await.expect("says both");
    assert_eq!(shown(&shop.order("ann", 7).await, "byDay-sk").as_deref(), Some("paid#000060"));
    assert_eq!(shown(&shop.order("ann", 7).await, "byDay-pk").as_deref(), Some("DAY#2026-01-31"));
    update().set(f.day, "2026-02-01".to_owned()).send().await.expect("is one of one");
    assert_eq!(shown(&shop.order("ann", 7).await, "byDay-pk").as_deref(), Some("DAY#2026-02-01"));

    let before = shop.order("ann", 7).await;
    let advice = &["`byDay-sk`", "`total`", "`modify`"];
    invalid(&update().set(f.status, "open".to_owned()).send().await.expect_err("says one of two"), advice);
    invalid(&update().add(f.total, 1).send().await.expect_err("says neither"), advice);
    let added = update().set(f.status, "open".to_owned()).add(f.total, 1).send().await;
    invalid(&added.expect_err("doesn't say what it will be"), &["`byDay-sk`", "`total`", "set it, or use `modify`"]);
    assert_eq!(shop.order("ann", 7).await, before);
    update().add(f.placed_at, 1).send().await.expect("is a key of its own");

    update().set(f.status, None).send().await.expect("leaves the indexes");
    assert_eq!(shown(&shop.order("ann", 7).await, "byDay-sk"), None);
    assert_eq!((shop.indexed("by-status").await, shop.indexed("byDay").await), (0, 0));
    update().set(f.status, "open".to_owned()).set(f.total, 1).send().await.expect("comes back");
    assert_eq!((shop.indexed("by-status").await, shop.indexed("byDay").await), (1, 1));
    update().remove(f.day).send().await.expect("leaves one");
    assert_eq!((shop.indexed("by-status").await, shop.indexed("byDay").await), (1, 0));
}

#[tokio::test]
async fn a_tombstone_is_in_no_index() {
    let shop = Shop::open().await;
    shop.orders.insert(&order("ann", 7)).send().await.expect("is new");
    shop.orders.delete(Order::key("ann", 7)).send().await.expect("is there");
    assert!(shop.order("ann", 7).await.contains_key("expires_at"), "a tombstone is left");
    assert_eq!((shop.indexed("by-status").await, shop.indexed("byDay").await), (0, 0));
    shop.orders.insert(&order("ann", 7)).send().await.expect("comes to life");
    assert_eq!((shop.indexed("by-status").await, shop.indexed("byDay").await), (1, 1));
    assert_eq!(*shop.orders.get(Order::key("ann", 7)).send().await.expect("is read").expect("lives"), order("ann", 7));
}

/// Keys one of which is a field's own, under names of the user's choice; a template over newtypes and raw names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Item)]
#[item(table = "shop", partition_key = "CART#{shop}|{type}", partition_key_attribute = "PK")]
#[item(index(name = "of-item", local, sort_key = "{type}#{item}", sort_key_attribute = "LSI"))]
#[item(index(name = "GSI1", partition_key = "{item}", partition_key_attribute = "GSI1PK", sort_key = type, function = of))]
#[serde(rename_all = "camelCase")]
struct Cart {
    shop: ShopId,
    r#type: String,
    #[item(sort_key)]
    added_at: i64,
    item: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, KeyAttribute)]
struct ShopId(String);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Item)]
#[item(table = "log", sort_key = "{day}#{number:04}", sort_key_attribute = "SK")]
struct Entry {
    #[item(partition_key)]
    device: u64,
    day: String,
    number: u16,
}

#[tokio::test]
async fn one_key_may_be_a_field_of_its_own() {
    let engine = Embedded::start().await;
    let store = Store::new(engine.config().build());
    let (carts, log) = (store.table::<Cart>(), store.table::<Entry>());
    carts.create_if_missing().await.expect("the table is made");
    log.create_if_missing().await.expect("the table is made");

    let cart = Cart { shop: ShopId("a|b".into()), r#type: "gift".into(), added_at: -7, item: 3 };
    carts.insert(&cart).send().await.expect("is new");
    let key = || Cart::key(ShopId("a|b".into()), "gift", -7);
    assert_eq!(key().to_attributes(), [text("CART#a%7Cb|gift"), AttributeValue::N("-7".to_owned())]);
    assert_eq!(*carts.get(key()).send().await.expect("is read").expect("is there"), cart);
    let _: Partition<Cart, i64> = Cart::keys(ShopId("a|b".into()), "gift");
    let _: Partition<Cart, (String, u32)> = Cart::of_item(&cart.shop, "gift");
    let _: Partition<Cart, String> = Cart::of(3_u32);
    // The type is a part of the key, and known.
    carts.update(key()).set(Cart::FIELDS.item, 4_u32).send().await.expect("renders two indexes");
    let get = engine.client().get_item().table_name("shop").set_key(Some(
        [("PK".to_owned(), text("CART#a%7Cb|gift")), ("addedAt".to_owned(), AttributeValue::N("-7".to_owned()))].into(),
    ));
    let stored = get.send().await.expect("the engine answers").item.expect("is there");
    assert_eq!((shown(&stored, "LSI").as_deref(), shown(&stored, "GSI1PK").as_deref()), (Some("gift#4"), Some("4")));

    let entry = Entry { device: 5, day: "mon".into(), number: 12 };
    log.insert(&entry).send().await.expect("is new");
    assert_eq!(Entry::key(5, "mon", 12).to_attributes(), [AttributeValue::N("5".to_owned()), text("mon#0012")]);
    assert_eq!(*log.get(Entry::key(5, "mon", 12)).send().await.expect("is read").expect("is there"), entry);
    let _: Partition<Entry, (String, u16)> = Entry::keys(5);
}

/// An order as an earlier version of the program has it, without indexes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Item)]
#[item(table = "shop", partition_key = "USER#{user_id}", sort_key = "ORDER#{order_id:010}")]
struct EarlierOrder {
    user_id: String,
    order_id: u64,
    status: String,
    placed_at: i64,
    placed_on: String,
    total: u32,
}

#[tokio::test]
async fn a_keyed_insert_is_recognised_once_its_type_has_an_index() {
    let shop = Shop::open().await;
    let Order { user_id, order_id, status, placed_at, day, total } = order("ann", 7);
    let (status, placed_on) = (status.expect("is open"), day.expect("is placed"));
    let earlier = EarlierOrder { user_id, order_id, status, placed_at, placed_on, total };
    let table = Store::from_client(&shop.sdk).table::<EarlierOrder>();
    table.insert(&earlier).keyed("event").send().await.expect("is new");
    let replayed = shop.orders.insert(&order("ann", 7)).keyed("event").send().await.expect("is the same");
    assert!(replayed.is_replayed());
    // Written whole, it gets into the index.
    assert_eq!(shop.indexed("byDay").await, 0);
    shop.orders.upsert(&order("ann", 7)).send().await.expect("is written");
    assert_eq!(shop.indexed("byDay").await, 1);
}

mod public {
    use super::{Deserialize, Item, KeyAttribute, Serialize};

    /// Its fields' types are more private than it is.
    #[derive(Debug, Serialize, Deserialize, Item)]
    #[item(partition_key = "TENANT#{tenant}")]
    pub(crate) struct Tenant {
        tenant: TenantId,
    }

    #[derive(Debug, Clone, Serialize, Deserialize, KeyAttribute)]
    struct TenantId(u32);

    pub(super) fn key() -> dynamo_once::ItemKey<Tenant> {
        Tenant::key(TenantId(7))
    }
}

#[test]
fn a_key_may_be_made_of_types_more_private_than_the_item() {
    assert_eq!(public::key().to_attributes(), [text("TENANT#7")]);
}

/// Newtypes name partitions as what they wrap does.
#[derive(Debug, Serialize, Deserialize, Item)]
struct Shelf {
    #[item(partition_key)]
    shop: ShopId,
    #[item(sort_key)]
    number: u32,
}

#[test]
fn a_newtype_names_a_partition() {
    fn partition<T: Item>(of: impl IntoPartition<T, Sort = u32>) -> Partition<T, u32> {
        of.into_partition()
    }
    let shown = format!("{:?}", partition::<Shelf>(&ShopId("a".into())));
    assert!(shown.contains("shop"), "{shown}");
    partition::<Shelf>(ShopId("a".into()));
}

#[test]
fn sort_keys_of_several_parts_and_their_beginnings_are_told_in_order() {
    let number = |number: u64| AttributeValue::N(number.to_string());
    assert_eq!(SortKey::parts(&(7_u64, "a".to_owned())), [number(7), text("a")]);
    assert_eq!(SortKey::parts(&()), []);
    assert_eq!(Leading::<(u64, String)>::parts((7,)), [number(7)]);
    assert_eq!(Leading::<(u64, String)>::parts((7, "a")), [number(7), text("a")]);
    assert_eq!(Leading::<(u64, u64, u64, String)>::parts((1, 2, 3)), [number(1), number(2), number(3)]);
    assert_eq!(Leading::<String>::parts("a"), [text("a")]);
    let key: (u64, String, u8) = (1, "a", 2).into_key();
    assert_eq!(key, (1, "a".to_owned(), 2));
}

/// The same index with another key.
#[derive(Debug, Serialize, Deserialize, Item)]
#[item(partition_key = "USER#{id}", sort_key = "OTHER", index(name = "by-status", partition_key = status))]
struct OtherIndex {
    id: String,
    status: u8,
}

#[derive(Debug, Serialize, Deserialize, Item)]
#[item(partition_key = "USER#{id}", sort_key = "LOCAL", index(name = "by-mood", local, sort_key = mood))]
struct LocalIndex {
    id: String,
    mood: String,
}

#[tokio::test]
async fn indexes_are_made_with_the_table_and_added_to_one_that_is_there() {
    let engine = Embedded::start().await;
    let store = Store::new(engine.config().build());
    store.table::<Profile>().create_if_missing().await.expect("the table is made");
    let indexes = async || {
        let table = engine.client().describe_table().table_name("shop").send().await.expect("is there").table;
        let table = table.expect("is described");
        let global =
            table.global_secondary_indexes().iter().map(|index| index.index_name().unwrap_or_default().to_owned());
        let local =
            table.local_secondary_indexes().iter().map(|index| index.index_name().unwrap_or_default().to_owned());
        let mut names: Vec<_> = global.chain(local).collect();
        names.sort_unstable();
        names
    };
    assert!(indexes().await.is_empty());
    for _ in 0..2 {
        store.table::<Order>().create_if_missing().await.expect("the indexes are added");
        assert_eq!(indexes().await, ["by-status", "byDay"]);
        store.table::<Profile>().create_if_missing().await.expect("more indexes are fine");
    }
    let error = store.table_named::<OtherIndex>("shop").create_if_missing().await.expect_err("has another");
    invalid(&error, &["`by-status`", "`status` (S) and `placed_at` (N)", "`status` (N)"]);
    let error = store.table_named::<LocalIndex>("shop").create_if_missing().await.expect_err("is too late");
    invalid(&error, &["`by-mood`", "`pk` (S) and `mood` (S)"]);
    store.table_named::<LocalIndex>("moods").create_if_missing().await.expect("the table is made with it");
    let named = store.table_named::<LocalIndex>("moods");
    named.create_if_missing().await.expect("is there");
}

#[test]
fn hostile_values_of_all_fields_and_types_make_as_many_keys() {
    let pieces = ["#", "%", "%2", "23", "%23", "%25", "LINE", "#LINE#", "ORDER#", "PROFILE", "7"];
    let pairs = pieces.iter().flat_map(|first| pieces.iter().map(move |second| format!("{first}{second}")));
    let values: BTreeSet<String> = pieces.iter().map(|piece| (*piece).to_owned()).chain(pairs).collect();
    let (mut keys, mut made) = (HashSet::new(), 0);
    let mut add = |key: Vec<AttributeValue>| {
        let key: Vec<_> = key.iter().map(|value| value.as_s().expect("is text").clone()).collect();
        made += 1;
        assert!(keys.insert(key.clone()), "{key:?} is made twice");
    };
    for user in &values {
        add(Profile::key(user).to_attributes());
        add(Order::key(user, 7).to_attributes());
        values.iter().for_each(|line| add(Line::key(user, 7, line).to_attributes()));
    }
    assert!(made > 10_000, "{made}");
}

/// Values that are made of what keys are made of, most of all.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        3 => proptest::sample::select(
            &["#", "%", "%23", "ORDER#", "#LINE#", "0000000007", "PROFILE", "USER#", "{line}", "\0", "/", "é"][..]
        )
        .prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    let value = proptest::collection::vec(piece, 1..4).prop_map(|pieces| pieces.concat());
    value.prop_filter("no part of a key is empty", |value| !value.is_empty())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_value_forges_another_key(users in [hostile(), hostile()], id in 0..9_u64, lines in [hostile(), hostile()]) {
        let [one, other] = [0, 1].map(|position| Line::key(&users[position], id, &lines[position]).to_attributes());
        prop_assert_eq!(one == other, users[0] == users[1] && lines[0] == lines[1]);
        // Of all types, whatever the values.
        let order = Order::key(&users[0], id).to_attributes();
        let profile = Profile::key(&users[0]).to_attributes();
        prop_assert!(order != one && order != profile && profile != one);
        prop_assert!(one[0] == order[0] && order[0] == profile[0], "one user has one partition");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn hostile_values_are_read_as_they_were_written(user in hostile(), name in hostile(), id in 0..99_u64) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be made");
        runtime.block_on(async {
            let shop = Shop::open().await;
            let (order, line) = (order(&user, id), line(&user, id, &name));
            shop.orders.insert(&order).send().await.expect("is new");
            shop.lines.insert(&line).send().await.expect("is new");
            let found = shop.orders.get(Order::key(&user, id)).send().await.expect("is read").expect("is there");
            assert_eq!(*found, order);
            let found = shop.lines.get(Line::key(&user, id, &name)).send().await.expect("is read").expect("is there");
            assert_eq!(*found, line);
        });
    }
}

#[tokio::test]
async fn queries_scans_and_counts_bring_the_items_of_their_type() {
    let shop = Shop::open().await;
    for number in 1..=3 {
        shop.orders.insert(&order("ann", number)).send().await.expect("is new");
        shop.lines.insert(&line("ann", number, "a")).send().await.expect("is new");
    }
    shop.orders.insert(&order("bob", 1)).send().await.expect("is new");
    shop.profiles.insert(&profile("ann")).send().await.expect("is new");
    shop.orders.delete(Order::key("ann", 3)).send().await.expect("is there");

    // Lines have keys that begin as those of orders do.
    let mut orders = Vec::new();
    let mut found = shop.orders.query(Order::keys("ann")).descending().page_size(1).items();
    while let Some(order) = found.next().await {
        orders.push(order.expect("is an order").order_id);
    }
    assert_eq!(orders, [2, 1]);
    assert_eq!(shop.orders.query(Order::keys("ann")).count().await.expect("is counted"), 2);
    assert_eq!(shop.orders.query(Order::keys("ann")).ge((2,)).count().await.expect("is counted"), 1);
    assert_eq!(shop.lines.query(Line::keys("ann")).begins_with((2,)).count().await.expect("is counted"), 1);
    assert_eq!(shop.orders.query(Order::by_status("open")).count().await.expect("is counted"), 3);
    assert_eq!(shop.orders.query(Order::on_day("2026-01-31")).count().await.expect("is counted"), 3);

    let scanned = shop.orders.scan().segments(3).items().collect().await.expect("are orders");
    assert_eq!((scanned.len(), shop.orders.scan().count().await.expect("is counted")), (3, 3));
    assert_eq!(shop.lines.scan().count().await.expect("is counted"), 3);
    assert_eq!(shop.profiles.scan().items().collect().await.expect("are profiles").len(), 1);
}

#[tokio::test]
async fn a_save_brings_an_item_into_an_index_that_came_later() {
    let shop = Shop::open().await;
    shop.orders.insert(&order("ann", 7)).send().await.expect("is new");
    // As a program wrote it that knew of no such index, and one that knew of another.
    let stale = [("byDay-pk", None), ("byDay-sk", Some(text("of another kind")))];
    for (name, value) in stale {
        let mut item = shop.order("ann", 7).await;
        match value {
            Some(value) => item.insert(name.to_owned(), value),
            None => item.remove(name),
        };
        shop.put(item).await;
        let found = shop.orders.get(Order::key("ann", 7)).send().await.expect("is read").expect("is there");
        let unchanged = shop.orders.save(found.clone().with(|_| {})).send().await.expect("has nothing to write");
        assert_eq!(unchanged.outcome(), dynamo_once::Outcome::Unchanged);
        shop.orders.save(found.with(|order| order.placed_at += 1)).send().await.expect("is as it was read");
        assert_eq!(shop.orders.query(Order::on_day("2026-01-31")).count().await.expect("is counted"), 1, "{name}");
        let sort = shop.order("ann", 7).await.get("byDay-sk").cloned();
        assert_eq!(sort, Some(text("open#000050")), "{name}");
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, Item)]
#[item(table = "tasks", partition_key = "TEAM#{team}", sort_key = "{due:010}#{project}#{number:06}")]
#[item(index(name = "by-number", partition_key = team, sort_key = "N#{number}#{project}"))]
#[item(index(name = "by-project", partition_key = team, sort_key = "{project}#{number}"))]
struct Task {
    team: String,
    due: u64,
    project: String,
    number: u32,
}

async fn tasks() -> (Table<Task>, Embedded) {
    let engine = Embedded::start().await;
    let tasks = Store::new(engine.config().build()).table::<Task>();
    tasks.create_if_missing().await.expect("the table is made");
    for (due, project, number) in [(8, "a", 1), (9, "a", 2), (9, "b", 3), (10, "a", 4), (10, "a", 5), (11, "b#", 6)] {
        let task = Task { team: "red".to_owned(), due, project: project.to_owned(), number };
        tasks.insert(&task).send().await.expect("is new");
    }
    (tasks, engine)
}

#[tokio::test]
async fn a_range_takes_the_first_parts_of_a_template_for_all_that_begin_with_them() {
    type Tasks = dynamo_once::Query<Task, (u64, String, u32)>;
    type Narrow = fn(Tasks) -> Tasks;
    let (tasks, _engine) = tasks().await;
    let cases: [(Narrow, &[u32]); 12] = [
        (|tasks| tasks.ge((10,)), &[4, 5, 6]),
        (|tasks| tasks.gt((9,)), &[4, 5, 6]),
        (|tasks| tasks.le((9,)), &[1, 2, 3]),
        (|tasks| tasks.lt((9,)), &[1]),
        (|tasks| tasks.between((9,), (10,)), &[2, 3, 4, 5]),
        (|tasks| tasks.between((9, "b"), (10, "a")), &[3, 4, 5]),
        (|tasks| tasks.between((9,), (10, "a", 4)), &[2, 3, 4]),
        (|tasks| tasks.gt((10, "a", 4)), &[5, 6]),
        (|tasks| tasks.lt(&(9, "b".to_owned(), 3)), &[1, 2]),
        (|tasks| tasks.le((9, "b", 3)), &[1, 2, 3]),
        (|tasks| tasks.gt((11, "b")), &[6]),
        (|tasks| tasks.gt((11,)), &[]),
    ];
    for (position, (narrow, expected)) in cases.into_iter().enumerate() {
        let found = narrow(tasks.query(Task::keys("red"))).items().collect().await.expect("is read");
        let numbers: Vec<_> = found.iter().map(|task| task.number).collect();
        assert_eq!(numbers, expected, "{position}");
        let count = narrow(tasks.query(Task::keys("red"))).count().await.expect("is counted");
        assert_eq!(count, expected.len() as u64, "{position}");
    }
    invalid(
        &tasks.query(Task::keys("red")).between((10,), (9,)).count().await.expect_err("is turned round"),
        &["first is the greater"],
    );

    // Orders have lines, whose keys begin as theirs do.
    let shop = Shop::open().await;
    shop.orders.insert(&order("ann", 7)).send().await.expect("is new");
    for number in 6..=8 {
        shop.lines.insert(&line("ann", number, "a")).send().await.expect("is new");
    }
    let lines = || shop.lines.query(Line::keys("ann"));
    let counts = [lines().lt((7,)), lines().le((7,)), lines().gt((7,)), lines().ge((7,)), lines().between((7,), (7,))];
    let mut counted = Vec::new();
    for query in counts {
        counted.push(query.count().await.expect("is counted"));
    }
    assert_eq!(counted, [1, 2, 1, 2, 1]);
}

#[tokio::test]
async fn a_range_over_a_number_without_a_width_is_refused() {
    let (tasks, _engine) = tasks().await;
    let by_number = || tasks.query(Task::by_number("red"));
    for query in [
        by_number().lt((9,)),
        by_number().le((9,)),
        by_number().gt((9,)),
        by_number().ge((9, "a")),
        by_number().between((8,), (12,)),
    ] {
        let says = ["`number`", "{number:010}", "an index on the field itself"];
        invalid(&query.count().await.expect_err("is refused"), &says);
    }
    assert_eq!(by_number().count().await.expect("is counted"), 6);
    assert_eq!(by_number().eq((2, "a")).count().await.expect("is counted"), 1);
    assert_eq!(by_number().begins_with((2,)).count().await.expect("is counted"), 1);
    // Texts sort with what follows them: a space comes before `#`.
    let spaced = Task { team: "red".to_owned(), due: 1, project: "b c".to_owned(), number: 7 };
    tasks.insert(&spaced).send().await.expect("is new");
    // Only what is asked for has to have an order.
    let by_project = || tasks.query(Task::by_project("red"));
    assert_eq!(by_project().ge(("b",)).count().await.expect("is counted"), 2);
    invalid(&by_project().ge(("b", 3)).count().await.expect_err("is refused"), &["`number`"]);
}
