//! How the daemon's answers become HTTP's.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::daemon::CallError;

/// The daemon's result as it came, or its error.
pub fn answer(result: Result<Value, CallError>) -> Response {
    match result {
        Ok(result) => Json(result).into_response(),
        Err(error) => (code_of(&error), Json(json!({"error": error.to_json()}))).into_response(),
    }
}

/// The status code that fits an error of the daemon.
pub fn code_of(error: &CallError) -> StatusCode {
    if error.is_missing_method() {
        return StatusCode::NOT_IMPLEMENTED;
    }
    match error.kind() {
        "daemon_silent" => StatusCode::GATEWAY_TIMEOUT,
        "answer_unreadable" | "internal_error" => StatusCode::BAD_GATEWAY,
        "invalid_params" | "invalid_request" | "parse_error" | "line_too_long" => StatusCode::BAD_REQUEST,
        "permission_denied" => StatusCode::FORBIDDEN,
        "order_not_found" | "sink_not_found" | "lane_not_found" | "replay_not_found" => StatusCode::NOT_FOUND,
        "out_of_range" | "sink_configured" | "sink_attached" | "sink_not_attachable" | "not_the_relay" => {
            StatusCode::CONFLICT
        }
        _ => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// Which parked lanes are asked for; the names are the daemon's.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaneFilter {
    /// Of this sink.
    pub sink: Option<String>,
    /// In this state.
    pub state: Option<String>,
    /// Whose reason has this in it.
    pub reason_contains: Option<String>,
    /// After this position of an earlier answer.
    pub after: Option<String>,
    /// At most this many.
    pub limit: Option<u64>,
}

impl LaneFilter {
    /// The params of `lane.list` for a sink. An empty field of a form is as if it were not there.
    pub fn params(&self, sink: &str, limit_max: u64) -> Value {
        let mut params = Map::new();
        params.insert("sink".into(), json!(sink));
        let texts = [("state", &self.state), ("reason_contains", &self.reason_contains)];
        for (name, text) in texts {
            if let Some(text) = text.as_deref().filter(|text| !text.is_empty()) {
                params.insert(name.into(), json!(text));
            }
        }
        if let Some(after) = self.after.as_deref().filter(|after| !after.is_empty()) {
            // A number stays one: the daemon gives `next` as what it takes for `after`.
            params.insert("after".into(), after.parse::<u64>().map_or_else(|_| json!(after), |number| json!(number)));
        }
        params.insert("limit".into(), json!(self.limit.unwrap_or(limit_max).min(limit_max)));
        Value::Object(params)
    }
}
