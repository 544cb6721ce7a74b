//! A clock that goes as the simulation says, and ids that follow from a count.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use orderd::contracts::{Clock, OrderIds};
use orderd::domain::{OrderId, Timestamp};
use uuid::Uuid;

/// The wall clock stands still but for [`SimClock::jump`] and [`SimClock::pass`]; clones are the same clock.
#[derive(Debug, Clone)]
pub struct SimClock {
    wall_micros: Arc<AtomicI64>,
    steady_micros: Arc<AtomicU64>,
}

impl Default for SimClock {
    fn default() -> Self {
        Self {
            wall_micros: Arc::new(AtomicI64::new(1_795_000_000_000_000)),
            steady_micros: Arc::new(AtomicU64::new(1_000_000)),
        }
    }
}

impl SimClock {
    /// Time passes, on both clocks.
    pub fn pass(&self, micros: u32) {
        self.wall_micros.fetch_add(i64::from(micros), Ordering::Relaxed);
        self.wait(micros);
    }

    /// Time passes, on the steady clock alone: inside of a call the wall clock stands still, so that the model can say
    /// at what time a command was decided.
    pub fn wait(&self, micros: u32) {
        self.steady_micros.fetch_add(u64::from(micros), Ordering::Relaxed);
    }

    /// Somebody sets the wall clock.
    pub fn jump(&self, micros: i64) {
        let now = self.wall_micros.load(Ordering::Relaxed);
        let target = now.saturating_add(micros).clamp(Timestamp::MIN.micros(), Timestamp::MAX.micros());
        self.wall_micros.store(target, Ordering::Relaxed);
    }
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.wall_micros.load(Ordering::Relaxed)).unwrap_or(Timestamp::MAX)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_micros(self.steady_micros.load(Ordering::Relaxed))
    }
}

/// Gives out ids in a row, never one twice.
#[derive(Debug, Clone)]
pub struct CountedIds {
    next: Arc<AtomicU64>,
}

impl Default for CountedIds {
    fn default() -> Self {
        Self { next: Arc::new(AtomicU64::new(1)) }
    }
}

impl CountedIds {
    /// The first is the one of this number.
    #[must_use]
    pub fn starting_at(number: u64) -> Self {
        Self { next: Arc::new(AtomicU64::new(number)) }
    }

    /// Ids given by the daemon differ in this from those that clients choose.
    const NAMESPACE: u128 = 0x0190_0000_0000_7000_8000_0000_0000_0000;
}

impl OrderIds for CountedIds {
    fn next(&mut self, _now: Timestamp) -> OrderId {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        OrderId::new(Uuid::from_u128(Self::NAMESPACE | u128::from(number)))
    }
}
