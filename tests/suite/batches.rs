//! Reading and writing many items at once, and what is counted of it, on whatever network.

use std::sync::Arc;

use dynamo_once::{Error, ErrorKind, Item, Meter, Outcome, Table};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::behaviours::Outcomes;
use crate::world::{Weather, World};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Item)]
#[item(table = "wallets")]
struct Wallet {
    #[item(partition_key)]
    id: String,
    coins: i64,
}

fn wallet(number: i64) -> Wallet {
    Wallet { id: name(number), coins: number }
}

fn name(number: i64) -> String {
    format!("wallet-{number}")
}

/// A table of so many, by another program.
async fn holding(world: &World, count: i64) -> Result<Table<Wallet>, Error> {
    let wallets = world.table::<Wallet>().await?;
    let items = (0..count).map(|number| json!({ "id": name(number), "coins": number }));
    world.foreign_puts(wallets.name(), items).await;
    Ok(wallets)
}

pub(crate) async fn get_many_answers_each_key_in_its_place(world: Arc<World>) -> Outcomes {
    let wallets = holding(&world, 230).await?;
    wallets.insert(&wallet(230)).send().await?;
    // Backwards, some that aren't there, and some of them again.
    let numbers: Vec<_> = (0..250).rev().chain(5..10).collect();
    for concurrency in [1, 3] {
        let found =
            wallets.get_many(numbers.iter().map(|number| name(*number))).concurrency(concurrency).send().await?;
        assert_eq!(found.len(), numbers.len());
        for (number, found) in numbers.iter().zip(found) {
            let found = found?.map(|found| (found.coins, found.version()));
            assert_eq!(found, (*number <= 230).then_some((*number, u64::from(*number == 230))));
        }
    }
    Ok(())
}

pub(crate) async fn get_many_loses_nothing_to_what_does_not_decode(world: Arc<World>) -> Outcomes {
    let wallets = holding(&world, 4).await?;
    world.foreign_put(wallets.name(), json!({ "id": name(1), "coins": "many" })).await;
    world.foreign_put(wallets.name(), json!({ "id": name(2), "coins": 2, "version": -1 })).await;
    let found = wallets.get_many((0..5).map(name)).send().await?;
    let seen: Vec<_> = found
        .iter()
        .map(|found| match found {
            Ok(found) => Ok(found.as_ref().map(|found| found.coins)),
            Err(error) => Err((error.kind(), error.raw_current().is_some())),
        })
        .collect();
    let bad = |kind| Err((kind, true));
    assert_eq!(seen, [Ok(Some(0)), bad(ErrorKind::Decode), bad(ErrorKind::Malformed), Ok(Some(3)), Ok(None)]);
    Ok(())
}

pub(crate) async fn insert_many_is_replayed_when_it_is_delivered_again(world: Arc<World>) -> Outcomes {
    let wallets = world.table::<Wallet>().await?;
    let batch: Vec<_> = (0..30).map(wallet).collect();
    for written in wallets.insert_many(&batch[..20]).keyed(|wallet| wallet.id.clone()).send().await {
        assert_eq!(written?.version(), Some(1));
    }
    wallets.update(name(3)).add(Wallet::FIELDS.coins, 100).send().await?;
    let elsewhere = world.store.table_named::<Wallet>(wallets.name());
    let again = elsewhere.insert_many(&batch).keyed(|wallet| wallet.id.clone()).send().await;
    for (number, written) in again.into_iter().enumerate() {
        let written = written?;
        assert!(written.is_replayed() || number >= 20, "{number}: {written:?}");
    }
    let coins: Vec<_> = wallets.get_many((0..30).map(name)).send().await?.into_iter().collect::<Result<_, _>>()?;
    let coins: Vec<_> = coins.into_iter().map(|found| found.expect("is there").coins).collect();
    assert_eq!(coins, (0..30).map(|number| if number == 3 { 103 } else { number }).collect::<Vec<_>>());
    Ok(())
}

pub(crate) async fn insert_many_refuses_each_on_its_own(world: Arc<World>) -> Outcomes {
    let wallets = world.table::<Wallet>().await?;
    wallets.insert(&Wallet { coins: -1, ..wallet(1) }).send().await?;
    let batch =
        [wallet(0), wallet(1), Wallet { id: String::new(), coins: 0 }, wallet(3), Wallet { coins: 4, ..wallet(3) }];
    let outcomes = wallets.insert_many(&batch).send().await;
    let [first, there, empty, one, other] = outcomes.try_into().expect("has as many");
    assert_eq!(first?.version(), Some(1));
    let there: Error = there.unwrap_err();
    assert!(there.is_already_exists() && there.current::<Wallet>()?.is_some_and(|stands| stands.coins == -1));
    assert!(empty.unwrap_err().is_invalid());
    let winner = wallets.get(name(3)).send().await?.expect("one of the two").coins;
    let (won, lost) = if winner == 3 { (one, other) } else { (other, one) };
    assert_eq!(won?.version(), Some(1));
    let lost: Error = lost.unwrap_err();
    // It may be the second one under its key, for all that a lost reply leaves to tell.
    assert!(lost.is_already_exists() || world.may_be_unknown(&lost), "{lost:?}");
    Ok(())
}

pub(crate) async fn upsert_many_writes_each_item_once(world: Arc<World>) -> Outcomes {
    let wallets = world.table::<Wallet>().await?;
    for round in 0..2 {
        let batch = (0..20).map(|number| Wallet { coins: number + round, ..wallet(number) });
        for written in wallets.upsert_many(batch).concurrency(8).send().await {
            assert!(matches!(written?.outcome(), Outcome::Applied | Outcome::Replayed));
        }
    }
    let found = wallets.scan().items().collect().await?;
    assert_eq!(found.len(), 20);
    assert!(found.iter().all(|found| found.version() == 2 && found.id == name(found.coins - 1)), "{found:?}");
    Ok(())
}

pub(crate) async fn a_meter_counts_every_request(world: Arc<World>) -> Outcomes {
    let meter = Meter::new();
    let wallets = world.table::<Wallet>().await?.metered(&meter);
    let before = world.requests();
    for written in wallets.insert_many((0..5).map(wallet)).send().await {
        written?;
    }
    wallets.get(name(0)).send().await?;
    wallets.update(name(0)).add(Wallet::FIELDS.coins, 1).send().await?;
    wallets.modify(name(1), |wallet| wallet.coins += 1).send().await?;
    wallets.upsert(&wallet(2)).send().await?;
    wallets.get_many((0..5).map(name)).send().await?;
    assert_eq!((wallets.scan().items().collect().await?.len(), wallets.scan().count().await?), (5, 5));
    wallets.delete(name(4)).send().await?;
    let total = meter.total();
    assert_eq!(total.requests as usize, world.requests() - before, "\n{meter}");
    if matches!(world.weather, Weather::Plain) {
        let counted = |operation| {
            let consumed = meter.of(operation);
            (consumed.requests, consumed.read_units, consumed.write_units)
        };
        assert_eq!((counted("insert"), counted("get")), ((5, 0.0, 5.0), (1, 1.0, 0.0)), "\n{meter}");
        assert_eq!((counted("update"), counted("modify")), ((1, 0.0, 1.0), (2, 1.0, 1.0)), "\n{meter}");
        assert_eq!((counted("get_many"), counted("scan")), ((1, 5.0, 0.0), (2, 2.0, 0.0)), "\n{meter}");
        assert_eq!(total.unreported, 0, "\n{meter}");
    } else {
        assert!(total.unreported > 0 || world.faults.injected() == 0, "what is lost isn't reported\n{meter}");
    }
    Ok(())
}
