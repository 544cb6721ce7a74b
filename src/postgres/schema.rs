//! The schema's version: what is there, what this program needs, and how one becomes the other.

use std::time::Duration;

use super::statements::SCHEMA_SQL;
use super::{Connection, DatabaseError};

/// The version of SCHEMA.sql that this program works with.
pub const SCHEMA_VERSION: i32 = 1;

/// The DDL, with the statements in comments.
pub const SCHEMA: &str = SCHEMA_SQL;

/// Making tables takes as long as it takes.
const APPLY_MAX: Duration = Duration::from_secs(600);

/// What [`apply`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// The database was empty.
    Created,
    /// The database has this version already.
    Nothing,
}

/// The version of the schema in the database; `None` if there is none.
fn version(connection: &mut Connection) -> Result<Option<i32>, DatabaseError> {
    let there = connection.query_text("SELECT to_regclass('store') IS NOT NULL")?;
    if !there.first().is_some_and(|row| row.try_get(0).unwrap_or(false)) {
        return Ok(None);
    }
    let rows = connection.query_text("SELECT schema_version FROM store")?;
    let version = rows.first().and_then(|row| row.try_get(0).ok());
    version.map(Some).ok_or_else(|| DatabaseError::Refused("the table store is not orderd's: it has no row".to_owned()))
}

/// Makes the schema where there is none; twice does no harm.
///
/// # Errors
/// [`DatabaseError::Refused`] for a schema that a newer version has made, and for what the server refuses.
pub fn apply(connection: &mut Connection) -> Result<Applied, DatabaseError> {
    match version(connection)? {
        None => {
            connection.execute_text(SCHEMA_SQL, APPLY_MAX)?;
            Ok(Applied::Created)
        }
        Some(SCHEMA_VERSION) => Ok(Applied::Nothing),
        Some(newer) => Err(DatabaseError::Refused(newer_version(newer))),
    }
}

/// Whether the database has the schema that this program works with.
///
/// # Errors
/// [`DatabaseError::Refused`] if not, with what to do.
pub fn check_version(connection: &mut Connection) -> Result<(), DatabaseError> {
    match version(connection)? {
        Some(SCHEMA_VERSION) => Ok(()),
        Some(newer) => Err(DatabaseError::Refused(newer_version(newer))),
        None => Err(DatabaseError::Refused("the database has no schema of orderd; run orderd schema apply".to_owned())),
    }
}

/// Whether a migration into the database, if there was one, came to its end.
///
/// # Errors
/// [`DatabaseError::Refused`] if not, with what to do.
pub fn check_complete(connection: &mut Connection) -> Result<(), DatabaseError> {
    if connection.query_text("SELECT FROM migration WHERE finished_at IS NULL")?.is_empty() {
        return Ok(());
    }
    let problem =
        "a journal is being brought into the database, and not all of it is there: run orderd migrate to its end";
    Err(DatabaseError::Refused(problem.to_owned()))
}

fn newer_version(found: i32) -> String {
    format!(
        "the database has version {found} of the schema, and this program knows {SCHEMA_VERSION}: install a newer one"
    )
}
