//! Events on their way into a file or a stream: read, delivered, acknowledged, and remembered how far.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::batch::Batch;
use super::orders::Orders;
use super::progress::LinesProgress;
use super::source::Source;
use super::view::Shared;
use crate::contracts::{Clock, FeedPosition, Progress, Sink, SinkMonitor, SinkRecord, SinkState, SinkStatus};
use crate::domain::Timestamp;
use crate::relay::error::deposed;
use crate::relay::rate::Rate;
use crate::relay::snapshot::SnapshotFeed;
use crate::relay::{Backoff, Control, Heartbeat, Step, WorkerError, WorkerPorts, WorkerSettings};

/// Moves the events of one feed into one target: at least once, in order, for as long as it takes.
///
/// Four positions never pass one another: saved, acknowledged, delivered, durable. A batch holds only what is durable,
/// the acknowledged position moves only when the sink has taken responsibility, and only that position is saved.
pub(super) struct LineStream {
    pub(super) name: String,
    cursor_delay_max: Duration,
    pub(super) backoff_max: Duration,
    pub(super) source: Source,
    /// Whether all of the snapshot that the sink starts with is in the target, and the cursor says so.
    pub(super) snapshot_delivered: bool,
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
}

impl LineStream {
    /// A stream that goes on from what is recorded of its sink, and from its progress; `wake` reaches the worker once it
    /// runs.
    pub(super) fn new(
        settings: &WorkerSettings,
        ports: &WorkerPorts,
        sink: Box<dyn Sink>,
        progress: Box<dyn Progress>,
        record: Option<&SinkRecord>,
        wake: &Arc<OnceLock<Arc<Control>>>,
    ) -> Self {
        let source = Source::new(ports, progress.as_ref(), record, wake);
        let (position, stream_position) = (progress.position(), source.position());
        let progress = LinesProgress::new(progress, settings);
        let progress = if source.snapshot().is_some() { progress.in_snapshot(stream_position) } else { progress };
        let mut status = SinkStatus::new(settings.name.clone(), settings.sink_type, position.sequence);
        status.lag_events = ports.history.last_sequence().since(position.sequence);
        let rate = Rate::new(settings.rate_events_per_s_max);
        let batch_events_max = rate.events_at_once().and_then(|events| usize::try_from(events).ok());
        let batch_events_max =
            batch_events_max.map_or(settings.batch_events_max, |most| most.min(settings.batch_events_max));
        let stream = Self {
            name: settings.name.clone(),
            cursor_delay_max: settings.cursor_delay_max,
            backoff_max: settings.backoff_max,
            source,
            snapshot_delivered: false,
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
            clock: Arc::clone(&ports.clock),
        };
        stream.show_acknowledged();
        stream
    }

    /// Has the sink open its target again, and does not wait any longer if the last attempt had failed. What was
    /// delivered before is acknowledged and saved first: the next target cannot tell.
    pub(super) fn reopen(&mut self) -> Result<(), WorkerError> {
        let now = self.clock.monotonic();
        self.acknowledge(now)?;
        self.save_or_pause(now)?;
        self.sink.reopen();
        self.retry_at = None;
        self.open(now)?;
        Ok(())
    }

    /// Shows that the thread gets around, and that nobody else can have been elected for the sink; gives the time.
    pub(super) fn begin(&self) -> Result<Duration, WorkerError> {
        self.heartbeat.beat();
        let now = self.clock.monotonic();
        if self.progress.is_held(now) { Ok(now) } else { Err(deposed(&self.name).into()) }
    }

    /// Does the next thing there is to do. Waits for nothing but the sink and the disk.
    pub(super) fn step(&mut self, now: Duration) -> Result<Step, WorkerError> {
        self.pass_skipped(now);
        if self.delivered_since.is_some_and(|since| now.saturating_sub(since) >= self.cursor_delay_max) {
            self.acknowledge(now)?;
        }
        if self.progress.is_due(now)
            && let Some(at) = self.save_or_pause(now)?
        {
            return Ok(Step::Retry(at));
        }
        if self.orders.paused {
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
            // Not before everything was read that may be in the target: a store that is away has nothing to read, either.
            self.resuming &= self.source.position().sequence < self.source.durable_sequence();
            return Ok(self.rest(now));
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
    pub(super) fn save(&mut self) -> Result<(), WorkerError> {
        let now = self.clock.monotonic();
        self.acknowledge(now)?;
        Ok(self.progress.save(now)?)
    }

    /// When something is to be acknowledged or saved.
    pub(super) fn due_at(&self) -> Option<Duration> {
        let sync_at = self.delivered_since.map(|since| since.saturating_add(self.cursor_delay_max));
        [sync_at, self.progress.due_at()].into_iter().flatten().min()
    }

    /// Every back-off ends now.
    pub(super) fn retry_now(&mut self) {
        self.retry_at = None;
        self.source.close();
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
