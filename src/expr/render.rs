//! Rendering: expressions as DynamoDB reads them, with a placeholder for every name and value.

use std::collections::HashMap;
use std::fmt::{self, Write as _};

use aws_sdk_dynamodb::types::AttributeValue;

use crate::error::Error;
use crate::expr::condition::{Node, Operand};
use crate::expr::path::{RawPath, Segment};
use crate::expr::update::{Action, Changes};

/// The names and values that the expressions of one request share.
///
/// Every name has a placeholder, so that none is a reserved word or begins with `_`; the same name has the same one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rendering {
    names: Vec<String>,
    values: Vec<AttributeValue>,
    operators: usize,
}

/// `#n3` or `:v3`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Placeholder {
    sigil: &'static str,
    number: usize,
}

pub(crate) type Names = HashMap<String, String>;
pub(crate) type Values = HashMap<String, AttributeValue>;

/// AWS, "Service quotas for DynamoDB", expression parameters.
const MAX_BYTES: usize = 4096;
pub(crate) const MAX_OPERATORS: usize = 300;

impl Rendering {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn name(&mut self, attribute: &str) -> Placeholder {
        let known = self.names.iter().position(|name| name == attribute);
        let number = known.unwrap_or_else(|| {
            self.names.push(attribute.to_owned());
            self.names.len() - 1
        });
        Placeholder { sigil: "#n", number }
    }

    pub(crate) fn value(&mut self, value: AttributeValue) -> Placeholder {
        self.values.push(value);
        Placeholder { sigil: ":v", number: self.values.len() - 1 }
    }

    /// Counts operators and functions that the caller writes himself.
    pub(crate) fn count(&mut self, operators: usize) {
        self.operators += operators;
    }

    pub(crate) fn condition(&mut self, node: &Node) -> String {
        match node {
            Node::And(..) => self.joined(node, " AND ", |node| match node {
                Node::And(one, other) => Some((one, other)),
                _ => None,
            }),
            Node::Or(..) => self.joined(node, " OR ", |node| match node {
                Node::Or(one, other) => Some((one, other)),
                _ => None,
            }),
            Node::Not(node) => {
                self.operators += 1;
                ["(NOT ", &self.condition(node), ")"].concat()
            }
            leaf => self.leaf(leaf),
        }
    }

    /// What one operator joins, side by side: conditions grow by one at a time, and a level of parentheses for each would be long,
    /// and deep for whoever parses them.
    fn joined(&mut self, node: &Node, operator: &str, parts: fn(&Node) -> Option<(&Node, &Node)>) -> String {
        let (mut operands, mut first) = (Vec::new(), node);
        while let Some((one, other)) = parts(first) {
            operands.push(other);
            first = one;
        }
        self.operators += operands.len();
        let mut texts = vec![self.condition(first)];
        texts.extend(operands.into_iter().rev().map(|operand| self.condition(operand)));
        format!("({})", texts.join(operator))
    }

    fn leaf(&mut self, node: &Node) -> String {
        self.operators += 1;
        match node {
            Node::Compare(operand, comparator, value) => {
                let operand = self.operand(operand);
                format!("{operand}{}{}", comparator.symbol(), self.value(value.clone()))
            }
            Node::Between(operand, low, high) => {
                let operand = self.operand(operand);
                format!("{operand} BETWEEN {} AND {}", self.value(low.clone()), self.value(high.clone()))
            }
            Node::In(path, values) => {
                let path = self.path(path);
                let values: Vec<_> = values.iter().map(|value| self.value(value.clone()).to_string()).collect();
                format!("{path} IN ({})", values.join(", "))
            }
            Node::Exists(path) => format!("attribute_exists({})", self.path(path)),
            Node::NotExists(path) => format!("attribute_not_exists({})", self.path(path)),
            Node::Function(function, path, operand) => {
                let path = self.path(path);
                format!("{function}({path}, {})", self.value(operand.clone()))
            }
            Node::And(..) | Node::Or(..) | Node::Not(_) => self.condition(node),
        }
    }

    /// The changes, and `SET` clauses that are rendered already.
    pub(crate) fn update(&mut self, changes: Changes, mut sets: Vec<String>) -> String {
        let (mut removes, mut adds, mut deletes) = (Vec::new(), Vec::new(), Vec::new());
        self.operators += sets.len();
        for change in changes.into_iter() {
            self.operators += 1;
            let path = self.path(&change.path);
            match change.action {
                Action::Set(value) => sets.push(format!("{path} = {}", self.value(value))),
                Action::SetIfAbsent(value) => {
                    self.operators += 1;
                    sets.push(format!("{path} = if_not_exists({path}, {})", self.value(value)));
                }
                Action::Append(items) => {
                    self.operators += 2;
                    let (empty, items) = (self.value(AttributeValue::L(Vec::new())), self.value(items));
                    sets.push(format!("{path} = list_append(if_not_exists({path}, {empty}), {items})"));
                }
                Action::Remove => removes.push(path),
                Action::Add(value) => adds.push(format!("{path} {}", self.value(value))),
                Action::Delete(value) => deletes.push(format!("{path} {}", self.value(value))),
            }
        }
        let mut text = String::new();
        for (keyword, clauses) in [("SET ", sets), ("REMOVE ", removes), ("ADD ", adds), ("DELETE ", deletes)] {
            for (position, clause) in clauses.iter().enumerate() {
                text.push_str(match (position, text.is_empty()) {
                    (0, true) => "",
                    (0, false) => " ",
                    _ => ", ",
                });
                if position == 0 {
                    text.push_str(keyword);
                }
                text.push_str(clause);
            }
        }
        text
    }

    /// The names and values, if the expressions are within DynamoDB's limits.
    pub(crate) fn finish(self, expressions: &[&str]) -> Result<(Names, Values), Error> {
        let longest = expressions.iter().map(|text| text.len()).max().unwrap_or(0);
        if longest > MAX_BYTES || self.operators > MAX_OPERATORS {
            return Err(Error::invalid(format!(
                "the expression has {longest} bytes and {} operators; DynamoDB takes {MAX_BYTES} and {MAX_OPERATORS}: \
                 split it, or write fewer attributes at once",
                self.operators
            )));
        }
        let names = self.names.into_iter().enumerate();
        let values = self.values.into_iter().enumerate();
        Ok((
            names.map(|(number, name)| (Placeholder { sigil: "#n", number }.text(), name)).collect(),
            values.map(|(number, value)| (Placeholder { sigil: ":v", number }.text(), value)).collect(),
        ))
    }

    fn operand(&mut self, operand: &Operand) -> String {
        match operand {
            Operand::Path(path) => self.path(path),
            Operand::Size(path) => {
                self.operators += 1;
                format!("size({})", self.path(path))
            }
        }
    }

    fn path(&mut self, path: &RawPath) -> String {
        let mut text = String::new();
        for (position, segment) in path.segments().iter().enumerate() {
            match segment {
                Segment::Name(name) => {
                    let separator = if position == 0 { "" } else { "." };
                    text.push_str(separator);
                    text.push_str(&self.name(name).text());
                }
                Segment::Index(index) => text.push_str(&format!("[{index}]")),
            }
        }
        text
    }
}

impl Placeholder {
    fn text(self) -> String {
        let mut text = String::with_capacity(5);
        // Writing to a string doesn't fail.
        let _ = write!(text, "{self}");
        text
    }
}

impl fmt::Display for Placeholder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sigil)?;
        match u8::try_from(self.number) {
            // Nearly always, and in a tenth of the time.
            Ok(digit @ 0..=9) => f.write_char(char::from(b'0' + digit)),
            _ => self.number.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests;
