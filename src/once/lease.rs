//! For how long a claim holds, and how it is kept.

use std::time::Duration;

use futures_util::future::{Either, select};

use crate::claims::{self, Change, Operation, Term};
use crate::protocol::claim::{Hold, Millis};
use crate::protocol::log::WriteId;
use crate::table::Core;

/// For how long a claim holds; see [`Records::lease`](crate::Records::lease). A [`Duration`] is one that is [kept alive](Lease::kept_alive).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    length: Duration,
    at_most: Duration,
    renewal: Renewal,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Renewal {
    WhileItRuns,
    Never,
}

impl Lease {
    /// Holds for so long without a sign of life, and is extended while the operation runs: by a write after each third of it. What has
    /// crashed is repeated soon, and what takes long isn't; but one that hangs holds its record for ever, unless it is told
    /// [at most](Lease::at_most) for how long.
    ///
    /// The signs of life are given by the task that runs the operation, each time that this yields. What blocks its thread (a computation, blocking
    /// I/O) gives none, and is taken for crashed when the lease ends: leave it to `tokio::task::spawn_blocking`, or let the lease be longer.
    #[must_use]
    pub const fn kept_alive(length: Duration) -> Self {
        Self { length, at_most: Duration::MAX, renewal: Renewal::WhileItRuns }
    }

    /// Holds for so long, whatever happens. It takes no writes, and has to be longer than the operation ever takes.
    #[must_use]
    pub const fn fixed(length: Duration) -> Self {
        Self { length, at_most: Duration::MAX, renewal: Renewal::Never }
    }

    /// Ends so long after the claim at the latest, also where the operation still runs.
    #[must_use]
    pub const fn at_most(mut self, ceiling: Duration) -> Self {
        self.at_most = ceiling;
        self
    }

    /// What it holds for at first.
    pub(super) fn length(self) -> Duration {
        self.length.min(self.at_most)
    }
}

impl From<Duration> for Lease {
    fn from(length: Duration) -> Self {
        Self::kept_alive(length)
    }
}

/// A record that is claimed.
pub(super) struct Held<'r> {
    core: &'r Core,
    operation: &'r Operation,
    owner: WriteId,
    until: Millis,
    /// What a sign of life adds to the time at which it is given.
    length: Millis,
    /// When the lease ends at the latest.
    last: Millis,
}

impl<'r> Held<'r> {
    pub(super) fn new(
        (core, operation): (&'r Core, &'r Operation),
        (owner, until): (WriteId, Millis),
        lease: Lease,
        term: Term,
    ) -> Self {
        let length = millis(lease.length());
        let last = match (term, lease.renewal) {
            (Term::For(length), Renewal::WhileItRuns) => {
                until.saturating_sub(length).saturating_add(millis(lease.at_most))
            }
            (Term::Until(_), _) | (_, Renewal::Never) => until,
        };
        Self { core, operation, owner, until, length, last }
    }

    /// Keeps the lease for as long as this is polled; ends when it is lost, or has run out.
    pub(super) async fn until_lost(mut self) {
        let clock = self.core.store().caller().clock();
        let pause = self.length.div_ceil(3);
        loop {
            let left = self.left();
            if left <= pause || self.until >= self.last {
                return clock.sleep(Duration::from_millis(left)).await;
            }
            clock.sleep(Duration::from_millis(pause)).await;
            let now = claims::now(self.core);
            let until = now.saturating_add(self.length).min(self.last);
            let extend = Change::Extend { until, now };
            let extending = std::pin::pin!(claims::change(self.core, self.operation, self.owner, &extend));
            let running_out = std::pin::pin!(clock.sleep(Duration::from_millis(self.left())));
            match select(extending, running_out).await {
                Either::Left((Ok(Hold::Done), _)) => self.until = self.until.max(until),
                // It may come through the next time.
                Either::Left((Ok(Hold::Unknown) | Err(_), _)) => {}
                Either::Left((Ok(Hold::Lost), _)) | Either::Right(_) => return,
            }
        }
    }

    fn left(&self) -> Millis {
        self.until.saturating_sub(claims::now(self.core))
    }
}

pub(super) fn millis(duration: Duration) -> Millis {
    Millis::try_from(duration.as_millis()).unwrap_or(Millis::MAX)
}
