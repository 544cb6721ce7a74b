//! What a worker shows of itself, and what it does when something fails.

use std::time::Duration;

use super::stream::LineStream;
use crate::contracts::{Ahead, FailureOutcome, FeedError, ProgressError, SinkError, SinkState};
use crate::relay::{Step, WorkerError};

impl LineStream {
    /// Saves the cursor; if that fails in a way that can be tried again, the time at which to do so. Until it
    /// succeeds nothing more is delivered: what a crash makes us deliver again must stay within its bound.
    pub(super) fn save_or_pause(&mut self, now: Duration) -> Result<Option<Duration>, WorkerError> {
        if let Some(at) = self.progress.blocked_until(now) {
            return Ok(Some(at));
        }
        let began = self.clock.monotonic();
        let saved = self.progress.save(now);
        self.monitor.metrics().cursor_save_duration.record_duration(self.clock.monotonic().saturating_sub(began));
        match saved {
            Ok(()) => Ok(None),
            Err(error @ (ProgressError::Unknown(_) | ProgressError::Deposed(_))) => Err(error.into()),
            Err(error @ ProgressError::TryAgain(_)) => {
                tracing::warn!(sink = self.name, %error, "the cursor cannot be saved; deliveries wait for it");
                self.show_error(SinkState::Retrying, error.to_string());
                Ok(self.progress.blocked_until(now).or(Some(now)))
            }
        }
    }

    pub(super) fn schedule_retry(&mut self, error: SinkError) -> Result<Step, WorkerError> {
        if error.is_final {
            return Err(error.into());
        }
        let now = self.clock.monotonic();
        let at = now.saturating_add(self.backoff.next_wait());
        self.retry_at = Some(at);
        if self.failures == 0 {
            tracing::warn!(sink = self.name, %error, "the sink does not take events; trying until it does");
        } else {
            tracing::debug!(sink = self.name, %error, failures = self.failures, "the sink still does not take events");
        }
        self.failures += 1;
        let failures = self.failures;
        self.shared.note_failure(self.clock.now(), self.first_in_batch(), failures, &error.to_string());
        self.monitor.note_failure(FailureOutcome::Failed);
        self.monitor.update(|status| status.attempts = failures);
        self.show_error(SinkState::Retrying, error.to_string());
        Ok(self.retry_or_due(at))
    }

    /// What there is to deliver cannot be read: this sink waits until an operator skips it, or it can be read again.
    pub(super) fn block(&mut self, error: &FeedError, now: Duration) -> Step {
        let at = now.saturating_add(self.backoff_max);
        self.retry_at = Some(at);
        tracing::error!(sink = self.name, %error, "what the sink has to deliver cannot be read; it waits");
        self.source.close();
        self.show_error(SinkState::Blocked, error.to_string());
        self.retry_or_due(at)
    }

    /// Everything durable was delivered.
    pub(super) fn rest(&mut self, now: Duration) -> Step {
        let end = self.source.position();
        // Plans without events followed: the cursor need not keep the journal from before them.
        if self.progress.pass(end, now) {
            self.batch.restart(end);
            self.set_delivered(end);
        }
        self.monitor.update(|status| {
            status.state = SinkState::Idle;
            status.lag_ms = 0;
            status.attempts = 0;
            status.last_error = None;
        });
        self.failures = 0;
        self.note_progress();
        self.due_at().map_or(Step::Idle, Step::CursorDue)
    }

    pub(super) fn show_state(&self, state: SinkState) {
        self.monitor.update(|status| status.state = state);
    }

    fn show_error(&self, state: SinkState, error: String) {
        self.monitor.update(|status| {
            status.state = state;
            status.last_error = Some(error);
        });
    }

    pub(super) fn show_acknowledged(&self) {
        let acknowledged = self.position().sequence;
        self.shared.acknowledge(acknowledged, self.snapshot_left());
        self.monitor.update(|status| status.acked_sequence = acknowledged);
        self.note_progress();
    }

    fn note_progress(&self) {
        let ahead = Ahead { settled: 0, snapshot_left: self.snapshot_left() };
        self.monitor.note_progress(self.clock.now(), self.source.durable_sequence(), ahead);
    }
}
