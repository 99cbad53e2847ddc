//! A conversation with a scripted peer: what it answers to each of a call's requests, and what they were.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use dynamo_once::testing::{Operation, Reply, Request, Scripted};
use dynamo_once::{Error, RetryPolicy, Store, Written};
use serde_json::{Value, json};

use crate::account::{Account, End, Verb};
use crate::world::SimulatedTime;

pub(crate) type Raw = HashMap<String, AttributeValue>;

/// The birth id of the stored item: of 2023, as UUIDv7s go.
pub(crate) const BIRTH: u128 = 0x0189_0000_0000_7000_8000_0000_0000_0001;
/// No write id: stands where a lane has no older entry.
pub(crate) const NIL: u128 = 0;
/// The milliseconds of an id that is an hour later than another.
pub(crate) const HOUR: u128 = 3_600_000 << 80;

/// A write that was sent, by its stamp. A delete that adopts carries none.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sent {
    pub(crate) operation: Operation,
    pub(crate) id: u128,
    pub(crate) lane: usize,
    pub(crate) body: Value,
}

impl Sent {
    pub(crate) fn of(request: &Request) -> Self {
        let names = request.body()["ExpressionAttributeNames"].as_object().cloned().unwrap_or_default();
        let names = names.values().filter_map(Value::as_str).map(str::to_owned);
        let (item, values) = (request.attributes("Item"), request.attributes("ExpressionAttributeValues"));
        let lane = names.chain(item.keys().cloned()).find_map(|name| lane_of(&name));
        // The other ids in an expression are births, and smaller; an idempotency key's digest is no UUIDv7.
        let is_id = |id: &u128| id >> 76 & 0xF == 7 && id >> 62 & 0b11 == 0b10;
        let id = item.get("_wb").and_then(id_of).or_else(|| values.values().filter_map(id_of).filter(is_id).max());
        Self {
            operation: request.operation().clone(),
            id: id.unwrap_or(NIL),
            lane: lane.unwrap_or(usize::MAX),
            body: request.body().clone(),
        }
    }

    pub(crate) fn condition(&self) -> &str {
        self.body["ConditionExpression"].as_str().unwrap_or_default()
    }
}

pub(crate) fn lane_of(name: &str) -> Option<usize> {
    let digit = name.strip_prefix("_w").filter(|digit| digit.len() == 1)?;
    digit.parse().ok()
}

pub(crate) fn id_of(value: &AttributeValue) -> Option<u128> {
    let bytes: [u8; 16] = value.as_b().ok()?.as_ref().try_into().ok()?;
    Some(u128::from_be_bytes(bytes))
}

pub(crate) fn id(id: u128) -> AttributeValue {
    AttributeValue::B(Blob::new(id.to_be_bytes()))
}

pub(crate) fn number(number: impl ToString) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

/// An item without a log.
pub(crate) fn foreign() -> Raw {
    HashMap::from([("id".into(), AttributeValue::S("a".into())), ("balance".into(), number(15))])
}

/// The item as a verb finds it: of version 3, and of the birth that [`Verb::call`] expects where it expects one.
pub(crate) fn stored() -> Raw {
    foreign().and("version", number(3)).and("_wb", id(BIRTH))
}

pub(crate) trait Stored {
    fn and(self, name: &str, value: AttributeValue) -> Self;
    fn born(self, birth: u128) -> Self;
    fn lane(self, lane: usize, head: u128, older: u128) -> Self;
}

impl Stored for Raw {
    fn and(mut self, name: &str, value: AttributeValue) -> Self {
        self.insert(name.to_owned(), value);
        self
    }

    fn born(self, birth: u128) -> Self {
        self.and("_wb", id(birth))
    }

    fn lane(self, lane: usize, head: u128, older: u128) -> Self {
        self.and(&format!("_w{lane}"), id(head)).and(&format!("_w{lane}p"), id(older))
    }
}

type Answer = Box<dyn FnOnce(&[Sent]) -> Reply + Send>;

/// A verb's conversation: the answers to its writes, in order. A read that comes before them finds [`stored`], or what
/// [`reading`](Self::reading) says.
pub(crate) struct Play {
    verb: Verb,
    read: Raw,
    policy: RetryPolicy,
    answers: Vec<(Operation, Answer)>,
}

/// How a conversation ended. Every answer was asked for, and nothing beyond.
pub(crate) struct Ended {
    pub(crate) end: End,
    pub(crate) result: Result<Written<Account>, Error>,
    pub(crate) sent: Vec<Sent>,
}

impl Play {
    pub(crate) fn of(verb: Verb) -> Self {
        Self { verb, read: stored(), policy: RetryPolicy::new().jitter_seed(1), answers: Vec::new() }
    }

    pub(crate) fn reading(mut self, item: Raw) -> Self {
        self.read = item;
        self
    }

    pub(crate) fn policy(mut self, policy: RetryPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// The answer to the verb's own write, made of all writes that were sent so far.
    pub(crate) fn then(mut self, answer: impl FnOnce(&[Sent]) -> Reply + Send + 'static) -> Self {
        self.answers.push((Operation::from(self.verb.operation()), Box::new(answer)));
        self
    }

    /// The answer to a fence.
    pub(crate) fn fence(mut self, answer: impl FnOnce(&[Sent]) -> Reply + Send + 'static) -> Self {
        self.answers.push((Operation::UpdateItem, Box::new(answer)));
        self
    }

    pub(crate) fn reply(self, reply: Reply) -> Self {
        self.then(|_| reply)
    }

    /// The write may have reached the table, and there is no answer.
    pub(crate) fn lost(self) -> Self {
        self.reply(Reply::broken_connection())
    }

    pub(crate) fn applied(self) -> Self {
        self.reply(Reply::ok(json!({})))
    }

    /// The condition fails, and this item stands.
    pub(crate) fn stands(self, item: impl FnOnce(&[Sent]) -> Raw + Send + 'static) -> Self {
        self.then(|sent| Reply::condition_failed(Some(item(sent))))
    }

    /// The condition fails, and there is no item.
    pub(crate) fn none_stands(self) -> Self {
        self.reply(Reply::condition_failed(None))
    }

    /// The fence applies, and this is the item as it was before.
    pub(crate) fn fence_finds(self, item: impl FnOnce(&[Sent]) -> Raw + Send + 'static) -> Self {
        self.fence(|sent| Reply::ok(json!({ "Attributes": attributes(&item(sent)) })))
    }

    /// The fence's condition fails, and this item stands.
    pub(crate) fn fence_fails(self, item: impl FnOnce(&[Sent]) -> Raw + Send + 'static) -> Self {
        self.fence(|sent| Reply::condition_failed(Some(item(sent))))
    }

    pub(crate) async fn run(self) -> Ended {
        let sent = Arc::new(Mutex::new(Vec::new()));
        let mut peer = Scripted::new();
        if self.verb.reads() {
            peer = peer.then(Operation::GetItem, Reply::ok(json!({ "Item": attributes(&self.read) })));
        }
        for (operation, answer) in self.answers {
            let sent = Arc::clone(&sent);
            peer = peer.then_with(operation, move |request| {
                let mut sent = sent.lock().expect("no test panics here");
                sent.push(Sent::of(request));
                answer(&sent)
            });
        }
        let config = peer.config().time_source(SimulatedTime::start()).build();
        let accounts = Store::builder(config).retry(self.policy).build().table::<Account>();
        let result = self.verb.call(&accounts).await;
        println!("{}: {result:?}\n{peer}", self.verb);
        peer.finish();
        let end = match &result {
            Ok(written) => Ok(written.outcome()),
            Err(error) => Err(error.kind()),
        };
        let sent = sent.lock().expect("no test panics here").clone();
        Ended { end, result, sent }
    }

    /// Runs it to its end.
    #[track_caller]
    pub(crate) fn ends(self, expected: End) -> impl Future<Output = Ended> {
        let (verb, at) = (self.verb, std::panic::Location::caller());
        async move {
            let ended = self.run().await;
            assert_eq!(ended.end, expected, "{verb}, at {at}");
            ended
        }
    }
}

impl Ended {
    /// The error, where the call ended in one.
    pub(crate) fn error(self) -> Error {
        self.result.expect_err("the call was refused")
    }
}

/// An item in DynamoDB's JSON.
fn attributes(item: &Raw) -> Value {
    // The one place that writes it is private; a reply to a failed condition carries it.
    let members = item.iter().map(|(name, value)| {
        let value = match value {
            AttributeValue::S(text) => json!({ "S": text }),
            AttributeValue::N(number) => json!({ "N": number }),
            AttributeValue::B(blob) => json!({ "B": aws_smithy_types::base64::encode(blob) }),
            other => panic!("no test stores {other:?}"),
        };
        (name.clone(), value)
    });
    Value::Object(members.collect())
}
