//! What a run ends in.

use std::fmt;

use aws_sdk_dynamodb::error::BoxError;
use serde::de::DeserializeOwned;

use crate::epoch::EpochMillis;
use crate::error::{Error, ErrorKind};
use crate::record::{Ending, Entry};

use super::failures::Failures;
use super::large;

/// The answer of an operation that has run once.
#[derive(Clone)]
pub struct Ran<A> {
    answer: A,
    is_replayed: bool,
    completed_at: Option<EpochMillis>,
    is_kept: bool,
}

/// Why there is no answer.
///
/// Its text ends in that of the error it holds, which needn't be an [`Error`](std::error::Error) to be told; so its source is what stands behind
/// that one, and a chain of causes has each text once.
#[derive(Debug)]
#[non_exhaustive]
pub enum OnceError<E> {
    /// The operation ran and failed, with this. It may run again, unless the failure is [final](crate::Once::run_storing_failures).
    Failed(E),
    /// The operation had run before, and failed for good, with this. It doesn't run again until the record expires.
    FailedBefore(E),
    /// It wasn't run: the record didn't let it, or couldn't be asked. It may have been run before, where the error says so.
    NotRun(Error),
    /// It ran, and what it came to isn't stored, nor what it staged written; nor will be, unless the error is
    /// [`OutcomeUnknown`](crate::ErrorKind::OutcomeUnknown).
    NotStored(Error),
}

impl<E> OnceError<E> {
    /// What the record has to do with it: nothing, where the operation's own failure is told.
    #[must_use]
    pub fn record_error(&self) -> Option<&Error> {
        match self {
            Self::NotRun(error) | Self::NotStored(error) => Some(error),
            Self::Failed(_) | Self::FailedBefore(_) => None,
        }
    }
}

impl<E: Into<BoxError>> OnceError<E> {
    /// The same as one error, whatever the operation fails with: a boxed error isn't an [`Error`](std::error::Error) itself, and what holds one
    /// can't be handed on by `?`. With `.map_err(OnceError::into_boxed)?` it can; whether the operation ran is told no more then.
    #[must_use]
    pub fn into_boxed(self) -> BoxError {
        match self {
            Self::Failed(error) | Self::FailedBefore(error) => error.into(),
            Self::NotRun(error) | Self::NotStored(error) => error.into(),
        }
    }
}

impl<A> Ran<A> {
    /// Of an operation that has just run.
    pub(super) fn fresh(answer: A, at: EpochMillis, is_kept: bool) -> Self {
        Self { answer, is_replayed: false, completed_at: Some(at), is_kept }
    }

    /// Of no operation: for tests.
    #[cfg(any(feature = "test-util", feature = "embedded"))]
    pub(crate) fn mock(answer: A, is_replayed: bool) -> Self {
        Self { answer, is_replayed, completed_at: None, is_kept: true }
    }

    /// The answer.
    #[must_use]
    pub fn answer(&self) -> &A {
        &self.answer
    }

    /// The answer itself.
    #[must_use]
    pub fn into_answer(self) -> A {
        self.answer
    }

    /// Whether the operation had run before, and this is the answer that it gave then.
    #[must_use]
    pub fn is_replayed(&self) -> bool {
        self.is_replayed
    }

    /// Whether whoever repeats the operation is given this answer. Not where it was too large to be [kept](crate::LargeAnswers): the operation has
    /// run, and a repetition is told [`Decode`](ErrorKind::Decode); nor where it ran [unprotected](crate::MissingKey::RunUnprotected).
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.is_kept
    }

    /// When the answer was given; `None` where another program's record doesn't say.
    #[must_use]
    pub fn completed_at(&self) -> Option<EpochMillis> {
        self.completed_at
    }
}

/// What an operation came to that has run before: its answer, or the failure that was final.
pub(super) fn replay<A: DeserializeOwned, E, P: Failures<E>>(entry: &Entry) -> Result<Result<Ran<A>, E>, Error> {
    match &entry.ending {
        Ending::Failure(kept) => Ok(Err(P::replay(&large::text(kept)?)?)),
        Ending::Answer(kept) => {
            let answer = serde_json::from_str(&large::text(kept)?).map_err(|error| {
                Error::new(ErrorKind::Decode, "the operation has run, and its stored answer isn't of this type")
                    .with_source(error)
            })?;
            Ok(Ok(Ran { answer, is_replayed: true, completed_at: entry.completed_at, is_kept: true }))
        }
    }
}

impl<E: fmt::Display> fmt::Display for OnceError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => write!(f, "the operation failed: {error}"),
            Self::FailedBefore(error) => write!(f, "the operation has failed before: {error}"),
            Self::NotRun(error) => error.fmt(f),
            Self::NotStored(error) => write!(f, "the operation ran, and what it came to isn't stored: {error}"),
        }
    }
}

impl<E: std::error::Error + 'static> std::error::Error for OnceError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Failed(error) | Self::FailedBefore(error) => error.source(),
            Self::NotRun(error) | Self::NotStored(error) => error.source(),
        }
    }
}

/// Shows no answer.
impl<A> fmt::Debug for Ran<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ran")
            .field("is_replayed", &self.is_replayed)
            .field("completed_at", &self.completed_at)
            .finish_non_exhaustive()
    }
}
