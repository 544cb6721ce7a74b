//! `orderd send`: request lines in, answers out, in order.

use serde_json::{Value, json};

use crate::support::{Cli, Client, Daemon, Store, orderd, request, uuid};

fn place_line(id: usize) -> String {
    request(&json!(id), "order.place", &json!({"customer_id": uuid(), "total_amount": id}))
}

#[track_caller]
fn answers(stdout: &str) -> Vec<Value> {
    assert!(stdout.is_empty() || stdout.ends_with('\n'), "whole lines");
    stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn send(store: &Store, stdin: impl Into<Vec<u8>>) -> crate::support::Run {
    Cli::new(&["send"]).env("ORDERD_CONFIG", store.config()).stdin(stdin).run()
}

#[test]
fn requests_from_standard_input_are_pipelined_and_answered_in_order() {
    let store = Store::new();
    let _daemon = Daemon::start(&store);
    let count = 20_000;
    let lines: String = (0..count).map(|id| place_line(id) + "\n").collect();
    let run = send(&store, lines).expect(0);
    let answers = answers(&run.stdout);
    assert_eq!(answers.len(), count);
    for (id, answer) in answers.iter().enumerate() {
        assert_eq!((&answer["id"], &answer["result"]["order"]["total_amount"]), (&json!(id), &json!(id)));
    }
    assert_eq!(run.stderr, "", "no progress bar without a terminal");
    assert_eq!(Client::connect(&store).status()["orders"]["count"], count);
}

#[test]
fn requests_from_a_file_are_answered_in_order() {
    let store = Store::new();
    let _daemon = Daemon::start(&store);
    let lines: String = (0..10).map(|id| place_line(id) + "\n").collect();
    std::fs::write(store.path("requests.ndjson"), lines).unwrap();
    let answers = answers(&orderd(&store, &["send", "requests.ndjson"]).expect(0).stdout);
    let ids: Vec<&Value> = answers.iter().map(|answer| &answer["id"]).collect();
    assert_eq!(json!(ids), json!([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]));
}

#[test]
fn notifications_are_sent_and_not_waited_for() {
    let store = Store::new();
    let _daemon = Daemon::start(&store);
    let notification = |amount: usize| {
        let params = json!({"customer_id": uuid(), "total_amount": amount});
        json!({"jsonrpc": "2.0", "method": "order.place", "params": params}).to_string() + "\n"
    };
    let lines = format!("{}{}\n{}", notification(1), place_line(2), notification(3));
    let run = send(&store, lines).expect(0);
    let answers = answers(&run.stdout);
    assert_eq!(answers.len(), 1);
    assert_eq!(answers[0]["id"], 2);
    assert_eq!(Client::connect(&store).status()["orders"]["count"], 3);
}

#[test]
fn refusals_are_answers_too_and_show_in_the_exit_code() {
    let store = Store::new();
    let _daemon = Daemon::start(&store);
    let unknown = request(&json!("g"), "order.get", &json!({"order_id": uuid()}));
    let run = send(&store, format!("{}\n{unknown}\nnonsense\n{}\n", place_line(1), place_line(2))).expect(1);
    let kinds: Vec<Value> = answers(&run.stdout).iter().map(|answer| answer["error"]["data"]["kind"].clone()).collect();
    assert_eq!(kinds, [json!(null), json!("order_not_found"), json!("parse_error"), json!(null)]);
}

#[test]
fn nothing_to_send_is_done_at_once() {
    let store = Store::new();
    let _daemon = Daemon::start(&store);
    assert_eq!(send(&store, "").expect(0).stdout, "");
}

#[test]
fn a_daemon_that_goes_away_midway_is_not_a_success() {
    let store = Store::with("", "[server]\nline_bytes_max = 4096\n");
    let _daemon = Daemon::start(&store);
    // A line too long closes the connection: the lines behind it get no answer.
    let lines = format!("{}\n{}\n{}\n", place_line(1), "x".repeat(5000), place_line(2));
    let run = send(&store, lines);
    assert!(matches!(run.code, Some(1 | 69 | 74)), "{run:?}");
    let answers = answers(&run.stdout);
    assert_eq!(answers[0]["id"], 1);
    assert!(!run.stderr.is_empty(), "what went wrong is said");
}
