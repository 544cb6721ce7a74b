//! The replays of a `file` sink: each a stream of its own, with a file, a feed and a progress of its own, which the sink's
//! worker steps beside the live events.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::source::Source;
use super::stream::LineStream;
use super::view::Shared;
use crate::contracts::{Decision, DecisionKind, FeedError, ReplaySpec, ReplayState, Sequence, SinkRecord};
use crate::relay::deciding::Deciding;
use crate::relay::replay::Pace;
use crate::relay::{Step, WorkerError, WorkerPorts, WorkerSettings};

/// The running replays of one sink, and what is to be decided about them.
pub(super) struct LineReplays {
    settings: WorkerSettings,
    ports: WorkerPorts,
    running: Vec<LineReplay>,
    deciding: Deciding,
    /// That replays are done, or the snapshot is, as long as it is not on its way to the executor.
    ends: Vec<Decision>,
}

struct LineReplay {
    spec: ReplaySpec,
    stream: LineStream,
    pace: Pace,
    /// That it is done is decided, or on the way.
    ending: bool,
}

impl LineReplays {
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
        self.running.iter_mut().for_each(|replay| replay.stream.retry_now());
    }

    /// Has the files of all replays opened again.
    pub(super) fn reopen(&mut self) -> Result<(), WorkerError> {
        self.running.iter_mut().try_for_each(|replay| replay.stream.reopen())
    }

    /// Saves how far all replays are.
    pub(super) fn save(&mut self) -> Result<(), WorkerError> {
        self.running.iter_mut().try_for_each(|replay| replay.stream.save())
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

    /// Goes on with the replays that were running, and finishes ends that a crash has cut short.
    pub(super) fn restart(&mut self, live: &LineStream, record: Option<&SinkRecord>) {
        let now = live.clock.monotonic();
        for replay in record.iter().flat_map(|record| &record.replays) {
            match replay.state {
                ReplayState::Running => self.start(live, &replay.spec, now),
                ReplayState::Done | ReplayState::Cancelled => self.end(replay.spec.replay_id),
            }
        }
    }

    /// Begins a replay, or goes on with it after a restart.
    pub(super) fn start(&mut self, live: &LineStream, spec: &ReplaySpec, now: Duration) {
        match self.open(live, spec, now) {
            Ok(Some(replay)) => self.running.push(replay),
            Ok(None) => self.end_by_itself(spec.replay_id, 0),
            Err(error) => {
                let replay_id = spec.replay_id;
                tracing::error!(sink = live.name, %replay_id, %error, "a replay cannot be begun; it is ended");
                self.end_by_itself(replay_id, 0);
            }
        }
    }

    /// `None` for a sink whose replays have no target.
    fn open(&self, live: &LineStream, spec: &ReplaySpec, now: Duration) -> Result<Option<LineReplay>, FeedError> {
        let Some(target) = live.sink.of_replay(spec.replay_id) else { return Ok(None) };
        let progress = self.ports.replays.open(&live.name, spec)?;
        let position = progress.position();
        let settings = WorkerSettings {
            name: format!("{}.replay-{}", live.name, spec.replay_id),
            rate_events_per_s_max: Some(spec.rate_events_per_s_max),
            ..self.settings.clone()
        };
        let mut stream = LineStream::new(&settings, &self.ports, target, progress, None, &Arc::default());
        stream.source = Source::of_replay(Arc::clone(&self.ports.history), position, spec.clone());
        stream.heartbeat = Arc::clone(&live.heartbeat);
        stream.shared = Arc::new(Shared::of_replay(&live.shared));
        let pace = Pace::new(now, position.sequence);
        Ok(Some(LineReplay { spec: spec.clone(), stream, pace, ending: false }))
    }

    /// Steps every replay; `None` if there is none.
    pub(super) fn step(&mut self, live: &LineStream) -> Result<Option<Step>, WorkerError> {
        let now = live.clock.monotonic();
        let mut next = None;
        let mut views = HashMap::new();
        let mut done = Vec::new();
        for replay in &mut self.running {
            replay.stream.orders.paused = live.orders.paused;
            let step = replay.step()?;
            next = Some(next.map_or(step, |other: Step| other.beside(step)));
            let (reached, delivered) = (replay.reached(), replay.stream.progress.delivered());
            let id = replay.spec.replay_id;
            views.insert(id, replay.pace.view(reached, replay.spec.to, (delivered, 0), now));
            if reached >= replay.spec.to && !replay.ending {
                replay.ending = true;
                done.push((id, delivered));
            }
        }
        if next.is_some() {
            live.shared.show_replays(views);
        }
        for (id, delivered) in done {
            self.end_by_itself(id, delivered);
        }
        self.ask(now);
        let resend = self.deciding.send_at().map(Step::CursorDue);
        Ok(match (next, resend) {
            (Some(next), Some(resend)) => Some(next.beside(resend)),
            (one, other) => one.or(other),
        })
    }
}

impl LineReplay {
    /// Does the next thing there is to do; at the end of the range, has the file take responsibility for all of it.
    fn step(&mut self) -> Result<Step, WorkerError> {
        if self.ending {
            return Ok(Step::Idle);
        }
        let now = self.stream.begin()?;
        let step = self.stream.step(now)?;
        if self.stream.delivered.sequence >= self.spec.to {
            self.stream.acknowledge(self.stream.clock.monotonic())?;
            return Ok(if self.reached() >= self.spec.to { Step::Idle } else { step });
        }
        Ok(step)
    }

    /// The last event of the range that is in the file for good, or left out of it.
    fn reached(&self) -> Sequence {
        self.stream.position().sequence.min(self.spec.to)
    }
}
