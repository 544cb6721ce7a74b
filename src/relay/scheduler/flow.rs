//! How many events are in flight at first: slow start.

use std::time::Duration;

/// Begins with few events in flight, and doubles as they are delivered in good time.
#[derive(Debug)]
pub(super) struct SlowStart {
    cap: usize,
    delivered: usize,
    slow: bool,
}

impl SlowStart {
    pub(super) const fn new(events: usize) -> Self {
        Self { cap: events, delivered: 0, slow: false }
    }

    /// Events that may be in flight.
    pub(super) const fn cap(&self) -> usize {
        self.cap
    }

    /// An event was delivered, `waited` after it was handed out. Once as many as may be in flight were, their number
    /// doubles; not while answers take more than half of `answer_max`.
    pub(super) fn delivered(&mut self, waited: Duration, answer_max: Duration) {
        self.delivered += 1;
        self.slow |= waited > answer_max / 2;
        if self.delivered >= self.cap {
            if !self.slow {
                self.cap = self.cap.saturating_mul(2);
            }
            (self.delivered, self.slow) = (0, false);
        }
    }
}
