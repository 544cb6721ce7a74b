//! A limit on events per second.

use std::time::Duration;

/// Spreads events over time.
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

    /// This many events have gone out.
    pub(super) fn count(&mut self, events: u64, now: Duration) {
        if self.spacing_ns > 0 {
            let base = self.next_at.max(now.saturating_sub(BURST));
            self.next_at = base.saturating_add(Duration::from_nanos(self.spacing_ns.saturating_mul(events)));
        }
    }

    /// How many events may go out together: what is due within a burst, at least one; `None` for no limit.
    pub(super) fn events_at_once(&self) -> Option<u64> {
        let burst = u64::try_from(BURST.as_nanos()).unwrap_or(u64::MAX);
        burst.checked_div(self.spacing_ns).map(|events| events.max(1))
    }
}
