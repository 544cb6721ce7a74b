//! The database's schema, as the command line prints and applies it.

use super::AppError;
use crate::config::Config;

/// The DDL.
///
/// # Errors
/// This build has none.
#[cfg(feature = "postgres")]
#[allow(clippy::unnecessary_wraps, reason = "the build without PostgreSQL refuses")]
pub const fn print_schema() -> Result<&'static str, AppError> {
    Ok(crate::postgres::SCHEMA)
}

/// Creates the schema in the configured database; says what it did.
///
/// # Errors
/// The database does not answer, or holds something that this version does not know.
#[cfg(feature = "postgres")]
pub fn apply_schema(config: &Config) -> Result<String, AppError> {
    use crate::postgres::{Applied, SCHEMA_VERSION, apply};
    let database = super::postgres::database(config)?;
    let applied = apply(&mut database.connect("schema")?)?;
    Ok(match applied {
        Applied::Created => format!("created version {SCHEMA_VERSION} of the schema"),
        Applied::Nothing => format!("the database has version {SCHEMA_VERSION} of the schema already"),
    })
}

#[cfg(not(feature = "postgres"))]
pub(super) fn missing<T>() -> Result<T, AppError> {
    Err(AppError::Config("this program was built without PostgreSQL: install the package orderd-postgres".to_owned()))
}

/// The DDL.
///
/// # Errors
/// This build has none.
#[cfg(not(feature = "postgres"))]
pub fn print_schema() -> Result<&'static str, AppError> {
    missing()
}

/// Creates the schema in the configured database; says what it did.
///
/// # Errors
/// This build knows no database.
#[cfg(not(feature = "postgres"))]
pub fn apply_schema(_config: &Config) -> Result<String, AppError> {
    missing()
}
