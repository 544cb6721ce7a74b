//! Which path is answered by what.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};
use tower_http::csrf::CsrfLayer;

use super::app::App;
use super::{api, assets, guard, health, metrics, page};

/// All paths, behind the guards. The last layer is the first that a request meets.
pub fn router(app: &Arc<App>) -> Router {
    let actions = Router::new()
        .route("/api/v1/sinks/{name}/{verb}", post(api::sink_action))
        .route("/api/v1/lanes/{verb}", post(api::lane_action))
        .route("/api/v1/replays/{id}/cancel", post(api::replay_cancel))
        .route("/api/v1/replays", post(api::replay_start).get(api::replays))
        .layer(from_fn_with_state(Arc::clone(app), guard::actions));
    Router::new()
        .route("/", get(page::overview))
        .route("/sinks/{name}", get(page::sink))
        .route("/parked", get(page::parked))
        .route("/orders", get(page::find_order))
        .route("/orders/{id}", get(page::order))
        .route("/storage", get(page::storage))
        .route("/metrics", get(metrics::metrics))
        .route("/livez", get(health::livez))
        .route("/readyz", get(health::readyz))
        .route("/api/v1/status", get(api::status))
        .route("/api/v1/history", get(api::history))
        .route("/api/v1/sinks/{name}", get(api::sink))
        .route("/api/v1/lanes", get(api::lanes))
        .route("/api/v1/lanes/{sink}/{order}", get(api::lane))
        .route("/api/v1/orders/{id}", get(api::order))
        .route("/api/v1/decisions", get(api::decisions))
        .route("/assets/{file}", get(assets::asset))
        .merge(actions)
        .fallback(not_found)
        .layer(from_fn_with_state(Arc::clone(app), guard::time_limit))
        .layer(from_fn_with_state(Arc::clone(app), guard::reading))
        .layer(CsrfLayer::new().with_rejection_response(guard::cross_site_response))
        .layer(from_fn_with_state(Arc::clone(app), guard::origin))
        .layer(from_fn_with_state(Arc::clone(app), guard::host))
        .layer(from_fn(guard::headers))
        .layer(from_fn_with_state(Arc::clone(app), guard::count))
        .with_state(Arc::clone(app))
}

async fn not_found() -> axum::response::Response {
    guard::refuse(StatusCode::NOT_FOUND, "not_found", "there is no such page")
}
