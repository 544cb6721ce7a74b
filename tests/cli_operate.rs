//! `orderd sink`, `lane`, `replay`, `trace` and `metrics`: what they ask the daemon, and what they print.

use serde_json::{Value, json};

use crate::support::{FakeDaemon, uuid};

/// Holds a command line to the one request that it makes of a daemon that answers `result`.
#[track_caller]
fn asks(args: &[&str], result: &Value, method: &str, params: &Value) {
    let daemon = FakeDaemon::answering(result.clone());
    let run = daemon.orderd(args).expect(0);
    assert!(serde_json::from_str::<Value>(&run.stdout).is_err(), "a text for people: {}", run.stdout);
    assert_eq!(daemon.take_requests(), [(method.to_owned(), params.clone())], "{args:?}");
    let with_json: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
    assert_eq!(&daemon.orderd(&with_json).expect(0).json(), result, "{args:?}");
}

#[test]
fn sink_verbs_ask_for_their_sink_and_record_a_reason() {
    let done = json!({});
    asks(&["sink", "pause", "s"], &done, "sink.pause", &json!({"sink": "s"}));
    asks(&["sink", "pause", "s", "--reason", "-7 °C"], &done, "sink.pause", &json!({"sink": "s", "reason": "-7 °C"}));
    asks(&["sink", "resume", "s"], &done, "sink.resume", &json!({"sink": "s"}));
    asks(&["sink", "retry", "s"], &done, "sink.retry", &json!({"sink": "s"}));
    asks(&["sink", "forget", "s", "--reason", "r"], &done, "sink.forget", &json!({"sink": "s", "reason": "r"}));
    let range = json!({"events": 3, "first_sequence": 4, "last_sequence": 6});
    asks(
        &["sink", "skip-to", "s", "7", "--reason", "r"],
        &range,
        "sink.skip_to",
        &json!({"sink": "s", "sequence": 7, "reason": "r"}),
    );
    asks(
        &["sink", "skip-to", "s", "end", "--reason", "r", "--dry-run"],
        &range,
        "sink.skip_to",
        &json!({"sink": "s", "sequence": "end", "reason": "r", "dry_run": true}),
    );
    let nothing = FakeDaemon::answering(done);
    for wrong in ["last", "-1", "1.5"] {
        nothing.orderd(&["sink", "skip-to", "s", wrong]).expect(64);
    }
    assert_eq!(nothing.take_requests(), []);
}

#[test]
fn lane_verbs_ask_for_their_sink_and_order() {
    let order = uuid();
    let done = json!({});
    asks(
        &["lane", "park", "s", &order, "--reason", "r"],
        &done,
        "lane.park",
        &json!({"sink": "s", "order_id": order, "reason": "r"}),
    );
    asks(
        &["lane", "skip", "s", &order, "42", "--reason", "r"],
        &done,
        "lane.skip",
        &json!({"sink": "s", "order_id": order, "sequence": 42, "reason": "r"}),
    );
    let requeued = json!({"lanes": 1, "events": 2, "first_sequence": 4, "last_sequence": 6});
    asks(&["lane", "requeue", "s", &order], &requeued, "lane.requeue", &json!({"sink": "s", "order_id": order}));
    let all = ["lane", "requeue", "s", "--all", "--state", "rejected", "--reason-contains", "x", "--limit", "5"];
    asks(
        &all,
        &requeued,
        "lane.requeue",
        &json!({"sink": "s", "all": true, "state": "rejected", "reason_contains": "x", "limit": 5}),
    );
    let nothing = FakeDaemon::answering(done);
    let wrong: [&[&str]; 4] = [
        &["lane", "requeue", "s"],
        &["lane", "requeue", "s", &order, "--all"],
        &["lane", "list", "s", "--state", "lost"],
        &["lane", "skip", "s", &order],
    ];
    for args in wrong {
        nothing.orderd(args).expect(64);
    }
    assert_eq!(nothing.take_requests(), []);
}

#[test]
fn a_list_of_lanes_says_how_to_go_on() {
    let order = uuid();
    let lane = json!({"order_id": order, "state": "rejected", "events": 2, "first_sequence": 7, "attempts": 1,
        "since": "2026-05-01T00:00:00.000000Z", "next_attempt_at": null, "reason": "unknown\ncountry"});
    let params = json!({"sink": "s", "state": "held", "after": order, "limit": 1});
    let args = ["lane", "list", "s", "--state", "held", "--after", &order, "--limit", "1"];
    asks(&args, &json!({"lanes": [lane], "next": order}), "lane.list", &params);
    let text = FakeDaemon::answering(json!({"lanes": [lane], "next": order})).orderd(&args).expect(0).stdout;
    assert!(text.contains(&format!("--after {order}")) && text.contains(r"unknown\ncountry"), "{text}");
    let shown = json!({"lane": lane, "events": [{"sequence": "00000000000000000007", "type": "OrderPlaced"}]});
    asks(&["lane", "show", "s", &order], &shown, "lane.show", &json!({"sink": "s", "order_id": order}));
}

#[test]
fn replay_verbs_take_sequences_times_and_filters() {
    let (replay, order) = (uuid(), uuid());
    let started = json!({"replay_id": replay, "events": 3, "first_sequence": 4, "last_sequence": 6});
    asks(
        &["replay", "start", "s", "--from", "4", "--to", "2026-05-01T00:00:00Z"],
        &started,
        "replay.start",
        &json!({"sink": "s", "from": 4, "to": "2026-05-01T00:00:00Z"}),
    );
    let filters = ["--type", "OrderPlaced", "--type", "OrderCancelled", "--order-id", &order];
    let mut args = vec!["replay", "start", "s", "--from", "4", "--to", "6", "--rate-events-per-s-max", "9"];
    args.extend(filters);
    let params = json!({"sink": "s", "from": 4, "to": 6, "types": ["OrderPlaced", "OrderCancelled"],
        "order_id": order, "rate_events_per_s_max": 9});
    asks(&args, &started, "replay.start", &params);
    asks(&["replay", "cancel", &replay], &json!({}), "replay.cancel", &json!({"replay_id": replay}));
    let listed = json!({"replays": [{"replay_id": replay, "sink": "s", "state": "running", "delivered": 1,
        "failed": 0, "remaining": 2, "eta_ms": 4000}]});
    asks(&["replay", "list"], &listed, "replay.list", &json!({}));
    FakeDaemon::answering(json!({})).orderd(&["replay", "start", "s", "--from", "1"]).expect(64);
}

fn sink(name: &str, state: &str) -> Value {
    json!({"name": name, "type": "subscription", "state": state, "acked_sequence": 7, "lag_events": 2, "lag_ms": 1500,
        "attempts": 3, "last_error": "no\nroute", "in_flight": 1, "parked_lanes": 1, "parked_events": 2,
        "delivered_total": 9, "rate_events_per_s": 12.5, "eta_ms": null, "attached": "billing 1.0"})
}

#[test]
fn sinks_are_listed_in_a_table_and_shown_with_their_failures() {
    let listed = json!({"sinks": [sink("billing", "retrying"), sink("audit", "stopped")]});
    asks(&["sink", "list"], &listed, "sink.list", &json!({}));
    let text = FakeDaemon::answering(listed).orderd(&["sink", "list"]).expect(0).stdout;
    assert_eq!(text.lines().count(), 3, "{text}");
    let failure = json!({"at": "2026-05-01T00:00:00.000000Z", "sequence": 8, "order_id": uuid(), "attempt": 3,
        "outcome": "failed", "reason": "no route"});
    let shown = json!({"sink": sink("billing", "retrying"), "failures": [failure]});
    asks(&["sink", "show", "billing"], &shown, "sink.show", &json!({"sink": "billing"}));
}

#[test]
fn a_trace_tells_the_order_its_events_and_every_sink() {
    let order = uuid();
    let state = json!({"order_id": order, "customer_id": uuid(), "total_amount": 5, "status": "cancelled",
        "version": 2, "placed_at": "2026-05-01T00:00:00.000000Z", "completed_at": null,
        "cancelled_at": "2026-05-02T00:00:00.000000Z"});
    let event = json!({"sequence": 8, "type": "OrderCancelled", "id": uuid(), "orderversion": 2,
        "time": "2026-05-02T00:00:00.000000Z", "reason": "out of stock",
        "sinks": [{"name": "billing", "state": "parked", "attempts": 8, "reason": "HTTP 500"}]});
    let trace = json!({"order": state, "events": [event], "complete": false});
    asks(&["trace", &order], &trace, "order.trace", &json!({"order_id": order}));
    let text = FakeDaemon::answering(trace).orderd(&["trace", &order]).expect(0).stdout;
    for word in ["cancelled", "OrderCancelled", "out of stock", "billing", "parked", "HTTP 500", "left the journal"] {
        assert!(text.contains(word), "{word} is missing: {text}");
    }
}

#[test]
fn metrics_are_prometheus_text() {
    let metrics = json!({"metrics": [
        {"name": "orderd_orders", "kind": "gauge", "help": "Orders.", "samples": [{"labels": {}, "value": 7}]},
        {"name": "orderd_commit_seconds", "kind": "histogram", "help": "h",
         "samples": [{"labels": {}, "buckets": [{"le": "0.1", "count": 2}], "sum": 0.25, "count": 3}]}]});
    asks(&["metrics"], &metrics, "daemon.metrics", &json!({}));
    let text = FakeDaemon::answering(metrics).orderd(&["metrics"]).expect(0).stdout;
    for line in ["# TYPE orderd_orders gauge", "orderd_orders 7", "orderd_commit_seconds_bucket{le=\"+Inf\"} 3"] {
        assert!(text.lines().any(|found| found == line), "{line} is missing: {text}");
    }
}

#[test]
fn a_check_of_the_status_fails_for_what_an_operator_should_look_at() {
    let status = |state: &str, sink_state: &str| {
        json!({"version": "1", "uptime_ms": 1, "state": state, "orders": {"count": 0},
            "outbox": {"last_sequence": 9}, "connections": 1, "sinks": [sink("billing", sink_state)],
            "journal": {"durable_lsn": 1, "checkpoint_lsn": 0, "bytes": 1, "segments": 1}})
    };
    for (state, sink_state, code) in [("ready", "idle", 0), ("ready", "blocked", 1), ("storage_full", "idle", 1)] {
        let daemon = FakeDaemon::answering(status(state, sink_state));
        daemon.orderd(&["status"]).expect(0);
        let run = daemon.orderd(&["status", "--check"]).expect(code);
        assert_eq!(run.stderr.is_empty(), code == 0, "{}", run.stderr);
        assert_eq!(daemon.orderd(&["status", "--check", "--json"]).expect(code).json(), status(state, sink_state));
    }
}

#[test]
fn metadata_and_trace_context_go_with_a_command_as_they_were_given() {
    let (order, parent) = (uuid(), "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    let changed = json!({"lsn": 1, "duplicate": false, "order": {"order_id": order, "customer_id": uuid(),
        "total_amount": 5, "status": "completed", "version": 2, "placed_at": "x", "completed_at": "y",
        "cancelled_at": null}});
    let args =
        ["complete", &order, "--metadata", "{\n \"a\": [1.50] }", "--traceparent", parent, "--tracestate", "v=1"];
    let params = json!({"order_id": order, "metadata": {"a": [1.5]}, "traceparent": parent, "tracestate": "v=1"});
    asks(&args, &changed, "order.complete", &params);
    let run = FakeDaemon::answering(changed).orderd(&["complete", &order, "--metadata", "[1]"]).expect(64);
    assert!(run.stderr.contains("JSON object"), "{}", run.stderr);
}
