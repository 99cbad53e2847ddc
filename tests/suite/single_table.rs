//! Items of several types in one table, under keys that their fields make, with indexes and nested documents, on whatever network.

use std::collections::HashMap;
use std::sync::Arc;

use aws_sdk_dynamodb::types::AttributeValue;
use dynamo_once::{Document, Error, Item, Key as _, Table};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::behaviours::Outcomes;
use crate::world::World;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Item)]
#[item(table = "shop", partition_key = "USER#{id}", sort_key = "PROFILE", tombstones(ttl = "expires_at"))]
struct Profile {
    id: String,
    address: Address,
    /// Those of earlier times, by the name that the customer gave them.
    #[serde(default)]
    others: HashMap<String, Address>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Document)]
struct Address {
    #[serde(rename = "in.city")]
    city: String,
    floor: Option<u32>,
    visits: Vec<Visit>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Document)]
struct Visit {
    by: String,
    count: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Item)]
#[item(table = "shop", partition_key = "USER#{user}", sort_key = "ORDER#{number:06}", tombstones(ttl = "expires_at"))]
#[item(index(name = "by-status", partition_key = status, sort_key = placed))]
#[item(index(name = "by-day", partition_key = "DAY#{day}", sort_key = "{status}#{total:06}"))]
struct Order {
    user: String,
    number: u64,
    status: Option<String>,
    placed: i64,
    day: Option<String>,
    total: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Item)]
#[item(table = "shop", partition_key = "USER#{user}", sort_key = "ORDER#{order:06}#LINE#{name}")]
#[item(tombstones(ttl = "expires_at"))]
struct Line {
    user: String,
    order: u64,
    name: String,
    pieces: u32,
}

fn address(city: &str) -> Address {
    Address { city: city.into(), floor: None, visits: vec![] }
}

fn profile(id: &str) -> Profile {
    Profile { id: id.into(), address: address("Bonn"), others: HashMap::new() }
}

fn order(user: &str, number: u64) -> Order {
    let (status, day) = (Some("open".into()), Some("2026-01-31".into()));
    Order { user: user.into(), number, status, placed: 7, day, total: 50 }
}

fn line(user: &str, order: u64, name: &str) -> Line {
    Line { user: user.into(), order, name: name.into(), pieces: 1 }
}

/// One table, by the types of its items.
struct Shop {
    profiles: Table<Profile>,
    orders: Table<Order>,
    lines: Table<Line>,
}

impl Shop {
    async fn open(world: &World) -> Result<Self, Error> {
        Ok(Self { orders: world.table().await?, profiles: world.table().await?, lines: world.table().await? })
    }

    /// What the indexes have of the order: that it is there or not, and what the items are that come.
    ///
    /// The engines' indexes are never behind their tables; those of AWS are, by some milliseconds.
    async fn indexed(&self, world: &World, order: Option<&Order>) -> Outcomes {
        let is_in = |index: &Option<String>| order.is_some() && index.is_some();
        let by_status = order.and_then(|order| order.status.clone()).map(Order::by_status);
        let is_by_day = order.is_some_and(|order| is_in(&order.status) && is_in(&order.day));
        for (index, expected) in [("by-status", by_status.is_some()), ("by-day", is_by_day)] {
            let scan = world.sdk.scan().table_name(self.orders.name()).index_name(index).send().await?;
            assert_eq!(scan.items().len(), usize::from(expected), "{index}: {order:?}");
        }
        if let (Some(partition), Some(order)) = (by_status, order) {
            let found = self.orders.query(partition).eq(order.placed).items().collect().await?;
            assert_eq!(found.iter().map(|found| &**found).collect::<Vec<_>>(), [order]);
        }
        if let (Some(Order { day: Some(day), status: Some(status), total, .. }), true) = (order, is_by_day) {
            let found = self.orders.query(Order::by_day(day)).eq((status.clone(), *total)).items().collect().await?;
            assert_eq!(found.iter().map(|found| &**found).collect::<Vec<_>>(), [order.expect("is there")]);
        }
        Ok(())
    }
}

pub(crate) async fn several_types_share_a_table(world: Arc<World>) -> Outcomes {
    let shop = Shop::open(&world).await?;
    shop.profiles.insert(&profile("ann")).send().await?;
    for number in [1, 2, 11] {
        shop.orders.insert(&order("ann", number)).send().await?;
        for name in ["tea", "cup"] {
            shop.lines.insert(&line("ann", number, name)).send().await?;
        }
    }
    shop.orders.insert(&order("anna", 1)).send().await?;
    assert!(shop.profiles.insert(&profile("ann")).send().await.unwrap_err().is_already_exists());

    // They live in one partition, and each type's query takes its own.
    let orders = shop.orders.query(Order::keys("ann")).items().collect().await?;
    assert_eq!(orders.iter().map(|order| order.number).collect::<Vec<_>>(), [1, 2, 11]);
    let after = shop.orders.query(Order::keys("ann")).gt((1,)).descending().items().collect().await?;
    assert_eq!(after.iter().map(|order| order.number).collect::<Vec<_>>(), [11, 2]);
    let lines = shop.lines.query(Line::keys("ann")).begins_with((1,)).items().collect().await?;
    assert_eq!(lines.iter().map(|line| line.name.as_str()).collect::<Vec<_>>(), ["cup", "tea"]);
    assert_eq!(shop.profiles.query(Profile::keys("ann")).count().await?, 1);
    assert_eq!(shop.orders.query(Order::keys("ann")).count().await?, 3);
    assert_eq!(shop.lines.query(Line::keys("ann")).count().await?, 6);
    let counts = (shop.profiles.scan().count().await?, shop.orders.scan().count().await?);
    assert_eq!((counts, shop.lines.scan().items().collect().await?.len()), ((1, 4), 6));

    // What is done to one is done to no other.
    shop.orders.delete(Order::key("ann", 1)).send().await?;
    shop.lines.update(Line::key("ann", 1, "tea")).add(Line::FIELDS.pieces, 2).send().await?;
    assert!(shop.orders.get(Order::key("ann", 1)).send().await?.is_none());
    let tea = shop.lines.get(Line::key("ann", 1, "tea")).send().await?.expect("is there");
    assert_eq!((tea.pieces, tea.version()), (3, 2));
    assert_eq!(shop.orders.query(Order::keys("ann")).count().await?, 2);
    Ok(())
}

pub(crate) async fn hostile_values_make_keys_of_their_own(world: Arc<World>) -> Outcomes {
    let shop = Shop::open(&world).await?;
    let values = ["#", "%", "%23", "ann", "ann#", "ann#ORDER", "ORDER#000001", "PROFILE", "\0", "é/\u{10FFFF}"];
    for value in values {
        shop.profiles.insert(&profile(value)).send().await?;
        shop.orders.insert(&order(value, 1)).send().await?;
        shop.lines.insert(&line("eve", 1, value)).send().await?;
    }
    let stored = world.sdk.scan().table_name(shop.orders.name()).send().await?;
    assert_eq!(stored.items().len(), 3 * values.len(), "no key is made twice");
    for value in values {
        let found = shop.profiles.get(Profile::key(value)).send().await?.expect("is there");
        assert_eq!((&*found, found.version()), (&profile(value), 1));
        let found = shop.orders.query(Order::keys(value)).items().collect().await?;
        assert_eq!(found.iter().map(|found| &**found).collect::<Vec<_>>(), [&order(value, 1)]);
        let found = shop.lines.query(Line::keys("eve")).eq((1, value)).items().collect().await?;
        assert_eq!(found.iter().map(|found| &**found).collect::<Vec<_>>(), [&line("eve", 1, value)]);
    }
    assert_eq!(shop.lines.query(Line::keys("eve")).count().await?, values.len() as u64);
    Ok(())
}

pub(crate) async fn indexes_are_added_to_a_table_that_is_there(world: Arc<World>) -> Outcomes {
    let profiles = world.table::<Profile>().await?;
    profiles.insert(&profile("ann")).send().await?;
    let orders = world.table::<Order>().await?;
    orders.create_if_missing().await?;
    profiles.create_if_missing().await?;
    let described = world.sdk.describe_table().table_name(orders.name()).send().await?.table.expect("is described");
    let mut names: Vec<_> =
        described.global_secondary_indexes().iter().filter_map(|index| index.index_name()).collect();
    names.sort_unstable();
    assert_eq!(names, ["by-day", "by-status"]);
    orders.insert(&order("ann", 1)).send().await?;
    assert_eq!(orders.query(Order::by_status("open")).count().await?, 1);
    Ok(())
}

pub(crate) async fn indexes_keep_step_with_every_verb(world: Arc<World>) -> Outcomes {
    let shop = Shop::open(&world).await?;
    let (orders, f, key) = (&shop.orders, Order::FIELDS, || Order::key("ann", 7));
    let update = || orders.update(key());
    let mut expected = Order { status: None, day: None, ..order("ann", 7) };

    orders.insert(&expected).send().await?;
    shop.indexed(&world, Some(&expected)).await?;
    expected = order("ann", 7);
    orders.upsert(&expected).send().await?;
    shop.indexed(&world, Some(&expected)).await?;

    update().set(f.status, "paid".to_owned()).set(f.total, 60).add(f.placed, 1).send().await?;
    (expected.status, expected.total, expected.placed) = (Some("paid".into()), 60, 8);
    shop.indexed(&world, Some(&expected)).await?;
    let refused = update().set(f.status, "open".to_owned()).send().await.unwrap_err();
    assert!(refused.is_invalid(), "the key of an index would be left behind: {refused:?}");
    update().remove(f.day).send().await?;
    expected.day = None;
    shop.indexed(&world, Some(&expected)).await?;
    update().set(f.status, None).send().await?;
    expected.status = None;
    shop.indexed(&world, Some(&expected)).await?;

    let found = orders.get(key()).send().await?.expect("is there");
    (expected.status, expected.day) = (Some("sent".into()), Some("2026-02-01".into()));
    orders
        .save(found.with(|order| (order.status, order.day) = (expected.status.clone(), expected.day.clone())))
        .send()
        .await?;
    shop.indexed(&world, Some(&expected)).await?;
    orders.modify(key(), |order| order.total += 1).send().await?;
    expected.total += 1;
    shop.indexed(&world, Some(&expected)).await?;

    orders.delete(key()).send().await?;
    shop.indexed(&world, None).await?;
    let [pk, sk] = <[AttributeValue; 2]>::try_from(key().to_attributes()).expect("has two attributes");
    let stored = world.sdk.get_item().table_name(orders.name()).key("pk", pk).key("sk", sk).send().await?.item;
    assert!(stored.is_some_and(|item| item.contains_key("expires_at")), "a tombstone is left, and in no index");

    update().set(f.status, "open".to_owned()).set(f.total, 1).or_insert(&order("ann", 7)).send().await?;
    shop.indexed(&world, Some(&order("ann", 7))).await?;
    orders.delete(key()).send().await?;
    orders.insert(&expected).send().await?;
    shop.indexed(&world, Some(&expected)).await
}

pub(crate) async fn items_of_an_index_come_by_pages_and_in_order(world: Arc<World>) -> Outcomes {
    let shop = Shop::open(&world).await?;
    for number in 0..12 {
        // Many have one place in the index: it is their own keys by which a page goes on.
        let status = (number != 5).then(|| "open".to_owned());
        shop.orders.insert(&Order { status, placed: (number / 4) as i64, ..order("ann", number) }).send().await?;
    }
    shop.orders.delete(Order::key("ann", 6)).send().await?;
    let open = || shop.orders.query(Order::by_status("open"));
    let (mut seen, mut next) = (Vec::new(), None::<String>);
    loop {
        let page = match &next {
            Some(next) => open().limit(3).start_after(next.parse()?).page().await?,
            None => open().limit(3).page().await?,
        };
        seen.extend(page.items().iter().map(|order| (order.placed, order.number)));
        match page.next_token() {
            Some(token) => next = Some(token.to_string()),
            None => break,
        }
    }
    assert!(seen.is_sorted_by_key(|(placed, _)| *placed), "{seen:?}");
    seen.sort_unstable();
    assert_eq!(seen.iter().map(|(_, number)| *number).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 7, 8, 9, 10, 11]);
    assert_eq!((open().count().await?, open().ge(2).count().await?), (10, 4));
    let last = open().lt(2).descending().limit(1).items().collect().await?;
    assert_eq!((last[0].placed, last[0].number), (1, 7));
    let day = shop.orders.query(Order::by_day("2026-01-31")).begins_with(("open",)).filter(Order::FIELDS.placed.eq(0));
    assert_eq!(day.items().collect().await?.len(), 4);
    Ok(())
}

pub(crate) async fn nested_paths_are_set_added_to_and_compared(world: Arc<World>) -> Outcomes {
    let shop = Shop::open(&world).await?;
    let (f, key) = (Profile::FIELDS, || Profile::key("ann"));
    let visits = |count| Visit { by: "bob".into(), count };
    let mut expected =
        Profile { address: Address { visits: vec![visits(1), visits(5)], ..address("Bonn") }, ..profile("ann") };
    expected.others.insert("a.b[0]".into(), Address { visits: vec![visits(9)], ..address("Ulm") });
    shop.profiles.insert(&expected).send().await?;

    let (address, other) = (f.address, f.others.key("a.b[0]"));
    let second = address.field(|address| address.visits).at(1).field(|visit| visit.count);
    let update =
        shop.profiles.update(key()).when(address.field(|address| address.city).eq("Bonn") & second.clone().eq(5));
    update
        .set(address.field(|address| address.city), "Kiel")
        .set(address.field(|address| address.floor), 3)
        .add(second.clone(), 2)
        .append(other.clone().field(|address| address.visits), vec![visits(0)])
        .send()
        .await?;
    (expected.address.city, expected.address.floor, expected.address.visits[1].count) = ("Kiel".into(), Some(3), 7);
    expected.others.get_mut("a.b[0]").expect("is there").visits.push(visits(0));
    let found = shop.profiles.get(key()).send().await?.expect("is there");
    assert_eq!((&*found, found.version()), (&expected, 2));

    let refused =
        shop.profiles.update(key()).set(f.others.key("x"), expected.address.clone()).when(second.clone().lt(7));
    assert!(refused.send().await.unwrap_err().is_condition_failed());
    let counts: Vec<_> =
        (0..10).map(|_| tokio::spawn(shop.profiles.update(key()).add(second.clone(), 1).send())).collect();
    for count in counts {
        count.await??;
    }
    shop.profiles
        .update(key())
        .remove(other.clone())
        .remove(address.field(|address| address.visits).at(0))
        .send()
        .await?;
    expected.others.clear();
    expected.address.visits = vec![visits(17)];
    assert_eq!(*shop.profiles.get(key()).send().await?.expect("is there"), expected);

    shop.profiles.insert(&profile("bob")).send().await?;
    let visited =
        shop.profiles.scan().filter(address.field(|address| address.visits).at(0).field(|visit| visit.count).ge(17));
    assert_eq!(visited.items().collect().await?.iter().map(|found| found.id.as_str()).collect::<Vec<_>>(), ["ann"]);
    Ok(())
}

pub(crate) async fn an_item_of_another_type_under_an_order_s_key_is_told(world: Arc<World>) -> Outcomes {
    let shop = Shop::open(&world).await?;
    let foreign =
        json!({ "pk": "USER#ann", "sk": "ORDER#000001", "user": "ann", "number": 2, "placed": 1, "total": 1 });
    world.foreign_put(shop.orders.name(), foreign).await;
    let error = shop.orders.get(Order::key("ann", 1)).send().await.unwrap_err();
    assert!(error.is_decode() && error.to_string().contains("`sk`"), "it says that it is order 2: {error:?}");
    shop.orders.insert(&order("ann", 2)).send().await?;
    let page = shop.orders.query(Order::keys("ann")).page().await?;
    assert_eq!((page.items().len(), page.failures().len()), (1, 1));
    Ok(())
}
