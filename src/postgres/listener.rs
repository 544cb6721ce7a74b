//! Hears when another daemon has stored something.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::{Connection, Database, DatabaseError};

/// A connection that listens, made again when it was lost.
pub struct Listener {
    database: Database,
    connection: Option<Connection>,
    look: Arc<AtomicBool>,
    backoff: Duration,
}

impl Listener {
    /// A listener that sets `look` when there is something to look at.
    #[must_use]
    pub const fn new(database: Database, look: Arc<AtomicBool>, backoff: Duration) -> Self {
        Self { database, connection: None, look, backoff }
    }

    /// How long to wait after an error.
    #[must_use]
    pub const fn backoff(&self) -> Duration {
        self.backoff
    }

    /// Waits until something was stored, at most for `limit`; whether it was. After an error the next call connects
    /// again.
    ///
    /// # Errors
    /// There is no connection.
    pub fn wait(&mut self, limit: Duration) -> Result<bool, DatabaseError> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let mut connection = self.database.connect("listener")?;
                connection.listen()?;
                connection
            }
        };
        let heard = connection.wait(limit)?;
        self.connection = Some(connection);
        if heard {
            self.look.store(true, Ordering::Release);
        }
        Ok(heard)
    }
}
