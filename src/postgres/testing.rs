//! Databases for the crate's own tests, in a server that they start themselves.

use std::sync::Arc;
use std::time::Duration;

use super::test_server::Server;
use super::{Database, DatabaseOptions, PostgresOptions, PostgresStore, Secret, apply};
use crate::journal::testing::SteppedClock;

/// A database with the schema in it.
pub struct TestDatabase {
    server: Arc<Server>,
    name: String,
    pub database: Database,
}

impl TestDatabase {
    pub fn create() -> Self {
        let server = Server::shared();
        let name = server.create_database();
        let second = Duration::from_secs(1);
        let options = DatabaseOptions {
            address: Secret::Text(server.url(&name)),
            password_file: None,
            ca_file: None,
            application_name: "orderd/test".to_owned(),
            connect_max: 10 * second,
            statement_max: 10 * second,
            lock_max: 10 * second,
            lease: 10 * second,
        };
        let database = Database::new(options).unwrap();
        apply(&mut database.connect("schema").unwrap()).unwrap();
        Self { server, name, database }
    }

    /// A daemon's store on it.
    pub fn open(&self) -> PostgresStore {
        let options = PostgresOptions {
            event_source: "/orderd".into(),
            backoff_min: Duration::from_millis(10),
            backoff_max: Duration::from_millis(100),
            outcome_max: Duration::from_secs(10),
            poll: Duration::ZERO,
            partition_events_ahead: 1000,
        };
        PostgresStore::open(&self.database, options, Arc::new(SteppedClock::default())).unwrap()
    }

    /// Runs SQL as the schema's owner.
    pub fn execute(&self, sql: &str) {
        let said = self.server.psql().args(["-v", "ON_ERROR_STOP=1", "-d", &self.name, "-c", sql]).output().unwrap();
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    }
}
