use dynamo_once::{Item, Table};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Item)]
struct Account {
    #[item(partition_key)]
    id: String,
    balance: i64,
}

#[derive(Serialize, Deserialize, Item)]
struct Order {
    #[item(partition_key)]
    id: String,
    total: i64,
}

fn wrong(accounts: Table<Account>) {
    let _ = accounts.update("acc-1").add(Order::FIELDS.total, 1);
    let _ = accounts.update("acc-1").when(Order::FIELDS.total.ge(1));
}

fn main() {}
