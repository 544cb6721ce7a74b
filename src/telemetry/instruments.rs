//! Counters, gauges and histograms that many threads may write and read.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Counts up from the start of the process.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `count`.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// The count so far.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The last value of something that goes up and down.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

impl Gauge {
    /// Replaces the value.
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// The value that was set last; 0 if none was.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How often values of each size came.
#[derive(Debug)]
pub struct Histogram {
    /// The upper bound of each bucket but the last, which has none; ascending.
    bounds: &'static [u64],
    buckets: Box<[AtomicU64]>,
    sum: AtomicU64,
    /// What a value is divided by to be shown in its base unit.
    per_unit: u64,
}

/// From a tenth of a millisecond to ten seconds, in microseconds.
const DURATIONS: [u64; 16] = [
    100, 250, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    5_000_000, 10_000_000,
];
const MICROS_PER_SECOND: u64 = 1_000_000;
/// From one to a million.
const COUNTS: [u64; 13] = [1, 2, 4, 8, 16, 64, 256, 512, 1024, 4096, 16_384, 65_536, 1_048_576];

impl Histogram {
    /// Of durations, shown in seconds.
    #[must_use]
    pub fn durations() -> Self {
        Self::new(&DURATIONS, MICROS_PER_SECOND)
    }

    /// Of numbers of things.
    #[must_use]
    pub fn counts() -> Self {
        Self::new(&COUNTS, 1)
    }

    fn new(bounds: &'static [u64], per_unit: u64) -> Self {
        let buckets = std::iter::repeat_with(AtomicU64::default).take(bounds.len() + 1).collect();
        Self { bounds, buckets, sum: AtomicU64::new(0), per_unit }
    }

    /// Adds a duration.
    pub fn record_duration(&self, duration: Duration) {
        self.record(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX));
    }

    /// Adds a value: of durations, microseconds.
    pub fn record(&self, value: u64) {
        self.record_many(value, 1);
    }

    /// Adds the same value `count` times.
    pub fn record_many(&self, value: u64, count: u64) {
        let index = self.bounds.partition_point(|bound| *bound < value);
        if let Some(bucket) = self.buckets.get(index) {
            bucket.fetch_add(count, Ordering::Relaxed);
        }
        self.sum.fetch_add(value.saturating_mul(count), Ordering::Relaxed);
    }

    /// What was recorded so far. A value that comes meanwhile may be in the sum and not in a bucket, or the other way
    /// round.
    #[must_use]
    pub fn read(&self) -> HistogramReading {
        let mut count = 0;
        let mut buckets = Vec::with_capacity(self.buckets.len());
        let bounds = self.bounds.iter().map(|bound| Some(self.in_units(*bound))).chain([None]);
        for (bound, bucket) in bounds.zip(&self.buckets) {
            count += bucket.load(Ordering::Relaxed);
            buckets.push((bound, count));
        }
        HistogramReading { buckets, sum: self.in_units(self.sum.load(Ordering::Relaxed)), count }
    }

    #[expect(clippy::cast_precision_loss, reason = "what is shown need not be exact beyond 2^53")]
    fn in_units(&self, value: u64) -> f64 {
        value as f64 / self.per_unit as f64
    }
}

/// What a histogram held when it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct HistogramReading {
    /// Upper bounds, `None` for no bound, with how many values were at most as large.
    pub buckets: Vec<(Option<f64>, u64)>,
    /// All values together.
    pub sum: f64,
    /// How many there were.
    pub count: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_counted_in_every_bucket_that_it_fits() {
        let histogram = Histogram::durations();
        for micros in [0, 100, 101, 250, 10_000_000, 10_000_001] {
            histogram.record_duration(Duration::from_micros(micros));
        }
        let read = histogram.read();
        let find = |bound: Option<f64>| read.buckets.iter().find(|(is, _)| *is == bound).map(|(_, count)| *count);
        assert_eq!(find(Some(0.0001)), Some(2));
        assert_eq!(find(Some(0.00025)), Some(4));
        assert_eq!(find(Some(10.0)), Some(5));
        assert_eq!(find(None), Some(6));
        assert_eq!((read.count, read.sum), (6, 20.000_452));
    }

    #[test]
    fn counts_are_shown_as_they_are() {
        let histogram = Histogram::counts();
        histogram.record_many(512, 3);
        histogram.record(u64::from(u32::MAX));
        let read = histogram.read();
        assert!(read.buckets.contains(&(Some(512.0), 3)) && read.buckets.contains(&(None, 4)));
        assert_eq!(read.buckets.len(), COUNTS.len() + 1);
    }

    #[test]
    fn counters_add_and_gauges_replace() {
        let (counter, gauge) = (Counter::default(), Gauge::default());
        counter.add(2);
        counter.add(3);
        gauge.set(2);
        gauge.set(3);
        assert_eq!((counter.get(), gauge.get()), (5, 3));
    }
}
