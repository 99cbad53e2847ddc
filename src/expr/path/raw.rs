//! Paths without types.

use std::borrow::Cow;
use std::fmt;

use aws_sdk_dynamodb::types::AttributeValue;

use crate::item::RawItem;

/// A path as it is rendered: names and indexes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct RawPath(Vec<Segment>);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Segment {
    Name(Cow<'static, str>),
    Index(usize),
}

impl RawPath {
    pub(crate) fn segments(&self) -> &[Segment] {
        &self.0
    }

    /// The name of the top-level attribute.
    pub(crate) fn top(&self) -> &str {
        match &self.0[..] {
            [Segment::Name(name), ..] => name,
            _ => "",
        }
    }

    /// A path that begins within a list, to be put below another.
    pub(crate) fn from_index(index: usize) -> Self {
        Self(vec![Segment::Index(index)])
    }

    /// Whether this is a path within an attribute.
    pub(crate) fn is_nested(&self) -> bool {
        self.0.len() > 1
    }

    pub(crate) fn child(&self, name: impl Into<Cow<'static, str>>) -> Self {
        let mut segments = self.0.clone();
        segments.push(Segment::Name(name.into()));
        Self(segments)
    }

    /// The path that this one becomes below another.
    pub(crate) fn below(self, mut parent: Self) -> Self {
        parent.0.extend(self.0);
        parent
    }

    /// The same path, but for the last name.
    pub(crate) fn sibling(&self, name: &'static str) -> Self {
        let parents = &self.0[..self.0.len().saturating_sub(1)];
        Self(parents.iter().cloned().chain([Segment::Name(name.into())]).collect())
    }

    /// What is stored there.
    pub(crate) fn find<'a>(&self, item: &'a RawItem) -> Option<&'a AttributeValue> {
        let (_, below) = self.0.split_first()?;
        below.iter().try_fold(item.get(self.top())?, |value, segment| match (value, segment) {
            (AttributeValue::M(map), Segment::Name(name)) => map.get(name.as_ref()),
            (AttributeValue::L(list), Segment::Index(index)) => list.get(*index),
            _ => None,
        })
    }

    #[cfg(test)]
    pub(crate) fn index(mut self, index: usize) -> Self {
        self.0.push(Segment::Index(index));
        self
    }

    /// Whether one of the two paths is, or lies within, the other, or one takes for a list what the other takes for a map, so
    /// that one update can't name both.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        let apart = self.0.iter().zip(&other.0).find(|(one, other)| one != other);
        apart.is_none_or(|(one, other)| matches!(one, Segment::Name(_)) != matches!(other, Segment::Name(_)))
    }
}

impl<N: Into<Cow<'static, str>>> From<N> for RawPath {
    fn from(name: N) -> Self {
        Self(vec![Segment::Name(name.into())])
    }
}

impl fmt::Display for RawPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Name(name) if position == 0 => f.write_str(name)?,
                Segment::Name(name) => write!(f, ".{name}")?,
                Segment::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}
