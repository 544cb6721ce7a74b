//! A sink that takes, refuses, takes in part, and dawdles; and the consumer behind it, who notes everything.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use orderd::contracts::{Delivery, Sink, SinkError};

use crate::clock::SimClock;
use crate::disk::SimDisk;
use crate::rng::Rng;

/// What a sink does, in percent of its deliveries.
#[derive(Debug, Clone, Copy, Default)]
pub struct FaultProfile {
    /// It takes nothing and fails.
    pub refuses: u64,
    /// It takes some and fails.
    pub takes_part: u64,
    /// It takes all and fails.
    pub takes_all_and_fails: u64,
    /// It takes long.
    pub dawdles: u64,
    /// The power goes while it is at work.
    pub sees_power_cut: u64,
}

/// What came out of a sink, over all runs of the daemon.
#[derive(Debug, Default)]
pub struct Consumer {
    /// The number of the last event before the first that this sink is to get.
    pub base: u64,
    /// The events, at their first delivery, in order: number `base + 1` first.
    pub seen: Vec<Arc<[u8]>>,
    /// The last event for which the sink said that it has it.
    pub acknowledged: u64,
    /// The same for this run of the daemon: a run that starts again behind offers again.
    pub run_acknowledged: u64,
    /// How many of `seen` were compared with the history.
    pub checked: usize,
    /// The orders of a snapshot, at their first delivery, in order.
    pub rows: Vec<Arc<[u8]>>,
    /// The sink said that it has the first of them, up to this one.
    pub rows_acknowledged: u64,
    /// How many of `rows` were compared with the history.
    pub checked_rows: usize,
    /// How many events came again.
    pub again: u64,
    /// How many deliveries failed.
    pub failures: u64,
    /// How many deliveries were taken in part.
    pub parts: u64,
    /// What must not have happened.
    pub violations: Vec<String>,
}

impl Consumer {
    /// The number of the last event that was seen.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.base + self.seen.len() as u64
    }

    /// One that has seen as much, and from here on sees something else.
    #[must_use]
    pub fn copy(&self) -> Self {
        let Self { base, ref seen, acknowledged, run_acknowledged, checked, .. } = *self;
        let Self { ref rows, rows_acknowledged, checked_rows, .. } = *self;
        let (seen, rows) = (seen.clone(), rows.clone());
        Self {
            base,
            seen,
            acknowledged,
            run_acknowledged,
            checked,
            rows,
            rows_acknowledged,
            checked_rows,
            ..Self::default()
        }
    }

    fn take(&mut self, line: &[u8]) {
        let Some(number) = sequence_of(line) else {
            self.violations.push(format!("an event without a sequence: {}", String::from_utf8_lossy(line)));
            return;
        };
        if is_row(line) {
            self.take_row(number, line);
        } else if number == self.last() + 1 {
            self.seen.push(line.into());
        } else if number > self.last() {
            self.violations.push(format!("event {number} was delivered first, and {} was due", self.last() + 1));
        } else if number <= self.base {
            self.violations.push(format!("event {number} lies before the sink's beginning, {}", self.base));
        } else {
            self.again += 1;
            let first = usize::try_from(number - self.base - 1).map_or(&[][..], |index| &*self.seen[index]);
            if first != line {
                let (first, line) = (String::from_utf8_lossy(first), String::from_utf8_lossy(line));
                self.violations.push(format!("event {number} came again with other bytes: {first} / {line}"));
            }
        }
    }
}

impl Consumer {
    fn take_row(&mut self, number: u64, line: &[u8]) {
        if number != self.base || !self.seen.is_empty() {
            let line = String::from_utf8_lossy(line);
            self.violations.push(format!("a snapshot at {}, after {} events: {line}", self.base, self.seen.len()));
        }
        match self.rows.iter().find(|row| subject_of(row) == subject_of(line)) {
            None => self.rows.push(line.into()),
            Some(first) if **first == *line => self.again += 1,
            Some(first) => {
                let (first, line) = (String::from_utf8_lossy(first), String::from_utf8_lossy(line));
                self.violations.push(format!("a snapshot came again with other bytes: {first} / {line}"));
            }
        }
    }
}

fn is_row(line: &[u8]) -> bool {
    text_of(line, r#""type":""#, 13) == Some("OrderSnapshot")
}

fn subject_of(line: &[u8]) -> Option<&str> {
    text_of(line, r#""subject":""#, 36)
}

fn text_of<'a>(line: &'a [u8], key: &str, len: usize) -> Option<&'a str> {
    let line = std::str::from_utf8(line).ok()?;
    let start = line.find(key)? + key.len();
    line.get(start..start + len)
}

fn sequence_of(line: &[u8]) -> Option<u64> {
    const KEY: &str = r#""sequence":""#;
    let line = std::str::from_utf8(line).ok()?;
    let start = line.find(KEY)? + KEY.len();
    line.get(start..start + 20)?.parse().ok()
}

/// The consumer, shared between the sink and who checks.
pub type SharedConsumer = Arc<Mutex<Consumer>>;

/// Looks at a consumer.
pub fn look(consumer: &SharedConsumer) -> MutexGuard<'_, Consumer> {
    consumer.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The sink of one run of the daemon.
pub struct SimSink {
    /// Who gets the events.
    pub consumer: SharedConsumer,
    /// What it does.
    pub fault_profile: FaultProfile,
    /// Decides when.
    pub rng: Rng,
    /// Loses its power now and then.
    pub disk: SimDisk,
    /// Goes on while the sink dawdles.
    pub clock: SimClock,
}

impl SimSink {
    fn fail(&self) -> SinkError {
        look(&self.consumer).failures += 1;
        SinkError {
            operation: "write",
            target: "sink".to_owned(),
            is_final: false,
            source: io::Error::other("not now"),
        }
    }
}

impl Sink for SimSink {
    fn deliver(&mut self, delivery: &Delivery<'_>) -> Result<(), SinkError> {
        let lines: Vec<&[u8]> = delivery.lines.split_inclusive(|byte| *byte == b'\n').collect();
        let span = delivery.last.0.saturating_sub(delivery.first.0) + 1;
        if lines.len() != delivery.events || span != lines.len() as u64 {
            let problem = format!("{} lines are called {} events, {span} numbers", lines.len(), delivery.events);
            look(&self.consumer).violations.push(problem);
        }
        let mut left = self.rng.below(100);
        let mut is = |percent: u64| {
            let drawn = left < percent;
            left = if drawn { u64::MAX } else { left - percent };
            drawn
        };
        let FaultProfile { refuses, takes_part, takes_all_and_fails, dawdles, sees_power_cut } = self.fault_profile;
        if is(refuses) {
            return Err(self.fail());
        }
        let part = is(takes_part).then(|| self.rng.index(lines.len()));
        let (fails, cut) = (is(takes_all_and_fails), is(sees_power_cut));
        if is(dawdles) {
            self.clock.wait(200_000);
        }
        {
            let mut consumer = look(&self.consumer);
            for line in lines.iter().take(part.unwrap_or(lines.len())) {
                consumer.take(line);
            }
            consumer.parts += u64::from(part.is_some());
        }
        if cut {
            self.disk.switch_off("delivery");
        }
        if part.is_some() || fails {
            return Err(self.fail());
        }
        let mut consumer = look(&self.consumer);
        if lines.first().is_some_and(|line| is_row(line)) {
            consumer.rows_acknowledged = consumer.rows_acknowledged.max(delivery.last.0);
        } else {
            consumer.acknowledged = consumer.acknowledged.max(delivery.last.0);
            consumer.run_acknowledged = delivery.last.0;
        }
        Ok(())
    }

    fn reopen(&mut self) {}
}
