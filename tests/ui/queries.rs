use dynamo_once::{Item, Table};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Item)]
#[item(table = "orders")]
struct Order {
    #[item(partition_key)]
    customer: String,
    #[item(sort_key)]
    number: u32,
    total: i64,
}

#[derive(Serialize, Deserialize, Item)]
#[item(table = "accounts")]
struct Account {
    #[item(partition_key)]
    id: String,
    balance: i64,
}

#[derive(Serialize, Deserialize, Item)]
#[item(table = "shop", partition_key = "USER#{user}", sort_key = "LINE#{number:06}")]
struct Line {
    user: String,
    number: u32,
}

fn templates(lines: Table<Line>, orders: Table<Order>) {
    let _ = lines.query(Line::keys("ann")).ge(10);
    let _ = orders.query("eve").ge((10,));
    let _ = lines.get(("ann", 1));
    let _ = lines.query("ann");
}

fn wrong(orders: Table<Order>, accounts: Table<Account>) {
    let _ = orders.query(7);
    let _ = orders.query("eve").ge("seven");
    let _ = orders.query("eve").begins_with(7u32);
    let _ = orders.query("eve").filter(Account::FIELDS.balance.ge(1));
    let _ = accounts.query("acc-1");
    let _ = accounts.scan().descending();
}

fn main() {}
