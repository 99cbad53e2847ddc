//! The key of an operation.

use crate::error::Error;

/// What is to happen where there is no key; see [`Records::missing_key`](crate::Records::missing_key).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum MissingKey {
    /// It is refused as [`Invalid`](crate::ErrorKind::Invalid), and nothing runs.
    #[default]
    Refuse,
    /// The operation runs as if there were no records: none is kept, and a repetition runs it again. What it stages is written when it has answered;
    /// a [recorded](crate::Recorded) write is written without its record. Either is a transaction still, at twice the capacity.
    RunUnprotected,
}

/// Equal for two deliveries of one operation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Identity {
    table: String,
    namespace: String,
    key: String,
    /// Its fingerprint.
    payload: Option<String>,
}

impl Identity {
    pub(super) fn new(table: &str, namespace: &str, key: &str, payload: Option<&str>) -> Self {
        let [table, namespace, key] = [table, namespace, key].map(str::to_owned);
        Self { table, namespace, key, payload: payload.map(str::to_owned) }
    }
}

/// A key as the caller gives it; `None` where it is empty.
pub(super) fn text(bytes: &[u8]) -> Result<Option<String>, Error> {
    match std::str::from_utf8(bytes) {
        Ok(key) => Ok(Some(key.to_owned()).filter(|key| !key.is_empty())),
        Err(error) => Err(Error::invalid("the key is no UTF-8; give a digest of it as text").with_source(error)),
    }
}

/// The id of the record; `None` of an operation that runs without one.
pub(super) fn id(key: Option<String>, namespace: &str, missing: MissingKey) -> Result<Option<String>, Error> {
    let id = match (key, missing) {
        (Some(key), _) if namespace.is_empty() && !key.contains('#') => key,
        // So that no namespace and key run together to the id of another: what stands before the first `#` is the namespace, also where that
        // is empty.
        (Some(key), _) => format!("{}#{key}", namespace.replace('%', "%25").replace('#', "%23")),
        (None, MissingKey::RunUnprotected) => return Ok(None),
        (None, MissingKey::Refuse) => return Err(Error::invalid(EMPTY)),
    };
    if id.len() > MOST {
        return Err(Error::invalid(format!(
            "the key has {} bytes with its namespace; DynamoDB takes {MOST}: give a digest of it",
            id.len()
        )));
    }
    Ok(Some(id))
}

/// Of a partition key (AWS, "Quotas in Amazon DynamoDB").
const MOST: usize = 2048;
const EMPTY: &str = "the key is empty; give the id of the event or request, or run the operation without protection";
