use dynamo_once::Item;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Item)]
struct Account {
    #[item(partition_key)]
    id: String,
    #[serde(rename(deserialize = "amount"))]
    balance: i64,
}

#[derive(Serialize, Deserialize, Item)]
#[serde(rename_all(serialize = "camelCase"))]
struct Order {
    #[item(partition_key)]
    id: String,
    line_items: Vec<String>,
}

fn main() {}
