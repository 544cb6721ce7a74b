//! What PostgreSQL's errors mean here.

use std::io;

use tokio_postgres::Error;
use tokio_postgres::error::{DbError, SqlState};

use crate::contracts::{CommitError, Contested};

/// Why the database did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseError {
    /// Another daemon was first; the transaction is rolled back.
    #[error("{message}")]
    Conflict {
        /// What both wanted.
        which: Contested,
        /// The server's words.
        message: String,
    },
    /// The connection is lost, or the server takes nothing now; what was under way may have happened.
    #[error("{0}")]
    Unavailable(String),
    /// There is no partition for the next events; the transaction is rolled back.
    #[error("{0}")]
    NoPartition(String),
    /// The server's disk is full; the transaction is rolled back.
    #[error("{0}")]
    Full(String),
    /// The server refuses it, and will again.
    #[error("{0}")]
    Refused(String),
}

impl DatabaseError {
    /// Whether the connection can no longer be used.
    #[must_use]
    pub const fn ends_connection(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

/// A plan that does not fit what it was made from: internal error (a bug).
pub(super) fn unfit(problem: impl Into<String>) -> CommitError {
    CommitError::Failed { operation: "check of a plan", source: io::Error::other(problem.into()) }
}

/// A writer whose outcome was asked for: see `require_rows` in SCHEMA.sql.
const WRITER_REMOVED: &str = "OD001";

impl From<Error> for DatabaseError {
    fn from(error: Error) -> Self {
        match error.as_db_error() {
            Some(refused) => of_server(refused),
            // Only the source says what happened to the connection.
            None => Self::Unavailable(match std::error::Error::source(&error) {
                Some(source) => format!("{error}: {source}"),
                None => error.to_string(),
            }),
        }
    }
}

fn of_server(error: &DbError) -> DatabaseError {
    let (code, message) = (error.code(), format!("{} ({})", error.message(), error.code().code()));
    let conflict = |which| DatabaseError::Conflict { which, message: message.clone() };
    match code {
        code if *code == SqlState::UNIQUE_VIOLATION => conflict(match error.constraint() {
            Some("commands_pkey") => Contested::Command,
            _ => Contested::Order,
        }),
        code if *code == SqlState::T_R_SERIALIZATION_FAILURE => {
            let is_about_order = error.message().starts_with("an order");
            conflict(if is_about_order { Contested::Order } else { Contested::Delivery })
        }
        // A sink that was forgotten meanwhile.
        code if *code == SqlState::FOREIGN_KEY_VIOLATION => conflict(Contested::Delivery),
        code if *code == SqlState::T_R_DEADLOCK_DETECTED
            || *code == SqlState::LOCK_NOT_AVAILABLE
            || *code == SqlState::QUERY_CANCELED =>
        {
            conflict(Contested::Lock)
        }
        code if *code == SqlState::CHECK_VIOLATION && error.message().starts_with("no partition") => {
            DatabaseError::NoPartition(message)
        }
        code if *code == SqlState::DISK_FULL => DatabaseError::Full(message),
        code if ends_session(code) => DatabaseError::Unavailable(message),
        _ => DatabaseError::Refused(message),
    }
}

/// Connection exceptions, an operator's intervention (shut down, starting, terminated), too many connections, a server
/// that has become a standby, a session that was cut off.
fn ends_session(code: &SqlState) -> bool {
    let class = code.code().get(..2).unwrap_or_default();
    ["08", "57", "53"].contains(&class)
        || *code == SqlState::READ_ONLY_SQL_TRANSACTION
        || *code == SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT
        || code.code() == WRITER_REMOVED
}
