//! How the daemon's parts are: what `daemon.status` shows.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use super::{Lsn, Sequence};
use crate::domain::Timestamp;

/// How the store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreStatus {
    /// Whether there is no room for new plans.
    pub full: bool,
    /// The journal.
    pub journal: JournalStatus,
    /// How many orders there are.
    pub orders_count: u64,
    /// The last event's number.
    pub last_sequence: Sequence,
}

/// How the journal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct JournalStatus {
    /// The last plan that is durable.
    pub durable_lsn: Lsn,
    /// The plan up to which the newest checkpoint holds everything.
    pub checkpoint_lsn: Lsn,
    /// What its files take on the disk.
    pub bytes: u64,
    /// How many files it has.
    pub segments: usize,
}

/// What a sink's worker is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SinkState {
    /// Nothing to deliver.
    Idle,
    /// A delivery is under way.
    Delivering,
    /// The last delivery failed; waiting to try again.
    Retrying,
    /// The worker has ended.
    Stopped,
}

/// How a sink is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SinkStatus {
    /// Its name in the configuration.
    pub name: String,
    /// Its kind.
    #[serde(rename = "type")]
    pub kind: String,
    /// What its worker is doing.
    pub state: SinkState,
    /// The last event that it acknowledged.
    pub acked_sequence: Sequence,
    /// How many durable events it has not acknowledged.
    pub lag_events: u64,
    /// How old the oldest of them is, in milliseconds.
    pub lag_ms: u64,
    /// How often the current batch was tried.
    pub attempts: u64,
    /// Why the last failed delivery failed; null once a later one succeeded.
    pub last_error: Option<String>,
}

/// A sink's status, written by its worker and read by whoever shows it.
#[derive(Debug)]
pub struct SinkMonitor {
    shown: Mutex<Shown>,
}

#[derive(Debug)]
struct Shown {
    status: SinkStatus,
    /// When the oldest event that is not acknowledged happened, as far as the worker has seen.
    oldest_pending: Option<Timestamp>,
}

impl SinkMonitor {
    /// A monitor that shows `status` until it is updated.
    #[must_use]
    pub const fn new(status: SinkStatus) -> Self {
        Self { shown: Mutex::new(Shown { status, oldest_pending: None }) }
    }

    /// Changes what is shown.
    pub fn update(&self, change: impl FnOnce(&mut SinkStatus)) {
        change(&mut self.locked().status);
    }

    /// Changes what is shown, and notes when the oldest event that is not acknowledged happened.
    pub fn update_pending(&self, oldest_pending: Option<Timestamp>, change: impl FnOnce(&mut SinkStatus)) {
        let mut shown = self.locked();
        shown.oldest_pending = oldest_pending;
        change(&mut shown.status);
    }

    /// What the worker wrote last.
    #[must_use]
    pub fn read(&self) -> SinkStatus {
        self.locked().status.clone()
    }

    /// What the worker wrote last, with the lag as it is at `now`, when `last_sequence` is durable: a worker that
    /// waits for its sink does not wake up to count.
    #[must_use]
    pub fn read_at(&self, now: Timestamp, last_sequence: Sequence) -> SinkStatus {
        let shown = self.locked();
        let lag_events = last_sequence.since(shown.status.acked_sequence);
        let oldest_pending = shown.oldest_pending.filter(|_| lag_events > 0);
        let lag_ms = oldest_pending.map_or(0, |oldest| now.millis_since(oldest));
        SinkStatus { lag_events, lag_ms, ..shown.status.clone() }
    }

    fn locked(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
