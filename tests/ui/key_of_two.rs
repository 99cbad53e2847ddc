use dynamo_once::KeyAttribute;
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize, KeyAttribute)]
struct Id(String, u64);

#[derive(Clone, Serialize, Deserialize, KeyAttribute)]
struct Named {
    id: String,
}

fn main() {}
