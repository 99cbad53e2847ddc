//! What the crate costs on top of the plain SDK: CPU and allocations of a call, over a loopback connection to a peer that
//! answers at once. `harness` says how it is measured.

use std::process::ExitCode;

use aws_sdk_dynamodb::types::AttributeValue;
use dynamo_once::Item;
use serde::{Deserialize, Serialize};

use self::harness::{Bench, Blocks, Limits};

mod harness;

/// More than the plain SDK that an `insert` may take.
const MOST: Limits = Limits { cpu_per_cent: 8.0, allocations: 30.0, requests: 0.0 };

const BLOCKS: Blocks = Blocks { calls: 10, blocks: 3000, warm_up: 200 };

#[derive(Debug, Clone, Serialize, Deserialize, Item)]
#[item(table = "orders")]
struct Order {
    #[item(partition_key)]
    id: String,
    customer: String,
    status: String,
    currency: String,
    total_cents: i64,
    discount: f64,
    paid: bool,
    note: Option<String>,
    tags: Vec<String>,
    placed_at: u64,
}

fn order() -> Order {
    Order {
        id: "order-2f1c9a".into(),
        customer: "customer-81723".into(),
        status: "placed".into(),
        currency: "EUR".into(),
        total_cents: 12_345,
        discount: 0.25,
        paid: true,
        note: Some("leave it with the neighbours".into()),
        tags: vec!["gift".into(), "express".into()],
        placed_at: 1_800_000_000,
    }
}

fn main() -> ExitCode {
    let bench = Bench::new(BLOCKS, answer);
    let (client, orders, order) = (&bench.client, &bench.orders, &order());

    let insert = bench.compare(
        "put_item, conditional",
        async || {
            let item = serde_dynamo::to_item(order).expect("it is an item");
            let request = client.put_item().table_name("orders").set_item(Some(item));
            request.condition_expression("attribute_not_exists(id)").send().await.expect("answered");
        },
        "insert",
        async || {
            orders.insert(order).send().await.expect("inserted");
        },
    );
    bench.compare(
        "put_item",
        async || {
            let item = serde_dynamo::to_item(order).expect("it is an item");
            client.put_item().table_name("orders").set_item(Some(item)).send().await.expect("answered");
        },
        "upsert",
        async || {
            orders.upsert(order).send().await.expect("written");
        },
    );
    bench.compare(
        "update_item",
        async || {
            let request = client.update_item().table_name("orders").key("id", AttributeValue::S(order.id.clone()));
            let request = request.update_expression("SET #status = :status ADD total_cents :cents");
            let request = request.expression_attribute_names("#status", "status");
            let request = request.expression_attribute_values(":status", AttributeValue::S("sent".into()));
            let request = request.expression_attribute_values(":cents", AttributeValue::N("7".into()));
            request.condition_expression("attribute_exists(id)").send().await.expect("answered");
        },
        "update",
        async || {
            let update = orders.update(&order.id).set(Order::FIELDS.status, "sent").add(Order::FIELDS.total_cents, 7);
            update.send().await.expect("updated");
        },
    );
    bench.compare(
        "get_item",
        async || {
            let request = client.get_item().table_name("orders").key("id", AttributeValue::S(order.id.clone()));
            let item = request.consistent_read(true).send().await.expect("answered").item.expect("there is one");
            let _: Order = serde_dynamo::from_item(item).expect("it is an order");
        },
        "get",
        async || {
            orders.get(&order.id).send().await.expect("read").expect("there is one");
        },
    );

    insert.judge("insert", MOST)
}

/// Of a peer that has an order and takes whatever it is sent.
fn answer(target: &str, body: &[u8]) -> &'static str {
    macro_rules! item {
        () => {
            r#"{"id":{"S":"order-2f1c9a"},"customer":{"S":"customer-81723"},"status":{"S":"placed"},"currency":{"S":"EUR"},"total_cents":{"N":"12345"},"discount":{"N":"0.25"},"paid":{"BOOL":true},"note":{"S":"leave it with the neighbours"},"tags":{"L":[{"S":"gift"},{"S":"express"}]},"placed_at":{"N":"1800000000"},"version":{"N":"1"},"_wb":{"B":"AZGt0ncAcACAAAAAAAAAAA=="},"_w3":{"B":"AZGt0ncAcACAAAAAAAAAAA=="}}"#
        };
    }
    let returns_item = body.windows(b"ALL_NEW".len()).any(|window| window == b"ALL_NEW");
    match target {
        "GetItem" => concat!(r#"{"Item":"#, item!(), "}"),
        _ if returns_item => concat!(r#"{"Attributes":"#, item!(), "}"),
        _ => "{}",
    }
}
