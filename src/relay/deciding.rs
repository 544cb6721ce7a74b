//! The way of a worker's own decisions to the executor: one batch at a time.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Sender, TrySendError};

use crate::contracts::{Decision, DecisionBatch, DecisionKind};
use crate::domain::Timestamp;

/// How soon a batch for which there was no room is sent again.
const FULL_RETRY: Duration = Duration::from_millis(250);

/// At most one batch is under way, and it is sent again for as long as there is no room for it.
pub(super) struct Deciding {
    sink: Arc<str>,
    uid: u32,
    sender: Sender<DecisionBatch>,
    ticket: u64,
    /// What is under way: sent again if there was no room.
    batch: Option<DecisionBatch>,
    /// How many of its decisions were not heard of.
    left: usize,
    /// When it is to be sent, if it is not under way.
    send_at: Option<Duration>,
}

impl Deciding {
    /// Decisions about `sink`, in the name of the daemon's own user `uid`.
    pub(super) const fn new(sink: Arc<str>, uid: u32, sender: Sender<DecisionBatch>) -> Self {
        Self { sink, uid, sender, ticket: 0, batch: None, left: 0, send_at: None }
    }

    /// Whether a batch is under way, or waits to be sent again.
    pub(super) const fn is_busy(&self) -> bool {
        self.batch.is_some()
    }

    /// When a batch that waits is to be sent again.
    pub(super) const fn send_at(&self) -> Option<Duration> {
        self.send_at
    }

    /// Makes a decision of the daemon's own.
    pub(super) fn decide(&self, kind: DecisionKind, reason: Arc<str>, at: Timestamp) -> Decision {
        Decision { sink: Arc::clone(&self.sink), at, uid: self.uid, reason, kind }
    }

    /// Sends decisions on their way, if there are some; only while it is not busy.
    pub(super) fn offer(&mut self, decisions: Vec<Decision>, now: Duration) {
        if !decisions.is_empty() {
            self.ticket += 1;
            self.left = decisions.len();
            self.batch = Some(DecisionBatch { ticket: self.ticket, decisions });
            self.send(now);
        }
    }

    /// Sends a batch again that waits for it, if it is time.
    pub(super) fn send_due(&mut self, now: Duration) {
        if self.send_at.is_some_and(|at| at <= now) {
            self.send(now);
        }
    }

    /// A decision is durable; whether it is one of those that were asked for here.
    pub(super) fn heard(&mut self, ticket: Option<u64>) -> bool {
        if ticket != Some(self.ticket) || self.batch.is_none() {
            return false;
        }
        self.left = self.left.saturating_sub(1);
        if self.left == 0 {
            self.batch = None;
        }
        true
    }

    /// There was no room for the batch: it is sent again.
    pub(super) fn full(&mut self, ticket: u64, now: Duration) {
        if ticket == self.ticket && self.batch.is_some() {
            self.send_at = Some(now.saturating_add(FULL_RETRY));
        }
    }

    fn send(&mut self, now: Duration) {
        let Some(batch) = self.batch.clone() else { return };
        self.send_at = match self.sender.try_send(batch) {
            // Nobody decides any more: the daemon stops, and what is wished for is wished for again after the restart.
            Ok(()) | Err(TrySendError::Disconnected(_)) => None,
            Err(TrySendError::Full(_)) => Some(now.saturating_add(FULL_RETRY)),
        };
    }
}
