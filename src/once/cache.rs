//! What has run, at hand in this process.

use std::fmt;
use std::sync::Arc;

use quick_cache::sync::DefaultLifecycle;
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};

use crate::protocol::claim::Millis;
use crate::record::{Ending, Entry, Kept};

/// Records that are completed, by their ids, and no more of them than fit. Clones share them.
#[derive(Clone)]
pub(super) struct Cache {
    entries: Arc<quick_cache::sync::Cache<String, Arc<Entry>, Bytes>>,
}

#[derive(Clone)]
struct Bytes;

impl Cache {
    pub(super) fn new(bytes: usize) -> Self {
        // One shard, so that what fits is what was said.
        let options = OptionsBuilder::new()
            .shards(1)
            .weight_capacity(bytes as u64)
            .estimated_items_capacity(bytes / TYPICAL)
            .build()
            .expect("both capacities are set");
        let (hashes, evictions) = (DefaultHashBuilder::default(), DefaultLifecycle::default());
        Self { entries: Arc::new(quick_cache::sync::Cache::with_options(options, Bytes, hashes, evictions)) }
    }

    /// The record, unless it has expired by now.
    pub(super) fn get(&self, id: &str, now: Millis) -> Option<Arc<Entry>> {
        let entry = self.entries.get(id)?;
        if entry.record.expires > now {
            return Some(entry);
        }
        self.entries.remove_if(id, |entry| entry.record.expires <= now);
        None
    }

    /// Takes in a record that is completed, and so stays as it is until it expires.
    pub(super) fn put(&self, id: &str, entry: &Arc<Entry>) {
        self.entries.insert(id.to_owned(), Arc::clone(entry));
    }
}

impl Weighter<String, Arc<Entry>> for Bytes {
    fn weight(&self, id: &String, entry: &Arc<Entry>) -> u64 {
        let (Ending::Answer(kept) | Ending::Failure(kept)) = &entry.ending;
        let kept = match kept {
            Kept::Text(text) => text.len(),
            Kept::Compressed(bytes) => bytes.len(),
            Kept::Not | Kept::Unreadable => 0,
        };
        let validation = entry.validation.as_ref().map_or(0, String::len);
        (BESIDE + size_of::<Entry>() + id.len() + validation + kept) as u64
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("bytes", &self.entries.weight()).finish_non_exhaustive()
    }
}

/// A guess, from which the cache makes room for what it knows of records that it has dropped.
const TYPICAL: usize = 1024;
/// The id's `String`, the counts of the `Arc`, and the cache's own 21 bytes (docs of quick_cache, "Approximate memory usage").
const BESIDE: usize = size_of::<String>() + 2 * size_of::<usize>() + 21;
