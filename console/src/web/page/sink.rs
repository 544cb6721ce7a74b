//! One sink: how far, how fast, what failed.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::{Value, json};

use super::chart::{Fold, Frame, Line, chart};
use super::command::shell;
use super::format::{clock_time, count, count_or_dash, dash, duration_ms, measure, outside, path_part, visible};
use super::layout::{Place, not_found, page};
use super::overview::{eta, oldest, sink_status, state};
use super::parts::Column::{Number, Text};
use super::parts::{cell, fact, figure, head, number_cell, reason_cell};
use super::problem;
use super::value::{list, number, shown, text};
use crate::telemetry::{SinkSeries, SinkStatus};
use crate::web::app::App;

/// The windows that can be chosen: what the address says, and seconds.
const WINDOWS: [(&str, u64); 3] = [("5m", 300), ("15m", 900), ("1h", 3_600)];
/// What the page itself shows of a sink; other members of `sink.show` are its settings.
const SHOWN: [&str; 15] = [
    "name",
    "type",
    "state",
    "acked_sequence",
    "lag_events",
    "lag_ms",
    "attempts",
    "last_error",
    "in_flight",
    "parked_lanes",
    "parked_events",
    "delivered_total",
    "rate_events_per_s",
    "eta_ms",
    "attached",
];

/// Which window.
#[derive(Debug, Deserialize)]
pub struct SinkQuery {
    window: Option<String>,
}

/// `/sinks/NAME`
pub async fn sink(State(app): State<Arc<App>>, Path(name): Path<String>, Query(query): Query<SinkQuery>) -> Response {
    let snapshot = app.sampler.fresh().await;
    let title = format!("Sink {name}");
    let shown = app.daemon.query("sink.show", &json!({"sink": name})).await;
    let status = shown.as_ref().ok().and_then(|shown| serde::Deserialize::deserialize(shown.get("sink")?).ok());
    let Some(status) = status.or_else(|| sink_status(&snapshot, &name).cloned()) else {
        let content = match &shown {
            Err(error) if !problem::is_not_found(error) => problem::note("sink.show", error),
            _ => html! { p.empty { "The daemon has no sink of this name." } },
        };
        return not_found(&app, &snapshot, &title, &content);
    };
    let content = html! {
        @if let Err(error) = &shown { (problem::note("sink.show", error)) }
        (facts(&status))
        (actions(&app, &status))
        (charts(&app, &name, query.window.as_deref().unwrap_or_default()))
        @if let Ok(shown) = &shown { (failures(shown)) }
        (confirmation(&status))
        @if let Ok(shown) = &shown { (settings(shown)) }
    };
    page(&app, &snapshot, Place::Elsewhere, &title, &content)
}

fn facts(sink: &SinkStatus) -> Markup {
    html! {
        dl.figures #facts data-live {
            (figure("State", state(&sink.state), ""))
            (figure("Lag", count(sink.lag_events), "events"))
            (figure("Oldest", oldest(sink), ""))
            (figure("Delivered", sink.rate_events_per_s.map_or_else(dash, measure), "/s"))
            (figure("ETA", eta(sink), ""))
            (figure("In flight", count_or_dash(sink.in_flight), ""))
            (figure("Parked lanes", parked_link(sink), ""))
            (figure("Parked events", count(sink.parked_events), ""))
            (figure("Settled up to", count_or_dash(sink.acked_sequence), ""))
            (fact("Attached", sink.attached.as_deref().map_or_else(|| html! { (dash()) }, outside)))
            @if sink.attempts > 0 { (figure("Failures in a row", count(sink.attempts), "")) }
        }
        div #last-error data-live {
            @if let Some(error) = &sink.last_error {
                p.note { "Last error: " (outside(error)) }
            }
        }
    }
}

fn parked_link(sink: &SinkStatus) -> Markup {
    html! { a #parked-lanes href={ "/parked?sink=" (path_part(&sink.name)) } { (count(sink.parked_lanes)) } }
}

fn actions(app: &App, sink: &SinkStatus) -> Markup {
    let verbs = [
        ("pause", "Pause", "Nothing is handed out until it is resumed, also after a restart."),
        ("resume", "Resume", "Goes on after a pause, or after it was halted."),
        ("retry", "Retry now", "Ends every back-off now."),
    ];
    html! {
        div.actions {
            @for (verb, name, meaning) in verbs {
                @if app.flags.actions {
                    button type="button" title=(meaning) data-title={ (name) ": " (visible(&sink.name)) }
                        data-text=(meaning) data-body="{}"
                        data-path={ "/api/v1/sinks/" (path_part(&sink.name)) "/" (verb) } { (name) "…" }
                } @else {
                    span.how title=(meaning) { (name) ": " code { (shell(&["orderd", "sink", verb, &sink.name])) } }
                }
            }
        }
    }
}

fn charts(app: &App, name: &str, window: &str) -> Markup {
    let (window, window_s) = WINDOWS.into_iter().find(|(known, _)| *known == window).unwrap_or(("15m", 900));
    let frame = Frame { now_ms: crate::clock::unix_ms(), window_s, columns: 150 };
    let series = |series| app.sampler.history(|history| history.sink(name, series, frame.begin_ms()));
    let line = |name, kind| Line { name, series: series(kind) };
    let latency = [line("p50", SinkSeries::DeliveryP50), line("p99", SinkSeries::DeliveryP99)];
    html! {
        section aria-labelledby="progress" {
            h2 #progress { "Progress" }
            p.choices {
                "Last " @for (known, _) in WINDOWS {
                    a href={ "?window=" (known) } aria-current=[(known == window).then_some("true")] { (known) } " "
                }
            }
            div.charts #sink-charts data-live {
                (chart("Lag", "events", &[line("unsettled", SinkSeries::Lag)], frame, Fold::Max))
                (chart("Age of the oldest", "s", &[line("oldest", SinkSeries::Age)], frame, Fold::Max))
                (chart("Rate", "/s", &[line("delivered", SinkSeries::Rate)], frame, Fold::Mean))
                (chart("Latency of an attempt", "ms", &latency, frame, Fold::Max))
            }
        }
    }
}

fn failures(shown: &Value) -> Markup {
    let failures = list(shown, "failures");
    html! {
        section aria-labelledby="failures" {
            h2 #failures { "Last failures" }
            div #failure-list data-live {
                @if failures.is_empty() { p.empty { "None since the daemon's start." } }
                @else {
                    table.cards {
                        (head(&[
                            Text("At"), Number("Sequence"), Text("Order"), Number("Attempt"), Text("Outcome"),
                            Text("Reason"),
                        ]))
                        tbody { @for failure in newest_first(failures) { (failure_row(failure)) } }
                    }
                }
            }
        }
    }
}

/// Whichever way the daemon lists them.
fn newest_first(failures: &[Value]) -> Vec<&Value> {
    let mut sorted: Vec<_> = failures.iter().collect();
    sorted.sort_by_key(|failure| std::cmp::Reverse(text(failure, "at").unwrap_or_default()));
    sorted
}

fn failure_row(failure: &Value) -> Markup {
    html! {
        tr {
            (cell("At", clock_time(text(failure, "at").unwrap_or_default())))
            (number_cell("Sequence", count_or_dash(number(failure, "sequence"))))
            (cell("Order", order_link(text(failure, "order_id"))))
            (number_cell("Attempt", count_or_dash(number(failure, "attempt"))))
            (cell("Outcome", state(text(failure, "outcome").unwrap_or_default())))
            (reason_cell("Reason", outside(text(failure, "reason").unwrap_or_default())))
        }
    }
}

/// An order's id as a link to its page.
pub fn order_link(order: Option<&str>) -> Markup {
    html! {
        @match order {
            Some(order) => a.id href={ "/orders/" (path_part(order)) } { (outside(order)) },
            None => { (dash()) }
        }
    }
}

/// What an acknowledged event means there.
fn confirmation(sink: &SinkStatus) -> Markup {
    let program = sink.attached.as_deref().unwrap_or_default();
    let known = [
        ("webhook", "the endpoint answered with a status from 200 to 299"),
        ("nats", "JetStream answered with a PubAck: the stream has stored it, or knew it already"),
        ("kafka", "all in-sync replicas have it (acks=all, idempotent producer)"),
        ("rabbitmq", "the broker confirmed it and did not return it as unroutable"),
        ("redis", "XADD put it into the stream, or it was there already"),
        ("postgres", "the transaction that stored it has committed"),
    ];
    let connector = known.iter().find(|(name, _)| program.contains(&format!("orderd-sink-{name}")));
    let meaning = match (sink.kind.as_str(), connector) {
        ("file", _) => "the line was written and the file was synced to the disk",
        ("stdout", _) => "the line was written to standard output; what reads it is not known",
        (_, Some((_, meaning))) => meaning,
        (_, None) => "the attached program said that its target has it for good",
    };
    html! {
        section aria-labelledby="confirmation" {
            h2 #confirmation { "What delivered means here" }
            p { "Its type is " code { (outside(&sink.kind)) } ". An event counts as delivered when " (meaning) "." }
        }
    }
}

fn settings(shown_sink: &Value) -> Markup {
    let members = shown_sink.get("sink").and_then(Value::as_object);
    let settings: Vec<_> = members.into_iter().flatten().filter(|(name, _)| !SHOWN.contains(&name.as_str())).collect();
    html! {
        @if !settings.is_empty() {
            section aria-labelledby="settings" {
                h2 #settings { "Settings" }
                dl.settings {
                    @for (name, value) in settings {
                        div { dt { (outside(name)) } dd { (outside(&shown(value))) } }
                    }
                }
            }
        }
    }
}

/// Time that a lane or replay still takes.
pub fn eta_of(value: &Value) -> String {
    number(value, "eta_ms").map_or_else(dash, duration_ms)
}
