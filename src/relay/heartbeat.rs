//! The sign of life that a watchdog reads.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// A worker's sign of life: if it is neither quiet nor beats, the worker hangs.
#[derive(Debug, Default)]
pub struct Heartbeat {
    beats: AtomicU64,
    waiting: AtomicBool,
    in_delivery: AtomicBool,
}

impl Heartbeat {
    /// Grows with every step.
    #[must_use]
    pub fn beats(&self) -> u64 {
        self.beats.load(Ordering::Relaxed)
    }

    /// Whether a sink is at work. It may take as long as it likes: a reader that has stopped reading a pipe is no
    /// fault of the daemon's.
    #[must_use]
    pub fn in_delivery(&self) -> bool {
        self.in_delivery.load(Ordering::Relaxed)
    }

    /// Whether the worker has a reason not to beat: nothing to do, or a sink at work.
    #[must_use]
    pub fn may_be_quiet(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) || self.in_delivery()
    }

    pub(super) fn beat(&self) {
        self.beats.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether there is a reason not to beat.
    pub fn set_waiting(&self, waiting: bool) {
        self.waiting.store(waiting, Ordering::Relaxed);
    }

    pub(super) fn set_in_delivery(&self, in_delivery: bool) {
        self.in_delivery.store(in_delivery, Ordering::Relaxed);
    }
}
