//! The rows that decisions change: what the mirror shows of the sinks and lanes that they touch.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use uuid::Uuid;

use super::DatabaseError;
use super::connection::Step;
use super::event_row::SNAPSHOT;
use super::mirror::{EVENT_TYPES, LANE_STATES, REPLAY_STATES, SINK_TYPES, name_of};
use super::order_row::{bigint, integer};
use super::published_columns::ParkedColumns;
use crate::contracts::{Decision, DecisionKind, DecisionSubject, ParkedLane, ReplayRecord, Sequence, SinkRecord};
use crate::domain::OrderId;
use crate::repo::{DeliveryState, LaneName, encode_decision};

/// A decision on its way, with its plan's number in the batch.
#[derive(Debug, Clone)]
pub(super) struct StagedDecision {
    pub ticket: Option<u64>,
    pub plan: u64,
    pub decision: Arc<Decision>,
}

/// The rows of a batch's decisions.
#[derive(Debug, Default)]
pub(super) struct DecisionRows {
    forgotten: Vec<String>,
    sinks: Vec<SinkRow>,
    lanes: Vec<LaneRow>,
    changes: Vec<LaneChanges>,
    replays: Vec<ReplayRow>,
    kept_replays: Vec<(String, Vec<Uuid>)>,
    columns: DecisionColumns,
}

#[derive(Debug)]
struct SinkRow {
    sink: String,
    sink_type: &'static str,
    source: String,
    start: i64,
    snapshot: [Option<i64>; 3],
    snapshot_running: bool,
    paused: bool,
    halted: bool,
    skipped_from: Vec<i64>,
    skipped_to: Vec<i64>,
    skipped_events: Vec<i64>,
}

#[derive(Debug)]
struct LaneRow {
    sink: String,
    order_id: Uuid,
    state: &'static str,
    since: String,
    attempts: i32,
    reason: String,
}

/// Of one sink.
#[derive(Debug, Default)]
struct LaneChanges {
    sink: String,
    /// Of the outbox.
    parked: Vec<i64>,
    /// Of a snapshot, which is not in the outbox.
    snapshots: ParkedColumns,
    settled_orders: Vec<Uuid>,
    settled: Vec<i64>,
    closed: Vec<Uuid>,
}

#[derive(Debug)]
struct ReplayRow {
    sink: String,
    replay_id: Uuid,
    from: i64,
    to: i64,
    types: Vec<&'static str>,
    order_id: Option<Uuid>,
    rate_max: i64,
    state: &'static str,
    delivered: i64,
    failed: i64,
}

/// Decisions, column by column.
#[derive(Debug, Default)]
pub(super) struct DecisionColumns {
    plans: Vec<i64>,
    kinds: Vec<&'static str>,
    sinks: Vec<String>,
    orders: Vec<Option<Uuid>>,
    from: Vec<Option<i64>>,
    to: Vec<Option<i64>>,
    at: Vec<String>,
    uids: Vec<i64>,
    reasons: Vec<String>,
    bodies: Vec<Vec<u8>>,
    /// The highest epoch that any of them asks for; 0 if none does.
    epoch: i64,
}

/// What of a sink was touched.
#[derive(Debug, Default)]
struct Touched {
    forgotten: bool,
    record: bool,
    orders: BTreeSet<OrderId>,
    parked: BTreeSet<Sequence>,
    settled: BTreeSet<(OrderId, Sequence)>,
    replays: BTreeSet<Uuid>,
}

impl DecisionRows {
    /// What `shown`, in which they are applied, makes of these decisions.
    ///
    /// # Errors
    /// An event cannot be stored.
    pub(super) fn of(staged: &[StagedDecision], shown: &DeliveryState) -> Result<Self, DatabaseError> {
        let mut touched: BTreeMap<Arc<str>, Touched> = BTreeMap::new();
        let mut rows = Self::default();
        for StagedDecision { plan, decision, .. } in staged {
            touched.entry(Arc::clone(&decision.sink)).or_default().note(&decision.kind);
            rows.columns.push(*plan, decision);
        }
        for (name, touched) in touched {
            if touched.forgotten {
                rows.forgotten.push(name.to_string());
            }
            if let Some(record) = shown.sink(&name) {
                rows.add_sink(record, &touched)?;
            }
        }
        Ok(rows)
    }

    /// All of these sinks with their replays, but without lanes.
    pub(super) fn of_records(records: &[&SinkRecord]) -> Self {
        let mut rows = Self::default();
        for record in records {
            rows.sinks.push(SinkRow::of(record));
            rows.replays.extend(record.replays.iter().map(|replay| ReplayRow::of(&record.name, replay)));
        }
        rows
    }

    /// These lanes, without their events.
    pub(super) fn of_lanes(lanes: &[(LaneName, ParkedLane)]) -> Self {
        let lanes = lanes.iter().map(|(name, lane)| LaneRow::of(&name.sink, name.order_id, lane));
        Self { lanes: lanes.collect(), ..Self::default() }
    }

    fn add_sink(&mut self, record: &SinkRecord, touched: &Touched) -> Result<(), DatabaseError> {
        let sink = record.name.to_string();
        if touched.record {
            self.sinks.push(SinkRow::of(record));
        }
        let mut changes = LaneChanges { sink: sink.clone(), ..LaneChanges::default() };
        for order_id in &touched.orders {
            let Some(lane) = record.lanes.get(order_id) else {
                changes.closed.push(order_id.uuid());
                continue;
            };
            for event in lane.events.iter().filter(|event| touched.parked.contains(&event.sequence)) {
                if event.entry.event.event_type() == SNAPSHOT {
                    changes.snapshots.push(&sink, event)?;
                } else {
                    changes.parked.push(bigint(event.sequence.0));
                }
            }
            self.lanes.push(LaneRow::of(&sink, *order_id, lane));
        }
        for (order_id, sequence) in &touched.settled {
            changes.settled_orders.push(order_id.uuid());
            changes.settled.push(bigint(sequence.0));
        }
        if !touched.orders.is_empty() {
            self.changes.push(changes);
        }
        let of_replay = |replay: &&ReplayRecord| touched.replays.contains(&replay.spec.replay_id);
        self.replays.extend(record.replays.iter().filter(of_replay).map(|replay| ReplayRow::of(&sink, replay)));
        if !touched.replays.is_empty() {
            self.kept_replays.push((sink, record.replays.iter().map(|replay| replay.spec.replay_id).collect()));
        }
        Ok(())
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.columns.plans.is_empty()
    }

    /// What is to be run before the plans are stored.
    pub(super) fn steps(&self) -> Vec<Step<'_>> {
        let mut steps = Vec::new();
        for sink in &self.forgotten {
            steps.push(Step { name: "forget_sink", params: vec![sink] });
        }
        steps.extend(self.sinks.iter().map(SinkRow::step));
        steps.extend(self.lanes.iter().map(LaneRow::step));
        for LaneChanges { sink, parked, snapshots, settled_orders, settled, closed } in &self.changes {
            steps.push(Step { name: "park_events", params: vec![sink, parked] });
            if !snapshots.is_empty() {
                steps.push(snapshots.step());
            }
            steps.push(Step { name: "settle_parked", params: vec![sink, settled_orders, settled] });
            steps.push(Step { name: "close_lanes", params: vec![sink, closed] });
        }
        steps.extend(self.replays.iter().map(ReplayRow::step));
        for (sink, kept) in &self.kept_replays {
            steps.push(Step { name: "forget_replays", params: vec![sink, kept] });
        }
        steps
    }

    /// What is to be run after the plans are stored, `plans` of them.
    pub(super) fn last_step<'a>(&'a self, plans: &'a i64) -> Step<'a> {
        let DecisionColumns { plans: places, kinds, sinks, orders, from, to, at, uids, reasons, bodies, epoch } =
            &self.columns;
        let params: Vec<super::connection::Param<'a>> =
            vec![plans, places, kinds, sinks, orders, from, to, at, uids, reasons, bodies, epoch];
        Step { name: "store_decisions", params }
    }
}

impl Touched {
    fn note(&mut self, kind: &DecisionKind) {
        match kind {
            DecisionKind::Forgotten => self.forgotten = true,
            DecisionKind::Registered(_)
            | DecisionKind::RangeSkipped { .. }
            | DecisionKind::Paused
            | DecisionKind::Resumed
            | DecisionKind::Halted
            | DecisionKind::SnapshotEnded => self.record = true,
            DecisionKind::Parked { order_id, events, .. } => {
                self.orders.insert(*order_id);
                self.parked.extend(events.iter().map(|event| event.sequence));
            }
            DecisionKind::Requeued { order_id } => {
                self.orders.insert(*order_id);
            }
            DecisionKind::Delivered { events } => {
                self.orders.extend(events.iter().map(|(order_id, _)| *order_id));
                self.settled.extend(events);
            }
            DecisionKind::LaneSkipped { order_id, sequence } => {
                self.record = true;
                self.orders.insert(*order_id);
                self.settled.insert((*order_id, *sequence));
            }
            DecisionKind::ReplayStarted(spec) => {
                self.replays.insert(spec.replay_id);
            }
            DecisionKind::ReplayEnded { replay_id, .. } => {
                self.replays.insert(*replay_id);
            }
            DecisionKind::Restored { .. } => {}
        }
    }
}

impl SinkRow {
    fn of(record: &SinkRecord) -> Self {
        Self {
            sink: record.name.to_string(),
            sink_type: name_of(&SINK_TYPES, record.start.sink_type),
            source: record.start.source.to_string(),
            start: bigint(record.start.after.0),
            snapshot: match record.start.snapshot {
                Some(start) => [bigint(start.orders), i64::from(start.epoch), bigint(start.lsn.0)].map(Some),
                None => [None; 3],
            },
            snapshot_running: record.snapshot_running,
            paused: record.paused,
            halted: record.halted,
            skipped_from: record.skipped.iter().map(|(from, _)| bigint(from.0)).collect(),
            skipped_to: record.skipped.iter().map(|(_, to)| bigint(to.0)).collect(),
            skipped_events: record.skipped_events.iter().map(|sequence| bigint(sequence.0)).collect(),
        }
    }

    fn step(&self) -> Step<'_> {
        let Self { sink, sink_type, source, start, snapshot, snapshot_running, paused, halted, .. } = self;
        let (skipped_from, skipped_to, skipped_events) = (&self.skipped_from, &self.skipped_to, &self.skipped_events);
        let [snapshot_orders, snapshot_epoch, snapshot_lsn] = snapshot;
        Step {
            name: "store_sink",
            params: vec![
                sink,
                sink_type,
                source,
                start,
                snapshot_orders,
                snapshot_epoch,
                snapshot_lsn,
                snapshot_running,
                paused,
                halted,
                skipped_from,
                skipped_to,
                skipped_events,
            ],
        }
    }
}

impl LaneRow {
    fn of(sink: &str, order_id: OrderId, lane: &ParkedLane) -> Self {
        Self {
            sink: sink.to_owned(),
            order_id: order_id.uuid(),
            state: name_of(&LANE_STATES, lane.state),
            since: lane.since.to_string(),
            attempts: integer(lane.attempts),
            reason: without_nul(&lane.reason),
        }
    }

    fn step(&self) -> Step<'_> {
        let Self { sink, order_id, state, since, attempts, reason } = self;
        Step { name: "store_lane", params: vec![sink, order_id, state, since, attempts, reason] }
    }
}

impl ReplayRow {
    fn of(sink: &str, replay: &ReplayRecord) -> Self {
        let spec = &replay.spec;
        Self {
            sink: sink.to_owned(),
            replay_id: spec.replay_id,
            from: bigint(spec.from.0),
            to: bigint(spec.to.0),
            types: spec.types.iter().map(|event_type| name_of(&EVENT_TYPES, *event_type)).collect(),
            order_id: spec.order_id.map(|order_id| order_id.uuid()),
            rate_max: i64::from(spec.rate_events_per_s_max),
            state: name_of(&REPLAY_STATES, replay.state),
            delivered: bigint(replay.delivered),
            failed: bigint(replay.failed),
        }
    }

    fn step(&self) -> Step<'_> {
        let Self { sink, replay_id, from, to, types, order_id, rate_max, state, delivered, failed } = self;
        let params: Vec<super::connection::Param<'_>> =
            vec![sink, replay_id, from, to, types, order_id, rate_max, state, delivered, failed];
        Step { name: "store_replay", params }
    }
}

impl DecisionColumns {
    /// `plan` is the number of its plan: in a batch, or for good.
    pub(super) fn push(&mut self, plan: u64, decision: &Decision) {
        // For people who look with SQL.
        let DecisionSubject { order_id, events: range } = DecisionSubject::of(&decision.kind);
        self.plans.push(bigint(plan));
        let snapshot_ended = decision.kind == DecisionKind::SnapshotEnded;
        self.kinds.push(if snapshot_ended { "snapshot_ended" } else { decision.kind.as_str() });
        self.sinks.push(decision.sink.to_string());
        self.orders.push(order_id.map(|order_id| order_id.uuid()));
        self.from.push(range.map(|(from, _)| bigint(from.0)));
        self.to.push(range.map(|(_, to)| bigint(to.0)));
        self.at.push(decision.at.to_string());
        self.uids.push(i64::from(decision.uid));
        self.reasons.push(without_nul(&decision.reason));
        self.bodies.push(encode_decision(decision));
        if let DecisionKind::Restored { epoch } = &decision.kind {
            self.epoch = self.epoch.max(i64::from(*epoch));
        }
    }

    /// Those of a journal, with the numbers that their plans have there.
    pub(super) fn bring_step(&self) -> Step<'_> {
        let Self { plans, kinds, sinks, orders, from, to, at, uids, reasons, bodies, .. } = self;
        let params: Vec<super::connection::Param<'_>> =
            vec![plans, kinds, sinks, orders, from, to, at, uids, reasons, bodies];
        Step { name: "bring_decisions", params }
    }
}

/// A reason comes from outside, and PostgreSQL's texts hold everything but U+0000.
fn without_nul(reason: &str) -> String {
    reason.replace('\0', "\u{FFFD}")
}
