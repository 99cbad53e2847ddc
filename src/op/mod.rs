//! The verbs, one file each.

pub(crate) mod check;
pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod get_many;
pub(crate) mod indexed;
pub(crate) mod insert;
pub(crate) mod items;
pub(crate) mod many;
pub(crate) mod modify;
pub(crate) mod pages;
pub(crate) mod part;
pub(crate) mod prepared;
pub(crate) mod query;
pub(crate) mod save;
pub(crate) mod scan;
pub(crate) mod selection;
pub(crate) mod sort;
pub(crate) mod source;
pub(crate) mod transact;
pub(crate) mod transact_get;
pub(crate) mod update;
pub(crate) mod upsert;
