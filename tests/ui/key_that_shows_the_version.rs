use dynamo_once::Item;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Item)]
struct Account {
    #[item(partition_key, version)]
    id: u64,
}

fn main() {}
