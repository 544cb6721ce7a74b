//! The example consumers, between kills.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use orderd_sink_testing::{FakeDaemon, Home, RealDaemon, event, eventually, orders};

/// Kills of each side.
const KILLS: usize = 10;

fn example(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(file)
}

struct Consumer(Child);

impl Consumer {
    /// On the daemon with this folder; both kinds of daemons have the same socket and sink.
    fn python(dir: &Path) -> Self {
        let mut command = Command::new("python3");
        command.arg(example("python/consumer.py")).arg("--socket").arg(dir.join("orderd.sock"));
        command.args(["--sink", Home::SINK, "--database"]).arg(dir.join("inbox.db"));
        Self(command.stderr(Stdio::null()).spawn().unwrap())
    }

    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn query(dir: &Path, sql: &str) -> String {
    let script = "import sqlite3, sys; print(*sqlite3.connect(sys.argv[1]).execute(sys.argv[2]).fetchall(), sep='\\n')";
    let output = Command::new("python3").args(["-c", script]).arg(dir.join("inbox.db")).arg(sql).output();
    String::from_utf8(output.unwrap().stdout).unwrap().trim().to_owned()
}

#[test]
fn the_python_consumer_keeps_each_event_once_through_kills_of_either_side() {
    let mut daemon = FakeDaemon::start();
    let events = orders(2_000);
    daemon.publish(events.clone());
    let mut consumer = Consumer::python(daemon.dir());
    for kill in 1..=2 * KILLS {
        daemon.wait_delivered(kill * events.len() / (2 * KILLS + 5));
        if kill % 2 == 0 {
            daemon.go_away();
            daemon.come_back();
        } else {
            consumer.kill();
            consumer = Consumer::python(daemon.dir());
        }
    }
    daemon.wait_delivered(events.len());
    let count = query(daemon.dir(), "SELECT count(*), count(DISTINCT id), min(sequence), max(sequence) FROM inbox");
    assert_eq!(count, "(6000, 6000, '00000000000000000001', '00000000000000006000')");
}

#[test]
fn the_python_consumer_takes_the_newer_history_after_a_restore_and_parks_what_it_cannot_read() {
    let daemon = FakeDaemon::start();
    let _consumer = Consumer::python(daemon.dir());
    let restored = event(1, 1, 1).replace("4e842ec4", "aaaaaaaa").replace("\"storeepoch\":1", "\"storeepoch\":2");
    let nonsense = event(3, 3, 1).replace("\"storeepoch\":1,", "");
    daemon.publish([event(1, 1, 1), restored, nonsense]);
    daemon.replay("r-1", [event(1, 1, 1)]);
    daemon.wait_delivered(3);
    daemon.wait_told("rejected", |told| matches!(told, orderd_sink_testing::Told::Rejected { sequence: 3, .. }));
    assert_eq!(query(daemon.dir(), "SELECT epoch, substr(id, 1, 8) FROM inbox"), "(2, 'aaaaaaaa')");
}

#[test]
fn the_shell_consumer_loses_nothing_through_kills_of_the_daemon() {
    let mut daemon = FakeDaemon::start();
    let file = daemon.dir().join("events.ndjson");
    let mut command = Command::new(example("shell/consumer.sh"));
    command.arg(daemon.socket()).arg(Home::SINK).arg(&file).stderr(Stdio::null());
    let _consumer = Consumer(command.spawn().unwrap());
    let events = orders(60);
    daemon.publish(events.clone());
    for kill in 1..=3 {
        daemon.wait_delivered(kill * 40);
        daemon.go_away();
        daemon.come_back();
    }
    daemon.wait_delivered(events.len());
    eventually("every line", || {
        let text = std::fs::read_to_string(&file).unwrap();
        events.iter().all(|event| text.lines().any(|line| line == event)).then_some(())
    });
}

#[test]
fn the_python_consumer_gets_everything_from_the_real_daemon_through_kills_of_either_side() {
    let mut daemon = RealDaemon::start("");
    let mut consumer = Consumer::python(daemon.dir());
    for kill in 1..=KILLS {
        daemon.work(30);
        if kill % 2 == 0 {
            daemon.kill();
            daemon.come_back();
        } else {
            consumer.kill();
            consumer = Consumer::python(daemon.dir());
        }
    }
    daemon.work(30);
    let events = daemon.wait_settled().len();
    assert_eq!(events, 90 * (KILLS + 1));
    let count = query(daemon.dir(), "SELECT count(*), count(DISTINCT id), max(sequence) FROM inbox");
    assert_eq!(count, format!("({events}, {events}, '{events:020}')"));
    // It stops in good order.
    rustix::process::kill_process(rustix::process::Pid::from_child(&consumer.0), rustix::process::Signal::TERM)
        .unwrap();
    let ended = eventually("its end", || consumer.0.try_wait().unwrap());
    assert!(ended.success(), "{ended}");
}
