//! How long to wait before the next attempt to attach.

use std::time::Duration;

/// Doubles from a least to a greatest wait, with jitter, so that connectors do not come back all at once.
#[derive(Debug)]
pub(crate) struct Backoff {
    min: Duration,
    max: Duration,
    next: Duration,
}

impl Backoff {
    pub(crate) const fn new(min: Duration, max: Duration) -> Self {
        Self { min, max, next: min }
    }

    /// The attempt was good.
    pub(crate) const fn reset(&mut self) {
        self.next = self.min;
    }

    /// The next wait: between half of the current step and all of it.
    pub(crate) fn wait(&mut self) -> Duration {
        let step = self.next;
        self.next = (step * 2).min(self.max);
        step.mul_f64(0.5 + fastrand::f64() / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_their_limit_and_begin_again() {
        let ms = Duration::from_millis;
        let mut backoff = Backoff::new(ms(100), ms(350));
        for step in [100, 200, 350, 350] {
            let wait = backoff.wait();
            assert!(wait >= ms(step / 2) && wait <= ms(step), "{wait:?} of {step} ms");
        }
        backoff.reset();
        assert!(backoff.wait() <= ms(100));
    }
}
