//! The progress of a subscription, and how much of what is settled is not saved yet.

use std::time::Duration;

use crate::contracts::{
    FeedPosition, Progress, ProgressDetails, ProgressError, ProgressKind, Sequence, WINDOW_EVENTS_MAX, WindowBits,
};
use crate::relay::Backoff;
use crate::relay::scheduler::Scheduler;

/// Saves at most so often that little comes again after a kill.
pub(super) struct Saving {
    progress: Box<dyn Progress>,
    /// What was settled when the cursor was saved last.
    saved_count: u64,
    unsaved: u64,
    /// By when the first unsaved outcome is to be saved.
    due_at: Option<Duration>,
    /// After a failed write, when to try again.
    retry_at: Option<Duration>,
    backoff: Backoff,
    events_max: u64,
    delay_max: Duration,
}

/// What came of a save.
#[derive(Debug)]
pub(super) enum Saved {
    /// The cursor says everything.
    Done,
    /// It could not be written, and is tried again later.
    Later(ProgressError),
}

impl Saving {
    pub(super) fn new(progress: Box<dyn Progress>, events_max: u64, delay_max: Duration, backoff: Backoff) -> Self {
        // A kill may have come between the two saves.
        let (due_at, retry_at) = (progress.keeps_too_much(&progress.position()).then_some(Duration::ZERO), None);
        Self { progress, saved_count: 0, unsaved: 0, due_at, retry_at, backoff, events_max, delay_max }
    }

    /// Whether the sink's progress is still this worker's.
    pub(super) fn is_held(&self, now: Duration) -> bool {
        self.progress.is_held(now)
    }

    /// Notes how much is settled.
    pub(super) fn note(&mut self, settled_count: u64, now: Duration) {
        self.unsaved = settled_count.saturating_sub(self.saved_count);
        if self.unsaved > 0 {
            self.due_at = self.due_at.or_else(|| Some(now.saturating_add(self.delay_max)));
        }
    }

    /// The cursor says something else from here on: it is saved at this time, if not before.
    pub(super) fn save_by(&mut self, at: Duration) {
        self.due_at = Some(self.due_at.map_or(at, |due_at| due_at.min(at)));
    }

    /// The feed goes on after `base`: the cursor says so soon if the journal is kept for more than that.
    pub(super) fn pass(&mut self, base: FeedPosition, now: Duration) {
        if self.due_at.is_none() && self.progress.keeps_too_much(&base) {
            self.due_at = Some(now.saturating_add(self.delay_max));
        }
    }

    /// What was settled at the start is in the cursor.
    pub(super) const fn begin(&mut self, settled_count: u64) {
        self.saved_count = settled_count;
    }

    /// When the cursor is to be saved; `None` if it says everything.
    pub(super) fn due_at(&self) -> Option<Duration> {
        self.due_at.map(|at| self.retry_at.map_or(at, |retry_at| at.max(retry_at)))
    }

    pub(super) fn is_due(&self, now: Duration) -> bool {
        let due = self.unsaved >= self.events_max.max(1) || self.due_at.is_some_and(|at| at <= now);
        due && self.due_at.is_some() && self.retry_at.is_none_or(|at| at <= now)
    }

    /// Whether nothing more may be handed out until a save succeeds: what a kill brings again stays bounded.
    pub(super) fn holds_up(&self) -> bool {
        self.retry_at.is_some()
    }

    /// Makes durable what the scheduler says; `base` is where the feed goes on after a restart.
    ///
    /// # Errors
    /// What is saved is unknown, or another relay has the sink: the worker must end.
    pub(super) fn save(
        &mut self,
        base: FeedPosition,
        details: ProgressDetails,
        settled_count: u64,
        now: Duration,
    ) -> Result<Saved, ProgressError> {
        match self.progress.save(base, details) {
            Ok(()) => {
                self.backoff.reset();
                (self.saved_count, self.unsaved) = (settled_count, 0);
                self.due_at = self.progress.keeps_too_much(&base).then(|| now.saturating_add(self.delay_max));
                self.retry_at = None;
                Ok(Saved::Done)
            }
            Err(error @ ProgressError::TryAgain(_)) => {
                self.retry_at = Some(now.saturating_add(self.backoff.next_wait()));
                Ok(Saved::Later(error))
            }
            Err(error @ (ProgressError::Unknown(_) | ProgressError::Deposed(_))) => Err(error),
        }
    }
}

/// What a cursor says of the scheduler's live events, whose feed goes on after the event `base`.
pub(super) fn live_details(scheduler: &Scheduler, base: Sequence) -> ProgressDetails {
    ProgressDetails { kind: ProgressKind::Live, window: window_after(base, scheduler), ..ProgressDetails::default() }
}

/// What a cursor says of the rows of a snapshot.
pub(super) fn snapshot_details(scheduler: &Scheduler) -> ProgressDetails {
    let rows = scheduler.prefix();
    ProgressDetails {
        kind: ProgressKind::Snapshot,
        rows: rows.0,
        window: window_after(rows, scheduler),
        ..ProgressDetails::default()
    }
}

fn window_after(base: Sequence, scheduler: &Scheduler) -> WindowBits {
    let mut window = WindowBits::default();
    for _ in 0..scheduler.prefix().since(base) {
        window.push(true);
    }
    scheduler.settled_bits().for_each(|settled| window.push(settled));
    // Events that were settled before the start and were not read again yet.
    let mut unread: Vec<_> = scheduler.settled_unread().map(|sequence| sequence.since(base)).collect();
    unread.sort_unstable();
    for at in unread {
        while (window.len() as u64) < at.saturating_sub(1) && window.len() < WINDOW_EVENTS_MAX {
            window.push(false);
        }
        if window.len() as u64 == at.saturating_sub(1) {
            window.push(true);
        }
    }
    window
}
