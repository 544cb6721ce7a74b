//! The journal, replays, and who decided what.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use serde_json::Value;

use super::format::{bytes, clock_time, count, count_or_dash, dash, outside, path_part, visible};
use super::layout::{Place, page};
use super::overview::state;
use super::parts::Column::{Number, Text, Unseen};
use super::parts::{cell, fact, figure, head, number_cell, of_max, reason_cell};
use super::problem;
use super::sink::{eta_of, order_link};
use super::value::{list, number, shown, text};
use crate::daemon::CallError;
use crate::telemetry::{Journal, Snapshot, Status};
use crate::web::app::App;

/// `/storage`
pub async fn storage(State(app): State<Arc<App>>) -> Response {
    let snapshot = app.sampler.fresh().await;
    let replays = app.daemon.query("replay.list", &Value::Null).await;
    let end = snapshot.status().and_then(|status| status.journal.durable_lsn).unwrap_or_default();
    let decisions = app.decisions.newest(&app.daemon, end).await;
    let content = html! {
        @if let Some(status) = snapshot.status() { (journal(&status.journal)) (positions(status)) }
        (replay_section(&app, &snapshot, &replays))
        (decision_section(&decisions))
    };
    page(&app, &snapshot, Place::Storage, "Storage and jobs", &content)
}

fn journal(journal: &Journal) -> Markup {
    let redo = journal.durable_lsn.zip(journal.checkpoint_lsn).map(|(end, from)| end.saturating_sub(from));
    let share = match (journal.bytes, journal.bytes_max) {
        (Some(used), Some(max)) if max > 0 => Some((used, max)),
        (_, _) => None,
    };
    html! {
        section aria-labelledby="journal" {
            h2 #journal { "Journal" }
            dl.figures #journal-figures data-live {
                (figure("Durable up to", count_or_dash(journal.durable_lsn), "LSN"))
                (figure("Checkpoint", count_or_dash(journal.checkpoint_lsn), "LSN"))
                (figure("A restart redoes", redo.map_or_else(dash, count), "plans"))
                (figure("Segments", count_or_dash(journal.segments), ""))
                (figure("Size", journal.bytes.map_or_else(dash, bytes), of_max(journal.bytes_max, bytes)))
                (fact("Oldest segment kept by", outside(journal.pinned_by.as_deref().unwrap_or("nothing"))))
            }
            @if let Some((used, max)) = share {
                div #budget data-live {
                    meter min="0" max=(max) high=(max / 5 * 4) value=(used) aria-label="Share of the limit in use" {
                        (bytes(used)) " of " (bytes(max))
                    }
                }
            }
        }
    }
}

fn positions(status: &Status) -> Markup {
    html! {
        section aria-labelledby="positions" {
            h2 #positions { "Where the sinks are" }
            table.cards #position-table data-live {
                (head(&[Text("Sink"), Number("Settled up to"), Number("Behind"), Number("Parked events")]))
                tbody {
                    @for sink in &status.sinks {
                        tr {
                            th scope="row" { a href={ "/sinks/" (path_part(&sink.name)) } { (outside(&sink.name)) } }
                            (number_cell("Settled up to", count_or_dash(sink.acked_sequence)))
                            (number_cell("Behind", count(sink.lag_events)))
                            (number_cell("Parked events", count(sink.parked_events)))
                        }
                    }
                }
            }
        }
    }
}

fn replay_section(app: &App, snapshot: &Snapshot, replays: &Result<Value, CallError>) -> Markup {
    html! {
        section aria-labelledby="replays" {
            h2 #replays { "Replays" }
            div #replay-list data-live {
                @match replays {
                    Err(error) => { (problem::note("replay.list", error)) }
                    Ok(answer) if list(answer, "replays").is_empty() => p.empty { "No replay was started." },
                    Ok(answer) => table.cards {
                        (head(&[
                            Text("Replay"), Text("Sink"), Text("State"), Text("Progress"), Number("Delivered"),
                            Number("Failed"), Number("Remaining"), Number("ETA"), Unseen("Actions"),
                        ]))
                        tbody { @for replay in list(answer, "replays") { (replay_row(app, replay)) } }
                    },
                }
            }
            @if app.flags.actions { (replay_form(snapshot)) }
            @else {
                p.how { "Start one with " code { "orderd replay start SINK --from X --to Y --dry-run" } }
            }
        }
    }
}

fn replay_row(app: &App, replay: &Value) -> Markup {
    let id = replay.get("replay_id").map(shown).unwrap_or_default();
    let of = |name| number(replay, name).unwrap_or_default();
    let done = of("delivered").saturating_add(of("failed"));
    let all = done.saturating_add(of("remaining")).max(1);
    html! {
        tr {
            th.id scope="row" { (outside(&id)) }
            (cell("Sink", outside(text(replay, "sink").unwrap_or_default())))
            (cell("State", state(text(replay, "state").unwrap_or_default())))
            td data-label="Progress" {
                progress max=(all) value=(done) aria-label={ "Progress of replay " (visible(&id)) } {}
            }
            (number_cell("Delivered", count_or_dash(number(replay, "delivered"))))
            (number_cell("Failed", count_or_dash(number(replay, "failed"))))
            (number_cell("Remaining", count_or_dash(number(replay, "remaining"))))
            (number_cell("ETA", eta_of(replay)))
            td.buttons {
                @if app.flags.actions && text(replay, "state") == Some("running") {
                    button type="button" id={ "cancel-" (path_part(&id)) }
                        data-title={ "Cancel replay " (visible(&id)) }
                        data-path={ "/api/v1/replays/" (path_part(&id)) "/cancel" } data-body="{}"
                        data-text="What it has delivered stays delivered." { "Cancel…" }
                }
            }
        }
    }
}

fn replay_form(snapshot: &Snapshot) -> Markup {
    let sinks = snapshot.status().map_or(&[][..], |status| &status.sinks);
    html! {
        form.filter #replay-form data-title="Start a replay" data-path="/api/v1/replays" data-preview="dry_run"
            data-text="Hands a range of the journal to one sink again, beside the live events." {
            label { "Sink "
                select name="sink" required {
                    @for sink in sinks { option value=(sink.name) { (visible(&sink.name)) } }
                }
            }
            label { "From " input name="from" required autocomplete="off" placeholder="sequence or time"; }
            label { "To " input name="to" required autocomplete="off" placeholder="sequence or time"; }
            label { "Events/s " input name="rate_events_per_s_max" type="number" min="1" placeholder="500"; }
            button { "Preview…" }
        }
    }
}

fn decision_section(decisions: &Result<Vec<Value>, CallError>) -> Markup {
    html! {
        section aria-labelledby="decisions" {
            h2 #decisions { "Decisions" }
            div #decision-list data-live {
                @match decisions {
                    Err(error) => { (problem::note("decision.list", error)) }
                    Ok(decisions) if decisions.is_empty() => p.empty { "The journal holds no decision." },
                    Ok(decisions) => table.cards {
                        (head(&[
                            Number("LSN"), Text("At"), Text("Decision"), Text("Sink"), Text("Of"), Number("User"),
                            Text("Reason"),
                        ]))
                        tbody { @for decision in decisions { (decision_row(decision)) } }
                    },
                }
            }
        }
    }
}

fn decision_row(record: &Value) -> Markup {
    let decision = record.get("delivery").unwrap_or(record);
    let range = (decision.get("from"), decision.get("to"));
    html! {
        tr {
            (number_cell("LSN", count_or_dash(number(record, "lsn"))))
            (cell("At", clock_time(text(decision, "at").unwrap_or_default())))
            (cell("Decision", outside(&text(decision, "kind").unwrap_or_default().replace('_', " "))))
            (cell("Sink", outside(text(decision, "sink").unwrap_or_default())))
            td data-label="Of" {
                @if let Some(order) = text(decision, "order_id") { (order_link(Some(order))) " " }
                @if let Some(sequence) = number(decision, "sequence") { small { "event " (count(sequence)) } }
                @if let (Some(from), Some(to)) = range {
                    small { "events " (outside(&shown(from))) " to " (outside(&shown(to))) }
                }
            }
            (number_cell("User", decision.get("uid").map(shown).unwrap_or_default()))
            (reason_cell("Reason", outside(text(decision, "reason").unwrap_or_default())))
        }
    }
}
