//! Who uses which lane of which item, within this process.
//!
//! Calls on one item each take a lane of its log for as long as they last, and queue where all are taken, so that calls of
//! one process never push each other's ids out. Nothing is kept for an item that no call is at work on, but for the lanes
//! of calls that ended unknown: they rest, so that the call can still be found in them when it is asked about.

use std::collections::VecDeque;
use std::collections::hash_map::{Entry, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::oneshot;

use crate::protocol::rules::LANES;

/// How long the lane of an unknown outcome rests: a request signed earlier is refused by then (AWS, "Signature Version 4
/// request expiration": 5 minutes).
const REST: Duration = Duration::from_secs(300);

/// The lanes in use by the calls of one store.
#[derive(Debug)]
pub(crate) struct Lanes {
    shards: [Mutex<Shard>; SHARDS],
    home: u8,
}

/// A lane of an item, held by one call. Dropping it frees the lane, or lets it rest.
#[derive(Debug)]
pub(crate) struct Lease {
    /// `None` once there is nothing left to free.
    lanes: Option<Arc<Lanes>>,
    item: u64,
    lane: u8,
    rests_until: Option<SystemTime>,
}

#[derive(Debug, Default)]
struct Shard {
    items: HashMap<u64, Item, BuildHasherDefault<Hashed>>,
    sweep_at: usize,
}

/// The hasher of numbers that are hashes already, and whose lowest bits have picked the shard.
#[derive(Debug, Default)]
struct Hashed(u64);

#[derive(Debug, Default)]
struct Item {
    /// A bit for each lane that a call holds.
    held: u8,
    resting: Vec<(u8, SystemTime)>,
    queue: VecDeque<oneshot::Sender<Lease>>,
}

const SHARDS: usize = 16;
const SWEEP_FROM: usize = 64;

impl Lanes {
    /// `home` is the lane that this process prefers.
    pub(crate) fn new(home: u8) -> Arc<Self> {
        let shards = std::array::from_fn(|_| Mutex::new(Shard { items: HashMap::default(), sweep_at: SWEEP_FROM }));
        Arc::new(Self { shards, home: home % LANES as u8 })
    }

    /// Takes a lane of an item, waiting in turn where all are held.
    pub(crate) async fn lease(self: &Arc<Self>, item: u64, now: SystemTime) -> Lease {
        loop {
            let turn = {
                let mut shard = self.shard(item);
                shard.sweep(now);
                let entry = shard.items.entry(item).or_default();
                if let Some(lane) = entry.take(self.home, now) {
                    return self.held(item, lane);
                }
                let (hand_over, turn) = oneshot::channel();
                entry.queue.push_back(hand_over);
                turn
            };
            if let Ok(lease) = turn.await {
                return lease;
            }
        }
    }

    fn held(self: &Arc<Self>, item: u64, lane: u8) -> Lease {
        Lease { lanes: Some(Arc::clone(self)), item, lane, rests_until: None }
    }

    fn shard(&self, item: u64) -> MutexGuard<'_, Shard> {
        // A panic can't leave a shard half-written: each change is complete before anything of the caller's runs.
        self.shards[item as usize % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease {
    pub(crate) fn lane(&self) -> u8 {
        self.lane
    }

    /// From here on an attempt may be under way, so that the lane has to rest if the call ends here.
    pub(crate) fn in_doubt(&mut self, now: SystemTime) {
        self.rests_until = Some(now + REST);
    }

    /// The call's outcome is known.
    pub(crate) fn settled(&mut self) {
        self.rests_until = None;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(lanes) = self.lanes.take() else { return };
        let mut shard = lanes.shard(self.item);
        let Entry::Occupied(mut entry) = shard.items.entry(self.item) else { return };
        let item = entry.get_mut();
        item.held &= !(1 << self.lane);
        // A lane at rest is used before anyone waits, so whoever heads the queue gets this one at once.
        while let Some(next) = item.queue.pop_front() {
            match next.send(lanes.held(self.item, self.lane)) {
                Ok(()) => {
                    item.held |= 1 << self.lane;
                    return;
                }
                // Whoever waited has gone. The lease goes nowhere, and must not come back here under the lock.
                Err(mut returned) => returned.lanes = None,
            }
        }
        if let Some(until) = self.rests_until {
            item.resting.push((self.lane, until));
        }
        if item.held == 0 && item.resting.is_empty() {
            entry.remove();
        }
    }
}

impl Shard {
    /// Forgets items that nothing but a lane's past rest keeps, each time the map has doubled.
    fn sweep(&mut self, now: SystemTime) {
        if self.items.len() >= self.sweep_at {
            self.items.retain(|_, item| {
                item.resting.retain(|(_, until)| *until > now);
                item.held != 0 || !item.resting.is_empty() || !item.queue.is_empty()
            });
            self.sweep_at = SWEEP_FROM.max(self.items.len() * 2);
        }
    }
}

impl Hasher for Hashed {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash.rotate_right(SHARDS.ilog2());
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl Item {
    /// The first lane from `home` on that is free, else the one that has rested longest.
    fn take(&mut self, home: u8, now: SystemTime) -> Option<u8> {
        self.resting.retain(|(_, until)| *until > now);
        let free = (0..LANES as u8)
            .map(|step| (home + step) % LANES as u8)
            .find(|lane| self.held & (1 << lane) == 0 && self.resting.iter().all(|(resting, _)| resting != lane));
        let lane = free.or_else(|| {
            let longest = self.resting.iter().enumerate().min_by_key(|(_, (_, until))| *until)?.0;
            Some(self.resting.remove(longest).0)
        })?;
        self.held |= 1 << lane;
        Some(lane)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(lanes: &Lanes) -> usize {
        lanes.shards.iter().map(|shard| shard.lock().unwrap().items.len()).sum()
    }

    #[tokio::test]
    async fn idle_items_are_forgotten_at_once() {
        let lanes = Lanes::new(3);
        for item in 0..1000 {
            let mut lease = lanes.lease(item, SystemTime::UNIX_EPOCH).await;
            lease.in_doubt(SystemTime::UNIX_EPOCH);
            assert_eq!((lease.lane(), items(&lanes)), (3, 1));
            lease.settled();
        }
        assert_eq!(items(&lanes), 0);
    }

    #[tokio::test]
    async fn items_with_a_lane_at_rest_are_forgotten_after_it() {
        let lanes = Lanes::new(0);
        let mut now = SystemTime::UNIX_EPOCH;
        for item in 0..100_000 {
            lanes.lease(item, now).await.in_doubt(now);
            now += REST / 100;
        }
        // A hundred rest at any time; the others go when a shard's map has doubled.
        assert!(items(&lanes) < SHARDS * (SWEEP_FROM + 100), "{}", items(&lanes));
    }

    #[tokio::test]
    async fn item_is_forgotten_after_all_who_waited_for_it() {
        let lanes = Lanes::new(7);
        let now = SystemTime::UNIX_EPOCH;
        let mut held = Vec::new();
        for _ in 0..LANES {
            held.push(lanes.lease(1, now).await);
        }
        let taken: Vec<_> = held.iter().map(Lease::lane).collect();
        assert_eq!(taken, [7, 0, 1, 2, 3, 4, 5, 6]);
        let waiting: Vec<_> = (0..20).map(|_| tokio::spawn(in_turn(Arc::clone(&lanes), now))).collect();
        tokio::task::yield_now().await;
        for gone in waiting.iter().step_by(2) {
            gone.abort();
        }
        drop(held);
        for (number, waited) in waiting.into_iter().enumerate() {
            assert_eq!(waited.await.is_ok(), number % 2 == 1);
        }
        assert_eq!(items(&lanes), 0);
    }

    async fn in_turn(lanes: Arc<Lanes>, now: SystemTime) {
        let _lease = lanes.lease(1, now).await;
        tokio::task::yield_now().await;
    }
}
