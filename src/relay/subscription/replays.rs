//! The replays of a subscription: each with a feed and a progress of its own, handed out beside the live events.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::content::Content;
use super::decisions::bytes_of;
use super::{Subscription, WorkerError};
use crate::contracts::{
    DecisionKind, EventHistory, FeedError, Progress, ProgressDetails, ProgressError, ProgressKind, PublishedEvent,
    ReplaySpec, Sequence, WINDOW_EVENTS_MAX, WindowBits,
};
use crate::relay::replay::{self, Pace};
use crate::relay::scheduler::ReplayFigures;

/// Plans that one replay reads in one turn.
const READS_MAX: usize = 256;
/// What a replay's window may hold in memory.
const CONTENT_BYTES_MAX: usize = 4 << 20;

/// A replay that is running.
pub(super) struct Replay {
    spec: ReplaySpec,
    content: Content,
    progress: Box<dyn Progress>,
    pace: Pace,
    /// What was saved last.
    saved: ReplayFigures,
    save_at: Option<Duration>,
    /// Until when it is left alone, after its range could not be read.
    wait_until: Option<Duration>,
    /// That it is done is decided, or on the way.
    ending: bool,
}

impl Subscription {
    /// Begins a replay, or goes on with it after a restart.
    pub(super) fn start_replay(&mut self, spec: &ReplaySpec, now: Duration) {
        let id = spec.replay_id;
        match self.replay_progress.open(&self.settings.name, spec) {
            Ok(progress) => {
                let (replay, stored) = Replay::new(Arc::clone(&self.history), progress, spec, now);
                let rate = spec.rate_events_per_s_max;
                self.shared.scheduler().start_replay(id, stored, spec.to, rate);
                self.replays.push(replay);
            }
            Err(error) => {
                tracing::error!(sink = &*self.settings.name, replay = %id, %error, "a replay cannot be begun; it is ended");
                self.end_replay_by_itself(id, (0, 0));
            }
        }
    }

    /// A replay has ended, by itself or because an operator wanted it.
    pub(super) fn end_replay(&mut self, id: Uuid) {
        self.shared.scheduler().end_replay(id);
        self.replays.retain(|replay| replay.spec.replay_id != id);
        self.replay_progress.close(&self.settings.name, id);
    }

    fn end_replay_by_itself(&mut self, replay_id: Uuid, (delivered, failed): (u64, u64)) {
        let kind = DecisionKind::ReplayEnded { replay_id, cancelled: false, delivered, failed };
        self.others.push(self.deciding.decide(kind, Arc::from(""), self.clock.now()));
    }

    /// Reads what replays hand out next; whether there may be more.
    pub(super) fn read_replays(&mut self, now: Duration) -> bool {
        if self.drain_until.is_some() {
            return false;
        }
        let mut more = false;
        for replay in &mut self.replays {
            if replay.wait_until.is_some_and(|until| now < until) {
                continue;
            }
            match replay.read(&self.shared, &self.parked) {
                Ok(again) => {
                    replay.wait_until = None;
                    more |= again;
                }
                Err(error) => {
                    let id = replay.spec.replay_id;
                    tracing::error!(sink = &*self.settings.name, replay = %id, %error, "a replay's range cannot be read");
                    replay.wait_until = Some(now.saturating_add(self.settings.limits.backoff_max));
                }
            }
        }
        more
    }

    /// Saves how far replays are, and ends those that are done.
    pub(super) fn settle_replays(&mut self, now: Duration, at_once: bool) -> Result<(), WorkerError> {
        let mut done = Vec::new();
        let mut views = HashMap::new();
        for replay in &mut self.replays {
            let id = replay.spec.replay_id;
            let scheduler = self.shared.scheduler();
            let Some(figures) = scheduler.replay_figures(id) else { continue };
            let is_done = scheduler.is_replay_done(id);
            drop(scheduler);
            replay.content.release(figures.prefix);
            let counts = (figures.delivered, figures.failed);
            views.insert(id, replay.pace.view(figures.prefix, replay.spec.to, counts, now));
            replay.save(figures, self.settings.cursor_delay_max, now, at_once)?;
            if is_done && !replay.ending {
                replay.ending = true;
                done.push((id, counts));
            }
        }
        self.shared.show_replays(views);
        for (id, counts) in done {
            self.end_replay_by_itself(id, counts);
        }
        Ok(())
    }

    /// When a replay has something to do.
    pub(super) fn replays_due_at(&self) -> Option<Duration> {
        self.replays.iter().flat_map(|replay| [replay.save_at, replay.wait_until]).flatten().min()
    }

    /// An event that a replay hands out.
    pub(super) fn replayed(&self, id: Uuid, sequence: Sequence) -> Result<Arc<PublishedEvent>, FeedError> {
        let replay = self.replays.iter().find(|replay| replay.spec.replay_id == id);
        replay
            .map_or_else(|| Err(FeedError::Damaged(format!("there is no replay {id}"))), |it| it.content.get(sequence))
    }
}

impl Replay {
    fn new(
        history: Arc<dyn EventHistory>,
        progress: Box<dyn Progress>,
        spec: &ReplaySpec,
        now: Duration,
    ) -> (Self, ReplayFigures) {
        let (base, details) = (progress.position(), progress.details());
        let settled: Vec<Sequence> = details.window.settled().map(|at| base.sequence.plus(at)).collect();
        let (delivered, failed) = (details.delivered, details.failed);
        let stored = ReplayFigures { prefix: base.sequence, settled, delivered, failed };
        let replay = Self {
            spec: spec.clone(),
            content: Content::new(history, base, CONTENT_BYTES_MAX),
            progress,
            pace: Pace::new(now, base.sequence),
            saved: stored.clone(),
            save_at: None,
            wait_until: None,
            ending: false,
        };
        (replay, stored)
    }

    fn read(&mut self, shared: &super::Shared, parked: &super::ParkedEvents) -> Result<bool, FeedError> {
        for _ in 0..READS_MAX {
            let wanted = shared.scheduler().replay_wanted(self.spec.replay_id);
            let Some((next, 1..)) = wanted else { return Ok(false) };
            let events = self.content.read()?;
            if events.is_empty() {
                return Ok(false);
            }
            let mut scheduler = shared.scheduler();
            for event in events.iter().filter(|event| event.sequence >= next && event.sequence <= self.spec.to) {
                let order_id = event.entry.event.order_id();
                let is_parked = parked
                    .get(&order_id)
                    .is_some_and(|lane| lane.iter().any(|parked| parked.sequence == event.sequence));
                let left_out = is_parked || !replay::is_wanted(&self.spec, event);
                scheduler.push_replay(self.spec.replay_id, order_id, bytes_of(event), left_out);
            }
        }
        Ok(true)
    }

    /// Saves at the latest `delay_max` after something has changed. What cannot be written is tried again.
    fn save(
        &mut self,
        figures: ReplayFigures,
        delay_max: Duration,
        now: Duration,
        at_once: bool,
    ) -> Result<(), WorkerError> {
        if figures == self.saved {
            return Ok(());
        }
        let save_at = *self.save_at.get_or_insert(now.saturating_add(delay_max));
        if now < save_at && !at_once {
            return Ok(());
        }
        let base = self.content.base();
        let details = details(&figures, base.sequence);
        match self.progress.save(base, details) {
            Ok(()) => (self.saved, self.save_at) = (figures, None),
            Err(error @ ProgressError::TryAgain(_)) => {
                tracing::warn!(%error, "the cursor of a replay cannot be saved yet");
                self.save_at = Some(now.saturating_add(delay_max.saturating_mul(10)));
            }
            Err(error @ (ProgressError::Unknown(_) | ProgressError::Deposed(_))) => return Err(error.into()),
        }
        Ok(())
    }
}

fn details(figures: &ReplayFigures, base: Sequence) -> ProgressDetails {
    let mut ahead: Vec<u64> = figures.settled.iter().map(|sequence| sequence.since(base)).collect();
    ahead.sort_unstable();
    let mut window = WindowBits::default();
    for _ in 0..figures.prefix.since(base) {
        window.push(true);
    }
    for at in ahead {
        while (window.len() as u64) + 1 < at && window.len() < WINDOW_EVENTS_MAX {
            window.push(false);
        }
        window.push(true);
    }
    let (delivered, failed) = (figures.delivered, figures.failed);
    ProgressDetails { kind: ProgressKind::Replay, delivered, failed, window, ..ProgressDetails::default() }
}
