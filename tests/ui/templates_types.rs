//! Fields that can't be in a key template or in an index, by their types: found at the field.

use dynamo_once::Item;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Item)]
#[item(partition_key = "USER#{user_id}")]
struct OptionalPart {
    user_id: Option<String>,
}

#[derive(Serialize, Deserialize, Item)]
#[item(partition_key = "USER#{weight}")]
struct NoKeyType {
    weight: f64,
}

#[derive(Serialize, Deserialize, Item)]
#[item(index(name = "by-parts", partition_key = parts))]
struct IndexOfNoKeyType {
    #[item(partition_key)]
    id: String,
    parts: Option<Vec<String>>,
}

fn main() {}
