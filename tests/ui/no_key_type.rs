use dynamo_once::Item;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Item)]
struct Reading {
    #[item(partition_key)]
    value: f64,
}

fn main() {}
