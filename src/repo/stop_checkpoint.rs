//! The checkpoint of a clean stop: written if it saves the next start enough, and given up if it takes too long.

use std::io;
use std::time::Duration;

use super::checkpoint::{CheckpointBegin, CheckpointSource};
use super::{DedupEntry, LaneName, Maintenance, Store};
use crate::contracts::{Clock, OrderRow, ParkedLane};

/// Of the time that a checkpoint may take, so much is for writing its orders, in percent; the rest is for reading back.
const WRITING_PERCENT: u128 = 60;
/// In the first part of its time, in percent, nothing can be told about the rest.
const UNTOLD_PERCENT: u128 = 10;

impl Maintenance {
    /// Writes the last checkpoint of a store that takes no more plans, so that the next start redoes little; within
    /// `time_max`. Whether there is one now.
    ///
    /// It is worth it when the journal since the last checkpoint is at least `stop_journal_bytes` long, and at least as
    /// long as that checkpoint: what is written for it is then no more than a start would read twice. One that cannot be
    /// done in time is given up as soon as that shows, and leaves nothing.
    pub fn checkpoint_at_stop(&mut self, store: &Store, time_max: Duration) -> bool {
        if time_max.is_zero() || !self.stop_is_worth_a_checkpoint() {
            return false;
        }
        let clock = self.clock();
        let began = clock.monotonic();
        let pace = Pace { time_max, orders: 0, copied: 0 };
        let mut source = StopSource { store, clock: clock.as_ref(), began, pace };
        let written = self.checkpoint(&mut source);
        if let Err(error) = &written {
            tracing::warn!(%error, "no checkpoint at the stop: the next start redoes the journal since the last one");
            self.clear();
        }
        written.is_ok()
    }
}

/// The state of a store at rest, and the time that is left for copying it.
struct StopSource<'a> {
    store: &'a Store,
    clock: &'a dyn Clock,
    began: Duration,
    pace: Pace,
}

/// How much is to be done in which time, and how much is.
#[derive(Debug, Clone, Copy)]
struct Pace {
    time_max: Duration,
    orders: usize,
    copied: usize,
}

impl Pace {
    /// Whether the time is over, or what is done so far is too little for the time that it took.
    const fn is_late(&self, elapsed: Duration) -> bool {
        let (elapsed, time_max) = (elapsed.as_nanos(), self.time_max.as_nanos());
        let told = elapsed.saturating_mul(100) > time_max.saturating_mul(UNTOLD_PERCENT);
        let (orders, copied) = (self.orders as u128, self.copied as u128);
        let due = orders.saturating_mul(elapsed).saturating_mul(100);
        let done = copied.saturating_mul(time_max).saturating_mul(WRITING_PERCENT);
        elapsed >= time_max || (told && self.copied < self.orders && done < due)
    }
}

impl CheckpointSource for StopSource<'_> {
    fn begin(&mut self) -> io::Result<CheckpointBegin> {
        let begin = self.store.begin()?;
        self.pace.orders = begin.orders;
        Ok(begin)
    }

    fn orders(&mut self, from: usize, count: usize) -> io::Result<Vec<OrderRow>> {
        let orders = self.store.orders(from, count)?;
        self.pace.copied = from.saturating_add(orders.len());
        Ok(orders)
    }

    fn commands(&mut self, from: u64, count: usize) -> io::Result<(Vec<DedupEntry>, u64)> {
        self.store.commands(from, count)
    }

    fn lanes(&mut self, after: Option<&LaneName>, count: usize) -> io::Result<Vec<(LaneName, ParkedLane)>> {
        self.store.lanes(after, count)
    }

    fn throttle(&mut self) -> io::Result<()> {
        if self.pace.is_late(self.clock.monotonic().saturating_sub(self.began)) {
            let Pace { copied, orders, time_max } = self.pace;
            let time_ms = time_max.as_millis();
            let problem = format!("{copied} of {orders} orders were copied; it would take longer than {time_ms} ms");
            return Err(io::Error::new(io::ErrorKind::TimedOut, problem));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_will_not_be_done_in_time_is_late_after_a_tenth_of_it() {
        let late = |copied, elapsed_ms| {
            let pace = Pace { time_max: Duration::from_secs(1), orders: 1000, copied };
            pace.is_late(Duration::from_millis(elapsed_ms))
        };
        // Of 600 ms for writing, a tenth must have sufficed for a tenth.
        for (copied, elapsed_ms, expected) in [
            (0, 100, false),
            (0, 101, true),
            (168, 101, true),
            (169, 101, false),
            (500, 300, false),
            (499, 300, true),
            (1000, 999, false),
            (1000, 1000, true),
        ] {
            assert_eq!(late(copied, elapsed_ms), expected, "{copied} after {elapsed_ms} ms");
        }
    }
}
