//! The user agent, which the SDK puts together anew for each request.
//!
//! That takes it some 8 % of the CPU of an insert (`benches/insert.rs`), and comes to the same each time: the versions of the
//! program's parts, and the features that the client and its credentials use. So the SDK does it once, and again now and then
//! in case that the credentials come from elsewhere now; the requests in between have it copied.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{PoisonError, RwLock};

use aws_smithy_runtime_api::http::Headers;

/// The headers that the SDK made last.
#[derive(Debug, Default)]
pub(crate) struct UserAgent {
    requests: AtomicU32,
    made: RwLock<Option<[String; NAMES.len()]>>,
}

/// What `UserAgentInterceptor` of aws-runtime sets.
const NAMES: [&str; 2] = ["user-agent", "x-amz-user-agent"];
/// How many requests share what was made for the first of them. Of so many, the cost of one is nothing.
const SHARE: u32 = 256;

impl UserAgent {
    /// Whether the next request can do with what was made for an earlier one.
    pub(crate) fn is_shared(&self) -> bool {
        !self.requests.fetch_add(1, Ordering::Relaxed).is_multiple_of(SHARE) && self.with_made(|made| made.is_some())
    }

    /// Takes over the headers of a request that has them, and gives them to one that hasn't.
    pub(crate) fn complete(&self, headers: &mut Headers) {
        if let [Some(one), Some(other)] = NAMES.map(|name| headers.get(name)) {
            let made = Some([one.to_owned(), other.to_owned()]);
            *self.made.write().unwrap_or_else(PoisonError::into_inner) = made;
            return;
        }
        self.with_made(|made| {
            for (name, value) in NAMES.into_iter().zip(made.iter().flatten()) {
                headers.insert(name, value.clone());
            }
        });
    }

    fn with_made<R>(&self, look: impl FnOnce(&Option<[String; NAMES.len()]>) -> R) -> R {
        look(&self.made.read().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(value: &'static str) -> Headers {
        let mut headers = Headers::new();
        NAMES.into_iter().for_each(|name| drop(headers.insert(name, value)));
        headers
    }

    #[test]
    fn what_the_sdk_made_last_is_shared_until_it_makes_another() {
        let user_agent = UserAgent::default();
        let mut made = Vec::new();
        for request in 0..2 * SHARE + 2 {
            let mut headers = if user_agent.is_shared() {
                Headers::new()
            } else {
                made.push(request);
                headers(if request < SHARE { "early" } else { "late" })
            };
            user_agent.complete(&mut headers);
            for name in NAMES {
                assert_eq!(headers.get(name), Some(if request < SHARE { "early" } else { "late" }), "{request}");
            }
        }
        assert_eq!(made, [0, SHARE, 2 * SHARE]);
    }

    #[test]
    fn nothing_is_shared_before_the_sdk_has_made_it() {
        let user_agent = UserAgent::default();
        for _ in 0..3 {
            assert!(!user_agent.is_shared());
        }
    }
}
