//! Test doubles for code that writes to DynamoDB: faults, a scripted peer, and an engine in this process.
//!
//! | | what it is | feature |
//! |---|---|---|
//! | [`Faults`] | an HTTP client that wraps yours and lets requests fail, by script or at random | `test-util` |
//! | [`Scripted`] | an HTTP client without a table, whose answers are written down beforehand | `test-util` |
//! | `Embedded` | a DynamoDB engine in this process | `embedded`, which includes the other |
//! | [`mock`] | errors and results of the verbs, for doubles of your own | `test-util` |
//!
//! The clients work with any client of `aws-sdk-dynamodb`, and know nothing of the rest of this crate. Time passes through the
//! client's own sleep, so a test under tokio's paused clock (`start_paused = true`) sits through no timeout or backoff.
//!
//! # Your code against a lost reply, in ten lines
//!
//! A conditional write is applied, its reply is lost, and the SDK sends it again. The condition then fails because of
//! the caller's own write, and the caller hears that somebody else was first:
//!
//! ```
//! # #[cfg(feature = "embedded")]
//! # mod example {
//! use aws_sdk_dynamodb::Client;
//! use aws_sdk_dynamodb::types::AttributeValue;
//! use dynamo_once::testing::{Embedded, Fault, Faults, Operation};
//! # use aws_sdk_dynamodb::types::{AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType};
//! # async fn create_accounts(client: &Client) -> Result<(), Box<dyn std::error::Error>> {
//! #     let id = AttributeDefinition::builder().attribute_name("id").attribute_type(ScalarAttributeType::S).build()?;
//! #     let key = KeySchemaElement::builder().attribute_name("id").key_type(KeyType::Hash).build()?;
//! #     let table = client.create_table().table_name("accounts").attribute_definitions(id).key_schema(key);
//! #     table.billing_mode(BillingMode::PayPerRequest).send().await?;
//! #     Ok(())
//! # }
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # pub async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let engine = Embedded::start().await;
//! let faults = Faults::around(engine.http_client());
//! let client = Client::from_conf(engine.config().http_client(faults.clone()).build());
//! # create_accounts(&client).await?;
//!
//! faults.on(Operation::PutItem).inject(Fault::lost_reply());
//! let insert = client.put_item().table_name("accounts").item("id", AttributeValue::S("acc-1".into()));
//! let refused = insert.condition_expression("attribute_not_exists(id)").send().await.unwrap_err();
//!
//! // A false refusal: the item is there, and this very call wrote it.
//! assert!(refused.into_service_error().is_conditional_check_failed_exception());
//! assert_eq!(faults.reached(Operation::PutItem), 2);
//! println!("{}", faults.log());
//! # Ok(())
//! # }
//! # }
//! # #[cfg(feature = "embedded")]
//! # example::main().unwrap();
//! ```
//!
//! ```text
//! #2  PutItem  lost reply  table: 200                                  caller: connection broken
//! #3  PutItem  -           table: 400 ConditionalCheckFailedException  caller: 400 ConditionalCheckFailedException
//! ```
//!
//! # Around your own client
//!
//! Against DynamoDB Local, LocalStack or DynamoDB itself, wrap the HTTP client that you would use otherwise, for
//! instance `aws_smithy_http_client::Builder::new().build_http()` for a plain `http://` endpoint, and pass the `Faults`
//! to `http_client` of `aws_config` or of the client's own configuration.

mod config;
#[cfg(feature = "embedded")]
mod embedded;
#[cfg(feature = "embedded")]
mod engine;
mod fault;
mod faults;
mod json;
mod log;
pub mod mock;
mod operation;
mod reply;
mod request;
mod schedule;
mod script;
mod scripted;
mod wire;

#[cfg(feature = "embedded")]
pub use embedded::Embedded;
pub use fault::{Arrival, Fault};
pub use faults::Faults;
pub use json::item;
pub use log::{Entry, Log};
pub use operation::Operation;
pub use reply::Reply;
pub use request::Request;
pub use schedule::{InvalidRates, Rates};
pub use script::On;
pub use scripted::Scripted;
