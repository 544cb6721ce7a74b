//! Waiting for a condition.

use std::time::{Duration, Instant};

/// How long a test waits for what should happen soon. Generous: the machine may be busy.
pub const WAIT_MAX: Duration = Duration::from_secs(60);

/// Polls until `condition` returns something.
///
/// # Panics
/// It did not within [`WAIT_MAX`].
pub fn eventually<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + WAIT_MAX;
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited too long: {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}
