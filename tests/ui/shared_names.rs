#![allow(unreachable_patterns, reason = "serde warns of the same mistake")]

use dynamo_once::Item;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Item)]
struct Account {
    #[item(partition_key)]
    id: String,
    #[serde(rename = "id")]
    number: String,
}

#[derive(Serialize, Deserialize, Item)]
struct Order {
    #[item(partition_key)]
    id: String,
    total: i64,
    #[serde(alias = "total")]
    paid: i64,
}

fn main() {}
