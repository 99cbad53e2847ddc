//! Inserting an item if its key has none.

use std::fmt;
use std::sync::Arc;

use aws_sdk_dynamodb::types::ReturnValue;

use crate::call::Request;
use crate::error::Error;
use crate::expr::Changes;
use crate::fingerprint;
use crate::item::{Item, RawItem, encode};
use crate::maintained::Times;
use crate::op::prepared::Prepared;
use crate::pending::PendingToken;
use crate::protocol::call::Attempt;
use crate::protocol::guard::{Expect, Guard};
use crate::protocol::log::KeyStamp;
use crate::stamped;
use crate::table::Table;
use crate::written::Written;

/// Inserts an item if no item has its key; see [`Table::insert`].
///
/// # Idempotency
///
/// One `PutItem` under `attribute_not_exists` of the partition key. Where its reply is lost, the same request is sent
/// again, and the id that the first attempt left on the item tells the caller's own insert
/// ([`Replayed`](crate::Outcome::Replayed)) from another's ([`AlreadyExists`](crate::ErrorKind::AlreadyExists)). A refusal after a
/// lost reply costs one more request, a fence, so that it is final for as long as the item lives.
///
/// A tombstone that has the key comes to life as the item, at its next version, for one request more.
///
/// With [`keyed`](Insert::keyed) the insert is recognised also when a new process repeats it after a crash, until the item
/// is deleted. It costs nothing more.
///
/// Write capacity: one unit for each KB of the item and its stamp, also where the condition fails.
///
/// # Errors
///
/// [`AlreadyExists`](crate::ErrorKind::AlreadyExists), with the item that stands ([`Error::current`]);
/// [`KeyReused`](crate::ErrorKind::KeyReused) where the idempotency key was used with other content;
/// [`OutcomeUnknown`](crate::ErrorKind::OutcomeUnknown) where it can't be told whether the insert was applied;
/// [`Invalid`](crate::ErrorKind::Invalid) where the item can't be written, with nothing sent; and what else ended the retries.
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
/// let account = Account { id: "acc-1".into(), balance: 10 };
/// accounts.insert(&account).keyed("event-1").send().await?;
///
/// // The event is delivered again, to another process perhaps.
/// assert!(accounts.insert(&account).keyed("event-1").send().await?.is_replayed());
///
/// let refused = accounts.insert(&account).send().await.unwrap_err();
/// assert!(refused.is_already_exists());
/// assert_eq!(refused.current::<Account>()?.expect("the item that stands").balance, 10);
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is written until `send`"]
pub struct Insert<T> {
    table: Table<T>,
    item: Result<RawItem, Error>,
    key: Option<Vec<u8>>,
    fingerprint: Option<Vec<u8>>,
    token: Option<PendingToken>,
    /// Whether it is a part of others, so that its first request may not be its last, and the item has to be kept.
    is_part: bool,
}

impl<T: Item> Insert<T> {
    pub(crate) fn new(table: Table<T>, item: &T) -> Self {
        let item = encode(item, &table.core().format().stamp.prefix);
        Self { table, item, key: None, fingerprint: None, token: None, is_part: false }
    }

    /// Names what this insert stands for (an event's id, a request's idempotency key), so that it is recognised when
    /// another process repeats it, for as long as the item isn't deleted.
    ///
    /// Every repetition has to have the same content, or it is refused as [`KeyReused`](crate::ErrorKind::KeyReused). An empty key is
    /// [`Invalid`](crate::ErrorKind::Invalid): a missing one would otherwise pass for one that was given. Beware of what serialises in
    /// another order each time: a `HashSet`, which serde stores as a list, wants `serde_dynamo::string_set`, or to be a
    /// `BTreeSet`, or a [`fingerprint`](Insert::fingerprint).
    ///
    /// Where deletes leave tombstones, the insert is recognised after a delete too, until the tombstone expires or comes to life
    /// under another key: it is [`Replayed`](crate::Outcome::Replayed), and the item stays deleted.
    pub fn keyed(mut self, key: impl AsRef<[u8]>) -> Self {
        self.key = Some(key.as_ref().to_vec());
        self
    }

    /// Sets what counts as the content, in the place of the whole item. For items with a field that differs in each
    /// repetition, such as the time of writing. Does nothing without [`keyed`](Insert::keyed).
    pub fn fingerprint(mut self, content: impl AsRef<[u8]>) -> Self {
        self.fingerprint = Some(content.as_ref().to_vec());
        self
    }

    /// Goes on with the call that another process has left with an unknown outcome, in the place of a call of its own: the same
    /// request goes out once more, and what it was asked to write has to be the same.
    ///
    /// Nothing else is sent but a fence; see [`Pending::finish`](crate::Pending::finish) for what it costs and answers. A token of
    /// another call, or other content, is refused as [`BadToken`](crate::ErrorKind::BadToken).
    pub fn resume(mut self, token: &PendingToken) -> Self {
        self.token = Some(token.clone());
        self
    }

    /// Inserts the item.
    ///
    /// # Errors
    ///
    /// See [`Insert`].
    pub async fn send(self) -> Result<Written<T>, Error> {
        let token = self.token.clone();
        let mut prepared = self.prepare()?;
        let (write, request) = prepared.write(None);
        let settled = write.settle_or_resume(token.as_ref(), request).await?;
        Ok(Written::new(settled, prepared.table.format()))
    }

    /// Whether it can't be part of a transaction.
    pub(crate) fn is_of_its_own(&self) -> bool {
        self.key.is_some() || self.token.is_some()
    }

    /// The same, as a part of others.
    pub(crate) fn into_part(mut self) -> Self {
        self.is_part = true;
        self
    }

    pub(crate) fn table(&self) -> &Table<T> {
        &self.table
    }

    #[expect(clippy::type_complexity, reason = "a closure has no shorter name")]
    pub(crate) fn prepare(
        self,
    ) -> Result<Prepared<impl FnMut(&Attempt, Option<&RawItem>) -> Result<Request, Error> + Send + Sync + use<T>>, Error>
    {
        const OPERATION: &str = "insert";
        let core = Arc::clone(self.table.core());
        let item = self.item.map_err(|error| error.with_operation(OPERATION, core.name()))?;
        if self.key.as_ref().is_some_and(Vec::is_empty) {
            return Err(Error::invalid(EMPTY_KEY).with_operation(OPERATION, core.name()));
        }
        let began = PendingToken::began_or_now(self.token.as_ref(), &core);
        let key = core.key_of(&item);
        let keyed = self.key.map(|idempotency_key| KeyStamp {
            key: fingerprint::key(core.name(), &key, &idempotency_key),
            content: match &self.fingerprint {
                Some(content) => fingerprint::bytes(content),
                None => fingerprint::item(&core.schema().without_indexes(&item)),
            },
        });
        let content = self.is_part.then(|| fingerprint::item(&core.schema().without_indexes(&item)));
        let item = Times::new(core.schema(), began).make(item);
        // The item goes into the first request as it is, and a copy is made where a tombstone may stand in its way.
        let keeps = self.is_part || core.schema().tombstones_left().is_some();
        let again = keeps.then(|| item.clone());
        let mut item = Some(item);
        let prepared = Prepared::new(
            self.table.core(),
            OPERATION,
            key,
            Expect::Absent,
            began,
            move |attempt: &Attempt, tombstone: Option<&RawItem>| match (attempt.guard, tombstone) {
                (Guard::Revive { .. }, Some(tombstone)) => {
                    let item = again.clone().ok_or_else(|| Error::invalid(FOREIGN_TOMBSTONE))?;
                    let changes = Changes::whole(core.schema(), item);
                    stamped::revive(&core, attempt, tombstone, changes, keyed, ReturnValue::None)
                }
                _ => {
                    let item = item.take().or_else(|| again.clone());
                    let mut item = item.ok_or_else(|| Error::invalid(FOREIGN_TOMBSTONE))?;
                    if let Some(keyed) = keyed {
                        item.insert(core.format().stamp.keyed.clone(), keyed.attribute());
                    }
                    stamped::put(&core, attempt, item)
                }
            },
        );
        Ok(Prepared { keyed, content, ..prepared })
    }
}

/// No copy of the item is kept for a type that doesn't expect tombstones.
const FOREIGN_TOMBSTONE: &str = "a tombstone of another program has the key; declare the item type with tombstones too, to bring it \
                                 to life";

/// A caller who has no key mustn't get the guarantee of one.
const EMPTY_KEY: &str = "the idempotency key is empty; give the id of the event or request that the insert stands for, or leave \
                         `keyed` out";

impl<T> fmt::Debug for Insert<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Insert").field("table", &self.table).field("keyed", &self.key.is_some()).finish_non_exhaustive()
    }
}
