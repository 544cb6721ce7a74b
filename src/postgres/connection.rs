//! One connection to the database. To its user it blocks; inside is a runtime that runs while somebody waits.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;
use tokio_postgres::types::ToSql;
use tokio_postgres::{AsyncMessage, Client, Config, Error, Row, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::statements::statement;
use super::{DatabaseError, DatabaseOptions};

/// The rows of a statement that was sent.
type Answer<'a> = Pin<Box<dyn Future<Output = Result<Vec<Row>, Error>> + 'a>>;

/// A value for a statement.
pub(super) type Param<'a> = &'a (dyn ToSql + Sync);

/// A statement of SCHEMA.sql with its values.
pub(super) struct Step<'a> {
    pub name: &'static str,
    pub params: Vec<Param<'a>>,
}

/// A connection that is ready. Dropping it closes it.
pub struct Connection {
    client: Client,
    statements: HashMap<&'static str, Statement>,
    notified: Arc<Notify>,
    answer_max: Duration,
    // Last: it ends the connection's task.
    runtime: Runtime,
}

/// The server cuts a statement off by itself; this much later nobody waits for it any more.
const LATE: Duration = Duration::from_millis(1000);

impl Connection {
    pub(super) fn open(
        parameters: &Config,
        tls: MakeRustlsConnect,
        options: &DatabaseOptions,
        connect_max: Duration,
        instance: &Arc<str>,
    ) -> Result<Self, DatabaseError> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| DatabaseError::Unavailable(format!("making a runtime: {error}")))?;
        let notified = Arc::new(Notify::new());
        let connect = async {
            let (client, mut connection) = parameters.connect(tls).await?;
            let (notify, own) = (Arc::clone(&notified), Arc::clone(instance));
            tokio::spawn(async move {
                // The error of a broken connection reaches whoever waits for an answer.
                while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
                    // Also for those that begin to wait later; what this daemon itself has stored is no news.
                    if let AsyncMessage::Notification(said) = message
                        && said.payload() != &*own
                    {
                        notify.notify_one();
                    }
                }
            });
            Ok::<_, DatabaseError>(client)
        };
        let client = within(&runtime, connect_max, connect)?;
        let answer_max = options.statement_max.saturating_add(LATE);
        let mut connection = Self { client, statements: HashMap::new(), notified, answer_max, runtime };
        let millis = |limit: Duration| limit.as_millis().to_string();
        connection
            .query("session", &[&millis(options.lock_max), &millis(options.statement_max), &millis(options.lease)])?;
        Ok(connection)
    }

    /// Runs one statement of SCHEMA.sql.
    ///
    /// # Errors
    /// See [`DatabaseError`]; if nothing was heard in time, the connection can no longer be used.
    pub fn query(&mut self, name: &'static str, params: &[Param<'_>]) -> Result<Vec<Row>, DatabaseError> {
        self.prepare([name])?;
        let statement = self.prepared(name)?;
        within(&self.runtime, self.answer_max, async { Ok(self.client.query(statement, params).await?) })
    }

    /// Runs statements that are sent together, so that all of them take one round trip.
    ///
    /// # Errors
    /// That of the first that failed: inside a transaction those after it fail with it.
    pub(super) fn pipeline(&mut self, steps: &[Step<'_>]) -> Result<Vec<Vec<Row>>, DatabaseError> {
        self.prepare(steps.iter().map(|step| step.name))?;
        let mut sent: Vec<Answer<'_>> = Vec::with_capacity(steps.len());
        for step in steps {
            sent.push(Box::pin(self.client.query(self.prepared(step.name)?, &step.params)));
        }
        let answers = within(&self.runtime, self.answer_max, async { Ok(join_all(sent).await) })?;
        // One that ended the connection hides what the server said last.
        answers.into_iter().map(|answer| answer.map_err(DatabaseError::from)).collect()
    }

    /// Runs a text of several statements, as `psql` would.
    ///
    /// # Errors
    /// See [`DatabaseError`].
    pub(super) fn execute_text(&mut self, sql: &str, limit: Duration) -> Result<(), DatabaseError> {
        within(&self.runtime, limit, async { Ok(self.client.batch_execute(sql).await?) })
    }

    /// Runs a query that is not one of SCHEMA.sql's.
    pub(super) fn query_text(&mut self, sql: &str) -> Result<Vec<Row>, DatabaseError> {
        within(&self.runtime, self.answer_max, async { Ok(self.client.query(sql, &[]).await?) })
    }

    /// Listens to what @wake_relays says, from now on.
    ///
    /// # Errors
    /// See [`DatabaseError`].
    pub fn listen(&mut self) -> Result<(), DatabaseError> {
        self.execute_text("LISTEN orderd_events", self.answer_max)
    }

    /// Waits until something was said, at most for `limit`; whether it was.
    ///
    /// # Errors
    /// The connection is lost.
    pub fn wait(&mut self, limit: Duration) -> Result<bool, DatabaseError> {
        let heard = self.runtime.block_on(async { tokio::time::timeout(limit, self.notified.notified()).await });
        if self.client.is_closed() {
            return Err(DatabaseError::Unavailable("the connection was closed".to_owned()));
        }
        Ok(heard.is_ok())
    }

    /// Whether the connection can no longer be used.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Prepares what was not used before, all of it with one round trip.
    fn prepare(&mut self, names: impl IntoIterator<Item = &'static str>) -> Result<(), DatabaseError> {
        let mut missing: Vec<_> = names.into_iter().filter(|name| !self.statements.contains_key(name)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        missing.sort_unstable();
        missing.dedup();
        let mut preparing = Vec::with_capacity(missing.len());
        for name in &missing {
            preparing.push(self.client.prepare(statement(name).ok_or_else(|| unknown(name))?));
        }
        let prepared = within(&self.runtime, self.answer_max, async { Ok(join_all(preparing).await) })?;
        for (name, prepared) in missing.into_iter().zip(prepared) {
            self.statements.insert(name, prepared?);
        }
        Ok(())
    }

    fn prepared(&self, name: &str) -> Result<&Statement, DatabaseError> {
        self.statements.get(name).ok_or_else(|| unknown(name))
    }
}

fn unknown(name: &str) -> DatabaseError {
    DatabaseError::Refused(format!("SCHEMA.sql has no statement {name}"))
}

/// Waits for an answer, but not longer than `limit`.
fn within<T>(
    runtime: &Runtime,
    limit: Duration,
    answer: impl Future<Output = Result<T, DatabaseError>>,
) -> Result<T, DatabaseError> {
    let late = || DatabaseError::Unavailable(format!("no answer within {} ms", limit.as_millis()));
    runtime.block_on(async { tokio::time::timeout(limit, answer).await.unwrap_or_else(|_| Err(late())) })
}
