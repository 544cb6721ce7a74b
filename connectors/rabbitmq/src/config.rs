//! The connector's own keys.

use lapin::uri::{AMQPScheme, AMQPUri};
use orderd_sink::{Common, ConfigError, SecretFile, Template, address};
use serde::{Deserialize, Serialize};

/// The longest text that the protocol has room for in a name.
const NAME_BYTES_MAX: usize = 255;

/// The keys as they stand in the file.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    url: String,
    exchange: String,
    routing_key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    password_file: Option<SecretFile>,
}

/// Where the server is and what is published there.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Without a password.
    pub(crate) uri: AMQPUri,
    pub(crate) password_file: Option<SecretFile>,
    pub(crate) exchange: String,
    pub(crate) routing_key: Template,
}

impl Config {
    /// Checks the keys.
    pub(crate) fn check(self, common: &Common) -> Result<Settings, ConfigError> {
        address::refuse_password("url", &self.url)?;
        // The address is not part of any message: what does not parse may hold a secret.
        let wrong = || ConfigError::key("url", "it takes amqp://[USER@]HOST[:PORT][/VHOST] or amqps://…");
        let uri: AMQPUri = self.url.parse().map_err(|_| wrong())?;
        if address::user_info(&self.url).is_some() && self.password_file.is_none() {
            return Err(ConfigError::key("url", "a user needs password_file beside it"));
        }
        if !common.tls.is_empty() && uri.scheme != AMQPScheme::AMQPS {
            return Err(ConfigError::key("url", "ca_file and client_cert_file need amqps://, a connection with TLS"));
        }
        if self.exchange.len() > NAME_BYTES_MAX {
            return Err(ConfigError::key("exchange", "a name has at most 255 bytes"));
        }
        // Empty for an exchange that does not look at it.
        let routing_key = match self.routing_key.as_str() {
            "" => Template::default(),
            text if text.len() > NAME_BYTES_MAX - 64 => {
                return Err(ConfigError::key("routing_key", "it has at most 191 bytes before it is filled in"));
            }
            text => Template::parse("routing_key", text)?,
        };
        Ok(Settings { uri, password_file: self.password_file, exchange: self.exchange, routing_key })
    }
}
