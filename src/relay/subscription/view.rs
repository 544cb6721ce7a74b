//! What others see of a subscription while it works.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use uuid::Uuid;

use crate::contracts::{Clock, EventView, Failure, LaneView, ReplayView, Sequence, SinkView};
use crate::domain::{OrderId, Timestamp};
use crate::relay::scheduler::{FailureNote, Scheduler};

/// The scheduler and what was noted, shared by the worker and whoever looks. Nobody holds a lock for longer than it
/// takes to copy, or to decide: no I/O happens under it.
pub(super) struct Shared {
    scheduler: Mutex<Scheduler>,
    failures: Mutex<VecDeque<Failure>>,
    failures_max: usize,
    replays: Mutex<HashMap<Uuid, ReplayView>>,
    /// Orders of a snapshot that were parked since the cursor was saved.
    unsaved_rows: Mutex<HashSet<OrderId>>,
    clock: Arc<dyn Clock>,
}

impl Shared {
    pub(super) fn new(scheduler: Scheduler, clock: Arc<dyn Clock>, failures_max: usize) -> Self {
        let scheduler = Mutex::new(scheduler);
        let (failures, replays, unsaved_rows) = (Mutex::default(), Mutex::default(), Mutex::default());
        Self { scheduler, failures, failures_max, replays, unsaved_rows, clock }
    }

    pub(super) fn scheduler(&self) -> MutexGuard<'_, Scheduler> {
        self.scheduler.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what went wrong.
    pub(super) fn note(&self, notes: Vec<FailureNote>) {
        if notes.is_empty() {
            return;
        }
        let at = self.clock.now();
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.extend(notes.into_iter().map(|note| Failure {
            at,
            sequence: note.event.map(|(sequence, _)| sequence),
            order_id: note.event.map(|(_, order_id)| order_id),
            attempt: note.attempt,
            outcome: note.outcome,
            reason: note.reason.as_ref().into(),
        }));
        let surplus = failures.len().saturating_sub(self.failures_max);
        failures.drain(..surplus);
    }

    /// An order of a snapshot is parked, and the cursor does not say so.
    pub(super) fn note_unsaved_row(&self, order_id: OrderId) {
        self.unsaved_rows.lock().unwrap_or_else(PoisonError::into_inner).insert(order_id);
    }

    /// The cursor says everything.
    pub(super) fn note_saved(&self) {
        self.unsaved_rows.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Shows how far the running replays are.
    pub(super) fn show_replays(&self, replays: HashMap<Uuid, ReplayView>) {
        *self.replays.lock().unwrap_or_else(PoisonError::into_inner) = replays;
    }

    /// A time of the steady clock, as the wall clock will show it.
    fn wall_time(&self, at: Duration) -> Option<Timestamp> {
        let wait = at.saturating_sub(self.clock.monotonic());
        let micros = i64::try_from(wait.as_micros()).ok()?;
        Timestamp::from_micros(self.clock.now().micros().checked_add(micros)?).ok()
    }
}

impl SinkView for Shared {
    fn acked_sequence(&self) -> Sequence {
        self.scheduler().standing().prefix
    }

    fn snapshot_left(&self) -> u64 {
        self.scheduler().snapshot_left()
    }

    fn is_row_saved(&self, order_id: OrderId) -> bool {
        !self.unsaved_rows.lock().unwrap_or_else(PoisonError::into_inner).contains(&order_id)
    }

    fn is_row_settled(&self, row: u64) -> bool {
        self.scheduler().is_row_settled(Sequence(row).next())
    }

    fn events(&self, events: &[Sequence]) -> Vec<EventView> {
        let scheduler = self.scheduler();
        let view = |sequence: &Sequence| {
            let standing = scheduler.event(*sequence);
            EventView { state: standing.state, attempts: standing.attempts, reason: standing.reason }
        };
        events.iter().map(view).collect()
    }

    fn lane(&self, order_id: OrderId) -> Option<LaneView> {
        let standing = self.scheduler().lane(order_id)?;
        let next_attempt_at = standing.retry_at.and_then(|at| self.wall_time(at));
        let (attempts, in_flight, reason) = (standing.attempts, standing.in_flight, standing.reason);
        Some(LaneView { attempts, next_attempt_at, in_flight, reason })
    }

    fn failures(&self) -> Vec<Failure> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    fn replay(&self, replay_id: Uuid) -> Option<ReplayView> {
        self.replays.lock().unwrap_or_else(PoisonError::into_inner).get(&replay_id).copied()
    }
}
