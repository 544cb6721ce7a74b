//! One order: where is it?

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header::LOCATION};
use axum::response::{IntoResponse as _, Response};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::{Value, json};

use super::command::shell;
use super::format::{clock_time, count, count_or_dash, dash, outside, path_part, time};
use super::layout::{Place, not_found, page};
use super::overview::state;
use super::parts::{fact, figure, number_cell};
use super::problem;
use super::value::{list, number, shown, text};
use crate::daemon::CallError;
use crate::telemetry::Snapshot;
use crate::web::app::App;

/// The form in the page's head.
#[derive(Debug, Deserialize)]
pub struct Find {
    id: Option<String>,
}

/// `/orders?id=ID` leads to `/orders/ID`.
pub async fn find_order(Query(find): Query<Find>) -> Response {
    let id = find.id.unwrap_or_default();
    let target = match id.trim() {
        "" => "/".to_owned(),
        id => format!("/orders/{}", path_part(id)),
    };
    (StatusCode::SEE_OTHER, [(LOCATION, target)]).into_response()
}

/// `/orders/ID`
pub async fn order(State(app): State<Arc<App>>, Path(id): Path<String>) -> Response {
    let snapshot = app.sampler.fresh().await;
    let params = json!({"order_id": id});
    let trace = app.daemon.query("order.trace", &params).await;
    let title = format!("Order {id}");
    match &trace {
        Ok(trace) => page(&app, &snapshot, Place::Elsewhere, &title, &traced(trace, &id)),
        Err(error) if problem::is_not_found(error) => {
            let content = html! { p.empty { (outside(&error.to_string())) } };
            not_found(&app, &snapshot, &title, &content)
        }
        Err(error) => {
            let order = app.daemon.query("order.get", &params).await;
            untraced(&app, &snapshot, &title, error, &order)
        }
    }
}

/// The order itself, which whoever may use the socket may see.
fn untraced(
    app: &App,
    snapshot: &Snapshot,
    title: &str,
    why: &CallError,
    order: &Result<Value, CallError>,
) -> Response {
    let content = html! {
        (problem::note("order.trace", why))
        @match order {
            Ok(order) => { (facts(order.get("order").unwrap_or(&Value::Null))) }
            Err(error) => { (problem::note("order.get", error)) }
        }
    };
    let is_no_id = |error: &CallError| problem::is_not_found(error) || error.kind() == "invalid_params";
    if order.as_ref().is_err_and(is_no_id) {
        not_found(app, snapshot, title, &content)
    } else {
        page(app, snapshot, Place::Elsewhere, title, &content)
    }
}

fn traced(trace: &Value, id: &str) -> Markup {
    let events = list(trace, "events");
    let sinks = sink_names(events);
    let complete = trace.get("complete").and_then(Value::as_bool).unwrap_or(true);
    html! {
        (facts(trace.get("order").unwrap_or(&Value::Null)))
        section aria-labelledby="events" {
            h2 #events { "Events" }
            @if !complete {
                p.note { "Older events of this order have left the journal: every sink had settled them." }
            }
            div #trace data-live {
                @if events.is_empty() { p.empty { "The journal holds no event of this order." } }
                @else {
                    table.cards.trace {
                        thead { tr {
                            th scope="col" { "Event" } th.number scope="col" { "Sequence" } th scope="col" { "Time" }
                            @for sink in &sinks {
                                th scope="col" { a href={ "/sinks/" (path_part(sink)) } { (outside(sink)) } }
                            }
                        } }
                        tbody { @for event in events { (row(event, &sinks)) } }
                    }
                }
            }
            p.dim { "On a terminal: " code { (shell(&["orderd", "trace", id])) } }
        }
    }
}

fn facts(order: &Value) -> Markup {
    let moments = [("Placed", "placed_at"), ("Completed", "completed_at"), ("Cancelled", "cancelled_at")];
    let status = state(text(order, "status").unwrap_or_default());
    html! {
        dl.figures #order data-live {
            (figure("Status", status, format_args!("version {}", count_or_dash(number(order, "version")))))
            (figure("Amount", number(order, "total_amount").map_or_else(dash, count), "cents"))
            @for (name, member) in moments {
                @if let Some(at) = text(order, member) { (fact(name, time(at))) }
            }
            (fact("Customer", outside(text(order, "customer_id").unwrap_or_default())))
        }
    }
}

/// The sinks of all events, in the order in which they first come.
fn sink_names(events: &[Value]) -> Vec<&str> {
    let mut names = Vec::new();
    for name in events.iter().flat_map(|event| list(event, "sinks")).filter_map(|sink| text(sink, "name")) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn row(event: &Value, sinks: &[&str]) -> Markup {
    html! {
        tr {
            th scope="row" {
                (outside(text(event, "type").unwrap_or_default()))
                small { "version " (count_or_dash(number(event, "orderversion"))) }
                @if let Some(reason) = text(event, "reason") { p.error { (outside(reason)) } }
            }
            (number_cell("Sequence", event.get("sequence").map(shown).unwrap_or_default()))
            td data-label="Time" { (clock_time(text(event, "time").unwrap_or_default())) }
            @for name in sinks {
                td data-label=(name) {
                    @match list(event, "sinks").iter().find(|sink| text(sink, "name") == Some(name)) {
                        Some(sink) => { (cell(sink)) }
                        None => span.dim title="This sink began after the event." { (dash()) },
                    }
                }
            }
        }
    }
}

fn cell(sink: &Value) -> Markup {
    let attempts = number(sink, "attempts").unwrap_or_default();
    html! {
        (state(text(sink, "state").unwrap_or_default()))
        @if attempts > 1 { small { (count(attempts)) " attempts" } }
        @if let Some(reason) = text(sink, "reason") { p.error { (outside(reason)) } }
    }
}
