//! `orderd status`

use std::fmt::{self, Write as _};
use std::path::Path;

use serde::Deserialize;
use serde_json::json;

use super::client_args::ClientArgs;
use super::exit::Failure;
use super::order_view::read;
use super::output::print;

/// Show how the daemon is
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  orderd status\n  orderd status --json | jq .journal")]
pub struct StatusArgs {
    #[command(flatten)]
    client: ClientArgs,
}

pub(super) fn run(args: &StatusArgs, config: Option<&Path>) -> Result<(), Failure> {
    let result = args.client.call(config, "daemon.status", &json!({}))?;
    if args.client.json {
        return print(result.get());
    }
    let status: Status = read(&result)?;
    print(&status.to_string())
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
    sinks: Vec<Sink>,
}

#[derive(Debug, Deserialize)]
struct Journal {
    durable_lsn: u64,
    checkpoint_lsn: u64,
    bytes: u64,
    segments: u64,
}

#[derive(Debug, Deserialize)]
struct Orders {
    count: u64,
}

#[derive(Debug, Deserialize)]
struct Outbox {
    last_sequence: u64,
}

#[derive(Debug, Deserialize)]
struct Sink {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    state: String,
    acked_sequence: u64,
    lag_events: u64,
    lag_ms: u64,
    attempts: u64,
    last_error: Option<String>,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Journal { durable_lsn, checkpoint_lsn, bytes, segments } = &self.journal;
        writeln!(f, "orderd       {}, {}, up {}", self.version, self.state, duration(self.uptime_ms))?;
        writeln!(f, "orders       {}", self.orders.count)?;
        writeln!(f, "journal      durable lsn {durable_lsn}, checkpoint lsn {checkpoint_lsn}")?;
        writeln!(f, "             {} in {segments} segment{}", size(*bytes), if *segments == 1 { "" } else { "s" })?;
        writeln!(f, "outbox       last sequence {}", self.outbox.last_sequence)?;
        write!(f, "connections  {}", self.connections)?;
        if self.sinks.is_empty() {
            return write!(f, "\nsinks        none");
        }
        f.write_str("\n\n")?;
        f.write_str(&table(&self.sinks))
    }
}

fn table(sinks: &[Sink]) -> String {
    let heads = ["SINK", "TYPE", "STATE", "ACKED", "LAG", "AGE", "ATTEMPTS", "LAST ERROR"];
    let mut rows = vec![heads.map(str::to_owned)];
    rows.extend(sinks.iter().map(|sink| {
        [
            sink.name.clone(),
            sink.kind.clone(),
            sink.state.clone(),
            sink.acked_sequence.to_string(),
            sink.lag_events.to_string(),
            duration(sink.lag_ms),
            sink.attempts.to_string(),
            sink.last_error.as_deref().unwrap_or("-").replace(char::is_control, " "),
        ]
    }));
    let mut widths = [0; 8];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut table = String::new();
    for row in &rows {
        let mut line = String::new();
        for (width, cell) in widths.iter().zip(row) {
            write!(line, "{cell:<width$}  ").ok();
        }
        if !table.is_empty() {
            table.push('\n');
        }
        table.push_str(line.trim_end());
    }
    table
}

/// Two units are enough: "2 d 3 h", "4 min 5 s", "6 s", "7 ms".
fn duration(ms: u64) -> String {
    let (s, min, h) = (ms / 1000, ms / 60_000, ms / 3_600_000);
    let d = h / 24;
    match (d, h, min, s) {
        (1.., ..) => format!("{d} d {} h", h % 24),
        (0, 1.., ..) => format!("{h} h {} min", min % 60),
        (0, 0, 1.., _) => format!("{min} min {} s", s % 60),
        (0, 0, 0, 1..) => format!("{s} s"),
        (0, 0, 0, 0) => format!("{ms} ms"),
    }
}

fn size(bytes: u64) -> String {
    const UNITS: [(&str, u32); 4] = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    for (unit, shift) in UNITS {
        if bytes >> shift > 0 {
            let tenths = (u128::from(bytes) * 10) >> shift;
            return format!("{}.{} {unit}", tenths / 10, tenths % 10);
        }
    }
    format!("{bytes} bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_are_short() {
        let times = [(0, "0 ms"), (999, "999 ms"), (1000, "1 s"), (61_000, "1 min 1 s"), (3_600_000, "1 h 0 min")];
        for (ms, text) in times {
            assert_eq!(duration(ms), text);
        }
        assert_eq!(duration(90_000_000), "1 d 1 h");
        let sizes = [(0, "0 bytes"), (1023, "1023 bytes"), (1536, "1.5 KiB"), (67_108_864, "64.0 MiB")];
        for (bytes, text) in sizes {
            assert_eq!(size(bytes), text);
        }
        assert_eq!(size(u64::MAX), "16777215.9 TiB");
    }

    #[test]
    fn the_columns_of_the_sinks_are_aligned() {
        let sink = |name: &str, error: Option<&str>| Sink {
            name: name.into(),
            kind: "file".into(),
            state: "idle".into(),
            acked_sequence: 7,
            lag_events: 0,
            lag_ms: 0,
            attempts: 0,
            last_error: error.map(str::to_owned),
        };
        let table = table(&[sink("a", None), sink("a-long-name", Some("no\nroom"))]);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 3, "{table}");
        let columns: Vec<_> = lines.iter().map(|line| line.find("file").or(line.find("TYPE"))).collect();
        assert_eq!(columns, [Some(13); 3], "{table}");
        assert!(lines[2].ends_with("no room"), "{table}");
    }
}
