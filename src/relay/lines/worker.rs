//! The worker of a `file` or `stdout` sink: its live events, its replays, and what is decided about them.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use super::replays::LineReplays;
use super::stream::LineStream;
use crate::contracts::{
    DecisionInbox, DecisionKind, DecisionNews, FeedPosition, Progress, Sink, SinkMonitor, SinkRecord, SinkState,
    SinkView,
};
use crate::relay::control::Wait;
use crate::relay::{Control, Heartbeat, Seat, Step, WorkerError, WorkerPorts, WorkerSettings};

/// Works for one sink, in a thread of its own.
pub struct Worker {
    live: LineStream,
    replays: LineReplays,
    drain_max: Duration,
    inbox: Mutex<Option<Arc<DecisionInbox>>>,
    /// Wakes this worker, once it runs.
    wake: Arc<OnceLock<Arc<Control>>>,
    /// That the snapshot is over is decided, or on the way.
    snapshot_ending: bool,
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
        let wake = Arc::default();
        let live = LineStream::new(settings, &ports, sink, progress, record, &wake);
        let mut replays = LineReplays::new(settings, ports);
        replays.restart(&live, record);
        let (drain_max, inbox) = (settings.drain_max, Mutex::default());
        Self { live, replays, drain_max, inbox, wake, snapshot_ending: false }
    }

    /// The sink's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.live.name
    }

    /// The last event that the sink has acknowledged; while a snapshot is handed out, the one that it is as of.
    #[must_use]
    pub const fn position(&self) -> FeedPosition {
        self.live.position()
    }

    /// What `daemon.status` shows of this sink.
    #[must_use]
    pub fn monitor(&self) -> Arc<SinkMonitor> {
        Arc::clone(&self.live.monitor)
    }

    /// What a watchdog looks at.
    #[must_use]
    pub fn heartbeat(&self) -> Arc<Heartbeat> {
        Arc::clone(&self.live.heartbeat)
    }

    /// What only this worker knows.
    #[must_use]
    pub fn view(&self) -> Arc<dyn SinkView> {
        Arc::clone(&self.live.shared) as Arc<dyn SinkView>
    }

    /// Where durable decisions about this sink are put; `control` wakes the worker then.
    #[must_use]
    pub fn inbox(&self, control: &Arc<Control>) -> Arc<DecisionInbox> {
        let control = Arc::clone(self.wake.get_or_init(|| Arc::clone(control)));
        let mut inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(inbox.get_or_insert_with(|| Arc::new(DecisionInbox::new(Box::new(move || control.wake())))))
    }

    /// Takes a seat: from now on it is reached there.
    pub fn take_seat(&mut self, seat: &Seat) {
        let status = self.live.monitor.read();
        seat.monitor.update(|shown| *shown = status);
        (self.live.monitor, self.live.heartbeat) = (Arc::clone(&seat.monitor), Arc::clone(&seat.heartbeat));
        self.inbox = Mutex::new(Some(Arc::clone(&seat.inbox)));
        seat.view.set_worker(Some(self.view()));
    }

    /// Works until it is told to stop, then saves the cursor. This is all that the worker's thread does.
    ///
    /// # Errors
    /// The daemon must end: see [`WorkerError`].
    pub fn run(mut self, control: &Control) -> Result<(), WorkerError> {
        let ended = self.work(control).and_then(|()| self.save()).and_then(|()| self.replays.save());
        self.live.heartbeat.set_waiting(true);
        self.live.monitor.update(|status| {
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
            let now = self.live.clock.monotonic();
            let until = if stopping { *drain_until.get_or_insert(now.saturating_add(self.drain_max)) } else { now };
            let wait = match step {
                Step::Delivered if !stopping || now < until => continue,
                Step::Delivered | Step::Idle | Step::CursorDue(_) | Step::Retry(_) if stopping => return Ok(()),
                Step::Delivered | Step::Idle => Wait::Signal,
                Step::CursorDue(at) => Wait::SignalOr(at.saturating_sub(now)),
                Step::Retry(at) => Wait::Pause(at.saturating_sub(now)),
            };
            self.live.heartbeat.set_waiting(true);
            control.wait(wait);
            self.live.heartbeat.set_waiting(false);
        }
    }

    /// Has the target opened again, and those of the replays.
    ///
    /// # Errors
    /// [`WorkerError`].
    pub fn reopen(&mut self) -> Result<(), WorkerError> {
        self.replays.reopen()?;
        self.live.reopen()
    }

    /// Acknowledges what was delivered and saves the cursor, if it does not say all of it.
    ///
    /// # Errors
    /// [`WorkerError`].
    pub fn save(&mut self) -> Result<(), WorkerError> {
        self.live.save()
    }

    /// Does the next thing there is to do, for the live events and for each replay. Waits for nothing but the sink and
    /// the disk.
    ///
    /// # Errors
    /// The worker cannot go on: see [`WorkerError`].
    pub fn step(&mut self) -> Result<Step, WorkerError> {
        let live = self.step_live()?;
        Ok(match self.replays.step(&self.live)? {
            Some(replays) => live.beside(replays),
            None => live,
        })
    }

    fn step_live(&mut self) -> Result<Step, WorkerError> {
        let now = self.live.begin()?;
        self.hear(now);
        let step = self.live.step(now)?;
        if self.live.snapshot_delivered && !self.snapshot_ending {
            self.snapshot_ending = true;
            self.replays.end_snapshot();
        }
        Ok(step)
    }

    /// Acts on what is durably decided.
    fn hear(&mut self, now: Duration) {
        let inbox = self.inbox.get_mut().unwrap_or_else(PoisonError::into_inner);
        for news in inbox.as_ref().map(|inbox| inbox.take()).unwrap_or_default() {
            match news {
                DecisionNews::Durable { ticket, decision, .. } => {
                    self.replays.heard(ticket);
                    self.act(&decision.kind, now);
                }
                DecisionNews::Retry => {
                    self.live.retry_now();
                    self.replays.retry_now();
                }
                DecisionNews::Full { ticket } => self.replays.full(ticket, now),
            }
        }
    }

    fn act(&mut self, decision: &DecisionKind, now: Duration) {
        match decision {
            DecisionKind::Paused => self.live.orders.paused = true,
            DecisionKind::Resumed => self.live.orders.paused = false,
            DecisionKind::RangeSkipped { from, to } => self.live.orders.skips.push((*from, *to)),
            DecisionKind::ReplayStarted(spec) => self.replays.start(&self.live, spec, now),
            DecisionKind::ReplayEnded { replay_id, .. } => self.replays.end(*replay_id),
            DecisionKind::SnapshotEnded => self.live.end_snapshot(now),
            DecisionKind::Registered(_)
            | DecisionKind::Forgotten
            | DecisionKind::Parked { .. }
            | DecisionKind::Requeued { .. }
            | DecisionKind::Delivered { .. }
            | DecisionKind::LaneSkipped { .. }
            | DecisionKind::Halted
            | DecisionKind::Restored { .. } => {}
        }
    }
}

#[cfg(test)]
#[path = "worker_test.rs"]
mod tests;
