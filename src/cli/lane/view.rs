//! Parked lanes as people read them, and which are meant.

use serde::Deserialize;

use crate::cli::params::Params;
use crate::cli::table::{fields, or_dash, table};

/// A parked lane on the wire.
#[derive(Deserialize)]
pub(super) struct LaneView {
    order_id: String,
    state: String,
    events: u64,
    first_sequence: u64,
    since: String,
    attempts: u64,
    next_attempt_at: Option<String>,
    reason: String,
}

impl LaneView {
    /// All of it, a value a line.
    pub(super) fn text(&self) -> String {
        fields([
            ("order", self.order_id.clone()),
            ("state", self.state.clone()),
            ("parked since", self.since.clone()),
            ("events", self.events.to_string()),
            ("first sequence", self.first_sequence.to_string()),
            ("attempts", self.attempts.to_string()),
            ("next attempt", or_dash(self.next_attempt_at.clone())),
            ("reason", self.reason.clone()),
        ])
    }
}

/// One line a lane.
pub(super) fn lanes_table(lanes: &[LaneView]) -> String {
    let heads = ["ORDER", "STATE", "EVENTS", "FIRST", "SINCE", "ATTEMPTS", "NEXT ATTEMPT", "REASON"];
    table(
        heads,
        lanes.iter().map(|lane| {
            [
                lane.order_id.clone(),
                lane.state.clone(),
                lane.events.to_string(),
                lane.first_sequence.to_string(),
                lane.since.clone(),
                lane.attempts.to_string(),
                or_dash(lane.next_attempt_at.clone()),
                lane.reason.clone(),
            ]
        }),
    )
}

/// Which of a sink's lanes are meant.
#[derive(Debug, clap::Args)]
pub(super) struct FilterArgs {
    /// Only lanes in this state
    #[arg(long, value_name = "STATE", value_parser = ["retrying", "rejected", "held", "requeued"])]
    state: Option<String>,
    /// Only lanes whose reason contains this text
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    reason_contains: Option<String>,
    /// At most this many lanes
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
}

impl FilterArgs {
    pub(super) fn add_to(&self, params: Params) -> Params {
        params
            .with_some("state", self.state.as_ref())
            .with_some("reason_contains", self.reason_contains.as_ref())
            .with_some("limit", self.limit)
    }
}
