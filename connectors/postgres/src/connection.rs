//! One connection to the database.

use orderd_sink::Delivery;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Config, Error, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::sql::Table;

/// A connection that is ready to store events. Dropping it closes it, whatever the server does.
#[derive(Debug)]
pub struct Connection {
    client: Client,
    task: JoinHandle<()>,
    insert: Statement,
    with_progress: bool,
}

impl Connection {
    /// Connects and prepares the statement, so that a missing table or column is found here.
    pub async fn open(config: &Config, tls: MakeRustlsConnect, table: &Table, setup: &str) -> Result<Self, Error> {
        let (client, connection) = config.connect(tls).await?;
        // The error of a broken connection reaches whoever waits for an answer.
        let task = tokio::spawn(async move { drop(connection.await) });
        let opened = Self::prepare(client, table, setup).await;
        if opened.is_err() {
            task.abort();
        }
        let (client, insert, with_progress) = opened?;
        Ok(Self { client, task, insert, with_progress })
    }

    async fn prepare(client: Client, table: &Table, setup: &str) -> Result<(Client, Statement, bool), Error> {
        client.batch_execute(setup).await?;
        let progress = table.progress().to_string();
        let found = client.query_one("SELECT to_regclass($1::text) IS NOT NULL", &[&progress]).await?;
        let with_progress: bool = found.try_get(0)?;
        if !with_progress {
            tracing::info!(table = progress, "the table of progress is not there; going without");
        }
        let insert = client.prepare(&table.insert(with_progress)).await?;
        Ok((client, insert, with_progress))
    }

    /// Whether the connection can no longer be used.
    pub fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Stores these events, all or none. When it returns, the transaction is committed.
    pub async fn store(&self, batch: &[&Delivery], sink: &str) -> Result<(), Error> {
        let ids: Vec<&str> = batch.iter().map(|event| event.id.as_str()).collect();
        // Numbers beyond the columns' types cannot come from a daemon that counts from 1.
        let sequences: Vec<i64> = batch.iter().map(|event| i64::try_from(event.sequence).unwrap_or(i64::MAX)).collect();
        let orders: Vec<&str> = batch.iter().map(|event| event.order_id.as_str()).collect();
        let versions: Vec<i32> =
            batch.iter().map(|event| i32::try_from(event.order_version).unwrap_or(i32::MAX)).collect();
        let kinds: Vec<&str> = batch.iter().map(|event| event.kind.as_str()).collect();
        let times: Vec<&str> = batch.iter().map(|event| event.time.as_str()).collect();
        let lines: Vec<&str> = batch.iter().map(|event| std::str::from_utf8(&event.line).unwrap_or_default()).collect();
        let columns: [&(dyn tokio_postgres::types::ToSql + Sync); 8] =
            [&ids, &sequences, &orders, &versions, &kinds, &times, &lines, &sink];
        let used = if self.with_progress { 8 } else { 7 };
        self.client.execute(&self.insert, columns.get(..used).unwrap_or_default()).await?;
        Ok(())
    }

    /// Whether the user may add rows.
    pub async fn may_insert(&self, table: &Table) -> Result<bool, Error> {
        let row =
            self.client.query_one("SELECT has_table_privilege($1::text, 'INSERT')", &[&table.to_string()]).await?;
        row.try_get(0)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}
