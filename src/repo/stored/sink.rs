//! What checkpoints hold of sinks, apart from their parked lanes.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::OutOfRange;
use crate::contracts::{
    EventType, Lsn, ReplayRecord, ReplaySpec, ReplayState, Sequence, SinkRecord, SinkStartPoint, SinkType,
    SnapshotStart,
};
use crate::domain::OrderId;

/// A sink's record without its lanes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::repo) struct StoredSink<'a> {
    name: &'a str,
    /// The plan that registered it.
    pub registered_lsn: u64,
    #[serde(borrow)]
    start: StoredStart<'a>,
    paused: bool,
    halted: bool,
    snapshot_running: bool,
    skipped: Vec<(u64, u64)>,
    skipped_events: Vec<u64>,
    replays: Vec<StoredReplay>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct StoredStart<'a> {
    sink_type: StoredSinkType,
    after: u64,
    snapshot: Option<StoredSnapshotStart>,
    source: &'a str,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct StoredSnapshotStart {
    orders: u64,
    epoch: u32,
    lsn: u64,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum StoredSinkType {
    File,
    Stdout,
    Subscription,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct StoredReplay {
    spec: StoredReplaySpec,
    state: StoredReplayState,
    delivered: u64,
    failed: u64,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum StoredReplayState {
    Running,
    Done,
    Cancelled,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct StoredReplaySpec {
    replay_id: Uuid,
    from: u64,
    to: u64,
    types: Vec<StoredEventType>,
    order_id: Option<Uuid>,
    rate_events_per_s_max: u32,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum StoredEventType {
    Placed,
    Completed,
    Cancelled,
}

impl<'a> From<&'a SinkStartPoint> for StoredStart<'a> {
    fn from(start: &'a SinkStartPoint) -> Self {
        let sink_type = match start.sink_type {
            SinkType::File => StoredSinkType::File,
            SinkType::Stdout => StoredSinkType::Stdout,
            SinkType::Subscription => StoredSinkType::Subscription,
        };
        let snapshot = start.snapshot.map(|start| StoredSnapshotStart {
            orders: start.orders,
            epoch: start.epoch,
            lsn: start.lsn.0,
        });
        Self { sink_type, after: start.after.0, snapshot, source: &start.source }
    }
}

impl From<StoredStart<'_>> for SinkStartPoint {
    fn from(stored: StoredStart<'_>) -> Self {
        let sink_type = match stored.sink_type {
            StoredSinkType::File => SinkType::File,
            StoredSinkType::Stdout => SinkType::Stdout,
            StoredSinkType::Subscription => SinkType::Subscription,
        };
        let source = Arc::from(stored.source);
        let snapshot = stored.snapshot.map(|start| SnapshotStart {
            orders: start.orders,
            epoch: start.epoch,
            lsn: Lsn(start.lsn),
        });
        Self { sink_type, after: Sequence(stored.after), snapshot, source }
    }
}

impl From<&ReplaySpec> for StoredReplaySpec {
    fn from(spec: &ReplaySpec) -> Self {
        let types = spec.types.iter().map(|event_type| match event_type {
            EventType::OrderPlaced => StoredEventType::Placed,
            EventType::OrderCompleted => StoredEventType::Completed,
            EventType::OrderCancelled => StoredEventType::Cancelled,
        });
        Self {
            replay_id: spec.replay_id,
            from: spec.from.0,
            to: spec.to.0,
            types: types.collect(),
            order_id: spec.order_id.as_ref().map(OrderId::uuid),
            rate_events_per_s_max: spec.rate_events_per_s_max,
        }
    }
}

impl From<StoredReplaySpec> for ReplaySpec {
    fn from(stored: StoredReplaySpec) -> Self {
        let types = stored.types.into_iter().map(|event_type| match event_type {
            StoredEventType::Placed => EventType::OrderPlaced,
            StoredEventType::Completed => EventType::OrderCompleted,
            StoredEventType::Cancelled => EventType::OrderCancelled,
        });
        Self {
            replay_id: stored.replay_id,
            from: Sequence(stored.from),
            to: Sequence(stored.to),
            types: types.collect(),
            order_id: stored.order_id.map(OrderId::new),
            rate_events_per_s_max: stored.rate_events_per_s_max,
        }
    }
}

impl From<&ReplayRecord> for StoredReplay {
    fn from(record: &ReplayRecord) -> Self {
        let state = match record.state {
            ReplayState::Running => StoredReplayState::Running,
            ReplayState::Done => StoredReplayState::Done,
            ReplayState::Cancelled => StoredReplayState::Cancelled,
        };
        Self { spec: (&record.spec).into(), state, delivered: record.delivered, failed: record.failed }
    }
}

impl From<StoredReplay> for ReplayRecord {
    fn from(stored: StoredReplay) -> Self {
        let state = match stored.state {
            StoredReplayState::Running => ReplayState::Running,
            StoredReplayState::Done => ReplayState::Done,
            StoredReplayState::Cancelled => ReplayState::Cancelled,
        };
        Self { spec: stored.spec.into(), state, delivered: stored.delivered, failed: stored.failed }
    }
}

impl<'a> StoredSink<'a> {
    /// The stored form of a record, without its lanes.
    pub fn of(record: &'a SinkRecord, registered_lsn: u64) -> Self {
        Self {
            name: &record.name,
            registered_lsn,
            start: (&record.start).into(),
            paused: record.paused,
            halted: record.halted,
            snapshot_running: record.snapshot_running,
            skipped: record.skipped.iter().map(|(from, to)| (from.0, to.0)).collect(),
            skipped_events: record.skipped_events.iter().map(|sequence| sequence.0).collect(),
            replays: record.replays.iter().map(StoredReplay::from).collect(),
        }
    }

    /// The record, with no lane in it yet.
    pub fn read(self) -> Result<SinkRecord, OutOfRange> {
        let skipped: Vec<_> = self.skipped.iter().map(|(from, to)| (Sequence(*from), Sequence(*to))).collect();
        let ranges_ascend = skipped.iter().all(|(from, to)| from <= to)
            && skipped.iter().zip(skipped.iter().skip(1)).all(|(range, next)| range.1 < next.0);
        if !ranges_ascend || !self.skipped_events.is_sorted_by(|one, next| one < next) {
            return Err(OutOfRange("list of skipped events"));
        }
        Ok(SinkRecord {
            name: Arc::from(self.name),
            start: self.start.into(),
            paused: self.paused,
            halted: self.halted,
            snapshot_running: self.snapshot_running,
            lanes: std::collections::BTreeMap::new(),
            parked_events: 0,
            parked_bytes: 0,
            skipped,
            skipped_events: self.skipped_events.into_iter().map(Sequence).collect(),
            replays: self.replays.into_iter().map(ReplayRecord::from).collect(),
        })
    }
}
