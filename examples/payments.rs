//! A charge that must not happen twice, on an engine in this process: `cargo run --example payments`.
//!
//! Clients send payments under an `Idempotency-Key` of theirs, as HTTP has it. A payment charges a card at a bank, which is
//! no table, and enters the charge in ours. With `AWS_ENDPOINT_URL` set it runs there instead.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use dynamo_once::testing::{Embedded, Fault, Faults, Operation};
use dynamo_once::{Context, ErrorKind, Item, OnceError, Records, Store, Table};
use serde::{Deserialize, Serialize};

/// What a client asks for.
#[derive(Debug, Clone, Serialize)]
struct Payment {
    card: String,
    merchant: String,
    cents: i64,
}

/// What it is answered, each time it asks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Receipt {
    charge: String,
    cents: i64,
}

#[derive(Debug, Clone, Serialize, Deserialize, Item)]
#[item(table = "ledger")]
struct Entry {
    #[item(partition_key)]
    charge: String,
    merchant: String,
    cents: i64,
}

#[derive(Debug, Clone, Serialize, Deserialize, Item)]
#[item(table = "merchants")]
struct Merchant {
    #[item(partition_key)]
    name: String,
    /// What we owe them.
    balance: i64,
}

struct Payments {
    bank: Bank,
    records: Records,
    ledger: Table<Entry>,
    merchants: Table<Merchant>,
}

impl Payments {
    /// Makes a payment once for its key, however often it is asked for. The key is the tenant's own: none reads another's answer.
    async fn pay(&self, tenant: &str, key: &str, payment: &Payment) -> Result<Receipt, OnceError<Declined>> {
        let once = self.records.clone().namespace(tenant).once(key).payload(payment);
        let ran = once.wait(Duration::from_secs(10)).run(|run| self.charge(run, payment)).await?;
        Ok(ran.into_answer())
    }

    /// Charges the card, and stages what is to be written. This may run again, after a crash; what it does, happens once: the bank knows a
    /// charge by the run's key, and what is staged is written in one transaction with the answer.
    async fn charge(&self, run: Context, payment: &Payment) -> Result<Receipt, Declined> {
        let Payment { card, merchant, cents } = payment.clone();
        let charge = self.bank.charge(run.key(), &card, cents).await?;
        let owed = self.merchants.update(&merchant).add(Merchant::FIELDS.balance, cents);
        run.stage(owed.or_insert(&Merchant { name: merchant.clone(), balance: cents }));
        run.stage(self.ledger.insert(&Entry { charge: charge.clone(), merchant, cents }));
        Ok(Receipt { charge, cents })
    }
}

/// What HTTP says of it.
fn status(paid: &Result<Receipt, OnceError<Declined>>) -> u16 {
    match paid {
        Ok(_) => 201,
        Err(OnceError::Failed(_) | OnceError::FailedBefore(_)) => 402,
        Err(OnceError::NotRun(error)) => match error.kind() {
            ErrorKind::Invalid => 400,    // No key, say.
            ErrorKind::InProgress => 409, // Another request with this key is being answered.
            ErrorKind::KeyReused => 422,
            _ => 503, // To be sent again.
        },
        // It ran, and its receipt isn't stored, nor what it staged: to be sent again, too.
        Err(_) => 503,
    }
}

/// A bank, somewhere else. It takes an idempotency key, as those with an API do.
#[derive(Default)]
struct Bank {
    charges: Mutex<HashMap<String, i64>>,
}

#[derive(Debug, thiserror::Error)]
#[error("the card is declined")]
struct Declined;

impl Bank {
    async fn charge(&self, key: &str, card: &str, cents: i64) -> Result<String, Declined> {
        if card == "expired" {
            return Err(Declined);
        }
        let mut charges = self.charges.lock().unwrap_or_else(PoisonError::into_inner);
        if charges.insert(key.to_owned(), cents).is_none() {
            println!("   the bank charges {card} with {:.2} EUR", cents as f64 / 100.0);
        } else {
            println!("   the bank knows the charge, and charges nothing");
        }
        Ok(format!("charge-{key}"))
    }

    fn total(&self) -> i64 {
        self.charges.lock().unwrap_or_else(PoisonError::into_inner).values().sum()
    }
}

type Outcome = Result<(), Box<dyn std::error::Error>>;

#[tokio::main]
async fn main() -> Outcome {
    // Between us and the engine is a network that loses replies when it is told to.
    let engine = Embedded::start().await;
    let (network, config) = match std::env::var("AWS_ENDPOINT_URL") {
        Ok(_) => {
            let network = Faults::around(aws_smithy_http_client::Builder::new().build_http());
            let loader = aws_config::defaults(aws_config::BehaviorVersion::latest());
            let loaded = loader.http_client(network.clone()).load().await;
            (network, aws_sdk_dynamodb::config::Builder::from(&loaded))
        }
        Err(_) => {
            let network = Faults::around(engine.http_client());
            (network.clone(), engine.config().http_client(network))
        }
    };
    let config = config.build();
    let prefix = format!("payments-{}-", std::process::id());
    let store = Store::builder(config.clone()).table_prefix(&prefix).build();
    // A crashed payment is taken up again after a second; it is kept alive for as long as it takes.
    let records = store.records("records").lease(Duration::from_secs(1));
    let payments = Payments { bank: Bank::default(), records, ledger: store.table(), merchants: store.table() };
    payments.records.create_if_missing().await?;
    payments.ledger.create_if_missing().await?;
    payments.merchants.create_if_missing().await?;

    let story = tell(&payments, &network).await;
    let sdk = Client::from_conf(config);
    for table in ["records", "ledger", "merchants"] {
        sdk.delete_table().table_name(format!("{prefix}{table}")).send().await?;
    }
    story?;
    println!("\nEach payment was charged and entered once.");
    Ok(())
}

async fn tell(payments: &Payments, network: &Faults) -> Outcome {
    let payment = Payment { card: "visa-1".into(), merchant: "tea house".into(), cents: 2500 };

    println!("1. A payment, and the browser sends it twice more");
    let receipt = payments.pay("shop-a", "key-1", &payment).await?;
    for _ in 0..2 {
        let again = payments.pay("shop-a", "key-1", &payment).await?;
        println!("   {again:?}");
        if again != receipt {
            return Err("one payment has two receipts".into());
        }
    }

    println!("\n2. The same key from another tenant is another payment");
    payments.pay("shop-b", "key-1", &payment).await?;

    println!("\n3. The same key with another amount");
    let reused = payments.pay("shop-a", "key-1", &Payment { cents: 9900, ..payment.clone() }).await;
    expect(&reused, 422)?;

    println!("\n4. No key");
    expect(&payments.pay("shop-a", "", &payment).await, 400)?;

    println!("\n5. The replies to the claim and to the commit are lost");
    network.on(Operation::PutItem).inject(Fault::lost_reply());
    network.on(Operation::TransactWriteItems).inject(Fault::lost_reply());
    payments.pay("shop-a", "key-2", &payment).await?;
    println!("   paid, found out from the record");

    println!("\n6. A crash between the charge and the commit");
    crash(payments, network, "key-3", &payment).await?;
    println!("   the process is gone; sent again, the payment waits for the lease to end");
    payments.pay("shop-a", "key-3", &payment).await?;

    println!("\n7. A card that is declined; another card is another payment, and has another key");
    expect(&payments.pay("shop-a", "key-4", &Payment { card: "expired".into(), ..payment.clone() }).await, 402)?;
    payments.pay("shop-a", "key-5", &payment).await?;

    let owed = payments.merchants.get("tea house").send().await?.ok_or("the merchant is there")?.balance;
    let entries = payments.ledger.scan().items().collect().await?;
    let entered: i64 = entries.iter().map(|entry| entry.cents).sum();
    println!(
        "\nThe bank has charged {}, the ledger has {entered}, the merchant is owed {owed}.",
        payments.bank.total()
    );
    if (payments.bank.total(), entered, owed, entries.len()) == (12_500, 12_500, 12_500, 5) {
        Ok(())
    } else {
        Err("a payment was lost or made twice".into())
    }
}

/// A payment whose process dies once the bank has charged: it comes as far as the commit, which is never sent.
async fn crash(payments: &Payments, network: &Faults, key: &str, payment: &Payment) -> Outcome {
    network.on(Operation::TransactWriteItems).always().inject(Fault::hang());
    let dies = tokio::time::timeout(Duration::from_millis(500), payments.pay("shop-a", key, payment));
    let survived = dies.await.is_ok();
    network.stop();
    if survived { Err("a commit that is never sent was answered".into()) } else { Ok(()) }
}

fn expect(paid: &Result<Receipt, OnceError<Declined>>, expected: u16) -> Outcome {
    match paid {
        Err(refused) if status(paid) == expected => {
            println!("   {expected}: {refused}");
            Ok(())
        }
        other => Err(format!("{expected} was expected, not {other:?}").into()),
    }
}
