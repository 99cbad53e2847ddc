//! A verb that is ready to be sent, by itself or as part of a transaction.

use std::sync::Arc;

use crate::call::Request;
use crate::epoch::EpochMillis;
use crate::error::Error;
use crate::fingerprint::Fingerprint;
use crate::item::RawItem;
use crate::protocol::call::Attempt;
use crate::protocol::guard::Expect;
use crate::protocol::log::KeyStamp;
use crate::retry::Spent;
use crate::settle::Write;
use crate::table::Core;

/// What a verb asks of the loop, and how it renders an attempt.
pub(crate) struct Prepared<R> {
    pub(crate) table: Arc<Core>,
    pub(crate) operation: &'static str,
    pub(crate) key: RawItem,
    pub(crate) expect: Expect,
    pub(crate) keyed: Option<KeyStamp>,
    pub(crate) conditional: bool,
    /// What it writes, where it may be repeated as a part of others.
    pub(crate) content: Option<Fingerprint>,
    /// When the call began, which its times are.
    pub(crate) began: EpochMillis,
    pub(crate) request: R,
}

impl<R: FnMut(&Attempt, Option<&RawItem>) -> Result<Request, Error>> Prepared<R> {
    /// A verb that renders its attempts so.
    pub(crate) fn new(
        table: &Arc<Core>,
        operation: &'static str,
        key: RawItem,
        expect: Expect,
        began: EpochMillis,
        request: R,
    ) -> Self {
        Self {
            table: Arc::clone(table),
            operation,
            key,
            expect,
            keyed: None,
            conditional: false,
            content: None,
            began,
            request,
        }
    }

    /// The write, and how it renders its attempts.
    pub(crate) fn write(&mut self, earlier: Option<Spent>) -> (Write<'_>, &mut R) {
        let write = Write {
            table: &self.table,
            operation: self.operation,
            key: std::mem::take(&mut self.key),
            expect: self.expect,
            keyed: self.keyed,
            conditional: self.conditional,
            began: self.began,
            earlier,
        };
        (write, &mut self.request)
    }
}
