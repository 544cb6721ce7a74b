//! From wishes to decisions, and from durable decisions back to the scheduler.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::contracts::{Decision, DecisionKind, FeedError, PublishedEvent, Sequence};
use crate::domain::{OrderId, Timestamp};
use crate::relay::cloud_event;
use crate::relay::deciding::Deciding;
use crate::relay::scheduler::{ParkWish, Scheduler, Wish};

/// Decisions in one batch.
const BATCH_MAX: usize = 64;
/// Their bytes, about: they become durable in one commit, beside the commands.
const BATCH_BYTES_MAX: usize = 128 * 1024;

/// The events of parked lanes, which the journal need not hold any more.
pub(super) type ParkedEvents = HashMap<OrderId, VecDeque<Arc<PublishedEvent>>>;

/// Asks for what the scheduler wishes, and for `others`.
///
/// # Errors
/// An event that is to be parked cannot be read again; the wishes for it are lost until a restart.
pub(super) fn ask(
    deciding: &mut Deciding,
    scheduler: &mut Scheduler,
    content: impl Fn(Sequence) -> Result<Arc<PublishedEvent>, FeedError>,
    others: &mut Vec<Decision>,
    at: Timestamp,
    now: Duration,
) -> Result<(), FeedError> {
    deciding.send_due(now);
    if deciding.is_busy() {
        return Ok(());
    }
    let mut decisions = std::mem::take(others);
    let mut bytes = 0;
    let is_due = scheduler.wishes_due_at().is_some_and(|due_at| due_at <= now);
    while is_due && decisions.len() < BATCH_MAX && bytes < BATCH_BYTES_MAX {
        let Some(wish) = scheduler.take_wish() else { break };
        let (kind, reason) = kind_of(wish, &content, &mut bytes)?;
        decisions.push(deciding.decide(kind, reason, at));
    }
    deciding.offer(decisions, now);
    Ok(())
}

fn kind_of(
    wish: Wish,
    content: impl Fn(Sequence) -> Result<Arc<PublishedEvent>, FeedError>,
    bytes: &mut usize,
) -> Result<(DecisionKind, Arc<str>), FeedError> {
    match wish {
        Wish::Delivered(order_id, sequence) => {
            Ok((DecisionKind::Delivered { events: vec![(order_id, sequence)] }, Arc::from("")))
        }
        Wish::Halt(reason) => Ok((DecisionKind::Halted, reason)),
        Wish::Park(ParkWish { order_id, state, events, attempts, reason }) => {
            let mut parked = Vec::with_capacity(events.len());
            for sequence in events {
                let event = content(sequence)?;
                *bytes += cloud_event::size_of(&event);
                parked.push(event);
            }
            Ok((DecisionKind::Parked { order_id, state, attempts, events: parked }, reason))
        }
    }
}

/// Acts on a durable decision; `row` is that of the order, if it parks one of a snapshot. Replays and jumps of the feed
/// are the caller's.
pub(super) fn apply(
    decision: &Decision,
    row: Option<u64>,
    own: bool,
    scheduler: &mut Scheduler,
    parked: &mut ParkedEvents,
    now: Duration,
) {
    match &decision.kind {
        DecisionKind::Parked { order_id, state, events, .. } => {
            keep(parked, *order_id, events);
            if let Some(row) = row {
                scheduler.note_row(*order_id, Sequence(row).next());
            }
            let events: Vec<_> = events.iter().map(|event| (event.sequence, bytes_of(event))).collect();
            scheduler.parked(*order_id, *state, &decision.reason, &events, own, now);
        }
        DecisionKind::Requeued { order_id } => scheduler.requeued(*order_id),
        DecisionKind::Delivered { events } => {
            scheduler.delivered_durably(events);
            events.iter().for_each(|(order_id, sequence)| forget(parked, *order_id, *sequence));
        }
        DecisionKind::LaneSkipped { order_id, sequence } => {
            scheduler.lane_skipped(*order_id, *sequence);
            forget(parked, *order_id, *sequence);
        }
        DecisionKind::RangeSkipped { from, to } => scheduler.range_skipped(*from, *to),
        DecisionKind::Paused => scheduler.paused(),
        DecisionKind::Resumed => scheduler.resumed(),
        DecisionKind::Halted => scheduler.halted(),
        DecisionKind::Registered(_)
        | DecisionKind::Forgotten
        | DecisionKind::ReplayStarted(_)
        | DecisionKind::ReplayEnded { .. }
        | DecisionKind::SnapshotEnded
        | DecisionKind::Restored { .. } => {}
    }
}

/// What handing an event out takes, about.
pub(super) fn bytes_of(event: &PublishedEvent) -> u32 {
    u32::try_from(cloud_event::size_of(event)).unwrap_or(u32::MAX)
}

fn keep(parked: &mut ParkedEvents, order_id: OrderId, events: &[Arc<PublishedEvent>]) {
    if events.is_empty() {
        return;
    }
    let lane = parked.entry(order_id).or_default();
    for event in events {
        if lane.back().is_none_or(|last| last.sequence < event.sequence) {
            lane.push_back(Arc::clone(event));
        }
    }
}

fn forget(parked: &mut ParkedEvents, order_id: OrderId, sequence: Sequence) {
    if let Some(lane) = parked.get_mut(&order_id) {
        lane.retain(|event| event.sequence != sequence);
        if lane.is_empty() {
            parked.remove(&order_id);
        }
    }
}
