use dynamo_once::Item;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Item)]
struct Account {
    #[item(partition_key)]
    id: String,
    #[item(sort_key)]
    at: i64,
    #[item(sort_key)]
    until: i64,
}

fn main() {}
