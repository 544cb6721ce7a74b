//! Which sinks this daemon relays, as the statements that ask for an epoch see it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The epochs of the sinks that this daemon was elected for.
#[derive(Debug, Default)]
pub struct Leases {
    epochs: Mutex<BTreeMap<Arc<str>, i64>>,
}

impl Leases {
    /// The epoch of this daemon's relay; `None` if it does not relay the sink.
    #[must_use]
    pub fn epoch_of(&self, sink: &str) -> Option<i64> {
        self.locked().get(sink).copied()
    }

    /// This daemon was elected.
    pub fn won(&self, sink: Arc<str>, epoch: i64) {
        self.locked().insert(sink, epoch);
    }

    /// This daemon relays the sink no longer.
    pub fn lost(&self, sink: &str) {
        self.locked().remove(sink);
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, i64>> {
        self.epochs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
