//! The record of an operation as it is stored, under the attribute names of Powertools for AWS Lambda.

use std::time::Duration;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};

use crate::epoch::EpochMillis;
use crate::item::{Item, RawItem, Schema};
use crate::maintained::Expiry;
use crate::protocol::claim::{Millis, Record, Status};
use crate::protocol::log::WriteId;

pub(crate) const ID: &str = "id";
pub(crate) const STATUS: &str = "status";
/// When the record goes, in seconds: the table's TTL attribute.
pub(crate) const EXPIRATION: &str = "expiration";
/// When the lease ends, in milliseconds.
pub(crate) const LEASE: &str = "in_progress_expiration";
/// The answer, as JSON.
pub(crate) const DATA: &str = "data";
/// The payload's fingerprint.
pub(crate) const VALIDATION: &str = "validation";
/// What the fingerprint of a recorded write begins with, which stands there in the place of a payload's.
pub(crate) const WRITE: &str = "write:";
/// Who owns it: ours alone, as are the next ones.
pub(crate) const OWNER: &str = "owner";
/// A failure that is final, as JSON, in the place of the answer.
pub(crate) const FAILURE: &str = "failure";
/// In milliseconds.
pub(crate) const COMPLETED_AT: &str = "completed_at";

pub(crate) const IN_PROGRESS: &str = "INPROGRESS";
pub(crate) const COMPLETED: &str = "COMPLETED";

/// What a table of records holds, as far as its making goes.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    id: String,
}

impl Item for Row {
    type Key = String;
    // The TTL attribute is what counts; each record has a time of its own.
    const SCHEMA: Schema = Schema::new(ID).expires_after(Expiry::new(EXPIRATION, Duration::from_secs(1)));
}

/// What an operation came to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Ending {
    Answer(Kept),
    /// One that is final.
    Failure(Kept),
}

/// What is stored of an answer or a failure.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kept {
    Text(String),
    Compressed(Vec<u8>),
    /// Nothing: it was too large.
    Not,
    /// What another program means something else by.
    Unreadable,
}

/// A record that was read.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) record: Record,
    pub(crate) validation: Option<String>,
    pub(crate) ending: Ending,
    pub(crate) completed_at: Option<EpochMillis>,
}

impl Entry {
    /// Reads a record, whoever wrote it.
    pub(crate) fn read(item: &RawItem) -> Self {
        let text = |name| match item.get(name) {
            Some(AttributeValue::S(text)) => Some(text.clone()),
            _ => None,
        };
        let status = match item.get(STATUS) {
            Some(AttributeValue::S(status)) if status == IN_PROGRESS => match whole(item, LEASE) {
                Some(Ok(until)) => Status::Running { until: Some(until) },
                None => Status::Running { until: None },
                Some(Err(())) => Status::Unreadable,
            },
            Some(AttributeValue::S(status)) if status == COMPLETED => Status::Completed,
            _ => Status::Unreadable,
        };
        let (owner, is_owned_otherwise) = match item.get(OWNER) {
            None => (None, false),
            Some(AttributeValue::B(id)) => match id.as_ref().try_into().map(u128::from_be_bytes) {
                Ok(id) => (Some(WriteId(id)), false),
                Err(_) => (None, true),
            },
            Some(_) => (None, true),
        };
        let expires = match whole(item, EXPIRATION) {
            Some(Ok(seconds)) => seconds.saturating_mul(1000),
            // What doesn't say when it goes, or not so that it can be read, stays.
            None | Some(Err(())) => Millis::MAX,
        };
        let record = Record {
            owner,
            status: if is_owned_otherwise { Status::Unreadable } else { status },
            expires,
            differs: false,
        };
        let completed_at = whole(item, COMPLETED_AT).and_then(Result::ok).map(EpochMillis);
        Self { record, validation: text(VALIDATION), ending: Ending::read(item), completed_at }
    }

    /// Whether it is known to be of another payload than this, or one of both is of a recorded write, and the other of a run.
    pub(crate) fn is_of_another_than(&self, validation: Option<&String>) -> bool {
        match (self.validation.as_ref(), validation) {
            (Some(stored), Some(asked)) => stored != asked,
            (stored, asked) => stored.or(asked).is_some_and(|validation| validation.starts_with(WRITE)),
        }
    }
}

impl Ending {
    fn read(item: &RawItem) -> Self {
        match item.get(FAILURE) {
            None => Self::Answer(Kept::read(item.get(DATA))),
            failure => Self::Failure(Kept::read(failure)),
        }
    }

    /// The attribute that says so; none where an answer isn't kept.
    pub(crate) fn attribute(&self) -> Option<(&'static str, AttributeValue)> {
        let (name, kept) = match self {
            Self::Answer(kept) => (DATA, kept),
            Self::Failure(kept) => (FAILURE, kept),
        };
        match kept {
            Kept::Text(text) => Some((name, AttributeValue::S(text.clone()))),
            Kept::Compressed(bytes) => Some((name, AttributeValue::B(Blob::new(bytes.clone())))),
            // That it failed has to be told all the same.
            Kept::Not | Kept::Unreadable => (name == FAILURE).then_some((name, AttributeValue::Null(true))),
        }
    }
}

impl Kept {
    fn read(value: Option<&AttributeValue>) -> Self {
        match value {
            Some(AttributeValue::S(text)) => Self::Text(text.clone()),
            Some(AttributeValue::B(bytes)) => Self::Compressed(bytes.as_ref().to_vec()),
            None | Some(AttributeValue::Null(_)) => Self::Not,
            Some(_) => Self::Unreadable,
        }
    }
}

/// A whole number, where there is the attribute.
fn whole(item: &RawItem, name: &str) -> Option<Result<u64, ()>> {
    item.get(name).map(|value| match value {
        AttributeValue::N(number) => number.parse().map_err(|_| ()),
        _ => Err(()),
    })
}

/// The seconds at which a record goes that is kept for so long, and not before its lease has ended.
pub(crate) fn expiration(now: Millis, kept: Duration, until: Millis) -> u64 {
    (now / 1000).saturating_add(kept.as_secs().max(1)).max(until.div_ceil(1000))
}
