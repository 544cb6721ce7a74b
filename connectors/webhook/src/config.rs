//! The keys of the webhook alone.

use orderd_sink::{ConfigError, SecretFile, address};
use serde::{Deserialize, Serialize};
use ureq::http::Uri;

use crate::addresses::Network;

/// The keys as written in the file.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookConfig {
    /// Where events are posted to.
    pub url: String,
    /// The signing secrets, the new one first: one, or two during rotation.
    pub secret_files: Vec<SecretFile>,
    /// Asks the endpoint for permission in this name before the first event (CloudEvents HTTP webhook).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// Networks to which no connection is made, whatever the name resolves to.
    #[serde(default = "deny_addresses")]
    pub deny_addresses: Vec<Network>,
    /// The longest wait that a `Retry-After` may ask for.
    #[serde(default = "retry_after_ms_max")]
    pub retry_after_ms_max: u64,
    /// How much of an answer's body is read, and quoted if it explains a failure.
    #[serde(default = "response_bytes_max")]
    pub response_bytes_max: usize,
    /// How long an idle connection is kept for the next event.
    #[serde(default = "idle_ms_max")]
    pub idle_ms_max: u64,
}

/// Link-local addresses and those where clouds serve credentials.
fn deny_addresses() -> Vec<Network> {
    ["169.254.0.0/16", "fe80::/10", "fd00:ec2::254/128", "100.100.100.200/32"]
        .into_iter()
        .filter_map(|network| network.parse().ok())
        .collect()
}

const fn retry_after_ms_max() -> u64 {
    3_600_000
}

const fn response_bytes_max() -> usize {
    65_536
}

const fn idle_ms_max() -> u64 {
    15_000
}

impl WebhookConfig {
    /// Checks what types cannot say, and returns the address.
    pub fn check(&self) -> Result<Uri, ConfigError> {
        if !(1..=2).contains(&self.secret_files.len()) {
            return Err(ConfigError::key("secret_files", "takes one file, or two during rotation, the new one first"));
        }
        if !(1..=3_600_000).contains(&self.retry_after_ms_max) {
            return Err(ConfigError::key("retry_after_ms_max", "takes 1 to 3600000 milliseconds"));
        }
        if !(256..=1_048_576).contains(&self.response_bytes_max) {
            return Err(ConfigError::key("response_bytes_max", "takes 256 to 1048576 bytes"));
        }
        if let Some(origin) = &self.origin
            && (origin.is_empty() || !origin.bytes().all(|byte| byte.is_ascii_graphic()))
        {
            return Err(ConfigError::key("origin", "takes a name of printable ASCII, such as a host name"));
        }
        address::refuse_password("url", &self.url)?;
        let uri: Uri = self.url.parse().map_err(|_| ConfigError::key("url", "is not an address"))?;
        let scheme = uri.scheme_str().unwrap_or_default();
        if !["http", "https"].contains(&scheme) || !address::has_host(&self.url) {
            return Err(ConfigError::key("url", "takes http://HOST[:PORT]… or https://HOST[:PORT]…"));
        }
        if address::user_info(&self.url).is_some() {
            return Err(ConfigError::key("url", "takes no user: requests are signed instead"));
        }
        Ok(uri)
    }
}
