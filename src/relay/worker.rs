//! One worker of a `file` or `stdout` sink: reads durable events, delivers them, and remembers how far it came.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::batch::Batch;
use super::control::{Control, Wait};
use super::file_replays::FileReplays;
use super::heartbeat::Heartbeat;
use super::inbox::Orders;
use super::progress::{LinesProgress, deposed};
use super::rate::Rate;
use super::snapshot::SnapshotFeed;
use super::source::Source;
use super::worker_view::Shared;
use super::{Backoff, Seat, WorkerPorts, WorkerSettings};
use crate::contracts::{
    Clock, DecisionInbox, FeedPosition, Progress, ProgressError, Sink, SinkError, SinkMonitor, SinkRecord, SinkState,
    SinkStatus, SinkView,
};
use crate::domain::Timestamp;

/// Moves events from the outbox into one sink: at least once, in order, for as long as it takes.
///
/// Four positions never pass one another: saved, acknowledged, delivered, durable. A batch holds only what is durable,
/// the acknowledged position moves only when the sink has taken responsibility, and only that position is saved.
pub struct Worker {
    pub(super) name: String,
    drain_max: Duration,
    cursor_delay_max: Duration,
    pub(super) backoff_max: Duration,
    pub(super) source: Source,
    /// Wakes this worker, once it runs.
    wake: Arc<OnceLock<Arc<Control>>>,
    /// That the snapshot is over is decided, or on the way.
    pub(super) snapshot_ending: bool,
    pub(super) sink: Box<dyn Sink>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) monitor: Arc<SinkMonitor>,
    pub(super) heartbeat: Arc<Heartbeat>,
    pub(super) shared: Arc<Shared>,
    pub(super) orders: Orders,
    /// What the sink has not taken yet; the same bytes until it does.
    pub(super) batch: Batch,
    /// The last event that was delivered, and when the first one was that is not acknowledged.
    pub(super) delivered: FeedPosition,
    pub(super) delivered_events: u64,
    /// When the first of them happened.
    pub(super) delivered_oldest: Option<Timestamp>,
    pub(super) delivered_since: Option<Duration>,
    /// Whether the target may hold events after the acknowledged ones already.
    pub(super) resuming: bool,
    /// Failures in a row.
    pub(super) failures: u64,
    /// After a failed delivery, when to try again.
    pub(super) retry_at: Option<Duration>,
    pub(super) backoff: Backoff,
    pub(super) progress: LinesProgress,
    pub(super) rate: Rate,
    pub(super) replays: FileReplays,
}

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A batch was delivered; there may be more.
    Delivered,
    /// Everything durable is delivered and saved, or the sink is paused: there is nothing to do until somebody signals.
    Idle,
    /// Everything durable is delivered; at this time by the steady clock the cursor is to be saved.
    CursorDue(Duration),
    /// The sink, the outbox or the cursor's file failed; before this time by the steady clock there is nothing to do.
    Retry(Duration),
}

impl Step {
    /// What comes next where both of two streams step side by side.
    pub(super) fn beside(self, other: Self) -> Self {
        let at = match other {
            Self::Delivered => return Self::Delivered,
            Self::Idle => return self,
            Self::CursorDue(at) | Self::Retry(at) => at,
        };
        match self {
            Self::Delivered => Self::Delivered,
            Self::Idle => Self::CursorDue(at),
            Self::CursorDue(own) => Self::CursorDue(own.min(at)),
            Self::Retry(own) => Self::Retry(own.min(at)),
        }
    }
}

/// Why a worker, and with it the daemon, cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The outbox is not what was written.
    #[error("the outbox is damaged: {0}")]
    Damaged(String),
    /// A call to the OS failed.
    #[error("the outbox cannot be read: {0}")]
    Io(#[from] std::io::Error),
    /// It is not known how far the cursor is saved, or another relay has the sink by now.
    #[error("the cursor cannot be saved: {0}")]
    Cursor(#[from] ProgressError),
    /// The target is gone for good.
    #[error("the sink cannot go on: {0}")]
    Target(#[from] SinkError),
}

impl Worker {
    /// A worker that goes on from what is recorded of its sink, and from its progress.
    #[must_use]
    pub fn new(
        settings: &WorkerSettings,
        ports: WorkerPorts,
        sink: Box<dyn Sink>,
        progress: Box<dyn Progress>,
        record: Option<&SinkRecord>,
    ) -> Self {
        let WorkerPorts { history, clock, .. } = ports.clone();
        let wake = Arc::<OnceLock<Arc<Control>>>::default();
        let source = Source::new(&ports, progress.as_ref(), record, &wake);
        let (position, stream_position) = (progress.position(), source.position());
        let progress = LinesProgress::new(progress, settings);
        let progress = if source.snapshot().is_some() { progress.in_snapshot(stream_position) } else { progress };
        let mut status = SinkStatus::new(settings.name.clone(), settings.sink_type, position.sequence);
        status.lag_events = history.last_sequence().since(position.sequence);
        let rate = Rate::new(settings.rate_events_per_s_max);
        let batch_events_max = rate.events_at_once().and_then(|events| usize::try_from(events).ok());
        let batch_events_max =
            batch_events_max.map_or(settings.batch_events_max, |most| most.min(settings.batch_events_max));
        let mut worker = Self {
            name: settings.name.clone(),
            drain_max: settings.drain_max,
            cursor_delay_max: settings.cursor_delay_max,
            backoff_max: settings.backoff_max,
            source,
            wake,
            snapshot_ending: false,
            sink,
            monitor: Arc::new(SinkMonitor::new(status)),
            heartbeat: Arc::default(),
            shared: Arc::new(Shared::new(position.sequence, settings.failures_listed_max)),
            orders: Orders::new(record),
            batch: Batch::new(batch_events_max, settings.batch_bytes_max, stream_position),
            delivered: stream_position,
            delivered_events: 0,
            delivered_oldest: None,
            delivered_since: None,
            resuming: false,
            failures: 0,
            retry_at: None,
            backoff: Backoff::new(settings.backoff_min, settings.backoff_max, settings.backoff_seed),
            progress,
            rate,
            replays: FileReplays::new(settings, ports),
            clock,
        };
        worker.show_acknowledged();
        worker.restart_replays(record);
        worker
    }

    /// The sink's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
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

    /// What only this worker knows.
    #[must_use]
    pub fn view(&self) -> Arc<dyn SinkView> {
        Arc::clone(&self.shared) as Arc<dyn SinkView>
    }

    /// Where durable decisions about this sink are put; `control` wakes the worker then.
    #[must_use]
    pub fn inbox(&self, control: &Arc<Control>) -> Arc<DecisionInbox> {
        self.wake.get_or_init(|| Arc::clone(control));
        self.orders.inbox(control)
    }

    /// Takes a seat: from now on it is reached there.
    pub fn take_seat(&mut self, seat: &Seat) {
        let status = self.monitor.read();
        seat.monitor.update(|shown| *shown = status);
        (self.monitor, self.heartbeat) = (Arc::clone(&seat.monitor), Arc::clone(&seat.heartbeat));
        self.orders.set_inbox(Arc::clone(&seat.inbox));
        seat.view.set_worker(Some(self.view()));
    }

    /// Works until it is told to stop, then saves the cursor. This is all that the worker's thread does.
    ///
    /// # Errors
    /// The daemon must end: see [`WorkerError`].
    pub fn run(mut self, control: &Control) -> Result<(), WorkerError> {
        let ended = self.work(control).and_then(|()| self.save()).and_then(|()| self.replays.save());
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
                self.reopen()?;
            }
            // Asked before the step, so that the step sees all that was durable when stop was called.
            let stopping = control.stop_requested();
            let step = if stopping { self.step_live()? } else { self.step()? };
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

    /// Has the sink open its target again, and does not wait any longer if the last attempt had failed. What was
    /// delivered before is acknowledged and saved first: the next target cannot tell.
    ///
    /// # Errors
    /// [`WorkerError`].
    pub fn reopen(&mut self) -> Result<(), WorkerError> {
        self.replays.reopen()?;
        let now = self.clock.monotonic();
        self.acknowledge(now)?;
        self.save_or_pause(now)?;
        self.sink.reopen();
        self.retry_at = None;
        self.open(now)?;
        Ok(())
    }

    /// Does the next thing there is to do, for the live events and for each replay. Waits for nothing but the sink and
    /// the disk.
    ///
    /// # Errors
    /// The worker cannot go on: see [`WorkerError`].
    pub fn step(&mut self) -> Result<Step, WorkerError> {
        let live = self.step_live()?;
        Ok(match self.step_replays()? {
            Some(replays) => live.beside(replays),
            None => live,
        })
    }

    pub(super) fn step_live(&mut self) -> Result<Step, WorkerError> {
        self.heartbeat.beat();
        let now = self.clock.monotonic();
        if !self.progress.is_held(now) {
            return Err(deposed(&self.name).into());
        }
        self.hear(now);
        if self.delivered_since.is_some_and(|since| now.saturating_sub(since) >= self.cursor_delay_max) {
            self.acknowledge(now)?;
        }
        if self.progress.is_due(now)
            && let Some(at) = self.save_or_pause(now)?
        {
            return Ok(Step::Retry(at));
        }
        if self.orders.is_paused() {
            self.show_state(SinkState::Paused);
            return Ok(self.due_at().map_or(Step::Idle, Step::CursorDue));
        }
        if let Some(at) = self.retry_at.filter(|at| now < *at) {
            return Ok(self.retry_or_due(at));
        }
        if let Some(failed) = self.open(now)? {
            return Ok(failed);
        }
        if self.batch.is_empty()
            && let Err(error) = self.source.refill(&mut self.batch)
        {
            return Ok(self.block(&error, now));
        }
        if self.batch.is_empty() && self.batch.end() != self.delivered {
            // All that was read is left out of a replay.
            return self.note_delivered(now);
        }
        if self.batch.is_empty() {
            if let Some(rows) = self.source.snapshot().map(SnapshotFeed::orders) {
                return self.rest_in_snapshot(rows, now);
            }
            self.resuming = false;
            return Ok(self.rest());
        }
        if self.resuming {
            return self.resume(now);
        }
        if let Some(at) = self.rate.wait_until(now) {
            return Ok(self.retry_or_due(at));
        }
        self.deliver()
    }

    /// Acknowledges what was delivered and saves the cursor, if it does not say all of it.
    ///
    /// # Errors
    /// [`WorkerError`].
    pub fn save(&mut self) -> Result<(), WorkerError> {
        let now = self.clock.monotonic();
        self.acknowledge(now)?;
        Ok(self.progress.save(now)?)
    }

    /// When something is to be acknowledged or saved.
    pub(super) fn due_at(&self) -> Option<Duration> {
        let sync_at = self.delivered_since.map(|since| since.saturating_add(self.cursor_delay_max));
        [sync_at, self.progress.due_at()].into_iter().flatten().min()
    }

    pub(super) fn retry_or_due(&self, at: Duration) -> Step {
        Step::Retry(self.due_at().map_or(at, |due_at| at.min(due_at)))
    }

    fn deliver(&mut self) -> Result<Step, WorkerError> {
        let oldest = self.batch.oldest();
        self.monitor.update_pending(oldest, |status| status.state = SinkState::Delivering);
        self.heartbeat.set_in_delivery(true);
        let began = self.clock.monotonic();
        let delivered = self.sink.deliver(&self.batch.delivery());
        let took = self.clock.monotonic().saturating_sub(began);
        self.monitor.metrics().delivery_duration.record_duration(took);
        self.heartbeat.set_in_delivery(false);
        match delivered {
            Ok(()) => {
                let now = self.clock.monotonic();
                if self.failures > 0 {
                    tracing::info!(sink = self.name, failures = self.failures, "the sink takes events again");
                }
                let events = self.batch.events() as u64;
                self.rate.count(events, now);
                self.monitor.update(|status| {
                    status.delivered_total = status.delivered_total.saturating_add(events);
                    status.attempts = 0;
                    status.last_error = None;
                });
                self.note_delivered(now)
            }
            Err(error) => self.schedule_retry(error),
        }
    }

    /// The order matters: first the sink took the batch, then our position moves, then the cursor may follow.
    pub(super) fn note_delivered(&mut self, now: Duration) -> Result<Step, WorkerError> {
        self.delivered = self.batch.end();
        if self.delivered_events == 0 {
            self.delivered_oldest = self.batch.oldest();
        }
        self.delivered_events += self.batch.events() as u64;
        self.batch.clear();
        (self.failures, self.retry_at) = (0, None);
        self.backoff.reset();
        if self.sink.acknowledges_deliveries() {
            self.acknowledge(now)?;
        } else {
            self.delivered_since = self.delivered_since.or(Some(now));
        }
        if self.progress.is_due(now)
            && let Some(at) = self.save_or_pause(now)?
        {
            return Ok(Step::Retry(at));
        }
        Ok(Step::Delivered)
    }
}

#[cfg(test)]
#[path = "worker_test.rs"]
mod tests;
