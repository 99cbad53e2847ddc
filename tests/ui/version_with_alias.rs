use dynamo_once::Item;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Item)]
struct Account {
    #[item(partition_key)]
    id: String,
    #[item(version)]
    #[serde(alias = "revision")]
    version: u64,
}

fn main() {}
