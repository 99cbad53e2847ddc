//! Where the items of a query or a scan are.

use std::fmt;

use aws_sdk_dynamodb::types::AttributeValue;

use crate::error::Error;
use crate::expr::{Node, RawPath};
use crate::item::RawItem;
use crate::op::sort::{Bounds, SortKeys, check_value};
use crate::table::Core;

/// Where the items are.
pub(crate) enum Source {
    Query {
        index: Option<&'static str>,
        /// Whether reads of it can be strong.
        is_strong: bool,
        /// The partition key, and its value.
        key: (&'static str, AttributeValue),
        sort: Option<SortKeys>,
        bounds: Bounds,
        is_descending: bool,
        /// What can't be asked for, kept for the end.
        fault: Option<Error>,
    },
    Scan {
        segments: u32,
    },
}

/// A million, by AWS, "Scan" (`TotalSegments`).
const MOST_SEGMENTS: u32 = 1_000_000;

impl Source {
    pub(crate) fn operation(&self) -> &'static str {
        match self {
            Self::Query { .. } => "query",
            Self::Scan { .. } => "scan",
        }
    }

    /// What tells it from others, beside its conditions.
    pub(crate) fn identity(&self) -> [&'static str; 3] {
        match self {
            Self::Query { index, is_descending, .. } => {
                ["query", index.unwrap_or_default(), if *is_descending { "descending" } else { "ascending" }]
            }
            Self::Scan { .. } => ["scan", "", ""],
        }
    }

    pub(crate) fn checked(self, has_start: bool) -> Result<Self, Error> {
        match self {
            Self::Query { fault: Some(fault), .. } => Err(fault),
            Self::Query { key: (name, ref value), .. } => check_value(name, value, 0).map(|()| self),
            Self::Scan { segments: 0 } => {
                Err(Error::invalid("a scan of 0 segments reads nothing; leave the segments out to scan serially"))
            }
            Self::Scan { segments } if segments > MOST_SEGMENTS => Err(Error::invalid(format!(
                "{segments} segments are more than the {MOST_SEGMENTS} that DynamoDB takes; ask for less"
            ))),
            Self::Scan { segments: 2.. } if has_start => Err(Error::invalid(NO_PLACE)),
            Self::Scan { .. } => Ok(self),
        }
    }

    pub(crate) fn can_be_strong(&self) -> bool {
        match self {
            Self::Query { is_strong, .. } => *is_strong,
            Self::Scan { .. } => true,
        }
    }

    pub(crate) fn key_condition(&self) -> Result<(Option<Node>, Option<AttributeValue>), Error> {
        let Self::Query { key: (name, value), sort, bounds, .. } = self else { return Ok((None, None)) };
        let partition = Node::equal(RawPath::from(*name), value.clone());
        let comparison = match (sort, bounds) {
            (Some(sort), bounds) => sort.compare(bounds.clone())?,
            (None, Bounds::All) => return Ok((Some(partition), None)),
            (None, _) => {
                return Err(Error::invalid("the partition's items have no sort key; leave the condition on it out"));
            }
        };
        Ok(match comparison.node {
            Some(node) => (Some(partition.and(node)), comparison.except),
            None => (Some(partition), None),
        })
    }

    /// DynamoDB takes no key attribute in the filter of a query. (AWS, "Filter expressions for the Query operation".)
    pub(crate) fn check_filter(&self, filter: Option<&Node>) -> Result<(), Error> {
        let (Self::Query { key: (partition, _), sort, .. }, Some(filter)) = (self, filter) else { return Ok(()) };
        let keys = [Some(*partition), sort.map(|sort| sort.name)];
        match filter.names().into_iter().find(|name| keys.contains(&Some(*name))) {
            Some(name) => Err(Error::invalid(format!(
                "the filter names the key attribute `{name}`, which DynamoDB doesn't take in a query; a condition on the sort key is \
                 one of the query's own (`eq`, `lt`, `between`, ...)"
            ))),
            None => Ok(()),
        }
    }

    /// Items of other types that a scan doesn't have to bring, by what their keys begin with. What is left of them is told by the items.
    pub(crate) fn entities(&self, core: &Core) -> Option<Node> {
        let Self::Scan { .. } = self else { return None };
        let starts = core.schema().computed_keys().filter(|(_, template)| !template.start().is_empty());
        let begins = starts.map(|(name, template)| {
            Node::Function("begins_with", RawPath::from(name), AttributeValue::S(template.start().to_owned()))
        });
        begins.reduce(Node::and)
    }

    pub(crate) fn partition(&self) -> Option<&(&'static str, AttributeValue)> {
        match self {
            Self::Query { key, .. } => Some(key),
            Self::Scan { .. } => None,
        }
    }

    /// The attributes that make an item's place.
    pub(crate) fn keys(&self, core: &Core) -> Vec<&'static str> {
        let mut keys: Vec<_> = core.schema().key_names().collect();
        if let Self::Query { key: (partition, _), sort, .. } = self {
            for name in std::iter::once(*partition).chain(sort.map(|sort| sort.name)) {
                if !keys.contains(&name) {
                    keys.push(name);
                }
            }
        }
        keys
    }

    /// Whether there may be items of other types, or such that have expired, which have to be looked at to be told.
    pub(crate) fn is_shared(&self, core: &Core) -> bool {
        let has_template = matches!(self, Self::Query { sort: Some(SortKeys { template: Some(_), .. }), .. });
        has_template || core.schema().computed_keys().next().is_some() || core.schema().expiry().is_some()
    }

    /// Whether the item has a sort key that the type's template makes.
    pub(crate) fn holds(&self, item: &RawItem) -> bool {
        match self {
            Self::Query { sort: Some(sort), .. } => sort.contain(item),
            _ => true,
        }
    }
}

pub(crate) const NO_PLACE: &str =
    "a parallel scan has no order, and so no place to go on from; scan without segments for a start token";

/// Never shows values.
impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Query { index, key: (name, _), is_descending, .. } => f
                .debug_struct("Query")
                .field("index", index)
                .field("partition_key", name)
                .field("is_descending", is_descending)
                .finish_non_exhaustive(),
            Self::Scan { segments } => f.debug_struct("Scan").field("segments", segments).finish(),
        }
    }
}
