//! A target that is not there: nothing goes out but one event at the end of each back-off, until one is delivered.

use std::sync::Arc;
use std::time::Duration;

use super::Limits;
use crate::relay::Backoff;

/// Whether the target takes events at all.
#[derive(Debug)]
pub(super) struct Outage {
    backoff: Backoff,
    backoff_max: Duration,
    retry_after_max: Duration,
    down: Option<Down>,
}

#[derive(Debug)]
struct Down {
    until: Duration,
    blocked: bool,
    reason: Arc<str>,
}

impl Outage {
    pub(super) fn new(limits: &Limits) -> Self {
        let backoff = Backoff::new(limits.backoff_min, limits.backoff_max, limits.seed);
        Self { backoff, backoff_max: limits.backoff_max, retry_after_max: limits.retry_after_max, down: None }
    }

    pub(super) const fn is_down(&self) -> bool {
        self.down.is_some()
    }

    pub(super) fn is_blocked(&self) -> bool {
        self.down.as_ref().is_some_and(|down| down.blocked)
    }

    pub(super) fn reason(&self) -> Option<Arc<str>> {
        self.down.as_ref().map(|down| Arc::clone(&down.reason))
    }

    /// Until when nothing is handed out.
    pub(super) fn until(&self) -> Option<Duration> {
        self.down.as_ref().map(|down| down.until)
    }

    /// The target as a whole took nothing.
    pub(super) fn begin(&mut self, now: Duration, reason: Arc<str>, retry_after: Option<Duration>, blocked: bool) {
        let chosen = self.backoff.next_wait();
        let wait = match retry_after {
            Some(asked) => asked.min(self.retry_after_max),
            None if blocked => self.backoff_max,
            None => chosen,
        };
        self.down = Some(Down { until: now.saturating_add(wait), blocked, reason });
    }

    /// The event that was tried did not go through, though the target answered.
    pub(super) fn probe_failed(&mut self, now: Duration) {
        let wait = self.backoff.next_wait();
        if let Some(down) = &mut self.down {
            down.until = now.saturating_add(wait);
        }
    }

    /// An event was delivered; tells whether that ended an outage.
    pub(super) fn end(&mut self) -> bool {
        self.backoff.reset();
        self.down.take().is_some()
    }

    /// An operator does not want to wait.
    pub(super) fn retry_now(&mut self, now: Duration) {
        if let Some(down) = &mut self.down {
            down.until = down.until.min(now);
        }
    }
}
