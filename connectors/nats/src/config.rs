//! The connector's own keys.

use std::time::Duration;

use async_nats::ServerAddr;
use orderd_sink::{ConfigError, OneOrMany, SecretFile, Template, address};
use serde::{Deserialize, Serialize};

use crate::auth::Auth;

/// The keys as they stand in the file.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    servers: OneOrMany,
    stream: String,
    subject: String,
    #[serde(default = "duplicate_window_ms_min")]
    duplicate_window_ms_min: u64,
    #[serde(default)]
    tls_first: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password_file: Option<SecretFile>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_file: Option<SecretFile>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nkey_file: Option<SecretFile>,
    #[serde(skip_serializing_if = "Option::is_none")]
    credentials_file: Option<SecretFile>,
}

/// The keys, checked.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) servers: Vec<ServerAddr>,
    pub(crate) stream: String,
    pub(crate) subject: Template,
    pub(crate) duplicate_window_min: Duration,
    pub(crate) tls_first: bool,
}

/// A stream remembers ids for two minutes unless it was made otherwise; half of that is enough for a restart.
const fn duplicate_window_ms_min() -> u64 {
    60_000
}

impl Config {
    /// Checks the keys and reads the secrets.
    pub(crate) fn check(self) -> Result<(Settings, Auth), ConfigError> {
        let servers = Vec::from(self.servers);
        if servers.is_empty() {
            return Err(ConfigError::key("servers", "names no server"));
        }
        let servers = servers.iter().map(|server| parse(server)).collect::<Result<_, _>>()?;
        let outside = |c: char| c.is_whitespace() || c.is_control() || ".*>/\\".contains(c);
        if self.stream.is_empty() || self.stream.contains(outside) {
            return Err(ConfigError::key("stream", "a stream's name has no spaces and none of . * > / \\"));
        }
        let subject = Template::parse("subject", &self.subject)?;
        let token_is_empty = self.subject.split('.').any(str::is_empty);
        if token_is_empty || self.subject.contains(|c: char| c.is_whitespace() || "*>".contains(c)) {
            return Err(ConfigError::key("subject", "names joined by dots, without spaces, * and >"));
        }
        let auth = Auth::of(self.user, self.password_file, self.token_file, self.nkey_file, self.credentials_file)?;
        let settings = Settings {
            servers,
            stream: self.stream,
            subject,
            duplicate_window_min: Duration::from_millis(self.duplicate_window_ms_min),
            tls_first: self.tls_first,
        };
        Ok((settings, auth))
    }
}

/// The address is not part of any message: what does not parse may hold a secret.
fn parse(server: &str) -> Result<ServerAddr, ConfigError> {
    // What stands alone before the @ is a token, as secret as a password.
    if address::user_info(server).is_some() {
        let message = "credentials have no place in an address: use user with password_file, token_file, nkey_file or \
                       credentials_file";
        return Err(ConfigError::key("servers", message));
    }
    let wrong = || ConfigError::key("servers", "an address is nats://HOST:PORT or tls://HOST:PORT; several are a list");
    if !address::has_host(server) {
        return Err(wrong());
    }
    let address: ServerAddr = server.parse().map_err(|_| wrong())?;
    if matches!(address.scheme(), "nats" | "tls") { Ok(address) } else { Err(wrong()) }
}
