//! What operators ask for, decided on what the store and the workers show. Nothing but pins is
//! changed here: an action says which decisions are to be made durable, and what is answered once they are.

mod action;
mod context;
mod decisions;
mod excluded;
mod journal_query;
mod lanes;
mod replays;
mod requeue;
mod requeue_job;
mod sinks;
mod trace;

#[cfg(test)]
mod lanes_test;
#[cfg(test)]
mod replays_test;
#[cfg(test)]
mod sinks_test;
#[cfg(test)]
pub(super) mod testing;
#[cfg(test)]
mod trace_test;

pub(super) use action::{Action, FollowUp};
pub(super) use context::Context;
pub use context::{EventRenderer, Operations};
pub(super) use decisions::list as list_decisions;
pub(super) use journal_query::{JournalQuery, Range, seek};
pub(super) use replays::start as start_replay;
pub(super) use requeue_job::RequeueJob;

use crate::contracts::{OperatorRefusal, OperatorRequest, OperatorResult, Refusal};

/// Decides a request.
pub(super) fn decide(context: &Context<'_>, request: &OperatorRequest) -> Result<Action, Refusal> {
    use OperatorRequest as Ask;
    match request {
        Ask::SinkList => Ok(sinks::list(context)),
        Ask::SinkShow { sink } => sinks::show(context, sink),
        Ask::SinkPause { sink, reason } => sinks::pause(context, sink, reason.as_deref()),
        Ask::SinkResume { sink, reason } => sinks::resume(context, sink, reason.as_deref()),
        Ask::SinkRetry { sink, .. } => sinks::retry(context, sink),
        Ask::SinkSkipTo { sink, to, reason, dry_run } => sinks::skip_to(context, sink, *to, reason, *dry_run),
        Ask::SinkForget { sink, reason } => sinks::forget(context, sink, reason),
        Ask::LaneList { sink, filter, after, limit } => lanes::list(context, sink, filter, *after, *limit),
        Ask::LaneShow { sink, order_id } => lanes::show(context, sink, *order_id),
        Ask::LaneRequeue { sink, target, limit, reason, dry_run } => {
            requeue::requeue(context, sink, target, *limit, reason.as_deref(), *dry_run)
        }
        Ask::LaneSkip { sink, order_id, sequence, reason } => lanes::skip(context, sink, *order_id, *sequence, reason),
        Ask::LanePark { sink, order_id, reason } => lanes::park(context, sink, *order_id, reason),
        Ask::ReplayStart(request) => replays::prepare(context, request),
        Ask::ReplayList => Ok(replays::list(context)),
        Ask::ReplayCancel { replay_id, reason } => replays::cancel(context, *replay_id, reason.as_deref()),
        Ask::DecisionList { after_lsn, limit } => {
            Ok(Action::Read(JournalQuery::Decisions { after: *after_lsn, limit: *limit }))
        }
        Ask::OrderTrace { order_id } => trace::trace(context, *order_id),
        Ask::StorePin => pin(context),
        Ask::StoreUnpin { pin } => unpin(context, *pin),
        Ask::StoreUnpinAll => {
            context.operations.pins.release(context.connection);
            Ok(Action::answer(OperatorResult::Done {}))
        }
    }
}

fn pin(context: &Context<'_>) -> Result<Action, Refusal> {
    let lsn = context.store.durable_lsn();
    let pin = context.operations.pins.pin(context.connection, lsn).map_err(|_| Refusal::Overloaded)?;
    let (last_sequence, storeepoch) = (context.store.last_sequence(), context.store.epoch());
    Ok(Action::answer(OperatorResult::Pinned { pin, lsn, last_sequence, storeepoch }))
}

fn unpin(context: &Context<'_>, pin: u64) -> Result<Action, Refusal> {
    if context.operations.pins.unpin(context.connection, pin) {
        return Ok(Action::answer(OperatorResult::Done {}));
    }
    let problem = format!("this connection holds no pin {pin}; store.pin names the pin that it makes");
    Err(OperatorRefusal::Invalid(problem).into())
}
