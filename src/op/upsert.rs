//! Writing an item, whether or not its key has one.

use std::fmt;
use std::sync::Arc;

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};

use crate::call::Request;
use crate::error::Error;
use crate::expr::{Changes, Node, Ordered, Path, PathKind, RawPath, has_order};
use crate::fingerprint::{self, Fingerprint};
use crate::item::{Item, RawItem, Schema, encode};
use crate::maintained::Times;
use crate::op::prepared::Prepared;
use crate::pending::PendingToken;
use crate::protocol::call::Attempt;
use crate::protocol::guard::{Expect, Guard};
use crate::stamped;
use crate::table::Table;
use crate::written::Written;

/// Writes an item, whether or not its key has one; see [`Table::upsert`].
///
/// Where the key has an item, the attributes that the type knows are set or, where they are absent from the new one or `None`,
/// removed. Attributes that the type doesn't know survive.
///
/// # Idempotency
///
/// One `UpdateItem`, and no read. Where its reply is lost, the same request is sent again; the id that the first attempt
/// left on the item makes it fail, and tells [`Replayed`](crate::Outcome::Replayed). An attempt that arrives late can't
/// undo what was written since. A tombstone that has the key comes to life, for one request more. On an item that another program wrote, the first managed write costs one request more.
///
/// Write capacity: one unit for each KB of the greater of the item before and after.
///
/// # Errors
///
/// [`ConditionFailed`](crate::ErrorKind::ConditionFailed), of [`upsert_newer`](Table::upsert_newer) only, with the item that
/// stands; [`OutcomeUnknown`](crate::ErrorKind::OutcomeUnknown) where it can't be told whether the write was applied;
/// [`Malformed`](crate::ErrorKind::Malformed) where the stored version or log can't be used;
/// [`Invalid`](crate::ErrorKind::Invalid) where the item can't be written, with nothing sent; and what else ended the
/// retries.
///
/// # Examples
///
/// ```
/// # use dynamo_once::{Item, Store, testing::Embedded};
/// # #[derive(serde::Serialize, serde::Deserialize, Item)]
/// # #[item(table = "prices")]
/// # struct Price { #[item(partition_key)] product: String, cents: u64, as_of: u64 }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let engine = Embedded::start().await;
/// # let prices = Store::new(engine.config().build()).table::<Price>();
/// # prices.create_if_missing().await?;
/// let written = prices.upsert(&Price { product: "tea".into(), cents: 250, as_of: 7 }).send().await?;
/// assert_eq!(written.version(), Some(1));
///
/// // A feed with an order of its own: what is older than the stored price is refused.
/// let stale = Price { product: "tea".into(), cents: 240, as_of: 6 };
/// let refused = prices.upsert_newer(&stale, Price::FIELDS.as_of).send().await.unwrap_err();
/// assert!(refused.is_condition_failed());
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is written until `send`"]
pub struct Upsert<T> {
    table: Table<T>,
    item: Result<RawItem, Error>,
    newer: Option<Result<Newer, Error>>,
    token: Option<PendingToken>,
    is_part: bool,
}

/// What tells the newer of two items.
struct Newer {
    path: RawPath,
    /// Whether stored items may have it elsewhere.
    is_aliased: bool,
    /// Whether it is stored as something that can be less.
    has_order: fn(&str, &AttributeValue) -> Result<(), Error>,
}

impl<T: Item> Upsert<T> {
    pub(crate) fn new(table: Table<T>, item: &T) -> Self {
        let item = encode(item, &table.core().format().stamp.prefix);
        Self { table, item, newer: None, token: None, is_part: false }
    }

    pub(crate) fn newer<V: Ordered, P: PathKind>(mut self, by: &Path<T, V, P>) -> Self {
        self.newer = Some(Newer::by(by));
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

    /// Writes the item.
    ///
    /// # Errors
    ///
    /// See [`Upsert`].
    pub async fn send(self) -> Result<Written<T>, Error> {
        let token = self.token.clone();
        let mut prepared = self.prepare()?;
        let (write, request) = prepared.write(None);
        let settled = write.settle_or_resume(token.as_ref(), request).await?;
        Ok(Written::new(settled, prepared.table.format()))
    }

    /// Whether it can't be part of a transaction.
    pub(crate) fn is_of_its_own(&self) -> bool {
        self.token.is_some()
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
        let operation = if self.newer.is_some() { "upsert_newer" } else { "upsert" };
        let core = Arc::clone(self.table.core());
        let of = |error: Error| error.with_operation(operation, core.name());
        let item = self.item.map_err(of)?;
        let key = core.key_of(&item);
        let newer = self.newer.transpose().map_err(of)?;
        let condition = newer.map(|newer| newer.than_stored(core.schema(), &item)).transpose().map_err(of)?;
        let began = PendingToken::began_or_now(self.token.as_ref(), &core);
        let content = match self.is_part {
            true => Some(content(core.schema(), &item, condition.as_ref()).map_err(of)?),
            false => None,
        };
        let mut changes = Changes::whole(core.schema(), item);
        Times::new(core.schema(), began).write(&mut changes);
        changes.remove_known(core.schema());
        let (is_conditional, item_key) = (condition.is_some(), key.clone());
        let prepared = Prepared::new(
            self.table.core(),
            operation,
            item_key,
            Expect::Any,
            began,
            move |attempt: &Attempt, tombstone: Option<&RawItem>| match (attempt.guard, tombstone) {
                // What stood there counts as absent, the field by which the newer is told included.
                (Guard::Revive { .. }, Some(tombstone)) => {
                    stamped::revive(&core, attempt, tombstone, changes.clone(), None, ReturnValue::AllNew)
                }
                _ => stamped::update(&core, &key, attempt, changes.clone(), condition.as_ref(), ReturnValue::AllNew),
            },
        );
        Ok(Prepared { conditional: is_conditional, content, ..prepared })
    }
}

impl Newer {
    fn by<T, V: Ordered, P: PathKind>(path: &Path<T, V, P>) -> Result<Self, Error> {
        let is_aliased = path.aliased_parent().is_some() || !path.alias_names().is_empty();
        Ok(Self { path: path.raw()?, is_aliased, has_order: has_order::<V> })
    }

    /// That the stored field is absent, null, or smaller than the item's own.
    fn than_stored(self, schema: &Schema, item: &RawItem) -> Result<Node, Error> {
        let Self { path, is_aliased, has_order } = self;
        let known = schema.known_attributes().iter().find(|known| known.name() == path.top());
        if is_aliased || known.is_some_and(|known| !known.alias_names().is_empty()) {
            return Err(Error::invalid(format!(
                "`{path}` may be stored under an alias too, so that it can't tell the newer item; compare by another field"
            )));
        }
        if schema.maintains(path.top()) {
            return Err(Error::invalid(format!(
                "`{path}` maintains itself, so that it can't tell the newer item; compare by another field"
            )));
        }
        let Some(value) = path.find(item).filter(|value| !value.is_null()).cloned() else {
            return Err(Error::invalid(format!(
                "the item has no `{path}`, by which `upsert_newer` tells the newer one; give it a value"
            )));
        };
        has_order(&path.to_string(), &value)?;
        Ok(Node::absent(path.clone()).or(Node::less_than(path, value)))
    }
}

/// What the upsert is: this item, where that holds by which it is the newer one.
fn content(schema: &Schema, item: &RawItem, newer: Option<&Node>) -> Result<Fingerprint, Error> {
    let item = fingerprint::item(&schema.without_indexes(item));
    Ok(match newer {
        Some(newer) => fingerprint::joined(&[item, fingerprint::condition(newer)?]),
        None => item,
    })
}

impl<T> fmt::Debug for Upsert<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upsert")
            .field("table", &self.table)
            .field("newer", &self.newer.is_some())
            .finish_non_exhaustive()
    }
}
