use dynamo_once::{Item, KeyAttribute};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, KeyAttribute)]
struct AccountId(String);

#[derive(Serialize, Deserialize, Item)]
struct Account {
    #[item(partition_key)]
    id: AccountId,
}

fn main() {}
