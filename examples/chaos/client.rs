//! A client under test, of either kind.

use aws_sdk_dynamodb::Config;

use crate::entry::{Entry, Kept};
use crate::history::Verb;
use crate::journal::Journal;
use crate::once::Once;
use crate::options::{ClientKind, Options};
use crate::sdk::Sdk;
use crate::workload::Plan;

#[derive(Debug, Clone)]
pub(crate) enum Client {
    Once(Once<Entry>),
    /// Whose deletes leave tombstones.
    Kept(Once<Kept>),
    Sdk(Sdk),
}

impl Client {
    pub(crate) fn new(options: &Options, config: Config, table: &str) -> Self {
        match options.client {
            ClientKind::DynamoOnce if options.tombstones() => Self::Kept(Once::new(config, table)),
            ClientKind::DynamoOnce => Self::Once(Once::new(config, table)),
            ClientKind::Sdk => Self::Sdk(Sdk::new(config, table)),
        }
    }

    /// Makes a call. Reads that it begins with are no part of it: what they miss is another writer's doing.
    pub(crate) async fn make(&self, plan: &Plan, journal: &Journal) {
        let reads_first = matches!(plan.verb, Verb::Save | Verb::DeleteAt);
        macro_rules! make {
            ($client:expr) => {{
                let found = if reads_first { $client.read(&plan.key).await.ok().flatten() } else { None };
                let plan = if reads_first && found.is_none() { &plan.instead() } else { plan };
                journal.call(plan, |token| $client.write(plan, token, found)).await;
            }};
        }
        match self {
            Self::Once(once) => make!(once),
            Self::Kept(kept) => make!(kept),
            Self::Sdk(sdk) => make!(sdk),
        }
    }
}
