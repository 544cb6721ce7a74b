//! `lane.requeue`: one lane at once, many batch by batch.

use std::collections::VecDeque;
use std::sync::Arc;

use super::lanes::{fits, lane};
use super::{Action, Context};
use crate::contracts::{
    ConnectionId, Decision, DecisionInbox, DecisionKind, EventRange, LaneFilter, LaneState, OperatorResult, ParkedLane,
    Refusal, RequeueTarget, Ticket,
};
use crate::domain::OrderId;

/// Lanes that are requeued with one sync: few enough that commands beside them hardly wait.
const BATCH_LANES: usize = 500;

pub(super) fn requeue(
    context: &Context<'_>,
    name: &str,
    target: &RequeueTarget,
    limit: Option<usize>,
    reason: Option<&str>,
    dry_run: bool,
) -> Result<Action, Refusal> {
    let sink = context.sink(name)?;
    let lanes: Vec<(OrderId, &ParkedLane)> = match target {
        RequeueTarget::Order(order_id) => vec![(*order_id, lane(sink, *order_id)?)],
        RequeueTarget::All(filter) => {
            let meant = sink.record.lanes.iter().filter(|(_, lane)| is_meant(lane, filter));
            meant.map(|(order_id, lane)| (*order_id, lane)).take(limit.unwrap_or(usize::MAX)).collect()
        }
    };
    let touched = Touched::of(&lanes);
    if dry_run {
        return Ok(Action::answer(touched.result()));
    }
    // What is requeued already needs no decision; asking twice does no harm.
    let waiting = lanes.iter().filter(|(_, lane)| lane.state != LaneState::Requeued);
    let orders: VecDeque<_> = waiting.map(|(order_id, _)| *order_id).collect();
    let name = &sink.record.name;
    match orders.iter().next() {
        Some(order_id) if orders.len() == 1 => {
            let decision = context.decision(name, reason, DecisionKind::Requeued { order_id: *order_id });
            Ok(Action::Decide { decisions: vec![decision], result: touched.result(), follow_up: None })
        }
        Some(_) => Ok(Action::Requeue(RequeueJob {
            sink: Arc::clone(name),
            reason: reason.unwrap_or_default().into(),
            uid: context.uid,
            connection: context.connection,
            ticket: Ticket::default(),
            orders,
            touched: Touched::default(),
        })),
        None => Ok(Action::answer(touched.result())),
    }
}

/// Without a filter for it, lanes that are handed out again already are left alone.
fn is_meant(lane: &ParkedLane, filter: &LaneFilter) -> bool {
    fits(lane, filter) && (lane.state != LaneState::Requeued || filter.state == Some(LaneState::Requeued))
}

#[derive(Debug, Default)]
struct Touched {
    lanes: u64,
    range: EventRange,
}

impl Touched {
    fn of(lanes: &[(OrderId, &ParkedLane)]) -> Self {
        let mut touched = Self::default();
        lanes.iter().for_each(|(_, lane)| touched.add(lane));
        touched
    }

    fn add(&mut self, lane: &ParkedLane) {
        self.lanes = self.lanes.saturating_add(1);
        lane.events.iter().for_each(|event| self.range.add(event.sequence));
    }

    const fn result(&self) -> OperatorResult {
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
    sink: Arc<str>,
    reason: Arc<str>,
    uid: u32,
    orders: VecDeque<OrderId>,
    touched: Touched,
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
