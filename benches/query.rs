//! What a query costs on top of the plain SDK: requests and CPU of 1,000 items in four pages, over a loopback connection to a peer
//! that answers at once. `harness` says how it is measured.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::LazyLock;

use aws_sdk_dynamodb::types::AttributeValue;
use dynamo_once::Item;
use serde::{Deserialize, Serialize};

use self::harness::{Bench, Blocks, Limits};

mod harness;

/// More than the plain SDK that a query of so many items may take. The items are borrowed while they are decoded, so that each of their
/// strings is allocated once more; and their maps are kept for `save`.
const MOST: Limits = Limits { cpu_per_cent: 10.0, allocations: 8000.0, requests: 0.0 };

const BLOCKS: Blocks = Blocks { calls: 1, blocks: 300, warm_up: 20 };

const PAGES: u32 = 4;
const PER_PAGE: u32 = 250;

#[derive(Debug, Clone, Serialize, Deserialize, Item)]
#[item(table = "orders")]
struct Order {
    #[item(partition_key)]
    customer: String,
    #[item(sort_key)]
    number: u32,
    status: String,
    currency: String,
    total_cents: i64,
    discount: f64,
    paid: bool,
    note: Option<String>,
    tags: Vec<String>,
    address: Address,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Address {
    street: String,
    city: String,
    code: u32,
}

fn main() -> ExitCode {
    let bench = Bench::<Order>::new(BLOCKS, answer);
    let (client, orders) = (&bench.client, &bench.orders);
    let query = bench.compare(
        "query",
        async || {
            let query = client.query().table_name("orders").key_condition_expression("customer = :customer");
            let query = query.expression_attribute_values(":customer", AttributeValue::S("customer-81723".into()));
            let mut pages = query.consistent_read(true).into_paginator().send();
            let mut orders = Vec::<Order>::new();
            while let Some(page) = pages.next().await {
                let items = page.expect("answered").items.expect("there are some");
                orders.extend(serde_dynamo::from_items::<_, Order>(items).expect("they are orders"));
            }
            assert_eq!(orders.len(), (PAGES * PER_PAGE) as usize);
        },
        "query, collected",
        async || {
            let orders = orders.query("customer-81723").items().collect().await.expect("they are orders");
            assert_eq!(orders.len(), (PAGES * PER_PAGE) as usize);
        },
    );
    query.judge("query", MOST)
}

/// Of a peer that has four pages of orders, and finds the one that is asked for by the key to start after.
fn answer(_target: &str, body: &[u8]) -> &'static str {
    static ANSWERS: LazyLock<Vec<String>> = LazyLock::new(|| (0..PAGES).map(page).collect());
    let body = String::from_utf8_lossy(body);
    let is_after = |page: &u32| body.contains(&format!(r#""N":"{}""#, page * PER_PAGE - 1));
    let page = (1..PAGES).find(is_after).unwrap_or(0);
    &ANSWERS[page as usize]
}

fn page(page: u32) -> String {
    let (first, end) = (page * PER_PAGE, (page + 1) * PER_PAGE);
    let mut answer = format!(r#"{{"Count":{PER_PAGE},"ScannedCount":{PER_PAGE},"Items":["#);
    for number in first..end {
        let comma = if number == first { "" } else { "," };
        let _ = write!(
            answer,
            r#"{comma}{{"customer":{{"S":"customer-81723"}},"number":{{"N":"{number}"}},"status":{{"S":"placed"}},"currency":{{"S":"EUR"}},"total_cents":{{"N":"12345"}},"discount":{{"N":"0.25"}},"paid":{{"BOOL":true}},"note":{{"S":"leave it with the neighbours"}},"tags":{{"L":[{{"S":"gift"}},{{"S":"express"}}]}},"address":{{"M":{{"street":{{"S":"12 Long Lane"}},"city":{{"S":"Little Hampton"}},"code":{{"N":"12345"}}}}}},"version":{{"N":"1"}},"_wb":{{"B":"AZGt0ncAcACAAAAAAAAAAA=="}},"_w3":{{"B":"AZGt0ncAcACAAAAAAAAAAA=="}}}}"#
        );
    }
    answer.push(']');
    if end < PAGES * PER_PAGE {
        let last = end - 1;
        let _ =
            write!(answer, r#","LastEvaluatedKey":{{"customer":{{"S":"customer-81723"}},"number":{{"N":"{last}"}}}}"#);
    }
    answer.push('}');
    answer
}
