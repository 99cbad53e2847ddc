//! Operations that run once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dynamo_once::{Context, Error, ErrorKind, Item, OnceError};
use serde::{Deserialize, Serialize};

use crate::behaviours::Outcomes;
use crate::world::World;

pub(crate) async fn an_operation_runs_once_and_every_delivery_is_answered(world: Arc<World>) -> Outcomes {
    let records = world.records().await?;
    let runs = Arc::new(AtomicUsize::new(0));
    for key in 0..5 {
        for delivery in 0..3 {
            let run = async |_| Ok::<usize, Error>(runs.fetch_add(1, Ordering::SeqCst));
            let once = records.once(format!("event-{key}")).payload(&key).wait(Duration::from_secs(60));
            let ran = once.run(run).await?;
            assert_eq!((*ran.answer(), ran.is_replayed()), (key, delivery > 0));
        }
    }
    assert_eq!(runs.load(Ordering::SeqCst), 5);
    let other =
        records.once("event-0").payload(&7).run(async |_| Err::<usize, _>("it has run before".to_owned())).await;
    assert!(matches!(&other, Err(OnceError::NotRun(error)) if error.kind() == ErrorKind::KeyReused), "{other:?}");
    Ok(())
}

pub(crate) async fn a_failed_operation_runs_again(world: Arc<World>) -> Outcomes {
    let records = world.records().await?;
    for failure in 0..3 {
        let failed = records.once("event").run(async |_| Err::<usize, _>(failure)).await;
        assert!(matches!(failed, Err(OnceError::Failed(again)) if again == failure), "{failed:?}");
    }
    let ran = records.once("event").run(async |_| Ok::<_, Error>(7)).await?;
    assert!(!ran.is_replayed());
    Ok(())
}

pub(crate) async fn what_is_final_or_large_is_replayed(world: Arc<World>) -> Outcomes {
    let records = world.records().await?;
    let large = "a large answer ".repeat(40_000);
    for delivery in 0..2 {
        let ran = records.once("large").run(async |_| Ok::<_, Error>(large.clone())).await?;
        assert_eq!((ran.answer() == &large, ran.is_replayed()), (true, delivery > 0));
        let fail = async |_| Err::<(), _>("no such account".to_owned());
        let failed = records.once("final").run_storing_failures(|_| true, fail).await;
        let failed_before = matches!(&failed, Err(OnceError::FailedBefore(_)));
        assert!(
            matches!(&failed, Err(OnceError::Failed(why) | OnceError::FailedBefore(why)) if why == "no such account")
        );
        assert_eq!(failed_before, delivery > 0, "{failed:?}");
    }
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Item)]
#[item(table = "savings")]
struct Savings {
    #[item(partition_key)]
    id: String,
    cents: i64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Item)]
#[item(table = "payments")]
struct Payment {
    #[item(partition_key)]
    id: String,
    #[item(sort_key)]
    attempt: usize,
    cents: i64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Item)]
#[item(table = "bills")]
struct Bill {
    #[item(partition_key)]
    id: String,
}

pub(crate) async fn a_payment_is_made_once_with_its_record(world: Arc<World>) -> Outcomes {
    let records = world.records().await?;
    let (savings, payments) = (world.table::<Savings>().await?, world.table::<Payment>().await?);
    let bills = world.table::<Bill>().await?;
    savings.insert(&Savings { id: "ann".into(), cents: 50 }).send().await?;
    let attempts = AtomicUsize::new(0);
    let f = Savings::FIELDS;
    // An attempt's payment is an item of its own, so that nothing but the record keeps a second one out.
    let pay = async |run: Context, closed: bool| {
        let attempt = attempts.fetch_add(1, Ordering::SeqCst);
        run.stage(savings.update("ann").add(f.cents, -10).when(f.cents.ge(10)));
        run.stage(payments.insert(&Payment { id: run.key().into(), attempt, cents: 10 }));
        run.stage(bills.delete(run.key()));
        if closed { Err(std::io::Error::other("the bank is closed")) } else { Ok(attempt) }
    };
    for bill in 0..5 {
        let id = format!("bill-{bill}");
        bills.insert(&Bill { id: id.clone() }).send().await?;
        let once = || records.once(&id).payload(&bill).wait(Duration::from_secs(60));
        let failed = once().run(|run| pay(run, true)).await;
        assert!(matches!(failed, Err(OnceError::Failed(_))), "{failed:?}");
        assert!(payments.query(&id).items().collect().await?.is_empty(), "a failed run writes nothing");
        assert!(bills.get(&id).send().await?.is_some());
        for delivery in 0..3 {
            let ran = once().run(|run| pay(run, false)).await?;
            assert_eq!((*ran.answer(), ran.is_replayed()), (2 * bill + 1, delivery > 0));
        }
        let made = payments.query(&id).items().collect().await?;
        assert_eq!(made.iter().map(|payment| payment.attempt).collect::<Vec<_>>(), [2 * bill + 1]);
        assert!(bills.get(&id).send().await?.is_none());
    }
    let Err(OnceError::NotStored(refused)) = records.once("bill-5").run(|run| pay(run, false)).await else {
        panic!("there is nothing left")
    };
    assert_eq!((refused.kind(), refused.part()), (ErrorKind::ConditionFailed, Some(0)), "{refused:?}");
    assert_eq!(savings.get("ann").send().await?.map(|savings| savings.cents), Some(0));
    assert!(payments.query("bill-5").items().collect().await?.is_empty());
    Ok(())
}
