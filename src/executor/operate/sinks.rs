//! `sink.*`

use super::context::{KnownSink, RunningSink};
use super::excluded::Excluded;
use super::{Action, Context, FollowUp};
use crate::contracts::{
    DecisionKind, EventRange, EventState, OperatorRefusal, OperatorResult, Refusal, Sequence, SinkState, SinkStatus,
    SkipTo,
};

/// No sink remembers deliveries further past its prefix than this: the most that `window_events_max` allows.
const WINDOW_EVENTS_MAX: u64 = 30_000;

pub(super) fn list(context: &Context<'_>) -> Action {
    let last = context.store.last_sequence();
    let configured = context.operations.sinks.iter().map(|handle| handle.monitor.read_at(context.now, last));
    let stopped = context.store.sinks().into_iter().filter(|record| context.handle(&record.name).is_none());
    let stopped = stopped.map(|record| stopped_status(context, KnownSink { record, handle: None }));
    Action::answer(OperatorResult::Sinks { sinks: configured.chain(stopped).collect() })
}

pub(super) fn show(context: &Context<'_>, name: &str) -> Result<Action, Refusal> {
    let known = context.sink(name)?;
    let (sink, failures) = match known.handle {
        Some(handle) => (handle.monitor.read_at(context.now, context.store.last_sequence()), handle.view.failures()),
        None => (stopped_status(context, known), Vec::new()),
    };
    Ok(Action::answer(OperatorResult::Sink { sink: Box::new(sink), failures }))
}

/// A sink that is recorded and no longer configured.
fn stopped_status(context: &Context<'_>, known: KnownSink<'_>) -> SinkStatus {
    let record = known.record;
    let acked = context.acked_sequence(known);
    SinkStatus {
        state: SinkState::Stopped,
        lag_events: context.store.last_sequence().since(acked),
        parked_lanes: record.lanes.len() as u64,
        parked_events: record.parked_events,
        ..SinkStatus::new(record.name.to_string(), record.start.sink_type, acked)
    }
}

/// What is so already is not recorded again.
pub(super) fn pause(context: &Context<'_>, name: &str, reason: Option<&str>) -> Result<Action, Refusal> {
    let KnownSink { record, .. } = context.sink(name)?;
    let pause = (!record.paused).then(|| context.decision(&record.name, reason, DecisionKind::Paused));
    Ok(Action::done(pause))
}

pub(super) fn resume(context: &Context<'_>, name: &str, reason: Option<&str>) -> Result<Action, Refusal> {
    let KnownSink { record, .. } = context.sink(name)?;
    let stands = record.paused || record.halted;
    let resume = stands.then(|| context.decision(&record.name, reason, DecisionKind::Resumed));
    Ok(Action::done(resume))
}

pub(super) fn retry(context: &Context<'_>, name: &str) -> Result<Action, Refusal> {
    Ok(Action::Retry(context.sink(name)?.record.name.clone()))
}

pub(super) fn skip_to(
    context: &Context<'_>,
    name: &str,
    goal: SkipTo,
    reason: &str,
    dry_run: bool,
) -> Result<Action, Refusal> {
    let sink = context.running_sink(name)?;
    let last = context.store.last_sequence();
    let to = match goal {
        SkipTo::End => last,
        SkipTo::Sequence(next) if next <= last.next() => Sequence(next.0.saturating_sub(1)),
        SkipTo::Sequence(next) => {
            let problem = format!("there is no event {next} yet, the last one is {last}; \"end\" goes on after that");
            return Err(OperatorRefusal::Invalid(problem).into());
        }
    };
    let acked = sink.handle.view.acked_sequence();
    // What is left of a snapshot carries the sequence that its orders are as of, and comes before what is after that.
    let left = sink.handle.view.snapshot_left();
    let from = if left > 0 { acked } else { acked.next() };
    let mut passed_over = unsettled(sink, acked.next(), to);
    if left > 0 && to >= from {
        passed_over.events = passed_over.events.saturating_add(left);
        passed_over.first_sequence = Some(from);
        passed_over.last_sequence = passed_over.last_sequence.or(Some(from));
    }
    let decided = passed_over.events > 0 && !dry_run;
    let skip =
        decided.then(|| context.decision(&sink.record.name, Some(reason), DecisionKind::RangeSkipped { from, to }));
    let result = OperatorResult::Range(passed_over);
    Ok(Action::Decide { decisions: skip.into_iter().collect(), result, follow_up: None })
}

/// What of a range was not delivered, is not parked and was not skipped before.
fn unsettled(sink: RunningSink<'_>, from: Sequence, to: Sequence) -> EventRange {
    let RunningSink { record, handle } = sink;
    let near: Vec<_> = (from.0..=to.0.min(from.0.saturating_add(WINDOW_EVENTS_MAX))).map(Sequence).collect();
    let looked_at = near.iter().zip(handle.view.events(&near));
    let delivered = looked_at.filter(|(_, event)| event.state == EventState::Settled).map(|(at, _)| (*at, *at));
    let parked = record.lanes.values().flat_map(|lane| &lane.events).map(|event| (event.sequence, event.sequence));
    let skipped = record.skipped.iter().copied().chain(record.skipped_events.iter().map(|at| (*at, *at)));
    delivered.chain(parked).chain(skipped).collect::<Excluded>().left_of(from, to)
}

pub(super) fn forget(context: &Context<'_>, name: &str, reason: &str) -> Result<Action, Refusal> {
    if context.handle(name).is_some() {
        return Err(OperatorRefusal::SinkConfigured(name.to_owned()).into());
    }
    let KnownSink { record, .. } = context.sink(name)?;
    let sink = record.name.clone();
    let decisions = vec![context.decision(&sink, Some(reason), DecisionKind::Forgotten)];
    Ok(Action::Decide { decisions, result: OperatorResult::Done {}, follow_up: Some(FollowUp::Forget(sink)) })
}
