//! Tokens: what another process, or a later call, goes on with, as one line of text.

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_types::base64;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::fingerprint;

/// A key attribute in a token.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum KeyValue {
    S(String),
    N(String),
    B(Vec<u8>),
}

const CHECKSUM: usize = 8;

impl KeyValue {
    pub(crate) fn of(value: &AttributeValue) -> Option<Self> {
        match value {
            AttributeValue::S(text) => Some(Self::S(text.clone())),
            AttributeValue::N(number) => Some(Self::N(number.clone())),
            AttributeValue::B(blob) => Some(Self::B(blob.as_ref().to_vec())),
            _ => None,
        }
    }

    pub(crate) fn attribute(&self) -> AttributeValue {
        match self {
            Self::S(text) => AttributeValue::S(text.clone()),
            Self::N(number) => AttributeValue::N(number.clone()),
            Self::B(bytes) => AttributeValue::B(Blob::new(bytes.as_slice())),
        }
    }
}

/// A token's text: a checksum and the contents, in the base64 that needs no escaping in URLs and forms. `None` where they don't serialise.
pub(crate) fn seal(contents: &impl Serialize) -> Option<String> {
    serde_json::to_vec(contents).ok().map(|contents| sealed(&contents))
}

pub(crate) fn sealed(contents: &[u8]) -> String {
    let text = base64::encode([fingerprint::bytes(contents).as_slice(), contents].concat());
    text.trim_end_matches('=').replace('+', "-").replace('/', "_")
}

/// What [`sealed`] has made text of. Padding may stand there or not, since others add it, and take it away.
fn unsealed(text: &str) -> Option<Vec<u8>> {
    let mut text = text.trim_end_matches('=').replace('-', "+").replace('_', "/");
    let padding = text.len().next_multiple_of(4) - text.len();
    text.extend(std::iter::repeat_n('=', padding));
    base64::decode(text).ok()
}

/// The contents of a token's text, which have to be of this format, as their member `format` says. `kind` is what the token is called.
pub(crate) fn open<C: DeserializeOwned>(text: &str, format: u8, kind: &'static str) -> Result<C, Error> {
    let damaged = || Error::bad_token(format!("this is no {kind}, or it was damaged on its way"));
    let bytes = unsealed(text).ok_or_else(damaged)?;
    let (checksum, contents) = bytes.split_at_checked(CHECKSUM).ok_or_else(damaged)?;
    if fingerprint::bytes(contents) != checksum {
        return Err(damaged());
    }
    #[derive(Deserialize)]
    struct Format {
        format: u8,
    }
    let found: Format = serde_json::from_slice(contents).map_err(|_| damaged())?;
    if found.format != format {
        return Err(Error::bad_token(format!(
            "the {kind} has format {}, and this version of the library takes {format} only",
            found.format
        )));
    }
    serde_json::from_slice(contents).map_err(|error| damaged().with_source(error))
}

/// Serialises a token as its text.
macro_rules! serde_as_text {
    ($token:ty) => {
        impl serde::Serialize for $token {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $token {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                <String as serde::Deserialize>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

pub(crate) use serde_as_text;
