//! `replay.*`, and what has to be query in the journal.

use std::collections::BTreeSet;
use std::sync::Arc;

use uuid::Uuid;

use super::context::unreadable;
use super::{Action, Context};
use crate::contracts::{
    DecisionKind, EventHistory, EventRange, EventType, Lsn, OperatorRefusal, OperatorResult, PublishedEvent, Refusal,
    ReplayBound, ReplayRecord, ReplayRequest, ReplaySpec, ReplayState, ReplaySummary, Sequence, SinkRecord, SinkType,
};
use crate::domain::OrderEvent;

/// What a request wants to know of the journal before it can be decided or answered.
#[derive(Debug)]
pub(in crate::executor) enum JournalQuery {
    /// Delivery decisions of plans after `after`.
    Decisions { after: Lsn, limit: usize },
    /// The events of a replay.
    Replay {
        request: ReplayRequest,
        /// The last event that the sink had live.
        acked: Sequence,
        /// What is parked at the sink: left out.
        parked: BTreeSet<Sequence>,
    },
}

/// The events of a replay.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::executor) struct Range {
    from: Sequence,
    to: Sequence,
    fitting: EventRange,
}

/// Replays that are listed, the newest ones.
const LISTED_MAX: usize = 100;
/// Events that are read at once when events are counted.
const READ_EVENTS: usize = 1000;

/// Looks at who is to get the events again, before anything is read.
pub(super) fn prepare(context: &Context<'_>, request: &ReplayRequest) -> Result<Action, Refusal> {
    let sink = context.running_sink(&request.sink)?;
    if sink.record.start.sink_type == SinkType::Stdout {
        let problem = format!("sink {} is standard output, which has no replays", request.sink);
        return Err(OperatorRefusal::Invalid(problem).into());
    }
    // A parked snapshot carries a sequence that another event has.
    let is_raised = |event: &&Arc<PublishedEvent>| !matches!(event.entry.event, OrderEvent::Snapshot(_));
    let parked = sink.record.lanes.values().flat_map(|lane| &lane.events).filter(is_raised);
    let parked = parked.map(|event| event.sequence).collect();
    let acked = sink.handle.view.acked_sequence();
    Ok(Action::Read(JournalQuery::Replay { request: request.clone(), acked, parked }))
}

/// Finds the range, and counts what of it fits; reads as much of the journal as the range is long, if it has to.
pub(in crate::executor) fn seek(
    history: &dyn EventHistory,
    request: &ReplayRequest,
    acked: Sequence,
    parked: &BTreeSet<Sequence>,
) -> Result<Range, Refusal> {
    let (from, to) = bounds(history, request, acked)?;
    let fitting = if request.types.is_empty() && request.order_id.is_none() {
        let excluded: super::excluded::Excluded = parked.iter().map(|at| (*at, *at)).collect();
        excluded.left_of(from, to)
    } else {
        count(history, request, from, to, parked)?
    };
    Ok(Range { from, to, fitting })
}

fn bounds(
    history: &dyn EventHistory,
    request: &ReplayRequest,
    acked: Sequence,
) -> Result<(Sequence, Sequence), Refusal> {
    let oldest = history.oldest_sequence().map_err(unreadable)?;
    let out_of_range = |problem: String| Refusal::from(OperatorRefusal::OutOfRange { problem, oldest });
    let from = match request.from {
        ReplayBound::Sequence(from) => from,
        ReplayBound::Time(time) => {
            let found = history.first_at_or_after(time).map_err(unreadable)?;
            found.ok_or_else(|| out_of_range(format!("no event happened at {time} or later")))?
        }
    };
    let to = match request.to {
        ReplayBound::Sequence(to) => to,
        ReplayBound::Time(time) => {
            let found = history.last_at_or_before(time).map_err(unreadable)?;
            found.ok_or_else(|| out_of_range(format!("no event that happened at {time} or before is held")))?.min(acked)
        }
    };
    if from < oldest {
        return Err(out_of_range(format!("event {from} is not held")));
    }
    if to > acked {
        return Err(out_of_range(format!("a replay ends at what the sink has had, event {acked}, at the latest")));
    }
    if from > to {
        let problem = format!("the range is empty: it begins with event {from} and ends with event {to}");
        return Err(OperatorRefusal::Invalid(problem).into());
    }
    Ok((from, to))
}

fn count(
    history: &dyn EventHistory,
    request: &ReplayRequest,
    from: Sequence,
    to: Sequence,
    parked: &BTreeSet<Sequence>,
) -> Result<EventRange, Refusal> {
    let mut feed = history.open_after(Sequence(from.0.saturating_sub(1))).map_err(unreadable)?;
    let mut fitting = EventRange::default();
    let mut batch = Vec::with_capacity(READ_EVENTS);
    loop {
        batch.clear();
        feed.read(READ_EVENTS, &mut batch).map_err(unreadable)?;
        let inside = batch.iter().take_while(|event| event.sequence <= to);
        let chosen = inside.filter(|event| fits(event, request) && !parked.contains(&event.sequence));
        chosen.for_each(|event| fitting.add(event.sequence));
        if batch.last().is_none_or(|last| last.sequence >= to) {
            return Ok(fitting);
        }
    }
}

fn fits(event: &PublishedEvent, request: &ReplayRequest) -> bool {
    let event_type = match event.entry.event {
        OrderEvent::Placed(_) => EventType::OrderPlaced,
        OrderEvent::Completed(_) => EventType::OrderCompleted,
        OrderEvent::Cancelled(_) => EventType::OrderCancelled,
        // The journal holds none.
        OrderEvent::Snapshot(_) => return false,
    };
    (request.types.is_empty() || request.types.contains(&event_type))
        && request.order_id.is_none_or(|order_id| event.entry.event.order_id() == order_id)
}

/// Decides on what was found.
pub(in crate::executor) fn start(
    context: &Context<'_>,
    request: &ReplayRequest,
    range: &Range,
    replay_id: Uuid,
) -> Result<Action, Refusal> {
    let Range { from, to, fitting } = *range;
    if request.dry_run {
        return Ok(Action::answer(OperatorResult::ReplayStarted { replay_id: None, range: fitting }));
    }
    if fitting.events == 0 {
        let problem = format!("no event from {from} to {to} fits; nothing was started");
        return Err(OperatorRefusal::Invalid(problem).into());
    }
    let sink = context.running_sink(&request.sink)?;
    let spec = ReplaySpec {
        replay_id,
        from,
        to,
        types: request.types.clone(),
        order_id: request.order_id,
        rate_events_per_s_max: request.rate_events_per_s_max,
    };
    let kind = DecisionKind::ReplayStarted(spec);
    let decisions = vec![context.decision(&sink.record.name, request.reason.as_deref(), kind)];
    let result = OperatorResult::ReplayStarted { replay_id: Some(replay_id), range: fitting };
    Ok(Action::Decide { decisions, result, follow_up: None })
}

pub(super) fn list(context: &Context<'_>) -> Action {
    let sinks = context.store.sinks();
    let all = sinks.iter().flat_map(|sink| sink.replays.iter().map(|replay| summary(context, sink, replay)));
    let mut replays: Vec<_> = all.collect();
    // Their ids grow with time; what runs is listed however old it is.
    replays.sort_by_key(|replay| (replay.state == ReplayState::Running, replay.replay_id));
    replays.drain(..replays.len().saturating_sub(LISTED_MAX));
    replays.sort_by_key(|replay| replay.replay_id);
    Action::answer(OperatorResult::Replays { replays })
}

fn summary(context: &Context<'_>, sink: &SinkRecord, replay: &ReplayRecord) -> ReplaySummary {
    let ReplaySpec { replay_id, from, to, .. } = replay.spec;
    let ended = ReplaySummary {
        replay_id,
        sink: (*sink.name).into(),
        state: replay.state,
        delivered: replay.delivered,
        failed: replay.failed,
        remaining: 0,
        eta_ms: None,
    };
    if replay.state != ReplayState::Running {
        return ended;
    }
    let seen = context.handle(&sink.name).and_then(|handle| handle.view.replay(replay_id)).unwrap_or_default();
    let reached = seen.reached.max(Sequence(from.0.saturating_sub(1)));
    ReplaySummary {
        delivered: seen.delivered,
        failed: seen.failed,
        remaining: to.since(reached),
        eta_ms: seen.eta_ms,
        ..ended
    }
}

pub(super) fn cancel(context: &Context<'_>, replay_id: Uuid, reason: Option<&str>) -> Result<Action, Refusal> {
    let sinks = context.store.sinks();
    let replays = sinks.iter().flat_map(|sink| sink.replays.iter().map(move |replay| (sink, replay)));
    let found = replays.into_iter().find(|(_, replay)| replay.spec.replay_id == replay_id);
    let (sink, replay) = found.ok_or(OperatorRefusal::ReplayNotFound(replay_id))?;
    if replay.state != ReplayState::Running {
        return Ok(Action::done(None));
    }
    let seen = context.handle(&sink.name).and_then(|handle| handle.view.replay(replay_id)).unwrap_or_default();
    let (delivered, failed) = (seen.delivered, seen.failed);
    let kind = DecisionKind::ReplayEnded { replay_id, cancelled: true, delivered, failed };
    Ok(Action::done([context.decision(&sink.name, reason, kind)]))
}
