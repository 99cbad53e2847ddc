//! Deleting an item.

use std::fmt;
use std::sync::Arc;

use aws_sdk_dynamodb::types::{ReturnValue, ReturnValuesOnConditionCheckFailure};

use crate::call::Request;
use crate::error::Error;
use crate::expr::Rendering;
use crate::item::{Item, RawItem};
use crate::key::key_attributes;
use crate::op::prepared::Prepared;
use crate::protocol::call::Attempt;
use crate::protocol::guard::Expect;
use crate::stamped;
use crate::table::Table;
use crate::tombstone::burial;
use crate::versioned::Etag;
use crate::written::Written;

/// Deletes an item, if there is one; see [`Table::delete`].
///
/// # Idempotency
///
/// One `DeleteItem`. Gone is success, whoever deleted it. Where the reply is lost, the same request is sent again; an attempt
/// that arrives late can't touch an item that was born after this call. The item's log goes with it: an insert that was
/// applied, and whose item is then deleted, may be applied again by an attempt of its own that is still on its way.
///
/// Where the item type leaves tombstones ([`Schema::tombstones`](crate::Schema::tombstones)), the request is an `UpdateItem` and the
/// log stays, so that nothing which was applied can be applied again. An item that an insert brings back to life is still the same one to
/// an attempt that arrives late, unless it is [`at`](Delete::at) an etag.
///
/// [`at`](Delete::at) deletes the item only while it is the one that was read. Where that one's reply is lost and the item is
/// gone, it can't be told who deleted it: [`OutcomeUnknown`](crate::ErrorKind::OutcomeUnknown). A tombstone tells.
///
/// Write capacity: one unit for each KB of the item, and one where there is none.
///
/// # Errors
///
/// Of [`at`](Delete::at): [`VersionConflict`](crate::ErrorKind::VersionConflict) with the item that stands, and
/// [`NotFound`](crate::ErrorKind::NotFound). [`OutcomeUnknown`](crate::ErrorKind::OutcomeUnknown) where it can't be told
/// whether the delete was applied; [`Malformed`](crate::ErrorKind::Malformed) where the stored version or log can't be used;
/// [`Invalid`](crate::ErrorKind::Invalid) for an empty or oversized key; and what else ended the retries.
///
/// # Examples
///
/// ```
/// # use dynamo_once::{Item, Store, testing::Embedded};
/// # #[derive(serde::Serialize, serde::Deserialize, Item)]
/// # #[item(table = "accounts")]
/// # struct Account { #[item(partition_key)] id: String, balance: i64 }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let engine = Embedded::start().await;
/// # let accounts = Store::new(engine.config().build()).table::<Account>();
/// # accounts.create_if_missing().await?;
/// # accounts.insert(&Account { id: "acc-1".into(), balance: 0 }).send().await?;
/// let found = accounts.get("acc-1").send().await?.expect("is there");
/// accounts.update("acc-1").add(Account::FIELDS.balance, 1).send().await?;
///
/// let refused = accounts.delete("acc-1").at(&found).send().await.unwrap_err();
/// assert!(refused.is_version_conflict());
///
/// accounts.delete("acc-1").send().await?;
/// accounts.delete("acc-1").send().await?; // is gone, which is success
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is deleted until `send`"]
pub struct Delete<T: Item> {
    table: Table<T>,
    key: T::Key,
    at: Option<Etag>,
}

impl<T: Item> Delete<T> {
    pub(crate) fn new(table: Table<T>, key: T::Key) -> Self {
        Self { table, key, at: None }
    }

    /// Requires that the item is still the one with this [`Etag`], or the one of this [`Versioned`](crate::Versioned). A bare
    /// version number works too, and is weaker; so is the etag of an item that only other programs have written.
    #[doc(alias = "if_match")]
    pub fn at(mut self, etag: impl Into<Etag>) -> Self {
        self.at = Some(etag.into());
        self
    }

    /// Deletes the item.
    ///
    /// # Errors
    ///
    /// See [`Delete`].
    pub async fn send(self) -> Result<Written<T>, Error> {
        let at = self.at;
        let mut prepared = self.prepare()?;
        let (write, request) = prepared.write(None);
        let settled = write.settle(request).await.map_err(|error| error.at(at))?;
        Ok(Written::deleted(settled))
    }

    pub(crate) fn etag(&self) -> Option<Etag> {
        self.at
    }

    pub(crate) fn table(&self) -> &Table<T> {
        &self.table
    }

    #[expect(clippy::type_complexity, reason = "a closure has no shorter name")]
    pub(crate) fn prepare(
        self,
    ) -> Result<Prepared<impl FnMut(&Attempt, Option<&RawItem>) -> Result<Request, Error> + Send + Sync + use<T>>, Error>
    {
        const OPERATION: &str = "delete";
        let core = Arc::clone(self.table.core());
        let key = key_attributes::<T>(&self.key).map_err(|error| error.with_operation(OPERATION, core.name()))?;
        let (tombstones, now) = (core.schema().tombstones_left(), core.store().now());
        let burial = tombstones.map(|left| burial(core.schema(), &left, &core.format().stamp, now));
        let expect = self.at.map_or(if tombstones.is_some() { Expect::Buried } else { Expect::Gone }, Etag::expect);
        Ok(Prepared::new(
            self.table.core(),
            OPERATION,
            key.clone(),
            expect,
            now.into(),
            move |attempt: &Attempt, _: Option<&RawItem>| {
                if let Some(burial) = &burial {
                    return stamped::update(&core, &key, attempt, burial.clone(), None, ReturnValue::None);
                }
                let mut rendering = Rendering::new();
                let condition = stamped::condition(&core, attempt, None, &mut rendering);
                let (names, values) = rendering.finish(&[&condition])?;
                let request = core
                    .store()
                    .client()
                    .delete_item()
                    .table_name(core.name())
                    .set_key(Some(key.clone()))
                    .condition_expression(condition)
                    .set_expression_attribute_names(Some(names))
                    .set_expression_attribute_values((!values.is_empty()).then_some(values))
                    .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
                Ok(request.into())
            },
        ))
    }
}

impl<T: Item> fmt::Debug for Delete<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delete").field("table", &self.table).field("at", &self.at).finish_non_exhaustive()
    }
}
