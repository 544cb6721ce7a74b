//! Which states were met.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Fingerprints, in this many sets that threads seldom wait for each other.
#[derive(Debug, Default)]
pub struct Seen {
    sets: [Mutex<HashSet<u64>>; 32],
    count: AtomicU64,
}

impl Seen {
    /// Whether it was not met before; from now on it was.
    pub fn is_new(&self, fingerprint: u64) -> bool {
        let set = usize::try_from(fingerprint % self.sets.len() as u64).unwrap_or(0);
        let new = self.sets[set].lock().unwrap_or_else(PoisonError::into_inner).insert(fingerprint);
        self.count.fetch_add(u64::from(new), Ordering::Relaxed);
        new
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }
}
