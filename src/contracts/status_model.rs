//! What the store shows of itself, for whoever asks how the daemon is.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::StoreStatus;
use crate::telemetry::ExecutorMetrics;

/// The published status of the store. Owners write it when something has changed; readers get what was written last, at
/// once, however long the executor waits for the disk. Both hold the lock only to copy.
#[derive(Debug)]
pub struct StatusModel {
    journal_bytes_max: u64,
    store: Mutex<StoreStatus>,
    pinned_by: Mutex<Option<Arc<str>>>,
    metrics: ExecutorMetrics,
}

impl StatusModel {
    /// A model that shows `store` until something else is published.
    #[must_use]
    pub fn new(store: StoreStatus, journal_bytes_max: u64) -> Self {
        let metrics = ExecutorMetrics::default();
        Self { journal_bytes_max, store: Mutex::new(store), pinned_by: Mutex::new(None), metrics }
    }

    /// What the executor measures.
    #[must_use]
    pub const fn metrics(&self) -> &ExecutorMetrics {
        &self.metrics
    }

    /// Shows this from now on. The executor calls it after every batch, before the batch is answered: who has been told
    /// of a plan finds it in the status.
    pub fn publish(&self, store: StoreStatus) {
        *locked(&self.store) = store;
    }

    /// Notes what keeps the journal's oldest segment; `None` if nothing does.
    pub fn set_pinned_by(&self, pinned_by: Option<Arc<str>>) {
        *locked(&self.pinned_by) = pinned_by;
    }

    /// What was published last.
    #[must_use]
    pub fn store(&self) -> StoreStatus {
        locked(&self.store).clone()
    }

    /// What keeps the journal's oldest segment: a sink's name, `checkpoint`, `retain`, `replay:ID` or `backup`.
    #[must_use]
    pub fn pinned_by(&self) -> Option<Arc<str>> {
        locked(&self.pinned_by).clone()
    }

    /// What the journal may take on the disk, in bytes.
    #[must_use]
    pub const fn journal_bytes_max(&self) -> u64 {
        self.journal_bytes_max
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
