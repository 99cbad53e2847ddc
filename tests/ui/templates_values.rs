//! Fields that can be a key, and no part of a template.

use dynamo_once::Item;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Item)]
#[item(partition_key = "USER#{digest}")]
struct Bytes {
    #[serde(with = "serde_bytes")]
    digest: Vec<u8>,
}

#[derive(Serialize, Deserialize, Item)]
#[item(partition_key = "USER#{name:010}")]
struct TextWithWidth {
    name: String,
}

#[derive(Serialize, Deserialize, Item)]
#[item(partition_key = "USER#{name}")]
struct StoredOtherwise {
    #[serde(serialize_with = "shouted")]
    name: String,
}

fn shouted<S: serde::Serializer>(name: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&name.to_uppercase())
}

fn main() {}
