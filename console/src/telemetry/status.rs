//! The answer to `daemon.status`. A daemon of another version may leave members out or add some: what is missing has a
//! default, what is not known is ignored.

use serde::{Deserialize, Deserializer};

/// How the daemon is.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Status {
    /// The daemon's version.
    pub version: String,
    /// Milliseconds since it started.
    pub uptime_ms: u64,
    /// `ready`, `storage_full`, `store_unavailable` or `draining`.
    pub state: String,
    /// The journal.
    pub journal: Journal,
    /// The orders.
    pub orders: Orders,
    /// The outbox.
    pub outbox: Outbox,
    /// Connections that are open.
    pub connections: u64,
    /// Connections that may be open.
    pub connections_max: Option<u64>,
    /// Connections over that limit, since the start.
    pub connections_refused_total: Option<u64>,
    /// Commands since the start.
    pub commands_total: Option<u64>,
    /// Commands that found the queue full, since the start.
    pub overloaded_total: Option<u64>,
    /// Each sink.
    pub sinks: Vec<SinkStatus>,
}

/// The journal's size and positions.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Journal {
    /// Everything up to here is on the disk.
    pub durable_lsn: Option<u64>,
    /// A restart reads the journal from here.
    pub checkpoint_lsn: Option<u64>,
    /// Size of all segments.
    pub bytes: Option<u64>,
    /// Its limit.
    pub bytes_max: Option<u64>,
    /// How many files.
    pub segments: Option<u64>,
    /// What keeps the oldest segment.
    pub pinned_by: Option<String>,
}

/// The orders.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Orders {
    /// How many there are.
    pub count: Option<u64>,
}

/// The outbox.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Outbox {
    /// The number of the newest event.
    pub last_sequence: Option<u64>,
}

/// One sink.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct SinkStatus {
    /// Its name.
    pub name: String,
    /// `file`, `stdout` or `subscription`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `idle`, `delivering`, `retrying`, `waiting`, `blocked`, `halted`, `paused` or `stopped`.
    pub state: String,
    /// Everything up to here is settled.
    pub acked_sequence: Option<u64>,
    /// Events that are not settled, parked ones apart.
    #[serde(deserialize_with = "null_as_zero")]
    pub lag_events: u64,
    /// Age of the oldest of them, milliseconds.
    pub lag_ms: Option<u64>,
    /// Failures in a row.
    #[serde(deserialize_with = "null_as_zero")]
    pub attempts: u64,
    /// Why the last of them failed.
    pub last_error: Option<String>,
    /// Events that were handed out and not answered.
    pub in_flight: Option<u64>,
    /// Lanes that are parked.
    #[serde(deserialize_with = "null_as_zero")]
    pub parked_lanes: u64,
    /// Events in them.
    #[serde(deserialize_with = "null_as_zero")]
    pub parked_events: u64,
    /// Events delivered since the daemon's start.
    pub delivered_total: Option<u64>,
    /// Events a second, as the daemon measures it.
    pub rate_events_per_s: Option<f64>,
    /// When the lag will be gone, milliseconds from now; none unless it shrinks.
    pub eta_ms: Option<u64>,
    /// The program that is attached.
    pub attached: Option<String>,
}

fn null_as_zero<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl Status {
    /// Whether commands are taken.
    #[must_use]
    pub fn takes_commands(&self) -> bool {
        self.state == "ready"
    }

    /// The sink of this name.
    #[must_use]
    pub fn sink(&self, name: &str) -> Option<&SinkStatus> {
        self.sinks.iter().find(|sink| sink.name == name)
    }
}

impl SinkStatus {
    /// Whether somebody should look: the target does not answer, refuses everything, or too much is parked.
    #[must_use]
    pub fn is_in_trouble(&self) -> bool {
        matches!(self.state.as_str(), "retrying" | "blocked" | "halted")
    }
}
