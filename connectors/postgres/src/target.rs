//! The database: a batch at a time, each in a transaction of its own.

use std::time::Duration;

use orderd_sink::{
    Common, ConfigError, Connector, Defaults, Delivery, Outcome, Target, TlsFiles, Unavailable, address,
};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::config::PostgresConfig;
use crate::connection::Connection;
use crate::failure::Failure;
use crate::sql::Table;
use crate::tls;

/// The kind of connector.
pub struct Postgres;

/// The database.
pub struct Database {
    config: PostgresConfig,
    files: TlsFiles,
    parameters: tokio_postgres::Config,
    tls: MakeRustlsConnect,
    table: Table,
    sink: String,
    timeout: Duration,
    runtime: Runtime,
    connection: Option<Connection>,
}

impl Connector for Postgres {
    const TYPE: &'static str = "postgres";
    const DEFAULTS: Defaults =
        Defaults { timeout_ms: 10_000, in_flight_max: 512, in_flight_limit: 16_384, batch_events_max: 256 };
    const COMMANDS: &'static [(&'static str, &'static str)] =
        &[("schema", "Print the DDL of the inbox table (of the configuration's table, if there is one)")];
    type Config = PostgresConfig;
    type Target = Database;

    fn open(config: PostgresConfig, common: &Common) -> Result<Database, ConfigError> {
        let (parameters, table) = config.check(common)?;
        // One connection, which is driven only while somebody waits for it: PostgreSQL has no heartbeats to miss.
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| ConfigError::new(format!("cannot start the runtime: {error}")))?;
        let mut database = Database {
            files: common.tls.clone(),
            tls: tls::connector(&common.tls)?,
            sink: common.sink.clone(),
            timeout: common.timeout,
            connection: None,
            config,
            parameters,
            table,
            runtime,
        };
        database.read_password()?;
        Ok(database)
    }

    fn run_command(_schema: &str, config: Option<PostgresConfig>) -> Result<String, ConfigError> {
        let table = match config {
            Some(config) => config.table.parse().map_err(|error: String| ConfigError::key("table", error))?,
            None => Table::default(),
        };
        Ok(table.ddl())
    }
}

impl Database {
    fn read_password(&mut self) -> Result<(), ConfigError> {
        if let Some(file) = &self.config.password_file {
            let password = file.read().map_err(|error| error.at("password_file"))?;
            self.parameters.password(password.expose());
        }
        Ok(())
    }

    /// What a session is told first: an answer in time or none, and a commit that is on disk.
    fn setup(&self) -> String {
        format!(
            "SET statement_timeout = {}; \
             SELECT set_config('synchronous_commit', 'on', false) \
             WHERE current_setting('synchronous_commit') = 'off'",
            self.timeout.as_millis()
        )
    }

    /// A connection that works as far as we know.
    fn connect(&mut self) -> Result<Connection, Failure> {
        if let Some(connection) = self.connection.take().filter(|connection| !connection.is_closed()) {
            return Ok(connection);
        }
        let setup = self.setup();
        let (parameters, tls) = (&self.parameters, self.tls.clone());
        // The timer wants to be made inside the runtime.
        let opening = async { timeout(self.timeout, Connection::open(parameters, tls, &self.table, &setup)).await };
        match self.runtime.block_on(opening) {
            Ok(Ok(connection)) => Ok(connection),
            // Before any event was looked at, whatever is wrong concerns all of them.
            Ok(Err(error)) => Err(Failure::Target(match Failure::from(&error) {
                Failure::Target(unavailable) => unavailable,
                Failure::Rejected(reason) | Failure::Failed(reason) => Unavailable::blocked(reason),
            })),
            Err(_) => Err(Failure::timeout(self.timeout)),
        }
    }

    /// Stores these, all or none.
    fn store(&mut self, batch: &[&Delivery]) -> Result<(), Failure> {
        let used_before = self.connection.is_some();
        let connection = self.connect()?;
        let storing = async { timeout(self.timeout, connection.store(batch, &self.sink)).await };
        match self.runtime.block_on(storing) {
            // The server has closed the connection since it was last used, at its restart perhaps.
            Ok(Err(_)) if used_before && connection.is_closed() => self.store(batch),
            Ok(stored) => {
                self.connection = Some(connection);
                stored.map_err(|error| Failure::from(&error))
            }
            // The connection is in the middle of something: it is dropped, and with it what the server still does.
            Err(_) => Err(Failure::timeout(self.timeout)),
        }
    }

    /// Stores a batch, by halves if an event in it spoils it.
    fn store_or_split(&mut self, mut batch: Vec<Delivery>) -> Result<(), Unavailable> {
        let stored = self.store(&batch.iter().collect::<Vec<_>>());
        let outcome = match stored {
            Ok(()) => Outcome::Delivered,
            Err(Failure::Target(unavailable)) => {
                // Another server may answer next time, or this one with a new password.
                self.connection = None;
                Delivery::report_all(batch, &unavailable.clone().into());
                return Err(unavailable);
            }
            Err(Failure::Rejected(_) | Failure::Failed(_)) if batch.len() > 1 => {
                let second = batch.split_off(batch.len() / 2);
                if let Err(unavailable) = self.store_or_split(batch) {
                    Delivery::report_all(second, &unavailable.clone().into());
                    return Err(unavailable);
                }
                return self.store_or_split(second);
            }
            Err(Failure::Rejected(reason)) => Outcome::rejected(reason),
            Err(Failure::Failed(reason)) => Outcome::failed(reason),
        };
        Delivery::report_all(batch, &outcome);
        Ok(())
    }
}

impl Target for Database {
    fn deliver(&mut self, batch: Vec<Delivery>) {
        // Every delivery has its outcome already.
        self.store_or_split(batch).ok();
    }

    fn reload(&mut self) -> Result<(), ConfigError> {
        let tls = tls::connector(&self.files)?;
        self.read_password()?;
        self.tls = tls;
        // The next batch shows whether the new secrets are good.
        self.connection = None;
        Ok(())
    }

    fn check(&mut self) -> Result<String, Unavailable> {
        let of_target = |failure| match failure {
            Failure::Target(unavailable) => unavailable,
            Failure::Rejected(reason) | Failure::Failed(reason) => Unavailable::blocked(reason),
        };
        let connection = self.connect().map_err(of_target)?;
        let asking = async { timeout(self.timeout, connection.may_insert(&self.table)).await };
        let shown = format!("{} at {}", self.table, address::for_people(&self.config.url));
        match self.runtime.block_on(asking) {
            Ok(Ok(true)) => Ok(format!("{shown} takes events")),
            Ok(Ok(false)) => Err(Unavailable::blocked(format!("the user has no privilege INSERT on {shown}"))),
            Ok(Err(error)) => Err(of_target(Failure::from(&error))),
            Err(_) => Err(of_target(Failure::timeout(self.timeout))),
        }
    }
}
