//! What comes after a turn.

use std::time::Duration;

/// What comes after a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// There is more to do at once.
    Again,
    /// Nothing to do before this time by the steady clock, unless somebody wakes the worker.
    Wait(Option<Duration>),
    /// The worker was told to stop, and is done.
    Ended,
}
