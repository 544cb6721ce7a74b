//! Where the database is, and how to come to it.

use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{SslMode, TargetSessionAttrs};
use tokio_postgres_rustls::MakeRustlsConnect;
use uuid::Uuid;

use super::{Connection, DatabaseError, DatabaseOptions, Secret, tls};

/// Makes connections.
#[derive(Clone)]
pub struct Database {
    options: DatabaseOptions,
    tls: MakeRustlsConnect,
    instance: Arc<str>,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Database {
    /// Checks the options, as far as that goes without a connection.
    ///
    /// # Errors
    /// What is wrong with them; without the address, which may hold a password.
    pub fn new(options: DatabaseOptions) -> Result<Self, String> {
        let tls = tls::connector(options.ca_file.as_deref()).map_err(|error| format!("store.ca_file: {error}"))?;
        let database = Self { options, tls, instance: Uuid::new_v4().to_string().into() };
        database.parameters()?;
        Ok(database)
    }

    /// Names this process among those that use the database.
    #[must_use]
    pub fn instance(&self) -> &str {
        &self.instance
    }

    /// Its options.
    #[must_use]
    pub const fn options(&self) -> &DatabaseOptions {
        &self.options
    }

    /// A new connection to a server that takes changes, with the session's time-outs set; `purpose` is shown behind the
    /// application's name.
    ///
    /// # Errors
    /// The server cannot be reached, or refuses.
    pub fn connect(&self, purpose: &str) -> Result<Connection, DatabaseError> {
        self.connect_within(purpose, self.options.connect_max)
    }

    /// The same for whoever has less time.
    pub(super) fn connect_within(&self, purpose: &str, limit: Duration) -> Result<Connection, DatabaseError> {
        let mut parameters = self.parameters().map_err(DatabaseError::Refused)?;
        let name = parameters.get_application_name().unwrap_or(&self.options.application_name);
        let name = format!("{name} {purpose}");
        parameters.application_name(name);
        let limit = limit.min(self.options.connect_max);
        Connection::open(&parameters, self.tls.clone(), &self.options, limit, &self.instance)
    }

    /// The same database for whoever has statements that take long.
    #[must_use]
    pub fn patient(&self, statement_max: Duration) -> Self {
        let options = DatabaseOptions { statement_max, lock_max: statement_max, ..self.options.clone() };
        Self { options, tls: self.tls.clone(), instance: Arc::clone(&self.instance) }
    }

    fn parameters(&self) -> Result<Config, String> {
        let (key, address) = match &self.options.address {
            Secret::Text(address) => ("store.url", address.clone()),
            Secret::File(path) => ("store.url_file", first_line("store.url_file", path)?),
        };
        // The parser's message might repeat a part of the address.
        let mut parameters: Config = address
            .parse()
            .map_err(|_| format!("{key}: is not an address of PostgreSQL: it takes postgres://USER@HOST/DATABASE"))?;
        if let Some(path) = &self.options.password_file {
            parameters.password(first_line("store.password_file", path)?);
        }
        if self.options.ca_file.is_some() {
            parameters.ssl_mode(SslMode::Require);
        }
        parameters.target_session_attrs(TargetSessionAttrs::ReadWrite);
        parameters.connect_timeout(self.options.connect_max);
        parameters.keepalives_idle(self.options.lease);
        parameters.tcp_user_timeout(self.options.lease);
        Ok(parameters)
    }
}

fn first_line(key: &str, path: &std::path::Path) -> Result<String, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{key}: {}: {error}", path.display()))?;
    let line = text.lines().next().unwrap_or_default().trim();
    if line.is_empty() {
        return Err(format!("{key}: {} is empty", path.display()));
    }
    Ok(line.to_owned())
}
