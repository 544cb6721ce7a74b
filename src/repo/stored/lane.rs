//! Parked lanes as checkpoints hold them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{OutOfRange, StoredPublished, timestamp};
use crate::contracts::{LaneState, ParkedLane, PublishedEvent};
use crate::domain::OrderId;

/// A lane of one sink.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::repo) struct StoredLane<'a> {
    pub sink: &'a str,
    order_id: Uuid,
    state: StoredLaneState,
    since: i64,
    attempts: u32,
    reason: &'a str,
    #[serde(borrow)]
    events: Vec<StoredPublished<'a>>,
}

/// Why a lane is parked.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) enum StoredLaneState {
    Retrying,
    Rejected,
    Held,
    Requeued,
}

impl From<LaneState> for StoredLaneState {
    fn from(state: LaneState) -> Self {
        match state {
            LaneState::Retrying => Self::Retrying,
            LaneState::Rejected => Self::Rejected,
            LaneState::Held => Self::Held,
            LaneState::Requeued => Self::Requeued,
        }
    }
}

impl From<StoredLaneState> for LaneState {
    fn from(state: StoredLaneState) -> Self {
        match state {
            StoredLaneState::Retrying => Self::Retrying,
            StoredLaneState::Rejected => Self::Rejected,
            StoredLaneState::Held => Self::Held,
            StoredLaneState::Requeued => Self::Requeued,
        }
    }
}

impl<'a> StoredLane<'a> {
    /// The stored form of an order's lane at `sink`.
    pub fn of(sink: &'a str, order_id: OrderId, lane: &'a ParkedLane) -> Self {
        Self {
            sink,
            order_id: order_id.uuid(),
            state: lane.state.into(),
            since: lane.since.micros(),
            attempts: lane.attempts,
            reason: &lane.reason,
            events: lane.events.iter().map(|event| StoredPublished::from(&**event)).collect(),
        }
    }

    /// The lane, and whose it is.
    pub fn read(self) -> Result<(OrderId, ParkedLane), OutOfRange> {
        let order_id = OrderId::new(self.order_id);
        let mut events = std::collections::VecDeque::with_capacity(self.events.len());
        for stored in self.events {
            let event = PublishedEvent::try_from(stored)?;
            let follows = events.back().is_none_or(|last: &Arc<PublishedEvent>| last.sequence < event.sequence);
            if !follows || event.entry.event.order_id() != order_id {
                return Err(OutOfRange("event of a parked lane"));
            }
            events.push_back(Arc::new(event));
        }
        if events.is_empty() {
            return Err(OutOfRange("count of a parked lane's events"));
        }
        let (since, reason) = (timestamp(self.since)?, Arc::from(self.reason));
        Ok((order_id, ParkedLane { state: self.state.into(), since, attempts: self.attempts, reason, events }))
    }
}
