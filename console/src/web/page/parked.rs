//! Parked lanes, by reason.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::Response;
use maud::{Markup, html};
use serde_json::{Value, json};

use super::command::shell;
use super::format::{attribute_json, count, count_or_dash, dash, outside, path_part, time, visible};
use super::groups::{Group, group};
use super::layout::{Place, page};
use super::overview::state;
use super::parts::Column::{Number, Text, Unseen};
use super::parts::{cell, head, number_cell, reason_cell};
use super::problem;
use super::sink::order_link;
use super::value::{list, number, shown, text};
use crate::daemon::CallError;
use crate::telemetry::{SinkStatus, Snapshot};
use crate::web::api::LaneFilter;
use crate::web::app::App;

/// Lanes of one sink on a page.
const LANES_MAX: u64 = 200;
/// Sinks on a page.
const SINKS_MAX: usize = 16;
/// Lanes of a group before the rest is folded.
const OPEN_MAX: usize = 20;

const STATES: [&str; 4] = ["rejected", "retrying", "held", "requeued"];

/// `/parked`
pub async fn parked(State(app): State<Arc<App>>, Query(filter): Query<LaneFilter>) -> Response {
    let snapshot = app.sampler.fresh().await;
    let sinks = chosen(&snapshot, &filter);
    let mut answers = Vec::new();
    for sink in sinks.iter().take(SINKS_MAX) {
        answers.push((sink, app.daemon.query("lane.list", &filter.params(sink, LANES_MAX)).await));
    }
    let content = html! {
        (form(&snapshot, &filter))
        div #lanes data-live {
            @if answers.is_empty() && snapshot.status().is_some() { p.empty { "Nothing is parked." } }
            @for (sink, answer) in &answers { (section(&app, &filter, sink, answer)) }
            @if sinks.len() > SINKS_MAX { p.note { "Only the first " (SINKS_MAX) " sinks are shown; choose one." } }
        }
    };
    page(&app, &snapshot, Place::Parked, "Parked", &content)
}

/// The sink that was asked for, else all that have parked lanes.
fn chosen(snapshot: &Snapshot, filter: &LaneFilter) -> Vec<String> {
    if let Some(sink) = filter.sink.as_deref().filter(|sink| !sink.is_empty()) {
        return vec![sink.to_owned()];
    }
    let sinks = snapshot.status().map_or(&[][..], |status| &status.sinks);
    sinks.iter().filter(|sink| sink.parked_lanes > 0).map(|sink| sink.name.clone()).collect()
}

fn form(snapshot: &Snapshot, filter: &LaneFilter) -> Markup {
    let sinks: &[SinkStatus] = snapshot.status().map_or(&[], |status| &status.sinks);
    let is = |chosen: &Option<String>, value: &str| chosen.as_deref() == Some(value);
    html! {
        form.filter action="/parked" method="get" {
            label { "Sink "
                select name="sink" {
                    option value="" { "all with parked lanes" }
                    @for sink in sinks {
                        option value=(sink.name) selected[is(&filter.sink, &sink.name)] { (visible(&sink.name)) }
                    }
                }
            }
            label { "State "
                select name="state" {
                    option value="" { "any" }
                    @for state in STATES { option selected[is(&filter.state, state)] { (state) } }
                }
            }
            label { "Reason contains "
                input name="reason_contains" autocomplete="off"
                    value=(filter.reason_contains.as_deref().unwrap_or_default());
            }
            button { "Show" }
        }
    }
}

fn section(app: &App, filter: &LaneFilter, sink: &str, answer: &Result<Value, CallError>) -> Markup {
    let lanes = answer.as_ref().map_or(&[][..], |answer| list(answer, "lanes"));
    let next = answer.as_ref().ok().and_then(|answer| answer.get("next")).filter(|next| !next.is_null());
    html! {
        section {
            h2 { a href={ "/sinks/" (path_part(sink)) } { (outside(sink)) } }
            @if let Err(error) = answer { (problem::note("lane.list", error)) }
            @else if lanes.is_empty() { p.empty { "No parked lanes that fit." } }
            @for group in group(sink, lanes) { (group_view(app, &group)) }
            @if let Some(next) = next {
                p { "These are " (count(u64::try_from(lanes.len()).unwrap_or(u64::MAX))) " lanes. "
                    a href=(next_page(filter, sink, &shown(next))) { "Next lanes" } }
            }
        }
    }
}

fn next_page(filter: &LaneFilter, sink: &str, after: &str) -> String {
    let mut href = format!("/parked?sink={}&after={}", path_part(sink), path_part(after));
    for (name, text) in [("state", &filter.state), ("reason_contains", &filter.reason_contains)] {
        if let Some(text) = text {
            href += &format!("&{name}={}", path_part(text));
        }
    }
    href
}

fn group_view(app: &App, group: &Group<'_>) -> Markup {
    let lanes = group.lanes.len();
    let (open, folded) = group.lanes.split_at(lanes.min(OPEN_MAX));
    html! {
        div.group {
            div.group-head {
                (state(&group.state))
                h3 { (outside(&group.reason)) }
                span.dim { (lanes) (if lanes == 1 { " lane, " } else { " lanes, " }) (count(group.events())) " events" }
                (requeue_group(app, group))
            }
            (table(app, group.sink, open))
            @if !folded.is_empty() {
                details { summary { (folded.len()) " more lanes" } (table(app, group.sink, folded)) }
            }
        }
    }
}

/// The filters of the daemon are wider than a group: the preview says how many lanes they take.
fn requeue_group(app: &App, group: &Group<'_>) -> Markup {
    let mut body = json!({"sink": group.sink, "all": true, "state": group.state});
    if let (false, Some(members)) = (group.common.is_empty(), body.as_object_mut()) {
        members.insert("reason_contains".into(), json!(group.common));
    }
    html! {
        @if app.flags.actions {
            button type="button" data-title="Requeue lanes" data-path="/api/v1/lanes/requeue"
                data-body=(attribute_json(&body))
                data-preview="dry_run"
                data-text={ "Hands the waiting events out again, in order, for every " (visible(&group.state))
                    " lane whose reason contains “" (visible(&group.common)) "”." } { "Requeue all…" }
        } @else {
            details.how { summary { "How to requeue" }
                code { (shell(&["orderd", "lane", "requeue", group.sink, "--all", "--state", &group.state,
                    "--reason-contains", &group.common, "--dry-run"])) } }
        }
    }
}

fn table(app: &App, sink: &str, lanes: &[&Value]) -> Markup {
    html! {
        table.cards {
            (head(&[
                Text("Order"), Number("First sequence"), Number("Waiting"), Number("Attempts"), Text("Since"),
                Text("Next try"), Text("Reason"), Unseen("Actions"),
            ]))
            tbody { @for lane in lanes { (row(app, sink, lane)) } }
        }
    }
}

fn row(app: &App, sink: &str, lane: &Value) -> Markup {
    html! {
        tr {
            th scope="row" { (order_link(text(lane, "order_id"))) }
            (number_cell("First sequence", count_or_dash(number(lane, "first_sequence"))))
            (number_cell("Waiting", count_or_dash(number(lane, "events"))))
            (number_cell("Attempts", count_or_dash(number(lane, "attempts"))))
            (cell("Since", time(text(lane, "since").unwrap_or_default())))
            (cell("Next try", text(lane, "next_attempt_at").map_or_else(|| html! { (dash()) }, time)))
            (reason_cell("Reason", outside(text(lane, "reason").unwrap_or_default())))
            td.buttons { (lane_actions(app, sink, lane)) }
        }
    }
}

fn lane_actions(app: &App, sink: &str, lane: &Value) -> Markup {
    let order = text(lane, "order_id").unwrap_or_default();
    let first = number(lane, "first_sequence").unwrap_or_default();
    let key = format!("{}-{}", path_part(sink), path_part(order));
    let lane_path = format!("/api/v1/lanes/{}/{}", path_part(sink), path_part(order));
    let requeue = attribute_json(&json!({"sink": sink, "order_id": order}));
    let skip = attribute_json(&json!({"sink": sink, "order_id": order, "sequence": first}));
    html! {
        @if app.flags.actions {
            button type="button" id={ "requeue-" (key) } data-title={ "Requeue " (visible(order)) }
                data-path="/api/v1/lanes/requeue" data-body=(requeue) data-preview="dry_run"
                data-text="Hands its waiting events out again, in order." { "Requeue…" }
            " "
            button type="button" id={ "skip-" (key) } data-title={ "Skip an event of " (visible(order)) }
                data-path="/api/v1/lanes/skip" data-body=(skip) data-needs-reason data-lane=(lane_path)
                data-text={ "This sink never gets event " (first) ". The lane goes on after it. It cannot be undone." }
                { "Skip…" }
        } @else {
            details.how { summary { "How" }
                code { (shell(&["orderd", "lane", "requeue", sink, order])) }
                code { (shell(&["orderd", "lane", "skip", sink, order, &first.to_string(), "--reason", "TEXT"])) }
            }
        }
    }
}
