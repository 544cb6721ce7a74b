//! `order.trace`

use std::collections::BTreeMap;
use std::sync::Arc;

use super::context::KnownSink;
use super::{Action, Context};
use crate::contracts::{
    EventState, EventView, OperatorResult, ParkedLane, PublishedEvent, Refusal, Sequence, SinkRecord, TracedEvent,
    TracedSink, TracedState,
};
use crate::domain::{EventId, OrderEvent, OrderId};

pub(super) fn trace(context: &Context<'_>, order_id: OrderId) -> Result<Action, Refusal> {
    let order = Box::new(*context.store.retrieve(order_id)?.state());
    let sinks = sinks_in_order(context);
    let mut events: BTreeMap<(Sequence, EventId), Arc<PublishedEvent>> = BTreeMap::new();
    // What is parked is known although it may have left the journal.
    for lane in sinks.iter().filter_map(|sink| sink.record.lanes.get(&order_id)) {
        events.extend(lane.events.iter().map(|event| ((event.sequence, event.entry.id), Arc::clone(event))));
    }
    let held = context.order_events(order_id)?.into_iter();
    events.extend(held.map(|event| ((event.sequence, event.entry.id), Arc::new(event))));
    // Each version of an order raised one event.
    let raised = events.values().filter(|event| !is_snapshot(event));
    let known = raised.map(|event| event.entry.order_version).collect::<std::collections::BTreeSet<_>>();
    let complete = u32::try_from(known.len()) == Ok(order.version);
    let events = events.values().map(|event| traced(context, &sinks, order_id, event)).collect();
    Ok(Action::answer(OperatorResult::Trace { order, events, complete }))
}

/// As `sink.list` has them.
fn sinks_in_order<'a>(context: &Context<'a>) -> Vec<KnownSink<'a>> {
    let configured = context.operations.sinks.iter().filter_map(|handle| context.sink(&handle.name).ok());
    let records: Vec<&'a SinkRecord> = context.store.sinks();
    let stopped = records.into_iter().filter(|record| context.handle(&record.name).is_none());
    configured.chain(stopped.map(|record| KnownSink { record, handle: None })).collect()
}

fn traced(context: &Context<'_>, sinks: &[KnownSink<'_>], order_id: OrderId, event: &PublishedEvent) -> TracedEvent {
    let entry = &event.entry;
    let reason = match &entry.event {
        OrderEvent::Cancelled(cancelled) => cancelled.reason.as_ref().map(|reason| reason.as_str().into()),
        OrderEvent::Placed(_) | OrderEvent::Completed(_) | OrderEvent::Snapshot(_) => None,
    };
    // A snapshot is seen while it is parked, at the sink that has it.
    let has_it = |sink: &SinkRecord| {
        let mut lanes = sink.lanes.get(&order_id).into_iter();
        lanes.any(|lane| lane.events.iter().any(|parked| parked.entry.id == entry.id))
    };
    let is_for = |sink: &&KnownSink<'_>| {
        if is_snapshot(event) { has_it(sink.record) } else { event.sequence > sink.record.start.after }
    };
    let since_start = sinks.iter().filter(is_for);
    TracedEvent {
        sequence: event.sequence,
        event_type: entry.event.event_type(),
        id: entry.id,
        orderversion: entry.order_version,
        time: entry.event.occurred_at(),
        reason,
        sinks: since_start.map(|sink| at_sink(context, *sink, order_id, event.sequence)).collect(),
    }
}

const fn is_snapshot(event: &PublishedEvent) -> bool {
    matches!(event.entry.event, OrderEvent::Snapshot(_))
}

fn at_sink(context: &Context<'_>, sink: KnownSink<'_>, order_id: OrderId, sequence: Sequence) -> TracedSink {
    let record = sink.record;
    let seen = look(context, sink, sequence);
    let lane = record.lanes.get(&order_id).filter(|lane| lane.events.iter().any(|event| event.sequence == sequence));
    let name = (*record.name).into();
    let seen_reason = seen.reason.as_deref().map(Box::from);
    if let Some(lane) = lane {
        let (attempts, reason) = parked_attempts(sink, order_id, lane, sequence);
        return TracedSink { name, state: TracedState::Parked, attempts, reason: reason.or(seen_reason) };
    }
    let state = match seen.state {
        _ if record.is_skipped(sequence) => TracedState::Skipped,
        EventState::Pending => TracedState::Pending,
        EventState::InFlight => TracedState::InFlight,
        EventState::Settled => TracedState::Delivered,
    };
    TracedSink { name, state, attempts: seen.attempts, reason: seen_reason }
}

/// Only the first event of a lane is ever tried.
fn parked_attempts(
    sink: KnownSink<'_>,
    order_id: OrderId,
    lane: &ParkedLane,
    sequence: Sequence,
) -> (u32, Option<Box<str>>) {
    let is_first = lane.events.front().is_some_and(|event| event.sequence == sequence);
    if !is_first {
        return (0, Some((*lane.reason).into()));
    }
    let seen = sink.handle.and_then(|handle| handle.view.lane(order_id));
    let attempts = seen.as_ref().map_or(0, |seen| seen.attempts).max(lane.attempts);
    let reason =
        seen.and_then(|seen| seen.reason).map_or_else(|| Box::from(&*lane.reason), |reason| Box::from(&*reason));
    (attempts, Some(reason))
}

/// What the worker sees of an event, or what follows from how far a sink without one had got.
fn look(context: &Context<'_>, sink: KnownSink<'_>, sequence: Sequence) -> EventView {
    let seen = sink.handle.and_then(|handle| handle.view.events(&[sequence]).pop());
    seen.unwrap_or_else(|| {
        let is_settled = sequence <= context.acked_sequence(sink);
        let state = if is_settled { EventState::Settled } else { EventState::Pending };
        EventView { state, attempts: 0, reason: None }
    })
}
