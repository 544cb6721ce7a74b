//! Says often what is worth saying once: a client must not be able to fill the log.

use std::time::{Duration, Instant};

/// What clients cause is logged this often at most.
const EVERY: Duration = Duration::from_secs(10);

/// Lets one message through every few seconds, and counts those between.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    next: Option<Instant>,
    unsaid: u64,
}

impl Throttle {
    /// Whether to say it now, and how often it was not said since the last time.
    pub(super) fn pass(&mut self, now: Instant) -> Option<u64> {
        if self.next.is_some_and(|next| now < next) {
            self.unsaid += 1;
            return None;
        }
        self.next = now.checked_add(EVERY);
        Some(std::mem::take(&mut self.unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_speaks_at_once_and_then_rarely_and_says_how_often_it_was_silent() {
        let (mut throttle, start) = (Throttle::default(), Instant::now());
        assert_eq!(throttle.pass(start), Some(0));
        for _ in 0..1000 {
            assert_eq!(throttle.pass(start + EVERY / 2), None);
        }
        assert_eq!(throttle.pass(start + EVERY), Some(1000));
        assert_eq!(throttle.pass(start + EVERY), None);
    }
}
