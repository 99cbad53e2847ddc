use std::collections::{BTreeMap, HashMap};

use dynamo_once::{Document, Item, Newtype, Table};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Item)]
#[item(table = "orders")]
struct Order {
    #[item(partition_key)]
    shop: String,
    #[item(sort_key)]
    number: u64,
    state: State,
    address: Address,
    lines: Vec<u32>,
    limits: HashMap<String, u64>,
    names: BTreeMap<String, Name>,
}

#[derive(Serialize, Deserialize)]
enum State {
    Open,
}

#[derive(Serialize, Deserialize, Document)]
struct Address {
    city: String,
}

#[derive(Serialize, Deserialize, Newtype)]
struct Name(String);

fn wrong(orders: Table<Order>, order: &Order) {
    let f = Order::FIELDS;
    let update = || orders.update(("s", 7));
    let _ = update().set(f.shop, "other");
    let _ = update().add(f.number, 1);
    let _ = orders.upsert_newer(order, f.number);
    let _ = f.state.lt(State::Open);
    let _ = f.address.field(|a| a.city).eq(1);
    let _ = f.address.field(|_| f.lines);
    let _ = f.lines.field(|l| l.first);
    let _ = f.address.at(0);
    let _ = f.address.key("city");
    let _ = f.limits.key(7);
    let _ = update().add(f.address.field(|a| a.city), 1);
    let _ = update().append(f.limits.key("eur"), 1);
    let _ = update().add(f.names.key("eur"), 1);
}

fn main() {}
