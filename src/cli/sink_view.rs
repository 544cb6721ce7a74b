//! Sinks as people read them: in `status`, `sink list` and `sink show`.

use serde::Deserialize;

use super::table::{fields, or_dash, table};
use super::units::duration;

/// A sink on the wire.
#[derive(Debug, Deserialize)]
pub(super) struct SinkView {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    state: String,
    acked_sequence: u64,
    lag_events: u64,
    lag_ms: u64,
    attempts: u64,
    last_error: Option<String>,
    in_flight: Option<u64>,
    parked_lanes: Option<u64>,
    parked_events: Option<u64>,
    delivered_total: Option<u64>,
    rate_events_per_s: Option<f64>,
    eta_ms: Option<u64>,
    attached: Option<String>,
}

impl SinkView {
    /// What is wrong with it, if anything is.
    pub(super) fn problem(&self) -> Option<String> {
        let Self { name, state, last_error, .. } = self;
        let why = last_error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
        ["retrying", "blocked", "halted"].contains(&state.as_str()).then(|| format!("sink {name} is {state}{why}"))
    }

    /// All of it, a value a line.
    pub(super) fn text(&self) -> String {
        let parked = match (self.parked_events, self.parked_lanes) {
            (Some(events), Some(lanes)) => format!("{events} in {lanes} lanes"),
            (events, _) => or_dash(events),
        };
        fields([
            ("sink", self.name.clone()),
            ("type", self.kind.clone()),
            ("state", self.state.clone()),
            ("attached", or_dash(self.attached.clone())),
            ("acknowledged", format!("up to sequence {}", self.acked_sequence)),
            ("lag", format!("{} events, the oldest {} old", self.lag_events, duration(self.lag_ms))),
            ("rate", self.rate()),
            ("eta", or_dash(self.eta_ms.map(duration))),
            ("in flight", or_dash(self.in_flight)),
            ("parked events", parked),
            ("delivered", format!("{} since the start", or_dash(self.delivered_total))),
            ("failures in a row", self.attempts.to_string()),
            ("last error", or_dash(self.last_error.clone())),
        ])
    }

    fn rate(&self) -> String {
        or_dash(self.rate_events_per_s.map(|rate| format!("{rate:.0}/s")))
    }
}

/// One line a sink.
pub(super) fn sinks_table(sinks: &[SinkView]) -> String {
    let heads = ["SINK", "TYPE", "STATE", "ACKED", "LAG", "AGE", "RATE", "ETA", "PARKED", "ATTEMPTS", "LAST ERROR"];
    table(
        heads,
        sinks.iter().map(|sink| {
            [
                sink.name.clone(),
                sink.kind.clone(),
                sink.state.clone(),
                sink.acked_sequence.to_string(),
                sink.lag_events.to_string(),
                duration(sink.lag_ms),
                sink.rate(),
                or_dash(sink.eta_ms.map(duration)),
                or_dash(sink.parked_events),
                sink.attempts.to_string(),
                or_dash(sink.last_error.clone()),
            ]
        }),
    )
}
