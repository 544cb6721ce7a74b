//! Time that passes when it is told to.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::contracts::Clock;
use crate::domain::Timestamp;

/// Stands still until it is told to go on; clones are the same one. What the wall clock says never changes.
#[derive(Debug, Clone, Default)]
pub struct SteppedClock(Arc<Mutex<Steady>>);

#[derive(Debug, Default)]
struct Steady {
    now: Duration,
    step: Duration,
}

impl SteppedClock {
    /// Goes on.
    pub fn advance(&self, by: Duration) {
        self.0.lock().unwrap().now += by;
    }

    /// From now on it goes on by this much whenever it is read.
    pub fn pass_when_read(&self, step: Duration) {
        self.0.lock().unwrap().step = step;
    }
}

impl Clock for SteppedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(1_795_000_000_000_000).unwrap()
    }

    fn monotonic(&self) -> Duration {
        let mut steady = self.0.lock().unwrap();
        let step = steady.step;
        steady.now += step;
        steady.now
    }
}
