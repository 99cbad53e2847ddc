//! Writes that are recorded under an idempotency key, on whatever network.

use std::sync::Arc;

use dynamo_once::{Error, ErrorKind, Item, Records, Table};
use serde::{Deserialize, Serialize};

use crate::behaviours::Outcomes;
use crate::world::World;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Item)]
#[item(table = "jars")]
struct Jar {
    #[item(partition_key)]
    id: String,
    beans: i64,
}

fn jar(id: &str, beans: i64) -> Jar {
    Jar { id: id.into(), beans }
}

async fn beans(jars: &Table<Jar>, id: &str) -> Result<Option<i64>, Error> {
    Ok(jars.get(id).send().await?.map(|jar| jar.beans))
}

async fn add(jars: &Table<Jar>, records: &Records, beans: i64, key: &str) -> Result<bool, Error> {
    let f = Jar::FIELDS;
    let update = jars.update("a").add(f.beans, beans).when(f.beans.ge(-beans));
    Ok(update.idempotency_key(records, key).send().await?.is_replayed())
}

pub(crate) async fn every_verb_is_written_once_for_its_key(world: Arc<World>) -> Outcomes {
    let (jars, records) = (world.table::<Jar>().await?, world.records().await?);
    for delivery in 0..3 {
        let insert = jars.insert(&jar("a", 10)).idempotency_key(&records, "insert").send().await?;
        assert_eq!((insert.is_replayed(), insert.version()), (delivery > 0, Some(1)));
    }
    for delivery in 0..3 {
        assert_eq!(add(&jars, &records, -7, "update").await?, delivery > 0);
    }
    for delivery in 0..3 {
        let modify = jars.modify("a", |jar| jar.beans *= 2).idempotency_key(&records, "modify").send().await?;
        assert_eq!((modify.is_replayed(), modify.version()), (delivery > 0, Some(3)));
    }
    for _ in 0..3 {
        let changed = jars.get("a").send().await?.unwrap().with(|jar| jar.beans += 1);
        let save = jars.save(changed).idempotency_key(&records, "save").send().await?;
        assert_eq!(save.version(), Some(4));
    }
    assert_eq!(beans(&jars, "a").await?, Some(7));
    for delivery in 0..3 {
        let delete = jars.delete("a").idempotency_key(&records, "delete").send().await?;
        assert_eq!(delete.is_replayed(), delivery > 0);
    }
    // Whatever has become of the item since.
    assert!(add(&jars, &records, -7, "update").await?);
    assert!(jars.insert(&jar("a", 10)).idempotency_key(&records, "insert").send().await?.is_replayed());
    assert_eq!(beans(&jars, "a").await?, None);
    Ok(())
}

pub(crate) async fn a_transaction_is_written_once_for_its_key(world: Arc<World>) -> Outcomes {
    let (jars, records) = (world.table::<Jar>().await?, world.records().await?);
    jars.insert(&jar("a", 10)).send().await?;
    let f = Jar::FIELDS;
    for delivery in 0..3 {
        let pour = world.store.transact().with(jars.update("a").add(f.beans, -6).when(f.beans.ge(6)));
        let pour = pour.with(jars.insert(&jar("b", 6))).idempotency_key(&records, "pour").send().await?;
        assert_eq!((pour.is_replayed(), pour.version(1)), (delivery > 0, Some(1)));
    }
    assert_eq!((beans(&jars, "a").await?, beans(&jars, "b").await?), (Some(4), Some(6)));
    Ok(())
}

pub(crate) async fn a_refusal_is_not_recorded_and_another_content_is_refused(world: Arc<World>) -> Outcomes {
    let (jars, records) = (world.table::<Jar>().await?, world.records().await?);
    jars.insert(&jar("a", 5)).send().await?;
    for _ in 0..3 {
        let refused = add(&jars, &records, -7, "k").await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConditionFailed, "{refused:?}");
        assert_eq!(refused.current::<Jar>()?.unwrap().beans, 5);
    }
    add(&jars, &records, 5, "more").await?;
    assert!(!add(&jars, &records, -7, "k").await?);
    let other = add(&jars, &records, -1, "k").await.unwrap_err();
    assert_eq!(other.kind(), ErrorKind::KeyReused, "{other:?}");
    assert_eq!(beans(&jars, "a").await?, Some(3));
    Ok(())
}
