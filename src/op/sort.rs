//! Conditions on the sort key of a partition.

use aws_sdk_dynamodb::types::AttributeValue;

use crate::error::Error;
use crate::expr::{Comparator, Node, Operand, RawPath, is_greater};
use crate::item::RawItem;
use crate::key::{KeyType, check};
use crate::template::Template;

/// What is asked of a sort key; each bound in its parts, which a template may put together.
#[derive(Clone)]
pub(crate) enum Bounds {
    All,
    Eq(Vec<AttributeValue>),
    Lt(Vec<AttributeValue>),
    Le(Vec<AttributeValue>),
    Gt(Vec<AttributeValue>),
    Ge(Vec<AttributeValue>),
    Between(Vec<AttributeValue>, Vec<AttributeValue>),
    BeginsWith(Vec<AttributeValue>),
}

/// The sort keys of a partition.
#[derive(Clone, Copy)]
pub(crate) struct SortKeys {
    pub(crate) name: &'static str,
    pub(crate) template: Option<&'static Template>,
}

/// What is asked, as DynamoDB takes it: one comparison.
pub(crate) struct Comparison {
    pub(crate) node: Option<Node>,
    /// A bound that the comparison lets in, and that doesn't belong.
    pub(crate) except: Option<AttributeValue>,
}

impl SortKeys {
    /// Whether the item has a sort key that can be one of these.
    pub(crate) fn contain(&self, item: &RawItem) -> bool {
        match (self.template, item.get(self.name)) {
            (None, _) => true,
            (Some(template), Some(AttributeValue::S(text))) => template.matches(text),
            (Some(_), _) => false,
        }
    }

    /// Other types of items may share the partition. Their sort keys begin otherwise, and a range that is open to one side would take
    /// them in; so it ends where the template's own texts end.
    pub(crate) fn compare(&self, bounds: Bounds) -> Result<Comparison, Error> {
        let start = self.template.map(|template| template.start()).filter(|start| !start.is_empty());
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let node = match (bounds, start) {
            (Bounds::All, None) => None,
            (Bounds::All, Some(start)) => Some(self.begins_with(text(start))),
            (Bounds::Eq(parts), _) => Some(self.single(Comparator::Eq, self.value(parts)?)),
            (Bounds::Lt(parts), None) => Some(self.single(Comparator::Lt, self.edge(parts)?.first)),
            (Bounds::Le(parts), None) => Some(self.single(Comparator::Le, self.edge(parts)?.last)),
            (Bounds::Gt(parts), None) => Some(self.single(Comparator::Gt, self.edge(parts)?.last)),
            (Bounds::Ge(parts), None) => Some(self.single(Comparator::Ge, self.edge(parts)?.first)),
            (Bounds::Lt(parts), Some(start)) => return self.all_but(text(start), self.edge(parts)?.first, Bound::High),
            (Bounds::Gt(parts), Some(start)) => return self.all_but(self.edge(parts)?.last, end(start), Bound::Low),
            (Bounds::Le(parts), Some(start)) => Some(self.between(text(start), self.edge(parts)?.last)?),
            (Bounds::Ge(parts), Some(start)) => Some(self.between(self.edge(parts)?.first, end(start))?),
            (Bounds::Between(low, high), _) => Some(self.between(self.edge(low)?.first, self.edge(high)?.last)?),
            (Bounds::BeginsWith(parts), _) => Some(self.begins_with(self.value(parts)?)),
        };
        Ok(Comparison { node, except: None })
    }

    /// There is no text right before another one, so the bound is let in, and taken out of what comes.
    fn all_but(&self, low: AttributeValue, high: AttributeValue, except: Bound) -> Result<Comparison, Error> {
        let bound = match except {
            Bound::Low => low.clone(),
            Bound::High => high.clone(),
        };
        Ok(Comparison { node: Some(self.between(low, high)?), except: Some(bound) })
    }

    fn single(&self, comparator: Comparator, value: AttributeValue) -> Node {
        Node::Compare(self.operand(), comparator, value)
    }

    fn between(&self, low: AttributeValue, high: AttributeValue) -> Result<Node, Error> {
        if is_greater(&low, &high) {
            return Err(Error::invalid(format!(
                "the sort key `{}` is to lie between two bounds of which the first is the greater; give the lower one first",
                self.name
            )));
        }
        Ok(Node::Between(self.operand(), low, high))
    }

    fn begins_with(&self, start: AttributeValue) -> Node {
        Node::Function("begins_with", RawPath::from(self.name), start)
    }

    fn operand(&self) -> Operand {
        Operand::Path(RawPath::from(self.name))
    }

    /// The bound of a range.
    fn edge(&self, parts: Vec<AttributeValue>) -> Result<Edge, Error> {
        if let Some(name) = self.template.and_then(|template| template.unordered(&parts)) {
            return Err(Error::invalid(format!(
                "the sort keys `{}` don't have the order of the numbers `{name}`, since texts sort \"10\" before \"9\"; give the template a \
                 width (`{{{name}:010}}`), or query by an index on the field itself",
                self.name
            )));
        }
        let is_whole = self.template.is_none_or(|template| template.attributes().count() <= parts.len());
        let first = self.value(parts)?;
        let last = match &first {
            AttributeValue::S(text) if !is_whole => end(text),
            whole => whole.clone(),
        };
        Ok(Edge { first, last })
    }

    /// The parts as the one value that is stored.
    fn value(&self, parts: Vec<AttributeValue>) -> Result<AttributeValue, Error> {
        let value = match self.template {
            Some(template) => AttributeValue::S(template.render(&parts)?),
            None => parts.into_iter().next().ok_or_else(|| {
                Error::invalid(format!("the condition gives no value for the sort key `{}`", self.name))
            })?,
        };
        check_value(self.name, &value, 1)?;
        Ok(value)
    }
}

/// Where the sort keys with the parts of a bound begin and end.
struct Edge {
    first: AttributeValue,
    /// The same of a whole sort key; of the first parts of one what lies behind all that begin with them.
    last: AttributeValue,
}

enum Bound {
    Low,
    High,
}

/// Checks the value of a key attribute, whatever its type is: that of the schema, since nothing else makes one.
pub(crate) fn check_value(name: &str, value: &AttributeValue, position: usize) -> Result<(), Error> {
    let own = match value {
        AttributeValue::N(_) => KeyType::Number,
        AttributeValue::B(_) => KeyType::Binary,
        _ => KeyType::String,
    };
    check(name, value, own, position)
}

/// The first text behind all that begin with this one. No template makes it, so that it does no harm as a bound that is let in.
fn end(start: &str) -> AttributeValue {
    let mut end = start.to_owned();
    // Surrogates are no characters: the one behind U+D7FF is U+E000.
    let next =
        end.pop().and_then(|last| (u32::from(last) + 1..=0xE000.max(u32::from(last) + 1)).find_map(char::from_u32));
    match next {
        Some(next) => end.push(next),
        None => end = format!("{start}\u{10FFFF}"),
    }
    AttributeValue::S(end)
}
