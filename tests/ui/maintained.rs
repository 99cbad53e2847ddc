use dynamo_once::{EpochMillis, EpochSeconds, Item};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Item)]
struct NoTime {
    #[item(partition_key)]
    id: String,
    #[item(created_at)]
    created: u64,
}

#[derive(Serialize, Deserialize, Item)]
struct Milliseconds {
    #[item(partition_key)]
    id: String,
    #[item(expires_after(days = 1))]
    expires: EpochMillis,
}

#[derive(Serialize, Deserialize, Item)]
struct NeverExpires {
    #[item(partition_key)]
    id: String,
    #[item(expires_after(sliding))]
    expires: EpochSeconds,
}

#[derive(Serialize, Deserialize, Item)]
struct InWeeks {
    #[item(partition_key)]
    id: String,
    #[item(expires_after(weeks = 1))]
    expires: EpochSeconds,
}

#[derive(Serialize, Deserialize, Item)]
struct TwoUpdates {
    #[item(partition_key)]
    id: String,
    #[item(updated_at)]
    one: EpochSeconds,
    #[item(updated_at)]
    other: EpochSeconds,
}

#[derive(Serialize, Deserialize, Item)]
struct TwoTimesInOne {
    #[item(partition_key)]
    id: String,
    #[item(created_at, updated_at)]
    time: EpochSeconds,
}

#[derive(Serialize, Deserialize, Item)]
struct Aliased {
    #[item(partition_key)]
    id: String,
    #[item(created_at)]
    #[serde(alias = "born")]
    created: EpochSeconds,
}

#[derive(Serialize, Deserialize, Item)]
struct OwnSerialiser {
    #[item(partition_key)]
    id: String,
    #[item(created_at)]
    #[serde(with = "as_text")]
    created: EpochSeconds,
}

#[derive(Serialize, Deserialize, Item)]
#[item(tombstones(ttl = "gone_at"))]
struct TwoTtls {
    #[item(partition_key)]
    id: String,
    #[item(expires_after(days = 1))]
    expires: EpochSeconds,
}

#[derive(Serialize, Deserialize, Item)]
#[item(tombstones(ttl = "updated"))]
struct ExpiresAtOnce {
    #[item(partition_key)]
    id: String,
    #[item(updated_at)]
    updated: EpochSeconds,
}

fn main() {}
