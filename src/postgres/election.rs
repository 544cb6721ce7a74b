//! Which sinks this daemon relays: elected in the database, by the database's clock, and fenced by an epoch.

use std::sync::Arc;
use std::time::Duration;

use super::order_row::{column, unsigned};
use super::progress::{PostgresProgress, position_and_details};
use super::{Connection, Database, DatabaseError, Held, Leases};
use crate::contracts::{Clock, ProgressKind, Sequence};

/// Who relays a sink, and how it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookedAt {
    /// The daemon that relays it, if one does.
    pub relay: Option<Arc<str>>,
    /// How far the sink is.
    pub acked_sequence: Sequence,
    /// What its relay shows of it: JSON.
    pub shown: Option<String>,
    /// How often its relay was asked to try again at once.
    pub retries: i64,
}

/// Stands for the relay of sinks, and keeps what it has won.
pub struct SinkElection {
    database: Database,
    connection: Option<Connection>,
    daemon: String,
    lease: Duration,
    leases: Arc<Leases>,
    clock: Arc<dyn Clock>,
}

impl SinkElection {
    /// Stands in the name of `daemon`.
    #[must_use]
    pub fn new(database: Database, daemon: String, leases: Arc<Leases>, clock: Arc<dyn Clock>) -> Self {
        let lease = database.options().lease;
        Self { database, connection: None, daemon, lease, leases, clock }
    }

    /// How long a relay may be silent.
    #[must_use]
    pub const fn lease(&self) -> Duration {
        self.lease
    }

    fn ask<T>(
        &mut self,
        question: impl FnOnce(&mut Connection) -> Result<T, DatabaseError>,
    ) -> Result<T, DatabaseError> {
        let mut connection = match self.connection.take().filter(|connection| !connection.is_closed()) {
            Some(connection) => connection,
            None => self.database.connect("lease")?,
        };
        let answer = question(&mut connection);
        if answer.as_ref().err().is_none_or(|error| !error.ends_connection()) {
            self.connection = Some(connection);
        }
        answer
    }

    /// Stands for the relay of `sink`: its progress, if it was elected.
    ///
    /// # Errors
    /// See [`DatabaseError`].
    pub fn claim(&mut self, sink: &Arc<str>) -> Result<Option<PostgresProgress>, DatabaseError> {
        // Before the question is sent: the database counts from later on.
        let until = self.clock.monotonic().saturating_add(self.lease);
        let (daemon, lease_ms) = (self.daemon.clone(), self.lease_ms());
        let claimed = self.ask(|connection| {
            let rows = connection.query("claim_sink", &[&&**sink, &daemon, &lease_ms])?;
            let Some(row) = rows.first() else { return Ok(None) };
            let (position, mut details) = position_and_details(row, 1)?;
            if column::<Option<i64>>(row, 6)?.is_some() {
                (details.kind, details.rows) = (ProgressKind::Snapshot, unsigned(row, 6)?);
            }
            Ok(Some((column::<i64>(row, 0)?, (position, details), column::<i64>(row, 7)?)))
        })?;
        let Some((epoch, (position, details), store_epoch)) = claimed else { return Ok(None) };
        self.leases.won(Arc::clone(sink), Held { epoch, until, store_epoch });
        let (database, leases) = (self.database.clone(), Arc::clone(&self.leases));
        Ok(Some(PostgresProgress::of_sink(database, leases, Arc::clone(sink), (epoch, store_epoch), position, details)))
    }

    /// Prolongs the lease of a sink that this daemon relays, and shows how it is. Gives how often the relay was asked to
    /// try again at once; `None` if this daemon does not relay the sink any more.
    ///
    /// # Errors
    /// See [`DatabaseError`]; the lease then ends by itself, unless a later try succeeds.
    pub fn renew(&mut self, sink: &Arc<str>, held: Held, shown: &str) -> Result<Option<i64>, DatabaseError> {
        let until = self.clock.monotonic().saturating_add(self.lease);
        let lease_ms = self.lease_ms();
        let renewed = self.ask(|connection| {
            let rows = connection.query("renew_sink", &[&&**sink, &held.epoch, &lease_ms, &shown])?;
            rows.first().map(|row| Ok((column::<i64>(row, 0)?, column::<i64>(row, 1)?))).transpose()
        })?;
        match renewed {
            Some((store_epoch, retries)) if store_epoch == held.store_epoch => {
                self.leases.won(Arc::clone(sink), Held { until, ..held });
                Ok(Some(retries))
            }
            Some(_) => {
                tracing::warn!(sink = &**sink, "the database was rewound by a failover; the sink goes on from there");
                self.release(sink, held.epoch)?;
                Ok(None)
            }
            None => {
                self.leases.lost(sink, held.epoch);
                Ok(None)
            }
        }
    }

    /// Lets a sink go, so that another daemon need not wait for the end of the lease.
    ///
    /// # Errors
    /// See [`DatabaseError`]; the lease then ends by itself.
    pub fn release(&mut self, sink: &str, epoch: i64) -> Result<(), DatabaseError> {
        self.leases.lost(sink, epoch);
        self.ask(|connection| connection.query("release_sink", &[&sink, &epoch]).map(drop))
    }

    /// Looks who relays a sink; `None` if there is no such sink.
    ///
    /// # Errors
    /// See [`DatabaseError`].
    pub fn look(&mut self, sink: &str) -> Result<Option<LookedAt>, DatabaseError> {
        self.ask(|connection| {
            let rows = connection.query("look_at_sink", &[&sink])?;
            let Some(row) = rows.first() else { return Ok(None) };
            let relay = column::<Option<&str>>(row, 0)?.map(Arc::from);
            let (acked_sequence, shown, retries) = (Sequence(unsigned(row, 1)?), column(row, 2)?, column(row, 3)?);
            Ok(Some(LookedAt { relay, acked_sequence, shown, retries }))
        })
    }

    fn lease_ms(&self) -> i64 {
        i64::try_from(self.lease.as_millis()).unwrap_or(i64::MAX)
    }
}
