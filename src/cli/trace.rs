//! `orderd trace`

use std::path::Path;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::client_args::ClientArgs;
use super::exit::Failure;
use super::order_view::{OrderView, read};
use super::params::Params;
use super::table::{or_dash, table};
use super::terminal::one_line;
use crate::domain::OrderId;

/// Show where an order is: its state, its events, and each sink's progress with them
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    orderd trace 01890a5d-ac96-774b-bcce-b302099a8057\n  \
    orderd trace 01890a5d-ac96-774b-bcce-b302099a8057 --json | jq '.events[].sinks'")]
pub struct TraceArgs {
    /// The order, a UUID
    order_id: OrderId,
    #[command(flatten)]
    client: ClientArgs,
}

#[derive(Deserialize)]
struct Trace {
    order: OrderView,
    events: Vec<Event>,
    complete: bool,
}

#[derive(Deserialize)]
struct Event {
    sequence: u64,
    #[serde(rename = "type")]
    kind: String,
    id: String,
    orderversion: u64,
    time: String,
    reason: Option<String>,
    sinks: Vec<Progress>,
}

#[derive(Deserialize)]
struct Progress {
    name: String,
    state: String,
    attempts: u64,
    reason: Option<String>,
}

pub(super) fn run(args: &TraceArgs, config: Option<&Path>) -> Result<(), Failure> {
    args.client.show(config, "order.trace", &Params::default().with("order_id", args.order_id), text)
}

fn text(result: &RawValue) -> Result<String, Failure> {
    let trace: Trace = read(result)?;
    let mut text = trace.order.to_string();
    for event in &trace.events {
        text.push_str("\n\n");
        text.push_str(&event.text());
    }
    if !trace.complete {
        text.push_str("\n\nolder events of this order have left the journal");
    }
    Ok(text)
}

impl Event {
    fn text(&self) -> String {
        let Self { sequence, kind, id, orderversion, time, reason, sinks } = self;
        let mut text = one_line(&format!("{kind}, version {orderversion}, sequence {sequence}, {time}, id {id}"));
        if let Some(reason) = reason {
            text.push_str(&format!("\n  reason: {}", one_line(reason)));
        }
        let rows = sinks.iter().map(|sink| {
            [sink.name.clone(), sink.state.clone(), sink.attempts.to_string(), or_dash(sink.reason.clone())]
        });
        for line in table(["SINK", "STATE", "ATTEMPTS", "REASON"], rows).lines() {
            text.push_str(&format!("\n  {line}"));
        }
        text
    }
}
