//! From the journal into the database: a part at a time, from wherever the last run got to.

use std::sync::Arc;

use super::journal_store::JournalStore;
use crate::app::AppError;
use crate::contracts::{Lsn, OrderRow, ParkedLane};
use crate::postgres::{BroughtCommand, Mark, Migration, MigrationStep};
use crate::repo::{DedupEntry, LaneName};

/// Brings everything; whether some of it was there.
pub(super) fn copy(journal: &JournalStore, migration: &mut Migration, rows_max: usize) -> Result<bool, AppError> {
    let begin = Mark { step: MigrationStep::Orders, done: 0 };
    let went_on = migration.mark() != begin;
    let mut copying = Copying { journal, migration, rows_max };
    while copying.bring_next()? {}
    Ok(went_on)
}

struct Copying<'a> {
    journal: &'a JournalStore,
    migration: &'a mut Migration,
    rows_max: usize,
}

impl Copying<'_> {
    /// Brings a part; whether there may be more.
    fn bring_next(&mut self) -> Result<bool, AppError> {
        let Mark { step, done } = self.migration.mark();
        match step {
            MigrationStep::Orders => match self.orders(done).as_slice() {
                [] => self.migration.go_on_with(MigrationStep::Plans)?,
                rows => self.migration.bring_orders(rows)?,
            },
            MigrationStep::Plans => {
                let plans = self.journal.plans_after(Lsn(done), self.rows_max)?;
                if plans.last <= Lsn(done) || self.journal.identity().last_lsn <= Lsn(done) {
                    self.migration.go_on_with(MigrationStep::Versions)?;
                } else {
                    self.migration.bring_plans(&plans.events, &plans.decisions, plans.last)?;
                }
            }
            MigrationStep::Versions => match self.orders(done).as_slice() {
                [] => self.migration.go_on_with(MigrationStep::Commands)?,
                rows => self.migration.bring_versions(rows)?,
            },
            MigrationStep::Commands => match commands(self.journal, done, self.rows_max)?.as_slice() {
                [] => self.migration.go_on_with(MigrationStep::Sinks)?,
                commands => self.migration.bring_commands(commands)?,
            },
            MigrationStep::Sinks => {
                let records: Vec<_> = self.journal.state().delivery.sinks().collect();
                self.migration.bring_sinks(&records, self.journal.progress())?;
            }
            MigrationStep::Lanes => match self.lanes(done).as_slice() {
                [] => {
                    let state = self.journal.state();
                    let (epoch, orders) = (state.delivery.epoch(), state.orders.count() as u64);
                    self.migration.bring_head(epoch, orders, self.journal.held().last_decision)?;
                }
                lanes => self.migration.bring_lanes(lanes)?,
            },
            MigrationStep::Verify => return Ok(false),
        }
        Ok(true)
    }

    fn orders(&self, done: u64) -> Vec<OrderRow> {
        self.journal.state().orders.rows(index(done), self.rows_max).collect()
    }

    fn lanes(&self, done: u64) -> Vec<(LaneName, ParkedLane)> {
        let lanes = self.journal.state().delivery.sinks().flat_map(|record| {
            let name = |order_id| LaneName { sink: Arc::clone(&record.name), order_id };
            record.lanes.iter().map(move |(order_id, lane)| (name(*order_id), lane))
        });
        lanes.skip(index(done)).take(self.rows_max).map(|(name, lane)| (name, lane.clone())).collect()
    }
}

/// The remembered commands after the first `done`, at most `count`, with their orders.
pub(super) fn commands(journal: &JournalStore, done: u64, count: usize) -> Result<Vec<BroughtCommand>, AppError> {
    let state = journal.state();
    let (entries, _) = state.commands.copy(state.commands.start().saturating_add(done), count);
    let named = |entry: DedupEntry| {
        let order = state.orders.row(entry.row);
        let order = order.ok_or_else(|| AppError::Damaged(format!("command {}: has no order", entry.command_id)))?;
        Ok((order.state.order_id, entry))
    };
    entries.into_iter().map(named).collect()
}

pub(super) fn index(done: u64) -> usize {
    usize::try_from(done).unwrap_or(usize::MAX)
}
