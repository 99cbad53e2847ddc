//! The queue: it delivers a message until it is answered, as SQS does.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::history::Key;

/// A message for a key; there may be others for the same.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    number: usize,
    pub(crate) key: Key,
    /// How often it has been delivered before.
    pub(crate) before: usize,
}

#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    random: fastrand::Rng,
    /// Not delivered yet.
    new: VecDeque<Message>,
    /// To be delivered again, by when.
    again: BTreeMap<(Instant, usize), Message>,
    under_way: usize,
    unanswered: Vec<Key>,
}

/// Copies of a message that come close together are this close.
const CLOSE: f64 = 20.0;
/// When a message that wasn't answered becomes visible again, in milliseconds: some before a lease ends, some after.
const HIDDEN: std::ops::Range<u64> = 300..1600;
/// No message needs so many.
const MOST: usize = 60;

impl Queue {
    /// One to four messages for each key. Half of the copies come close together, so that workers meet on a key.
    pub(crate) fn of(keys: u32, seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut placed = Vec::new();
        for key in (0..keys).map(Key) {
            let first = random.f64();
            placed.push((first, key));
            for _ in 1..random.usize(1..=4) {
                let close = first + random.f64() * CLOSE / f64::from(keys);
                placed.push((if random.bool() { close } else { random.f64() }, key));
            }
        }
        placed.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        let new = placed.into_iter().enumerate().map(|(number, (_, key))| Message { number, key, before: 0 });
        let new = new.collect();
        let state = State { random, new, again: BTreeMap::new(), under_way: 0, unanswered: Vec::new() };
        Self { state: Mutex::new(state) }
    }

    /// How many messages wait for their first delivery.
    pub(crate) fn len(&self) -> usize {
        self.lock().new.len()
    }

    /// The next message, once there is one; `None` when all are answered.
    pub(crate) async fn next(&self) -> Option<Message> {
        const LOOK_AGAIN: Duration = Duration::from_millis(5);
        loop {
            {
                let mut state = self.lock();
                let is_due = state.again.first_key_value().is_some_and(|((due, _), _)| *due <= Instant::now());
                let next =
                    if is_due { state.again.pop_first().map(|(_, message)| message) } else { state.new.pop_front() };
                if next.is_some() {
                    state.under_way += 1;
                    return next;
                }
                if state.under_way == 0 && state.again.is_empty() {
                    return None;
                }
            }
            sleep_until(Instant::now() + LOOK_AGAIN).await;
        }
    }

    pub(crate) fn answered(&self) {
        self.lock().under_way -= 1;
    }

    /// Delivers the message once more, later.
    pub(crate) fn not_answered(&self, message: Message) {
        let mut state = self.lock();
        state.under_way -= 1;
        if message.before + 1 == MOST {
            state.unanswered.push(message.key);
            return;
        }
        let due = Instant::now() + Duration::from_millis(state.random.u64(HIDDEN));
        state.again.insert((due, message.number), Message { before: message.before + 1, ..message });
    }

    pub(crate) fn into_unanswered(self) -> Vec<Key> {
        self.state.into_inner().unwrap_or_else(PoisonError::into_inner).unanswered
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
