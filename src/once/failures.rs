//! What becomes of an operation's failure.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, ErrorKind};

/// Which failures are stored, and replayed.
pub(super) trait Failures<E> {
    /// As what it is stored, where it is final.
    fn store(self, failure: &E) -> Option<Result<String, serde_json::Error>>;

    /// The failure that was stored as this.
    fn replay(text: &str) -> Result<E, Error>;
}

/// None of them, of whatever type they are.
pub(super) struct NoneStored;

/// Those that the caller takes for final.
pub(super) struct FinalStored<F>(pub(super) F);

impl<E> Failures<E> for NoneStored {
    fn store(self, _: &E) -> Option<Result<String, serde_json::Error>> {
        None
    }

    fn replay(_: &str) -> Result<E, Error> {
        Err(Error::new(
            ErrorKind::Decode,
            "the operation has failed for good; run it by `run_storing_failures` to be told how",
        ))
    }
}

impl<E: Serialize + DeserializeOwned, F: FnOnce(&E) -> bool> Failures<E> for FinalStored<F> {
    fn store(self, failure: &E) -> Option<Result<String, serde_json::Error>> {
        (self.0)(failure).then(|| serde_json::to_string(failure))
    }

    fn replay(text: &str) -> Result<E, Error> {
        serde_json::from_str(text).map_err(|error| {
            Error::new(
                ErrorKind::Decode,
                "the operation has failed for good, and its stored failure isn't of this type",
            )
            .with_source(error)
        })
    }
}
