//! The keys of PostgreSQL alone.

use orderd_sink::{Common, ConfigError, SecretFile, address};
use serde::{Deserialize, Serialize};
use tokio_postgres::config::SslMode;

use crate::sql::Table;

/// The keys as written in the file.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PostgresConfig {
    /// The database, as libpq writes it: `postgres://USER@HOST/DATABASE`.
    pub url: String,
    /// The user's password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_file: Option<SecretFile>,
    /// The inbox table: `NAME` or `SCHEMA.NAME`, upper and lower case as in the database.
    pub table: String,
}

impl PostgresConfig {
    /// Checks the values, and returns the connection's parameters without the password.
    pub fn check(&self, common: &Common) -> Result<(tokio_postgres::Config, Table), ConfigError> {
        address::refuse_password("url", &self.url)?;
        // The parser's message might repeat a part of the address.
        let mut parameters: tokio_postgres::Config = self.url.parse().map_err(|_| {
            ConfigError::key("url", "is not an address of PostgreSQL: it takes postgres://USER@HOST/DATABASE")
        })?;
        if parameters.get_hosts().is_empty() && parameters.get_hostaddrs().is_empty() {
            return Err(ConfigError::key("url", "names no host: it takes postgres://USER@HOST/DATABASE"));
        }
        if parameters.get_password().is_some() {
            return Err(ConfigError::key("url", "a password has no place in an address: use password_file"));
        }
        if !common.tls.is_empty() {
            parameters.ssl_mode(SslMode::Require);
        }
        if parameters.get_application_name().is_none() {
            parameters.application_name(format!("orderd/{}", common.sink));
        }
        parameters.connect_timeout(common.timeout);
        Ok((parameters, self.table.parse().map_err(|error: String| ConfigError::key("table", error))?))
    }
}
