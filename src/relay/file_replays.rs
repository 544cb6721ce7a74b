//! The replays of a `file` sink: each a worker of its own, with a file, a feed and a progress of its own, which the sink's
//! worker steps beside the live events.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::deciding::Deciding;
use super::replay::Pace;
use super::source::Source;
use super::worker::{Step, Worker, WorkerError};
use super::worker_view::Shared;
use super::{WorkerPorts, WorkerSettings};
use crate::contracts::{Decision, DecisionKind, FeedError, ReplaySpec, ReplayState, Sequence, SinkRecord};

/// The running replays of one sink, and what is to be decided about them.
pub(super) struct FileReplays {
    settings: WorkerSettings,
    ports: WorkerPorts,
    running: Vec<FileReplay>,
    deciding: Deciding,
    /// That replays are done, or the snapshot is, as long as it is not on its way to the executor.
    ends: Vec<Decision>,
}

struct FileReplay {
    spec: ReplaySpec,
    worker: Worker,
    pace: Pace,
    /// That it is done is decided, or on the way.
    ending: bool,
}

impl FileReplays {
    pub(super) fn new(settings: &WorkerSettings, ports: WorkerPorts) -> Self {
        let deciding = Deciding::new(Arc::from(settings.name.as_str()), ports.uid, ports.decide.clone());
        Self { settings: settings.clone(), ports, running: Vec::new(), deciding, ends: Vec::new() }
    }

    /// A decision is durable.
    pub(super) fn heard(&mut self, ticket: Option<u64>) {
        self.deciding.heard(ticket);
    }

    /// There was no room for decisions.
    pub(super) fn full(&mut self, ticket: u64, now: Duration) {
        self.deciding.full(ticket, now);
    }

    /// A replay has ended, by itself or because an operator wanted it.
    pub(super) fn end(&mut self, replay_id: Uuid) {
        self.running.retain(|replay| replay.spec.replay_id != replay_id);
        self.ports.replays.close(&self.settings.name, replay_id);
    }

    /// Every back-off ends now.
    pub(super) fn retry_now(&mut self) {
        self.running.iter_mut().for_each(|replay| replay.worker.retry_now());
    }

    /// Has the files of all replays opened again.
    pub(super) fn reopen(&mut self) -> Result<(), WorkerError> {
        self.running.iter_mut().try_for_each(|replay| replay.worker.reopen())
    }

    /// Saves how far all replays are.
    pub(super) fn save(&mut self) -> Result<(), WorkerError> {
        self.running.iter_mut().try_for_each(|replay| replay.worker.save())
    }

    /// The snapshot that the sink starts with is complete.
    pub(super) fn end_snapshot(&mut self) {
        let at = self.ports.clock.now();
        self.ends.push(self.deciding.decide(DecisionKind::SnapshotEnded, Arc::from(""), at));
    }

    fn end_by_itself(&mut self, replay_id: Uuid, delivered: u64) {
        let kind = DecisionKind::ReplayEnded { replay_id, cancelled: false, delivered, failed: 0 };
        self.ends.push(self.deciding.decide(kind, Arc::from(""), self.ports.clock.now()));
    }

    /// Asks for what is to be decided.
    fn ask(&mut self, now: Duration) {
        self.deciding.send_due(now);
        if !self.deciding.is_busy() {
            self.deciding.offer(std::mem::take(&mut self.ends), now);
        }
    }
}

impl Worker {
    /// Goes on with the replays that were running, and finishes ends that a crash has cut short.
    pub(super) fn restart_replays(&mut self, record: Option<&SinkRecord>) {
        let now = self.clock.monotonic();
        for replay in record.iter().flat_map(|record| &record.replays) {
            match replay.state {
                ReplayState::Running => self.start_replay(&replay.spec, now),
                ReplayState::Done | ReplayState::Cancelled => self.replays.end(replay.spec.replay_id),
            }
        }
    }

    /// Begins a replay, or goes on with it after a restart.
    pub(super) fn start_replay(&mut self, spec: &ReplaySpec, now: Duration) {
        match self.open_replay(spec, now) {
            Ok(Some(replay)) => self.replays.running.push(replay),
            Ok(None) => self.replays.end_by_itself(spec.replay_id, 0),
            Err(error) => {
                let replay_id = spec.replay_id;
                tracing::error!(sink = self.name, %replay_id, %error, "a replay cannot be begun; it is ended");
                self.replays.end_by_itself(replay_id, 0);
            }
        }
    }

    /// `None` for a sink whose replays have no target.
    fn open_replay(&self, spec: &ReplaySpec, now: Duration) -> Result<Option<FileReplay>, FeedError> {
        let Some(target) = self.sink.of_replay(spec.replay_id) else { return Ok(None) };
        let progress = self.replays.ports.replays.open(&self.name, spec)?;
        let position = progress.position();
        let settings = WorkerSettings {
            name: format!("{}.replay-{}", self.name, spec.replay_id),
            rate_events_per_s_max: Some(spec.rate_events_per_s_max),
            ..self.replays.settings.clone()
        };
        let mut worker = Self::new(&settings, self.replays.ports.clone(), target, progress, None);
        worker.source = Source::of_replay(Arc::clone(&self.replays.ports.history), position, spec.clone());
        worker.heartbeat = Arc::clone(&self.heartbeat);
        worker.shared = Arc::new(Shared::of_replay(&self.shared));
        let pace = Pace::new(now, position.sequence);
        Ok(Some(FileReplay { spec: spec.clone(), worker, pace, ending: false }))
    }

    /// Steps every replay; `None` if there is none.
    pub(super) fn step_replays(&mut self) -> Result<Option<Step>, WorkerError> {
        let now = self.clock.monotonic();
        let mut next = None;
        let mut views = HashMap::new();
        let mut done = Vec::new();
        for replay in &mut self.replays.running {
            replay.worker.orders.set_paused(self.orders.is_paused());
            let step = replay.step()?;
            next = Some(next.map_or(step, |other: Step| other.beside(step)));
            let (reached, delivered) = (replay.reached(), replay.worker.progress.delivered());
            let id = replay.spec.replay_id;
            views.insert(id, replay.pace.view(reached, replay.spec.to, (delivered, 0), now));
            if reached >= replay.spec.to && !replay.ending {
                replay.ending = true;
                done.push((id, delivered));
            }
        }
        if next.is_some() {
            self.shared.show_replays(views);
        }
        for (id, delivered) in done {
            self.replays.end_by_itself(id, delivered);
        }
        self.replays.ask(now);
        let resend = self.replays.deciding.send_at().map(Step::CursorDue);
        Ok(match (next, resend) {
            (Some(next), Some(resend)) => Some(next.beside(resend)),
            (one, other) => one.or(other),
        })
    }
}

impl FileReplay {
    /// Does the next thing there is to do; at the end of the range, has the file take responsibility for all of it.
    fn step(&mut self) -> Result<Step, WorkerError> {
        if self.ending {
            return Ok(Step::Idle);
        }
        let step = self.worker.step_live()?;
        if self.worker.delivered().sequence >= self.spec.to {
            let now = self.worker.clock.monotonic();
            self.worker.acknowledge(now)?;
            return Ok(if self.reached() >= self.spec.to { Step::Idle } else { step });
        }
        Ok(step)
    }

    /// The last event of the range that is in the file for good, or left out of it.
    fn reached(&self) -> Sequence {
        self.worker.position().sequence.min(self.spec.to)
    }
}
