//! What plans have decided about delivery: one record for each sink, and the store's epoch.
//!
//! Applying a decision never fails and may be repeated: a checkpoint is copied while decisions go on, so replaying the
//! journal may meet a state that has a decision's effect already. A sink's record without its lanes is copied at one
//! moment, and says up to which plan it holds everything; lanes are copied later, and mend themselves: an event joins a
//! lane only if it is newer than all of it, and what is not there is not taken out.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use super::sink_record::{Head, LanesBefore, apply_to_head, apply_to_lanes, bytes_of};
use crate::contracts::{Decision, DecisionKind, Lsn, ParkedLane, Sequence, SinkRecord, SinkType};
use crate::domain::OrderId;

/// The epoch of a store that was never restored.
pub const FIRST_EPOCH: u32 = 1;

/// All sinks that are recorded, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryState {
    epoch: u32,
    sinks: BTreeMap<Arc<str>, RecordedSink>,
}

/// A sink's record, and which plans it has seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RecordedSink {
    pub record: SinkRecord,
    /// The plan that registered it.
    pub registered: Lsn,
    /// Up to this plan the record, apart from its lanes, holds every decision: those of a checkpoint.
    pub copied: Lsn,
}

/// How to take back one decision.
#[derive(Debug)]
pub struct UndoDecision(Undo);

/// See [`UndoDecision`].
#[derive(Debug)]
enum Undo {
    Nothing,
    Epoch(u32),
    /// The whole sink as it was.
    Sink(Arc<str>, Option<Box<RecordedSink>>),
    /// What the record said beside its lanes.
    Head(Arc<str>, Box<Head>),
    /// Single lanes, as they were.
    Lanes(Arc<str>, LanesBefore),
}

impl Default for DeliveryState {
    fn default() -> Self {
        Self { epoch: FIRST_EPOCH, sinks: BTreeMap::new() }
    }
}

impl DeliveryState {
    /// The store's epoch, which events that are stored now carry.
    #[must_use]
    pub const fn epoch(&self) -> u32 {
        self.epoch
    }

    /// A sink's record.
    #[must_use]
    pub fn sink(&self, name: &str) -> Option<&SinkRecord> {
        self.sinks.get(name).map(|sink| &sink.record)
    }

    /// All records, by name.
    pub fn sinks(&self) -> impl Iterator<Item = &SinkRecord> {
        self.sinks.values().map(|sink| &sink.record)
    }

    /// Applies the decision of the plan `lsn`, and says how to take it back.
    pub fn apply(&mut self, lsn: Lsn, decision: &Decision) -> UndoDecision {
        UndoDecision(self.apply_kind(lsn, decision))
    }

    fn apply_kind(&mut self, lsn: Lsn, decision: &Decision) -> Undo {
        match &decision.kind {
            DecisionKind::Registered(_) | DecisionKind::Forgotten => self.apply_to_list(lsn, decision),
            DecisionKind::Restored { epoch } => {
                let before = self.epoch;
                self.epoch = before.max(*epoch);
                Undo::Epoch(before)
            }
            DecisionKind::Parked { .. }
            | DecisionKind::Requeued { .. }
            | DecisionKind::Delivered { .. }
            | DecisionKind::LaneSkipped { .. } => {
                let Some(sink) = self.sinks.get_mut(&decision.sink).filter(|sink| lsn > sink.registered) else {
                    return Undo::Nothing;
                };
                Undo::Lanes(Arc::clone(&sink.record.name), apply_to_lanes(&mut sink.record, decision))
            }
            DecisionKind::RangeSkipped { .. }
            | DecisionKind::Paused
            | DecisionKind::Resumed
            | DecisionKind::Halted
            | DecisionKind::ReplayStarted(_)
            | DecisionKind::ReplayEnded { .. }
            | DecisionKind::SnapshotEnded => {
                let Some(sink) = self.sinks.get_mut(&decision.sink).filter(|sink| lsn > sink.copied) else {
                    return Undo::Nothing;
                };
                let before = Head::of(&sink.record);
                apply_to_head(&mut sink.record, &decision.kind);
                Undo::Head(Arc::clone(&sink.record.name), Box::new(before))
            }
        }
    }

    fn apply_to_list(&mut self, lsn: Lsn, decision: &Decision) -> Undo {
        let name = &decision.sink;
        match &decision.kind {
            DecisionKind::Registered(start) if !self.sinks.contains_key(name) => {
                let record = SinkRecord::new(Arc::clone(name), start.clone());
                self.sinks.insert(Arc::clone(name), RecordedSink { record, registered: lsn, copied: lsn });
                Undo::Sink(Arc::clone(name), None)
            }
            DecisionKind::Registered(start) => self.apply_type(lsn, name, start.sink_type),
            DecisionKind::Forgotten if self.sinks.get(name).is_some_and(|sink| lsn > sink.registered) => {
                Undo::Sink(Arc::clone(name), self.sinks.remove(name).map(Box::new))
            }
            DecisionKind::Forgotten
            | DecisionKind::Parked { .. }
            | DecisionKind::Requeued { .. }
            | DecisionKind::Delivered { .. }
            | DecisionKind::LaneSkipped { .. }
            | DecisionKind::RangeSkipped { .. }
            | DecisionKind::Paused
            | DecisionKind::Resumed
            | DecisionKind::Halted
            | DecisionKind::ReplayStarted(_)
            | DecisionKind::ReplayEnded { .. }
            | DecisionKind::SnapshotEnded
            | DecisionKind::Restored { .. } => Undo::Nothing,
        }
    }

    /// A recorded sink that is registered again has another type; all else of it stays.
    fn apply_type(&mut self, lsn: Lsn, name: &Arc<str>, sink_type: SinkType) -> Undo {
        let Some(sink) = self.sinks.get_mut(name).filter(|sink| lsn > sink.copied) else {
            return Undo::Nothing;
        };
        let before = sink.clone();
        sink.record.start.sink_type = sink_type;
        Undo::Sink(Arc::clone(name), Some(Box::new(before)))
    }

    /// Takes a decision back; decisions are taken back in the opposite order of their making.
    pub fn undo(&mut self, undo: UndoDecision) {
        match undo.0 {
            Undo::Nothing => {}
            Undo::Epoch(before) => self.epoch = before,
            Undo::Sink(name, Some(before)) => drop(self.sinks.insert(name, *before)),
            Undo::Sink(name, None) => drop(self.sinks.remove(&name)),
            Undo::Head(name, before) => {
                if let Some(sink) = self.sinks.get_mut(&name) {
                    before.restore(&mut sink.record);
                }
            }
            Undo::Lanes(name, before) => {
                if let Some(sink) = self.sinks.get_mut(&name) {
                    before.restore(&mut sink.record);
                }
            }
        }
    }

    /// Forgets what was skipped and is older than `oldest`, the oldest event that the journal holds.
    pub(super) fn drop_skipped_before(&mut self, oldest: Sequence) {
        for sink in self.sinks.values_mut() {
            sink.record.skipped.retain(|(_, to)| *to >= oldest);
            sink.record.skipped_events.retain(|sequence| *sequence >= oldest);
        }
    }

    /// Adds a sink with its lanes, as all plans up to `as_of` have left it.
    pub fn insert(&mut self, mut record: SinkRecord, as_of: Lsn) {
        record.parked_events = record.lanes.values().map(|lane| lane.events.len() as u64).sum();
        record.parked_bytes = record.lanes.values().map(bytes_of).sum();
        self.sinks.insert(Arc::clone(&record.name), RecordedSink { record, registered: as_of, copied: as_of });
    }

    /// Sets the epoch that is stored.
    pub const fn set_epoch(&mut self, epoch: u32) {
        self.epoch = epoch;
    }

    /// All sinks, for a checkpoint; their lanes are to be had by [`DeliveryState::lanes_after`].
    pub(super) fn recorded(&self) -> impl Iterator<Item = &RecordedSink> {
        self.sinks.values()
    }

    /// Adds a sink that a checkpoint holds.
    pub(super) fn insert_recorded(&mut self, sink: RecordedSink) -> Result<(), String> {
        let name = Arc::clone(&sink.record.name);
        match self.sinks.insert(Arc::clone(&name), sink) {
            None => Ok(()),
            Some(_) => Err(format!("there are two sinks {name}")),
        }
    }

    /// Adds a lane that a checkpoint holds. One of a sink that was registered after the sinks were copied is left out:
    /// replaying the journal brings it.
    pub(super) fn insert_lane(&mut self, sink: &str, order_id: OrderId, lane: ParkedLane) -> Result<(), String> {
        let Some(sink) = self.sinks.get_mut(sink) else { return Ok(()) };
        let record = &mut sink.record;
        record.parked_events = record.parked_events.saturating_add(lane.events.len() as u64);
        record.parked_bytes = record.parked_bytes.saturating_add(bytes_of(&lane));
        match record.lanes.insert(order_id, lane) {
            None => Ok(()),
            Some(_) => Err(format!("there are two lanes of order {order_id}")),
        }
    }

    /// At most `count` parked lanes after `after`, by sink and order.
    #[must_use]
    pub fn lanes_after(&self, after: Option<&LaneName>, count: usize) -> Vec<(LaneName, ParkedLane)> {
        let mut lanes = Vec::new();
        let first = after.map_or(Bound::Unbounded, |after| Bound::Included(Arc::clone(&after.sink)));
        for (name, sink) in self.sinks.range::<Arc<str>, _>((first, Bound::Unbounded)) {
            let from = match after.filter(|after| after.sink == *name) {
                Some(after) => Bound::Excluded(after.order_id),
                None => Bound::Unbounded,
            };
            let next = sink.record.lanes.range((from, Bound::Unbounded)).take(count.saturating_sub(lanes.len()));
            lanes.extend(
                next.map(|(order_id, lane)| (LaneName { sink: Arc::clone(name), order_id: *order_id }, lane.clone())),
            );
            if lanes.len() >= count {
                break;
            }
        }
        lanes
    }
}

/// Names a lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneName {
    /// The sink.
    pub sink: Arc<str>,
    /// The order.
    pub order_id: OrderId,
}

#[cfg(test)]
#[path = "delivery_state_test.rs"]
mod tests;
