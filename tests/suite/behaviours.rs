//! What the verbs do, on whatever network.

use std::collections::HashMap;
use std::sync::Arc;

use aws_sdk_dynamodb::types::AttributeValue;
use dynamo_once::{Consistency, ErrorKind, Item, Outcome};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::world::World;

pub(crate) type Outcomes = Result<(), Box<dyn std::error::Error + Send + Sync>>;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Item)]
#[item(table = "accounts")]
struct Account {
    #[item(partition_key)]
    id: String,
    owner: String,
    balance: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    entries: Vec<String>,
    #[serde(default, skip_serializing_if = "HashMap::is_empty")]
    limits: HashMap<String, u32>,
}

fn account(id: &str, balance: i64) -> Account {
    Account { id: id.into(), owner: "ann".into(), balance, note: None, entries: vec![], limits: HashMap::new() }
}

pub(crate) async fn insert_writes_once_and_then_refuses(world: Arc<World>) -> Outcomes {
    let accounts = world.table::<Account>().await?;
    let written = accounts.insert(&account("a", 10)).send().await?;
    assert_eq!(written.version(), Some(1));

    let refused = accounts.insert(&account("a", 20)).send().await.unwrap_err();
    assert!(refused.is_already_exists(), "{refused:?}");
    let stands = refused.current::<Account>()?.expect("comes with the refusal");
    assert_eq!((stands.balance, stands.version()), (10, 1));

    let found = accounts.get("a").send().await?.expect("is there");
    assert_eq!((&*found, found.version()), (&account("a", 10), 1));
    assert_eq!(Some(found.etag()), written.etag());
    assert!(accounts.get("b").consistency(Consistency::Eventual).send().await?.is_none());
    Ok(())
}

pub(crate) async fn keyed_insert_is_recognised_by_another_store(world: Arc<World>) -> Outcomes {
    let accounts = world.table::<Account>().await?;
    accounts.insert(&account("a", 10)).keyed("event-1").send().await?;
    accounts.update("a").add(Account::FIELDS.balance, 5).send().await?;

    let elsewhere = world.store.table_named::<Account>(accounts.name());
    let again = elsewhere.insert(&account("a", 10)).keyed("event-1").send().await?;
    assert_eq!(again.outcome(), Outcome::Replayed);
    assert_eq!(again.item()?.expect("as it stands").balance, 15);

    let other_event = elsewhere.insert(&account("a", 10)).keyed("event-2").send().await.unwrap_err();
    assert!(other_event.is_already_exists(), "{other_event:?}");
    Ok(())
}

pub(crate) async fn keyed_insert_with_other_content_is_refused(world: Arc<World>) -> Outcomes {
    let accounts = world.table::<Account>().await?;
    accounts.insert(&account("a", 10)).keyed("event-1").send().await?;
    let refused = accounts.insert(&account("a", 11)).keyed("event-1").send().await.unwrap_err();
    assert!(refused.is_key_reused(), "{refused:?}");
    assert_eq!(refused.current::<Account>()?.expect("as it stands").balance, 10);

    accounts.insert(&account("b", 10)).keyed("event-2").fingerprint("same").send().await?;
    let again = accounts.insert(&account("b", 12)).keyed("event-2").fingerprint("same").send().await?;
    assert!(again.is_replayed());
    Ok(())
}

pub(crate) async fn contended_insert_has_one_winner(world: Arc<World>) -> Outcomes {
    let accounts = world.table::<Account>().await?;
    let mut calls = tokio::task::JoinSet::new();
    for balance in 0..10 {
        let accounts = accounts.clone();
        calls.spawn(async move { (balance, accounts.insert(&account("a", balance)).send().await) });
    }
    let mut winners = Vec::new();
    while let Some(call) = calls.join_next().await {
        match call? {
            (balance, Ok(_)) => winners.push(balance),
            // An item that a later call made may be the second one under its key, for all that a lost reply leaves to tell.
            (_, Err(refused)) => assert!(refused.is_already_exists() || world.may_be_unknown(&refused), "{refused:?}"),
        }
    }
    let found = accounts.get("a").send().await?.expect("is there");
    assert_eq!((winners, found.version()), (vec![found.balance], 1));
    Ok(())
}

pub(crate) async fn upsert_creates_and_replaces_and_keeps_unknown_attributes(world: Arc<World>) -> Outcomes {
    let accounts = world.table::<Account>().await?;
    let noted = Account { note: Some("vip".into()), ..account("a", 1) };
    assert_eq!(accounts.upsert(&noted).send().await?.version(), Some(1));
    world
        .sdk
        .update_item()
        .table_name(accounts.name())
        .key("id", AttributeValue::S("a".into()))
        .update_expression("SET newer_program = :x")
        .expression_attribute_values(":x", AttributeValue::Bool(true))
        .send()
        .await?;

    let written = accounts.upsert(&account("a", 2)).send().await?;
    assert!(written.is_replayed() || written.version() == Some(2));
    let stored = world.stored(accounts.name(), "a").await.expect("is there");
    assert_eq!(stored["newer_program"], AttributeValue::Bool(true));
    assert!(!stored.contains_key("note"), "an absent field is removed");
    let found = accounts.get("a").send().await?.expect("is there");
    assert_eq!((&*found, found.version()), (&account("a", 2), 2));
    Ok(())
}

#[derive(Debug, Serialize, Deserialize, Item)]
#[item(table = "prices")]
struct Price {
    #[item(partition_key)]
    id: String,
    cents: u64,
    as_of: u64,
}

pub(crate) async fn upsert_newer_refuses_what_is_older(world: Arc<World>) -> Outcomes {
    let prices = world.table::<Price>().await?;
    let price = |cents, as_of| Price { id: "tea".into(), cents, as_of };
    let by = Price::FIELDS.as_of;
    prices.upsert_newer(&price(250, 7), by).send().await?;
    prices.upsert_newer(&price(260, 10), by).send().await?;
    for as_of in [9, 10] {
        let refused = prices.upsert_newer(&price(1, as_of), by).send().await.unwrap_err();
        assert!(refused.is_condition_failed(), "{refused:?}");
        assert_eq!(refused.current::<Price>()?.expect("as it stands").cents, 260);
    }
    let found = prices.get("tea").send().await?.expect("is there");
    assert_eq!((found.cents, found.version()), (260, 2));
    Ok(())
}

pub(crate) async fn counter_counts_each_call_once(world: Arc<World>) -> Outcomes {
    let accounts = world.table::<Account>().await?;
    accounts.insert(&account("a", 0)).send().await?;
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let accounts = accounts.clone();
        calls.spawn(async move {
            let mut counted = 0;
            for _ in 0..10 {
                accounts.update("a").add(Account::FIELDS.balance, 1).send().await?;
                counted += 1;
            }
            Ok::<i64, dynamo_once::Error>(counted)
        });
    }
    let mut counted = 0;
    while let Some(call) = calls.join_next().await {
        counted += call??;
    }
    let found = accounts.get("a").send().await?.expect("is there");
    assert_eq!((counted, found.balance, found.version()), (40, 40, 41));
    Ok(())
}

pub(crate) async fn update_refuses_where_its_condition_does_not_hold(world: Arc<World>) -> Outcomes {
    let accounts = world.table::<Account>().await?;
    accounts.insert(&account("a", 15)).send().await?;
    let f = Account::FIELDS;
    let withdraw = || accounts.update("a").add(f.balance, -10).when(f.balance.ge(10)).when(f.owner.eq("ann"));
    withdraw().send().await?;
    let refused = withdraw().send().await.unwrap_err();
    assert!(refused.is_condition_failed(), "{refused:?}");
    assert_eq!(refused.current::<Account>()?.expect("as it stands").balance, 5);
    let found = accounts.get("a").send().await?.expect("is there");
    assert_eq!((found.balance, found.version()), (5, 2));
    Ok(())
}

#[derive(Debug, Serialize, Deserialize, Item)]
#[item(table = "carts")]
struct Cart {
    #[item(partition_key)]
    id: String,
    #[serde(default)]
    lines: Vec<String>,
    #[serde(default, with = "serde_dynamo::string_set", skip_serializing_if = "std::collections::BTreeSet::is_empty")]
    tags: std::collections::BTreeSet<String>,
    #[item(version)]
    revision: u64,
}

pub(crate) async fn update_of_lists_and_sets(world: Arc<World>) -> Outcomes {
    let carts = world.table::<Cart>().await?;
    let tags = |tags: &[&str]| tags.iter().map(|tag| (*tag).to_owned()).collect::<std::collections::BTreeSet<_>>();
    carts.insert(&Cart { id: "a".into(), lines: vec![], tags: tags(&["x"]), revision: 99 }).send().await?;
    let f = Cart::FIELDS;
    carts.update("a").append(f.lines, vec!["tea".to_owned()]).union(f.tags, tags(&["y", "z"])).send().await?;
    carts.update("a").append(f.lines, vec!["milk".to_owned()]).difference(f.tags, tags(&["x"])).send().await?;
    let found = carts.get("a").send().await?.expect("is there");
    assert_eq!(found.lines, ["tea", "milk"]);
    assert_eq!(found.tags, tags(&["y", "z"]));
    assert_eq!(
        (found.revision, found.version()),
        (3, 3),
        "the version shows in its field, and edits to it are ignored"
    );
    Ok(())
}

pub(crate) async fn update_without_an_item_creates_none(world: Arc<World>) -> Outcomes {
    let accounts = world.table::<Account>().await?;
    let refused = accounts.update("a").add(Account::FIELDS.balance, 1).send().await.unwrap_err();
    assert!(refused.is_not_found() || world.may_be_unknown(&refused), "{refused:?}");
    assert!(world.stored(accounts.name(), "a").await.is_none());
    Ok(())
}

pub(crate) async fn update_at_an_etag_conflicts_after_another_write(world: Arc<World>) -> Outcomes {
    let accounts = world.table::<Account>().await?;
    let etag = accounts.insert(&account("a", 1)).send().await?.etag().expect("an insert's etag can be told");
    accounts.update("a").add(Account::FIELDS.balance, 1).at(etag).send().await?;
    let refused = accounts.update("a").add(Account::FIELDS.balance, 1).at(etag).send().await.unwrap_err();
    assert!(refused.is_version_conflict(), "{refused:?}");
    let stands = refused.current::<Account>()?.expect("as it stands");
    assert_eq!((stands.balance, stands.version()), (2, 2));
    accounts.update("a").remove(Account::FIELDS.note).set(Account::FIELDS.owner, "bob").at(2).send().await?;
    assert_eq!(accounts.get("a").send().await?.expect("is there").owner, "bob");
    Ok(())
}

pub(crate) async fn save_writes_only_what_changed(world: Arc<World>) -> Outcomes {
    let accounts = world.table::<Account>().await?;
    let limits = HashMap::from([("day".to_owned(), 100), ("week".to_owned(), 500)]);
    accounts.insert(&Account { limits, ..account("a", 1) }).send().await?;
    let found = accounts.get("a").send().await?.expect("is there");
    world
        .sdk
        .update_item()
        .table_name(accounts.name())
        .key("id", AttributeValue::S("a".into()))
        .update_expression("SET limits.#y = :y, #o = :o")
        .expression_attribute_names("#y", "year")
        .expression_attribute_names("#o", "owner")
        .expression_attribute_values(":y", AttributeValue::N("9000".into()))
        .expression_attribute_values(":o", AttributeValue::S("zoe".into()))
        .send()
        .await?;
    let unchanged = accounts.save(found.clone().with(|_| {})).send().await?;
    assert_eq!(unchanged.outcome(), Outcome::Unchanged);
    let saved = accounts.save(found.with(|account| {
        account.limits.insert("day".into(), 200);
        account.limits.remove("week");
    }));
    saved.send().await?;
    let found = accounts.get("a").send().await?.expect("is there");
    assert_eq!(found.limits, HashMap::from([("day".to_owned(), 200), ("year".to_owned(), 9000)]));
    assert_eq!((found.owner.as_str(), found.version()), ("zoe", 2));
    Ok(())
}

pub(crate) async fn save_conflicts_after_another_write(world: Arc<World>) -> Outcomes {
    let accounts = world.table::<Account>().await?;
    accounts.insert(&account("a", 1)).send().await?;
    let found = accounts.get("a").send().await?.expect("is there");
    let stale = found.clone();
    accounts.save(found.with(|account| account.balance = 2)).send().await?;
    let refused = accounts.save(stale.with(|account| account.balance = 3)).send().await.unwrap_err();
    assert!(refused.is_version_conflict(), "{refused:?}");
    let stands = refused.current::<Account>()?.expect("as it stands");
    assert_eq!((stands.balance, stands.version()), (2, 2));
    accounts.save(stands.with(|account| account.balance = 3)).send().await?;
    assert_eq!(accounts.get("a").send().await?.expect("is there").balance, 3);
    Ok(())
}

pub(crate) async fn modify_race_loses_no_change(world: Arc<World>) -> Outcomes {
    let accounts = world.table::<Account>().await?;
    accounts.insert(&account("a", 0)).send().await?;
    let mut calls = tokio::task::JoinSet::new();
    for task in 0..6 {
        let accounts = accounts.clone();
        calls.spawn(async move {
            accounts
                .modify("a", |account| {
                    account.balance += 1;
                    account.entries.push(format!("task {task}"));
                })
                .send()
                .await
        });
    }
    while let Some(call) = calls.join_next().await {
        call??;
    }
    let found = accounts.get("a").send().await?.expect("is there");
    assert_eq!((found.balance, found.entries.len(), found.version()), (6, 6, 7));
    Ok(())
}

pub(crate) async fn modify_declined_changes_nothing(world: Arc<World>) -> Outcomes {
    let accounts = world.table::<Account>().await?;
    accounts.insert(&account("a", 5)).send().await?;
    let declined = accounts.modify("a", |_| Err("no".into())).send().await.unwrap_err();
    assert_eq!(declined.kind(), ErrorKind::Declined);
    assert_eq!(std::error::Error::source(&declined).expect("the reason").to_string(), "no");
    let missing = accounts.modify("b", |account| account.balance = 1).send().await.unwrap_err();
    assert!(missing.is_not_found(), "{missing:?}");
    assert_eq!(accounts.get("a").send().await?.expect("is there").version(), 1);
    Ok(())
}

pub(crate) async fn delete_is_success_also_where_nothing_is(world: Arc<World>) -> Outcomes {
    let accounts = world.table::<Account>().await?;
    accounts.delete("a").send().await?;
    accounts.insert(&account("a", 1)).send().await?;
    accounts.delete("a").send().await?;
    assert!(world.stored(accounts.name(), "a").await.is_none());
    accounts.delete("a").send().await?;
    Ok(())
}

pub(crate) async fn delete_at_an_etag_conflicts_after_another_write(world: Arc<World>) -> Outcomes {
    let accounts = world.table::<Account>().await?;
    let etag = accounts.insert(&account("a", 1)).send().await?.etag().expect("an insert's etag can be told");
    accounts.update("a").add(Account::FIELDS.balance, 1).send().await?;
    let refused = accounts.delete("a").at(etag).send().await.unwrap_err();
    assert!(refused.is_version_conflict(), "{refused:?}");
    let etag = refused.current::<Account>()?.expect("as it stands").etag();
    match accounts.delete("a").at(etag).send().await {
        Ok(_) => {}
        Err(error) => assert!(world.may_be_unknown(&error), "{error:?}"),
    }
    assert!(world.stored(accounts.name(), "a").await.is_none());
    Ok(())
}

pub(crate) async fn a_reborn_item_is_another_item(world: Arc<World>) -> Outcomes {
    let accounts = world.table::<Account>().await?;
    accounts.insert(&account("a", 1)).send().await?;
    let old = accounts.get("a").send().await?.expect("is there");
    accounts.delete("a").send().await?;
    accounts.insert(&account("a", 2)).send().await?;
    let refused = accounts.save(old.with(|account| account.balance = 3)).send().await.unwrap_err();
    // Its version is the same, its birth is not. After a lost reply it can't be told what became of the old item.
    assert!(refused.is_version_conflict() || world.may_be_unknown(&refused), "{refused:?}");
    let found = accounts.get("a").send().await?.expect("is there");
    assert_eq!((found.balance, found.version()), (2, 1));
    Ok(())
}

pub(crate) async fn foreign_item_is_adopted_and_keeps_its_version(world: Arc<World>) -> Outcomes {
    let accounts = world.table::<Account>().await?;
    let f = Account::FIELDS;
    for (id, version) in [("a", json!(7)), ("b", json!(null))] {
        let mut item = json!({"id": id, "owner": "ann", "balance": 1, "theirs": "kept"});
        if !version.is_null() {
            item["version"] = version.clone();
        }
        world.foreign_put(accounts.name(), item).await;
        let updated = accounts.update(id).add(f.balance, 1).send().await;
        if let Err(error) = &updated {
            // With its first reply lost, an item without a log proves nothing; from then on it has one.
            assert!(world.may_be_unknown(error), "{error:?}");
            continue;
        }
        let found = accounts.get(id).send().await?.expect("is there");
        assert_eq!((found.balance, found.version()), (2, version.as_u64().unwrap_or(0) + 1));
        accounts.save(found.with(|account| account.balance = 10)).send().await?;
        let stored = world.stored(accounts.name(), id).await.expect("is there");
        assert_eq!(stored["theirs"], AttributeValue::S("kept".into()));
        assert_eq!(stored["balance"], AttributeValue::N("10".into()));
    }
    world.foreign_put(accounts.name(), json!({"id": "c", "owner": "ann", "balance": 1})).await;
    let found = accounts.get("c").send().await?.expect("is there");
    assert_eq!(found.version(), 0);
    let saved = accounts.save(found.with(|account| account.balance = 5)).send().await?;
    assert_eq!(saved.version(), Some(1));
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Item)]
#[item(table = "pages")]
struct Page {
    #[item(partition_key)]
    id: String,
    #[serde(default, alias = "config")]
    settings: Settings,
    #[serde(default)]
    hits: i64,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Settings {
    #[serde(default, alias = "color")]
    colour: String,
    #[serde(default)]
    size: u32,
    #[serde(default, alias = "hint", skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

pub(crate) async fn modify_of_maps_that_are_stored_otherwise(world: Arc<World>) -> Outcomes {
    let pages = world.table::<Page>().await?;
    for (number, (page, kept)) in [
        // From before the type had the map; of a program that knows less, or more; under older names.
        (json!({}), json!({ "colour": "red", "size": 0 })),
        (json!({ "settings": {} }), json!({ "colour": "red" })),
        (json!({ "settings": { "size": 3 } }), json!({ "colour": "red", "size": 3 })),
        (json!({ "settings": { "newer": 1 } }), json!({ "colour": "red", "newer": 1 })),
        (json!({ "config": { "size": 3 } }), json!({ "colour": "red", "size": 3 })),
        (json!({ "settings": { "color": "blue" } }), json!({ "colour": "red", "size": 0 })),
        (json!({ "settings": { "hint": "x", "size": 3 } }), json!({ "colour": "red", "size": 3 })),
    ]
    .into_iter()
    .enumerate()
    {
        for managed in [false, true] {
            let id = format!("{number} {managed}");
            let mut item = page.clone();
            item["id"] = json!(id);
            world.foreign_put(pages.name(), item).await;
            if managed {
                pages.modify(id.as_str(), |page| page.hits += 1).send().await?;
            }
            let change = |page: &mut Page| {
                page.settings.colour = "red".into();
                page.settings.note = None;
            };
            pages.modify(id.as_str(), change).send().await?;
            let found = pages.get(id.as_str()).send().await?.expect("is there");
            assert_eq!((found.settings.colour.as_str(), &found.settings.note), ("red", &None), "{page}");
            let stored = world.stored(pages.name(), &id).await.expect("is there");
            let settings: serde_json::Value = serde_dynamo::from_attribute_value(stored["settings"].clone())?;
            assert_eq!((&settings, stored.contains_key("config")), (&kept, false), "{page}, managed: {managed}");
        }
    }
    Ok(())
}

pub(crate) async fn save_of_a_foreign_item_conflicts_where_it_is_not_as_read(world: Arc<World>) -> Outcomes {
    let pages = world.table::<Page>().await?;
    let page = |newer: u32| json!({ "id": "a", "settings": { "newer": newer } });
    world.foreign_put(pages.name(), page(1)).await;
    let found = pages.get("a").send().await?.expect("is there");
    world.foreign_put(pages.name(), page(2)).await;
    let refused = pages.save(found.with(|page| page.settings.size = 7)).send().await.unwrap_err();
    assert!(refused.is_version_conflict() || world.may_be_unknown(&refused), "{refused:?}");
    let found = pages.get("a").send().await?.expect("is there");
    let saved = pages.save(found.with(|page| page.settings.size = 7)).send().await?;
    assert_eq!(saved.version(), Some(1));
    let stored = world.stored(pages.name(), "a").await.expect("is there");
    let settings: serde_json::Value = serde_dynamo::from_attribute_value(stored["settings"].clone())?;
    assert_eq!(settings, json!({ "newer": 2, "size": 7 }));
    Ok(())
}

pub(crate) async fn insert_does_not_overwrite_a_foreign_item(world: Arc<World>) -> Outcomes {
    let accounts = world.table::<Account>().await?;
    world.foreign_put(accounts.name(), json!({"id": "a", "owner": "ann", "balance": 1})).await;
    let refused = accounts.insert(&account("a", 2)).send().await.unwrap_err();
    assert!(refused.is_already_exists() || world.may_be_unknown(&refused), "{refused:?}");
    assert_eq!(world.stored(accounts.name(), "a").await.expect("is there")["balance"], AttributeValue::N("1".into()));
    Ok(())
}

#[derive(Debug, PartialEq, Serialize, Deserialize, Item)]
#[item(table = "readings")]
struct Reading {
    #[item(partition_key)]
    #[serde(with = "serde_bytes")]
    sensor: Vec<u8>,
    #[item(sort_key)]
    at: i64,
    value: f64,
}

pub(crate) async fn sort_keys_and_binary_keys(world: Arc<World>) -> Outcomes {
    let readings = world.table::<Reading>().await?;
    for at in [-1, 0, 1] {
        readings.insert(&Reading { sensor: vec![0, 255], at, value: 0.5 }).send().await?;
    }
    readings.update((vec![0, 255], 0)).set(Reading::FIELDS.value, 2.25).send().await?;
    readings.delete((vec![0, 255], 1)).send().await?;
    let value = async |at: i64| -> Result<Option<f64>, dynamo_once::Error> {
        Ok(readings.get((vec![0, 255], at)).send().await?.map(|reading| reading.value))
    };
    assert_eq!((value(-1).await?, value(0).await?, value(1).await?), (Some(0.5), Some(2.25), None));
    Ok(())
}

pub(crate) async fn stored_nonsense_is_refused_and_left_alone(world: Arc<World>) -> Outcomes {
    let accounts = world.table::<Account>().await?;
    let f = Account::FIELDS;
    let nonsense = [
        ("version", json!("seven")),
        ("version", json!(-1)),
        ("version", json!(1.5)),
        ("version", json!(i64::MAX)),
        ("_wb", json!("not an id")),
        ("_w3", json!(3)),
    ];
    for (number, (attribute, value)) in nonsense.into_iter().enumerate() {
        let id = number.to_string();
        let mut item = json!({"id": id, "owner": "ann", "balance": 1});
        item[attribute] = value;
        world.foreign_put(accounts.name(), item).await;
        let before = world.stored(accounts.name(), &id).await;

        let refused = accounts.update(&id).add(f.balance, 1).send().await.unwrap_err();
        assert!(refused.kind() == ErrorKind::Malformed || world.may_be_unknown(&refused), "{refused:?}");
        if refused.kind() == ErrorKind::Malformed {
            assert!(refused.to_string().contains(&format!("`{attribute}`")), "{refused}");
        }
        let unreadable = accounts.get(&id).send().await.unwrap_err();
        assert_eq!(unreadable.kind(), ErrorKind::Malformed, "{unreadable:?}");
        assert!(unreadable.raw_current().is_some());
        assert_eq!(world.stored(accounts.name(), &id).await, before, "nothing was changed");
    }
    world.foreign_put(accounts.name(), json!({"id": "x", "owner": 1, "balance": "none"})).await;
    let undecodable = accounts.get("x").send().await.unwrap_err();
    assert!(undecodable.is_decode(), "{undecodable:?}");
    assert!(undecodable.raw_current().is_some_and(|raw| raw.contains_key("balance")));
    Ok(())
}
