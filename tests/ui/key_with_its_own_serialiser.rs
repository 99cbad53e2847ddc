use dynamo_once::Item;
use serde::{Deserialize, Serialize, Serializer};

fn lowercase<S: Serializer>(id: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&id.to_lowercase())
}

#[derive(Serialize, Deserialize, Item)]
struct Account {
    #[item(partition_key)]
    #[serde(serialize_with = "lowercase")]
    id: String,
}

fn main() {}
