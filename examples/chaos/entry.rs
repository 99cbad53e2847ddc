//! The item that all calls write, with tombstones and without.

use dynamo_once::{Item, Path};
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

/// The same, whose deletes leave tombstones.
#[derive(Debug, Clone, Serialize, Deserialize, Item)]
#[item(tombstones(ttl = "expires_at"))]
pub(crate) struct Kept {
    #[item(partition_key)]
    id: String,
    number: i64,
    token: String,
}

/// Either of them.
pub(crate) trait Row: Item<Key = String> {
    const NUMBER: Path<Self, i64>;
    const TOKEN: Path<Self, String>;

    fn new(key: &str, number: i64, token: Token) -> Self;

    fn add(&mut self, delta: i64, token: Token);
}

macro_rules! rows {
    ($($row:ident)*) => {$(
        impl Row for $row {
            const NUMBER: Path<Self, i64> = Self::FIELDS.number;
            const TOKEN: Path<Self, String> = Self::FIELDS.token;

            fn new(key: &str, number: i64, token: Token) -> Self {
                Self { id: key.to_owned(), number, token: token.to_string() }
            }

            fn add(&mut self, delta: i64, token: Token) {
                self.number += delta;
                self.token = token.to_string();
            }
        }
    )*};
}

rows!(Entry Kept);

impl Entry {
    pub(crate) fn image(&self) -> Option<Image> {
        Some(Image { number: self.number, token: Token::parse(&self.token)? })
    }
}
