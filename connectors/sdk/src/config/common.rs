//! The keys that every connector has.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{ConfigError, TlsFiles};
use crate::cloudevents::ContentMode;
use crate::logging::{LogFormat, LogLevel};

/// The keys by name, for error messages and to tell them from a connector's own.
pub(crate) const COMMON_KEYS: [&str; 15] = [
    "timeout_ms",
    "in_flight_max",
    "batch_events_max",
    "content_mode",
    "ca_file",
    "client_cert_file",
    "client_key_file",
    "settle_ms_max",
    "drain_ms_max",
    "reattach_ms_min",
    "reattach_ms_max",
    "line_bytes_max",
    "reason_chars_max",
    "log_level",
    "log_format",
];

/// A connector's defaults and bounds of the common keys.
#[derive(Debug, Clone, Copy)]
pub struct Defaults {
    /// `timeout_ms`.
    pub timeout_ms: u64,
    /// `in_flight_max`.
    pub in_flight_max: usize,
    /// The largest `in_flight_max` that makes sense for this kind of target.
    pub in_flight_limit: usize,
    /// `batch_events_max`.
    pub batch_events_max: usize,
}

/// The values of the common keys, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Common {
    /// The sink's name, from the command line.
    pub sink: String,
    /// `timeout_ms`: how long the target may take for one request.
    pub timeout: Duration,
    /// `in_flight_max`: events that are handed out to this connector and unanswered.
    pub in_flight_max: usize,
    /// `batch_events_max`: the most events in one call of [`crate::Target::deliver`].
    pub batch_events_max: usize,
    /// `content_mode`.
    pub content_mode: ContentMode,
    /// `ca_file`, `client_cert_file`, `client_key_file`.
    pub tls: TlsFiles,
    pub(crate) limits: Limits,
    pub(crate) log_level: LogLevel,
    pub(crate) log_format: LogFormat,
}

/// Limits that only the session knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// How long events that were begun may still be answered before `unavailable` voids them.
    pub(crate) settle: Duration,
    /// How long SIGTERM waits for what is in flight.
    pub(crate) drain: Duration,
    /// The first wait before another attempt to attach.
    pub(crate) reattach_min: Duration,
    /// The longest wait before another attempt to attach.
    pub(crate) reattach_max: Duration,
    /// The longest line that the daemon may send.
    pub(crate) line_bytes_max: usize,
    /// The longest reason that is passed on.
    pub(crate) reason_chars_max: usize,
}

/// The common keys as written in the file.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CommonKeys {
    timeout_ms: Option<u64>,
    in_flight_max: Option<usize>,
    batch_events_max: Option<usize>,
    #[serde(default)]
    content_mode: ContentMode,
    #[serde(default = "settle_ms_max")]
    settle_ms_max: u64,
    #[serde(default = "drain_ms_max")]
    drain_ms_max: u64,
    #[serde(default = "reattach_ms_min")]
    reattach_ms_min: u64,
    #[serde(default = "reattach_ms_max")]
    reattach_ms_max: u64,
    #[serde(default = "line_bytes_max")]
    line_bytes_max: usize,
    #[serde(default = "reason_chars_max")]
    reason_chars_max: usize,
    #[serde(default)]
    log_level: LogLevel,
    #[serde(default)]
    log_format: LogFormat,
    // Not flattened: serde's flatten would lose the check for unknown keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    ca_file: Option<std::path::PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_cert_file: Option<std::path::PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_key_file: Option<super::SecretFile>,
}

const fn settle_ms_max() -> u64 {
    2_000
}

const fn drain_ms_max() -> u64 {
    20_000
}

const fn reattach_ms_min() -> u64 {
    100
}

const fn reattach_ms_max() -> u64 {
    5_000
}

const fn line_bytes_max() -> usize {
    1024 * 1024
}

const fn reason_chars_max() -> usize {
    300
}

impl CommonKeys {
    /// The same with this connector's defaults in the places that were left out.
    pub(crate) fn filled(mut self, defaults: Defaults) -> Self {
        self.timeout_ms.get_or_insert(defaults.timeout_ms);
        self.in_flight_max.get_or_insert(defaults.in_flight_max);
        self.batch_events_max.get_or_insert(defaults.batch_events_max);
        self
    }

    /// Checks the values.
    pub(crate) fn check(self, sink: &str, defaults: Defaults) -> Result<Common, ConfigError> {
        let in_flight_max = self.in_flight_max.unwrap_or(defaults.in_flight_max);
        let batch_events_max = self.batch_events_max.unwrap_or(defaults.batch_events_max);
        within("in_flight_max", in_flight_max, 1, defaults.in_flight_limit)?;
        within("batch_events_max", batch_events_max, 1, 16_384)?;
        within("line_bytes_max", self.line_bytes_max, 4_096, 16 * 1024 * 1024)?;
        within("reason_chars_max", self.reason_chars_max, 20, 500)?;
        let timeout_ms = self.timeout_ms.unwrap_or(defaults.timeout_ms);
        let limits = Limits {
            settle: milliseconds("settle_ms_max", self.settle_ms_max, 0, 60_000)?,
            drain: milliseconds("drain_ms_max", self.drain_ms_max, 0, 600_000)?,
            reattach_min: milliseconds("reattach_ms_min", self.reattach_ms_min, 1, self.reattach_ms_max)?,
            reattach_max: milliseconds("reattach_ms_max", self.reattach_ms_max, 1, 3_600_000)?,
            line_bytes_max: self.line_bytes_max,
            reason_chars_max: self.reason_chars_max,
        };
        Ok(Common {
            sink: sink.to_owned(),
            timeout: milliseconds("timeout_ms", timeout_ms, 1, 600_000)?,
            in_flight_max,
            batch_events_max,
            content_mode: self.content_mode,
            tls: TlsFiles {
                ca_file: self.ca_file,
                client_cert_file: self.client_cert_file,
                client_key_file: self.client_key_file,
            },
            limits,
            log_level: self.log_level,
            log_format: self.log_format,
        })
    }
}

fn within(key: &str, value: usize, min: usize, max: usize) -> Result<(), ConfigError> {
    if (min..=max).contains(&value) {
        Ok(())
    } else {
        Err(ConfigError::key(key, format!("{value} is out of range: it takes {min} to {max}")))
    }
}

fn milliseconds(key: &str, value: u64, min: u64, max: u64) -> Result<Duration, ConfigError> {
    if (min..=max).contains(&value) {
        Ok(Duration::from_millis(value))
    } else {
        Err(ConfigError::key(key, format!("{value} is out of range: it takes {min} to {max} milliseconds")))
    }
}
