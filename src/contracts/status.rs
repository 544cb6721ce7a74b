//! How the daemon's parts are: what `daemon.status` shows.

use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use super::{Lsn, Sequence};

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
    status: Mutex<SinkStatus>,
}

impl SinkMonitor {
    /// A monitor that shows `status` until it is updated.
    #[must_use]
    pub const fn new(status: SinkStatus) -> Self {
        Self { status: Mutex::new(status) }
    }

    /// Changes what is shown.
    pub fn update(&self, change: impl FnOnce(&mut SinkStatus)) {
        change(&mut self.status.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// What is shown now.
    #[must_use]
    pub fn read(&self) -> SinkStatus {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
