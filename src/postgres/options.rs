//! Where the database is, and how long it may take.

use std::path::PathBuf;
use std::time::Duration;

/// A text that may hold a password: where it is, not what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Secret {
    /// In the configuration; without a password.
    Text(String),
    /// The first line of a file, read again for each connection.
    File(PathBuf),
}

/// What the configuration says about the database.
#[derive(Debug, Clone)]
pub struct DatabaseOptions {
    /// As libpq writes it: `postgres://USER@HOST/DATABASE`, several hosts among it.
    pub address: Secret,
    /// Where the password is, if not in the address.
    pub password_file: Option<PathBuf>,
    /// The authorities that may have signed the server's certificate; with it nothing but TLS is spoken.
    pub ca_file: Option<PathBuf>,
    /// What the server shows of this daemon.
    pub application_name: String,
    /// How long connecting may take.
    pub connect_max: Duration,
    /// How long one statement may take.
    pub statement_max: Duration,
    /// How long a statement may wait for a lock.
    pub lock_max: Duration,
    /// How long the server waits for this daemon inside a transaction, before it takes the locks away.
    pub lease: Duration,
}
