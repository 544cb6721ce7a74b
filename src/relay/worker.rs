//! One sink's worker: reads durable events, delivers them, and remembers how far it came.

use std::sync::Arc;
use std::time::Duration;

use super::batch::Batch;
use super::control::{Control, Wait};
use super::cursor::{CursorFile, SaveError, SavedPosition};
use super::heartbeat::Heartbeat;
use super::progress::Progress;
use super::{Backoff, WorkerSettings};
use crate::contracts::{
    Clock, EventFeed, FeedError, FeedPosition, Sequence, Sink, SinkError, SinkMonitor, SinkState, SinkStatus,
};

/// Moves events from the outbox into one sink: at least once, in order, for as long as it takes.
///
/// Three positions never pass one another: saved, acknowledged, durable. A batch holds only what is durable, the
/// acknowledged position moves only when the sink has taken the whole batch, and only that position is saved.
pub struct Worker {
    name: String,
    drain_max: Duration,
    reader: Box<dyn EventFeed>,
    sink: Box<dyn Sink>,
    clock: Arc<dyn Clock>,
    monitor: Arc<SinkMonitor>,
    heartbeat: Arc<Heartbeat>,
    /// What the sink has not taken yet; the same bytes until it does.
    batch: Batch,
    /// How often the batch was offered.
    attempts: u64,
    /// After a failed delivery, when to try again.
    retry_at: Option<Duration>,
    backoff: Backoff,
    progress: Progress,
}

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A batch was delivered; there may be more.
    Delivered,
    /// Everything durable is delivered and saved: there is nothing to do until more is durable.
    Idle,
    /// Everything durable is delivered; at this time by the steady clock the cursor is to be saved.
    CursorDue(Duration),
    /// The sink or the cursor's file failed; before this time by the steady clock there is nothing to do.
    Retry(Duration),
}

/// Why a worker, and with it the daemon, cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The outbox is not what was written.
    #[error("the outbox is damaged: {0}")]
    Damaged(String),
    /// The outbox cannot be read.
    #[error("the outbox cannot be read: {0}")]
    Io(#[from] std::io::Error),
    /// It is not known how far the cursor is saved.
    #[error("the cursor cannot be saved: {0}")]
    Cursor(#[from] SaveError),
}

impl WorkerError {
    pub(super) fn out_of_order(expected: Sequence, found: Sequence) -> Self {
        Self::Damaged(format!("event {expected} should be next, and event {found} is"))
    }
}

impl From<FeedError> for WorkerError {
    fn from(error: FeedError) -> Self {
        match error {
            error @ (FeedError::Damaged(_) | FeedError::OtherHistory(_) | FeedError::NotHeld { .. }) => {
                Self::Damaged(error.to_string())
            }
            FeedError::Io(error) => Self::Io(error),
        }
    }
}

impl Worker {
    /// A worker that goes on where `cursor` says, and so does `reader`.
    ///
    /// # Errors
    /// [`WorkerError::Damaged`] if `reader` stands elsewhere.
    pub fn new(
        settings: &WorkerSettings,
        reader: Box<dyn EventFeed>,
        sink: Box<dyn Sink>,
        cursor: CursorFile,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, WorkerError> {
        let position = cursor.position();
        if reader.position().sequence != position.sequence {
            return Err(WorkerError::out_of_order(position.sequence, reader.position().sequence));
        }
        let mut status = SinkStatus::new(settings.name.clone(), settings.sink_type, position.sequence);
        status.lag_events = reader.durable_sequence().since(position.sequence);
        Ok(Self {
            name: settings.name.clone(),
            drain_max: settings.drain_max,
            reader,
            sink,
            clock,
            monitor: Arc::new(SinkMonitor::new(status)),
            heartbeat: Arc::default(),
            batch: Batch::new(settings.batch_events_max, settings.batch_bytes_max, position),
            attempts: 0,
            retry_at: None,
            backoff: Backoff::new(settings.backoff_min, settings.backoff_max, settings.backoff_seed),
            progress: Progress::new(cursor, settings),
        })
    }

    /// The sink's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The last event that the sink acknowledged.
    #[must_use]
    pub const fn position(&self) -> FeedPosition {
        self.progress.position()
    }

    /// What `daemon.status` shows of this sink.
    #[must_use]
    pub fn monitor(&self) -> Arc<SinkMonitor> {
        Arc::clone(&self.monitor)
    }

    /// What a watchdog looks at.
    #[must_use]
    pub fn heartbeat(&self) -> Arc<Heartbeat> {
        Arc::clone(&self.heartbeat)
    }

    /// What retention must keep for this sink.
    #[must_use]
    pub fn saved(&self) -> Arc<SavedPosition> {
        self.progress.cursor().saved()
    }

    /// Works until it is told to stop, then saves the cursor. This is all that the worker's thread does.
    ///
    /// # Errors
    /// The daemon must end: see [`WorkerError`].
    pub fn run(mut self, control: &Control) -> Result<(), WorkerError> {
        let ended = self.work(control).and_then(|()| self.save());
        self.heartbeat.set_waiting(true);
        self.monitor.update(|status| {
            status.state = SinkState::Stopped;
            if let Err(error) = &ended {
                status.last_error = Some(error.to_string());
            }
        });
        ended
    }

    fn work(&mut self, control: &Control) -> Result<(), WorkerError> {
        let mut drain_until = None;
        loop {
            if control.take_reopen() {
                self.reopen();
            }
            // Asked before the step, so that the step sees all that was durable when stop was called.
            let stopping = control.stop_requested();
            let step = self.step()?;
            let now = self.clock.monotonic();
            let until = if stopping { *drain_until.get_or_insert(now.saturating_add(self.drain_max)) } else { now };
            let wait = match step {
                Step::Delivered if !stopping || now < until => continue,
                Step::Delivered | Step::Idle | Step::CursorDue(_) | Step::Retry(_) if stopping => return Ok(()),
                Step::Delivered | Step::Idle => Wait::Signal,
                Step::CursorDue(at) => Wait::SignalOr(at.saturating_sub(now)),
                Step::Retry(at) => Wait::Pause(at.saturating_sub(now)),
            };
            self.heartbeat.set_waiting(true);
            control.wait(wait);
            self.heartbeat.set_waiting(false);
        }
    }

    /// Has the sink open its target anew, and does not wait any longer if the last attempt had failed.
    pub fn reopen(&mut self) {
        self.sink.reopen();
        self.retry_at = None;
    }

    /// Does the next thing there is to do. Waits for nothing but the sink and the disk.
    ///
    /// # Errors
    /// The worker cannot go on: see [`WorkerError`].
    pub fn step(&mut self) -> Result<Step, WorkerError> {
        self.heartbeat.beat();
        let now = self.clock.monotonic();
        if self.progress.is_due(now)
            && let Some(at) = self.save_or_pause(now)?
        {
            return Ok(Step::Retry(at));
        }
        if let Some(at) = self.retry_at.filter(|at| now < *at) {
            return Ok(Step::Retry(self.progress.due_at().map_or(at, |due_at| at.min(due_at))));
        }
        if self.batch.is_empty() {
            self.batch.refill(&mut *self.reader)?;
        }
        if self.batch.is_empty() {
            return Ok(self.rest());
        }
        self.deliver()
    }

    /// Saves the cursor, if it does not say all that was acknowledged.
    ///
    /// # Errors
    /// [`WorkerError::Cursor`].
    pub fn save(&mut self) -> Result<(), WorkerError> {
        let now = self.clock.monotonic();
        Ok(self.progress.save(now)?)
    }

    /// Saves the cursor; if that fails in a way that can be tried again, the time at which to do so. Until it
    /// succeeds nothing more is delivered: what a crash makes us deliver again must stay within its bound.
    fn save_or_pause(&mut self, now: Duration) -> Result<Option<Duration>, WorkerError> {
        if let Some(at) = self.progress.blocked_until(now) {
            return Ok(Some(at));
        }
        match self.progress.save(now) {
            Ok(()) => Ok(None),
            Err(error @ SaveError::Sync { .. }) => Err(error.into()),
            Err(error @ SaveError::Write { .. }) => {
                tracing::warn!(sink = self.name, %error, "the cursor cannot be saved; deliveries wait for it");
                self.monitor.update(|status| {
                    status.state = SinkState::Retrying;
                    status.last_error = Some(error.to_string());
                });
                Ok(self.progress.blocked_until(now).or(Some(now)))
            }
        }
    }

    fn rest(&mut self) -> Step {
        self.monitor.update(|status| {
            status.state = SinkState::Idle;
            status.lag_events = 0;
            status.lag_ms = 0;
            status.last_error = None;
        });
        self.progress.due_at().map_or(Step::Idle, Step::CursorDue)
    }

    fn deliver(&mut self) -> Result<Step, WorkerError> {
        self.attempts += 1;
        let attempts = self.attempts;
        let (oldest, durable) = (self.batch.oldest(), self.reader.durable_sequence());
        self.monitor.update_pending(oldest, |status| {
            status.state = SinkState::Delivering;
            status.attempts = attempts;
            status.lag_events = durable.since(status.acked_sequence);
        });
        self.heartbeat.set_in_delivery(true);
        let delivered = self.sink.deliver(&self.batch.delivery());
        self.heartbeat.set_in_delivery(false);
        match delivered {
            Ok(()) => self.acknowledge(),
            Err(error) => Ok(self.schedule_retry(&error)),
        }
    }

    /// The order matters: first the sink took the batch, then our position moves, then the cursor may follow.
    fn acknowledge(&mut self) -> Result<Step, WorkerError> {
        let now = self.clock.monotonic();
        let end = self.batch.end();
        self.progress.advance(end, self.batch.events() as u64, now);
        if self.attempts > 1 {
            tracing::info!(sink = self.name, attempts = self.attempts, last = %end.sequence, "the sink takes events again");
            self.backoff.reset();
        }
        self.batch.clear();
        (self.attempts, self.retry_at) = (0, None);
        let durable = self.reader.durable_sequence();
        self.monitor.update(|status| {
            status.acked_sequence = end.sequence;
            status.lag_events = durable.since(end.sequence);
            status.attempts = 0;
            status.last_error = None;
        });
        if self.progress.is_due(now)
            && let Some(at) = self.save_or_pause(now)?
        {
            return Ok(Step::Retry(at));
        }
        Ok(Step::Delivered)
    }

    fn schedule_retry(&mut self, error: &SinkError) -> Step {
        let now = self.clock.monotonic();
        let at = now.saturating_add(self.backoff.next_wait());
        self.retry_at = Some(at);
        let (attempts, delivery) = (self.attempts, self.batch.delivery());
        let (first, last) = (delivery.first, delivery.last);
        if attempts == 1 {
            tracing::warn!(sink = self.name, %error, %first, %last, "the sink does not take events; trying until it does");
        } else {
            tracing::debug!(sink = self.name, %error, attempts, "the sink still does not take events");
        }
        self.monitor.update(|status| {
            status.state = SinkState::Retrying;
            status.last_error = Some(error.to_string());
        });
        Step::Retry(self.progress.due_at().map_or(at, |due_at| at.min(due_at)))
    }
}

#[cfg(test)]
#[path = "worker_test.rs"]
mod tests;
