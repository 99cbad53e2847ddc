use dynamo_once::Item;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Item)]
#[item(table = "")]
struct Account {
    #[item(partition_key)]
    id: String,
}

#[derive(Serialize, Deserialize, Item)]
#[item(version_attribute = "")]
struct Order {
    #[item(partition_key)]
    id: String,
}

#[derive(Serialize, Deserialize, Item)]
#[item(version_attribute = "_wb")]
struct Cart {
    #[item(partition_key)]
    id: String,
}

#[derive(Serialize, Deserialize, Item)]
struct Page {
    #[item(partition_key = "pk")]
    id: String,
}

fn main() {}
