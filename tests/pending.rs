//! Writes whose outcome is unknown, taken up later, by the same process or by another.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_async::time::TimeSource;
use dynamo_once::ErrorKind::{BadToken, ConditionFailed, Contention, Invalid, OutcomeUnknown};
use dynamo_once::testing::{Arrival, Embedded, Fault, Faults, Operation};
use dynamo_once::{
    Aborted, Error, ErrorKind, Item, Outcome, Pending, PendingToken, RetryPolicy, Store, Table, Written,
};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Item)]
#[item(table = "accounts")]
struct Account {
    #[item(partition_key)]
    id: String,
    balance: i64,
}

/// The same, with tombstones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Item)]
#[item(table = "accounts", tombstones(ttl = "expires_at", days = 4))]
struct Buried {
    #[item(partition_key)]
    id: String,
    balance: i64,
}

trait Balance: Item<Key = String> + Clone {
    fn of(balance: i64) -> Self;
}

impl Balance for Account {
    fn of(balance: i64) -> Self {
        Self { id: "a".into(), balance }
    }
}

impl Balance for Buried {
    fn of(balance: i64) -> Self {
        Self { id: "a".into(), balance }
    }
}

#[derive(Debug, Clone, Default)]
struct Clock(Arc<AtomicU64>);

impl TimeSource for Clock {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000 + self.0.load(Ordering::Relaxed))
    }
}

struct World<T> {
    clock: Clock,
    faults: Faults,
    /// Sends one attempt, and that meets the faults.
    table: Table<T>,
    /// Another process, in calm weather.
    other: Table<T>,
    engine: Embedded,
}

impl<T: Balance> World<T> {
    async fn new() -> Self {
        let engine = Embedded::start().await;
        let (clock, faults) = (Clock::default(), Faults::around(engine.http_client()));
        let config = engine.config().time_source(clock.clone());
        let policy = RetryPolicy::new().max_attempts(1);
        let table =
            Store::builder(config.clone().http_client(faults.clone()).build()).retry(policy).build().table::<T>();
        let other = Store::new(config.build()).table::<T>();
        other.create_if_missing().await.expect("the engine makes a table");
        Self { clock, faults, table, other, engine }
    }

    async fn with_item() -> Self {
        let world = Self::new().await;
        world.other.insert(&T::of(10)).send().await.expect("nothing is there");
        world.seconds_pass(1);
        world
    }

    fn seconds_pass(&self, seconds: u64) {
        self.clock.0.fetch_add(seconds, Ordering::Relaxed);
    }

    /// Inserts under this fault, which leaves the outcome unknown.
    async fn insert(&self, fault: Fault) -> Pending {
        self.faults.on(Operation::PutItem).inject(fault);
        pending(self.table.insert(&T::of(10)).send().await)
    }

    async fn stored(&self) -> Option<HashMap<String, AttributeValue>> {
        let key = AttributeValue::S("a".into());
        let get = self.engine.client().get_item().table_name("accounts").key("id", key).consistent_read(true);
        get.send().await.expect("the engine answers").item
    }

    async fn sent(&self) -> usize {
        let operations = [Operation::PutItem, Operation::UpdateItem, Operation::DeleteItem];
        operations.into_iter().map(|operation| self.faults.received(operation)).sum()
    }
}

fn pending<T>(result: Result<Written<T>, Error>) -> Pending {
    let error = result.expect_err("the outcome is unknown");
    assert_eq!(error.kind(), OutcomeUnknown, "{error:?}");
    error.pending().expect("can be taken up")
}

#[track_caller]
fn kind<T>(result: Result<T, Error>) -> ErrorKind {
    match result {
        Ok(_) => panic!("it was refused"),
        Err(error) => error.kind(),
    }
}

#[tokio::test]
async fn only_an_unknown_outcome_is_pending() {
    let world = World::<Account>::with_item().await;
    let refused = world.table.insert(&Account::of(1)).send().await.unwrap_err();
    assert!(refused.is_already_exists() && refused.pending().is_none());
    world.faults.on(Operation::PutItem).inject(Fault::throttled());
    assert!(world.table.insert(&Account::of(1)).send().await.unwrap_err().pending().is_none());
}

#[tokio::test]
async fn finish_tells_a_write_that_was_applied_and_applies_one_that_was_not() {
    for (fault, outcome) in [(Fault::lost_reply(), Outcome::Replayed), (Fault::lost_request(), Outcome::Applied)] {
        let world = World::<Account>::new().await;
        let pending = world.insert(fault).await;
        let before = world.sent().await;
        let written = pending.finish::<Account>().await.expect("is settled");
        assert_eq!((written.outcome(), written.version()), (outcome, Some(1)));
        assert_eq!(world.sent().await, before + 1, "one request");
        let again = pending.finish::<Account>().await.expect("can be asked again");
        assert_eq!((again.outcome(), again.version()), (Outcome::Replayed, Some(1)));
        assert_eq!(world.other.get("a").send().await.expect("read").expect("is there").balance, 10);
    }
}

#[tokio::test]
async fn finish_counts_once_however_often_it_is_asked() {
    let world = World::<Account>::with_item().await;
    world.faults.on(Operation::UpdateItem).inject(Fault::late(Arrival::AfterNext));
    let pending = pending(world.table.update("a").add(Account::FIELDS.balance, 5).send().await);
    for _ in 0..3 {
        pending.finish::<Account>().await.expect("is settled");
    }
    let found = world.other.get("a").send().await.expect("read").expect("is there");
    assert_eq!((found.balance, found.version()), (15, 2));
}

#[tokio::test]
async fn finish_is_refused_for_good_behind_a_fence() {
    let world = World::<Account>::with_item().await;
    let f = Account::FIELDS;
    world.faults.on(Operation::UpdateItem).inject(Fault::lost_request());
    let pending = pending(world.table.update("a").add(f.balance, -10).when(f.balance.ge(10)).send().await);
    world.other.update("a").set(f.balance, 3).send().await.expect("is there");
    let before = world.sent().await;
    let refused = kind(pending.finish::<Account>().await);
    // One time in some the other store's write took the very lane of the call, which may then send nothing but fences.
    assert!(matches!(refused, ConditionFailed | Contention), "{refused:?}");
    if refused == ConditionFailed {
        assert_eq!(world.sent().await, before + 2, "the request and a fence");
    }
    let balance = world.stored().await.expect("is there").remove("balance");
    assert_eq!(balance, Some(number(3)));
}

#[tokio::test]
async fn finish_sends_nothing_but_what_was_sent() {
    // An insert that another was faster than, and a tombstone in its way, which the call itself would have brought to life.
    let world = World::<Buried>::new().await;
    let pending = world.insert(Fault::lost_request()).await;
    world.seconds_pass(1);
    world.other.insert(&Buried::of(1)).send().await.expect("nothing is there");
    world.other.delete("a").send().await.expect("is there");
    assert_eq!(
        kind(pending.finish::<Buried>().await),
        OutcomeUnknown,
        "born after the call, so that nothing is proved"
    );

    let world = World::<Buried>::with_item().await;
    world.other.delete("a").send().await.expect("is there");
    world.seconds_pass(1);
    let pending = world.insert(Fault::lost_request()).await;
    assert_eq!(kind(pending.finish::<Buried>().await), Contention);
    assert!(world.stored().await.expect("the tombstone").contains_key("_wt"));
}

#[tokio::test]
async fn unknown_once_more_is_pending_once_more() {
    let world = World::<Account>::new().await;
    let first = world.insert(Fault::lost_request()).await;
    world.faults.on(Operation::PutItem).inject(Fault::lost_reply());
    let second = pending(first.finish::<Account>().await);
    assert!(second.finish::<Account>().await.expect("is settled").is_replayed());
}

#[tokio::test]
async fn a_pending_delete_is_finished() {
    let world = World::<Account>::with_item().await;
    world.faults.on(Operation::DeleteItem).inject(Fault::lost_request());
    let pending = pending(world.table.delete("a").send().await);
    pending.finish::<Account>().await.expect("is deleted");
    assert!(world.stored().await.is_none());
}

#[tokio::test]
async fn abort_tells_a_write_that_was_applied_and_prevents_one_that_was_not() {
    let f = Account::FIELDS;
    for (fault, aborted, balance) in
        [(Fault::lost_reply(), Aborted::Applied, 15), (Fault::late(Arrival::AfterNext), Aborted::Prevented, 10)]
    {
        let world = World::<Account>::with_item().await;
        world.faults.on(Operation::UpdateItem).inject(fault);
        let pending = pending(world.table.update("a").add(f.balance, 5).send().await);
        assert_eq!(pending.abort().await.expect("is settled"), aborted);
        // A request held back has arrived by now, after the fence.
        assert_eq!(world.faults.held_back(), 0);
        assert_eq!(world.other.get("a").send().await.expect("read").expect("is there").balance, balance);
        assert_eq!(pending.abort().await.expect("can be asked again"), aborted);
    }
}

#[tokio::test]
async fn abort_of_an_insert_leaves_a_tombstone_in_its_place_or_the_doubt() {
    let world = World::<Account>::new().await;
    let doubt = world.insert(Fault::lost_request()).await;
    assert_eq!(kind(doubt.abort().await), OutcomeUnknown);
    assert!(world.stored().await.is_none());

    let world = World::<Buried>::new().await;
    let pending = world.insert(Fault::late(Arrival::AfterNext)).await;
    let before = world.sent().await;
    assert_eq!(pending.abort().await.expect("is settled"), Aborted::Prevented);
    assert_eq!(world.sent().await, before + 2, "a fence that finds nothing, and a tombstone");
    assert_eq!(world.faults.held_back(), 0);
    let tombstone = world.stored().await.expect("a tombstone");
    assert_eq!((&tombstone["version"], &tombstone["_wt"]), (&number(1), &AttributeValue::S("expires_at".into())));
    assert_eq!(tombstone["expires_at"], number(1_800_000_000 + 4 * 86_400));
    assert!(world.other.get("a").send().await.expect("read").is_none());
    assert_eq!(world.other.insert(&Buried::of(1)).send().await.expect("comes to life").version(), Some(2));
    assert!(world.stored().await.expect("is there").contains_key("balance"), "and stays alive");
}

#[tokio::test]
async fn a_lost_tombstone_is_recognised() {
    let world = World::<Buried>::new().await;
    let token = world.insert(Fault::lost_request()).await.token();
    let config = world.engine.config().http_client(world.faults.clone()).time_source(world.clock.clone());
    let patient = Store::new(config.build()).table::<Buried>();
    world.faults.on(Operation::PutItem).inject(Fault::lost_reply());
    let pending = patient.pending(&token).expect("is of this table");
    assert_eq!(pending.abort().await.expect("is settled"), Aborted::Prevented);
    assert_eq!(world.stored().await.expect("a tombstone")["version"], number(1));
}

#[tokio::test]
async fn abort_of_a_delete_does_not_take_its_own_effect_for_another_s() {
    let world = World::<Account>::with_item().await;
    world.faults.on(Operation::DeleteItem).inject(Fault::lost_reply());
    let doubt = pending(world.table.delete("a").send().await);
    assert_eq!(kind(doubt.abort().await), OutcomeUnknown, "it was applied, and left nothing to tell");

    let world = World::<Buried>::with_item().await;
    for (fault, aborted) in
        [(Fault::late(Arrival::AfterNext), Aborted::Prevented), (Fault::lost_reply(), Aborted::Applied)]
    {
        world.faults.on(Operation::UpdateItem).inject(fault);
        let pending = pending(world.table.delete("a").send().await);
        assert_eq!(pending.abort().await.expect("is settled"), aborted);
        assert_eq!(world.other.get("a").send().await.expect("read").is_some(), aborted == Aborted::Prevented);
        world.seconds_pass(1);
    }
}

#[tokio::test]
async fn finish_of_an_update_or_insert_without_an_item_proves_nothing() {
    let world = World::<Account>::with_item().await;
    world.faults.on(Operation::UpdateItem).inject(Fault::lost_reply());
    let call = world.table.update("a").add(Account::FIELDS.balance, 5).or_insert(&Account::of(1)).send();
    let pending = pending(call.await);
    world.other.delete("a").send().await.expect("is there");
    assert_eq!(kind(pending.finish::<Account>().await), OutcomeUnknown, "it was applied before the delete");
}

#[tokio::test]
async fn finish_answers_as_the_verb_does_and_as_the_type_that_it_wrote() {
    let world = World::<Account>::with_item().await;
    let found = world.other.get("a").send().await.expect("read").expect("is there");
    world.faults.on(Operation::UpdateItem).inject(Fault::lost_request());
    let pending = pending(world.table.save(found.with(|account| account.balance = 11)).send().await);
    assert_eq!(kind(pending.finish::<Buried>().await), Invalid, "another type");
    world.other.update("a").add(Account::FIELDS.balance, 1).send().await.expect("is there");
    let conflict = pending.finish::<Account>().await.expect_err("another was faster");
    assert!(conflict.is_version_conflict() && conflict.to_string().contains("expected version 1"), "{conflict}");
}

#[tokio::test]
async fn another_process_aborts_by_a_token() {
    let f = Account::FIELDS;
    for (fault, aborted) in
        [(Fault::lost_reply(), Aborted::Applied), (Fault::late(Arrival::AfterNext), Aborted::Prevented)]
    {
        let world = World::<Account>::with_item().await;
        world.faults.on(Operation::UpdateItem).inject(fault);
        let token = pending(world.table.update("a").add(f.balance, 5).send().await).token().to_string();
        let token: PendingToken = token.parse().expect("is a token");
        let pending = world.other.pending(&token).expect("is of this table");
        assert_eq!(kind(pending.finish::<Account>().await), Invalid, "the content is elsewhere");
        assert_eq!(pending.abort().await.expect("is settled"), aborted);
    }
}

#[tokio::test]
async fn another_process_resumes_by_a_token_and_the_same_content() {
    let f = Account::FIELDS;
    for fault in [Fault::lost_reply, Fault::lost_request, || Fault::late(Arrival::AfterNext)] {
        let world = World::<Account>::new().await;
        let token = world.insert(fault()).await.token();
        assert_eq!(kind(world.other.insert(&Account::of(11)).resume(&token).send().await), BadToken);
        assert_eq!(kind(world.other.upsert(&Account::of(10)).resume(&token).send().await), BadToken);
        assert_eq!(kind(world.other.insert(&Account::of(10)).keyed("k").resume(&token).send().await), BadToken);
        let written = world.other.insert(&Account::of(10)).resume(&token).send().await.expect("is settled");
        assert_eq!(written.version(), Some(1));

        world.seconds_pass(1);
        world.faults.on(Operation::UpdateItem).inject(fault());
        let token = pending(world.table.update("a").add(f.balance, 5).when(f.balance.ge(1)).send().await).token();
        assert_eq!(kind(world.other.update("a").add(f.balance, 5).resume(&token).send().await), BadToken);
        assert_eq!(
            kind(world.other.update("a").add(f.balance, 6).when(f.balance.ge(1)).resume(&token).send().await),
            BadToken
        );
        let again = || world.other.update("a").add(f.balance, 5).when(f.balance.ge(1)).resume(&token);
        again().send().await.expect("is settled");
        assert!(again().send().await.expect("is settled").is_replayed());

        world.seconds_pass(1);
        world.faults.on(Operation::UpdateItem).inject(fault());
        let token = pending(world.table.upsert(&Account::of(20)).send().await).token();
        let written = world.other.upsert(&Account::of(20)).resume(&token).send().await.expect("is settled");
        assert!(matches!(written.version(), Some(3) | None));
        let found = world.other.get("a").send().await.expect("read").expect("is there");
        assert_eq!((found.balance, found.version()), (20, 3));
    }
}

#[tokio::test]
async fn a_pending_write_is_taken_up_in_time_or_not_at_all() {
    let world = World::<Buried>::new().await;
    let pending = world.insert(Fault::lost_request()).await;
    let token = pending.token();
    assert_eq!(pending.expires(), world.clock.now() + Duration::from_secs(2 * 86_400), "half as long as a tombstone");
    world.seconds_pass(2 * 86_400 + 1);
    assert_eq!(kind(pending.finish::<Buried>().await), Invalid);
    assert_eq!(kind(pending.abort().await), Invalid);
    assert_eq!(kind(world.other.insert(&Buried::of(10)).resume(&token).send().await), BadToken);
    assert_eq!(kind(world.other.pending(&token).expect("is of this table").abort().await), BadToken);
    assert!(world.stored().await.is_none());

    let world = World::<Account>::new().await;
    let pending = world.insert(Fault::lost_request()).await;
    assert_eq!(pending.expires(), world.clock.now() + Duration::from_secs(86_400), "a day");
}

#[tokio::test]
async fn a_token_that_is_none_is_refused_with_the_reason() {
    #[track_caller]
    fn refused<T: std::fmt::Debug>(result: Result<T, Error>, says: &str) {
        let error = result.expect_err("is refused");
        assert!(error.is_bad_token() && error.to_string().contains(says), "{error}");
    }
    let world = World::<Account>::new().await;
    let token = world.insert(Fault::lost_request()).await.token();
    let text = token.to_string();
    assert!(text.chars().all(|char| char.is_ascii_alphanumeric() || "-_".contains(char)), "{text}");
    assert!(!format!("{token:?}").contains("\"a\""), "shows no key: {token:?}");
    let json = serde_json::to_string(&token).expect("is text");
    assert_eq!(serde_json::from_str::<PendingToken>(&json).expect("is a token"), token);

    for position in 0..text.len() {
        let mut tampered = text.clone().into_bytes();
        tampered[position] = if tampered[position] == b'A' { b'B' } else { b'A' };
        let tampered = String::from_utf8(tampered).expect("is text");
        refused(tampered.parse::<PendingToken>(), "token");
    }
    for other in ["", "a", "AAAA", "no token", &text[..text.len() / 2], &format!("{text}{text}")] {
        refused(other.parse::<PendingToken>(), "token");
    }
    refused(world.other_table("others").pending(&token), "table `accounts`");
}

impl<T: Balance> World<T> {
    fn other_table(&self, name: &str) -> Table<T> {
        Store::new(self.engine.config().build()).table_named(name)
    }
}

fn number(number: u64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}
