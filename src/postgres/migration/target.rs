//! The database that a journal's store is brought into, and how far that is.

use std::time::Duration;

use uuid::Uuid;

use crate::contracts::{Lsn, Sequence};
use crate::postgres::connection::{Param, Step};
use crate::postgres::order_row::{bigint, column, out_of_range, unsigned};
use crate::postgres::schema::check_version;
use crate::postgres::statements::{BEGIN, COMMIT};
use crate::postgres::{Connection, Database, DatabaseError};

/// Whole tables are counted at the end, and partitions made at the beginning.
const STATEMENT_MAX: Duration = Duration::from_secs(3600);

/// A part that a killed program has sent may be committed beside this one; then the migration goes on from there.
const CONFLICTS_MAX: u32 = 10;

/// Which journal is brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Journal {
    /// The store's id.
    pub store_id: Uuid,
    /// Its last plan.
    pub last_lsn: Lsn,
    /// The oldest event that it holds.
    pub oldest_sequence: Sequence,
    /// Its last event.
    pub last_sequence: Sequence,
}

/// The parts, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MigrationStep {
    /// Orders, by row.
    Orders,
    /// What the journal holds: events and decisions, by plan.
    Plans,
    /// Last versions of orders whose events have left the journal, by row.
    Versions,
    /// Remembered commands, by position.
    Commands,
    /// Sinks with their cursors and replays, all at once.
    Sinks,
    /// Parked lanes, by number.
    Lanes,
    /// All of it is there, and is compared.
    Verify,
}

const STEPS: [(MigrationStep, &str); 7] = [
    (MigrationStep::Orders, "orders"),
    (MigrationStep::Plans, "plans"),
    (MigrationStep::Versions, "versions"),
    (MigrationStep::Commands, "commands"),
    (MigrationStep::Sinks, "sinks"),
    (MigrationStep::Lanes, "lanes"),
    (MigrationStep::Verify, "verify"),
];

/// How far a migration is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// The part.
    pub step: MigrationStep,
    /// How much of it is there.
    pub done: u64,
}

/// What was found in the database.
pub enum Begun {
    /// Go on from its mark.
    Open(Box<Migration>),
    /// This very journal is there, whole.
    Finished,
    /// Daemons are connected to the database: their number.
    InUse(u64),
}

/// A migration under way.
pub struct Migration {
    pub(super) connection: Connection,
    pub(super) journal: Journal,
    pub(super) mark: Mark,
    conflicts: u32,
}

impl Migration {
    /// Begins a migration, or goes on with one; the outbox gets partitions for `events_ahead` events more than there are.
    ///
    /// # Errors
    /// [`DatabaseError::Refused`] if the database holds something else; see there for others.
    pub fn begin(database: &Database, journal: Journal, events_ahead: u64) -> Result<Begun, DatabaseError> {
        let mut connection = database.patient(STATEMENT_MAX).connect("migration")?;
        check_version(&mut connection)?;
        let found = find(&mut connection)?;
        if found.is_none() {
            begin(&mut connection, &journal)?;
        }
        // Daemons that connect from here on see that the database is not theirs yet.
        let daemons = connection.query("count_daemons", &[])?;
        let daemons = unsigned(daemons.first().ok_or_else(|| out_of_range("count"))?, 0)?;
        if daemons > 0 && !found.as_ref().is_some_and(|found| found.finished) {
            if found.is_none() {
                connection.query("take_back_migration", &[])?;
            }
            return Ok(Begun::InUse(daemons));
        }
        let mark = match found {
            None => Mark { step: MigrationStep::Orders, done: 0 },
            Some(found) if (found.store_id, found.last_lsn) != (journal.store_id, journal.last_lsn) => {
                return Err(DatabaseError::Refused(found.is_another(&journal)));
            }
            Some(found) if found.finished => return Ok(Begun::Finished),
            Some(found) => found.mark,
        };
        let ahead = bigint(journal.last_sequence.0.saturating_add(events_ahead));
        connection.query("add_partitions", &[&ahead])?;
        Ok(Begun::Open(Box::new(Self { connection, journal, mark, conflicts: 0 })))
    }

    /// How far it is.
    #[must_use]
    pub const fn mark(&self) -> Mark {
        self.mark
    }

    /// Goes on with another part.
    ///
    /// # Errors
    /// See [`DatabaseError`].
    pub fn go_on_with(&mut self, step: MigrationStep) -> Result<(), DatabaseError> {
        self.store(Mark { step, done: 0 }, Vec::new())
    }

    /// Everything is there and was compared: daemons may start.
    ///
    /// # Errors
    /// See [`DatabaseError`].
    pub fn finish(mut self) -> Result<(), DatabaseError> {
        self.connection.query("finish_migration", &[]).map(drop)
    }

    /// Stores a part, and the mark that is reached with it.
    pub(super) fn store(&mut self, to: Mark, part: Vec<Step<'_>>) -> Result<(), DatabaseError> {
        let (from_step, from_done) = (name_of(self.mark.step), bigint(self.mark.done));
        let (to_step, to_done) = (name_of(to.step), bigint(to.done));
        let moved: Vec<Param<'_>> = vec![&self.journal.store_id, &from_step, &from_done, &to_step, &to_done];
        let mut steps = vec![Step { name: BEGIN, params: vec![] }, Step { name: "move_migration", params: moved }];
        steps.extend(part);
        steps.push(Step { name: COMMIT, params: vec![] });
        match self.connection.pipeline(&steps) {
            Ok(_) => {
                self.mark = to;
                Ok(())
            }
            Err(DatabaseError::Conflict { .. }) if self.conflicts < CONFLICTS_MAX => {
                self.conflicts += 1;
                let found = find(&mut self.connection)?.ok_or_else(|| out_of_range("migration"))?;
                self.mark = found.mark;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

/// The row of `migration`.
struct Found {
    store_id: Uuid,
    last_lsn: Lsn,
    mark: Mark,
    finished: bool,
}

impl Found {
    fn is_another(&self, journal: &Journal) -> String {
        let Self { store_id, last_lsn, .. } = self;
        if *store_id != journal.store_id {
            return format!("the database holds the store {store_id}, and not {}: give an empty one", journal.store_id);
        }
        let (here, there) = (journal.last_lsn, last_lsn);
        format!(
            "the database holds this store as of LSN {there}, and the journal ends with LSN {here}: it has gone on \
             since; give an empty database"
        )
    }
}

fn find(connection: &mut Connection) -> Result<Option<Found>, DatabaseError> {
    let rows = connection.query("find_migration", &[])?;
    let Some(row) = rows.first() else { return Ok(None) };
    let step = column::<&str>(row, 2)?;
    let step = STEPS.iter().find(|(_, name)| *name == step).ok_or_else(|| out_of_range("step of a migration"))?.0;
    Ok(Some(Found {
        store_id: column(row, 0)?,
        last_lsn: Lsn(unsigned(row, 1)?),
        mark: Mark { step, done: unsigned(row, 3)? },
        finished: column(row, 4)?,
    }))
}

fn begin(connection: &mut Connection, journal: &Journal) -> Result<(), DatabaseError> {
    let content = connection.query("find_content", &[])?;
    if content.first().map(|row| column::<bool>(row, 0)).transpose()? != Some(false) {
        let problem = "the database holds orders or sinks already: a journal is brought into an empty database alone";
        return Err(DatabaseError::Refused(problem.to_owned()));
    }
    let (last_lsn, oldest) = (bigint(journal.last_lsn.0), bigint(journal.oldest_sequence.0));
    connection.query("begin_migration", &[&journal.store_id, &last_lsn, &oldest]).map(drop)
}

fn name_of(step: MigrationStep) -> &'static str {
    crate::postgres::mirror::name_of(&STEPS, step)
}
