//! What others see of a `file` or `stdout` worker while it works.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use uuid::Uuid;

use crate::contracts::{EventState, EventView, Failure, FailureOutcome, LaneView, ReplayView, Sequence, SinkView};
use crate::domain::{OrderId, Timestamp};

/// How far it has come, and what went wrong last.
#[derive(Debug)]
pub(super) struct Shared {
    acknowledged: AtomicU64,
    snapshot_left: AtomicU64,
    failures: Arc<Mutex<VecDeque<Failure>>>,
    failures_max: usize,
    /// How far running replays are.
    replays: Mutex<HashMap<Uuid, ReplayView>>,
}

impl Shared {
    pub(super) fn new(acknowledged: Sequence, failures_max: usize) -> Self {
        let (acknowledged, snapshot_left) = (AtomicU64::new(acknowledged.0), AtomicU64::new(0));
        Self { acknowledged, snapshot_left, failures: Arc::default(), failures_max, replays: Mutex::default() }
    }

    /// Of a replay: what goes wrong is shown with its sink's failures.
    pub(super) fn of_replay(sink: &Self) -> Self {
        Self { failures: Arc::clone(&sink.failures), ..Self::new(Sequence::ZERO, sink.failures_max) }
    }

    pub(super) fn show_replays(&self, views: HashMap<Uuid, ReplayView>) {
        *self.replays.lock().unwrap_or_else(PoisonError::into_inner) = views;
    }

    pub(super) fn acknowledge(&self, sequence: Sequence, snapshot_left: u64) {
        self.acknowledged.store(sequence.0, Ordering::Release);
        self.snapshot_left.store(snapshot_left, Ordering::Release);
    }

    /// A batch that begins with `first` was not delivered.
    pub(super) fn note_failure(&self, at: Timestamp, first: Option<Sequence>, attempts: u64, reason: &str) {
        let attempt = u32::try_from(attempts).unwrap_or(u32::MAX);
        let (outcome, order_id) = (FailureOutcome::Failed, None);
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.push_back(Failure { at, sequence: first, order_id, attempt, outcome, reason: reason.into() });
        if failures.len() > self.failures_max {
            failures.pop_front();
        }
    }
}

impl SinkView for Shared {
    fn acked_sequence(&self) -> Sequence {
        Sequence(self.acknowledged.load(Ordering::Acquire))
    }

    fn snapshot_left(&self) -> u64 {
        self.snapshot_left.load(Ordering::Acquire)
    }

    fn events(&self, events: &[Sequence]) -> Vec<EventView> {
        let acknowledged = self.acked_sequence();
        let view = |sequence: &Sequence| {
            let state = if *sequence <= acknowledged { EventState::Settled } else { EventState::Pending };
            EventView { state, attempts: 0, reason: None }
        };
        events.iter().map(view).collect()
    }

    fn lane(&self, _: OrderId) -> Option<LaneView> {
        None
    }

    fn failures(&self) -> Vec<Failure> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    fn replay(&self, replay_id: Uuid) -> Option<ReplayView> {
        self.replays.lock().unwrap_or_else(PoisonError::into_inner).get(&replay_id).copied()
    }
}
