//! `daemon.status`: every documented field, and that the numbers are true.

use serde_json::{Value, json};

use crate::support::{Client, DEADLINE, Daemon, Store, eventually, keys, lines, uuid};

const KEYS: [&str; 12] = [
    "commands_total",
    "connections",
    "connections_max",
    "connections_refused_total",
    "journal",
    "orders",
    "outbox",
    "overloaded_total",
    "sinks",
    "state",
    "uptime_ms",
    "version",
];
const JOURNAL_KEYS: [&str; 6] = ["bytes", "bytes_max", "checkpoint_lsn", "durable_lsn", "pinned_by", "segments"];
const SINK_KEYS: [&str; 15] = [
    "acked_sequence",
    "attached",
    "attempts",
    "delivered_total",
    "eta_ms",
    "in_flight",
    "lag_events",
    "lag_ms",
    "last_error",
    "name",
    "parked_events",
    "parked_lanes",
    "rate_events_per_s",
    "state",
    "type",
];

#[test]
fn status_has_the_documented_fields_and_no_others() {
    let store = Store::with("", "[[sinks]]\nname = \"out\"\ntype = \"stdout\"\n");
    let _daemon = Daemon::start(&store);
    let status = Client::connect(&store).status();
    assert_eq!(keys(&status), KEYS);
    assert_eq!(keys(&status["journal"]), JOURNAL_KEYS);
    assert_eq!(keys(&status["orders"]), ["count"]);
    assert_eq!(keys(&status["outbox"]), ["last_sequence"]);
    let sinks = status["sinks"].as_array().unwrap();
    assert_eq!(sinks.len(), 2);
    for (sink, (name, kind)) in sinks.iter().zip([("events", "file"), ("out", "stdout")]) {
        assert_eq!(keys(sink), SINK_KEYS);
        assert_eq!((&sink["name"], &sink["type"]), (&json!(name), &json!(kind)));
        assert_eq!(sink["state"], "idle");
        let counts =
            ["acked_sequence", "lag_events", "lag_ms", "attempts", "in_flight", "parked_lanes", "parked_events"];
        for key in counts.into_iter().chain(["delivered_total"]) {
            assert_eq!(sink[key].as_u64(), Some(0), "{key} of a sink with nothing to do: {sink}");
        }
        assert_eq!(sink["last_error"], Value::Null);
    }
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(status["state"], "ready");
    assert!(status["uptime_ms"].is_u64());
    for key in ["durable_lsn", "checkpoint_lsn", "bytes", "segments"] {
        assert!(status["journal"][key].is_u64(), "{key}: {status}");
    }
    assert_eq!(status["orders"]["count"], 0);
    assert_eq!(status["outbox"]["last_sequence"], 0);
    assert_eq!((&status["connections"], &status["connections_max"]), (&json!(1), &json!(256)));
    for key in ["connections_refused_total", "commands_total", "overloaded_total"] {
        assert_eq!(status[key], 0, "{key}: {status}");
    }
    assert_eq!(status["journal"]["bytes_max"], 68_719_476_736_u64);
}

#[test]
fn status_counts_what_happened() {
    let store = Store::new();
    let mut daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let mut lsn = 0;
    for amount in 0..10 {
        let order = client.place(amount);
        lsn = client.result("order.complete", json!({"order_id": order}))["lsn"].as_u64().unwrap();
        client.call("order.complete", json!({"order_id": uuid()})).unwrap_err();
    }
    for restarted in [false, true] {
        if restarted {
            daemon.kill9();
            daemon = Daemon::start(&store);
            client = Client::connect(&store);
        }
        let status = client.status();
        assert_eq!(status["orders"]["count"], 10);
        assert_eq!(status["commands_total"], if restarted { 0 } else { 30 });
        assert_eq!(status["outbox"]["last_sequence"], 20);
        let durable = status["journal"]["durable_lsn"].as_u64().unwrap();
        assert!(durable >= lsn, "an answered plan is durable: {durable} < {lsn}");
        assert!(status["journal"]["segments"].as_u64().unwrap() >= 1);
        assert!(status["journal"]["bytes"].as_u64().unwrap() > 0);
        eventually(DEADLINE, "the sink has caught up", || {
            let sink = client.status()["sinks"][0].clone();
            sink["acked_sequence"] == 20 && sink["lag_events"] == 0 && sink["lag_ms"] == 0 && sink["state"] == "idle"
        });
    }
}

#[test]
fn a_sink_is_idle_only_while_nothing_is_unsettled() {
    let store = Store::with("", "[relay]\ncursor_ms_max = 60000\n");
    let mut daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    client.place(1);
    eventually(DEADLINE, "the line is written", || lines(&store.sink()).len() == 1);
    for _ in 0..200 {
        // It is not acknowledged before the cursor is due.
        let sink = client.status()["sinks"][0].clone();
        assert_eq!((&sink["state"], &sink["lag_events"]), (&json!("delivering"), &json!(1)), "{sink}");
    }
    daemon.stop();
}

#[test]
fn connections_are_counted_while_they_are_open() {
    let store = Store::new();
    let _daemon = Daemon::start(&store);
    let mut asking = Client::connect(&store);
    let others: Vec<Client> = (0..5).map(|_| Client::connect(&store)).collect();
    eventually(DEADLINE, "six connections", || asking.status()["connections"] == 6);
    drop(others);
    eventually(DEADLINE, "one connection", || asking.status()["connections"] == 1);
}

#[test]
fn uptime_starts_anew_with_the_process_and_grows() {
    let store = Store::new();
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let uptime = |client: &mut Client| client.status()["uptime_ms"].as_u64().unwrap();
    let first = uptime(&mut client);
    assert!(first < 60_000, "{first} ms after the start");
    eventually(DEADLINE, "uptime grows", || uptime(&mut client) > first);
}
