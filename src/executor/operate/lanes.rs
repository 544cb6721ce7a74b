//! `lane.list`, `show`, `skip` and `park`

use std::ops::Bound;
use std::sync::Arc;

use super::context::{KnownSink, RunningSink, unreadable};
use super::{Action, Context};
use crate::contracts::{
    DecisionKind, EventState, LaneFilter, LaneState, LaneSummary, OperatorRefusal, OperatorResult, ParkedLane,
    PublishedEvent, Refusal, Sequence, order_snapshot,
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
    let is_row = sink.record.snapshot_running && sequence == sink.record.start.after;
    if is_row && sink.handle.is_some_and(|handle| !handle.view.is_row_saved(order_id)) {
        let problem = format!("that order {order_id} is parked out of the snapshot is not saved in the cursor");
        return Err(OperatorRefusal::NotYet(problem).into());
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
    let waiting = match (open_snapshot(context, sink, order_id)?, sink.record.snapshot_running) {
        // Its later events come after the whole snapshot, and join the lane then.
        (Some(snapshot), _) => vec![Arc::new(snapshot)],
        (None, true) if parked.is_some() => Vec::new(),
        (None, _) => waiting(context, sink, order_id)?,
    };
    if parked.is_none() && waiting.is_empty() {
        let problem = format!("nothing of order {order_id} waits at sink {name}; orderd trace tells where it is");
        return Err(OperatorRefusal::LaneNotFound(problem).into());
    }
    let attempts = sink.handle.view.lane(order_id).map_or(0, |seen| seen.attempts);
    let attempts = attempts.max(parked.map_or(0, |lane| lane.attempts));
    let kind = DecisionKind::Parked { order_id, state: LaneState::Held, attempts, events: waiting };
    Ok(Action::done([context.decision(&sink.record.name, Some(reason), kind)]))
}

/// The order of a snapshot that the sink is being handed, as far as it has still to settle it and it is not parked.
fn open_snapshot(
    context: &Context<'_>,
    sink: RunningSink<'_>,
    order_id: OrderId,
) -> Result<Option<PublishedEvent>, Refusal> {
    let (record, start) = (sink.record, &sink.record.start);
    let Some(snapshot) = record.running_snapshot().filter(|_| !record.lanes.contains_key(&order_id)) else {
        return Ok(None);
    };
    let row = context.store.order_row(order_id);
    if row.is_none() && context.store.order_lsn(order_id)?.is_some() {
        let problem =
            format!("this store cannot tell where in the snapshot order {order_id} is; park it once that is over");
        return Err(OperatorRefusal::Invalid(problem).into());
    }
    let row = row.filter(|(number, _)| *number < snapshot.orders);
    let Some((_, row)) = row.filter(|(number, _)| !sink.handle.view.is_row_settled(*number)) else { return Ok(None) };
    let history = context.store.history();
    let event = order_snapshot(&row, start.after, &snapshot, &start.source, history.as_ref());
    Ok(Some(event.map_err(unreadable)?))
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
