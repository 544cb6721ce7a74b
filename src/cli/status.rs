//! `orderd status`

use std::path::Path;

use serde::Deserialize;

use super::client_args::ClientArgs;
use super::exit::{Exit, Failure};
use super::order_view::read;
use super::output::print;
use super::params::Params;
use super::sink_view::{SinkView, sinks_table};
use super::table::fields;
use super::units::{count, duration, size};

/// Show daemon status
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    orderd status\n  \
    orderd status --json | jq .journal\n  \
    orderd status --check || echo 'orderd needs a look'\n\n\
    With --check it exits 0 only if commands are taken and no sink is retrying, blocked\n\
    or halted, else 1; 69 if no daemon answers.")]
pub struct StatusArgs {
    /// Exit 1, saying why, unless commands are taken and every sink is well
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    client: ClientArgs,
}

pub(super) fn run(args: &StatusArgs, config: Option<&Path>) -> Result<(), Failure> {
    let result = args.client.call(config, "daemon.status", &Params::default())?;
    if args.client.json {
        print(result.get())?;
        return if args.check { read::<Status>(&result)?.check() } else { Ok(()) };
    }
    let status: Status = read(&result)?;
    print(&status.text())?;
    if args.check { status.check() } else { Ok(()) }
}

#[derive(Debug, Deserialize)]
struct Status {
    version: String,
    uptime_ms: u64,
    state: String,
    journal: Journal,
    orders: Orders,
    outbox: Outbox,
    connections: u64,
    connections_max: Option<u64>,
    connections_refused_total: Option<u64>,
    commands_total: Option<u64>,
    overloaded_total: Option<u64>,
    sinks: Vec<SinkView>,
}

#[derive(Debug, Deserialize)]
struct Journal {
    durable_lsn: u64,
    checkpoint_lsn: u64,
    bytes: u64,
    segments: u64,
    bytes_max: Option<u64>,
    pinned_by: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Orders {
    count: u64,
}

#[derive(Debug, Deserialize)]
struct Outbox {
    last_sequence: u64,
}

impl Status {
    fn text(&self) -> String {
        let facts = fields([
            ("orderd", format!("{}, {}, up {}", self.version, self.state, duration(self.uptime_ms))),
            ("orders", self.orders.count.to_string()),
            ("journal", self.journal.text()),
            ("outbox", format!("last sequence {}", self.outbox.last_sequence)),
            ("commands", self.commands_text()),
            ("connections", self.connections_text()),
        ]);
        if self.sinks.is_empty() {
            return format!("{facts}\nsinks        none");
        }
        format!("{facts}\n\n{}", sinks_table(&self.sinks))
    }

    fn commands_text(&self) -> String {
        let taken = self.commands_total.map_or_else(|| "-".into(), |total| format!("{total} since the start"));
        let refused = self.overloaded_total.filter(|total| *total > 0);
        refused.map_or_else(|| taken.clone(), |refused| format!("{taken}, {refused} refused as overloaded"))
    }

    fn connections_text(&self) -> String {
        let mut text = self.connections.to_string();
        if let Some(most) = self.connections_max {
            text.push_str(&format!(" of {most}"));
        }
        if let Some(refused) = self.connections_refused_total.filter(|total| *total > 0) {
            text.push_str(&format!(", {refused} refused since the start"));
        }
        text
    }

    /// What a monitor wants to know: anything that somebody should look at.
    fn check(&self) -> Result<(), Failure> {
        let mut problems = Vec::new();
        if self.state != "ready" {
            problems.push(format!("no commands are taken: {}", self.state));
        }
        problems.extend(self.sinks.iter().filter_map(SinkView::problem));
        if problems.is_empty() { Ok(()) } else { Err(Failure::new(Exit::Refused, problems.join("\n"))) }
    }
}

impl Journal {
    fn text(&self) -> String {
        let mut text = format!("durable lsn {}, checkpoint lsn {}; ", self.durable_lsn, self.checkpoint_lsn);
        text.push_str(&size(self.bytes));
        if let Some(most) = self.bytes_max {
            text.push_str(&format!(" of {}", size(most)));
        }
        text.push_str(&format!(" in {}", count(self.segments, "segment")));
        if let Some(by) = &self.pinned_by {
            text.push_str(&format!(", pinned by {by}"));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(state: &str, sink_state: &str) -> Status {
        serde_json::from_value(serde_json::json!({
            "version": "1", "uptime_ms": 0, "state": state, "orders": {"count": 0}, "outbox": {"last_sequence": 0},
            "connections": 1,
            "journal": {"durable_lsn": 0, "checkpoint_lsn": 0, "bytes": 0, "segments": 1},
            "sinks": [{"name": "s", "type": "file", "state": sink_state, "acked_sequence": 0, "lag_events": 0,
                "lag_ms": 0, "attempts": 0, "last_error": null}]
        }))
        .unwrap()
    }

    #[test]
    fn only_a_daemon_that_takes_commands_with_sinks_that_are_well_passes_the_check() {
        for sink in ["idle", "delivering", "waiting", "paused", "stopped"] {
            assert!(status("ready", sink).check().is_ok(), "{sink}");
        }
        for sink in ["retrying", "blocked", "halted"] {
            let failure = status("ready", sink).check().unwrap_err();
            assert!(failure.exit == Exit::Refused && failure.message.contains(sink), "{failure}");
        }
        for state in ["storage_full", "store_unavailable", "draining"] {
            assert!(status(state, "idle").check().unwrap_err().message.contains(state));
        }
    }

    #[test]
    fn counts_of_one_are_no_plurals() {
        let text = status("ready", "idle").text();
        assert!(text.contains("1 segment\n") && text.contains("0 bytes"), "{text}");
    }
}
