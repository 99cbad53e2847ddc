//! What a check finds: that the engine did as the service is documented to do, or what it did instead.

use std::fmt::Debug;

use aws_sdk_dynamodb::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;

use crate::lab::Item;

pub(crate) type Finding = Result<(), Miss>;

/// Why a check isn't ok.
#[derive(Debug)]
pub(crate) enum Miss {
    Failed {
        expected: String,
        got: String,
    },
    /// The engine can't be asked.
    Skipped(String),
}

impl Miss {
    pub(crate) fn failed(expected: impl Into<String>, got: impl Into<String>) -> Self {
        Self::Failed { expected: expected.into(), got: got.into() }
    }
}

/// The service's answer: an error comes with its code. No answer at all, or one to an operation that the engine doesn't
/// have, ends the check.
pub(crate) fn answer<T, E>(sent: Result<T, SdkError<E>>) -> Result<Result<T, (String, E)>, Miss>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match sent {
        Ok(output) => Ok(Ok(output)),
        Err(SdkError::ServiceError(error)) => {
            let error = error.into_err();
            match error.code() {
                Some(code @ ("UnknownOperationException" | "NotImplemented")) => {
                    Err(Miss::Skipped(format!("the engine doesn't have the operation ({code})")))
                }
                code => Ok(Err((code.unwrap_or("an error without a code").to_owned(), error))),
            }
        }
        Err(error) => Err(Miss::failed("an answer", format!("none: {}", DisplayErrorContext(error)))),
    }
}

/// The request is taken.
pub(crate) fn accepted<T, E>(what: &str, sent: Result<T, SdkError<E>>) -> Result<T, Miss>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    answer(sent)?.map_err(|(code, error)| {
        let message = error.message().unwrap_or("it doesn't say why").to_owned();
        Miss::failed(format!("{what} accepted"), format!("{code} ({message})"))
    })
}

/// The request is refused with this code; gives the error.
pub(crate) fn refused<T, E>(what: &str, code: &str, sent: Result<T, SdkError<E>>) -> Result<E, Miss>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match answer(sent)? {
        Err((got, error)) if got == code => Ok(error),
        Err((got, _)) => Err(Miss::failed(format!("{what}: {code}"), got)),
        Ok(_) => Err(Miss::failed(format!("{what}: {code}"), "accepted")),
    }
}

/// The condition fails; gives the item that comes with it.
pub(crate) fn condition_fails<T, E>(what: &str, sent: Result<T, SdkError<E>>) -> Result<Option<Item>, Miss>
where
    E: ProvideErrorMetadata + std::error::Error + BringsItem + 'static,
{
    refused(what, "ConditionalCheckFailedException", sent).map(BringsItem::into_item)
}

/// The request isn't one that the service takes.
pub(crate) fn invalid<T, E>(what: &str, sent: Result<T, SdkError<E>>) -> Finding
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    refused(what, "ValidationException", sent).map(drop)
}

pub(crate) fn equal<T: PartialEq + Debug>(what: &str, got: &T, expected: &T) -> Finding {
    if got == expected {
        return Ok(());
    }
    Err(Miss::failed(format!("{what}: {expected:?}"), format!("{got:?}")))
}

/// The error of a write whose condition may have failed.
pub(crate) trait BringsItem {
    fn into_item(self) -> Option<Item>;
}

macro_rules! brings_item {
    ($($error:ident)*) => { $(
        impl BringsItem for $error {
            fn into_item(self) -> Option<Item> {
                match self {
                    Self::ConditionalCheckFailedException(failed) => failed.item,
                    _ => None,
                }
            }
        }
    )* };
}

brings_item! { PutItemError UpdateItemError DeleteItemError }
