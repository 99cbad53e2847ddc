//! The client that is this crate.

use aws_sdk_dynamodb::Config;
use dynamo_once::{Error, ErrorKind, Outcome, RetryPolicy, Store, Table, Versioned, Written};

use crate::entry::Row;
use crate::history::{Change, Refusal, Token, Told, Verb};
use crate::workload::Plan;

/// Retries are taken from a budget, which an outage uses up; here nothing but the outage happens.
const BUDGET: u32 = 1_000_000;

#[derive(Debug)]
pub(crate) struct Once<R> {
    entries: Table<R>,
}

impl<R> Clone for Once<R> {
    fn clone(&self) -> Self {
        Self { entries: self.entries.clone() }
    }
}

impl<R: Row> Once<R> {
    /// A store of its own.
    pub(crate) fn new(config: Config, table: &str) -> Self {
        let store = Store::builder(config).retry(RetryPolicy::new().budget(BUDGET)).build();
        Self { entries: store.table_named(table) }
    }

    pub(crate) async fn create_table(&self) -> Result<(), Error> {
        self.entries.create_if_missing().await
    }

    pub(crate) async fn read(&self, key: &str) -> Result<Option<Versioned<R>>, Error> {
        self.entries.get(key).send().await
    }

    /// Makes a call's writes; `found` is what was read for it.
    pub(crate) async fn write(&self, plan: &Plan, token: Token, found: Option<Versioned<R>>) -> Told {
        let (entries, key) = (&self.entries, plan.key.as_str());
        let change = |delta: i64| move |row: &mut R| row.add(delta, token);
        told(match (plan.verb, plan.change, found) {
            (Verb::Upsert, Change::Put { number }, _) => entries.upsert(&R::new(key, number, token)).send().await,
            (_, Change::Put { number }, _) => entries.insert(&R::new(key, number, token)).send().await,
            (Verb::Save, Change::Add { delta }, Some(found)) => entries.save(found.with(change(delta))).send().await,
            (Verb::Modify, Change::Add { delta }, _) => entries.modify(key, change(delta)).send().await,
            (_, Change::AddIf { delta, at_least }, _) => {
                let update = entries.update(key).add(R::NUMBER, delta).set(R::TOKEN, token.to_string());
                update.when(R::NUMBER.ge(at_least)).send().await
            }
            (_, Change::Add { delta }, _) => {
                entries.update(key).add(R::NUMBER, delta).set(R::TOKEN, token.to_string()).send().await
            }
            (Verb::DeleteAt, Change::Remove, Some(found)) => entries.delete(key).at(found.etag()).send().await,
            (_, Change::Remove, _) => entries.delete(key).send().await,
        })
    }
}

fn told<R: Row>(result: Result<Written<R>, Error>) -> Told {
    let error = match result {
        Ok(written) if written.outcome() == Outcome::Replayed => return Told::Replayed,
        Ok(_) => return Told::Applied,
        Err(error) => error,
    };
    match error.kind() {
        ErrorKind::OutcomeUnknown => Told::Unknown,
        ErrorKind::AlreadyExists => Told::Refused(Refusal::AlreadyExists),
        ErrorKind::NotFound => Told::Refused(Refusal::NotFound),
        ErrorKind::VersionConflict => Told::Refused(Refusal::Conflict),
        _ if error.is_refused() => Told::Refused(Refusal::Other),
        _ => Told::GaveUp,
    }
}
