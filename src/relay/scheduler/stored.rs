//! What a scheduler goes on from.

use std::sync::Arc;

use crate::contracts::{LaneState, Sequence};
use crate::domain::OrderId;

/// What was stored about a sink when its worker starts.
#[derive(Debug, Clone, Default)]
pub struct Stored {
    /// Everything up to here is settled.
    pub prefix: Sequence,
    /// Events after it that are settled, too.
    pub settled: Vec<Sequence>,
    /// While a snapshot is handed out: the live events after it that are settled.
    pub settled_after: Vec<Sequence>,
    /// Ranges passed over for good.
    pub skips: Vec<(Sequence, Sequence)>,
    /// Parked lanes.
    pub lanes: Vec<StoredLane>,
    /// Whether an operator has paused the sink.
    pub paused: bool,
    /// Whether too much was parked.
    pub halted: bool,
    /// The snapshot that is handed out, if one is: `prefix` and `settled` are its rows then.
    pub snapshot: Option<Snapshot>,
}

/// A parked lane as it was stored.
#[derive(Debug, Clone)]
pub struct StoredLane {
    /// The order.
    pub order_id: OrderId,
    /// Why it is parked.
    pub state: LaneState,
    /// How often its first event was tried.
    pub attempts: u32,
    /// The reason in words.
    pub reason: Arc<str>,
    /// Its events with their bytes, oldest first.
    pub events: Vec<(Sequence, u32)>,
    /// While a snapshot is handed out: the order's row, from 1, if it has one.
    pub row: Option<Sequence>,
}

/// A snapshot that is handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshot {
    /// The sequence that its events carry; the live events after it come next.
    pub at: Sequence,
    /// How many orders it has.
    pub rows: u64,
}
