use dynamo_once::Item;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Item)]
#[item(version_attribute = "revision")]
struct Account {
    #[item(partition_key)]
    id: String,
    #[item(version)]
    version: u64,
}

fn main() {}
