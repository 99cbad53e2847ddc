use dynamo_once::Item;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Item)]
struct Envelope<T> {
    #[item(partition_key)]
    id: String,
    content: T,
}

fn main() {}
