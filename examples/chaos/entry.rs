//! The item that all calls write.

use dynamo_once::Item;
use serde::{Deserialize, Serialize};

use crate::history::{Image, Token};

#[derive(Debug, Clone, Serialize, Deserialize, Item)]
pub(crate) struct Entry {
    #[item(partition_key)]
    pub(crate) id: String,
    pub(crate) number: i64,
    /// The call that wrote it last.
    pub(crate) token: String,
}

impl Entry {
    pub(crate) fn new(key: &str, number: i64, token: Token) -> Self {
        Self { id: key.to_owned(), number, token: token.to_string() }
    }

    pub(crate) fn image(&self) -> Option<Image> {
        Some(Image { number: self.number, token: Token::parse(&self.token)? })
    }
}
