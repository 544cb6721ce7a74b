//! The overview: is all well, and if not, where.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};

use super::chart::{Fold, Frame, Line, chart, sparkline};
use super::format::{bytes, count, count_or_dash, dash, duration_ms, measure, outside, path_part};
use super::layout::{Place, page};
use super::parts::Column::{Number, Text};
use super::parts::{cell, figure, head, number_cell, of_max};
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
            (figure("State", state(&status.state), ""))
            (figure("Orders", count_or_dash(status.orders.count), ""))
            (figure("Events", count_or_dash(status.outbox.last_sequence), ""))
            (figure("Commands", measured(newest(GlobalSeries::Commands)), "/s"))
            (figure("Commit p99", measured(newest(GlobalSeries::CommandP99)), "ms"))
            (figure("Journal", journal.bytes.map_or_else(dash, bytes), of_max(journal.bytes_max, bytes)))
            (figure("Connections", count(status.connections), of_max(status.connections_max, count)))
            @if let Some(overloaded) = status.overloaded_total.filter(|overloaded| *overloaded > 0) {
                (figure("Overloaded", count(overloaded), "commands"))
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
                    (head(&[
                        Text("Sink"), Text("State"), Number("Lag"), Number("Oldest"), Number("Delivered/s"),
                        Text("10 min"), Number("Parked lanes"), Number("ETA"), Text("Last error"),
                    ]))
                    tbody { @for sink in &status.sinks { (row(app, sink)) } }
                }
            }
        }
    }
}

fn row(app: &App, sink: &SinkStatus) -> Markup {
    let frame = Frame { now_ms: crate::clock::unix_ms(), window_s: SPARK_S, columns: 60 };
    let rates = app.sampler.history(|history| history.sink(&sink.name, SinkSeries::Rate, frame.begin_ms()));
    let rate = sink.rate_events_per_s.or_else(|| rates.0.last().map(|(_, rate)| f64::from(*rate)));
    let name = path_part(&sink.name);
    html! {
        tr {
            th scope="row" {
                a href={ "/sinks/" (name) } id={ "sink-" (name) } { (outside(&sink.name)) }
                small { (outside(&sink.kind)) }
            }
            (cell("State", state(&sink.state)))
            (number_cell("Lag", count(sink.lag_events)))
            (number_cell("Oldest", oldest(sink)))
            (number_cell("Delivered/s", rate.map_or_else(dash, measure)))
            (cell("10 min", sparkline("Delivered per second", &rates, frame)))
            td.number data-label="Parked lanes" {
                @if sink.parked_lanes > 0 {
                    a href={ "/parked?sink=" (name) } id={ "parked-" (name) } { (count(sink.parked_lanes)) }
                } @else { "0" }
            }
            (number_cell("ETA", eta(sink)))
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

/// Behind for less than this is no delay to speak of.
const PROMPT_MS: u64 = 10_000;

/// When the lag will be gone.
pub fn eta(sink: &SinkStatus) -> String {
    match (sink.lag_events, sink.eta_ms) {
        (0, _) => dash(),
        (_, Some(eta)) => duration_ms(eta),
        (_, None) if sink.lag_ms.is_some_and(|age| age < PROMPT_MS) => dash(),
        (_, None) => "never".to_owned(),
    }
}

fn commands(app: &App) -> Markup {
    let frame = Frame { now_ms: crate::clock::unix_ms(), window_s: CHART_S, columns: 150 };
    let line =
        |name, series| Line { name, series: app.sampler.history(|history| history.global(series, frame.begin_ms())) };
    let throughput = [line("commands", GlobalSeries::Commands)];
    let latency = [line("p50", GlobalSeries::CommandP50), line("p99", GlobalSeries::CommandP99)];
    html! {
        section aria-labelledby="commands" {
            h2 #commands { "Commands" }
            div.charts #command-charts data-live {
                (chart("Throughput", "/s", &throughput, frame, Fold::Mean))
                (chart("Commit latency", "ms", &latency, frame, Fold::Max))
            }
        }
    }
}

/// The status of a sink, if there is a status at all.
pub fn sink_status<'a>(snapshot: &'a Snapshot, name: &str) -> Option<&'a SinkStatus> {
    snapshot.status().and_then(|status| status.sink(name))
}
