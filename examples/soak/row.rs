//! The item that all calls write.

use dynamo_once::Item;
use serde::{Deserialize, Serialize};

use crate::history::{Image, Token};

#[derive(Debug, Clone, Serialize, Deserialize, Item)]
#[item(table = "soak", tombstones(ttl = "expires_at"))]
pub(crate) struct Row {
    #[item(partition_key)]
    pub(crate) id: String,
    pub(crate) number: i64,
    pub(crate) trace: Vec<String>,
}

impl Row {
    pub(crate) fn new(key: &str, number: i64, token: Token) -> Self {
        Self { id: key.to_owned(), number, trace: vec![token.to_string()] }
    }

    pub(crate) fn add(&mut self, delta: i64, token: Token) {
        self.number += delta;
        self.trace.push(token.to_string());
    }

    pub(crate) fn image(&self) -> Result<Image, String> {
        let trace = self.trace.iter().map(|token| token.parse()).collect::<Result<_, _>>()?;
        Ok(Image { number: self.number, trace })
    }
}
