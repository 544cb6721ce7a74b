//! What one decision changes in a sink's record, and how it is taken back.

use std::sync::Arc;

use super::stored::stored_bytes;
use crate::contracts::{
    Decision, DecisionKind, LaneState, ParkedLane, PublishedEvent, ReplayRecord, ReplayState, Sequence, SinkRecord,
};
use crate::domain::OrderId;

/// Ended replays that are kept for each sink.
const ENDED_REPLAYS_MAX: usize = 100;

/// What a record says beside its lanes, as it was before a decision.
#[derive(Debug)]
pub(super) struct Head {
    paused: bool,
    halted: bool,
    snapshot_running: bool,
    skipped: Vec<(Sequence, Sequence)>,
    replays: Vec<ReplayRecord>,
}

/// Single lanes as they were before a decision.
#[derive(Debug, Default)]
pub(super) struct LanesBefore {
    lanes: Vec<(OrderId, Option<ParkedLane>)>,
    parked_events: u64,
    parked_bytes: u64,
    /// An event that was not among the skipped ones.
    newly_skipped: Option<Sequence>,
}

impl Head {
    pub fn of(record: &SinkRecord) -> Self {
        Self {
            paused: record.paused,
            halted: record.halted,
            snapshot_running: record.snapshot_running,
            skipped: record.skipped.clone(),
            replays: record.replays.clone(),
        }
    }

    pub fn restore(self, record: &mut SinkRecord) {
        record.paused = self.paused;
        record.halted = self.halted;
        record.snapshot_running = self.snapshot_running;
        record.skipped = self.skipped;
        record.replays = self.replays;
    }
}

impl LanesBefore {
    pub fn restore(self, record: &mut SinkRecord) {
        for (order_id, before) in self.lanes.into_iter().rev() {
            match before {
                Some(lane) => drop(record.lanes.insert(order_id, lane)),
                None => drop(record.lanes.remove(&order_id)),
            }
        }
        (record.parked_events, record.parked_bytes) = (self.parked_events, self.parked_bytes);
        if let Some(sequence) = self.newly_skipped {
            record.skipped_events.retain(|skipped| *skipped != sequence);
        }
    }
}

/// About what a lane takes when it is stored.
pub(super) fn bytes_of(lane: &ParkedLane) -> u64 {
    lane.events.iter().map(|event| stored_bytes(event)).sum()
}

/// Applies a decision that is not about lanes.
pub(super) fn apply_to_head(record: &mut SinkRecord, kind: &DecisionKind) {
    match kind {
        DecisionKind::RangeSkipped { from, to } => add_range(&mut record.skipped, *from, *to),
        DecisionKind::Paused => record.paused = true,
        DecisionKind::Resumed => (record.paused, record.halted) = (false, false),
        DecisionKind::Halted => record.halted = true,
        DecisionKind::ReplayStarted(spec) => {
            if record.replays.iter().all(|replay| replay.spec.replay_id != spec.replay_id) {
                let state = ReplayState::Running;
                record.replays.push(ReplayRecord { spec: spec.clone(), state, delivered: 0, failed: 0 });
            }
        }
        DecisionKind::ReplayEnded { replay_id, cancelled, delivered, failed } => {
            let replay = record.replays.iter_mut().find(|replay| replay.spec.replay_id == *replay_id);
            if let Some(replay) = replay {
                replay.state = if *cancelled { ReplayState::Cancelled } else { ReplayState::Done };
                (replay.delivered, replay.failed) = (*delivered, *failed);
            }
            keep_last_ended(&mut record.replays);
        }
        DecisionKind::SnapshotEnded => record.snapshot_running = false,
        DecisionKind::Registered(_)
        | DecisionKind::Forgotten
        | DecisionKind::Parked { .. }
        | DecisionKind::Requeued { .. }
        | DecisionKind::Delivered { .. }
        | DecisionKind::LaneSkipped { .. }
        | DecisionKind::Restored { .. } => {}
    }
}

/// Ranges stay ascending, and apart.
fn add_range(ranges: &mut Vec<(Sequence, Sequence)>, from: Sequence, to: Sequence) {
    if from > to {
        return;
    }
    let (mut first, mut last) = (from, to);
    ranges.retain(|(from, to)| {
        let touches = *from <= last.next() && first <= to.next();
        if touches {
            (first, last) = (first.min(*from), last.max(*to));
        }
        !touches
    });
    let at = ranges.partition_point(|range| range.0 < first);
    ranges.insert(at, (first, last));
}

fn keep_last_ended(replays: &mut Vec<ReplayRecord>) {
    let is_ended = |replay: &ReplayRecord| replay.state != ReplayState::Running;
    let mut surplus = replays.iter().filter(|replay| is_ended(replay)).count().saturating_sub(ENDED_REPLAYS_MAX);
    replays.retain(|replay| {
        let goes = surplus > 0 && is_ended(replay);
        surplus -= usize::from(goes);
        !goes
    });
}

/// Applies a decision about lanes.
pub(super) fn apply_to_lanes(record: &mut SinkRecord, decision: &Decision) -> LanesBefore {
    let mut before = LanesBefore {
        parked_events: record.parked_events,
        parked_bytes: record.parked_bytes,
        ..LanesBefore::default()
    };
    match &decision.kind {
        DecisionKind::Parked { order_id, state, attempts, events } => {
            before.note(record, *order_id);
            park(record, decision, *order_id, *state, *attempts, events);
        }
        DecisionKind::Requeued { order_id } => {
            before.note(record, *order_id);
            if let Some(lane) = record.lanes.get_mut(order_id) {
                lane.state = LaneState::Requeued;
            }
        }
        DecisionKind::Delivered { events } => {
            for (order_id, sequence) in events {
                before.note(record, *order_id);
                take_out(record, *order_id, *sequence);
            }
        }
        DecisionKind::LaneSkipped { order_id, sequence } => {
            before.note(record, *order_id);
            take_out(record, *order_id, *sequence);
            // The lane goes on after it, unless an operator holds it.
            if let Some(lane) = record.lanes.get_mut(order_id).filter(|lane| lane.state != LaneState::Held) {
                lane.state = LaneState::Requeued;
            }
            if let Err(at) = record.skipped_events.binary_search(sequence) {
                record.skipped_events.insert(at, *sequence);
                before.newly_skipped = Some(*sequence);
            }
        }
        DecisionKind::Registered(_)
        | DecisionKind::Forgotten
        | DecisionKind::RangeSkipped { .. }
        | DecisionKind::Paused
        | DecisionKind::Resumed
        | DecisionKind::Halted
        | DecisionKind::ReplayStarted(_)
        | DecisionKind::ReplayEnded { .. }
        | DecisionKind::SnapshotEnded
        | DecisionKind::Restored { .. } => {}
    }
    before
}

impl LanesBefore {
    fn note(&mut self, record: &SinkRecord, order_id: OrderId) {
        self.lanes.push((order_id, record.lanes.get(&order_id).cloned()));
    }
}

fn park(
    record: &mut SinkRecord,
    decision: &Decision,
    order_id: OrderId,
    state: LaneState,
    attempts: u32,
    events: &[Arc<PublishedEvent>],
) {
    if events.is_empty() && !record.lanes.contains_key(&order_id) {
        return;
    }
    let reason = Arc::clone(&decision.reason);
    let new = || ParkedLane { state, since: decision.at, attempts, reason: Arc::clone(&reason), events: [].into() };
    let lane = record.lanes.entry(order_id).or_insert_with(new);
    let state = state.onto(Some(lane.state));
    // What was counted of the lane's first event goes on, also where whoever decides now does not know of it.
    lane.attempts = lane.attempts.max(attempts);
    if events.is_empty() || lane.state != state {
        (lane.state, lane.reason) = (state, reason);
    }
    for event in events {
        if lane.events.back().is_none_or(|last| last.sequence < event.sequence) {
            record.parked_events = record.parked_events.saturating_add(1);
            record.parked_bytes = record.parked_bytes.saturating_add(stored_bytes(event));
            lane.events.push_back(Arc::clone(event));
        }
    }
}

/// Takes one event out of its lane, and the lane with its last event.
fn take_out(record: &mut SinkRecord, order_id: OrderId, sequence: Sequence) {
    let Some(lane) = record.lanes.get_mut(&order_id) else { return };
    let Some(at) = lane.events.iter().position(|event| event.sequence == sequence) else { return };
    if let Some(event) = lane.events.remove(at) {
        record.parked_events = record.parked_events.saturating_sub(1);
        record.parked_bytes = record.parked_bytes.saturating_sub(stored_bytes(&event));
    }
    if at == 0 {
        // They were the attempts of the event that has gone.
        lane.attempts = 0;
    }
    if lane.events.is_empty() {
        record.lanes.remove(&order_id);
    }
}
