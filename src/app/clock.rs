//! Time and new ids as the real system gives them.

use std::time::{Duration, Instant};

use uuid::{ContextV7, Timestamp as UuidTimestamp, Uuid};

use crate::contracts::{Clock, OrderIds};
use crate::domain::{OrderId, Timestamp};

/// The system's clocks.
#[derive(Debug)]
pub(super) struct SystemClock {
    started: Instant,
}

impl SystemClock {
    pub(super) fn new() -> Self {
        Self { started: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_datetime(chrono::Utc::now())
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }
}

/// UUIDs of version 7, each greater than the one before.
#[derive(Debug)]
pub(super) struct TimeOrderedIds {
    context: ContextV7,
}

impl TimeOrderedIds {
    pub(super) const fn new() -> Self {
        Self { context: ContextV7::new() }
    }
}

impl OrderIds for TimeOrderedIds {
    fn next(&mut self, now: Timestamp) -> OrderId {
        const MICROS: i64 = 1_000_000;
        // A clock before 1970 is wrong, and no reason to refuse an order.
        let micros = now.micros().max(0);
        let seconds = u64::try_from(micros / MICROS).unwrap_or(0);
        let nanos = u32::try_from(micros % MICROS * 1000).unwrap_or(0);
        OrderId::new(Uuid::new_v7(UuidTimestamp::from_unix(&self.context, seconds, nanos)))
    }
}
