//! `/metrics`, read by Prometheus' own tool.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::support::console::Console;
use crate::support::fake_daemon::FakeDaemon;
use crate::support::world::World;

/// Debian: apt-get install prometheus.
pub fn promtool(arguments: &[&str], input: &str) -> Result<(), String> {
    let mut tool = Command::new("promtool")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is missing: install Debian's package prometheus");
    tool.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = tool.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(said.into_owned()) }
}

#[test]
fn promtool_finds_nothing_to_complain_about() {
    let daemon = FakeDaemon::start(World::busy());
    let console = Console::start(&daemon.socket(), &[]);
    for path in ["/", "/nowhere", "/api/v1/status"] {
        console.get(path);
    }
    let reply = console.get("/metrics");
    assert_eq!(reply.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    promtool(&["check", "metrics"], &reply.body).unwrap_or_else(|said| panic!("{said}\n{}", reply.body));
    for line in [
        "orderd_sink_lag_events{sink=\"search-index\"} 18734",
        "orderd_commit_duration_seconds_bucket{le=\"+Inf\"}",
        "orderd_console_daemon_up 1",
        "orderd_console_http_requests_total{path=\"other\",code=\"404\"} 1",
        "orderd_console_http_requests_total{path=\"/\",code=\"200\"} 1",
    ] {
        assert!(reply.body.contains(line), "{line} is not in\n{}", reply.body);
    }
    drop(daemon);
}

#[test]
fn hostile_names_and_labels_do_not_break_the_text() {
    let mut world = World::busy();
    world.metrics = Some(json!({"metrics": [
        {"name": "orderd_good", "kind": "gauge", "help": "line\nbreak \\ and \"quote\"", "samples": [
            {"labels": {"sink": "a\"} 1\norderd_evil 1 #\\"}, "value": 1},
        ]},
        {"name": "x 1\norderd_evil", "kind": "gauge", "help": "", "samples": [{"labels": {}, "value": 1}]},
        {"name": "orderd_console_daemon_up", "kind": "gauge", "help": "twice", "samples": [{"labels": {}, "value": 7}]},
        {"name": "orderd_odd", "kind": "riddle", "help": "", "samples": []},
    ]}));
    let daemon = FakeDaemon::start(world);
    let console = Console::start(&daemon.socket(), &[]);
    let body = console.get("/metrics").body;
    promtool(&["check", "metrics"], &body).unwrap_or_else(|said| panic!("{said}\n{body}"));
    assert!(!body.lines().any(|line| line.starts_with("orderd_evil")), "{body}");
    assert!(!body.contains("orderd_console_daemon_up 7"), "{body}");
    assert!(body.contains("orderd_console_metrics_left_out 3\n"), "{body}");
}
