//! A client under test, of either kind.

use aws_sdk_dynamodb::Config;

use crate::history::Verb;
use crate::journal::Journal;
use crate::once::Once;
use crate::options::ClientKind;
use crate::sdk::Sdk;
use crate::workload::Plan;

#[derive(Debug, Clone)]
pub(crate) enum Client {
    Once(Once),
    Sdk(Sdk),
}

impl Client {
    pub(crate) fn new(kind: ClientKind, config: Config, table: &str) -> Self {
        match kind {
            ClientKind::DynamoOnce => Self::Once(Once::new(config, table)),
            ClientKind::Sdk => Self::Sdk(Sdk::new(config, table)),
        }
    }

    /// Makes a call. Reads that it begins with are no part of it: what they miss is another writer's doing.
    pub(crate) async fn make(&self, plan: &Plan, journal: &Journal) {
        let reads_first = matches!(plan.verb, Verb::Save | Verb::DeleteAt);
        match self {
            Self::Once(once) => {
                let found = if reads_first { once.read(&plan.key).await.ok().flatten() } else { None };
                let plan = if reads_first && found.is_none() { &plan.instead() } else { plan };
                journal.call(plan, |token| once.write(plan, token, found)).await;
            }
            Self::Sdk(sdk) => {
                let found = if reads_first { sdk.read(&plan.key).await.ok().flatten() } else { None };
                let plan = if reads_first && found.is_none() { &plan.instead() } else { plan };
                journal.call(plan, |token| sdk.write(plan, token, found)).await;
            }
        }
    }
}
