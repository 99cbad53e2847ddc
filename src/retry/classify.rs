//! What one failed attempt says about the table.
//!
//! The rule: an attempt counts as *not applied* only on proof, which is that it never left, or that the service itself
//! refused it. Everything else may have been applied. A 5xx of DynamoDB is no proof: its request router gives one also when
//! the storage node's reply was lost (AWS page "Error handling with DynamoDB").

use std::error::Error as StdError;
use std::io;
use std::time::{Duration, SystemTime};

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::RequestId;
use aws_sdk_dynamodb::operation::batch_get_item::BatchGetItemError;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::get_item::GetItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::query::QueryError;
use aws_sdk_dynamodb::operation::scan::ScanError;
use aws_sdk_dynamodb::operation::transact_get_items::TransactGetItemsError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::CancellationReason;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;

use super::Why;
use crate::call::{Output, Reply};
use crate::error::{Error, ErrorKind, of_request};
use crate::item::RawItem;

/// How far an attempt came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Progress {
    /// The request is made.
    Preparing,
    /// Credentials and endpoint are looked up.
    Identifying,
    /// The request is signed, and not yet handed to the HTTP client.
    Signing,
    /// The HTTP client has it.
    Departed,
}

impl From<u8> for Progress {
    fn from(step: u8) -> Self {
        match step {
            0 => Self::Preparing,
            1 => Self::Identifying,
            2 => Self::Signing,
            _ => Self::Departed,
        }
    }
}

/// The errors of the operations that are sent.
pub(crate) trait OperationError: ProvideErrorMetadata + StdError + Send + Sync + 'static {
    /// Whether a broken success is still a success. A read that can't be read isn't.
    const SUCCESS_NEEDS_NO_BODY: bool = true;
    /// Whether an attempt can meet an earlier one of its own that is under way.
    const IS_TRANSACTION: bool = false;

    /// The item that failed the condition, or `None` where there is none, if that is what happened.
    fn into_condition_failed(self) -> Result<Option<RawItem>, Box<Self>>;

    /// Why a transaction was cancelled, by the positions of its parts, if that is what happened.
    fn cancellation(&self) -> Option<&[CancellationReason]> {
        None
    }
}

/// Draws the conclusion from a failed attempt.
pub(crate) fn classify<E: OperationError>(
    error: SdkError<E, HttpResponse>,
    progress: Progress,
    now: SystemTime,
) -> Reply {
    if let Some(response) = error.raw_response()
        && response.status().is_success()
    {
        // The service's request id tells its answer from that of a captive portal.
        return match response.request_id() {
            Some(_) if E::SUCCESS_NEEDS_NO_BODY => Reply::Done { output: Output::default() },
            _ => unanswered(ErrorKind::Service, error),
        };
    }
    match error {
        SdkError::ServiceError(answer) if refuses(answer.raw()) && answer.err().code() == Some(CONDITION_FAILED) => {
            let code = |error: Error| error.with_code(CONDITION_FAILED);
            match answer.into_err().into_condition_failed() {
                Ok(item) => Reply::ConditionFailed { item },
                // Without its item, which may be there, the answer says nothing.
                Err(unreadable) => {
                    Reply::Unanswered { error: code(Error::of(ErrorKind::Service)).with_source(unreadable) }
                }
            }
        }
        SdkError::ServiceError(answer) if refuses(answer.raw()) && answer.err().cancellation().is_some() => {
            cancelled(SdkError::ServiceError(answer))
        }
        SdkError::ServiceError(answer)
            if refuses(answer.raw()) && answer.err().code() == Some(IN_PROGRESS) && E::IS_TRANSACTION =>
        {
            Reply::InProgress { error: of_request(ErrorKind::Contention, SdkError::ServiceError(answer)) }
        }
        SdkError::ServiceError(answer) if refuses(answer.raw()) && answer.err().code().is_some() => {
            refused(SdkError::ServiceError(answer), now)
        }
        // Of the service's making or not, it is no refusal that the service vouches for.
        SdkError::ServiceError(_) | SdkError::ResponseError(_) => unanswered(ErrorKind::Service, error),
        _ if progress < Progress::Departed => unsent(error, progress),
        SdkError::DispatchFailure(_) if is_connect(&error) => {
            Reply::NotApplied { error: of_request(ErrorKind::Unreachable, error), again: Some(Why::Transport) }
        }
        SdkError::DispatchFailure(ref failure) if !failure.is_timeout() => unanswered(ErrorKind::Unreachable, error),
        _ => unanswered(ErrorKind::Timeout, error),
    }
}

/// A cancelled transaction. Its reasons are by position, `None` for the parts that had none (AWS, "TransactWriteItems").
fn cancelled<E: OperationError>(error: SdkError<E, HttpResponse>) -> Reply {
    let reasons = error.as_service_error().and_then(OperationError::cancellation).unwrap_or_default();
    let codes: Vec<_> = reasons.iter().filter_map(CancellationReason::code).filter(|code| *code != "None").collect();
    let failed: Vec<_> = reasons
        .iter()
        .enumerate()
        .filter(|(_, reason)| reason.code() == Some(PART_FAILED))
        .map(|(index, reason)| (index, reason.item.clone()))
        .collect();
    if !failed.is_empty() {
        let withheld = reasons.iter().enumerate().filter_map(|(index, reason)| match reason.code() {
            None | Some("None" | PART_FAILED) => None,
            Some(code) => Some((index, code.to_owned())),
        });
        return Reply::Cancelled { withheld: withheld.collect(), failed };
    }
    if codes.is_empty() {
        // Without its reasons, the answer says nothing.
        return unanswered(ErrorKind::Service, error);
    }
    let (kind, again) = of_reasons(&codes);
    let of_part = codes.first().map(|code| (*code).to_owned()).unwrap_or_default();
    Reply::NotApplied { error: of_request(kind, error).with_code(&of_part), again }
}

/// What reasons other than failed conditions come to, by their codes.
fn of_reasons(codes: &[&str]) -> (ErrorKind, Option<Why>) {
    const THROTTLED: [&str; 2] = ["ProvisionedThroughputExceeded", "ThrottlingError"];
    let is_throttled = |code: &&str| THROTTLED.contains(code);
    if codes.iter().all(is_throttled) {
        (ErrorKind::Throttled, Some(Why::Throttle))
    } else if codes.iter().all(|code| is_throttled(code) || *code == "TransactionConflict") {
        (ErrorKind::Contention, Some(Why::Conflict))
    } else {
        (ErrorKind::Rejected, None)
    }
}

/// A cancelled transaction of which it counts that this part was none of those whose conditions were looked at.
pub(crate) fn withheld(code: &str) -> Reply {
    let (kind, again) = of_reasons(&[code]);
    Reply::NotApplied { error: Error::of(kind).with_code(code), again }
}

/// An attempt that the operation's own deadline ended.
pub(crate) fn cut_off(progress: Progress) -> Reply {
    let error = Error::of(ErrorKind::Timeout);
    match progress {
        Progress::Departed => Reply::Unanswered { error },
        _ => Reply::NotApplied { error, again: Some(Why::Transport) },
    }
}

/// Whether the status is one that DynamoDB refuses with: 400 for nearly all, the others in front of it. Statuses that a
/// proxy gives after passing the request on (408, 429, 499) are not among them.
fn refuses(response: &HttpResponse) -> bool {
    matches!(response.status().as_u16(), 400 | 401 | 403 | 404 | 413)
}

/// An answer of the service that says no.
fn refused<E: OperationError>(error: SdkError<E, HttpResponse>, now: SystemTime) -> Reply {
    let code = error.code().unwrap_or_default();
    let (kind, again) = match code {
        "ProvisionedThroughputExceededException"
        | "ThrottlingException"
        | "RequestLimitExceeded"
        | "Throttling"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "TooManyRequestsException"
        | "SlowDown" => (ErrorKind::Throttled, Some(Why::Throttle)),
        "TransactionConflictException" | "ReplicatedWriteConflictException" => {
            (ErrorKind::Contention, Some(Why::Conflict))
        }
        "ResourceNotFoundException" => (ErrorKind::TableNotFound, None),
        "AccessDeniedException" | "AccessDenied" => (ErrorKind::AccessDenied, None),
        "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "IncompleteSignature"
        | "IncompleteSignatureException"
        | "InvalidSignatureException"
        | "SignatureDoesNotMatch"
        | "AuthFailure"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "RequestExpired"
        | "RequestTimeTooSkewed" => (ErrorKind::Credentials, None),
        // The service gave up on reading the request, or so it says.
        "RequestTimeout" | "RequestTimeoutException" => return unanswered(ErrorKind::Timeout, error),
        _ => (ErrorKind::Rejected, None),
    };
    let again = again.or_else(|| is_skewed(&error, now).then_some(Why::Transport));
    Reply::NotApplied { error: of_request(kind, error), again }
}

/// Whether a refusal may come from this machine's clock. The SDK has then learned the service's time from the answer, and
/// signs the next attempt by it.
fn is_skewed<E: OperationError>(error: &SdkError<E, HttpResponse>, now: SystemTime) -> bool {
    let date = || {
        let date = error.raw_response()?.headers().get("date")?;
        SystemTime::try_from(DateTime::from_str(date, Format::HttpDate).ok()?).ok()
    };
    // As in `service_clock_skew` of aws-runtime, whose classifier only the SDK's own retries ask.
    const SKEW_CODES: [&str; 5] = [
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "AuthFailure",
        "RequestTimeTooSkewed",
        "AccessDeniedException",
    ];
    const THRESHOLD: Duration = Duration::from_secs(4 * 60);
    error.code().is_some_and(|code| SKEW_CODES.contains(&code))
        && date().is_some_and(|date| {
            let ahead = date.duration_since(now).or_else(|_| now.duration_since(date)).unwrap_or_default();
            ahead > THRESHOLD
        })
}

/// A failure before the request was handed to the HTTP client.
fn unsent<E: OperationError>(error: SdkError<E, HttpResponse>, progress: Progress) -> Reply {
    let (kind, again) = match (&error, progress) {
        (SdkError::TimeoutError(_), _) => (ErrorKind::Timeout, Some(Why::Transport)),
        (SdkError::DispatchFailure(_), Progress::Identifying) => (ErrorKind::Credentials, None),
        _ => (ErrorKind::Invalid, None),
    };
    Reply::NotApplied { error: of_request(kind, error), again }
}

/// Whether the failure was in making the connection, so that nothing went over it.
fn is_connect(error: &(dyn StdError + 'static)) -> bool {
    let by_hyper = error.downcast_ref::<hyper_util::client::legacy::Error>().is_some_and(|e| e.is_connect());
    // For clients that are not hyper's: only a connection that is still being made can be refused.
    let refused = |e: &io::Error| e.kind() == io::ErrorKind::ConnectionRefused;
    by_hyper || error.downcast_ref().is_some_and(refused) || error.source().is_some_and(is_connect)
}

fn unanswered<E: OperationError>(kind: ErrorKind, error: SdkError<E, HttpResponse>) -> Reply {
    Reply::Unanswered { error: of_request(kind, error) }
}

macro_rules! conditional_write_errors {
    ($($error:ident),*) => {$(
        impl OperationError for $error {
            fn into_condition_failed(self) -> Result<Option<RawItem>, Box<Self>> {
                match self {
                    Self::ConditionalCheckFailedException(failed) => Ok(failed.item),
                    other => Err(Box::new(other)),
                }
            }
        }
    )*};
}

conditional_write_errors!(PutItemError, UpdateItemError, DeleteItemError);

macro_rules! read_errors {
    ($($error:ident),*) => {$(
        impl OperationError for $error {
            const SUCCESS_NEEDS_NO_BODY: bool = false;

            fn into_condition_failed(self) -> Result<Option<RawItem>, Box<Self>> {
                Err(Box::new(self))
            }
        }
    )*};
}

read_errors!(GetItemError, QueryError, ScanError, BatchGetItemError);

macro_rules! transaction_errors {
    ($($error:ident, write: $is_write:literal;)*) => {$(
        impl OperationError for $error {
            const SUCCESS_NEEDS_NO_BODY: bool = $is_write;
            const IS_TRANSACTION: bool = $is_write;

            fn into_condition_failed(self) -> Result<Option<RawItem>, Box<Self>> {
                Err(Box::new(self))
            }

            fn cancellation(&self) -> Option<&[CancellationReason]> {
                match self {
                    Self::TransactionCanceledException(cancelled) => Some(cancelled.cancellation_reasons()),
                    _ => None,
                }
            }
        }
    )*};
}

transaction_errors! {
    TransactWriteItemsError, write: true;
    TransactGetItemsError, write: false;
}

const CONDITION_FAILED: &str = "ConditionalCheckFailedException";
/// The same, as the reason of a cancelled transaction has it.
const PART_FAILED: &str = "ConditionalCheckFailed";
const IN_PROGRESS: &str = "TransactionInProgressException";
