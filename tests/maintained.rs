//! Attributes that maintain themselves: what each verb writes, with one time in all attempts of a call, and what an expired item is.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use aws_sdk_dynamodb::types::{AttributeValue, TimeToLiveStatus};
use aws_smithy_async::time::TimeSource;
use dynamo_once::testing::{Embedded, Fault, Faults, Operation, Reply, Request};
use dynamo_once::{
    Aborted, Attribute, EpochMillis, EpochSeconds, Error, Expiry, Item, Outcome, PendingToken, RetryPolicy, Schema,
    Store, Table,
};
use serde::{Deserialize, Serialize};

type RawItem = HashMap<String, AttributeValue>;

/// It expires a day after it was made.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, Item)]
#[item(table = "things")]
struct Note {
    #[item(partition_key)]
    id: String,
    text: String,
    #[item(created_at)]
    #[serde(default)]
    created: EpochMillis,
    #[item(updated_at)]
    updated: Option<EpochSeconds>,
    #[item(expires_after(hours = 23, minutes = 60))]
    #[serde(rename = "ttl")]
    expires: Option<EpochSeconds>,
}

/// It expires ten minutes after the last write, and leaves a tombstone when it is deleted.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, Item)]
#[item(table = "things", tombstones(ttl = "ttl", days = 4))]
struct Session {
    #[item(partition_key)]
    id: String,
    text: String,
    #[item(created_at)]
    created: EpochMillis,
    #[item(updated_at)]
    updated: EpochSeconds,
    #[item(expires_after(minutes = 10, sliding))]
    ttl: EpochSeconds,
}

fn note(text: &str) -> Note {
    // What the struct says of times is never written.
    Note { id: "a".into(), text: text.into(), created: EpochMillis(1), updated: Some(EpochSeconds(2)), expires: None }
}

fn session(text: &str) -> Session {
    Session { id: "a".into(), text: text.into(), ttl: EpochSeconds(3), ..Session::default() }
}

/// Milliseconds since the start of the world, in which nothing but the tests moves it.
#[derive(Debug, Clone, Default)]
struct Clock(Arc<AtomicU64>);

const START: u64 = 1_800_000_000;
const DAY: u64 = 24 * 60 * 60;

impl TimeSource for Clock {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(START) + Duration::from_millis(self.0.load(Ordering::Relaxed))
    }
}

struct World {
    clock: Clock,
    faults: Faults,
    store: Store,
    engine: Embedded,
}

impl World {
    async fn new() -> Self {
        let engine = Embedded::start().await;
        let (clock, faults) = (Clock::default(), Faults::around(engine.http_client()));
        let config = engine.config().http_client(faults.clone()).time_source(clock.clone()).build();
        let policy = RetryPolicy::new().initial_backoff(Duration::ZERO).jitter_seed(1);
        let store = Store::builder(config).retry(policy).build();
        store.table::<Note>().create_if_missing().await.expect("the engine makes a table");
        Self { clock, faults, store, engine }
    }

    /// The same, where every request takes a second.
    async fn slow() -> Self {
        let world = Self::new().await;
        let clock = world.clock.clone();
        let tick = move |_: &Request| {
            clock.0.fetch_add(1000, Ordering::Relaxed);
            false
        };
        world.faults.on_any().when(tick).always().inject(Fault::throttled());
        world
    }

    fn notes(&self) -> Table<Note> {
        self.store.table()
    }

    fn sessions(&self) -> Table<Session> {
        self.store.table()
    }

    /// A process that gives up at once, and one that doesn't.
    fn impatient<T: Item>(&self) -> Table<T> {
        let config = self.engine.config().http_client(self.faults.clone()).time_source(self.clock.clone()).build();
        Store::builder(config).retry(RetryPolicy::new().max_attempts(1)).build().table()
    }

    fn seconds_pass(&self, seconds: u64) {
        self.clock.0.fetch_add(seconds * 1000, Ordering::Relaxed);
    }

    async fn stored(&self) -> Option<RawItem> {
        let key = AttributeValue::S("a".into());
        let get = self.engine.client().get_item().table_name("things").key("id", key).consistent_read(true);
        get.send().await.expect("the engine answers").item
    }

    /// When the stored item was made, last written, and expires, in seconds after the start.
    async fn times(&self) -> [Option<u64>; 3] {
        let item = self.stored().await.expect("is there");
        let number = |name: &str| Some(item.get(name)?.as_n().expect("is a number").parse::<u64>().expect("is whole"));
        [number("created").map(|millis| millis / 1000), number("updated"), number("ttl")]
            .map(|time| Some(time? - START))
    }

    async fn put(&self, attributes: &[(&str, AttributeValue)]) {
        let item = attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        let item: RawItem = item.chain([("id".to_owned(), text("a")), ("text".to_owned(), text("foreign"))]).collect();
        let put = self.engine.client().put_item().table_name("things").set_item(Some(item));
        put.send().await.expect("the engine takes it");
    }

    fn requests(&self) -> usize {
        [Operation::PutItem, Operation::UpdateItem, Operation::DeleteItem]
            .into_iter()
            .map(|operation| self.faults.received(operation))
            .sum()
    }
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn number(number: u64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

#[tokio::test]
async fn each_verb_writes_the_times_that_are_its_own() {
    let world = World::new().await;
    let (notes, f) = (world.notes(), Note::FIELDS);
    notes.insert(&note("x")).send().await.expect("is inserted");
    assert_eq!(world.times().await, [Some(0), Some(0), Some(DAY)]);

    world.seconds_pass(1);
    notes.update("a").set(f.text, "y").send().await.expect("is updated");
    assert_eq!(world.times().await, [Some(0), Some(1), Some(DAY)]);

    world.seconds_pass(1);
    let found = notes.get("a").send().await.expect("is read").expect("is there");
    assert_eq!((found.created, found.updated), (EpochMillis(START * 1000), Some(EpochSeconds(START + 1))));
    notes
        .save(found.with(|note| (note.text, note.created) = ("z".into(), EpochMillis(9))))
        .send()
        .await
        .expect("saved");
    assert_eq!(world.times().await, [Some(0), Some(2), Some(DAY)]);

    world.seconds_pass(1);
    notes.modify("a", |note| (note.text, note.expires) = ("m".into(), None)).send().await.expect("is modified");
    assert_eq!(world.times().await, [Some(0), Some(3), Some(DAY)]);

    world.seconds_pass(1);
    let written = notes.upsert(&note("u")).send().await.expect("is written");
    assert_eq!(
        world.times().await,
        [Some(0), Some(4), Some(DAY + 4)],
        "an upsert writes it whole, and begins its time anew"
    );
    let item = written.item().expect("decodes").expect("comes along");
    assert_eq!((item.text.as_str(), item.updated), ("u", Some(EpochSeconds(START + 4))));

    notes.delete("a").send().await.expect("is deleted");
    world.seconds_pass(1);
    notes.upsert(&note("x")).send().await.expect("is written");
    assert_eq!(world.times().await, [Some(5), Some(5), Some(DAY + 5)]);

    notes.delete("a").send().await.expect("is deleted");
    world.seconds_pass(1);
    notes.update("a").set(f.text, "y").or_insert(&note("x")).send().await.expect("is inserted");
    assert_eq!(world.times().await, [Some(6), Some(6), Some(DAY + 6)]);
}

#[tokio::test]
async fn a_sliding_expiry_begins_anew_with_every_write() {
    let world = World::new().await;
    let sessions = world.sessions();
    sessions.insert(&session("x")).send().await.expect("is inserted");
    assert_eq!(world.times().await, [Some(0), Some(0), Some(600)]);
    world.seconds_pass(7);
    sessions.update("a").set(Session::FIELDS.text, "y").send().await.expect("is updated");
    assert_eq!(world.times().await, [Some(0), Some(7), Some(607)]);
    world.seconds_pass(7);
    sessions.modify("a", |session| session.text = "z".into()).send().await.expect("is modified");
    assert_eq!(world.times().await, [Some(0), Some(14), Some(614)]);
    world.seconds_pass(7);
    sessions.upsert(&session("u")).send().await.expect("is written");
    assert_eq!(world.times().await, [Some(0), Some(21), Some(621)]);
}

#[tokio::test]
async fn times_are_never_sent_alone_and_are_no_ones_to_change() {
    let world = World::new().await;
    let (notes, f) = (world.notes(), Note::FIELDS);
    notes.insert(&note("x")).send().await.expect("is inserted");
    let before = (world.stored().await, world.requests());
    world.seconds_pass(1);
    let edits =
        |note: &mut Note| (note.created, note.updated, note.expires) = (EpochMillis(5), None, Some(EpochSeconds(6)));
    let found = notes.get("a").send().await.expect("is read").expect("is there");
    let saved = notes.save(found.with(edits)).send().await.expect("is nothing");
    let modified = notes.modify("a", edits).send().await.expect("is nothing");
    assert_eq!((saved.outcome(), modified.outcome()), (Outcome::Unchanged, Outcome::Unchanged));

    for update in [
        notes.update("a").set(f.created, EpochMillis(5)),
        notes.update("a").remove(f.updated).set(f.text, "y"),
        notes.update("a").add(f.expires, 60),
    ] {
        let error = update.send().await.expect_err("maintains itself");
        assert!(error.is_invalid() && error.to_string().contains("maintains itself"), "{error}");
    }
    let error = notes.upsert_newer(&note("y"), f.updated).send().await.expect_err("isn't the caller's");
    assert!(error.is_invalid() && error.to_string().contains("maintains itself"), "{error}");
    assert_eq!((world.stored().await, world.requests()), before, "nothing was sent");

    let old = notes.update("a").set(f.text, "y").when(f.created.le(EpochMillis::from(world.clock.now())));
    old.send().await.expect("conditions may name them");
}

#[tokio::test]
async fn a_write_that_is_sent_again_carries_the_same_times() {
    for verb in 0..5 {
        let world = World::slow().await;
        let (notes, f) = (world.notes(), Note::FIELDS);
        if verb > 1 {
            notes.insert(&note("x")).send().await.expect("is inserted");
        }
        let began = world.clock.now();
        let operation = if verb == 0 { Operation::PutItem } else { Operation::UpdateItem };
        world.faults.on(operation.clone()).times(3).inject(Fault::lost_reply());
        let written = match verb {
            0 => notes.insert(&note("y")).send().await,
            1 | 2 => notes.upsert(&note("y")).send().await,
            3 => notes.update("a").set(f.text, "y").send().await,
            _ => notes.modify("a", |note| note.text = "y".into()).send().await,
        };
        assert!(written.expect("is written").is_replayed(), "{verb}");
        assert!(world.clock.now() >= began + Duration::from_secs(4), "time passed: {verb}");
        // The write of a `modify` begins after its read.
        let began = EpochSeconds::from(began).0 - START + u64::from(verb == 4);
        assert_eq!(world.times().await[1], Some(began), "{verb}");
    }
}

#[tokio::test]
async fn a_call_that_takes_another_form_keeps_its_time() {
    // An update that adopts another program's item, and one that inserts.
    let world = World::slow().await;
    world.put(&[]).await;
    let before = world.requests();
    world.notes().update("a").set(Note::FIELDS.text, "y").send().await.expect("is adopted");
    assert_eq!(world.requests(), before + 2);
    let began = world.times().await[1].expect("was written");
    assert_eq!(world.times().await, [None, Some(began), None], "it isn't known when it was made");
    assert_eq!(EpochSeconds::from(world.clock.now()).0 - START, began + 2);

    let world = World::slow().await;
    let began = EpochSeconds::from(world.clock.now()).0 - START;
    world.notes().update("a").set(Note::FIELDS.text, "y").or_insert(&note("x")).send().await.expect("is inserted");
    assert_eq!(world.times().await, [Some(began), Some(began), Some(began + DAY)]);
    assert_eq!(EpochSeconds::from(world.clock.now()).0 - START, began + 2);
}

#[tokio::test]
async fn an_upsert_of_an_item_without_a_time_gives_it_one() {
    let world = World::new().await;
    world.put(&[]).await;
    world.notes().upsert(&note("x")).send().await.expect("is written");
    assert_eq!(world.times().await, [Some(0), Some(0), Some(DAY)]);
    world.put(&[("created", number((START - 9) * 1000 + 9000))]).await;
    world.seconds_pass(5);
    world.notes().upsert(&note("x")).send().await.expect("is written");
    assert_eq!(world.times().await, [Some(0), Some(5), Some(DAY + 5)], "and keeps one that it has");
}

#[tokio::test]
async fn a_keyed_insert_is_the_same_whenever_it_is_repeated() {
    let world = World::new().await;
    world.notes().insert(&note("x")).keyed("event").send().await.expect("is inserted");
    let stored = world.stored().await;
    world.seconds_pass(3600);
    let again = Note { created: EpochMillis(77), updated: None, ..note("x") };
    let another = world.impatient::<Note>();
    assert!(another.insert(&again).keyed("event").send().await.expect("is the same").is_replayed());
    assert_eq!(world.stored().await, stored);
    assert!(another.insert(&note("y")).keyed("event").send().await.expect_err("is another").is_key_reused());
}

#[tokio::test]
async fn deletes_and_fences_touch_no_time_and_a_tombstone_has_its_own() {
    let world = World::new().await;
    let sessions = world.sessions();
    sessions.insert(&session("x")).send().await.expect("is inserted");
    let before = world.times().await;
    world.seconds_pass(1);
    world.faults.on(Operation::UpdateItem).inject(Fault::lost_request());
    let unknown =
        world.impatient::<Session>().update("a").set(Session::FIELDS.text, "y").send().await.expect_err("lost");
    let aborted = unknown.pending().expect("is pending").abort().await.expect("is fenced");
    assert_eq!((aborted, world.times().await), (Aborted::Prevented, before));

    sessions.delete("a").send().await.expect("is deleted");
    assert_eq!(world.times().await, [None, None, Some(1 + 4 * DAY)]);
    world.seconds_pass(1);
    sessions.insert(&session("x")).send().await.expect("comes to life");
    assert_eq!(world.times().await, [Some(2), Some(2), Some(602)]);
    sessions.delete("a").send().await.expect("is deleted");
    world.seconds_pass(1);
    // Nothing stays of what was, nor of what another program has put there.
    let mut tombstone = world.stored().await.expect("is there");
    tombstone.insert("created".to_owned(), number(1));
    let put = world.engine.client().put_item().table_name("things").set_item(Some(tombstone));
    put.send().await.expect("the engine takes it");
    sessions.upsert(&session("x")).send().await.expect("comes to life");
    assert_eq!(world.times().await, [Some(3), Some(3), Some(603)]);
    sessions.delete("a").send().await.expect("is deleted");
    world.seconds_pass(1);
    let update = sessions.update("a").set(Session::FIELDS.text, "y").or_insert(&session("x"));
    update.send().await.expect("comes to life");
    assert_eq!(world.times().await, [Some(4), Some(4), Some(604)]);
}

#[tokio::test]
async fn a_call_that_another_process_goes_on_with_writes_the_time_it_began() {
    for (verb, lost) in (0..3).flat_map(|verb| [(verb, Fault::lost_request()), (verb, Fault::lost_reply())]) {
        let world = World::new().await;
        let (table, f) = (world.impatient::<Note>(), Note::FIELDS);
        if verb == 2 {
            table.insert(&note("x")).send().await.expect("is inserted");
        }
        world.seconds_pass(10);
        world.faults.on_any().inject(lost);
        let send = async |table: &Table<Note>, text: &str, token: Option<&PendingToken>| match (verb, token) {
            (0, None) => table.insert(&note(text)).keyed("event").send().await,
            (0, Some(token)) => table.insert(&note(text)).keyed("event").resume(token).send().await,
            (1, None) => table.upsert(&note(text)).send().await,
            (1, Some(token)) => table.upsert(&note(text)).resume(token).send().await,
            (_, None) => table.update("a").set(f.text, text).send().await,
            (_, Some(token)) => table.update("a").set(f.text, text).resume(token).send().await,
        };
        let token = send(&table, "y", None).await.expect_err("is lost").pending().expect("is pending").token();
        world.seconds_pass(3600);
        let (another, token) = (world.notes(), token.to_string().parse::<PendingToken>().expect("is a token"));
        assert!(send(&another, "other", Some(&token)).await.expect_err("has other content").is_bad_token());
        send(&another, "y", Some(&token)).await.unwrap_or_else(|error| panic!("{verb}: {error:?}"));
        assert_eq!(world.times().await[1], Some(10), "{verb}");
    }
}

#[tokio::test]
async fn reads_take_an_expired_item_for_absent() {
    let world = World::new().await;
    let notes = world.notes();
    notes.insert(&note("x")).send().await.expect("is inserted");
    world.seconds_pass(DAY - 1);
    assert!(notes.get("a").send().await.expect("is read").is_some());
    world.seconds_pass(1);
    assert!(notes.get("a").send().await.expect("is read").is_none());
    let many = notes.get_many(["a", "b"]).send().await.expect("is read");
    assert!(many.into_iter().all(|found| found.expect("is nothing").is_none()));
    assert!(notes.modify("a", |note| note.text = "y".into()).send().await.expect_err("is gone").is_not_found());
    assert!(world.stored().await.is_some(), "until DynamoDB deletes it");

    // However the number is written, and nothing but a number.
    for (ttl, is_there) in [
        (AttributeValue::N("1.5E9".into()), false),
        (AttributeValue::N("-1".into()), false),
        (AttributeValue::N("1E10".into()), true),
        (AttributeValue::Null(true), true),
    ] {
        world.put(&[("ttl", ttl.clone())]).await;
        assert_eq!(notes.get("a").send().await.expect("decodes").is_some(), is_there, "{ttl:?}");
    }
    world.put(&[("ttl", text("1"))]).await;
    assert!(notes.get("a").send().await.expect_err("is no number").is_decode());
}

#[tokio::test]
async fn writes_see_an_expired_item_and_there_are_two_ways_out() {
    let world = World::new().await;
    let notes = world.notes();
    notes.insert(&note("x")).send().await.expect("is inserted");
    world.seconds_pass(DAY);
    notes.update("a").set(Note::FIELDS.text, "y").send().await.expect("is stored");
    assert!(notes.get("a").send().await.expect("is read").is_none(), "the update goes with it");

    let refused = notes.insert(&note("z")).send().await.expect_err("the key is taken");
    assert!(refused.is_already_exists());
    let expired = refused.current::<Note>().expect("decodes").expect("comes along");
    assert_eq!(expired.text, "y");
    notes.delete("a").at(&expired).send().await.expect("is as it was");
    notes.insert(&note("z")).send().await.expect("there is place");
    assert_eq!(world.times().await, [Some(DAY), Some(DAY), Some(2 * DAY)]);

    world.seconds_pass(DAY);
    notes.upsert(&note("u")).send().await.expect("is written");
    let found = notes.get("a").send().await.expect("is read").expect("begins anew");
    assert_eq!((found.text.as_str(), found.expires), ("u", Some(EpochSeconds(START + 3 * DAY))));

    // A sliding one comes back with any write.
    world.put(&[]).await;
    let sessions = world.sessions();
    sessions.upsert(&session("x")).send().await.expect("is written");
    world.seconds_pass(601);
    assert!(sessions.get("a").send().await.expect("is read").is_none());
    sessions.update("a").set(Session::FIELDS.text, "y").send().await.expect("is stored");
    assert_eq!(sessions.get("a").send().await.expect("is read").expect("is back").text, "y");
}

#[tokio::test]
async fn modify_finds_nothing_where_a_conflict_brings_an_expired_item() {
    let world = World::new().await;
    let notes = world.notes();
    notes.insert(&note("x")).send().await.expect("is inserted");
    let mut other = world.stored().await.expect("is there");
    other.extend([("version".to_owned(), number(2)), ("ttl".to_owned(), number(START))]);
    world.faults.on(Operation::UpdateItem).inject(Fault::reply(Reply::condition_failed(Some(other))));
    let error = notes.modify("a", |note| note.text = "y".into()).send().await.expect_err("is gone");
    assert!(error.is_not_found() && error.operation() == "modify", "{error:?}");
}

#[tokio::test]
async fn the_table_expires_items_by_their_attribute() {
    let world = World::new().await;
    let described = world.engine.client().describe_time_to_live().table_name("things").send().await.expect("answers");
    let ttl = described.time_to_live_description.expect("is described");
    assert_eq!(ttl.attribute_name(), Some("ttl"));
    assert!(matches!(ttl.time_to_live_status(), Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling)));
    world.sessions().create_if_missing().await.expect("goes by the same");
}

/// By hand.
#[derive(Debug, Serialize, Deserialize)]
struct Lease {
    id: String,
    text: String,
    #[serde(default)]
    since: EpochMillis,
    renewed: Option<EpochMillis>,
    until: Option<EpochSeconds>,
}

impl Item for Lease {
    type Key = String;
    const SCHEMA: Schema = Schema::new("id")
        .table("things")
        .created_at::<EpochMillis>("created")
        .updated_at::<Option<EpochSeconds>>("updated")
        .expires_after(Expiry::new("ttl", Duration::from_secs(60)).sliding())
        .attributes(&[Attribute::new("id"), Attribute::new("text")]);
}

#[tokio::test]
async fn an_item_written_by_hand_has_them_too() {
    let world = World::new().await;
    let leases = world.store.table::<Lease>();
    let lease = Lease { id: "a".into(), text: "x".into(), since: EpochMillis(0), renewed: None, until: None };
    leases.insert(&lease).send().await.expect("is inserted");
    assert_eq!(world.times().await, [Some(0), Some(0), Some(60)]);
    world.seconds_pass(5);
    leases.upsert(&lease).send().await.expect("is written");
    assert_eq!(world.times().await, [Some(0), Some(5), Some(65)]);
    let expiry = Lease::SCHEMA.expiry().expect("expires");
    assert_eq!((expiry.ttl_attribute_name(), expiry.after()), ("ttl", Duration::from_secs(60)));
}

#[tokio::test]
async fn names_in_each_others_way_are_refused_before_anything_is_sent() {
    macro_rules! refused {
        ($($item:ident: $schema:expr;)*) => {$({
            #[derive(Serialize, Deserialize)]
            struct $item { id: String }
            impl Item for $item {
                type Key = String;
                const SCHEMA: Schema = $schema;
            }
            let world = World::new().await;
            let before = world.requests();
            let error: Error = world.store.table_named::<$item>("things").insert(&$item { id: "a".into() }).send().await
                .expect_err(stringify!($item));
            assert!(error.is_invalid(), "{error}");
            println!("{error}");
            assert_eq!(world.requests(), before);
        })*};
    }
    const HOUR: Duration = Duration::from_secs(3600);
    refused! {
        Key: Schema::new("id").created_at::<EpochMillis>("id");
        Version: Schema::new("id").updated_at::<EpochMillis>("version");
        Stamp: Schema::new("id").expires_after(Expiry::new("_wt", HOUR));
        Nameless: Schema::new("id").created_at::<EpochMillis>("");
        Same: Schema::new("id").created_at::<EpochMillis>("at").expires_after(Expiry::new("at", HOUR));
        TwoTtls: Schema::new("id").expires_after(Expiry::new("at", HOUR)).tombstones(dynamo_once::Tombstones::new("ttl"));
        Buried: Schema::new("id").updated_at::<EpochSeconds>("ttl").tombstones(dynamo_once::Tombstones::new("ttl"));
    }
}

/// A time as a key.
#[derive(Debug, Serialize, Deserialize, Item)]
#[item(table = "readings")]
struct Reading {
    #[item(partition_key)]
    sensor: String,
    #[item(sort_key)]
    at: EpochMillis,
}

#[tokio::test]
async fn a_time_can_be_a_key() {
    let world = World::new().await;
    let readings = world.store.table::<Reading>();
    readings.create_if_missing().await.expect("the engine makes a table");
    let at = EpochMillis::from(world.clock.now());
    readings.insert(&Reading { sensor: "s".into(), at }).send().await.expect("is inserted");
    assert_eq!(readings.get(("s", at)).send().await.expect("is read").expect("is there").at, at);
}

#[test]
fn a_double_shows_the_times_that_it_is_given() {
    let shown = Session { created: EpochMillis(7), updated: EpochSeconds(8), ttl: EpochSeconds(9), ..session("x") };
    assert_eq!(*dynamo_once::testing::mock::versioned(shown.clone(), 3).expect("decodes"), shown);
}
