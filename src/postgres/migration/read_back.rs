//! What a migration has brought, read back to be compared.

use std::collections::HashMap;

use super::bring::SinkProgress;
use super::target::Migration;
use crate::contracts::{
    Decision, FeedPosition, Lsn, OrderRow, ProgressDetails, ProgressKind, PublishedEvent, RememberedCommand, Sequence,
};
use crate::domain::{CommandId, OrderId};
use crate::postgres::DatabaseError;
use crate::postgres::command_row::remembered_command;
use crate::postgres::event_row::published_event;
use crate::postgres::mirror::Mirror;
use crate::postgres::order_row::{bigint, column, order, out_of_range, unsigned};
use crate::postgres::progress::position_and_details;
use crate::repo::{DeliveryState, decode_decision};

/// How much of each kind there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Orders.
    pub orders: u64,
    /// Events that are held, apart from parked ones.
    pub events: u64,
    /// Remembered commands.
    pub commands: u64,
    /// Decisions that are held.
    pub decisions: u64,
    /// Sinks.
    pub sinks: u64,
    /// Parked lanes.
    pub lanes: u64,
    /// Parked events.
    pub parked_events: u64,
}

/// What the head says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BroughtHead {
    /// The last plan.
    pub last_lsn: Lsn,
    /// The last event.
    pub last_sequence: Sequence,
    /// The store's epoch.
    pub epoch: u32,
    /// How many orders there are.
    pub orders: u64,
    /// The last decision.
    pub last_decision: Lsn,
}

impl Migration {
    /// How much there is.
    ///
    /// # Errors
    /// See [`DatabaseError`].
    pub fn counts(&mut self) -> Result<Counts, DatabaseError> {
        let rows = self.connection.query("count_brought", &[])?;
        let row = rows.first().ok_or_else(|| out_of_range("count"))?;
        Ok(Counts {
            orders: unsigned(row, 0)?,
            events: unsigned(row, 1)?,
            commands: unsigned(row, 2)?,
            decisions: unsigned(row, 3)?,
            sinks: unsigned(row, 4)?,
            lanes: unsigned(row, 5)?,
            parked_events: unsigned(row, 6)?,
        })
    }

    /// These orders with their last plans, as far as they are there.
    ///
    /// # Errors
    /// See [`DatabaseError`].
    pub fn orders(&mut self, order_ids: &[OrderId]) -> Result<HashMap<OrderId, OrderRow>, DatabaseError> {
        let ids: Vec<_> = order_ids.iter().map(|order_id| order_id.uuid()).collect();
        let mut lsns = HashMap::new();
        for row in self.connection.query("find_order_lsns", &[&ids])? {
            lsns.insert(OrderId::new(column(&row, 0)?), Lsn(unsigned(&row, 1)?));
        }
        let mut orders = HashMap::new();
        for row in self.connection.query("find_orders", &[&ids])? {
            let state = order(&row, 0)?;
            let last_lsn = lsns.get(&state.order_id).copied().unwrap_or_default();
            orders.insert(state.order_id, OrderRow { state, last_lsn });
        }
        Ok(orders)
    }

    /// These commands, as far as they are there.
    ///
    /// # Errors
    /// See [`DatabaseError`].
    pub fn commands(
        &mut self,
        command_ids: &[CommandId],
    ) -> Result<HashMap<CommandId, RememberedCommand>, DatabaseError> {
        let ids: Vec<_> = command_ids.iter().map(|command_id| command_id.uuid()).collect();
        let rows = self.connection.query("find_commands", &[&ids])?;
        rows.iter().map(|row| Ok((CommandId::new(column(row, 0)?), remembered_command(row)?))).collect()
    }

    /// The events from `first` on, `count` of them, with their plans.
    ///
    /// # Errors
    /// See [`DatabaseError`].
    pub fn events(&mut self, first: Sequence, count: usize) -> Result<Vec<(Lsn, PublishedEvent)>, DatabaseError> {
        let after = bigint(first.0.saturating_sub(1));
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let rows = self.connection.query("read_events", &[&after, &count])?;
        rows.iter().map(|row| Ok((Lsn(unsigned(row, 1)?), published_event(row)?))).collect()
    }

    /// The first `count` decisions after the plan `after`.
    ///
    /// # Errors
    /// See [`DatabaseError`].
    pub fn decisions(&mut self, after: Lsn, count: usize) -> Result<Vec<(Lsn, Decision)>, DatabaseError> {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let rows = self.connection.query("read_decisions", &[&bigint(after.0), &count])?;
        let decision = |row| {
            let body = column(row, 1)?;
            Ok((Lsn(unsigned(row, 0)?), decode_decision(body).map_err(DatabaseError::Refused)?))
        };
        rows.iter().map(decision).collect()
    }

    /// What was decided about the sinks, as a daemon's start reads it, and the head.
    ///
    /// # Errors
    /// See [`DatabaseError`].
    pub fn delivery(&mut self) -> Result<(DeliveryState, BroughtHead), DatabaseError> {
        let (mirror, head) = Mirror::load(&mut self.connection)?;
        let head = BroughtHead {
            last_lsn: head.last_lsn,
            last_sequence: head.last_sequence,
            epoch: head.epoch,
            orders: head.orders_count,
            last_decision: head.last_decision,
        };
        Ok((mirror.into_state(), head))
    }

    /// Where a sink, or one of its replays, is.
    ///
    /// # Errors
    /// See [`DatabaseError`].
    pub fn progress(&mut self, of: &SinkProgress) -> Result<(FeedPosition, ProgressDetails), DatabaseError> {
        let sink = &*of.sink;
        let Some(replay_id) = of.replay_id else {
            let rows = self.connection.query("find_cursor", &[&sink])?;
            return position_and_details(rows.first().ok_or_else(|| out_of_range("cursor"))?, 0);
        };
        let rows = self.connection.query("find_replay_progress", &[&sink, &replay_id])?;
        let row = rows.first().ok_or_else(|| out_of_range("replay"))?;
        let (position, details) = position_and_details(row, 0)?;
        let (delivered, failed) = (unsigned(row, 5)?, unsigned(row, 6)?);
        Ok((position, ProgressDetails { kind: ProgressKind::Replay, delivered, failed, ..details }))
    }
}
