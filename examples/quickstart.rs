//! The README's story, on an engine in this process: `cargo run --example quickstart`.
//!
//! With `AWS_ENDPOINT_URL` set it runs there instead, with whatever credentials and region the environment has.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use dynamo_once::testing::{Embedded, Fault, Faults, Operation};
use dynamo_once::{Item, Store, Table};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

#[derive(Debug, Clone, Serialize, Deserialize, Item)]
#[item(table = "accounts")]
struct Account {
    #[item(partition_key)]
    id: String,
    owner: String,
    balance: i64,
}

type Outcome = Result<(), Box<dyn std::error::Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Outcome {
    // An engine, and a network between it and us that loses replies when it is told to.
    let engine = Embedded::start().await;
    let (network, config) = match std::env::var("AWS_ENDPOINT_URL") {
        Ok(endpoint) => {
            println!("Running on {endpoint}.");
            let network = Faults::around(aws_smithy_http_client::Builder::new().build_http());
            let loader = aws_config::defaults(aws_config::BehaviorVersion::latest());
            let loaded = loader.http_client(network.clone()).load().await;
            (network, aws_sdk_dynamodb::config::Builder::from(&loaded))
        }
        Err(_) => {
            println!("Running on an engine in this process. Set AWS_ENDPOINT_URL for another.");
            let network = Faults::around(engine.http_client());
            (network.clone(), engine.config().http_client(network))
        }
    };
    let config = config.build();
    let store = Store::builder(config.clone()).table_prefix(format!("quickstart-{}-", std::process::id())).build();
    let accounts = store.table::<Account>();
    accounts.create_if_missing().await?;

    let story = tell(&accounts, &network, &Client::from_conf(config.clone())).await;
    Client::from_conf(config).delete_table().table_name(accounts.name()).send().await?;
    story
}

async fn tell(accounts: &Table<Account>, network: &Faults, sdk: &Client) -> Outcome {
    let f = Account::FIELDS;

    println!("\n1. An insert");
    let ann = Account { id: "ann".into(), owner: "Ann".into(), balance: 100 };
    let written = accounts.insert(&ann).send().await?;
    println!("   {:?} at version {}", written.outcome(), written.version().unwrap_or_default());

    println!("\n2. The same fault twice: the insert is applied, and its reply is lost");
    network.on(Operation::PutItem).inject(Fault::lost_reply());
    let plain = sdk
        .put_item()
        .table_name(accounts.name())
        .set_item(Some(serde_dynamo::to_item(Account { id: "bob".into(), ..ann.clone() })?))
        .condition_expression("attribute_not_exists(id)")
        .send()
        .await;
    let says = match plain {
        Ok(_) => "ok".to_owned(),
        Err(error) => error.into_service_error().to_string(),
    };
    println!("   the plain SDK says:  {says}  (false: this very call wrote the item)");
    network.on(Operation::PutItem).inject(Fault::lost_reply());
    let written = accounts.insert(&Account { id: "eve".into(), ..ann.clone() }).send().await?;
    println!("   dynamo-once says:    {:?}  (the stored stamp is this call's)", written.outcome());

    println!("\n3. A conflict, told from a replay");
    let found = accounts.get("eve").send().await?.ok_or("eve is there")?;
    let stale = found.clone();
    accounts.save(found.with(|eve| eve.owner = "Eve".into())).send().await?;
    match accounts.save(stale.with(|eve| eve.owner = "Mallory".into())).send().await {
        Err(conflict) if conflict.is_version_conflict() => {
            let stands = conflict.current::<Account>()?.ok_or("comes with the conflict")?;
            println!(
                "   {conflict}; it is {}'s now, at version {}, and no read was needed",
                stands.owner,
                stands.version()
            );
        }
        other => return Err(format!("a conflict was expected, not {other:?}").into()),
    }

    println!("\n4. Sixteen tasks change one item at once: read, modify, write");
    let mut race = JoinSet::new();
    for _ in 0..16 {
        let accounts = accounts.clone();
        race.spawn(async move { accounts.modify("ann", |ann| ann.balance -= 1).send().await });
    }
    while let Some(change) = race.join_next().await {
        change??;
    }
    let ann = accounts.get("ann").send().await?.ok_or("ann is there")?;
    println!("   100 - 16 = {}, at version {}", ann.balance, ann.version());
    if (ann.balance, ann.version()) != (84, 17) {
        return Err("a change was lost or made twice".into());
    }

    println!("\n5. A counter, counted 50 times each way, while every fifth reply is lost");
    for (id, name) in [("plain", "the plain SDK"), ("once", "dynamo-once")] {
        accounts.insert(&Account { id: id.into(), owner: name.into(), balance: 0 }).send().await?;
        for count in 1..=50 {
            if count % 5 == 0 {
                network.on(Operation::UpdateItem).inject(Fault::lost_reply());
            }
            if id == "once" {
                accounts.update(id).add(f.balance, 1).send().await?;
            } else {
                let add = sdk.update_item().table_name(accounts.name()).key("id", AttributeValue::S(id.into()));
                let add = add.update_expression("ADD balance :one");
                add.expression_attribute_values(":one", AttributeValue::N("1".into())).send().await?;
            }
        }
        let counted = accounts.get(id).send().await?.ok_or("the counter is there")?.balance;
        println!("   {name:<14} 50 calls, counted {counted}");
        if id == "once" && counted != 50 {
            return Err("dynamo-once miscounted".into());
        }
    }

    println!("\n6. A delete, and another: gone is success");
    accounts.delete("eve").send().await?;
    accounts.delete("eve").send().await?;
    println!("   eve is {}", if accounts.get("eve").send().await?.is_none() { "gone" } else { "still there" });

    println!("\nEvery effect of dynamo-once happened exactly once.");
    Ok(())
}
