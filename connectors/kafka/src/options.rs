//! The table `[options]`: librdkafka's own settings, except those that the promises rest on.

use std::collections::BTreeMap;

use orderd_sink::ConfigError;
use serde::{Deserialize, Serialize};

/// Settings by their dotted names; `linger.ms = 5` without quotes, which TOML reads as a table in a table, is the same as
/// `"linger.ms" = 5`.
pub(crate) type Options = BTreeMap<String, OptionValue>;

/// A setting's value.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(untagged)]
pub(crate) enum OptionValue {
    Flag(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    Group(BTreeMap<String, OptionValue>),
}

/// Order, acknowledgement and the end of a message's attempts are ours.
const PROMISED: [&str; 14] = [
    "acks",
    "request.required.acks",
    "enable.idempotence",
    "enable.gapless.guarantee",
    "partitioner",
    "sticky.partitioning.linger.ms",
    "message.timeout.ms",
    "delivery.timeout.ms",
    "message.send.max.retries",
    "retries",
    "max.in.flight",
    "max.in.flight.requests.per.connection",
    "transactional.id",
    "queuing.strategy",
];

/// Settings that have a key of their own here.
const ELSEWHERE: [(&str, &str); 10] = [
    ("bootstrap.servers", "bootstrap_servers"),
    ("metadata.broker.list", "bootstrap_servers"),
    ("sasl.username", "user"),
    ("sasl.password", "password_file"),
    ("ssl.ca.location", "ca_file"),
    ("ssl.certificate.location", "client_cert_file"),
    ("ssl.key.location", "client_key_file"),
    ("ssl.key.pem", "client_key_file"),
    ("ssl.ca.pem", "ca_file"),
    ("ssl.certificate.pem", "client_cert_file"),
];

/// Secrets that would stand in the configuration, and the switch that makes TLS worthless.
const REFUSED: [&str; 5] = [
    "ssl.key.password",
    "ssl.keystore.password",
    "sasl.oauthbearer.client.secret",
    "enable.ssl.certificate.verification",
    "plugin.library.paths",
];

/// The settings as librdkafka takes them.
pub(crate) fn flatten(options: &Options) -> Result<BTreeMap<String, String>, ConfigError> {
    let mut flat = BTreeMap::new();
    for (name, value) in options {
        add(&mut flat, name.clone(), value)?;
    }
    Ok(flat)
}

fn add(flat: &mut BTreeMap<String, String>, name: String, value: &OptionValue) -> Result<(), ConfigError> {
    let text = match value {
        OptionValue::Flag(flag) => flag.to_string(),
        OptionValue::Integer(number) => number.to_string(),
        OptionValue::Float(number) => number.to_string(),
        OptionValue::Text(text) => text.clone(),
        OptionValue::Group(group) => {
            return group.iter().try_for_each(|(part, value)| add(flat, format!("{name}.{part}"), value));
        }
    };
    let key = format!("options.{name}");
    if PROMISED.contains(&name.as_str()) {
        return Err(ConfigError::key(key, "is set by the connector: order and acknowledgement rest on it"));
    }
    if let Some((_, own)) = ELSEWHERE.iter().find(|(theirs, _)| *theirs == name) {
        return Err(ConfigError::key(key, format!("has a key of its own: {own}")));
    }
    if REFUSED.contains(&name.as_str()) {
        return Err(ConfigError::key(key, "is not taken"));
    }
    flat.insert(name, text);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(name: &str, value: OptionValue) -> OptionValue {
        OptionValue::Group(BTreeMap::from([(name.to_owned(), value)]))
    }

    #[test]
    fn quoted_and_unquoted_names_are_the_same() {
        let options = Options::from([
            ("compression.type".to_owned(), OptionValue::Text("lz4".to_owned())),
            ("linger".to_owned(), group("ms", OptionValue::Integer(5))),
            ("socket".to_owned(), group("keepalive", group("enable", OptionValue::Flag(true)))),
        ]);
        let flat = flatten(&options).unwrap();
        let expected = [("compression.type", "lz4"), ("linger.ms", "5"), ("socket.keepalive.enable", "true")];
        assert_eq!(flat, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    }

    #[test]
    fn what_the_promises_rest_on_is_refused_by_name() {
        for name in PROMISED.iter().chain(&REFUSED).chain(ELSEWHERE.iter().map(|(name, _)| name)) {
            let (first, rest) = name.split_once('.').unwrap_or((name, ""));
            let value = OptionValue::Text("s3cret".to_owned());
            let unquoted = if rest.is_empty() { value.clone() } else { group(rest, value.clone()) };
            for options in [Options::from([((*name).to_owned(), value)]), Options::from([(first.to_owned(), unquoted)])]
            {
                let error = flatten(&options).unwrap_err().to_string();
                assert!(error.starts_with(&format!("options.{name}: ")) && !error.contains("s3cret"), "{error}");
            }
        }
    }
}
