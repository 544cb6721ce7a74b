//! PostgreSQL as the store of several daemons: plans, delivery decisions and their readers over SCHEMA.sql.
//!
//! Built with the feature `postgres` alone. Each connection has a runtime of its own inside [`Connection`]; to all
//! others it blocks, and every call has a time-out.

mod batch;
mod command_row;
mod connection;
mod current;
mod database;
mod decisions;
mod election;
mod error;
mod event_row;
mod executor_link;
mod feed;
mod history;
mod keeper;
mod leases;
mod listener;
mod migration;
mod mirror;
mod options;
mod order_row;
mod plan_store;
mod pool;
mod progress;
mod published_columns;
mod schema;
mod snapshot_rows;
mod statements;
mod store;
#[cfg(test)]
mod store_test;
#[cfg(test)]
#[path = "../../tests/support/postgres_server.rs"]
mod test_server;
#[cfg(test)]
pub(crate) mod testing;
mod tls;
mod transaction;

pub use connection::Connection;
pub use database::Database;
pub use election::{LookedAt, SinkElection};
pub use error::DatabaseError;
pub use event_row::{EVENT_COLUMNS, published_event};
pub use history::PostgresHistory;
pub use keeper::{Keeper, Kept};
pub use leases::{Held, Leases};
pub use listener::Listener;
pub use migration::{
    Begun, BroughtCommand, BroughtHead, Counts, Journal, Mark, Migration, MigrationStep, SinkProgress, check_event,
};
pub use options::{DatabaseOptions, Secret};
pub use progress::{PostgresProgress, PostgresReplays};
pub use schema::{Applied, SCHEMA, SCHEMA_VERSION, apply, check_complete, check_version};
pub use snapshot_rows::PostgresRows;
pub use store::{PostgresOptions, PostgresStore};
