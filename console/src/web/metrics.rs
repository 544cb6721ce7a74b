//! `/metrics`: the daemon's metrics and the console's own, as Prometheus text.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};

use super::app::App;
use crate::telemetry::{Exposition, Kind, Snapshot};

/// The newest sample. A daemon that is away leaves `orderd_console_daemon_up 0` and no old numbers.
pub async fn metrics(State(app): State<Arc<App>>) -> Response {
    let snapshot = app.sampler.fresh().await;
    let mut text = Exposition::default();
    own(&mut text, &app, &snapshot);
    if let Ok(metrics) = &snapshot.metrics {
        text.daemon(metrics);
    }
    let left_out = text.left_out();
    text.family(
        "orderd_console_metrics_left_out",
        Kind::Gauge,
        "Metrics of the daemon that this format cannot hold.",
        &[(&[], count(left_out))],
    );
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text.into_text()).into_response()
}

fn own(text: &mut Exposition, app: &App, snapshot: &Snapshot) {
    let counters = &app.counters;
    let up = |ok: bool| if ok { 1.0 } else { 0.0 };
    let mut number = |name: &str, kind: Kind, help: &str, value: f64| text.family(name, kind, help, &[(&[], value)]);
    number(
        "orderd_console_daemon_up",
        Kind::Gauge,
        "Whether the daemon answers daemon.status.",
        up(snapshot.status.is_ok()),
    );
    number(
        "orderd_console_daemon_metrics_up",
        Kind::Gauge,
        "Whether the daemon answers daemon.metrics.",
        up(snapshot.metrics.is_ok()),
    );
    number(
        "orderd_console_sample_age_seconds",
        Kind::Gauge,
        "Age of the sample that is shown.",
        snapshot.taken.elapsed().as_secs_f64(),
    );
    number(
        "orderd_console_connections",
        Kind::Gauge,
        "HTTP connections that are open.",
        count(u64::try_from(app.open.count()).unwrap_or(u64::MAX)),
    );
    number(
        "orderd_console_connections_evicted_total",
        Kind::Counter,
        "Idle or slow HTTP connections that were closed to make room for others.",
        load(&counters.evicted),
    );
    number(
        "orderd_console_connections_refused_total",
        Kind::Counter,
        "HTTP connections that were closed because all others were being answered.",
        load(&counters.refused),
    );
    text.family(
        "orderd_console_build_info",
        Kind::Gauge,
        "The console's version.",
        &[(&[("version", env!("CARGO_PKG_VERSION"))], 1.0)],
    );
    let requests = counters.requests();
    let requests: Vec<_> =
        requests.iter().map(|((path, code), requests)| (path.as_str(), code.to_string(), count(*requests))).collect();
    let labels: Vec<_> =
        requests.iter().map(|(path, code, requests)| ([("path", *path), ("code", code.as_str())], *requests)).collect();
    let samples: Vec<_> = labels.iter().map(|(labels, requests)| (labels.as_slice(), *requests)).collect();
    text.family(
        "orderd_console_http_requests_total",
        Kind::Counter,
        "HTTP requests by the path's pattern and the status code.",
        &samples,
    );
}

fn load(counter: &AtomicU64) -> f64 {
    count(counter.load(Ordering::Relaxed))
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
const fn count(value: u64) -> f64 {
    value as f64
}
