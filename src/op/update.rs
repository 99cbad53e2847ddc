//! Changing parts of an item without reading it.

use std::fmt;
use std::sync::Arc;

use aws_sdk_dynamodb::types::ReturnValue;

use crate::call::Request;
use crate::error::Error;
use crate::expr::{Changeable, Changes, Condition, Delta, Elements, IntoValue, Node, Path, Rendering};
use crate::fingerprint::{self, Fingerprint};
use crate::item::{Item, RawItem, Schema, encode, is_reserved};
use crate::key::{Key as _, key_attributes};
use crate::maintained::Times;
use crate::op::indexed::with_index_attributes;
use crate::op::prepared::Prepared;
use crate::pending::PendingToken;
use crate::protocol::call::Attempt;
use crate::protocol::guard::{Expect, Guard};
use crate::stamped;
use crate::table::{Core, Table};
use crate::versioned::Etag;
use crate::written::Written;

/// Changes parts of an item that exists, without reading it; see [`Table::update`].
///
/// # Idempotency
///
/// One `UpdateItem`. Where its reply is lost, the same request is sent again; the id that the first attempt left on the item
/// makes it fail, and tells [`Replayed`](crate::Outcome::Replayed): a counter counts once. A refusal after a lost reply
/// costs one more request, a fence, so that it is final. On an item that another program wrote, the first managed write
/// costs one request more.
///
/// Write capacity: one unit for each KB of the greater of the item before and after, also where the condition fails.
///
/// # Indexes
///
/// A field that is an index's key is changed as any other. Where the key is put together of several by a template, the update has to
/// `set` all of them, or to remove one, which takes the item out of the index: it doesn't read what the others are. Fields of the table's
/// key needn't be set, since their values are known. An [`add`](Update::add) or [`append`](Update::append) doesn't tell what such a field
/// will be. Else it is [`Invalid`](crate::ErrorKind::Invalid), and [`modify`](Table::modify) does it.
///
/// # Errors
///
/// [`NotFound`](crate::ErrorKind::NotFound) where there is no item;
/// [`ConditionFailed`](crate::ErrorKind::ConditionFailed) where a condition of [`when`](Update::when) doesn't hold and
/// [`VersionConflict`](crate::ErrorKind::VersionConflict) where the item isn't the one of [`at`](Update::at), both with the item
/// that stands; [`OutcomeUnknown`](crate::ErrorKind::OutcomeUnknown) where it can't be told whether the write was applied;
/// [`Malformed`](crate::ErrorKind::Malformed) where the stored version or log can't be used;
/// [`Invalid`](crate::ErrorKind::Invalid) for an update with nothing in it, one that names a path twice, or a value that can't
/// be written, with nothing sent; and what else ended the retries.
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
/// # accounts.insert(&Account { id: "acc-1".into(), balance: 15 }).send().await?;
/// let f = Account::FIELDS;
/// let withdraw = || accounts.update("acc-1").add(f.balance, -10).when(f.balance.ge(10));
///
/// let written = withdraw().send().await?;
/// assert_eq!(written.item()?.expect("comes with the reply").balance, 5);
///
/// let refused = withdraw().send().await.unwrap_err();
/// assert!(refused.is_condition_failed());
/// assert_eq!(refused.current::<Account>()?.expect("comes with the refusal").balance, 5);
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is written until `send`"]
pub struct Update<T: Item> {
    table: Table<T>,
    key: T::Key,
    changes: Changes,
    condition: Option<Condition<T>>,
    at: Option<Etag>,
    otherwise: Option<Result<RawItem, Error>>,
    token: Option<PendingToken>,
    is_part: bool,
}

impl<T: Item> Update<T> {
    pub(crate) fn new(table: Table<T>, key: T::Key) -> Self {
        Self {
            table,
            key,
            changes: Changes::new(),
            condition: None,
            at: None,
            otherwise: None,
            token: None,
            is_part: false,
        }
    }

    /// Sets an attribute. Set to `None` it is removed, where the type reads an absent attribute as `None`: all do but those with
    /// a default of their own, and the elements of lists and the entries of maps, in which null is stored.
    ///
    /// What lies within an attribute can be set too: a field of a nested struct, an element of a list, an entry of a map. DynamoDB
    /// makes none of those around it: where they aren't stored, it rejects this and every other change within them, and the error
    /// is [`Rejected`](crate::ErrorKind::Rejected), with the [`code`](Error::code) `ValidationException`. Set the whole instead, or
    /// leave it to [`modify`](Table::modify). An element that is set beyond the end of a list is appended.
    ///
    /// ```
    /// # use dynamo_once::{Document, Error, Item, Table};
    /// # #[derive(serde::Serialize, serde::Deserialize, Item)]
    /// # struct Account { #[item(partition_key)] id: String, address: Option<Address> }
    /// # #[derive(serde::Serialize, serde::Deserialize, Document)]
    /// # struct Address { city: String }
    /// # async fn moves(accounts: Table<Account>) -> Result<(), Error> {
    /// let f = Account::FIELDS;
    /// let city = f.address.field(|address| address.city);
    /// let moved = accounts.update("acc-1").set(city, "Bonn").when(f.address.exists()).send().await;
    /// match moved {
    ///     Err(refused) if refused.is_condition_failed() => { /* there is no account, or it has no address */ }
    ///     moved => drop(moved?),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn set<V>(mut self, path: Path<T, V, impl Changeable>, value: impl IntoValue<V>) -> Self {
        self.changes.set(path, value);
        self
    }

    /// Adds to a number; an absent one counts from 0. A negative number is taken away.
    ///
    /// `None` is stored as an absent attribute. A null that another program stored is not absent: DynamoDB adds and appends
    /// nothing to it, and rejects the update.
    pub fn add<V>(mut self, path: Path<T, V, impl Changeable>, delta: impl Delta<V>) -> Self {
        self.changes.add(path, delta);
        self
    }

    /// Removes an attribute, or what lies within one. Those behind a removed element of a list move up.
    pub fn remove<V>(mut self, path: Path<T, V, impl Changeable>) -> Self {
        self.changes.remove(path);
        self
    }

    /// Appends to a list; an absent one counts as empty.
    pub fn append<V>(mut self, path: Path<T, V, impl Changeable>, items: V) -> Self
    where
        V: Elements,
    {
        self.changes.append(path, &items);
        self
    }

    /// Adds elements to a set; an absent one counts as empty.
    pub fn union<V>(mut self, path: Path<T, V, impl Changeable>, elements: V) -> Self
    where
        V: Elements,
    {
        self.changes.union(path, &elements);
        self
    }

    /// Takes elements from a set.
    pub fn difference<V>(mut self, path: Path<T, V, impl Changeable>, elements: V) -> Self
    where
        V: Elements,
    {
        self.changes.difference(path, &elements);
        self
    }

    /// Requires a condition of the stored item. Given more than once, all of them have to hold.
    pub fn when(mut self, condition: Condition<T>) -> Self {
        self.condition = Some(match self.condition.take() {
            Some(earlier) => earlier.and(condition),
            None => condition,
        });
        self
    }

    /// Requires that the item is still the one with this [`Etag`], or the one of this [`Versioned`](crate::Versioned). A bare
    /// version number works too, and is weaker; so is the etag of an item that only other programs have written.
    #[doc(alias = "if_match")]
    pub fn at(mut self, etag: impl Into<Etag>) -> Self {
        self.at = Some(etag.into());
        self
    }

    /// Inserts this item, as it is, where none has the key: the changes are for an item that is there.
    ///
    /// As with an entry of a map, `update(..).or_insert(..)` is "modify, or insert". It costs one request where there is an
    /// item, and two where there is none. An item that was inserted doesn't come along: [`Written::item`] is `None`.
    ///
    /// ```
    /// # use dynamo_once::{Item, Store, testing::Embedded};
    /// # #[derive(Debug, serde::Serialize, serde::Deserialize, Item)]
    /// # #[item(table = "visits")]
    /// # struct Visits { #[item(partition_key)] page: String, count: u64 }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let engine = Embedded::start().await;
    /// # let visits = Store::new(engine.config().build()).table::<Visits>();
    /// # visits.create_if_missing().await?;
    /// let first = Visits { page: "home".into(), count: 1 };
    /// for _ in 0..3 {
    ///     visits.update("home").add(Visits::FIELDS.count, 1).or_insert(&first).send().await?;
    /// }
    /// assert_eq!(visits.get("home").send().await?.expect("was inserted").count, 3);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "upsert")]
    #[doc(alias = "entry")]
    pub fn or_insert(mut self, item: &T) -> Self {
        self.otherwise = Some(encode(item, &self.table.core().format().stamp.prefix));
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

    /// Writes the changes.
    ///
    /// # Errors
    ///
    /// See [`Update`].
    pub async fn send(self) -> Result<Written<T>, Error> {
        let (token, at) = (self.token.clone(), self.at);
        let mut prepared = self.prepare()?;
        let (write, request) = prepared.write(None);
        let settled = write.settle_or_resume(token.as_ref(), request).await.map_err(|error| error.at(at))?;
        Ok(Written::new(settled, prepared.table.format()))
    }

    /// Whether it can't be part of a transaction.
    pub(crate) fn is_of_its_own(&self) -> bool {
        self.token.is_some()
    }

    pub(crate) fn etag(&self) -> Option<Etag> {
        self.at
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
        const OPERATION: &str = "update";
        let core = Arc::clone(self.table.core());
        let of = |error: Error| error.with_operation(OPERATION, core.name());
        let key = key_attributes::<T>(&self.key).map_err(of)?;
        let changes = self.changes.checked().map_err(of)?;
        if changes.is_empty() {
            return Err(of(Error::invalid("the update changes nothing; set, add, remove or append something")));
        }
        changes.top_level_names().into_iter().try_for_each(|name| changeable(&core, name)).map_err(of)?;
        let condition = self.condition.map(Condition::into_node).transpose().map_err(of)?;
        let otherwise = self.otherwise.transpose().map_err(of)?;
        if otherwise.as_ref().is_some_and(|item| core.key_of(item) != key) {
            return Err(of(Error::invalid("the item of `or_insert` has another key than the update")));
        }
        let expect = match (self.at, &otherwise) {
            (None, None) => Expect::Exists,
            (None, Some(_)) => Expect::Either,
            (Some(etag), None) => etag.expect(),
            (Some(_), Some(_)) => {
                return Err(of(Error::invalid(
                    "`at` names an item that is there, and `or_insert` one that isn't; choose one",
                )));
            }
        };
        let content = match self.is_part {
            true => Some(content(core.schema(), &changes, condition.as_ref(), otherwise.as_ref()).map_err(of)?),
            false => None,
        };
        let changes = with_index_attributes(core.schema(), &key, self.key.parts(), changes).map_err(of)?;
        let began = PendingToken::began_or_now(self.token.as_ref(), &core);
        let times = Times::new(core.schema(), began);
        let (changes, otherwise) = (times.change(changes), otherwise.map(|item| times.make(item)));
        let (is_conditional, item_key) = (condition.is_some(), key.clone());
        let prepared = Prepared::new(
            self.table.core(),
            OPERATION,
            item_key,
            expect,
            began,
            move |attempt: &Attempt, stands: Option<&RawItem>| match (attempt.guard, stands, &otherwise) {
                (Guard::Absent, _, Some(item)) => stamped::put(&core, attempt, item.clone()),
                (Guard::Revive { .. }, Some(tombstone), Some(item)) => {
                    let item = Changes::whole(core.schema(), item.clone());
                    stamped::revive(&core, attempt, tombstone, item, None, ReturnValue::AllNew)
                }
                _ => stamped::update(&core, &key, attempt, changes.clone(), condition.as_ref(), ReturnValue::AllNew),
            },
        );
        Ok(Prepared { conditional: is_conditional, content, ..prepared })
    }
}

/// What the update is: these changes, under this condition, or else this item. The times that it writes are none of it, nor what it writes for
/// indexes, of which a later program may have more.
fn content(
    schema: &Schema,
    changes: &Changes,
    condition: Option<&Node>,
    otherwise: Option<&RawItem>,
) -> Result<Fingerprint, Error> {
    let mut rendering = Rendering::new();
    let condition = condition.map(|condition| rendering.condition(condition)).unwrap_or_default();
    let update = rendering.update(changes.clone(), Vec::new());
    let (names, values) = rendering.finish(&[&condition, &update])?;
    let update = fingerprint::expressions(&[&condition, &update], &names, &values);
    Ok(match otherwise {
        Some(item) => fingerprint::joined(&[update, fingerprint::item(&schema.without_indexes(item))]),
        None => update,
    })
}

/// Neither the key nor the stamp is an update's to change. A path written by hand can name either.
fn changeable(core: &Core, name: &str) -> Result<(), Error> {
    if core.schema().is_part_of_key(name) {
        return Err(Error::invalid(format!(
            "`{name}` is a key attribute or a part of one, which no update can change; insert the item under its new key"
        )));
    }
    if core.schema().is_computed(name) {
        return Err(Error::invalid(format!("`{name}` is put together of fields for an index; change those")));
    }
    if core.schema().maintains(name) {
        return Err(Error::invalid(format!("the attribute `{name}` maintains itself; change another")));
    }
    if is_reserved(name, core.format().version, &core.format().stamp.prefix) {
        return Err(Error::invalid(format!("the attribute `{name}` is the library's to write; change another")));
    }
    Ok(())
}

impl<T: Item> fmt::Debug for Update<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Update").field("table", &self.table).field("at", &self.at).finish_non_exhaustive()
    }
}
