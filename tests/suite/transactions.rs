//! What transactions do, on whatever network.

use std::sync::Arc;

use dynamo_once::{ErrorKind, Item};
use serde::{Deserialize, Serialize};

use crate::behaviours::Outcomes;
use crate::world::World;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Item)]
#[item(table = "purses")]
struct Purse {
    #[item(partition_key)]
    id: String,
    coins: i64,
}

fn purse(id: &str, coins: i64) -> Purse {
    Purse { id: id.into(), coins }
}

pub(crate) async fn a_payment_is_made_whole_and_once(world: Arc<World>) -> Outcomes {
    let purses = world.table::<Purse>().await?;
    for id in ["ann", "bob"] {
        purses.insert(&purse(id, 10)).send().await?;
    }
    let f = Purse::FIELDS;
    for _ in 0..8 {
        let pay = world.store.transact().with(purses.update("ann").add(f.coins, -1).when(f.coins.ge(1)));
        pay.with(purses.update("bob").add(f.coins, 1)).send().await?;
    }
    let coins = async |id| purses.get(id).send().await.map(|found| found.map(|purse| purse.coins));
    assert_eq!((coins("ann").await?, coins("bob").await?), (Some(2), Some(18)));
    Ok(())
}

pub(crate) async fn a_transaction_refused_by_one_part_does_nothing(world: Arc<World>) -> Outcomes {
    let purses = world.table::<Purse>().await?;
    purses.insert(&purse("ann", 10)).send().await?;
    let f = Purse::FIELDS;
    let transact =
        world.store.transact().with(purses.update("ann").add(f.coins, 5)).with(purses.insert(&purse("bob", 1)));
    let refused = transact.with(purses.check("eve")).send().await.unwrap_err();
    assert_eq!((refused.kind(), refused.part()), (ErrorKind::NotFound, Some(2)), "{refused:?}");
    assert_eq!(purses.get("ann").send().await?.map(|purse| purse.coins), Some(10));
    assert!(purses.get("bob").send().await?.is_none());
    Ok(())
}
