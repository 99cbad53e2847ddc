//! A Lambda function whose handler runs once for each event, on an engine in this process: `cargo run --example lambda`.
//!
//! An order is delivered three times. The first invocation is killed in the middle, after its write and before its answer; the second finds
//! that write and answers; the third gets that answer, and the handler isn't called. Lambda's part is played by `service`, which runs this very
//! program as the function's process.

mod service;

use std::process::Command;
use std::time::Duration;

use dynamo_once::testing::Embedded;
use dynamo_once::{Delivery, Item, OnceLayer, Store};
use lambda_runtime::tower::Layer;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::service::{Function, Invoked};

#[derive(Debug, Serialize, Deserialize)]
struct Order {
    id: String,
    cents: u64,
}

#[derive(Debug, Serialize, Deserialize, Item)]
#[item(table = "charges")]
struct Charge {
    #[item(partition_key)]
    order: String,
    cents: u64,
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    match std::env::var("AWS_LAMBDA_RUNTIME_API") {
        Ok(_) => function().await,
        Err(_) => deliver().await,
    }
}

/// The function's process, as Lambda starts it.
async fn function() -> Result<(), Error> {
    let config = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
    let store = Store::new(&config);
    let records = store.records("records").namespace("charge");
    let once = OnceLayer::new(move |event: &LambdaEvent<Order>| {
        records.once(&event.payload.id).payload(&event.payload).until(event.context.deadline())
    });
    let handler = service_fn(move |delivery| charge(store.clone(), delivery));
    lambda_runtime::run(once.layer(handler)).await
}

async fn charge(store: Store, delivery: Delivery<LambdaEvent<Order>>) -> Result<String, Error> {
    let Delivery { event: LambdaEvent { payload: order, .. }, context, .. } = delivery;
    println!("   the handler charges {} cents for {}", order.cents, order.id);
    let charge = Charge { order: order.id.clone(), cents: order.cents };
    let written = store.table::<Charge>().insert(&charge).keyed(context.key()).send().await?;
    println!("   its write is {:?}", written.outcome());
    if !written.is_replayed() {
        println!("   and then it hangs");
        std::future::pending::<()>().await;
    }
    Ok(format!("{} is paid", order.id))
}

/// Lambda, which delivers an event three times.
async fn deliver() -> Result<(), Error> {
    let engine = Embedded::start().await;
    let store = Store::new(engine.config().build());
    store.records("records").create_if_missing().await?;
    let charges = store.table::<Charge>();
    charges.create_if_missing().await?;

    let mut command = Command::new(std::env::current_exe()?);
    command.env("AWS_ENDPOINT_URL", engine.endpoint()).env("AWS_REGION", "eu-central-1");
    command.env("AWS_ACCESS_KEY_ID", "none").env("AWS_SECRET_ACCESS_KEY", "none");
    let function = Function::start(command).await?;

    let timeout = Duration::from_secs(2);
    let order = json!({"id": "order-77", "cents": 2500});
    for delivery in 1..=3 {
        println!("\n{delivery}. The event is delivered");
        // Lambda delivers an asynchronous event again under the id of the first request.
        match function.invoke("request-1", order.clone(), timeout).await? {
            Invoked::Answered(answer) => println!("   the answer: {answer}"),
            Invoked::Failed(error) => println!("   it failed: {error}"),
            Invoked::TimedOut => println!("   it is killed at its deadline, after {} s", timeout.as_secs()),
        }
    }

    println!("\n4. Another order comes under the same id");
    if let Invoked::Failed(error) = function.invoke("request-2", json!({"id": "order-77", "cents": 1}), timeout).await?
    {
        println!("   it is refused: {}", error["errorMessage"]);
    }

    let stands = charges.get("order-77").send().await?.ok_or("it is charged")?;
    println!("\nThe charge is at version {}, with {} cents.", stands.version(), stands.cents);
    if (stands.version(), stands.cents) != (1, 2500) {
        return Err("the order was charged twice".into());
    }
    println!("The order was charged once.");
    Ok(())
}
