//! The connector's own keys.

use orderd_sink::cloudevents::ContentMode;
use orderd_sink::{Common, ConfigError, SecretFile, address};
use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _};
use serde::{Deserialize, Serialize};

use crate::script::{Script, hash_tag, ids_key};

/// The keys as they stand in the file.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    url: String,
    stream: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    password_file: Option<SecretFile>,
    #[serde(default = "ids_max")]
    ids_max: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    ids_key: Option<String>,
    #[serde(default = "create_stream")]
    create_stream: bool,
}

/// Where the server is and what to do there.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Without a password.
    pub(crate) server: ConnectionInfo,
    pub(crate) password_file: Option<SecretFile>,
    pub(crate) script: Script,
}

/// About 110 bytes each in the server's memory.
const fn ids_max() -> u64 {
    1_000_000
}

const fn create_stream() -> bool {
    true
}

impl Config {
    /// Checks the keys.
    pub(crate) fn check(self, common: &Common) -> Result<Settings, ConfigError> {
        if common.content_mode == ContentMode::Binary {
            return Err(ConfigError::key(
                "content_mode",
                "CloudEvents has no binding for Redis: it takes \"structured\"",
            ));
        }
        let server = server(&self.url)?;
        let is_tls = matches!(server.addr(), ConnectionAddr::TcpTls { .. });
        if !common.tls.is_empty() && !is_tls {
            return Err(ConfigError::key("url", "ca_file and client_cert_file need rediss://, a connection with TLS"));
        }
        if server.redis_settings().username().is_some() && self.password_file.is_none() {
            return Err(ConfigError::key("url", "a user needs password_file beside it"));
        }
        let script = Script {
            ids: checked_ids_key(self.ids_key, &self.stream)?,
            stream: self.stream,
            ids_max: self.ids_max,
            create_stream: self.create_stream,
        };
        if !(1_000..=100_000_000).contains(&script.ids_max) {
            return Err(ConfigError::key("ids_max", "it takes 1000 to 100000000"));
        }
        Ok(Settings { server, password_file: self.password_file, script })
    }
}

/// The address is not part of any message: what does not parse may hold a secret.
fn server(url: &str) -> Result<ConnectionInfo, ConfigError> {
    address::refuse_password("url", url)?;
    let wrong =
        || ConfigError::key("url", "it takes redis://[USER@]HOST[:PORT][/DATABASE], rediss://… or unix:///PATH");
    let server = url.into_connection_info().map_err(|_| wrong())?;
    if matches!(server.addr(), ConnectionAddr::TcpTls { insecure: true, .. }) {
        return Err(ConfigError::key("url", "#insecure is not taken: name the server's authority in ca_file"));
    }
    Ok(server)
}

fn checked_ids_key(ids: Option<String>, stream: &str) -> Result<String, ConfigError> {
    if stream.is_empty() {
        return Err(ConfigError::key("stream", "is empty"));
    }
    if stream.contains(['{', '}']) && hash_tag(stream).is_none() {
        return Err(ConfigError::key("stream", "braces enclose a hash tag, as in {shop}:orders"));
    }
    let Some(ids) = ids else { return Ok(ids_key(stream)) };
    if ids == stream || hash_tag(&ids) != Some(hash_tag(stream).unwrap_or(stream)) {
        let message = format!("it has to be in the hash slot of the stream, as {} is", ids_key(stream));
        return Err(ConfigError::key("ids_key", message));
    }
    Ok(ids)
}
