//! `daemon.status`: every documented field, and that the numbers are true.

use serde_json::{Value, json};

use crate::support::{Client, DEADLINE, Daemon, Store, eventually, keys, uuid};

const SINK_KEYS: [&str; 8] =
    ["acked_sequence", "attempts", "lag_events", "lag_ms", "last_error", "name", "state", "type"];

#[test]
fn status_has_the_documented_fields_and_no_others() {
    let store = Store::with("", "[[sinks]]\nname = \"out\"\ntype = \"stdout\"\n");
    let _daemon = Daemon::start(&store);
    let status = Client::connect(&store).status();
    assert_eq!(keys(&status), ["connections", "journal", "orders", "outbox", "sinks", "state", "uptime_ms", "version"]);
    assert_eq!(keys(&status["journal"]), ["bytes", "checkpoint_lsn", "durable_lsn", "segments"]);
    assert_eq!(keys(&status["orders"]), ["count"]);
    assert_eq!(keys(&status["outbox"]), ["last_sequence"]);
    let sinks = status["sinks"].as_array().unwrap();
    assert_eq!(sinks.len(), 2);
    for (sink, (name, kind)) in sinks.iter().zip([("events", "file"), ("out", "stdout")]) {
        assert_eq!(keys(sink), SINK_KEYS);
        assert_eq!((&sink["name"], &sink["type"]), (&json!(name), &json!(kind)));
        assert_eq!(sink["state"], "idle");
        for key in ["acked_sequence", "lag_events", "lag_ms", "attempts"] {
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
    assert_eq!(status["connections"], 1);
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
