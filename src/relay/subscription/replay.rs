//! One replay on its way to the program: a feed and a progress of its own.

use std::sync::Arc;
use std::time::Duration;

use super::content::Content;
use super::decisions::{ParkedEvents, bytes_of};
use super::view::Shared;
use crate::contracts::{
    EventHistory, FeedError, Progress, ProgressDetails, ProgressError, ProgressKind, ReplaySpec, Sequence,
    WINDOW_EVENTS_MAX, WindowBits,
};
use crate::relay::WorkerError;
use crate::relay::replay::{Pace, is_wanted};
use crate::relay::scheduler::ReplayFigures;

/// Plans that one replay reads in one turn.
const READS_MAX: usize = 256;
/// What a replay's window may hold in memory.
const CONTENT_BYTES_MAX: usize = 4 << 20;

/// A replay that is running.
pub(super) struct Replay {
    pub(super) spec: ReplaySpec,
    pub(super) content: Content,
    pub(super) progress: Box<dyn Progress>,
    pub(super) pace: Pace,
    /// What was saved last.
    pub(super) saved: ReplayFigures,
    pub(super) save_at: Option<Duration>,
    /// Until when it is left alone, after its range could not be read.
    pub(super) wait_until: Option<Duration>,
    /// That it is done is decided, or on the way.
    pub(super) ending: bool,
}

impl Replay {
    pub(super) fn new(
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

    pub(super) fn read(&mut self, shared: &Shared, parked: &ParkedEvents) -> Result<bool, FeedError> {
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
                let left_out = is_parked || !is_wanted(&self.spec, event);
                scheduler.push_replay(self.spec.replay_id, order_id, bytes_of(event), left_out);
            }
        }
        Ok(true)
    }

    /// Saves at the latest `delay_max` after something has changed. What cannot be written is tried again.
    pub(super) fn save(
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
