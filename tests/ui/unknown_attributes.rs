use dynamo_once::Item;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Item)]
#[item(tabel = "accounts")]
struct Account {
    #[item(partition_key)]
    id: String,
}

#[derive(Serialize, Deserialize, Item)]
struct Order {
    #[item(hash_key)]
    id: String,
}

fn main() {}
