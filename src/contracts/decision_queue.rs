//! The way of delivery decisions: from a sink's worker to the executor, and, once durable, back to the worker.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Decision, Lsn};

/// Decisions of one worker, on their way to the executor, which makes each a plan. All of them, or none, become durable
/// in the same commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecisionBatch {
    /// The worker's own number for the batch; it comes back with each of the decisions.
    pub ticket: u64,
    /// In the order in which they are to be applied.
    pub decisions: Vec<Decision>,
}

/// What a sink's worker hears from the executor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DecisionNews {
    /// A decision is durable, and is to be acted on now.
    Durable {
        /// The worker's ticket, if the worker had asked for it; `None` for an operator's.
        ticket: Option<u64>,
        /// Its plan.
        lsn: Lsn,
        /// What was decided.
        decision: Arc<Decision>,
        /// If it parks an order of a snapshot: the order's row, as [`OrderRows`](super::OrderRows) counts them.
        row: Option<u64>,
    },
    /// There was no room, not even in the reserve: nothing of the batch is stored. The worker tries again later.
    Full {
        /// The worker's ticket.
        ticket: u64,
    },
    /// An operator wants every back-off to end now.
    Retry,
}

/// A sink's side of the way back. The executor never waits here.
///
/// It needs no limit of its own: a worker has one batch under way at a time, and the executor answers operators
/// `overloaded` while more than [`DecisionInbox::OPERATORS_MAX`] of their decisions wait here.
pub struct DecisionInbox {
    news: Mutex<VecDeque<DecisionNews>>,
    wake: Box<dyn Fn() + Send + Sync>,
}

impl DecisionInbox {
    /// Decisions of operators that may wait for one worker.
    pub const OPERATORS_MAX: usize = 10_000;

    /// An inbox that calls `wake` whenever something was put in.
    #[must_use]
    pub fn new(wake: Box<dyn Fn() + Send + Sync>) -> Self {
        Self { news: Mutex::new(VecDeque::new()), wake }
    }

    /// Puts news in, and wakes the worker.
    pub fn put(&self, news: impl IntoIterator<Item = DecisionNews>) {
        self.locked().extend(news);
        (self.wake)();
    }

    /// All news, oldest first.
    #[must_use]
    pub fn take(&self) -> VecDeque<DecisionNews> {
        std::mem::take(&mut *self.locked())
    }

    /// The oldest news alone.
    #[must_use]
    pub fn take_oldest(&self) -> Option<DecisionNews> {
        self.locked().pop_front()
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.locked().len()
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.locked().is_empty()
    }

    fn locked(&self) -> MutexGuard<'_, VecDeque<DecisionNews>> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
