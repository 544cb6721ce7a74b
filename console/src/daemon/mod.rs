//! The daemon, as its socket shows it.

mod connection;
mod error;

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Semaphore;

pub use connection::Connection;
pub use error::{CallError, ErrorObject};

/// The way to the daemon.
#[derive(Debug)]
pub struct Daemon {
    socket: PathBuf,
    timeout: Duration,
    answer_bytes_max: usize,
    queries: Semaphore,
}

impl Daemon {
    /// Nothing is connected yet. `timeout` is for each answer; `connections_max` for queries at a time.
    #[must_use]
    pub fn new(socket: PathBuf, timeout: Duration, answer_bytes_max: usize, connections_max: usize) -> Self {
        Self { socket, timeout, answer_bytes_max, queries: Semaphore::new(connections_max) }
    }

    /// Where the daemon listens.
    #[must_use]
    pub fn socket(&self) -> std::path::Display<'_> {
        self.socket.display()
    }

    /// A connection for many questions, one after the other.
    ///
    /// # Errors
    /// Nobody listens, or not for us.
    pub async fn connect(&self) -> Result<Connection, CallError> {
        within(self.timeout, Connection::open(&self.socket, self.answer_bytes_max)).await
    }

    /// Asks on a connection of its own, so that no slow answer delays another question.
    ///
    /// # Errors
    /// The daemon refused, did not answer in time, or too many questions are waiting.
    pub async fn query(&self, method: &str, params: &Value) -> Result<Value, CallError> {
        self.query_within(self.timeout, method, params).await
    }

    /// The same with a time-out of its own, for what the daemon has to write to its disk first.
    ///
    /// # Errors
    /// As of [`Self::query`].
    pub async fn query_within(&self, timeout: Duration, method: &str, params: &Value) -> Result<Value, CallError> {
        let permit = within(self.timeout, async { self.queries.acquire().await.map_err(|_| CallError::Busy) });
        let _permit = permit.await.map_err(|_| CallError::Busy)?;
        let mut connection = self.connect().await?;
        within(timeout, connection.call(method, params)).await
    }

    /// Asks on this connection. After an error that is not a refusal the connection is of no more use.
    ///
    /// # Errors
    /// The daemon refused, or did not answer in time.
    pub async fn call(&self, connection: &mut Connection, method: &str, params: &Value) -> Result<Value, CallError> {
        within(self.timeout, connection.call(method, params)).await
    }
}

async fn within<T>(timeout: Duration, call: impl Future<Output = Result<T, CallError>>) -> Result<T, CallError> {
    tokio::time::timeout(timeout, call).await.unwrap_or(Err(CallError::Silent(timeout)))
}
