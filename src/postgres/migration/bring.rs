//! What is brought, part by part.

use std::sync::Arc;

use uuid::Uuid;

use super::target::{Mark, Migration, MigrationStep};
use crate::contracts::{
    Decision, FeedPosition, Lsn, OrderRow, ParkedLane, ProgressDetails, PublishedEvent, SinkRecord,
};
use crate::domain::OrderId;
use crate::postgres::DatabaseError;
use crate::postgres::batch::{OrderColumns, SeenOrder};
use crate::postgres::connection::{Param, Step};
use crate::postgres::decisions::{DecisionColumns, DecisionRows};
use crate::postgres::order_row::{bigint, integer};
use crate::postgres::progress::mark_bytes;
use crate::postgres::published_columns::{ParkedColumns, PublishedColumns};
use crate::repo::{DedupEntry, LaneName};

/// A remembered command with its order.
pub type BroughtCommand = (OrderId, DedupEntry);

/// Where a sink, or one of its replays, is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkProgress {
    /// The sink.
    pub sink: Arc<str>,
    /// The replay; `None` for the sink's live events.
    pub replay_id: Option<Uuid>,
    /// After which event.
    pub position: FeedPosition,
    /// And what else was saved.
    pub details: ProgressDetails,
}

impl Migration {
    /// Brings the next orders.
    ///
    /// # Errors
    /// See [`DatabaseError`].
    pub fn bring_orders(&mut self, rows: &[OrderRow]) -> Result<(), DatabaseError> {
        let mut columns = OrderColumns::default();
        for row in rows {
            columns.push(&SeenOrder::of(None), &row.state);
        }
        let c = &columns;
        let params: Vec<Param<'_>> = vec![
            &c.ids,
            &c.customers,
            &c.amounts,
            &c.statuses,
            &c.versions,
            &c.placed_at,
            &c.completed_at,
            &c.cancelled_at,
        ];
        self.store(self.mark.after(rows.len()), vec![Step { name: "place_orders", params }])
    }

    /// Brings what the next plans hold, up to the plan `to`.
    ///
    /// # Errors
    /// See [`DatabaseError`].
    pub fn bring_plans(
        &mut self,
        events: &[(Lsn, PublishedEvent)],
        decisions: &[(Lsn, Arc<Decision>)],
        to: Lsn,
    ) -> Result<(), DatabaseError> {
        let (mut columns, mut decided) = (PublishedColumns::default(), DecisionColumns::default());
        for (lsn, event) in events {
            columns.push(*lsn, event)?;
        }
        for (lsn, decision) in decisions {
            decided.push(lsn.0, decision);
        }
        let steps = vec![columns.bring_step(), decided.bring_step()];
        self.store(Mark { step: MigrationStep::Plans, done: to.0 }, steps)
    }

    /// Brings the last versions of the next orders.
    ///
    /// # Errors
    /// See [`DatabaseError`].
    pub fn bring_versions(&mut self, rows: &[OrderRow]) -> Result<(), DatabaseError> {
        let ids: Vec<Uuid> = rows.iter().map(|row| row.state.order_id.uuid()).collect();
        let versions: Vec<i32> = rows.iter().map(|row| integer(row.state.version)).collect();
        let lsns: Vec<i64> = rows.iter().map(|row| bigint(row.last_lsn.0)).collect();
        let steps = vec![Step { name: "bring_versions", params: vec![&ids, &versions, &lsns] }];
        self.store(self.mark.after(rows.len()), steps)
    }

    /// Brings the next commands, oldest first.
    ///
    /// # Errors
    /// See [`DatabaseError`].
    pub fn bring_commands(&mut self, commands: &[BroughtCommand]) -> Result<(), DatabaseError> {
        let ids: Vec<Uuid> = commands.iter().map(|(_, command)| command.command_id.uuid()).collect();
        let fingerprints: Vec<Uuid> = commands.iter().map(|(_, command)| command.fingerprint.0).collect();
        let orders: Vec<Uuid> = commands.iter().map(|(order_id, _)| order_id.uuid()).collect();
        let versions: Vec<i32> = commands.iter().map(|(_, command)| integer(command.version)).collect();
        let lsns: Vec<i64> = commands.iter().map(|(_, command)| bigint(command.lsn.0)).collect();
        let steps = vec![
            Step { name: "bring_versions", params: vec![&orders, &versions, &lsns] },
            Step { name: "bring_commands", params: vec![&ids, &fingerprints, &orders, &versions] },
        ];
        self.store(self.mark.after(commands.len()), steps)
    }

    /// Brings all sinks, and where they and their replays are; then the lanes are next.
    ///
    /// # Errors
    /// See [`DatabaseError`].
    pub fn bring_sinks(&mut self, records: &[&SinkRecord], progress: &[SinkProgress]) -> Result<(), DatabaseError> {
        let rows = DecisionRows::of_records(records);
        let progress: Vec<ProgressRow> = progress.iter().map(ProgressRow::of).collect();
        let mut steps = rows.steps();
        steps.extend(progress.iter().map(ProgressRow::step));
        self.store(Mark { step: MigrationStep::Lanes, done: 0 }, steps)
    }

    /// Brings the next parked lanes with their events.
    ///
    /// # Errors
    /// See [`DatabaseError`].
    pub fn bring_lanes(&mut self, lanes: &[(LaneName, ParkedLane)]) -> Result<(), DatabaseError> {
        let rows = DecisionRows::of_lanes(lanes);
        let mut parked = ParkedColumns::default();
        for (name, lane) in lanes {
            lane.events.iter().try_for_each(|event| parked.push(&name.sink, event))?;
        }
        let mut steps = rows.steps();
        steps.push(parked.step());
        self.store(self.mark.after(lanes.len()), steps)
    }

    /// Brings the numbers that the store goes on from, after everything else.
    ///
    /// # Errors
    /// See [`DatabaseError`].
    pub fn bring_head(&mut self, epoch: u32, orders: u64, last_decision: Lsn) -> Result<(), DatabaseError> {
        let (lsn, sequence) = (bigint(self.journal.last_lsn.0), bigint(self.journal.last_sequence.0));
        let (epoch, orders, decision) = (i64::from(epoch), bigint(orders), bigint(last_decision.0));
        let steps = vec![Step { name: "bring_head", params: vec![&lsn, &sequence, &epoch, &orders, &decision] }];
        self.store(Mark { step: MigrationStep::Verify, done: 0 }, steps)
    }
}

impl Mark {
    /// The same part, with more of it.
    const fn after(self, count: usize) -> Self {
        Self { step: self.step, done: self.done.saturating_add(count as u64) }
    }
}

struct ProgressRow {
    sink: String,
    replay_id: Option<Uuid>,
    acked_sequence: i64,
    acked_epoch: i64,
    bits: Vec<u8>,
    events: i32,
    mark: Vec<u8>,
    taken: i64,
    given_up: i64,
}

impl ProgressRow {
    fn of(progress: &SinkProgress) -> Self {
        let SinkProgress { sink, replay_id, position, details } = progress;
        Self {
            sink: sink.to_string(),
            replay_id: *replay_id,
            acked_sequence: bigint(position.sequence.0),
            acked_epoch: i64::from(position.epoch),
            bits: details.window.bytes().to_vec(),
            events: i32::try_from(details.window.len()).unwrap_or_default(),
            mark: mark_bytes(details.file),
            taken: bigint(details.delivered),
            given_up: bigint(details.failed),
        }
    }

    fn step(&self) -> Step<'_> {
        let Self { sink, replay_id, acked_sequence, acked_epoch, bits, events, mark, taken, given_up } = self;
        match replay_id {
            None => {
                let params: Vec<Param<'_>> = vec![sink, acked_sequence, acked_epoch, bits, events, mark];
                Step { name: "bring_cursor", params }
            }
            Some(replay_id) => {
                let params: Vec<Param<'_>> =
                    vec![sink, replay_id, acked_sequence, acked_epoch, bits, events, mark, taken, given_up];
                Step { name: "bring_replay_progress", params }
            }
        }
    }
}
