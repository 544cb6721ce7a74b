//! Delivery decisions as they are stored.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::lane::StoredLaneState;
use super::sink::{StoredReplaySpec, StoredStart};
use super::{OutOfRange, StoredPublished, timestamp};
use crate::contracts::{Decision, DecisionKind, PublishedEvent, Sequence};
use crate::domain::OrderId;

/// A decision.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::repo) struct StoredDecision<'a> {
    sink: &'a str,
    at: i64,
    uid: u32,
    reason: &'a str,
    #[serde(borrow)]
    kind: StoredKind<'a>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
enum StoredKind<'a> {
    Registered(#[serde(borrow)] StoredStart<'a>),
    Forgotten,
    Parked {
        order_id: Uuid,
        state: StoredLaneState,
        attempts: u32,
        #[serde(borrow)]
        events: Vec<StoredPublished<'a>>,
    },
    Requeued {
        order_id: Uuid,
    },
    Delivered {
        events: Vec<(Uuid, u64)>,
    },
    LaneSkipped {
        order_id: Uuid,
        sequence: u64,
    },
    RangeSkipped {
        from: u64,
        to: u64,
    },
    Paused,
    Resumed,
    Halted,
    ReplayStarted(StoredReplaySpec),
    ReplayEnded {
        replay_id: Uuid,
        cancelled: bool,
        delivered: u64,
        failed: u64,
    },
    SnapshotEnded,
    Restored {
        epoch: u32,
    },
}

/// A decision as a database keeps it: whole, in its stored form.
#[must_use]
pub fn encode_decision(decision: &Decision) -> Vec<u8> {
    // Nothing in it can fail to be written into memory.
    postcard::to_stdvec(&StoredDecision::from(decision)).unwrap_or_default()
}

/// Reads what [`encode_decision`] has written.
///
/// # Errors
/// The bytes are something else.
pub fn decode_decision(bytes: &[u8]) -> Result<Decision, String> {
    let stored: StoredDecision<'_> = postcard::from_bytes(bytes).map_err(|error| error.to_string())?;
    Decision::try_from(stored).map_err(|error| error.to_string())
}

impl<'a> From<&'a Decision> for StoredDecision<'a> {
    fn from(decision: &'a Decision) -> Self {
        Self {
            sink: &decision.sink,
            at: decision.at.micros(),
            uid: decision.uid,
            reason: &decision.reason,
            kind: StoredKind::from(&decision.kind),
        }
    }
}

impl TryFrom<StoredDecision<'_>> for Decision {
    type Error = OutOfRange;

    fn try_from(stored: StoredDecision<'_>) -> Result<Self, OutOfRange> {
        let StoredDecision { sink, at, uid, reason, kind } = stored;
        let kind = DecisionKind::try_from(kind)?;
        Ok(Self { sink: Arc::from(sink), at: timestamp(at)?, uid, reason: Arc::from(reason), kind })
    }
}

impl<'a> From<&'a DecisionKind> for StoredKind<'a> {
    fn from(kind: &'a DecisionKind) -> Self {
        match kind {
            DecisionKind::Registered(start) => Self::Registered(start.into()),
            DecisionKind::Forgotten => Self::Forgotten,
            DecisionKind::Parked { order_id, state, attempts, events } => Self::Parked {
                order_id: order_id.uuid(),
                state: (*state).into(),
                attempts: *attempts,
                events: events.iter().map(|event| StoredPublished::from(&**event)).collect(),
            },
            DecisionKind::Requeued { order_id } => Self::Requeued { order_id: order_id.uuid() },
            DecisionKind::Delivered { events } => {
                let stored = events.iter().map(|(order_id, sequence)| (order_id.uuid(), sequence.0));
                Self::Delivered { events: stored.collect() }
            }
            DecisionKind::LaneSkipped { order_id, sequence } => {
                Self::LaneSkipped { order_id: order_id.uuid(), sequence: sequence.0 }
            }
            DecisionKind::RangeSkipped { from, to } => Self::RangeSkipped { from: from.0, to: to.0 },
            DecisionKind::Paused => Self::Paused,
            DecisionKind::Resumed => Self::Resumed,
            DecisionKind::Halted => Self::Halted,
            DecisionKind::ReplayStarted(spec) => Self::ReplayStarted(spec.into()),
            DecisionKind::ReplayEnded { replay_id, cancelled, delivered, failed } => Self::ReplayEnded {
                replay_id: *replay_id,
                cancelled: *cancelled,
                delivered: *delivered,
                failed: *failed,
            },
            DecisionKind::SnapshotEnded => Self::SnapshotEnded,
            DecisionKind::Restored { epoch } => Self::Restored { epoch: *epoch },
        }
    }
}

impl TryFrom<StoredKind<'_>> for DecisionKind {
    type Error = OutOfRange;

    fn try_from(stored: StoredKind<'_>) -> Result<Self, OutOfRange> {
        Ok(match stored {
            StoredKind::Registered(start) => Self::Registered(start.into()),
            StoredKind::Forgotten => Self::Forgotten,
            StoredKind::Parked { order_id, state, attempts, events } => {
                let event = |stored| PublishedEvent::try_from(stored).map(Arc::new);
                let events = events.into_iter().map(event).collect::<Result<_, _>>()?;
                Self::Parked { order_id: OrderId::new(order_id), state: state.into(), attempts, events }
            }
            StoredKind::Requeued { order_id } => Self::Requeued { order_id: OrderId::new(order_id) },
            StoredKind::Delivered { events } => {
                let event = |(order_id, sequence)| (OrderId::new(order_id), Sequence(sequence));
                Self::Delivered { events: events.into_iter().map(event).collect() }
            }
            StoredKind::LaneSkipped { order_id, sequence } => {
                Self::LaneSkipped { order_id: OrderId::new(order_id), sequence: Sequence(sequence) }
            }
            StoredKind::RangeSkipped { from, to } => Self::RangeSkipped { from: Sequence(from), to: Sequence(to) },
            StoredKind::Paused => Self::Paused,
            StoredKind::Resumed => Self::Resumed,
            StoredKind::Halted => Self::Halted,
            StoredKind::ReplayStarted(spec) => Self::ReplayStarted(spec.into()),
            StoredKind::ReplayEnded { replay_id, cancelled, delivered, failed } => {
                Self::ReplayEnded { replay_id, cancelled, delivered, failed }
            }
            StoredKind::SnapshotEnded => Self::SnapshotEnded,
            StoredKind::Restored { epoch } => Self::Restored { epoch },
        })
    }
}
