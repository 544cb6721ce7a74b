//! Long reads of the journal for operators, on a thread of their own: neither commands nor the disk's writes wait for
//! them. What is read is durable.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use super::operate::{JournalQuery, Range, list_decisions, seek};
use crate::contracts::{ConnectionId, EventHistory, OperatorResult, Refusal, ReplayRequest, Ticket};

/// Who asks, and so where the answer goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caller {
    pub connection: ConnectionId,
    pub ticket: Ticket,
    pub uid: u32,
}

/// What is to be found out.
pub(super) struct Inquiry {
    pub caller: Caller,
    pub query: JournalQuery,
    pub history: Arc<dyn EventHistory>,
}

/// What was found out.
pub struct Finding {
    pub(super) caller: Caller,
    pub(super) found: Result<Found, Refusal>,
}

/// It is an answer, or what the executor needs to decide.
pub(super) enum Found {
    Answer(OperatorResult),
    Replay { request: ReplayRequest, range: Range },
}

/// Requests that may wait for the inspector; more are refused as `overloaded`.
const WAITING_MAX: usize = 16;

/// The inspector's side of its channels.
pub struct Inspector {
    inquiries: Receiver<Inquiry>,
    findings: Sender<Finding>,
}

/// The executor's side.
pub struct InspectorHandle {
    inquiries: Sender<Inquiry>,
    findings: Receiver<Finding>,
}

impl Inspector {
    /// An inspector that is not running yet, and how the executor reaches it.
    #[must_use]
    pub fn new() -> (Self, InspectorHandle) {
        let (inquiries, asked) = bounded(WAITING_MAX);
        // Whatever is asked is found out: there never are more findings than inquiries and the one at work.
        let (findings, found) = bounded(WAITING_MAX.saturating_add(1));
        (Self { inquiries: asked, findings }, InspectorHandle { inquiries, findings: found })
    }

    /// Reads until nobody can ask any more, or nobody wants to know.
    pub fn run(self) {
        for inquiry in &self.inquiries {
            if self.findings.send(inquiry.answer()).is_err() {
                break;
            }
        }
    }
}

impl InspectorHandle {
    /// Hands an inquiry over.
    pub(super) fn ask(&self, inquiry: Inquiry) -> Result<(), Refusal> {
        self.inquiries.try_send(inquiry).map_err(|error| match error {
            TrySendError::Full(_) => Refusal::Overloaded,
            TrySendError::Disconnected(_) => Refusal::ShuttingDown,
        })
    }

    /// Where what was found arrives.
    pub(super) const fn findings(&self) -> &Receiver<Finding> {
        &self.findings
    }
}

impl Inquiry {
    /// Finds it out, here and now.
    pub fn answer(self) -> Finding {
        let history = &*self.history;
        let found = match self.query {
            JournalQuery::Decisions { after, limit } => list_decisions(history, after, limit).map(Found::Answer),
            JournalQuery::Replay { request, acked, parked } => {
                seek(history, &request, acked, &parked).map(|range| Found::Replay { request, range })
            }
        };
        Finding { caller: self.caller, found }
    }
}
