//! Digests by which an idempotency key and its content are recognised.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::expr::{Node, Rendering};
use crate::item::RawItem;

/// Eight bytes of SHA-256.
pub(crate) type Fingerprint = [u8; 8];

/// Of an idempotency key, together with the table and the item's key that it belongs to.
pub(crate) fn key(table: &str, item_key: &RawItem, idempotency_key: &[u8]) -> Fingerprint {
    let mut digest = Sha256::new();
    text(&mut digest, b"table", table.as_bytes());
    map(&mut digest, item_key);
    text(&mut digest, b"key", idempotency_key);
    finish(digest)
}

/// Of an item, whatever the order of its attributes. A null counts as little as an absent attribute: which of the two a `None` is
/// stored as may be different when the insert is repeated.
pub(crate) fn item(item: &RawItem) -> Fingerprint {
    let mut digest = Sha256::new();
    attributes(&mut digest, item.iter().filter(|(_, value)| !value.is_null()).collect());
    finish(digest)
}

/// Of expressions: what they say, each placeholder being what it stands for, whatever its number.
pub(crate) fn expressions(texts: &[&str], names: &HashMap<String, String>, values: &RawItem) -> Fingerprint {
    let mut digest = Sha256::new();
    texts.iter().for_each(|text| expression(&mut digest, text, names, values));
    finish(digest)
}

/// Of a condition.
pub(crate) fn condition(condition: &Node) -> Result<Fingerprint, Error> {
    let mut rendering = Rendering::new();
    let text = rendering.condition(condition);
    let (names, values) = rendering.finish(&[&text])?;
    Ok(expressions(&[&text], &names, &values))
}

/// Of what consists of several, in this order.
pub(crate) fn joined(parts: &[Fingerprint]) -> Fingerprint {
    bytes(parts.as_flattened())
}

/// What one of several writes is, as far as its repetition has to be the same.
pub(crate) struct Part<'p> {
    pub(crate) operation: &'static str,
    pub(crate) table: &'p str,
    pub(crate) key: &'p RawItem,
    /// None where a repetition may write something else: what came of a read.
    pub(crate) content: Option<Fingerprint>,
}

/// Of writes that are made together; as text.
pub(crate) fn writes<'p>(parts: impl Iterator<Item = Part<'p>>) -> String {
    let mut digest = Sha256::new();
    for Part { operation, table, key, content } in parts {
        text(&mut digest, b"operation", operation.as_bytes());
        text(&mut digest, b"table", table.as_bytes());
        map(&mut digest, key);
        text(&mut digest, b"content", content.as_ref().map_or(&[], Fingerprint::as_slice));
    }
    hex(digest)
}

/// Of content that the caller chose.
pub(crate) fn bytes(content: &[u8]) -> Fingerprint {
    let mut digest = Sha256::new();
    text(&mut digest, b"content", content);
    finish(digest)
}

/// Of a payload, whatever the order of its members; as text.
pub(crate) fn payload(payload: &Value) -> String {
    let mut digest = Sha256::new();
    json(&mut digest, payload, false);
    hex(digest)
}

/// Of a request's body, whatever the order of its members and of the elements of sets, and whether or not it is metered. What is no
/// JSON is taken as it is.
pub(crate) fn body(body: &[u8]) -> Fingerprint {
    let mut digest = Sha256::new();
    match serde_json::from_slice(body) {
        Ok(Value::Object(mut request)) => {
            request.remove("ReturnConsumedCapacity");
            json(&mut digest, &Value::Object(request), false);
        }
        Ok(value) => json(&mut digest, &value, false),
        Err(_) => text(&mut digest, b"body", body),
    }
    finish(digest)
}

fn hex(digest: Sha256) -> String {
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn finish(digest: Sha256) -> Fingerprint {
    let mut fingerprint = Fingerprint::default();
    fingerprint.copy_from_slice(&digest.finalize()[..8]);
    fingerprint
}

/// Every part goes in with its tag and its length, so that no two values run together to the same bytes.
fn text(digest: &mut Sha256, tag: &[u8], bytes: &[u8]) {
    digest.update(tag);
    digest.update((bytes.len() as u64).to_be_bytes());
    digest.update(bytes);
}

fn expression(digest: &mut Sha256, mut rest: &str, names: &HashMap<String, String>, values: &RawItem) {
    while let Some(begin) = rest.find(['#', ':']) {
        let (before, from) = rest.split_at(begin);
        let end = from[1..].find(|letter: char| !letter.is_ascii_alphanumeric());
        let (placeholder, after) = from.split_at(end.map_or(from.len(), |end| end + 1));
        text(digest, b"says", before.as_bytes());
        match (names.get(placeholder), values.get(placeholder)) {
            (Some(name), _) => text(digest, b"name", name.as_bytes()),
            (None, Some(value)) => self::value(digest, value),
            (None, None) => text(digest, b"says", placeholder.as_bytes()),
        }
        rest = after;
    }
    text(digest, b"ends", rest.as_bytes());
}

fn map(digest: &mut Sha256, map: &RawItem) {
    attributes(digest, map.iter().collect());
}

fn attributes(digest: &mut Sha256, mut attributes: Vec<(&String, &AttributeValue)>) {
    attributes.sort_unstable_by_key(|(name, _)| *name);
    text(digest, b"M", &(attributes.len() as u64).to_be_bytes());
    for (name, attribute) in attributes {
        text(digest, b"name", name.as_bytes());
        value(digest, attribute);
    }
}

fn value(digest: &mut Sha256, value: &AttributeValue) {
    match value {
        AttributeValue::S(string) => text(digest, b"S", string.as_bytes()),
        AttributeValue::N(number) => text(digest, b"N", number.as_bytes()),
        AttributeValue::B(blob) => text(digest, b"B", blob.as_ref()),
        AttributeValue::Bool(flag) => text(digest, b"BOOL", &[u8::from(*flag)]),
        AttributeValue::Null(_) => text(digest, b"NULL", &[]),
        AttributeValue::M(nested) => map(digest, nested),
        AttributeValue::L(list) => {
            text(digest, b"L", &(list.len() as u64).to_be_bytes());
            list.iter().for_each(|element| self::value(digest, element));
        }
        AttributeValue::Ss(set) => self::set(digest, b"SS", set.iter().map(String::as_bytes)),
        AttributeValue::Ns(set) => self::set(digest, b"NS", set.iter().map(String::as_bytes)),
        AttributeValue::Bs(set) => self::set(digest, b"BS", set.iter().map(AsRef::as_ref)),
        other => text(digest, b"?", format!("{other:?}").as_bytes()),
    }
}

fn set<'v>(digest: &mut Sha256, tag: &[u8], elements: impl Iterator<Item = &'v [u8]>) {
    let mut elements: Vec<_> = elements.collect();
    elements.sort_unstable();
    text(digest, tag, &(elements.len() as u64).to_be_bytes());
    elements.into_iter().for_each(|element| text(digest, b"element", element));
}

fn json(digest: &mut Sha256, value: &Value, is_set: bool) {
    match value {
        Value::Object(members) => {
            let mut names: Vec<_> = members.keys().collect();
            names.sort_unstable();
            text(digest, b"{", &(names.len() as u64).to_be_bytes());
            for name in names {
                text(digest, b"name", name.as_bytes());
                json(digest, &members[name], matches!(name.as_str(), "SS" | "NS" | "BS"));
            }
        }
        Value::Array(elements) => {
            text(digest, b"[", &(elements.len() as u64).to_be_bytes());
            let mut elements: Vec<_> = elements.iter().collect();
            if is_set {
                elements.sort_unstable_by_key(|element| element.as_str());
            }
            elements.into_iter().for_each(|element| json(digest, element, false));
        }
        Value::String(string) => text(digest, b"string", string.as_bytes()),
        other => text(digest, b"other", other.to_string().as_bytes()),
    }
}

#[cfg(test)]
mod tests;
