//! The console before a real daemon.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::metrics::promtool;
use crate::support::console::Console;
use crate::support::eventually;

const CUSTOMER: &str = "7d444840-9dc0-11d1-b245-5ffdce74fad2";
const CONFIG: &str = "[daemon]\ndata_dir = 'data'\nsocket = 'orderd.sock'\n\
     [[sinks]]\nname = 'events'\ntype = 'file'\npath = 'events.ndjson'\n";

/// The daemon of the same build, up to date.
fn orderd() -> PathBuf {
    let console = Path::new(env!("CARGO_BIN_EXE_orderd-console"));
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--package", "orderd", "--bin", "orderd"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    if !cfg!(debug_assertions) {
        build.arg("--release");
    }
    assert!(build.status().unwrap().success());
    console.with_file_name("orderd")
}

/// A daemon with one file sink; killed when it is dropped.
struct Daemon {
    dir: TempDir,
    program: PathBuf,
    process: Child,
}

impl Daemon {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("config.toml"), CONFIG).unwrap();
        let program = orderd();
        let process = serve(&program, dir.path());
        Self { dir, program, process }
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("orderd.sock")
    }

    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    fn start_again(&mut self) {
        self.process = serve(&self.program, self.dir.path());
    }

    /// A client command with `--json`.
    fn run(&self, arguments: &[&str]) -> Value {
        let mut command = Command::new(&self.program);
        let output = command.args(arguments).arg("--json").arg("--socket").arg(self.socket()).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

fn serve(program: &Path, dir: &Path) -> Child {
    let mut command = Command::new(program);
    command.arg("serve").arg("--config").arg(dir.join("config.toml"));
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

#[test]
fn a_first_order_is_on_its_page() {
    let daemon = Daemon::start();
    let console = Console::start(&daemon.socket(), &[]);
    eventually("it is ready", || (console.get("/readyz").code == 200).then_some(()));
    let placed = daemon.run(&["place", "--customer-id", CUSTOMER, "--total-amount", "129900"]);
    let order = placed["order"]["order_id"].as_str().unwrap();
    let page = console.get(&format!("/orders/{order}"));
    assert_eq!(page.code, 200);
    assert!(page.body.contains("129,900") && page.body.contains(CUSTOMER), "{}", page.body);
    eventually("it is counted", || (console.get("/api/v1/status").json()["orders"]["count"] == 1).then_some(()));
    let delivered = || console.get("/api/v1/status").json()["sinks"][0]["acked_sequence"].clone();
    eventually("it is delivered", || (delivered() == 1).then_some(()));
    assert_eq!(console.get("/orders/nonsense").code, 404);
}

#[test]
fn a_killed_daemon_is_missed_and_found_again() {
    let mut daemon = Daemon::start();
    let console = Console::start(&daemon.socket(), &[]);
    let ready = |code: u16| eventually("readiness changes", || (console.get("/readyz").code == code).then_some(()));
    ready(200);
    daemon.kill();
    ready(503);
    daemon.start_again();
    ready(200);
    for page in ["/", "/parked", "/storage", "/sinks/events"] {
        let reply = console.get(page);
        assert!(reply.code == 200 && !reply.body.contains("No daemon."), "{page}: {}", reply.body);
    }
}

#[test]
fn every_metric_that_alerts_and_graphs_use_is_there() {
    let daemon = Daemon::start();
    let console = Console::start(&daemon.socket(), &[]);
    eventually("it is delivered", || {
        let metrics = console.get("/metrics").body;
        metrics.contains("orderd_sink_state{").then_some(())
    });
    let metrics = console.get("/metrics").body;
    promtool(&["check", "metrics"], &metrics).unwrap_or_else(|said| panic!("{said}\n{metrics}"));
    let packaging = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging");
    let mut names = BTreeSet::new();
    for file in ["prometheus/orderd.rules.yml", "grafana/orderd.json"] {
        let text = std::fs::read_to_string(packaging.join(file)).unwrap();
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        names.extend(
            words.filter(|word| word.starts_with("orderd_")).map(|word| word.trim_end_matches("_bucket").to_owned()),
        );
    }
    assert!(names.len() > 15, "{names:?}");
    let missing: Vec<_> = names.iter().filter(|name| !metrics.contains(&format!("# TYPE {name} "))).collect();
    assert!(missing.is_empty(), "{missing:?} are not in\n{metrics}");
}
