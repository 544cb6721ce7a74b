//! The replays of a subscription, handed out beside the live events.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::replay::Replay;
use super::{Subscription, WorkerError};
use crate::contracts::{DecisionKind, FeedError, PublishedEvent, ReplaySpec, Sequence};

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
