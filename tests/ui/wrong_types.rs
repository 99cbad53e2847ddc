use dynamo_once::{Item, Table};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Item)]
#[item(table = "accounts")]
struct Account {
    #[item(partition_key)]
    id: String,
    owner: String,
    open: bool,
    balance: i64,
    large: u128,
}

fn wrong(accounts: Table<Account>) {
    let f = Account::FIELDS;
    let _ = f.balance.ge("ten");
    let _ = f.owner.eq(10);
    let _ = f.open.lt(true);
    let _ = f.balance.begins_with("1");
    let _ = f.balance.contains("1");
    let _ = accounts.update("acc-1").set(f.balance, "ten");
    let _ = accounts.update("acc-1").add(f.owner, 1);
    let _ = accounts.update("acc-1").append(f.balance, 1);
    let _ = accounts.update("acc-1").union(f.owner, "x".to_owned());
    let _ = accounts.update("acc-1").add(f.large, 1);
    let _ = f.large.ge(1);
    let _ = accounts.get(7);
    let _ = accounts.get(("acc-1", 7));
}

fn main() {}
