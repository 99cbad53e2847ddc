//! Updates: what is to change.

use std::borrow::Cow;

use aws_sdk_dynamodb::types::AttributeValue;

use crate::error::Error;
use crate::expr::value::{Delta, Elements, IntoValue};
use crate::expr::{Changeable, Path, PathKind, RawPath};
use crate::item::{RawItem, Schema};

/// Changes of an item, in the order in which they were named. The first that can't be made is kept as an error.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    changes: Vec<Change>,
    error: Option<Error>,
}

#[derive(Clone, PartialEq)]
pub(crate) struct Change {
    pub(crate) path: RawPath,
    pub(crate) action: Action,
}

#[derive(Clone, PartialEq)]
pub(crate) enum Action {
    Set(AttributeValue),
    /// Sets it where there is none.
    SetIfAbsent(AttributeValue),
    Append(AttributeValue),
    Remove,
    Add(AttributeValue),
    Delete(AttributeValue),
}

impl Changes {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn set<T, V, P: Changeable>(&mut self, path: Path<T, V, P>, value: impl IntoValue<V>) {
        let value = path.encode(&value.into_value());
        let action = value.map(|value| match value {
            AttributeValue::Null(_) if path.is_optional() => Action::Remove,
            value => Action::Set(value),
        });
        self.change(&path, action);
    }

    pub(crate) fn add<T, V, P: Changeable>(&mut self, path: Path<T, V, P>, delta: impl Delta<V>) {
        let delta = delta.into_delta();
        self.change(&path, delta.map(Action::Add));
    }

    pub(crate) fn remove<T, V, P: Changeable>(&mut self, path: Path<T, V, P>) {
        self.change(&path, Ok(Action::Remove));
    }

    pub(crate) fn append<T, V: Elements, P: Changeable>(&mut self, path: Path<T, V, P>, items: &V) {
        let items = path.encode(items).and_then(|items| match items {
            AttributeValue::L(_) => Ok(Action::Append(items)),
            _ => Err(stored_otherwise(&path.shown(), "append", "a list")),
        });
        self.change(&path, items);
    }

    pub(crate) fn union<T, V: Elements, P: Changeable>(&mut self, path: Path<T, V, P>, elements: &V) {
        let elements = path.encode(elements).and_then(|elements| set("union", &path.shown(), elements));
        self.change(&path, elements.map(Action::Add));
    }

    pub(crate) fn difference<T, V: Elements, P: Changeable>(&mut self, path: Path<T, V, P>, elements: &V) {
        let elements = path.encode(elements).and_then(|elements| set("difference", &path.shown(), elements));
        self.change(&path, elements.map(Action::Delete));
    }

    pub(crate) fn set_raw(&mut self, path: RawPath, value: AttributeValue) {
        self.changes.push(Change { path, action: Action::Set(value) });
    }

    pub(crate) fn set_if_absent(&mut self, path: RawPath, value: AttributeValue) {
        self.changes.push(Change { path, action: Action::SetIfAbsent(value) });
    }

    pub(crate) fn remove_raw(&mut self, path: RawPath) {
        self.changes.push(Change { path, action: Action::Remove });
    }

    /// Sets every attribute that an item has but its key.
    pub(crate) fn whole(schema: &Schema, item: RawItem) -> Self {
        let mut attributes: Vec<_> =
            item.into_iter().filter(|(name, _)| schema.key_names().all(|key| key != name)).collect();
        // In an order of their own, so that the same item always renders the same.
        attributes.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        let mut changes = Self::new();
        for (name, value) in attributes {
            changes.set_raw(RawPath::from(name), value);
        }
        changes
    }

    /// Removes every attribute that the item type knows and that isn't changed already, by all their names, and those that are put
    /// together for its indexes. The key and the version stay.
    pub(crate) fn remove_known(&mut self, schema: &Schema) {
        for attribute in schema.known_attributes() {
            let names = std::iter::once(attribute.name()).chain(attribute.alias_names().iter().copied());
            names.filter(|name| !schema.is_own(name)).for_each(|name| self.remove_unless_changed(name));
        }
        schema.computed_for_indexes().for_each(|(name, _)| self.remove_unless_changed(name));
    }

    /// Removes an attribute, such as one under an alias, unless it is changed already.
    pub(crate) fn remove_unless_changed(&mut self, name: impl Into<Cow<'static, str>>) {
        self.remove_path_unless_changed(RawPath::from(name.into()));
    }

    fn remove_path_unless_changed(&mut self, path: RawPath) {
        if self.changes.iter().all(|change| !change.path.overlaps(&path)) {
            self.remove_raw(path);
        }
    }

    /// The same, of an item of which nothing stays.
    pub(crate) fn anew(mut self) -> Self {
        for change in &mut self.changes {
            if let Action::SetIfAbsent(value) = &change.action {
                change.action = Action::Set(value.clone());
            }
        }
        self
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Change> {
        self.changes.iter()
    }

    pub(crate) fn into_iter(self) -> impl Iterator<Item = Change> {
        self.changes.into_iter()
    }

    /// The changes, if all of them can be made.
    pub(crate) fn checked(self) -> Result<Self, Error> {
        match self.error {
            Some(error) => Err(error),
            None => Ok(self),
        }
    }

    /// Whether something changes in this top-level attribute.
    pub(crate) fn touches(&self, attribute: &str) -> bool {
        self.changes.iter().any(|change| change.path.top() == attribute)
    }

    /// The top-level attributes in which something changes, each once.
    pub(crate) fn top_level_names(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.changes.iter().map(|change| change.path.top()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The same, with whole top-level attributes as they are to be in the place of the paths within them.
    pub(crate) fn top_level(&self, after: &RawItem) -> Self {
        let mut whole = Self::new();
        for name in self.top_level_names() {
            let path = RawPath::from(name.to_owned());
            match after.get(name) {
                Some(value) => whole.set_raw(path, value.clone()),
                None => whole.remove_raw(path),
            }
        }
        whole
    }

    fn change<T, V, P: PathKind>(&mut self, path: &Path<T, V, P>, action: Result<Action, Error>) {
        if let Err(error) = self.try_change(path, action) {
            self.error.get_or_insert(error);
        }
    }

    fn try_change<T, V, P: PathKind>(
        &mut self,
        path: &Path<T, V, P>,
        action: Result<Action, Error>,
    ) -> Result<(), Error> {
        let (name, raw) = (path.shown(), path.raw()?);
        let action = action?;
        if let Some(value) = action.value() {
            crate::value::check_at(&name, raw.segments().len(), value)?;
        }
        if let Some((parent, alias)) = path.aliased_parent() {
            return Err(Error::invalid(format!(
                "`{name}` lies within `{parent}`, which may be stored as `{alias}` too, in which nothing can be changed; set the \
                 whole, or use `modify`"
            )));
        }
        if !matches!(action, Action::Set(_) | Action::Remove)
            && let [alias, ..] = path.alias_names()
        {
            return Err(Error::invalid(format!(
                "`{name}` may be stored as `{alias}` too, to which nothing can be added; set it, or use `modify`"
            )));
        }
        if self.changes.iter().any(|change| change.path.overlaps(&raw)) {
            return Err(Error::invalid(format!(
                "the update names `{name}` twice, or what lies within it besides; DynamoDB makes one change of a path at a time"
            )));
        }
        // A value that was stored under an alias would stand beside the new one, and no read would decode the item.
        let aliases = if matches!(action, Action::Set(_) | Action::Remove) { path.alias_names() } else { &[] };
        let aliases: Vec<_> = aliases.iter().map(|alias| raw.sibling(alias)).collect();
        self.changes.push(Change { path: raw, action });
        aliases.into_iter().for_each(|alias| self.remove_path_unless_changed(alias));
        Ok(())
    }
}

impl Action {
    fn value(&self) -> Option<&AttributeValue> {
        match self {
            Self::Set(value)
            | Self::SetIfAbsent(value)
            | Self::Append(value)
            | Self::Add(value)
            | Self::Delete(value) => Some(value),
            Self::Remove => None,
        }
    }
}

impl Clone for Changes {
    /// Of changes that have been checked; a kept error stays where it is.
    fn clone(&self) -> Self {
        Self { changes: self.changes.clone(), error: None }
    }
}

/// Shows what kind of change, and no values.
impl std::fmt::Debug for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let verb = match self.action {
            Action::Set(_) => "SET",
            Action::SetIfAbsent(_) => "SET IF ABSENT",
            Action::Append(_) => "APPEND",
            Action::Remove => "REMOVE",
            Action::Add(_) => "ADD",
            Action::Delete(_) => "DELETE",
        };
        write!(f, "{verb} {}", self.path)
    }
}

fn set(verb: &str, name: &str, elements: AttributeValue) -> Result<AttributeValue, Error> {
    let is_empty = match &elements {
        AttributeValue::Ss(set) | AttributeValue::Ns(set) => set.is_empty(),
        AttributeValue::Bs(set) => set.is_empty(),
        _ => false,
    };
    if is_empty {
        return Err(Error::invalid(format!(
            "`{name}` would be changed by the `{verb}` with an empty set, which DynamoDB doesn't take, and which changes nothing; leave the \
             `{verb}` out where there are no elements"
        )));
    }
    match elements {
        AttributeValue::Ss(_) | AttributeValue::Ns(_) | AttributeValue::Bs(_) => Ok(elements),
        _ => Err(stored_otherwise(
            name,
            verb,
            "a set, which serde makes a list unless the field says `#[serde(with = \"serde_dynamo::string_set\")]` (or `number_set`, `binary_set`)",
        )),
    }
}

fn stored_otherwise(name: &str, verb: &str, wanted: &str) -> Error {
    Error::invalid(format!("`{name}` can't be changed by `{verb}`: it has to be stored as {wanted}"))
}
