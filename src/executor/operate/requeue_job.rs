//! Many lanes that are handed out again, some with each batch.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Context;
use crate::contracts::{
    ConnectionId, Decision, DecisionInbox, DecisionKind, EventRange, LaneState, OperatorResult, ParkedLane, Ticket,
};
use crate::domain::OrderId;

/// Lanes that are requeued with one sync: few enough that commands beside them hardly wait.
const BATCH_LANES: usize = 500;

/// What a request touches.
#[derive(Debug, Default)]
pub(super) struct Touched {
    lanes: u64,
    range: EventRange,
}

impl Touched {
    pub(super) fn of(lanes: &[(OrderId, &ParkedLane)]) -> Self {
        let mut touched = Self::default();
        lanes.iter().for_each(|(_, lane)| touched.add(lane));
        touched
    }

    fn add(&mut self, lane: &ParkedLane) {
        self.lanes = self.lanes.saturating_add(1);
        lane.events.iter().for_each(|event| self.range.add(event.sequence));
    }

    pub(super) const fn result(&self) -> OperatorResult {
        OperatorResult::Requeued { lanes: self.lanes, range: self.range }
    }
}

/// Many lanes on their way: some of them with each batch, so that commands go on in between. What is not done when the
/// daemon stops stays parked; the request can be repeated.
#[derive(Debug)]
pub(in crate::executor) struct RequeueJob {
    pub connection: ConnectionId,
    /// Set by whoever takes the job on.
    pub ticket: Ticket,
    pub(super) sink: Arc<str>,
    pub(super) reason: Arc<str>,
    pub(super) uid: u32,
    pub(super) orders: VecDeque<OrderId>,
    pub(super) touched: Touched,
}

impl RequeueJob {
    /// The next decisions; none if the worker has enough to do for now. What became of a lane meanwhile counts: it may be
    /// gone.
    pub fn next_batch(&mut self, context: &Context<'_>) -> Vec<Decision> {
        let waiting = context.store.inbox(&self.sink).map_or(0, |inbox| inbox.len());
        if waiting.saturating_add(BATCH_LANES) > DecisionInbox::OPERATORS_MAX {
            return Vec::new();
        }
        let Some(record) = context.store.sink(&self.sink) else {
            self.orders.clear();
            return Vec::new();
        };
        let mut decisions = Vec::with_capacity(BATCH_LANES.min(self.orders.len()));
        while decisions.len() < BATCH_LANES
            && let Some(order_id) = self.orders.pop_front()
        {
            if let Some(lane) = record.lanes.get(&order_id).filter(|lane| lane.state != LaneState::Requeued) {
                self.touched.add(lane);
                let kind = DecisionKind::Requeued { order_id };
                let (sink, reason) = (Arc::clone(&self.sink), Arc::clone(&self.reason));
                decisions.push(Decision { sink, at: context.now, uid: self.uid, reason, kind });
            }
        }
        decisions
    }

    /// Whether nothing is left.
    pub fn is_done(&self) -> bool {
        self.orders.is_empty()
    }

    /// What it touched so far.
    pub const fn result(&self) -> OperatorResult {
        self.touched.result()
    }
}
