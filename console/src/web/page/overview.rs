//! The overview: is all well, and if not, where.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};

use super::chart::{Fold, Frame, Line, chart, sparkline};
use super::format::{bytes, count, count_or_dash, dash, duration_ms, measure, outside, path_part};
use super::layout::{Place, page};
use crate::telemetry::{GlobalSeries, SinkSeries, SinkStatus, Snapshot, Status};
use crate::web::app::App;

/// What the sparklines show.
const SPARK_S: u64 = 600;
/// What the charts of commands show.
const CHART_S: u64 = 600;

/// `/`
pub async fn overview(State(app): State<Arc<App>>) -> Response {
    let snapshot = app.sampler.fresh().await;
    let content = html! {
        @if let Some(status) = snapshot.status() {
            (figures(&app, status))
            (sinks(&app, status))
            (commands(&app))
        }
    };
    page(&app, &snapshot, Place::Overview, "Overview", &content)
}

fn figures(app: &App, status: &Status) -> Markup {
    let newest = |series| {
        let from = crate::clock::unix_ms().saturating_sub(5_000);
        let series = app.sampler.history(|history| history.global(series, from));
        series.0.iter().rev().map(|(_, value)| f64::from(*value)).find(|value| value.is_finite())
    };
    let measured = |value: Option<f64>| value.map_or_else(dash, measure);
    let journal = &status.journal;
    html! {
        dl.figures #figures data-live {
            div { dt { "State" } dd { (state(&status.state)) } }
            div { dt { "Orders" } dd { (count_or_dash(status.orders.count)) } }
            div { dt { "Events" } dd { (count_or_dash(status.outbox.last_sequence)) } }
            div { dt { "Commands" } dd { (measured(newest(GlobalSeries::Commands))) small { "/s" } } }
            div { dt { "Latency p99" } dd { (measured(newest(GlobalSeries::CommandP99))) small { "ms" } } }
            div {
                dt { "Journal" }
                dd {
                    (journal.bytes.map_or_else(dash, bytes))
                    @if let Some(max) = journal.bytes_max { small { "of " (bytes(max)) } }
                }
            }
            div {
                dt { "Connections" }
                dd {
                    (count(status.connections))
                    @if let Some(max) = status.connections_max { small { "of " (count(max)) } }
                }
            }
            @if let Some(overloaded) = status.overloaded_total.filter(|overloaded| *overloaded > 0) {
                div { dt { "Overloaded" } dd { (count(overloaded)) } }
            }
        }
    }
}

/// A state as a coloured word; the word alone says everything.
pub fn state(state: &str) -> Markup {
    let tone = match state {
        "idle" | "delivering" | "ready" | "running" | "done" | "delivered" | "completed" => "good",
        "retrying" | "waiting" | "draining" | "parked" | "requeued" | "pending" | "in_flight" => "warn",
        "blocked" | "halted" | "storage_full" | "store_unavailable" | "rejected" => "bad",
        _ => "dim",
    };
    html! { span.state data-tone=(tone) { (outside(&state.replace('_', " "))) } }
}

fn sinks(app: &App, status: &Status) -> Markup {
    html! {
        section aria-labelledby="sinks" {
            h2 #sinks { "Sinks" }
            @if status.sinks.is_empty() { p.empty { "No sinks are configured." } }
            @else {
                table.cards #sink-table data-live {
                    thead { tr {
                        th scope="col" { "Sink" } th scope="col" { "State" }
                        th.number scope="col" { "Lag" } th.number scope="col" { "Oldest" }
                        th.number scope="col" { "Delivered/s" } th scope="col" { "10 min" }
                        th.number scope="col" { "Parked lanes" } th.number scope="col" { "ETA" }
                        th scope="col" { "Last error" }
                    } }
                    tbody { @for sink in &status.sinks { (row(app, sink)) } }
                }
            }
        }
    }
}

fn row(app: &App, sink: &SinkStatus) -> Markup {
    let frame = Frame { now_ms: crate::clock::unix_ms(), window_s: SPARK_S, columns: 60 };
    let rates = app.sampler.history(|history| history.sink(&sink.name, SinkSeries::Rate, frame.from_ms()));
    let rate = sink.rate_events_per_s.or_else(|| rates.0.last().map(|(_, rate)| f64::from(*rate)));
    let name = path_part(&sink.name);
    html! {
        tr {
            th scope="row" {
                a href={ "/sinks/" (name) } id={ "sink-" (name) } { (outside(&sink.name)) }
                small { (outside(&sink.kind)) }
            }
            td data-label="State" { (state(&sink.state)) }
            td.number data-label="Lag" { (count(sink.lag_events)) }
            td.number data-label="Oldest" { (oldest(sink)) }
            td.number data-label="Delivered/s" { (rate.map_or_else(dash, measure)) }
            td data-label="10 min" { (sparkline("Delivered per second", &rates, frame)) }
            td.number data-label="Parked lanes" {
                @if sink.parked_lanes > 0 {
                    a href={ "/parked?sink=" (name) } id={ "parked-" (name) } { (count(sink.parked_lanes)) }
                } @else { "0" }
            }
            td.number data-label="ETA" { (eta(sink)) }
            td.error data-label="Last error" {
                @match sink.last_error.as_deref().and_then(|error| error.lines().next()) {
                    Some(error) => span title=(super::format::visible(error)) { (outside(error)) },
                    None => { (dash()) }
                }
            }
        }
    }
}

/// The age of the oldest event that is not settled.
pub fn oldest(sink: &SinkStatus) -> String {
    if sink.lag_events == 0 { dash() } else { sink.lag_ms.map_or_else(dash, duration_ms) }
}

/// When the lag will be gone.
pub fn eta(sink: &SinkStatus) -> String {
    match (sink.lag_events, sink.eta_ms) {
        (0, _) => dash(),
        (_, Some(eta)) => duration_ms(eta),
        (_, None) => "never".to_owned(),
    }
}

fn commands(app: &App) -> Markup {
    let frame = Frame { now_ms: crate::clock::unix_ms(), window_s: CHART_S, columns: 150 };
    let series = |series| app.sampler.history(|history| history.global(series, frame.from_ms()));
    html! {
        section aria-labelledby="commands" {
            h2 #commands { "Commands" }
            div.charts #command-charts data-live {
                (chart("Throughput", "/s", &[Line { name: "commands", series: series(GlobalSeries::Commands) }], frame, Fold::Mean))
                (chart("Latency until durable", "ms", &[
                    Line { name: "p50", series: series(GlobalSeries::CommandP50) },
                    Line { name: "p99", series: series(GlobalSeries::CommandP99) },
                ], frame, Fold::Max))
            }
        }
    }
}

/// The status of a sink, if there is a status at all.
pub fn sink_status<'a>(snapshot: &'a Snapshot, name: &str) -> Option<&'a SinkStatus> {
    snapshot.status().and_then(|status| status.sink(name))
}
