use dynamo_once::Item;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Key {
    id: String,
}

#[derive(Serialize, Deserialize, Item)]
struct Account {
    #[item(partition_key)]
    #[serde(flatten)]
    key: Key,
}

fn main() {}
