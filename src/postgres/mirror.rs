//! What was decided about delivery, in memory: this daemon's decisions and the others', in the order of their plans.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio_postgres::Row;
use uuid::Uuid;

use super::connection::Connection;
use super::event_row::published_event;
use super::order_row::{bigint, column, out_of_range, timestamp, unsigned};
use super::{DatabaseError, statements};
use crate::contracts::{
    Decision, EventType, LaneState, Lsn, ParkedLane, ReplayRecord, ReplaySpec, ReplayState, Sequence, SinkRecord,
    SinkStartPoint, SinkType, SnapshotStart,
};
use crate::domain::OrderId;
use crate::repo::{DeliveryState, UndoDecision, decode_decision};

/// Decisions that are read at once.
const READ_DECISIONS: i64 = 1000;

/// The row of `store`, as it was last seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Head {
    pub last_lsn: Lsn,
    pub last_sequence: Sequence,
    pub epoch: u32,
    pub orders_count: u64,
    pub last_decision: Lsn,
    /// Decisions up to here may not be there any more.
    pub decisions_removed: Lsn,
}

impl Head {
    /// Of a row of @read_head.
    pub(super) fn of(row: &Row) -> Result<Self, DatabaseError> {
        Ok(Self {
            last_lsn: Lsn(unsigned(row, 0)?),
            last_sequence: Sequence(unsigned(row, 1)?),
            epoch: u32::try_from(unsigned(row, 2)?).map_err(|_| out_of_range("epoch"))?,
            orders_count: unsigned(row, 3)?,
            last_decision: Lsn(unsigned(row, 4)?),
            decisions_removed: Lsn(unsigned(row, 5)?),
        })
    }
}

/// The mirror.
#[derive(Debug, Default)]
pub(super) struct Mirror {
    state: DeliveryState,
    /// How to take back what is staged, oldest first.
    undo: Vec<UndoDecision>,
    /// The last decision in it.
    seen: Lsn,
}

impl Mirror {
    /// Reads what is there, all of it at one moment.
    pub(super) fn load(connection: &mut Connection) -> Result<(Self, Head), DatabaseError> {
        connection.query(statements::BEGIN_SNAPSHOT, &[])?;
        let loaded = Self::load_in(connection);
        if loaded.is_ok() {
            connection.query(statements::COMMIT, &[])?;
        }
        loaded
    }

    fn load_in(connection: &mut Connection) -> Result<(Self, Head), DatabaseError> {
        let head = connection.query("read_head", &[])?;
        let head = Head::of(head.first().ok_or_else(|| out_of_range("head"))?)?;
        let mut records = BTreeMap::new();
        for row in connection.query("read_sinks", &[])? {
            let record = sink_record(&row)?;
            records.insert(Arc::clone(&record.name), record);
        }
        for row in connection.query("read_replays", &[])? {
            if let Some(record) = records.get_mut(column::<&str>(&row, 0)?) {
                record.replays.push(replay(&row)?);
            }
        }
        for row in connection.query("read_lanes", &[])? {
            if let Some(record) = records.get_mut(column::<&str>(&row, 0)?) {
                record.lanes.insert(OrderId::new(column::<Uuid>(&row, 1)?), lane(&row)?);
            }
        }
        for row in connection.query("read_parked", &[])? {
            let event = published_event(&row)?;
            let record = records.get_mut(column::<&str>(&row, 11)?);
            if let Some(lane) = record.and_then(|record| record.lanes.get_mut(&event.entry.event.order_id())) {
                lane.events.push_back(Arc::new(event));
            }
        }
        let mut state = DeliveryState::default();
        state.set_epoch(head.epoch);
        records.into_values().for_each(|record| state.insert(record, head.last_lsn));
        Ok((Self { state, undo: Vec::new(), seen: head.last_decision }, head))
    }

    /// What it shows: staged decisions included.
    pub(super) const fn state(&self) -> &DeliveryState {
        &self.state
    }

    /// What was decided, for whoever only reads it.
    pub(super) fn into_state(self) -> DeliveryState {
        self.state
    }

    /// The last decision that it has.
    pub(super) const fn seen(&self) -> Lsn {
        self.seen
    }

    /// Shows a decision that is not stored yet.
    pub(super) fn stage(&mut self, lsn: Lsn, decision: &Decision) {
        let undo = self.state.apply(lsn, decision);
        self.undo.push(undo);
    }

    /// Takes back what is staged.
    pub(super) fn roll_back(&mut self) {
        while let Some(undo) = self.undo.pop() {
            self.state.undo(undo);
        }
    }

    /// Applies what was decided since; nothing may be staged. Gives the decisions, oldest first.
    pub(super) fn read_on(&mut self, connection: &mut Connection) -> Result<Vec<(Lsn, Arc<Decision>)>, DatabaseError> {
        let mut read = Vec::new();
        loop {
            let rows = connection.query("read_decisions", &[&bigint(self.seen.0), &READ_DECISIONS])?;
            for row in &rows {
                let lsn = Lsn(unsigned(row, 0)?);
                let decision = decode_decision(column(row, 1)?).map_err(|error| {
                    DatabaseError::Refused(format!(
                        "the decision of plan {lsn} was written by a newer version: {error}"
                    ))
                })?;
                // It is stored, so it is never taken back.
                drop(self.state.apply(lsn, &decision));
                self.seen = lsn;
                read.push((lsn, Arc::new(decision)));
            }
            if i64::try_from(rows.len()).unwrap_or(i64::MAX) < READ_DECISIONS {
                return Ok(read);
            }
        }
    }
}

fn sink_record(row: &Row) -> Result<SinkRecord, DatabaseError> {
    let sequences = |at| -> Result<Vec<Sequence>, DatabaseError> {
        let numbers = column::<Vec<i64>>(row, at)?;
        numbers.into_iter().map(|n| u64::try_from(n).map(Sequence).map_err(|_| out_of_range("sequence"))).collect()
    };
    let snapshot = match column::<Option<i64>>(row, 4)? {
        None => None,
        Some(_) => Some(SnapshotStart {
            orders: unsigned(row, 4)?,
            epoch: u32::try_from(unsigned(row, 5)?).map_err(|_| out_of_range("epoch"))?,
            lsn: Lsn(unsigned(row, 6)?),
        }),
    };
    let start = SinkStartPoint {
        sink_type: by_name(&SINK_TYPES, column(row, 1)?, "type of a sink")?,
        source: Arc::from(column::<&str>(row, 2)?),
        after: Sequence(unsigned(row, 3)?),
        snapshot,
    };
    Ok(SinkRecord {
        name: Arc::from(column::<&str>(row, 0)?),
        start,
        snapshot_running: column(row, 7)?,
        paused: column(row, 8)?,
        halted: column(row, 9)?,
        skipped: sequences(10)?.into_iter().zip(sequences(11)?).collect(),
        skipped_events: sequences(12)?,
        lanes: BTreeMap::new(),
        parked_events: 0,
        parked_bytes: 0,
        replays: Vec::new(),
    })
}

fn lane(row: &Row) -> Result<ParkedLane, DatabaseError> {
    Ok(ParkedLane {
        state: by_name(&LANE_STATES, column(row, 2)?, "state of a lane")?,
        since: timestamp(column(row, 3)?)?,
        attempts: u32::try_from(column::<i32>(row, 4)?).map_err(|_| out_of_range("count of attempts"))?,
        reason: Arc::from(column::<&str>(row, 5)?),
        events: std::collections::VecDeque::new(),
    })
}

fn replay(row: &Row) -> Result<ReplayRecord, DatabaseError> {
    let types = column::<Vec<&str>>(row, 4)?;
    let types = types.into_iter().map(|name| by_name(&EVENT_TYPES, name, "event type")).collect::<Result<_, _>>()?;
    let spec = ReplaySpec {
        replay_id: column(row, 1)?,
        from: Sequence(unsigned(row, 2)?),
        to: Sequence(unsigned(row, 3)?),
        types,
        order_id: column::<Option<Uuid>>(row, 5)?.map(OrderId::new),
        rate_events_per_s_max: u32::try_from(unsigned(row, 6)?).map_err(|_| out_of_range("rate"))?,
    };
    let state = by_name(&REPLAY_STATES, column(row, 7)?, "state of a replay")?;
    Ok(ReplayRecord { spec, state, delivered: unsigned(row, 8)?, failed: unsigned(row, 9)? })
}

/// How the columns call the values.
pub(super) const SINK_TYPES: [(SinkType, &str); 3] =
    [(SinkType::File, "file"), (SinkType::Stdout, "stdout"), (SinkType::Subscription, "subscription")];
pub(super) const LANE_STATES: [(LaneState, &str); 4] = [
    (LaneState::Retrying, "retrying"),
    (LaneState::Rejected, "rejected"),
    (LaneState::Held, "held"),
    (LaneState::Requeued, "requeued"),
];
pub(super) const REPLAY_STATES: [(ReplayState, &str); 3] =
    [(ReplayState::Running, "running"), (ReplayState::Done, "done"), (ReplayState::Cancelled, "cancelled")];
pub(super) const EVENT_TYPES: [(EventType, &str); 3] = [
    (EventType::OrderPlaced, "OrderPlaced"),
    (EventType::OrderCompleted, "OrderCompleted"),
    (EventType::OrderCancelled, "OrderCancelled"),
];

fn by_name<T: Copy>(all: &[(T, &str)], name: &str, what: &str) -> Result<T, DatabaseError> {
    all.iter().find(|(_, known)| *known == name).map(|(value, _)| *value).ok_or_else(|| out_of_range(what))
}

/// The column's word for a value.
pub(super) fn name_of<T: Copy + PartialEq>(all: &[(T, &'static str)], value: T) -> &'static str {
    all.iter().find(|(known, _)| *known == value).map_or("", |(_, name)| name)
}
