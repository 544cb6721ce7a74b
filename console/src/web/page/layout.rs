//! What all pages have around them.

use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::format::{bytes, outside, visible};
use super::problem;
use crate::telemetry::{Snapshot, Status};
use crate::web::app::App;

/// Where a page is in the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// `/`
    Overview,
    /// `/parked`
    Parked,
    /// `/storage`
    Storage,
    /// A page of one sink or one order.
    Elsewhere,
}

const NAVIGATION: [(Place, &str, &str); 3] =
    [(Place::Overview, "/", "Overview"), (Place::Parked, "/parked", "Parked"), (Place::Storage, "/storage", "Storage")];

/// A page.
pub fn page(app: &App, snapshot: &Snapshot, place: Place, title: &str, content: &Markup) -> Response {
    respond(StatusCode::OK, app, snapshot, place, title, content)
}

/// A page about something that is not there.
pub fn not_found(app: &App, snapshot: &Snapshot, title: &str, content: &Markup) -> Response {
    respond(StatusCode::NOT_FOUND, app, snapshot, Place::Elsewhere, title, content)
}

fn respond(code: StatusCode, app: &App, snapshot: &Snapshot, place: Place, title: &str, content: &Markup) -> Response {
    let parked = snapshot.status().map_or(0, |status| status.sinks.iter().map(|sink| sink.parked_lanes).sum());
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (visible(title)) " · orderd" }
                link rel="icon" href="/assets/icon.svg" type="image/svg+xml";
                link rel="stylesheet" href="/assets/app.css";
                script src="/assets/app.js" defer {}
            }
            body data-actions[app.flags.actions] {
                a.skip href="#content" { "Skip to the content" }
                (top(place, parked))
                main #content tabindex="-1" {
                    div #banners data-live role="status" { (banners(snapshot)) }
                    h1 { (outside(title)) }
                    (content)
                }
                (bottom(app, snapshot))
            }
        }
    };
    (code, [(CONTENT_TYPE, "text/html; charset=utf-8")], page.into_string()).into_response()
}

fn top(place: Place, parked: u64) -> Markup {
    html! {
        header.top {
            a.brand href="/" { (PreEscaped(include_str!("../../assets/mark.svg"))) "orderd" }
            nav aria-label="Pages" {
                @for (target, href, name) in NAVIGATION {
                    a href=(href) aria-current=[(target == place).then_some("page")] {
                        (name)
                        @if target == Place::Parked {
                            span #nav-parked data-live { @if parked > 0 { span.badge { (parked) } } }
                        }
                    }
                }
            }
            form.find action="/orders" method="get" role="search" {
                label.hidden for="find" { "Order id" }
                input #find name="id" type="search" placeholder="Order id" autocomplete="off"
                    spellcheck="false" required;
                button { "Find" }
            }
            button #refresh type="button" hidden aria-pressed="true" title="Stop or go on refreshing every 2 seconds" {
                "Live"
            }
        }
    }
}

fn bottom(app: &App, snapshot: &Snapshot) -> Markup {
    html! {
        footer #foot data-live {
            @if let Some(status) = snapshot.status() {
                span { "orderd " (outside(&status.version)) }
                span { "up " (super::format::duration_ms(status.uptime_ms)) }
            }
            span { "console " (env!("CARGO_PKG_VERSION")) }
            span { @if app.flags.actions { "actions with the token" } @else { "read only" } }
            span { "times are UTC" }
        }
    }
}

fn banners(snapshot: &Snapshot) -> Markup {
    let error = snapshot.status.as_ref().err();
    html! {
        @if let Some(error) = error {
            div.banner.bad { strong { "No daemon." } " " (outside(&error.to_string())) }
        }
        @if let Some(status) = snapshot.status() {
            (state_banner(status))
            @if let (Err(error), true) = (&snapshot.metrics, snapshot.status.is_ok()) {
                (problem::note("daemon.metrics", error))
            }
        }
    }
}

fn state_banner(status: &Status) -> Markup {
    let journal = &status.journal;
    html! {
        @match status.state.as_str() {
            "ready" => {}
            "storage_full" => div.banner.bad {
                strong { "The journal is full." } " Commands are refused as " code { "storage_full" }
                "; reads and delivery go on. "
                @if let (Some(used), Some(max)) = (journal.bytes, journal.bytes_max) {
                    (bytes(used)) " of " (bytes(max)) " are used. "
                }
                @match &journal.pinned_by {
                    Some(pin) => { "Its oldest segment is kept by " strong { (outside(pin)) } "." }
                    None => { "Nothing keeps its oldest segment." }
                }
            },
            "store_unavailable" => div.banner.bad {
                strong { "The database is away." } " Commands are refused as " code { "store_unavailable" } "."
            },
            "draining" => div.banner.warn { strong { "The daemon stops." } " It takes no new commands." },
            other => div.banner.warn { strong { "State: " (outside(other)) } },
        }
    }
}
