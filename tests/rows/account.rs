//! The item that all tests write, and every verb on it.

use std::fmt;

use dynamo_once::{Error, ErrorKind, Etag, Item, Outcome, Table, Written};
use serde::{Deserialize, Serialize};

use crate::peer::BIRTH;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Item)]
#[item(table = "accounts")]
pub(crate) struct Account {
    #[item(partition_key)]
    pub(crate) id: String,
    pub(crate) balance: i64,
}

pub(crate) fn account(balance: i64) -> Account {
    Account { id: "a".into(), balance }
}

/// How a call ended.
pub(crate) type End = Result<Outcome, ErrorKind>;

/// A verb, with what is needed to call it on the stored item of [`peer::stored`](crate::peer::stored).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Insert,
    Keyed,
    Upsert,
    /// If the stored balance is less than 20.
    UpsertNewer,
    Update,
    /// If the balance is at least 10.
    UpdateWhen,
    UpdateAt,
    /// At version 3, of whatever birth.
    UpdateAtVersion,
    Save,
    Modify,
    Delete,
    DeleteAt,
}

impl Verb {
    /// What the verb sends before its own write, and counts among its attempts.
    pub(crate) fn reads_first(self) -> u32 {
        u32::from(self == Self::Modify)
    }

    pub(crate) const ALL: [Self; 12] = [
        Self::Insert,
        Self::Keyed,
        Self::Upsert,
        Self::UpsertNewer,
        Self::Update,
        Self::UpdateWhen,
        Self::UpdateAt,
        Self::UpdateAtVersion,
        Self::Save,
        Self::Modify,
        Self::Delete,
        Self::DeleteAt,
    ];

    /// What the verb writes with.
    pub(crate) fn operation(self) -> &'static str {
        match self {
            Self::Insert | Self::Keyed => "PutItem",
            Self::Delete | Self::DeleteAt => "DeleteItem",
            _ => "UpdateItem",
        }
    }

    /// Whether it begins with a read.
    pub(crate) fn reads(self) -> bool {
        matches!(self, Self::Save | Self::Modify)
    }

    /// Whether it expects that the key is absent.
    pub(crate) fn inserts(self) -> bool {
        matches!(self, Self::Insert | Self::Keyed)
    }

    pub(crate) fn upserts(self) -> bool {
        matches!(self, Self::Upsert | Self::UpsertNewer)
    }

    pub(crate) fn deletes(self) -> bool {
        matches!(self, Self::Delete | Self::DeleteAt)
    }

    /// Whether it expects a version.
    pub(crate) fn at_version(self) -> bool {
        self.at_birth() || self == Self::UpdateAtVersion
    }

    /// Whether it expects an item of a certain birth.
    pub(crate) fn at_birth(self) -> bool {
        matches!(self, Self::UpdateAt | Self::Save | Self::Modify | Self::DeleteAt)
    }

    pub(crate) async fn call(self, accounts: &Table<Account>) -> Result<Written<Account>, Error> {
        let f = Account::FIELDS;
        let etag: Etag = format!("3-{BIRTH:032x}").parse().expect("is an etag");
        let add = || accounts.update("a").add(f.balance, 1);
        match self {
            Self::Insert => accounts.insert(&account(20)).send().await,
            Self::Keyed => accounts.insert(&account(20)).keyed("event-1").send().await,
            Self::Upsert => accounts.upsert(&account(20)).send().await,
            Self::UpsertNewer => accounts.upsert_newer(&account(20), f.balance).send().await,
            Self::Update => add().send().await,
            Self::UpdateWhen => add().when(f.balance.ge(10)).send().await,
            Self::UpdateAt => add().at(etag).send().await,
            Self::UpdateAtVersion => add().at(3).send().await,
            Self::Save => {
                let found = accounts.get("a").send().await?.expect("the item to save is there");
                accounts.save(found.with(|account| account.balance = 20)).send().await
            }
            Self::Modify => accounts.modify("a", |account| account.balance += 1).send().await,
            Self::Delete => accounts.delete("a").send().await,
            Self::DeleteAt => accounts.delete("a").at(etag).send().await,
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
