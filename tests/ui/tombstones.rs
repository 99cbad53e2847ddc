//! Tombstones that could never expire, or would lie on something else.

use dynamo_once::Item;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Item)]
#[item(tombstones)]
struct WithoutTtl {
    #[item(partition_key)]
    id: String,
}

#[derive(Serialize, Deserialize, Item)]
#[item(tombstones(ttl = "id"))]
struct ByTheKey {
    #[item(partition_key)]
    id: String,
}

#[derive(Serialize, Deserialize, Item)]
#[item(tombstones(ttl = "version"))]
struct ByTheVersion {
    #[item(partition_key)]
    id: String,
}

#[derive(Serialize, Deserialize, Item)]
#[item(tombstones(ttl = "expires_at", days = 0))]
struct ForNoTime {
    #[item(partition_key)]
    id: String,
}

#[derive(Serialize, Deserialize, Item)]
#[item(tombstones(ttl = "expires_at", weeks = 1))]
struct InOtherUnits {
    #[item(partition_key)]
    id: String,
}

fn main() {}
