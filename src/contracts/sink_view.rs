//! What only a sink's worker knows, for whoever answers operators.

use std::sync::Arc;

use serde::Serialize;
use uuid::Uuid;

use super::Sequence;
use crate::domain::{OrderId, Timestamp};

/// A look at a sink's worker while it works. Nothing here is a promise: the worker goes on while it is looked at.
///
/// An implementation MUST answer at once, without I/O and without waiting for the worker's turn to end: the executor
/// asks. The worker writes what it keeps in a lock of its own, and holds that only to copy.
pub trait SinkView: Send + Sync {
    /// The prefix: every event up to this one is delivered, parked or skipped.
    fn acked_sequence(&self) -> Sequence;

    /// What became of these events, which may lie before or after the prefix; one answer for each, in their order. Of
    /// parked and skipped events the answer says how often they were tried; that they are parked the caller knows.
    fn events(&self, events: &[Sequence]) -> Vec<EventView>;

    /// How many orders of the snapshot that the sink starts with are not settled; zero if none is handed out.
    fn snapshot_left(&self) -> u64 {
        0
    }

    /// Whether an order of that snapshot, by the number of its row from 0, was delivered, parked or passed over; `true`
    /// if none is handed out.
    fn is_row_settled(&self, _row: u64) -> bool {
        true
    }

    /// Whether the cursor says of a parked order of that snapshot that it is settled: until then a kill brings its row
    /// again.
    fn is_row_saved(&self, _order_id: OrderId) -> bool {
        true
    }

    /// How a lane's first event fares; `None` if the worker keeps nothing of this order.
    fn lane(&self, order_id: OrderId) -> Option<LaneView>;

    /// The last failures, oldest first; at most 100.
    fn failures(&self) -> Vec<Failure>;

    /// How far a running replay is; `None` if the worker does not run it.
    fn replay(&self, replay_id: Uuid) -> Option<ReplayView>;
}

/// What became of an event at a sink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventView {
    /// Where it is.
    pub state: EventState,
    /// How often it was handed out; 0 where that is no longer known.
    pub attempts: u32,
    /// Why the last attempt failed.
    pub reason: Option<Arc<str>>,
}

/// Where an event is, as far as its worker knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventState {
    /// It was not handed out, or came back and waits.
    Pending,
    /// It is handed out and not answered.
    InFlight,
    /// It is at or below the prefix, or in the window of what was delivered out of order.
    Settled,
}

/// How a lane's first event fares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneView {
    /// How often it was handed out.
    pub attempts: u32,
    /// When it is handed out again; `None` if it is in flight, waits for an operator or only for its turn.
    pub next_attempt_at: Option<Timestamp>,
    /// The event of the lane that is handed out and not answered.
    pub in_flight: Option<Sequence>,
    /// Why the last attempt failed.
    pub reason: Option<Arc<str>>,
}

/// An attempt that did not deliver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// When the outcome came.
    #[serde(serialize_with = "super::rfc3339::serialize")]
    pub at: Timestamp,
    /// The event; `None` where the target as a whole failed.
    pub sequence: Option<Sequence>,
    /// Its order.
    pub order_id: Option<OrderId>,
    /// Which attempt it was, from 1; 0 where the target as a whole failed.
    pub attempt: u32,
    /// What the program said of it.
    pub outcome: FailureOutcome,
    /// Why, in the program's or the system's words.
    pub reason: Box<str>,
}

/// How an attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureOutcome {
    /// Again later.
    Failed,
    /// Never.
    Rejected,
    /// The target as a whole.
    Unavailable,
    /// The target as a whole, until somebody mends it.
    Blocked,
    /// The program went away, or did not answer in time.
    Detached,
}

/// How far a replay is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReplayView {
    /// Events that the sink took.
    pub delivered: u64,
    /// Events that were given up.
    pub failed: u64,
    /// The last event of its range that was settled or left out.
    pub reached: Sequence,
    /// Milliseconds until the end at the present rate; `None` unless that is known.
    pub eta_ms: Option<u64>,
}
