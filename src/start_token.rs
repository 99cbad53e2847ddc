//! Where a query or a scan goes on.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::fingerprint::Fingerprint;
use crate::item::RawItem;
use crate::key;
use crate::token::{self, KeyValue};

/// Where a query or a scan goes on, in a form that can be stored and sent: `Display`, `FromStr`, serde. It is what a web page's "next"
/// carries.
///
/// It names the key of the last item that was read, and holds a fingerprint of the query: its table and index, partition, conditions and
/// order; or of the scan. A query or scan that differs in one of these refuses it as [`BadToken`](crate::ErrorKind::BadToken), and so is what
/// isn't one refused by `parse`; page size, limit, consistency and projection may differ. It is one line of text that needs no escaping in
/// URLs and forms.
///
/// It is neither signed nor encrypted: whoever has it can read the key of that item in it. A checksum tells a token that was damaged.
/// Whoever makes one up can begin at another place of the same query, and see nothing else by it.
#[derive(Clone, PartialEq, Eq)]
pub struct StartToken {
    contents: Box<Contents>,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Contents {
    format: u8,
    query: Fingerprint,
    key: BTreeMap<String, KeyValue>,
}

/// The format of the tokens that this version of the crate makes, and the only one that it takes.
const FORMAT: u8 = 1;
/// What the token is called in errors.
const KIND: &str = "start token";

impl StartToken {
    /// The place after the item with these key attributes. `None` where they can't be a key.
    pub(crate) fn after<'k>(
        query: Fingerprint,
        key: impl Iterator<Item = (&'static str, &'k AttributeValue)>,
    ) -> Option<Self> {
        let key: Option<_> = key.map(|(name, value)| Some((name.to_owned(), KeyValue::of(value)?))).collect();
        Some(Self { contents: Box::new(Contents { format: FORMAT, query, key: key? }) })
    }

    /// The key to start after, in this query, whose items have these key attributes; `partition` is the one whose value is given.
    pub(crate) fn key(
        &self,
        query: Fingerprint,
        names: &[&'static str],
        partition: Option<&(&'static str, AttributeValue)>,
    ) -> Result<RawItem, Error> {
        let Contents { query: of, key, .. } = &*self.contents;
        if *of != query {
            return Err(Error::bad_token(
                "the start token is of another query or scan: table, index, partition, sort condition, filter and order have to be the same",
            ));
        }
        let key: RawItem = key.iter().map(|(name, value)| (name.clone(), value.attribute())).collect();
        let has_names = key.len() == names.len() && names.iter().all(|name| key.contains_key(*name));
        // What the fingerprint says already, of a token that wasn't made up. The service writes numbers its own way.
        let is_within = partition.is_none_or(|(name, value)| key::is_same(key.get(*name), Some(value)));
        if !has_names || !is_within {
            return Err(Error::bad_token("the start token names a key that the query or scan can't come upon"));
        }
        Ok(key)
    }
}

/// Base64 that needs no escaping in URLs and forms.
impl fmt::Display for StartToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&token::seal(&self.contents).ok_or(fmt::Error)?)
    }
}

impl FromStr for StartToken {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        token::open(text, FORMAT, KIND).map(|contents| Self { contents })
    }
}

token::serde_as_text!(StartToken);

/// Shows no key.
impl fmt::Debug for StartToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StartToken").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::sealed;

    const QUERY: Fingerprint = [7; 8];

    fn text(value: &str) -> AttributeValue {
        AttributeValue::S(value.to_owned())
    }

    fn token() -> StartToken {
        let key = [("id", text("a")), ("at", AttributeValue::N("7".to_owned()))];
        StartToken::after(QUERY, key.iter().map(|(name, value)| (*name, value))).expect("is a key")
    }

    #[test]
    fn a_token_is_what_it_was_after_its_journey() {
        let arrived: StartToken = token().to_string().parse().expect("is a token");
        assert_eq!(arrived, token());
        let key = arrived.key(QUERY, &["id", "at"], Some(&("id", text("a")))).expect("is of this query");
        assert_eq!(key, [("id".to_owned(), text("a")), ("at".to_owned(), AttributeValue::N("7".to_owned()))].into());
        let json = serde_json::to_string(&token()).expect("serialises");
        assert_eq!(serde_json::from_str::<StartToken>(&json).expect("deserialises"), token());
    }

    #[test]
    fn a_token_has_no_padding_and_may_get_it_on_its_way() {
        for id in ["a", "ab", "abc"] {
            let key = [("id", text(id))];
            let token = StartToken::after(QUERY, key.iter().map(|(name, value)| (*name, value))).expect("is a key");
            let whole = token.to_string();
            assert!(whole.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_".contains(letter)), "{whole}");
            let padding = "=".repeat(whole.len().next_multiple_of(4) - whole.len());
            for text in [whole.clone(), format!("{whole}{padding}")] {
                assert_eq!(text.parse::<StartToken>().expect("is a token"), token, "{text}");
            }
        }
    }

    #[test]
    fn a_token_with_any_letter_changed_is_refused() {
        let whole = token().to_string();
        for place in 0..whole.len() {
            let mut letters = whole.clone().into_bytes();
            letters[place] = if letters[place] == b'A' { b'B' } else { b'A' };
            let error = String::from_utf8(letters).expect("is text").parse::<StartToken>().expect_err("is refused");
            assert!(error.is_bad_token() && error.to_string().contains("damaged"), "{place}: {error}");
        }
    }

    #[test]
    fn a_token_of_another_query_key_or_partition_is_refused() {
        let names = ["id", "at"];
        let error = token().key([8; 8], &names, None).expect_err("is refused");
        assert!(error.is_bad_token() && error.to_string().contains("another query or scan"), "{error}");
        for (names, partition) in
            [(&["id"][..], None), (&["id", "to"], None), (&["id", "at", "to"], None), (&names, Some(("id", text("b"))))]
        {
            let error = token().key(QUERY, names, partition.as_ref()).expect_err("is refused");
            assert!(error.is_bad_token() && error.to_string().contains("can't come upon"), "{error}");
        }
    }

    #[test]
    fn a_token_names_the_partition_however_its_number_is_written() {
        let number = |number: &str| AttributeValue::N(number.to_owned());
        let token = StartToken::after(QUERY, [("price", &number("7.5"))].into_iter()).expect("is a key");
        assert!(token.key(QUERY, &["price"], Some(&("price", number("7.50")))).is_ok());
        assert!(token.key(QUERY, &["price"], Some(&("price", number("75")))).is_err());
        assert!(token.key(QUERY, &["price"], Some(&("price", text("7.5")))).is_err());
    }

    #[test]
    fn a_token_of_another_format_is_refused_as_such() {
        let error = sealed(br#"{"format":2,"anything":"else"}"#).parse::<StartToken>().expect_err("is refused");
        assert!(error.to_string().contains("the start token has format 2"), "{error}");
    }
}
