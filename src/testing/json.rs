//! Items between the SDK's types and DynamoDB's JSON.

use std::collections::HashMap;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_types::base64;
use serde_json::{Map, Value, json};

/// The item that a JSON document of DynamoDB describes, as in `{"id": {"S": "acc-1"}}`.
///
/// What isn't in DynamoDB's form is left out, so that a test sees it missing.
///
/// # Examples
///
/// ```
/// use aws_sdk_dynamodb::types::AttributeValue;
/// use serde_json::json;
///
/// let item = dynamo_once::testing::item(&json!({ "id": { "S": "acc-1" }, "balance": { "N": "40" } }));
/// assert_eq!(item["balance"], AttributeValue::N("40".into()));
/// ```
#[must_use]
pub fn item(document: &Value) -> HashMap<String, AttributeValue> {
    let members = document.as_object().into_iter().flatten();
    members.filter_map(|(name, value)| Some((name.clone(), attribute(value)?))).collect()
}

pub(super) fn item_to_json(item: &HashMap<String, AttributeValue>) -> Value {
    let members = item.iter().map(|(name, value)| (name.clone(), attribute_to_json(value)));
    Value::Object(members.collect::<Map<_, _>>())
}

fn attribute(value: &Value) -> Option<AttributeValue> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let blob = |value: &Value| Some(Blob::new(base64::decode(value.as_str()?).ok()?));
    let (kind, value) = value.as_object()?.iter().next()?;
    Some(match kind.as_str() {
        "S" => AttributeValue::S(text(value)?),
        "N" => AttributeValue::N(text(value)?),
        "B" => AttributeValue::B(blob(value)?),
        "BOOL" => AttributeValue::Bool(value.as_bool()?),
        "NULL" => AttributeValue::Null(value.as_bool()?),
        "SS" => AttributeValue::Ss(value.as_array()?.iter().map(text).collect::<Option<_>>()?),
        "NS" => AttributeValue::Ns(value.as_array()?.iter().map(text).collect::<Option<_>>()?),
        "BS" => AttributeValue::Bs(value.as_array()?.iter().map(blob).collect::<Option<_>>()?),
        "L" => AttributeValue::L(value.as_array()?.iter().map(attribute).collect::<Option<_>>()?),
        "M" => AttributeValue::M(item(value)),
        _ => return None,
    })
}

fn attribute_to_json(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => json!({ "S": text }),
        AttributeValue::N(number) => json!({ "N": number }),
        AttributeValue::B(blob) => json!({ "B": base64::encode(blob) }),
        AttributeValue::Bool(flag) => json!({ "BOOL": flag }),
        AttributeValue::Null(flag) => json!({ "NULL": flag }),
        AttributeValue::Ss(set) => json!({ "SS": set }),
        AttributeValue::Ns(set) => json!({ "NS": set }),
        AttributeValue::Bs(set) => json!({ "BS": set.iter().map(base64::encode).collect::<Vec<_>>() }),
        AttributeValue::L(list) => json!({ "L": list.iter().map(attribute_to_json).collect::<Vec<_>>() }),
        AttributeValue::M(map) => json!({ "M": item_to_json(map) }),
        _ => json!({ "NULL": true }),
    }
}
