use dynamo_once::Item;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Item)]
#[serde(tag = "kind")]
struct Account {
    #[item(partition_key)]
    id: String,
}

fn main() {}
