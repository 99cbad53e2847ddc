//! The client that is this crate.

use aws_sdk_dynamodb::Config;
use dynamo_once::{Context, ErrorKind, OnceError, Records, RetryPolicy, Store};

use crate::fate::come_to;
use crate::history::{Execution, Step, Told};
use crate::run::{Job, LEASE};
use crate::tables::{COUNTERS, Counter, Entry, Order, Tables};

/// Retries are taken from a budget, which an outage uses up; here nothing but the outage happens.
const BUDGET: u32 = 1_000_000;

#[derive(Debug)]
pub(crate) struct Once {
    records: Records,
    tables: Tables,
}

impl Once {
    /// A process of its own.
    pub(crate) fn new(config: Config) -> Self {
        let store = Store::builder(config).retry(RetryPolicy::new().budget(BUDGET)).build();
        Self { records: store.records("records").lease(LEASE), tables: Tables::of(&store) }
    }

    pub(crate) async fn handle(&self, job: &Job) -> Told {
        let once = self.records.once(job.name()).payload(&job.key.0);
        match once.run(|run| self.operate(run, job)).await {
            Ok(ran) if ran.is_replayed() => Told::Replayed(Execution(ran.into_answer())),
            Ok(ran) => Told::Ran(Execution(ran.into_answer())),
            Err(OnceError::Failed(())) => Told::Failed,
            Err(OnceError::NotRun(error) | OnceError::NotStored(error)) => match error.kind() {
                ErrorKind::InProgress => Told::InProgress,
                ErrorKind::Superseded => Told::Superseded,
                ErrorKind::OutcomeUnknown => Told::Unknown,
                ErrorKind::Throttled | ErrorKind::Timeout | ErrorKind::Unreachable | ErrorKind::Contention => {
                    Told::GaveUp
                }
                other => Told::Refused(other),
            },
            Err(_) => Told::Refused(ErrorKind::Malformed),
        }
    }

    /// Stages the effect, and answers with who did so.
    async fn operate(&self, run: Context, job: &Job) -> Result<u64, ()> {
        come_to(Step::Claimed).await;
        let (execution, key, tables) = (job.execute(), job.key.0, &self.tables);
        run.stage(tables.counters.update(key % COUNTERS).add(Counter::FIELDS.counted, 1));
        let order = tables.orders.update(key).add(Order::FIELDS.paid, 1);
        run.stage(order.set(Order::FIELDS.paid_by, Some(execution)));
        come_to(Step::Operating).await;
        if job.key.is_entered() {
            run.stage(tables.ledger.insert(&Entry { key, execution }));
        }
        run.stage(tables.baskets.delete(key));
        if job.fails { Err(()) } else { Ok(execution) }
    }
}
