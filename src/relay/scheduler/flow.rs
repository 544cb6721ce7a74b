//! How many events go out: slow start, and the limit on the rate.

use std::time::Duration;

use super::Limits;

/// Begins with few events in flight, and doubles as they are delivered in good time.
#[derive(Debug)]
pub(super) struct SlowStart {
    cap: usize,
    delivered: usize,
    slow: bool,
}

impl SlowStart {
    pub(super) const fn new() -> Self {
        Self { cap: Limits::SLOW_START, delivered: 0, slow: false }
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

/// Spreads hand-outs over time.
#[derive(Debug)]
pub(super) struct Rate {
    /// Nanoseconds for one event; zero for no limit.
    spacing_ns: u64,
    /// When the next event may go out.
    next_at: Duration,
}

/// What was not used may be caught up with for so long.
const BURST: Duration = Duration::from_millis(50);

impl Rate {
    pub(super) fn new(events_per_s_max: Option<u32>) -> Self {
        let spacing_ns = events_per_s_max.map_or(0, |events| 1_000_000_000 / u64::from(events.max(1)));
        Self { spacing_ns, next_at: Duration::ZERO }
    }

    /// When the next event may go out, if not now.
    pub(super) fn wait_until(&self, now: Duration) -> Option<Duration> {
        (self.spacing_ns > 0 && now < self.next_at).then_some(self.next_at)
    }

    pub(super) fn count(&mut self, now: Duration) {
        if self.spacing_ns > 0 {
            let base = self.next_at.max(now.saturating_sub(BURST));
            self.next_at = base.saturating_add(Duration::from_nanos(self.spacing_ns));
        }
    }
}
