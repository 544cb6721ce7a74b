//! How long to wait before the next attempt.

use std::time::Duration;

/// Exponential, with jitter over the whole interval: sinks that failed together do not come back together.
#[derive(Debug)]
pub struct Backoff {
    random: fastrand::Rng,
    min: Duration,
    max: Duration,
    ceiling: Duration,
}

impl Backoff {
    /// Waits between `min` and `max`, the same ones for the same `seed`.
    #[must_use]
    pub fn new(min: Duration, max: Duration, seed: u64) -> Self {
        Self { random: fastrand::Rng::with_seed(seed), min, max: max.max(min), ceiling: min }
    }

    /// The next wait: any between `min` and a ceiling that doubles each time, up to `max`.
    pub fn next_wait(&mut self) -> Duration {
        self.ceiling = self.ceiling.saturating_mul(2).min(self.max);
        let micros = |wait: Duration| u64::try_from(wait.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(self.random.u64(micros(self.min)..=micros(self.ceiling.max(self.min))))
    }

    /// After a success: the next wait is a first one again.
    pub fn reset(&mut self) {
        self.ceiling = self.min;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIN: Duration = Duration::from_millis(100);
    const MAX: Duration = Duration::from_secs(30);

    #[test]
    fn waits_grow_up_to_the_maximum_and_start_again_after_a_success() {
        for seed in 0..200 {
            let mut backoff = Backoff::new(MIN, MAX, seed);
            for doubling in 1..40_u32 {
                let ceiling = MIN.saturating_mul(2_u32.saturating_pow(doubling)).min(MAX);
                let wait = backoff.next_wait();
                assert!((MIN..=ceiling).contains(&wait), "seed {seed}, doubling {doubling}: {wait:?}");
            }
            backoff.reset();
            assert!(backoff.next_wait() <= 2 * MIN, "seed {seed}");
        }
    }

    #[test]
    fn jitter_spreads_the_waits_of_sinks_that_failed_together() {
        let tenth_waits: Vec<Duration> = (0..100)
            .map(|seed| {
                let mut backoff = Backoff::new(MIN, MAX, seed);
                (0..10).map(|_| backoff.next_wait()).last().unwrap()
            })
            .collect();
        let early = tenth_waits.iter().filter(|wait| **wait < MAX / 2).count();
        assert!((25..=75).contains(&early), "{early} of 100 in the first half");
    }

    #[test]
    fn a_maximum_below_the_minimum_gives_the_minimum() {
        let mut backoff = Backoff::new(MIN, Duration::ZERO, 1);
        assert_eq!(backoff.next_wait(), MIN);
    }
}
