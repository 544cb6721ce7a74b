//! The elections that this daemon has won.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The sinks that this daemon was elected for.
#[derive(Debug, Default)]
pub struct Leases {
    held: Mutex<BTreeMap<Arc<str>, Held>>,
}

/// An election that was won.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Every write of this relay asks for it.
    pub epoch: i64,
    /// Until when, on this daemon's steady clock, nobody else can have been elected.
    pub until: Duration,
    /// The store's epoch at the election: with another one a failover has rewound the cursor.
    pub store_epoch: i64,
}

impl Leases {
    /// The epoch of this daemon's relay; `None` if it does not relay the sink.
    #[must_use]
    pub fn epoch_of(&self, sink: &str) -> Option<i64> {
        self.locked().get(sink).map(|held| held.epoch)
    }

    /// The election that this daemon has won; `None` if it does not relay the sink.
    #[must_use]
    pub fn held(&self, sink: &str) -> Option<Held> {
        self.locked().get(sink).copied()
    }

    /// The sinks that this daemon relays.
    #[must_use]
    pub fn sinks(&self) -> Vec<Arc<str>> {
        self.locked().keys().map(Arc::clone).collect()
    }

    /// Whether this daemon relays the sink under this epoch, and nobody else can have been elected yet.
    #[must_use]
    pub fn is_held(&self, sink: &str, epoch: i64, now: Duration) -> bool {
        self.held(sink).is_some_and(|held| held.epoch == epoch && now < held.until)
    }

    /// This daemon was elected, or its lease prolonged.
    pub fn won(&self, sink: Arc<str>, held: Held) {
        self.locked().insert(sink, held);
    }

    /// This daemon relays the sink no longer under this epoch.
    pub fn lost(&self, sink: &str, epoch: i64) {
        let mut held = self.locked();
        if held.get(sink).is_some_and(|held| held.epoch == epoch) {
            held.remove(sink);
        }
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
