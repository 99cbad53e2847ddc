//! Attributes that maintain themselves, on whatever network.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_smithy_async::time::TimeSource;
use dynamo_once::testing::Faults;
use dynamo_once::{EpochMillis, EpochSeconds, Error, Item, Table};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::behaviours::Outcomes;
use crate::world::World;

/// It expires an hour after it was made, and leaves a tombstone for days when it is deleted.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, Item)]
#[item(table = "carts", tombstones(ttl = "expires", days = 3))]
struct Cart {
    #[item(partition_key)]
    id: String,
    pieces: u32,
    #[item(created_at)]
    #[serde(default)]
    created: EpochMillis,
    #[item(updated_at)]
    #[serde(default)]
    updated: EpochSeconds,
    #[item(expires_after(hours = 1))]
    expires: Option<EpochSeconds>,
}

/// It expires an hour after the last write.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, Item)]
#[item(table = "visits")]
struct Visit {
    #[item(partition_key)]
    id: String,
    pages: u32,
    #[item(expires_after(hours = 1, sliding))]
    expires: EpochSeconds,
}

const HOUR: u64 = 60 * 60;

fn cart(id: &str, pieces: u32) -> Cart {
    // What the struct says of times is never written.
    Cart { id: id.into(), pieces, created: EpochMillis(1), ..Cart::default() }
}

/// A clock on which each request takes a second, and nothing else takes any time.
#[derive(Debug, Clone)]
struct Clock {
    start: SystemTime,
    faults: Faults,
}

impl Clock {
    /// Of the engine's own time, about: an item that has expired by that can go at any time.
    fn new(world: &World) -> Self {
        let now = SystemTime::UNIX_EPOCH.elapsed().expect("it is later than 1970");
        Self { start: SystemTime::UNIX_EPOCH + Duration::from_secs(now.as_secs()), faults: world.faults.clone() }
    }

    fn seconds(&self) -> u64 {
        EpochSeconds::from(self.now()).0
    }

    fn ahead(&self, seconds: u64) -> Self {
        Self { start: self.start + Duration::from_secs(seconds), faults: self.faults.clone() }
    }
}

impl TimeSource for Clock {
    fn now(&self) -> SystemTime {
        self.start + Duration::from_secs(self.faults.log().entries().len() as u64)
    }
}

/// A table that goes by a clock.
async fn carts(world: &World) -> Result<(Table<Cart>, Clock), Error> {
    let name = world.table::<Cart>().await?.name().to_owned();
    let clock = Clock::new(world);
    Ok((world.process_by(clock.clone()).table_named(name), clock))
}

/// When it was made, last written, and expires.
fn times(cart: &Cart) -> (u64, u64, u64) {
    (cart.created.0 / 1000, cart.updated.0, cart.expires.map_or(0, |expires| expires.0))
}

pub(crate) async fn a_write_that_is_sent_again_carries_the_same_times(world: Arc<World>) -> Outcomes {
    let (carts, clock) = carts(&world).await?;
    let (f, read) = (Cart::FIELDS, async || -> Result<Cart, Error> {
        Ok(carts.get("a").send().await?.expect("is there").into_inner())
    });
    let made = clock.seconds();
    carts.insert(&cart("a", 1)).send().await?;
    assert_eq!(times(&read().await?), (made, made, made + HOUR), "of the first attempt");

    let began = clock.seconds();
    carts.update("a").add(f.pieces, 1).send().await?;
    assert_eq!(times(&read().await?), (made, began, made + HOUR));

    let found = carts.get("a").send().await?.expect("is there");
    let began = clock.seconds();
    carts.save(found.with(|cart| cart.pieces = 7)).send().await?;
    assert_eq!(times(&read().await?), (made, began, made + HOUR));

    let began = clock.seconds();
    carts.upsert(&cart("a", 9)).send().await?;
    assert_eq!(times(&read().await?), (made, began, began + HOUR), "it is written whole");

    let began = clock.seconds();
    carts.modify("a", |cart| cart.pieces += 1).send().await?;
    let (created, updated, _) = times(&read().await?);
    assert!(created == made && updated > began, "after its read");

    carts.delete("a").send().await?;
    let began = clock.seconds();
    carts.update("a").add(f.pieces, 1).or_insert(&cart("a", 3)).send().await?;
    assert_eq!(times(&read().await?), (began, began, began + HOUR), "nothing is left of an earlier time");
    Ok(())
}

pub(crate) async fn a_keyed_insert_is_the_same_at_any_time(world: Arc<World>) -> Outcomes {
    let (carts, clock) = carts(&world).await?;
    carts.insert(&cart("a", 1)).keyed("event").send().await?;
    let stored = world.stored(carts.name(), "a").await;
    let later = world.process_by(clock.ahead(HOUR / 2)).table_named::<Cart>(carts.name());
    assert!(later.insert(&Cart { created: EpochMillis(9), ..cart("a", 1) }).keyed("event").send().await?.is_replayed());
    assert_eq!(world.stored(carts.name(), "a").await, stored);
    Ok(())
}

pub(crate) async fn an_expired_item_is_absent_to_reads_and_stored_to_writes(world: Arc<World>) -> Outcomes {
    let (carts, clock) = carts(&world).await?;
    carts.insert(&cart("a", 1)).keyed("event").send().await?;
    carts.insert(&cart("b", 1)).send().await?;
    // The engine's own clock, by which it deletes what has expired, isn't there yet.
    let later = world.process_by(clock.ahead(2 * HOUR)).table_named::<Cart>(carts.name());
    later.insert(&cart("c", 1)).send().await?;

    assert!(later.get("a").send().await?.is_none());
    let many = later.get_many(["a", "b", "c"]).send().await?;
    assert_eq!(many.iter().filter(|found| matches!(found, Ok(Some(_)))).count(), 1);
    assert_eq!(later.scan().items().collect().await?.iter().map(|cart| cart.id.as_str()).collect::<Vec<_>>(), ["c"]);
    assert_eq!(later.scan().segments(2).count().await?, 1);
    assert!(later.modify("a", |cart| cart.pieces = 2).send().await.unwrap_err().is_not_found());
    assert_eq!(carts.scan().count().await?, 3, "by the clock of the others they are there");

    let refused = later.insert(&cart("b", 2)).send().await.unwrap_err();
    assert!(refused.is_already_exists(), "{refused:?}");
    let expired = refused.current::<Cart>()?.expect("comes along");
    assert!(later.insert(&cart("a", 1)).keyed("event").send().await?.is_replayed());
    later.update("a").add(Cart::FIELDS.pieces, 1).send().await?;
    assert!(later.get("a").send().await?.is_none(), "it isn't a sliding expiry");

    // The two ways out.
    later.upsert(&cart("a", 5)).send().await?;
    assert_eq!(later.get("a").send().await?.expect("has a new time").pieces, 5);
    later.delete("b").at(&expired).send().await?;
    later.insert(&cart("b", 2)).send().await?;
    assert_eq!(later.scan().count().await?, 3);
    Ok(())
}

pub(crate) async fn a_sliding_expiry_begins_anew_with_every_write(world: Arc<World>) -> Outcomes {
    let name = world.table::<Visit>().await?.name().to_owned();
    let clock = Clock::new(&world);
    let visits = |ahead| world.process_by(clock.ahead(ahead)).table_named::<Visit>(&name);
    visits(0).insert(&Visit { id: "a".into(), ..Visit::default() }).send().await?;
    for step in 1..4 {
        // Each time it would have expired, if it weren't for the write before.
        visits(step * HOUR * 2 / 3).update("a").add(Visit::FIELDS.pages, 1).send().await?;
    }
    let found = visits(HOUR * 5 / 2).get("a").send().await?.expect("was written half an hour ago");
    assert_eq!(found.pages, 3);
    assert!(visits(HOUR * 4).get("a").send().await?.is_none());
    Ok(())
}

pub(crate) async fn an_item_without_a_time_does_not_expire(world: Arc<World>) -> Outcomes {
    let (carts, clock) = carts(&world).await?;
    world.foreign_put(carts.name(), json!({ "id": "a", "pieces": 1 })).await;
    let later = world.process_by(clock.ahead(1000 * HOUR)).table_named::<Cart>(carts.name());
    assert_eq!(times(&later.get("a").send().await?.expect("never expires")), (0, 0, 0));
    later.update("a").add(Cart::FIELDS.pieces, 1).send().await.map(drop).or_else(|error| {
        // An item without a log can't tell what became of an attempt.
        if world.may_be_unknown(&error) { Ok(()) } else { Err(error) }
    })?;
    assert_eq!(later.scan().count().await?, 1);
    Ok(())
}
