//! What the console counts of itself.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Counts since the start.
#[derive(Debug, Default)]
pub struct Counters {
    /// By the path's pattern, which are few, and the status code.
    requests: Mutex<BTreeMap<(String, u16), u64>>,
    /// Connections that were closed to make room for others.
    pub evicted: AtomicU64,
    /// Connections that found no room.
    pub refused: AtomicU64,
}

impl Counters {
    /// Counts a request.
    pub fn request(&self, path: &str, code: u16) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        *requests.entry((path.to_owned(), code)).or_default() += 1;
    }

    /// All requests.
    #[must_use]
    pub fn requests(&self) -> BTreeMap<(String, u16), u64> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// One more of this.
    pub fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}
