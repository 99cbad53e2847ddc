//! What queries and scans bring, on whatever network; and of 10,000 items, on one without faults.

use std::collections::BTreeSet;
use std::sync::Arc;

use dynamo_once::{Consistency, Error, ErrorKind, Item, Projection, Store, Table, Versioned};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::behaviours::Outcomes;
use crate::world::World;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Item)]
#[item(table = "measurements")]
struct Measurement {
    #[item(partition_key)]
    sensor: String,
    #[item(sort_key)]
    at: u32,
    value: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

#[derive(Debug, PartialEq, Deserialize, Projection)]
#[projection(of = Measurement)]
struct Noted {
    at: u32,
    note: Option<String>,
}

fn measurement(sensor: &str, at: u32) -> Measurement {
    Measurement { sensor: sensor.into(), at, value: i64::from(at) % 10, note: None }
}

/// As another program writes it.
fn foreign(sensor: &str, at: u32) -> Value {
    json!({ "sensor": sensor, "at": at, "value": at % 10 })
}

fn times(items: &[Versioned<Measurement>]) -> Vec<u32> {
    items.iter().map(|item| item.at).collect()
}

/// Thirty of sensor `a`, of which every third was written by this library, and one of sensor `b`.
async fn thirty(world: &World) -> Result<Table<Measurement>, Error> {
    let table = world.table::<Measurement>().await?;
    world.foreign_puts(table.name(), (0..30).filter(|at| at % 3 != 0).map(|at| foreign("a", at))).await;
    for at in (0..30).step_by(3) {
        table.insert(&measurement("a", at)).send().await?;
    }
    table.insert(&Measurement { note: Some("of b".into()), ..measurement("b", 7) }).send().await?;
    Ok(table)
}

pub(crate) async fn conditions_on_the_sort_key_take_what_they_say(world: Arc<World>) -> Outcomes {
    let table = thirty(&world).await?;
    let a = || table.query("a");
    for (query, expected) in [
        (a(), 0..30),
        (a().eq(3), 3..4),
        (a().lt(3), 0..3),
        (a().le(3), 0..4),
        (a().gt(13), 14..30),
        (a().ge(13), 13..30),
        (a().between(3, 15), 3..16),
        (a().ge(30), 0..0),
    ] {
        assert_eq!(times(&query.items().collect().await?), expected.collect::<Vec<_>>());
    }
    let backwards = a().gt(13).descending().items().collect().await?;
    assert_eq!(times(&backwards), (14..30).rev().collect::<Vec<_>>());
    assert!(backwards.iter().all(|item| item.version() == u64::from(item.at % 3 == 0)), "0 is another program's");
    assert_eq!(a().consistency(Consistency::Eventual).count().await?, 30);
    assert!(table.query("c").items().collect().await?.is_empty());
    Ok(())
}

pub(crate) async fn filters_and_limits_hand_out_what_was_asked_for(world: Arc<World>) -> Outcomes {
    let table = thirty(&world).await?;
    let f = Measurement::FIELDS;
    let nines = || table.query("a").filter(f.value.eq(9)).filter(f.note.not_exists());
    assert_eq!(times(&nines().page_size(4).items().collect().await?), [9, 19, 29]);
    assert_eq!(times(&nines().limit(2).items().collect().await?), [9, 19]);
    assert_eq!((nines().page_size(4).count().await?, nines().limit(2).page_size(4).count().await?), (3, 2));
    assert_eq!(times(&table.query("a").limit(7).page_size(3).items().collect().await?), (0..7).collect::<Vec<_>>());
    assert_eq!(table.query("a").limit(100).items().collect().await?.len(), 30);
    assert_eq!(table.scan().filter(f.value.eq(7)).count().await?, 4);
    assert_eq!(table.scan().filter(f.sensor.eq("b")).items().collect().await?.len(), 1);
    Ok(())
}

pub(crate) async fn pages_follow_each_other_without_gap_or_repeat(world: Arc<World>) -> Outcomes {
    let table = thirty(&world).await?;
    for (limit, size) in [(7, None), (7, Some(3)), (30, Some(20))] {
        let (mut seen, mut next) = (Vec::new(), None::<String>);
        loop {
            let mut query = table.query("a").descending().filter(Measurement::FIELDS.value.ne(3)).limit(limit);
            if let Some(size) = size {
                query = query.page_size(size);
            }
            if let Some(next) = &next {
                query = query.start_after(next.parse()?);
            }
            let page = query.page().await?;
            seen.extend(times(page.items()));
            match page.next_token() {
                Some(token) => next = Some(token.to_string()),
                None => break,
            }
        }
        assert_eq!(seen, (0..30).rev().filter(|at| at % 10 != 3).collect::<Vec<_>>(), "{limit} {size:?}");
    }

    // What is written behind the place of a page is in the next one, and what was deleted there isn't.
    let page = table.query("a").limit(10).page().await?;
    table.insert(&measurement("a", 30)).send().await?;
    table.delete(("a", 12)).send().await?;
    let token = page.next_token().expect("there is more").clone();
    let rest = table.query("a").start_after(token.clone()).items().collect().await?;
    assert_eq!(times(&rest), (10..31).filter(|at| *at != 12).collect::<Vec<_>>());
    assert!(table.query("b").start_after(token).page().await.unwrap_err().is_bad_token(), "it is of another query");
    Ok(())
}

pub(crate) async fn scans_bring_every_item_once(world: Arc<World>) -> Outcomes {
    let table = thirty(&world).await?;
    let serial = table.scan().page_size(7).items().collect().await?;
    let all: BTreeSet<_> = serial.iter().map(|item| (item.sensor.clone(), item.at)).collect();
    assert_eq!((serial.len(), all.len()), (31, 31));
    for segments in [2, 4] {
        let parallel = table.scan().segments(segments).page_size(3).items().collect().await?;
        let found: BTreeSet<_> = parallel.iter().map(|item| (item.sensor.clone(), item.at)).collect();
        assert!(parallel.len() == 31 && found == all, "{segments} segments");
        assert_eq!(table.scan().segments(segments).page_size(3).count().await?, 31);
    }
    Ok(())
}

pub(crate) async fn projections_read_a_part_with_its_version(world: Arc<World>) -> Outcomes {
    let table = thirty(&world).await?;
    let noted = table.query("b").project::<Noted>().items().collect().await?;
    assert_eq!((&*noted[0], noted[0].version()), (&Noted { at: 7, note: Some("of b".into()) }, 1));
    let whole = table.get(("b", 7)).send().await?.expect("is there");
    assert_eq!(noted[0].etag(), whole.etag());
    table.update(("b", 7)).at(noted[0].etag()).set(Measurement::FIELDS.value, 1).send().await?;
    assert_eq!(table.scan().segments(2).project::<Noted>().items().collect().await?.len(), 31);
    Ok(())
}

pub(crate) async fn items_that_do_not_decode_are_reported_among_the_others(world: Arc<World>) -> Outcomes {
    let table = thirty(&world).await?;
    world.foreign_put(table.name(), json!({ "sensor": "a", "at": 1, "value": "much" })).await;
    world.foreign_put(table.name(), json!({ "sensor": "a", "at": 2, "value": 2, "version": "new" })).await;
    let (mut seen, mut kinds, mut items) = (Vec::new(), Vec::new(), table.query("a").lt(5).items());
    while let Some(item) = items.next().await {
        match item {
            Ok(item) => seen.push(item.at),
            Err(error) => {
                assert!(error.raw_current().is_some_and(|raw| raw.contains_key("sensor")));
                kinds.push(error.kind());
            }
        }
    }
    assert_eq!((seen, kinds), (vec![0, 3, 4], vec![ErrorKind::Decode, ErrorKind::Malformed]));
    let page = table.query("a").limit(4).page().await?;
    assert_eq!((times(page.items()), page.failures().len()), (vec![0, 3], 2));
    assert!(table.scan().items().collect().await.unwrap_err().raw_current().is_some());
    assert_eq!(table.scan().count().await?, 31);
    Ok(())
}

const MANY: u32 = 10_000;

/// Those of one partition; the others are in 40 more, so that each segment of a scan has some.
const OF_ONE: u32 = 6_000;

/// Of 500 bytes and more, so that they are some pages of 1 MB; every hundredth was written by this library.
async fn ten_thousand(world: &World) -> Result<Table<Measurement>, Error> {
    let table = world.table::<Measurement>().await?;
    let note = "x".repeat(500);
    let sensor = |at: u32| if at < OF_ONE { "a".to_owned() } else { format!("s-{}", at % 40) };
    let padded = |at| json!({ "sensor": sensor(at), "at": at, "value": at % 10, "note": note });
    let (table_name, others) = (table.name(), (0..MANY).filter(|at| at % 100 != 0));
    let others: Vec<_> = others.map(padded).collect();
    futures_util::future::join_all(others.chunks(500).map(|part| world.foreign_puts(table_name, part.to_vec()))).await;
    let own = (0..MANY).step_by(100);
    let own = own.map(|at| Measurement { note: Some(note.clone()), ..measurement(&sensor(at), at) });
    for written in table.insert_many(own).send().await {
        written?;
    }
    Ok(table)
}

pub(crate) async fn ten_thousand_items_come_once_and_only_once(world: Arc<World>) -> Outcomes {
    let table = ten_thousand(&world).await?;
    let of_one: Vec<_> = (0..OF_ONE).collect();

    let before = world.requests();
    let whole = table.query("a").items().collect().await?;
    assert_eq!(times(&whole), of_one);
    assert!((3..5).contains(&(world.requests() - before)), "pages of 1 MB: {}", world.requests() - before);
    assert!(whole.iter().all(|item| item.version() == u64::from(item.at % 100 == 0)));
    let before = world.requests();
    assert_eq!(times(&table.query("a").page_size(100).items().collect().await?), of_one);
    assert!((60..=61).contains(&(world.requests() - before)), "pages of 100: {}", world.requests() - before);

    let (mut seen, mut pages, mut next) = (Vec::new(), 0, None::<String>);
    loop {
        let scan = table.scan().limit(400).page_size(100);
        let page = match &next {
            Some(next) => scan.start_after(next.parse()?).page().await?,
            None => scan.page().await?,
        };
        seen.extend(times(page.items()));
        pages += 1;
        match page.next_token() {
            Some(token) => next = Some(token.to_string()),
            None => break,
        }
    }
    assert!((25..=26).contains(&pages), "{pages}");
    assert_eq!((seen.len(), seen.into_iter().collect::<BTreeSet<_>>().len()), (10_000, 10_000));

    assert_eq!((table.query("a").count().await?, table.scan().count().await?), (6_000, 10_000));
    assert_eq!(table.scan().segments(4).count().await?, 10_000);
    let parallel = table.scan().segments(4).items().collect().await?;
    assert_eq!((parallel.len(), times(&parallel).into_iter().collect::<BTreeSet<_>>().len()), (10_000, 10_000));

    // On a thread of its own: what the engine and the other requests allocate isn't counted.
    let peaks = tokio::task::spawn_blocking(move || Peaks::of(&world, table.name())).await??;
    peaks.check();
    Ok(())
}

/// The most bytes that were allocated at once.
#[derive(Debug)]
struct Peaks {
    page: u64,
    scan: u64,
    segments: u64,
    collected: u64,
}

impl Peaks {
    fn of(world: &World, table: &str) -> Result<Self, Error> {
        let peak = |read: &dyn Fn(Table<Measurement>) -> Reading| {
            // A runtime and a client of its own, so that connections are served, and pages read, on this thread.
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            let table = Store::new(world.calm_config()).table_named::<Measurement>(table);
            runtime.block_on(table.get(("a", 0)).send())?;
            let mut count = Ok(0);
            let info = allocation_counter::measure(|| count = runtime.block_on(read(table)));
            count.map(|count| (count, info.bytes_max))
        };
        let drain = |mut items: dynamo_once::Items<Measurement>| async move {
            let mut count = 0;
            while let Some(item) = items.next().await {
                item?;
                count += 1;
            }
            Ok(count)
        };
        let (one, page) = peak(&|table| Box::pin(drain(table.scan().limit(100).page_size(100).items())))?;
        let (all, scan) = peak(&|table| Box::pin(drain(table.scan().page_size(100).items())))?;
        let (by_segments, segments) = peak(&|table| Box::pin(drain(table.scan().segments(4).page_size(100).items())))?;
        let (collected_all, collected) =
            peak(&|table| Box::pin(async move { Ok(table.scan().page_size(100).items().collect().await?.len()) }))?;
        assert_eq!((one, all, by_segments, collected_all), (100, 10_000, 10_000, 10_000));
        Ok(Self { page, scan, segments, collected })
    }

    fn check(&self) {
        let Self { page, scan, segments, collected } = self;
        assert!(*scan < page * 3 / 2, "one page at a time: {self:?}");
        assert!(*segments < page * 4 * 3 / 2, "one page of each segment: {self:?}");
        assert!(*collected > page * 20, "it would be seen: {self:?}");
    }
}

type Reading = std::pin::Pin<Box<dyn Future<Output = Result<usize, Error>>>>;
