//! What each part of the daemon writes.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Counter, Gauge, Histogram};

/// The executor's.
#[derive(Debug)]
pub struct ExecutorMetrics {
    /// From the first decision of a batch until it is durable.
    pub commit_duration: Histogram,
    /// Requests of a batch.
    pub batch_commands: Histogram,
}

impl Default for ExecutorMetrics {
    fn default() -> Self {
        Self { commit_duration: Histogram::durations(), batch_commands: Histogram::counts() }
    }
}

/// The journal writer's.
#[derive(Debug)]
pub struct JournalMetrics {
    /// How long fdatasync took.
    pub sync_duration: Histogram,
    /// Bytes appended.
    pub appended_bytes: Counter,
}

impl Default for JournalMetrics {
    fn default() -> Self {
        Self { sync_duration: Histogram::durations(), appended_bytes: Counter::default() }
    }
}

/// Maintenance's.
#[derive(Debug)]
pub struct CheckpointMetrics {
    /// When the last checkpoint was complete: seconds of the monotonic clock that starts with the process; 0 for none.
    pub completed_at_s: Gauge,
    /// How long a checkpoint took, rests included.
    pub duration: Histogram,
    /// What the last one takes on the disk.
    pub bytes: Gauge,
    /// Checkpoints that could not be written.
    pub failures: Counter,
    /// Why the last attempt failed; nothing once a later one succeeded.
    last_error: Mutex<Option<String>>,
}

impl Default for CheckpointMetrics {
    fn default() -> Self {
        Self {
            completed_at_s: Gauge::default(),
            duration: Histogram::durations(),
            bytes: Gauge::default(),
            failures: Counter::default(),
            last_error: Mutex::default(),
        }
    }
}

impl CheckpointMetrics {
    /// Notes that a checkpoint failed.
    pub fn failed(&self, error: &dyn std::fmt::Display) {
        self.failures.add(1);
        *self.error() = Some(error.to_string());
    }

    /// Notes that a checkpoint succeeded.
    pub fn succeeded(&self) {
        *self.error() = None;
    }

    /// Why the last attempt failed, if it did.
    #[must_use]
    pub fn last_error(&self) -> Option<String> {
        self.error().clone()
    }

    fn error(&self) -> MutexGuard<'_, Option<String>> {
        self.last_error.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The log's.
#[derive(Debug, Default)]
pub struct LogMetrics {
    /// Lines that were dropped because standard error took none.
    pub dropped_lines: Counter,
}

/// A sink's worker's. What `daemon.status` shows of the sink is not repeated here.
#[derive(Debug)]
pub struct SinkMetrics {
    /// Attempts that failed and are tried again.
    pub failed: Counter,
    /// Events that the target will never take.
    pub rejected: Counter,
    /// Times that the target as a whole was away or refused everything.
    pub unavailable: Counter,
    /// Programs that went away, or were closed, with events unanswered.
    pub detached: Counter,
    /// When an event was last acknowledged, in milliseconds since 1970; 0 for never since the start.
    pub acknowledged_at_ms: Gauge,
    /// From handing out to the answer: of a file, how long a write took.
    pub delivery_duration: Histogram,
    /// From an event's time until it was acknowledged.
    pub ack_delay: Histogram,
    /// How long saving the cursor took.
    pub cursor_save_duration: Histogram,
    /// Parked lanes.
    pub lanes: LaneGauges,
}

/// Parked lanes by state.
#[derive(Debug, Default)]
pub struct LaneGauges {
    /// Tried again by themselves.
    pub retrying: Gauge,
    /// Wait for an operator, because the target will never take them.
    pub rejected: Gauge,
    /// Parked by hand.
    pub held: Gauge,
    /// Handed out again.
    pub requeued: Gauge,
}

impl Default for SinkMetrics {
    fn default() -> Self {
        Self {
            failed: Counter::default(),
            rejected: Counter::default(),
            unavailable: Counter::default(),
            detached: Counter::default(),
            acknowledged_at_ms: Gauge::default(),
            delivery_duration: Histogram::durations(),
            ack_delay: Histogram::durations(),
            cursor_save_duration: Histogram::durations(),
            lanes: LaneGauges::default(),
        }
    }
}
