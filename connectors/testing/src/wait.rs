//! Waiting for a condition.

use std::time::{Duration, Instant};

/// How long a test waits for what should happen soon. Generous: the machine may be busy.
pub const WAIT_MAX: Duration = Duration::from_secs(60);

/// Polls until `condition` returns something.
///
/// # Panics
/// It did not within [`WAIT_MAX`].
pub fn eventually<T>(what: &str, condition: impl FnMut() -> Option<T>) -> T {
    within(WAIT_MAX, what, condition)
}

/// The same with a limit of its own.
pub(crate) fn within<T>(limit: Duration, what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited too long: {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}
