//! How fast a sink goes: an average over the last minute, and when it will have caught up.

use std::collections::VecDeque;

use super::Sequence;
use crate::domain::Timestamp;

const WINDOW_MS: u64 = 60_000;
const SAMPLE_MS: u64 = 1_000;

/// What stood at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sample {
    pub(super) at: Timestamp,
    pub(super) delivered: u64,
    /// Events that wait, or zero.
    pub(super) lag: u64,
    /// The last durable event.
    pub(super) last: Sequence,
}

/// Samples of the last minute, at most one a second, and one from before it.
#[derive(Debug, Default)]
pub(super) struct Throughput {
    samples: VecDeque<Sample>,
}

impl Throughput {
    /// Keeps a sample, unless the one before is fresh.
    pub(super) fn note(&mut self, sample: Sample) {
        let fresh = self.samples.back().is_some_and(|last| sample.at.millis_since(last.at) < SAMPLE_MS);
        if fresh {
            return;
        }
        self.samples.push_back(sample);
        while self.samples.get(1).is_some_and(|second| sample.at.millis_since(second.at) >= WINDOW_MS) {
            self.samples.pop_front();
        }
    }

    /// Events delivered per second, over the last minute or since the first sample.
    pub(super) fn rate_events_per_s(&self, now: Sample) -> f64 {
        let Some((base, ms)) = self.base(now.at) else { return 0.0 };
        let events = now.delivered.saturating_sub(base.delivered);
        // Figures for people: what an f64 cannot tell apart nobody counts in a minute.
        #[expect(clippy::cast_precision_loss, reason = "counts of a minute are far below 2^52")]
        let rate = events as f64 * 1000.0 / ms.max(SAMPLE_MS) as f64;
        (rate * 10.0).round() / 10.0
    }

    /// Milliseconds until nothing waits, if the lag goes on to shrink as in the last minute.
    pub(super) fn eta_ms(&self, now: Sample) -> Option<u64> {
        let (base, ms) = self.base(now.at)?;
        let shrunk = base.lag.checked_sub(now.lag).filter(|shrunk| *shrunk > 0 && now.lag > 0)?;
        let eta = u128::from(now.lag).saturating_mul(u128::from(ms)) / u128::from(shrunk);
        u64::try_from(eta).ok()
    }

    /// The sample that a minute's average starts from, and how long ago that start is. One from before the minute
    /// still holds at its beginning, because a worker that did nothing took no further samples.
    fn base(&self, now: Timestamp) -> Option<(&Sample, u64)> {
        let from_before = self.samples.iter().rev().find(|sample| now.millis_since(sample.at) >= WINDOW_MS);
        let base = from_before.or(self.samples.front())?;
        let ms = now.millis_since(base.at).min(WINDOW_MS);
        (ms > 0).then_some((base, ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(second: i64, delivered: u64, lag: u64) -> Sample {
        let at = Timestamp::from_micros(1_795_000_000_000_000 + second * 1_000_000).unwrap();
        Sample { at, delivered, lag, last: Sequence(delivered + lag) }
    }

    #[test]
    fn the_rate_is_a_minutes_average() {
        let mut throughput = Throughput::default();
        for second in 0..=120 {
            throughput.note(sample(second, 10 * u64::try_from(second).unwrap(), 0));
        }
        assert!((throughput.rate_events_per_s(sample(120, 1200, 0)) - 10.0).abs() < 0.05);
        assert!(
            (throughput.rate_events_per_s(sample(240, 1200, 0)) - 10.0).abs() > 0.05,
            "it falls when nothing comes"
        );
        assert!(throughput.samples.len() <= 62, "{}", throughput.samples.len());
    }

    #[test]
    fn an_eta_is_told_only_while_the_lag_shrinks() {
        let mut throughput = Throughput::default();
        throughput.note(sample(0, 0, 1000));
        assert_eq!(throughput.eta_ms(sample(10, 500, 500)), Some(10_000));
        assert_eq!(throughput.eta_ms(sample(10, 500, 1000)), None);
        assert_eq!(throughput.eta_ms(sample(10, 1000, 0)), None);
    }
}
