//! A pending write on its way to another process.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::epoch::EpochMillis;
use crate::error::Error;
use crate::fingerprint::Fingerprint;
use crate::item::{Item, RawItem};
use crate::pending::Pending;
use crate::protocol::call::{Attempt, Call};
use crate::protocol::rules::LANES;
use crate::settle::{Content, Settled, Suspended, Write};
use crate::table::{Core, Table};
use crate::token::{self, KeyValue};

/// A [`Pending`] write in a form that can be stored and sent: `Display`, `FromStr`, serde.
///
/// It names the table, the item's key, the call's ids and what it expected, and holds a fingerprint of the content, but not the
/// content. So another process can [abort](Table::pending) the write, or resume an `insert`, `upsert` or `update` with the same content
/// ([`Insert::resume`](crate::Insert::resume)), unless it was bringing a tombstone to life. A checksum tells a token that was damaged,
/// which is refused as [`BadToken`](crate::ErrorKind::BadToken); it is no signature: take tokens from those only who may write the item.
#[derive(Clone, PartialEq)]
pub struct PendingToken {
    contents: Box<Contents>,
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
struct Contents {
    format: u8,
    table: String,
    /// The stamp's prefix and the attribute of the version, which the table has to agree on.
    names: [String; 2],
    operation: String,
    key: BTreeMap<String, KeyValue>,
    call: Call,
    last: Attempt,
    content: Fingerprint,
    began: EpochMillis,
    /// Seconds since 1970.
    until: u64,
}

/// The format of the tokens that this version of the crate makes, and the only one that it takes.
const FORMAT: u8 = 1;
/// The verbs whose writes can be pending.
const OPERATIONS: [&str; 7] = ["insert", "upsert", "upsert_newer", "update", "save", "modify", "delete"];
/// What the token is called in errors.
const KIND: &str = "token of a pending write";

impl PendingToken {
    pub(crate) fn of(suspended: &Suspended) -> Self {
        let key = suspended.key.iter().filter_map(|(name, value)| Some((name.clone(), KeyValue::of(value)?)));
        let since = suspended.until.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let contents = Contents {
            format: FORMAT,
            table: suspended.table.name().to_owned(),
            names: names(&suspended.table),
            operation: suspended.operation.to_owned(),
            key: key.collect(),
            call: suspended.call.clone(),
            last: suspended.last,
            content: suspended.content.fingerprint(),
            began: suspended.began,
            until: since.as_secs(),
        };
        Self { contents: Box::new(contents) }
    }

    /// When the call began that the token is of, or that of a call that begins now.
    pub(crate) fn began_or_now(token: Option<&Self>, table: &Core) -> EpochMillis {
        token.map_or_else(|| table.store().now().into(), |token| token.contents.began)
    }

    /// The write, on the table that it was for.
    fn suspended(&self, table: &Arc<Core>) -> Result<Suspended, Error> {
        let contents = &*self.contents;
        let refuse = |why: String| Err(Error::bad_token(why).with_operation("pending", table.name()));
        if contents.table != table.name() {
            return refuse(format!("the token is of the table `{}`", contents.table));
        }
        if contents.names != names(table) {
            return refuse("the token was made with another stamp prefix, or another version attribute".to_owned());
        }
        if !contents.key.keys().map(String::as_str).eq(sorted(table.schema().key_names())) {
            return refuse("the token's key has other attributes than the table's".to_owned());
        }
        let operation = OPERATIONS.into_iter().find(|operation| *operation == contents.operation);
        let (lane, until) =
            (contents.call.lane, SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(contents.until)));
        let is_lane = usize::from(lane) < LANES && contents.last.lane == lane;
        let (Some(operation), Some(until), true) = (operation, until, is_lane) else {
            return refuse("the token is of a call that this version of the library doesn't know".to_owned());
        };
        Ok(Suspended {
            table: Arc::clone(table),
            operation,
            key: contents.key.iter().map(|(name, value)| (name.clone(), value.attribute())).collect(),
            call: contents.call.clone(),
            last: contents.last,
            content: Content::Elsewhere(contents.content),
            began: contents.began,
            until,
        })
    }
}

impl<T: Item> Table<T> {
    /// The pending write that a token of another process stands for, to be aborted. To finish it takes what it was to write:
    /// [`Insert::resume`](crate::Insert::resume) and the like.
    ///
    /// # Errors
    ///
    /// [`BadToken`](crate::ErrorKind::BadToken) where the token is of another table.
    pub fn pending(&self, token: &PendingToken) -> Result<Pending, Error> {
        Ok(Pending::new(Arc::new(token.suspended(self.core())?)))
    }
}

impl Write<'_> {
    /// Runs the write, or goes on with the one that another process has left pending.
    pub(crate) async fn settle_or_resume<R>(self, token: Option<&PendingToken>, request: R) -> Result<Settled, Error>
    where
        R: FnMut(&Attempt, Option<&RawItem>) -> Result<crate::call::Request, Error>,
    {
        match token {
            None => self.settle(request).await,
            Some(token) => token.suspended(self.table)?.resume(&self, request).await,
        }
    }
}

fn names(table: &Core) -> [String; 2] {
    [table.format().stamp.prefix.clone(), table.format().version.to_owned()]
}

fn sorted<'n>(names: impl Iterator<Item = &'n str>) -> impl Iterator<Item = &'n str> {
    let mut names: Vec<_> = names.collect();
    names.sort_unstable();
    names.into_iter()
}

/// Base64 that needs no escaping in URLs and forms.
impl fmt::Display for PendingToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&token::seal(&self.contents).ok_or(fmt::Error)?)
    }
}

impl FromStr for PendingToken {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        token::open(text, FORMAT, KIND).map(|contents| Self { contents })
    }
}

token::serde_as_text!(PendingToken);

/// Shows no key.
impl fmt::Debug for PendingToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingToken")
            .field("table", &self.contents.table)
            .field("operation", &self.contents.operation)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::arbitrary::config;
    use crate::protocol::guard::Expect;
    use crate::protocol::log::WriteId;
    use crate::rows::Rows;
    use crate::token::sealed;

    fn token(rows: &Rows) -> PendingToken {
        let table = rows.table.core();
        let call = Call::new(Expect::Absent, None, 3, false, WriteId(1 << 60));
        PendingToken::of(&Suspended {
            table: Arc::clone(table),
            operation: "insert",
            key: Rows::key(),
            last: call.attempt(),
            call,
            content: Content::Elsewhere([7; 8]),
            began: EpochMillis(1_799_000_000_000),
            until: SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000),
        })
    }

    /// The members of a JSON value, at any depth, by their pointers.
    fn pointers(value: &Value, at: String, all: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                members.iter().for_each(|(name, value)| pointers(value, format!("{at}/{name}"), all))
            }
            Value::Array(elements) => {
                elements.iter().enumerate().for_each(|(index, value)| pointers(value, format!("{at}/{index}"), all));
            }
            _ => {}
        }
        all.push(at);
    }

    #[test]
    fn a_token_is_what_it_was_after_its_journey() {
        let (rows, text) = (Rows::new(), token(&Rows::new()).to_string());
        let arrived: PendingToken = text.parse().expect("is a token");
        assert!(arrived == token(&rows) && arrived.to_string() == text);
        rows.table.pending(&arrived).expect("is of this table");
    }

    #[test]
    fn a_token_of_another_format_is_refused_as_such() {
        let error = sealed(br#"{"format":2,"anything":"else"}"#).parse::<PendingToken>().expect_err("is refused");
        assert!(error.to_string().contains("format 2"), "{error}");
    }

    proptest! {
        #![proptest_config(config(256))]

        #[test]
        fn text_that_is_no_token_is_refused(text in ".*", bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(text.parse::<PendingToken>().is_err());
            prop_assert!(sealed(&bytes).parse::<PendingToken>().is_err());
        }
    }

    #[test]
    fn a_token_that_was_made_up_is_refused_or_harmless() {
        let rows = Rows::new();
        let whole = serde_json::to_value(&token(&rows).contents).expect("is JSON");
        let mut all = Vec::new();
        pointers(&whole, String::new(), &mut all);
        let others =
            [json!(null), json!(-1), json!(8), json!(u64::MAX), json!("Absent"), json!([]), json!({ "At": 1 })];
        for (pointer, other) in all.iter().flat_map(|pointer| others.iter().map(move |other| (pointer, other))) {
            let mut made_up = whole.clone();
            *made_up.pointer_mut(pointer).expect("is there") = other.clone();
            let Ok(token) = sealed(&serde_json::to_vec(&made_up).expect("is JSON")).parse::<PendingToken>() else {
                continue;
            };
            if let Ok(pending) = rows.table.pending(&token) {
                // It is too late for it, or it finds no item; in any case it writes nothing.
                let _ = rows.wait(pending.abort());
                assert!(rows.stored().is_none(), "{pointer} = {other}");
            }
        }
    }
}
