//! What stands behind an error: the SDK's own one in words that help, and what of it all may be shown.

use std::error::Error as StdError;
use std::fmt;

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{BoxError, ProvideErrorMetadata, SdkError};

use crate::error::{Error, ErrorKind};

/// An answer of the service, or what the SDK made of one: in the service's own words, and with the SDK's error as its source.
#[derive(Debug)]
pub(crate) struct Answer {
    text: String,
    /// What can be shown where no item's contents may be.
    shown: String,
    source: BoxError,
}

/// The failure of a request. Where the SDK didn't get to send it, it says what is missing.
pub(crate) fn of_request<E>(kind: ErrorKind, error: SdkError<E, HttpResponse>) -> Error
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    let failure = match error.code() {
        Some(code) => Error::of(kind).with_code(code),
        None => Error::of(kind),
    };
    match &error {
        SdkError::ServiceError(_) => {
            let failure = match kind {
                ErrorKind::Credentials => failure.with_message("the service doesn't accept the credentials"),
                _ => failure,
            };
            failure.with_source(Answer::new(kind, error))
        }
        SdkError::DispatchFailure(_) if kind == ErrorKind::Credentials => unsigned(failure, error),
        SdkError::DispatchFailure(_) | SdkError::TimeoutError(_) => failure.with_source(error),
        _ => failure.with_source(Answer::new(kind, error)),
    }
}

/// Why a request got no signature or no address. The SDK tells it by its texts only: where they change, the general one is left.
fn unsigned<E: StdError + Send + Sync + 'static>(failure: Error, error: SdkError<E, HttpResponse>) -> Error {
    let says = |what| chain(&error).any(|cause| cause.to_string().contains(what));
    if says("failed to apply endpoint") {
        // It quotes the whole request, contents and all. What is behind it doesn't.
        let reason = chain(&error).last().map(ToString::to_string).unwrap_or_default();
        return failure
            .with_kind(ErrorKind::Invalid)
            .with_message("the endpoint is no URL to send to")
            .with_source(reason);
    }
    let message = if says("Missing Region") {
        "no region: set one in the SDK's configuration or in `AWS_REGION`"
    } else if says("no identity resolver") {
        "no credentials: the SDK's configuration has no provider of any"
    } else {
        "no credentials: their provider failed, and the source says why"
    };
    failure.with_message(message).with_source(error)
}

impl Answer {
    fn new<E>(kind: ErrorKind, error: SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    {
        let (text, shown) = match (error.code(), error.message()) {
            // What is wrong with a request can be one of its values: "Input collection [tea, tea] contains duplicates".
            (Some(code), Some(message)) if kind == ErrorKind::Rejected => (
                format!("{code}: {message}"),
                format!("{code}: for its text, which may quote the item, see the source"),
            ),
            (Some(code), Some(message)) => (format!("{code}: {message}"), format!("{code}: {message}")),
            (Some(code), None) => (code.to_owned(), code.to_owned()),
            (None, _) => (error.to_string(), error.to_string()),
        };
        Self { text, shown, source: error.into() }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl StdError for Answer {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&*self.source)
    }
}

/// The error and what is behind it, from the outside in.
fn chain<'e>(error: &'e (dyn StdError + 'static)) -> impl Iterator<Item = &'e (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// The texts of what is behind an error, as far as none can quote an item: neither what a serialiser or decoder says, nor
/// what is behind an answer.
pub(super) fn shown(error: &(dyn StdError + 'static)) -> Vec<String> {
    let mut texts = Vec::new();
    for cause in chain(error) {
        if let Some(answer) = cause.downcast_ref::<Answer>() {
            texts.push(answer.shown.clone());
            break;
        }
        if cause.is::<serde_dynamo::Error>() {
            break;
        }
        texts.push(cause.to_string());
    }
    texts
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::error::ErrorMetadata;
    use aws_sdk_dynamodb::operation::put_item::PutItemError;
    use aws_smithy_types::body::SdkBody;

    use super::*;

    fn answered(kind: ErrorKind, code: &str, message: &str) -> Error {
        let error = PutItemError::generic(ErrorMetadata::builder().code(code).message(message).build());
        let response = HttpResponse::new(400.try_into().expect("is a status"), SdkBody::empty());
        of_request(kind, SdkError::service_error(error, response))
    }

    #[test]
    fn the_first_source_is_what_the_service_said() {
        let error = answered(ErrorKind::AccessDenied, "AccessDeniedException", "eve may not PutItem");
        let source = error.source().expect("the answer");
        assert_eq!(source.to_string(), "AccessDeniedException: eve may not PutItem");
        assert!(source.source().is_some_and(|sdk| sdk.is::<SdkError<PutItemError, HttpResponse>>()));
        assert!(format!("{error:?}").contains("eve may not PutItem"), "{error:?}");
    }

    #[test]
    fn an_answer_that_may_quote_the_item_is_in_the_source_only() {
        let error =
            answered(ErrorKind::Rejected, "ValidationException", "Input collection [tea, tea] contains duplicates");
        let unknown = Error::of(ErrorKind::OutcomeUnknown).with_source(error);
        let declined = Error::of(ErrorKind::Declined).with_source(unknown);
        let shown = format!("{declined} {declined:?} {declined:#?}");
        assert!(shown.contains("ValidationException") && !shown.contains("tea"), "{shown}");
        let texts: Vec<_> = chain(&declined).map(ToString::to_string).collect();
        assert!(texts.iter().any(|text| text.contains("[tea, tea]")), "{texts:?}");
    }

    #[test]
    fn a_broken_answer_is_not_quoted() {
        let response = HttpResponse::new(500.try_into().expect("is a status"), SdkBody::empty());
        let error: SdkError<PutItemError, _> = SdkError::response_error("unexpected token: tea", response);
        let error = of_request(ErrorKind::Service, error);
        assert!(!format!("{error:?}").contains("tea"), "{error:?}");
    }
}
