//! Logs on standard error: as configured, without what clients said.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{Client, DEADLINE, Daemon, Store, events_of, eventually, request, uuid};

#[test]
fn logs_never_carry_payloads_or_control_characters() {
    for format in ["text", "json"] {
        let store = Store::with("", &format!("[log]\nlevel = \"trace\"\nformat = \"{format}\"\n"));
        let mut daemon = Daemon::start(&store);
        let mut client = Client::connect(&store);
        let (customer, canary) = (uuid(), "canary-in-a-reason");
        let params = json!({"customer_id": customer, "total_amount": 987_654_321});
        let placed = client.result("order.place", params);
        let order = placed["order"]["order_id"].clone();
        client.result("order.cancel", json!({"order_id": order, "reason": canary}));
        client.call("order.cancel", json!({"order_id": order, "reason": canary})).unwrap_err();
        client.call("order.cancel", json!({"order_id": canary})).unwrap_err();
        client.ask(&request(&json!("id-canary\u{1b}[31m"), "method-canary\u{1b}[31m\n\u{0}", &json!({})));
        client.ask("line-canary \u{1b}[31m");
        events_of(&store, 2);
        daemon.stop();
        let stderr = daemon.stderr();
        for secret in [customer.as_str(), "canary", "987654321", "9876543.21"] {
            assert!(!stderr.contains(secret), "{secret} is in the log: {stderr}");
        }
        let odd = stderr.chars().find(|c| c.is_control() && *c != '\n');
        assert_eq!(odd, None, "a control character in the log: {stderr:?}");
        assert!(!stderr.is_empty(), "the level trace says something");
    }
}

#[test]
fn who_connects_is_logged_by_user_and_process() {
    let store = Store::with("", "[log]\nlevel = \"debug\"\nformat = \"json\"\n");
    let mut daemon = Daemon::start(&store);
    Client::connect(&store).place(1);
    daemon.stop();
    let (uid, pid) = (rustix::process::geteuid().as_raw(), std::process::id());
    let told = daemon.stderr().lines().any(|line| {
        let entry: Value = serde_json::from_str(line).unwrap();
        entry["uid"] == uid && entry["pid"] == pid
    });
    assert!(told, "uid {uid} and pid {pid}: {}", daemon.stderr());
}

#[test]
fn json_logs_are_one_object_a_line() {
    let store = Store::with("", "[log]\nformat = \"json\"\nlevel = \"debug\"\n");
    let mut daemon = Daemon::start(&store);
    Client::connect(&store).place(1);
    daemon.stop();
    let stderr = daemon.stderr();
    assert!(stderr.lines().count() >= 2, "start and stop are told: {stderr}");
    for line in stderr.lines() {
        let entry: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(entry.is_object(), "{line}");
    }
}

#[test]
fn the_level_decides_and_sighup_reads_it_again() {
    let store = Store::with("", "[log]\nlevel = \"error\"\n");
    let mut daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    client.place(1);
    assert_eq!(daemon.stderr(), "", "nothing is wrong, so nothing is said");
    store.configure("", "[log]\nlevel = \"trace\"\n");
    daemon.signal(Signal::HUP);
    eventually(DEADLINE, "more is said", || {
        Client::connect(&store).place(1);
        !daemon.stderr().is_empty()
    });
    // A configuration that has become bad changes nothing and ends nothing.
    store.configure("no_such_key = 1", "");
    daemon.signal(Signal::HUP);
    client.place(1);
    daemon.stop();
}

#[test]
fn a_standard_error_that_nobody_reads_stops_nothing() {
    let store = Store::with("", "[log]\nlevel = \"trace\"\n");
    let fifo = store.path("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    // Held open, so that it can be written to, and never read.
    let _reader = std::fs::File::options().read(true).write(true).open(&fifo).unwrap();
    let mut command = std::process::Command::new("/bin/sh");
    command.arg("-c").arg("exec \"$0\" serve --config \"$1\" 2>\"$2\"");
    command.arg(env!("CARGO_BIN_EXE_orderd")).arg(store.config()).arg(&fifo);
    let mut daemon = Daemon::spawn_command(&store, &mut command);
    daemon.wait_ready(&store);
    let mut client = Client::connect(&store);
    // Each is logged at this level: more than the pipe and the queue before it hold.
    client.send_raw("{\"jsonrpc\":\"2.0\",\"method\":\"no\"}\n".repeat(10_000));
    client.place(1);
    let metrics = client.result("daemon.metrics", json!({}));
    let family = metrics["metrics"].as_array().unwrap().iter().find(|f| f["name"] == "orderd_dropped_log_lines_total");
    let dropped = family.map(|family| family["samples"][0]["value"].as_u64().unwrap());
    assert!(dropped.is_some_and(|lines| lines > 0), "{dropped:?}");
    daemon.stop();
}
