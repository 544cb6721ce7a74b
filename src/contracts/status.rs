//! How the daemon's parts are: what `daemon.status` shows.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::throughput::{Sample, Throughput};
use super::{FailureOutcome, LaneState, Lsn, Sequence, SinkType};
use crate::domain::Timestamp;
use crate::telemetry::SinkMetrics;

/// How the store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreStatus {
    /// Whether it takes plans.
    pub condition: StoreCondition,
    /// The journal.
    pub journal: JournalStatus,
    /// How many orders there are.
    pub orders_count: u64,
    /// The last event's number.
    pub last_sequence: Sequence,
}

/// Whether the store takes plans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreCondition {
    /// It does.
    Ready,
    /// There is no room for new ones.
    Full,
    /// It does not answer.
    Unavailable,
}

impl StoreCondition {
    /// Of a store that always answers.
    #[must_use]
    pub const fn of(full: bool) -> Self {
        if full { Self::Full } else { Self::Ready }
    }
}

/// How the journal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct JournalStatus {
    /// The last plan that is durable.
    pub durable_lsn: Lsn,
    /// The plan up to which the newest checkpoint holds everything.
    pub checkpoint_lsn: Lsn,
    /// What its files take on the disk.
    pub bytes: u64,
    /// How many files it has.
    pub segments: usize,
}

/// What a sink's worker is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SinkState {
    /// Nothing to deliver.
    Idle,
    /// Events are being delivered.
    Delivering,
    /// The target does not answer; waiting to try again.
    Retrying,
    /// No program is attached.
    Waiting,
    /// The target refuses everything, or what there is to deliver cannot be read: an operator has to mend it.
    Blocked,
    /// Too much is parked.
    Halted,
    /// An operator has paused it.
    Paused,
    /// The worker has ended.
    Stopped,
}

impl SinkState {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Idle,
        Self::Delivering,
        Self::Retrying,
        Self::Waiting,
        Self::Blocked,
        Self::Halted,
        Self::Paused,
        Self::Stopped,
    ];

    /// As it is shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Delivering => "delivering",
            Self::Retrying => "retrying",
            Self::Waiting => "waiting",
            Self::Blocked => "blocked",
            Self::Halted => "halted",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
        }
    }

    /// What a sink with `lag_events` unsettled events is at: a worker that rests until they are acknowledged, or has not
    /// heard of them yet, is not idle.
    const fn with_lag(self, lag_events: u64) -> Self {
        match self {
            Self::Idle if lag_events > 0 => Self::Delivering,
            Self::Idle
            | Self::Delivering
            | Self::Retrying
            | Self::Waiting
            | Self::Blocked
            | Self::Halted
            | Self::Paused
            | Self::Stopped => self,
        }
    }
}

/// How a sink is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SinkStatus {
    /// Its name in the configuration.
    pub name: String,
    /// What it is.
    #[serde(rename = "type")]
    pub sink_type: SinkType,
    /// What its worker is doing.
    pub state: SinkState,
    /// Every event up to this one is delivered, parked or skipped.
    pub acked_sequence: Sequence,
    /// How many durable events are not settled.
    pub lag_events: u64,
    /// How old the oldest of them is, in milliseconds.
    pub lag_ms: u64,
    /// The sink's failures in a row.
    pub attempts: u64,
    /// Why the last attempt failed; null once a later one succeeded.
    pub last_error: Option<String>,
    /// Events handed out and not answered.
    pub in_flight: u64,
    /// Orders that have a parked lane.
    pub parked_lanes: u64,
    /// Events in parked lanes.
    pub parked_events: u64,
    /// Events delivered since the daemon's start.
    pub delivered_total: u64,
    /// Events delivered per second, over the last minute.
    pub rate_events_per_s: f64,
    /// Milliseconds until nothing waits; null unless the lag shrinks.
    pub eta_ms: Option<u64>,
    /// The program that is attached; null for none.
    pub attached: Option<Box<str>>,
}

impl SinkStatus {
    /// A sink that has just been opened.
    #[must_use]
    pub const fn new(name: String, sink_type: SinkType, acked_sequence: Sequence) -> Self {
        Self {
            name,
            sink_type,
            state: SinkState::Idle,
            acked_sequence,
            lag_events: 0,
            lag_ms: 0,
            attempts: 0,
            last_error: None,
            in_flight: 0,
            parked_lanes: 0,
            parked_events: 0,
            delivered_total: 0,
            rate_events_per_s: 0.0,
            eta_ms: None,
            attached: None,
        }
    }
}

/// A sink's status, written by its worker and read by whoever shows it.
#[derive(Debug)]
pub struct SinkMonitor {
    shown: Mutex<Shown>,
    metrics: SinkMetrics,
}

#[derive(Debug)]
struct Shown {
    status: SinkStatus,
    /// When the oldest event that is not settled happened, as far as the worker has seen.
    oldest_pending: Option<Timestamp>,
    ahead: Ahead,
    /// `delivered_total` when progress was last noted.
    delivered_noted: u64,
    throughput: Throughput,
}

/// What the lag has to take into account beside `acked_sequence`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ahead {
    /// Settled events after `acked_sequence`.
    pub settled: u64,
    /// Orders of a snapshot that are not settled: they come before everything after `acked_sequence`.
    pub snapshot_left: u64,
}

impl Shown {
    fn sample(&self, now: Timestamp, last: Sequence) -> Sample {
        let Ahead { settled, snapshot_left } = self.ahead;
        let lag = last.since(self.status.acked_sequence).saturating_sub(settled).saturating_add(snapshot_left);
        Sample { at: now, delivered: self.status.delivered_total, lag, last }
    }
}

impl SinkMonitor {
    /// A monitor that shows `status` until it is updated.
    #[must_use]
    pub fn new(status: SinkStatus) -> Self {
        let throughput = Throughput::default();
        let shown = Shown { status, oldest_pending: None, ahead: Ahead::default(), delivered_noted: 0, throughput };
        Self { shown: Mutex::new(shown), metrics: SinkMetrics::default() }
    }

    /// What the worker counts and measures.
    #[must_use]
    pub const fn metrics(&self) -> &SinkMetrics {
        &self.metrics
    }

    /// Changes what is shown.
    pub fn update(&self, change: impl FnOnce(&mut SinkStatus)) {
        change(&mut self.locked().status);
    }

    /// Changes what is shown, and notes when the oldest event that is not settled happened.
    pub fn update_pending(&self, oldest_pending: Option<Timestamp>, change: impl FnOnce(&mut SinkStatus)) {
        let mut shown = self.locked();
        shown.oldest_pending = oldest_pending;
        change(&mut shown.status);
    }

    /// Notes what the lag takes into account, and what the average of the last minute needs. Called with each round of a
    /// worker; `last_sequence` is durable.
    pub fn note_progress(&self, now: Timestamp, last_sequence: Sequence, ahead: Ahead) {
        let mut shown = self.locked();
        shown.ahead = ahead;
        let delivered_total = shown.status.delivered_total;
        if std::mem::replace(&mut shown.delivered_noted, delivered_total) < delivered_total {
            self.metrics.acknowledged_at_ms.set(u64::try_from(now.micros() / 1000).unwrap_or(0));
        }
        let sample = shown.sample(now, last_sequence);
        shown.throughput.note(sample);
    }

    /// Notes that `count` events that happened at `time`, or not long after, are acknowledged at `now`.
    pub fn note_acknowledged(&self, time: Timestamp, count: u64, now: Timestamp) {
        let micros = u64::try_from(now.micros().saturating_sub(time.micros())).unwrap_or(0);
        self.metrics.ack_delay.record_many(micros, count);
    }

    /// Notes how many lanes are parked, by state.
    pub fn note_lanes(&self, count: impl Fn(LaneState) -> u64) {
        let lanes = &self.metrics.lanes;
        lanes.retrying.set(count(LaneState::Retrying));
        lanes.rejected.set(count(LaneState::Rejected));
        lanes.held.set(count(LaneState::Held));
        lanes.requeued.set(count(LaneState::Requeued));
    }

    /// Counts an attempt that did not deliver.
    pub fn note_failure(&self, outcome: FailureOutcome) {
        let metrics = &self.metrics;
        let counter = match outcome {
            FailureOutcome::Failed => &metrics.failed,
            FailureOutcome::Rejected => &metrics.rejected,
            FailureOutcome::Unavailable | FailureOutcome::Blocked => &metrics.unavailable,
            FailureOutcome::Detached => &metrics.detached,
        };
        counter.add(1);
    }

    /// What the worker wrote last.
    #[must_use]
    pub fn read(&self) -> SinkStatus {
        self.locked().status.clone()
    }

    /// What the worker wrote last, with lag and rate as they are at `now`, when `last_sequence` is durable: a worker
    /// that waits for its sink does not wake up to count.
    #[must_use]
    pub fn read_at(&self, now: Timestamp, last_sequence: Sequence) -> SinkStatus {
        let mut shown = self.locked();
        let sample = shown.sample(now, last_sequence);
        shown.throughput.note(sample);
        let lag_events = sample.lag;
        let oldest_pending = shown.oldest_pending.filter(|_| lag_events > 0);
        let lag_ms = oldest_pending.map_or(0, |oldest| now.millis_since(oldest));
        let rate_events_per_s = shown.throughput.rate_events_per_s(sample);
        let eta_ms = shown.throughput.eta_ms(sample);
        let state = shown.status.state.with_lag(lag_events);
        SinkStatus { state, lag_events, lag_ms, rate_events_per_s, eta_ms, ..shown.status.clone() }
    }

    fn locked(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
