use dynamo_once::Item;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Item)]
enum Account {
    Open { id: String },
    Closed { id: String },
}

fn main() {}
