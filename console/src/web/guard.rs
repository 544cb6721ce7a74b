//! Who may ask: the checks that a request passes before a handler sees it.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, HOST, ORIGIN, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Response as HttpResponse, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::json;
use tower_http::csrf::ProtectionError;

use super::app::App;

/// Nothing inline, nothing from elsewhere, no frame around it.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const SECURITY_HEADERS: [(&str, &str); 7] = [
    ("content-security-policy", CONTENT_SECURITY_POLICY),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
];

/// An error as the API writes it.
pub fn refuse(code: StatusCode, kind: &str, message: &str) -> Response {
    let error =
        json!({"error": {"code": code.as_u16(), "message": message, "data": {"kind": kind, "retryable": false}}});
    (code, Json(error)).into_response()
}

/// Counts each answer by its path's pattern: what strangers ask for makes no new series.
pub async fn count(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map_or("other", MatchedPath::as_str).to_owned();
    let response = next.run(request).await;
    app.counters.request(&path, response.status().as_u16());
    response
}

/// The headers of every answer.
pub async fn headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in SECURITY_HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Exactly one Host, and one of ours; the same of a target in absolute form.
pub async fn host(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let mut given = request.headers().get_all(HOST).iter();
    let (first, more) = (given.next().and_then(|host| host.to_str().ok()), given.next());
    let target = request.uri().authority().map(axum::http::uri::Authority::as_str);
    let ours = first.is_some_and(|host| app.hosts.has(host)) && target.is_none_or(|target| app.hosts.has(target));
    if ours && more.is_none() {
        return next.run(request).await;
    }
    refuse(
        StatusCode::MISDIRECTED_REQUEST,
        "host_not_allowed",
        "this console does not answer to that Host; allow it with --host-allowed",
    )
}

/// What a page of another site makes the browser send is refused, reading included; following a link to us is not.
pub async fn origin(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let foreign_origin =
        headers.get_all(ORIGIN).iter().any(|origin| !origin.to_str().is_ok_and(|o| app.hosts.has_origin(o)));
    let is = |name: &str, values: &[&str]| {
        headers.get(name).and_then(|value| value.to_str().ok()).is_some_and(|value| values.contains(&value))
    };
    let from_elsewhere = headers.contains_key("sec-fetch-site") && !is("sec-fetch-site", &["same-origin", "none"]);
    let follows_link = request.method() == Method::GET && is("sec-fetch-mode", &["navigate"]);
    if foreign_origin || (from_elsewhere && !follows_link) {
        return cross_site();
    }
    next.run(request).await
}

/// The answer of the layer against forged requests.
pub fn cross_site_response(_: ProtectionError) -> HttpResponse<Body> {
    cross_site()
}

fn cross_site() -> Response {
    refuse(StatusCode::FORBIDDEN, "cross_site", "a page of another site may not use this console")
}

/// Where other machines reach us, reading takes the token as well. The pulse is for whoever asks.
pub async fn reading(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let open = !app.guards_reading() || request.uri().path() == "/livez";
    if open || bearer(&app, request.headers()) || basic(&app, request.headers()) {
        return next.run(request).await;
    }
    // A browser asks for a name and a password then: any name, the token as the password.
    unauthorized("Basic realm=\"orderd console\", charset=\"UTF-8\"", "this address takes the console's token")
}

/// Acting takes --actions and the token, as a header that no browser adds by itself.
pub async fn actions(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    if request.method() == Method::GET || request.method() == Method::HEAD {
        return next.run(request).await;
    }
    if !app.flags.actions {
        return refuse(
            StatusCode::FORBIDDEN,
            "read_only",
            "this console only shows; act with `orderd sink`, `orderd lane` and `orderd replay`, or start it with \
             --actions and --token-file",
        );
    }
    if !bearer(&app, request.headers()) {
        return unauthorized("Bearer", "acting takes the header `Authorization: Bearer TOKEN`");
    }
    next.run(request).await
}

/// However slow the daemon or the client is.
pub async fn time_limit(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    match tokio::time::timeout(app.flags.request_timeout(), next.run(request)).await {
        Ok(response) => response,
        Err(_) => refuse(StatusCode::GATEWAY_TIMEOUT, "timeout", "the request took too long"),
    }
}

fn unauthorized(scheme: &'static str, message: &str) -> Response {
    let mut response = refuse(StatusCode::UNAUTHORIZED, "token_required", message);
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(scheme));
    response
}

fn bearer(app: &App, headers: &HeaderMap) -> bool {
    credentials(headers, "bearer").is_some_and(|given| app.token.as_ref().is_some_and(|token| token.is(given)))
}

fn basic(app: &App, headers: &HeaderMap) -> bool {
    let decoded = credentials(headers, "basic").and_then(|given| BASE64.decode(given).ok());
    let text = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
    let password = text.as_deref().and_then(|text| text.split_once(':')).map(|(_, password)| password);
    password.is_some_and(|given| app.token.as_ref().is_some_and(|token| token.is(given)))
}

/// What follows the scheme of the only Authorization header.
fn credentials<'a>(headers: &'a HeaderMap, scheme: &str) -> Option<&'a str> {
    let mut given = headers.get_all(AUTHORIZATION).iter();
    let (only, None) = (given.next()?, given.next()) else { return None };
    let (name, credentials) = only.to_str().ok()?.split_once(' ')?;
    name.eq_ignore_ascii_case(scheme).then_some(credentials.trim())
}
