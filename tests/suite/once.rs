//! Operations that run once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dynamo_once::{Error, ErrorKind, OnceError};

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
