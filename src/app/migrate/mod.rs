//! `migrate`: from the journal to PostgreSQL. The journal is only read.

#[cfg(feature = "postgres")]
mod copy;
#[cfg(feature = "postgres")]
mod journal_store;
#[cfg(feature = "postgres")]
mod verify;

use std::path::Path;

use super::AppError;
use crate::config::Config;

/// Brings the store in `data_dir`, which no daemon may hold, into the configured database, which must be empty but for the
/// schema, or goes on with that; says what it did.
///
/// # Errors
/// The store is held, damaged, or has what cannot be carried over; or the database does not answer, or has other content.
#[cfg(feature = "postgres")]
pub fn migrate_store(config: &Config, data_dir: &Path) -> Result<String, AppError> {
    use crate::postgres::{Begun, Migration};
    let database = super::postgres::database(config)?;
    let journal = journal_store::JournalStore::open(config, data_dir)?;
    journal.check()?;
    let rows_max = config.store.migrate_rows_max;
    let store_id = journal.identity().store_id;
    match Migration::begin(&database, journal.identity(), config.store.partition_events_ahead)? {
        Begun::InUse(daemons) => {
            Err(AppError::Held(format!("daemons are connected to the database ({daemons}); stop them first")))
        }
        Begun::Finished => Ok(format!("store {store_id} was migrated before: nothing was changed")),
        Begun::Open(mut migration) => {
            let went_on = copy::copy(&journal, &mut migration, rows_max)?;
            let counts = verify::verify(&journal, &mut migration, rows_max)?;
            migration.finish()?;
            let how = if went_on { "migrated the rest of" } else { "migrated" };
            Ok(format!("{how} store {store_id}\n{}", describe(&journal, counts)))
        }
    }
}

#[cfg(feature = "postgres")]
fn describe(journal: &journal_store::JournalStore, counts: crate::postgres::Counts) -> String {
    let crate::postgres::Counts { orders, events, commands, decisions, sinks, lanes, parked_events } = counts;
    let crate::postgres::Journal { last_lsn, last_sequence, .. } = journal.identity();
    let mut lines = vec![
        format!("orders: {orders}; last event: {last_sequence}; last plan: LSN {last_lsn}"),
        format!("events held: {events}; command ids: {commands}; decisions: {decisions}"),
        format!("sinks: {sinks}; parked lanes: {lanes}; parked events: {parked_events}"),
    ];
    for progress in journal.progress() {
        let (sink, sequence) = (&progress.sink, progress.position.sequence);
        lines.push(match progress.replay_id {
            None => format!("sink {sink}: goes on after event {sequence}"),
            Some(replay_id) => format!("sink {sink}: replay {replay_id} goes on after event {sequence}"),
        });
    }
    lines.push("everything was read back and compared".to_owned());
    lines.join("\n")
}

/// Brings a journal's store into a database.
///
/// # Errors
/// This build knows no database.
#[cfg(not(feature = "postgres"))]
pub fn migrate_store(_config: &Config, _data_dir: &Path) -> Result<String, AppError> {
    super::schema::missing()
}
