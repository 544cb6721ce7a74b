//! Refusals and hostile texts: the exit code, the error object, and nothing that a terminal would obey.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Cli, FakeDaemon, Store, orderd, refusal, uuid};

#[test]
fn the_exit_code_tells_refusals_apart_and_json_has_the_error_object() {
    let cases = [
        (1001, "order_not_found", false, 1),
        (1101, "overloaded", true, 75),
        (1102, "shutting_down", true, 75),
        (1103, "storage_full", true, 75),
        (1104, "permission_denied", false, 77),
        (1202, "sink_attached", true, 75),
        (-32603, "internal_error", false, 70),
    ];
    for (code, kind, retryable, exit) in cases {
        let error = refusal(code, kind, retryable, "what was wrong");
        let daemon = FakeDaemon::refusing(error.clone());
        let run = daemon.orderd(&["get", &uuid()]).expect(exit);
        assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", "orderd: what was wrong\n"), "{kind}");
        let run = daemon.orderd(&["sink", "list", "--json"]).expect(exit);
        assert_eq!(run.json(), error);
        assert_eq!(run.stderr, "orderd: what was wrong\n", "{kind}");
    }
}

#[test]
fn send_exits_75_if_all_that_was_refused_may_be_sent_again() {
    let later = |method: &str, _: &Value| match method {
        "get" => Ok(json!({})),
        "full" => Err(refusal(1103, "storage_full", true, "full")),
        _ => Err(refusal(1001, "order_not_found", false, "none")),
    };
    let daemon = FakeDaemon::start(later);
    let send = |methods: &[&str]| {
        let lines: Vec<_> =
            methods.iter().map(|m| format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"{m}\"}}\n")).collect();
        Cli::new(&["send"]).env("ORDERD_SOCKET", daemon.socket()).stdin(lines.concat()).run()
    };
    send(&["get"]).expect(0);
    send(&["get", "full"]).expect(75);
    send(&["full", "other"]).expect(1);
}

#[test]
fn an_answer_that_never_came_leaves_only_changes_in_doubt() {
    let daemon = FakeDaemon::start(|_, _| {
        std::thread::park_timeout(Duration::from_secs(60));
        Ok(json!({}))
    });
    let id = uuid();
    let run = daemon.orderd(&["complete", &id, "--timeout-ms", "50"]).expect(69);
    assert!(run.stderr.contains("--command-id"), "{}", run.stderr);
    for args in [&["get", &id][..], &["status"], &["lane", "list", "s"]] {
        let run = daemon.orderd(&[args, &["--timeout-ms", "50"]].concat()).expect(69);
        assert!(!run.stderr.contains("carried out") && !run.stderr.contains("--command-id"), "{}", run.stderr);
    }
    let run = daemon.orderd(&["sink", "pause", "s", "--timeout-ms", "50"]).expect(69);
    assert!(run.stderr.contains("may have been done") && !run.stderr.contains("--command-id"), "{}", run.stderr);
}

#[test]
fn a_daemon_that_holds_its_lock_and_does_not_listen_is_still_starting() {
    let store = Store::new();
    let data_dir = store.data_dir();
    std::fs::create_dir_all(&data_dir).unwrap();
    let lock = std::fs::File::open(&data_dir).unwrap();
    lock.lock().unwrap();
    let run = orderd(&store, &["status"]).expect(69);
    assert!(run.stderr.contains("still starting"), "{}", run.stderr);
    drop(lock);
    let run = orderd(&store, &["status"]).expect(69);
    assert!(run.stderr.contains("orderd serve"), "{}", run.stderr);
}

/// What a terminal obeys, or shows in another order than it has.
const HOSTILE: &str = "\u{1b}[31m\u{9b}31m\u{7f}\u{202e}x\u{2066}\r";

#[track_caller]
fn assert_harmless(text: &str) {
    let bad = |c: &char| (c.is_control() && *c != '\n') || matches!(c, '\u{202e}' | '\u{2066}');
    assert_eq!(text.chars().find(bad), None, "{text:?}");
}

#[test]
fn nothing_that_others_wrote_plays_tricks_on_a_terminal() {
    let order = json!({"order_id": HOSTILE, "customer_id": HOSTILE, "total_amount": 5, "status": HOSTILE, "version": 2,
        "placed_at": HOSTILE, "completed_at": HOSTILE, "cancelled_at": null});
    let progress = json!({"name": HOSTILE, "state": HOSTILE, "attempts": 0, "reason": HOSTILE});
    let event = json!({"sequence": 1, "type": HOSTILE, "id": HOSTILE, "orderversion": 1, "time": HOSTILE,
        "reason": HOSTILE, "sinks": [progress]});
    let everything = json!({"order": order, "lsn": 1, "duplicate": false, "events": [event], "complete": true,
        "metrics": [{"name": "a", "kind": "gauge", "help": HOSTILE, "samples": [{"labels": {"a": HOSTILE}, "value": 1}]}]});
    let daemon = FakeDaemon::answering(everything.clone());
    let id = uuid();
    for args in [&["get", &id][..], &["complete", &id], &["trace", &id], &["metrics"], &["get", &id, "--json"]] {
        let run = daemon.orderd(args).expect(0);
        assert_harmless(&run.stdout);
        if args.contains(&"--json") {
            assert_eq!(run.json(), everything, "escaped, and the same");
        }
    }
    let sent = Cli::new(&["send"]).env("ORDERD_SOCKET", daemon.socket()).stdin("{\"id\":1,\"method\":\"x\"}\n").run();
    assert_harmless(&sent.expect(0).stdout);
    let refusing = FakeDaemon::refusing(refusal(1001, "order_not_found", false, HOSTILE));
    let run = refusing.orderd(&["get", &id, "--json"]).expect(1);
    assert_harmless(&run.stdout);
    assert_harmless(&run.stderr);
    let hostile_path = format!("/nowhere/{HOSTILE}");
    for args in
        [&["status", "--socket", &hostile_path][..], &["verify", "--data-dir", &hostile_path], &["get", HOSTILE]]
    {
        let run = refusing.orderd(args);
        assert_ne!(run.code, Some(0));
        assert_harmless(&run.stderr);
    }
    let store = Store::raw(&format!("[daemon]\n\"a\\u001B[31m\\u202E\" = 1\ndata_dir = \"{}\"\n", "\\u009B31m"));
    assert_harmless(&orderd(&store, &["config", "check"]).expect(78).stderr);
}
