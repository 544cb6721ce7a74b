//! The actions. The guard has checked the token; the daemon checks the params, and whether the console's user may.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use http_body_util::{BodyExt as _, Limited};
use serde_json::{Map, Value, json};

use super::answer::answer;
use crate::web::app::App;
use crate::web::guard::refuse;

/// `sink.pause`, `sink.resume`, `sink.retry`. The body may be left out.
pub async fn sink_action(
    State(app): State<Arc<App>>,
    Path((name, verb)): Path<(String, String)>,
    request: Request,
) -> Response {
    let Some(method) = known(&verb, &["pause", "resume", "retry"], "sink") else { return unknown() };
    act(&app, &method, &[("sink", &name)], request).await
}

/// `lane.requeue`, `lane.skip`.
pub async fn lane_action(State(app): State<Arc<App>>, Path(verb): Path<String>, request: Request) -> Response {
    let Some(method) = known(&verb, &["requeue", "skip"], "lane") else { return unknown() };
    act(&app, &method, &[], request).await
}

/// `replay.start`.
pub async fn replay_start(State(app): State<Arc<App>>, request: Request) -> Response {
    act(&app, "replay.start", &[], request).await
}

/// `replay.cancel`.
pub async fn replay_cancel(State(app): State<Arc<App>>, Path(id): Path<String>, request: Request) -> Response {
    act(&app, "replay.cancel", &[("replay_id", &id)], request).await
}

fn known(verb: &str, verbs: &[&str], object: &str) -> Option<String> {
    verbs.contains(&verb).then(|| format!("{object}.{verb}"))
}

fn unknown() -> Response {
    refuse(StatusCode::NOT_FOUND, "not_found", "there is no such action")
}

async fn act(app: &App, method: &str, from_path: &[(&str, &str)], request: Request) -> Response {
    let mut params = match object(app, request).await {
        Ok(params) => params,
        Err(refusal) => return refusal,
    };
    for (name, value) in from_path {
        params.insert((*name).to_owned(), json!(value));
    }
    let result = app.daemon.query_within(app.flags.request_timeout(), method, &Value::Object(params)).await;
    match &result {
        Ok(_) => tracing::info!(method, "carried out"),
        // Quoted: its words may be the client's, line breaks among them.
        Err(error) => tracing::info!(method, error = ?error.to_string(), "refused"),
    }
    answer(result)
}

/// The body: nothing, or one JSON object. A form of another site cannot send that content type.
async fn object(app: &App, request: Request) -> Result<Map<String, Value>, Response> {
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_json =
        content_type.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"));
    let typed = !content_type.is_empty();
    let body = Limited::new(request.into_body(), app.flags.body_bytes_max).collect().await.map_err(|_| {
        let message = format!("the body may have at most {} bytes", app.flags.body_bytes_max);
        refuse(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", &message)
    })?;
    let body = body.to_bytes();
    if typed && !is_json || !typed && !body.is_empty() {
        let message = "the body takes the content type application/json";
        return Err(refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json", message));
    }
    if body.is_empty() {
        return Ok(Map::new());
    }
    match serde_json::from_slice(&body) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(refuse(StatusCode::BAD_REQUEST, "invalid_request", "the body has to be a JSON object")),
        Err(error) => Err(refuse(StatusCode::BAD_REQUEST, "parse_error", &format!("the body is not JSON: {error}"))),
    }
}
