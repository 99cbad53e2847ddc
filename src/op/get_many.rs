//! Reading many items by their keys.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use aws_sdk_dynamodb::types::KeysAndAttributes;
use futures_util::future::try_join_all;

use crate::call::Answer;
use crate::error::{Error, ErrorKind};
use crate::item::{Item, RawItem};
use crate::key::{Identity, key_attributes};
use crate::op::get::Consistency;
use crate::retry::{Retry, Spent, Why};
use crate::settle;
use crate::stamped::built;
use crate::table::{Core, Table};
use crate::versioned::Versioned;

/// Reads many items by their keys; see [`Table::get_many`].
///
/// What comes back has an element for each key, in the order of the keys: the item, or `None` where there is none. A key that is
/// given twice is asked for once, and its item comes twice. An item that doesn't decode is the error of its own key, and the others are
/// there all the same; for whom one such item spoils it all, `collect` makes one `Result` of them.
///
/// Reads are strongly consistent unless [`consistency`](GetMany::consistency) says otherwise, each item by itself: what is written in
/// between may be seen in one and not in another.
///
/// # Idempotency
///
/// A read changes nothing, so that a lost reply is asked for again. One `BatchGetItem` for every 100 keys. The service may leave some of
/// them unprocessed, where the items have more than 16 MB together or the table throttles (AWS, "BatchGetItem"): those go out again
/// after a pause, together with the next keys, for as often as the retry policy allows without any progress.
///
/// Read capacity: as much as a [`Get`](crate::Get) of each key.
///
/// # Errors
///
/// Of a key: [`Decode`](ErrorKind::Decode) where the stored item is not of this type and [`Malformed`](ErrorKind::Malformed) where its
/// version or log can't be read, both with the raw item ([`Error::raw_current`]).
///
/// Of the call: [`Throttled`](ErrorKind::Throttled) where keys stay unprocessed, with the bound that was met ([`Error::limit`]);
/// [`Invalid`](ErrorKind::Invalid) for an empty or oversized key, with nothing sent; and what ended the retries, where no answer came.
///
/// # Examples
///
/// ```
/// # use dynamo_once::{Item, Store, testing::Embedded};
/// # #[derive(Debug, serde::Serialize, serde::Deserialize, Item)]
/// # #[item(table = "accounts")]
/// # struct Account { #[item(partition_key)] id: String, balance: i64 }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let engine = Embedded::start().await;
/// # let accounts = Store::new(engine.config().build()).table::<Account>();
/// # accounts.create_if_missing().await?;
/// # accounts.insert(&Account { id: "acc-1".into(), balance: 10 }).send().await?;
/// let found = accounts.get_many(["acc-1", "acc-2"]).send().await?;
/// let found: Vec<_> = found.into_iter().collect::<Result<_, _>>()?;
/// assert_eq!(found[0].as_ref().expect("is there").balance, 10);
/// assert!(found[1].is_none());
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is read until `send`"]
pub struct GetMany<T: Item> {
    table: Table<T>,
    keys: Vec<T::Key>,
    consistency: Consistency,
    concurrency: usize,
}

const OPERATION: &str = "get_many";

/// AWS, "BatchGetItem".
const KEYS_A_REQUEST: usize = 100;

impl<T: Item> GetMany<T> {
    pub(crate) fn new(table: Table<T>, keys: Vec<T::Key>) -> Self {
        Self { table, keys, consistency: Consistency::Strong, concurrency: 1 }
    }

    /// Sets how fresh the reads have to be.
    pub fn consistency(mut self, consistency: Consistency) -> Self {
        self.consistency = consistency;
        self
    }

    /// Sets how many requests may be under way at once; 1 unless set.
    pub fn concurrency(mut self, requests: usize) -> Self {
        self.concurrency = requests;
        self
    }

    /// Reads the items: one element for each key, in their order.
    ///
    /// # Errors
    ///
    /// See [`GetMany`].
    pub async fn send(self) -> Result<Vec<Result<Option<Versioned<T>>, Error>>, Error> {
        let core = self.table.core();
        let of = |error: Error| error.with_operation(OPERATION, core.name());
        if self.concurrency == 0 {
            return Err(of(Error::invalid(
                "with no request under way at once nothing is read; allow for one at least",
            )));
        }
        let (mut indexes, mut waiting, mut places) = (HashMap::new(), VecDeque::new(), Vec::new());
        for key in &self.keys {
            let key = key_attributes::<T>(key).map_err(of)?;
            let next = waiting.len();
            let index = *indexes.entry(Identity::of(core.schema(), &key)).or_insert(next);
            if index == next {
                waiting.push_back(key);
            }
            places.push(index);
        }
        let (mut found, requests) = (vec![None; waiting.len()], waiting.len().div_ceil(KEYS_A_REQUEST));
        let reading = Reading {
            core,
            consistency: self.consistency,
            since: core.store().now(),
            waiting: Mutex::new(waiting),
            sent: AtomicU32::new(0),
        };
        let at_once = self.concurrency.min(requests);
        for item in try_join_all((0..at_once).map(|_| reading.requests())).await?.into_iter().flatten() {
            match indexes.get(&Identity::of(core.schema(), &item)) {
                Some(index) => found[*index] = Some(item),
                // Or its key would pass for absent.
                None => {
                    let unasked = Error::new(ErrorKind::Service, "the service answered with an item of another key");
                    return Err(reading.failed(unasked));
                }
            }
        }
        let mut left = vec![0_usize; found.len()];
        places.iter().for_each(|index| left[*index] += 1);
        let decode = |index: usize| {
            left[index] -= 1;
            let item = if left[index] == 0 { found[index].take() } else { found[index].clone() };
            item.map_or(Ok(None), |item| core.found(item).map_err(of))
        };
        Ok(places.into_iter().map(decode).collect())
    }
}

/// What the requests of one call share.
struct Reading<'t> {
    core: &'t Core,
    consistency: Consistency,
    since: SystemTime,
    waiting: Mutex<VecDeque<RawItem>>,
    /// The requests that ended.
    sent: AtomicU32,
}

impl Reading<'_> {
    /// Sends one request after the other for as long as keys are waiting.
    async fn requests(&self) -> Result<Vec<RawItem>, Error> {
        let mut retry = self.core.store().caller().begin_after(Spent { since: self.since, attempts: 0 });
        let (mut keys, mut found) = (Vec::new(), Vec::new());
        loop {
            self.fill(&mut keys);
            if keys.is_empty() {
                return Ok(found);
            }
            let asked = keys.len();
            let (items, unprocessed) = self.request(keys, &mut retry).await?;
            found.extend(items);
            keys = unprocessed;
            if keys.len() < asked {
                retry.progressed();
            }
            if !keys.is_empty() && retry.pause(Why::Throttle).await.is_err() {
                let message =
                    format!("the service left {} keys unprocessed, as it does where it throttles", keys.len());
                return Err(self.failed(retry.report(Error::new(ErrorKind::Throttled, message))));
            }
        }
    }

    async fn request(&self, keys: Vec<RawItem>, retry: &mut Retry<'_>) -> Result<(Vec<RawItem>, Vec<RawItem>), Error> {
        let strong = self.consistency == Consistency::Strong;
        let keys = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(strong).build();
        let keys = built(keys).map_err(|error| self.failed(error))?;
        let request = self.core.store().client().batch_get_item().request_items(self.core.name(), keys);
        let before = retry.spent().attempts;
        let output = settle::read_on(self.core, OPERATION, request, retry).await;
        self.sent.fetch_add(retry.spent().attempts - before, Ordering::Relaxed);
        match output.map_err(|error| self.failed(error))?.answer {
            Answer::Batch { items, unprocessed } => Ok((items, unprocessed)),
            Answer::Item(_) | Answer::Page(_) | Answer::Items(_) => Err(self.failed(Error::of(ErrorKind::Service))),
        }
    }

    /// Fills a request up with keys that are waiting.
    fn fill(&self, keys: &mut Vec<RawItem>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let some = KEYS_A_REQUEST.saturating_sub(keys.len()).min(waiting.len());
        keys.extend(waiting.drain(..some));
    }

    /// The failure, as one of the whole call.
    fn failed(&self, error: Error) -> Error {
        let spent = Spent { since: self.since, attempts: self.sent.load(Ordering::Relaxed) };
        spent.report(error.with_operation(OPERATION, self.core.name()), self.core.store().now())
    }
}

impl<T: Item> fmt::Debug for GetMany<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GetMany")
            .field("table", &self.table)
            .field("keys", &self.keys.len())
            .field("consistency", &self.consistency)
            .field("concurrency", &self.concurrency)
            .finish()
    }
}
