//! Conditions: what has to hold of the stored item.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{BitAnd, BitOr, Not};

use aws_sdk_dynamodb::types::AttributeValue;

use crate::error::Error;
use crate::expr::render::MAX_OPERATORS;
use crate::expr::value::{Contains, IntoValue, Ordered, Prefix};
use crate::expr::{Field, Path, PathKind, RawPath};

/// A condition on a stored item of type `T`; made by the methods of [`Path`].
///
/// Joined by [`and`](Condition::and), [`or`](Condition::or) and [`not`](Condition::not), or by `&`, `|` and `!`: not by `&&` and `||`, which
/// take `bool`s only.
#[must_use]
pub struct Condition<T> {
    node: Result<Node, Error>,
    /// At most [`MAX_OPERATORS`], so that a tree of conditions is never deep enough to exhaust the stack.
    operators: usize,
    of: PhantomData<fn() -> T>,
}

/// The size of an attribute, to be compared: characters of a string, bytes of binary, elements of a list, set or map.
#[derive(Debug)]
#[must_use]
pub struct Size<T, V, P = Field> {
    path: Path<T, V, P>,
}

/// The types of stored attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the names say it")]
pub enum AttributeType {
    String,
    Number,
    Binary,
    StringSet,
    NumberSet,
    BinarySet,
    Map,
    List,
    Null,
    Bool,
}

/// A condition, without types.
#[derive(Clone, PartialEq)]
pub(crate) enum Node {
    Compare(Operand, Comparator, AttributeValue),
    Between(Operand, AttributeValue, AttributeValue),
    In(RawPath, Vec<AttributeValue>),
    Exists(RawPath),
    NotExists(RawPath),
    /// `begins_with`, `contains` and `attribute_type`.
    Function(&'static str, RawPath, AttributeValue),
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
    Not(Box<Self>),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Operand {
    Path(RawPath),
    Size(RawPath),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparator {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

/// DynamoDB takes no more operands of `IN` (AWS, "Condition and filter expressions, operators, and functions").
const MAX_IN: usize = 100;

impl<T, V, P: PathKind> Path<T, V, P> {
    /// The attribute is this value. That it is `None` says the same as [`not_exists`](Path::not_exists), where an absent attribute reads
    /// as `None`; else that it is null.
    pub fn eq(self, value: impl IntoValue<V>) -> Condition<T> {
        self.equality(Comparator::Eq, value, Path::not_exists)
    }

    /// The attribute is another value, or absent. That it is not `None` says the same as [`exists`](Path::exists).
    pub fn ne(self, value: impl IntoValue<V>) -> Condition<T> {
        self.equality(Comparator::Ne, value, Path::exists)
    }

    /// The attribute is less than this value.
    pub fn lt(self, value: impl IntoValue<V>) -> Condition<T>
    where
        V: Ordered,
    {
        self.order(Comparator::Lt, value)
    }

    /// The attribute is at most this value.
    pub fn le(self, value: impl IntoValue<V>) -> Condition<T>
    where
        V: Ordered,
    {
        self.order(Comparator::Le, value)
    }

    /// The attribute is greater than this value.
    pub fn gt(self, value: impl IntoValue<V>) -> Condition<T>
    where
        V: Ordered,
    {
        self.order(Comparator::Gt, value)
    }

    /// The attribute is at least this value.
    pub fn ge(self, value: impl IntoValue<V>) -> Condition<T>
    where
        V: Ordered,
    {
        self.order(Comparator::Ge, value)
    }

    /// The attribute lies between these values, both included.
    pub fn between(self, low: impl IntoValue<V>, high: impl IntoValue<V>) -> Condition<T>
    where
        V: Ordered,
    {
        let bounds = self.bound(low).and_then(|low| Ok((low, self.bound(high)?)));
        let bounds = bounds.and_then(|(low, high)| match is_greater(&low, &high) {
            true => Err(refused(&self.shown(), NO_RANGE)),
            false => Ok((low, high)),
        });
        self.about(bounds, |path, (low, high)| Node::Between(Operand::Path(path), low, high))
    }

    /// The attribute is one of these values: at least one, at most 100. A `None` among them stands for an absent attribute, or a
    /// null.
    pub fn is_in<I>(self, values: impl IntoIterator<Item = I>) -> Condition<T>
    where
        I: IntoValue<V>,
    {
        let values: Result<Vec<_>, Error> = values.into_iter().map(|value| self.value(value)).collect();
        let values = values.and_then(|values| {
            if (1..=MAX_IN).contains(&values.len()) {
                return Ok(values);
            }
            let count = values.len();
            let name = self.shown();
            Err(Error::invalid(format!(
                "`{name}` is compared with {count} values at once; give 1 to {MAX_IN}, or join several conditions"
            )))
        });
        let (nulls, values): (Vec<_>, Vec<_>) = match values {
            Ok(values) => values.into_iter().partition(|value| value.is_null() && self.is_optional()),
            Err(error) => return Condition::new(Err(error)),
        };
        let one_of = |path: &Self, values| path.about(Ok(values), Node::In);
        match (nulls.is_empty(), values.is_empty()) {
            (true, _) => one_of(&self, values),
            (false, true) => self.not_exists(),
            (false, false) => one_of(&self, values).or(self.not_exists()),
        }
    }

    /// There is such an attribute, and it is not null, as an absent one may be stored by other programs.
    pub fn exists(self) -> Condition<T> {
        self.about(Ok(()), |path, ()| Node::Exists(path)).and(self.attribute_type(AttributeType::Null).not())
    }

    /// There is no such attribute, or it is null, as an absent one may be stored by other programs.
    pub fn not_exists(self) -> Condition<T> {
        Condition::joined(3, self.raw().map(Node::absent))
    }

    /// The attribute is stored as this type. `None` is not stored, where the type reads an absent attribute as it;
    /// [`Null`](AttributeType::Null) is what a `()` is, or what another program stored.
    pub fn attribute_type(self, expected: AttributeType) -> Condition<T> {
        self.about(Ok(expected), Node::attribute_type)
    }

    /// The string, or the binary value, begins with this one.
    pub fn begins_with(self, start: impl IntoValue<V>) -> Condition<T>
    where
        V: Prefix,
    {
        let start = self.value(start).and_then(|start| match start {
            AttributeValue::S(_) | AttributeValue::B(_) => Ok(start),
            _ => Err(refused(&self.shown(), NO_START)),
        });
        self.about(start, |path, start| Node::Function("begins_with", path, start))
    }

    /// The string contains this one, or the list or set this element.
    pub fn contains(self, part: impl IntoValue<V::Part>) -> Condition<T>
    where
        V: Contains,
    {
        let part = self.encode_part(part.into_value()).and_then(|part| checked(&self.shown(), part));
        self.about(part, |path, part| Node::Function("contains", path, part))
    }

    /// The size of the attribute, to be compared.
    pub fn size(self) -> Size<T, V, P> {
        Size { path: self }
    }

    fn equality(
        self,
        comparator: Comparator,
        value: impl IntoValue<V>,
        of_null: fn(Self) -> Condition<T>,
    ) -> Condition<T> {
        match self.value(value) {
            Ok(AttributeValue::Null(_)) if self.is_optional() => of_null(self),
            value => self.about(value, |path, value| Node::Compare(Operand::Path(path), comparator, value)),
        }
    }

    fn order(self, comparator: Comparator, value: impl IntoValue<V>) -> Condition<T>
    where
        V: Ordered,
    {
        let value = self.bound(value);
        self.about(value, |path, value| Node::Compare(Operand::Path(path), comparator, value))
    }

    /// A value that others are less or greater than.
    fn bound(&self, value: impl IntoValue<V>) -> Result<AttributeValue, Error>
    where
        V: Ordered,
    {
        let value = self.value(value)?;
        has_order::<V>(&self.shown(), &value)?;
        Ok(value)
    }

    /// A condition on what the path names, and on an operand that is there.
    fn about<O>(&self, operand: Result<O, Error>, node: impl FnOnce(RawPath, O) -> Node) -> Condition<T> {
        Condition::new(operand.and_then(|operand| Ok(node(self.raw()?, operand))))
    }

    fn value(&self, value: impl IntoValue<V>) -> Result<AttributeValue, Error> {
        checked(&self.shown(), self.encode(&value.into_value())?)
    }
}

macro_rules! size_comparisons {
    ($($(#[$doc:meta])* $name:ident $comparator:ident)*) => {
        impl<T, V, P: PathKind> Size<T, V, P> {
            $($(#[$doc])* pub fn $name(self, size: u64) -> Condition<T> {
                let size = AttributeValue::N(size.to_string());
                self.path.about(Ok(size), |path, size| Node::Compare(Operand::Size(path), Comparator::$comparator, size))
            })*
        }
    };
}

size_comparisons! {
    /// The size is this one.
    eq Eq
    /// The size is another.
    ne Ne
    /// The size is less than this.
    lt Lt
    /// The size is at most this.
    le Le
    /// The size is greater than this.
    gt Gt
    /// The size is at least this.
    ge Ge
}

impl<T> Condition<T> {
    fn new(node: Result<Node, Error>) -> Self {
        Self { node, operators: 1, of: PhantomData }
    }

    /// Both conditions hold.
    pub fn and(self, other: Self) -> Self {
        self.join(other, Node::and)
    }

    /// At least one of the conditions holds.
    pub fn or(self, other: Self) -> Self {
        self.join(other, Node::or)
    }

    /// The condition does not hold.
    #[expect(clippy::should_implement_trait, reason = "`!` is implemented too; a chain reads better with a method")]
    pub fn not(self) -> Self {
        let operators = self.operators + 1;
        Self::joined(operators, self.node.map(|node| Node::Not(Box::new(node))))
    }

    pub(crate) fn into_node(self) -> Result<Node, Error> {
        self.node
    }

    fn join(self, other: Self, join: fn(Node, Node) -> Node) -> Self {
        let operators = self.operators + other.operators + 1;
        Self::joined(operators, self.node.and_then(|node| Ok(join(node, other.node?))))
    }

    fn joined(operators: usize, node: Result<Node, Error>) -> Self {
        if operators <= MAX_OPERATORS || node.is_err() {
            return Self { node, operators, of: PhantomData };
        }
        Self::new(Err(Error::invalid(format!(
            "the condition has more than {MAX_OPERATORS} operators and functions, which DynamoDB doesn't take: ask for less at \
             once (`is_in` asks for many values by one)"
        ))))
    }
}

impl Node {
    pub(crate) fn and(self, other: Self) -> Self {
        Self::And(Box::new(self), Box::new(other))
    }

    pub(crate) fn or(self, other: Self) -> Self {
        Self::Or(Box::new(self), Box::new(other))
    }

    pub(crate) fn not_exists(path: RawPath) -> Self {
        Self::NotExists(path)
    }

    /// Not there, or null: what reads as `None`.
    pub(crate) fn absent(path: RawPath) -> Self {
        Self::not_exists(path.clone()).or(Self::attribute_type(path, AttributeType::Null))
    }

    fn attribute_type(path: RawPath, expected: AttributeType) -> Self {
        Self::Function("attribute_type", path, AttributeValue::S(expected.code().to_owned()))
    }

    pub(crate) fn equal(path: RawPath, value: AttributeValue) -> Self {
        Self::Compare(Operand::Path(path), Comparator::Eq, value)
    }

    /// The names of the top-level attributes that it looks at.
    pub(crate) fn names(&self) -> Vec<&str> {
        let (mut names, mut left) = (Vec::new(), vec![self]);
        while let Some(node) = left.pop() {
            match node {
                Self::Compare(operand, ..) | Self::Between(operand, ..) => match operand {
                    Operand::Path(path) | Operand::Size(path) => names.push(path.top()),
                },
                Self::In(path, _) | Self::Exists(path) | Self::NotExists(path) | Self::Function(_, path, _) => {
                    names.push(path.top());
                }
                Self::And(one, other) | Self::Or(one, other) => left.extend([&**one, &**other]),
                Self::Not(node) => left.push(node),
            }
        }
        names
    }

    pub(crate) fn less_than(path: RawPath, value: AttributeValue) -> Self {
        Self::Compare(Operand::Path(path), Comparator::Lt, value)
    }
}

impl Comparator {
    pub(crate) fn symbol(self) -> &'static str {
        match self {
            Self::Eq => " = ",
            Self::Ne => " <> ",
            Self::Lt => " < ",
            Self::Le => " <= ",
            Self::Gt => " > ",
            Self::Ge => " >= ",
        }
    }
}

impl AttributeType {
    fn code(self) -> &'static str {
        match self {
            Self::String => "S",
            Self::Number => "N",
            Self::Binary => "B",
            Self::StringSet => "SS",
            Self::NumberSet => "NS",
            Self::BinarySet => "BS",
            Self::Map => "M",
            Self::List => "L",
            Self::Null => "NULL",
            Self::Bool => "BOOL",
        }
    }
}

impl<T> BitAnd for Condition<T> {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        self.and(other)
    }
}

impl<T> BitOr for Condition<T> {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.or(other)
    }
}

impl<T> Not for Condition<T> {
    type Output = Self;

    fn not(self) -> Self {
        Self::not(self)
    }
}

impl<T, V, P: Clone> Clone for Size<T, V, P> {
    fn clone(&self) -> Self {
        Self { path: self.path.clone() }
    }
}

impl<T, V, P: Copy> Copy for Size<T, V, P> {}

/// Shows the shape of the condition, and no values.
impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Compare(operand, comparator, _) => write!(f, "{operand}{}_", comparator.symbol()),
            Self::Between(operand, _, _) => write!(f, "{operand} BETWEEN _ AND _"),
            Self::In(path, values) => write!(f, "{path} IN ({} values)", values.len()),
            Self::Exists(path) => write!(f, "attribute_exists({path})"),
            Self::NotExists(path) => write!(f, "attribute_not_exists({path})"),
            Self::Function(name, path, _) => write!(f, "{name}({path}, _)"),
            Self::And(one, other) => write!(f, "({one:?} AND {other:?})"),
            Self::Or(one, other) => write!(f, "({one:?} OR {other:?})"),
            Self::Not(node) => write!(f, "NOT ({node:?})"),
        }
    }
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => path.fmt(f),
            Self::Size(path) => write!(f, "size({path})"),
        }
    }
}

impl<T> Clone for Condition<T> {
    fn clone(&self) -> Self {
        let node = self.node.as_ref().map_err(|error| Error::new(error.kind(), error.to_string()));
        Self { node: node.cloned(), operators: self.operators, of: PhantomData }
    }
}

impl<T> fmt::Debug for Condition<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.node {
            Ok(node) => f.debug_tuple("Condition").field(node).finish(),
            Err(error) => f.debug_tuple("Condition").field(error).finish(),
        }
    }
}

fn checked(name: &str, value: AttributeValue) -> Result<AttributeValue, Error> {
    crate::value::check(name, &value)?;
    Ok(value)
}

/// Whether values of this type, stored like this one, are less or greater than others.
pub(crate) fn has_order<V: Ordered>(name: &str, value: &AttributeValue) -> Result<(), Error> {
    match value {
        AttributeValue::N(_) => Ok(()),
        AttributeValue::S(_) | AttributeValue::B(_) if !V::IS_NUMBER => Ok(()),
        AttributeValue::S(_) | AttributeValue::B(_) => Err(refused(name, NO_NUMBER)),
        _ => Err(refused(name, NO_ORDER)),
    }
}

fn refused(name: &str, why: &str) -> Error {
    Error::invalid(format!("`{name}` {why}"))
}

/// Whether DynamoDB, which refuses such bounds, takes the one to be greater than the other.
pub(crate) fn is_greater(one: &AttributeValue, other: &AttributeValue) -> bool {
    match (one, other) {
        (AttributeValue::S(one), AttributeValue::S(other)) => one > other,
        (AttributeValue::B(one), AttributeValue::B(other)) => one.as_ref() > other.as_ref(),
        // Rounding keeps the order of numbers, though it may lose a difference: the service judges what is too close.
        (AttributeValue::N(one), AttributeValue::N(other)) => one.parse::<f64>().ok() > other.parse().ok(),
        _ => false,
    }
}

const NO_ORDER: &str = "isn't compared with a string, a number or binary, and nothing else is less or greater; bytes need \
                        `#[serde(with = \"serde_bytes\")]`, and for an absent attribute ask `not_exists`";
const NO_NUMBER: &str = "is a number that isn't stored as one, and text sorts otherwise: \"10\" is less than \"9\"; compare with `eq` \
                         or `ne`, or store it as a number";
const NO_START: &str = "isn't compared with a string or binary, and nothing else has a beginning; bytes need \
                        `#[serde(with = \"serde_bytes\")]`";
const NO_RANGE: &str = "is to lie between two bounds of which the first is the greater; give the lower one first";
