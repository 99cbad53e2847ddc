use dynamo_once::{Item, Projection, Table};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Item)]
#[item(table = "orders")]
struct Order {
    #[item(partition_key)]
    customer: String,
    #[item(sort_key)]
    number: u32,
    #[serde(rename = "sum")]
    total: i64,
    #[serde(alias = "remark")]
    note: Option<String>,
}

#[derive(Deserialize, Projection)]
#[projection(of = Order)]
struct OtherType {
    number: String,
}

#[derive(Deserialize, Projection)]
#[projection(of = Order)]
struct NoSuchField {
    colour: String,
}

#[derive(Deserialize, Projection)]
#[projection(of = Order)]
struct OtherName {
    total: i64,
}

#[derive(Deserialize, Projection)]
#[projection(of = Order)]
struct NoAlias {
    note: Option<String>,
}

#[derive(Deserialize, Projection)]
struct OfNothing {
    number: u32,
}

#[derive(Deserialize)]
struct NoProjection {
    number: u32,
}

fn wrong(orders: Table<Order>) {
    let _ = orders.query("eve").project::<NoProjection>();
}

fn main() {}
