//! The one error type: what happened, what is certain about the effect, and what it took to find out.
//!
//! Every failure of this crate is an [`Error`], one word wide. Its [`kind`](Error::kind) is the verdict; the rest is what
//! an incident needs in one log line. The AWS SDK's own error is only ever behind the [`source`](std::error::Error::source), so
//! neither `Display` nor this API depends on it.

use std::any::Any;
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::error::BoxError;
use aws_sdk_dynamodb::types::AttributeValue;
use uuid::Uuid;

use crate::format::Format;
use crate::item::{Item, RawItem};
use crate::protocol::guard::Birth;
use crate::versioned::{Etag, Versioned};

mod cause;

pub(crate) use cause::of_request;

/// What went wrong with an operation, and what is certain about its effect.
///
/// One word wide. [`kind`](Error::kind) says what happened; of all kinds only [`OutcomeUnknown`](ErrorKind::OutcomeUnknown)
/// leaves open whether a write took effect.
///
/// Where the service said no, its code and its message are the first [source](std::error::Error::source), and the SDK's error is
/// behind it. `Display` is one line without what is behind; `Debug` adds the texts of all that is, but for those that may quote
/// an item: what a serialiser or decoder says, and the service's message about a request that it found invalid.
pub struct Error {
    inner: Box<Inner>,
}

/// The kinds of [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The input, or the configuration, makes no request; nothing was sent.
    Invalid,
    /// A start token or the token of a pending write is none to go on with: it was damaged, or is of another format, query, scan, table or
    /// call, or too old; nothing was sent.
    BadToken,
    /// A stored item, or a part of it, can't be read as the type asked for.
    Decode,
    /// A stored item is of another type: its key isn't one that the type's key templates make.
    OtherType,
    /// Refused: an item with this key is there already.
    AlreadyExists,
    /// Refused: no item has this key.
    NotFound,
    /// Refused: the item's version, or its birth, is another than the one expected.
    VersionConflict,
    /// Refused: the item is there, but the caller's own condition doesn't hold for it.
    ConditionFailed,
    /// Refused: the idempotency key was used before, for other content.
    KeyReused,
    /// Refused: the item's version or its stamp is not one that this version of the crate can read.
    Malformed,
    /// The write may or may not be in the table, and may still arrive there: no proof was found within the retry budget.
    OutcomeUnknown,
    /// Gave up because other writers kept changing the item; nothing of this call is in the table.
    Contention,
    /// Gave up because the service kept throttling; nothing of this call is in the table.
    Throttled,
    /// The time was over. Nothing of this call is in the table.
    Timeout,
    /// No connection to the service, or for a read, a connection that broke. Nothing of this call is in the table.
    Unreachable,
    /// The service knows no such table.
    TableNotFound,
    /// The credentials are valid but don't allow this.
    AccessDenied,
    /// No credentials could be had, none that the service accepts, or no region to send to.
    Credentials,
    /// The service refused the request as such: invalid, too large, not supported.
    Rejected,
    /// The service failed while reading.
    Service,
    /// The caller's own closure decided against the write; its reason is the source.
    Declined,
    /// Another runs the operation at this moment.
    InProgress,
    /// The operation ran, and another has taken it over meanwhile: this one's answer isn't stored, and never will be.
    Superseded,
}

/// Which bound ended an operation that would otherwise have gone on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Limit {
    /// The number of attempts for one operation.
    Attempts,
    /// The time for one operation.
    Deadline,
    /// The retries that all operations of a store share.
    Budget,
    /// The number of times an operation starts anew after losing to another writer.
    Conflicts,
}

/// Why a part of a transaction refuses, and its item as it stands.
pub(crate) struct Reason {
    pub(crate) part: usize,
    pub(crate) kind: ErrorKind,
    pub(crate) item: Option<(RawItem, Format)>,
}

struct Inner {
    kind: ErrorKind,
    message: Option<Cow<'static, str>>,
    code: Option<Box<str>>,
    operation: &'static str,
    table: Option<Box<str>>,
    attempts: u32,
    elapsed: Duration,
    limit: Option<Limit>,
    write_id: Option<Uuid>,
    current: Option<(RawItem, Format)>,
    /// The part of a transaction that it is about.
    part: Option<usize>,
    /// Why the parts of a transaction refuse.
    reasons: Vec<Reason>,
    /// The write whose outcome is unknown, for `pending`.
    suspended: Option<Arc<dyn Any + Send + Sync>>,
    source: Option<BoxError>,
}

impl Error {
    /// What kind of error this is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.inner.kind
    }

    /// The operation that failed, by the name of its verb: `"insert"`, `"modify"`. Empty outside of operations.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        self.inner.operation
    }

    /// The table that the operation was for.
    #[must_use]
    pub fn table(&self) -> Option<&str> {
        self.inner.table.as_deref()
    }

    /// How many requests the operation sent.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.inner.attempts
    }

    /// How long the operation took, pauses included.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.inner.elapsed
    }

    /// The bound that ended the operation, where it was not an answer that did.
    #[must_use]
    pub fn limit(&self) -> Option<Limit> {
        self.inner.limit
    }

    /// The id under which the write was sent: what to search the logs for.
    #[must_use]
    pub fn write_id(&self) -> Option<impl fmt::Display + use<>> {
        self.inner.write_id
    }

    /// The code of the service's own error, such as `ValidationException`, where it answered with one.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.inner.code.as_deref()
    }

    /// The item that the refusal is about, as it stands now and as it is stored, at no extra read. For
    /// [`Decode`](ErrorKind::Decode), the item that can't be decoded.
    #[must_use]
    pub fn raw_current(&self) -> Option<&HashMap<String, AttributeValue>> {
        self.inner.current.as_ref().map(|(item, _)| item)
    }

    /// The item that the refusal is about, as it stands now, at no extra read; `None` where there is none, or only a
    /// tombstone.
    ///
    /// # Errors
    ///
    /// [`Decode`](ErrorKind::Decode) where the item is not of this type, [`OtherType`](ErrorKind::OtherType) where its key tells so,
    /// and [`Malformed`](ErrorKind::Malformed) where its
    /// version or log can't be read.
    pub fn current<T: Item>(&self) -> Result<Option<Versioned<T>>, Error> {
        match &self.inner.current {
            Some((item, format)) => format.decode(item.clone()),
            None => Ok(None),
        }
    }

    /// The part of a [`Transact`](crate::Transact) that this is about, by its position: of those that refuse, the first.
    #[must_use]
    pub fn part(&self) -> Option<usize> {
        self.inner.part
    }

    /// The parts of a transaction that refuse, by their positions, and why. A part that isn't among them may refuse as well: the service
    /// need not look at all of them.
    pub fn refusals(&self) -> impl Iterator<Item = (usize, ErrorKind)> {
        self.inner.reasons.iter().map(|reason| (reason.part, reason.kind))
    }

    /// The item of a part of a transaction that refuses, as it stands now, at no extra read; `None` where there is none, or only a
    /// tombstone, and of parts that don't refuse.
    ///
    /// # Errors
    ///
    /// [`Decode`](ErrorKind::Decode) where the item is not of this type, and [`Malformed`](ErrorKind::Malformed) where its
    /// version or log can't be read.
    pub fn current_of<T: Item>(&self, part: usize) -> Result<Option<Versioned<T>>, Error> {
        let reason = self.inner.reasons.iter().find(|reason| reason.part == part);
        match reason.and_then(|reason| reason.item.as_ref()) {
            Some((item, format)) => format.decode(item.clone()),
            None => Ok(None),
        }
    }

    /// Whether the table's content stood against the write: it is certain that it has no effect and will have none.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        use ErrorKind::{AlreadyExists, ConditionFailed, KeyReused, Malformed, NotFound, VersionConflict};
        matches!(self.kind(), AlreadyExists | NotFound | VersionConflict | ConditionFailed | KeyReused | Malformed)
    }

    /// Whether this is [`ErrorKind::AlreadyExists`].
    #[must_use]
    pub fn is_already_exists(&self) -> bool {
        self.kind() == ErrorKind::AlreadyExists
    }

    /// Whether this is [`ErrorKind::NotFound`].
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.kind() == ErrorKind::NotFound
    }

    /// Whether this is [`ErrorKind::VersionConflict`].
    #[must_use]
    pub fn is_version_conflict(&self) -> bool {
        self.kind() == ErrorKind::VersionConflict
    }

    /// Whether this is [`ErrorKind::ConditionFailed`].
    #[must_use]
    pub fn is_condition_failed(&self) -> bool {
        self.kind() == ErrorKind::ConditionFailed
    }

    /// Whether this is [`ErrorKind::KeyReused`].
    #[must_use]
    pub fn is_key_reused(&self) -> bool {
        self.kind() == ErrorKind::KeyReused
    }

    /// Whether this is [`ErrorKind::OutcomeUnknown`].
    #[must_use]
    pub fn is_outcome_unknown(&self) -> bool {
        self.kind() == ErrorKind::OutcomeUnknown
    }

    /// Whether this is [`ErrorKind::Malformed`].
    #[must_use]
    pub fn is_malformed(&self) -> bool {
        self.kind() == ErrorKind::Malformed
    }

    /// Whether this is [`ErrorKind::Declined`].
    #[must_use]
    pub fn is_declined(&self) -> bool {
        self.kind() == ErrorKind::Declined
    }

    /// Whether this is [`ErrorKind::Contention`].
    #[must_use]
    pub fn is_contention(&self) -> bool {
        self.kind() == ErrorKind::Contention
    }

    /// Whether this is [`ErrorKind::Throttled`].
    #[must_use]
    pub fn is_throttled(&self) -> bool {
        self.kind() == ErrorKind::Throttled
    }

    /// Whether this is [`ErrorKind::Timeout`].
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        self.kind() == ErrorKind::Timeout
    }

    /// Whether this is [`ErrorKind::Invalid`].
    #[must_use]
    pub fn is_invalid(&self) -> bool {
        self.kind() == ErrorKind::Invalid
    }

    /// Whether this is [`ErrorKind::BadToken`]: of a token that came with a web request, the client's mistake and no one else's.
    #[must_use]
    pub fn is_bad_token(&self) -> bool {
        self.kind() == ErrorKind::BadToken
    }

    /// Whether this is [`ErrorKind::Decode`].
    #[must_use]
    pub fn is_decode(&self) -> bool {
        self.kind() == ErrorKind::Decode
    }
}

/// How errors are made: a kind, then what is known beside it.
impl Error {
    /// An input that can't be written; nothing was sent.
    pub(crate) fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    /// A token that is none to go on with; nothing was sent.
    pub(crate) fn bad_token(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::BadToken, message)
    }

    /// An error that says more than its kind does.
    pub(crate) fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        let mut error = Self::of(kind);
        error.inner.message = Some(message.into());
        error
    }

    /// An error whose kind says it all.
    pub(crate) fn of(kind: ErrorKind) -> Self {
        Self {
            inner: Box::new(Inner {
                kind,
                message: None,
                code: None,
                operation: "",
                table: None,
                attempts: 0,
                elapsed: Duration::ZERO,
                limit: None,
                write_id: None,
                current: None,
                part: None,
                reasons: Vec::new(),
                suspended: None,
                source: None,
            }),
        }
    }

    /// The same failure, with another conclusion drawn from it.
    pub(crate) fn with_kind(mut self, kind: ErrorKind) -> Self {
        self.inner.kind = kind;
        self
    }

    /// The same failure, told in other words.
    pub(crate) fn with_message(mut self, message: impl Into<Cow<'static, str>>) -> Self {
        self.inner.message = Some(message.into());
        self
    }

    pub(crate) fn with_code(mut self, code: &str) -> Self {
        self.inner.code = Some(code.into());
        self
    }

    pub(crate) fn with_operation(mut self, operation: &'static str, table: &str) -> Self {
        self.inner.operation = operation;
        self.inner.table = (!table.is_empty()).then(|| table.into());
        self
    }

    pub(crate) fn with_attempts(mut self, attempts: u32, elapsed: Duration) -> Self {
        self.inner.attempts = attempts;
        self.inner.elapsed = elapsed;
        self
    }

    pub(crate) fn with_limit(mut self, limit: impl Into<Option<Limit>>) -> Self {
        self.inner.limit = limit.into();
        self
    }

    pub(crate) fn with_write_id(mut self, id: impl Into<Option<Uuid>>) -> Self {
        self.inner.write_id = id.into();
        self
    }

    pub(crate) fn with_suspended(mut self, suspended: Arc<dyn Any + Send + Sync>) -> Self {
        self.inner.suspended = Some(suspended);
        self
    }

    pub(crate) fn suspended(&self) -> Option<&Arc<dyn Any + Send + Sync>> {
        self.inner.suspended.as_ref()
    }

    pub(crate) fn with_part(mut self, part: usize) -> Self {
        self.inner.part = Some(part);
        self
    }

    pub(crate) fn with_reasons(mut self, reasons: Vec<Reason>) -> Self {
        self.inner.reasons = reasons;
        self
    }

    pub(crate) fn with_current(mut self, item: RawItem, format: Format) -> Self {
        self.inner.current = Some((item, format));
        self
    }

    /// The same failure, which is one of another kind in this place.
    pub(crate) fn of_kind(mut self, kind: ErrorKind, here: ErrorKind) -> Self {
        if self.inner.kind == kind {
            (self.inner.kind, self.inner.message) = (here, None);
        }
        self
    }

    /// The same failure; a version conflict says what was expected and what stands.
    pub(crate) fn at(self, expected: impl Into<Option<Etag>>) -> Self {
        let Some(expected) = expected.into().filter(|_| self.inner.kind == ErrorKind::VersionConflict) else {
            return self;
        };
        let version = match (expected.version(), expected.birth()) {
            (0, Birth::Foreign) => "an item without a version".to_owned(),
            (version, _) => format!("version {version}"),
        };
        let found = self.inner.current.as_ref().and_then(|(item, format)| format.etag(item));
        let found = match found {
            None => String::new(),
            Some(found) if found.version() != expected.version() => format!(", found version {}", found.version()),
            Some(found) if found.birth() != expected.birth() => ", found that of an item made anew since".to_owned(),
            Some(_) => ", found it with other contents than were read".to_owned(),
        };
        self.with_message(format!("version conflict: expected {version}{found}"))
    }

    pub(crate) fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.inner.source = Some(source.into());
        self
    }
}

/// `insert into accounts: throttled (ThrottlingException); gave up after 8 attempts in 1.31s: no attempts left`
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { kind, message, code, operation, table, attempts, elapsed, limit, .. } = &*self.inner;
        match (*operation, table) {
            ("", _) => {}
            (operation, Some(table)) => write!(f, "{operation} {} {table}: ", preposition(operation))?,
            (operation, None) => write!(f, "{operation}: ")?,
        }
        f.write_str(message.as_deref().unwrap_or(kind.as_str()))?;
        if let Some(code) = code {
            write!(f, " ({code})")?;
        }
        let elapsed = Duration::from_millis(elapsed.as_millis().try_into().unwrap_or(u64::MAX));
        let plural = if *attempts == 1 { "" } else { "s" };
        match limit {
            Some(limit) => write!(f, "; gave up after {attempts} attempt{plural} in {elapsed:?}: {limit}"),
            None if *attempts > 1 => write!(f, "; after {attempts} attempts in {elapsed:?}"),
            None => Ok(()),
        }
    }
}

/// The text, and the texts of all that is behind it, but for those that may quote an item.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = f.debug_struct("Error");
        fields.field("kind", &self.kind()).field("text", &self.to_string()).field("attempts", &self.attempts());
        if let Some(id) = &self.inner.write_id {
            fields.field("write_id", id);
        }
        let causes = self.inner.source.as_deref().map(|source| cause::shown(source)).unwrap_or_default();
        if !causes.is_empty() {
            fields.field("causes", &causes);
        }
        fields.finish_non_exhaustive()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.inner.source.as_deref().map(|e| e as _)
    }
}

impl ErrorKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::BadToken => "bad token",
            Self::Decode => "the stored item can't be decoded",
            Self::OtherType => "the stored item is of another type",
            Self::AlreadyExists => "already exists",
            Self::NotFound => "not found",
            Self::VersionConflict => "version conflict",
            Self::ConditionFailed => "condition not met",
            Self::KeyReused => "idempotency key reused with other content",
            Self::Malformed => "the item's version or stamp can't be read",
            Self::OutcomeUnknown => "outcome unknown",
            Self::Contention => "other writers kept changing the item",
            Self::Throttled => "throttled",
            Self::Timeout => "timed out",
            Self::Unreachable => "service not reached",
            Self::TableNotFound => "no such table",
            Self::AccessDenied => "access denied",
            Self::Credentials => "no usable credentials or region",
            Self::Rejected => "rejected",
            Self::Service => "service failure",
            Self::Declined => "declined by the change itself",
            Self::InProgress => "in progress elsewhere",
            Self::Superseded => "taken over by another run",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Attempts => "no attempts left",
            Self::Deadline => "no time left",
            Self::Budget => "the store's retry budget is spent",
            Self::Conflicts => "too many conflicts",
        })
    }
}

/// What stands between a verb and its table in a sentence.
fn preposition(operation: &str) -> &'static str {
    match operation {
        "insert" | "upsert" | "upsert_newer" => "into",
        "get" | "get_many" | "delete" => "from",
        "save" => "to",
        "query" | "scan" => "of",
        _ => "in",
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;
    use crate::stamp::StampNames;

    const _: () = {
        assert!(size_of::<Error>() == size_of::<usize>());
        assert!(size_of::<Option<Error>>() == size_of::<usize>());
        const fn shareable<T: Send + Sync + 'static>() {}
        shareable::<Error>();
    };

    #[test]
    fn display_names_operation_table_and_verdict() {
        let error =
            Error::of(ErrorKind::AlreadyExists).with_operation("insert", "accounts").with_attempts(1, Duration::ZERO);
        assert_eq!(error.to_string(), "insert into accounts: already exists");
        assert_eq!(Error::invalid("attribute `a` is NaN").to_string(), "attribute `a` is NaN");
    }

    #[test]
    fn display_explains_an_incident_in_one_line() {
        let error = Error::of(ErrorKind::Throttled)
            .with_code("ThrottlingException")
            .with_operation("modify", "accounts")
            .with_attempts(8, Duration::from_micros(1_310_456))
            .with_limit(Limit::Attempts);
        assert_eq!(
            error.to_string(),
            "modify in accounts: throttled (ThrottlingException); gave up after 8 attempts in 1.31s: no attempts left"
        );
        let refused = Error::of(ErrorKind::VersionConflict)
            .with_operation("save", "accounts")
            .with_attempts(2, Duration::from_millis(31));
        assert_eq!(refused.to_string(), "save to accounts: version conflict; after 2 attempts in 31ms");
    }

    #[test]
    fn neither_display_nor_debug_shows_contents_or_repeats_the_source() {
        let item = HashMap::from([("owner".to_owned(), AttributeValue::S("eve".to_owned()))]);
        let format = Format { stamp: StampNames::new("_w").into(), version: "version" };
        let error = Error::of(ErrorKind::AlreadyExists).with_current(item, format).with_source("the cause");
        assert!(!format!("{error} {error:?}").contains("eve"));
        assert!(!error.to_string().contains("the cause"));
        assert_eq!(error.source().map(ToString::to_string).as_deref(), Some("the cause"));
        assert!(error.raw_current().is_some_and(|item| item.contains_key("owner")));
    }

    #[test]
    fn debug_shows_all_that_is_behind() {
        let service = Error::of(ErrorKind::Throttled).with_code("ThrottlingException").with_source("slow down");
        let error = Error::of(ErrorKind::OutcomeUnknown).with_operation("insert", "accounts").with_source(service);
        let causes = r#"causes: ["throttled (ThrottlingException)", "slow down"]"#;
        assert!(format!("{error:?}").contains(causes), "{error:?}");
        assert!(format!("{error:?}").contains("insert into accounts: outcome unknown"), "{error:?}");
    }

    #[test]
    fn a_version_conflict_says_what_was_expected_and_what_stands() {
        let format = Format { stamp: StampNames::new("_w").into(), version: "version" };
        let born = |id: u128| Birth::Known(crate::protocol::log::WriteId(id));
        let item = |version: u64, birth: Option<u128>| -> RawItem {
            let version = ("version".to_owned(), AttributeValue::N(version.to_string()));
            let birth = birth.map(|id| ("_wb".to_owned(), crate::protocol::log::WriteId(id).attribute()));
            [version].into_iter().chain(birth).collect()
        };
        let text = |expected, found: Option<RawItem>| {
            let conflict = Error::of(ErrorKind::VersionConflict);
            match found {
                Some(item) => conflict.with_current(item, format.clone()).at(expected).to_string(),
                None => conflict.at(expected).to_string(),
            }
        };
        let found = Some(item(5, Some(7)));
        assert_eq!(text(Etag::new(3, born(7)), found.clone()), "version conflict: expected version 3, found version 5");
        assert_eq!(text(Etag::from(3), found.clone()), "version conflict: expected version 3, found version 5");
        assert_eq!(
            text(Etag::new(5, born(6)), found.clone()),
            "version conflict: expected version 5, found that of an item made anew since"
        );
        assert_eq!(
            text(Etag::new(0, Birth::Foreign), found),
            "version conflict: expected an item without a version, found version 5"
        );
        assert_eq!(
            text(Etag::new(2, Birth::Foreign), Some(item(2, None))),
            "version conflict: expected version 2, found it with other contents than were read"
        );
        assert_eq!(text(Etag::from(3), None), "version conflict: expected version 3");
        let other = Error::of(ErrorKind::NotFound).at(Etag::from(3));
        assert_eq!(other.to_string(), "not found");
        let contention = Error::of(ErrorKind::VersionConflict).at(Etag::from(3));
        let contention = contention.of_kind(ErrorKind::VersionConflict, ErrorKind::Contention);
        assert_eq!(contention.to_string(), "other writers kept changing the item");
    }

    #[test]
    fn refusals_are_the_verdicts_of_the_table() {
        use ErrorKind::*;
        for kind in [AlreadyExists, NotFound, VersionConflict, ConditionFailed, KeyReused, Malformed] {
            assert!(Error::of(kind).is_refused(), "{kind}");
        }
        for kind in [OutcomeUnknown, Contention, Throttled, Timeout, Unreachable, Rejected, Service, Invalid, Decode] {
            assert!(!Error::of(kind).is_refused(), "{kind}");
        }
    }

    #[test]
    fn the_write_id_is_there_to_search_for() {
        let id = Uuid::from_u128(7);
        let error = Error::of(ErrorKind::OutcomeUnknown).with_write_id(id);
        assert_eq!(error.write_id().map(|id| id.to_string()), Some(id.to_string()));
    }

    #[test]
    fn another_conclusion_keeps_the_cause() {
        let error = Error::of(ErrorKind::Timeout).with_source("hung").with_kind(ErrorKind::OutcomeUnknown);
        assert!(error.is_outcome_unknown());
        assert!(error.source().is_some());
    }
}
