//! `lane.requeue`: one lane at once, many batch by batch.

use std::collections::VecDeque;
use std::sync::Arc;

use super::lanes::{fits, lane};
use super::requeue_job::{RequeueJob, Touched};
use super::{Action, Context};
use crate::contracts::{DecisionKind, LaneFilter, LaneState, ParkedLane, Refusal, RequeueTarget, Ticket};
use crate::domain::OrderId;

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
