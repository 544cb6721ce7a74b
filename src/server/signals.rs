//! What other threads tell the server's thread, and what it shows them.

use std::sync::atomic::{AtomicBool, AtomicU64};

use mio::Waker;

/// Shared by the server and its handles.
#[derive(Debug)]
pub(super) struct Signals {
    /// The thread is awake and will look at the answers before it sleeps.
    pub(super) awake: AtomicBool,
    /// The server is to stop.
    pub(super) draining: AtomicBool,
    /// Nothing may be sent any more.
    pub(super) halted: AtomicBool,
    /// How many turns the loop has made.
    pub(super) turns: AtomicU64,
    waker: Waker,
}

impl Signals {
    pub(super) const fn new(waker: Waker) -> Self {
        Self {
            awake: AtomicBool::new(true),
            draining: AtomicBool::new(false),
            halted: AtomicBool::new(false),
            turns: AtomicU64::new(0),
            waker,
        }
    }

    pub(super) fn wake(&self) {
        if let Err(error) = self.waker.wake() {
            // The loop wakes by itself twice a second: late, but not lost.
            tracing::warn!(%error, "the server could not be woken");
        }
    }
}
