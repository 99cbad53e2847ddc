//! Rendering an attempt: its guard as a condition, its stamp as assignments.
//!
//! `protocol::guard` says what a guard means; this is the same in DynamoDB's words, and `stamped/tests.rs` holds the two against
//! each other on a real engine.

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};

use crate::call::Request;
use crate::error::Error;
use crate::expr::{Changes, Node, RawPath, Rendering};
use crate::item::RawItem;
use crate::protocol::call::Attempt;
use crate::protocol::guard::Guard;
use crate::protocol::log::{KeyStamp, Version, WriteId};
use crate::table::Core;
use crate::tombstone;

/// An update that does nothing but take the lane, and brings back the item as it was before.
pub(crate) fn fence(table: &Core, key: &RawItem, attempt: &Attempt) -> Result<Request, Error> {
    update(table, key, attempt, Changes::new(), None, ReturnValue::AllOld)
}

/// A tombstone where there is nothing, with the attempt's stamp.
pub(crate) fn bury(table: &Core, key: &RawItem, attempt: &Attempt) -> Result<Request, Error> {
    let mut item = key.clone();
    let tombstones = table.schema().tombstones_left();
    item.extend(tombstones.into_iter().flat_map(|left| left.marks(&table.format().stamp, table.store().now())));
    put(table, attempt, item)
}

/// A put of the item, behind the attempt's guard, with its stamp.
pub(crate) fn put(table: &Core, attempt: &Attempt, mut item: RawItem) -> Result<Request, Error> {
    stamp_new(table, attempt, &mut item);
    let mut rendering = Rendering::new();
    let condition = condition(table, attempt, None, &mut rendering);
    let (names, _) = rendering.finish(&[&condition])?;
    let request = table
        .store()
        .client()
        .put_item()
        .table_name(table.name())
        .set_item(Some(item))
        .condition_expression(condition)
        .set_expression_attribute_names(Some(names))
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
    Ok(request.into())
}

/// An update that brings a tombstone to life, as an item written over it.
pub(crate) fn revive(
    table: &Core,
    attempt: &Attempt,
    tombstone: &RawItem,
    mut changes: Changes,
    keyed: Option<KeyStamp>,
    returns: ReturnValue,
) -> Result<Request, Error> {
    let stamp = &*table.format().stamp;
    if let Some(keyed) = keyed {
        changes.set_raw(RawPath::from(stamp.keyed.clone()), keyed.attribute());
    }
    let changes = tombstone::revival(table.schema(), stamp, tombstone, changes.anew());
    update(table, &table.key_of(tombstone), attempt, changes, None, returns)
}

/// An update of the changes, behind the attempt's guard and the caller's condition, with its stamp.
pub(crate) fn update(
    table: &Core,
    key: &RawItem,
    attempt: &Attempt,
    changes: Changes,
    condition: Option<&Node>,
    returns: ReturnValue,
) -> Result<Request, Error> {
    let mut rendering = Rendering::new();
    let condition = self::condition(table, attempt, condition, &mut rendering);
    let stamp = assignments(table, attempt, &mut rendering);
    let update = rendering.update(changes, stamp);
    let (names, values) = rendering.finish(&[&condition, &update])?;
    let request = table
        .store()
        .client()
        .update_item()
        .table_name(table.name())
        .set_key(Some(key.clone()))
        .update_expression(update)
        .condition_expression(condition)
        .set_expression_attribute_names(Some(names))
        .set_expression_attribute_values(Some(values))
        .return_values(returns)
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
    Ok(request.into())
}

/// The attempt's guard, and the caller's condition beside it.
pub(crate) fn condition(table: &Core, attempt: &Attempt, own: Option<&Node>, rendering: &mut Rendering) -> String {
    // No guard has more operators and functions than these.
    rendering.count(12);
    let mut text = guard(table, attempt, rendering);
    if let Some(own) = own {
        text = format!("({text}) AND {}", rendering.condition(own));
    }
    text
}

fn guard(table: &Core, attempt: &Attempt, rendering: &mut Rendering) -> String {
    let stamp = &*table.format().stamp;
    let key = table.schema().partition_key_name();
    if matches!(attempt.guard, Guard::Absent | Guard::Bury) {
        return format!("attribute_not_exists({})", rendering.name(key));
    }
    let (birth, version) = (rendering.name(&stamp.birth), table.format().version);
    if let Guard::Adopt { version: stored } = attempt.guard {
        let (key, version) = (rendering.name(key), rendering.name(version));
        let unlogged = format!("attribute_exists({key}) AND attribute_not_exists({birth})");
        return match stored {
            Some(stored) => format!("{unlogged} AND {version} = {}", rendering.value(number(stored))),
            None => format!("{unlogged} AND attribute_not_exists({version})"),
        };
    }
    let id = rendering.value(attempt.id.attribute());
    let lane = rendering.name(&stamp.lanes[usize::from(attempt.lane)].head);
    let in_order = format!("(attribute_not_exists({lane}) OR {lane} < {id})");
    let born = match attempt.guard {
        Guard::At { birth: Some(known), .. }
        | Guard::Born { birth: Some(known) }
        | Guard::Revive { birth: known, .. }
        | Guard::Fence { birth: Some(known) } => {
            format!("{birth} = {}", rendering.value(known.attribute()))
        }
        _ => format!("{birth} < {id}"),
    };
    let at = match attempt.guard {
        Guard::Fence { .. } => return format!("{born} AND {in_order}"),
        Guard::At { version: expected, .. } | Guard::Revive { version: expected, .. } => {
            format!("{} = {}", rendering.name(version), rendering.value(number(expected)))
        }
        _ => {
            let (first, last) = (rendering.value(number(1)), rendering.value(number(Version::LAST)));
            format!("{} BETWEEN {first} AND {last}", rendering.name(version))
        }
    };
    let managed = format!("{born} AND {in_order} AND {at}");
    match attempt.guard {
        Guard::Revive { .. } => format!("{managed} AND attribute_exists({})", rendering.name(&stamp.tombstone)),
        Guard::Open => {
            let (key, tombstone) = (rendering.name(key), rendering.name(&stamp.tombstone));
            format!("attribute_not_exists({key}) OR ({managed} AND attribute_not_exists({tombstone}))")
        }
        _ => format!("{managed} AND attribute_not_exists({})", rendering.name(&stamp.tombstone)),
    }
}

/// The stamp of an update, as `SET` clauses: the lane, and unless this is a fence, the version and the birth id.
fn assignments(table: &Core, attempt: &Attempt, rendering: &mut Rendering) -> Vec<String> {
    let stamp = &*table.format().stamp;
    let lane = &stamp.lanes[usize::from(attempt.lane)];
    let (head, older) = (rendering.name(&lane.head), rendering.name(&lane.older));
    let id = rendering.value(attempt.id.attribute());
    let nil = rendering.value(WriteId::NIL.attribute());
    let mut clauses = vec![format!("{older} = if_not_exists({head}, {nil})"), format!("{head} = {id}")];
    if matches!(attempt.guard, Guard::Fence { .. }) {
        return clauses;
    }
    let version = rendering.name(table.format().version);
    let (zero, one) = (rendering.value(number(0)), rendering.value(number(1)));
    clauses.push(format!("{version} = if_not_exists({version}, {zero}) + {one}"));
    match attempt.guard {
        Guard::Open => {
            let birth = rendering.name(&stamp.birth);
            clauses.push(format!("{birth} = if_not_exists({birth}, {id})"));
        }
        Guard::Adopt { .. } => {
            let birth = rendering.name(&stamp.birth);
            clauses.push(format!("{birth} = {id}"));
        }
        _ => {}
    }
    clauses
}

/// The stamp of an item put where there is none.
pub(crate) fn stamp_new(table: &Core, attempt: &Attempt, item: &mut RawItem) {
    let stamp = &*table.format().stamp;
    item.insert(table.format().version.to_owned(), number(1));
    item.insert(stamp.birth.clone(), attempt.id.attribute());
    item.insert(stamp.lanes[usize::from(attempt.lane)].head.clone(), attempt.id.attribute());
}

pub(crate) fn number(number: u64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

/// A request that the SDK's builder took apart; it asks for nothing that isn't given here.
pub(crate) fn built<I>(input: Result<I, aws_sdk_dynamodb::error::BuildError>) -> Result<I, Error> {
    input.map_err(|error| Error::invalid("the request could not be built").with_source(error))
}

#[cfg(test)]
mod tests;
