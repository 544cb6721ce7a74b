//! The executor's connection: made again when it was lost, not faster than a back-off allows.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::{Connection, Database, DatabaseError};
use crate::contracts::Clock;

/// A connection that stores plans, under a name of its own in `writers`.
pub(super) struct Writer {
    pub connection: Connection,
    pub id: Uuid,
    /// The last batch that was sent, from 1.
    pub batch: i64,
}

/// The connection, or the wait for it.
pub(super) struct Link {
    database: Database,
    clock: Arc<dyn Clock>,
    writer: Option<Writer>,
    /// Writers that are gone: their rows are to be removed, so that nothing of theirs is committed late.
    gone: Vec<Uuid>,
    backoff: Backoff,
}

/// The shortest and the longest wait between two tries.
#[derive(Debug, Clone, Copy)]
pub(super) struct Backoff {
    pub min: Duration,
    pub max: Duration,
    wait: Duration,
    next_try: Duration,
}

impl Backoff {
    pub(super) const fn new(min: Duration, max: Duration) -> Self {
        Self { min, max, wait: min, next_try: Duration::ZERO }
    }
}

impl Link {
    pub(super) const fn new(database: Database, clock: Arc<dyn Clock>, backoff: Backoff) -> Self {
        Self { database, clock, writer: None, gone: Vec::new(), backoff }
    }

    /// Whether there is a connection, as far as is known.
    pub(super) fn is_up(&self) -> bool {
        self.writer.as_ref().is_some_and(|writer| !writer.connection.is_closed())
    }

    /// The connection, made again if that is due.
    pub(super) fn writer(&mut self) -> Result<&mut Writer, DatabaseError> {
        if !self.is_up() {
            self.lose();
            let now = self.clock.monotonic();
            if now < self.backoff.next_try {
                return Err(DatabaseError::Unavailable("waiting to connect again".to_owned()));
            }
            match self.connect() {
                Ok(writer) => {
                    if self.backoff.wait > self.backoff.min {
                        tracing::info!("connected to the database again");
                    }
                    self.backoff.wait = self.backoff.min;
                    self.writer = Some(writer);
                }
                Err(error) => {
                    let wait_ms = u64::try_from(self.backoff.wait.as_millis()).unwrap_or(u64::MAX);
                    tracing::warn!(%error, wait_ms, "no connection to the database");
                    self.backoff.next_try = self.clock.monotonic().saturating_add(self.backoff.wait);
                    self.backoff.wait = self.backoff.wait.saturating_mul(2).min(self.backoff.max);
                    return Err(error);
                }
            }
        }
        self.writer.as_mut().ok_or_else(|| DatabaseError::Unavailable("not connected".to_owned()))
    }

    fn connect(&mut self) -> Result<Writer, DatabaseError> {
        let mut connection = self.database.connect("store")?;
        while let Some(id) = self.gone.last() {
            connection.query("remove_writer", &[id])?;
            self.gone.pop();
        }
        connection.query("forget_writers", &[])?;
        let id = Uuid::new_v4();
        connection.query("add_writer", &[&id])?;
        Ok(Writer { connection, id, batch: 0 })
    }

    /// Lets the connection go if this error ended it.
    pub(super) fn after(&mut self, error: &DatabaseError) {
        if error.ends_connection() {
            tracing::warn!(%error, "lost the connection to the database");
            self.lose();
        }
    }

    fn lose(&mut self) {
        self.gone.extend(self.writer.take().map(|writer| writer.id));
    }

    /// What became of the last batch of a connection that was lost. It is certain: the batch is stored, or never will be.
    /// Connecting again may take up to `limit`.
    pub(super) fn outcome(&mut self, writer: Uuid, batch: i64, limit: Duration) -> Result<BatchOutcome, DatabaseError> {
        self.lose();
        let mut connection = self.database.connect_within("outcome", limit)?;
        let rows = connection.query("remove_writer", &[&writer])?;
        self.gone.retain(|gone| *gone != writer);
        let Some(row) = rows.first() else { return Ok(BatchOutcome::Unknown) };
        let stored: i64 = super::order_row::column(row, 0)?;
        let lsn = super::order_row::unsigned(row, 1)?;
        Ok(if stored == batch { BatchOutcome::Stored(crate::contracts::Lsn(lsn)) } else { BatchOutcome::NotStored })
    }

    /// Leaves no row behind.
    pub(super) fn close(&mut self) {
        if let Some(mut writer) = self.writer.take() {
            let removed = writer.connection.query("remove_writer", &[&writer.id]);
            if let Err(error) = removed {
                tracing::debug!(%error, "left a row in writers behind");
            }
        }
    }
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BatchOutcome {
    /// It is stored, after this plan.
    Stored(crate::contracts::Lsn),
    /// It is not, and never will be.
    NotStored,
    /// Nobody knows: the database does not remember the writer.
    Unknown,
}
