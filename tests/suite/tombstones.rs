//! What the verbs do where deletes leave tombstones, on whatever network.

use std::collections::BTreeSet;
use std::sync::Arc;

use aws_sdk_dynamodb::types::AttributeValue;
use dynamo_once::{Error, Item, Outcome, Table};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::behaviours::Outcomes;
use crate::world::World;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Item)]
#[item(table = "sessions", tombstones(ttl = "expires_at", days = 3))]
struct Session {
    #[item(partition_key)]
    id: String,
    user: String,
    hits: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<u64>,
}

fn session(hits: u64) -> Session {
    Session { id: "a".into(), user: "ann".into(), hits, expires_at: None }
}

/// A table with an item that was inserted and deleted.
async fn with_tombstone(world: &World) -> Result<Table<Session>, Error> {
    let sessions = world.table::<Session>().await?;
    sessions.insert(&session(1)).send().await?;
    sessions.delete("a").send().await?;
    Ok(sessions)
}

pub(crate) async fn a_delete_leaves_a_tombstone_that_counts_as_absent(world: Arc<World>) -> Outcomes {
    let sessions = world.table::<Session>().await?;
    sessions.insert(&Session { expires_at: Some(7), ..session(1) }).send().await?;
    let found = sessions.get("a").send().await?.expect("is there");
    let deleted = sessions.delete("a").send().await?;
    assert!(matches!(deleted.outcome(), Outcome::Applied | Outcome::Replayed));

    let stored = world.stored(sessions.name(), "a").await.expect("a tombstone");
    let names: BTreeSet<_> = stored.keys().map(String::as_str).filter(|name| !is_lane(name)).collect();
    assert_eq!(names, BTreeSet::from(["id", "version", "_wb", "_wt", "expires_at"]));
    assert_eq!(stored["version"], AttributeValue::N("2".into()));
    let expires: u64 = stored["expires_at"].as_n().expect("is a number").parse()?;
    let now = std::time::UNIX_EPOCH.elapsed()?.as_secs();
    assert!((now + 3 * 86_400 - 600..=now + 3 * 86_400).contains(&expires), "{expires}");

    let f = Session::FIELDS;
    assert!(sessions.get("a").send().await?.is_none());
    for refused in [
        sessions.update("a").add(f.hits, 1).send().await,
        sessions.update("a").add(f.hits, 1).when(f.hits.exists().not()).send().await,
        sessions.save(found.clone().with(|session| session.hits = 2)).send().await,
        sessions.modify("a", |session| session.hits = 2).send().await,
        sessions.delete("a").at(found.etag()).send().await,
    ] {
        let refused = refused.unwrap_err();
        assert!(refused.is_not_found(), "{refused:?}");
        assert!(refused.current::<Session>()?.is_none());
    }
    sessions.delete("a").send().await?;
    assert_eq!(world.stored(sessions.name(), "a").await.expect("stays")["version"], AttributeValue::N("2".into()));
    Ok(())
}

pub(crate) async fn an_insert_brings_a_tombstone_to_life_at_the_next_version(world: Arc<World>) -> Outcomes {
    let sessions = world.table::<Session>().await?;
    let born = sessions.insert(&session(1)).send().await?;
    world.add(sessions.name(), "a", "of_a_newer_program", json!("kept by the delete, gone with the insert")).await;
    sessions.delete("a").send().await?;

    let inserted = sessions.insert(&session(5)).send().await?;
    assert_eq!(inserted.version(), Some(3));
    let found = sessions.get("a").send().await?.expect("is there again");
    assert_eq!((&*found, found.version()), (&session(5), 3));
    assert_eq!(Some(found.etag()), inserted.etag());
    let stored = world.stored(sessions.name(), "a").await.expect("is there");
    let names: BTreeSet<_> = stored.keys().map(String::as_str).filter(|name| !is_lane(name)).collect();
    assert_eq!(names, BTreeSet::from(["id", "version", "_wb", "user", "hits"]), "nothing of the tombstone stays");

    let stale = born.etag().expect("of an insert");
    let refused = sessions.update("a").add(Session::FIELDS.hits, 1).at(stale).send().await.unwrap_err();
    assert!(refused.is_version_conflict(), "{refused:?}");
    assert!(sessions.insert(&session(6)).send().await.unwrap_err().is_already_exists());
    Ok(())
}

pub(crate) async fn an_upsert_brings_a_tombstone_to_life(world: Arc<World>) -> Outcomes {
    let sessions = with_tombstone(&world).await?;
    let written = sessions.upsert(&Session { expires_at: Some(4_000_000_000), ..session(5) }).send().await?;
    assert!(matches!(written.version(), Some(3) | None), "{written:?}");
    let found = sessions.get("a").send().await?.expect("is there again");
    assert_eq!((found.hits, found.expires_at, found.version()), (5, Some(4_000_000_000), 3));

    // What was deleted has no value to be newer than.
    sessions.delete("a").send().await?;
    sessions.upsert_newer(&session(2), Session::FIELDS.hits).send().await?;
    let found = sessions.get("a").send().await?.expect("is there again");
    assert_eq!((found.hits, found.expires_at, found.version()), (2, None, 5));
    Ok(())
}

pub(crate) async fn a_keyed_insert_is_recognised_after_a_delete(world: Arc<World>) -> Outcomes {
    let sessions = world.table::<Session>().await?;
    sessions.insert(&session(1)).keyed("event-1").send().await?;
    sessions.delete("a").send().await?;
    let again = sessions.insert(&session(1)).keyed("event-1").send().await?;
    assert!(again.is_replayed() && again.item()?.is_none(), "{again:?}");
    assert!(sessions.get("a").send().await?.is_none());

    sessions.insert(&session(2)).keyed("event-2").send().await?;
    assert!(sessions.insert(&session(2)).keyed("event-2").send().await?.is_replayed());
    assert_eq!(sessions.get("a").send().await?.expect("is there again").version(), 3);
    Ok(())
}

pub(crate) async fn a_delete_at_an_etag_is_never_in_doubt(world: Arc<World>) -> Outcomes {
    let sessions = world.table::<Session>().await?;
    let etag = sessions.insert(&session(1)).send().await?.etag().expect("of an insert");
    sessions.update("a").add(Session::FIELDS.hits, 1).send().await?;
    assert!(sessions.delete("a").at(etag).send().await.unwrap_err().is_version_conflict());
    let etag = sessions.get("a").send().await?.expect("is there").etag();
    sessions.delete("a").at(etag).send().await?;
    assert!(sessions.get("a").send().await?.is_none());
    Ok(())
}

pub(crate) async fn a_foreign_item_is_deleted_into_a_tombstone(world: Arc<World>) -> Outcomes {
    let sessions = world.table::<Session>().await?;
    world.foreign_put(sessions.name(), json!({ "id": "a", "user": "eve", "hits": 3, "version": 7 })).await;
    match sessions.delete("a").send().await {
        Ok(_) => {}
        // An item without a log can't tell what became of an attempt.
        Err(error) if world.may_be_unknown(&error) => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    assert!(sessions.get("a").send().await?.is_none());
    assert_eq!(sessions.insert(&session(1)).send().await?.version(), Some(9));
    Ok(())
}

pub(crate) async fn an_update_or_insert_counts_each_call_once(world: Arc<World>) -> Outcomes {
    let sessions = world.table::<Session>().await?;
    let hit = || sessions.update("a").add(Session::FIELDS.hits, 1).or_insert(&session(1)).send();
    for _ in 0..3 {
        hit().await?;
    }
    sessions.delete("a").send().await?;
    let calls: Vec<_> = (0..20).map(|_| tokio::spawn(hit())).collect();
    for call in calls {
        call.await??;
    }
    let found = sessions.get("a").send().await?.expect("is there");
    assert_eq!((found.hits, found.version()), (20, 24));
    Ok(())
}

pub(crate) async fn deletes_and_inserts_take_turns_without_a_loss(world: Arc<World>) -> Outcomes {
    let sessions = world.table::<Session>().await?;
    for round in 0..10 {
        let inserted = sessions.insert(&session(round)).send().await?;
        assert_eq!(inserted.version(), Some(2 * round + 1));
        assert_eq!(sessions.get("a").send().await?.expect("is there").hits, round);
        sessions.delete("a").send().await?;
        assert!(sessions.get("a").send().await?.is_none());
    }
    Ok(())
}

fn is_lane(name: &str) -> bool {
    name.strip_prefix("_w").is_some_and(|lane| lane.starts_with(|first: char| first.is_ascii_digit()))
}
