//! `lane.list`, `show`, `skip` and `park`

use std::ops::Bound;
use std::sync::Arc;

use super::context::{KnownSink, RunningSink};
use super::{Action, Context};
use crate::contracts::{
    DecisionKind, EventState, LaneFilter, LaneState, LaneSummary, OperatorRefusal, OperatorResult, ParkedLane,
    PublishedEvent, Refusal, Sequence,
};
use crate::domain::OrderId;

/// However much is asked for, one answer holds no more lanes.
const LISTED_MAX: usize = 1000;

pub(super) fn list(
    context: &Context<'_>,
    name: &str,
    filter: &LaneFilter,
    after: Option<OrderId>,
    limit: usize,
) -> Result<Action, Refusal> {
    let sink = context.sink(name)?;
    let start = after.map_or(Bound::Unbounded, Bound::Excluded);
    let mut fitting = sink.record.lanes.range((start, Bound::Unbounded)).filter(|(_, lane)| fits(lane, filter));
    let first = fitting.by_ref().take(limit.clamp(1, LISTED_MAX));
    let lanes: Vec<_> = first.map(|(order_id, lane)| summary(sink, *order_id, lane)).collect();
    let last = lanes.last().map(|lane| lane.order_id);
    let next = last.filter(|_| fitting.next().is_some());
    Ok(Action::answer(OperatorResult::Lanes { lanes, next }))
}

/// Whether a lane is meant.
pub(super) fn fits(lane: &ParkedLane, filter: &LaneFilter) -> bool {
    filter.state.is_none_or(|state| lane.state == state)
        && filter.reason_contains.as_ref().is_none_or(|text| lane.reason.contains(text.as_str()))
}

fn summary(sink: KnownSink<'_>, order_id: OrderId, lane: &ParkedLane) -> LaneSummary {
    // A held or rejected lane stands still; of the others the worker knows more.
    let seen = sink.handle.and_then(|handle| handle.view.lane(order_id));
    let attempts = seen.as_ref().map_or(0, |seen| seen.attempts).max(lane.attempts);
    let is_tried = lane.state == LaneState::Retrying || lane.state == LaneState::Requeued;
    LaneSummary {
        order_id,
        state: lane.state,
        events: lane.events.len() as u64,
        first_sequence: lane.events.front().map(|event| event.sequence),
        since: lane.since,
        attempts,
        next_attempt_at: seen.as_ref().and_then(|seen| seen.next_attempt_at).filter(|_| is_tried),
        reason: seen.and_then(|seen| seen.reason).map_or_else(|| (*lane.reason).into(), |reason| (*reason).into()),
    }
}

/// The parked lane of an order.
pub(super) fn lane<'a>(sink: KnownSink<'a>, order_id: OrderId) -> Result<&'a ParkedLane, OperatorRefusal> {
    sink.record.lanes.get(&order_id).ok_or_else(|| {
        let name = &sink.record.name;
        let why = if sink.has_lanes() { "lane.list names those that have" } else { "only subscriptions have lanes" };
        OperatorRefusal::LaneNotFound(format!("order {order_id} has no parked lane at sink {name}; {why}"))
    })
}

pub(super) fn show(context: &Context<'_>, name: &str, order_id: OrderId) -> Result<Action, Refusal> {
    let sink = context.sink(name)?;
    let lane = lane(sink, order_id)?;
    let events = lane.events.iter().map(|event| context.rendered(event)).collect::<Result<_, _>>()?;
    Ok(Action::answer(OperatorResult::Lane { lane: Box::new(summary(sink, order_id, lane)), events }))
}

pub(super) fn skip(
    context: &Context<'_>,
    name: &str,
    order_id: OrderId,
    sequence: Sequence,
    reason: &str,
) -> Result<Action, Refusal> {
    let sink = context.sink(name)?;
    let lane = lane(sink, order_id)?;
    let first = lane.events.front().map_or(Sequence::ZERO, |event| event.sequence);
    if sequence != first {
        let problem = format!("event {sequence} is not the first of the lane; only that, {first}, can be skipped");
        return Err(OperatorRefusal::Invalid(problem).into());
    }
    if sink.handle.and_then(|handle| handle.view.lane(order_id)).is_some_and(|seen| seen.in_flight == Some(first)) {
        let problem = format!("event {sequence} is in flight; wait for its outcome, or pause the sink first");
        return Err(OperatorRefusal::Invalid(problem).into());
    }
    let kind = DecisionKind::LaneSkipped { order_id, sequence };
    Ok(Action::done([context.decision(&sink.record.name, Some(reason), kind)]))
}

pub(super) fn park(context: &Context<'_>, name: &str, order_id: OrderId, reason: &str) -> Result<Action, Refusal> {
    let known = context.sink(name)?;
    if !known.has_lanes() {
        lane(known, order_id)?;
    }
    let sink = context.running_sink(name)?;
    let parked = sink.record.lanes.get(&order_id);
    if sink.record.snapshot_running && parked.is_none() {
        let problem = format!(
            "sink {name} still hands out the snapshot that it starts with; park order {order_id} once that is over, or \
             pause the sink"
        );
        return Err(OperatorRefusal::Invalid(problem).into());
    }
    // What comes after a snapshot waits until all of that is settled.
    let waiting = if sink.record.snapshot_running { Vec::new() } else { waiting(context, sink, order_id)? };
    if parked.is_none() && waiting.is_empty() {
        let problem = format!("nothing of order {order_id} waits at sink {name}; orderd trace tells where it is");
        return Err(OperatorRefusal::LaneNotFound(problem).into());
    }
    let attempts = sink.handle.view.lane(order_id).map_or(0, |seen| seen.attempts);
    let attempts = attempts.max(parked.map_or(0, |lane| lane.attempts));
    let kind = DecisionKind::Parked { order_id, state: LaneState::Held, attempts, events: waiting };
    Ok(Action::done([context.decision(&sink.record.name, Some(reason), kind)]))
}

/// The events of an order that the sink has still to settle and that are not parked.
fn waiting(
    context: &Context<'_>,
    sink: RunningSink<'_>,
    order_id: OrderId,
) -> Result<Vec<Arc<PublishedEvent>>, Refusal> {
    let record = sink.record;
    let last_parked = record.lanes.get(&order_id).and_then(|lane| lane.events.back()).map(|event| event.sequence);
    let from = last_parked.unwrap_or_default().max(record.start.after);
    let mut events = context.order_events(order_id)?;
    events.retain(|event| event.sequence > from && !record.is_skipped(event.sequence));
    let sequences: Vec<_> = events.iter().map(|event| event.sequence).collect();
    let seen = sink.handle.view.events(&sequences);
    let open = events.into_iter().zip(seen).filter(|(_, seen)| seen.state != EventState::Settled);
    Ok(open.map(|(event, _)| Arc::new(event)).collect())
}
