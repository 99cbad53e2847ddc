use dynamo_once::Item;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Item)]
struct Account {
    #[item(partition_key)]
    id: String,
    #[serde(rename = "_w3p")]
    watts: u64,
}

fn main() {}
