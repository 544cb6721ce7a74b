//! The recorder's clock: it counts, so that two moments are never equal.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::history::Moment;

#[derive(Clone, Default)]
pub struct Clock {
    ticks: Arc<AtomicU64>,
}

impl Clock {
    pub fn now(&self) -> Moment {
        self.ticks.fetch_add(1, Ordering::SeqCst) + 1
    }
}
