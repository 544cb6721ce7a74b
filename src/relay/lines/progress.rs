//! How far a sink has acknowledged, and how much of it is not saved yet.

use std::time::Duration;

use crate::contracts::{FeedPosition, Progress, ProgressDetails, ProgressError, ProgressKind, TargetMark};
use crate::relay::{Backoff, WorkerSettings};

/// The acknowledged position, and the saved one that follows it.
pub(super) struct LinesProgress {
    saved: Box<dyn Progress>,
    position: FeedPosition,
    /// While a snapshot is handed out, what its orders are as of.
    as_of: Option<FeedPosition>,
    /// What is synced of the target.
    mark: TargetMark,
    /// Events that were acknowledged over all starts; of a replay they are saved, too.
    delivered: u64,
    unsaved_events: u64,
    /// By when, on the steady clock, the first unsaved acknowledgement is to be saved.
    due_at: Option<Duration>,
    /// After a failed write, when to try again.
    retry_at: Option<Duration>,
    backoff: Backoff,
    events_max: u64,
    delay_max: Duration,
}

impl LinesProgress {
    pub(super) fn new(saved: Box<dyn Progress>, settings: &WorkerSettings) -> Self {
        Self {
            position: saved.position(),
            as_of: None,
            mark: saved.details().file,
            delivered: saved.details().delivered,
            // A kill may have come between the two saves.
            due_at: saved.keeps_too_much(&saved.position()).then_some(Duration::ZERO),
            saved,
            unsaved_events: 0,
            retry_at: None,
            backoff: Backoff::new(settings.backoff_min, settings.backoff_max, settings.backoff_seed.wrapping_add(1)),
            events_max: settings.cursor_events_max,
            delay_max: settings.cursor_delay_max,
        }
    }

    /// Whether the sink's progress is still this worker's.
    pub(super) fn is_held(&self, now: Duration) -> bool {
        self.saved.is_held(now)
    }

    /// The same while a snapshot is handed out: `position` has rows in place of the cursor's sequence.
    pub(super) fn in_snapshot(self, position: FeedPosition) -> Self {
        Self { as_of: Some(self.position), position, ..self }
    }

    /// The snapshot is over: what comes after its position is saved from here on.
    pub(super) const fn end_snapshot(&mut self, position: FeedPosition, now: Duration) {
        (self.position, self.as_of, self.due_at) = (position, None, Some(now));
    }

    pub(super) const fn position(&self) -> FeedPosition {
        self.position
    }

    /// The sink has taken all events up to `position`.
    pub(super) fn advance(&mut self, position: FeedPosition, events: u64, now: Duration) {
        self.position = position;
        self.unsaved_events = self.unsaved_events.saturating_add(events);
        self.delivered = self.delivered.saturating_add(events);
        self.due_at = self.due_at.or_else(|| Some(now.saturating_add(self.delay_max)));
    }

    /// Up to `position` follows nothing that is to be delivered. Whether it is taken over, because the journal is kept for
    /// more than what comes after it.
    pub(super) fn pass(&mut self, position: FeedPosition, now: Duration) -> bool {
        let is_next = self.as_of.is_none() && position.sequence == self.position.sequence;
        let passes = is_next && position != self.position && self.saved.keeps_too_much(&position);
        if passes {
            self.position = position;
            self.due_at = self.due_at.or_else(|| Some(now.saturating_add(self.delay_max)));
        }
        passes
    }

    /// Events of a replay that were acknowledged.
    pub(super) const fn delivered(&self) -> u64 {
        self.delivered
    }

    pub(super) const fn mark(&self) -> TargetMark {
        self.mark
    }

    /// The target is another one, or ends elsewhere: to be saved before anything is delivered to it.
    pub(super) fn set_mark(&mut self, mark: TargetMark, now: Duration) {
        if self.mark != mark {
            self.mark = mark;
            self.due_at = Some(now);
        }
    }

    /// When to save; `None` if everything is saved.
    pub(super) const fn due_at(&self) -> Option<Duration> {
        self.due_at
    }

    pub(super) fn is_due(&self, now: Duration) -> bool {
        self.unsaved_events >= self.events_max.max(1) || self.due_at.is_some_and(|at| at <= now)
    }

    /// Until when a failed save is not tried again.
    pub(super) fn blocked_until(&self, now: Duration) -> Option<Duration> {
        self.retry_at.filter(|at| now < *at)
    }

    /// Saves what is not saved yet. See [`ProgressError`].
    pub(super) fn save(&mut self, now: Duration) -> Result<(), ProgressError> {
        if self.due_at.is_none() {
            return Ok(());
        }
        let (position, rows) = self.as_of.map_or((self.position, 0), |as_of| (as_of, self.position.sequence.0));
        let kind = match self.saved.details().kind {
            ProgressKind::Replay => ProgressKind::Replay,
            ProgressKind::Live | ProgressKind::Snapshot if self.as_of.is_some() => ProgressKind::Snapshot,
            ProgressKind::Live | ProgressKind::Snapshot => ProgressKind::Live,
        };
        let delivered = if kind == ProgressKind::Replay { self.delivered } else { 0 };
        let details = ProgressDetails { kind, rows, delivered, file: self.mark, ..ProgressDetails::default() };
        self.saved.save(position, details).inspect_err(|_| {
            self.retry_at = Some(now.saturating_add(self.backoff.next_wait()));
        })?;
        self.backoff.reset();
        let once_more = self.saved.keeps_too_much(&position).then(|| now.saturating_add(self.delay_max));
        (self.unsaved_events, self.due_at, self.retry_at) = (0, once_more, None);
        Ok(())
    }
}
