//! Samples of the last hour, one a second, in bounded memory.

use std::collections::{BTreeMap, VecDeque};

/// What is kept of the daemon as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GlobalSeries {
    /// Commands a second.
    Commands,
    /// Half of the batches of commands were durable within this, milliseconds.
    CommandP50,
    /// 99 of 100 batches were durable within this, milliseconds.
    CommandP99,
}

/// What is kept of each sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SinkSeries {
    /// Events that are not settled.
    Lag,
    /// Age of the oldest of them, seconds.
    Age,
    /// Events delivered a second.
    Rate,
    /// Half of the attempts took at most this, milliseconds.
    DeliveryP50,
    /// 99 of 100 attempts took at most this, milliseconds.
    DeliveryP99,
}

/// One moment of the daemon, in the order of [`GlobalSeries`]; what is not known is NaN.
pub type GlobalPoint = [f32; 3];
/// One moment of a sink, in the order of [`SinkSeries`]; what is not known is NaN.
pub type SinkPoint = [f32; 5];

/// One value over time. Moments are Unix milliseconds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Series(pub Vec<(u64, f32)>);

/// The samples.
#[derive(Debug)]
pub struct History {
    samples_max: usize,
    sinks_max: usize,
    global: VecDeque<(u64, GlobalPoint)>,
    sinks: BTreeMap<String, VecDeque<(u64, SinkPoint)>>,
}

impl History {
    /// Nothing yet. It keeps at most `samples_max` samples of the daemon and of each of `sinks_max` sinks.
    #[must_use]
    pub const fn new(samples_max: usize, sinks_max: usize) -> Self {
        Self { samples_max, sinks_max, global: VecDeque::new(), sinks: BTreeMap::new() }
    }

    /// Adds a sample. A sink that was not in the samples for as long as they are kept is forgotten; of sinks beyond the
    /// limit nothing is kept.
    pub fn push(&mut self, at_ms: u64, global: GlobalPoint, sinks: impl IntoIterator<Item = (String, SinkPoint)>) {
        push(&mut self.global, (at_ms, global), self.samples_max);
        for (name, point) in sinks {
            if self.sinks.contains_key(&name) || self.sinks.len() < self.sinks_max {
                push(self.sinks.entry(name).or_default(), (at_ms, point), self.samples_max);
            }
        }
        let oldest = self.global.front().map_or(at_ms, |(at, _)| *at);
        self.sinks.retain(|_, points| points.back().is_some_and(|(at, _)| *at >= oldest));
    }

    /// A series of the daemon, from `from_ms` on.
    #[must_use]
    pub fn global(&self, series: GlobalSeries, from_ms: u64) -> Series {
        let index = match series {
            GlobalSeries::Commands => 0,
            GlobalSeries::CommandP50 => 1,
            GlobalSeries::CommandP99 => 2,
        };
        pick(&self.global, index, from_ms)
    }

    /// A series of a sink, from `from_ms` on; empty for one that is not known.
    #[must_use]
    pub fn sink(&self, name: &str, series: SinkSeries, from_ms: u64) -> Series {
        let index = match series {
            SinkSeries::Lag => 0,
            SinkSeries::Age => 1,
            SinkSeries::Rate => 2,
            SinkSeries::DeliveryP50 => 3,
            SinkSeries::DeliveryP99 => 4,
        };
        self.sinks.get(name).map(|points| pick(points, index, from_ms)).unwrap_or_default()
    }
}

fn push<T>(points: &mut VecDeque<T>, point: T, max: usize) {
    while points.len() >= max {
        points.pop_front();
    }
    points.push_back(point);
}

fn pick<const N: usize>(points: &VecDeque<(u64, [f32; N])>, index: usize, from_ms: u64) -> Series {
    let begin = points.partition_point(|(at, _)| *at < from_ms);
    let value = |point: &[f32; N]| point.get(index).copied().unwrap_or(f32::NAN);
    Series(points.range(begin..).map(|(at, point)| (*at, value(point))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sink(name: &str) -> (String, SinkPoint) {
        (name.to_owned(), [1.0; 5])
    }

    #[test]
    fn memory_is_bounded_in_samples_and_in_sinks() {
        let mut history = History::new(3, 2);
        for at in 0..10 {
            history.push(at, [0.0; 3], [sink("a"), sink("b"), sink("c")]);
        }
        assert_eq!(history.global(GlobalSeries::Commands, 0).0.len(), 3);
        assert_eq!(history.sink("a", SinkSeries::Lag, 0).0.first(), Some(&(7, 1.0)));
        assert_eq!(history.sink("a", SinkSeries::Lag, 9).0.len(), 1);
        assert!(history.sink("c", SinkSeries::Lag, 0).0.is_empty());
    }

    #[test]
    fn a_sink_that_is_gone_makes_room_for_another() {
        let mut history = History::new(3, 1);
        history.push(0, [0.0; 3], [sink("gone")]);
        for at in 1..=3 {
            history.push(at, [0.0; 3], [sink("new")]);
        }
        history.push(4, [0.0; 3], [sink("new")]);
        assert!(history.sink("gone", SinkSeries::Lag, 0).0.is_empty());
        assert!(!history.sink("new", SinkSeries::Lag, 0).0.is_empty());
    }
}
