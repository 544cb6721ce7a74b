//! The connector's own keys.

use std::collections::BTreeMap;

use orderd_sink::{Common, ConfigError, OneOrMany, Secret, SecretFile, address};
use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use serde::{Deserialize, Serialize};

use crate::options::{self, Options};

/// The keys as they stand in the file.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    bootstrap_servers: OneOrMany,
    topic: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password_file: Option<SecretFile>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    options: Options,
}

/// The keys, checked.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) topic: String,
    bootstrap_servers: String,
    user: Option<(String, SecretFile)>,
    options: BTreeMap<String, String>,
}

impl Config {
    /// Checks the keys; librdkafka checks its own when a producer is made.
    pub(crate) fn check(self) -> Result<Settings, ConfigError> {
        let servers = Vec::from(self.bootstrap_servers).join(",");
        if servers.split(',').any(|server| server.trim().is_empty()) {
            return Err(ConfigError::key("bootstrap_servers", "it takes HOST:PORT, a list or one"));
        }
        // The address is not part of a message: it may hold a secret.
        if servers.contains('@') {
            return Err(ConfigError::key(
                "bootstrap_servers",
                "credentials have no place here: use user and password_file",
            ));
        }
        if !servers.split(',').all(|server| address::has_host(server.trim())) {
            return Err(ConfigError::key(
                "bootstrap_servers",
                "it takes HOST:PORT, a list or one; a port is 1 to 65535",
            ));
        }
        let valid = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if self.topic.is_empty() || self.topic.len() > 249 || !self.topic.chars().all(valid) {
            return Err(ConfigError::key("topic", "a topic's name has 1 to 249 letters, digits, dots, _ and -"));
        }
        let options = options::flatten(&self.options)?;
        let user = match (self.user, self.password_file) {
            (Some(user), Some(file)) => Some((user, file)),
            (None, None) => None,
            (Some(_), None) => return Err(ConfigError::key("user", "needs password_file beside it")),
            (None, Some(_)) => return Err(ConfigError::key("password_file", "needs user beside it")),
        };
        if user.is_some() && !["sasl.mechanism", "sasl.mechanisms"].iter().any(|name| options.contains_key(*name)) {
            let message = "needs \"sasl.mechanism\" in [options]: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512";
            return Err(ConfigError::key("user", message));
        }
        Ok(Settings { topic: self.topic, bootstrap_servers: servers, user, options })
    }
}

impl Settings {
    /// Reads the password.
    pub(crate) fn read_password(&self) -> Result<Option<Secret>, ConfigError> {
        let password = self.user.as_ref().map(|(_, file)| file.read()).transpose();
        password.map_err(|error| error.at("password_file"))
    }

    /// Everything that librdkafka is told.
    pub(crate) fn client(&self, common: &Common, password: Option<&Secret>, cautious: bool) -> ClientConfig {
        let mut client = ClientConfig::new();
        // The connector's own log decides what is written; without `debug` in [options] it is little.
        client.set_log_level(RDKafkaLogLevel::Debug);
        // Defaults of ours, which `[options]` may change.
        client.set("client.id", format!("orderd-{}", common.sink));
        client.set("linger.ms", "5").set("reconnect.backoff.max.ms", "1000");
        client.set("topic.metadata.propagation.max.ms", "2000");
        self.security(common, password, &mut client);
        for (name, value) in &self.options {
            client.set(name, value);
        }
        // What the promises rest on.
        client.set("bootstrap.servers", &self.bootstrap_servers);
        client.set("enable.idempotence", "true").set("acks", "all");
        client.set("partitioner", "murmur2_random");
        client.set("message.timeout.ms", common.timeout.as_millis().to_string());
        if cautious {
            client.set("batch.num.messages", "1");
        }
        client
    }

    fn security(&self, common: &Common, password: Option<&Secret>, client: &mut ClientConfig) {
        let tls = &common.tls;
        let protocol = match (self.user.is_some(), tls.is_empty()) {
            (false, true) => "plaintext",
            (false, false) => "ssl",
            (true, true) => "sasl_plaintext",
            (true, false) => "sasl_ssl",
        };
        client.set("security.protocol", protocol);
        if let (Some((user, _)), Some(password)) = (&self.user, password) {
            client.set("sasl.username", user).set("sasl.password", password.expose());
        }
        let files = [
            ("ssl.ca.location", tls.ca_file.as_deref()),
            ("ssl.certificate.location", tls.client_cert_file.as_deref()),
            ("ssl.key.location", tls.client_key_file.as_ref().map(SecretFile::path)),
        ];
        for (name, file) in files {
            if let Some(file) = file {
                client.set(name, file.display().to_string());
            }
        }
    }
}
