//! How far the sending of requests may run ahead of their answers.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::exit::Failure;

/// Requests that are sent and not answered, at most: what a daemon takes of one connection by default.
const OUTSTANDING_MAX: u64 = 1024;

/// How the sending ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ending {
    /// Every line was sent.
    AllSent,
    /// The daemon takes no more.
    HungUp,
    /// The input cannot be read.
    Failed(Failure),
}

/// Shared by the thread that sends and the one that receives.
#[derive(Default)]
pub(super) struct Window {
    state: Mutex<State>,
    /// Signalled when `outstanding` falls below the most.
    room: Condvar,
}

#[derive(Default)]
struct State {
    outstanding: u64,
    bytes: u64,
    ending: Option<Ending>,
}

impl Window {
    /// Whether a request can be sent without waiting.
    pub(super) fn has_room(&self) -> bool {
        self.lock().outstanding < OUTSTANDING_MAX
    }

    /// Notes a request of this many bytes; waits for room if it will be answered. The process ends, rather than this
    /// wait, when the answers end.
    pub(super) fn take(&self, bytes: u64, answered: bool) {
        let mut state = self.lock();
        if answered {
            let full = |state: &mut State| state.outstanding >= OUTSTANDING_MAX;
            state = self.room.wait_while(state, full).unwrap_or_else(PoisonError::into_inner);
            state.outstanding += 1;
        }
        state.bytes += bytes;
    }

    /// Notes an answer.
    pub(super) fn abort(&self) {
        let mut state = self.lock();
        let was_full = state.outstanding >= OUTSTANDING_MAX;
        state.outstanding = state.outstanding.saturating_sub(1);
        drop(state);
        if was_full {
            self.room.notify_one();
        }
    }

    /// Notes that nothing more is sent.
    pub(super) fn end(&self, ending: Ending) {
        self.lock().ending = Some(ending);
    }

    pub(super) fn outstanding(&self) -> u64 {
        self.lock().outstanding
    }

    pub(super) fn bytes(&self) -> u64 {
        self.lock().bytes
    }

    pub(super) fn ending(&self) -> Option<Ending> {
        self.lock().ending.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
