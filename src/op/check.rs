//! Requiring something of an item in a transaction, without writing it.

use std::fmt;
use std::sync::Arc;

use aws_sdk_dynamodb::types::{ConditionCheck, ReturnValuesOnConditionCheckFailure, TransactWriteItem};

use crate::error::Error;
use crate::expr::{Condition, Node, Rendering};
use crate::fingerprint;
use crate::item::Item;
use crate::key::key_attributes;
use crate::protocol::guard::{Birth, Expect};
use crate::stamped;
use crate::table::{Core, Table};
use crate::transact::{Action, Leaves};
use crate::versioned::Etag;

/// Requires something of an item in a transaction, without writing it; see [`Table::check`].
///
/// It is no verb by itself: add it to a [`Transact`](crate::Transact). Without more it requires that the item exists. A tombstone
/// counts as absent.
///
/// # Idempotency
///
/// A check leaves nothing on its item, so that it proves nothing of what became of a transaction; the items that are written do. It
/// takes two write capacity units for each KB of the item.
#[must_use = "does nothing until it is part of a transaction that is sent"]
pub struct Check<T: Item> {
    table: Table<T>,
    key: T::Key,
    condition: Option<Condition<T>>,
    at: Option<Etag>,
    absent: bool,
}

impl<T: Item> Check<T> {
    pub(crate) fn new(table: Table<T>, key: T::Key) -> Self {
        Self { table, key, condition: None, at: None, absent: false }
    }

    /// Requires a condition of the stored item. Given more than once, all of them have to hold.
    pub fn when(mut self, condition: Condition<T>) -> Self {
        self.condition = Some(match self.condition.take() {
            Some(earlier) => earlier.and(condition),
            None => condition,
        });
        self
    }

    /// Requires that the item is still the one with this [`Etag`], or the one of this [`Versioned`](crate::Versioned).
    #[doc(alias = "if_match")]
    pub fn at(mut self, etag: impl Into<Etag>) -> Self {
        self.at = Some(etag.into());
        self
    }

    /// Requires that no item has the key.
    #[doc(alias = "attribute_not_exists")]
    pub fn absent(mut self) -> Self {
        self.absent = true;
        self
    }

    pub(crate) fn table(&self) -> &Table<T> {
        &self.table
    }

    pub(crate) fn into_action(self) -> Result<Action, Error> {
        let key = key_attributes::<T>(&self.key)?;
        let condition = self.condition.map(Condition::into_node).transpose()?;
        let expect = match (self.absent, self.at) {
            (true, None) if condition.is_none() => Expect::Absent,
            (true, _) => return Err(Error::invalid("a check wants the item absent, or something of it; choose one")),
            (false, Some(etag)) => etag.expect(),
            (false, None) => Expect::Exists,
        };
        Ok(check(self.table.core(), key, expect, condition, self.at))
    }
}

/// A check of the item with this key.
pub(crate) fn check(
    table: &Arc<Core>,
    key: crate::item::RawItem,
    expect: Expect,
    condition: Option<Node>,
    at: Option<Etag>,
) -> Action {
    let (core, of) = (Arc::clone(table), key.clone());
    // A condition that can't be rendered is refused later.
    let content = match &condition {
        Some(condition) => fingerprint::condition(condition).ok(),
        None => (expect == Expect::Absent).then(|| fingerprint::bytes(b"absent")),
    };
    Action {
        table: Arc::clone(table),
        operation: "check",
        key,
        expect,
        conditional: condition.is_some(),
        leaves: Leaves::AsItWas,
        at,
        content,
        render: Box::new(move |_, _| {
            let mut rendering = Rendering::new();
            let mut text = required(&core, expect, &mut rendering);
            if let Some(own) = &condition {
                text = format!("({text}) AND {}", rendering.condition(own));
            }
            let (names, values) = rendering.finish(&[&text])?;
            let check = ConditionCheck::builder()
                .table_name(core.name())
                .set_key(Some(of.clone()))
                .condition_expression(text)
                .set_expression_attribute_names(Some(names))
                .set_expression_attribute_values((!values.is_empty()).then_some(values))
                .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
            Ok(TransactWriteItem::builder().condition_check(stamped::built(check.build())?).build())
        }),
    }
}

/// What a check requires, the caller's condition aside.
fn required(table: &Core, expect: Expect, rendering: &mut Rendering) -> String {
    // No check has more operators and functions than these.
    rendering.count(8);
    let stamp = &*table.format().stamp;
    let key = rendering.name(table.schema().partition_key_name());
    let tombstone = rendering.name(&stamp.tombstone);
    if expect == Expect::Absent {
        return format!("attribute_not_exists({key}) OR attribute_exists({tombstone})");
    }
    let mut text = format!("attribute_exists({key}) AND attribute_not_exists({tombstone})");
    if let Expect::At { version, birth } = expect {
        let name = rendering.name(table.format().version);
        text += &match version {
            0 => format!(" AND attribute_not_exists({name})"),
            version => format!(" AND {name} = {}", rendering.value(stamped::number(version))),
        };
        text += &match birth {
            Birth::Any => String::new(),
            Birth::Foreign => format!(" AND attribute_not_exists({})", rendering.name(&stamp.birth)),
            Birth::Known(birth) => {
                format!(" AND {} = {}", rendering.name(&stamp.birth), rendering.value(birth.attribute()))
            }
        };
    }
    text
}

impl<T: Item> fmt::Debug for Check<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Check").field("table", &self.table).field("absent", &self.absent).finish_non_exhaustive()
    }
}
