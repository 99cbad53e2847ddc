//! By what a repetition is recognised: digests that outlive the program which stored them.

use dynamo_once::{ErrorKind, Item, Store, Table};
use serde::{Deserialize, Serialize};

use crate::world::World;

/// As the first version of a program has it.
#[derive(Debug, Clone, Serialize, Deserialize, Item)]
#[item(table = "orders")]
struct Order {
    #[item(partition_key)]
    id: String,
    status: String,
    placed: u64,
    paid: u64,
}

/// As the next one has it, with an index more.
#[derive(Debug, Clone, Serialize, Deserialize, Item)]
#[item(table = "orders", index(name = "by-status", partition_key = "STATUS#{status}", sort_key = placed))]
struct Indexed {
    #[item(partition_key)]
    id: String,
    status: String,
    placed: u64,
    paid: u64,
}

async fn orders(world: &World) -> Table<Order> {
    let orders = world.store.table::<Order>();
    orders.create_if_missing().await.expect("the table is made");
    orders
}

fn order(placed: u64, paid: u64) -> Order {
    Order { id: "a".into(), status: "open".into(), placed, paid }
}

fn indexed(store: &Store) -> (Table<Indexed>, Indexed) {
    (store.table(), Indexed { id: "a".into(), status: "open".into(), placed: 1, paid: 0 })
}

#[tokio::test]
async fn a_write_is_the_same_once_its_type_has_an_index_more() {
    let world = World::new().await;
    let (before, records) = (orders(&world).await, &world.records);
    let next = world.other_store();
    let ((after, item), records_after) = (indexed(&next), &next.records("records"));
    let (f, g) = (Order::FIELDS, Indexed::FIELDS);

    before.insert(&order(1, 0)).idempotency_key(records, "insert").send().await.expect("is inserted");
    before.upsert(&order(1, 0)).idempotency_key(records, "upsert").send().await.expect("is written");
    before.update("a").set(f.status, "sent").idempotency_key(records, "update").send().await.expect("is written");
    let either = before.update("a").set(f.status, "sent").or_insert(&order(1, 0));
    either.idempotency_key(records, "either").send().await.expect("is written");

    let either = after.update("a").set(g.status, "sent").or_insert(&item);
    let repeated = [
        after.insert(&item).idempotency_key(records_after, "insert").send().await,
        after.upsert(&item).idempotency_key(records_after, "upsert").send().await,
        after.update("a").set(g.status, "sent").idempotency_key(records_after, "update").send().await,
        either.idempotency_key(records_after, "either").send().await,
    ];
    for (verb, repeated) in ["insert", "upsert", "update", "either"].into_iter().zip(repeated) {
        assert!(repeated.unwrap_or_else(|error| panic!("{verb}: {error}")).is_replayed(), "{verb}");
    }
}

#[tokio::test]
async fn a_newer_one_by_another_field_is_another_write() {
    let world = World::new().await;
    let (orders, records) = (orders(&world).await, &world.records);
    let f = Order::FIELDS;
    let upsert = |item: Order| orders.upsert_newer(&item, f.placed).idempotency_key(records, "k").send();
    upsert(order(1, 1)).await.expect("is written");
    assert!(upsert(order(1, 1)).await.expect("has been").is_replayed());
    let by_another = orders.upsert_newer(&order(1, 1), f.paid).idempotency_key(records, "k").send().await;
    assert_eq!(by_another.unwrap_err().kind(), ErrorKind::KeyReused);
}
