//! Waiting: always for a condition, always with a limit.

use anyhow::{Result, bail};
use std::time::{Duration, Instant};

/// Looks again and again until there is something, or fails after `limit`.
pub fn until<T>(
    what: &str,
    limit: Duration,
    every: Duration,
    mut look: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let start = Instant::now();
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if start.elapsed() > limit {
            bail!("waited {} s in vain: {what}", limit.as_secs());
        }
        pause(every);
    }
}

/// Lets time pass. For sampling and for the steps of `until`, never in the hope that something has happened.
#[expect(clippy::disallowed_methods, reason = "there is no stop to hear: the tool ends with its terminal")]
pub fn pause(time: Duration) {
    std::thread::sleep(time);
}
