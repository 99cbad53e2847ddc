//! Writing what was changed in an item, if it is still as it was read.

use std::fmt;
use std::sync::Arc;

use aws_sdk_dynamodb::types::ReturnValue;

use crate::call::Request;
use crate::error::{Error, ErrorKind};
use crate::expr::{Changes, Node, RawPath, apply, diff, same};
use crate::item::{Item, RawItem, decode, encode, image};
use crate::maintained::Times;
use crate::op::prepared::Prepared;
use crate::protocol::call::Attempt;
use crate::protocol::guard::Birth;
use crate::retry::Spent;
use crate::stamped;
use crate::table::{Core, Table};
use crate::versioned::{Changed, Etag, Stored};
use crate::written::Written;

/// Writes what was changed in an item, if it is still as it was read; see [`Table::save`].
///
/// Only the differences are written, those in nested maps at their own paths, so that attributes which the type doesn't know
/// survive. Where nothing was changed, nothing is sent ([`Unchanged`](crate::Outcome::Unchanged)).
///
/// Whole top-level attributes are written where the paths of the differences would make an expression that DynamoDB doesn't take
/// (4 KB, 300 operators), or where an entry of a map is stored under a serde alias. What is nested in such an attribute and the
/// type doesn't know is lost then: a `#[serde(flatten)]` map in the nested struct keeps it.
///
/// # Idempotency
///
/// One `UpdateItem` under the version and the birth that were read. Where its reply is lost, the same request is sent again,
/// and the id that the first attempt left on the item tells the caller's own write ([`Replayed`](crate::Outcome::Replayed))
/// from a conflict. A refusal after a lost reply costs one more request, a fence, so that it is final.
///
/// Write capacity: one unit for each KB of the greater of the item before and after, also on a conflict.
///
/// # Errors
///
/// [`VersionConflict`](ErrorKind::VersionConflict), with the item that stands ([`Error::current`]), so that no read is needed
/// to try again; [`NotFound`](ErrorKind::NotFound) where the item was deleted;
/// [`OutcomeUnknown`](ErrorKind::OutcomeUnknown) where it can't be told whether the write was applied;
/// [`Invalid`](ErrorKind::Invalid) where a key was changed or the item can't be written, with nothing sent; and what else
/// ended the retries.
///
/// # Examples
///
/// ```
/// # use dynamo_once::{Item, Store, testing::Embedded};
/// # #[derive(Debug, Clone, serde::Serialize, serde::Deserialize, Item)]
/// # #[item(table = "accounts")]
/// # struct Account { #[item(partition_key)] id: String, owner: String }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let engine = Embedded::start().await;
/// # let accounts = Store::new(engine.config().build()).table::<Account>();
/// # accounts.create_if_missing().await?;
/// # accounts.insert(&Account { id: "acc-1".into(), owner: "ann".into() }).send().await?;
/// let found = accounts.get("acc-1").send().await?.expect("is there");
/// let stale = found.clone();
/// accounts.save(found.with(|account| account.owner = "eve".into())).send().await?;
///
/// let refused = accounts.save(stale.with(|account| account.owner = "bob".into())).send().await.unwrap_err();
/// assert!(refused.is_version_conflict());
/// assert_eq!(refused.current::<Account>()?.expect("comes with the refusal").owner, "eve");
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is written until `send`"]
pub struct Save<T> {
    table: Table<T>,
    before: Result<RawItem, Error>,
    after: Result<RawItem, Error>,
    etag: Etag,
    stored: Stored,
    operation: &'static str,
    earlier: Option<Spent>,
}

impl<T: Item> Save<T> {
    pub(crate) fn new(table: Table<T>, item: Changed<T>) -> Self {
        let after = encode(&item.after, &table.core().format().stamp.prefix);
        Self {
            table,
            before: item.before,
            after,
            etag: item.etag,
            stored: item.stored,
            operation: "save",
            earlier: None,
        }
    }

    /// Makes this a part of another operation, whose earlier parts took that.
    pub(crate) fn part_of(mut self, operation: &'static str, earlier: Spent) -> Self {
        (self.operation, self.earlier) = (operation, Some(earlier));
        self
    }

    /// Writes the differences.
    ///
    /// # Errors
    ///
    /// See [`Save`].
    pub async fn send(self) -> Result<Written<T>, Error> {
        let (etag, earlier) = (self.etag, self.earlier);
        let Some(mut prepared) = self.prepare()? else { return Ok(Written::unchanged(etag)) };
        let (write, request) = prepared.write(earlier);
        let settled = write
            .settle(request)
            .await
            // That an attribute isn't as it was read is a conflict too.
            .map_err(|error| error.of_kind(ErrorKind::ConditionFailed, ErrorKind::VersionConflict).at(etag))?;
        Ok(Written::new(settled, prepared.table.format()))
    }

    pub(crate) fn table(&self) -> &Table<T> {
        &self.table
    }

    pub(crate) fn etag(&self) -> Etag {
        self.etag
    }

    pub(crate) fn operation(&self) -> &'static str {
        self.operation
    }

    /// The item's key attributes; none where the item can't be written, which `prepare` says.
    pub(crate) fn key(&self) -> RawItem {
        self.after.as_ref().map(|after| self.table.core().key_of(after)).unwrap_or_default()
    }

    /// `None` where nothing was changed.
    #[expect(clippy::type_complexity, reason = "a closure has no shorter name")]
    pub(crate) fn prepare(
        self,
    ) -> Result<
        Option<Prepared<impl FnMut(&Attempt, Option<&RawItem>) -> Result<Request, Error> + Send + Sync + use<T>>>,
        Error,
    > {
        let core = Arc::clone(self.table.core());
        let of = |error: Error| {
            let error = error.with_operation(self.operation, core.name());
            match self.earlier {
                Some(spent) => spent.report(error, core.store().now()),
                None => error,
            }
        };
        let (before, after) = (self.before.map_err(of)?, self.after.map_err(of)?);
        let key = core.key_of(&after);
        if key != core.key_of(&before) {
            return Err(of(Error::invalid(
                "a key attribute was changed; an item keeps its key, so insert it under the other",
            )));
        }
        let none = RawItem::new();
        let stored = self.stored.raw().unwrap_or(&none);
        let changes = differences::<T>(&core, self.etag, [stored, &before, &after]);
        if changes.is_empty() {
            return Ok(None);
        }
        let as_read = (self.etag.birth() == Birth::Foreign).then(|| as_read(&changes, stored));
        let began = core.store().now().into();
        let times = Times::new(core.schema(), began);
        let (is_conditional, item_key) = (as_read.is_some(), key.clone());
        let prepared = Prepared::new(
            self.table.core(),
            self.operation,
            item_key,
            self.etag.expect(),
            began,
            move |attempt: &Attempt, _: Option<&RawItem>| {
                let render = |changes: Changes| {
                    let changes = times.change(changes);
                    stamped::update(&core, &key, attempt, changes, as_read.as_ref(), ReturnValue::AllNew)
                };
                // Where the paths of the differences make the expression too long, whole attributes are written.
                render(changes.clone()).or_else(|_| render(changes.top_level(&after)))
            },
        );
        Ok(Some(Prepared { conditional: is_conditional, ..prepared }))
    }
}

/// What has changed: each difference at its own path, unless the item wouldn't read as it is to be.
///
/// An attribute within a map may be stored under a serde alias, which only the type's own `Deserialize` knows. Set under its own
/// name, it would stand beside the other, and the item would decode no more.
fn differences<T: Item>(core: &Core, etag: Etag, [stored, before, after]: [&RawItem; 3]) -> Changes {
    let mut changes = diff(stored, before, after);
    for attribute in core.schema().known_attributes() {
        if changes.touches(attribute.name()) {
            attribute.alias_names().iter().for_each(|alias| changes.remove_unless_changed(*alias));
        }
    }
    if !changes.is_empty() {
        keep_indexes_in_step(core, &mut changes, after);
    }
    let is_nested = changes.iter().any(|change| change.path.is_nested());
    if is_nested && !reads_as::<T>(core, etag, &apply(&changes, &whole(core, stored, before)), after) {
        changes = changes.top_level(after);
    }
    changes
}

/// Writes what is put together for indexes, changed or not: a program that knew of no such index, or of another, may have written the item.
/// What is the same as before costs an index nothing.
fn keep_indexes_in_step(core: &Core, changes: &mut Changes, after: &RawItem) {
    for (name, _) in core.schema().computed_for_indexes().filter(|(name, _)| !changes.touches(name)).collect::<Vec<_>>()
    {
        match after.get(name) {
            Some(value) => changes.set_raw(RawPath::from(name), value.clone()),
            None => changes.remove_raw(RawPath::from(name)),
        }
    }
}

/// The stored item, of what is kept of it and what the item serialised as, which stands for what was read under another name.
fn whole(core: &Core, stored: &RawItem, before: &RawItem) -> RawItem {
    let mut whole = before.clone();
    let is_alias =
        |name: &str| core.schema().known_attributes().iter().any(|attribute| attribute.alias_names().contains(&name));
    let own = stored.iter().filter(|(name, _)| !is_alias(name));
    whole.extend(own.map(|(name, value)| (name.clone(), value.clone())));
    whole
}

/// Whether a stored item, when it is read, has the maps that it is to have.
fn reads_as<T: Item>(core: &Core, etag: Etag, stored: &RawItem, wanted: &RawItem) -> bool {
    let read = decode::<T>(stored, etag.version(), &core.format().stamp.prefix).and_then(|item| image(&item));
    read.is_ok_and(|read| {
        wanted.iter().all(|(name, wanted)| !wanted.is_m() || read.get(name).is_some_and(|read| same(read, wanted)))
    })
}

/// That each attribute to be changed is as it was read: the condition on an item whose writers don't count versions.
fn as_read(changes: &Changes, stored: &RawItem) -> Node {
    changes
        .top_level_names()
        .into_iter()
        .map(|name| {
            let path = RawPath::from(name.to_owned());
            match stored.get(name) {
                Some(value) => Node::equal(path, value.clone()),
                None => Node::not_exists(path),
            }
        })
        .reduce(Node::and)
        .unwrap_or_else(|| unreachable!("there is something to change"))
}

impl<T> fmt::Debug for Save<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Save").field("table", &self.table).field("etag", &self.etag).finish_non_exhaustive()
    }
}
