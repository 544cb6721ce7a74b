//! The recorder's clock: it counts, so that two moments are never equal. It numbers the connections too.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::history::Moment;

#[derive(Clone, Default)]
pub struct Clock {
    ticks: Arc<AtomicU64>,
    connections: Arc<AtomicU64>,
}

impl Clock {
    pub fn now(&self) -> Moment {
        self.ticks.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// A number for a new connection.
    pub fn connection(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::SeqCst)
    }
}
