use dynamo_once::Item;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Item)]
struct Reading {
    #[item(partition_key)]
    sensor: String,
    #[item(sort_key)]
    at: Option<i64>,
}

fn main() {}
