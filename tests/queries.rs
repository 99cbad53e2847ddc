//! Queries and scans on an engine: which items come, in how many requests, and where one goes on.

#![cfg(feature = "embedded")]

use std::collections::{BTreeSet, HashMap};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};
use dynamo_once::testing::{Embedded, Fault, Faults, Operation};
use dynamo_once::{Consistency, Error, ErrorKind, Item, Projection, RetryPolicy, StartToken, Store, Table, Versioned};
use futures_core::Stream;
use serde::{Deserialize, Serialize};

type RawItem = HashMap<String, AttributeValue>;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Item)]
#[item(table = "readings")]
struct Reading {
    #[item(partition_key)]
    sensor: String,
    #[item(sort_key)]
    at: u32,
    value: i64,
    #[serde(rename = "remark")]
    note: Option<String>,
}

#[derive(Debug, PartialEq, Deserialize, Projection)]
#[projection(of = Reading)]
struct Note {
    at: u32,
    #[serde(rename = "remark")]
    note: Option<String>,
}

/// A table on an engine of its own, and what goes to it.
struct World<T> {
    faults: Faults,
    sdk: Client,
    table: Table<T>,
    engine: Embedded,
}

impl<T: Item> World<T> {
    async fn new() -> Self {
        let engine = Embedded::start().await;
        let faults = Faults::around(engine.http_client());
        let table = Self::store(&engine, &faults).table::<T>();
        table.create_if_missing().await.expect("the table is made");
        Self { faults, sdk: engine.client(), table, engine }
    }

    fn store(engine: &Embedded, faults: &Faults) -> Store {
        let policy = RetryPolicy::new().max_attempts(3).jitter_seed(1);
        Store::builder(engine.config().http_client(faults.clone()).build()).retry(policy).build()
    }

    /// The same table, in another program.
    fn elsewhere(&self) -> Table<T> {
        Self::store(&self.engine, &self.faults).table()
    }

    fn sent(&self) -> usize {
        self.faults.received(Operation::Query) + self.faults.received(Operation::Scan)
    }

    /// What the call gives, and how many requests it takes.
    async fn counted<V>(&self, call: impl Future<Output = V>) -> (V, usize) {
        let before = self.sent();
        let given = call.await;
        (given, self.sent() - before)
    }

    /// Stores items as another program would.
    async fn put(&self, items: impl IntoIterator<Item = RawItem>) {
        let requests: Vec<_> = items
            .into_iter()
            .map(|item| PutRequest::builder().set_item(Some(item)).build().expect("has an item"))
            .map(|put| WriteRequest::builder().put_request(put).build())
            .collect();
        for batch in requests.chunks(25) {
            let write = self.sdk.batch_write_item().request_items(self.table.name(), batch.to_vec());
            write.send().await.expect("the engine takes the batch");
        }
    }
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn reading(sensor: &str, at: u32) -> RawItem {
    let attributes = [("sensor", text(sensor)), ("at", number(at)), ("value", number(i64::from(at) % 10))];
    attributes.map(|(name, value)| (name.to_owned(), value)).into()
}

fn padded(mut item: RawItem, bytes: usize) -> RawItem {
    item.insert("remark".to_owned(), text(&"x".repeat(bytes)));
    item
}

fn times(items: &[Versioned<Reading>]) -> Vec<u32> {
    items.iter().map(|item| item.at).collect()
}

#[track_caller]
fn invalid<V>(result: Result<V, Error>, says: &[&str]) {
    refused(result, ErrorKind::Invalid, says);
}

#[track_caller]
fn refused<V>(result: Result<V, Error>, kind: ErrorKind, says: &[&str]) {
    let error = result.err().expect("is refused");
    assert_eq!((error.kind(), error.attempts()), (kind, 0), "{error}");
    says.iter().for_each(|part| assert!(error.to_string().contains(part), "{error}: {part}"));
}

/// Ten readings of sensor `a`, managed, at 0 to 9.
async fn ten() -> World<Reading> {
    let world = World::<Reading>::new().await;
    for at in 0..10 {
        let reading = Reading { sensor: "a".into(), at, value: i64::from(at), note: None };
        world.table.insert(&reading).send().await.expect("is inserted");
    }
    world
}

#[tokio::test]
async fn ten_thousand_items_come_in_as_many_requests_as_the_plain_sdk_sends() {
    let world = World::<Reading>::new().await;
    world.put((0..10_000).map(|at| padded(reading("a", at), 300))).await;
    world.put((0..50).map(|at| reading("b", at))).await;

    let (items, ours) = world.counted(world.table.query("a").items().collect()).await;
    assert_eq!(times(&items.expect("is read")), (0..10_000).collect::<Vec<_>>());
    let plainly = async {
        let query = world.sdk.query().table_name("readings").key_condition_expression("sensor = :a");
        let mut pages = query.expression_attribute_values(":a", text("a")).into_paginator().send();
        let mut count = 0;
        while let Some(page) = pages.next().await {
            page.expect("is read");
            count += 1;
        }
        count
    };
    let pages = plainly.await;
    assert!(pages > 2 && ours == pages, "{ours} requests, {pages} of the plain SDK");

    let (count, counting) = world.counted(world.table.query("a").count()).await;
    assert_eq!((count.expect("is counted"), counting), (10_000, pages));

    let (scanned, requests) = world.counted(world.table.scan().items().collect()).await;
    let serial: BTreeSet<_> = scanned.expect("is read").iter().map(|item| (item.sensor.clone(), item.at)).collect();
    assert_eq!((serial.len(), requests), (10_050, pages));
    for segments in [1, 2, 7] {
        let scanned = world.table.scan().segments(segments).items().collect().await.expect("is read");
        let parallel: BTreeSet<_> = scanned.iter().map(|item| (item.sensor.clone(), item.at)).collect();
        assert!(scanned.len() == 10_050 && parallel == serial, "{segments} segments");
        assert_eq!(world.table.scan().segments(segments).count().await.expect("is counted"), 10_050);
    }
}

#[tokio::test]
async fn conditions_on_the_sort_key_take_what_they_say_in_either_order() {
    let world = ten().await;
    let a = || world.table.query("a");
    for (query, expected) in [
        (a(), 0..10),
        (a().eq(3), 3..4),
        (a().lt(3), 0..3),
        (a().le(3), 0..4),
        (a().gt(3), 4..10),
        (a().ge(3), 3..10),
        (a().between(3, 5), 3..6),
    ] {
        let items = query.items().collect().await.expect("is read");
        assert_eq!(times(&items), expected.clone().collect::<Vec<_>>());
    }
    let items = a().gt(3).descending().items().collect().await.expect("is read");
    assert_eq!(times(&items), (4..10).rev().collect::<Vec<_>>());
    assert!(items.iter().all(|item| item.version() == 1));
    assert!(world.table.query("b").items().collect().await.expect("is read").is_empty());
}

#[tokio::test]
async fn a_limit_reads_no_more_than_it_hands_out() {
    let world = World::<Reading>::new().await;
    world.put((0..100).map(|at| reading("a", at))).await;
    let meter = dynamo_once::Meter::new();
    let table = world.table.metered(&meter);

    let (items, requests) = world.counted(table.query("a").limit(7).items().collect()).await;
    assert_eq!((times(&items.expect("is read")), requests), ((0..7).collect(), 1));
    assert_eq!(meter.of("query").read_units, 1.0);

    let (items, requests) = world.counted(table.query("a").limit(25).page_size(10).items().collect()).await;
    assert_eq!((items.expect("is read").len(), requests), (25, 3));
    let (count, requests) = world.counted(table.query("a").limit(25).page_size(10).count()).await;
    assert_eq!((count.expect("is counted"), requests), (25, 3));
    let (items, requests) = world.counted(table.query("a").limit(1_000).items().collect()).await;
    assert_eq!((items.expect("is read").len(), requests), (100, 1));
}

#[tokio::test]
async fn a_filter_that_empties_pages_reads_on() {
    let world = World::<Reading>::new().await;
    world.put((0..100).map(|at| reading("a", at))).await;
    let f = Reading::FIELDS;
    let nines = || world.table.query("a").filter(f.value.eq(9)).filter(f.note.not_exists());

    let (items, requests) = world.counted(nines().page_size(5).items().collect()).await;
    assert_eq!(times(&items.expect("is read")), (0..10).map(|ten| 10 * ten + 9).collect::<Vec<_>>());
    assert!((20..=21).contains(&requests), "{requests}");
    let (page, requests) = world.counted(nines().limit(3).page()).await;
    let page = page.expect("is read");
    assert_eq!((times(page.items()), requests), (vec![9, 19, 29], 1));
    let rest = nines().start_after(page.next_token().expect("there is more").clone()).items().collect().await;
    assert_eq!(times(&rest.expect("is read")), [39, 49, 59, 69, 79, 89, 99]);
    assert_eq!(nines().page_size(5).count().await.expect("is counted"), 10);
    assert_eq!(nines().page_size(5).limit(4).count().await.expect("is counted"), 4);
    assert_eq!(world.table.scan().filter(f.value.eq(9)).count().await.expect("is counted"), 10);
    let of_key = world.table.scan().filter(f.sensor.eq("a") & f.value.eq(9)).items().collect().await;
    assert_eq!(of_key.expect("a scan's filter takes key attributes").len(), 10);
}

#[tokio::test]
async fn pages_follow_each_other_across_programs_without_gap_or_repeat() {
    let world = World::<Reading>::new().await;
    world.put((0..103).map(|at| reading("a", at))).await;
    for (limit, size) in [(1, None), (10, None), (7, Some(3)), (25, Some(100)), (200, None)] {
        let (mut seen, mut link) = (Vec::new(), None::<String>);
        loop {
            let mut query = world.elsewhere().query("a").descending().filter(Reading::FIELDS.value.ne(3)).limit(limit);
            if let Some(size) = size {
                query = query.page_size(size);
            }
            if let Some(link) = &link {
                query = query.start_after(link.parse().expect("is a token"));
            }
            let page = query.page().await.expect("is read");
            assert!(page.items().len() <= limit && page.failures().is_empty());
            seen.extend(times(page.items()));
            match page.next_token() {
                Some(next) => link = Some(next.to_string()),
                None => break,
            }
        }
        assert_eq!(seen, (0..103).rev().filter(|at| at % 10 != 3).collect::<Vec<_>>(), "{limit} {size:?}");
    }
    let page = world.table.query("a").page().await.expect("is read");
    assert_eq!(page.items().len(), 25);

    let scanned = world.table.scan().limit(60).page().await.expect("is read");
    let rest = world.elsewhere().scan().limit(60).start_after(scanned.next_token().expect("more").clone()).page().await;
    let rest = rest.expect("is read");
    assert_eq!((rest.items().len(), rest.next_token()), (43, None));
    let all: BTreeSet<_> = scanned.into_items().into_iter().chain(rest.into_items()).map(|item| item.at).collect();
    assert_eq!(all.len(), 103);
}

#[tokio::test]
async fn an_item_that_does_not_decode_is_reported_and_the_stream_goes_on() {
    let world = World::<Reading>::new().await;
    world.put((0..5).map(|at| reading("a", at))).await;
    let mut broken = reading("a", 2);
    broken.insert("value".to_owned(), text("secret"));
    let mut unusable = reading("a", 3);
    unusable.insert("version".to_owned(), text("nothing"));
    world.put([broken, unusable]).await;

    let (mut seen, mut kinds, mut items) = (Vec::new(), Vec::new(), world.table.query("a").items());
    while let Some(item) = items.next().await {
        match item {
            Ok(item) => seen.push(item.at),
            Err(error) => {
                assert!(error.raw_current().is_some_and(|raw| raw["sensor"] == text("a")));
                assert!(error.to_string().starts_with("query of readings: the stored attribute `v"), "{error}");
                assert!(!format!("{error:?}").contains("secret"), "{error:?}");
                kinds.push(error.kind());
            }
        }
    }
    assert_eq!((seen, kinds), (vec![0, 1, 4], vec![ErrorKind::Decode, ErrorKind::Malformed]));
    assert!(items.next().await.is_none(), "the stream is fused");
    assert!(world.table.query("a").items().collect().await.expect_err("ends at the first").is_decode());

    let page = world.table.query("a").limit(3).page().await.expect("is read");
    assert_eq!((times(page.items()), page.failures().len()), (vec![0, 1], 1));
    let next =
        world.table.query("a").start_after(page.next_token().expect("more").clone()).page().await.expect("is read");
    assert_eq!((times(next.items()), next.failures().len()), (vec![4], 1));
    assert_eq!(world.table.query("a").count().await.expect("is counted"), 5);
}

#[derive(Debug, Serialize, Deserialize, Item)]
#[item(table = "sessions", tombstones(ttl = "expires"))]
struct Session {
    #[item(partition_key)]
    user: String,
    #[item(sort_key)]
    id: String,
}

#[tokio::test]
async fn tombstones_are_no_items() {
    let world = World::<Session>::new().await;
    let session = |id: u32| Session { user: "eve".into(), id: format!("s-{id:02}") };
    for id in 0..20 {
        world.table.insert(&session(id)).send().await.expect("is inserted");
        if id < 15 {
            world.table.delete(("eve", &*session(id).id)).send().await.expect("is deleted");
        }
    }
    let eve = || world.table.query("eve");
    assert_eq!(eve().items().collect().await.expect("is read").len(), 5);
    assert_eq!(eve().count().await.expect("is counted"), 5);
    assert_eq!(world.table.scan().count().await.expect("is counted"), 5);
    assert_eq!(world.table.scan().segments(3).items().collect().await.expect("is read").len(), 5);
    // The first of a row of deleted ones: a request for one item, and one for the rest of the page.
    let (page, requests) = world.counted(eve().limit(1).page()).await;
    let page = page.expect("is read");
    assert_eq!((page.items()[0].id.as_str(), requests), ("s-15", 2));
    let (last, requests) = world.counted(eve().descending().limit(5).items().collect()).await;
    assert_eq!((last.expect("is read").len(), requests), (5, 1));
    let begun = eve().begins_with("s-1").items().collect().await.expect("is read");
    assert_eq!(begun.len(), 5);

    // Another program, whose type knows of no tombstones, takes them for what they are all the same.
    #[derive(Debug, Serialize, Deserialize, Item)]
    struct Other {
        #[item(partition_key)]
        user: String,
        #[item(sort_key)]
        id: String,
    }
    let others = World::<Session>::store(&world.engine, &world.faults).table_named::<Other>("sessions");
    let (items, requests) = world.counted(others.query("eve").limit(5).items().collect()).await;
    assert_eq!((items.expect("is read").len(), requests), (5, 2));
    assert_eq!(others.query("eve").count().await.expect("is counted"), 5);
    let either = Other::FIELDS.id.eq("s-03") | Other::FIELDS.id.eq("s-17");
    assert_eq!(others.scan().filter(either).count().await.expect("is counted"), 1);
    assert_eq!(others.scan().limit(3).count().await.expect("is counted"), 3);
    #[derive(Debug, Deserialize)]
    struct Id {
        id: String,
    }
    impl Projection<Other> for Id {
        const ATTRIBUTES: &'static [&'static str] = &["id"];
    }
    let ids = others.query("eve").project::<Id>().items().collect().await.expect("is read");
    assert_eq!(ids.iter().map(|id| id.id.as_str()).collect::<Vec<_>>(), ["s-15", "s-16", "s-17", "s-18", "s-19"]);
}

#[tokio::test]
async fn a_projection_reads_its_part_with_the_version() {
    let world = ten().await;
    world.put([padded(reading("b", 7), 3)]).await;
    let notes = world.table.query("b").project::<Note>().items().collect().await.expect("is read");
    assert_eq!((&*notes[0], notes[0].version()), (&Note { at: 7, note: Some("xxx".into()) }, 0));
    let notes = world.table.scan().project::<Note>().items().collect().await.expect("is read");
    assert_eq!(notes.len(), 11);
    let whole = world.table.get(("a", 3)).send().await.expect("is read").expect("is there");
    assert!(notes.iter().any(|note| note.etag() == whole.etag() && note.at == 3));

    // Its token is the query's, whatever is read of the items.
    let page = world.table.query("a").project::<Note>().limit(4).page().await.expect("is read");
    let rest =
        world.table.query("a").start_after(page.next_token().expect("more").clone()).page().await.expect("is read");
    assert_eq!(times(rest.items()), (4..10).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_projection_that_leaves_out_what_it_requires_says_so_of_each_item() {
    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "never read")]
    struct Lacking {
        at: u32,
        value: i64,
    }
    impl Projection<Reading> for Lacking {
        const ATTRIBUTES: &'static [&'static str] = &["at"];
    }
    let world = ten().await;
    let page = world.table.query("a").project::<Lacking>().limit(3).page().await.expect("is read");
    assert_eq!(page.failures().len(), 3);
    let error = &page.failures()[0];
    assert!(error.is_decode() && error.raw_current().is_some());
    assert!(error.to_string().contains("the projection leaves out the attribute `value`"), "{error}");
}

#[tokio::test]
async fn bad_input_is_told_before_anything_is_sent() {
    let world = ten().await;
    let (a, scan, f) = (|| world.table.query("a"), || world.table.scan(), Reading::FIELDS);
    let before = world.sent();
    invalid(a().limit(0).items().collect().await, &["query of readings", "a limit of 0"]);
    invalid(a().limit(0).page().await, &["a limit of 0"]);
    invalid(a().limit(0).count().await, &["query of readings", "a limit of 0"]);
    invalid(scan().limit(0).items().collect().await, &["scan of readings", "a limit of 0"]);
    invalid(a().page_size(0).items().collect().await, &["a page of 0 items"]);
    invalid(a().ge(3).le(7).items().collect().await, &["one condition on the sort key", "`between`"]);
    invalid(a().between(7, 3).items().collect().await, &["`at`", "the lower one first"]);
    invalid(world.table.query("").items().collect().await, &["`sensor`", "is empty"]);
    invalid(a().filter(f.at.gt(3)).items().collect().await, &["the filter names the key attribute `at`"]);
    invalid(a().filter(!(f.value.gt(3) | f.sensor.eq("a"))).count().await, &["the key attribute `sensor`"]);
    invalid(a().filter(f.value.between(7, 3)).items().collect().await, &["`value`", "the lower one first"]);
    invalid(scan().segments(0).items().collect().await, &["0 segments"]);
    invalid(scan().segments(1_000_001).items().collect().await, &["1000001 segments"]);
    invalid(scan().segments(2).page().await, &["a parallel scan has no order"]);
    invalid(scan().segments(2).items().next_token(), &["scan of readings", "a parallel scan has no order"]);

    let mut items = a().limit(0).items();
    assert!(items.next().await.is_some_and(|item| item.is_err()) && items.next().await.is_none());
    assert_eq!(world.sent(), before);
}

#[tokio::test]
async fn a_start_token_of_another_query_is_refused() {
    let world = ten().await;
    let (a, f) = (|| world.table.query("a").limit(2), Reading::FIELDS);
    let next = async |page: Result<dynamo_once::Page<Reading>, Error>| -> StartToken {
        page.expect("is read").next_token().expect("there is more").clone()
    };
    let token = next(a().page().await).await;
    let before = world.sent();
    for other in [
        world.table.query("b"),
        a().ge(1),
        a().descending(),
        a().filter(f.value.gt(1)),
        a().filter(f.value.gt(2)),
        World::<Reading>::store(&world.engine, &world.faults).table_named::<Reading>("others").query("a"),
    ] {
        let says = ["the start token is of another query or scan"];
        refused(other.start_after(token.clone()).items().collect().await, ErrorKind::BadToken, &says);
    }
    let scanned = world.table.scan().start_after(token.clone()).page().await;
    refused(scanned, ErrorKind::BadToken, &["scan of readings", "another query or scan"]);
    invalid(world.table.scan().segments(2).start_after(token.clone()).count().await, &["a parallel scan has no order"]);
    assert_eq!(world.sent(), before);

    // What may differ, and what the text says when it was damaged.
    let same = a().page_size(1).consistency(Consistency::Eventual).limit(7).start_after(token.clone()).page().await;
    assert_eq!(times(same.expect("is read").items()), (2..9).collect::<Vec<_>>());
    let mut damaged = token.to_string();
    let letter = damaged.remove(20);
    damaged.insert(20, if letter == 'A' { 'B' } else { 'A' });
    let says = ["this is no start token, or it was damaged"];
    refused(damaged.parse::<StartToken>(), ErrorKind::BadToken, &says);
    assert!(!format!("{token:?}").contains("sensor"));
}

#[tokio::test(start_paused = true)]
async fn a_query_whose_reply_is_lost_is_asked_again() {
    let world = ten().await;
    world.faults.on(Operation::Query).nth(2).inject(Fault::lost_reply());
    world.faults.on(Operation::Query).nth(4).inject(Fault::throttled());
    let (items, requests) = world.counted(world.table.query("a").page_size(4).items().collect()).await;
    assert_eq!((times(&items.expect("is read")), requests), ((0..10).collect(), 5), "{}", world.faults.log());
    world.faults.on(Operation::Scan).inject(Fault::truncated_reply());
    let (count, requests) = world.counted(world.table.scan().count()).await;
    assert_eq!((count.expect("is counted"), requests), (10, 2));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_fails_for_good_ends_the_stream_where_another_goes_on() {
    let world = ten().await;
    world.faults.on(Operation::Query).nth(3).times(3).inject(Fault::unavailable());

    let mut items = world.table.query("a").page_size(4).items();
    assert_eq!(items.next_token().expect("has an order"), None);
    let mut seen = Vec::new();
    let error = loop {
        match items.next().await.expect("it isn't over yet") {
            Ok(item) => seen.push(item.at),
            Err(error) => break error,
        }
    };
    assert_eq!((seen.len(), error.attempts()), (8, 3), "{}", world.faults.log());
    assert!(items.next().await.is_none());
    let token = items.next_token().expect("has an order").expect("is somewhere");
    let rest = world.elsewhere().query("a").start_after(token).items().collect().await.expect("is read");
    assert_eq!(times(&rest), [8, 9]);

    // One that fails before its first item goes on where it was to begin.
    let begun = world.table.query("a").limit(5).page().await.expect("is read").next_token().expect("more").clone();
    world.faults.on(Operation::Query).times(3).inject(Fault::unavailable());
    let mut items = world.table.query("a").start_after(begun.clone()).items();
    assert!(items.next().await.expect("fails").is_err());
    assert_eq!(items.next_token().expect("has an order"), Some(begun));
}

#[tokio::test]
async fn items_are_a_stream_for_the_combinators_of_others() {
    fn is_stream<S: Stream + Send + Unpin>(stream: S) -> S {
        stream
    }
    let world = ten().await;
    let mut items = is_stream(world.table.query("a").items());
    let first = std::future::poll_fn(|cx| std::pin::Pin::new(&mut items).poll_next(cx)).await;
    assert_eq!(first.expect("there are some").expect("is read").at, 0);
    let _ = is_stream(world.table.scan().segments(2).project::<Note>().items());
    fn is_send<F: Future + Send>(future: F) -> F {
        future
    }
    assert_eq!(is_send(world.table.scan().count()).await.expect("is counted"), 10);
    is_send(world.table.query("a").page()).await.expect("is read");
}

#[tokio::test]
async fn what_a_query_has_read_is_saved_as_its_differences() {
    /// One field is read and never written, and another is read under an older name.
    #[derive(Debug, Serialize, Deserialize, Item)]
    #[item(table = "documents")]
    struct Document {
        #[item(partition_key)]
        owner: String,
        #[item(sort_key)]
        id: u32,
        #[serde(skip_serializing)]
        origin: String,
        #[serde(alias = "options")]
        settings: Settings,
        style: Settings,
    }
    #[derive(Debug, Serialize, Deserialize)]
    struct Settings {
        size: u32,
    }
    let world = World::<Document>::new().await;
    let settings =
        |size: u32| AttributeValue::M([("size".to_owned(), number(size)), ("newer".to_owned(), text("kept"))].into());
    let attributes = [
        ("owner", text("eve")),
        ("id", number(1)),
        ("origin", text("import")),
        ("options", settings(1)),
        ("style", settings(2)),
    ];
    world.put([attributes.map(|(name, value)| (name.to_owned(), value)).into()]).await;
    // The first write makes it a managed item, of which only a part is kept.
    for size in [3, 4] {
        let found = world.table.query("eve").items().collect().await.expect("is read").remove(0);
        assert_eq!(found.origin, "import");
        world.table.save(found.with(|document| document.style.size = size)).send().await.expect("is saved");
        let get = world.sdk.get_item().table_name("documents").key("owner", text("eve")).key("id", number(1));
        let stored = get.consistent_read(true).send().await.expect("is read").item.expect("is there");
        assert_eq!((&stored["style"], &stored["options"]), (&settings(size), &settings(1)));
        assert_eq!(stored["origin"], text("import"));
    }
}

/// How many of these are alive, and were at most.
static LIVE: std::sync::Mutex<[usize; 2]> = std::sync::Mutex::new([0, 0]);

#[derive(Debug)]
struct Counted;

impl<'de> Deserialize<'de> for Counted {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        i64::deserialize(deserializer)?;
        let mut live = LIVE.lock().expect("no test panics in it");
        live[0] += 1;
        live[1] = live[1].max(live[0]);
        Ok(Self)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        LIVE.lock().expect("no test panics in it")[0] -= 1;
    }
}

#[tokio::test]
async fn a_scan_decodes_an_item_when_it_is_asked_for() {
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "never read")]
    struct Part {
        value: Counted,
    }
    impl Projection<Reading> for Part {
        const ATTRIBUTES: &'static [&'static str] = &["value"];
    }
    let world = World::<Reading>::new().await;
    world.put((0..500).map(|at| reading("a", at))).await;
    let (mut items, mut count) = (world.table.scan().project::<Part>().page_size(100).items(), 0);
    while let Some(item) = items.next().await {
        item.expect("is read");
        count += 1;
    }
    assert_eq!((count, *LIVE.lock().expect("no test panics in it")), (500, [0, 1]));
}

#[tokio::test(flavor = "current_thread")]
async fn the_memory_of_a_scan_does_not_grow_with_the_table() {
    // The engine answers in the same thread, so what it holds is in the figures of both.
    let peak = async |items: u32| {
        let world = World::<Reading>::new().await;
        world.put((0..items).map(|at| padded(reading("a", at), 200))).await;
        let mut read = world.table.scan().page_size(100).items();
        let (mut most, mut count) = (0, 0);
        loop {
            let mut step = None;
            let info = allocation_counter::measure(|| {
                let mut next = std::pin::pin!(read.next());
                let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
                if let std::task::Poll::Ready(item) = next.as_mut().poll(&mut cx) {
                    step = Some(item);
                }
            });
            most = most.max(info.bytes_max);
            match step {
                Some(Some(item)) => {
                    item.expect("is read");
                    count += 1;
                }
                Some(None) => break,
                None => tokio::task::yield_now().await,
            }
        }
        assert_eq!(count, items);
        most
    };
    let (small, large) = (peak(500).await, peak(5_000).await);
    assert!(large < small * 3 / 2, "{large} bytes for ten times the items of {small}");
}
