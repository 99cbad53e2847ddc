use dynamo_once::KeyAttribute;
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize, KeyAttribute)]
struct Id(String, u64);

#[derive(Clone, Serialize, Deserialize, KeyAttribute)]
struct Named {
    id: String,
}

#[derive(Clone, Serialize, Deserialize, KeyAttribute)]
enum Status {
    Open,
    Closed { at: u64 },
}

#[derive(Clone, Serialize, Deserialize, KeyAttribute)]
#[serde(untagged)]
enum Coded {
    Open,
}

#[derive(Clone, Serialize, Deserialize, KeyAttribute)]
enum Aliased {
    #[serde(alias = "opened")]
    Open,
}

fn main() {}
