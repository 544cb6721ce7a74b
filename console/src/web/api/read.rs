//! The views.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{LaneFilter, answer};
use crate::daemon::CallError;
use crate::telemetry::{GlobalSeries, Series, SinkSeries};
use crate::web::app::App;

/// Lanes or decisions in one answer.
const LIST_MAX: u64 = 1_000;

/// `daemon.status`, and `console` beside its members: what this console may do.
pub async fn status(State(app): State<Arc<App>>) -> Response {
    let snapshot = app.sampler.fresh().await;
    let console = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "actions": app.flags.actions,
        "sample_age_ms": u64::try_from(snapshot.taken.elapsed().as_millis()).unwrap_or(u64::MAX),
    });
    answer(snapshot.status.as_ref().map_err(Clone::clone).map(|(status, _)| {
        let mut status = Value::clone(status);
        if let Some(members) = status.as_object_mut() {
            members.insert("console".into(), console);
        }
        status
    }))
}

/// Of which sink, and since when.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HistoryQuery {
    sink: Option<String>,
    seconds: Option<u64>,
}

/// The charts' samples: pairs of a Unix time in milliseconds and a value, null where there is none.
pub async fn history(State(app): State<Arc<App>>, Query(query): Query<HistoryQuery>) -> Response {
    let from = crate::clock::unix_ms().saturating_sub(query.seconds.unwrap_or(3_600).saturating_mul(1_000));
    let samples = app.sampler.history(|history| match &query.sink {
        Some(sink) => json!({
            "lag_events": pairs(&history.sink(sink, SinkSeries::Lag, from)),
            "lag_s": pairs(&history.sink(sink, SinkSeries::Age, from)),
            "events_per_s": pairs(&history.sink(sink, SinkSeries::Rate, from)),
            "delivery_p50_ms": pairs(&history.sink(sink, SinkSeries::DeliveryP50, from)),
            "delivery_p99_ms": pairs(&history.sink(sink, SinkSeries::DeliveryP99, from)),
        }),
        None => json!({
            "commands_per_s": pairs(&history.global(GlobalSeries::Commands, from)),
            "command_p50_ms": pairs(&history.global(GlobalSeries::CommandP50, from)),
            "command_p99_ms": pairs(&history.global(GlobalSeries::CommandP99, from)),
        }),
    });
    Json(samples).into_response()
}

fn pairs(series: &Series) -> Vec<(u64, Option<f32>)> {
    series.0.iter().map(|(at, value)| (*at, value.is_finite().then_some(*value))).collect()
}

/// `sink.show`.
pub async fn sink(State(app): State<Arc<App>>, Path(name): Path<String>) -> Response {
    answer(app.daemon.query("sink.show", &json!({"sink": name})).await)
}

/// `lane.list`.
pub async fn lanes(State(app): State<Arc<App>>, Query(filter): Query<LaneFilter>) -> Response {
    let sink = filter.sink.clone().unwrap_or_default();
    answer(app.daemon.query("lane.list", &filter.params(&sink, LIST_MAX)).await)
}

/// `lane.show`.
pub async fn lane(State(app): State<Arc<App>>, Path((sink, order)): Path<(String, String)>) -> Response {
    answer(app.daemon.query("lane.show", &json!({"sink": sink, "order_id": order})).await)
}

/// `order.trace`.
pub async fn order(State(app): State<Arc<App>>, Path(id): Path<String>) -> Response {
    answer(app.daemon.query("order.trace", &json!({"order_id": id})).await)
}

/// `replay.list`.
pub async fn replays(State(app): State<Arc<App>>) -> Response {
    answer(app.daemon.query("replay.list", &Value::Null).await)
}

/// Which decisions are asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecisionQuery {
    after_lsn: Option<u64>,
    limit: Option<u64>,
}

/// `decision.list`.
pub async fn decisions(State(app): State<Arc<App>>, Query(query): Query<DecisionQuery>) -> Response {
    let mut params = json!({"limit": query.limit.unwrap_or(LIST_MAX).min(LIST_MAX)});
    if let (Some(after), Some(members)) = (query.after_lsn, params.as_object_mut()) {
        members.insert("after_lsn".into(), json!(after));
    }
    let result: Result<Value, CallError> = app.daemon.query("decision.list", &params).await;
    answer(result)
}
