//! `replay.*`

use std::sync::Arc;

use uuid::Uuid;

use super::journal_query::{JournalQuery, Range};
use super::{Action, Context};
use crate::contracts::{
    DecisionKind, OperatorRefusal, OperatorResult, PublishedEvent, Refusal, ReplayRecord, ReplayRequest, ReplaySpec,
    ReplayState, ReplaySummary, Sequence, SinkRecord, SinkType,
};
use crate::domain::OrderEvent;

/// Replays that are listed, the newest ones.
const LISTED_MAX: usize = 100;

/// Looks at who is to get the events again, before anything is read.
pub(super) fn prepare(context: &Context<'_>, request: &ReplayRequest) -> Result<Action, Refusal> {
    let sink = context.running_sink(&request.sink)?;
    check_count(context, request, sink.record)?;
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

/// Each running replay keeps the journal, and reads for itself.
fn check_count(context: &Context<'_>, request: &ReplayRequest, sink: &SinkRecord) -> Result<(), OperatorRefusal> {
    let running = sink.replays.iter().filter(|replay| replay.state == ReplayState::Running).count();
    let is_full = context.operations.replays_max.get(&sink.name).is_some_and(|max| running >= *max);
    if is_full && !request.dry_run {
        return Err(OperatorRefusal::TooManyReplays { sink: (*sink.name).to_owned(), running });
    }
    Ok(())
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
    // Others may have been started while the range was looked for.
    check_count(context, request, sink.record)?;
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
