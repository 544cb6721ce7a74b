//! Connections for questions: taken for one, and given back.

use std::sync::{Mutex, PoisonError};

use super::{Connection, Database, DatabaseError};

/// Connections that are kept for the next question.
const IDLE_MAX: usize = 4;

/// Makes connections where none is idle.
pub(super) struct Pool {
    database: Database,
    purpose: &'static str,
    idle: Mutex<Vec<Connection>>,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").field("database", &self.database).finish_non_exhaustive()
    }
}

impl Pool {
    pub(super) const fn new(database: Database, purpose: &'static str) -> Self {
        Self { database, purpose, idle: Mutex::new(Vec::new()) }
    }

    /// Asks `question` with a connection of its own.
    pub(super) fn ask<T>(
        &self,
        question: impl FnOnce(&mut Connection) -> Result<T, DatabaseError>,
    ) -> Result<T, DatabaseError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut connection = match idle.filter(|idle| !idle.is_closed()) {
            Some(connection) => connection,
            None => self.database.connect(self.purpose)?,
        };
        let answer = question(&mut connection);
        let is_usable = answer.as_ref().err().is_none_or(|error| !error.ends_connection()) && !connection.is_closed();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if !is_usable {
            // The others were made before what ended this one.
            idle.clear();
        } else if idle.len() < IDLE_MAX {
            idle.push(connection);
        }
        drop(idle);
        answer
    }
}
