//! What can be written together with others, and several of it.

use std::collections::HashSet;
use std::fmt;

use crate::error::Error;
use crate::fingerprint;
use crate::item::Item;
use crate::key::Identity;
use crate::op::check::{self, Check};
use crate::op::delete::Delete;
use crate::op::insert::Insert;
use crate::op::prepared::Prepared;
use crate::op::save::Save;
use crate::op::update::Update;
use crate::op::upsert::Upsert;
use crate::protocol::guard::Expect;
use crate::store::Store;
use crate::table::Table;
use crate::transact::{self, Action, Leaves, MOST_ACTIONS, Settled, Tied, Unsettled};
use crate::versioned::Etag;

/// What can be part of a transaction: the builders of the verbs that write one item, and [`Check`].
pub trait Part: sealed::Sealed {}

pub(crate) mod sealed {
    use super::{Action, Error};

    /// An action that nobody else makes.
    #[allow(missing_debug_implementations, unnameable_types, reason = "part of no API")]
    pub struct Sole(pub(in crate::op::part) Action);

    #[allow(unnameable_types, reason = "so that nobody else implements it")]
    pub trait Sealed {
        #[doc(hidden)]
        fn into_action(self) -> Result<Sole, Error>;
    }
}

use self::sealed::{Sealed, Sole};

/// Parts that are written together.
#[derive(Default)]
pub(crate) struct Parts {
    actions: Vec<Action>,
    /// The first part that can't be written with others.
    invalid: Option<Error>,
}

impl Parts {
    /// Adds a part, whose failure is kept until the parts are written.
    pub(crate) fn add(&mut self, store: &Store, operation: &'static str, part: impl Part) {
        let position = self.actions.len();
        if self.invalid.is_some() {
            return;
        }
        match part.into_action() {
            Ok(Sole(action)) => {
                if !action.table.store().is_same(store) {
                    let error = Error::invalid("the part is of another store than what it is written with");
                    self.invalid = Some(action.of(operation, position, error));
                }
                self.actions.push(action);
            }
            Err(error) => {
                let table = error.table().map(str::to_owned).unwrap_or_default();
                self.invalid = Some(error.with_operation(operation, &table).with_part(position));
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.actions.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.actions.is_empty() && self.invalid.is_none()
    }

    /// What they are, as far as a repetition has to be the same.
    pub(crate) fn fingerprint(&self) -> String {
        fingerprint::writes(self.actions.iter().map(|action| fingerprint::Part {
            operation: action.operation,
            table: action.table.name(),
            key: &action.key,
            content: action.content,
        }))
    }

    /// Writes them, together with the record that they complete.
    pub(crate) async fn write(
        self,
        store: &Store,
        operation: &'static str,
        tied: Option<Tied>,
    ) -> Result<Settled, Unsettled> {
        if let Some(invalid) = self.invalid {
            return Err(invalid.into());
        }
        let first = self.actions.first().map(|action| action.table.name()).unwrap_or_default();
        let refuse = |why: &'static str| Err(Error::invalid(why).with_operation(operation, first).into());
        match self.actions.len() + usize::from(tied.is_some()) {
            _ if self.actions.is_empty() => return refuse("the transaction has no part; add one with `with`"),
            0..=MOST_ACTIONS => {}
            _ if tied.is_some() => {
                return refuse("a transaction has 100 parts at most, its record among them; write fewer items at once");
            }
            _ => return refuse("a transaction has 100 parts at most; write fewer items at once"),
        }
        let mut items = HashSet::new();
        for (index, action) in self.actions.iter().enumerate() {
            if !items.insert((action.table.name(), Identity::of(action.table.schema(), &action.key))) {
                let error = Error::invalid("a transaction has one part for an item; put its changes into one");
                return Err(action.of(operation, index, error).into());
            }
        }
        transact::settle(store, operation, self.actions, tied).await
    }
}

/// A verb's write as an action.
fn action<R>(prepared: Prepared<R>, leaves: Leaves, at: Option<Etag>) -> Action
where
    R: FnMut(&crate::protocol::call::Attempt, Option<&crate::item::RawItem>) -> Result<crate::call::Request, Error>
        + Send
        + Sync
        + 'static,
{
    let Prepared { table, operation, key, expect, keyed: _, conditional, content, began: _, mut request } = prepared;
    let render = move |attempt: Option<&_>, stands: Option<&_>| match attempt {
        Some(attempt) => transact::part(request(attempt, stands)?),
        None => Err(Error::invalid("a write needs an attempt to be rendered for")),
    };
    Action { table, operation, key, expect, conditional, content, leaves, at, render: Box::new(render) }
}

fn of_its_own<T: Item>(why: &'static str, operation: &'static str, table: &Table<T>) -> Error {
    Error::invalid(why).with_operation(operation, table.core().name())
}

impl<T: Item> Sealed for Insert<T> {
    fn into_action(self) -> Result<Sole, Error> {
        if self.is_of_its_own() {
            let why = "a keyed or resumed insert is sent by itself: it can't be part of a transaction, nor be recorded; `keyed` and \
                       `idempotency_key` exclude each other";
            return Err(of_its_own(why, "insert", self.table()));
        }
        Ok(Sole(action(self.into_part().prepare()?, Leaves::Stamp, None)))
    }
}

impl<T: Item> Sealed for Upsert<T> {
    fn into_action(self) -> Result<Sole, Error> {
        if self.is_of_its_own() {
            let why = "a resumed upsert is sent by itself: it can't be part of a transaction, nor be recorded";
            return Err(of_its_own(why, "upsert", self.table()));
        }
        Ok(Sole(action(self.into_part().prepare()?, Leaves::Stamp, None)))
    }
}

impl<T: Item> Sealed for Update<T> {
    fn into_action(self) -> Result<Sole, Error> {
        if self.is_of_its_own() {
            let why = "a resumed update is sent by itself: it can't be part of a transaction, nor be recorded";
            return Err(of_its_own(why, "update", self.table()));
        }
        let at = self.etag();
        Ok(Sole(action(self.into_part().prepare()?, Leaves::Stamp, at)))
    }
}

impl<T: Item> Sealed for Save<T> {
    /// Where nothing was changed, the item still has to be as it was read.
    fn into_action(self) -> Result<Sole, Error> {
        let (table, etag, key, operation) = (self.table().clone(), self.etag(), self.key(), self.operation());
        Ok(Sole(match self.prepare()? {
            Some(prepared) => action(prepared, Leaves::Stamp, Some(etag)),
            None => Action { operation, ..check::check(table.core(), key, etag.expect(), None, Some(etag)) },
        }))
    }
}

impl<T: Item> Sealed for Delete<T> {
    fn into_action(self) -> Result<Sole, Error> {
        let at = self.etag();
        let mut prepared = self.prepare()?;
        let leaves = match prepared.table.schema().tombstones_left() {
            Some(_) => Leaves::Stamp,
            None => Leaves::Nothing,
        };
        if prepared.expect == Expect::Buried {
            // It leaves a tombstone in any case, so that nothing stands in the way of the others.
            prepared.expect = Expect::Any;
        }
        Ok(Sole(action(prepared, leaves, at)))
    }
}

impl<T: Item> Sealed for Check<T> {
    fn into_action(self) -> Result<Sole, Error> {
        let table = self.table().clone();
        self.into_action().map(Sole).map_err(|error| error.with_operation("check", table.core().name()))
    }
}

impl<T: Item> Part for Insert<T> {}
impl<T: Item> Part for Upsert<T> {}
impl<T: Item> Part for Update<T> {}
impl<T: Item> Part for Save<T> {}
impl<T: Item> Part for Delete<T> {}
impl<T: Item> Part for Check<T> {}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.actions.len().fmt(f)
    }
}
