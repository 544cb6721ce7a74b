//! Makes room for the events to come, and lets go of what nobody needs any more.

use std::time::Duration;

use super::order_row::bigint;
use super::pool::Pool;
use super::{Database, DatabaseError};

/// What is kept.
#[derive(Debug, Clone, Copy)]
pub struct Kept {
    /// Partitions are made for this many events ahead.
    pub events_ahead: u64,
    /// This many events stay although every sink has passed them.
    pub events: u64,
    /// This many decisions stay although no sink needs them.
    pub decisions: u64,
    /// This many command ids are remembered.
    pub command_ids: usize,
    /// How often this is looked after.
    pub every: Duration,
}

/// Every daemon has one; the database sees to it that one at a time drops partitions, and never behind a cursor.
pub struct Keeper {
    pool: Pool,
    kept: Kept,
    next_at: Duration,
}

impl Keeper {
    /// Begins at once.
    #[must_use]
    pub const fn new(database: Database, kept: Kept) -> Self {
        Self { pool: Pool::new(database, "maintenance"), kept, next_at: Duration::ZERO }
    }

    /// Does what there is to do, if it is time; `now` is of the steady clock.
    pub fn look_after(&mut self, now: Duration) {
        if now < self.next_at {
            return;
        }
        self.next_at = now.saturating_add(self.kept.every);
        // A partition that is read at this moment is dropped later.
        if let Err(error) = self.keep() {
            tracing::debug!(%error, "the database's maintenance is tried again later");
        }
    }

    fn keep(&self) -> Result<(), DatabaseError> {
        let (ahead, events) = (bigint(self.kept.events_ahead), bigint(self.kept.events));
        let decisions = bigint(self.kept.decisions);
        let command_ids = i64::try_from(self.kept.command_ids).unwrap_or(i64::MAX);
        self.pool.ask(|connection| {
            connection.query("add_partitions", &[&ahead])?;
            connection.query("forget_commands", &[&command_ids])?;
            connection.query("forget_decisions", &[&decisions])?;
            connection.query("drop_partitions", &[&events]).map(drop)
        })
    }
}
